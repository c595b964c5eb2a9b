/* Every answer of the API passes here, so that none lacks its headers: nothing is sniffed or framed, nothing but the
 * files of the binary is cached, and other websites may read only those of the SDK and what is asked for with a key of
 * one's own (no cookies exist, so `*` gives nothing away). */
#include "base/json_text.h"
#include "base/log.h"
#include "serve/inside.h"

const struct answer_extra ANSWER_PRIVATE = { 0 };
const struct answer_extra ANSWER_CORS = { .cors = true };

static void log_access(const struct http_exchange *exchange, unsigned status)
{
    struct slice path = http_path(exchange), from = http_remote_address(exchange);
    char shown[120];
    size_t n = path.n < sizeof shown ? path.n : sizeof shown;
    for (size_t i = 0; i < n; i++)
        shown[i] = path.p[i] > ' ' && path.p[i] < 0x7f && path.p[i] != '"' ? path.p[i] : '?';
    log_info("api.request", "path=%.*s status=%u from=%.*s", (int)n, shown, status, SLICE_ARG(from));
}

void answer_body(struct serve *serve, struct http_exchange *exchange, unsigned status, struct slice body,
                 const struct answer_extra *extra)
{
    AUTO(buf) struct buf headers;
    buf_init(&headers, 4096);
    buf_add_format(&headers, "Cache-Control: %s\r\nX-Content-Type-Options: nosniff\r\n",
                   extra->cache_control ? extra->cache_control : "no-store");
    buf_add_format(&headers, "Referrer-Policy: %s\r\nX-Frame-Options: DENY\r\n",
                   extra->referrer_policy ? extra->referrer_policy : "no-referrer");
    if (extra->cors)
        buf_add_text(&headers, "Access-Control-Allow-Origin: *\r\n");
    if (extra->retry_after_s)
        buf_add_format(&headers, "Retry-After: %u\r\n", extra->retry_after_s);
    if (extra->headers)
        buf_add_text(&headers, extra->headers);
    assert(!headers.full);
    if (serve->options.access_log)
        log_access(exchange, status);
    http_answer(exchange, &(struct http_answer){ .status = status,
                                                 .content_type = extra->content_type,
                                                 .extra_headers = buf_slice(&headers),
                                                 .body = body });
}

void answer_error(struct serve *serve, struct http_exchange *exchange, unsigned status, const char *code,
                  const char *message, const struct answer_extra *extra)
{
    AUTO(buf) struct buf body;
    buf_init(&body, 16 << 10);
    buf_add_char(&body, '{');
    json_add_field(&body, "code", slice_from(code));
    json_add_field(&body, "message", slice_from(message));
    buf_add_char(&body, '}');
    answer_body(serve, exchange, status, buf_slice(&body), extra);
}
