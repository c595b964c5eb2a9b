/* The inside of the window stage, shared by its files: stage_window.c (life, what happens once a commit),
 * window_count.c (events into slices), window_emit.c (results, updates), window_close.c (what the watermark has
 * passed), window_session.c (sessions, put together from slices). Owner: the task; one thread. */
#pragma once
#include "base/arena.h"
#include "process/process_output.h"
#include "process/stage_window.h"
#include "process/window/window_combiner.h"
#include "process/window/window_def.h"

#define UPDATE_INTERVAL_MS 50              /* shortest time between two updates of one definition's results */
#define PENDING_MAX 65536                  /* rows whose update waits; more are written at once */
#define RESULTS_A_COMMIT 20000             /* at most, also where the options allow more */
#define RESULT_BYTES_A_COMMIT (4ull << 20) /* or as many */
#define WATERMARKS_A_COMMIT 4096           /* told to the other partitions */
#define ROWS_A_WALK 2048
#define GATHER_IDS 65536          /* of a window's slices at a time */
#define WATERMARK_INTERVAL_MS 100 /* between two words to the other partitions */

/* A pane's words. */
enum { PANE_FLAGS, PANE_CURSOR_LO, PANE_CURSOR_HI, PANE_END, PANE_NEXT_LOOK = PANE_END /* of sessions */ };
enum pane_flags {
    PANE_CLOSED = 1,  /* its (last) window's result was written: what comes now amends it */
    PANE_PENDING = 2, /* updates wait: a restart writes all of its rows again, before anything is closed */
};

struct window_partial;

struct pending_update {
    struct keyed_pane *pane;
    struct id128 id;
};

/* One event for one definition, on its way into a row. */
struct window_hit {
    uint32_t event; /* index in the batch */
    uint16_t key_n;
    struct keyed_pane *pane; /* NULL: another partition's key */
    uint16_t owner;
    int64_t start_ms; /* of its slice */
    int64_t time_ms;
    struct id128 id;
    const char *key; /* in the batch's arena */
};

struct stage_window {
    struct stage_window_options options;
    struct process_outputs *outputs; /* of the commit in work */
    int64_t now_ms;                  /* the wall clock */
    int64_t clock_ms; /* the same for windows in processing time (window_clock_ms): it is never set back */
    struct window_combiner combiner;
    size_t partials_max;  /* of one batch: each event in each window whose keys are of other partitions */
    struct value *values; /* of the batch's events: fields->count each */
    struct watermark *marks[PROCESS_BATCH_MAX];
    int64_t marks_ms[PROCESS_BATCH_MAX]; /* the watermark when the event came */
    struct window_hit hits[PROCESS_BATCH_MAX];
    struct id128 wanted[PROCESS_BATCH_MAX];
    struct aggregate_value *inputs; /* of one event */
    struct pending_update *pending;
    size_t pending_count;
    size_t results_left;          /* of this commit */
    uint64_t result_bytes;        /* of this commit */
    bool more;                    /* what one commit could not take waits for the next */
    bool closing;                 /* windows are half written: no event may come between */
    bool recovering;              /* updates that a crash has cut off are not yet written again */
    struct keyed_pane *recovered; /* in work */
    struct id128 recovered_to;    /* of its rows */
    bool closed_waits;            /* among the updates that wait are some of results given already */
    int64_t pending_at_ms;        /* when updates that wait are due; INT64_MAX: none wait */
    int64_t untold_at_ms;         /* when other partitions are to be told of a watermark; INT64_MAX: they know all */
    struct buf key_json, measures_json;
    struct arena scratch;   /* of a window that is put together */
    struct id128 *gathered; /* GATHER_IDS; the ids of its slices */
    int64_t tick_at_ms;
};

