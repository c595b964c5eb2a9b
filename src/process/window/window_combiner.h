/* What a commit's events add to keys that other partitions own: summed here per definition, tenant, slice and key, then
 * sent as partials (window_partial.h). Owner: the task; one thread. Bounds: entries_max sums; a task flushes
 * it with every commit, and ends a commit before it is full (combiner_has_room). */
#pragma once
#include "base/arena.h"
#include "base/compiler.h"
#include "process/aggregate/aggregate.h"
#include "process/process_output.h"
#include "process/state/id_table.h"

struct combiner_entry {
    struct id128 id; /* of definition, tenant, slice and key */
    const struct aggregate_layout *layout;
    uint32_t slot;
    uint16_t owner; /* the partition to send it to */
    uint64_t definition, events;
    int64_t start_ms, end_ms;
    struct slice customer_id, placement, key; /* in the arena */
    void *row;                                /* in the arena */
};

struct window_combiner {
    struct arena arena;
    struct combiner_entry *entries;
    size_t count, entries_max;
    uint32_t *slots; /* number of the entry + 1; twice as many as there can be entries */
};

/* Aborts when out of memory (start-up only). */
/* entries_max: a power of two. */
void combiner_init(struct window_combiner *combiner, size_t entries_max);
void combiner_done(struct window_combiner *combiner);
/* For so many entries more, with their rows? */
bool combiner_has_room(const struct window_combiner *combiner, size_t entries);
/* The sum with this id, made and empty (texts and rows not set) when missing. NULL: full. */
struct combiner_entry *combiner_entry(struct window_combiner *combiner, struct id128 id, bool *out_new);
/* Room for a new entry's row, and its texts as copies. False: out of memory. */
MUST_CHECK bool combiner_fill(struct window_combiner *combiner, struct combiner_entry *entry,
                              const struct combiner_entry *what);
/* Writes all sums as partials from the partition `from` and forgets them. ERR_FULL: they do not fit. */
MUST_CHECK enum status combiner_flush(struct window_combiner *combiner, uint16_t from, struct process_outputs *outputs,
                                      struct error *err);
