#include "test/support/http_fixture.h"

/* What the server's thread does with the first waiting exchange. */
static void write_number(struct http_fixture *f)
{
    char text[32];
    int n = snprintf(text, sizeof text, "data: %zu\n\n", f->number++);
    http_stream_write(f->waiting[0], slice_of(text, (size_t)n));
}

static void end_all(struct http_fixture *f)
{
    for (size_t i = 0; i < f->waiting_count; i++)
        if (f->waiting[i])
            http_stream_end(f->waiting[i]);
    f->waiting_count = 0;
}

static void test_a_stream_is_chunked_and_the_connection_goes_on_behind_it(void **state)
{
    (void)state;
    struct http_fixture *f = http_fixture_start(http_fixture_options());
    int fd = http_client(f);
    http_client_say(fd, "GET /stream HTTP/1.1\r\n" HOST "\r\n");
    char *heard = http_client_hear(fd, "\r\n\r\n");
    assert_string_equal(heard, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
                               "Transfer-Encoding: chunked\r\n\r\n");
    http_fixture_on_loop(f, write_number);
    assert_string_equal(http_client_hear(fd, "0\n\n\r\n"), "9\r\ndata: 0\n\n\r\n");
    http_client_say(fd, "GET /next HTTP/1.1\r\n" HOST "\r\n"); /* waits for the end of the stream */
    assert_true(http_fixture_wait(f, &f->handled, 2));
    http_fixture_on_loop(f, write_number);
    assert_string_equal(http_client_hear(fd, "1\n\n\r\n"), "9\r\ndata: 1\n\n\r\n");
    http_fixture_on_loop(f, end_all);
    assert_starts(http_client_hear(fd, "x= 0:"), "0\r\n\r\nHTTP/1.1 200 OK\r\n");
    close(fd);
    assert_int_equal(f->gone, 0);
    http_fixture_finish(f);
}

static void write_behind(struct http_fixture *f)
{
    http_stream_write(f->waiting[1], SLICE("early"));
    f->number = http_stream_pending(f->waiting[1]);
}

static void answer_first(struct http_fixture *f)
{
    struct http_answer answer = { .status = 200, .body = SLICE("{}") };
    http_answer(f->waiting[0], &answer);
    f->waiting[0] = NULL;
    http_stream_write(f->waiting[1], SLICE("late"));
}

static void test_a_stream_behind_an_unanswered_request_waits_its_turn(void **state)
{
    (void)state;
    struct http_fixture *f = http_fixture_start(http_fixture_options());
    int fd = http_client(f);
    http_client_say(fd, "GET /defer HTTP/1.1\r\n" HOST "\r\nGET /stream HTTP/1.0\r\n\r\n");
    assert_true(http_fixture_wait(f, &f->handled, 2));
    http_fixture_on_loop(f, write_behind);
    assert_true(f->number > 5); /* the head and "early" */
    http_fixture_on_loop(f, answer_first);
    http_fixture_on_loop(f, end_all);
    /* HTTP/1.0: no chunks, the end is the end of the connection. */
    assert_string_equal(http_client_hear(fd, NULL),
                        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
                        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n"
                        "Cache-Control: no-store\r\n\r\nearlylate");
    close(fd);
    http_fixture_finish(f);
}

static void test_a_stream_to_head_has_no_body(void **state)
{
    (void)state;
    struct http_fixture *f = http_fixture_start(http_fixture_options());
    int fd = http_client(f);
    http_client_say(fd, "HEAD /stream HTTP/1.1\r\n" HOST CLOSE "\r\n");
    assert_true(http_fixture_wait(f, &f->handled, 1));
    http_fixture_on_loop(f, write_number);
    http_fixture_on_loop(f, end_all);
    char *heard = http_client_hear(fd, NULL);
    assert_string_equal(strstr(heard, "\r\n\r\n"), "\r\n\r\n");
    close(fd);
    http_fixture_finish(f);
}

static void test_a_client_that_leaves_its_stream_is_gone_however_it_leaves(void **state)
{
    (void)state;
    struct http_fixture *f = http_fixture_start(http_fixture_options());
    for (unsigned i = 0; i < 2; i++) {
        int fd = http_client(f);
        http_client_say(fd, "GET /stream HTTP/1.1\r\n" HOST "\r\n");
        assert_true(http_fixture_wait(f, &f->handled, i + 1));
        http_client_hear(fd, "\r\n\r\n");
        struct linger linger = { .l_onoff = (int)i };
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
        close(fd); /* first with FIN, then with RST */
        assert_true(http_fixture_wait(f, &f->gone, i + 1));
        assert_null(f->waiting[i]);
    }
    http_fixture_finish(f);
}

