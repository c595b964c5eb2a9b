/* The routes: what needs no body is answered at once; a request with events gets a ticket. A key in a header (or, for
 * beacons, in the query) is checked before the body is looked at, so that strangers cost little. */
#include "ingest/core_inside.h"
#include "journal/journal.h"

#define REFUSED_LATELY_US 5000000 /* without new requests nobody would notice that the journal takes commits again */
#define METRICS_CONTENT "text/plain; version=0.0.4; charset=utf-8"

static void answer_health(struct core *core, void *exchange, bool cors)
{
    buf_reset(&core->text);
    buf_add_text(&core->text, "{\"status\":\"ok\"}");
    answer_text(core, exchange, cors, 200, NULL);
}

static void answer_ready(struct core *core, void *exchange, bool cors)
{
    struct journal *journal = core->shared.journal;
    struct journal_status status;
    const char *reason = NULL;
    if (core->draining)
        reason = "shutting down";
    else if (core->options.not_ready)
        reason = core->options.not_ready(core->options.hook_self);
    journal->backend->status(journal, &status);
    bool refused_lately =
        core->journal_refuses && world_mono_us(core->shared.world) - core->journal_refused_us < REFUSED_LATELY_US;
    if (!reason && (status.full || refused_lately))
        reason = "the journal is full: free disk space, or let the readers catch up";
    if (!reason) {
        buf_reset(&core->text);
        buf_add_text(&core->text, "{\"status\":\"ready\"}");
        answer_text(core, exchange, cors, 200, NULL);
        return;
    }
    struct refusal refusal = {
        .status = 503, .code = "not_ready", .message = reason, .retry_after_s = core->options.retry_after_s
    };
    answer_refusal(core, exchange, cors, &refusal);
}

static void answer_metrics(struct core *core, void *exchange, bool cors)
{
    buf_reset(&core->text);
    metrics_render(core->shared.metrics, &core->text);
    answer_text(core, exchange, cors, 200, METRICS_CONTENT);
}

struct refusal refusal_of_key(enum key_verdict verdict)
{
    if (verdict == KEY_IS_READ_KEY)
        return (struct refusal){ .status = 401,
                                 .code = "read_key",
                                 .message = "this is a read key: it queries, it cannot write; send the tenant's write "
                                            "key" };
    return (struct refusal){ .status = 401,
                             .code = "unknown_key",
                             .message = "unknown write key: check it for typing errors, or make one with weir tenant "
                                        "create NAME" };
}

static void answer_project(struct core *core, void *exchange, const struct ingest_request *request, struct slice key)
{
    struct member *member;
    if (members_authenticate(core->members, key, &member) == KEY_GOOD)
        answer_settings(core, exchange, request, key);
    else
        answer_refusal(core, exchange, true,
                       &(struct refusal){ .status = 404,
                                          .code = "unknown_key",
                                          .message = "no tenant has this write key: check it for typing errors" });
}

static struct ticket *receive_events(struct core *core, const struct ingest_request *request, void *exchange,
                                     const struct route_match *match)
{
    char space[CREDENTIAL_MAX];
    struct member *member = NULL;
    bool cors = request->origin.n > 0;
    struct slice key = credential_of_headers(request, space);
    if (key.n == 0 && match->route == ROUTE_BEACON)
        key = credential_of_query(request->query, space);
    enum key_verdict verdict = key.n ? members_authenticate(core->members, key, &member) : KEY_GOOD;
    if (verdict != KEY_GOOD) {
        struct refusal refusal = refusal_of_key(verdict);
        answer_refusal(core, exchange, cors, &refusal);
        return NULL;
    }
    struct ticket *ticket = ticket_take(&core->tickets);
    if (!ticket) {
        struct refusal refusal = { .status = 503,
                                   .code = "unavailable",
                                   .message = "out of memory; send it again later",
                                   .retry_after_s = core->options.retry_after_s };
        answer_refusal(core, exchange, cors, &refusal);
        return NULL;
    }
    ticket->exchange = exchange;
    ticket->request = *request;
    ticket->endpoint = match->endpoint;
    ticket->member = member;
    ticket->cors = cors;
    ticket->received_us = world_mono_us(core->shared.world);
    ticket->received_ms = world_wall_ms(core->shared.world);
    return core_schedule(core, ticket);
}

struct ticket *core_receive(struct core *core, const struct ingest_request *request, void *exchange)
{
    struct route_match match = route_of(request->method, request->path);
    bool cors = request->origin.n > 0;
    switch (match.route) {
    case ROUTE_EVENTS:
    case ROUTE_BEACON:
        return receive_events(core, request, exchange, &match);
    case ROUTE_SETTINGS:
        answer_project(core, exchange, request, match.key);
        return NULL;
    case ROUTE_HEALTH:
        answer_health(core, exchange, cors);
        return NULL;
    case ROUTE_READY:
        answer_ready(core, exchange, cors);
        return NULL;
    case ROUTE_METRICS:
        answer_metrics(core, exchange, cors);
        return NULL;
    case ROUTE_PREFLIGHT:
        answer_preflight(core, exchange);
        return NULL;
    case ROUTE_WRONG_METHOD:
        answer_refusal(core, exchange, cors,
                       &(struct refusal){ .status = 405,
                                          .code = "method_not_allowed",
                                          .message = "this path takes another method, see Allow",
                                          .allow = match.allow });
        return NULL;
    case ROUTE_UNKNOWN:
        answer_refusal(core, exchange, cors,
                       &(struct refusal){ .status = 404,
                                          .code = "not_found",
                                          .message = "no such path: events go to POST /track or POST /v1/batch" });
        return NULL;
    }
    return NULL;
}
