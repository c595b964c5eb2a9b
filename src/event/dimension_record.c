#include "event/dimension_record.h"

#include <xxhash.h>

struct __attribute__((packed)) header {
    uint8_t version, kind;
    uint16_t name;
    uint32_t number;
    uint64_t id, bytes, digest;
    int64_t asked_ms;
};
_Static_assert(sizeof(struct header) == DIMENSION_RECORD_HEADER_BYTES, "the format is drawn in dimension_record.h");

uint64_t dimension_text_digest(struct slice text)
{
    return XXH3_64bits(text.p, text.n);
}

uint64_t dimension_record_key(const struct dimension_record *record)
{
    struct {
        uint64_t version, kind, number, table;
    } key = { record->version, record->kind, record->number, XXH3_64bits(record->table.p, record->table.n) };
    if (record->kind == DIMENSION_CLOSE)
        key.version = key.number = 0;
    return XXH3_64bits(&key, sizeof key) >> 1; /* never the number that says that there is none */
}

void dimension_record_encode(const struct dimension_record *record, struct buf *out)
{
    const struct header header = { 1,
                                   (uint8_t)record->kind,
                                   (uint16_t)record->table.n,
                                   record->number,
                                   record->version,
                                   record->bytes,
                                   record->digest,
                                   record->asked_ms };
    assert(record->table.n && record->table.n <= DIMENSION_RECORD_NAME_MAX);
    assert(record->text.n <= DIMENSION_CHUNK_BYTES_MAX);
    buf_add(out, &header, sizeof header);
    buf_add_slice(out, record->table);
    if (record->kind == DIMENSION_CHUNK)
        buf_add_slice(out, record->text);
}

static enum status check_chunk(const struct dimension_record *record, struct error *err)
{
    if (record->number >= DIMENSION_CHUNKS_MAX || record->text.n == 0 || record->text.n > DIMENSION_CHUNK_BYTES_MAX ||
        record->bytes > DIMENSION_VERSION_BYTES_MAX - record->text.n)
        return error_set(err, ERR_CORRUPT, "a chunk of a dimension table has the number %u and %zu bytes at %llu",
                         record->number, record->text.n, (unsigned long long)record->bytes);
    return OK;
}

static enum status check_close(const struct dimension_record *record, struct error *err)
{
    if (record->number == 0 || record->number > DIMENSION_CHUNKS_MAX || record->text.n || record->bytes == 0 ||
        record->bytes > DIMENSION_VERSION_BYTES_MAX || record->asked_ms < 0)
        return error_set(err, ERR_CORRUPT,
                         "the end of a version of a dimension table says %u chunks, %llu bytes and %zu more",
                         record->number, (unsigned long long)record->bytes, record->text.n);
    return OK;
}

enum status dimension_record_decode(struct slice bytes, struct dimension_record *out, struct error *err)
{
    struct header header;
    if (bytes.n < sizeof header)
        return error_set(err, ERR_CORRUPT, "a record of a dimension table has %zu bytes, less than its header",
                         bytes.n);
    memcpy(&header, bytes.p, sizeof header);
    if (header.version != 1 || (header.kind != DIMENSION_CHUNK && header.kind != DIMENSION_CLOSE) || header.id == 0)
        return error_set(err, ERR_CORRUPT,
                         "a record of a dimension table has version %u and kind %u, this weir reads version 1",
                         header.version, header.kind);
    if (header.name == 0 || header.name > DIMENSION_RECORD_NAME_MAX || bytes.n - sizeof header < header.name)
        return error_set(err, ERR_CORRUPT, "a record of a dimension table has a name of %u bytes", header.name);
    const struct dimension_record record = { .kind = (enum dimension_record_kind)header.kind,
                                             .table = slice_of(bytes.p + sizeof header, header.name),
                                             .version = header.id,
                                             .number = header.number,
                                             .bytes = header.bytes,
                                             .digest = header.digest,
                                             .asked_ms = header.asked_ms,
                                             .text = slice_after(bytes, sizeof header + header.name) };
    enum status s = record.kind == DIMENSION_CHUNK ? check_chunk(&record, err) : check_close(&record, err);
    if (s == OK)
        *out = record;
    return s;
}

void dimension_gather_init(struct dimension_gather *gather)
{
    *gather = (struct dimension_gather){ 0 };
    buf_init(&gather->text, DIMENSION_VERSION_BYTES_MAX);
}

void dimension_gather_done(struct dimension_gather *gather)
{
    buf_done(&gather->text);
}

static bool is_of(const struct dimension_gather *gather, const struct dimension_record *record)
{
    return gather->version && gather->version == record->version &&
           slice_equal(slice_of(gather->table, gather->table_n), record->table);
}

static void begin(struct dimension_gather *gather, const struct dimension_record *record)
{
    assert(record->table.n <= sizeof gather->table);
    memcpy(gather->table, record->table.p, record->table.n);
    gather->table_n = record->table.n;
    gather->version = record->version;
    gather->next = 0;
    buf_reset(&gather->text);
}

/* What does not continue it leaves it without an end. */
static void add(struct dimension_gather *gather, const struct dimension_record *record)
{
    if (record->number == 0)
        begin(gather, record);
    if (!is_of(gather, record))
        return;
    if (record->number != gather->next || record->bytes != gather->text.n) {
        gather->version = 0;
        return;
    }
    buf_add_slice(&gather->text, record->text);
    gather->next++;
}

bool dimension_gather_take(struct dimension_gather *gather, const struct dimension_record *record)
{
    if (record->kind == DIMENSION_CHUNK) {
        add(gather, record);
        return false;
    }
    const bool whole = is_of(gather, record) && gather->next == record->number && !gather->text.full &&
                       gather->text.n == record->bytes &&
                       dimension_text_digest(buf_slice(&gather->text)) == record->digest;
    gather->version = 0;
    return whole;
}
