/* The window definitions of a domain set as a task runs them: what their rows are, counters. Made once at start, then
 * only read but for the counters. Owner: the task. */
#pragma once
#include "base/compiler.h"
#include "base/error.h"
#include "base/metrics.h"
#include "config/domain.h"
#include "process/aggregate/aggregate.h"
#include "process/state/keyed.h"

/* A row of keyed state: what one key has in one slice. The accumulators follow. */
struct window_row {
    uint64_t events;  /* counted in it */
    uint32_t pending; /* an update waits to be written (not stored: the pane says it for all of its rows) */
    uint32_t reserved;
};

struct window_def {
    struct keyed_kind kind; /* first: rows' functions get it and cast */
    const struct window *window;
    struct aggregate_layout layout;
    int64_t step_ms;       /* of its slices: the slide, or the size when it is tumbling */
    bool local;            /* every key belongs to the partition of its events: the visitor is part of it */
    bool updates, closes;  /* what is written */
    int64_t updated_at_ms; /* wall clock of the last updates */
    struct counter *counted, *late, *filtered, *results;
};

struct window_defs {
    const struct domain_set *domains; /* NULL: no windows */
    struct window_def *defs;          /* in the order of domains->windows */
    const struct keyed_kind **kinds;  /* the same */
    size_t count;
};

/* one_partition: then every key is local. Aborts when out of memory (start-up only). ERR_INVALID: see
 * window_measures_layout. */
MUST_CHECK enum status window_defs_make(const struct domain_set *domains, bool one_partition, struct metrics *metrics,
                                        struct window_defs *out, struct error *err);
void window_defs_done(struct window_defs *defs);
/* By its id; NULL: there is no such definition (any more). */
struct window_def *window_defs_find(const struct window_defs *defs, uint64_t id);
/* Whether some window has keys that belong to other partitions than their events. */
bool window_defs_cross(const struct window_defs *defs);
/* Whether the tenant's events are for it. */
bool window_def_wants(const struct window_def *def, struct slice customer_id);

static inline struct window_row *window_row_of(struct keyed_row *row)
{
    return (struct window_row *)(void *)row->data;
}
static inline void *window_row_accumulators(struct window_row *row)
{
    return row + 1;
}
