/* Reads a request's head. How: bytes are checked line by line as they come (each line ends in CR LF and holds no other
 * CR, none is folded), are collected until the empty line, and only then go through llhttp, whole and in their final
 * place, so that names and values are views that stay valid while the exchange lives.
 * Why our own checks around llhttp 8.1: it takes a CR alone as the end of a header (CVE-2023-30589), folded lines, a
 * missing or repeated Host, spaces in names and raw bytes in targets. Each of these is read in another way by some
 * proxy, which is how requests are smuggled. Lengths are judged here too, from the header lines themselves: what
 * llhttp and we do not both accept is refused. */
#include <llhttp.h>
#include <stdlib.h>

#include "http/http_internal.h"

enum { LINE_BAD, LINES_MORE, LINES_WHOLE };

static const char *const MALFORMED_LINE = "a line of the head is malformed: lines end in CR LF and are not folded";

/* "GET /path HTTP/1.1", without CR LF: three words, one space between each. The version's value is judged later. */
static bool first_line_ok(const char *line, size_t n)
{
    if (n < 14 || memcmp(line + n - 9, " HTTP/", 6) != 0)
        return false;
    const char *first = memchr(line, ' ', n), *version = line + n - 9;
    return first + 1 < version && memchr(first + 1, ' ', n - (size_t)(first + 1 - line)) == version;
}

/* Checks the lines in p[*line_start..n) that are whole and moves *line_start on; WHOLE: it is behind the empty line. */
static int check_lines(const char *p, size_t n, size_t *line_start)
{
    while (*line_start < n) {
        const char *line = p + *line_start;
        const char *end = memchr(line, '\n', n - *line_start);
        if (!end)
            return LINES_MORE;
        size_t bytes = (size_t)(end - line); /* with the CR */
        if (bytes == 0 || line[bytes - 1] != '\r' || memchr(line, '\r', bytes - 1))
            return LINE_BAD;
        if (line[0] == ' ' || line[0] == '\t' || (line == p && !first_line_ok(line, bytes - 1)))
            return LINE_BAD;
        *line_start += bytes + 1;
        if (bytes == 1)
            return LINES_WHOLE;
    }
    return LINES_MORE;
}

static bool head_keep(struct http_exchange *exchange, const char *bytes, size_t n)
{
    size_t needed = exchange->head_bytes + n;
    if (needed > exchange->head_capacity) {
        size_t capacity = exchange->head_capacity ? exchange->head_capacity : 1024;
        while (capacity < needed)
            capacity *= 2;
        char *head = realloc(exchange->head, capacity);
        if (!head)
            return false;
        exchange->head = head;
        exchange->head_capacity = capacity;
    }
    memcpy(exchange->head + exchange->head_bytes, bytes, n);
    exchange->head_bytes += n;
    return true;
}

static int on_url(llhttp_t *parser, const char *at, size_t n)
{
    struct http_exchange *exchange = parser->data;
    exchange->path = slice_of(at, n);
    return 0;
}

static int on_header_field(llhttp_t *parser, const char *at, size_t n)
{
    struct http_exchange *exchange = parser->data;
    if (exchange->header_count == HTTP_HEADERS_MAX)
        return HPE_USER;
    exchange->headers[exchange->header_count++] = (struct http_header){ slice_of(at, n), slice_of(at + n, 0) };
    return 0;
}

static int on_header_value(llhttp_t *parser, const char *at, size_t n)
{
    struct http_exchange *exchange = parser->data;
    assert(exchange->header_count > 0);
    exchange->headers[exchange->header_count - 1].value = slice_trim(slice_of(at, n));
    return 0;
}

static int on_headers_complete(llhttp_t *parser)
{
    (void)parser;
    return HPE_PAUSED; /* the body is not llhttp's */
}

static const llhttp_settings_t SETTINGS = {
    .on_url = on_url,
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_headers_complete = on_headers_complete,
};

static enum http_method method_from(uint8_t method)
{
    switch (method) {
    case HTTP_GET:
        return HTTP_METHOD_GET;
    case HTTP_POST:
        return HTTP_METHOD_POST;
    case HTTP_PUT:
        return HTTP_METHOD_PUT;
    case HTTP_DELETE:
        return HTTP_METHOD_DELETE;
    case HTTP_OPTIONS:
        return HTTP_METHOD_OPTIONS;
    case HTTP_HEAD:
        return HTTP_METHOD_HEAD;
    case HTTP_PATCH:
        return HTTP_METHOD_PATCH;
    default:
        return HTTP_METHOD_OTHER;
    }
}

