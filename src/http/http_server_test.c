#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/metrics.h"
#include "base/test.h"
#include "http/http_server.h"

/* The server runs on a thread of its own; the test is its client, with bare sockets. The handler's behaviour is chosen
 * by the path. What crosses between the threads is guarded by the mutex. */
struct fixture {
    uv_loop_t loop;
    uv_async_t call;
    struct metrics *metrics;
    struct http_server *server;
    struct http_server_options options;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    void (*todo)(struct fixture *);
    struct http_exchange *waiting[256]; /* deferred, in the order of arrival; NULL: gone or answered */
    size_t waiting_count;
    unsigned handled, gone, drained;
    uint16_t port;
};

static void answer_text(struct http_exchange *exchange, unsigned status, const char *text)
{
    struct http_answer answer = { .status = status, .content_type = "text/plain", .body = slice_from(text) };
    http_answer(exchange, &answer);
}

static void echo(struct http_exchange *exchange)
{
    static const char *const METHODS[] = { "GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "OTHER" };
    struct slice body = http_body(exchange), path = http_path(exchange), query = http_query(exchange);
    for (size_t i = 0; i < 64; i++)
        assert_int_equal(body.p[body.n + i], 0);
    AUTO(buf) struct buf text;
    buf_init(&text, 64 << 20);
    buf_add_format(&text, "%s %.*s?%.*s x=%.*s %zu:", METHODS[http_method(exchange)], SLICE_ARG(path), SLICE_ARG(query),
                   SLICE_ARG(http_header(exchange, "x-test")), body.n);
    buf_add_slice(&text, body);
    struct http_answer answer = { .status = 200, .content_type = "text/plain", .body = buf_slice(&text) };
    answer.extra_headers = SLICE("X-Extra: yes\r\n");
    http_answer(exchange, &answer);
}

static void handle(void *self, struct http_exchange *exchange)
{
    struct fixture *f = self;
    struct slice path = http_path(exchange);
    pthread_mutex_lock(&f->mutex);
    f->handled++;
    if (slice_starts(path, SLICE("/defer")) || slice_starts(path, SLICE("/stream"))) {
        assert_true(f->waiting_count < 256);
        http_set_context(exchange, (void *)(uintptr_t)f->waiting_count);
        f->waiting[f->waiting_count++] = exchange;
    }
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->mutex);
    if (slice_starts(path, SLICE("/stream")))
        http_stream_begin(exchange, 200, "text/event-stream", SLICE("Cache-Control: no-store\r\n"));
    else if (!slice_starts(path, SLICE("/defer")))
        echo(exchange);
}

static void went(void *self, struct http_exchange *exchange)
{
    struct fixture *f = self;
    pthread_mutex_lock(&f->mutex);
    f->waiting[(uintptr_t)http_context(exchange)] = NULL;
    f->gone++;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->mutex);
}

static void on_call(uv_async_t *async)
{
    struct fixture *f = async->data;
    f->todo(f);
    pthread_mutex_lock(&f->mutex);
    f->todo = NULL;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->mutex);
}

/* Runs it on the server's thread and waits. */
static void on_loop(struct fixture *f, void (*todo)(struct fixture *))
{
    pthread_mutex_lock(&f->mutex);
    f->todo = todo;
    uv_async_send(&f->call);
    while (f->todo)
        pthread_cond_wait(&f->changed, &f->mutex);
    pthread_mutex_unlock(&f->mutex);
}

static bool wait_until(struct fixture *f, const unsigned *what, unsigned at_least)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 10;
    int late = 0;
    pthread_mutex_lock(&f->mutex);
    while (*what < at_least && !late)
        late = pthread_cond_timedwait(&f->changed, &f->mutex, &until);
    bool reached = *what >= at_least;
    pthread_mutex_unlock(&f->mutex);
    return reached;
}

