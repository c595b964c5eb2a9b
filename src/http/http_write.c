/* Sends what is in `out`. How: first a write that does not wait (nearly always takes everything, and needs no request
 * object, no copy, no round of the loop); only what the kernel refuses stays, as `wire`, with a libuv write under way,
 * while new answers gather in `out`. Answers to pipelined requests gather too and leave in one system call. */
#include "http/http_internal.h"

enum { BUFFER_KEPT_BYTES = 16 * 1024 };

static void reset(struct buf *buf)
{
    if (buf->capacity > BUFFER_KEPT_BYTES)
        buf_done(buf);
    buf_reset(buf);
}

static void on_written(uv_write_t *write, int status)
{
    struct http_connection *connection = write->data;
    connection->writing = false;
    reset(&connection->wire);
    connection->wire_at = 0;
    if (connection->closing)
        return;
    if (status < 0)
        connection->failed = true;
    http_connection_settle(connection);
}

static void send_rest(struct http_connection *connection)
{
    struct buf *wire = &connection->wire;
    uv_buf_t rest = uv_buf_init(wire->p + connection->wire_at, (unsigned)(wire->n - connection->wire_at));
    connection->write.data = connection;
    if (uv_write(&connection->write, (uv_stream_t *)&connection->tcp, &rest, 1, on_written) < 0) {
        connection->failed = true;
        return;
    }
    connection->writing = true;
    connection->stalled_bytes = 0;
}

void http_write_flush(struct http_connection *connection)
{
    if (connection->writing || connection->failed || connection->closing)
        return;
    if (connection->tls)
        http_tls_encipher(connection);
    struct buf *from = connection->tls ? &connection->wire : &connection->out;
    if (from->n == 0 || connection->failed)
        return;
    uv_buf_t all = uv_buf_init(from->p, (unsigned)from->n);
    int n = uv_try_write((uv_stream_t *)&connection->tcp, &all, 1);
    if (n == (int)from->n) {
        reset(from);
        return;
    }
    if (n < 0 && n != UV_EAGAIN) {
        connection->failed = true;
        return;
    }
    if (from == &connection->out) {
        struct buf empty = connection->wire;
        assert(empty.n == 0);
        connection->wire = connection->out;
        connection->out = empty;
    }
    connection->wire_at = n > 0 ? (size_t)n : 0;
    send_rest(connection);
}

size_t http_write_pending(const struct http_connection *connection)
{
    size_t queued = connection->writing ? uv_stream_get_write_queue_size((const uv_stream_t *)&connection->tcp) : 0;
    return connection->out.n + queued;
}
