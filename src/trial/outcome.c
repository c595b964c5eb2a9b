#include "trial/outcome.h"

#include <stdlib.h>
#include <xxhash.h>

#include "base/json_text.h"
#include "base/timestamp.h"
#include "event/dead_letter.h"
#include "event/late_record.h"
#include "event/session_record.h"
#include "event/window_record.h"

#define ROW_BYTES_MAX (4u << 20)

const char *const OUTCOME_NAMES[OUTCOME_TABLES] = { "windows", "sessions", "late_events", "dead_letters", "events" };

void outcome_done(struct outcome *outcome)
{
    for (size_t i = 0; i < outcome->count; i++)
        buf_done(&outcome->rows[i].json);
    free(outcome->rows);
    free(outcome->places);
    *outcome = (struct outcome){ 0 };
}

/* The place of the row with this identity, or the free one in which it would be. */
static uint32_t *place_of(struct outcome *outcome, enum outcome_table table, uint64_t identity)
{
    const size_t mask = 2 * outcome->capacity - 1; /* the capacity is a power of two */
    for (size_t i = identity & mask;; i = (i + 1) & mask) {
        uint32_t *place = &outcome->places[i];
        const struct outcome_row *row = *place ? &outcome->rows[*place - 1] : NULL;
        if (!row || (row->identity == identity && row->table == table))
            return place;
    }
}

static void grow(struct outcome *outcome)
{
    outcome->capacity = outcome->capacity ? 2 * outcome->capacity : 64;
    outcome->rows = realloc(outcome->rows, outcome->capacity * sizeof *outcome->rows);
    free(outcome->places);
    outcome->places = calloc(2 * outcome->capacity, sizeof *outcome->places);
    if (!outcome->rows || !outcome->places)
        abort();
    for (size_t i = 0; i < outcome->count; i++)
        if (outcome->rows[i].identity)
            *place_of(outcome, outcome->rows[i].table, outcome->rows[i].identity) = (uint32_t)i + 1;
}

static struct outcome_row *row_of(struct outcome *outcome, enum outcome_table table, uint64_t identity)
{
    if (outcome->count == outcome->capacity)
        grow(outcome);
    uint32_t *place = identity ? place_of(outcome, table, identity) : NULL;
    if (place && *place) {
        buf_reset(&outcome->rows[*place - 1].json);
        return &outcome->rows[*place - 1];
    }
    struct outcome_row *row = &outcome->rows[outcome->count++];
    if (place)
        *place = (uint32_t)outcome->count;
    *row = (struct outcome_row){ .table = table, .identity = identity };
    buf_init(&row->json, ROW_BYTES_MAX);
    return row;
}

static uint64_t identity_of(struct slice a, struct slice b, struct slice c, int64_t start_ms, uint64_t seed)
{
    const struct slice parts[] = { a, b, c };
    uint64_t hash = XXH3_64bits_withSeed(&start_ms, sizeof start_ms, seed);
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        hash = XXH3_64bits_withSeed(parts[i].n ? parts[i].p : "", parts[i].n, hash);
    return hash ? hash : 1;
}

static void add_time(struct buf *json, const char *name, int64_t ms)
{
    char text[TIMESTAMP_TEXT_BYTES];
    timestamp_format(ms, text);
    json_add_field(json, name, slice_of(text, sizeof text));
}

static void add_raw(struct buf *json, const char *name, struct slice value)
{
    json_add_key(json, name);
    buf_add_slice(json, value);
}

static void add_flag(struct buf *json, const char *name, bool value)
{
    add_raw(json, name, value ? SLICE("true") : SLICE("false"));
}

/* Returns where the name stands: the row is about that window. */
static size_t begin_windowed(struct buf *json, struct slice window, int64_t start_ms, int64_t end_ms)
{
    buf_add_text(json, "{\"window\":\"");
    const size_t name_at = json->n;
    buf_add_slice(json, window);
    buf_add_char(json, '"');
    add_time(json, "start", start_ms);
    add_time(json, "end", end_ms);
    return name_at;
}

static void read_window(struct outcome *outcome, struct slice bytes)
{
    struct window_record record;
    if (window_record_decode(bytes, &record, NULL) != OK)
        return;
    struct outcome_row *row =
        row_of(outcome, OUTCOME_WINDOWS,
               identity_of(record.customer_id, record.window, record.key, record.start_ms, record.definition));
    struct buf *json = &row->json;
    row->gone = record.removed;
    const size_t name_at = begin_windowed(json, record.window, record.start_ms, record.end_ms);
    add_raw(json, "key", record.key);
    add_raw(json, "measures", record.measures);
    json_add_field_u64(json, "events", record.events);
    json_add_field_u64(json, "revision", record.revision);
    add_flag(json, "final", record.final);
    json_add_field(json, "tenant", record.customer_id);
    buf_add_char(json, '}');
    row->window = slice_of(json->p + name_at, record.window.n);
}

