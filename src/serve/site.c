/* The dashboard, the SDK and the demo shop, out of the binary. The content security policy lets a page load nothing but
 * what comes from here, and nothing inline, so that text out of an event can't become a script. The SDK alone may be
 * loaded by any website: that is what it is for. The shop exists in the dev environment only; it may also talk to
 * ingestion, which is another origin.
 *
 * Caching: names that hold a hash never change; everything else is asked for again with its tag, which costs a 304. The
 * SDK may be five minutes old, so that a shop's pages do not wait for that 304 one after the other. */
#include "serve/inside.h"
#include "serve/pages.h"

#define POLICY                                                                                                         \
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "         \
    "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; connect-src 'self'"

static void add_headers(const struct serve *serve, const struct http_exchange *exchange, const struct page *page,
                        struct buf *out)
{
    buf_add_format(out, "ETag: %s\r\n", page->etag);
    if (page->gzip_n)
        buf_add_text(out, "Vary: Accept-Encoding\r\n");
    if (page->site == PAGE_SDK) {
        buf_add_text(out, "Cross-Origin-Resource-Policy: cross-origin\r\n");
        return;
    }
    buf_add_text(out, POLICY);
    if (page->site == PAGE_SHOP) {
        AUTO(buf) struct buf url;
        buf_init(&url, 512);
        if (about_ingest_url(serve, exchange, &url))
            buf_add_format(out, " %s", buf_text(&url));
    }
    buf_add_text(out, "\r\nCross-Origin-Opener-Policy: same-origin\r\nCross-Origin-Resource-Policy: same-origin\r\n"
                      "Permissions-Policy: accelerometer=(), camera=(), geolocation=(), gyroscope=(), "
                      "magnetometer=(), microphone=(), payment=(), usb=()\r\n");
}

static const char *cache_control(const struct page *page)
{
    if (page->immutable)
        return "public, max-age=31536000, immutable";
    return page->site == PAGE_SDK ? "public, max-age=300, stale-while-revalidate=86400" : "no-cache";
}

static void answer_page(struct serve *serve, struct http_exchange *exchange, const struct page *page)
{
    const char *bytes = serve->options.pages->bytes;
    struct slice body = slice_of(bytes + page->at, page->n);
    bool gzip = page->gzip_n && page_accepts_gzip(http_header(exchange, "accept-encoding"));
    bool known = page_etag_matches(http_header(exchange, "if-none-match"), slice_from(page->etag));
    AUTO(buf) struct buf headers;
    buf_init(&headers, 3 << 10);
    add_headers(serve, exchange, page, &headers);
    if (gzip && !known) {
        buf_add_text(&headers, "Content-Encoding: gzip\r\n");
        body = slice_of(bytes + page->gzip_at, page->gzip_n);
    }
    assert(!headers.full);
    answer_body(serve, exchange, known ? 304 : 200, known ? (struct slice){ "", 0 } : body,
                &(struct answer_extra){ .content_type = page->content_type,
                                        .cors = page->site == PAGE_SDK,
                                        .headers = buf_text(&headers),
                                        .cache_control = cache_control(page),
                                        .referrer_policy = page->site == PAGE_SHOP ? "strict-origin-when-cross-origin"
                                                                                   : "no-referrer" });
}

bool site_answer(struct serve *serve, struct http_exchange *exchange, struct slice path)
{
    bool is_shop = slice_equal(path, SLICE("/shop")) || slice_starts(path, SLICE("/shop/"));
    if (is_shop && !serve->options.dev)
        return false;
    const struct page *page = page_for(serve->options.pages, path);
    if (page)
        answer_page(serve, exchange, page);
    else if (slice_equal(path, SLICE("/shop")) && page_find(serve->options.pages, SLICE("/shop/")))
        answer_body(serve, exchange, 308, (struct slice){ "", 0 },
                    &(struct answer_extra){ .headers = "Location: /shop/\r\n", .cache_control = "no-cache" });
    else if (slice_equal(path, SLICE("/")))
        answer_error(serve, exchange, 404, "no_dashboard",
                     "this weir was built without the dashboard: `make build` puts it in", &ANSWER_PRIVATE);
    else
        return false;
    return true;
}
