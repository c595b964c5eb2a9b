/* The second view of `weir top`: the processing tasks, one line each, and which process has which, where there are
 * several, from GET /v1/stream. Owner: the main thread. */
#pragma once
#include "base/buf.h"
#include "base/compiler.h"
#include "base/slice.h"

#define TOP_TASKS_MAX 64 /* those beyond are not shown */

struct top_task {
    double partition, events, rate, lag_records, lag_s, delay_s, state_bytes, rows, panes, evictions, commit_s, late,
        dead;
    /* Where several processes share the partitions: */
    bool is_shared, is_owned;
    char owner[24], host[32], state[16];     /* the name, the machine where it is told, "restoring", … */
    double restore_left, not_owned_since_ms; /* 0: never */
};

struct top_stream {
    struct top_task tasks[TOP_TASKS_MAX];
    size_t count;
    double at_ms;      /* of the answer */
    int64_t looked_us; /* 0: nothing is known yet */
};

/* Takes in an answer of /v1/stream; rates come from the one before. */
void top_stream_take(struct top_stream *stream, struct slice json, int64_t now_us);
/* Lines, each with its '\n'; what a narrow terminal has no room for is left out from the right. */
void top_stream_add(const struct top_stream *stream, size_t columns, struct buf *out);
/* Who has it, for --json: members behind others, or nothing where there are no other processes. */
void top_task_json(const struct top_task *task, struct buf *out);
