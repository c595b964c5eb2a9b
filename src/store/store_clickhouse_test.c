/* The client against a server of one thread in this process that answers what it is told: which bytes are sent, and
 * what each kind of answer means. The real engine is in test/scenario/. */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/test.h"
#include "store/store.h"
#include "store/store_http.h"
#include "world/world.h"

static struct {
    int listener;
    _Atomic int connection; /* the one being served, 0: none */
    uint16_t port;
    pthread_t thread;
    const char *answer; /* NULL: close without one */
    bool hang;          /* never answer */
    bool close_after;   /* although the client would keep the connection */
    char request[65536];
    size_t request_n;
    _Atomic int requests, connections;
    _Atomic bool stop;
} server;

/* One request whose length is told by Content-Length. False when the client went away. */
static bool read_request(int fd)
{
    size_t have = 0;
    for (;;) {
        ssize_t n = recv(fd, server.request + have, sizeof server.request - 1 - have, 0);
        if (n <= 0)
            return false;
        have += (size_t)n;
        server.request[have] = '\0';
        char *body = memmem(server.request, have, "\r\n\r\n", 4);
        char *length = strcasestr(server.request, "content-length:");
        if (body && length && have >= (size_t)(body - server.request) + 4 + strtoul(length + 15, NULL, 10)) {
            server.request_n = have;
            return true;
        }
    }
}

static void *serve(void *unused)
{
    for (;;) {
        int fd = accept(server.listener, NULL, NULL);
        if (fd < 0 || server.stop)
            return NULL;
        server.connections++;
        server.connection = fd;
        while (read_request(fd)) {
            server.requests++;
            while (server.hang && !server.stop)
                usleep(1000);
            if (!server.answer || send(fd, server.answer, strlen(server.answer), MSG_NOSIGNAL) < 0 ||
                server.close_after)
                break;
        }
        server.connection = 0;
        close(fd);
    }
}

static int setup(void **state)
{
    memset(&server, 0, sizeof server);
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof address;
    server.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server.listener, (struct sockaddr *)&address, n), 0);
    assert_int_equal(listen(server.listener, 8), 0);
    assert_int_equal(getsockname(server.listener, (struct sockaddr *)&address, &n), 0);
    server.port = ntohs(address.sin_port);
    server.answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    assert_int_equal(pthread_create(&server.thread, NULL, serve, NULL), 0);
    return 0;
}

static int teardown(void **state)
{
    server.stop = true;
    shutdown(server.listener, SHUT_RDWR);
    if (server.connection)
        shutdown(server.connection, SHUT_RDWR);
    pthread_join(server.thread, NULL);
    close(server.listener);
    return 0;
}

static struct store *open_store(uint32_t wait_ms)
{
    struct store *store;
    struct error err;
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%u", server.port);
    const struct store_options options = { .url = url,
                                           .database = "weir",
                                           .user = "writer",
                                           .password = "secret",
                                           .connect_wait_ms = 1000,
                                           .insert_wait_ms = wait_ms };
    if (store_clickhouse.open(&options, world_real(), &store, &err) != OK)
        fail_msg("%s", err.text);
    return store;
}

static const struct native_column COLUMNS[] = { { "name", NATIVE_STRING } };

static enum status insert_one(struct store *store, struct error *err)
{
    struct native_block block;
    native_init(&block, COLUMNS, 1, 1024);
    native_add_string(&block, 0, SLICE("ann"));
    native_row_done(&block);
    const struct store_insert insert = { "events_raw", "events_raw/1-2/3", &block, 0, 1 };
    enum status s = store_insert(store, &insert, err);
    native_done(&block);
    return s;
}

static void test_an_insert_sends_token_settings_user_and_block(void **state)
{
    struct store *store = open_store(5000);
    struct error err;
    assert_int_equal(insert_one(store, &err), OK);
    assert_non_null(strstr(server.request, "POST /?query=INSERT%20INTO%20weir.events_raw%20FORMAT%20Native&"));
    assert_non_null(strstr(server.request, "insert_deduplication_token=events_raw%2F1-2%2F3&"));
    assert_non_null(strstr(server.request, "async_insert=0"));
    assert_non_null(strstr(server.request, "insert_deduplicate=1"));
    assert_non_null(strstr(server.request, "deduplicate_blocks_in_dependent_materialized_views=1"));
    assert_non_null(strstr(server.request, "X-ClickHouse-User: writer\r\n"));
    assert_non_null(strstr(server.request, "X-ClickHouse-Key: secret\r\n"));
    assert_null(strstr(server.request, "Expect:"));
    static const char BODY[] = "\x01\x01\x04name\x06String\x03"
                               "ann";
    assert_memory_equal(server.request + server.request_n - (sizeof BODY - 1), BODY, sizeof BODY - 1);
    store_close(store);
}

static void test_the_connection_is_kept_and_replaced_when_the_server_closed_it(void **state)
{
    struct store *store = open_store(5000);
    struct error err;
    for (int i = 0; i < 3; i++)
        assert_int_equal(insert_one(store, &err), OK);
    assert_int_equal(server.connections, 1);
    server.close_after = true;
    assert_int_equal(insert_one(store, &err), OK);
    server.close_after = false;
    assert_int_equal(insert_one(store, &err), OK);
    assert_int_equal(server.connections, 2);
    assert_int_equal(server.requests, 5);
    store_close(store);
}

