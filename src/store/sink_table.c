/* Columns are named as the tables' are: the engine matches them by name. An empty user_id means none; readers' views
 * show NULL. journal_position is the record's offset in its topic and partition: it has no gaps, so for each partition
 * count() = max - min + 1 shows that nothing is missing and nothing is there twice. */
#include "store/sink_table.h"

#include "event/dead_letter.h"
#include "event/event.h"

enum {
    EVENT_CUSTOMER,
    EVENT_PLACEMENT,
    EVENT_VISITOR,
    EVENT_USER,
    EVENT_SESSION,
    EVENT_ID,
    EVENT_TYPE,
    EVENT_NAME,
    EVENT_PROPERTIES,
    EVENT_CONTEXT,
    EVENT_TIMESTAMP,
    EVENT_RECEIVED,
    EVENT_STITCHED,
    EVENT_PARTITION,
    EVENT_POSITION,
    EVENT_COLUMNS
};

static const struct native_column EVENTS_RAW[EVENT_COLUMNS] = {
    [EVENT_CUSTOMER] = { "customer_id", NATIVE_STRING },
    [EVENT_PLACEMENT] = { "placement", NATIVE_STRING },
    [EVENT_VISITOR] = { "visitor_id", NATIVE_STRING },
    [EVENT_USER] = { "user_id", NATIVE_STRING },
    [EVENT_SESSION] = { "session_id", NATIVE_STRING },
    [EVENT_ID] = { "event_id", NATIVE_STRING },
    [EVENT_TYPE] = { "event_type", NATIVE_STRING },
    [EVENT_NAME] = { "event_name", NATIVE_STRING },
    [EVENT_PROPERTIES] = { "properties", NATIVE_STRING },
    [EVENT_CONTEXT] = { "context", NATIVE_STRING },
    [EVENT_TIMESTAMP] = { "timestamp", NATIVE_DATETIME_MS },
    [EVENT_RECEIVED] = { "received_at", NATIVE_DATETIME_MS },
    [EVENT_STITCHED] = { "identity_stitched", NATIVE_BOOL },
    [EVENT_PARTITION] = { "journal_partition", NATIVE_UINT16 },
    [EVENT_POSITION] = { "journal_position", NATIVE_UINT64 },
};

static enum status add_event(struct native_block *block, struct partition_set *partitions, struct slice record,
                             const struct sink_source *source, int64_t *out_ingested_us, struct error *err)
{
    struct event event;
    enum status s = event_decode(record, &event, err);
    if (s != OK)
        return s;
    native_add_string(block, EVENT_CUSTOMER, event.customer_id);
    native_add_string(block, EVENT_PLACEMENT, event.placement);
    native_add_string(block, EVENT_VISITOR, event.visitor_id);
    native_add_string(block, EVENT_USER, event.user_id);
    native_add_string(block, EVENT_SESSION, event.session_id);
    native_add_string(block, EVENT_ID, event.event_id);
    native_add_string(block, EVENT_TYPE, event.event_type);
    native_add_string(block, EVENT_NAME, event.event_name);
    native_add_string(block, EVENT_PROPERTIES, event.properties);
    native_add_string(block, EVENT_CONTEXT, event.context);
    native_add_i64(block, EVENT_TIMESTAMP, event.timestamp_ms);
    native_add_i64(block, EVENT_RECEIVED, event.received_ms);
    native_add_bool(block, EVENT_STITCHED, event.flags & EVENT_IDENTITY_STITCHED);
    native_add_u16(block, EVENT_PARTITION, source->partition);
    native_add_u64(block, EVENT_POSITION, source->offset);
    native_row_done(block);
    partition_set_add(partitions, event.placement, event.timestamp_ms);
    *out_ingested_us = event.ingested_us;
    return OK;
}

enum {
    LETTER_CUSTOMER,
    LETTER_PLACEMENT,
    LETTER_STAGE,
    LETTER_REASON,
    LETTER_MESSAGE,
    LETTER_FIELD,
    LETTER_ORIGINAL,
    LETTER_EVENT_ID,
    LETTER_RECEIVED,
    LETTER_PARTITION,
    LETTER_POSITION,
    LETTER_COLUMNS
};

static const struct native_column DEAD_LETTERS[LETTER_COLUMNS] = {
    [LETTER_CUSTOMER] = { "customer_id", NATIVE_STRING },
    [LETTER_PLACEMENT] = { "placement", NATIVE_STRING },
    [LETTER_STAGE] = { "stage", NATIVE_STRING },
    [LETTER_REASON] = { "reason", NATIVE_STRING },
    [LETTER_MESSAGE] = { "message", NATIVE_STRING },
    [LETTER_FIELD] = { "field", NATIVE_STRING },
    [LETTER_ORIGINAL] = { "original", NATIVE_STRING },
    [LETTER_EVENT_ID] = { "event_id", NATIVE_STRING },
    [LETTER_RECEIVED] = { "received_at", NATIVE_DATETIME_MS },
    [LETTER_PARTITION] = { "journal_partition", NATIVE_UINT16 },
    [LETTER_POSITION] = { "journal_position", NATIVE_UINT64 },
};

static enum status add_dead_letter(struct native_block *block, struct partition_set *partitions, struct slice record,
                                   const struct sink_source *source, int64_t *out_ingested_us, struct error *err)
{
    struct dead_letter letter;
    enum status s = dead_letter_decode(record, &letter, err);
    if (s != OK)
        return s;
    native_add_string(block, LETTER_CUSTOMER, letter.customer_id);
    native_add_string(block, LETTER_PLACEMENT, SLICE(""));
    native_add_string(block, LETTER_STAGE, letter.stage);
    native_add_string(block, LETTER_REASON, letter.reason);
    native_add_string(block, LETTER_MESSAGE, letter.message);
    native_add_string(block, LETTER_FIELD, letter.field);
    native_add_string(block, LETTER_ORIGINAL, letter.original);
    native_add_string(block, LETTER_EVENT_ID, letter.event_id);
    native_add_i64(block, LETTER_RECEIVED, letter.received_ms);
    native_add_u16(block, LETTER_PARTITION, source->partition);
    native_add_u64(block, LETTER_POSITION, source->offset);
    native_row_done(block);
    partition_set_add(partitions, SLICE(""), letter.received_ms);
    *out_ingested_us = 0;
    return OK;
}

static const struct sink_table EVENTS = { TOPIC_ENRICHED, "events_raw", EVENTS_RAW, EVENT_COLUMNS, add_event };
static const struct sink_table LETTERS = { TOPIC_DEAD_LETTERS, "dead_letters", DEAD_LETTERS, LETTER_COLUMNS,
                                           add_dead_letter };

/* A batch's progress names a table by its place here: only add at the end. */
const struct sink_table *const SINK_TABLES[SINK_TABLE_COUNT] = {
    &EVENTS, &LETTERS, &SINK_TABLE_SESSIONS, &SINK_TABLE_WINDOWS, &SINK_TABLE_LATE, &SINK_TABLE_QUALITY,
};

uint32_t sink_topics(void)
{
    uint32_t topics = 0;
    for (size_t i = 0; i < SINK_TABLE_COUNT; i++)
        topics |= TOPIC_BIT(SINK_TABLES[i]->topic);
    return topics;
}

size_t sink_table_of(enum journal_topic topic)
{
    size_t i = 0;
    while (i < SINK_TABLE_COUNT && SINK_TABLES[i]->topic != topic)
        i++;
    return i;
}
