#include <arpa/inet.h>
#include <sys/resource.h>
#include <time.h>

#include "test/support/http_fixture.h"

static char *repeated(char c, size_t n)
{
    static char text[4 << 20];
    assert_true(n < sizeof text);
    memset(text, c, n);
    text[n] = '\0';
    return text;
}

static void assert_refused(struct http_fixture *f, const char *heard, unsigned status, const char *reason)
{
    char text[128];
    snprintf(text, sizeof text, "HTTP/1.1 %u ", status);
    assert_starts(heard, text);
    assert_contains(heard, "Connection: close\r\n");
    snprintf(text, sizeof text, "{\"code\":\"%s\",\"message\":\"", reason);
    assert_contains(heard, text);
    snprintf(text, sizeof text, "http_refused_total{server=\"test\",reason=\"%s\"}", reason);
    assert_true(http_fixture_metric(f, text) >= 1);
}

static void test_heads_beyond_the_limits_are_refused(void **state)
{
    (void)state;
    struct http_fixture *f = http_fixture_start(http_fixture_options());
    AUTO(buf) struct buf request;
    buf_init(&request, 1 << 20);
    buf_add_format(&request, "GET / HTTP/1.1\r\n" HOST "X: %s\r\n\r\n", repeated('x', 17000));
    assert_refused(f, http_client_ask(f, buf_text(&request)), 431, "head_too_large");
    buf_reset(&request);
    buf_add_format(&request, "GET / HTTP/1.1\r\n" HOST "X: %s", repeated('x', 16500)); /* without an end */
    assert_refused(f, http_client_ask(f, buf_text(&request)), 431, "head_too_large");
    for (unsigned lines = 98; lines <= 99; lines++) {
        buf_reset(&request);
        buf_add_text(&request, "GET / HTTP/1.1\r\n" HOST CLOSE);
        for (unsigned i = 0; i < lines; i++)
            buf_add_format(&request, "X-%u: y\r\n", i);
        buf_add_text(&request, "\r\n");
        char *heard = http_client_ask(f, buf_text(&request));
        if (lines == 98)
            assert_starts(heard, "HTTP/1.1 200 ");
        else
            assert_refused(f, heard, 431, "head_too_large");
    }
    buf_reset(&request);
    buf_add_format(&request, "GET /%s HTTP/1.1\r\n" HOST "\r\n", repeated('u', 8 * 1024));
    assert_refused(f, http_client_ask(f, buf_text(&request)), 414, "uri_too_long");
    buf_reset(&request);
    buf_add_format(&request, "GET /%s", repeated('u', 17000)); /* a line without an end */
    assert_refused(f, http_client_ask(f, buf_text(&request)), 414, "uri_too_long");
    assert_int_equal(f->handled, 1);
    http_fixture_finish(f);
}

static void test_a_body_that_is_announced_too_large_is_refused_before_it_comes(void **state)
{
    (void)state;
    struct http_fixture *f = http_fixture_start(http_fixture_options());
    char *heard = http_client_ask(f, "POST / HTTP/1.1\r\n" HOST "Content-Length: 1048577\r\n\r\n");
    assert_refused(f, heard, 413, "body_too_large");
    heard = http_client_ask(f, "POST / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 1048577\r\n\r\n");
    assert_refused(f, heard, 413, "body_too_large");
    /* A client that sends all of it before it listens still sees why. */
    int fd = http_client(f);
    http_client_say(fd, "POST / HTTP/1.1\r\n" HOST "Content-Length: 3000000\r\n\r\n");
    http_client_say(fd, repeated('b', 3000000));
    assert_refused(f, http_client_hear(fd, NULL), 413, "body_too_large");
    close(fd);
    assert_int_equal(f->handled, 0);
    http_fixture_finish(f);
}

