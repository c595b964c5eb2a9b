/* A map on any disk, the simulator's included: every batch of changes is a record at the end of one file
 * (kv_disk_file.c), and the keys stand in memory, sorted, with the places of their values. Simple rather than fast: a
 * batch is merged into the index in one pass, so that it costs time in proportion to all keys, and a key takes some 60
 * bytes of memory. For simulations and for states of up to a few hundred thousand rows. */
#include "process/state/kv_disk.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/crc32c.h"
#include "world/world.h"

#define RECORD_BYTES_MAX (64u << 20)
#define REWRITE_SLACK_BYTES (256u << 10)
#define VIEW_BYTES_MAX (1u << 30)

static struct kv_disk *disk_of(struct kv *kv)
{
    return (struct kv_disk *)kv;
}

/* ---- the index ---- */

/* The first entry that is not before the key. */
static size_t lower_bound(struct kv_entry **entries, size_t count, struct slice key)
{
    size_t from = 0, to = count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (kv_compare(kv_entry_key(entries[middle]), key) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

static struct kv_entry *find(const struct kv_disk *map, struct slice key)
{
    size_t i = lower_bound(map->entries, map->count, key);
    if (i == map->count || kv_compare(kv_entry_key(map->entries[i]), key) != 0)
        return NULL;
    return map->entries[i];
}

static void reserve(struct kv_entry ***entries, size_t *capacity, size_t needed)
{
    if (needed <= *capacity)
        return;
    size_t larger = *capacity ? *capacity * 2 : 64;
    while (larger < needed)
        larger *= 2;
    struct kv_entry **moved = realloc(*entries, larger * sizeof *moved);
    if (!moved)
        abort();
    *entries = moved;
    *capacity = larger;
}

static void entry_free(struct kv_disk *map, struct kv_entry *entry)
{
    map->index_bytes -= sizeof *entry + entry->key_n + sizeof(void *);
    if (entry->value_n != ENTRY_DEAD)
        map->live_bytes -= entry->key_n + entry->value_n;
    free(entry);
}

/* The new keys of the batch take their places, from the back. */
static void merge_fresh(struct kv_disk *map)
{
    size_t old = map->count, fresh = map->fresh_count, to = old + fresh;
    if (fresh == 0)
        return;
    reserve(&map->entries, &map->capacity, to);
    map->count = to;
    map->fresh_count = 0;
    while (fresh) {
        bool take_old = old && kv_compare(kv_entry_key(map->entries[old - 1]), kv_entry_key(map->fresh[fresh - 1])) > 0;
        map->entries[--to] = take_old ? map->entries[--old] : map->fresh[--fresh];
    }
}

static void drop_dead(struct kv_disk *map)
{
    size_t kept = 0;
    for (size_t i = 0; i < map->count; i++) {
        if (map->entries[i]->value_n == ENTRY_DEAD)
            entry_free(map, map->entries[i]);
        else
            map->entries[kept++] = map->entries[i];
    }
    map->count = kept;
}

static struct kv_entry *fresh_entry(struct kv_disk *map, struct slice key)
{
    if (map->fresh_count) {
        struct kv_entry *last = map->fresh[map->fresh_count - 1];
        int order = kv_compare(kv_entry_key(last), key);
        if (order == 0)
            return last;
        if (order > 0) { /* not in order: allowed, slow */
            merge_fresh(map);
            struct kv_entry *found = find(map, key);
            if (found)
                return found;
        }
    }
    struct kv_entry *entry = malloc(sizeof *entry + key.n);
    if (!entry)
        abort();
    *entry = (struct kv_entry){ .value_n = ENTRY_DEAD, .key_n = (uint32_t)key.n };
    memcpy(entry->key, key.p, key.n);
    map->index_bytes += sizeof *entry + key.n + sizeof(void *);
    reserve(&map->fresh, &map->fresh_capacity, map->fresh_count + 1);
    map->fresh[map->fresh_count++] = entry;
    return entry;
}

static void put(struct kv_disk *map, struct slice key, struct slice value, uint64_t value_offset)
{
    struct kv_entry *entry = find(map, key);
    if (!entry)
        entry = fresh_entry(map, key);
    if (entry->value_n != ENTRY_DEAD)
        map->live_bytes -= entry->key_n + entry->value_n;
    entry->value_n = (uint32_t)value.n;
    entry->value_crc = crc32c(0, value.p, value.n);
    entry->offset = value_offset;
    map->live_bytes += entry->key_n + entry->value_n;
}

static void mark_dead(struct kv_disk *map, size_t first, size_t last)
{
    for (size_t i = first; i < last; i++) {
        struct kv_entry *entry = map->entries[i];
        if (entry->value_n != ENTRY_DEAD)
            map->live_bytes -= entry->key_n + entry->value_n;
        entry->value_n = ENTRY_DEAD;
    }
}

void kv_disk_apply(struct kv_disk *map, enum kv_op op, struct slice key, struct slice value, uint64_t value_offset)
{
    if (op == OP_PUT) {
        put(map, key, value, value_offset);
        return;
    }
    merge_fresh(map);
    size_t first = lower_bound(map->entries, map->count, key), last = first;
    if (op == OP_DELETE_RANGE)
        last = lower_bound(map->entries, map->count, value);
    else if (first < map->count && kv_compare(kv_entry_key(map->entries[first]), key) == 0)
        last = first + 1;
    if (first < last)
        mark_dead(map, first, last);
}

void kv_disk_apply_done(struct kv_disk *map)
{
    merge_fresh(map);
    drop_dead(map);
}

/* ---- life ---- */

static void disk_map_close(struct kv *kv)
{
    struct kv_disk *map = disk_of(kv);
    if (!kv)
        return;
    merge_fresh(map);
    for (size_t i = 0; i < map->count; i++)
        free(map->entries[i]);
    free(map->entries);
    free(map->fresh);
    if (map->file)
        map->file->ops->close(map->file);
    buf_done(&map->record);
    free(map);
}

static enum status begin_life(struct kv_disk *map, struct world *world, struct error *err)
{
    world->random(world, &map->stamp.life, sizeof map->stamp.life);
    return kv_file_rewrite(map, 0, err);
}

static enum status disk_map_open(const struct kv_options *options, struct kv **out, struct error *err)
{
    struct kv_disk *map = calloc(1, sizeof *map);
    if (!map)
        return error_set(err, ERR_FULL, "out of memory");
    map->kv.backend = &kv_disk;
    map->disk = options->world->disk;
    buf_init(&map->record, RECORD_BYTES_MAX + 64);
    int n = snprintf(map->path, sizeof map->path, "%s", options->path);
    assert(n < DISK_PATH_MAX - 16);
    enum status s = disk_make_dirs(map->disk, map->path, err);
    if (s == OK)
        s = options->fresh ? ERR_NOT_FOUND : kv_file_load(map, err);
    if (s == ERR_NOT_FOUND)
        s = begin_life(map, options->world, err);
    else
        map->must_rewrite = true; /* what was read may stand in the kernel's cache alone */
    if (s == OK) {
        *out = &map->kv;
        return OK;
    }
    disk_map_close(&map->kv);
    return error_wrap(err, s, "state in %s", options->path);
}

/* ---- reading ---- */

enum status kv_disk_value(const struct kv_disk *map, const struct kv_entry *entry, struct buf *value, struct error *err)
{
    size_t n;
    char *to = buf_reserve(value, entry->value_n);
    if (!to)
        return error_set(err, ERR_FULL, "a value of %u bytes is larger than expected", entry->value_n);
    enum status s = map->file->ops->read(map->file, to, entry->value_n, entry->offset, &n, err);
    if (s != OK)
        return s;
    if (n < entry->value_n || crc32c(0, to, n) != entry->value_crc)
        return error_set(err, ERR_CORRUPT, "%s/map.log: a value at byte %llu fails its checksum", map->path,
                         (unsigned long long)entry->offset);
    value->n += n;
    return OK;
}

static enum status disk_map_get(struct kv *kv, struct slice key, struct buf *value, struct error *err)
{
    const struct kv_entry *entry = find(disk_of(kv), key);
    return entry ? kv_disk_value(disk_of(kv), entry, value, err) : ERR_NOT_FOUND;
}

static enum status disk_map_get_many(struct kv *kv, const struct slice *keys, size_t count,
                                     void (*visit)(void *self, size_t index, struct slice value), void *self,
                                     struct error *err)
{
    AUTO(buf) struct buf value = { 0 };
    enum status s = OK;
    buf_init(&value, KV_VALUE_MAX);
    for (size_t i = 0; i < count && s == OK; i++) {
        buf_reset(&value);
        s = disk_map_get(kv, keys[i], &value, err);
        if (s == OK)
            visit(self, i, buf_slice(&value));
        else if (s == ERR_NOT_FOUND)
            s = OK;
    }
    return s;
}

static enum status disk_map_scan(struct kv *kv, struct slice from, struct slice to,
                                 bool (*visit)(void *self, struct slice key, struct slice value), void *self,
                                 struct error *err)
{
    struct kv_disk *map = disk_of(kv);
    AUTO(buf) struct buf value = { 0 };
    enum status s = OK;
    bool more = true;
    buf_init(&value, KV_VALUE_MAX);
    for (size_t i = lower_bound(map->entries, map->count, from); i < map->count && more; i++) {
        const struct kv_entry *entry = map->entries[i];
        if (kv_compare(kv_entry_key(entry), to) >= 0)
            break;
        buf_reset(&value);
        s = kv_disk_value(map, entry, &value, err);
        if (s != OK)
            break;
        more = visit(self, kv_entry_key(entry), buf_slice(&value));
    }
    return s;
}

/* A view is a copy: what this backend is for is small. */
struct kv_view {
    struct buf bytes; /* u32 lengths of key and value, then both; ascending by key */
};

static void disk_view_close(struct kv *kv, struct kv_view *view)
{
    (void)kv;
    if (!view)
        return;
    buf_done(&view->bytes);
    free(view);
}

static enum status disk_view_open(struct kv *kv, struct kv_view **out, struct error *err)
{
    struct kv_disk *map = disk_of(kv);
    struct kv_view *view = calloc(1, sizeof *view);
    enum status s = view ? OK : error_set(err, ERR_FULL, "out of memory");
    if (view)
        buf_init(&view->bytes, VIEW_BYTES_MAX);
    for (size_t i = 0; i < map->count && s == OK; i++) {
        const struct kv_entry *entry = map->entries[i];
        const uint32_t lengths[2] = { entry->key_n, entry->value_n };
        buf_add(&view->bytes, lengths, sizeof lengths);
        buf_add_slice(&view->bytes, kv_entry_key(entry));
        s = kv_disk_value(map, entry, &view->bytes, err);
    }
    if (s == OK)
        *out = view;
    else
        disk_view_close(kv, view);
    return s;
}

static enum status disk_view_scan(struct kv *kv, struct kv_view *view, struct slice from, struct slice to,
                                  bool (*visit)(void *self, struct slice key, struct slice value), void *self,
                                  struct error *err)
{
    uint32_t lengths[2];
    bool more = true;
    (void)kv, (void)err;
    for (struct slice rest = buf_slice(&view->bytes); rest.n && more;) {
        memcpy(lengths, rest.p, sizeof lengths);
        struct slice key = slice_of(rest.p + sizeof lengths, lengths[0]);
        rest = slice_after(rest, sizeof lengths + lengths[0]);
        struct slice value = slice_of(rest.p, lengths[1]);
        rest = slice_after(rest, lengths[1]);
        if (kv_compare(key, to) >= 0)
            break;
        if (kv_compare(key, from) >= 0)
            more = visit(self, key, value);
    }
    return OK;
}

/* ---- writing ---- */

static void apply_changes(struct kv_disk *map, const struct kv_change *changes, size_t count, uint64_t body_offset)
{
    uint64_t at = body_offset;
    for (size_t i = 0; i < count; i++) {
        struct slice key = changes[i].key, value = changes[i].value;
        at += sizeof(struct kv_op_head) + key.n;
        kv_disk_apply(map, (enum kv_op)changes[i].kind, key, value, at);
        at += changes[i].kind == KV_DELETE ? 0 : value.n;
    }
    kv_disk_apply_done(map);
}

static enum status disk_map_write(struct kv *kv, const struct kv_change *changes, size_t count, bool wait,
                                  struct error *err)
{
    struct kv_disk *map = disk_of(kv);
    uint64_t begin = map->end;
    (void)wait;
    kv_record_begin(&map->record);
    uint64_t head = map->record.n;
    for (size_t i = 0; i < count; i++) {
        struct slice value = changes[i].kind == KV_DELETE ? (struct slice){ "", 0 } : changes[i].value;
        assert(changes[i].key.n > 0 && changes[i].key.n <= KV_KEY_MAX && changes[i].key.p[0] != 0);
        kv_record_add(&map->record, (enum kv_op)changes[i].kind, changes[i].key, value);
    }
    enum status s = kv_record_write(map->file, &map->record, &map->end, &map->chain, err);
    if (s == OK)
        apply_changes(map, changes, count, begin + head);
    return s;
}

static enum status sync_file(struct kv_disk *map, uint64_t number, struct error *err)
{
    kv_record_begin(&map->record);
    kv_record_add(&map->record, OP_STAMP, (struct slice){ "", 0 }, slice_of(&number, sizeof number));
    enum status s = kv_record_write(map->file, &map->record, &map->end, &map->chain, err);
    if (s != OK)
        return s;
    s = map->file->ops->sync(map->file, err);
    map->must_rewrite = s != OK; /* the kernel may have dropped the pages: a second sync would prove nothing */
    if (s == OK && map->names_unsynced)
        s = map->disk->ops->sync_dir(map->disk, map->path, err);
    map->names_unsynced &= s != OK;
    return s;
}

static enum status disk_map_sync(struct kv *kv, uint64_t number, struct error *err)
{
    struct kv_disk *map = disk_of(kv);
    assert(number > map->stamp.number);
    (void)err;
    bool rewrite = map->must_rewrite || map->end > 2 * map->live_bytes + REWRITE_SLACK_BYTES;
    map->sync_error = (struct error){ 0 };
    map->sync_status =
        rewrite ? kv_file_rewrite(map, number, &map->sync_error) : sync_file(map, number, &map->sync_error);
    if (map->sync_status == OK)
        map->stamp.number = number;
    return OK;
}

static enum status disk_map_synced(struct kv *kv, bool *out_done, struct error *err)
{
    struct kv_disk *map = disk_of(kv);
    enum status s = map->sync_status;
    *out_done = true;
    map->sync_status = OK;
    return s == OK ? OK : error_set(err, s, "%s", map->sync_error.text);
}

static struct kv_stamp disk_map_stamp(struct kv *kv)
{
    return disk_of(kv)->stamp;
}

static void disk_map_usage(struct kv *kv, struct kv_usage *out)
{
    const struct kv_disk *map = disk_of(kv);
    *out = (struct kv_usage){ .disk_bytes = map->end, .memory_bytes = map->index_bytes, .keys = map->count };
}

const struct kv_backend kv_disk = {
    .name = "disk",
    .open = disk_map_open,
    .close = disk_map_close,
    .get = disk_map_get,
    .get_many = disk_map_get_many,
    .scan = disk_map_scan,
    .view_open = disk_view_open,
    .view_scan = disk_view_scan,
    .view_close = disk_view_close,
    .write = disk_map_write,
    .sync = disk_map_sync,
    .synced = disk_map_synced,
    .stamp = disk_map_stamp,
    .usage = disk_map_usage,
};
