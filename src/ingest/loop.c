/* The glue between HTTP and the core. Where the turn ends: requests are read in the loop's poll phase, so the check
 * phase right behind it hands them to the journal; the prepare phase does it again for those that came in while answers
 * were written (pipelining). While requests wait for their turn, an idle handle keeps the loop from sleeping.
 *
 * The end: drain the server, wait until the core is idle, close our handles, and uv_run returns by itself. After
 * drain_timeout_ms the connections that are left are cut; commits that the journal has are waited for in any case,
 * since their memory is ours. */
#include "ingest/loop.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "base/log.h"
#include "http/http_server.h"

struct loop {
    uv_loop_t uv;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t idle;
    uv_async_t finished, stop;
    uv_timer_t drain_timer;
    struct http_server *server;
    struct core *core;
    struct ingest_options options;
    unsigned number;
    pthread_t thread;
    bool started, stopping, drained, server_stopped, closing, uv_ready;
};

static void loop_close_handles(struct loop *loop)
{
    uv_handle_t *const handles[] = { (uv_handle_t *)&loop->prepare, (uv_handle_t *)&loop->check,
                                     (uv_handle_t *)&loop->idle,    (uv_handle_t *)&loop->finished,
                                     (uv_handle_t *)&loop->stop,    (uv_handle_t *)&loop->drain_timer };
    for (size_t i = 0; i < COUNT_OF(handles); i++)
        uv_close(handles[i], NULL);
}

static void loop_stop_server(struct loop *loop)
{
    if (loop->server_stopped)
        return;
    loop->server_stopped = true;
    http_server_stop(loop->server);
}

static void loop_maybe_end(struct loop *loop)
{
    if (!loop->stopping || !loop->drained || loop->closing || !core_is_idle(loop->core))
        return;
    loop->closing = true;
    core_settle(loop->core);
    loop_stop_server(loop);
    loop_close_handles(loop);
}

static void on_idle(uv_idle_t *handle)
{
    (void)handle; /* its being active is what counts */
}

static void loop_turn(struct loop *loop)
{
    if (loop->closing)
        return;
    bool more = core_turn(loop->core);
    if (more)
        uv_idle_start(&loop->idle, on_idle);
    else
        uv_idle_stop(&loop->idle);
    loop_maybe_end(loop);
}

static void on_prepare(uv_prepare_t *handle)
{
    loop_turn(handle->data);
}

static void on_check(uv_check_t *handle)
{
    loop_turn(handle->data);
}

static void on_finished(uv_async_t *handle)
{
    struct loop *loop = handle->data;
    core_finish(loop->core);
}

static void wake_finished(void *self)
{
    struct loop *loop = self;
    uv_async_send(&loop->finished);
}

/* ---- HTTP */

static struct ingest_request request_of(struct http_exchange *exchange, const struct loop *loop)
{
    struct ingest_request request = {
        .method = http_method(exchange),
        .path = http_path(exchange),
        .query = http_query(exchange),
        .authorization = http_header(exchange, "authorization"),
        .write_key = http_header(exchange, "x-write-key"),
        .content_encoding = http_header(exchange, "content-encoding"),
        .content_type = http_header(exchange, "content-type"),
        .origin = http_header(exchange, "origin"),
        .remote_address = http_remote_address(exchange),
        .tls = loop->options.http.tls_certificate != NULL,
        .body = http_body(exchange),
    };
    if (request.method == HTTP_METHOD_GET)
        request.host = http_header(exchange, "host");
    return request;
}

static void on_request(void *self, struct http_exchange *exchange)
{
    struct loop *loop = self;
    struct ingest_request request = request_of(exchange, loop);
    struct ticket *ticket = core_receive(loop->core, &request, exchange);
    if (ticket)
        http_set_context(exchange, ticket);
}

static void on_gone(void *self, struct http_exchange *exchange)
{
    struct loop *loop = self;
    struct ticket *ticket = http_context(exchange);
    if (ticket)
        core_gone(loop->core, ticket);
}

static void on_answer(void *self, void *exchange, const struct http_answer *answer)
{
    (void)self;
    http_answer(exchange, answer);
}

/* ---- stopping */

static void on_drained(void *self)
{
    struct loop *loop = self;
    loop->drained = true;
    if (!loop->closing)
        uv_async_send(&loop->finished); /* one more turn, to end in */
}

