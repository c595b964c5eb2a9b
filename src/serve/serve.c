/* Life and death of the API. Everything is made on the owner's thread before the loop's thread starts; afterwards only
 * the loop's thread touches it, and the owner speaks to it by stop_async.
 *
 * Stopping: streams are ended, running exchanges finish (bounded by drain_timeout_ms, then they are cut), the workers
 * end, the handles close, and the loop returns because nothing is left. live_async alone stays, unreferenced, until
 * serve_free: a task that is still draining may wake it. */
#include "serve/serve.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/queue.h"
#include "process/live.h"
#include "serve/inside.h"
#include "serve/pages.h"

#define LIVE_QUEUE_MAX 4096

void serve_options_init(struct serve_options *options)
{
    *options = (struct serve_options){
        .http = { .name = "api",
                  .host = "127.0.0.1",
                  .port = 8001,
                  .port_option = "--api-port",
                  .connections_max = 4000,
                  .body_bytes_max = 1 << 20,
                  .buffered_bytes_max = 64 << 20,
                  .head_bytes_max = 16 << 10,
                  .head_timeout_ms = 10000,
                  .body_timeout_ms = 30000,
                  .idle_timeout_ms = 75000,
                  .answer_timeout_ms = 60000 },
        .queries_max = 8,
        .queries_waiting_max = 256,
        .queries_per_tenant = 16,
        .query_timeout_ms = 30000,
        .rows_max = 10000,
        .result_bytes_max = 16 << 20,
        .listeners_max = 2000,
        .listeners_per_tenant = 1200,
        .live_interval_ms = 10,
        .live_heartbeat_ms = 10000,
        .live_tenants_max = 10000,
        .drain_timeout_ms = 5000,
        .pages = &PAGES,
        .environment = "dev",
        .version = "",
        .quota_standard_per_minute = 10000,
        .quota_enterprise_per_minute = 100000,
        .retention_days = 90,
    };
}

static void on_live(uv_async_t *async)
{
    feed_take_updates(async->data);
}

static void wake_live(void *self)
{
    uv_async_send(self);
}

static void close_handles(struct serve *serve)
{
    uv_close((uv_handle_t *)&serve->stop_async, NULL);
    uv_close((uv_handle_t *)&serve->drain_timer, NULL);
    uv_close((uv_handle_t *)&serve->feed_timer, NULL);
}

/* Nothing is running any more. */
static void on_drained(void *self)
{
    struct serve *serve = self;
    if (uv_is_closing((uv_handle_t *)&serve->drain_timer))
        return;
    http_server_stop(serve->http);
    workers_stop(serve->workers);
    close_handles(serve);
}

static void on_drain_timeout(uv_timer_t *timer)
{
    log_warn("api.drain_timeout", "ms=%lld", (long long)((struct serve *)timer->data)->options.drain_timeout_ms);
    on_drained(timer->data);
}

static void on_stop(uv_async_t *async)
{
    struct serve *serve = async->data;
    if (uv_is_active((uv_handle_t *)&serve->drain_timer))
        return;
    uv_timer_start(&serve->drain_timer, on_drain_timeout, (uint64_t)serve->options.drain_timeout_ms, 0);
    feed_close_all(serve);
    http_server_drain(serve->http, on_drained, serve);
}

static void make_metrics(struct serve *serve)
{
    serve->sql_seconds = metrics_histogram(serve->metrics, "api_query_seconds",
                                           "Time from a question to its answer, waiting included.", "");
    serve->sql_ok = metrics_counter(serve->metrics, "api_queries_total", "Questions answered.", "result=\"ok\"");
    serve->sql_failed =
        metrics_counter(serve->metrics, "api_queries_total", "Questions answered.", "result=\"failed\"");
    serve->live_messages =
        metrics_counter(serve->metrics, "api_live_messages_total", "Messages sent to listeners of the live feed.", "");
    serve->listeners_gauge = metrics_gauge(serve->metrics, "api_listeners", "Listeners of the live feed now.", "");
    serve->queries_gauge = metrics_gauge(serve->metrics, "api_queries", "Questions that run or wait now.", "");
}

static enum status make_loop(struct serve *serve, struct error *err)
{
    if (uv_loop_init(&serve->loop) != 0)
        return error_set(err, ERR_IO, "the API gets no event loop: raise the limit of open files");
    uv_async_init(&serve->loop, &serve->stop_async, on_stop);
    uv_async_init(&serve->loop, &serve->live_async, on_live);
    uv_timer_init(&serve->loop, &serve->drain_timer);
    uv_timer_init(&serve->loop, &serve->feed_timer);
    serve->stop_async.data = serve->live_async.data = serve->drain_timer.data = serve->feed_timer.data = serve;
    uv_unref((uv_handle_t *)&serve->live_async);
    return OK;
}

