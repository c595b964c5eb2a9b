/* RocksDB, one database a partition. Its write-ahead log is off, since the changelog is ours: a crash leaves what was
 * flushed, which is always a prefix of what was written, because memtables are flushed in order and whole. The stamp is
 * an ordinary key, so it never says more than is there.
 *
 *     0x00 "stamp"  →  0 u64 life  8 u64 number        every other key belongs to a state
 *
 * A flush waits for the disk, so a thread of its own waits for it (one a sync, once a minute): the task goes on.
 * Writes that RocksDB would slow down or stop are refused instead (no_slowdown), so that they do not hold up events.
 * Every block is checked when it is read; what fails comes back as ERR_CORRUPT. */
#include <pthread.h>
#include <rocksdb/c.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "process/state/kv.h"
#include "world/disk.h"
#include "world/world.h"

#define GET_AT_ONCE 512
#define BLOOM_BITS 10
#define BLOCK_BYTES 4096

static const struct slice STAMP_KEY = { "\0stamp", 6 };

struct kv_pool {
    struct kv_pool_options options;
    rocksdb_cache_t *cache;
    rocksdb_env_t *env;
};

struct kv_rocksdb {
    struct kv kv;
    rocksdb_t *db;
    rocksdb_column_family_handle_t *family;
    rocksdb_options_t *options;
    rocksdb_readoptions_t *read, *scan;
    rocksdb_writeoptions_t *write, *write_waiting;
    rocksdb_flushoptions_t *flush;
    struct kv_stamp stamp;

    bool syncing;
    uint64_t syncing_number;
    pthread_t thread;
    _Atomic bool flushed;
    char *flush_error; /* RocksDB's, written before `flushed` */
};

static struct kv_rocksdb *rocksdb_of(struct kv *kv)
{
    return (struct kv_rocksdb *)kv;
}

/* ---- what the maps of a process share ---- */

struct kv_pool *kv_pool_new(const struct kv_pool_options *options)
{
    struct kv_pool *pool = calloc(1, sizeof *pool);
    if (!pool)
        abort();
    pool->options = *options;
    if (pool->options.cache_bytes == 0)
        pool->options.cache_bytes = 64u << 20;
    if (pool->options.write_buffers_bytes == 0)
        pool->options.write_buffers_bytes = 64u << 20;
    if (pool->options.maps == 0)
        pool->options.maps = 1;
    if (pool->options.threads == 0)
        pool->options.threads = 1;
    pool->cache = rocksdb_cache_create_lru(pool->options.cache_bytes);
    pool->env = rocksdb_create_default_env();
    rocksdb_env_set_background_threads(pool->env, (int)pool->options.threads);
    rocksdb_env_set_high_priority_background_threads(pool->env, (int)pool->options.threads);
    rocksdb_env_lower_thread_pool_cpu_priority(pool->env); /* compactions yield to events */
    return pool;
}

void kv_pool_free(struct kv_pool *pool)
{
    if (!pool)
        return;
    rocksdb_cache_destroy(pool->cache);
    rocksdb_env_destroy(pool->env);
    free(pool);
}

/* ---- errors ---- */

/* Takes RocksDB's text, whose beginning names the kind. */
static enum status refuse(struct error *err, char *text, const char *what)
{
    static const struct {
        const char *begins;
        enum status status;
    } kinds[] = { { "Corruption", ERR_CORRUPT },       { "NotFound", ERR_NOT_FOUND },
                  { "Result incomplete", ERR_RETRY },  { "Operation aborted", ERR_CLOSED },
                  { "Invalid argument", ERR_CORRUPT }, /* of a file: it is not what its name says */
                  { "Not implemented", ERR_CORRUPT } };
    struct slice message = slice_from(text);
    enum status s = ERR_IO;
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (slice_starts(message, slice_from(kinds[i].begins)))
            s = kinds[i].status;
    if (s == ERR_IO && strstr(text, "No space left"))
        s = ERR_FULL;
    if (s == ERR_IO && strstr(text, "lock"))
        s = ERR_FULL;
    if (s == ERR_IO && (strstr(text, "No such file") || strstr(text, "too short")))
        s = ERR_CORRUPT; /* of a file that another one names */
    (void)error_set(err, s, "%s: rocksdb: %.300s", what, text);
    rocksdb_free(text);
    return s;
}

