/* GET /v1/stream: how the stream is doing, task by task, for screens. A tenant sees the tasks (they are everybody's),
 * the sinks that its results go to, and how far its own event time is; who administrates sees every tenant's, and what
 * became of events in each window. Tasks and sink are reached through their metrics, by the names that stand in docs
 * for everybody. */
#include <stdio.h>
#include <stdlib.h>

#include "base/json_text.h"
#include "serve/inside.h"

#define PARTITIONS_MAX 1024
#define BODY_BYTES_MAX (4u << 20)

static const struct number {
    const char *json, *metric;
} OF_PARTITION[] = {
    { "events", "events_processed_total" },
    { "duplicates", "duplicates_total" },
    { "lag_records", "kafka_lag" },
    { "lag_seconds", "process_lag_seconds" },
    { "watermark_delay_seconds", "watermark_delay_seconds" },
    { "state_bytes", "process_state_bytes" },
    { "state_disk_bytes", "process_state_disk_bytes" },
    { "state_rows", "process_state_rows" },
    { "state_panes", "process_state_panes" },
    { "state_evictions", "process_state_evictions_total" },
    { "dedup_ids", "dedup_ids" },
    { "late", "process_late_total" },
    { "dead", "process_dead_total" },
    { "commits", "process_commits_total" },
    { "commit_seconds", "process_last_commit_seconds" },
    { "commit_retries", "process_commit_retries_total" },
    { "checkpoint_failures", "process_checkpoint_failures_total" },
};

static const struct number OF_STORE[] = {
    { "lag_seconds", "store_lag_seconds" },
    { "pending_rows", "store_pending_rows" },
    { "queryable_seconds", "store_queryable_seconds" },
    { "retries", "store_retries_total" },
};

/* ,"name":1.5; what nobody has measured yet is left out. */
static bool add_number(struct serve *serve, const struct number *number, const char *labels, struct buf *out)
{
    double value;
    if (!metrics_read(serve->metrics, number->metric, labels, &value))
        return false;
    json_add_key(out, number->json);
    json_add_number(out, value);
    return true;
}