static void test_a_chunked_body_is_refused_where_it_becomes_too_large(void **state)
{
    (void)state;
    struct http_fixture *f = http_fixture_start(http_fixture_options());
    const char *head = "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n";
    int fd = http_client(f);
    http_client_say(fd, head);
    for (int i = 0; i < 17; i++) {
        http_client_say(fd, "10000\r\n");
        http_client_say(fd, repeated('c', 65536));
        http_client_say(fd, "\r\n");
    }
    assert_refused(f, http_client_hear(fd, NULL), 413, "body_too_large");
    close(fd);
    AUTO(buf) struct buf request;
    buf_init(&request, 1 << 20);
    buf_add_format(&request, "%sffffffffffffffff\r\n", head);
    assert_refused(f, http_client_ask(f, buf_text(&request)), 413, "body_too_large");
    buf_reset(&request);
    buf_add_format(&request, "%s1;%s\r\na\r\n0\r\n\r\n", head, repeated('e', 300));
    assert_refused(f, http_client_ask(f, buf_text(&request)), 400, "bad_request");
    buf_reset(&request);
    buf_add_format(&request, "%s00000000000000001\r\na\r\n0\r\n\r\n", head);
    assert_refused(f, http_client_ask(f, buf_text(&request)), 400, "bad_request");
    buf_reset(&request);
    buf_add_format(&request, "%s0\r\nX: %s\r\n\r\n", head, repeated('t', 9000));
    assert_refused(f, http_client_ask(f, buf_text(&request)), 400, "bad_request");
    assert_int_equal(f->handled, 0);
    http_fixture_finish(f);
}

static void test_connections_beyond_the_limit_hear_503(void **state)
{
    (void)state;
    struct http_server_options options = http_fixture_options();
    options.connections_max = 2;
    struct http_fixture *f = http_fixture_start(options);
    int first = http_client(f), second = http_client(f);
    http_client_say(first, "GET / HTTP/1.1\r\n" HOST "\r\n");
    http_client_hear(first, "x= 0:");
    http_client_say(second, "GET / HTTP/1.1\r\n" HOST "\r\n");
    http_client_hear(second, "x= 0:");
    char *heard = http_client_ask(f, "GET / HTTP/1.1\r\n" HOST "\r\n");
    assert_refused(f, heard, 503, "connections");
    assert_contains(heard, "Retry-After: 1\r\n");
    /* Two hundred at once that say nothing: all of them are gone soon. */
    int crowd[200];
    for (size_t i = 0; i < COUNT_OF(crowd); i++)
        crowd[i] = http_client(f);
    for (size_t i = 0; i < COUNT_OF(crowd); i++) {
        assert_true(http_client_sees_close(crowd[i], 5000));
        close(crowd[i]);
    }
    close(first);
    for (int i = 0; i < 500 && http_fixture_metric(f, "http_connections{server=\"test\"}") > 1; i++)
        usleep(10000);
    heard = http_client_ask(f, "GET / HTTP/1.1\r\n" HOST CLOSE "\r\n");
    assert_starts(heard, "HTTP/1.1 200 OK\r\n");
    close(second);
    http_fixture_finish(f);
}

static void test_bodies_beyond_the_memory_for_all_of_them_hear_503(void **state)
{
    (void)state;
    struct http_server_options options = http_fixture_options();
    options.buffered_bytes_max = 300000;
    struct http_fixture *f = http_fixture_start(options);
    /* Three times 100 KB are under way; announcing alone costs nothing, so the first two are not in the others' way. */
    int announcing[2], sending[3];
    for (int i = 0; i < 2; i++) {
        announcing[i] = http_client(f);
        http_client_say(announcing[i], "POST /x HTTP/1.1\r\n" HOST "Content-Length: 1000000\r\n\r\n");
    }
    for (int i = 0; i < 2; i++) {
        sending[i] = http_client(f);
        http_client_say(sending[i], "POST /defer HTTP/1.1\r\n" HOST "Content-Length: 100000\r\n\r\n");
        http_client_say(sending[i], repeated('m', 100000));
    }
    assert_true(http_fixture_wait(f, &f->handled, 2));
    sending[2] = http_client(f);
    http_client_say(sending[2], "POST /defer HTTP/1.1\r\n" HOST "Content-Length: 120000\r\n\r\n");
    http_client_say(sending[2], repeated('m', 120000));
    char *heard = http_client_hear(sending[2], NULL);
    assert_refused(f, heard, 503, "overloaded");
    assert_contains(heard, "Retry-After: 1\r\n");
    /* Once the others are answered there is room again. */
    http_fixture_on_loop(f, http_fixture_answer_reversed);
    int fd = http_client(f);
    http_client_say(fd, "POST /x HTTP/1.1\r\n" HOST CLOSE "Content-Length: 120000\r\n\r\n");
    http_client_say(fd, repeated('m', 120000));
    assert_starts(http_client_hear(fd, NULL), "HTTP/1.1 200 OK\r\n");
    close(fd);
    for (int i = 0; i < 2; i++)
        close(announcing[i]);
    for (int i = 0; i < 3; i++)
        close(sending[i]);
    http_fixture_finish(f);
}

