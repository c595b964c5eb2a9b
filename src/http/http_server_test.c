#include "http/http_server.h"

#include <arpa/inet.h>

#include "test/support/http_fixture.h"

static void test_a_request_is_seen_whole_and_answered(void **state)
{
    (void)state;
    struct http_fixture *f = http_fixture_start(http_fixture_options());
    char *heard =
        http_client_ask(f, "POST /a/b?c=d HTTP/1.1\r\n" HOST CLOSE "X-Test:  blue \r\nContent-Length: 5\r\n\r\nhello");
    assert_string_equal(heard, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\nX-Extra: yes\r\n"
                               "Content-Length: 28\r\n\r\nPOST /a/b?c=d x=blue 5:hello");
    http_fixture_finish(f);
}

static void test_deferred_answers_leave_in_the_order_of_the_requests(void **state)
{
    (void)state;
    struct http_fixture *f = http_fixture_start(http_fixture_options());
    int fd = http_client(f);
    http_client_say(fd,
                    "GET /defer/0 HTTP/1.1\r\n" HOST "\r\nPOST /defer/1 HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nab"
                    "GET /now HTTP/1.1\r\n" HOST "\r\nGET /defer/2 HTTP/1.1\r\n" HOST CLOSE "\r\n");
    assert_true(http_fixture_wait(f, &f->handled, 4));
    http_fixture_on_loop(f, http_fixture_answer_reversed);
    char *heard = http_client_hear(fd, NULL);
    const char *parts[] = { "answer 0", "answer 1", "GET /now", "answer 2" };
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        char *at = strstr(heard, parts[i]);
        assert_non_null(at);
        heard = at;
    }
    close(fd);
    http_fixture_finish(f);
}

static void test_a_request_may_come_byte_by_byte(void **state)
{
    (void)state;
    struct http_fixture *f = http_fixture_start(http_fixture_options());
    const char *request = "\r\nPOST /slow?q HTTP/1.1\r\n" HOST "X-Test: a\r\nContent-Length: 3\r\n\r\nabc"
                          "POST /chunked HTTP/1.1\r\n" HOST CLOSE "Transfer-Encoding: Chunked\r\n\r\n"
                          "3;name=\"va lue\"\r\nabc\r\n0A\r\n0123456789\r\n000\r\nX-Trailer: yes\r\n\r\n";
    int fd = http_client(f);
    for (const char *c = request; *c; c++)
        http_client_put(fd, c, 1);
    char *heard = http_client_hear(fd, NULL);
    assert_contains(heard, "POST /slow?q x=a 3:abcHTTP/1.1 200 OK\r\n");
    assert_contains(heard, "POST /chunked? x= 13:abc0123456789");
    close(fd);
    http_fixture_finish(f);
}

static void test_a_connection_is_kept_or_closed_as_the_client_says(void **state)
{
    (void)state;
    struct http_fixture *f = http_fixture_start(http_fixture_options());
    int fd = http_client(f);
    for (int i = 0; i < 3; i++) {
        http_client_say(fd, "GET /kept HTTP/1.1\r\n" HOST "\r\n");
        assert_null(strstr(http_client_hear(fd, "x= 0:"), "Connection"));
    }
    close(fd);
    fd = http_client(f);
    http_client_say(fd, "GET /old HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n");
    assert_contains(http_client_hear(fd, "x= 0:"), "Connection: keep-alive\r\n");
    http_client_say(fd, "GET /old HTTP/1.0\r\n\r\nGET /not-taken HTTP/1.0\r\n\r\n");
    char *heard = http_client_hear(fd, NULL);
    assert_contains(heard, "Connection: close\r\n");
    assert_null(strstr(heard, "/not-taken"));
    close(fd);
    heard =
        http_client_ask(f, "GET /a HTTP/1.1\r\n" HOST "Connection: foo, Close\r\n\r\nGET /b HTTP/1.1\r\n" HOST "\r\n");
    assert_contains(heard, "GET /a?");
    assert_null(strstr(heard, "/b?"));
    http_fixture_finish(f);
}

