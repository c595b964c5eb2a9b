/* An HTTP/1.1 server on one libuv loop: limits, time-outs, pipelining in order, deferred answers, streams, TLS,
 * draining. The owner of the loop owns the server; every function here is called on the loop's thread only. Ingestion
 * and the API each have their own loop and server. Not here: routing of a product's paths (the handler does that). */
#pragma once
#include <uv.h>

#include "base/compiler.h"
#include "base/error.h"
#include "base/slice.h"

struct http_server;
struct http_exchange; /* one request and its answer */
struct metrics;

struct http_server_options {
    const char *name;            /* in logs and metrics: "ingest", "api" */
    const char *host;            /* "127.0.0.1", "0.0.0.0", "::" */
    uint16_t port;               /* 0: any free one, see http_server_port */
    const char *port_option;     /* "--ingest-port": named in the error when the port is taken; NULL: not named */
    const char *tls_certificate; /* PEM file, or NULL for plain HTTP */
    const char *tls_key;
    size_t connections_max;    /* further ones are answered 503 and closed */
    size_t body_bytes_max;     /* larger: 413, before the body is read where Content-Length tells */
    size_t buffered_bytes_max; /* sum of all bodies in memory at once: beyond it 503 with Retry-After */
    size_t head_bytes_max;     /* request line and headers: 431 */
    int64_t head_timeout_ms;   /* from the first byte to the end of the headers (slow-loris): 408 */
    int64_t body_timeout_ms;   /* for the whole body */
    int64_t idle_timeout_ms;   /* keep-alive without a request */
    int64_t answer_timeout_ms; /* a client that does not read its answer */
    bool reuse_port;           /* several servers of this process, each on its loop, share the port */
    bool reuse_port_joins; /* … false: the first of them, which fails when anybody has the port; true: the others */
    /* A client that ends its sending side during a deferred answer: true: it counts as gone (so that its query can be
     * stopped); false: it is still answered (`printf … | nc`). A stream's client is gone in both cases. */
    bool half_close_is_gone;
};

enum http_method {
    HTTP_METHOD_GET,
    HTTP_METHOD_POST,
    HTTP_METHOD_PUT,
    HTTP_METHOD_DELETE,
    HTTP_METHOD_OPTIONS,
    HTTP_METHOD_HEAD,
    HTTP_METHOD_PATCH,
    HTTP_METHOD_OTHER
};

/* Valid until the exchange is answered (streams: until closed). Header names are looked up without regard to case. */
enum http_method http_method(const struct http_exchange *exchange);
struct slice http_path(const struct http_exchange *exchange);  /* still percent-encoded, without the query */
struct slice http_query(const struct http_exchange *exchange); /* behind the '?', or empty */
struct slice http_header(const struct http_exchange *exchange, const char *name); /* p is NULL when missing */
/* The whole body as it came (Content-Encoding is the handler's business). The buffer has at least 64 readable bytes of
 * padding behind it, for simdjson, and may be written to. */
struct slice http_body(struct http_exchange *exchange);
struct slice http_remote_address(const struct http_exchange *exchange); /* numeric, without the port */
bool http_is_loopback(const struct http_exchange *exchange);

/* Called when a request is whole. Must answer, now or later, exactly once: http_answer or http_stream_begin. */
typedef void http_handler(void *self, struct http_exchange *exchange);
/* Called when the client goes away before its deferred answer or during its stream: drop the pointer, do not answer.
 * Comes from the loop or from http_server_stop, never out of http_answer or http_stream_…. */
typedef void http_gone(void *self, struct http_exchange *exchange);

struct http_answer {
    unsigned status;
    const char *content_type;   /* NULL: application/json */
    struct slice extra_headers; /* whole lines with CR LF, or empty */
    struct slice body;          /* copied */
};
void http_answer(struct http_exchange *exchange, const struct http_answer *answer);

/* The handler's own pointer, kept with the exchange (deferred answers, streams). */
void http_set_context(struct http_exchange *exchange, void *context);
void *http_context(const struct http_exchange *exchange);

/* Streams (SSE, large results): chunked. pending: bytes written but not yet taken by the client; a writer that finds
 * too many skips or closes: never buffers without bound. */
void http_stream_begin(struct http_exchange *exchange, unsigned status, const char *content_type,
                       struct slice extra_headers);
void http_stream_write(struct http_exchange *exchange, struct slice bytes);
size_t http_stream_pending(const struct http_exchange *exchange);
void http_stream_end(struct http_exchange *exchange);

/* Sets SIGPIPE to be ignored in the whole process, unless it has a handler. ERR_FULL: the port is taken. */
MUST_CHECK enum status http_server_start(const struct http_server_options *options, uv_loop_t *loop,
                                         struct metrics *metrics, http_handler *handler, http_gone *gone, void *self,
                                         struct http_server **out, struct error *err);
uint16_t http_server_port(const struct http_server *server);
/* No new connections; idle ones are closed; running exchanges finish, then their connections close, then on_drained
 * (may be NULL) is called once, from the loop. Streams do not end by themselves: end them, or call http_server_stop
 * after a time. */
void http_server_drain(struct http_server *server, void (*on_drained)(void *self), void *self);
/* Closes what is left; calls gone for every exchange that was not answered. Free it by running the loop until it has
 * nothing more to do, then http_server_free. */
void http_server_stop(struct http_server *server);
void http_server_free(struct http_server *server);
