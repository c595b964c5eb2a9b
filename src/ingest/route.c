/* Paths are few and fixed: a table, looked at from the most used down. */
#include "ingest/request.h"

static const struct {
    const char *path;
    enum route route;
    enum event_endpoint endpoint;
} PATHS[] = {
    { "/track", ROUTE_EVENTS, EVENT_ENDPOINT_TRACK },
    { "/v1/batch", ROUTE_EVENTS, EVENT_ENDPOINT_BATCH },
    { "/v1/track", ROUTE_EVENTS, EVENT_ENDPOINT_SEGMENT_TRACK },
    { "/v1/page", ROUTE_EVENTS, EVENT_ENDPOINT_SEGMENT_PAGE },
    { "/v1/screen", ROUTE_EVENTS, EVENT_ENDPOINT_SEGMENT_SCREEN },
    { "/v1/identify", ROUTE_EVENTS, EVENT_ENDPOINT_SEGMENT_IDENTIFY },
    { "/v1/group", ROUTE_EVENTS, EVENT_ENDPOINT_SEGMENT_GROUP },
    { "/v1/alias", ROUTE_EVENTS, EVENT_ENDPOINT_SEGMENT_ALIAS },
    { "/v1/import", ROUTE_EVENTS, EVENT_ENDPOINT_BATCH },
    /* The short names of browser libraries. */
    { "/v1/t", ROUTE_EVENTS, EVENT_ENDPOINT_SEGMENT_TRACK },
    { "/v1/p", ROUTE_EVENTS, EVENT_ENDPOINT_SEGMENT_PAGE },
    { "/v1/s", ROUTE_EVENTS, EVENT_ENDPOINT_SEGMENT_SCREEN },
    { "/v1/i", ROUTE_EVENTS, EVENT_ENDPOINT_SEGMENT_IDENTIFY },
    { "/v1/g", ROUTE_EVENTS, EVENT_ENDPOINT_SEGMENT_GROUP },
    { "/v1/a", ROUTE_EVENTS, EVENT_ENDPOINT_SEGMENT_ALIAS },
    { "/v1/b", ROUTE_EVENTS, EVENT_ENDPOINT_BATCH },
    { "/batch", ROUTE_EVENTS, EVENT_ENDPOINT_POSTHOG },
    { "/capture", ROUTE_EVENTS, EVENT_ENDPOINT_POSTHOG },
    { "/i/v0/e", ROUTE_EVENTS, EVENT_ENDPOINT_POSTHOG },
    { "/com.snowplowanalytics.snowplow/tp2", ROUTE_EVENTS, EVENT_ENDPOINT_SNOWPLOW },
    { "/v1/beacon", ROUTE_BEACON, EVENT_ENDPOINT_TRACK },
    { "/e", ROUTE_BEACON, EVENT_ENDPOINT_TRACK }, /* weir.js: a name that no ad blocker's list has */
    { "/health", ROUTE_HEALTH, 0 },
    { "/ready", ROUTE_READY, 0 },
    { "/metrics", ROUTE_METRICS, 0 },
};

static bool is_read(enum http_method method)
{
    return method == HTTP_METHOD_GET || method == HTTP_METHOD_HEAD;
}

static struct route_match match_of(enum route route, enum event_endpoint endpoint, struct slice key,
                                   enum http_method method)
{
    bool posted = route == ROUTE_EVENTS || route == ROUTE_BEACON;
    struct route_match match = { route, endpoint, key, NULL };
    if (posted ? method != HTTP_METHOD_POST : !is_read(method)) {
        match.route = ROUTE_WRONG_METHOD;
        match.allow = posted ? "POST, OPTIONS" : "GET, HEAD, OPTIONS";
    }
    return match;
}

/* /v1/projects/KEY/settings */
static bool is_settings(struct slice path, struct slice *out_key)
{
    const struct slice before = SLICE("/v1/projects/"), behind = SLICE("/settings");
    if (path.n <= before.n + behind.n || !slice_starts(path, before))
        return false;
    struct slice key = { path.p + before.n, path.n - before.n - behind.n };
    if (memcmp(path.p + path.n - behind.n, behind.p, behind.n) != 0 || memchr(key.p, '/', key.n))
        return false;
    *out_key = key;
    return true;
}

struct route_match route_of(enum http_method method, struct slice path)
{
    if (method == HTTP_METHOD_OPTIONS)
        return (struct route_match){ .route = ROUTE_PREFLIGHT };
    while (path.n > 1 && path.p[path.n - 1] == '/')
        path.n--;
    for (size_t i = 0; i < COUNT_OF(PATHS); i++)
        if (slice_equal(path, slice_from(PATHS[i].path)))
            return match_of(PATHS[i].route, PATHS[i].endpoint, (struct slice){ 0 }, method);
    struct slice key;
    if (is_settings(path, &key))
        return match_of(ROUTE_SETTINGS, 0, key, method);
    return (struct route_match){ .route = ROUTE_UNKNOWN };
}
