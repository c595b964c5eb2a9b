/* A changelog record holds the changes of one commit, each as it is from now on, so that a replay may begin anywhere
 * before the end:
 *
 *   0 u8 STATE_SESSIONS  1 u8 version 1  2 u16 0  4 u32 changes, then for each: u64 low, u64 high half of the visitor's
 *   id, u32 bytes, and so many bytes of a session record (event/session_record.h) */
#include "process/state/session_state.h"

#include <stdlib.h>
#include <string.h>

#include "process/process_output.h"
#include "process/state/session_inside.h"

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

static struct session_state *of(struct state *state)
{
    return (struct session_state *)state;
}

enum status session_state_visitor(struct session_state *sessions, struct id128 id, const struct event *event,
                                  struct session_visitor **out, struct error *err)
{
    struct session_visitor *visitor = session_table_find(sessions->table, id);
    if (!visitor && !sessions->complete) {
        enum status s = session_map_load_visitor(sessions, id, err);
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

/* The next change from the front of *rest. ERR_CORRUPT: there is none. */
static enum status next_change(struct slice *rest, struct session_put *out, struct error *err)
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

/* Looking ahead by so many changes hides that each of them is somewhere else in memory. */
#define AHEAD 16

static void queue_all(struct session_state *sessions, struct slice changes, uint32_t count)
{
    struct session_put ring[AHEAD];
    for (uint32_t i = 0; i < count + AHEAD; i++) {
        struct session_put *change = &ring[i % AHEAD];
        if (i >= AHEAD) /* the one that stood here for AHEAD turns */
            session_map_queue(sessions, change);
        if (i >= count)
            continue;
        if (next_change(&changes, change, NULL) != OK)
            abort(); /* collect made it a moment ago */
        session_map_prefetch(sessions, change);
        if (i >= AHEAD / 2)
            session_map_prefetch_entry(sessions, &ring[(i - AHEAD / 2) % AHEAD]);
    }
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
    session_map_note_told(sessions);
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
        struct session_put change;
        s = next_change(&rest, &change, err);
        if (s != OK)
            break;
        struct session_visitor *visitor = session_table_find(sessions->table, change.id);
        if (!visitor && !sessions->complete)
            s = session_map_load_visitor(sessions, change.id, err);
        visitor = session_table_find(sessions->table, change.id);
        if (s == OK && !change.record.removed)
            s = session_map_put(sessions, change.id, &change.record, true, err);
        else if (s == OK && visitor && !session_table_remove(sessions->table, visitor, change.record.start_ms))
            s = error_set(err, ERR_IO, "out of memory for sessions");
        session_map_queue(sessions, &change);
    }
    if (sessions->first_offset == UINT64_MAX)
        sessions->first_offset = offset;
    while (s == OK && kv_writer_is_full(&sessions->writer)) {
        bool more;
        s = kv_writer_step(&sessions->writer, true, &more, err);
    }
    return s;
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
    session_map_note_written(sessions);
    s = session_forget_step(sessions, err);
    *out_more |= too_large && session_map_evict(sessions) && sessions->stored_commit == sessions->durable;
    return s;
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
    session_map_note_written(sessions);
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
    sessions->forget = (struct session_forget){ 0 };
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

void session_state_all_sent(struct session_state *sessions)
{
    size_t count;
    (void)session_table_unsent(sessions->table, &count);
    if (count)
        session_table_sent(sessions->table, count);
}
