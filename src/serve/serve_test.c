/* Questions to the API from outside, over real sockets, and what a fake engine makes of them. */
#include "serve/serve.h"

#include <arpa/inet.h>
#include <math.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/json_scan.h"
#include "base/metrics.h"
#include "http/http_client.h"
#include "serve/task_board.h"
#include "test/support/serve_fixture.h"
#include "world/world.h"

static void test_a_question_is_asked_as_the_tenants_own_user_and_answered(void **state)
{
    (void)state;
    api.options.rows_max = 10000;
    api_again();
    assert_int_equal(api_ask("SELECT n FROM t -- \\u00e9"), 200);
    assert_string_equal(fake_engine_seen(fake_engine.user), "reader_0001");
    assert_string_equal(fake_engine_seen(fake_engine.body), "SELECT n FROM t -- é");
    assert_non_null(strstr(fake_engine_seen(fake_engine.query), "default_format=JSONCompact"));
    struct slice value;
    assert_true(json_find(slice_from(api.answer), "rows", &value));
    assert_true(slice_equal(value, SLICE("[[18446744073709551615],[2],[3]]")));
    assert_true(json_find(slice_from(api.answer), "columns", &value));
    assert_non_null(memmem(value.p, value.n, "\"UInt64\"", 8));
    assert_true(json_find(slice_from(api.answer), "truncated", &value));
    assert_true(slice_equal(value, SLICE("false")));
    assert_true(json_find(slice_from(api.answer), "elapsed_ms", &value));
}

static void test_questions_are_counted_by_tenant_refused_ones_too(void **state)
{
    (void)state;
    assert_int_equal(api_ask("SELECT n FROM t"), 200);
    assert_int_equal(api_ask("DROP TABLE t"), 400);
    assert_int_equal(api_request("GET", "/metrics", NULL, NULL, NULL), 200);
    assert_non_null(strstr(api.answer, "analytics_queries_total{customer_id=\"acme\",query_type=\"sql\"} 2\n"));
    assert_non_null(strstr(api.answer, "query_latency_seconds_count{customer_id=\"acme\"} 2\n"));
    assert_non_null(strstr(api.answer, "query_duration_milliseconds_count{customer_id=\"acme\"} 2\n"));
    assert_non_null(strstr(api.answer, "query_duration_milliseconds_bucket{customer_id=\"acme\",le=\"60000\"} 2\n"));
    assert_non_null(strstr(api.answer, "api_queries_total{result=\"ok\"} 1\n"));
    assert_non_null(strstr(api.answer, "api_queries_total{result=\"failed\"} 1\n"));
}

static void test_the_stream_tells_of_the_partitions_that_are_here_whichever_they_are(void **state)
{
    (void)state;
    assert_int_equal(api_request("GET", "/v1/stream", api.acme.read_key, NULL, NULL), 200);
    assert_non_null(strstr(api.answer, "\"partitions\":[]"));
    counter_add(metrics_counter(api.metrics, "events_processed_total", "", "partition=\"1\""), 5);
    counter_add(metrics_counter(api.metrics, "events_processed_total", "", "partition=\"3\""), 7);
    assert_int_equal(api_request("GET", "/v1/stream", api.acme.read_key, NULL, NULL), 200);
    assert_non_null(
        strstr(api.answer, "\"partitions\":[{\"partition\":1,\"events\":5},{\"partition\":3,\"events\":7}]"));
}

static void on_done(struct journal_commit *commit, enum status status, const char *reason)
{
    (void)status, (void)reason;
    *(bool *)commit->context = true;
}

