/* The life of a connection: bytes in, requests handed over in order, answers out in the same order. Everything that
 * can happen (bytes, an answer, room in the socket, a time-out) ends in http_connection_settle, the one place that
 * sends, resumes, closes and starts or stops reading. Handlers run inside of http_connection_receive, and what they
 * do only changes state, so no callback runs within another.
 * The end of a connection: once its last answer is sent, our side is shut and what still comes is thrown away until
 * the client closes, or too much came, or too long passed. */
#include <stdlib.h>
#include <sys/socket.h>

#include "http/http_internal.h"

enum { LINGER_DRAINING_MS = 300 };

struct http_connection *http_connection_new(struct http_server *server)
{
    struct http_connection *connection = calloc(1, sizeof *connection);
    if (!connection)
        return NULL;
    connection->server = server;
    buf_init(&connection->held, 2 * HTTP_READ_BYTES);
    buf_init(&connection->out, HTTP_OUT_BYTES_MAX);
    buf_init(&connection->wire, (size_t)HTTP_OUT_BYTES_MAX + HTTP_OUT_BYTES_MAX / 8);
    connection->next = server->connections;
    if (connection->next)
        connection->next->previous = connection;
    server->connections = connection;
    server->connection_count++;
    gauge_set(server->connections_gauge, (double)server->connection_count);
    return connection;
}

static void on_closed(uv_handle_t *handle)
{
    struct http_connection *connection = (struct http_connection *)handle;
    struct http_server *server = connection->server;
    if (connection->previous)
        connection->previous->next = connection->next;
    else
        server->connections = connection->next;
    if (connection->next)
        connection->next->previous = connection->previous;
    http_tls_close(connection);
    buf_done(&connection->held);
    buf_done(&connection->out);
    buf_done(&connection->wire);
    server->connection_count--;
    server->turned_away_count -= connection->turned_away;
    gauge_set(server->connections_gauge, (double)server->connection_count);
    free(connection);
    http_server_connection_closed(server);
}

static void unmark(struct http_connection *connection)
{
    if (!connection->dirty)
        return;
    struct http_connection **at = &connection->server->dirty;
    while (*at != connection)
        at = &(*at)->next_dirty;
    *at = connection->next_dirty;
    connection->dirty = false;
}

void http_connection_close(struct http_connection *connection)
{
    if (connection->closing)
        return;
    struct http_server *server = connection->server;
    connection->closing = true;
    unmark(connection);
    connection->incoming = NULL;
    /* A handler that hears of one exchange may answer the others: their state tells. */
    while (connection->first) {
        struct http_exchange *exchange = connection->first;
        connection->first = exchange->next;
        if (exchange->state == EXCHANGE_HANDLED || exchange->state == EXCHANGE_STREAMING)
            server->gone(server->self, exchange);
        http_exchange_release(server, exchange);
    }
    connection->last = NULL;
    connection->exchange_count = 0;
    uv_close((uv_handle_t *)&connection->tcp, on_closed);
}

void http_connection_mark(struct http_connection *connection)
{
    if (connection->dirty || connection->receiving || connection->closing)
        return;
    connection->dirty = true;
    connection->next_dirty = connection->server->dirty;
    connection->server->dirty = connection;
}

bool http_connection_begin(struct http_connection *connection)
{
    struct http_exchange *exchange = http_exchange_take(connection->server);
    if (!exchange)
        return false;
    exchange->connection = connection;
    if (connection->last)
        connection->last->next = exchange;
    else
        connection->first = exchange;
    connection->last = connection->incoming = exchange;
    connection->exchange_count++;
    return true;
}

/* The client ended in the middle of a request: there is nobody to answer it. */
static void drop_incoming(struct http_connection *connection)
{
    struct http_exchange *exchange = connection->incoming, *before = NULL;
    if (!exchange)
        return;
    assert(exchange == connection->last);
    for (struct http_exchange *e = connection->first; e != exchange; e = e->next)
        before = e;
    if (before)
        before->next = NULL;
    else
        connection->first = NULL;
    connection->last = before;
    connection->incoming = NULL;
    connection->exchange_count--;
    http_exchange_release(connection->server, exchange);
}

void http_connection_dispatch(struct http_connection *connection)
{
    struct http_exchange *exchange = connection->incoming;
    struct http_server *server = connection->server;
    assert(exchange && exchange->state == EXCHANGE_INCOMING);
    connection->incoming = NULL;
    connection->state = exchange->close ? READ_DISCARD : READ_IDLE;
    connection->deadline_ms = 0;
    if (exchange->body_bytes)
        memset(exchange->body + exchange->body_bytes, 0, HTTP_BODY_PADDING);
    exchange->state = EXCHANGE_HANDLED;
    counter_add(server->request_bytes, exchange->head_bytes + exchange->body_bytes);
    server->handler(server->self, exchange);
}

