/* One request, from its body to records in the current batch. The order of the steps is the order of the refusals:
 *
 *   decompress (400, 413) → key (401) → parse (400) → quota (429) → room with the journal (413, 503) → records
 *
 * Nothing is kept of a request that is refused, and the quota is given back when its events could not be kept. A bad
 * event within a good request goes to the dead letters of its tenant in the same commit as its neighbours, with its
 * bytes.
 *
 * Requests without a key (open tenants of a dev environment) name the tenant in each event; then shares[] has one entry
 * per tenant. What names no open tenant is told to the client and not kept: without a key nobody may write into the
 * dead letters of others. */
#include "base/json_text.h"
#include "ingest/core_inside.h"

#define DAY_MS INT64_C(86400000)
#define REQUEST_BYTES 512 /* what a request without a body counts in a turn */

static const char MISSING_KEY[] =
    "no write key: send it as the user of Basic authorization, as Authorization: Bearer KEY, as X-Write-Key, or as "
    "writeKey in the body (weir tenant create NAME prints one)";

static void refuse(struct core *core, struct ticket *ticket, const struct refusal *refusal)
{
    void *exchange = ticket->exchange;
    bool cors = ticket->cors;
    ticket_give_back(&core->tickets, ticket);
    if (exchange)
        answer_refusal(core, exchange, cors, refusal);
}

/* ---- decompress */

static bool is_gzip_name(struct slice coding)
{
    return slice_equal_nocase(coding, SLICE("gzip")) || slice_equal_nocase(coding, SLICE("x-gzip"));
}

static enum status unpack(struct core *core, const struct ingest_request *request, struct slice *out_body,
                          struct error *err)
{
    struct slice coding = slice_trim(request->content_encoding), body = request->body;
    *out_body = body;
    /* The bytes decide: rudder's clients send gzip without saying so, and some proxies unpack without saying so. */
    if (inflate_is_gzip(body))
        return inflate_run(core->inflate, INFLATE_GZIP, body, out_body, err);
    if (coding.n == 0 || slice_equal_nocase(coding, SLICE("identity")))
        return OK;
    if (slice_equal_nocase(coding, SLICE("deflate")))
        return inflate_run(core->inflate, INFLATE_DEFLATE, body, out_body, err);
    if (is_gzip_name(coding)) {
        char first = slice_trim(body).n ? slice_trim(body).p[0] : 0;
        return first == '{' || first == '['
                   ? OK
                   : error_set(err, ERR_INVALID,
                               "Content-Encoding says gzip, but the body is not: send it again whole");
    }
    return error_set(err, ERR_INVALID, "Content-Encoding \"%.*s\" is not known: send gzip, deflate or none",
                     (int)(coding.n > 40 ? 40 : coding.n), coding.p);
}

/* ---- whose request it is */

static bool authenticate(struct core *core, struct ticket *ticket, struct slice body_key, struct refusal *out)
{
    if (ticket->member)
        return true;
    *out = (struct refusal){ .status = 401, .code = "missing_key", .message = MISSING_KEY };
    if (body_key.n == 0)
        return members_any_open(core->members);
    enum key_verdict verdict = members_authenticate(core->members, body_key, &ticket->member);
    if (verdict != KEY_GOOD)
        *out = refusal_of_key(verdict);
    return verdict == KEY_GOOD;
}

static const struct event_tenant *view_at(struct member *member, int64_t now_ms)
{
    member->view.oldest_ms = member->retention_days < 0 ? INT64_MIN : now_ms - member->retention_days * DAY_MS;
    return &member->view;
}

struct open_search {
    struct core *core;
    int64_t now_ms;
};

static const struct event_tenant *find_open(void *self, struct slice customer_id)
{
    struct open_search *search = self;
    struct member *member = members_find_open(search->core->members, customer_id);
    return member ? view_at(member, search->now_ms) : NULL;
}

