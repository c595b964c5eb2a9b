/* The API from outside, over real sockets, against a fake engine that speaks just enough of the engine's HTTP. */
#include "serve/serve.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json_scan.h"
#include "base/metrics.h"
#include "base/test.h"
#include "catalog/catalog.h"
#include "http/http_client.h"
#include "serve/pages.h"
#include "test/support/scratch.h"
#include "world/world.h"

/* --- the engine --- */

struct engine {
    uv_loop_t loop;
    uv_async_t stop, release;
    struct http_server *http;
    pthread_t thread;
    struct http_exchange *held[8]; /* what was asked to wait */
    size_t held_count;
    atomic_size_t held_now, gone;
    char user[64], query[256], body[256]; /* of the last request */
};

static struct engine engine;
static pthread_mutex_t engine_mutex = PTHREAD_MUTEX_INITIALIZER; /* user, query, body */

static void engine_say(struct http_exchange *exchange, unsigned status, const char *headers, const char *body)
{
    http_answer(exchange, &(struct http_answer){ .status = status,
                                                 .content_type = "text/plain",
                                                 .extra_headers = slice_from(headers),
                                                 .body = slice_from(body) });
}

static const char ROWS[] =
    "{\n\t\"meta\":\n\t[\n\t\t{\n\t\t\t\"name\": \"n\",\n\t\t\t\"type\": \"UInt64\"\n\t\t}\n\t],\n"
    "\n\t\"data\":\n\t[\n\t\t[18446744073709551615],\n\t\t[2],\n\t\t[3]\n\t],\n\n\t\"rows\": 3\n}\n";

static void copy(char *to, size_t size, struct slice from)
{
    snprintf(to, size, "%.*s", SLICE_ARG(from));
}

/* A field of the last request, as the test's thread may read it. */
static const char *seen(const char *field)
{
    static char text[3][256];
    static unsigned next;
    next = (next + 1) % COUNT_OF(text);
    pthread_mutex_lock(&engine_mutex);
    snprintf(text[next], sizeof text[next], "%s", field);
    pthread_mutex_unlock(&engine_mutex);
    return text[next];
}

static void engine_handle(void *self, struct http_exchange *exchange)
{
    (void)self;
    struct slice body = http_body(exchange);
    http_set_context(exchange, NULL);
    pthread_mutex_lock(&engine_mutex);
    copy(engine.user, sizeof engine.user, http_header(exchange, "x-clickhouse-user"));
    copy(engine.query, sizeof engine.query, http_query(exchange));
    copy(engine.body, sizeof engine.body, body);
    pthread_mutex_unlock(&engine_mutex);
    if (memmem(body.p, body.n, "hold", 4)) {
        engine.held[engine.held_count++] = exchange;
        atomic_store(&engine.held_now, engine.held_count);
    } else if (memmem(body.p, body.n, "wrong", 5)) {
        engine_say(exchange, 404, "X-ClickHouse-Exception-Code: 47\r\n",
                   "Code: 47. DB::Exception: Unknown expression identifier `wrong` in scope SELECT wrong. "
                   "(UNKNOWN_IDENTIFIER) (version 26.7.2.1)\n");
    } else if (memmem(body.p, body.n, "denied", 6)) {
        engine_say(
            exchange, 403, "X-ClickHouse-Exception-Code: 497\r\n",
            "Code: 497. DB::Exception: reader_0001: Not enough privileges. (ACCESS_DENIED) (version 26.7.2.1)\n");
    } else if (memmem(body.p, body.n, "stranger", 8)) {
        engine_say(exchange, 403, "X-ClickHouse-Exception-Code: 516\r\n", "Code: 516. DB::Exception: secret words");
    } else if (memmem(body.p, body.n, "garbage", 7)) {
        engine_say(exchange, 200, "", "this is not JSON");
    } else if (memmem(body.p, body.n, "breaks", 6)) {
        engine_say(exchange, 200, "",
                   "{\"meta\":[],\"data\":[[1]],\"exception\":\"Code: 241. DB::Exception: too much (X) (version 1)\"}");
    } else {
        engine_say(exchange, 200, "", ROWS);
    }
}

