/* ClickHouse's HTTP protocol, as a client: one connection that is kept, requests that block the calling thread with a
 * bound in time. One owner, one thread at a time; only store_http_cancel may come from any. Used by the sink for
 * inserts and by the serving side for questions, each with clients of its own. */
#pragma once
#include <sys/uio.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/error.h"

struct store_http;

struct store_http_options {
    const char *url;             /* "http://host:port" or https; "/" is added when missing */
    const char *user, *password; /* for requests that name none; password may be "" */
    uint32_t connect_wait_ms;    /* longest wait for a connection; 2000 */
    const char *tls_ca;          /* PEM file of the authority for https; NULL, "": the system's */
};

struct store_http_request {
    const char *parameters;    /* what stands behind '?', escaped (store_http_add_parameter); "" for none */
    const struct iovec *parts; /* the body, borrowed */
    size_t part_count;
    const char *user, *password; /* NULL: the client's */
    uint32_t wait_ms;            /* longest time for all of it */
    struct buf *answer;          /* the body of the answer, added; what is beyond its bound is cut and sets full */
};

struct store_http_answer {
    long http_status;
    long exception_code; /* the engine's own error number, 0 for none */
};

MUST_CHECK enum status store_http_open(const struct store_http_options *options, struct store_http **out,
                                       struct error *err);
/* OK: an answer came, whole; what it says is in *out_answer. ERR_RETRY: no connection, too slow, cut off; whether the
 * request was carried out is unknown. ERR_CLOSED: cancelled. */
MUST_CHECK enum status store_http_ask(struct store_http *client, const struct store_http_request *request,
                                      struct store_http_answer *out_answer, struct error *err);
/* From any thread. True: what is under way ends within a second, what comes later at once, until false is set. */
void store_http_cancel(struct store_http *client, bool cancelled);
void store_http_close(struct store_http *client); /* NULL is fine */

/* Adds name=value to parameters, escaped, with & in front unless it is the first. */
void store_http_add_parameter(struct buf *parameters, const char *name, struct slice value);