static void test_what_the_engine_says_decides_what_is_done_next(void **state)
{
    static const struct {
        const char *head, *code, *text;
        enum status want;
    } CASES[] = {
        { "500 Internal Server Error", "241", "Code: 241. DB::Exception: (total) memory limit exceeded", ERR_RETRY },
        { "500 Internal Server Error", "252", "Code: 252. DB::Exception: Too many parts", ERR_RETRY },
        { "503 Service Unavailable", NULL, "starting", ERR_RETRY },
        { "400 Bad Request", "117", "Code: 117. DB::Exception: Incorrect data", ERR_INVALID },
        { "404 Not Found", "60", "Code: 60. DB::Exception: Table weir.events_raw does not exist", ERR_NOT_FOUND },
        { "403 Forbidden", "516", "Code: 516. DB::Exception: writer: Authentication failed", ERR_NOT_FOUND },
        { "500 Internal Server Error", "9999", "Code: 9999. DB::Exception: news", ERR_RETRY },
        /* An error after the head was sent: 200, and a header that says otherwise. */
        { "200 OK", "241", "Code: 241. DB::Exception: memory limit exceeded", ERR_RETRY },
    };
    struct store *store = open_store(5000);
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        char answer[512], code[64] = "";
        struct error err;
        if (CASES[i].code)
            snprintf(code, sizeof code, "X-ClickHouse-Exception-Code: %s\r\n", CASES[i].code);
        snprintf(answer, sizeof answer, "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n\r\n%s\nmore", CASES[i].head, code,
                 strlen(CASES[i].text) + 5, CASES[i].text);
        server.answer = answer;
        assert_int_equal(insert_one(store, &err), CASES[i].want);
        assert_non_null(strstr(err.text, CASES[i].text));
        assert_null(strstr(err.text, "more"));
    }
    store_close(store);
}

static void test_an_engine_that_is_away_or_silent_is_tried_again_later(void **state)
{
    struct store *store = open_store(200);
    struct error err;
    server.answer = NULL;
    assert_int_equal(insert_one(store, &err), ERR_RETRY);
    server.hang = true;
    assert_int_equal(insert_one(store, &err), ERR_RETRY);
    server.hang = false;
    teardown(NULL);
    assert_int_equal(insert_one(store, &err), ERR_RETRY);
    assert_int_equal(store->backend->ping(store, &err), ERR_RETRY);
    assert_non_null(strstr(err.text, "127.0.0.1"));
    store_close(store);
    setup(NULL);
}

static void *cancel_soon(void *store)
{
    while (server.requests == 0)
        usleep(1000);
    ((struct store *)store)->backend->cancel(store);
    return NULL;
}

static void test_cancel_ends_an_insert_under_way(void **state)
{
    struct store *store = open_store(30000);
    struct error err;
    pthread_t other;
    server.hang = true;
    int64_t begin_us = world_mono_us(world_real());
    assert_int_equal(pthread_create(&other, NULL, cancel_soon, store), 0);
    assert_int_equal(insert_one(store, &err), ERR_CLOSED);
    pthread_join(other, NULL);
    assert_true(world_mono_us(world_real()) - begin_us < 5000000);
    assert_int_equal(insert_one(store, &err), ERR_CLOSED);
    assert_int_equal(server.requests, 1);
    store_close(store);
}

static void test_an_answer_beyond_its_bound_is_cut_and_full(void **state)
{
    struct store_http *client;
    struct store_http_answer got;
    struct error err;
    char url[64];
    AUTO(buf) struct buf answer;
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", server.port);
    const struct store_http_options options = { url, "reader_0001", "", 1000 };
    const struct store_http_request request = { .parameters = "", .wait_ms = 5000, .answer = &answer };
    server.answer = "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n01234567890123456789";
    assert_int_equal(store_http_open(&options, &client, &err), OK);
    buf_init(&answer, 10);
    assert_int_equal(store_http_ask(client, &request, &got, &err), OK);
    assert_int_equal(got.http_status, 200);
    assert_true(answer.full && answer.n <= 10);
    store_http_close(client);
}

static void test_parameters_are_escaped(void **state)
{
    AUTO(buf) struct buf parameters;
    buf_init(&parameters, 100);
    store_http_add_parameter(&parameters, "query", SLICE("SELECT 'a&b'"));
    store_http_add_parameter(&parameters, "x", SLICE("\xc3\xa9~-_."));
    assert_string_equal(buf_text(&parameters), "query=SELECT%20%27a%26b%27&x=%C3%A9~-_.");
}

static void test_an_address_without_scheme_is_refused(void **state)
{
    struct store *store;
    struct error err;
    const struct store_options options = { .url = "127.0.0.1:8123",
                                           .database = "weir",
                                           .user = "writer",
                                           .password = "",
                                           .connect_wait_ms = 1,
                                           .insert_wait_ms = 1 };
    assert_int_equal(store_clickhouse.open(&options, world_real(), &store, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "http://"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_an_insert_sends_token_settings_user_and_block),
        TEST(test_the_connection_is_kept_and_replaced_when_the_server_closed_it),
        TEST(test_what_the_engine_says_decides_what_is_done_next),
        TEST(test_an_engine_that_is_away_or_silent_is_tried_again_later),
        TEST(test_cancel_ends_an_insert_under_way),
        TEST(test_an_answer_beyond_its_bound_is_cut_and_full),
        cmocka_unit_test(test_parameters_are_escaped),
        cmocka_unit_test(test_an_address_without_scheme_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
