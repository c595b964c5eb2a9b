/* Refusals and time-outs. A refusal is an ordinary answer in the order of its connection, with "Connection: close";
 * what the client still sends is read and thrown away within bounds, since closing at once would reset the connection
 * and the client might never see why. Deadlines are numbers in the connection, looked at by one timer for all of them:
 * they are late by at most one interval of the sweep, and cost nothing in between. */
#include "base/json_text.h"
#include "http/http_internal.h"

static const struct {
    unsigned status;
    const char *name, *message, *extra_headers;
} REFUSALS[REFUSED_KINDS] = {
    [REFUSED_MALFORMED] = { 400, "bad_request", "the request is not well-formed HTTP/1.1", "" },
    [REFUSED_VERSION] = { 505, "http_version", "HTTP/1.1 and HTTP/1.0 are spoken here", "" },
    [REFUSED_METHOD] = { 501, "method_unknown", "this method is not known here", "" },
    [REFUSED_CODING] = { 501, "transfer_encoding", "the only Transfer-Encoding taken here is chunked", "" },
    [REFUSED_EXPECTATION] = { 417, "expectation", "the only Expect taken here is 100-continue", "" },
    [REFUSED_HEAD] = { 431, "head_too_large", "the request line and headers are larger than this server takes", "" },
    [REFUSED_URI] = { 414, "uri_too_long", "the request target is longer than this server takes", "" },
    [REFUSED_BODY] = { 413, "body_too_large", "the body is larger than this server takes: send smaller batches", "" },
    [REFUSED_TIMEOUT] = { 408, "timeout", "the request did not arrive in time: send it again", "" },
    [REFUSED_MEMORY] = { 503, "overloaded", "too many requests are being read: try again", "Retry-After: 1\r\n" },
    [REFUSED_CONNECTIONS] = { 503, "connections", "too many connections: try again", "Retry-After: 1\r\n" },
    [REFUSED_TLS] = { 400, "tls", "the TLS handshake failed", "" },
};

const char *http_refusal_name(enum http_refusal why)
{
    return REFUSALS[why].name;
}

void http_refuse(struct http_connection *connection, enum http_refusal why, const char *message)
{
    counter_add(connection->server->refused[why], 1);
    if (!connection->incoming && !http_connection_begin(connection)) {
        connection->failed = true;
        return;
    }
    struct http_exchange *exchange = connection->incoming;
    connection->incoming = NULL;
    connection->state = READ_DISCARD;
    connection->deadline_ms = 0;
    exchange->state = EXCHANGE_HANDLED;
    exchange->close = true;
    exchange->continue_due = false;
    char text[512];
    struct buf json = { .p = text, .capacity = sizeof text, .max_bytes = sizeof text };
    buf_add_char(&json, '{');
    json_add_field(&json, "code", slice_from(REFUSALS[why].name));
    json_add_field(&json, "message", slice_from(message ? message : REFUSALS[why].message));
    buf_add_char(&json, '}');
    assert(!json.full && json.p == text);
    struct http_answer answer = { .status = REFUSALS[why].status,
                                  .extra_headers = slice_from(REFUSALS[why].extra_headers),
                                  .body = buf_slice(&json) };
    http_answer(exchange, &answer);
}

void http_limits_restart(struct http_connection *connection)
{
    const struct http_server_options *options = &connection->server->options;
    int64_t timeout_ms = 0;
    switch (connection->state) {
    case READ_IDLE:
        timeout_ms = connection->first ? 0 : options->idle_timeout_ms;
        break;
    case READ_HEAD:
        timeout_ms = options->head_timeout_ms;
        break;
    case READ_BODY:
    case READ_CHUNKED:
        timeout_ms = options->body_timeout_ms;
        break;
    case READ_DISCARD:
        timeout_ms = connection->finishing ? HTTP_LINGER_MS : 0;
        break;
    }
    connection->deadline_ms = timeout_ms ? (int64_t)uv_now(connection->server->loop) + timeout_ms : 0;
}

/* A client that takes nothing of what was queued for it; true: cut off. */
static bool check_stall(struct http_connection *connection, int64_t now_ms)
{
    size_t queued = connection->writing ? uv_stream_get_write_queue_size((uv_stream_t *)&connection->tcp) : 0;
    if (queued == 0 || queued != connection->stalled_bytes) {
        connection->stalled_bytes = queued;
        connection->stalled_ms = now_ms;
        return false;
    }
    if (now_ms - connection->stalled_ms < connection->server->options.answer_timeout_ms)
        return false;
    counter_add(connection->server->refused[REFUSED_TIMEOUT], 1);
    http_connection_close(connection);
    return true;
}

static void check_deadline(struct http_connection *connection, int64_t now_ms)
{
    if (connection->deadline_ms == 0 || now_ms < connection->deadline_ms)
        return;
    if (connection->incoming && !connection->reading) {
        http_limits_restart(connection); /* it is we who do not read */
    } else if (connection->incoming) {
        http_refuse(connection, REFUSED_TIMEOUT, NULL);
        http_connection_settle(connection);
    } else {
        http_connection_close(connection);
    }
}

void http_limits_sweep(uv_timer_t *timer)
{
    struct http_server *server = timer->data;
    int64_t now_ms = (int64_t)uv_now(server->loop);
    http_server_accept_again(server);
    /* Closing unlinks later, from the loop, so the list holds still. A handler's gone may not stop the server. */
    for (struct http_connection *connection = server->connections; connection; connection = connection->next)
        if (!connection->closing && !check_stall(connection, now_ms))
            check_deadline(connection, now_ms);
}

uint64_t http_limits_sweep_interval_ms(const struct http_server_options *options)
{
    int64_t shortest = options->head_timeout_ms;
    const int64_t others[] = { options->body_timeout_ms, options->idle_timeout_ms, options->answer_timeout_ms };
    for (size_t i = 0; i < COUNT_OF(others); i++)
        if (others[i] < shortest)
            shortest = others[i];
    int64_t interval = shortest / 8;
    return (uint64_t)(interval < 10 ? 10 : interval > 500 ? 500 : interval);
}
