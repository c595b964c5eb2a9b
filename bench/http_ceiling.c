/* The server alone, for bench/http_ceiling.sh: answers 202 to everything, as nginx does beside it. usage: http_ceiling
 * PORT now|later. later: the answer is given out of another callback of the loop, as ingestion does after its flush. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/metrics.h"
#include "http/http_server.h"

enum { WAITING_MAX = 65536 };

static struct http_exchange *waiting[WAITING_MAX];
static size_t waiting_count;
static uv_async_t flushed;
static bool later;

static void accept_it(struct http_exchange *exchange)
{
    struct http_answer answer = { .status = 202, .body = SLICE("{\"accepted\":100}") };
    http_answer(exchange, &answer);
}

static void handle(void *self, struct http_exchange *exchange)
{
    (void)self;
    if (!slice_equal(http_path(exchange), SLICE("/v1/track")) || !http_header(exchange, "authorization").p ||
        http_body(exchange).n == 0)
        abort();
    if (!later) {
        accept_it(exchange);
        return;
    }
    waiting[waiting_count++] = exchange;
    if (waiting_count == 1)
        uv_async_send(&flushed);
}

static void on_flushed(uv_async_t *async)
{
    (void)async;
    for (size_t i = 0; i < waiting_count; i++)
        if (waiting[i])
            accept_it(waiting[i]);
    waiting_count = 0;
}

static void gone(void *self, struct http_exchange *exchange)
{
    (void)self;
    for (size_t i = 0; i < waiting_count; i++)
        if (waiting[i] == exchange)
            waiting[i] = NULL;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 64;
    later = strcmp(argv[2], "later") == 0;
    struct http_server_options options = {
        .name = "bench",
        .host = "127.0.0.1",
        .port = (uint16_t)atoi(argv[1]),
        .connections_max = 10000,
        .body_bytes_max = 16 << 20,
        .buffered_bytes_max = 256 << 20,
        .head_bytes_max = 16 << 10,
        .head_timeout_ms = 10000,
        .body_timeout_ms = 30000,
        .idle_timeout_ms = 60000,
        .answer_timeout_ms = 30000,
    };
    struct http_server *server;
    struct error err;
    uv_loop_t *loop = uv_default_loop();
    uv_async_init(loop, &flushed, on_flushed);
    if (http_server_start(&options, loop, metrics_new(100), handle, gone, NULL, &server, &err) != OK) {
        fprintf(stderr, "%s\n", err.text);
        return 69;
    }
    return uv_run(loop, UV_RUN_DEFAULT);
}
