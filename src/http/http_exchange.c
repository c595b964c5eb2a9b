/* What handlers call: views of the request, answers, streams; and the pool of exchanges. An answer whose turn it is is
 * written into the connection's `out` at once; one that comes before its turn waits in the exchange. Nothing is sent
 * from here and nobody is called back: that happens when the connection settles, so a handler may answer from wherever
 * it likes. Exchanges are pooled by the server, not by the connection: ten thousand idle connections hold none, and
 * the one used last is still in the cache. */
#include <stdio.h>
#include <stdlib.h>

#include "http/http_internal.h"

struct http_exchange *http_exchange_take(struct http_server *server)
{
    struct http_exchange *exchange = server->pool;
    if (exchange) {
        server->pool = exchange->next;
        server->pool_count--;
    } else {
        exchange = calloc(1, sizeof *exchange);
        if (!exchange)
            return NULL;
        buf_init(&exchange->answer, HTTP_OUT_BYTES_MAX);
    }
    assert(exchange->state == EXCHANGE_FREE && exchange->body_counted == 0);
    exchange->next = NULL;
    exchange->state = EXCHANGE_INCOMING;
    exchange->close = exchange->old_protocol = exchange->keep_alive = exchange->head_only = false;
    exchange->chunked_answer = exchange->continue_due = false;
    exchange->method = HTTP_METHOD_OTHER;
    exchange->path = exchange->query = (struct slice){ "", 0 };
    exchange->context = NULL;
    exchange->head_bytes = exchange->line_start = exchange->header_count = 0;
    exchange->body_bytes = 0;
    exchange->body_expected = 0;
    exchange->chunked = (struct chunked){ 0 };
    return exchange;
}

static void exchange_free(struct http_exchange *exchange)
{
    free(exchange->head);
    free(exchange->body);
    buf_done(&exchange->answer);
    free(exchange);
}

void http_exchange_release(struct http_server *server, struct http_exchange *exchange)
{
    assert(exchange->state != EXCHANGE_FREE && exchange->body_counted <= server->buffered_bytes);
    server->buffered_bytes -= exchange->body_counted;
    exchange->body_counted = 0;
    exchange->state = EXCHANGE_FREE;
    exchange->connection = NULL;
    if (server->pool_count >= HTTP_POOL_MAX || server->stopped) {
        exchange_free(exchange);
        return;
    }
    if (exchange->body_capacity > HTTP_KEPT_BYTES) {
        free(exchange->body);
        exchange->body = NULL;
        exchange->body_capacity = 0;
    }
    if (exchange->head_capacity > HTTP_KEPT_BYTES) {
        free(exchange->head);
        exchange->head = NULL;
        exchange->head_capacity = 0;
    }
    if (exchange->answer.capacity > HTTP_KEPT_BYTES)
        buf_done(&exchange->answer);
    buf_reset(&exchange->answer);
    exchange->next = server->pool;
    server->pool = exchange;
    server->pool_count++;
}

void http_exchange_pool_free(struct http_server *server)
{
    while (server->pool) {
        struct http_exchange *exchange = server->pool;
        server->pool = exchange->next;
        exchange_free(exchange);
    }
    server->pool_count = 0;
}

static bool is_with_handler(const struct http_exchange *exchange)
{
    return exchange->state == EXCHANGE_HANDLED || exchange->state == EXCHANGE_STREAMING;
}

enum http_method http_method(const struct http_exchange *exchange)
{
    return exchange->method;
}

struct slice http_path(const struct http_exchange *exchange)
{
    assert(is_with_handler(exchange));
    return exchange->path;
}

struct slice http_query(const struct http_exchange *exchange)
{
    assert(is_with_handler(exchange));
    return exchange->query;
}

struct slice http_header(const struct http_exchange *exchange, const char *name)
{
    assert(is_with_handler(exchange));
    struct slice wanted = slice_from(name);
    for (unsigned i = 0; i < exchange->header_count; i++) {
        const struct http_header *header = &exchange->headers[i];
        if (header->name.n == wanted.n && slice_equal_nocase(header->name, wanted))
            return header->value;
    }
    return (struct slice){ NULL, 0 };
}

