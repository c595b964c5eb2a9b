/* A port: an ordered map of bytes on the local disk, in which the states of one partition keep what does not fit into
 * memory. It is a cache of the changelog, never the truth: what was written may be lost until a sync, whole prefixes of
 * the history survive (never a later write without an earlier one), and the stamp says how far it certainly goes.
 *
 * The rule for whoever writes: only changes that are durable in the journal, and absolute values, not differences.
 * Then a map that is newer than its stamp does no harm: replaying the changelog from the stamp on ends with the same
 * values.
 *
 * Keys are ordered as unsigned bytes. The first byte of a key names the state that owns it (enum state_id), so that
 * several states share one map and one sync; 0 belongs to the backend. Backends: kv_rocksdb.c (production), kv_disk.c
 * (over world->disk: simulations, and states small enough for an index in memory). Owner: the partition's task, one
 * thread. Bounds: KV_KEY_MAX, KV_VALUE_MAX; memory as the backend says. */
#pragma once
#include "base/buf.h"
#include "base/compiler.h"
#include "base/error.h"
#include "base/slice.h"

struct kv_pool;
struct kv_view;
struct world;

#define KV_KEY_MAX 1024
#define KV_VALUE_MAX (4u << 20)

struct kv_options {
    const char *path; /* a directory of its own, made when missing */
    bool fresh;       /* throw away what is there, damaged or not, and begin empty */
    struct world *world;
    struct kv_pool *pool; /* what all maps of a process share; kv_disk has no use for it */
};

enum kv_change_kind {
    KV_PUT,
    KV_DELETE,
    KV_DELETE_RANGE, /* every key from `key` on up to but without `value` */
};

struct kv_change {
    enum kv_change_kind kind;
    struct slice key, value;
};

/* How far a map goes. */
struct kv_stamp {
    uint64_t life;   /* chosen by chance when the map began empty: tells it from another in the same place */
    uint64_t number; /* of the last sync; 0: none yet */
};

struct kv_usage {
    uint64_t disk_bytes, memory_bytes;
    uint64_t keys; /* about */
};

struct kv;

struct kv_backend {
    const char *name; /* as in the settings: "rocksdb", "disk" */

    /* ERR_CORRUPT: the files are damaged; fresh is the way on. ERR_FULL: another process has it. */
    enum status (*open)(const struct kv_options *, struct kv **out, struct error *);
    /* NULL is fine. What was not synced may be lost. Waits for a sync that is under way. */
    void (*close)(struct kv *);

    /* Appends the value to *value. ERR_NOT_FOUND; ERR_CORRUPT: its bytes are damaged, nothing was appended. */
    enum status (*get)(struct kv *, struct slice key, struct buf *value, struct error *);
    /* Many at once; keys ascending. visit: for those that are there, in order; the slice is valid within the call. */
    enum status (*get_many)(struct kv *, const struct slice *keys, size_t count,
                            void (*visit)(void *self, size_t index, struct slice value), void *self, struct error *);
    /* Visits from <= key < to in order until visit says false. The map must not be changed meanwhile. */
    enum status (*scan)(struct kv *, struct slice from, struct slice to,
                        bool (*visit)(void *self, struct slice key, struct slice value), void *self, struct error *);

    /* What the map holds now, for view_scan until view_close, whatever is written meanwhile: so that all of it can be
     * copied in pieces. One at a time; it is closed before the map. ERR_FULL: too much for this backend. */
    enum status (*view_open)(struct kv *, struct kv_view **out, struct error *);
    enum status (*view_scan)(struct kv *, struct kv_view *, struct slice from, struct slice to,
                             bool (*visit)(void *self, struct slice key, struct slice value), void *self,
                             struct error *);
    void (*view_close)(struct kv *, struct kv_view *); /* NULL is fine */

    /* Carries out the changes in order, all or none. Puts and deletes ascending by key, ranges before them: unsorted
     * input costs a multiple. About a MiB at a time is well. ERR_RETRY: too much is on its way to the disk, nothing was
     * written, again in a moment; with `wait` the call lasts until there is room instead. */
    enum status (*write)(struct kv *, const struct kv_change *, size_t count, bool wait, struct error *);

    /* Begins to make everything written before durable, with the stamp; number grows from sync to sync. One at a time.
     * ERR_RETRY: too much is on its way to the disk, nothing was begun, again in a moment. */
    enum status (*sync)(struct kv *, uint64_t number, struct error *);
    /* Is the sync over? An error is that of the sync, which is over then, too; begin another one. */
    enum status (*synced)(struct kv *, bool *out_done, struct error *);
    /* What the last sync said that a reopening would find. */
    struct kv_stamp (*stamp)(struct kv *);
    void (*usage)(struct kv *, struct kv_usage *out);
};

/* Every backend's struct begins with this. */
struct kv {
    const struct kv_backend *backend;
};

extern const struct kv_backend kv_rocksdb, kv_disk;

/* Shared by the maps of a process: block cache, write buffers, background threads. Free it after the last map. */
struct kv_pool_options {
    uint64_t cache_bytes;         /* 64 MiB; blocks, indexes and bloom filters of all maps */
    uint64_t write_buffers_bytes; /* 64 MiB; of all maps */
    unsigned maps;                /* how many there will be; 1 */
    unsigned threads;             /* in the background, for flushes and for compactions each; 1 */
};

/* 0 means the default. Aborts when out of memory (start-up only). */
struct kv_pool *kv_pool_new(const struct kv_pool_options *options);
void kv_pool_free(struct kv_pool *pool);

/* The order of keys. */
static inline int kv_compare(struct slice a, struct slice b)
{
    int order = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);
    return order ? order : (a.n > b.n) - (a.n < b.n);
}