static enum status parse(struct core *core, struct ticket *ticket, bool key_in_body, struct event_parse_result *out,
                         struct error *err)
{
    struct open_search search = { core, ticket->received_ms };
    struct slice type = ticket->request.content_type;
    struct event_request request = {
        .endpoint = ticket->endpoint,
        .ndjson = type.n && (memmem(type.p, type.n, "ndjson", 6) || memmem(type.p, type.n, "jsonl", 5)),
        .key_in_body = key_in_body,
        .received_ms = ticket->received_ms,
        .tenant = ticket->member ? view_at(ticket->member, ticket->received_ms) : NULL,
        .find_open_tenant = find_open,
        .find_self = &search,
        .remote_address = ticket->request.remote_address,
        .ip_salt = salt_at(core->shared.salt, ticket->received_ms),
    };
    return event_body_parse(core->parser, &request, &core->arena, out, err);
}

/* ---- who pays */

static struct member *member_of_reject(struct core *core, struct ticket *ticket, const struct event_reject *reject)
{
    if (ticket->member)
        return ticket->member;
    if (reject->code == EVENT_CODE_UNAUTHORIZED || reject->customer_id.n == 0)
        return NULL;
    return members_find_open(core->members, reject->customer_id);
}

/* False: more tenants than a request may name. */
static bool share_add(struct ticket *ticket, struct member *member, uint64_t events)
{
    size_t i = 0;
    while (i < ticket->share_count && ticket->shares[i].member != member)
        i++;
    if (i == TICKET_TENANTS_MAX)
        return false;
    if (i == ticket->share_count)
        ticket->shares[ticket->share_count++] = (struct ticket_share){ .member = member };
    ticket->shares[i].events += events;
    return true;
}

static bool shares_fill(struct core *core, struct ticket *ticket, const struct event_parse_result *result)
{
    if (ticket->member)
        return share_add(ticket, ticket->member, result->event_count + result->rejected_events);
    struct member *member = NULL;
    for (size_t i = 0; i < result->event_count; i++) {
        struct slice id = result->events[i].customer_id;
        if (!member || !slice_equal(slice_from(member->id), id))
            member = members_find_open(core->members, id);
        if (!member || !share_add(ticket, member, 1))
            return false;
    }
    for (size_t i = 0; i < result->reject_count; i++) {
        member = member_of_reject(core, ticket, &result->rejects[i]);
        if (member && !share_add(ticket, member, result->rejects[i].count))
            return false;
    }
    return true;
}

static void drop(struct ticket *ticket, enum drop_reason reason)
{
    for (size_t i = 0; i < ticket->share_count; i++)
        counter_add(ticket->shares[i].member->dropped[reason], ticket->shares[i].events);
}

static void refund(const struct ticket *ticket, size_t share_count)
{
    for (size_t i = 0; i < share_count; i++) {
        struct member *member = ticket->shares[i].member;
        quota_refund(member->quota, ticket->shares[i].events, member->quota_per_minute);
    }
}

static void warn(struct core *core, const struct member *member, uint32_t used_percent)
{
    counter_add(member->warnings, 1);
    log_warn("ingest.quota_warning", "customer_id=%s used_percent=%u quota_per_minute=%lu", member->id, used_percent,
             member->quota_per_minute);
    if (core->options.quota_warning)
        core->options.quota_warning(core->options.hook_self, member->id, used_percent, member->quota_per_minute);
}

/* All tenants of the request pay, or none. 0: paid; else seconds to wait. */
static uint32_t pay(struct core *core, struct ticket *ticket)
{
    for (size_t i = 0; i < ticket->share_count; i++) {
        struct member *member = ticket->shares[i].member;
        struct quota_answer answer =
            quota_take(member->quota, ticket->shares[i].events, member->quota_per_minute, ticket->received_us);
        if (answer.warn)
            warn(core, member, answer.used_percent);
        if (!answer.taken) {
            refund(ticket, i);
            return answer.retry_after_s;
        }
    }
    return 0;
}

