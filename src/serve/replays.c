/* POST /v1/replays begins one, GET /v1/replays says how they are doing (?id=N: that one). Who administrates names the
 * tenant; a tenant's write key is for itself. The work is replay/'s; here are rights, words and JSON. */
#include <stdio.h>
#include <string.h>

#include "base/json_scan.h"
#include "base/json_text.h"
#include "base/timestamp.h"
#include "replay/replay.h"
#include "serve/inside.h"

#define DAY_MS 86400000LL
#define BODY_BYTES_MAX (2u << 20)
#define WORD_BYTES_MAX 256

static void add_time(struct buf *out, const char *name, int64_t ms)
{
    char text[TIMESTAMP_TEXT_BYTES];
    timestamp_format(ms, text);
    json_add_field(out, name, slice_of(text, sizeof text));
}

static void add_report(struct buf *out, const struct replay_report *report)
{
    buf_add_char(out, '{');
    json_add_field_u64(out, "id", report->id);
    json_add_field(out, "tenant", slice_from(report->request.tenant));
    json_add_field(out, "state", slice_from(replay_state_name(report->state)));
    add_time(out, "from", report->request.from_ms);
    if (report->to_ms != REPLAY_NEWEST)
        add_time(out, "to", report->to_ms);
    json_add_key(out, "windows");
    buf_add_char(out, '[');
    for (size_t i = 0; i < report->window_count; i++) {
        if (i)
            buf_add_char(out, ',');
        json_add_string(out, *report->names[i]);
    }
    buf_add_char(out, ']');
    json_add_key(out, "dry_run");
    buf_add_text(out, report->request.dry_run ? "true" : "false");
    json_add_field_u64(out, "events_total", report->total);
    json_add_field_u64(out, "events", report->events);
    json_add_field_u64(out, "results", report->results);
    json_add_field_u64(out, "late_events", report->late);
    if (report->generation)
        json_add_field_u64(out, "generation", report->generation);
    if (report->error[0])
        json_add_field(out, "error", slice_from(report->error));
    buf_add_char(out, '}');
}

/* ---- the request ---- */

/* A string member. False: not there. *bad: there, but no string, or too long. */
static bool read_text(struct slice body, const char *name, char *to, size_t size, bool *bad)
{
    struct slice value;
    AUTO(buf) struct buf text;
    buf_init(&text, size - 1);
    if (!json_find(body, name, &value) || json_is_null(value))
        return false;
    if (!json_scan_string(value, &text) || text.full || memchr(text.p ? text.p : "", '\0', text.n)) {
        *bad = true;
        return false;
    }
    memcpy(to, text.p ? text.p : "", text.n);
    to[text.n] = '\0';
    return true;
}

/* A day alone is its beginning. */
static bool read_time(struct slice body, const char *name, int64_t *out_ms, bool *bad)
{
    char text[64], whole[96];
    if (!read_text(body, name, text, sizeof text, bad))
        return false;
    snprintf(whole, sizeof whole, "%sT00:00:00Z", text);
    *bad = *bad || !(timestamp_parse(slice_from(text), out_ms) || timestamp_parse(slice_from(whole), out_ms));
    return true;
}

static const char *find_unknown(struct slice body)
{
    static const char *const KNOWN[] = { "from", "to", "window", "tenant", "dry_run" };
    struct json_walk walk;
    json_walk_begin(&walk, body);
    while (json_walk_next(&walk)) {
        bool known = false;
        for (size_t i = 0; walk.object && i < COUNT_OF(KNOWN); i++)
            known |= slice_equal(slice_of(walk.name.p + 1, walk.name.n - 2), slice_from(KNOWN[i]));
        if (!known)
            return "the members are from, to, window, dry_run, and tenant for who administrates";
    }
    return walk.bad || !walk.object || !json_is_whole(body)
               ? "the body is a JSON object such as {\"from\": \"2026-01-01\", \"to\": \"2026-02-01\"}"
               : NULL;
}

static const char *read_request(struct slice body, struct replay_request *out)
{
    struct slice value;
    bool bad = false;
    const char *why = find_unknown(body);
    *out = (struct replay_request){ .to_ms = REPLAY_NEWEST, .kept_from_ms = INT64_MIN };
    if (why)
        return why;
    if (!read_time(body, "from", &out->from_ms, &bad) || bad)
        return "\"from\" is a time such as \"2026-01-01\" or \"2026-01-01T10:00:00Z\"";
    read_time(body, "to", &out->to_ms, &bad);
    if (bad)
        return "\"to\" is a time such as \"2026-02-01\" or \"2026-02-01T10:00:00Z\", or not there: as far as possible";
    read_text(body, "window", out->window, sizeof out->window, &bad);
    if (bad)
        return "\"window\" is the name of a window";
    read_text(body, "tenant", out->tenant, sizeof out->tenant, &bad);
    if (bad)
        return "\"tenant\" is the name of a tenant";
    if (json_find(body, "dry_run", &value)) {
        out->dry_run = slice_equal(value, SLICE("true"));
        if (!out->dry_run && !slice_equal(value, SLICE("false")))
            return "\"dry_run\" is true or false";
    }
    return NULL;
}

