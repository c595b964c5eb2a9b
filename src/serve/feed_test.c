/* The live feed from outside, over real sockets; what happened is pushed as the processing tasks push it. */
#include <arpa/inet.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/metrics.h"
#include "base/queue.h"
#include "base/test.h"
#include "catalog/catalog.h"
#include "event/event.h"
#include "http/http_client.h"
#include "process/live.h"
#include "serve/serve.h"
#include "test/support/scratch.h"
#include "world/world.h"

static char directory_path[SCRATCH_PATH_MAX], api_url[64];
static struct catalog *catalog;
static struct metrics *metrics;
static struct serve *serve;
static struct serve_options options;
static struct tenant_keys acme_keys;
static struct error err;
static atomic_bool ready;

static bool hook_ready(void *self)
{
    (void)self;
    return atomic_load(&ready);
}

static uint64_t hook_quota_used(void *self, const char *tenant_id)
{
    (void)self;
    return strcmp(tenant_id, "acme") == 0 ? 77 : 0;
}

static void serve_begin(void)
{
    if (serve_new(&options, catalog, metrics, world_real(), &serve, &err) != OK || serve_start(serve, &err) != OK)
        fail_msg("%s", err.text);
    snprintf(api_url, sizeof api_url, "http://127.0.0.1:%u", serve_port(serve));
}

static void serve_again(void)
{
    serve_free(serve);
    serve_begin();
}

static int setup(void **state)
{
    (void)state;
    atomic_store(&ready, true);
    scratch_make("feed", directory_path);
    assert_int_equal(
        catalog_sqlite.open(&(struct catalog_options){ .path = directory_path }, world_real(), &catalog, &err), OK);
    struct tenant acme = { .id = "acme" };
    acme_keys = (struct tenant_keys){ 0 };
    assert_int_equal(catalog_sqlite.tenant_create(catalog, &acme, &acme_keys, "test", &err), OK);
    metrics = metrics_new(1000);
    serve_options_init(&options);
    options.http.port = 0;
    options.engine_url = "http://127.0.0.1:1";
    options.engine_is_ready = hook_ready;
    options.quota_used = hook_quota_used;
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
    metrics_free(metrics);
    catalog_sqlite.close(catalog);
    return scratch_remove(directory_path);
}

/* --- happenings --- */

static void push_event(const char *tenant, const char *type, uint64_t accepted, const char *name,
                       struct slice properties)
{
    static struct live_gather gather;
    live_gather_reset(&gather);
    live_gather_count(&gather, slice_from(tenant), slice_from(type))->accepted += accepted;
    struct event event = { .customer_id = slice_from(tenant),
                           .visitor_id = SLICE("v"),
                           .user_id = SLICE("u-7"),
                           .session_id = SLICE("s-8"),
                           .event_id = SLICE("e"),
                           .event_type = slice_from(type),
                           .event_name = slice_from(name),
                           .properties = properties,
                           .context = SLICE("{\"library\":{\"name\":\"web\"}}"),
                           .received_ms = world_wall_ms(world_real()) };
    live_gather_event(&gather, &event);
    struct live_update *update = live_gather_message(&gather);
    assert_non_null(update);
    assert_int_equal(queue_push(serve_live_queue(serve), update), OK);
}

static void push(const char *tenant, const char *type, uint64_t accepted, const char *name)
{
    push_event(tenant, type, accepted, name, SLICE("{\"a\":\n1}"));
}

static void push_dead(const char *tenant, const char *reason, uint64_t count)
{
    static struct live_gather gather;
    live_gather_reset(&gather);
    live_gather_count(&gather, slice_from(tenant), SLICE("t"))->dead += count;
    live_gather_dead(&gather, slice_from(tenant), reason, count);
    struct live_update *update = live_gather_message(&gather);
    assert_non_null(update);
    assert_int_equal(queue_push(serve_live_queue(serve), update), OK);
}

/* --- listening --- */

static char heard[1 << 20];

static int connect_api(int receive_bytes)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(serve_port(serve)) };
    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    if (receive_bytes)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    struct timeval patience = { .tv_sec = 5 };
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return fd;
}

static int ask_live(const char *query, const char *header)
{
    char text[512];
    int fd = connect_api(0);
    heard[0] = '\0';
    int n = snprintf(text, sizeof text, "GET /v1/live?key=%s%s HTTP/1.1\r\nHost: x\r\n%s\r\n", acme_keys.read_key,
                     query, header);
    assert_int_equal(write(fd, text, (size_t)n), n);
    return fd;
}

/* Reads until the text was heard; false when the stream ends or is silent for too long. */
static bool hear(int fd, const char *text)
{
    size_t n = strlen(heard);
    while (!strstr(heard, text)) {
        ssize_t got = read(fd, heard + n, sizeof heard - 1 - n);
        if (got <= 0)
            return false;
        n += (size_t)got;
        heard[n] = '\0';
    }
    return true;
}