static void engine_gone(void *self, struct http_exchange *exchange)
{
    (void)self;
    for (size_t i = 0; i < engine.held_count; i++)
        if (engine.held[i] == exchange)
            engine.held[i] = NULL;
    atomic_fetch_add(&engine.gone, 1);
}

static void engine_on_release(uv_async_t *async)
{
    (void)async;
    for (size_t i = 0; i < engine.held_count; i++)
        if (engine.held[i])
            engine_say(engine.held[i], 200, "", ROWS);
    engine.held_count = 0;
    atomic_store(&engine.held_now, 0);
}

static void engine_on_stop(uv_async_t *async)
{
    (void)async;
    http_server_stop(engine.http);
    uv_close((uv_handle_t *)&engine.stop, NULL);
    uv_close((uv_handle_t *)&engine.release, NULL);
}

static void *engine_run(void *self)
{
    uv_run(self, UV_RUN_DEFAULT);
    return NULL;
}

/* --- the fixture --- */

static char directory_path[SCRATCH_PATH_MAX], token_path[SCRATCH_PATH_MAX + 16], engine_url[64], api_url[64];
static struct catalog *catalog;
static struct metrics *metrics, *engine_metrics;
static struct serve *serve;
static struct error err;
static struct tenant_keys acme_keys;
static atomic_bool ready = true;
static atomic_int mapped;
static struct serve_options options;

static bool hook_ready(void *self)
{
    (void)self;
    return atomic_load(&ready);
}

static void hook_reader(void *self, uint32_t slot, struct serve_user *out)
{
    (void)self;
    snprintf(out->name, sizeof out->name, "reader_%04u", slot);
    snprintf(out->password, sizeof out->password, "p%u", slot);
}

static enum status hook_map(void *self, const struct tenant *tenant, struct error *e)
{
    (void)self, (void)tenant;
    if (!atomic_load(&ready))
        return error_set(e, ERR_RETRY, "away");
    atomic_fetch_add(&mapped, 1);
    return OK;
}

static void engine_start(void)
{
    memset(&engine, 0, sizeof engine);
    struct serve_options defaults;
    serve_options_init(&defaults);
    defaults.http.name = "fake";
    defaults.http.port = 0;
    defaults.http.half_close_is_gone = true;
    uv_loop_init(&engine.loop);
    uv_async_init(&engine.loop, &engine.stop, engine_on_stop);
    uv_async_init(&engine.loop, &engine.release, engine_on_release);
    engine_metrics = metrics_new(1000);
    assert_int_equal(http_server_start(&defaults.http, &engine.loop, engine_metrics, engine_handle, engine_gone, NULL,
                                       &engine.http, &err),
                     OK);
    snprintf(engine_url, sizeof engine_url, "http://127.0.0.1:%u", http_server_port(engine.http));
    pthread_create(&engine.thread, NULL, engine_run, &engine.loop);
}

static void engine_stop(void)
{
    uv_async_send(&engine.stop);
    pthread_join(engine.thread, NULL);
    http_server_free(engine.http);
    uv_loop_close(&engine.loop);
    metrics_free(engine_metrics);
}

static void serve_begin(void)
{
    if (serve_new(&options, catalog, metrics, world_real(), &serve, &err) != OK || serve_start(serve, &err) != OK)
        fail_msg("%s", err.text);
    snprintf(api_url, sizeof api_url, "http://127.0.0.1:%u", serve_port(serve));
}

