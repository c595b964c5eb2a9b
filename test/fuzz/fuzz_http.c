/* Bytes from outside → a connection of the HTTP server, over a socket pair, with a handler that touches all that a
 * handler can. The first byte chooses the size of the pieces in which the rest arrives, whether the client reads
 * meanwhile, when deferred answers come, and whether the client then ends its side or cuts the connection. Looked for,
 * besides what the sanitizers see: a request that is answered twice or never, a connection or a byte of the body budget
 * that is not given back. */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/http_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { KEPT_MAX = 256 };

static uv_loop_t loop;
static struct http_server *server;
static struct metrics *metrics;
static struct http_exchange *kept[KEPT_MAX];
static size_t kept_count;
static volatile unsigned touched;

static void touch(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        touched += (unsigned char)s.p[i];
}

static void answer(struct http_exchange *exchange)
{
    struct http_answer it = { .status = 200, .body = http_path(exchange) };
    if (http_query(exchange).n)
        it.extra_headers = SLICE("X-Query: yes\r\n");
    http_answer(exchange, &it);
}

static void handle(void *self, struct http_exchange *exchange)
{
    (void)self;
    struct slice path = http_path(exchange), body = http_body(exchange);
    assert(path.n && (path.p[0] == '/' || path.p[0] == '*'));
    touch(path);
    touch(http_query(exchange));
    touch(http_header(exchange, "host"));
    touch(http_header(exchange, "content-type"));
    touch(http_remote_address(exchange));
    touched += http_method(exchange) + http_is_loopback(exchange);
    for (unsigned i = 0; i < exchange->header_count; i++) {
        touch(exchange->headers[i].name);
        touch(exchange->headers[i].value);
    }
    touch((struct slice){ body.p, body.n + HTTP_BODY_PADDING });
    if (body.n)
        memset((char *)body.p, 'w', body.n);
    bool stream = path.n > 1 && path.p[1] == 's';
    if (stream) {
        http_stream_begin(exchange, 200, "text/plain", (struct slice){ "", 0 });
        http_stream_write(exchange, body);
        touched += (unsigned)http_stream_pending(exchange);
    }
    if ((stream || (path.n > 1 && path.p[1] == 'd')) && kept_count < KEPT_MAX) {
        http_set_context(exchange, (void *)(uintptr_t)kept_count);
        kept[kept_count++] = exchange;
    } else if (stream) {
        http_stream_end(exchange);
    } else {
        answer(exchange);
    }
}

static void gone(void *self, struct http_exchange *exchange)
{
    (void)self;
    assert(kept[(uintptr_t)http_context(exchange)] == exchange);
    kept[(uintptr_t)http_context(exchange)] = NULL;
}

static void answer_kept(void)
{
    for (size_t i = kept_count; i-- > 0;) {
        struct http_exchange *exchange = kept[i];
        kept[i] = NULL;
        if (exchange && exchange->state == EXCHANGE_STREAMING)
            http_stream_end(exchange);
        else if (exchange)
            answer(exchange);
    }
    kept_count = 0;
}

static void start(void)
{
    struct http_server_options options = {
        .name = "fuzz",
        .host = "127.0.0.1",
        .connections_max = 10,
        .body_bytes_max = 100000,
        .buffered_bytes_max = 300000,
        .head_bytes_max = 4096,
        .head_timeout_ms = 1000000,
        .body_timeout_ms = 1000000,
        .idle_timeout_ms = 1000000,
        .answer_timeout_ms = 1000000,
    };
    struct error err;
    uv_loop_init(&loop);
    metrics = metrics_new(100);
    if (http_server_start(&options, &loop, metrics, handle, gone, NULL, &server, &err) != OK)
        abort();
}

static void turn(int fd, bool reads)
{
    char heard[65536];
    uv_run(&loop, UV_RUN_NOWAIT);
    if (!reads)
        return;
    while (recv(fd, heard, sizeof heard, MSG_DONTWAIT) == sizeof heard)
        ;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    if (!server)
        start();
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
        abort();
    int send_bytes = 4096; /* so that answers stay behind when the client does not read */
    setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &send_bytes, sizeof send_bytes);
    struct sockaddr nobody = { .sa_family = AF_UNIX };
    http_server_accept(server, pair[1], &nobody);
    size_t piece = data[0] & 0x1f ? (size_t)(data[0] & 0x1f) * 9 : size;
    bool cut = data[0] & 0x80, answer_between = data[0] & 0x40, reads = !(data[0] & 0x20);
    for (size_t at = 1; at < size;) {
        size_t n = size - at < piece ? size - at : piece;
        ssize_t sent = send(pair[0], data + at, n, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN)
            break;
        at += sent > 0 ? (size_t)sent : 0;
        turn(pair[0], reads);
        if (answer_between)
            answer_kept();
        if (sent < 0 && !(answer_between && reads))
            break; /* it does not read on before it is read or has answered */
    }
    if (!cut) {
        shutdown(pair[0], SHUT_WR);
        for (int i = 0; i < 100 && server->connection_count; i++) {
            turn(pair[0], true);
            answer_kept();
        }
    }
    close(pair[0]);
    /* A deferred answer is owed even after the end of the client's side: half of a close is not distinguishable. */
    for (int i = 0; i < 100 && server->connection_count; i++) {
        uv_run(&loop, UV_RUN_NOWAIT);
        if (i > 2)
            answer_kept();
    }
    answer_kept();
    assert(server->connection_count == 0 && server->buffered_bytes == 0 && !server->dirty);
    return 0;
}
