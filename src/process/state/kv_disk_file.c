/* The file of kv_disk, `map.log`, little-endian:
 *
 *   0 magic "WEIRKV01"   8 u64 life   16 u32 CRC32C of bytes 0–15   20 u32 0
 *   then records:  0 u32 CRC32C of bytes 4–end, seeded with the record's before (the first: with the header's)
 *                  4 u32 bytes of the body   8 u32 operations   12 u32 0
 *                  body, for each operation: u8 op (0 put, 1 delete, 2 delete range, 3 stamp), u32 key bytes, u32 value
 *                  bytes, key, value. A stamp has no key, its value is the u64 number.
 *
 * Valid is what the chain of checksums reaches from the beginning; the rest is cut away at opening. So what survives is
 * a prefix of what was written, a tail of an earlier life is not taken for new, and damage in the middle shows as a
 * stamp that is older than the one that was promised. When more than half of the file is dead, or a sync has failed,
 * everything alive is written to `map.new`, synced, and renamed over it. */
#include <stdio.h>
#include <stdlib.h>

#include "base/crc32c.h"
#include "process/state/kv_disk.h"

#define RECORD_BYTES_MAX (64u << 20)
#define REWRITE_RECORD_BYTES (256u << 10)

static const char MAGIC[8] = { 'W', 'E', 'I', 'R', 'K', 'V', '0', '1' };

struct __attribute__((packed)) file_header {
    char magic[8];
    uint64_t life;
    uint32_t crc, zero;
};

struct __attribute__((packed)) record_header {
    uint32_t crc, bytes, operations, zero;
};

static const char *path_of(const struct kv_disk *map, const char *name, char path[DISK_PATH_MAX])
{
    int n = snprintf(path, DISK_PATH_MAX, "%s/%s", map->path, name);
    assert(n < DISK_PATH_MAX);
    return path;
}

/* ---- records ---- */

void kv_record_begin(struct buf *record)
{
    struct record_header header = { 0 };
    buf_reset(record);
    buf_add(record, &header, sizeof header);
}

void kv_record_add(struct buf *record, enum kv_op op, struct slice key, struct slice value)
{
    struct kv_op_head head = { (uint8_t)op, (uint32_t)key.n, (uint32_t)value.n };
    struct record_header header;
    buf_add(record, &head, sizeof head);
    buf_add_slice(record, key);
    buf_add_slice(record, value);
    if (record->full)
        return;
    memcpy(&header, record->p, sizeof header);
    header.operations++;
    memcpy(record->p, &header, sizeof header);
}

enum status kv_record_write(struct disk_file *file, struct buf *record, uint64_t *end, uint32_t *chain,
                            struct error *err)
{
    struct record_header header;
    if (record->full)
        return error_set(err, ERR_FULL, "a batch of changes is larger than %u bytes", RECORD_BYTES_MAX);
    memcpy(&header, record->p, sizeof header);
    header.bytes = (uint32_t)(record->n - sizeof header);
    memcpy(record->p, &header, sizeof header);
    header.crc = crc32c(*chain, record->p + sizeof header.crc, record->n - sizeof header.crc);
    memcpy(record->p, &header, sizeof header);
    struct iovec part = { record->p, record->n };
    enum status s = file->ops->write(file, &part, 1, *end, err);
    if (s != OK)
        return s;
    *end += record->n;
    *chain = header.crc;
    return OK;
}

/* ---- loading ---- */

/* The next operation of a body; false at its end, and (rest left) when it is malformed. */
static bool next_op(struct slice *rest, struct kv_op_head *out, struct slice *out_key, struct slice *out_value)
{
    if (rest->n < sizeof *out)
        return false;
    memcpy(out, rest->p, sizeof *out);
    size_t left = rest->n - sizeof *out;
    if (out->op > OP_STAMP || out->key_n > left || out->value_n > left - out->key_n)
        return false;
    *out_key = slice_of(rest->p + sizeof *out, out->key_n);
    *out_value = slice_of(out_key->p + out->key_n, out->value_n);
    *rest = slice_after(*rest, sizeof *out + out->key_n + out->value_n);
    return true;
}

static void apply_record(struct kv_disk *map, struct slice body, uint64_t body_offset)
{
    struct slice rest = body, key, value;
    struct kv_op_head head;
    while (next_op(&rest, &head, &key, &value)) {
        if (head.op == OP_STAMP && value.n == sizeof map->stamp.number)
            memcpy(&map->stamp.number, value.p, sizeof map->stamp.number);
        else if (head.op != OP_STAMP)
            kv_disk_apply(map, (enum kv_op)head.op, key, value, body_offset + (uint64_t)(value.p - body.p));
    }
    kv_disk_apply_done(map);
}

/* *out_valid false: the valid part ends here. */
static enum status load_record(struct kv_disk *map, bool *out_valid, struct error *err)
{
    struct record_header header;
    size_t n;
    *out_valid = false;
    enum status s = map->file->ops->read(map->file, &header, sizeof header, map->end, &n, err);
    if (s != OK || n < sizeof header || header.bytes > RECORD_BYTES_MAX)
        return s;
    buf_reset(&map->record);
    buf_add(&map->record, &header, sizeof header);
    char *body = buf_reserve(&map->record, header.bytes);
    if (!body)
        return error_set(err, ERR_FULL, "out of memory");
    s = map->file->ops->read(map->file, body, header.bytes, map->end + sizeof header, &n, err);
    if (s != OK || n < header.bytes)
        return s;
    map->record.n += n;
    if (crc32c(map->chain, map->record.p + 4, map->record.n - 4) != header.crc)
        return OK;
    apply_record(map, slice_of(body, n), map->end + sizeof header);
    map->end += map->record.n;
    map->chain = header.crc;
    *out_valid = true;
    return OK;
}