/* ---- opening ---- */

static rocksdb_options_t *make_options(const struct kv_pool *pool)
{
    rocksdb_options_t *options = rocksdb_options_create();
    rocksdb_block_based_table_options_t *table = rocksdb_block_based_options_create();
    size_t buffers = pool->options.write_buffers_bytes / pool->options.maps;
    rocksdb_options_set_create_if_missing(options, 1);
    rocksdb_options_set_env(options, pool->env);
    rocksdb_options_set_write_buffer_size(options, buffers / 2);
    rocksdb_options_set_max_write_buffer_number(options, 2);
    /* A checkpoint writes one long sorted run: its files do not overlap, so that many of them cost a look-up little,
     * and merging them with what is older only now and then halves what a checkpoint costs. */
    rocksdb_options_set_level0_file_num_compaction_trigger(options, 16);
    rocksdb_options_set_level0_slowdown_writes_trigger(options, 40);
    rocksdb_options_set_level0_stop_writes_trigger(options, 56);
    rocksdb_options_set_max_background_jobs(options, 2 * (int)pool->options.threads);
    rocksdb_options_set_compression(options, rocksdb_lz4_compression);
    rocksdb_options_set_bytes_per_sync(options, 1u << 20); /* no storm of writes at a flush's end */
    rocksdb_options_set_max_open_files(options, 256);
    rocksdb_options_set_info_log_level(options, 3); /* errors */
    rocksdb_options_set_keep_log_file_num(options, 2);
    rocksdb_options_set_max_log_file_size(options, 1u << 20);
    rocksdb_options_set_level_compaction_dynamic_level_bytes(options, 1);
    rocksdb_block_based_options_set_block_size(table, BLOCK_BYTES);
    rocksdb_block_based_options_set_block_cache(table, pool->cache);
    rocksdb_block_based_options_set_filter_policy(table, rocksdb_filterpolicy_create_bloom_full(BLOOM_BITS));
    rocksdb_block_based_options_set_cache_index_and_filter_blocks(table, 1);
    rocksdb_block_based_options_set_cache_index_and_filter_blocks_with_high_priority(table, 1);
    rocksdb_block_based_options_set_format_version(table, 5);
    rocksdb_options_set_block_based_table_factory(options, table);
    rocksdb_block_based_options_destroy(table); /* copied */
    return options;
}

static void make_call_options(struct kv_rocksdb *map)
{
    map->read = rocksdb_readoptions_create();
    map->scan = rocksdb_readoptions_create();
    rocksdb_readoptions_set_fill_cache(map->scan, 0); /* a pass over everything must not push out what is asked for */
    map->write = rocksdb_writeoptions_create();
    rocksdb_writeoptions_disable_WAL(map->write, 1);
    rocksdb_writeoptions_set_no_slowdown(map->write, 1);
    map->write_waiting = rocksdb_writeoptions_create();
    rocksdb_writeoptions_disable_WAL(map->write_waiting, 1);
    map->flush = rocksdb_flushoptions_create();
    rocksdb_flushoptions_set_wait(map->flush, 1);
}

static void sync_join(struct kv_rocksdb *map)
{
    if (!map->syncing)
        return;
    pthread_join(map->thread, NULL);
    map->syncing = false;
}

static void rocksdb_map_close(struct kv *kv)
{
    struct kv_rocksdb *map = rocksdb_of(kv);
    if (!kv)
        return;
    sync_join(map);
    rocksdb_free(map->flush_error);
    if (map->family)
        rocksdb_column_family_handle_destroy(map->family);
    if (map->db)
        rocksdb_close(map->db);
    rocksdb_options_destroy(map->options);
    rocksdb_readoptions_destroy(map->read);
    rocksdb_readoptions_destroy(map->scan);
    rocksdb_writeoptions_destroy(map->write);
    rocksdb_writeoptions_destroy(map->write_waiting);
    rocksdb_flushoptions_destroy(map->flush);
    free(map);
}

