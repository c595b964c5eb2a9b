/* Reads a request's body into one buffer: by Content-Length, or chunked. A body of known length is read straight from
 * the socket into its place once it has outgrown the shared read buffer (http_body_space); what came together with the
 * head is copied once. Memory is taken as bytes arrive, by doubling, and counted: a client that announces much and
 * sends nothing holds nothing.
 * The decoder of chunks is ours and strict: hexadecimal size, at most a few hundred bytes of extensions, CR LF and
 * nothing else; trailers are bounded and dropped. */
#include <stdlib.h>

#include "http/http_internal.h"

enum { BODY_FIRST_BYTES = 4096 };

enum chunk_state {
    CHUNK_FIRST_DIGIT,
    CHUNK_SIZE,
    CHUNK_EXTENSION,
    CHUNK_SIZE_LF,
    CHUNK_DATA,
    CHUNK_DATA_CR,
    CHUNK_DATA_LF,
    CHUNK_TRAILER_START,
    CHUNK_TRAILER,
    CHUNK_TRAILER_LF,
    CHUNK_END_LF,
};

/* Room for `bytes` of body in all, or false when the memory for bodies is used up. */
static bool body_reserve(struct http_exchange *exchange, size_t bytes)
{
    struct http_server *server = exchange->connection->server;
    size_t capacity = exchange->body_capacity;
    if (capacity < bytes) {
        capacity = capacity < BODY_FIRST_BYTES ? BODY_FIRST_BYTES : capacity;
        while (capacity < bytes)
            capacity *= 2;
        /* The last doubling goes no further than the announced length. */
        if (exchange->body_expected >= bytes && capacity > exchange->body_expected &&
            exchange->body_expected > BODY_FIRST_BYTES)
            capacity = (size_t)exchange->body_expected;
    }
    size_t more = capacity - exchange->body_counted;
    if (server->buffered_bytes + more > server->options.buffered_bytes_max)
        return false;
    if (capacity > exchange->body_capacity) {
        char *body = realloc(exchange->body, capacity + HTTP_BODY_PADDING);
        if (!body)
            return false;
        exchange->body = body;
        exchange->body_capacity = capacity;
    }
    server->buffered_bytes += more;
    exchange->body_counted = capacity;
    return true;
}

/* False: refused. The bytes may lie in their place already (http_body_space). */
static bool body_add(struct http_connection *connection, const char *bytes, size_t n)
{
    struct http_exchange *exchange = connection->incoming;
    if (!body_reserve(exchange, exchange->body_bytes + n)) {
        http_refuse(connection, REFUSED_MEMORY, NULL);
        return false;
    }
    char *to = exchange->body + exchange->body_bytes;
    if (bytes != to)
        memcpy(to, bytes, n);
    exchange->body_bytes += n;
    return true;
}

uv_buf_t http_body_space(struct http_exchange *exchange)
{
    uint64_t lacking = exchange->body_expected - exchange->body_bytes;
    size_t most = HTTP_READ_BYTES > exchange->body_bytes ? HTTP_READ_BYTES : exchange->body_bytes;
    size_t n = lacking < most ? (size_t)lacking : most;
    if (exchange->body_counted < exchange->body_bytes + n && !body_reserve(exchange, exchange->body_bytes + n))
        return uv_buf_init(NULL, 0);
    return uv_buf_init(exchange->body + exchange->body_bytes, (unsigned)n);
}

size_t http_body_receive(struct http_connection *connection, const char *bytes, size_t n)
{
    struct http_exchange *exchange = connection->incoming;
    assert(exchange->body_bytes < exchange->body_expected);
    uint64_t lacking = exchange->body_expected - exchange->body_bytes;
    size_t used = n < lacking ? n : (size_t)lacking;
    exchange->continue_due = false;
    if (body_add(connection, bytes, used) && exchange->body_bytes == exchange->body_expected)
        http_connection_dispatch(connection);
    return used;
}