/* The tenant that the request is about; NULL: it was answered. */
static const struct tenant *find_tenant(struct serve *serve, struct http_exchange *exchange, bool admin,
                                        const char *name)
{
    const struct tenant *tenant = admin ? NULL : access_writer(serve, exchange);
    if (!admin && tenant && name[0] && strcmp(tenant->id, name) != 0) {
        answer_error(serve, exchange, 403, "wrong_key", "this write key belongs to another tenant", &ANSWER_PRIVATE);
        return NULL;
    }
    if (!admin)
        return tenant;
    access_refresh(serve, true);
    tenant = serve->directory && name[0] ? directory_find(serve->directory, slice_from(name)) : NULL;
    if (!tenant)
        answer_error(serve, exchange, name[0] ? 404 : 400, name[0] ? "no_such_tenant" : "bad_request",
                     name[0] ? "there is no such tenant: `weir tenant list` shows them"
                             : "\"tenant\" says whose events are counted again",
                     &ANSWER_PRIVATE);
    return tenant;
}

static void answer_begun(struct serve *serve, struct http_exchange *exchange, uint64_t id)
{
    AUTO(buf) struct buf body;
    buf_init(&body, BODY_BYTES_MAX);
    for (size_t i = 0; i < REPLAY_JOBS_MAX; i++) {
        struct replay_report report;
        if (replayer_at(serve->options.replayer, i, &report) && report.id == id)
            add_report(&body, &report);
    }
    answer_body(serve, exchange, 202, buf_slice(&body), &ANSWER_PRIVATE);
}

static bool is_there(struct serve *serve, struct http_exchange *exchange)
{
    if (!serve->options.replayer)
        answer_error(serve, exchange, 503, "no_engine", "there is no engine to read history from", &ANSWER_PRIVATE);
    return serve->options.replayer != NULL;
}

void replays_begin(struct serve *serve, struct http_exchange *exchange)
{
    struct replay_request request;
    const char *actor;
    uint64_t id = 0;
    struct error err;
    const bool admin = access_is_admin(serve, exchange, &actor);
    const char *why = read_request(http_body(exchange), &request);
    if (!admin && !access_writer(serve, exchange))
        return;
    if (why) {
        answer_error(serve, exchange, 400, "bad_request", why, &ANSWER_PRIVATE);
        return;
    }
    const struct tenant *tenant = find_tenant(serve, exchange, admin, request.tenant);
    if (!tenant || !is_there(serve, exchange))
        return;
    const int32_t days = tenant->retention_days ? tenant->retention_days : serve->options.retention_days;
    memcpy(request.tenant, tenant->id, sizeof request.tenant);
    memcpy(request.placement, tenant->placement, sizeof request.placement);
    if (days > 0)
        request.kept_from_ms = world_wall_ms(serve->world) - days * DAY_MS;
    enum status s = replayer_begin(serve->options.replayer, &request, &id, &err);
    if (s == OK)
        answer_begun(serve, exchange, id);
    else
        answer_error(serve, exchange,
                     s == ERR_NOT_FOUND ? 404
                     : s == ERR_RETRY   ? 409
                     : s == ERR_FULL    ? 503
                                        : 400,
                     s == ERR_NOT_FOUND ? "no_such_window"
                     : s == ERR_RETRY   ? "replay_under_way"
                     : s == ERR_FULL    ? "busy"
                                        : "bad_range",
                     err.text, &(struct answer_extra){ .retry_after_s = s == ERR_FULL ? 10 : 0 });
}

void replays_list(struct serve *serve, struct http_exchange *exchange)
{
    const char *actor;
    char word[WORD_BYTES_MAX] = "";
    uint64_t id = 0;
    const bool admin = access_is_admin(serve, exchange, &actor);
    const struct tenant *tenant = admin ? NULL : access_writer(serve, exchange);
    if ((!admin && !tenant) || !is_there(serve, exchange))
        return;
    if (access_query_value(http_query(exchange), "id", word, sizeof word) && !slice_to_u64(slice_from(word), &id)) {
        answer_error(serve, exchange, 400, "bad_request", "id is a number", &ANSWER_PRIVATE);
        return;
    }
    AUTO(buf) struct buf body;
    buf_init(&body, BODY_BYTES_MAX);
    buf_add_text(&body, "{\"replays\":[");
    for (size_t i = 0, shown = 0; i < REPLAY_JOBS_MAX; i++) {
        struct replay_report report;
        if (!replayer_at(serve->options.replayer, i, &report) || (id && report.id != id) ||
            (tenant && strcmp(tenant->id, report.request.tenant) != 0))
            continue;
        if (shown++)
            buf_add_char(&body, ',');
        add_report(&body, &report);
    }
    buf_add_text(&body, "]}");
    answer_body(serve, exchange, 200, buf_slice(&body), &ANSWER_PRIVATE);
}