static enum status put_stamp(struct kv_rocksdb *map, const rocksdb_writeoptions_t *how, uint64_t number,
                             struct error *err)
{
    struct kv_stamp stamp = { map->stamp.life, number };
    char *text = NULL;
    rocksdb_put(map->db, how, STAMP_KEY.p, STAMP_KEY.n, (const char *)&stamp, sizeof stamp, &text);
    return text ? refuse(err, text, "write the stamp") : OK;
}

/* Reads the stamp, or makes the life of an empty map. */
static enum status begin_life(struct kv_rocksdb *map, struct world *world, struct error *err)
{
    char *text = NULL;
    size_t n;
    char *value = rocksdb_get(map->db, map->read, STAMP_KEY.p, STAMP_KEY.n, &n, &text);
    if (text)
        return refuse(err, text, "read the stamp");
    if (value && n == sizeof map->stamp)
        memcpy(&map->stamp, value, sizeof map->stamp);
    else
        world->random(world, &map->stamp.life, sizeof map->stamp.life);
    bool strange = value && n != sizeof map->stamp;
    bool is_new = !value;
    rocksdb_free(value);
    if (strange)
        return error_set(err, ERR_CORRUPT, "the stamp has %zu bytes", n);
    return is_new ? put_stamp(map, map->write_waiting, 0, err) : OK;
}

static enum status rocksdb_map_open(const struct kv_options *options, struct kv **out, struct error *err)
{
    struct kv_rocksdb *map = calloc(1, sizeof *map);
    char *text = NULL;
    const char *name = "default";
    enum status s = disk_make_dirs(options->world->disk, options->path, err);
    if (!map || s != OK) {
        free(map);
        return s != OK ? s : error_set(err, ERR_FULL, "out of memory");
    }
    assert(options->pool);
    map->kv.backend = &kv_rocksdb;
    map->options = make_options(options->pool);
    make_call_options(map);
    if (options->fresh)
        rocksdb_destroy_db(map->options, options->path, &text);
    const rocksdb_options_t *family_options = map->options;
    if (!text)
        map->db =
            rocksdb_open_column_families(map->options, options->path, 1, &name, &family_options, &map->family, &text);
    if (text)
        s = refuse(err, text, "open");
    if (s == OK)
        s = begin_life(map, options->world, err);
    if (s == OK) {
        *out = &map->kv;
        return OK;
    }
    rocksdb_map_close(&map->kv);
    return error_wrap(err, s, "state in %s", options->path);
}

/* ---- reading ---- */

static enum status rocksdb_map_get(struct kv *kv, struct slice key, struct buf *value, struct error *err)
{
    struct kv_rocksdb *map = rocksdb_of(kv);
    char *text = NULL;
    size_t n;
    rocksdb_pinnableslice_t *found = rocksdb_get_pinned(map->db, map->read, key.p, key.n, &text);
    if (text)
        return refuse(err, text, "read");
    if (!found)
        return ERR_NOT_FOUND;
    const char *p = rocksdb_pinnableslice_value(found, &n);
    buf_add(value, p, n);
    rocksdb_pinnableslice_destroy(found);
    return value->full ? error_set(err, ERR_FULL, "a value of %zu bytes is larger than expected", n) : OK;
}