/* window_count.c */
MUST_CHECK enum status window_count_batch(struct stage_window *stage, struct process_batch *batch, struct error *err);
/* One partial of another partition. */
MUST_CHECK enum status window_count_partial(struct stage_window *stage, struct window_def *def,
                                            const struct window_partial *partial, struct watermark *mark,
                                            struct error *err);

/* window_emit.c */
struct window_result {
    int64_t start_ms, end_ms;
    uint64_t events;
    uint32_t revision;
    bool final;
    struct slice key;
    const void *accumulators; /* NULL: there is no such window any more */
};
MUST_CHECK enum status window_emit(struct stage_window *stage, struct window_def *def, uint32_t tenant,
                                   const struct window_result *result, struct error *err);
/* The row has changed: writes what that changes in results already given or to be given as they grow, now or soon. */
MUST_CHECK enum status window_note_change(struct stage_window *stage, struct keyed_pane *pane, struct keyed_row *row,
                                          struct error *err);
/* Writes the updates that are due, or all. */
MUST_CHECK enum status window_flush_updates(struct stage_window *stage, bool all, struct error *err);
/* Writes a result for every row of the panes whose updates waited when the task was cut off, as far as one commit can
 * take it. */
MUST_CHECK enum status window_recover_updates(struct stage_window *stage, struct error *err);
/* The result of the sliding window that ends at end_ms for the key: its slices added up. */
MUST_CHECK enum status window_emit_sliding(struct stage_window *stage, struct window_def *def, uint32_t tenant,
                                           struct id128 id, struct slice key, int64_t end_ms, bool final,
                                           struct error *err);

/* window_session.c */
/* The row of a session window was given events from first_ms to last_ms (is_new: the first ones of the row): how far
 * its sessions reach, and what that changes in results, now or soon. */
MUST_CHECK enum status window_session_count(struct stage_window *stage, struct keyed_row *row, bool is_new,
                                            int64_t first_ms, int64_t last_ms, const struct watermark *mark,
                                            struct error *err);
/* Writes the session that the row is part of, as window_note_change promises. */
MUST_CHECK enum status window_session_update(struct stage_window *stage, struct keyed_row *row, struct error *err);
/* The pane is due: sessions that are over by complete_ms are written, and once nothing in time can change it any more
 * it is folded into the next one. */
MUST_CHECK enum status window_session_close(struct stage_window *stage, struct window_def *def, struct keyed_pane *pane,
                                            int64_t complete_ms, bool *out_done, struct error *err);

/* window_close.c */
/* A new pane, not of sessions: when it is to be looked at; it may be one that closed already and is amended. */
void window_pane_opened(struct stage_window *stage, struct window_def *def, struct keyed_pane *pane,
                        const struct watermark *mark);
/* Everything of the tenant that its watermark has passed, as far as one commit can take it. */
MUST_CHECK enum status window_close_due(struct stage_window *stage, struct watermark *mark, struct error *err);
/* What is due by the clock: windows in processing time. */
MUST_CHECK enum status window_close_expired(struct stage_window *stage, struct error *err);

static inline struct window_def *window_def_of_pane(const struct keyed_pane *pane)
{
    return (struct window_def *)(uintptr_t)pane->kind;
}
static inline struct keyed_pane *window_pane_find(struct keyed *rows, const struct keyed_kind *kind, uint32_t tenant,
                                                  int64_t start_ms)
{
    bool is_new;
    return keyed_pane_get(rows, kind, tenant, start_ms, false, &is_new);
}
/* The clock of windows in processing time, for something that must be decided the same after a restart. */
static inline int64_t window_clock_ms(struct stage_window *stage)
{
    watermarks_clock_used(stage->options.watermarks, stage->clock_ms);
    return stage->clock_ms;
}
/* The tenant's number in keyed state. */
static inline uint32_t window_tenant(struct stage_window *stage, struct watermark *mark)
{
    if (mark->tenant == 0)
        mark->tenant = keyed_tenant(stage->options.rows, mark->customer_id) + 1;
    return mark->tenant - 1;
}
