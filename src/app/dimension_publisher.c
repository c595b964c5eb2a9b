/* What lies in the topic is known by heart: a note for each record, since whoever closes a version must name what is to
 * be forgotten. The notes are read anew whenever the right to write was taken over: who had it before can write no
 * more, so a version without an end will never get one. */
#include "app/dimension_publisher.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/metrics.h"
#include "event/dimension_record.h"
#include "world/world.h"

#define GROUP "dimensions"
#define READ_BYTES (1u << 20)
/* Two versions of each table, and what killed writers left. */
#define NOTES_MAX (4 * DIMENSION_TABLES_MAX * (DIMENSION_CHUNKS_MAX + 1))
_Static_assert((int)DIMENSION_VERSION_BYTES_MAX == (int)DIMENSION_FILE_BYTES_MAX, "");
_Static_assert(DOMAIN_NAME_MAX <= DIMENSION_RECORD_NAME_MAX, "");

enum answer { WAITED_FOR, ANSWERED };

struct note {
    uint64_t key, version, digest;
    enum dimension_record_kind kind;
    uint32_t number;
    char table[DIMENSION_RECORD_NAME_MAX];
    size_t table_n;
};

struct dimension_publisher {
    struct journal *journal;
    struct world *world;
    struct counter *chunks, *versions;
    atomic_bool stopped;
    bool owned;
    struct note notes[NOTES_MAX];
    size_t note_count;
    struct buf bytes;
    struct journal_chunk to_send[JOURNAL_CHUNKS_MAX];
    struct journal_mark mark;
    struct journal_commit commit;
    _Atomic int answer;
    enum status status;
    char reason[200];
};

struct dimension_publisher *dimension_publisher_new(struct journal *journal, struct metrics *metrics,
                                                    struct world *world)
{
    struct dimension_publisher *publisher = calloc(1, sizeof *publisher);
    if (!publisher)
        abort();
    publisher->journal = journal;
    publisher->world = world;
    publisher->chunks = metrics_counter(metrics, "dimension_chunks_told_total",
                                        "Chunks of dimension tables that were told to other processes.", "");
    publisher->versions = metrics_counter(metrics, "dimension_versions_told_total",
                                          "Versions of dimension tables that were told to other processes.", "");
    buf_init(&publisher->bytes, DIMENSION_CHUNK_BYTES_MAX + 1024);
    return publisher;
}

void dimension_publisher_stop(struct dimension_publisher *publisher)
{
    atomic_store(&publisher->stopped, true);
}

void dimension_publisher_free(struct dimension_publisher *publisher)
{
    if (!publisher)
        return;
    buf_done(&publisher->bytes);
    free(publisher);
}

/* ---- what lies in the topic ---- */

static struct slice table_of(const struct note *note)
{
    return slice_of(note->table, note->table_n);
}

static void forget(struct dimension_publisher *publisher, uint64_t key)
{
    for (size_t i = 0; i < publisher->note_count; i++)
        if (publisher->notes[i].key == key) {
            publisher->notes[i] = publisher->notes[--publisher->note_count];
            return;
        }
}

static enum status remember(struct dimension_publisher *publisher, const struct dimension_record *record,
                            struct error *err)
{
    const uint64_t key = dimension_record_key(record);
    forget(publisher, key);
    if (publisher->note_count == NOTES_MAX)
        return error_set(err, ERR_FULL, "the topic of the dimension tables has more than %d records", NOTES_MAX);
    struct note *note = &publisher->notes[publisher->note_count++];
    *note = (struct note){ .key = key,
                           .version = record->version,
                           .digest = record->digest,
                           .kind = record->kind,
                           .number = record->number,
                           .table_n = record->table.n };
    memcpy(note->table, record->table.p, record->table.n);
    return OK;
}

static enum status look_at(struct dimension_publisher *publisher, const struct journal_chunk *chunk, struct error *err)
{
    struct slice rest = chunk->bytes, bytes;
    struct dimension_record record;
    struct error why;
    if (chunk->bytes.n == 0)
        forget(publisher, chunk->offset);
    while (journal_next_record(&rest, &bytes)) {
        if (dimension_record_decode(bytes, &record, &why) != OK)
            continue; /* a later weir's: it stays */
        enum status s = remember(publisher, &record, err);
        if (s != OK)
            return s;
    }
    return OK;
}