struct slice http_body(struct http_exchange *exchange)
{
    static char nothing[HTTP_BODY_PADDING];
    assert(is_with_handler(exchange));
    if (exchange->body_bytes == 0)
        return (struct slice){ nothing, 0 };
    return (struct slice){ exchange->body, exchange->body_bytes };
}

struct slice http_remote_address(const struct http_exchange *exchange)
{
    assert(is_with_handler(exchange));
    return (struct slice){ exchange->connection->address, exchange->connection->address_bytes };
}

bool http_is_loopback(const struct http_exchange *exchange)
{
    assert(is_with_handler(exchange));
    return exchange->connection->loopback;
}

void http_set_context(struct http_exchange *exchange, void *context)
{
    assert(is_with_handler(exchange));
    exchange->context = context;
}

void *http_context(const struct http_exchange *exchange)
{
    return exchange->context;
}

static const char *reason_phrase(unsigned status)
{
    static const struct {
        unsigned status;
        const char *phrase;
    } PHRASES[] = {
        { 200, "OK" },
        { 202, "Accepted" },
        { 201, "Created" },
        { 204, "No Content" },
        { 206, "Partial Content" },
        { 301, "Moved Permanently" },
        { 302, "Found" },
        { 303, "See Other" },
        { 304, "Not Modified" },
        { 307, "Temporary Redirect" },
        { 308, "Permanent Redirect" },
        { 400, "Bad Request" },
        { 401, "Unauthorized" },
        { 403, "Forbidden" },
        { 404, "Not Found" },
        { 405, "Method Not Allowed" },
        { 406, "Not Acceptable" },
        { 408, "Request Timeout" },
        { 409, "Conflict" },
        { 410, "Gone" },
        { 411, "Length Required" },
        { 412, "Precondition Failed" },
        { 413, "Content Too Large" },
        { 414, "URI Too Long" },
        { 415, "Unsupported Media Type" },
        { 417, "Expectation Failed" },
        { 422, "Unprocessable Content" },
        { 426, "Upgrade Required" },
        { 429, "Too Many Requests" },
        { 431, "Request Header Fields Too Large" },
        { 500, "Internal Server Error" },
        { 501, "Not Implemented" },
        { 502, "Bad Gateway" },
        { 503, "Service Unavailable" },
        { 504, "Gateway Timeout" },
        { 505, "HTTP Version Not Supported" },
    };
    for (size_t i = 0; i < COUNT_OF(PHRASES); i++)
        if (PHRASES[i].status == status)
            return PHRASES[i].phrase;
    return "Status";
}

/* Where the exchange's bytes go now: out when its turn has come. */
static struct buf *target(struct http_exchange *exchange)
{
    struct http_connection *connection = exchange->connection;
    return connection->first == exchange ? &connection->out : &exchange->answer;
}

static void add_head(struct buf *to, const struct http_exchange *exchange, unsigned status, const char *content_type,
                     struct slice extra_headers)
{
    assert(status >= 200 && status <= 599);
    buf_add_slice(to, SLICE("HTTP/1.1 "));
    buf_add_u64(to, status);
    buf_add_char(to, ' ');
    buf_add_text(to, reason_phrase(status));
    if (status != 204 && status != 304) {
        buf_add_slice(to, SLICE("\r\nContent-Type: "));
        buf_add_text(to, content_type ? content_type : "application/json");
    }
    if (exchange->close)
        buf_add_slice(to, SLICE("\r\nConnection: close\r\n"));
    else if (exchange->keep_alive)
        buf_add_slice(to, SLICE("\r\nConnection: keep-alive\r\n"));
    else
        buf_add_slice(to, SLICE("\r\n"));
    assert(extra_headers.n == 0 || (extra_headers.n > 2 && extra_headers.p[extra_headers.n - 1] == '\n'));
    buf_add_slice(to, extra_headers);
}