static void read_session(struct outcome *outcome, struct slice bytes)
{
    struct session_record record;
    if (session_record_decode(bytes, &record, NULL) != OK)
        return;
    struct outcome_row *row =
        row_of(outcome, OUTCOME_SESSIONS,
               identity_of(record.customer_id, record.visitor_id, (struct slice){ 0 }, record.start_ms, 0));
    struct buf *json = &row->json;
    row->gone = record.removed;
    buf_add_char(json, '{');
    json_add_field(json, "visitor_id", record.visitor_id);
    json_add_field(json, "user_id", record.user_id);
    add_time(json, "start", record.start_ms);
    add_time(json, "end", record.end_ms);
    json_add_field_u64(json, "events", record.events);
    json_add_field_u64(json, "views", record.views);
    json_add_field(json, "tenant", record.customer_id);
    buf_add_char(json, '}');
}

static void add_event(struct buf *json, const struct event *event)
{
    json_add_field(json, "event_id", event->event_id);
    json_add_field(json, "event_type", event->event_type);
    json_add_field(json, "event_name", event->event_name);
    json_add_field(json, "visitor_id", event->visitor_id);
    json_add_field(json, "user_id", event->user_id);
    json_add_field(json, "session_id", event->session_id);
    add_time(json, "timestamp", event->timestamp_ms);
    add_raw(json, "properties", event->properties);
    add_raw(json, "context", event->context);
    json_add_field(json, "tenant", event->customer_id);
}

static void read_late(struct outcome *outcome, struct slice bytes)
{
    struct late_record record;
    if (late_record_decode(bytes, &record, NULL) != OK)
        return;
    struct outcome_row *row = row_of(outcome, OUTCOME_LATE, 0);
    const size_t name_at = begin_windowed(&row->json, record.window, record.start_ms, record.end_ms);
    json_add_field_u64(&row->json, "events", record.events);
    add_event(&row->json, &record.event);
    buf_add_char(&row->json, '}');
    row->window = slice_of(row->json.p + name_at, record.window.n);
}

static void read_event(struct outcome *outcome, struct slice bytes)
{
    struct event event;
    if (event_decode(bytes, &event, NULL) != OK)
        return;
    struct outcome_row *row = row_of(outcome, OUTCOME_EVENTS, 0);
    buf_add_char(&row->json, '{');
    add_event(&row->json, &event);
    buf_add_char(&row->json, '}');
}

static void add_letter(struct outcome *outcome, const struct dead_letter *letter)
{
    struct outcome_row *row = row_of(outcome, OUTCOME_DEAD, 0);
    buf_add_char(&row->json, '{');
    json_add_field(&row->json, "stage", letter->stage);
    json_add_field(&row->json, "reason", letter->reason);
    json_add_field(&row->json, "field", letter->field);
    json_add_field(&row->json, "event_id", letter->event_id);
    json_add_field(&row->json, "message", letter->message);
    buf_add_char(&row->json, '}');
}

void outcome_reject(struct outcome *outcome, const char *reason, struct slice field, struct slice event_id,
                    struct slice message)
{
    const struct dead_letter letter = {
        .stage = SLICE("ingest"), .reason = slice_from(reason), .field = field, .event_id = event_id, .message = message
    };
    add_letter(outcome, &letter);
}

static void read_record(void *self, uint16_t topic, uint16_t partition, struct slice record)
{
    struct outcome *outcome = self;
    struct dead_letter letter;
    (void)partition;
    if (topic == TOPIC_WINDOWS)
        read_window(outcome, record);
    else if (topic == TOPIC_SESSIONS)
        read_session(outcome, record);
    else if (topic == TOPIC_LATE)
        read_late(outcome, record);
    else if (topic == TOPIC_ENRICHED)
        read_event(outcome, record);
    else if (dead_letter_decode(record, &letter, NULL) == OK)
        add_letter(outcome, &letter);
}

void outcome_read(struct outcome *outcome, struct machine *machine)
{
    const uint32_t topics = TOPIC_BIT(TOPIC_ENRICHED) | TOPIC_BIT(TOPIC_LATE) | TOPIC_BIT(TOPIC_WINDOWS) |
                            TOPIC_BIT(TOPIC_SESSIONS) | TOPIC_BIT(TOPIC_DEAD_LETTERS);
    outcome->position = machine_read(machine, topics, outcome->position, read_record, outcome);
}
