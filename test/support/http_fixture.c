/* cmocka's asserts jump out of the function, so they are used on the test's thread only; the server's thread uses
 * assert. */
#include "test/support/http_fixture.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <time.h>

static void echo(struct http_exchange *exchange)
{
    static const char *const METHODS[] = {
        [HTTP_METHOD_GET] = "GET",       [HTTP_METHOD_POST] = "POST", [HTTP_METHOD_PUT] = "PUT",
        [HTTP_METHOD_DELETE] = "DELETE", [HTTP_METHOD_HEAD] = "HEAD", [HTTP_METHOD_OPTIONS] = "OPTIONS",
        [HTTP_METHOD_OTHER] = "OTHER",
    };
    struct slice body = http_body(exchange), path = http_path(exchange), query = http_query(exchange);
    for (size_t i = 0; i < 64; i++)
        assert(body.p[body.n + i] == 0);
    AUTO(buf) struct buf text;
    buf_init(&text, 64 << 20);
    buf_add_format(&text, "%s %.*s?%.*s x=%.*s %zu:", METHODS[http_method(exchange)], SLICE_ARG(path), SLICE_ARG(query),
                   SLICE_ARG(http_header(exchange, "x-test")), body.n);
    buf_add_slice(&text, body);
    struct http_answer answer = { .status = 200, .content_type = "text/plain", .body = buf_slice(&text) };
    answer.extra_headers = SLICE("X-Extra: yes\r\n");
    if (slice_starts(path, SLICE("/204")))
        answer = (struct http_answer){ .status = 204 };
    http_answer(exchange, &answer);
}

static void handle(void *self, struct http_exchange *exchange)
{
    struct http_fixture *f = self;
    struct slice path = http_path(exchange);
    bool stream = slice_starts(path, SLICE("/stream")), defer = slice_starts(path, SLICE("/defer"));
    assert(http_is_loopback(exchange) && slice_equal(http_remote_address(exchange), SLICE("127.0.0.1")));
    if (stream)
        http_stream_begin(exchange, 200, "text/event-stream", SLICE("Cache-Control: no-store\r\n"));
    pthread_mutex_lock(&f->mutex);
    f->handled++;
    if (defer || stream) {
        assert(f->waiting_count < COUNT_OF(f->waiting));
        http_set_context(exchange, (void *)(uintptr_t)f->waiting_count);
        f->waiting[f->waiting_count++] = exchange;
    }
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->mutex);
    if (!defer && !stream)
        echo(exchange);
}

static void went(void *self, struct http_exchange *exchange)
{
    struct http_fixture *f = self;
    pthread_mutex_lock(&f->mutex);
    f->waiting[(uintptr_t)http_context(exchange)] = NULL;
    f->gone++;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->mutex);
}

static void on_call(uv_async_t *async)
{
    struct http_fixture *f = async->data;
    if (!f->todo)
        return;
    f->todo(f);
    pthread_mutex_lock(&f->mutex);
    f->todo = NULL;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->mutex);
}

void http_fixture_on_loop(struct http_fixture *f, void (*todo)(struct http_fixture *))
{
    pthread_mutex_lock(&f->mutex);
    f->todo = todo;
    uv_async_send(&f->call);
    while (f->todo)
        pthread_cond_wait(&f->changed, &f->mutex);
    pthread_mutex_unlock(&f->mutex);
}

bool http_fixture_wait(struct http_fixture *f, const _Atomic unsigned *what, unsigned at_least)
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
    struct http_fixture *f = self;
    uv_run(&f->loop, UV_RUN_DEFAULT);
    return NULL;
}

struct http_server_options http_fixture_options(void)
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

struct http_fixture *http_fixture_start(struct http_server_options options)
{
    struct http_fixture *f = calloc(1, sizeof *f);
    struct error err;
    assert_non_null(f);
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

void http_fixture_stop(struct http_fixture *f)
{
    http_server_stop(f->server);
    uv_close((uv_handle_t *)&f->call, NULL);
}

void http_fixture_free(struct http_fixture *f)
{
    pthread_join(f->thread, NULL);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    http_server_free(f->server);
    metrics_free(f->metrics);
    free(f);
}

void http_fixture_finish(struct http_fixture *f)
{
    http_fixture_on_loop(f, http_fixture_stop);
    http_fixture_free(f);
}

void http_fixture_no_handler(void *self, struct http_exchange *exchange)
{
    (void)self, (void)exchange;
    abort();
}

void http_fixture_answer_reversed(struct http_fixture *f)
{
    for (size_t i = f->waiting_count; i-- > 0;) {
        char text[32];
        snprintf(text, sizeof text, "answer %zu;", i);
        struct http_answer answer = { .status = 200, .content_type = "text/plain", .body = slice_from(text) };
        if (f->waiting[i])
            http_answer(f->waiting[i], &answer);
    }
    f->waiting_count = 0;
}

double http_fixture_metric(struct http_fixture *f, const char *series)
{
    AUTO(buf) struct buf text;
    buf_init(&text, 1 << 20);
    metrics_render(f->metrics, &text);
    const char *line = strstr(buf_text(&text), series);
    return line ? atof(line + strlen(series)) : -1;
}

int http_client(struct http_fixture *f)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(f->port) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
    assert_true(fd >= 0);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

void http_client_put(int fd, const char *bytes, size_t n)
{
    while (n) {
        ssize_t written = send(fd, bytes, n, MSG_NOSIGNAL);
        if (written <= 0)
            return; /* the test looks at what comes back */
        bytes += written;
        n -= (size_t)written;
    }
}

void http_client_say(int fd, const char *text)
{
    http_client_put(fd, text, strlen(text));
}

char *http_client_hear(int fd, const char *text)
{
    static char heard[32 << 20];
    size_t n = 0, length = text ? strlen(text) : 0;
    struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
    heard[0] = '\0';
    while (n < sizeof heard - 1 && poll(&poll_fd, 1, 10000) > 0) {
        ssize_t got = recv(fd, heard + n, text ? 1 : sizeof heard - 1 - n, 0);
        if (got <= 0)
            break;
        n += (size_t)got;
        heard[n] = '\0';
        if (text && n >= length && memcmp(heard + n - length, text, length) == 0)
            break;
    }
    return heard;
}

bool http_client_sees_close(int fd, int within_ms)
{
    char bytes[4096];
    struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
    while (poll(&poll_fd, 1, within_ms) > 0)
        if (recv(fd, bytes, sizeof bytes, 0) <= 0)
            return true;
    return false;
}

char *http_client_ask(struct http_fixture *f, const char *request)
{
    int fd = http_client(f);
    http_client_say(fd, request);
    char *heard = http_client_hear(fd, NULL);
    close(fd);
    return heard;
}
