/* As in stage_dedup.c the batch's visitors are hashed first, then looked up with the table's lines fetched ahead. */
#include "process/stage_session.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define AHEAD 16
#define AHEAD_VISITOR 8

static struct id128 hash_visitor(uint64_t tenant_seed, struct slice visitor_id)
{
    XXH128_hash_t hash = XXH3_128bits_withSeed(visitor_id.p, visitor_id.n, tenant_seed);
    return (struct id128){ hash.low64, hash.high64 };
}

static void hash_visitors(struct stage_session *stage, const struct process_batch *batch)
{
    struct slice tenant = { 0 };
    uint64_t tenant_seed = 0;
    for (size_t n = 0; n < batch->live_count; n++) {
        const struct event *event = &batch->events[batch->live[n]];
        if (n == 0 || !slice_equal(tenant, event->customer_id)) {
            tenant = event->customer_id;
            tenant_seed = XXH3_64bits_withSeed(tenant.p, tenant.n, stage->seed);
        }
        stage->ids[n] = hash_visitor(tenant_seed, event->visitor_id);
    }
}

static bool is_view(const struct event *event)
{
    return slice_equal(event->event_type, SLICE("page_view")) || slice_equal(event->event_type, SLICE("screen_view"));
}

enum status stage_session_run(void *self, struct process_batch *batch, struct error *err)
{
    struct stage_session *stage = self;
    struct session_table *table = session_state_table(stage->sessions);
    const struct tenant_domains *last = NULL;
    stage->now_ms = batch->now_ms;
    hash_visitors(stage, batch);
    for (size_t n = 0; n < batch->live_count && n < AHEAD; n++)
        session_table_prefetch(table, stage->ids[n]);
    for (size_t n = 0; n < batch->live_count; n++) {
        const struct event *event = &batch->events[batch->live[n]];
        struct session_visitor *visitor;
        if (n + AHEAD < batch->live_count)
            session_table_prefetch(table, stage->ids[n + AHEAD]);
        if (n + AHEAD_VISITOR < batch->live_count)
            session_table_prefetch_visitor(table, stage->ids[n + AHEAD_VISITOR]);
        /* Who wants none: only what an earlier configuration left is sent. */
        const struct tenant_domains *domains = batch->domains[batch->live[n]];
        if (domains->without_sessions)
            continue;
        if (domains != last && !stage->gap_fixed)
            session_table_set_gap(table, domains->session_gap_ms);
        last = domains;
        enum status s = session_state_visitor(stage->sessions, stage->ids[n], event, &visitor, err);
        if (s != OK)
            return s;
        if (!session_table_event(table, visitor, event->timestamp_ms, event->user_id, is_view(event)))
            return error_set(err, ERR_IO, "out of memory for the sessions of a visitor");
    }
    if (batch->live_count)
        session_state_received(stage->sessions, batch->events[batch->live[batch->live_count - 1]].received_ms);
    return OK;
}

/* Whether what waits may be sent now. */
static bool is_due(const struct stage_session *stage)
{
    return stage->sent < SESSIONS_A_SECOND || session_state_hurries(stage->sessions) ||
           stage->now_ms - stage->second_ms >= 1000 || stage->now_ms < stage->second_ms;
}

enum status stage_session_flush(void *self, struct process_outputs *outputs, struct error *err)
{
    struct stage_session *stage = self;
    struct session_table *table = session_state_table(stage->sessions);
    struct process_stream *stream = process_outputs_stream(outputs, TOPIC_SESSIONS, stage->partition);
    size_t count;
    const struct session_change *changes = session_table_unsent(table, &count);
    if (count == 0 || !is_due(stage))
        return OK;
    if (stage->now_ms - stage->second_ms >= 1000 || stage->now_ms < stage->second_ms) {
        stage->second_ms = stage->now_ms;
        stage->sent = 0;
    }
    if (count > SESSIONS_A_COMMIT)
        count = SESSIONS_A_COMMIT;
    for (size_t i = 0; i < count; i++) {
        struct session_record record;
        session_change_prefetch(changes, i, count);
        if (!session_state_record(&changes[i], &record))
            continue;
        char *to = process_stream_record(stream, session_record_size(&record));
        if (!to)
            return error_set(err, ERR_FULL, "the sessions of a commit exceed %u bytes", JOURNAL_COMMIT_BYTES_MAX);
        session_record_encode(&record, to);
    }
    session_table_sent(table, count);
    stage->sent += count;
    return OK;
}

bool stage_session_tick(struct stage_session *stage, int64_t now_ms, int64_t *io_wake_ms)
{
    size_t count;
    (void)session_table_unsent(session_state_table(stage->sessions), &count);
    if (count == 0)
        return false;
    stage->now_ms = now_ms;
    if (is_due(stage))
        return true;
    if (stage->second_ms + 1000 < *io_wake_ms)
        *io_wake_ms = stage->second_ms + 1000;
    return false;
}
