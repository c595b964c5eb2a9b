/* Windows: counts every accepted event in the windows that the domains declare, by event time (or by the clock, where
 * that is asked), and writes results to TOPIC_WINDOWS, late events to TOPIC_LATE, and sums for keys that other
 * partitions own to TOPIC_REKEYED. The files of process/window/ say how; docs/stream.md explains it with pictures.
 *
 * The clock decides nothing about events of event-time windows but when idle tenants' windows close; what it decided is
 * in the changelog before it is seen. */
#pragma once
#include "process/process_stage.h"
#include "process/state/id_table.h"
#include "process/state/watermarks.h"

struct keyed;
struct keyed_pane;
struct stage_window;
struct window;
struct window_defs;

struct stage_window_options {
    const struct window_defs *defs;
    struct keyed *rows;
    struct watermarks *watermarks;
    uint16_t partition, partitions;
    uint64_t seed;      /* of the partition */
    size_t results_max; /* written in one commit, about; 0: 20000, which is the most */
};

/* When rows and watermarks are restored. Aborts when out of memory (start-up only). Everything in the options must
 * outlive it. */
struct stage_window *stage_window_new(const struct stage_window_options *options);
void stage_window_free(struct stage_window *stage);

/* self: struct stage_window. After state_ops.prepare for the batch. */
MUST_CHECK enum status stage_window_run(void *self, struct process_batch *batch, struct error *err);
MUST_CHECK enum status stage_window_flush(void *self, struct process_outputs *outputs, struct error *err);
/* A record of TOPIC_REKEYED: what another partition found for a key of this one. */
MUST_CHECK enum status stage_window_partial(struct stage_window *stage, struct slice record, int64_t now_ms,
                                            struct process_outputs *outputs, struct error *err);
/* What goes to other partitions may not fit into the commit with one more batch: it is to be ended. */
bool stage_window_is_full(const struct stage_window *stage);
/* Windows are half written: run and partial may not be called before a flush has changed that. */
bool stage_window_is_closing(const struct stage_window *stage);

struct window_open_session {
    const struct window *window;
    struct slice key; /* window_key.h */
    int64_t start_ms;
};

/* Zeroed at first. */
struct stage_window_walk {
    bool begun;
    struct keyed_pane *pane;
    struct id128 cursor;
};

/* Visits the sessions of session windows that are not over where windows are closed up to, a bounded piece a call
 * (about rows_max rows), until *out_done. Nothing else may be called between but the states' own round. */
MUST_CHECK enum status stage_window_open_sessions(struct stage_window *stage, struct stage_window_walk *walk,
                                                  size_t rows_max,
                                                  void (*visit)(void *self, const struct window_open_session *session),
                                                  void *self, bool *out_done, struct error *err);

/* Lets time pass. True: a commit is wanted although no event has come (windows are due, or more of them than one commit
 * could take). */
bool stage_window_tick(struct stage_window *stage, int64_t now_ms);
/* The wall clock at which stage_window_tick wants to be called again; INT64_MAX: never by itself. */
int64_t stage_window_wake_ms(const struct stage_window *stage);