static enum status read_all(struct dimension_publisher *publisher, struct error *err)
{
    const struct journal_read_options options = { .topics = TOPIC_BIT(TOPIC_DIMENSIONS), .position = JOURNAL_BEGIN };
    struct journal_reader *reader;
    struct journal_batch batch = { 0 };
    publisher->note_count = 0;
    enum status s = publisher->journal->backend->reader_open(publisher->journal, &options, &reader, err);
    if (s != OK)
        return s;
    do {
        s = journal_read(reader, READ_BYTES, &batch, err);
        for (size_t i = 0; i < batch.chunk_count && s == OK; i++)
            s = look_at(publisher, &batch.chunks[i], err);
    } while (s == OK && batch.chunk_count && !atomic_load(&publisher->stopped));
    publisher->journal->backend->reader_close(reader);
    return s;
}

static bool is_told(const struct dimension_publisher *publisher, struct slice table, uint64_t digest)
{
    const struct note *end = NULL;
    uint32_t chunks = 0;
    for (size_t i = 0; i < publisher->note_count; i++)
        if (publisher->notes[i].kind == DIMENSION_CLOSE && slice_equal(table_of(&publisher->notes[i]), table))
            end = &publisher->notes[i];
    if (!end || end->digest != digest)
        return false;
    for (size_t i = 0; i < publisher->note_count; i++)
        chunks += publisher->notes[i].kind == DIMENSION_CHUNK && publisher->notes[i].version == end->version;
    return chunks == end->number;
}

/* ---- writing ---- */

static void on_done(struct journal_commit *commit, enum status status, const char *reason)
{
    struct dimension_publisher *publisher = commit->context;
    publisher->status = status;
    snprintf(publisher->reason, sizeof publisher->reason, "%s", reason ? reason : "");
    atomic_store(&publisher->answer, ANSWERED);
}

/* The record in publisher->bytes, and what is to be forgotten behind it. */
static enum status commit(struct dimension_publisher *publisher, size_t chunk_count, struct error *err)
{
    publisher->mark = (struct journal_mark){ .group = GROUP, .topic = TOPIC_DIMENSIONS, .position = JOURNAL_BEGIN };
    publisher->commit = (struct journal_commit){ .chunks = publisher->to_send,
                                                 .chunk_count = chunk_count,
                                                 .marks = &publisher->mark,
                                                 .mark_count = 1,
                                                 .done = on_done,
                                                 .context = publisher };
    atomic_store(&publisher->answer, WAITED_FOR);
    enum status s = journal_submit(publisher->journal, &publisher->commit, err);
    if (s != OK)
        return s;
    while (atomic_load(&publisher->answer) == WAITED_FOR)
        usleep(1000); /* the brokers, for half a minute at most */
    if (publisher->status == OK)
        return OK;
    publisher->owned = false;
    return error_set(err, publisher->status, "%s", publisher->reason);
}

static void make_record(struct dimension_publisher *publisher, const struct dimension_record *record)
{
    const uint32_t unknown = 0;
    struct buf *bytes = &publisher->bytes;
    buf_reset(bytes);
    buf_add(bytes, &unknown, sizeof unknown);
    dimension_record_encode(record, bytes);
    const uint32_t n = (uint32_t)(bytes->n - sizeof n);
    assert(!bytes->full);
    memcpy(bytes->p, &n, sizeof n);
    publisher->to_send[0] = (struct journal_chunk){
        .topic = TOPIC_DIMENSIONS, .records = 1, .bytes = buf_slice(bytes), .offset = dimension_record_key(record)
    };
}

static enum status send_chunks(struct dimension_publisher *publisher, struct dimension_record *record,
                               struct slice text, struct error *err)
{
    enum status s = OK;
    for (size_t at = 0; at < text.n && s == OK; at += record->text.n) {
        if (atomic_load(&publisher->stopped))
            return error_set(err, ERR_CLOSED, "stopped");
        const size_t left = text.n - at;
        record->bytes = at;
        record->text = slice_of(text.p + at, left < DIMENSION_CHUNK_BYTES_MAX ? left : DIMENSION_CHUNK_BYTES_MAX);
        make_record(publisher, record);
        s = remember(publisher, record, err);
        if (s == OK)
            s = commit(publisher, 1, err);
        counter_add(publisher->chunks, s == OK);
        record->number++;
    }
    return s;
}

