/* What `weir top` knows (top.c looks at it) and how it is shown (top_frame.c). Owner: the main thread. Nobody else
 * includes this. */
#pragma once
#include "base/buf.h"
#include "base/error.h"
#include "cli/metrics_text.h"
#include "cli/top_sinks.h"
#include "cli/top_stream.h"

#define HISTORY 240
#define TYPES_MAX 64
#define NAME_MAX_BYTES 128

struct http_client;

struct top_options {
    const char *url, *key, *token;
    int64_t interval_ms;
    bool once, json, stream;
};

struct type_row {
    char name[NAME_MAX_BYTES];
    uint64_t accepted, duplicates, dead;
    double rate;
};

/* p50 and p99 of a stage in ms; below 0: nothing was observed lately. */
struct stage {
    const char *metric, *label, *json_name;
    struct metrics_buckets before;
    bool has_before;
    double p50_ms, p99_ms;
};

struct top {
    const struct top_options *options;
    struct http_client *live, *metrics;
    char tenant[80];
    uint64_t accepted, duplicates, dead, lag_events;
    int64_t since_ms, lag_ms, looked_us, metrics_us;
    double rate, history[HISTORY];
    size_t history_count;
    struct type_row types[TYPES_MAX];
    size_t type_count;
    struct stage stages[3];
    double journal_bytes, store_lag_s, memory_bytes; /* below 0: not known */
    struct error trouble;                            /* text empty: none */
    struct top_stream stream;
    struct top_sinks sinks;
    bool seen, shows_stream;
};

/* Everything on one screen; live: on the alternate screen, lines are wiped to their end. */
void top_add_frame(struct buf *out, const struct top *top, bool live);
void top_add_json(struct buf *out, const struct top *top);