/* As a process that has the partition says it. */
static void say(struct journal *journal, const struct role *role, uint16_t partition, const char *instance)
{
    AUTO(buf) struct buf series, record;
    bool done = false;
    int64_t wake_us = WAKE_NEVER;
    uint32_t n = 0;
    char own[64];
    struct task_status status = { .partition = partition,
                                  .state = TASK_RUNNING,
                                  .instance = slice_from(instance),
                                  .host = SLICE("machine"),
                                  .since_ms = 5,
                                  .at_ms = world_wall_ms(world_real()) };
    buf_init(&series, 4096);
    buf_init(&record, TASK_STATUS_BYTES_MAX);
    snprintf(own, sizeof own, "customer_id=\"acme\",partition=\"%u\"", partition);
    task_series_add(&series, TASK_WATERMARKS, slice_from(own), 2.5);
    task_series_add(&series, TASK_WATERMARKS, SLICE("customer_id=\"other\",partition=\"0\""), 1);
    task_series_add(&series, TASK_WINDOWS, SLICE("window=\"w\",outcome=\"counted\""), 10);
    status.series = buf_slice(&series);
    for (size_t i = 0; i < TASK_NUMBER_COUNT; i++)
        status.numbers[i] = i == 0 ? 7 : NAN;
    buf_add(&record, &n, sizeof n);
    task_status_encode(&status, &record);
    n = (uint32_t)(record.n - sizeof n);
    memcpy(record.p, &n, sizeof n);
    struct journal_chunk chunk = { TOPIC_TASKS, partition, 1, buf_slice(&record), 0, 0, 0 };
    struct journal_commit commit = { .chunks = &chunk, .chunk_count = 1, .done = on_done, .context = &done };
    assert_int_equal(journal_submit(journal, &commit, &api.err), OK);
    while (!done)
        role->step(role->self, world_real(), &wake_us);
}

static void test_with_others_beside_it_the_stream_tells_of_every_partition_and_who_has_it(void **state)
{
    (void)state;
    const struct journal_options options = { .partitions = 3, .queue_bytes_max = 1 << 20 };
    struct journal *journal;
    struct role role;
    int64_t wake_us;
    assert_int_equal(journal_memory.open(&options, world_real(), NULL, &journal, &api.err), OK);
    assert_int_equal(journal_memory.roles(journal, &role), 1);
    api.options.tasks = task_board_new(journal, api.metrics, world_real());
    api_again();
    assert_int_equal(api_request("GET", "/v1/stream", api.acme.read_key, NULL, NULL), 200);
    assert_non_null(strstr(api.answer, "\"partitions\":[],"));
    say(journal, &role, 0, "weir-a");
    say(journal, &role, 2, "weir-b");
    const struct role board = task_board_role(api.options.tasks);
    while (board.step(board.self, world_real(), &wake_us))
        ;
    assert_int_equal(api_request("GET", "/v1/stream", api.acme.read_key, NULL, NULL), 200);
    assert_non_null(strstr(api.answer,
                           "\"partitions\":[{\"partition\":0,\"owned\":true,\"owner\":\"weir-a\",\"state\":\"running\","
                           "\"owned_since_ms\":5,\"events\":7},{\"partition\":1,\"owned\":false},{\"partition\":2,"));
    assert_non_null(strstr(api.answer, "\"watermarks\":[{\"customer_id\":\"acme\",\"partition\":\"0\","
                                       "\"delay_seconds\":2.5},{\"customer_id\":\"acme\",\"partition\":\"2\","));
    assert_null(strstr(api.answer, "other"));
    assert_null(strstr(api.answer, "machine"));
    api.options.dev = true;
    api_again();
    assert_int_equal(api_request("GET", "/v1/stream", NULL, NULL, NULL), 200);
    assert_non_null(strstr(api.answer, "\"host\":\"machine\""));
    assert_non_null(strstr(api.answer, "\"windows\":[{\"window\":\"w\",\"outcome\":\"counted\",\"events\":20}]"));
    serve_stop(api.serve);
    task_board_free(api.options.tasks);
    journal_memory.close(journal);
}

static bool carries(void *self, struct slice sink, struct slice tenant_id)
{
    (void)self;
    return slice_equal(sink, SLICE("mine")) && slice_equal(tenant_id, SLICE("acme"));
}