static int setup(void **state)
{
    (void)state;
    atomic_store(&ready, true);
    atomic_store(&mapped, 0);
    scratch_make("serve", directory_path);
    snprintf(token_path, sizeof token_path, "%s/admin.token", directory_path);
    assert_int_equal(
        catalog_sqlite.open(&(struct catalog_options){ .path = directory_path }, world_real(), &catalog, &err), OK);
    struct tenant acme = { .id = "acme" };
    acme_keys = (struct tenant_keys){ 0 };
    assert_int_equal(catalog_sqlite.tenant_create(catalog, &acme, &acme_keys, "test", &err), OK);
    metrics = metrics_new(1000);
    engine_start();
    serve_options_init(&options);
    options.http.port = 0;
    options.engine_url = engine_url;
    options.admin_token_path = token_path;
    options.engine_is_ready = hook_ready;
    options.reader = hook_reader;
    options.map_tenant = hook_map;
    options.queries_max = 2;
    options.queries_per_tenant = 2;
    options.queries_waiting_max = 4;
    options.rows_max = 2;
    options.live_interval_ms = 5;
    options.drain_timeout_ms = 1000;
    serve_begin();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    serve_free(serve);
    serve = NULL;
    engine_stop();
    metrics_free(metrics);
    catalog_sqlite.close(catalog);
    return scratch_remove(directory_path);
}

static void serve_again(void)
{
    serve_free(serve);
    serve_begin();
}

/* --- asking --- */

static char answer[1 << 16];

static unsigned request(const char *method, const char *path, const char *key, const char *header, const char *body)
{
    AUTO(http_client) struct http_client *client = NULL;
    struct http_client_options to = { .url = api_url, .key = key, .timeout_ms = 10000 };
    struct http_reply reply;
    assert_int_equal(http_client_open(&to, &client, &err), OK);
    if (http_client_send(client, method, path, NULL, body ? slice_from(body) : (struct slice){ 0 }, header, &reply,
                         &err) != OK)
        fail_msg("%s", err.text);
    copy(answer, sizeof answer, reply.body);
    return reply.status;
}

static unsigned ask(const char *sql)
{
    char body[512];
    snprintf(body, sizeof body, "{\"sql\": \"%s\"}", sql);
    return request("POST", "/v1/sql", acme_keys.read_key, NULL, body);
}

static bool answer_code_is(const char *code)
{
    char wanted[128];
    snprintf(wanted, sizeof wanted, "\"code\":\"%s\"", code);
    return strstr(answer, wanted) != NULL;
}

static void test_a_question_is_asked_as_the_tenants_own_user_and_answered(void **state)
{
    (void)state;
    options.rows_max = 10000;
    serve_again();
    assert_int_equal(ask("SELECT n FROM t -- \\u00e9"), 200);
    assert_string_equal(seen(engine.user), "reader_0001");
    assert_string_equal(seen(engine.body), "SELECT n FROM t -- é");
    assert_non_null(strstr(seen(engine.query), "default_format=JSONCompact"));
    struct slice value;
    assert_true(json_find(slice_from(answer), "rows", &value));
    assert_true(slice_equal(value, SLICE("[[18446744073709551615],[2],[3]]")));
    assert_true(json_find(slice_from(answer), "columns", &value));
    assert_non_null(memmem(value.p, value.n, "\"UInt64\"", 8));
    assert_true(json_find(slice_from(answer), "truncated", &value));
    assert_true(slice_equal(value, SLICE("false")));
    assert_true(json_find(slice_from(answer), "elapsed_ms", &value));
}

static void test_questions_are_counted_by_tenant_refused_ones_too(void **state)
{
    (void)state;
    assert_int_equal(ask("SELECT n FROM t"), 200);
    assert_int_equal(ask("DROP TABLE t"), 400);
    assert_int_equal(request("GET", "/metrics", NULL, NULL, NULL), 200);
    assert_non_null(strstr(answer, "analytics_queries_total{customer_id=\"acme\",query_type=\"sql\"} 2\n"));
    assert_non_null(strstr(answer, "query_latency_seconds_count{customer_id=\"acme\"} 2\n"));
    assert_non_null(strstr(answer, "api_queries_total{result=\"ok\"} 1\n"));
    assert_non_null(strstr(answer, "api_queries_total{result=\"failed\"} 1\n"));
}

