/* What the stream makes: sessions, windows, late events. Rows of sessions and windows replace earlier ones of the same
 * name; journal_position says which is later, since a name always belongs to one partition. Storage partitions are the
 * placements alone: a name must not move between partitions when its times change. */
#include "event/late_record.h"
#include "event/session_record.h"
#include "event/window_record.h"
#include "store/sink_table.h"

enum {
    SESSION_CUSTOMER,
    SESSION_PLACEMENT,
    SESSION_ID,
    SESSION_VISITOR,
    SESSION_USER,
    SESSION_STARTED,
    SESSION_ENDED,
    SESSION_EVENTS,
    SESSION_VIEWS,
    SESSION_REMOVED,
    SESSION_PARTITION,
    SESSION_POSITION,
    SESSION_COLUMNS
};

static const struct native_column SESSIONS[SESSION_COLUMNS] = {
    [SESSION_CUSTOMER] = { "customer_id", NATIVE_STRING },
    [SESSION_PLACEMENT] = { "placement", NATIVE_STRING },
    [SESSION_ID] = { "session_id", NATIVE_STRING },
    [SESSION_VISITOR] = { "visitor_id", NATIVE_STRING },
    [SESSION_USER] = { "user_id", NATIVE_STRING },
    [SESSION_STARTED] = { "started_at", NATIVE_DATETIME_MS },
    [SESSION_ENDED] = { "ended_at", NATIVE_DATETIME_MS },
    [SESSION_EVENTS] = { "event_count", NATIVE_UINT64 },
    [SESSION_VIEWS] = { "page_views", NATIVE_UINT64 },
    [SESSION_REMOVED] = { "is_removed", NATIVE_BOOL },
    [SESSION_PARTITION] = { "journal_partition", NATIVE_UINT16 },
    [SESSION_POSITION] = { "journal_position", NATIVE_UINT64 },
};

static enum status add_session(struct native_block *block, struct partition_set *partitions, struct slice record,
                               const struct sink_source *source, int64_t *out_ingested_us, struct error *err)
{
    struct session_record session;
    char id[SESSION_ID_TEXT_BYTES];
    enum status s = session_record_decode(record, &session, err);
    if (s != OK)
        return s;
    session_record_id(&session, id);
    native_add_string(block, SESSION_CUSTOMER, session.customer_id);
    native_add_string(block, SESSION_PLACEMENT, session.placement);
    native_add_string(block, SESSION_ID, slice_of(id, sizeof id));
    native_add_string(block, SESSION_VISITOR, session.visitor_id);
    native_add_string(block, SESSION_USER, session.user_id);
    native_add_i64(block, SESSION_STARTED, session.start_ms);
    native_add_i64(block, SESSION_ENDED, session.end_ms);
    native_add_u64(block, SESSION_EVENTS, session.events);
    native_add_u64(block, SESSION_VIEWS, session.views);
    native_add_bool(block, SESSION_REMOVED, session.removed);
    native_add_u16(block, SESSION_PARTITION, source->partition);
    native_add_u64(block, SESSION_POSITION, source->offset);
    native_row_done(block);
    partition_set_add(partitions, session.placement, 0);
    *out_ingested_us = 0;
    return OK;
}

enum {
    WINDOW_CUSTOMER,
    WINDOW_PLACEMENT,
    WINDOW_NAME,
    WINDOW_DEFINITION,
    WINDOW_KIND,
    WINDOW_START,
    WINDOW_END,
    WINDOW_ENDED,
    WINDOW_KEY,
    WINDOW_MEASURES,
    WINDOW_EVENTS,
    WINDOW_REVISION,
    WINDOW_FINAL,
    WINDOW_REMOVED,
    WINDOW_PARTITION,
    WINDOW_POSITION,
    WINDOW_COLUMNS
};

static const struct native_column WINDOWS[WINDOW_COLUMNS] = {
    [WINDOW_CUSTOMER] = { "customer_id", NATIVE_STRING },
    [WINDOW_PLACEMENT] = { "placement", NATIVE_STRING },
    [WINDOW_NAME] = { "window", NATIVE_STRING },
    [WINDOW_DEFINITION] = { "definition", NATIVE_UINT64 },
    [WINDOW_KIND] = { "kind", NATIVE_STRING },
    [WINDOW_START] = { "window_start", NATIVE_DATETIME_MS },
    [WINDOW_END] = { "window_end", NATIVE_DATETIME_MS },
    [WINDOW_ENDED] = { "ended_at", NATIVE_DATETIME_MS },
    [WINDOW_KEY] = { "key", NATIVE_STRING },
    [WINDOW_MEASURES] = { "measures", NATIVE_STRING },
    [WINDOW_EVENTS] = { "event_count", NATIVE_UINT64 },
    [WINDOW_REVISION] = { "revision", NATIVE_UINT64 },
    [WINDOW_FINAL] = { "is_final", NATIVE_BOOL },
    [WINDOW_REMOVED] = { "is_removed", NATIVE_BOOL },
    [WINDOW_PARTITION] = { "journal_partition", NATIVE_UINT16 },
    [WINDOW_POSITION] = { "journal_position", NATIVE_UINT64 },
};