/* ---- records */

static struct dead_letter letter_of(const struct member *member, const struct event_reject *reject, int64_t now_ms)
{
    return (struct dead_letter){
        .customer_id = slice_from(member->id),
        .stage = SLICE("ingest"),
        .reason = slice_from(event_code_name(reject->code)),
        .field = reject->field,
        .event_id = reject->event_id,
        .message = reject->message,
        .original = reject->original,
        .received_ms = now_ms,
    };
}

static size_t records_bytes(struct core *core, struct ticket *ticket, const struct event_parse_result *result)
{
    size_t bytes = 0;
    for (size_t i = 0; i < result->event_count; i++)
        bytes += batch_event_bytes(&result->events[i]);
    for (size_t i = 0; i < result->reject_count; i++) {
        const struct member *member = member_of_reject(core, ticket, &result->rejects[i]);
        struct dead_letter letter;
        if (member) {
            letter = letter_of(member, &result->rejects[i], 0);
            bytes += batch_letter_bytes(&letter);
        }
    }
    return bytes;
}

static void add_records(struct core *core, struct ticket *ticket, const struct event_parse_result *result,
                        struct batch *batch)
{
    int64_t ingested_us = world_wall_us(core->shared.world);
    for (size_t i = 0; i < result->event_count; i++) {
        result->events[i].ingested_us = ingested_us;
        batch_add_event(batch, &result->events[i]);
        batch->produced[produced_type(core->produced, result->events[i].event_type)]++;
    }
    for (size_t i = 0; i < result->reject_count; i++) {
        struct member *member = member_of_reject(core, ticket, &result->rejects[i]);
        if (!member)
            continue;
        member_count_letter(core->members, member, result->rejects[i].code);
        struct dead_letter letter = letter_of(member, &result->rejects[i], ticket->received_ms);
        batch_add_letter(batch, &letter);
    }
}

/* Runs of one type are counted together. */
static void count_types(struct core *core, struct ticket *ticket, const struct event_parse_result *result)
{
    struct member *member = ticket->member;
    for (size_t i = 0, run; i < result->event_count; i += run) {
        const struct event *first = &result->events[i];
        if (!ticket->member && (!member || !slice_equal(slice_from(member->id), first->customer_id)))
            member = members_find_open(core->members, first->customer_id);
        for (run = 1; i + run < result->event_count; run++)
            if (!slice_equal(first->event_type, first[run].event_type) ||
                !slice_equal(first->customer_id, first[run].customer_id))
                break;
        if (member)
            member_count_type(core->members, member, first->event_type, run);
    }
    for (size_t i = 0; i < result->reject_count; i++) {
        member = member_of_reject(core, ticket, &result->rejects[i]);
        if (member)
            member_count_type(core->members, member, SLICE("invalid"), result->rejects[i].count);
    }
}

/* ---- the whole */

static void refuse_quota(struct core *core, struct ticket *ticket, uint32_t wait_s)
{
    drop(ticket, DROP_QUOTA);
    refuse(core, ticket,
           &(struct refusal){ .status = 429,
                              .code = "over_quota",
                              .message =
                                  "more events than the tenant's quota a minute: none of this request were taken; "
                                  "send it again after the seconds in Retry-After",
                              .retry_after_s = wait_s });
}

void judge_unavailable(struct core *core, struct ticket *ticket, const char *reason)
{
    drop(ticket, DROP_JOURNAL_FULL);
    refund(ticket, ticket->share_count);
    refuse(core, ticket,
           &(struct refusal){
               .status = 503, .code = "unavailable", .message = reason, .retry_after_s = core->options.retry_after_s });
}

/* Nothing in a request without a key names an open tenant. */
static bool is_unauthorized(const struct ticket *ticket, const struct event_parse_result *result)
{
    return !ticket->member && ticket->share_count == 0 && result->rejected_events > 0;
}