static void test_a_tenant_is_told_of_the_sinks_that_take_its_results_and_of_no_other(void **state)
{
    (void)state;
    gauge_set(metrics_gauge(api.metrics, "sink_up", "", "sink=\"mine\",partition=\"3\""), 1);
    counter_add(metrics_counter(api.metrics, "sink_records_total", "", "sink=\"mine\",partition=\"3\""), 5);
    gauge_set(metrics_gauge(api.metrics, "sink_up", "", "sink=\"of_another\""), 0);
    assert_int_equal(api_request("GET", "/v1/stream", api.acme.read_key, NULL, NULL), 200);
    assert_non_null(strstr(api.answer, "\"sinks\":[]"));
    api.options.sink_carries = carries;
    api_again();
    assert_int_equal(api_request("GET", "/v1/stream", api.acme.read_key, NULL, NULL), 200);
    assert_non_null(strstr(api.answer, "\"sinks\":[{\"sink\":\"mine\",\"partition\":\"3\",\"up\":1,\"records\":5}]"));
}

static void test_rows_beyond_the_bound_are_left_out_and_it_says_so(void **state)
{
    (void)state;
    assert_int_equal(api_ask("SELECT n FROM t"), 200);
    assert_non_null(strstr(api.answer, "\"rows\":[[18446744073709551615],[2]]"));
    assert_non_null(strstr(api.answer, "\"truncated\":true"));
}

static void test_an_answer_cut_at_its_bytes_keeps_the_whole_rows(void **state)
{
    (void)state;
    api.options.result_bytes_max = strlen(FAKE_ENGINE_ROWS) - 23;
    api.options.rows_max = 10000;
    api_again();
    assert_int_equal(api_ask("SELECT n FROM t"), 200);
    assert_non_null(strstr(api.answer, "\"rows\":[["));
    assert_non_null(strstr(api.answer, "\"truncated\":true"));
    assert_null(strstr(api.answer, "[3]"));
}

static void test_without_the_right_key_nobody_is_answered(void **state)
{
    (void)state;
    const char *sql = "{\"sql\":\"SELECT 1\"}";
    assert_int_equal(api_request("POST", "/v1/sql", NULL, NULL, sql), 401);
    assert_true(api_code_is("key_missing"));
    assert_int_equal(api_request("POST", "/v1/sql", "rk_nobody", NULL, sql), 401);
    assert_int_equal(api_request("POST", "/v1/sql", api.acme.write_key, NULL, sql), 403);
    assert_int_equal(api_request("GET", "/v1/live?once=1", NULL, NULL, NULL), 401);
    assert_int_equal(api_request("POST", "/v1/sql?key=demo_read", NULL, NULL, sql),
                     401); /* keys in URLs: EventSource only */
}

static void test_what_is_no_question_never_reaches_the_engine(void **state)
{
    (void)state;
    fake_engine_forget();
    assert_int_equal(api_ask("SELECT * FROM system.tables"), 400);
    assert_true(api_code_is("bad_sql"));
    assert_int_equal(api_ask("SELECT 1; SELECT 2"), 400);
    static const char *const BODIES[] = {
        "", "[]", "{}", "{\"sql\":5}", "{\"sql\":\"SELECT 1\"", "SELECT 1", "{\"sql\":null}", "{\"sql\":\"\\u12\"}"
    };
    for (size_t i = 0; i < COUNT_OF(BODIES); i++)
        assert_int_equal(api_request("POST", "/v1/sql", api.acme.read_key, NULL, BODIES[i]), 400);
    assert_string_equal(fake_engine_seen(fake_engine.body), "");
}

static void test_the_engines_errors_become_the_callers(void **state)
{
    (void)state;
    assert_int_equal(api_ask("SELECT wrong"), 400);
    assert_non_null(strstr(api.answer, "\"message\":\"Unknown expression identifier `wrong` in scope SELECT wrong.\""));
    assert_int_equal(api_ask("SELECT 1 FROM nowhere"), 400);
    assert_non_null(strstr(api.answer, "FROM nowhere. The tables are events_raw, "));
    assert_int_equal(api_ask("SELECT denied"), 403);
    assert_int_equal(api_ask("SELECT stranger"), 503);
    assert_null(strstr(api.answer, "secret words"));
    assert_int_equal(api_ask("SELECT garbage"), 503);
    assert_int_equal(api_ask("SELECT breaks"), 503);
    assert_non_null(strstr(api.answer, "too much"));
}