static void on_drain_timeout(uv_timer_t *timer)
{
    struct loop *loop = timer->data;
    log_warn("ingest.drain_timeout", "loop=%u ms=%ld: cutting the connections that are left", loop->number,
             (long)loop->options.drain_timeout_ms);
    loop->drained = true;
    loop_stop_server(loop);
}

static void on_stop(uv_async_t *handle)
{
    struct loop *loop = handle->data;
    if (loop->stopping)
        return;
    loop->stopping = true;
    core_set_draining(loop->core);
    uv_timer_start(&loop->drain_timer, on_drain_timeout, (uint64_t)loop->options.drain_timeout_ms, 0);
    http_server_drain(loop->server, on_drained, loop);
}

/* ---- life */

static enum status loop_init_uv(struct loop *loop, struct error *err)
{
    int failed = uv_loop_init(&loop->uv);
    if (failed)
        return error_set(err, ERR_IO, "start an event loop: %s", uv_strerror(failed));
    loop->uv_ready = true;
    uv_prepare_init(&loop->uv, &loop->prepare);
    uv_check_init(&loop->uv, &loop->check);
    uv_idle_init(&loop->uv, &loop->idle);
    uv_timer_init(&loop->uv, &loop->drain_timer);
    failed = uv_async_init(&loop->uv, &loop->finished, on_finished);
    if (failed == 0)
        failed = uv_async_init(&loop->uv, &loop->stop, on_stop);
    if (failed)
        return error_set(err, ERR_IO, "start an event loop: %s", uv_strerror(failed));
    loop->prepare.data = loop->check.data = loop->finished.data = loop->stop.data = loop->drain_timer.data = loop;
    uv_prepare_start(&loop->prepare, on_prepare);
    uv_check_start(&loop->check, on_check);
    return OK;
}

static enum status loop_init(struct loop *loop, const struct core_shared *shared, struct error *err)
{
    struct core_host host = {
        .answer = on_answer, .self = loop, .loop = loop->number, .finished = { wake_finished, loop }
    };
    enum status s = loop_init_uv(loop, err);
    if (s == OK)
        s = core_new(&loop->options, shared, &host, &loop->core, err);
    if (s == OK)
        s = http_server_start(&loop->options.http, &loop->uv, shared->metrics, on_request, on_gone, loop, &loop->server,
                              err);
    return s;
}

enum status loop_new(const struct ingest_options *options, const struct core_shared *shared, unsigned number,
                     struct loop **out, struct error *err)
{
    struct loop *loop = calloc(1, sizeof *loop);
    if (!loop)
        return error_set(err, ERR_FULL, "out of memory");
    loop->options = *options;
    loop->number = number;
    loop->options.http.reuse_port_joins = number > 0;
    enum status s = loop_init(loop, shared, err);
    if (s != OK) {
        loop_free(loop);
        return s;
    }
    *out = loop;
    return OK;
}

uint16_t loop_port(const struct loop *loop)
{
    return http_server_port(loop->server);
}

static void *loop_run(void *argument)
{
    struct loop *loop = argument;
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    return NULL;
}

enum status loop_start(struct loop *loop, struct error *err)
{
    char name[16];
    sigset_t all, before; /* signals belong to the main thread */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&loop->thread, NULL, loop_run, loop);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed)
        return error_errno(err, ERR_IO, failed, "start ingestion's thread");
    loop->started = true;
    snprintf(name, sizeof name, "ingest-%u", loop->number % 1000);
    pthread_setname_np(loop->thread, name);
    return OK;
}

void loop_begin_stop(struct loop *loop)
{
    uv_async_send(&loop->stop);
}

void loop_finish_stop(struct loop *loop)
{
    if (loop->started)
        pthread_join(loop->thread, NULL);
    else
        loop_run(loop);
    loop->started = false;
}

static void close_any(uv_handle_t *handle, void *argument)
{
    (void)argument;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    if (loop->uv_ready) {
        /* Handles are left only when the start failed half-way. */
        if (!loop->closing)
            uv_walk(&loop->uv, close_any, NULL);
        uv_run(&loop->uv, UV_RUN_DEFAULT);
    }
    http_server_free(loop->server);
    core_free(loop->core);
    if (loop->uv_ready) {
        int busy = uv_loop_close(&loop->uv);
        assert(busy == 0);
        (void)busy;
    }
    free(loop);
}
