/* Each piece is one request. What is answered 429 or 503, or breaks off, is sent again: events carry ids, so a repeat
 * counts once. */
#include <stdlib.h>
#include <time.h>

#include "cli/generate_output.h"
#include "http/http_client.h"

#define FAILURES_MAX 50 /* tries of one piece before it is given up */
#define FAILURES_AT_FIRST 8

struct http_output {
    struct generate_output output;
    struct http_client *client;
    uint64_t accepted, rejected;
    struct error error; /* why it cannot go on; "" */
};

static uint64_t number_behind(struct slice body, const char *name)
{
    const char *at = body.n ? memmem(body.p, body.n, name, strlen(name)) : NULL;
    return at ? strtoull(at + strlen(name), NULL, 10) : 0;
}

static void pause_ms(int64_t ms)
{
    struct timespec pause = { ms / 1000, ms % 1000 * 1000000 };
    nanosleep(&pause, NULL);
}

/* ERR_RETRY: again, after *out_wait_ms. */
static enum status post(struct http_output *http, struct slice lines, int64_t *out_wait_ms)
{
    struct http_reply reply;
    enum status s =
        http_client_send(http->client, "POST", "/track", "application/x-ndjson", lines, NULL, &reply, &http->error);
    if (s != OK)
        return s;
    if (reply.status != 200) {
        *out_wait_ms = reply.retry_after_ms > 0 ? reply.retry_after_ms : *out_wait_ms;
        return http_reply_error(&reply, "send", &http->error);
    }
    http->accepted += number_behind(reply.body, "\"accepted\":");
    http->rejected += number_behind(reply.body, "\"rejected\":");
    return OK;
}

static bool write_lines(struct generate_output *output, struct buf *lines)
{
    struct http_output *http = (struct http_output *)(void *)output;
    int most = http->accepted ? FAILURES_MAX : FAILURES_AT_FIRST;
    for (int failures = 0; lines->n && failures < most; failures++) {
        int64_t wait_ms = failures < 10 ? 100 << (failures / 2) : 3000;
        enum status s = post(http, buf_slice(lines), &wait_ms);
        if (s == OK) {
            http->error.text[0] = '\0';
            buf_reset(lines);
            return true;
        }
        if (s != ERR_RETRY)
            return false;
        pause_ms(wait_ms);
    }
    return lines->n == 0;
}

static enum status close_http(struct generate_output *output, struct error *err)
{
    struct http_output *http = (struct http_output *)(void *)output;
    enum status s = OK;
    if (http->error.text[0])
        s = error_set(err, http->error.status, "%s", http->error.text);
    else if (http->rejected)
        s = error_set(err, ERR_INVALID, "%lu of %lu events were rejected: `weir dead-letters list` says why",
                      http->rejected, http->accepted + http->rejected);
    http_client_close(http->client);
    free(http);
    return s;
}

enum status generate_output_http(const char *url, const char *key, struct generate_output **out, struct error *err)
{
    const struct http_client_options options = { .url = url, .key = key, .key_is_basic = true };
    struct http_client *client;
    enum status s = http_client_open(&options, &client, err);
    if (s != OK)
        return s;
    struct http_output *http = calloc(1, sizeof *http);
    if (!http)
        abort();
    *http = (struct http_output){ .output = { write_lines, close_http }, .client = client };
    *out = &http->output;
    return OK;
}