static enum status add_window(struct native_block *block, struct partition_set *partitions, struct slice record,
                              const struct sink_source *source, int64_t *out_ingested_us, struct error *err)
{
    struct window_record window;
    enum status s = window_record_decode(record, &window, err);
    if (s != OK)
        return s;
    native_add_string(block, WINDOW_CUSTOMER, window.customer_id);
    native_add_string(block, WINDOW_PLACEMENT, window.placement);
    native_add_string(block, WINDOW_NAME, window.window);
    native_add_u64(block, WINDOW_DEFINITION, window.definition);
    native_add_string(block, WINDOW_KIND, slice_from(window_record_kind_name(window.kind)));
    native_add_i64(block, WINDOW_START, window.start_ms);
    const bool session = window.kind == WINDOW_RECORD_SESSION; /* window_end is part of the row's name (schema.c) */
    native_add_i64(block, WINDOW_END, session ? window.start_ms : window.end_ms);
    native_add_i64(block, WINDOW_ENDED, window.end_ms);
    native_add_string(block, WINDOW_KEY, window.key);
    native_add_string(block, WINDOW_MEASURES, window.measures);
    native_add_u64(block, WINDOW_EVENTS, window.events);
    native_add_u64(block, WINDOW_REVISION, window.revision);
    native_add_bool(block, WINDOW_FINAL, window.final);
    native_add_bool(block, WINDOW_REMOVED, window.removed);
    native_add_u16(block, WINDOW_PARTITION, source->partition);
    native_add_u64(block, WINDOW_POSITION, source->offset);
    native_row_done(block);
    partition_set_add(partitions, window.placement, 0);
    *out_ingested_us = 0;
    return OK;
}

enum {
    LATE_CUSTOMER,
    LATE_PLACEMENT,
    LATE_WINDOW,
    LATE_KEY,
    LATE_START,
    LATE_END,
    LATE_WATERMARK,
    LATE_EVENTS,
    LATE_VISITOR,
    LATE_USER,
    LATE_EVENT_ID,
    LATE_TYPE,
    LATE_EVENT_NAME,
    LATE_PROPERTIES,
    LATE_TIMESTAMP,
    LATE_RECEIVED,
    LATE_PARTITION,
    LATE_POSITION,
    LATE_COLUMNS
};

static const struct native_column LATE_EVENTS_TABLE[LATE_COLUMNS] = {
    [LATE_CUSTOMER] = { "customer_id", NATIVE_STRING },
    [LATE_PLACEMENT] = { "placement", NATIVE_STRING },
    [LATE_WINDOW] = { "window", NATIVE_STRING },
    [LATE_KEY] = { "key", NATIVE_STRING },
    [LATE_START] = { "window_start", NATIVE_DATETIME_MS },
    [LATE_END] = { "window_end", NATIVE_DATETIME_MS },
    [LATE_WATERMARK] = { "watermark", NATIVE_DATETIME_MS },
    [LATE_EVENTS] = { "event_count", NATIVE_UINT64 },
    [LATE_VISITOR] = { "visitor_id", NATIVE_STRING },
    [LATE_USER] = { "user_id", NATIVE_STRING },
    [LATE_EVENT_ID] = { "event_id", NATIVE_STRING },
    [LATE_TYPE] = { "event_type", NATIVE_STRING },
    [LATE_EVENT_NAME] = { "event_name", NATIVE_STRING },
    [LATE_PROPERTIES] = { "properties", NATIVE_STRING },
    [LATE_TIMESTAMP] = { "timestamp", NATIVE_DATETIME_MS },
    [LATE_RECEIVED] = { "received_at", NATIVE_DATETIME_MS },
    [LATE_PARTITION] = { "journal_partition", NATIVE_UINT16 },
    [LATE_POSITION] = { "journal_position", NATIVE_UINT64 },
};

static enum status add_late(struct native_block *block, struct partition_set *partitions, struct slice record,
                            const struct sink_source *source, int64_t *out_ingested_us, struct error *err)
{
    struct late_record late;
    enum status s = late_record_decode(record, &late, err);
    if (s != OK)
        return s;
    const struct event *event = &late.event;
    native_add_string(block, LATE_CUSTOMER, event->customer_id);
    native_add_string(block, LATE_PLACEMENT, event->placement);
    native_add_string(block, LATE_WINDOW, late.window);
    native_add_string(block, LATE_KEY, late.key);
    native_add_i64(block, LATE_START, late.start_ms);
    native_add_i64(block, LATE_END, late.end_ms);
    native_add_i64(block, LATE_WATERMARK, late.watermark_ms);
    native_add_u64(block, LATE_EVENTS, late.events);
    native_add_string(block, LATE_VISITOR, event->visitor_id);
    native_add_string(block, LATE_USER, event->user_id);
    native_add_string(block, LATE_EVENT_ID, event->event_id);
    native_add_string(block, LATE_TYPE, event->event_type);
    native_add_string(block, LATE_EVENT_NAME, event->event_name);
    native_add_string(block, LATE_PROPERTIES, event->properties);
    native_add_i64(block, LATE_TIMESTAMP, event->timestamp_ms);
    native_add_i64(block, LATE_RECEIVED, event->received_ms);
    native_add_u16(block, LATE_PARTITION, source->partition);
    native_add_u64(block, LATE_POSITION, source->offset);
    native_row_done(block);
    partition_set_add(partitions, event->placement, 0);
    *out_ingested_us = 0;
    return OK;
}

const struct sink_table SINK_TABLE_SESSIONS = { TOPIC_SESSIONS, "sessions", SESSIONS, SESSION_COLUMNS, add_session };
const struct sink_table SINK_TABLE_WINDOWS = { TOPIC_WINDOWS, "windows", WINDOWS, WINDOW_COLUMNS, add_window };
const struct sink_table SINK_TABLE_LATE = { TOPIC_LATE, "late_events", LATE_EVENTS_TABLE, LATE_COLUMNS, add_late };
