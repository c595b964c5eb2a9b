/* GET /v1/stream: how the stream is doing, task by task, for screens. A tenant sees the tasks (they are everybody's),
 * the sinks that its results go to, and how far its own event time is; who administrates sees every tenant's, and what
 * became of events in each window. Tasks (stream_tasks.c) and sinks are reached through their metrics, by the names
 * that stand in docs for everybody. */
#include <string.h>

#include "base/json_text.h"
#include "serve/inside.h"

#define BODY_BYTES_MAX (4u << 20)

struct number {
    const char *json, *metric;
};

static const struct number OF_STORE[] = {
    { "lag_seconds", "store_lag_seconds" },
    { "pending_rows", "store_pending_rows" },
    { "queryable_seconds", "store_queryable_seconds" },
    { "retries", "store_retries_total" },
};

bool stream_add_number(struct serve *serve, const char *json, const char *metric, const char *labels, struct buf *out)
{
    double value;
    if (!metrics_read(serve->metrics, metric, labels, &value))
        return false;
    json_add_key(out, json);
    json_add_number(out, value);
    return true;
}

static void add_store(struct serve *serve, struct buf *out)
{
    json_add_key(out, "store");
    buf_add_char(out, '{');
    for (size_t i = 0; i < COUNT_OF(OF_STORE); i++)
        stream_add_number(serve, OF_STORE[i].json, OF_STORE[i].metric, "", out);
    buf_add_char(out, '}');
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
            stream_add_number(serve, OF_SINK[i].json, OF_SINK[i].metric, labels, out);
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
    buf_done(&visit.labels);
}

static const struct stream_listing OF_ALL[] = {
    { "windows", TASK_WINDOWS, NULL, "events" },
    { "window_results", TASK_WINDOW_RESULTS, NULL, "results" },
    { "dead_letters", TASK_DEAD_LETTERS, NULL, "events" },
};

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
    stream_add_partitions(serve, admin, &body);
    add_store(serve, &body);
    const struct stream_listing watermarks = { "watermarks", TASK_WATERMARKS, tenant ? buf_text(&own) : NULL,
                                               "delay_seconds" };
    stream_add_listing(serve, &watermarks, &body);
    add_sinks(serve, tenant, &body);
    for (size_t i = 0; admin && i < COUNT_OF(OF_ALL); i++)
        stream_add_listing(serve, &OF_ALL[i], &body);
    buf_add_char(&body, '}');
    answer_body(serve, exchange, 200, buf_slice(&body), &ANSWER_CORS);
}