static int hex_value(unsigned char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One byte outside of the data; false: malformed. */
static bool chunk_byte(struct chunked *chunked, unsigned char c, size_t body_bytes_max)
{
    int hex;
    chunked->line_bytes++;
    switch ((enum chunk_state)chunked->state) {
    case CHUNK_FIRST_DIGIT:
        chunked->left = 0;
        chunked->line_bytes = 1;
        if (hex_value(c) < 0)
            return false;
        chunked->state = CHUNK_SIZE;
        /* fall through */
    case CHUNK_SIZE:
        hex = hex_value(c);
        if (hex >= 0) {
            chunked->left = chunked->left * 16 + (unsigned)hex;
            /* Beyond the limit its exact value no longer matters, but it must not wrap. */
            if (chunked->left > body_bytes_max)
                chunked->left = (uint64_t)body_bytes_max + 1;
            return chunked->line_bytes <= 16;
        }
        chunked->state = c == '\r' ? CHUNK_SIZE_LF : CHUNK_EXTENSION;
        return c == '\r' || c == ';';
    case CHUNK_EXTENSION:
        if (c == '\r')
            chunked->state = CHUNK_SIZE_LF;
        return (c >= ' ' || c == '\t' || c == '\r') && c != 0x7f && chunked->line_bytes <= HTTP_CHUNK_LINE_BYTES_MAX;
    case CHUNK_SIZE_LF:
        chunked->state = chunked->left ? CHUNK_DATA : CHUNK_TRAILER_START;
        chunked->line_bytes = 0;
        return c == '\n';
    case CHUNK_DATA_CR:
        chunked->state = CHUNK_DATA_LF;
        return c == '\r';
    case CHUNK_DATA_LF:
        chunked->state = CHUNK_FIRST_DIGIT;
        return c == '\n';
    case CHUNK_TRAILER_START:
        chunked->state = c == '\r' ? CHUNK_END_LF : CHUNK_TRAILER;
        return c > ' ' && c != ':' ? true : c == '\r';
    case CHUNK_TRAILER:
        if (c == '\r')
            chunked->state = CHUNK_TRAILER_LF;
        return (c >= ' ' || c == '\t' || c == '\r') && c != 0x7f && chunked->line_bytes <= HTTP_TRAILER_BYTES_MAX;
    case CHUNK_TRAILER_LF:
        chunked->state = CHUNK_TRAILER_START;
        return c == '\n';
    case CHUNK_END_LF:
        return c == '\n';
    case CHUNK_DATA:
        break;
    }
    assert(!"data is not read byte by byte");
    return false;
}

size_t http_chunked_receive(struct http_connection *connection, const char *bytes, size_t n)
{
    struct http_exchange *exchange = connection->incoming;
    struct chunked *chunked = &exchange->chunked;
    size_t body_bytes_max = connection->server->options.body_bytes_max;
    exchange->continue_due = false;
    for (size_t i = 0; i < n;) {
        if (chunked->state == CHUNK_DATA) {
            size_t used = n - i < chunked->left ? n - i : (size_t)chunked->left;
            if (!body_add(connection, bytes + i, used))
                return n;
            chunked->left -= used;
            i += used;
            if (chunked->left == 0)
                chunked->state = CHUNK_DATA_CR;
            continue;
        }
        bool ending = chunked->state == CHUNK_END_LF;
        if (!chunk_byte(chunked, (unsigned char)bytes[i++], body_bytes_max)) {
            http_refuse(connection, REFUSED_MALFORMED, "the chunked body is malformed");
            return n;
        }
        if (ending) {
            http_connection_dispatch(connection);
            return i;
        }
        if (chunked->state == CHUNK_DATA && chunked->left > body_bytes_max - exchange->body_bytes) {
            http_refuse(connection, REFUSED_BODY, NULL);
            return n;
        }
    }
    return n;
}