/* Into the current batch; answered when that is durable. */
static void keep(struct core *core, struct ticket *ticket, const struct event_parse_result *result)
{
    size_t bytes = records_bytes(core, ticket, result);
    struct batch *batch;
    struct error err;
    if (bytes > BATCH_BYTES_MAX) {
        refund(ticket, ticket->share_count);
        refuse(core, ticket,
               &(struct refusal){ .status = 413,
                                  .code = "too_large",
                                  .message = "the request has more than 16 MiB of events: send fewer at "
                                             "a time" });
        return;
    }
    if (bytes > 0 && core_batch_for(core, bytes, &batch, &err) != OK) {
        judge_unavailable(core, ticket, err.text);
        return;
    }
    ticket->accepted = result->event_count;
    ticket->rejected = result->rejected_events;
    for (size_t i = 0; i < result->reject_count; i++) {
        const struct member *member = member_of_reject(core, ticket, &result->rejects[i]);
        if (member)
            counter_add(member->dropped[DROP_INVALID], result->rejects[i].count);
        verdict_add(core, ticket, &result->rejects[i]);
    }
    if (bytes == 0) { /* nothing to make durable: an empty array, or rejects of nobody's */
        answer_accepted(core, ticket);
        return;
    }
    add_records(core, ticket, result, batch);
    batch_add_ticket(batch, ticket);
    core->kept = true;
}

static void judge_parsed(struct core *core, struct ticket *ticket, const struct event_parse_result *result)
{
    if (!shares_fill(core, ticket, result)) {
        refuse(core, ticket,
               &(struct refusal){ .status = 400,
                                  .code = "too_many_tenants",
                                  .message = "a request without a key may name at most 8 tenants: split "
                                             "it, or send a key" });
        return;
    }
    if (is_unauthorized(ticket, result)) {
        refuse(core, ticket, &(struct refusal){ .status = 401, .code = "missing_key", .message = MISSING_KEY });
        return;
    }
    count_types(core, ticket, result);
    uint32_t wait_s = pay(core, ticket);
    if (wait_s)
        refuse_quota(core, ticket, wait_s);
    else
        keep(core, ticket, result);
}

static void judge_body(struct core *core, struct ticket *ticket, struct slice body)
{
    struct event_parse_result result;
    struct slice body_key;
    struct refusal refusal;
    struct error err;
    bool key_in_headers = ticket->member != NULL;
    enum status s = event_body_open(core->parser, body, &body_key, &err);
    if (s == OK && !authenticate(core, ticket, body_key, &refusal)) {
        refuse(core, ticket, &refusal);
        return;
    }
    arena_reset(&core->arena);
    if (s == OK)
        s = parse(core, ticket, !key_in_headers, &result, &err);
    if (s != OK) {
        refusal = (struct refusal){ .status = s == ERR_FULL ? 413 : 400,
                                    .code = s == ERR_FULL ? "too_large" : "unreadable_body",
                                    .message = err.text };
        refuse(core, ticket, &refusal);
        return;
    }
    judge_parsed(core, ticket, &result);
}

bool judge(struct core *core, struct ticket *ticket, size_t *out_bytes)
{
    struct slice body = { 0 };
    struct error err;
    assert(!core->judging && ticket->exchange);
    core->judging = true;
    core->kept = false;
    size_t wire_bytes = ticket->request.body.n;
    enum status s = unpack(core, &ticket->request, &body, &err);
    if (s == OK)
        judge_body(core, ticket, body);
    else
        refuse(core, ticket,
               &(struct refusal){ .status = s == ERR_FULL ? 413 : 400,
                                  .code = s == ERR_FULL ? "too_large" : "unreadable_body",
                                  .message = err.text });
    core->judging = false;
    *out_bytes = REQUEST_BYTES + (body.n > wire_bytes ? body.n : wire_bytes);
    return core->kept;
}