static void *run(void *self)
{
    struct fixture *f = self;
    uv_run(&f->loop, UV_RUN_DEFAULT);
    return NULL;
}

static struct http_server_options default_options(void)
{
    return (struct http_server_options){
        .name = "test",
        .host = "127.0.0.1",
        .port_option = "--ingest-port",
        .connections_max = 100,
        .body_bytes_max = 1 << 20,
        .buffered_bytes_max = 8 << 20,
        .head_bytes_max = 16 * 1024,
        .head_timeout_ms = 10000,
        .body_timeout_ms = 10000,
        .idle_timeout_ms = 10000,
        .answer_timeout_ms = 10000,
    };
}

static struct fixture *start(struct http_server_options options)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct error err;
    f->options = options;
    f->metrics = metrics_new(100);
    pthread_mutex_init(&f->mutex, NULL);
    pthread_cond_init(&f->changed, NULL);
    assert_int_equal(uv_loop_init(&f->loop), 0);
    f->call.data = f;
    uv_async_init(&f->loop, &f->call, on_call);
    if (http_server_start(&f->options, &f->loop, f->metrics, handle, went, f, &f->server, &err) != OK)
        fail_msg("%s", err.text);
    f->port = http_server_port(f->server);
    assert_int_not_equal(f->port, 0);
    assert_int_equal(pthread_create(&f->thread, NULL, run, f), 0);
    return f;
}

static void stop_now(struct fixture *f)
{
    http_server_stop(f->server);
    uv_close((uv_handle_t *)&f->call, NULL);
}

static void finish(struct fixture *f)
{
    pthread_mutex_lock(&f->mutex);
    f->todo = stop_now;
    uv_async_send(&f->call);
    pthread_mutex_unlock(&f->mutex);
    pthread_join(f->thread, NULL);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    http_server_free(f->server);
    metrics_free(f->metrics);
    free(f);
}

static int client(struct fixture *f)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(f->port) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
    assert_true(fd >= 0);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void put(int fd, const char *bytes, size_t n)
{
    while (n) {
        ssize_t written = send(fd, bytes, n, MSG_NOSIGNAL);
        if (written <= 0)
            return; /* the test looks at what comes back */
        bytes += written;
        n -= (size_t)written;
    }
}

static void say(int fd, const char *text)
{
    put(fd, text, strlen(text));
}

/* Everything until `text` was seen, the other side closes, or ten seconds pass. */
static char *hear_until(int fd, const char *text)
{
    static char heard[4 << 20];
    size_t n = 0;
    struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
    heard[0] = '\0';
    while (n < sizeof heard - 1 && poll(&poll_fd, 1, 10000) > 0) {
        ssize_t got = recv(fd, heard + n, text ? 1 : sizeof heard - 1 - n, 0);
        if (got <= 0)
            break;
        n += (size_t)got;
        heard[n] = '\0';
        size_t length = text ? strlen(text) : 0;
        if (text && n >= length && memcmp(heard + n - length, text, length) == 0)
            break;
    }
    return heard;
}

/* A connection of its own: sends, hears everything until the server closes. */
static char *ask(struct fixture *f, const char *request)
{
    int fd = client(f);
    say(fd, request);
    char *heard = hear_until(fd, NULL);
    close(fd);
    return heard;
}

#define CLOSE "Connection: close\r\n"
#define HOST "Host: localhost\r\n"
#define assert_contains(text, part)                                                                                    \
    do {                                                                                                               \
        const char *text_ = (text);                                                                                    \
        if (!strstr(text_, (part)))                                                                                    \
            fail_msg("'%s' is not in '%.600s'", (part), text_);                                                        \
    } while (0)
#define assert_starts(text, part)                                                                                      \
    do {                                                                                                               \
        const char *text_ = (text);                                                                                    \
        if (strncmp(text_, (part), strlen(part)) != 0)                                                                 \
            fail_msg("'%.600s' does not begin with '%s'", text_, (part));                                              \
    } while (0)

