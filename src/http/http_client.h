/* HTTP for commands, and for the registry's client: one connection kept alive, time-outs, and errors that say what to
 * do. It blocks its thread, which owns it. Bound: the answer's body (options.body_bytes_max). The engine's clients are
 * others (store/store_http.h). */
#pragma once
#include "base/buf.h"
#include "base/compiler.h"
#include "base/error.h"
#include "base/slice.h"

struct http_client;

struct http_client_options {
    const char *url;        /* "http://127.0.0.1:8001", a trailing slash is fine; paths are appended to it */
    const char *key;        /* sent as "Authorization: Bearer KEY"; NULL or "": none */
    bool key_is_basic;      /* sent as Basic instead, with the key as USER or USER:PASSWORD: for write keys */
    int64_t connect_ms;     /* 0: 5,000 */
    int64_t timeout_ms;     /* for the whole request; 0: 60,000 */
    size_t body_bytes_max;  /* of an answer; 0: 256 MiB */
    const char *start_hint; /* what to do when nothing answers; NULL: "start it with `weir up`" */
};

struct http_reply {
    unsigned status;
    struct slice body;      /* the client's, until the next request; one NUL behind it */
    int64_t retry_after_ms; /* from Retry-After; 0: none */
    int64_t elapsed_us;
};

MUST_CHECK enum status http_client_open(const struct http_client_options *options, struct http_client **out,
                                        struct error *err);
void http_client_close(struct http_client *client); /* NULL is fine */
static inline void http_client_auto(struct http_client **client)
{
    http_client_close(*client);
}

/* OK: an answer came, whatever its status. ERR_RETRY: nothing answers or it broke off; ERR_INVALID: a bad address;
 * ERR_FULL: the answer is too large. path begins with '/'. extra_header: "Name: value" or NULL. */
MUST_CHECK enum status http_client_get(struct http_client *client, const char *path, struct http_reply *out,
                                       struct error *err);
MUST_CHECK enum status http_client_send(struct http_client *client, const char *method, const char *path,
                                        const char *content_type, struct slice body, const char *extra_header,
                                        struct http_reply *out, struct error *err);
/* For an answer that is not the success that was wanted: the text of {"code","message"} (or the start of the body) with
 * the status, as an error: ERR_RETRY for 429 and 5xx, ERR_NOT_FOUND for 404, ERR_INVALID otherwise. */
enum status http_reply_error(const struct http_reply *reply, const char *doing, struct error *err);
/* The sysexits code for a failed request: EX_UNAVAILABLE, EX_NOPERM, EX_TEMPFAIL, EX_DATAERR … */
int http_client_exit_code(enum status status, unsigned http_status);
/* The value of a top-level string member of a JSON object, unescaped (\uXXXX becomes UTF-8); false: no such string. */
MUST_CHECK bool http_json_string(struct slice json, const char *name, struct buf *out);
