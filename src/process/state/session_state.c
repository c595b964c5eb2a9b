/* A changelog record holds the changes of one commit, each as it is from now on, so that a replay may begin anywhere
 * before the end:
 *
 *   0 u8 STATE_SESSIONS  1 u8 version 1  2 u16 0  4 u32 changes, then for each: u64 low, u64 high half of the visitor's
 *   id, u32 bytes, and so many bytes of a session record (event/session_record.h) */
#include "process/state/session_state.h"

#include <stdlib.h>
#include <string.h>

#include "process/process_output.h"
#include "process/state/kv_writer.h"

#define TOLD_MAX 1024
#define EVICT_A_STEP 4096
#define WRITE_AT_BYTES (16u << 20) /* what changes often is written once a checkpoint, unless so much waits */
#define MEMORY_BYTES (128u << 20)

struct __attribute__((packed)) record_header {
    uint8_t state, version;
    uint16_t zero;
    uint32_t changes;
};

struct __attribute__((packed)) change_header {
    uint64_t lo, hi;
    uint32_t bytes;
};

struct session_state {
    struct state state;
    struct session_table *table;
    struct session_state_options options;
    struct kv_writer writer;
    bool complete;         /* every visitor is in memory: who is not in the table is new */
    uint64_t commits;      /* changelog records made since the start */
    uint64_t durable;      /* of them; replayed ones are durable, too, and numbered before them */
    uint64_t first_offset; /* the oldest changelog record that is not in the map's stamp; UINT64_MAX: none */
    struct told {
        uint64_t queued, commit;
    } told[TOLD_MAX]; /* which commit is wholly written when so many entries are; a ring */
    size_t told_first, told_count;
    uint64_t stored_commit; /* everything of the commits up to here is in the map */
    uint64_t settle_queued; /* the checkpoint waits for so many entries */
    size_t hand;            /* of the clock */
    bool send_all;          /* a checkpoint waits for it */
};

static struct session_state *of(struct state *state)
{
    return (struct session_state *)state;
}

/* ---- the map ---- */

/* 0 u8 STATE_SESSIONS  1 u64 high, 9 u64 low half of the visitor's id  17 u64 start_ms, its sign turned: big-endian, so
 * that a visitor's sessions lie side by side in their order. The value is a session record. */
#define KEY_VISITOR_BYTES 17
#define KEY_BYTES 25

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

static struct id128 key_id(struct slice key)
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