static void test_a_request_is_seen_whole_and_answered(void **state)
{
    (void)state;
    struct fixture *f = start(default_options());
    char *heard = ask(f, "POST /a/b?c=d HTTP/1.1\r\n" HOST CLOSE "X-Test:  blue \r\nContent-Length: 5\r\n\r\nhello");
    assert_string_equal(heard, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\nX-Extra: yes\r\n"
                               "Content-Length: 28\r\n\r\nPOST /a/b?c=d x=blue 5:hello");
    finish(f);
}

/* Answers every waiting exchange, the youngest first. */
static void answer_all_reversed(struct fixture *f)
{
    for (size_t i = f->waiting_count; i-- > 0;) {
        char text[32];
        snprintf(text, sizeof text, "answer %zu", i);
        if (f->waiting[i])
            answer_text(f->waiting[i], 200, text);
    }
    f->waiting_count = 0;
}

static void test_deferred_answers_leave_in_the_order_of_the_requests(void **state)
{
    (void)state;
    struct fixture *f = start(default_options());
    int fd = client(f);
    say(fd, "GET /defer/0 HTTP/1.1\r\n" HOST "\r\nPOST /defer/1 HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nab"
            "GET /now HTTP/1.1\r\n" HOST "\r\nGET /defer/2 HTTP/1.1\r\n" HOST CLOSE "\r\n");
    assert_true(wait_until(f, &f->handled, 4));
    on_loop(f, answer_all_reversed);
    char *heard = hear_until(fd, NULL);
    const char *parts[] = { "answer 0", "answer 1", "GET /now", "answer 2" };
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        char *at = strstr(heard, parts[i]);
        assert_non_null(at);
        heard = at;
    }
    close(fd);
    finish(f);
}