static enum status get_some(struct kv_rocksdb *map, const struct slice *keys, size_t first, size_t count,
                            void (*visit)(void *self, size_t index, struct slice value), void *self, struct error *err)
{
    static _Thread_local const char *at[GET_AT_ONCE];
    static _Thread_local size_t sizes[GET_AT_ONCE];
    static _Thread_local rocksdb_pinnableslice_t *values[GET_AT_ONCE];
    static _Thread_local char *texts[GET_AT_ONCE];
    enum status s = OK;
    for (size_t i = 0; i < count; i++) {
        at[i] = keys[first + i].p;
        sizes[i] = keys[first + i].n;
    }
    rocksdb_batched_multi_get_cf(map->db, map->read, map->family, count, at, sizes, values, texts, true);
    for (size_t i = 0; i < count; i++) {
        if (texts[i] && s == OK)
            s = refuse(err, texts[i], "read");
        else
            rocksdb_free(texts[i]);
        if (values[i] && s == OK) {
            size_t n;
            const char *p = rocksdb_pinnableslice_value(values[i], &n);
            visit(self, first + i, slice_of(p, n));
        }
        rocksdb_pinnableslice_destroy(values[i]);
    }
    return s;
}

static enum status rocksdb_map_get_many(struct kv *kv, const struct slice *keys, size_t count,
                                        void (*visit)(void *self, size_t index, struct slice value), void *self,
                                        struct error *err)
{
    enum status s = OK;
    for (size_t i = 0; i < count && s == OK; i += GET_AT_ONCE)
        s = get_some(rocksdb_of(kv), keys, i, count - i < GET_AT_ONCE ? count - i : GET_AT_ONCE, visit, self, err);
    return s;
}

static enum status scan_by(struct kv_rocksdb *map, rocksdb_readoptions_t *how, struct slice from, struct slice to,
                           bool (*visit)(void *self, struct slice key, struct slice value), void *self,
                           struct error *err)
{
    char *text = NULL;
    rocksdb_readoptions_set_iterate_upper_bound(how, to.p, to.n);
    rocksdb_iterator_t *at = rocksdb_create_iterator(map->db, how);
    bool more = true;
    for (rocksdb_iter_seek(at, from.p, from.n); more && rocksdb_iter_valid(at); rocksdb_iter_next(at)) {
        size_t key_n, value_n;
        const char *key = rocksdb_iter_key(at, &key_n), *value = rocksdb_iter_value(at, &value_n);
        more = visit(self, slice_of(key, key_n), slice_of(value, value_n));
    }
    rocksdb_iter_get_error(at, &text);
    rocksdb_iter_destroy(at);
    return text ? refuse(err, text, "read") : OK;
}

static enum status rocksdb_map_scan(struct kv *kv, struct slice from, struct slice to,
                                    bool (*visit)(void *self, struct slice key, struct slice value), void *self,
                                    struct error *err)
{
    return scan_by(rocksdb_of(kv), rocksdb_of(kv)->scan, from, to, visit, self, err);
}

/* What a view shows is kept by RocksDB until it is closed: what is overwritten meanwhile takes room twice. */
struct kv_view {
    const rocksdb_snapshot_t *snapshot;
    rocksdb_readoptions_t *how;
};

static enum status rocksdb_view_open(struct kv *kv, struct kv_view **out, struct error *err)
{
    struct kv_view *view = malloc(sizeof *view);
    if (!view)
        return error_set(err, ERR_FULL, "out of memory");
    view->snapshot = rocksdb_create_snapshot(rocksdb_of(kv)->db);
    view->how = rocksdb_readoptions_create();
    rocksdb_readoptions_set_snapshot(view->how, view->snapshot);
    rocksdb_readoptions_set_fill_cache(view->how, 0);
    *out = view;
    return OK;
}

static enum status rocksdb_view_scan(struct kv *kv, struct kv_view *view, struct slice from, struct slice to,
                                     bool (*visit)(void *self, struct slice key, struct slice value), void *self,
                                     struct error *err)
{
    return scan_by(rocksdb_of(kv), view->how, from, to, visit, self, err);
}

static void rocksdb_view_close(struct kv *kv, struct kv_view *view)
{
    if (!view)
        return;
    rocksdb_readoptions_destroy(view->how);
    rocksdb_release_snapshot(rocksdb_of(kv)->db, view->snapshot);
    free(view);
}