static enum status put_record(struct session_state *sessions, struct id128 id, const struct session_record *record,
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
        visit->status = put_record(visit->sessions, key_id(key), &record, false, visit->err);
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

static enum status load_visitor(struct session_state *sessions, struct id128 id, struct error *err)
{
    uint8_t from[KEY_BYTES], to[KEY_BYTES + 1];
    key_make(from, id, INT64_MIN);
    key_make(to, id, INT64_MAX);
    to[KEY_BYTES] = 0; /* the first key behind the last one of this visitor */
    return load(sessions, slice_of(from, KEY_VISITOR_BYTES), slice_of(to, sizeof to), err);
}

enum status session_state_visitor(struct session_state *sessions, struct id128 id, const struct event *event,
                                  struct session_visitor **out, struct error *err)
{
    struct session_visitor *visitor = session_table_find(sessions->table, id);
    if (!visitor && !sessions->complete) {
        enum status s = load_visitor(sessions, id, err);
        if (s != OK)
            return error_wrap(err, s, "read the sessions of a visitor");
        visitor = session_table_find(sessions->table, id);
    }
    if (!visitor)
        visitor = session_table_add(sessions->table, id, event->customer_id, event->visitor_id, event->placement);
    if (!visitor)
        return error_set(err, ERR_IO, "out of memory for a visitor's sessions");
    *out = visitor;
    return OK;
}

bool session_state_record(const struct session_change *change, struct session_record *out)
{
    const struct session_visitor *visitor = change->visitor;
    *out = (struct session_record){ .customer_id = session_visitor_customer_id(visitor),
                                    .visitor_id = session_visitor_visitor_id(visitor),
                                    .placement = session_visitor_placement(visitor),
                                    .user_id = { "", 0 },
                                    .start_ms = change->start_ms,
                                    .end_ms = change->start_ms,
                                    .removed = change->removed };
    if (change->removed)
        return true;
    const struct session *session = session_visitor_find(visitor, change->start_ms);
    if (!session)
        return false;
    out->end_ms = session->end_ms;
    out->user_ms = session->user_ms;
    out->events = session->events;
    out->views = session->views;
    out->user_id = session_visitor_user(visitor, session);
    return true;
}

/* ---- struct state ---- */

static enum status sessions_prepare(struct state *state, size_t records, struct error *err)
{
    struct session_state *sessions = of(state);
    if (kv_writer_is_full(&sessions->writer))
        return error_set(err, ERR_FULL, "the sessions that wait to be written are too many");
    return session_table_reserve(sessions->table, records) ? OK
                                                           : error_set(err, ERR_FULL, "out of memory for sessions");
}

static size_t changes_bytes(const struct session_change *changes, size_t count, uint32_t *out_records)
{
    size_t bytes = sizeof(struct record_header);
    *out_records = 0;
    for (size_t i = 0; i < count; i++) {
        struct session_record record;
        session_change_prefetch(changes, i, count);
        if (!session_state_record(&changes[i], &record))
            continue;
        bytes += sizeof(struct change_header) + session_record_size(&record);
        ++*out_records;
    }
    return bytes;
}

static void write_changes(const struct session_change *changes, size_t count, char *to)
{
    for (size_t i = 0; i < count; i++) {
        struct session_record record;
        session_change_prefetch(changes, i, count);
        if (!session_state_record(&changes[i], &record))
            continue;
        struct id128 id = changes[i].visitor->id;
        struct change_header header = { id.lo, id.hi, (uint32_t)session_record_size(&record) };
        memcpy(to, &header, sizeof header);
        session_record_encode(&record, to + sizeof header);
        to += sizeof header + header.bytes;
    }
}

static enum status sessions_collect(struct state *state, struct process_stream *changelog, struct error *err)
{
    struct session_state *sessions = of(state);
    size_t count;
    const struct session_change *changes = session_table_changes(sessions->table, &count);
    uint32_t records;
    size_t bytes = changes_bytes(changes, count, &records);
    if (records) {
        const struct record_header header = { STATE_SESSIONS, 1, 0, records };
        char *to = process_stream_record(changelog, bytes);
        if (!to)
            return error_set(err, ERR_FULL, "the changes of sessions do not fit into a commit");
        memcpy(to, &header, sizeof header);
        write_changes(changes, count, to + sizeof header);
    }
    session_table_clear_changes(sessions->table, records ? ++sessions->commits : sessions->commits);
    return OK;
}

struct change {
    struct id128 id;
    struct session_record record;
    struct slice bytes; /* of the record */
};

/* The next change from the front of *rest. ERR_CORRUPT: there is none. */
static enum status next_change(struct slice *rest, struct change *out, struct error *err)
{
    struct change_header header;
    if (rest->n < sizeof header)
        return error_set(err, ERR_CORRUPT, "a changelog record of sessions is cut");
    memcpy(&header, rest->p, sizeof header);
    *rest = slice_after(*rest, sizeof header);
    if (header.bytes > rest->n)
        return error_set(err, ERR_CORRUPT, "a changelog record of sessions is cut");
    out->id = (struct id128){ header.lo, header.hi };
    out->bytes = slice_of(rest->p, header.bytes);
    *rest = slice_after(*rest, header.bytes);
    return session_record_decode(out->bytes, &out->record, err);
}

static enum status record_open(struct slice record, struct slice *out_changes, uint32_t *out_count, struct error *err)
{
    struct record_header header;
    if (record.n < sizeof header)
        return error_set(err, ERR_CORRUPT, "a changelog record of sessions has %zu bytes", record.n);
    memcpy(&header, record.p, sizeof header);
    if (header.state != STATE_SESSIONS || header.version != 1)
        return error_set(err, ERR_CORRUPT, "a changelog record of sessions has version %u, this weir reads version 1",
                         header.version);
    *out_changes = slice_after(record, sizeof header);
    *out_count = header.changes;
    return OK;
}

static void queue(struct session_state *sessions, const struct change *change)
{
    uint8_t key[KEY_BYTES];
    const struct slice nothing = { 0 };
    key_make(key, change->id, change->record.start_ms);
    kv_writer_add(&sessions->writer, slice_of(key, sizeof key), change->record.removed ? nothing : change->bytes);
}

/* Looking ahead by so many changes hides that each of them is somewhere else in memory. */
#define AHEAD 16

static void queue_all(struct session_state *sessions, struct slice changes, uint32_t count)
{
    struct change ring[AHEAD];
    for (uint32_t i = 0; i < count + AHEAD; i++) {
        struct change *change = &ring[i % AHEAD];
        uint8_t key[KEY_BYTES];
        if (i >= AHEAD) /* the one that stood here for AHEAD turns */
            queue(sessions, change);
        if (i >= count)
            continue;
        if (next_change(&changes, change, NULL) != OK)
            abort(); /* collect made it a moment ago */
        key_make(key, change->id, change->record.start_ms);
        kv_writer_prefetch(&sessions->writer, slice_of(key, sizeof key));
        if (i >= AHEAD / 2) {
            const struct change *nearer = &ring[(i - AHEAD / 2) % AHEAD];
            key_make(key, nearer->id, nearer->record.start_ms);
            kv_writer_prefetch_entry(&sessions->writer, slice_of(key, sizeof key));
        }
    }
}

/* The ring forgets the middle when it is full: then a visitor may leave memory a little later. */
static void note_told(struct session_state *sessions)
{
    if (sessions->told_count == TOLD_MAX)
        sessions->told_count--;
    sessions->told[(sessions->told_first + sessions->told_count++) % TOLD_MAX] =
        (struct told){ sessions->writer.queued, sessions->durable };
}

static void sessions_durable(struct state *state, struct slice record, uint64_t offset)
{
    struct session_state *sessions = of(state);
    struct slice rest;
    uint32_t count;
    if (record_open(record, &rest, &count, NULL) != OK)
        abort(); /* collect made it a moment ago */
    queue_all(sessions, rest, count);
    sessions->durable++;
    note_told(sessions);
    if (sessions->first_offset == UINT64_MAX)
        sessions->first_offset = offset;
}

static enum status sessions_apply(struct state *state, struct slice record, uint64_t offset, struct error *err)
{
    struct session_state *sessions = of(state);
    struct slice rest;
    uint32_t count;
    enum status s = record_open(record, &rest, &count, err);
    for (uint32_t i = 0; i < count && s == OK; i++) {
        struct change change;
        s = next_change(&rest, &change, err);
        if (s != OK)
            break;
        struct session_visitor *visitor = session_table_find(sessions->table, change.id);
        if (!visitor && !sessions->complete)
            s = load_visitor(sessions, change.id, err);
        visitor = session_table_find(sessions->table, change.id);
        if (s == OK && !change.record.removed)
            s = put_record(sessions, change.id, &change.record, true, err);
        else if (s == OK && visitor && !session_table_remove(sessions->table, visitor, change.record.start_ms))
            s = error_set(err, ERR_IO, "out of memory for sessions");
        queue(sessions, &change);
    }
    if (sessions->first_offset == UINT64_MAX)
        sessions->first_offset = offset;
    while (s == OK && kv_writer_is_full(&sessions->writer)) {
        bool more;
        s = kv_writer_step(&sessions->writer, true, &more, err);
    }
    return s;
}

static void note_written(struct session_state *sessions)
{
    while (sessions->told_count && sessions->told[sessions->told_first].queued <= sessions->writer.written) {
        sessions->stored_commit = sessions->told[sessions->told_first].commit;
        sessions->told_first = (sessions->told_first + 1) % TOLD_MAX;
        sessions->told_count--;
    }
}

/* Who was not seen since the hand last came by, and of whom everything is in the map, leaves memory. */
static bool evict(struct session_state *sessions)
{
    for (unsigned i = 0; i < EVICT_A_STEP; i++) {
        if (session_table_bytes(sessions->table) <= sessions->options.memory_bytes_max)
            return false;
        struct session_visitor *visitor = session_table_next(sessions->table, &sessions->hand);
        if (!visitor)
            return false;
        bool stored = visitor->changed_in <= sessions->stored_commit;
        if (stored && !visitor->recent && visitor->unsent == 0) {
            session_table_drop(sessions->table, visitor);
            sessions->complete = false;
        } else
            visitor->recent = false;
    }
    return true;
}

static enum status sessions_maintain(struct state *state, bool *out_more, struct error *err)
{
    struct session_state *sessions = of(state);
    bool too_large = session_table_bytes(sessions->table) > sessions->options.memory_bytes_max;
    enum status s = OK;
    *out_more = false;
    if (too_large || kv_writer_bytes(&sessions->writer) > WRITE_AT_BYTES)
        s = kv_writer_step(&sessions->writer, false, out_more, err);
    if (s != OK)
        return s;
    note_written(sessions);
    *out_more |= too_large && evict(sessions) && sessions->stored_commit == sessions->durable;
    return OK;
}

static uint64_t sessions_pending_bytes(struct state *state)
{
    size_t count;
    (void)session_table_changes(of(state)->table, &count);
    return count * (sizeof(struct change_header) + SESSION_RECORD_HEADER_BYTES + 64);
}

static enum status sessions_checkpoint(struct state *state, struct buf *section, struct error *err)
{
    struct session_state *sessions = of(state);
    const uint32_t version = 1;
    size_t unsent;
    (void)session_table_unsent(sessions->table, &unsent);
    sessions->send_all = unsent > 0;
    if (unsent) /* what waits when the task is cut off is sent after a replay, so nothing before a checkpoint may wait
                 */
        return error_set(err, ERR_RETRY, "%zu sessions are to be sent first", unsent);
    sessions->settle_queued = sessions->writer.queued;
    buf_add(section, &version, sizeof version);
    return OK;
}

static enum status sessions_settle(struct state *state, bool *out_done, struct error *err)
{
    struct session_state *sessions = of(state);
    bool more;
    enum status s = OK;
    if (sessions->writer.written < sessions->settle_queued)
        s = kv_writer_step(&sessions->writer, false, &more, err);
    note_written(sessions);
    *out_done = s == OK && sessions->writer.written >= sessions->settle_queued;
    return s == ERR_RETRY ? OK : s;
}

/* As many visitors as memory has room for come at once, in one pass; the others when they are met. */
static enum status sessions_restore(struct state *state, struct slice section, struct error *err)
{
    struct session_state *sessions = of(state);
    uint32_t version;
    if (section.n != sizeof version)
        return error_set(err, ERR_CORRUPT, "the section of sessions has %zu bytes", section.n);
    memcpy(&version, section.p, sizeof version);
    if (version != 1)
        return error_set(err, ERR_CORRUPT, "the section of sessions has version %u, this weir reads version 1",
                         version);
    sessions->complete = false;
    return OK;
}

static void sessions_empty(struct state *state)
{
    struct session_state *sessions = of(state);
    session_table_empty(sessions->table);
    kv_writer_reset(&sessions->writer);
    sessions->complete = true;
    sessions->commits = sessions->durable = sessions->stored_commit = sessions->settle_queued = 0;
    sessions->told_first = sessions->told_count = 0;
    sessions->send_all = false;
    sessions->first_offset = UINT64_MAX;
}

static bool sessions_uses_file(struct state *state, const char *name)
{
    (void)state;
    (void)name;
    return false;
}

static bool sessions_section_uses(struct slice section, const char *name)
{
    (void)section;
    (void)name;
    return false;
}

static uint64_t sessions_replay_from(struct state *state, uint64_t next)
{
    uint64_t first = of(state)->first_offset;
    return first < next ? first : next;
}

static uint64_t sessions_memory_bytes(struct state *state)
{
    return session_table_bytes(of(state)->table) + of(state)->writer.waiting.capacity;
}

static uint64_t sessions_disk_bytes(struct state *state)
{
    (void)state;
    return 0; /* the map says */
}

static const struct state_ops sessions_ops = {
    .name = "sessions",
    .id = STATE_SESSIONS,
    .prepare = sessions_prepare,
    .collect = sessions_collect,
    .durable = sessions_durable,
    .apply = sessions_apply,
    .maintain = sessions_maintain,
    .pending_bytes = sessions_pending_bytes,
    .checkpoint = sessions_checkpoint,
    .settle = sessions_settle,
    .restore = sessions_restore,
    .empty = sessions_empty,
    .uses_file = sessions_uses_file,
    .section_uses = sessions_section_uses,
    .replay_from = sessions_replay_from,
    .memory_bytes = sessions_memory_bytes,
    .disk_bytes = sessions_disk_bytes,
};

struct session_state *session_state_new(const struct session_state_options *options)
{
    struct session_state *sessions = calloc(1, sizeof *sessions);
    if (!sessions)
        abort();
    sessions->state.ops = &sessions_ops;
    sessions->options = *options;
    if (sessions->options.memory_bytes_max == 0)
        sessions->options.memory_bytes_max = MEMORY_BYTES;
    sessions->table = session_table_new(options->gap_ms);
    kv_writer_init(&sessions->writer, options->kv);
    sessions->complete = true;
    sessions->first_offset = UINT64_MAX;
    return sessions;
}

void session_state_free(struct session_state *sessions)
{
    if (!sessions)
        return;
    session_table_free(sessions->table);
    kv_writer_done(&sessions->writer);
    free(sessions);
}

struct state *session_state_state(struct session_state *sessions)
{
    return &sessions->state;
}

struct session_table *session_state_table(struct session_state *sessions)
{
    return sessions->table;
}

bool session_state_hurries(const struct session_state *sessions)
{
    return sessions->send_all;
}

void session_state_hurry(struct session_state *sessions)
{
    sessions->send_all = true;
}
