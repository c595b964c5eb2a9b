/* What a tenant's screen shows beside its events: how much of the quota is used, what was refused and why, how long
 * events take, whether the engine is there. Nothing of it is pushed to us, so it is looked at once a second for every
 * tenant that somebody listens to; a difference counts as a change of the board and goes out with the next message.
 * What is not known yet (a latency, before anything was measured) is left out.
 * Ingestion and the sink are reached through their metrics, by the names that stand in docs for everybody. */
#include "base/json_text.h"
#include "event/event_parse.h"
#include "serve/inside.h"

#define PULSE_INTERVAL_MS 1000
#define REASONS_MAX (EVENT_CODE_COUNT + BOARD_REASONS_MAX)

struct reasons {
    const char *names[REASONS_MAX];
    uint64_t counts[REASONS_MAX];
    size_t count;
};

static void add_reason(struct reasons *reasons, const char *name, uint64_t count)
{
    size_t i = 0;
    while (i < reasons->count && strcmp(reasons->names[i], name) != 0)
        i++;
    if (i == reasons->count) {
        assert(reasons->count < REASONS_MAX);
        reasons->names[reasons->count++] = name;
        reasons->counts[i] = 0;
    }
    reasons->counts[i] += count;
}

/* A counter of a tenant; 0 when it does not exist yet. */
static uint64_t counted(struct serve *serve, const char *metric, struct slice tenant_id, const char *reason)
{
    double value = 0;
    AUTO(buf) struct buf labels;
    buf_init(&labels, 512);
    metrics_label(&labels, "customer_id", tenant_id);
    buf_add_char(&labels, ',');
    metrics_label(&labels, "reason", slice_from(reason));
    return metrics_read(serve->metrics, metric, buf_text(&labels), &value) ? (uint64_t)value : 0;
}

static void write_reasons(struct serve *serve, const struct live_entry *entry, struct slice tenant_id, struct buf *out)
{
    struct reasons reasons = { 0 };
    const struct board_reason *of_board = NULL;
    size_t board_count = entry ? board_reasons(entry, &of_board) : 0;
    for (int code = 0; code < EVENT_CODE_COUNT; code++) {
        const char *name = event_code_name((enum event_code)code);
        add_reason(&reasons, name, counted(serve, "ingest_dead_letters_total", tenant_id, name));
    }
    for (size_t i = 0; i < board_count; i++)
        add_reason(&reasons, of_board[i].name, of_board[i].count);
    json_add_key(out, "rejected");
    buf_add_char(out, '{');
    for (size_t i = 0; i < reasons.count; i++)
        if (reasons.counts[i])
            json_add_field_u64(out, reasons.names[i], reasons.counts[i]);
    buf_add_char(out, '}');
}

static void write_refused(struct serve *serve, struct slice tenant_id, struct buf *out)
{
    json_add_key(out, "refused");
    buf_add_char(out, '{');
    json_add_field_u64(out, "quota", counted(serve, "events_dropped_total", tenant_id, "quota"));
    json_add_field_u64(out, "journal_full", counted(serve, "events_dropped_total", tenant_id, "journal_full"));
    buf_add_char(out, '}');
}

static void write_quota(struct serve *serve, struct slice tenant_id, struct buf *out)
{
    const struct tenant *tenant = serve->directory ? directory_find(serve->directory, tenant_id) : NULL;
    uint64_t limit = tenant ? about_quota(serve, tenant) : UINT64_MAX;
    uint64_t used =
        tenant && serve->options.quota_used ? serve->options.quota_used(serve->options.hook_self, tenant->id) : 0;
    json_add_key(out, "quota");
    buf_add_text(out, "{\"limit\":");
    if (limit == UINT64_MAX)
        buf_add_text(out, "null");
    else
        buf_add_u64(out, limit);
    json_add_field_u64(out, "used", used);
    buf_add_char(out, '}');
}

static void write_latency(struct serve *serve, const struct live_entry *entry, struct buf *out)
{
    static const double QUANTILES[] = { 0.5, 0.95, 0.99 };
    static const char *const NAMES[] = { "p50_ms", "p95_ms", "p99_ms" };
    int64_t ms[COUNT_OF(QUANTILES)];
    if (!entry || !board_latency(entry, world_wall_ms(serve->world), QUANTILES, COUNT_OF(QUANTILES), ms))
        return; /* nothing was shown within the minute */
    json_add_key(out, "latency");
    buf_add_char(out, '{');
    for (size_t i = 0; i < COUNT_OF(QUANTILES); i++)
        json_add_field_u64(out, NAMES[i], (uint64_t)ms[i]);
    buf_add_char(out, '}');
}

void pulse_write(struct serve *serve, const struct live_entry *entry, struct slice tenant_id, struct buf *out)
{
    double queryable_s = 0;
    bool ready = serve->options.engine_is_ready && serve->options.engine_is_ready(serve->options.hook_self);
    write_quota(serve, tenant_id, out);
    write_reasons(serve, entry, tenant_id, out);
    write_refused(serve, tenant_id, out);
    write_latency(serve, entry, out);
    if (metrics_read(serve->metrics, "store_queryable_seconds", "", &queryable_s) && queryable_s > 0) {
        json_add_key(out, "queryable_ms");
        buf_add_format(out, "%.1f", queryable_s * 1000);
    }
    json_add_field(out, "engine", slice_from(ready ? "ready" : "away"));
}

void pulse_refresh_one(struct serve *serve, struct live_entry *entry, int64_t mono_ms)
{
    int64_t at_ms = board_pulse_at_ms(entry);
    if (at_ms != INT64_MIN && mono_ms - at_ms < PULSE_INTERVAL_MS)
        return;
    AUTO(buf) struct buf members;
    buf_init(&members, PULSE_BYTES_MAX);
    pulse_write(serve, entry, board_tenant(entry), &members);
    if (!members.full)
        board_set_pulse(entry, buf_slice(&members), mono_ms);
}

int64_t pulse_refresh(struct serve *serve, int64_t mono_ms)
{
    int64_t next_ms = INT64_MAX;
    access_refresh(serve, false); /* here alone: who asks for one tenant holds a pointer into the directory */
    for (struct live_entry *entry = NULL; (entry = board_next_listened(serve->board, entry));) {
        pulse_refresh_one(serve, entry, mono_ms);
        int64_t due_ms = board_pulse_at_ms(entry) + PULSE_INTERVAL_MS;
        next_ms = due_ms < next_ms ? due_ms : next_ms;
    }
    return next_ms == INT64_MAX ? INT64_MAX : next_ms * 1000;
}