static void test_an_engine_that_is_away_is_said_with_retry_after(void **state)
{
    (void)state;
    atomic_store(&api.ready, false);
    assert_int_equal(api_ask("SELECT 1"), 503);
    assert_true(api_code_is("engine_not_ready"));
    assert_int_equal(api_request("GET", "/ready", NULL, NULL, NULL), 503);
    assert_int_equal(api_request("GET", "/health", NULL, NULL, NULL), 200);
    atomic_store(&api.ready, true);
    assert_int_equal(api_request("GET", "/ready", NULL, NULL, NULL), 200);
    api.options.engine_url = "http://127.0.0.1:1";
    api_again();
    assert_int_equal(api_ask("SELECT 1"), 503);
}

static void test_a_question_that_takes_too_long_is_408_and_broken_off(void **state)
{
    (void)state;
    api.options.query_timeout_ms = 300;
    api_again();
    assert_int_equal(api_ask("SELECT hold"), 408);
    assert_true(api_code_is("query_timeout"));
}

static void *ask_and_hold(void *self)
{
    AUTO(http_client) struct http_client *client = NULL;
    struct http_client_options to = { .url = api.url, .key = api.acme.read_key, .timeout_ms = 20000 };
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
    wait_for(&fake_engine.held_now, 1);
    pthread_create(&threads[1], NULL, ask_and_hold, &second);
    unsigned third = 0;
    for (int i = 0; i < 100 && third != 429; i++) {
        usleep(10000);
        /* Half of two workers is one: the second waits, and holds no engine. */
        assert_int_equal(atomic_load(&fake_engine.held_now), 1);
        if (i > 20)
            third = api_ask("SELECT 1");
    }
    assert_int_equal(third, 429);
    uv_async_send(&fake_engine.release);
    for (int i = 0; i < 100 && !(first && second); i++) {
        usleep(20000);
        uv_async_send(&fake_engine.release);
    }
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    assert_int_equal(first, 200);
    assert_int_equal(second, 200);
}

static int connect_api(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(serve_port(api.serve)) };
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
             api.acme.read_key);
    send_text(fd, text);
    wait_for(&fake_engine.held_now, 1);
    close(fd);
    wait_for(&fake_engine.gone, 1);
    assert_int_equal(api_ask("SELECT 1"), 200); /* the worker is free and not marked as cancelled */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        API_TEST(test_a_question_is_asked_as_the_tenants_own_user_and_answered),
        API_TEST(test_questions_are_counted_by_tenant_refused_ones_too),
        API_TEST(test_the_stream_tells_of_the_partitions_that_are_here_whichever_they_are),
        API_TEST(test_with_others_beside_it_the_stream_tells_of_every_partition_and_who_has_it),
        API_TEST(test_a_tenant_is_told_of_the_sinks_that_take_its_results_and_of_no_other),
        API_TEST(test_rows_beyond_the_bound_are_left_out_and_it_says_so),
        API_TEST(test_an_answer_cut_at_its_bytes_keeps_the_whole_rows),
        API_TEST(test_without_the_right_key_nobody_is_answered),
        API_TEST(test_what_is_no_question_never_reaches_the_engine),
        API_TEST(test_the_engines_errors_become_the_callers),
        API_TEST(test_an_engine_that_is_away_is_said_with_retry_after),
        API_TEST(test_a_question_that_takes_too_long_is_408_and_broken_off),
        API_TEST(test_one_tenant_cannot_ask_more_at_once_than_its_share),
        API_TEST(test_a_client_that_goes_away_breaks_its_question_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