void http_connection_advance(struct http_connection *connection)
{
    struct http_exchange *exchange;
    while ((exchange = connection->first)) {
        if (exchange->answer.n) {
            buf_add_slice(&connection->out, buf_slice(&exchange->answer));
            buf_reset(&exchange->answer);
        }
        if (exchange->state != EXCHANGE_ANSWERED)
            break;
        connection->first = exchange->next;
        connection->exchange_count--;
        http_exchange_release(connection->server, exchange);
    }
    if (connection->out.full)
        connection->failed = true;
    if (!exchange) {
        connection->last = NULL;
        if (connection->state == READ_IDLE)
            http_limits_restart(connection);
    } else if (exchange->continue_due) {
        exchange->continue_due = false;
        buf_add_slice(&connection->out, SLICE("HTTP/1.1 100 Continue\r\n\r\n"));
        http_connection_mark(connection);
    }
}

bool http_connection_may_parse(const struct http_connection *connection)
{
    if (connection->failed || connection->closing)
        return false;
    if (connection->state == READ_DISCARD)
        return connection->discarded_bytes < HTTP_DISCARD_BYTES_MAX;
    return connection->incoming ||
           (connection->exchange_count < HTTP_PIPELINE_MAX && http_write_pending(connection) < HTTP_BACKLOG_BYTES);
}

/* Between requests: empty lines are skipped, a letter begins a request. */
static size_t receive_first(struct http_connection *connection, const char *bytes, size_t n)
{
    size_t blank = 0;
    while (blank < n && (bytes[blank] == '\r' || bytes[blank] == '\n'))
        blank++;
    if (blank)
        return blank;
    if (bytes[0] < 'A' || bytes[0] > 'Z') {
        http_refuse(connection, REFUSED_MALFORMED, "this is not HTTP (does the port speak plain HTTP and not TLS?)");
        return 0;
    }
    if (!http_connection_begin(connection)) {
        connection->failed = true;
        return 0;
    }
    connection->state = READ_HEAD;
    http_limits_restart(connection);
    return 0;
}

/* Takes requests as long as it may; returns the bytes used. */
static size_t receive_all(struct http_connection *connection, const char *bytes, size_t n)
{
    size_t at = 0;
    connection->receiving = true;
    while (at < n && http_connection_may_parse(connection)) {
        switch (connection->state) {
        case READ_IDLE:
            at += receive_first(connection, bytes + at, n - at);
            break;
        case READ_HEAD:
            at += http_head_receive(connection, bytes + at, n - at);
            break;
        case READ_BODY:
            at += http_body_receive(connection, bytes + at, n - at);
            break;
        case READ_CHUNKED:
            at += http_chunked_receive(connection, bytes + at, n - at);
            break;
        case READ_DISCARD:
            connection->discarded_bytes += n - at;
            at = n;
            break;
        }
    }
    connection->receiving = false;
    return at;
}

void http_connection_receive(struct http_connection *connection, const char *bytes, size_t n)
{
    assert(connection->held.n == 0);
    size_t used = receive_all(connection, bytes, n);
    if (used == n || connection->failed || connection->state == READ_DISCARD)
        return;
    buf_add(&connection->held, bytes + used, n - used);
    connection->failed |= connection->held.full;
}

/* What waited for room in the pipeline. */
static void resume(struct http_connection *connection)
{
    struct buf *held = &connection->held;
    if (held->n) {
        connection->held_at += receive_all(connection, held->p + connection->held_at, held->n - connection->held_at);
        if (connection->held_at < held->n)
            return;
        buf_done(held);
        connection->held_at = 0;
    }
    if (connection->tls)
        http_tls_pump(connection);
}

/* Nothing more will be sent. */
static void finish(struct http_connection *connection)
{
    uv_os_fd_t fd;
    if (connection->tls)
        http_tls_say_goodbye(connection);
    if (connection->writing)
        return; /* the goodbye waits for room: once it is out, this is called again */
    if (connection->ended || connection->failed || connection->discarded_bytes >= HTTP_DISCARD_BYTES_MAX ||
        uv_fileno((uv_handle_t *)&connection->tcp, &fd) < 0 || shutdown(fd, SHUT_WR) < 0) {
        http_connection_close(connection);
        return;
    }
    connection->finishing = true;
    http_limits_restart(connection);
    if (connection->server->draining)
        connection->deadline_ms = (int64_t)uv_now(connection->server->loop) + LINGER_DRAINING_MS;
}