static struct journal_chunk to_forget(uint64_t key)
{
    return (struct journal_chunk){ .topic = TOPIC_DIMENSIONS, .records = 1, .bytes = SLICE(""), .offset = key };
}

static bool has_end(const struct dimension_publisher *publisher, uint64_t version)
{
    for (size_t i = 0; i < publisher->note_count; i++)
        if (publisher->notes[i].kind == DIMENSION_CLOSE && publisher->notes[i].version == version)
            return true;
    return false;
}

/* Has what others have left without an end forgotten. */
static enum status clear(struct dimension_publisher *publisher, struct error *err)
{
    size_t count = 0;
    for (size_t i = 0; i < publisher->note_count && count < JOURNAL_CHUNKS_MAX; i++)
        if (!has_end(publisher, publisher->notes[i].version))
            publisher->to_send[count++] = to_forget(publisher->notes[i].key);
    enum status s = count ? commit(publisher, count, err) : OK;
    for (size_t i = 0; i < count && s == OK; i++)
        forget(publisher, publisher->to_send[i].offset);
    return s;
}

static enum status take_over(struct dimension_publisher *publisher, struct error *err)
{
    if (publisher->owned)
        return OK;
    enum status s = publisher->journal->backend->own(publisher->journal, GROUP, 0, err);
    if (s == OK)
        s = read_all(publisher, err);
    if (s == OK)
        s = clear(publisher, err);
    publisher->owned = s == OK;
    return s;
}

static bool is_declared(const struct domain_set *domains, struct slice table)
{
    for (size_t i = 0; i < domains->table_count; i++)
        if (domains->tables[i].sql.n && slice_equal(domains->tables[i].name, table))
            return true;
    return false;
}

/* Chunks of other versions of the table, and all of tables that there are no more. */
static bool is_needless(const struct note *note, const struct domain_set *domains,
                        const struct dimension_record *closing)
{
    if (!is_declared(domains, table_of(note)))
        return true;
    return note->kind == DIMENSION_CHUNK && slice_equal(table_of(note), closing->table) &&
           note->version != closing->version;
}

static size_t add_needless(struct dimension_publisher *publisher, const struct domain_set *domains,
                           const struct dimension_record *closing)
{
    size_t count = 1;
    for (size_t i = 0; i < publisher->note_count && count < JOURNAL_CHUNKS_MAX; i++)
        if (is_needless(&publisher->notes[i], domains, closing))
            publisher->to_send[count++] = to_forget(publisher->notes[i].key);
    return count;
}

static enum status close_version(struct dimension_publisher *publisher, const struct domain_set *domains,
                                 const struct dimension_record *closing, struct error *err)
{
    make_record(publisher, closing);
    const size_t count = add_needless(publisher, domains, closing);
    enum status s = remember(publisher, closing, err);
    if (s == OK)
        s = commit(publisher, count, err);
    for (size_t i = 1; i < count && s == OK; i++)
        forget(publisher, publisher->to_send[i].offset);
    return s;
}

enum status dimension_publisher_tell(struct dimension_publisher *publisher, const struct domain_set *domains,
                                     const struct dimension_table *table, struct slice text, struct error *err)
{
    const uint64_t digest = dimension_text_digest(text);
    struct dimension_record record = { .kind = DIMENSION_CHUNK, .table = table->name };
    assert(text.n && text.n <= DIMENSION_VERSION_BYTES_MAX);
    enum status s = take_over(publisher, err);
    if (s != OK || is_told(publisher, table->name, digest))
        return s;
    while (record.version == 0)
        publisher->world->random(publisher->world, &record.version, sizeof record.version);
    s = send_chunks(publisher, &record, text, err);
    const struct dimension_record closing = { .kind = DIMENSION_CLOSE,
                                              .table = table->name,
                                              .version = record.version,
                                              .number = record.number,
                                              .bytes = text.n,
                                              .digest = digest,
                                              .asked_ms = world_wall_ms(publisher->world) };
    if (s == OK)
        s = close_version(publisher, domains, &closing, err);
    if (s != OK) {
        publisher->owned = false; /* what lies there is to be looked at */
        return s;
    }
    counter_add(publisher->versions, 1);
    log_info("dimension.told", "table=%.*s bytes=%zu chunks=%u", SLICE_ARG(table->name), text.n, closing.number);
    return OK;
}