static void test_the_stream_tells_of_the_partitions_that_are_here_whichever_they_are(void **state)
{
    (void)state;
    assert_int_equal(request("GET", "/v1/stream", acme_keys.read_key, NULL, NULL), 200);
    assert_non_null(strstr(answer, "\"partitions\":[]"));
    counter_add(metrics_counter(metrics, "events_processed_total", "", "partition=\"1\""), 5);
    counter_add(metrics_counter(metrics, "events_processed_total", "", "partition=\"3\""), 7);
    assert_int_equal(request("GET", "/v1/stream", acme_keys.read_key, NULL, NULL), 200);
    assert_non_null(strstr(answer, "\"partitions\":[{\"partition\":1,\"events\":5},{\"partition\":3,\"events\":7}]"));
}

static bool carries(void *self, struct slice sink, struct slice tenant_id)
{
    (void)self;
    return slice_equal(sink, SLICE("mine")) && slice_equal(tenant_id, SLICE("acme"));
}

static void test_a_tenant_is_told_of_the_sinks_that_take_its_results_and_of_no_other(void **state)
{
    (void)state;
    gauge_set(metrics_gauge(metrics, "sink_up", "", "sink=\"mine\",partition=\"3\""), 1);
    counter_add(metrics_counter(metrics, "sink_records_total", "", "sink=\"mine\",partition=\"3\""), 5);
    gauge_set(metrics_gauge(metrics, "sink_up", "", "sink=\"of_another\""), 0);
    assert_int_equal(request("GET", "/v1/stream", acme_keys.read_key, NULL, NULL), 200);
    assert_non_null(strstr(answer, "\"sinks\":[]"));
    options.sink_carries = carries;
    serve_again();
    assert_int_equal(request("GET", "/v1/stream", acme_keys.read_key, NULL, NULL), 200);
    assert_non_null(strstr(answer, "\"sinks\":[{\"sink\":\"mine\",\"partition\":\"3\",\"up\":1,\"records\":5}]"));
}

static void test_rows_beyond_the_bound_are_left_out_and_it_says_so(void **state)
{
    (void)state;
    assert_int_equal(ask("SELECT n FROM t"), 200);
    assert_non_null(strstr(answer, "\"rows\":[[18446744073709551615],[2]]"));
    assert_non_null(strstr(answer, "\"truncated\":true"));
}

static void test_an_answer_cut_at_its_bytes_keeps_the_whole_rows(void **state)
{
    (void)state;
    options.result_bytes_max = sizeof ROWS - 24;
    options.rows_max = 10000;
    serve_again();
    assert_int_equal(ask("SELECT n FROM t"), 200);
    assert_non_null(strstr(answer, "\"rows\":[["));
    assert_non_null(strstr(answer, "\"truncated\":true"));
    assert_null(strstr(answer, "[3]"));
}

static void test_without_the_right_key_nobody_is_answered(void **state)
{
    (void)state;
    const char *sql = "{\"sql\":\"SELECT 1\"}";
    assert_int_equal(request("POST", "/v1/sql", NULL, NULL, sql), 401);
    assert_true(answer_code_is("key_missing"));
    assert_int_equal(request("POST", "/v1/sql", "rk_nobody", NULL, sql), 401);
    assert_int_equal(request("POST", "/v1/sql", acme_keys.write_key, NULL, sql), 403);
    assert_int_equal(request("GET", "/v1/live?once=1", NULL, NULL, NULL), 401);
    assert_int_equal(request("POST", "/v1/sql?key=demo_read", NULL, NULL, sql),
                     401); /* keys in URLs: EventSource only */
}

static void test_what_is_no_question_never_reaches_the_engine(void **state)
{
    (void)state;
    pthread_mutex_lock(&engine_mutex);
    engine.body[0] = '\0';
    pthread_mutex_unlock(&engine_mutex);
    assert_int_equal(ask("SELECT * FROM system.tables"), 400);
    assert_true(answer_code_is("bad_sql"));
    assert_int_equal(ask("SELECT 1; SELECT 2"), 400);
    static const char *const BODIES[] = {
        "", "[]", "{}", "{\"sql\":5}", "{\"sql\":\"SELECT 1\"", "SELECT 1", "{\"sql\":null}", "{\"sql\":\"\\u12\"}"
    };
    for (size_t i = 0; i < COUNT_OF(BODIES); i++)
        assert_int_equal(request("POST", "/v1/sql", acme_keys.read_key, NULL, BODIES[i]), 400);
    assert_string_equal(seen(engine.body), "");
}

