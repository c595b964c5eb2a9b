/* Sessions that no event can change any more leave memory and map: those that lie, with the gap, before what the tenant
 * keeps, since ingestion refuses older events. Nobody is told: what was sent of them stays as it is.
 *
 * Once in a while (by the times at which events were received, so a partition that works off a backlog does not run
 * ahead of it) a round goes through the map in small pieces. It is no part of the state: the changelog does not know of
 * it, and a replay may bring a session back until the next round. Memory has nothing that the map has not, or it is too
 * new for this: what is not yet told, sent or written is passed over. */
#include <string.h>

#include "process/state/session_inside.h"

#define ROUND_MS ((int64_t)86400000)
#define MARGIN_MS ((int64_t)86400000) /* clocks of members differ, and events wait in the journal */
#define SESSIONS_A_STEP 512
#define FORGET_A_STEP 128

struct look {
    struct session_state *sessions;
    uint8_t keys[FORGET_A_STEP][SESSION_KEY_BYTES];
    int64_t starts_ms[FORGET_A_STEP];
    size_t count, seen;
    uint8_t last[SESSION_KEY_BYTES];
    enum status status;
    struct error *err;
};

static bool is_past(const struct session_state *sessions, const struct session_record *record)
{
    const int64_t kept_ms = sessions->options.kept_ms(sessions->options.kept_self, record->customer_id);
    int64_t horizon_ms;
    if (kept_ms == INT64_MAX ||
        __builtin_sub_overflow(sessions->forget.received_ms - MARGIN_MS - sessions->options.gap_ms, kept_ms,
                               &horizon_ms))
        return false;
    return record->end_ms < horizon_ms;
}

static bool visit(void *self, struct slice key, struct slice value)
{
    struct look *look = self;
    struct session_record record;
    if (key.n != SESSION_KEY_BYTES) {
        look->status = error_set(look->err, ERR_CORRUPT, "a session's key has %zu bytes", key.n);
        return false;
    }
    look->status = session_record_decode(value, &record, look->err);
    if (look->status != OK)
        return false;
    memcpy(look->last, key.p, key.n);
    if (is_past(look->sessions, &record)) {
        memcpy(look->keys[look->count], key.p, key.n);
        look->starts_ms[look->count++] = record.start_ms;
    }
    return ++look->seen < SESSIONS_A_STEP && look->count < FORGET_A_STEP;
}

static void forget(struct session_state *sessions, struct slice key, int64_t start_ms)
{
    const struct slice nothing = { 0 };
    struct session_visitor *visitor = session_table_find(sessions->table, session_map_key_id(key));
    if (kv_writer_has(&sessions->writer, key) || (visitor && !session_table_forget(sessions->table, visitor, start_ms)))
        return;
    if (visitor && visitor->count == 0 && visitor->unsent == 0 && visitor->changed_in != SESSION_UNTOLD)
        session_table_drop(sessions->table, visitor);
    kv_writer_add(&sessions->writer, key, nothing);
    sessions->forget.forgotten++;
}

static void begin_when_due(struct session_state *sessions)
{
    struct session_forget *round = &sessions->forget;
    if (round->from_n || !sessions->options.kept_ms || round->received_ms < round->next_ms)
        return;
    round->next_ms = round->received_ms + ROUND_MS;
    round->from[0] = STATE_SESSIONS;
    round->from_n = 1;
}

enum status session_forget_step(struct session_state *sessions, struct error *err)
{
    static _Thread_local struct look look;
    const uint8_t end = STATE_SESSIONS + 1;
    struct session_forget *round = &sessions->forget;
    struct kv *map;
    begin_when_due(sessions);
    if (round->from_n == 0)
        return OK;
    look = (struct look){ .sessions = sessions, .err = err };
    enum status s = state_kv_map(sessions->options.kv, &map, err);
    if (s == OK)
        s = map->backend->scan(map, slice_of(round->from, round->from_n), slice_of(&end, 1), visit, &look, err);
    s = s == OK ? look.status : s;
    if (s == ERR_CORRUPT)
        state_kv_note_damage(sessions->options.kv);
    if (s != OK)
        return error_wrap(err, s, "look for sessions that are past the retention");
    for (size_t i = 0; i < look.count; i++)
        forget(sessions, slice_of(look.keys[i], SESSION_KEY_BYTES), look.starts_ms[i]);
    memcpy(round->from, look.last, sizeof look.last);
    round->from[SESSION_KEY_BYTES] = 0; /* the first key behind it */
    round->from_n = look.seen < SESSIONS_A_STEP && look.count < FORGET_A_STEP ? 0 : sizeof round->from;
    return OK;
}

void session_state_received(struct session_state *sessions, int64_t received_ms)
{
    sessions->forget.received_ms = received_ms;
}

uint64_t session_state_forgotten(const struct session_state *sessions)
{
    return sessions->forget.forgotten;
}