static void test_forms_of_requests_and_answers(void **state)
{
    (void)state;
    struct http_fixture *f = http_fixture_start(http_fixture_options());
    char *heard = http_client_ask(f, "HEAD /h HTTP/1.1\r\n" HOST CLOSE "\r\n");
    assert_contains(heard, "Content-Length: 14\r\n\r\n"); /* as GET would say, without the body */
    assert_string_equal(strstr(heard, "\r\n\r\n"), "\r\n\r\n");
    heard = http_client_ask(f, "DELETE /204 HTTP/1.1\r\n" HOST CLOSE "\r\n");
    assert_string_equal(heard, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
    heard = http_client_ask(f, "GET http://weir.example:80/p%20q?r=s HTTP/1.1\r\n" HOST CLOSE "\r\n");
    assert_contains(heard, "GET /p%20q?r=s ");
    heard = http_client_ask(f, "GET HTTPS://weir.example?r HTTP/1.1\r\n" HOST CLOSE "\r\n");
    assert_contains(heard, "GET /?r ");
    heard = http_client_ask(f, "OPTIONS * HTTP/1.1\r\n" HOST CLOSE "\r\n");
    assert_contains(heard, "OPTIONS *? ");
    heard = http_client_ask(f, "PROPFIND /x HTTP/1.1\r\n" HOST CLOSE "\r\n");
    assert_contains(heard, "OTHER /x? ");
    /* Offers of another protocol are not taken up. */
    heard =
        http_client_ask(f, "GET /up HTTP/1.1\r\n" HOST "Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\n"
                           "HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n");
    assert_starts(heard, "HTTP/1.1 200 OK\r\n");
    assert_contains(heard, "GET /up? ");
    heard = http_client_ask(f, "POST /up HTTP/1.1\r\n" HOST "Connection: Upgrade, close\r\nUpgrade: websocket\r\n"
                               "Content-Length: 2\r\n\r\nhi");
    assert_contains(heard, "POST /up? x= 2:hi");
    http_fixture_finish(f);
}

static void test_a_client_that_expects_100_continue_gets_it_in_turn(void **state)
{
    (void)state;
    struct http_fixture *f = http_fixture_start(http_fixture_options());
    int fd = http_client(f);
    http_client_say(fd, "POST /e HTTP/1.1\r\n" HOST "Expect: 100-Continue\r\nContent-Length: 2\r\n\r\n");
    assert_string_equal(http_client_hear(fd, "\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    http_client_say(fd, "ab");
    assert_starts(http_client_hear(fd, "2:ab"), "HTTP/1.1 200 OK\r\n");
    /* Behind a request that is not answered yet, it comes after that answer. */
    http_client_say(fd, "GET /defer HTTP/1.1\r\n" HOST "\r\n"
                        "POST /e HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    assert_true(http_fixture_wait(f, &f->handled, 2));
    http_fixture_on_loop(f, http_fixture_answer_reversed);
    char *heard = http_client_hear(fd, "Continue\r\n\r\n");
    assert_contains(heard, "answer 0;HTTP/1.1 100 Continue\r\n\r\n");
    http_client_say(fd, "cd");
    assert_starts(http_client_hear(fd, "2:cd"), "HTTP/1.1 200 OK\r\n");
    /* Who does not wait is not told to go on. */
    http_client_say(fd, "POST /e HTTP/1.1\r\n" HOST CLOSE "Expect: 100-continue\r\nContent-Length: 0\r\n\r\n");
    assert_starts(http_client_hear(fd, NULL), "HTTP/1.1 200 OK\r\n");
    close(fd);
    http_fixture_finish(f);
}

static void test_more_pipelined_requests_than_the_bound_wait_in_the_socket(void **state)
{
    (void)state;
    enum { REQUESTS = 1000, BOUND = 64 };
    struct http_fixture *f = http_fixture_start(http_fixture_options());
    int fd = http_client(f);
    AUTO(buf) struct buf all;
    buf_init(&all, 1 << 20);
    for (int i = 0; i < REQUESTS; i++)
        buf_add_format(&all, "POST /defer/%d HTTP/1.1\r\n" HOST "Content-Length: 100\r\n\r\n%0100d", i, i);
    http_client_put(fd, all.p, all.n);
    unsigned answered = 0;
    while (answered < REQUESTS) {
        unsigned batch = REQUESTS - answered < BOUND ? REQUESTS - answered : BOUND;
        assert_true(http_fixture_wait(f, &f->handled, answered + batch));
        usleep(2000);
        assert_int_equal(f->handled, answered + batch); /* and not one more */
        http_fixture_on_loop(f, http_fixture_answer_reversed);
        char last[32];
        snprintf(last, sizeof last, "answer %u;", batch - 1);
        char *heard = http_client_hear(fd, last);
        for (unsigned i = 0; i < batch; i++) {
            snprintf(last, sizeof last, "answer %u;", i);
            heard = strstr(heard, last);
            assert_non_null(heard);
        }
        answered += batch;
    }
    close(fd);
    http_fixture_finish(f);
}

static void reset_connection(int fd)
{
    struct linger linger = { .l_onoff = 1 };
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(fd);
}

static void test_a_client_that_goes_away_during_deferred_answers_is_told_of_each(void **state)
{
    (void)state;
    struct http_fixture *f = http_fixture_start(http_fixture_options());
    int fd = http_client(f);
    http_client_say(fd,
                    "GET /defer HTTP/1.1\r\n" HOST "\r\nGET /defer HTTP/1.1\r\n" HOST "\r\nPOST /half HTTP/1.1\r\n");
    assert_true(http_fixture_wait(f, &f->handled, 2));
    reset_connection(fd);
    assert_true(http_fixture_wait(f, &f->gone, 2));
    http_fixture_on_loop(f, http_fixture_answer_reversed);
    assert_int_equal(f->gone, 2);
    http_fixture_finish(f);
}

static void test_a_client_that_only_ends_its_sending_side_is_still_answered(void **state)
{
    (void)state;
    struct http_fixture *f = http_fixture_start(http_fixture_options());
    int fd = http_client(f);
    http_client_say(fd,
                    "GET /defer HTTP/1.1\r\n" HOST "\r\nGET /defer HTTP/1.1\r\n" HOST "\r\nPOST /half HTTP/1.1\r\n");
    shutdown(fd, SHUT_WR);
    assert_true(http_fixture_wait(f, &f->handled, 2));
    usleep(20000);
    http_fixture_on_loop(f, http_fixture_answer_reversed);
    char *heard = http_client_hear(fd, NULL);
    assert_contains(heard, "answer 0;HTTP");
    assert_contains(heard, "answer 1;");
    assert_int_equal(f->gone, 0);
    close(fd);
    http_fixture_finish(f);
}

static void test_where_half_a_close_counts_as_gone_the_handler_hears_of_it(void **state)
{
    (void)state;
    struct http_server_options options = http_fixture_options();
    options.half_close_is_gone = true;
    struct http_fixture *f = http_fixture_start(options);
    int fd = http_client(f);
    http_client_say(fd, "GET /defer HTTP/1.1\r\n" HOST "\r\n");
    assert_true(http_fixture_wait(f, &f->handled, 1));
    shutdown(fd, SHUT_WR);
    assert_true(http_fixture_wait(f, &f->gone, 1));
    assert_true(http_client_sees_close(fd, 5000));
    close(fd);
    http_fixture_finish(f);
}

static void test_a_stopped_server_says_gone_for_what_was_not_answered(void **state)
{
    (void)state;
    struct http_fixture *f = http_fixture_start(http_fixture_options());
    int fd = http_client(f);
    http_client_say(fd, "GET /defer HTTP/1.1\r\n" HOST "\r\nGET /stream HTTP/1.1\r\n" HOST "\r\n");
    assert_true(http_fixture_wait(f, &f->handled, 2));
    http_fixture_on_loop(f, http_fixture_stop);
    assert_int_equal(f->gone, 2);
    assert_true(http_client_sees_close(fd, 5000));
    close(fd);
    http_fixture_free(f);
}

static void test_large_bodies_and_answers_pass_whole(void **state)
{
    (void)state;
    struct http_server_options options = http_fixture_options();
    options.body_bytes_max = 24 << 20;
    options.buffered_bytes_max = 64 << 20;
    struct http_fixture *f = http_fixture_start(options);
    static char body[20 << 20];
    for (size_t i = 0; i < sizeof body; i++)
        body[i] = (char)('a' + i * 7919 % 26);
    const size_t SIZES[] = { 1, 4095, 4096, 32767, 65535, 65536, 200000, sizeof body };
    int fd = http_client(f);
    for (size_t i = 0; i < COUNT_OF(SIZES); i++) {
        char head[128], tail[32];
        snprintf(head, sizeof head, "POST /big HTTP/1.1\r\n" HOST "Content-Length: %zu\r\n\r\n", SIZES[i]);
        http_client_say(fd, head);
        if (i % 2)
            usleep(2000); /* head and body in reads of their own */
        http_client_put(fd, body, SIZES[i]);
        snprintf(tail, sizeof tail, " %zu:", SIZES[i]);
        http_client_hear(fd, tail);
        static char back[sizeof body];
        for (size_t n = 0; n < SIZES[i];) {
            ssize_t got = recv(fd, back + n, SIZES[i] - n, 0);
            assert_true(got > 0);
            n += (size_t)got;
        }
        assert_memory_equal(back, body, SIZES[i]);
    }
    close(fd);
    http_fixture_finish(f);
}

static void on_drained(void *self)
{
    struct http_fixture *f = self;
    f->drained++;
}

static void drain(struct http_fixture *f)
{
    http_server_drain(f->server, on_drained, f);
}

static void look_at_drained(struct http_fixture *f)
{
    f->number = f->drained;
}

static void test_draining_closes_idle_connections_and_finishes_running_requests(void **state)
{
    (void)state;
    struct http_fixture *f = http_fixture_start(http_fixture_options());
    int idle = http_client(f), busy = http_client(f), reading = http_client(f);
    http_client_say(idle, "GET /a HTTP/1.1\r\n" HOST "\r\n");
    http_client_hear(idle, "x= 0:");
    http_client_say(busy, "GET /defer HTTP/1.1\r\n" HOST "\r\n");
    http_client_say(reading, "POST /half HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nab");
    assert_true(http_fixture_wait(f, &f->handled, 2));
    usleep(10000);
    http_fixture_on_loop(f, drain);
    assert_true(http_client_sees_close(idle, 5000));
    close(idle);
    http_client_say(reading, "cde");
    char *heard = http_client_hear(reading, NULL);
    assert_contains(heard, "Connection: close\r\n");
    assert_contains(heard, "5:abcde");
    close(reading);
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(f->port) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int late = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_not_equal(connect(late, (struct sockaddr *)&address, sizeof address), 0);
    close(late);
    http_fixture_on_loop(f, look_at_drained);
    assert_int_equal(f->number, 0);
    http_fixture_on_loop(f, http_fixture_answer_reversed);
    heard = http_client_hear(busy, NULL);
    assert_contains(heard, "Connection: close\r\n");
    assert_contains(heard, "answer 0;");
    close(busy);
    for (int i = 0; i < 500 && f->number == 0; i++) {
        usleep(10000);
        http_fixture_on_loop(f, look_at_drained);
    }
    assert_int_equal(f->number, 1);
    http_fixture_finish(f);
}

static void test_a_taken_port_is_named(void **state)
{
    (void)state;
    struct http_fixture *f = http_fixture_start(http_fixture_options());
    struct http_server_options options = http_fixture_options();
    options.port = f->port;
    uv_loop_t loop;
    struct http_server *server = NULL;
    struct error err;
    char wanted[128];
    uv_loop_init(&loop);
    enum status s = http_server_start(&options, &loop, f->metrics, http_fixture_no_handler, http_fixture_no_handler,
                                      NULL, &server, &err);
    assert_int_equal(s, ERR_FULL);
    assert_null(server);
    snprintf(wanted, sizeof wanted, "port %u at 127.0.0.1 is taken (another weir? `--ingest-port` chooses another)",
             f->port);
    assert_contains(err.text, wanted);
    options.host = "no.such.host.invalid";
    s = http_server_start(&options, &loop, f->metrics, http_fixture_no_handler, http_fixture_no_handler, NULL, &server,
                          &err);
    assert_int_equal(s, ERR_INVALID);
    assert_contains(err.text, "no.such.host.invalid");
    assert_int_equal(uv_loop_close(&loop), 0);
    http_fixture_finish(f);
}

static void test_a_shared_port_is_not_shared_with_strangers(void **state)
{
    (void)state;
    struct http_server_options options = http_fixture_options();
    options.reuse_port = true;
    struct http_fixture *first = http_fixture_start(options);
    options.port = first->port;
    uv_loop_t loop;
    struct http_server *server = NULL;
    struct error err;
    uv_loop_init(&loop);
    assert_int_equal(http_server_start(&options, &loop, first->metrics, http_fixture_no_handler,
                                       http_fixture_no_handler, NULL, &server, &err),
                     ERR_FULL);
    assert_contains(err.text, "is taken");
    options.reuse_port_joins = true;
    struct http_fixture *second = http_fixture_start(options);
    /* The kernel spreads connections over both. */
    for (int i = 0; i < 200 && (first->handled == 0 || second->handled == 0); i++)
        assert_starts(http_client_ask(first, "GET / HTTP/1.1\r\n" HOST CLOSE "\r\n"), "HTTP/1.1 200 OK\r\n");
    assert_true(first->handled > 0 && second->handled > 0);
    assert_int_equal(uv_loop_close(&loop), 0);
    http_fixture_finish(second);
    http_fixture_finish(first);
}

static void test_requests_are_counted(void **state)
{
    (void)state;
    struct http_fixture *f = http_fixture_start(http_fixture_options());
    int fd = http_client(f);
    http_client_say(fd, "GET /a HTTP/1.1\r\n" HOST "\r\n");
    http_client_hear(fd, "x= 0:");
    assert_int_equal(http_fixture_metric(f, "http_connections{server=\"test\"}"), 1);
    http_client_ask(f, "GET /a HTTP/1.1\r\n\r\n");
    assert_int_equal(http_fixture_metric(f, "http_requests_total{server=\"test\",code=\"2xx\"}"), 1);
    assert_int_equal(http_fixture_metric(f, "http_requests_total{server=\"test\",code=\"4xx\"}"), 1);
    assert_int_equal(http_fixture_metric(f, "http_refused_total{server=\"test\",reason=\"bad_request\"}"), 1);
    assert_int_equal(http_fixture_metric(f, "http_request_bytes_total{server=\"test\"}"), 36);
    close(fd);
    http_fixture_finish(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_request_is_seen_whole_and_answered),
        cmocka_unit_test(test_deferred_answers_leave_in_the_order_of_the_requests),
        cmocka_unit_test(test_a_request_may_come_byte_by_byte),
        cmocka_unit_test(test_a_connection_is_kept_or_closed_as_the_client_says),
        cmocka_unit_test(test_forms_of_requests_and_answers),
        cmocka_unit_test(test_a_client_that_expects_100_continue_gets_it_in_turn),
        cmocka_unit_test(test_more_pipelined_requests_than_the_bound_wait_in_the_socket),
        cmocka_unit_test(test_a_client_that_goes_away_during_deferred_answers_is_told_of_each),
        cmocka_unit_test(test_a_client_that_only_ends_its_sending_side_is_still_answered),
        cmocka_unit_test(test_where_half_a_close_counts_as_gone_the_handler_hears_of_it),
        cmocka_unit_test(test_a_stopped_server_says_gone_for_what_was_not_answered),
        cmocka_unit_test(test_large_bodies_and_answers_pass_whole),
        cmocka_unit_test(test_draining_closes_idle_connections_and_finishes_running_requests),
        cmocka_unit_test(test_a_taken_port_is_named),
        cmocka_unit_test(test_a_shared_port_is_not_shared_with_strangers),
        cmocka_unit_test(test_requests_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