static void test_the_engines_errors_become_the_callers(void **state)
{
    (void)state;
    assert_int_equal(ask("SELECT wrong"), 400);
    assert_non_null(strstr(answer, "\"message\":\"Unknown expression identifier `wrong` in scope SELECT wrong.\""));
    assert_int_equal(ask("SELECT denied"), 403);
    assert_int_equal(ask("SELECT stranger"), 503);
    assert_null(strstr(answer, "secret words"));
    assert_int_equal(ask("SELECT garbage"), 503);
    assert_int_equal(ask("SELECT breaks"), 503);
    assert_non_null(strstr(answer, "too much"));
}

static void test_an_engine_that_is_away_is_said_with_retry_after(void **state)
{
    (void)state;
    atomic_store(&ready, false);
    assert_int_equal(ask("SELECT 1"), 503);
    assert_true(answer_code_is("engine_not_ready"));
    assert_int_equal(request("GET", "/ready", NULL, NULL, NULL), 503);
    assert_int_equal(request("GET", "/health", NULL, NULL, NULL), 200);
    atomic_store(&ready, true);
    assert_int_equal(request("GET", "/ready", NULL, NULL, NULL), 200);
    options.engine_url = "http://127.0.0.1:1";
    serve_again();
    assert_int_equal(ask("SELECT 1"), 503);
}

static void test_a_question_that_takes_too_long_is_408_and_broken_off(void **state)
{
    (void)state;
    options.query_timeout_ms = 300;
    serve_again();
    assert_int_equal(ask("SELECT hold"), 408);
    assert_true(answer_code_is("query_timeout"));
}

static void *ask_and_hold(void *self)
{
    AUTO(http_client) struct http_client *client = NULL;
    struct http_client_options to = { .url = api_url, .key = acme_keys.read_key, .timeout_ms = 20000 };
    struct http_reply reply = { 0 };
    struct error mine;
    if (http_client_open(&to, &client, &mine) == OK &&
        http_client_send(client, "POST", "/v1/sql", NULL, SLICE("{\"sql\":\"SELECT hold\"}"), NULL, &reply, &mine) ==
            OK)
        atomic_store((atomic_uint *)self, reply.status);
    return NULL;
}

static void wait_for(atomic_size_t *what, size_t at_least)
{
    for (int i = 0; i < 500 && atomic_load(what) < at_least; i++)
        usleep(10000);
    assert_true(atomic_load(what) >= at_least);
}

static void test_one_tenant_cannot_ask_more_at_once_than_its_share(void **state)
{
    (void)state;
    static atomic_uint first, second;
    atomic_store(&first, 0);
    atomic_store(&second, 0);
    pthread_t threads[2];
    pthread_create(&threads[0], NULL, ask_and_hold, &first);
    wait_for(&engine.held_now, 1);
    pthread_create(&threads[1], NULL, ask_and_hold, &second);
    unsigned third = 0;
    for (int i = 0; i < 100 && third != 429; i++) {
        usleep(10000);
        /* Half of two workers is one: the second waits, and holds no engine. */
        assert_int_equal(atomic_load(&engine.held_now), 1);
        if (i > 20)
            third = ask("SELECT 1");
    }
    assert_int_equal(third, 429);
    uv_async_send(&engine.release);
    for (int i = 0; i < 100 && !(first && second); i++) {
        usleep(20000);
        uv_async_send(&engine.release);
    }
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    assert_int_equal(first, 200);
    assert_int_equal(second, 200);
}

static int connect_api(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(serve_port(serve)) };
    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    struct timeval patience = { .tv_sec = 5 };
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return fd;
}