/* A server that drains keeps no connection: its last answer says so. */
static void decide_close(struct http_exchange *exchange)
{
    struct http_connection *connection = exchange->connection;
    if (connection->server->draining && connection->last == exchange && connection->held.n == 0)
        exchange->close = true;
    if (exchange->close && !connection->incoming)
        connection->state = READ_DISCARD;
}

static void count_answer(const struct http_exchange *exchange, unsigned status)
{
    counter_add(exchange->connection->server->requests[status / 100], 1);
}

static void finish_answer(struct http_exchange *exchange)
{
    struct http_connection *connection = exchange->connection;
    if (target(exchange)->full)
        connection->failed = true;
    exchange->state = EXCHANGE_ANSWERED;
    if (connection->first == exchange)
        http_connection_advance(connection);
    http_connection_mark(connection);
}

void http_answer(struct http_exchange *exchange, const struct http_answer *answer)
{
    assert(exchange->state == EXCHANGE_HANDLED);
    if (exchange->connection->closing) {
        exchange->state = EXCHANGE_ANSWERED;
        return;
    }
    decide_close(exchange);
    count_answer(exchange, answer->status);
    struct buf *to = target(exchange);
    /* One look at the capacity for all that follows. */
    buf_reserve(to, 256 + answer->extra_headers.n + answer->body.n);
    add_head(to, exchange, answer->status, answer->content_type, answer->extra_headers);
    if (answer->status == 204 || answer->status == 304) {
        buf_add_slice(to, SLICE("\r\n"));
    } else {
        buf_add_slice(to, SLICE("Content-Length: "));
        buf_add_u64(to, answer->body.n);
        buf_add_slice(to, SLICE("\r\n\r\n"));
        if (!exchange->head_only)
            buf_add_slice(to, answer->body);
    }
    finish_answer(exchange);
}

void http_stream_begin(struct http_exchange *exchange, unsigned status, const char *content_type,
                       struct slice extra_headers)
{
    assert(exchange->state == EXCHANGE_HANDLED);
    exchange->state = EXCHANGE_STREAMING;
    struct http_connection *connection = exchange->connection;
    if (connection->closing)
        return;
    /* HTTP/1.0 knows no chunks: the end of the connection is the end of the stream. */
    exchange->chunked_answer = !exchange->old_protocol;
    if (exchange->old_protocol) {
        exchange->close = true;
        exchange->keep_alive = false;
    }
    decide_close(exchange);
    count_answer(exchange, status);
    struct buf *to = target(exchange);
    add_head(to, exchange, status, content_type, extra_headers);
    buf_add_text(to, exchange->chunked_answer ? "Transfer-Encoding: chunked\r\n\r\n" : "\r\n");
    http_connection_mark(connection);
}

void http_stream_write(struct http_exchange *exchange, struct slice bytes)
{
    assert(exchange->state == EXCHANGE_STREAMING);
    struct http_connection *connection = exchange->connection;
    if (connection->closing || bytes.n == 0 || exchange->head_only)
        return;
    struct buf *to = target(exchange);
    if (exchange->chunked_answer) {
        char size[24];
        int n = snprintf(size, sizeof size, "%zx\r\n", bytes.n);
        buf_add(to, size, (size_t)n);
    }
    buf_add_slice(to, bytes);
    if (exchange->chunked_answer)
        buf_add_slice(to, SLICE("\r\n"));
    if (to->full)
        connection->failed = true;
    http_connection_mark(connection);
}

size_t http_stream_pending(const struct http_exchange *exchange)
{
    assert(exchange->state == EXCHANGE_STREAMING);
    const struct http_connection *connection = exchange->connection;
    if (connection->first == exchange)
        return http_write_pending(connection);
    return http_write_pending(connection) + exchange->answer.n;
}

void http_stream_end(struct http_exchange *exchange)
{
    assert(exchange->state == EXCHANGE_STREAMING);
    if (exchange->connection->closing) {
        exchange->state = EXCHANGE_ANSWERED;
        return;
    }
    if (exchange->chunked_answer && !exchange->head_only)
        buf_add_slice(target(exchange), SLICE("0\r\n\r\n"));
    finish_answer(exchange);
}
