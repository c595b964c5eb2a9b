/* The set of event ids that a partition has seen, within a horizon of time and bounds of memory and disk: a `struct
 * state` (state.h) whose files and generations are explained in dedup.c and docs/decisions/0040.
 *
 * An id that is known is certainly known (128-bit hashes); an id younger than the horizon is certainly found, unless
 * a bound was reached: then the oldest generation goes early and dedup_horizon_ms says what is left.
 * The horizon counts time that the task runs (monotonic), so that no jump of a clock can shorten it. One owner, one
 * thread. */
#pragma once
#include "base/compiler.h"
#include "base/error.h"
#include "process/state/id_table.h"
#include "process/state/state.h"

struct dedup;
struct world;

struct dedup_options {
    const char *path;          /* directory of the partition's state; exists */
    uint64_t memory_bytes_max; /* of one partition: two tables of a quarter each, filters in the other half; >= 4 MiB */
    uint64_t disk_bytes_max;   /* of one partition's sealed files, kept checkpoints aside */
    int64_t horizon_ms;        /* how long an id is remembered at least */
};

/* Aborts when out of memory (start-up only). */
struct dedup *dedup_new(const struct dedup_options *options, struct world *world);
void dedup_free(struct dedup *dedup);
struct state *dedup_state(struct dedup *dedup);

/* For each id: out_known[i] says whether it was seen before (also earlier in the same call); those that were not, are
 * now. After a state_ops.prepare for as many. ERR_IO, ERR_CORRUPT: a sealed file could not be read; nothing was decided
 * and the task must stop. */
MUST_CHECK enum status dedup_check(struct dedup *dedup, const struct id128 *ids, size_t count, bool *out_known,
                                   struct error *err);

/* What the horizon is in truth: the configured one, or less when generations had to go early. */
int64_t dedup_horizon_ms(const struct dedup *dedup);
uint64_t dedup_ids(const struct dedup *dedup);
/* Generations that went before their time, since the start. */
uint64_t dedup_dropped_early(const struct dedup *dedup);
