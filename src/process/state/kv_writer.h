/* Changes on their way into the partition's map (state_kv.h): taken as they become durable, and written in sorted
 * pieces when the state says so (a checkpoint, or too many wait). What waits is one entry a key: what changes a
 * thousand times between two checkpoints is written once. Owner: a state; one thread. Bound: KV_WRITER_BYTES_MAX, which
 * kv_writer_is_full asks about in `prepare`; a single commit may go beyond it. */
#pragma once
#include "base/buf.h"
#include "base/compiler.h"
#include "base/error.h"
#include "process/state/state_kv.h"

#define KV_WRITER_BYTES_MAX (64u << 20)

struct kv_writer {
    struct state_kv *kv;
    struct buf waiting;           /* entries, oldest first */
    size_t done;                  /* bytes of them that are written */
    uint64_t queued, written;     /* entries, since the beginning; those that a later one replaced count as written */
    struct kv_writer_slot *slots; /* entries that wait, by key */
    size_t slot_count, slots_used;
};

void kv_writer_init(struct kv_writer *writer, struct state_kv *kv);
void kv_writer_done(struct kv_writer *writer);
void kv_writer_reset(struct kv_writer *writer); /* forgets what waits */

/* Copies both; takes the place of what waits under the same key. value.p NULL: the key is removed. Aborts when out of
 * memory. */
void kv_writer_add(struct kv_writer *writer, struct slice key, struct slice value);
/* Fetch what kv_writer_add of the key will look at: first this, then, some turns later, the entry. */
void kv_writer_prefetch(const struct kv_writer *writer, struct slice key);
void kv_writer_prefetch_entry(const struct kv_writer *writer, struct slice key);
/* Whether something waits under the key. */
bool kv_writer_has(const struct kv_writer *writer, struct slice key);
size_t kv_writer_bytes(const struct kv_writer *writer); /* that wait */
bool kv_writer_is_full(const struct kv_writer *writer);
/* Writes about a MiB of what waits. *out_more: there is more. ERR_RETRY: the map is busy, again in a moment (with
 * `wait` the call lasts until it is not); other errors: the disk's; nothing is lost. */
MUST_CHECK enum status kv_writer_step(struct kv_writer *writer, bool wait, bool *out_more, struct error *err);