static int listen_live(void)
{
    int fd = ask_live("", "");
    assert_true(hear(fd, "\nid: "));
    return fd;
}

/* The newest id that was heard, into `to`. */
static void newest_id(char *to, size_t size)
{
    char *at = NULL;
    for (char *next = heard; (next = strstr(next, "\nid: ")); next++)
        at = next + 5;
    assert_non_null(at);
    snprintf(to, size, "%.*s", (int)strcspn(at, "\n"), at);
}

static unsigned get_once(const char *key, struct buf *out)
{
    AUTO(http_client) struct http_client *client = NULL;
    struct http_client_options to = { .url = api_url, .key = key };
    struct http_reply reply = { 0 };
    assert_int_equal(http_client_open(&to, &client, &err), OK);
    assert_int_equal(http_client_get(client, "/v1/live?once=1", &reply, &err), OK);
    buf_reset(out);
    buf_add_slice(out, reply.body);
    return reply.status;
}

/* --- the tests --- */

static void test_the_live_feed_shows_changes_of_ones_own_tenant_only(void **state)
{
    (void)state;
    int fd = listen_live();
    assert_non_null(strstr(heard, "text/event-stream"));
    push("victim", "CANARY", 5, "CANARY");
    push("acme", "page_view", 3, "Home");
    assert_true(hear(fd, "\"accepted\":3"));
    assert_true(hear(fd, "\"event_name\":\"Home\""));
    push("acme", "page_view", 4, "Next");
    assert_true(hear(fd, "\"accepted\":7"));
    assert_null(strstr(heard, "CANARY"));
    assert_null(strstr(heard, "victim"));
    /* Each message is one line: an event's own line breaks are gone. */
    assert_non_null(strstr(heard, "{\"a\": 1}"));
    assert_non_null(strstr(heard, "\"user_id\":\"u-7\",\"session_id\":\"s-8\""));
    assert_non_null(strstr(heard, "\"context\":{\"library\":{\"name\":\"web\"}}"));
    AUTO(buf) struct buf answer;
    buf_init(&answer, 1 << 20);
    assert_int_equal(get_once(acme_keys.read_key, &answer), 200);
    assert_non_null(strstr(buf_text(&answer), "\"accepted\":7"));
    close(fd);
}

static void test_a_message_carries_quota_reasons_and_the_engines_state(void **state)
{
    (void)state;
    struct counter *letters =
        metrics_counter(metrics, "ingest_dead_letters_total", "", "customer_id=\"acme\",reason=\"missing_field\"");
    counter_add(letters, 2);
    gauge_set(metrics_gauge(metrics, "store_queryable_seconds", "", ""), 0.0425);
    push_dead("acme", "missing_field", 3);
    push_dead("acme", "odd", 1);
    int fd = listen_live();
    assert_true(hear(fd, "\"quota\":{\"limit\":10000,\"used\":77}"));
    assert_true(hear(fd, "\"rejected\":{\"missing_field\":5,\"odd\":1}"));
    assert_true(hear(fd, "\"refused\":{\"quota\":0,\"journal_full\":0}"));
    assert_null(strstr(heard, "\"latency\":")); /* nothing was shown yet */
    assert_non_null(strstr(heard, "\"queryable_ms\":42.5,\"engine\":\"ready\""));
    /* No event comes, yet what changed is told within two seconds. */
    counter_add(letters, 1);
    atomic_store(&ready, false);
    assert_true(hear(fd, "\"rejected\":{\"missing_field\":6,\"odd\":1}"));
    assert_true(hear(fd, "\"engine\":\"away\""));
    push("acme", "page_view", 1, "Home");
    assert_true(hear(fd, "\"event_name\":\"Home\""));
    assert_true(hear(fd, "\"latency\":{\"p50_ms\":"));
    close(fd);
}

static void test_who_was_cut_off_comes_back_to_what_it_missed(void **state)
{
    (void)state;
    char id[64], header[128], query[128];
    int fd = listen_live();
    push("acme", "t", 1, "first");
    assert_true(hear(fd, "first"));
    assert_true(hear(fd, "\nid: "));
    newest_id(id, sizeof id);
    close(fd);
    push("acme", "t", 1, "second");
    push("acme", "t", 1, "third");
    snprintf(header, sizeof header, "Last-Event-ID: %s\r\n", id);
    fd = ask_live("", header);
    assert_true(hear(fd, "third"));
    assert_non_null(strstr(heard, "second"));
    assert_null(strstr(heard, "first"));
    close(fd);
    snprintf(query, sizeof query, "&last_event_id=%s", id);
    fd = ask_live(query, "");
    assert_true(hear(fd, "third"));
    assert_null(strstr(heard, "first"));
    close(fd);
    fd = ask_live("", "Last-Event-ID: 12345-1\r\n"); /* of an earlier process */
    assert_true(hear(fd, "third"));
    assert_non_null(strstr(heard, "first"));
    close(fd);
}

