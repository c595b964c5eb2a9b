/* Whatever keeps a question from being answered is the network's or the registry's trouble and passes; only what the
 * registry itself says no to stays. A host name that is not found is of the first kind, too: name servers have bad
 * days, and a record that waits is better than a dead letter that says nothing about the record. */
#include <stdio.h>

#include "base/json_scan.h"
#include "registry/registry_inside.h"

#define CONTENT_TYPE "application/vnd.schemaregistry.v1+json"
#define WORDS_MAX 1500

/* {"error_code":N,"message":"…"}, or whatever it says. */
static void words_of(struct slice body, struct buf *out)
{
    if (http_json_string(body, "message", out) && out->n)
        return;
    buf_reset(out);
    buf_add_slice(out, slice_of(body.p, body.n < 200 ? body.n : 200));
}

/* A registry's own refusal has its code; one without it is of somebody else, a proxy or a wrong path. */
static bool is_a_registrys(struct slice body)
{
    struct slice code;
    return json_is_whole(body) && json_find(body, "error_code", &code);
}

enum status registry_is_none(const struct registry *registry, const char *what, unsigned http_status, struct error *err)
{
    return error_set(err, ERR_IO,
                     "schema registry %s: %s: the answer (%u) is not a schema registry's: check the address, its path "
                     "included, such as …/apis/ccompat/v7",
                     registry->url, what, http_status);
}

static enum status refusal(const struct registry *registry, const struct http_reply *reply, const char *what,
                           struct error *err)
{
    AUTO(buf) struct buf words;
    buf_init(&words, WORDS_MAX);
    words_of(reply->body, &words);
    const char *text = words.n ? buf_text(&words) : "no reason was given";
    switch (reply->status) {
    case 401:
    case 403:
        return error_set(err, ERR_IO,
                         "schema registry %s: %s: it refuses us (HTTP %u: %s): check the registry's user and password, "
                         "and the user's rights",
                         registry->url, what, reply->status, text);
    case 404:
        return is_a_registrys(reply->body)
                   ? error_set(err, ERR_NOT_FOUND, "schema registry %s: %s: %s", registry->url, what, text)
                   : registry_is_none(registry, what, reply->status, err);
    case 409:
    case 422:
        return error_set(err, ERR_INVALID, "schema registry %s: %s: %s", registry->url, what, text);
    default:
        return reply->status == 429 || reply->status >= 500
                   ? error_set(err, ERR_RETRY, "schema registry %s: %s: HTTP %u: %s", registry->url, what,
                               reply->status, text)
                   : registry_is_none(registry, what, reply->status, err);
    }
}

enum status registry_ask(struct registry *registry, const char *method, const char *path, struct slice body,
                         const char *what, struct slice *out_body, struct error *err)
{
    struct http_reply reply;
    enum status s =
        http_client_send(registry->http, method, path, body.p ? CONTENT_TYPE : NULL, body, NULL, &reply, err);
    if (s != OK)
        return error_wrap(err, s == ERR_FULL ? s : ERR_RETRY, "schema registry: %s", what);
    if (reply.status != 200)
        return refusal(registry, &reply, what, err);
    *out_body = reply.body;
    return OK;
}

enum status registry_no_sense(const struct registry *registry, const char *subject, struct error *err)
{
    return error_set(err, ERR_IO, "schema registry %s: subject %s: the answer is none of Confluent's API",
                     registry->url, subject);
}

bool registry_number(struct slice json, uint32_t *out)
{
    uint64_t number;
    if (!json_scan_u64(json, &number) || number > UINT32_MAX)
        return false;
    *out = (uint32_t)number;
    return true;
}