static void test_clients_that_dawdle_are_timed_out(void **state)
{
    (void)state;
    struct http_server_options options = http_fixture_options();
    options.head_timeout_ms = 100;
    options.body_timeout_ms = 120;
    options.idle_timeout_ms = 300;
    struct http_fixture *f = http_fixture_start(options);
    /* Slow-loris: a byte now and then does not help. */
    int fd = http_client(f);
    http_client_say(fd, "GET / HTTP/1.1\r\n");
    for (int i = 0; i < 20; i++) {
        http_client_say(fd, "X: y\r\n");
        usleep(10000);
    }
    assert_refused(f, http_client_hear(fd, NULL), 408, "timeout");
    close(fd);
    fd = http_client(f);
    http_client_say(fd, "POST / HTTP/1.1\r\n" HOST "Content-Length: 1000\r\n\r\n");
    for (int i = 0; i < 20; i++) {
        http_client_say(fd, "b");
        usleep(10000);
    }
    assert_refused(f, http_client_hear(fd, NULL), 408, "timeout");
    close(fd);
    assert_int_equal(f->handled, 0);
    /* Idle: closed without a word, before and after a request. */
    fd = http_client(f);
    assert_string_equal(http_client_hear(fd, NULL), "");
    close(fd);
    fd = http_client(f);
    http_client_say(fd, "GET / HTTP/1.1\r\n" HOST "\r\n");
    char *heard = http_client_hear(fd, NULL);
    assert_starts(heard, "HTTP/1.1 200 OK\r\n");
    assert_null(strstr(heard, "408"));
    close(fd);
    /* A request that the handler is slow to answer is nobody's fault here. */
    fd = http_client(f);
    http_client_say(fd, "GET /defer HTTP/1.1\r\n" HOST "\r\n");
    assert_true(http_fixture_wait(f, &f->handled, 2));
    usleep(600000);
    http_fixture_on_loop(f, http_fixture_answer_reversed);
    assert_contains(http_client_hear(fd, ";"), "answer 0;");
    close(fd);
    http_fixture_finish(f);
}

static void answer_large(struct http_fixture *f)
{
    static char large[16 << 20];
    memset(large, 'l', sizeof large);
    struct http_answer answer = { .status = 200, .body = slice_of(large, sizeof large) };
    for (size_t i = 0; i < f->waiting_count; i++)
        http_answer(f->waiting[i], &answer);
    f->waiting_count = 0;
}

static void test_a_client_that_does_not_take_its_answer_is_cut_off(void **state)
{
    (void)state;
    struct http_server_options options = http_fixture_options();
    options.answer_timeout_ms = 400;
    struct http_fixture *f = http_fixture_start(options);
    int fd = http_client(f);
    http_client_say(fd, "GET /defer HTTP/1.1\r\n" HOST "\r\n");
    assert_true(http_fixture_wait(f, &f->handled, 1));
    http_fixture_on_loop(f, answer_large);
    for (int i = 0; i < 300 && http_fixture_metric(f, "http_connections{server=\"test\"}") > 0; i++)
        usleep(10000);
    assert_int_equal(http_fixture_metric(f, "http_connections{server=\"test\"}"), 0);
    assert_int_equal(http_fixture_metric(f, "http_refused_total{server=\"test\",reason=\"timeout\"}"), 1);
    close(fd);
    /* A slow one that goes on taking is not. */
    fd = http_client(f);
    http_client_say(fd, "GET /defer HTTP/1.1\r\n" HOST CLOSE "\r\n");
    assert_true(http_fixture_wait(f, &f->handled, 2));
    http_fixture_on_loop(f, answer_large);
    static char part[1 << 20];
    size_t total = 0;
    for (ssize_t got; (got = recv(fd, part, sizeof part, 0)) > 0; usleep(20000))
        total += (size_t)got;
    assert_true(total > 16 << 20);
    close(fd);
    http_fixture_finish(f);
}

