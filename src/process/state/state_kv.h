/* The map (kv.h) of one partition, shared by the states that keep more than fits into memory, and the state that owns
 * it: opened by restore, stamped and synced once a checkpoint, thrown away when it cannot be used. It comes before its
 * users in the task's list of states: they are restored after it, and settled before it.
 *
 * How the users keep it right: only durable changes, absolute values (kv.h); before they say that a checkpoint is
 * settled, everything that was durable when it began is written; a drop that is durable is written before that, too.
 * Then replaying the changelog from any checkpoint whose stamp the map has reached gives the same state. Owner: the
 * partition's task, one thread. Files: `kv/` in the partition's directory. */
#pragma once
#include "process/state/kv.h"
#include "process/state/state.h"

struct state_kv;

struct state_kv_options {
    const char *path;                 /* the partition's directory */
    const struct kv_backend *backend; /* kv_rocksdb or kv_disk */
    struct kv_pool *pool;             /* outlives it */
};

/* Aborts when out of memory (start-up only). */
struct state_kv *state_kv_new(const struct state_kv_options *options, struct world *world);
void state_kv_free(struct state_kv *state);
struct state *state_kv_state(struct state_kv *state);

/* The map, opened empty when no checkpoint has opened it. Borrowed: valid until the states are emptied. */
MUST_CHECK enum status state_kv_map(struct state_kv *state, struct kv **out, struct error *err);
/* What the map holds now, for state_kv_view_scan until it is closed or the states are emptied; one at a time. The scan
 * begins with the first key that is not before `from`. */
MUST_CHECK enum status state_kv_view_open(struct state_kv *state, struct error *err);
MUST_CHECK enum status state_kv_view_scan(struct state_kv *state, struct slice from,
                                          bool (*visit)(void *self, struct slice key, struct slice value), void *self,
                                          struct error *err);
void state_kv_view_close(struct state_kv *state);
/* Puts rows that such scans gave into the map, opened empty before the first ones. Ascending by key. */
MUST_CHECK enum status state_kv_load(struct state_kv *state, const struct kv_change *rows, size_t count,
                                     struct error *err);
/* A read said ERR_CORRUPT: notes it on the disk, so that the next restore does not use the map but an older way
 * (the changelog). The caller fails the task. */
void state_kv_note_damage(struct state_kv *state);
