/* The sink: moves the journal's output topics into the store, each record exactly once, as one role.
 *
 * A batch's bounds are durable in the journal before its first insert, and its tokens follow from the bounds and the
 * records: whatever is cut off is repeated with the same rows and tokens, and the store drops what it has already.
 * While the store is away the journal waits; a row that the store refuses for good becomes a dead letter.
 * Bounds: one batch (sink_batch.h). Threads: the role's; sink_drain and sink_is_drained from any. */
#pragma once
#include "base/compiler.h"
#include "base/error.h"
#include "base/role.h"
#include "journal/lost_mark.h"
#include "store/pace.h"
#include "store/sink_batch.h"
#include "store/store.h"

struct journal;
struct journal_chunk;
struct metrics;
struct sink;
struct world;

#define SINK_GROUP "store" /* the mark: what lies before its position is in the store */

/* An insert touches at most this many storage partitions, and between the blocks of one batch's inserts that may be
 * repeated after a crash there are never more than SINK_BLOCKS_UNMARKED. The tables' deduplication window must be
 * larger than both together. */
#define SINK_PARTITIONS_MAX 4000
#define SINK_BLOCKS_UNMARKED 8000

struct sink_options {
    uint16_t partition;              /* what this sink moves; JOURNAL_ALL_PARTITIONS where they have one order */
    struct sink_batch_options batch; /* rows_max 100000, bytes_max 64 MiB */
    struct pace_options pace;        /* linger 3 ms, interval 40 to 400 ms, longest at 100000 rows a second */
    uint32_t retry_first_ms;         /* first pause after a failed insert; 50 */
    uint32_t retry_most_ms;          /* longest pause; 1000: an engine child is back within a second */
    bool had_mark;                   /* so there must be one: see lost_mark.h */
    enum lost_mark lost_mark;        /* what to do when there is none all the same; LOST_MARK_REFUSE */
    /* May be NULL. Is shown what was read from the journal, before it is stored; after a failure, and after a restart
     * in the middle of a batch, some of it again or not at all. On the role's thread, must not block. */
    void (*seen)(void *self, const struct journal_chunk *chunks, size_t count);
    void *seen_self;
};

void sink_options_default(struct sink_options *out);

/* Borrows the journal, the store and the metrics until sink_close. ERR_CORRUPT: the mark's note is not ours, or the
 * mark is gone. */
MUST_CHECK enum status sink_open(const struct sink_options *options, struct journal *journal, struct store *store,
                                 struct metrics *metrics, struct world *world, struct sink **out, struct error *err);
struct role sink_role(struct sink *sink);
/* From now on nothing waits for company; drained once all that was durable in the journal is stored. To stop: drain,
 * wait for sink_is_drained as long as you like, store cancel, role_stop, the journal's drain and role_stop (a mark may
 * be under way), sink_close. Stopping without any of this loses nothing. */
void sink_drain(struct sink *sink);
bool sink_is_drained(struct sink *sink);
bool sink_has_mark(struct sink *sink); /* any thread: the journal has it; a new one gets it when it first idles */
/* Any thread: the age of the oldest record in the sink's hands that is not stored; 0: none. And how many rows these
 * are.
 */
int64_t sink_lag_us(const struct sink *sink, int64_t wall_us);
uint64_t sink_pending_rows(const struct sink *sink);
void sink_close(struct sink *sink); /* NULL is fine */