static enum status load_header(struct kv_disk *map, struct error *err)
{
    struct file_header header;
    size_t n;
    enum status s = map->file->ops->read(map->file, &header, sizeof header, 0, &n, err);
    if (s != OK)
        return s;
    if (n < sizeof header || memcmp(header.magic, MAGIC, sizeof MAGIC) != 0 || header.crc != crc32c(0, &header, 16))
        return error_set(err, ERR_CORRUPT, "the header is damaged");
    map->stamp.life = header.life;
    map->end = sizeof header;
    map->chain = header.crc;
    return OK;
}

enum status kv_file_load(struct kv_disk *map, struct error *err)
{
    char path[DISK_PATH_MAX];
    bool valid = true;
    enum status s = map->disk->ops->open(map->disk, path_of(map, "map.log", path), DISK_WRITE, &map->file, err);
    if (s != OK)
        return s;
    s = load_header(map, err);
    while (s == OK && valid)
        s = load_record(map, &valid, err);
    if (s == OK)
        s = map->file->ops->truncate(map->file, map->end, err);
    return s == OK ? OK : error_wrap(err, s, "load %s", path);
}

/* ---- rewriting ---- */

struct rewrite {
    struct disk_file *file;
    uint64_t end, *offsets; /* of the values, in the order of the entries */
    uint32_t chain;
    struct buf record, value;
};

static enum status write_header(struct rewrite *to, uint64_t life, struct error *err)
{
    struct file_header header = { .life = life };
    memcpy(header.magic, MAGIC, sizeof MAGIC);
    header.crc = crc32c(0, &header, 16);
    struct iovec part = { &header, sizeof header };
    to->end = sizeof header;
    to->chain = header.crc;
    return to->file->ops->write(to->file, &part, 1, 0, err);
}

static enum status write_alive(const struct kv_disk *map, struct rewrite *to, struct error *err)
{
    enum status s = OK;
    kv_record_begin(&to->record);
    for (size_t i = 0; i < map->count && s == OK; i++) {
        buf_reset(&to->value);
        s = kv_disk_value(map, map->entries[i], &to->value, err);
        if (s != OK)
            break;
        kv_record_add(&to->record, OP_PUT, kv_entry_key(map->entries[i]), buf_slice(&to->value));
        to->offsets[i] = to->end + to->record.n - to->value.n;
        if (to->record.n < REWRITE_RECORD_BYTES)
            continue;
        s = kv_record_write(to->file, &to->record, &to->end, &to->chain, err);
        kv_record_begin(&to->record);
    }
    return s;
}

static enum status write_new_file(struct kv_disk *map, struct rewrite *to, uint64_t number, struct error *err)
{
    char path[DISK_PATH_MAX], place[DISK_PATH_MAX];
    struct disk *disk = map->disk;
    enum status s = disk->ops->open(disk, path_of(map, "map.new", path), DISK_CREATE, &to->file, err);
    if (s == OK)
        s = to->file->ops->truncate(to->file, 0, err);
    if (s == OK)
        s = write_header(to, map->stamp.life, err);
    if (s == OK)
        s = write_alive(map, to, err);
    if (s != OK)
        return s;
    kv_record_add(&to->record, OP_STAMP, (struct slice){ "", 0 }, slice_of(&number, sizeof number));
    s = kv_record_write(to->file, &to->record, &to->end, &to->chain, err);
    if (s == OK)
        s = to->file->ops->sync(to->file, err);
    if (s == OK)
        s = disk->ops->rename(disk, path, path_of(map, "map.log", place), err);
    return s;
}

enum status kv_file_rewrite(struct kv_disk *map, uint64_t number, struct error *err)
{
    struct rewrite to = { .offsets = calloc(map->count + 1, sizeof *to.offsets) };
    buf_init(&to.record, RECORD_BYTES_MAX);
    buf_init(&to.value, KV_VALUE_MAX);
    enum status s = to.offsets ? write_new_file(map, &to, number, err) : error_set(err, ERR_FULL, "out of memory");
    if (s == OK) {
        if (map->file)
            map->file->ops->close(map->file);
        map->file = to.file;
        map->end = to.end;
        map->chain = to.chain;
        for (size_t i = 0; i < map->count; i++)
            map->entries[i]->offset = to.offsets[i];
        map->must_rewrite = false;
        map->names_unsynced = true;
    } else if (to.file) {
        to.file->ops->close(to.file);
    }
    free(to.offsets);
    buf_done(&to.record);
    buf_done(&to.value);
    if (s == OK)
        s = map->disk->ops->sync_dir(map->disk, map->path, err);
    if (s == OK)
        map->names_unsynced = false;
    return s == OK ? OK : error_wrap(err, s, "write a new file in %s", map->path);
}
