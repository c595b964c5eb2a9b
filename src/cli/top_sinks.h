/* What follows the tasks in the second view of `weir top`: the sinks, one line each, from GET /v1/stream. Owner: the
 * main thread. */
#pragma once
#include "base/buf.h"
#include "base/compiler.h"
#include "base/slice.h"

#define TOP_SINKS_MAX 16 /* those beyond are not shown */
#define TOP_SINK_NAME_MAX 32

struct top_sink { /* all of its partitions together */
    char name[TOP_SINK_NAME_MAX + 1];
    bool away; /* at least one of them waits for the target */
    double lag_s, records, rate, failures, refused, skipped;
};

struct top_sinks {
    struct top_sink items[TOP_SINKS_MAX];
    size_t count;
    int64_t looked_us; /* 0: nothing is known yet */
};

/* Takes in an answer of /v1/stream; rates come from the one before. */
void top_sinks_take(struct top_sinks *sinks, struct slice json, int64_t now_us);
/* Lines, each with its '\n', none where there are no sinks; what a narrow terminal has no room for is left out. */
void top_sinks_add(const struct top_sinks *sinks, size_t columns, struct buf *out);
/* As a member of the object of `weir top --json`, from its comma on. */
void top_sinks_json(const struct top_sinks *sinks, struct buf *out);
