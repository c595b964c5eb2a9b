/* Texts of answers. One buffer, filled and handed over: the server copies it before anything else can happen. CORS
 * headers go to whoever sent an Origin: any origin is welcome, since keys, not origins, say who may write; credentials
 * are not allowed. */
#include <stdio.h>

#include "base/json_text.h"
#include "ingest/core_inside.h"

#define CORS_LINES "Access-Control-Allow-Origin: *\r\nAccess-Control-Expose-Headers: Retry-After\r\n"
#define TEXT_CONTENT "text/plain; version=0.0.4; charset=utf-8"

static enum answer_kind kind_of(unsigned status)
{
    if (status < 400)
        return ANSWERED_OK;
    if (status == 429)
        return ANSWERED_QUOTA;
    return status >= 500 ? ANSWERED_UNAVAILABLE : ANSWERED_CLIENT_ERROR;
}

static void answer_with(struct core *core, void *exchange, const struct http_answer *answer)
{
    counter_add(core->answers[kind_of(answer->status)], 1);
    core->host.answer(core->host.self, exchange, answer);
}

void answer_text(struct core *core, void *exchange, bool cors, unsigned status, const char *content_type)
{
    struct http_answer answer = { .status = status,
                                  .content_type = content_type,
                                  .extra_headers = cors ? SLICE(CORS_LINES) : (struct slice){ 0 },
                                  .body = buf_slice(&core->text) };
    answer_with(core, exchange, &answer);
}

void answer_refusal(struct core *core, void *exchange, bool cors, const struct refusal *refusal)
{
    struct buf *text = &core->text;
    buf_reset(text);
    buf_add_char(text, '{');
    json_add_field(text, "code", slice_from(refusal->code));
    json_add_field(text, "message", slice_from(refusal->message));
    if (refusal->retry_after_s)
        json_add_field_u64(text, "retry_after_seconds", refusal->retry_after_s);
    buf_add_char(text, '}');
    char headers[256];
    int n = snprintf(headers, sizeof headers, "%s", cors ? CORS_LINES : "");
    if (refusal->retry_after_s)
        n += snprintf(headers + n, sizeof headers - (size_t)n, "Retry-After: %u\r\n", refusal->retry_after_s);
    if (refusal->allow)
        n += snprintf(headers + n, sizeof headers - (size_t)n, "Allow: %s\r\n", refusal->allow);
    assert(n >= 0 && (size_t)n < sizeof headers);
    struct http_answer answer = { .status = refusal->status,
                                  .extra_headers = slice_of(headers, (size_t)n),
                                  .body = buf_slice(text) };
    answer_with(core, exchange, &answer);
}

void answer_preflight(struct core *core, void *exchange)
{
    struct http_answer answer = {
        .status = 204,
        .extra_headers =
            SLICE("Access-Control-Allow-Origin: *\r\n"
                  "Access-Control-Allow-Methods: GET, POST, OPTIONS\r\n"
                  "Access-Control-Allow-Headers: Authorization, Content-Type, Content-Encoding, X-Write-Key\r\n"
                  "Access-Control-Max-Age: 86400\r\n"),
    };
    answer_with(core, exchange, &answer);
}

/* Where the browser library shall send: host and path, without the scheme. */
static void add_api_host(struct buf *text, const struct ingest_options *options, const struct ingest_request *request,
                         bool *out_tls)
{
    struct slice host = request->host.n && request->host.n <= 255 ? request->host : SLICE("localhost");
    *out_tls = request->tls;
    if (options->public_url) {
        host = slice_from(options->public_url);
        *out_tls = slice_starts(host, SLICE("https://"));
        const char *slashes = strstr(options->public_url, "://");
        if (slashes)
            host = slice_from(slashes + 3);
        while (host.n && host.p[host.n - 1] == '/')
            host.n--;
    }
    char space[512];
    int n = snprintf(space, sizeof space, "%.*s/v1", SLICE_ARG(host));
    json_add_field(text, "apiHost", slice_of(space, n < (int)sizeof space ? (size_t)n : sizeof space - 1));
}

void answer_settings(struct core *core, void *exchange, const struct ingest_request *request, struct slice key)
{
    struct buf *text = &core->text;
    bool tls;
    buf_reset(text);
    buf_add_text(text, "{\"integrations\":{\"Segment.io\":{");
    json_add_field(text, "apiKey", key);
    add_api_host(text, &core->options, request, &tls);
    json_add_field(text, "protocol", tls ? SLICE("https") : SLICE("http"));
    buf_add_text(text, ",\"unbundledIntegrations\":[],\"addBundledMetadata\":true,\"maybeBundledConfigIds\":{},"
                       "\"versionSettings\":{\"version\":\"4.4.7\",\"componentTypes\":[\"browser\"]}}},"
                       "\"plan\":{\"track\":{\"__default\":{\"enabled\":true,\"integrations\":{}}},"
                       "\"identify\":{\"__default\":{\"enabled\":true}},\"group\":{\"__default\":{\"enabled\":true}}},"
                       "\"edgeFunction\":{},\"analyticsNextEnabled\":true,\"middlewareSettings\":{},"
                       "\"enabledMiddleware\":{},\"metrics\":{\"sampleRate\":0},\"remotePlugins\":[],"
                       "\"legacyVideoPluginsEnabled\":false}");
    answer_text(core, exchange, true, 200, NULL);
}

void answer_accepted(struct core *core, struct ticket *ticket)
{
    struct buf *text = &core->text;
    buf_reset(text);
    buf_add_text(text, "{\"accepted\":");
    buf_add_u64(text, ticket->accepted);
    buf_add_text(text, ",\"rejected\":");
    buf_add_u64(text, ticket->rejected);
    buf_add_text(text, ",\"results\":[");
    buf_add_slice(text, buf_slice(&ticket->verdicts));
    buf_add_char(text, ']');
    if (ticket->verdicts_left_out)
        json_add_field_u64(text, "results_left_out", ticket->verdicts_left_out);
    buf_add_char(text, '}');
    struct http_answer answer = { .status = 200,
                                  .extra_headers = ticket->cors ? SLICE(CORS_LINES) : (struct slice){ 0 },
                                  .body = buf_slice(text) };
    int64_t took_us = world_mono_us(core->shared.world) - ticket->received_us;
    for (size_t i = 0; i < ticket->share_count; i++)
        histogram_observe_us(ticket->shares[i].member->latency, took_us, 1);
    void *exchange = ticket->exchange;
    ticket_give_back(&core->tickets, ticket);
    if (exchange)
        answer_with(core, exchange, &answer);
}

void verdict_add(struct core *core, struct ticket *ticket, const struct event_reject *reject)
{
    struct buf *to = &ticket->verdicts;
    size_t before = to->n;
    if (ticket->verdicts_left_out || ticket->verdict_count >= core->options.verdicts_max) {
        ticket->verdicts_left_out++;
        return;
    }
    if (before)
        buf_add_char(to, ',');
    buf_add_text(to, "{\"index\":");
    buf_add_u64(to, reject->index);
    json_add_field(to, "code", slice_from(event_code_name(reject->code)));
    if (reject->field.n)
        json_add_field(to, "field", reject->field);
    json_add_field(to, "message", reject->message);
    if (reject->count > 1)
        json_add_field_u64(to, "count", reject->count);
    buf_add_char(to, '}');
    if (to->full) {
        to->n = before;
        to->full = false;
        ticket->verdicts_left_out++;
        return;
    }
    ticket->verdict_count++;
}