/* Everything that can fail once the loop is there. */
static enum status make_parts(struct serve *serve, struct error *err)
{
    struct workers_options workers = { serve->options.engine_url, serve->options.queries_max,
                                       serve->options.queries_waiting_max, serve->options.queries_per_tenant,
                                       serve->options.engine_tls_ca };
    enum status s = workers_new(&workers, &serve->loop, &serve->workers, err);
    if (s == OK && serve->options.admin_token_path)
        s = access_open_token(serve, err);
    if (s == OK)
        s = serve->catalog->backend->directory(serve->catalog, &serve->directory, err);
    if (s == OK && !(serve->board = board_new(serve->options.live_tenants_max, world_wall_ms(serve->world))))
        s = error_set(err, ERR_FULL, "out of memory");
    if (s == OK)
        s = http_server_start(&serve->options.http, &serve->loop, serve->metrics, route_request, route_gone, serve,
                              &serve->http, err);
    return s;
}

enum status serve_new(const struct serve_options *options, struct catalog *catalog, struct metrics *metrics,
                      struct world *world, struct serve **out, struct error *err)
{
    assert(options->query_timeout_ms > 0 && options->rows_max > 0 && options->live_interval_ms > 0);
    if (sodium_init() < 0)
        return error_set(err, ERR_IO, "the cryptography library does not start");
    struct serve *serve = calloc(1, sizeof *serve);
    if (!serve)
        return error_set(err, ERR_FULL, "out of memory");
    serve->options = *options;
    serve->options.http.half_close_is_gone = true; /* nobody waits for the answer: stop the query */
    serve->catalog = catalog;
    serve->metrics = metrics;
    serve->world = world;
    serve->directory_version = catalog->backend->version(catalog);
    serve->options.engine_url = options->engine_url ? strdup(options->engine_url) : NULL;
    serve->options.admin_token_path = options->admin_token_path ? strdup(options->admin_token_path) : NULL;
    make_metrics(serve);
    enum status s = make_loop(serve, err);
    if (s != OK) {
        free((char *)serve->options.engine_url);
        free((char *)serve->options.admin_token_path);
        free(serve);
        return s;
    }
    serve->live_queue = queue_new("serve.live", LIVE_QUEUE_MAX, (struct waker){ wake_live, &serve->live_async });
    s = make_parts(serve, err);
    if (s != OK) {
        serve_free(serve);
        return s;
    }
    *out = serve;
    return OK;
}

static void loop_run(void *self)
{
    struct serve *serve = self;
    uv_run(&serve->loop, UV_RUN_DEFAULT);
}

enum status serve_start(struct serve *serve, struct error *err)
{
    enum status s = workers_start(serve->workers, err);
    if (s != OK)
        return s;
    if (uv_thread_create(&serve->thread, loop_run, serve) != 0)
        return error_set(err, ERR_FULL, "no thread for the API: raise the limit of processes");
    serve->started = true;
    return OK;
}

uint16_t serve_port(const struct serve *serve)
{
    return http_server_port(serve->http);
}

struct queue *serve_live_queue(struct serve *serve)
{
    return serve->live_queue;
}

void serve_stop(struct serve *serve)
{
    if (serve->stopped)
        return;
    serve->stopped = true;
    queue_close(serve->live_queue);
    if (serve->started) {
        uv_async_send(&serve->stop_async);
        uv_thread_join(&serve->thread);
        return;
    }
    if (serve->http)
        http_server_stop(serve->http);
    if (serve->workers)
        workers_stop(serve->workers);
    close_handles(serve);
    uv_run(&serve->loop, UV_RUN_DEFAULT);
}

void serve_free(struct serve *serve)
{
    if (!serve)
        return;
    serve_stop(serve);
    uv_close((uv_handle_t *)&serve->live_async, NULL);
    uv_run(&serve->loop, UV_RUN_DEFAULT);
    int closed = uv_loop_close(&serve->loop);
    assert(closed == 0);
    if (serve->http)
        http_server_free(serve->http);
    workers_free(serve->workers);
    struct live_update *update;
    while ((update = queue_pop(serve->live_queue)))
        live_update_free(update);
    queue_free(serve->live_queue);
    board_free(serve->board);
    directory_free(serve->directory);
    sodium_memzero(serve->token_hash, sizeof serve->token_hash);
    free((char *)serve->options.engine_url);
    free((char *)serve->options.admin_token_path);
    free(serve);
}
