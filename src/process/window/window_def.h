/* The window definitions of a domain set as a task runs them: what their rows are, counters. Made once at start, then
 * only read but for the counters. Owner: the task. */
#pragma once
#include "base/compiler.h"
#include "base/error.h"
#include "base/metrics.h"
#include "config/domain.h"
#include "process/aggregate/aggregate.h"
#include "process/state/keyed.h"

/* A row of keyed state: what one key has in one slice. The accumulators follow, then in a session window its part. */
struct window_row {
    uint64_t events;  /* counted in it */
    uint32_t pending; /* an update waits to be written (not stored: the pane says it for all of its rows) */
    uint32_t reserved;
};

/* Behind the accumulators of a session window's row (window_session.c). */
struct window_session {
    int64_t first_ms,
        last_ms;     /* its first and last event; the first may lie in slices that were folded into this one */
    int64_t told_ms; /* where the session that was last told of it begins; WINDOW_UNTOLD: none was */
    bool final;      /* that result was final */
};
#define WINDOW_UNTOLD INT64_MIN

struct window_def {
    struct keyed_kind kind; /* first: rows' functions get it and cast */
    const struct window *window;
    struct aggregate_layout layout;
    int64_t step_ms;  /* of its slices: the slide, the size when it is tumbling, the gap of sessions */
    int64_t reach_ms; /* from a slice's start until nothing in time can change a result that it is part of */
    bool session;
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
/* How many windows have keys that belong to other partitions than their events. */
size_t window_defs_foreign(const struct window_defs *defs);
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
static inline struct window_session *window_row_session(const struct window_def *def, struct window_row *row)
{
    return (struct window_session *)(void *)((char *)(row + 1) + def->layout.row_bytes);
}
