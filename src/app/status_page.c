#include "app/status_page.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/metrics.h"
#include "http/http_server.h"

#define METRICS_BYTES_MAX (64u << 20)

struct status_page {
    struct status_page_options options;
    struct metrics *metrics;
    uv_loop_t loop;
    uv_async_t stop;
    uv_thread_t thread;
    bool runs;
    struct http_server *http;
};

static void answer(struct http_exchange *exchange, unsigned status, const char *type, struct slice body)
{
    struct http_answer it = { .status = status, .content_type = type, .body = body };
    http_answer(exchange, &it);
}

static void answer_ready(struct status_page *page, struct http_exchange *exchange)
{
    const char *why = page->options.not_ready(page->options.hook_self);
    if (!why) {
        answer(exchange, 200, NULL, SLICE("{\"status\":\"ready\"}"));
        return;
    }
    AUTO(buf) struct buf body;
    buf_init(&body, 1024);
    buf_add_format(&body, "{\"code\":\"not_ready\",\"message\":\"%s\"}", why);
    answer(exchange, 503, NULL, buf_slice(&body));
}

static void on_request(void *self, struct http_exchange *exchange)
{
    struct status_page *page = self;
    struct slice path = http_path(exchange);
    enum http_method method = http_method(exchange);
    if (method != HTTP_METHOD_GET && method != HTTP_METHOD_HEAD) {
        answer(exchange, 405, NULL, SLICE("{\"code\":\"wrong_method\",\"message\":\"this path takes GET, HEAD\"}"));
    } else if (slice_equal(path, SLICE("/health"))) {
        answer(exchange, 200, NULL, SLICE("{\"status\":\"ok\"}"));
    } else if (slice_equal(path, SLICE("/ready"))) {
        answer_ready(page, exchange);
    } else if (slice_equal(path, SLICE("/metrics"))) {
        AUTO(buf) struct buf text;
        buf_init(&text, METRICS_BYTES_MAX);
        metrics_render(page->metrics, &text);
        answer(exchange, 200, "text/plain; version=0.0.4; charset=utf-8", buf_slice(&text));
    } else {
        answer(exchange, 404, NULL,
               SLICE("{\"code\":\"not_found\",\"message\":\"the paths are /health, /ready, /metrics\"}"));
    }
}

static void on_gone(void *self, struct http_exchange *exchange)
{
    (void)self;
    (void)exchange;
}

static void on_stop(uv_async_t *async)
{
    struct status_page *page = async->data;
    http_server_stop(page->http);
    uv_close((uv_handle_t *)&page->stop, NULL);
}

static void run(void *self)
{
    uv_run(&((struct status_page *)self)->loop, UV_RUN_DEFAULT);
}

enum status status_page_open(const struct status_page_options *options, struct metrics *metrics,
                             struct status_page **out, struct error *err)
{
    struct status_page *page = calloc(1, sizeof *page);
    if (!page || uv_loop_init(&page->loop) != 0) {
        free(page);
        return error_set(err, ERR_FULL, "the health page gets no event loop: raise the limit of open files");
    }
    page->options = *options;
    page->metrics = metrics;
    uv_async_init(&page->loop, &page->stop, on_stop);
    page->stop.data = page;
    const struct http_server_options http = { .name = "health",
                                              .host = options->host,
                                              .port = options->port,
                                              .port_option = "--port",
                                              .connections_max = 64,
                                              .body_bytes_max = 4096,
                                              .buffered_bytes_max = 1 << 20,
                                              .head_bytes_max = 8192,
                                              .head_timeout_ms = 5000,
                                              .body_timeout_ms = 5000,
                                              .idle_timeout_ms = 30000,
                                              .answer_timeout_ms = 10000 };
    enum status s = http_server_start(&http, &page->loop, metrics, on_request, on_gone, page, &page->http, err);
    if (s == OK && uv_thread_create(&page->thread, run, page) != 0)
        s = error_set(err, ERR_FULL, "no thread for the health page: raise the limit of processes");
    page->runs = s == OK;
    if (s != OK)
        status_page_close(page);
    else
        *out = page;
    return s;
}

uint16_t status_page_port(const struct status_page *page)
{
    return http_server_port(page->http);
}

void status_page_close(struct status_page *page)
{
    if (!page)
        return;
    if (page->runs) {
        uv_async_send(&page->stop);
        uv_thread_join(&page->thread);
    } else {
        if (page->http)
            http_server_stop(page->http);
        uv_close((uv_handle_t *)&page->stop, NULL);
        uv_run(&page->loop, UV_RUN_DEFAULT);
    }
    if (page->http)
        http_server_free(page->http);
    (void)uv_loop_close(&page->loop);
    free(page);
}