static void test_a_key_that_ends_ends_the_streams_opened_with_it(void **state)
{
    (void)state;
    struct tenant other = { .id = "other" };
    struct tenant_keys other_keys = { 0 }, fresh = { 0 };
    assert_int_equal(catalog_sqlite.tenant_create(catalog, &other, &other_keys, "test", &err), OK);
    int fd = listen_live(), stays = connect_api(0);
    char text[256];
    int n = snprintf(text, sizeof text, "GET /v1/live?key=%s HTTP/1.1\r\nHost: x\r\n\r\n", other_keys.read_key);
    assert_int_equal(write(stays, text, (size_t)n), n);
    struct key_choice choice = { .read = true, .grace_ms = 300 };
    assert_int_equal(catalog_sqlite.keys_rotate(catalog, SLICE("acme"), &choice, &fresh, "test", &err), OK);
    assert_false(hear(fd, "never said")); /* the end of the stream, not five seconds of silence */
    assert_non_null(strstr(heard, "\r\n0\r\n\r\n"));
    close(fd);
    heard[0] = '\0';
    push("other", "t", 1, "still here");
    assert_true(hear(stays, "still here"));
    close(stays);
}

static void test_a_slow_reader_gets_the_newest_state_and_no_queue(void **state)
{
    (void)state;
    static char padding[1600];
    char text[256], name[32];
    int fd = connect_api(4096);
    int n = snprintf(text, sizeof text, "GET /v1/live?key=%s HTTP/1.1\r\nHost: x\r\n\r\n", acme_keys.read_key);
    assert_int_equal(write(fd, text, (size_t)n), n);
    memset(padding, 'p', sizeof padding);
    memcpy(padding, "{\"pad\":\"", 8);
    memcpy(padding + sizeof padding - 2, "\"}", 2);
    int quick = listen_live();
    for (unsigned i = 0; i < 6000; i++) { /* 10 MB, of which the slow one takes nothing */
        snprintf(name, sizeof name, "event-%u.", i);
        push_event("acme", "t", 1, name, slice_of(padding, sizeof padding));
        if (i % 100 == 99) { /* the quick one is not held up by the slow one */
            heard[0] = '\0';
            assert_true(hear(quick, name));
        }
    }
    close(quick);
    heard[0] = '\0';
    size_t taken = 0;
    while (!strstr(heard, "\"accepted\":6000")) {
        heard[0] = '\0';
        ssize_t got = read(fd, heard, sizeof heard - 1);
        assert_true(got > 0);
        heard[got] = '\0';
        taken += (size_t)got;
    }
    /* What had gone into the socket, at most one message after it, then the newest: far less than what happened. */
    assert_true(taken < 6000 * sizeof padding / 2);
    close(fd);
}

static void test_a_silent_feed_is_kept_alive(void **state)
{
    (void)state;
    options.live_heartbeat_ms = 50;
    serve_again();
    int fd = listen_live();
    assert_true(hear(fd, ": nothing new"));
    close(fd);
}

static void test_listeners_are_bounded_and_leave_room_when_they_go(void **state)
{
    (void)state;
    options.listeners_per_tenant = 1;
    serve_again();
    int fd = listen_live();
    int second = ask_live("", "");
    assert_true(hear(second, " 429 "));
    assert_true(hear(second, "too_many_listeners"));
    close(second);
    close(fd);
    for (int i = 0; i < 100; i++) {
        usleep(10000);
        fd = ask_live("", "");
        bool taken = hear(fd, " 200 ");
        close(fd);
        if (taken)
            return;
    }
    fail_msg("the place was not given back");
}

static void test_stopping_ends_streams_and_says_so_to_nobody_twice(void **state)
{
    (void)state;
    int fd = listen_live();
    serve_stop(serve);
    assert_false(hear(fd, "never said"));
    close(fd);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_live_feed_shows_changes_of_ones_own_tenant_only),
        TEST(test_a_message_carries_quota_reasons_and_the_engines_state),
        TEST(test_who_was_cut_off_comes_back_to_what_it_missed),
        TEST(test_a_key_that_ends_ends_the_streams_opened_with_it),
        TEST(test_a_slow_reader_gets_the_newest_state_and_no_queue),
        TEST(test_a_silent_feed_is_kept_alive),
        TEST(test_listeners_are_bounded_and_leave_room_when_they_go),
        TEST(test_stopping_ends_streams_and_says_so_to_nobody_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