static void send_text(int fd, const char *text)
{
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void test_a_client_that_goes_away_breaks_its_question_off(void **state)
{
    (void)state;
    char text[512];
    int fd = connect_api();
    snprintf(text, sizeof text,
             "POST /v1/sql HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: 21\r\n\r\n"
             "{\"sql\":\"SELECT hold\"}",
             acme_keys.read_key);
    send_text(fd, text);
    wait_for(&engine.held_now, 1);
    close(fd);
    wait_for(&engine.gone, 1);
    assert_int_equal(ask("SELECT 1"), 200); /* the worker is free and not marked as cancelled */
}

static void test_a_tenant_made_over_the_api_works_at_once(void **state)
{
    (void)state;
    char *token = NULL;
    FILE *file = fopen(token_path, "r");
    size_t size = 0;
    assert_non_null(file);
    assert_true(getline(&token, &size, file) > 20);
    fclose(file);
    struct stat st;
    assert_int_equal(stat(token_path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(
        request("POST", "/v1/tenants", token, NULL,
                "{\"tenant\":\"newcomer\",\"tier\":\"enterprise\",\"quota\":\"unlimited\",\"retention\":30}"),
        201);
    assert_int_equal(atomic_load(&mapped), 1);
    AUTO(buf) struct buf key, user;
    buf_init(&key, 100);
    buf_init(&user, 100);
    assert_true(http_json_string(slice_from(answer), "read_key", &key));
    assert_true(http_json_string(slice_from(answer), "olap_user", &user));
    assert_string_equal(buf_text(&user), "reader_0002");
    assert_non_null(strstr(answer, "\"placement\":\"newcomer\""));
    assert_int_equal(request("POST", "/v1/sql", buf_text(&key), NULL, "{\"sql\":\"SELECT 1\"}"), 200);
    assert_string_equal(seen(engine.user), "reader_0002");
    assert_int_equal(request("POST", "/v1/tenants", token, NULL, "{\"tenant\":\"newcomer\"}"), 409);
    assert_int_equal(request("PATCH", "/v1/tenants/newcomer", token, NULL, "{\"quota\":\"500/min\"}"), 200);
    assert_int_equal(request("GET", "/v1/tenants/newcomer", token, NULL, NULL), 200);
    assert_non_null(strstr(answer, "\"quota_per_minute\":500"));
    assert_non_null(strstr(answer, "\"retention_days\":30"));
    assert_null(strstr(answer, "key"));
    assert_int_equal(request("GET", "/v1/tenants", token, NULL, NULL), 200);
    assert_non_null(strstr(answer, "\"acme\""));
    assert_int_equal(request("GET", "/v1/tenants/nobody", token, NULL, NULL), 404);
    static const char *const BAD[] = { "{}",
                                       "[]",
                                       "{\"tenant\":\"Bad Name\"}",
                                       "{\"tenant\":\"default\"}",
                                       "{\"tenant\":\"a\",\"tier\":\"gold\"}",
                                       "{\"tenant\":\"a\",\"quota\":0}",
                                       "{\"tenant\":\"a\",\"quotta\":5}",
                                       "{\"tenant\":\"a\",\"retention\":\"soon\"}",
                                       "{\"tenant\":\"a\"" };
    for (size_t i = 0; i < COUNT_OF(BAD); i++)
        assert_int_equal(request("POST", "/v1/tenants", token, NULL, BAD[i]), 400);
    free(token);
}

static void test_a_tenant_made_while_the_engine_is_away_gets_its_keys(void **state)
{
    (void)state;
    options.dev = true;
    serve_again();
    atomic_store(&ready, false);
    assert_int_equal(request("POST", "/v1/tenants", NULL, NULL, "{\"tenant\":\"early\"}"), 201);
    assert_non_null(strstr(answer, "\"queryable\":false"));
    assert_non_null(strstr(answer, "\"read_key\":\"rk_"));
}

static void test_administration_wants_the_token_and_a_page_cannot_borrow_loopback(void **state)
{
    (void)state;
    const char *body = "{\"tenant\":\"sneaky\"}";
    assert_int_equal(request("POST", "/v1/tenants", NULL, NULL, body), 401);
    assert_int_equal(request("POST", "/v1/tenants", "at_0000000000000000000000", NULL, body), 403);
    assert_int_equal(request("POST", "/v1/tenants", acme_keys.read_key, NULL, body), 403);
    assert_int_equal(request("GET", "/v1/tenants", NULL, NULL, NULL), 401);
    options.dev = true;
    serve_again();
    assert_int_equal(request("POST", "/v1/tenants", NULL, "Origin: http://evil.example", body), 401);
    assert_int_equal(request("POST", "/v1/tenants", NULL, "Origin: null", body), 401);
    assert_int_equal(request("POST", "/v1/tenants", NULL, "Host: evil.example:8001", body), 401);
    assert_int_equal(request("POST", "/v1/tenants", NULL, "Host: 127.0.0.1.evil.example", body), 401);
    assert_int_equal(request("POST", "/v1/tenants", NULL, "Host: localhost.evil.example", body), 401);
    assert_int_equal(request("POST", "/v1/tenants", NULL, "Sec-Fetch-Site: cross-site", body), 401);
    assert_int_equal(request("POST", "/v1/tenants", "at_0000000000000000000000", NULL, body), 403);
    assert_int_equal(request("POST", "/v1/tenants", NULL, "Host: localhost:8001", body), 201);
}

static void make_demo_tenant(void)
{
    struct tenant demo = {
        .id = "demo_tenant", .tier = TIER_ENTERPRISE, .quota_per_minute = UINT64_MAX, .retention_days = -1, .open = true
    };
    struct tenant_keys keys = { "demo_write", "demo_read" };
    assert_int_equal(catalog_sqlite.tenant_create(catalog, &demo, &keys, "test", &err), OK);
    options.dev = true;
    options.environment = "dev";
    options.version = "1.2.3";
    options.ingest_port = 8000;
    serve_again();
}

static void test_the_configuration_is_told_without_a_key(void **state)
{
    (void)state;
    make_demo_tenant();
    assert_int_equal(request("GET", "/v1/config", NULL, "Host: localhost:8001", NULL), 200);
    assert_string_equal(answer, "{\"env\":\"dev\",\"version\":\"1.2.3\",\"ingest_url\":\"http://localhost:8000\","
                                "\"demo\":{\"tenant\":\"demo_tenant\",\"read_key\":\"demo_read\","
                                "\"write_key\":\"demo_write\"}}");
    assert_int_equal(request("GET", "/v1/config", NULL, "Host: [::1]:8001", NULL), 200);
    assert_non_null(strstr(answer, "\"ingest_url\":\"http://[::1]:8000\""));
}

static void test_other_websites_are_not_handed_the_demo_keys(void **state)
{
    (void)state;
    static const char *const FOREIGN[] = { "Host: evil.example:8001",       "Host: localhost.evil.example",
                                           "Origin: http://evil.example",   "Origin: null",
                                           "Sec-Fetch-Site: cross-site",    "Sec-Fetch-Site: same-site",
                                           "Origin: http://127.0.0.1.evil", "Origin: http://localhost:1" };
    make_demo_tenant();
    for (size_t i = 0; i < COUNT_OF(FOREIGN); i++) {
        assert_int_equal(request("GET", "/v1/config", NULL, FOREIGN[i], NULL), 200);
        assert_non_null(strstr(answer, "\"demo\":null"));
    }
    assert_int_equal(request("GET", "/v1/config", NULL, "Sec-Fetch-Site: same-origin", NULL), 200);
    assert_non_null(strstr(answer, "\"demo\":{"));
    options.dev = false;
    serve_again();
    assert_int_equal(request("GET", "/v1/config", NULL, NULL, NULL), 200);
    assert_non_null(strstr(answer, "\"demo\":null"));
}

static void test_a_key_is_told_whose_it_is(void **state)
{
    (void)state;
    make_demo_tenant();
    options.retention_days = 30;
    serve_again();
    assert_int_equal(request("GET", "/v1/whoami", "demo_read", NULL, NULL), 200);
    assert_string_equal(answer, "{\"tenant\":\"demo_tenant\",\"tier\":\"enterprise\",\"quota_per_minute\":null,"
                                "\"retention_days\":null}");
    assert_int_equal(request("GET", "/v1/whoami", acme_keys.read_key, NULL, NULL), 200);
    assert_string_equal(answer, "{\"tenant\":\"acme\",\"tier\":\"standard\",\"quota_per_minute\":10000,"
                                "\"retention_days\":30}");
    assert_int_equal(request("GET", "/v1/whoami", NULL, NULL, NULL), 401);
    assert_int_equal(request("GET", "/v1/whoami", acme_keys.write_key, NULL, NULL), 403);
    assert_int_equal(request("GET", "/v1/whoami?key=demo_read", NULL, NULL, NULL), 401);
}

static void test_unknown_paths_and_methods_are_answered_as_json(void **state)
{
    (void)state;
    assert_int_equal(request("GET", "/nothing", NULL, NULL, NULL), 404);
    assert_true(answer_code_is("not_found"));
    assert_int_equal(request("GET", "/v1/sql", NULL, NULL, NULL), 405);
    assert_true(answer_code_is("wrong_method"));
    assert_int_equal(request("DELETE", "/v1/tenants/acme", NULL, NULL, NULL), 405);
    assert_int_equal(request("OPTIONS", "/v1/sql", NULL, NULL, NULL), 204);
    assert_int_equal(request("OPTIONS", "/v1/tenants", NULL, NULL, NULL), 405);
    assert_int_equal(request("GET", "/metrics", NULL, NULL, NULL), 200);
    assert_non_null(strstr(answer, "api_queries_total"));
    options.pages = &(const struct page_table){ 0 };
    serve_again();
    assert_int_equal(request("GET", "/", NULL, NULL, NULL), 404);
    assert_true(answer_code_is("no_dashboard"));
}

static void test_a_port_that_is_taken_is_told(void **state)
{
    (void)state;
    struct serve *second = NULL;
    struct serve_options same = options;
    same.http.port = serve_port(serve);
    assert_int_not_equal(serve_new(&same, catalog, metrics, world_real(), &second, &err), OK);
    assert_null(second);
    assert_non_null(strstr(err.text, "--api-port"));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_question_is_asked_as_the_tenants_own_user_and_answered),
        TEST(test_questions_are_counted_by_tenant_refused_ones_too),
        TEST(test_the_stream_tells_of_the_partitions_that_are_here_whichever_they_are),
        TEST(test_a_tenant_is_told_of_the_sinks_that_take_its_results_and_of_no_other),
        TEST(test_rows_beyond_the_bound_are_left_out_and_it_says_so),
        TEST(test_an_answer_cut_at_its_bytes_keeps_the_whole_rows),
        TEST(test_without_the_right_key_nobody_is_answered),
        TEST(test_what_is_no_question_never_reaches_the_engine),
        TEST(test_the_engines_errors_become_the_callers),
        TEST(test_an_engine_that_is_away_is_said_with_retry_after),
        TEST(test_a_question_that_takes_too_long_is_408_and_broken_off),
        TEST(test_one_tenant_cannot_ask_more_at_once_than_its_share),
        TEST(test_a_client_that_goes_away_breaks_its_question_off),
        TEST(test_a_tenant_made_over_the_api_works_at_once),
        TEST(test_a_tenant_made_while_the_engine_is_away_gets_its_keys),
        TEST(test_administration_wants_the_token_and_a_page_cannot_borrow_loopback),
        TEST(test_the_configuration_is_told_without_a_key),
        TEST(test_other_websites_are_not_handed_the_demo_keys),
        TEST(test_a_key_is_told_whose_it_is),
        TEST(test_unknown_paths_and_methods_are_answered_as_json),
        TEST(test_a_port_that_is_taken_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