static void write_until_pending(struct http_fixture *f)
{
    static char part[100000];
    memset(part, 's', sizeof part);
    for (int i = 0; i < 20 && f->waiting[0] && http_stream_pending(f->waiting[0]) < 1 << 20; i++)
        http_stream_write(f->waiting[0], slice_of(part, sizeof part));
    f->number = f->waiting[0] ? http_stream_pending(f->waiting[0]) : SIZE_MAX;
}

static void look_at_pending(struct http_fixture *f)
{
    f->number = f->waiting[0] ? http_stream_pending(f->waiting[0]) : SIZE_MAX;
}

/* Writes until the kernel takes no more of it: what is pending stays the same for a while. */
static void fill(struct http_fixture *f)
{
    size_t before = 0;
    f->number = 0;
    for (int i = 0; i < 500 && (f->number < 1 << 20 || f->number != before); i++) {
        http_fixture_on_loop(f, write_until_pending);
        before = f->number;
        usleep(10000);
        http_fixture_on_loop(f, look_at_pending);
    }
    assert_true(f->number >= 1 << 20 && f->number < 3 << 20);
}

static void test_a_slow_reader_is_seen_in_pending_and_cut_off_when_it_stalls(void **state)
{
    (void)state;
    struct http_server_options options = http_fixture_options();
    options.answer_timeout_ms = 500;
    struct http_fixture *f = http_fixture_start(options);
    int fd = http_client(f), receive_bytes = 64 * 1024;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
    http_client_say(fd, "GET /stream HTTP/1.1\r\n" HOST "\r\n");
    http_client_hear(fd, "\r\n\r\n");
    assert_true(http_fixture_wait(f, &f->handled, 1));
    fill(f);
    /* It takes some: pending shrinks. */
    static char part[1 << 20];
    size_t before = f->number;
    for (int i = 0; i < 1000 && f->number >= before; i++) {
        assert_true(recv(fd, part, sizeof part, 0) > 0);
        http_fixture_on_loop(f, look_at_pending);
    }
    assert_true(f->number < before);
    /* It stalls. */
    fill(f);
    assert_true(http_fixture_wait(f, &f->gone, 1));
    close(fd);
    http_fixture_finish(f);
}

static void write_without_bound(struct http_fixture *f)
{
    static char part[8 << 20];
    for (int i = 0; i < 20 && f->waiting[0]; i++)
        http_stream_write(f->waiting[0], slice_of(part, sizeof part));
}

static void test_a_writer_that_does_not_look_at_pending_loses_the_connection(void **state)
{
    (void)state;
    struct http_fixture *f = http_fixture_start(http_fixture_options());
    int fd = http_client(f);
    http_client_say(fd, "GET /stream HTTP/1.1\r\n" HOST "\r\n");
    http_client_hear(fd, "\r\n\r\n");
    assert_true(http_fixture_wait(f, &f->handled, 1));
    http_fixture_on_loop(f, write_without_bound);
    assert_true(http_fixture_wait(f, &f->gone, 1));
    close(fd);
    http_fixture_finish(f);
}

static void on_drained(void *self)
{
    struct http_fixture *f = self;
    pthread_mutex_lock(&f->mutex);
    f->drained++;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->mutex);
}

static void drain(struct http_fixture *f)
{
    http_server_drain(f->server, on_drained, f);
}

static void test_a_drained_server_closes_the_connection_behind_a_stream_that_was_begun_before(void **state)
{
    (void)state;
    struct http_fixture *f = http_fixture_start(http_fixture_options());
    int fd = http_client(f);
    http_client_say(fd, "GET /stream HTTP/1.1\r\n" HOST "\r\n");
    http_client_hear(fd, "chunked\r\n\r\n");
    http_fixture_on_loop(f, drain);
    http_fixture_on_loop(f, write_number);
    assert_string_equal(http_client_hear(fd, "\n\r\n"), "9\r\ndata: 0\n\n\r\n");
    http_fixture_on_loop(f, end_all);
    assert_string_equal(http_client_hear(fd, NULL), "0\r\n\r\n");
    close(fd);
    assert_true(http_fixture_wait(f, &f->drained, 1));
    assert_int_equal(f->gone, 0);
    http_fixture_finish(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_stream_is_chunked_and_the_connection_goes_on_behind_it),
        cmocka_unit_test(test_a_stream_behind_an_unanswered_request_waits_its_turn),
        cmocka_unit_test(test_a_stream_to_head_has_no_body),
        cmocka_unit_test(test_a_client_that_leaves_its_stream_is_gone_however_it_leaves),
        cmocka_unit_test(test_a_slow_reader_is_seen_in_pending_and_cut_off_when_it_stalls),
        cmocka_unit_test(test_a_drained_server_closes_the_connection_behind_a_stream_that_was_begun_before),
        cmocka_unit_test(test_a_writer_that_does_not_look_at_pending_loses_the_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