/* ---- writing ---- */

static enum status rocksdb_map_write(struct kv *kv, const struct kv_change *changes, size_t count, bool wait,
                                     struct error *err)
{
    struct kv_rocksdb *map = rocksdb_of(kv);
    char *text = NULL;
    rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
    for (size_t i = 0; i < count; i++) {
        struct slice key = changes[i].key, value = changes[i].value;
        assert(key.n > 0 && key.n <= KV_KEY_MAX && key.p[0] != 0);
        switch (changes[i].kind) {
        case KV_PUT:
            assert(value.n <= KV_VALUE_MAX);
            rocksdb_writebatch_put(batch, key.p, key.n, value.p, value.n);
            break;
        case KV_DELETE:
            rocksdb_writebatch_delete(batch, key.p, key.n);
            break;
        case KV_DELETE_RANGE:
            rocksdb_writebatch_delete_range(batch, key.p, key.n, value.p, value.n);
            break;
        }
    }
    rocksdb_write(map->db, wait ? map->write_waiting : map->write, batch, &text);
    rocksdb_writebatch_destroy(batch);
    return text ? refuse(err, text, "write") : OK;
}

static void *flush_and_wait(void *self)
{
    struct kv_rocksdb *map = self;
    rocksdb_flush(map->db, map->flush, &map->flush_error);
    atomic_store(&map->flushed, true);
    return NULL;
}

static enum status rocksdb_map_sync(struct kv *kv, uint64_t number, struct error *err)
{
    struct kv_rocksdb *map = rocksdb_of(kv);
    assert(!map->syncing && number > map->stamp.number);
    enum status s = put_stamp(map, map->write, number, err);
    if (s != OK)
        return s;
    atomic_store(&map->flushed, false);
    int failed = pthread_create(&map->thread, NULL, flush_and_wait, map);
    if (failed)
        return error_errno(err, ERR_RETRY, failed, "start a thread for the flush");
    map->syncing = true;
    map->syncing_number = number;
    return OK;
}

static enum status rocksdb_map_synced(struct kv *kv, bool *out_done, struct error *err)
{
    struct kv_rocksdb *map = rocksdb_of(kv);
    *out_done = !map->syncing || atomic_load(&map->flushed);
    if (!map->syncing || !*out_done)
        return OK;
    sync_join(map);
    char *text = map->flush_error;
    map->flush_error = NULL;
    if (text)
        return refuse(err, text, "flush");
    map->stamp.number = map->syncing_number;
    return OK;
}

static struct kv_stamp rocksdb_map_stamp(struct kv *kv)
{
    return rocksdb_of(kv)->stamp;
}

static uint64_t property(const struct kv_rocksdb *map, const char *name)
{
    uint64_t value = 0;
    return rocksdb_property_int(map->db, name, &value) == 0 ? value : 0;
}

static void rocksdb_map_usage(struct kv *kv, struct kv_usage *out)
{
    struct kv_rocksdb *map = rocksdb_of(kv);
    *out = (struct kv_usage){ .disk_bytes = property(map, "rocksdb.total-sst-files-size"),
                              .memory_bytes = property(map, "rocksdb.cur-size-all-mem-tables") +
                                              property(map, "rocksdb.estimate-table-readers-mem"),
                              .keys = property(map, "rocksdb.estimate-num-keys") };
}

const struct kv_backend kv_rocksdb = {
    .name = "rocksdb",
    .open = rocksdb_map_open,
    .close = rocksdb_map_close,
    .get = rocksdb_map_get,
    .get_many = rocksdb_map_get_many,
    .scan = rocksdb_map_scan,
    .view_open = rocksdb_view_open,
    .view_scan = rocksdb_view_scan,
    .view_close = rocksdb_view_close,
    .write = rocksdb_map_write,
    .sync = rocksdb_map_sync,
    .synced = rocksdb_map_synced,
    .stamp = rocksdb_map_stamp,
    .usage = rocksdb_map_usage,
};