static void test_a_client_that_asks_and_does_not_read_is_not_read_either(void **state)
{
    (void)state;
    struct http_fixture *f = http_fixture_start(http_fixture_options());
    int fd = http_client(f);
    AUTO(buf) struct buf request;
    buf_init(&request, 1 << 20);
    buf_add_format(&request, "POST /pile HTTP/1.1\r\n" HOST "Content-Length: 20000\r\n\r\n%s", repeated('p', 20000));
    /* Without a bound it would take all 200 MB. */
    size_t sent = 0;
    for (int quiet = 0; sent < 200u << 20 && quiet < 20;) {
        ssize_t n = send(fd, request.p + sent % request.n, request.n - sent % request.n, MSG_NOSIGNAL | MSG_DONTWAIT);
        quiet = n > 0 ? 0 : quiet + 1;
        if (n > 0)
            sent += (size_t)n;
        else
            usleep(10000);
    }
    assert_true(sent < 50u << 20);
    unsigned handled = f->handled;
    /* As soon as it reads, it is served again. */
    static char part[1 << 20];
    for (int i = 0; i < 40; i++)
        assert_true(recv(fd, part, sizeof part, 0) > 0);
    assert_true(http_fixture_wait(f, &f->handled, handled + 1));
    close(fd);
    http_fixture_finish(f);
}

static void test_running_out_of_file_descriptors_does_not_spin(void **state)
{
    (void)state;
    struct http_fixture *f = http_fixture_start(http_fixture_options());
    int clients[16], fillers[64];
    size_t filler_count = 0;
    struct rlimit before, limit;
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(f->port) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (size_t i = 0; i < COUNT_OF(clients); i++)
        clients[i] = socket(AF_INET, SOCK_STREAM, 0);
    getrlimit(RLIMIT_NOFILE, &before);
    limit = before;
    limit.rlim_cur = (rlim_t)clients[COUNT_OF(clients) - 1] + 1;
    setrlimit(RLIMIT_NOFILE, &limit);
    for (int fd; filler_count < COUNT_OF(fillers) && (fd = dup(0)) >= 0;)
        fillers[filler_count++] = fd;
    int64_t cpu_ms = -(int64_t)clock() * 1000 / CLOCKS_PER_SEC;
    for (size_t i = 0; i < COUNT_OF(clients); i++)
        assert_int_equal(connect(clients[i], (struct sockaddr *)&address, sizeof address), 0);
    usleep(500000);
    cpu_ms += (int64_t)clock() * 1000 / CLOCKS_PER_SEC;
    assert_true(cpu_ms < 250);
    assert_true(http_fixture_metric(f, "http_refused_total{server=\"test\",reason=\"connections\"}") > 0);
    while (filler_count)
        close(fillers[--filler_count]);
    for (size_t i = 0; i < COUNT_OF(clients); i++)
        close(clients[i]);
    setrlimit(RLIMIT_NOFILE, &before);
    assert_starts(http_client_ask(f, "GET / HTTP/1.1\r\n" HOST CLOSE "\r\n"), "HTTP/1.1 200 OK\r\n");
    http_fixture_finish(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heads_beyond_the_limits_are_refused),
        cmocka_unit_test(test_a_body_that_is_announced_too_large_is_refused_before_it_comes),
        cmocka_unit_test(test_a_chunked_body_is_refused_where_it_becomes_too_large),
        cmocka_unit_test(test_connections_beyond_the_limit_hear_503),
        cmocka_unit_test(test_bodies_beyond_the_memory_for_all_of_them_hear_503),
        cmocka_unit_test(test_clients_that_dawdle_are_timed_out),
        cmocka_unit_test(test_a_client_that_does_not_take_its_answer_is_cut_off),
        cmocka_unit_test(test_a_client_that_asks_and_does_not_read_is_not_read_either),
        cmocka_unit_test(test_running_out_of_file_descriptors_does_not_spin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