/* Those that this process has, or had: with others beside it (decision 0023) any of them. */
static void add_partitions(struct serve *serve, struct buf *out)
{
    size_t count = 0;
    json_add_key(out, "partitions");
    buf_add_char(out, '[');
    for (unsigned p = 0; p < PARTITIONS_MAX; p++) {
        char labels[32];
        double value;
        snprintf(labels, sizeof labels, "partition=\"%u\"", p);
        if (!metrics_read(serve->metrics, OF_PARTITION[0].metric, labels, &value))
            continue;
        buf_add_text(out, count++ ? ",{" : "{");
        json_add_field_u64(out, "partition", p);
        for (size_t i = 0; i < COUNT_OF(OF_PARTITION); i++)
            add_number(serve, &OF_PARTITION[i], labels, out);
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
}

static void add_store(struct serve *serve, struct buf *out)
{
    json_add_key(out, "store");
    buf_add_char(out, '{');
    for (size_t i = 0; i < COUNT_OF(OF_STORE); i++)
        add_number(serve, &OF_STORE[i], "", out);
    buf_add_char(out, '}');
}

/* Series as they are visited. Labels are ours: their values are quoted and escaped as in JSON. */
struct listing {
    struct buf *out;
    const char *only; /* the beginning of the labels that are wanted; NULL: all */
    const char *value_name;
    size_t count;
};

static void add_series(void *self, const char *labels, double value)
{
    struct listing *listing = self;
    if (listing->only && strncmp(labels, listing->only, strlen(listing->only)) != 0)
        return;
    buf_add_text(listing->out, listing->count++ ? ",{" : "{");
    for (const char *at = labels; *at;) {
        size_t name = strcspn(at, "=");
        const char *end = at + name + 2;
        while (*end && *end != '"')
            end += end[0] == '\\' && end[1] ? 2 : 1;
        buf_add_format(listing->out, "\"%.*s\":%.*s\",", (int)name, at, (int)(end - at - (long)name - 1),
                       at + name + 1);
        at = *end ? end + 1 : end;
        at += *at == ',';
    }
    buf_add_format(listing->out, "\"%s\":", listing->value_name);
    json_add_number(listing->out, value);
    buf_add_char(listing->out, '}');
}

static void add_listing(struct serve *serve, const char *name, const char *metric, struct listing listing)
{
    json_add_key(listing.out, name);
    buf_add_char(listing.out, '[');
    metrics_visit(serve->metrics, metric, add_series, &listing);
    buf_add_char(listing.out, ']');
}

static const struct number OF_SINK[] = {
    { "up", "sink_up" },
    { "lag_seconds", "sink_lag_seconds" },
    { "records", "sink_records_total" },
    { "writes", "sink_writes_total" },
    { "failures", "sink_failures_total" },
    { "refused", "sink_refused_total" },
    { "skipped", "sink_skipped_total" },
};

struct sink_visit {
    const struct serve *serve;
    const struct tenant *tenant; /* NULL: all sinks */
    struct buf labels;           /* an end of line after each: the visitor holds the lock under which others are read */
};

static void note_sink(void *self, const char *labels, double value)
{
    static const char NAME[] = "sink=\"";
    struct sink_visit *visit = self;
    const struct serve_options *options = &visit->serve->options;
    (void)value;
    if (visit->tenant) {
        const char *name = strstr(labels, NAME);
        struct slice sink = name ? slice_of(name + sizeof NAME - 1, strcspn(name + sizeof NAME - 1, "\"")) : SLICE("");
        if (!options->sink_carries || !options->sink_carries(options->hook_self, sink, slice_from(visit->tenant->id)))
            return;
    }
    buf_add_format(&visit->labels, "%s\n", labels);
}

/* sink="results" becomes "sink":"results"; partition="3" the same. */
static void add_labels(const char *labels, size_t n, struct buf *out)
{
    struct slice rest = slice_of(labels, n);
    while (rest.n) {
        const char *equals = memchr(rest.p, '=', rest.n), *comma = memchr(rest.p, ',', rest.n);
        size_t end = comma ? (size_t)(comma - rest.p) : rest.n, name = (size_t)(equals - rest.p);
        buf_add_format(out, "%s\"%.*s\":%.*s", rest.p == labels ? "" : ",", (int)name, rest.p, (int)(end - name - 1),
                       equals + 1);
        rest = slice_after(rest, comma ? end + 1 : end);
    }
}

static void add_sinks(struct serve *serve, const struct tenant *tenant, struct buf *out)
{
    struct sink_visit visit = { serve, tenant, { 0 } };
    buf_init(&visit.labels, BODY_BYTES_MAX / 8);
    metrics_visit(serve->metrics, OF_SINK[0].metric, note_sink, &visit);
    json_add_key(out, "sinks");
    buf_add_char(out, '[');
    char *labels = visit.labels.n ? (char *)(uintptr_t)buf_text(&visit.labels) : NULL, *end;
    for (bool first = true; labels && (end = strchr(labels, '\n')) != NULL; labels = end + 1, first = false) {
        *end = '\0';
        buf_add_text(out, first ? "{" : ",{");
        add_labels(labels, (size_t)(end - labels), out);
        for (size_t i = 0; i < COUNT_OF(OF_SINK); i++)
            add_number(serve, &OF_SINK[i], labels, out);
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
    buf_done(&visit.labels);
}

void stream_health(struct serve *serve, struct http_exchange *exchange)
{
    const char *actor;
    bool admin = access_is_admin(serve, exchange, &actor);
    const struct tenant *tenant = admin ? NULL : access_reader(serve, exchange, false);
    if (!admin && !tenant)
        return;
    AUTO(buf) struct buf body, own;
    buf_init(&body, BODY_BYTES_MAX);
    buf_init(&own, 1024);
    if (tenant) {
        metrics_label(&own, "customer_id", slice_from(tenant->id));
        buf_add_char(&own, ',');
    }
    buf_add_char(&body, '{');
    json_add_field_u64(&body, "at_ms", (uint64_t)world_wall_ms(serve->world));
    if (tenant)
        json_add_field(&body, "tenant", slice_from(tenant->id));
    add_partitions(serve, &body);
    add_store(serve, &body);
    add_listing(serve, "watermarks", "tenant_watermark_delay_seconds",
                (struct listing){ &body, tenant ? buf_text(&own) : NULL, "delay_seconds", 0 });
    add_sinks(serve, tenant, &body);
    if (admin) {
        add_listing(serve, "windows", "window_events_total", (struct listing){ &body, NULL, "events", 0 });
        add_listing(serve, "window_results", "window_results_total", (struct listing){ &body, NULL, "results", 0 });
        add_listing(serve, "dead_letters", "dead_letters_total", (struct listing){ &body, NULL, "events", 0 });
    }
    buf_add_char(&body, '}');
    answer_body(serve, exchange, 200, buf_slice(&body), &ANSWER_CORS);
}