/* A body that lacks much is read into its place; what is small is read into the shared buffer, since a read that fills
 * its space exactly costs a second one to see that there is no more. */
static void on_space(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    (void)suggested;
    struct http_connection *connection = (struct http_connection *)handle;
    struct http_exchange *incoming = connection->incoming;
    *out = uv_buf_init(NULL, 0);
    if (connection->state == READ_BODY && !connection->tls &&
        incoming->body_expected - incoming->body_bytes >= HTTP_READ_BYTES / 2)
        *out = http_body_space(incoming);
    if (out->len == 0)
        *out = uv_buf_init(connection->server->read_buffer, HTTP_READ_BYTES);
}

static void on_end(struct http_connection *connection)
{
    connection->ended = true;
    connection->reading = false;
    if (connection->finishing) {
        http_connection_close(connection);
        return;
    }
    drop_incoming(connection);
    connection->state = READ_DISCARD;
    connection->deadline_ms = 0;
    bool half_close_is_gone = connection->server->options.half_close_is_gone;
    for (struct http_exchange *e = connection->first; e; e = e->next) {
        if (e->state == EXCHANGE_STREAMING || (e->state == EXCHANGE_HANDLED && half_close_is_gone)) {
            http_connection_close(connection);
            return;
        }
    }
    http_connection_settle(connection);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct http_connection *connection = (struct http_connection *)stream;
    if (n == 0)
        return;
    if (n == UV_EOF) {
        on_end(connection);
        return;
    }
    if (n < 0) {
        http_connection_close(connection);
        return;
    }
    if (connection->finishing)
        connection->discarded_bytes += (size_t)n;
    else if (connection->tls)
        http_tls_receive(connection, buf->base, (size_t)n);
    else
        http_connection_receive(connection, buf->base, (size_t)n);
    http_connection_settle(connection);
}

static void update_reading(struct http_connection *connection)
{
    bool wanted = !connection->ended && connection->held.n == 0 && http_connection_may_parse(connection);
    if (wanted == connection->reading)
        return;
    connection->reading = wanted;
    if (!wanted)
        uv_read_stop((uv_stream_t *)&connection->tcp);
    else if (uv_read_start((uv_stream_t *)&connection->tcp, on_space, on_read) < 0)
        http_connection_close(connection);
}

void http_connection_settle(struct http_connection *connection)
{
    if (connection->closing)
        return;
    http_write_flush(connection);
    bool waiting = connection->held.n || connection->tls;
    while (waiting && http_connection_may_parse(connection) && !connection->finishing) {
        size_t held_before = connection->held.n - connection->held_at;
        resume(connection);
        http_write_flush(connection);
        waiting = connection->held.n && connection->held.n - connection->held_at < held_before;
    }
    if (connection->tls_ended && !connection->ended) {
        on_end(connection);
        return;
    }
    bool sent = connection->out.n == 0 && !connection->writing;
    bool idle = connection->state == READ_IDLE && !connection->first && connection->held.n == 0;
    if (idle && connection->server->draining)
        connection->state = READ_DISCARD;
    if (connection->failed)
        http_connection_close(connection);
    else if (connection->finishing && connection->discarded_bytes >= HTTP_DISCARD_BYTES_MAX)
        http_connection_close(connection);
    else if (connection->state == READ_DISCARD && !connection->first && sent && !connection->finishing)
        finish(connection);
    if (!connection->closing)
        update_reading(connection);
}

static void set_address(struct http_connection *connection, const struct sockaddr *peer)
{
    char *text = connection->address;
    if (peer->sa_family == AF_INET || peer->sa_family == AF_INET6)
        uv_ip_name(peer, text, sizeof connection->address);
    if (strncmp(text, "::ffff:", 7) == 0 && strchr(text, '.'))
        memmove(text, text + 7, strlen(text + 7) + 1);
    connection->address_bytes = (uint8_t)strlen(text);
    connection->loopback = strncmp(text, "127.", 4) == 0 || strcmp(text, "::1") == 0;
}

void http_connection_open(struct http_connection *connection, const struct sockaddr *peer)
{
    struct http_server *server = connection->server;
    set_address(connection, peer);
    uv_tcp_nodelay(&connection->tcp, 1);
    if (connection->turned_away) {
        http_refuse(connection, REFUSED_CONNECTIONS, NULL);
    } else {
        http_limits_restart(connection);
        if (server->tls_context) {
            connection->failed = !http_tls_open(connection);
            connection->deadline_ms = (int64_t)uv_now(server->loop) + server->options.head_timeout_ms;
        }
    }
    http_connection_settle(connection);
}