static void test_what_could_smuggle_a_request_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *request, *status;
    } CASES[] = {
        { "POST / HTTP/1.1\r\n" HOST "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400" },
        { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n", "400" },
        { "POST / HTTP/1.1\r\n" HOST "Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde", "400" },
        { "POST / HTTP/1.1\r\n" HOST "Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd", "400" },
        { "POST / HTTP/1.1\r\n" HOST "Content-Length: 4, 4\r\n\r\nabcd", "400" },
        { "POST / HTTP/1.1\r\n" HOST "Content-Length: +4\r\n\r\nabcd", "400" },
        { "POST / HTTP/1.1\r\n" HOST "Content-Length: -4\r\n\r\nabcd", "400" },
        { "POST / HTTP/1.1\r\n" HOST "Content-Length: 0x4\r\n\r\nabcd", "400" },
        { "POST / HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999999\r\n\r\nabcd", "400" },
        { "POST / HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\nabcd", "400" },
        { "POST / HTTP/1.1\r\n" HOST "Content-Length : 4\r\n\r\nabcd", "400" },
        { "POST / HTTP/1.1\r\n" HOST "Content Length: 4\r\n\r\nabcd", "400" },
        { "POST / HTTP/1.1\r\n" HOST " Content-Length: 4\r\n\r\nabcd", "400" },
        { "POST / HTTP/1.1\r\n" HOST "X: a\r\n b\r\n\r\n", "400" },
        { "POST / HTTP/1.1\r\n" HOST "X: a\r\n\tb\r\n\r\n", "400" },
        { "POST / HTTP/1.1\r\n" HOST "X: a\nContent-Length: 4\r\n\r\nabcd", "400" },
        { "POST / HTTP/1.1\r\n" HOST "X: a\rContent-Length: 4\r\n\r\nabcd", "400" },
        { "POST / HTTP/1.1\r\n" HOST "X: a\r\rContent-Length: 4\r\n\r\nabcd", "400" },
        { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", "400" },
        { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "501" },
        { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", "501" },
        { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding:\vchunked\r\n\r\n0\r\n\r\n", "400" },
        { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
          "400" },
        { "POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400" },
        { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n", "400" },
        { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n", "400" },
        { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n5\r\nhello0\r\n\r\n", "400" },
        { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n", "400" },
        { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n", "400" },
        { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n\r\nhello\r\n0\r\n\r\n", "400" },
        { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n10000000000000005\r\nhello\r\n0\r\n\r\n",
          "400" },
        { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n5;a\nhello\r\n0\r\n\r\n", "400" },
        { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\nX: a\n\r\n\r\n", "400" },
        { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n X: a\r\n\r\n", "400" },
        { "GET / HTTP/1.1\r\n\r\n", "400" },
        { "GET / HTTP/1.1\r\n" HOST HOST "\r\n", "400" },
        { "GET / HTTP/1.0\r\n" HOST HOST "\r\n", "400" },
        { "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "400" },
        { "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "400" },
        { "GET / HTTP/1.1\r\nHost: evil@a\r\n\r\n", "400" },
        { "GET / HTTP/1.1\r\n" HOST "\x80: a\r\n\r\n", "400" },
        { "GET / HTTP/1.1\r\n" HOST ": a\r\n\r\n", "400" },
        { "GET / HTTP/1.1\r\n" HOST "nocolon\r\n\r\n", "400" },
        { "GET / HTTP/1.1\r\n" HOST "X: a\x01\r\n\r\n", "400" },
        { "GET / HTTP/1.1\r\n" HOST "X: a\x7f\r\n\r\n", "400" },
        { "GET /\r\n\r\n", "400" },
        { "GET / HTTP/1.1\n" HOST "\n", "400" },
        { "GET  / HTTP/1.1\r\n" HOST "\r\n", "400" },
        { "GET /a b HTTP/1.1\r\n" HOST "\r\n", "400" },
        { "GET /\xff HTTP/1.1\r\n" HOST "\r\n", "400" },
        { "GET /a#b HTTP/1.1\r\n" HOST "\r\n", "400" },
        { "GET a HTTP/1.1\r\n" HOST "\r\n", "400" },
        { "GET http:// HTTP/1.1\r\n" HOST "\r\n", "400" },
        { "GET / HTTP/0.9\r\n" HOST "\r\n", "505" },
        { "GET / HTTP/2.0\r\n" HOST "\r\n", "505" },
        { "GET / HTTP/1.2\r\n" HOST "\r\n", "505" },
        { "GET / HTTX/1.1\r\n" HOST "\r\n", "400" },
        { "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "400" },
        { "CONNECT a:80 HTTP/1.1\r\n" HOST "\r\n", "501" },
        { "BREW / HTTP/1.1\r\n" HOST "\r\n", "501" },
        { "get / HTTP/1.1\r\n" HOST "\r\n", "400" },
        { "\x16\x03\x01\x02", "400" },
        { "{\"event\":1}\r\n", "400" },
        { "POST / HTTP/1.1\r\n" HOST "Expect: 200-maybe\r\nContent-Length: 1\r\n\r\na", "417" },
    };
    struct fixture *f = start(default_options());
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        char *heard = ask(f, CASES[i].request);
        char wanted[64];
        snprintf(wanted, sizeof wanted, "HTTP/1.1 %s ", CASES[i].status);
        if (strncmp(heard, wanted, strlen(wanted)) != 0)
            fail_msg("case %zu '%s': '%.200s' is not %s", i, CASES[i].request, heard, CASES[i].status);
        assert_contains(heard, "\r\nConnection: close\r\n");
        assert_contains(heard, "{\"code\":\"");
        assert_null(strstr(heard, "}HTTP/1.1")); /* nothing behind it was taken for a request */
    }
    assert_int_equal(f->handled, 0);
    finish(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_request_is_seen_whole_and_answered),
        cmocka_unit_test(test_deferred_answers_leave_in_the_order_of_the_requests),
        cmocka_unit_test(test_what_could_smuggle_a_request_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
