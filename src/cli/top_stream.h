/* The second view of `weir top`: the processing tasks, one line each, from GET /v1/stream. Owner: the main thread. */
#pragma once
#include "base/buf.h"
#include "base/compiler.h"
#include "base/slice.h"

#define TOP_TASKS_MAX 64 /* those beyond are not shown */

struct top_task {
    double partition, events, rate, lag_records, lag_s, delay_s, state_bytes, rows, panes, evictions, commit_s, late,
        dead;
};

struct top_stream {
    struct top_task tasks[TOP_TASKS_MAX];
    size_t count;
    int64_t looked_us; /* 0: nothing is known yet */
};

/* Takes in an answer of /v1/stream; rates come from the one before. */
void top_stream_take(struct top_stream *stream, struct slice json, int64_t now_us);
/* Lines, each with its '\n'; what a narrow terminal has no room for is left out from the right. */
void top_stream_add(const struct top_stream *stream, size_t columns, struct buf *out);
