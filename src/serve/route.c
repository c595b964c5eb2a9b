/* Paths to functions, one table; what is not in it is 404, a known path with another method is 405 with Allow. */
#include <stdio.h>
#include <stdlib.h>

#include "serve/inside.h"

static void get_health(struct serve *serve, struct http_exchange *exchange)
{
    answer_body(serve, exchange, 200, SLICE("{\"status\":\"ok\"}"), &ANSWER_PRIVATE);
}

static void get_ready(struct serve *serve, struct http_exchange *exchange)
{
    bool ready = serve->options.engine_is_ready && serve->options.engine_is_ready(serve->options.hook_self);
    if (ready)
        answer_body(serve, exchange, 200, SLICE("{\"status\":\"ready\"}"), &ANSWER_PRIVATE);
    else
        answer_error(serve, exchange, 503, "engine_not_ready", "the engine is starting; questions wait for it",
                     &(struct answer_extra){ .retry_after_s = 1 });
}

/* Names of tenants are in the series, so not everybody may see them. */
static void get_metrics(struct serve *serve, struct http_exchange *exchange)
{
    const char *actor;
    if (!http_is_loopback(exchange) && !access_is_admin(serve, exchange, &actor)) {
        answer_error(serve, exchange, 401, "token_missing",
                     "metrics are for this machine, or for Authorization: Bearer TOKEN of admin.token",
                     &ANSWER_PRIVATE);
        return;
    }
    AUTO(buf) struct buf text;
    buf_init(&text, 64 << 20);
    gauge_set(serve->listeners_gauge, (double)serve->listener_count);
    gauge_set(serve->queries_gauge, (double)workers_busy(serve->workers));
    metrics_render(serve->metrics, &text);
    answer_body(serve, exchange, 200, buf_slice(&text),
                &(struct answer_extra){ .content_type = "text/plain; version=0.0.4; charset=utf-8" });
}

enum route_flags {
    ROUTE_CORS = 1, /* other websites may ask, with a key */
};

static const struct route {
    const char *path;
    enum http_method method;
    void (*handle)(struct serve *, struct http_exchange *);
    unsigned flags;
} ROUTES[] = {
    { "/health", HTTP_METHOD_GET, get_health, 0 },
    { "/ready", HTTP_METHOD_GET, get_ready, 0 },
    { "/metrics", HTTP_METHOD_GET, get_metrics, 0 },
    { "/v1/sql", HTTP_METHOD_POST, ask_sql, ROUTE_CORS },
    { "/v1/live", HTTP_METHOD_GET, feed_open, ROUTE_CORS },
    { "/v1/stream", HTTP_METHOD_GET, stream_health, ROUTE_CORS },
    { "/v1/dashboards", HTTP_METHOD_GET, dashboards_list, ROUTE_CORS },
    { "/v1/quality", HTTP_METHOD_GET, quality_targets, ROUTE_CORS },
    { "/v1/replays", HTTP_METHOD_GET, replays_list, 0 },
    { "/v1/replays", HTTP_METHOD_POST, replays_begin, 0 },
    { "/v1/tenants", HTTP_METHOD_GET, tenants_list, 0 },
    { "/v1/tenants", HTTP_METHOD_POST, tenants_create, 0 },
    { "/v1/config", HTTP_METHOD_GET, about_config, 0 },
    { "/v1/whoami", HTTP_METHOD_GET, about_tenant, ROUTE_CORS },
};

static const char *method_name(enum http_method method)
{
    return method == HTTP_METHOD_GET ? "GET, HEAD" : method == HTTP_METHOD_POST ? "POST" : "PATCH";
}

static void answer_wrong_method(struct serve *serve, struct http_exchange *exchange, const char *allowed)
{
    char header[96], message[128];
    snprintf(header, sizeof header, "Allow: %s\r\n", allowed);
    snprintf(message, sizeof message, "this path takes %s", allowed);
    answer_error(serve, exchange, 405, "wrong_method", message, &(struct answer_extra){ .headers = header });
}

/* What a browser asks before it sends a key to another website. */
static void answer_preflight(struct serve *serve, struct http_exchange *exchange)
{
    answer_body(serve, exchange, 204, (struct slice){ "", 0 },
                &(struct answer_extra){
                    .cors = true,
                    .headers = "Access-Control-Allow-Methods: GET, POST\r\n"
                               "Access-Control-Allow-Headers: Authorization, Content-Type, Last-Event-ID\r\n"
                               "Access-Control-Max-Age: 3600\r\n" });
}

/* NAME/rotate and NAME/revoke. False: the path has another end. */
static bool route_tenant_keys(struct serve *serve, struct http_exchange *exchange, struct slice id,
                              enum http_method method)
{
    const char *slash = memchr(id.p, '/', id.n);
    struct slice action = slash ? slice_after(id, (size_t)(slash - id.p) + 1) : (struct slice){ 0 };
    bool rotate = slice_equal(action, SLICE("rotate"));
    if (!rotate && !slice_equal(action, SLICE("revoke")))
        return false;
    if (method == HTTP_METHOD_POST)
        tenants_change_keys(serve, exchange, slice_of(id.p, (size_t)(slash - id.p)), rotate);
    else
        answer_wrong_method(serve, exchange, "POST");
    return true;
}

static void route_tenant(struct serve *serve, struct http_exchange *exchange, struct slice id, enum http_method method)
{
    if (route_tenant_keys(serve, exchange, id, method))
        return;
    if (method == HTTP_METHOD_GET)
        tenants_show(serve, exchange, id);
    else if (method == HTTP_METHOD_PATCH)
        tenants_update(serve, exchange, id);
    else
        answer_wrong_method(serve, exchange, "GET, PATCH");
}

static bool is_both(struct slice path)
{
    return slice_equal(path, SLICE("/v1/tenants")) || slice_equal(path, SLICE("/v1/replays"));
}

void route_request(void *self, struct http_exchange *exchange)
{
    struct serve *serve = self;
    struct slice path = http_path(exchange), tenant = SLICE("/v1/tenants/");
    enum http_method method = http_method(exchange);
    bool is_options = method == HTTP_METHOD_OPTIONS;
    const struct route *known = NULL;
    http_set_context(exchange, NULL);
    if (method == HTTP_METHOD_HEAD)
        method = HTTP_METHOD_GET;
    for (size_t i = 0; i < COUNT_OF(ROUTES); i++) {
        if (!slice_equal(path, slice_from(ROUTES[i].path)))
            continue;
        known = &ROUTES[i];
        if (known->method == method) {
            known->handle(serve, exchange);
            return;
        }
    }
    if (known && is_options && known->flags & ROUTE_CORS)
        answer_preflight(serve, exchange);
    else if (known)
        answer_wrong_method(serve, exchange, is_both(path) ? "GET, POST" : method_name(known->method));
    else if (slice_starts(path, tenant) && path.n > tenant.n)
        route_tenant(serve, exchange, slice_after(path, tenant.n), method);
    else if (!(method == HTTP_METHOD_GET && site_answer(serve, exchange, path)))
        answer_error(
            serve, exchange, 404, "not_found",
            "there is nothing here; the paths are /, /v1/sql, /v1/live, /v1/stream, /v1/dashboards, /v1/quality, "
            "/v1/config, /v1/whoami, /v1/tenants, /v1/replays, /health, /ready, /metrics",
            &ANSWER_PRIVATE);
}

void route_gone(void *self, struct http_exchange *exchange)
{
    (void)self;
    struct pending *pending = http_context(exchange);
    if (pending)
        pending->gone(pending);
}
