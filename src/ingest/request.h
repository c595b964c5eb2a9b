/* One HTTP request as ingestion judges it: plain views, so that tests need no socket. The views live as long as the
 * exchange is unanswered. */
#pragma once
#include "base/slice.h"
#include "event/event_parse.h"
#include "http/http_server.h"

struct ingest_request {
    enum http_method method;
    struct slice path, query;
    struct slice authorization, write_key;               /* headers; p is NULL when missing */
    struct slice content_encoding, content_type, origin; /* the same */
    struct slice host;                                   /* the same; for the settings answer */
    struct slice remote_address;
    bool tls;
    struct slice body; /* EVENT_BODY_PADDING readable bytes behind it */
};

enum route {
    ROUTE_EVENTS,   /* POST, out_endpoint says which form */
    ROUTE_BEACON,   /* the same; the key may be in the query, since sendBeacon cannot set headers */
    ROUTE_SETTINGS, /* GET; out_key is the key in the path */
    ROUTE_HEALTH,
    ROUTE_READY,
    ROUTE_METRICS,
    ROUTE_PREFLIGHT, /* OPTIONS of any path */
    ROUTE_UNKNOWN,
    ROUTE_WRONG_METHOD, /* out_allow says which would do */
};

struct route_match {
    enum route route;
    enum event_endpoint endpoint;
    struct slice key;
    const char *allow;
};

/* Slashes at the end are tolerated. */
struct route_match route_of(enum http_method method, struct slice path);

#define CREDENTIAL_MAX 192 /* bytes of a decoded key; longer ones are nobody's */

/* The key as the client sent it: the user of Basic, Bearer, X-Write-Key. Empty: none. May be a view into `space`. */
struct slice credential_of_headers(const struct ingest_request *request, char space[CREDENTIAL_MAX]);
/* `key` (or `writeKey`) of the query, percent-decoded into `space`. Empty: none. */
struct slice credential_of_query(struct slice query, char space[CREDENTIAL_MAX]);
