/* What a dashboard asks before anything else: what this weir is and where its events go in (GET /v1/config, without a
 * key), and whose key one holds (GET /v1/whoami).
 *
 * The keys of the demo tenant are public knowledge, but only a page of our own on this machine is handed them: a
 * website that had its name resolve to 127.0.0.1 names itself in Host, and one that asks across origins in Origin or
 * Sec-Fetch-Site. No answer here may be read by another website. */
#include "base/json_text.h"
#include "serve/inside.h"

#define DEMO_TENANT "demo_tenant"

/* The Host header without its port: a name, an IPv4 address, or an IPv6 address in brackets. */
static struct slice host_name(const struct http_exchange *exchange)
{
    struct slice host = slice_trim(http_header(exchange, "host"));
    if (host.n && host.p[0] == '[') {
        const char *close = memchr(host.p, ']', host.n);
        return close ? slice_of(host.p, (size_t)(close - host.p) + 1) : (struct slice){ "", 0 };
    }
    const char *colon = host.n ? memchr(host.p, ':', host.n) : NULL;
    return slice_of(host.p, colon ? (size_t)(colon - host.p) : host.n);
}

/* It goes into a header and into JSON: nothing but what a name or an address is made of. */
static bool is_plain_host(struct slice host)
{
    for (size_t i = 0; i < host.n; i++) {
        char c = host.p[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        bool is_bracket = (c == '[' && i == 0) || (c == ']' && i == host.n - 1) || (c == ':' && host.p[0] == '[');
        if (!is_letter && !is_bracket && c != '.' && c != '-' && c != '_')
            return false;
    }
    return host.n > 0 && host.n <= 255;
}

bool about_ingest_url(const struct serve *serve, const struct http_exchange *exchange, struct buf *out)
{
    struct slice host = host_name(exchange);
    if (!is_plain_host(host) || !serve->options.ingest_port)
        return false;
    buf_add_format(out, "%s://%.*s:%u", serve->options.ingest_tls ? "https" : "http", SLICE_ARG(host),
                   serve->options.ingest_port);
    return !out->full;
}

static bool has_open_demo(struct serve *serve)
{
    access_refresh(serve, false);
    const struct tenant *tenant = serve->directory ? directory_find(serve->directory, SLICE(DEMO_TENANT)) : NULL;
    return serve->options.dev && tenant && tenant->open;
}

void about_config(struct serve *serve, struct http_exchange *exchange)
{
    AUTO(buf) struct buf body, url;
    buf_init(&body, 4096);
    buf_init(&url, 512);
    buf_add_char(&body, '{');
    json_add_field(&body, "env", slice_from(serve->options.environment));
    json_add_field(&body, "version", slice_from(serve->options.version));
    json_add_key(&body, "ingest_url");
    if (about_ingest_url(serve, exchange, &url))
        json_add_string(&body, buf_slice(&url));
    else
        buf_add_text(&body, "null");
    json_add_key(&body, "demo");
    if (has_open_demo(serve) && access_is_at_home(exchange))
        buf_add_text(&body, "{\"tenant\":\"" DEMO_TENANT "\",\"read_key\":\"demo_read\",\"write_key\":\"demo_write\"}");
    else
        buf_add_text(&body, "null");
    buf_add_char(&body, '}');
    answer_body(serve, exchange, 200, buf_slice(&body), &ANSWER_PRIVATE);
}

static void add_number_or_null(struct buf *out, const char *name, uint64_t value, bool is_null)
{
    json_add_key(out, name);
    if (is_null)
        buf_add_text(out, "null");
    else
        buf_add_u64(out, value);
}

uint64_t about_quota(const struct serve *serve, const struct tenant *tenant)
{
    if (tenant->quota_per_minute)
        return tenant->quota_per_minute;
    return tenant->tier == TIER_ENTERPRISE ? serve->options.quota_enterprise_per_minute
                                           : serve->options.quota_standard_per_minute;
}

void about_tenant(struct serve *serve, struct http_exchange *exchange)
{
    const struct tenant *tenant = access_reader(serve, exchange, false);
    if (!tenant)
        return;
    uint64_t quota = about_quota(serve, tenant);
    int32_t days = tenant->retention_days ? tenant->retention_days : serve->options.retention_days;
    AUTO(buf) struct buf body;
    buf_init(&body, 1024);
    buf_add_char(&body, '{');
    json_add_field(&body, "tenant", slice_from(tenant->id));
    json_add_field(&body, "tier", slice_from(tenant_tier_name(tenant->tier)));
    add_number_or_null(&body, "quota_per_minute", quota, quota == UINT64_MAX);
    add_number_or_null(&body, "retention_days", (uint64_t)days, days < 0);
    buf_add_char(&body, '}');
    answer_body(serve, exchange, 200, buf_slice(&body), &ANSWER_CORS);
}