/* Letters, digits and !#$%&'*+-.^_`|~ */
static bool name_ok(struct slice name)
{
    static const uint32_t TOKEN[8] = { 0, 0x03ff6cfa, 0xc7fffffe, 0x57ffffff };
    for (size_t i = 0; i < name.n; i++) {
        unsigned char c = (unsigned char)name.p[i];
        if (!(TOKEN[c >> 5] >> (c & 31) & 1))
            return false;
    }
    return name.n > 0;
}

static bool value_ok(struct slice value)
{
    for (size_t i = 0; i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];
        if ((c < ' ' && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

static bool host_ok(struct slice host)
{
    for (size_t i = 0; i < host.n; i++) {
        unsigned char c = (unsigned char)host.p[i];
        if (c <= ' ' || c >= 0x7f || strchr("/\\@,?#<>\"", c))
            return false;
    }
    return true;
}

/* Splits the target into path and query; "http://host/path" loses its authority. */
static const char *target_split(struct http_exchange *exchange)
{
    struct slice target = exchange->path;
    for (size_t i = 0; i < target.n; i++) {
        unsigned char c = (unsigned char)target.p[i];
        if (c <= ' ' || c >= 0x7f || c == '#')
            return "the request target holds a byte that must be percent-encoded";
    }
    bool starts_path = target.n > 0 && target.p[0] == '/';
    if (!starts_path && !(target.n == 1 && target.p[0] == '*')) {
        struct slice scheme = { target.p, target.n < 8 ? target.n : 8 };
        size_t skip = slice_equal_nocase(scheme, SLICE("https://")) ? 8 : 0;
        scheme.n = target.n < 7 ? target.n : 7;
        if (slice_equal_nocase(scheme, SLICE("http://")))
            skip = 7;
        if (skip == 0)
            return "the request target must be a path or an http URL";
        target = slice_after(target, skip);
        size_t authority = 0;
        while (authority < target.n && target.p[authority] != '/' && target.p[authority] != '?')
            authority++;
        if (authority == 0)
            return "the request target names no host";
        target = slice_after(target, authority);
    }
    const char *mark = target.n ? memchr(target.p, '?', target.n) : NULL;
    size_t path_bytes = mark ? (size_t)(mark - target.p) : target.n;
    exchange->path = path_bytes ? (struct slice){ target.p, path_bytes } : SLICE("/");
    exchange->query = mark ? slice_after(target, path_bytes + 1) : (struct slice){ target.p + target.n, 0 };
    return NULL;
}

/* The lines that say how the message is framed. */
struct framing {
    unsigned hosts, lengths, codings;
    bool host_bad, length_bad, coding_unknown, expects, expects_other;
    uint64_t length;
};

static void framing_note(struct framing *framing, const struct http_header *header)
{
    struct slice name = header->name, value = header->value;
    if (name.n == 4 && slice_equal_nocase(name, SLICE("host"))) {
        framing->hosts++;
        framing->host_bad |= !host_ok(value);
    } else if (name.n == 14 && slice_equal_nocase(name, SLICE("content-length"))) {
        framing->lengths++;
        framing->length_bad |= !slice_to_u64(value, &framing->length);
    } else if (name.n == 17 && slice_equal_nocase(name, SLICE("transfer-encoding"))) {
        framing->codings++;
        framing->coding_unknown |= !slice_equal_nocase(value, SLICE("chunked"));
    } else if (name.n == 6 && slice_equal_nocase(name, SLICE("expect"))) {
        framing->expects = slice_equal_nocase(value, SLICE("100-continue"));
        framing->expects_other |= !framing->expects;
    }
}

static const char *framing_judge(const struct framing *framing, bool old_protocol)
{
    if (framing->hosts > 1 || (framing->hosts == 0 && !old_protocol))
        return "exactly one Host header is needed";
    if (framing->host_bad)
        return "the Host header is malformed";
    if (framing->lengths > 1 || framing->length_bad)
        return "Content-Length must be one decimal number";
    if (framing->lengths && framing->codings)
        return "Content-Length and Transfer-Encoding exclude each other";
    if (framing->codings > 1 || (framing->codings && old_protocol))
        return "Transfer-Encoding is malformed";
    return NULL;
}

/* What llhttp said of the head; false: refused. */
static bool parse(struct http_connection *connection, struct http_exchange *exchange, llhttp_t *parser)
{
    llhttp_init(parser, HTTP_REQUEST, &SETTINGS);
    parser->data = exchange;
    enum llhttp_errno result = llhttp_execute(parser, exchange->head, exchange->head_bytes);
    if (result == HPE_PAUSED && llhttp_get_error_pos(parser) >= exchange->head + exchange->head_bytes - 1)
        return true;
    if (result == HPE_USER)
        http_refuse(connection, REFUSED_HEAD, "too many header lines");
    else if (result == HPE_INVALID_VERSION)
        http_refuse(connection, REFUSED_VERSION, NULL);
    else if (result == HPE_INVALID_METHOD)
        http_refuse(connection, REFUSED_METHOD, NULL);
    else
        http_refuse(connection, REFUSED_MALFORMED, NULL);
    return false;
}

/* Checks what was parsed and fills in the exchange; false: refused. */
static bool judge(struct http_connection *connection, struct http_exchange *exchange, const llhttp_t *parser,
                  struct framing *framing)
{
    bool version_ok = parser->http_major == 1 && parser->http_minor <= 1;
    if (!version_ok || parser->method == HTTP_CONNECT) {
        http_refuse(connection, version_ok ? REFUSED_METHOD : REFUSED_VERSION, NULL);
        return false;
    }
    exchange->old_protocol = parser->http_minor == 0;
    exchange->method = method_from(parser->method);
    exchange->head_only = exchange->method == HTTP_METHOD_HEAD;
    for (unsigned i = 0; i < exchange->header_count; i++) {
        const struct http_header *header = &exchange->headers[i];
        if (!name_ok(header->name) || !value_ok(header->value)) {
            http_refuse(connection, REFUSED_MALFORMED, "a header's name or value holds a byte that is not allowed");
            return false;
        }
        framing_note(framing, header);
    }
    const char *wrong = framing_judge(framing, exchange->old_protocol);
    size_t target_bytes = exchange->path.n;
    if (!wrong && target_bytes <= HTTP_URI_BYTES_MAX)
        wrong = target_split(exchange);
    if (wrong)
        http_refuse(connection, REFUSED_MALFORMED, wrong);
    else if (target_bytes > HTTP_URI_BYTES_MAX)
        http_refuse(connection, REFUSED_URI, NULL);
    else if (framing->coding_unknown)
        http_refuse(connection, REFUSED_CODING, NULL);
    else if (framing->expects_other && !exchange->old_protocol)
        http_refuse(connection, REFUSED_EXPECTATION, NULL);
    else if (framing->length > connection->server->options.body_bytes_max)
        http_refuse(connection, REFUSED_BODY, NULL);
    else
        return true;
    return false;
}

/* The head is whole: on to the body, or to the handler. */
static void head_finish(struct http_connection *connection)
{
    struct http_exchange *exchange = connection->incoming;
    llhttp_t parser;
    struct framing framing = { 0 };
    if (!parse(connection, exchange, &parser) || !judge(connection, exchange, &parser, &framing))
        return;
    bool asked_close = parser.flags & F_CONNECTION_CLOSE;
    exchange->keep_alive = exchange->old_protocol && (parser.flags & F_CONNECTION_KEEP_ALIVE) && !asked_close;
    exchange->close = asked_close || (exchange->old_protocol && !exchange->keep_alive);
    exchange->body_expected = framing.length;
    if (framing.length == 0 && framing.codings == 0) {
        http_connection_dispatch(connection);
        return;
    }
    connection->state = framing.codings ? READ_CHUNKED : READ_BODY;
    http_limits_restart(connection);
    exchange->continue_due = framing.expects && !exchange->old_protocol;
    if (exchange->continue_due)
        http_connection_advance(connection);
}

size_t http_head_receive(struct http_connection *connection, const char *bytes, size_t n)
{
    struct http_exchange *exchange = connection->incoming;
    size_t head_bytes_max = connection->server->options.head_bytes_max, before = exchange->head_bytes;
    size_t used = n < head_bytes_max - before ? n : head_bytes_max - before;
    int lines;
    if (before == 0) {
        /* The usual case, everything in one read: look where it lies, then copy no more than the head. */
        lines = check_lines(bytes, used, &exchange->line_start);
        if (lines == LINES_WHOLE)
            used = exchange->line_start;
        if (lines != LINE_BAD && !head_keep(exchange, bytes, used)) {
            connection->failed = true;
            return n;
        }
    } else {
        if (!head_keep(exchange, bytes, used)) {
            connection->failed = true;
            return n;
        }
        lines = check_lines(exchange->head, exchange->head_bytes, &exchange->line_start);
        if (lines == LINES_WHOLE) {
            exchange->head_bytes = exchange->line_start;
            used = exchange->head_bytes - before;
        }
    }
    if (lines == LINES_WHOLE)
        head_finish(connection);
    else if (lines == LINE_BAD)
        http_refuse(connection, REFUSED_MALFORMED, MALFORMED_LINE);
    else if (exchange->head_bytes == head_bytes_max)
        http_refuse(connection, exchange->line_start == 0 ? REFUSED_URI : REFUSED_HEAD, NULL);
    return used;
}
