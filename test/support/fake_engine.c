#include "test/support/fake_engine.h"

#include <stdio.h>

#include "base/metrics.h"
#include "base/test.h"
#include "serve/serve.h"

struct fake_engine fake_engine;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* user, query, body */

static void say(struct http_exchange *exchange, unsigned status, const char *headers, const char *body)
{
    http_answer(exchange, &(struct http_answer){ .status = status,
                                                 .content_type = "text/plain",
                                                 .extra_headers = slice_from(headers),
                                                 .body = slice_from(body) });
}

const char FAKE_ENGINE_ROWS[] =
    "{\n\t\"meta\":\n\t[\n\t\t{\n\t\t\t\"name\": \"n\",\n\t\t\t\"type\": \"UInt64\"\n\t\t}\n\t],\n"
    "\n\t\"data\":\n\t[\n\t\t[18446744073709551615],\n\t\t[2],\n\t\t[3]\n\t],\n\n\t\"rows\": 3\n}\n";

static void copy(char *to, size_t size, struct slice from)
{
    snprintf(to, size, "%.*s", SLICE_ARG(from));
}

const char *fake_engine_seen(const char *field)
{
    static char text[3][256];
    static unsigned next;
    next = (next + 1) % COUNT_OF(text);
    pthread_mutex_lock(&mutex);
    snprintf(text[next], sizeof text[next], "%s", field);
    pthread_mutex_unlock(&mutex);
    return text[next];
}

static void handle(void *self, struct http_exchange *exchange)
{
    (void)self;
    struct slice body = http_body(exchange);
    http_set_context(exchange, NULL);
    pthread_mutex_lock(&mutex);
    copy(fake_engine.user, sizeof fake_engine.user, http_header(exchange, "x-clickhouse-user"));
    copy(fake_engine.query, sizeof fake_engine.query, http_query(exchange));
    copy(fake_engine.body, sizeof fake_engine.body, body);
    pthread_mutex_unlock(&mutex);
    if (memmem(body.p, body.n, "hold", 4)) {
        fake_engine.held[fake_engine.held_count++] = exchange;
        atomic_store(&fake_engine.held_now, fake_engine.held_count);
    } else if (memmem(body.p, body.n, "wrong", 5)) {
        say(exchange, 404, "X-ClickHouse-Exception-Code: 47\r\n",
            "Code: 47. DB::Exception: Unknown expression identifier `wrong` in scope SELECT wrong. "
            "(UNKNOWN_IDENTIFIER) (version 26.7.2.1)\n");
    } else if (memmem(body.p, body.n, "nowhere", 7)) {
        say(exchange, 404, "X-ClickHouse-Exception-Code: 60\r\n",
            "Code: 60. DB::Exception: Unknown table expression identifier 'nowhere' in scope SELECT 1 FROM nowhere. "
            "(UNKNOWN_TABLE) (version 26.7.2.1)\n");
    } else if (memmem(body.p, body.n, "denied", 6)) {
        say(exchange, 403, "X-ClickHouse-Exception-Code: 497\r\n",
            "Code: 497. DB::Exception: reader_0001: Not enough privileges. (ACCESS_DENIED) (version 26.7.2.1)\n");
    } else if (memmem(body.p, body.n, "stranger", 8)) {
        say(exchange, 403, "X-ClickHouse-Exception-Code: 516\r\n", "Code: 516. DB::Exception: secret words");
    } else if (memmem(body.p, body.n, "garbage", 7)) {
        say(exchange, 200, "", "this is not JSON");
    } else if (memmem(body.p, body.n, "breaks", 6)) {
        say(exchange, 200, "",
            "{\"meta\":[],\"data\":[[1]],\"exception\":\"Code: 241. DB::Exception: too much (X) (version 1)\"}");
    } else {
        say(exchange, 200, "", FAKE_ENGINE_ROWS);
    }
}

static void on_gone(void *self, struct http_exchange *exchange)
{
    (void)self;
    for (size_t i = 0; i < fake_engine.held_count; i++)
        if (fake_engine.held[i] == exchange)
            fake_engine.held[i] = NULL;
    atomic_fetch_add(&fake_engine.gone, 1);
}

static void on_release(uv_async_t *async)
{
    (void)async;
    for (size_t i = 0; i < fake_engine.held_count; i++)
        if (fake_engine.held[i])
            say(fake_engine.held[i], 200, "", FAKE_ENGINE_ROWS);
    fake_engine.held_count = 0;
    atomic_store(&fake_engine.held_now, 0);
}

static void on_stop(uv_async_t *async)
{
    (void)async;
    http_server_stop(fake_engine.http);
    uv_close((uv_handle_t *)&fake_engine.stop, NULL);
    uv_close((uv_handle_t *)&fake_engine.release, NULL);
}

static void *run(void *self)
{
    uv_run(self, UV_RUN_DEFAULT);
    return NULL;
}

void fake_engine_forget(void)
{
    pthread_mutex_lock(&mutex);
    fake_engine.body[0] = '\0';
    pthread_mutex_unlock(&mutex);
}

void fake_engine_start(void)
{
    memset(&fake_engine, 0, sizeof fake_engine);
    struct error err;
    struct serve_options defaults;
    serve_options_init(&defaults);
    defaults.http.name = "fake";
    defaults.http.port = 0;
    defaults.http.half_close_is_gone = true;
    uv_loop_init(&fake_engine.loop);
    uv_async_init(&fake_engine.loop, &fake_engine.stop, on_stop);
    uv_async_init(&fake_engine.loop, &fake_engine.release, on_release);
    fake_engine.metrics = metrics_new(1000);
    assert_int_equal(http_server_start(&defaults.http, &fake_engine.loop, fake_engine.metrics, handle, on_gone, NULL,
                                       &fake_engine.http, &err),
                     OK);
    snprintf(fake_engine.url, sizeof fake_engine.url, "http://127.0.0.1:%u", http_server_port(fake_engine.http));
    pthread_create(&fake_engine.thread, NULL, run, &fake_engine.loop);
}

void fake_engine_stop(void)
{
    uv_async_send(&fake_engine.stop);
    pthread_join(fake_engine.thread, NULL);
    http_server_free(fake_engine.http);
    uv_loop_close(&fake_engine.loop);
    metrics_free(fake_engine.metrics);
}
