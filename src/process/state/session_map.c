/* What is in the partition's map: a key is 0 u8 STATE_SESSIONS  1 u64 high, 9 u64 low half of the visitor's id  17 u64
 * start_ms, its sign turned: big-endian, so that a visitor's sessions lie side by side in their order. The value is a
 * session record (event/session_record.h). */
#include <string.h>

#include "process/state/session_inside.h"

#define EVICT_A_STEP 4096
#define KEY_VISITOR_BYTES 17
#define KEY_BYTES SESSION_KEY_BYTES

static void put_big_endian(uint8_t *to, uint64_t value)
{
    value = __builtin_bswap64(value);
    memcpy(to, &value, sizeof value);
}

static void key_make(uint8_t key[KEY_BYTES], struct id128 id, int64_t start_ms)
{
    key[0] = STATE_SESSIONS;
    put_big_endian(key + 1, id.hi);
    put_big_endian(key + 9, id.lo);
    put_big_endian(key + KEY_VISITOR_BYTES, (uint64_t)start_ms ^ (1ull << 63));
}

struct id128 session_map_key_id(struct slice key)
{
    uint64_t halves[2];
    memcpy(halves, key.p + 1, sizeof halves);
    return (struct id128){ __builtin_bswap64(halves[1]), __builtin_bswap64(halves[0]) };
}

struct load_visit {
    struct session_state *sessions;
    enum status status;
    struct error *err;
};

enum status session_map_put(struct session_state *sessions, struct id128 id, const struct session_record *record,
                            bool send, struct error *err)
{
    struct session_visitor *visitor = session_table_find(sessions->table, id);
    const struct session session = { .start_ms = record->start_ms,
                                     .end_ms = record->end_ms,
                                     .user_ms = record->user_ms,
                                     .events = record->events,
                                     .views = record->views };
    bool fits = visitor || session_table_reserve(sessions->table, 1);
    if (!visitor && fits)
        visitor = session_table_add(sessions->table, id, record->customer_id, record->visitor_id, record->placement);
    if (!visitor || !session_table_put(sessions->table, visitor, &session, record->user_id, send))
        return error_set(err, ERR_IO, "out of memory for sessions");
    return OK;
}

static bool visit_stored(void *self, struct slice key, struct slice value)
{
    struct load_visit *visit = self;
    struct session_record record;
    if (key.n != KEY_BYTES)
        visit->status = error_set(visit->err, ERR_CORRUPT, "a session's key has %zu bytes", key.n);
    else
        visit->status = session_record_decode(value, &record, visit->err);
    if (visit->status == OK)
        visit->status = session_map_put(visit->sessions, session_map_key_id(key), &record, false, visit->err);
    return visit->status == OK;
}

/* Every session from one key up to another. */
static enum status load(struct session_state *sessions, struct slice from, struct slice to, struct error *err)
{
    struct load_visit visit = { sessions, OK, err };
    struct kv *map;
    enum status s = state_kv_map(sessions->options.kv, &map, err);
    if (s == OK)
        s = map->backend->scan(map, from, to, visit_stored, &visit, err);
    if (s == OK)
        s = visit.status;
    if (s == ERR_CORRUPT)
        state_kv_note_damage(sessions->options.kv);
    return s;
}

enum status session_map_load_visitor(struct session_state *sessions, struct id128 id, struct error *err)
{
    uint8_t from[KEY_BYTES], to[KEY_BYTES + 1];
    key_make(from, id, INT64_MIN);
    key_make(to, id, INT64_MAX);
    to[KEY_BYTES] = 0; /* the first key behind the last one of this visitor */
    return load(sessions, slice_of(from, KEY_VISITOR_BYTES), slice_of(to, sizeof to), err);
}

void session_map_queue(struct session_state *sessions, const struct session_put *change)
{
    uint8_t key[KEY_BYTES];
    const struct slice nothing = { 0 };
    key_make(key, change->id, change->record.start_ms);
    kv_writer_add(&sessions->writer, slice_of(key, sizeof key), change->record.removed ? nothing : change->bytes);
}

void session_map_prefetch(struct session_state *sessions, const struct session_put *change)
{
    uint8_t key[KEY_BYTES];
    key_make(key, change->id, change->record.start_ms);
    kv_writer_prefetch(&sessions->writer, slice_of(key, sizeof key));
}

void session_map_prefetch_entry(struct session_state *sessions, const struct session_put *change)
{
    uint8_t key[KEY_BYTES];
    key_make(key, change->id, change->record.start_ms);
    kv_writer_prefetch_entry(&sessions->writer, slice_of(key, sizeof key));
}

/* The ring forgets the middle when it is full: then a visitor may leave memory a little later. */
void session_map_note_told(struct session_state *sessions)
{
    if (sessions->told_count == TOLD_MAX)
        sessions->told_count--;
    sessions->told[(sessions->told_first + sessions->told_count++) % TOLD_MAX] =
        (struct told){ sessions->writer.queued, sessions->durable };
}

void session_map_note_written(struct session_state *sessions)
{
    while (sessions->told_count && sessions->told[sessions->told_first].queued <= sessions->writer.written) {
        sessions->stored_commit = sessions->told[sessions->told_first].commit;
        sessions->told_first = (sessions->told_first + 1) % TOLD_MAX;
        sessions->told_count--;
    }
}

/* Who was not seen since the hand last came by, and of whom everything is in the map, leaves memory. False: nobody can,
 * for now; who has something to be sent waits for that, and asking again at once would not help. */
bool session_map_evict(struct session_state *sessions)
{
    bool some = false;
    /* Once around is enough: a few visitors in a wide table are far apart, and finding the next one is a walk. */
    const size_t round = session_table_visitors(sessions->table);
    for (size_t i = 0; i < EVICT_A_STEP && i < round; i++) {
        if (session_table_bytes(sessions->table) <= sessions->options.memory_bytes_max)
            return false;
        struct session_visitor *visitor = session_table_next(sessions->table, &sessions->hand);
        if (!visitor)
            return false;
        bool stored = visitor->changed_in <= sessions->stored_commit;
        if (stored && !visitor->recent && visitor->unsent == 0) {
            session_table_drop(sessions->table, visitor);
            sessions->complete = false;
            some = true;
        } else {
            some |= visitor->recent;
            visitor->recent = false;
        }
    }
    return some;
}
