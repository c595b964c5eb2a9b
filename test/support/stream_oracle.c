/* Quadratic on purpose, here and in stream_oracle_*.c: what is so plain that one can see it is right may be slow. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/test.h"
#include "event/late_record.h"
#include "event/session_record.h"
#include "event/window_record.h"
#include "test/support/stream_oracle_inside.h"

static const char *const TYPES[] = { "page_view", "purchase", "click" };

void oracle_done(struct oracle *oracle)
{
    free(oracle->lates);
    free(oracle->results);
    free(oracle->newest);
    free(oracle->sessions);
}

static void *grown(void *items, size_t *io_capacity, size_t count, size_t size)
{
    if (count < *io_capacity)
        return items;
    *io_capacity = *io_capacity ? 2 * *io_capacity : 1024;
    items = realloc(items, *io_capacity * size);
    assert_non_null(items);
    return items;
}

/* ---- what is sent ---- */

static void duration(struct buf *to, const char *name, int64_t ms)
{
    buf_add_format(to, ", %s: %" PRId64 "s", name, ms / 1000);
}

void oracle_window_yaml(const struct oracle_window *window, struct buf *to)
{
    static const char *const WHERE[] = { "", ", where: event_type == 'purchase'", ", where: properties.amount > 0" };
    static const char *const BY[] = { "", ", by: [{visitor: visitor_id}]", ", by: [{page: properties.page}]",
                                      ", by: [{type: event_type}, {page: properties.page}]" };
    const char *kind = window->session ? "session" : window->sliding ? "sliding" : "tumbling";
    buf_add_format(to, "  - {name: %s, kind: %s", window->name, kind);
    duration(to, window->session ? "gap" : "size", window->size_ms);
    if (window->sliding)
        duration(to, "slide", window->slide_ms);
    if (window->lateness_ms)
        duration(to, "lateness", window->lateness_ms);
    buf_add_format(to, ", emit: %s", window->updates && window->closes ? "both" : window->updates ? "update" : "close");
    buf_add_format(to, "%s%s%s", window->processing_time ? ", time: processing" : "", WHERE[window->filter],
                   BY[window->by]);
    buf_add_text(to, ", measures: {n: count(), total: sum(properties.amount), low: min(properties.amount), high: "
                     "max(properties.amount), who: distinct(visitor_id), begin: first(event_id), end: last(event_id), "
                     "most: \"top(properties.page, 3)\"}}\n");
}

void oracle_event(struct oracle *oracle, size_t number, int64_t now_ms, char text[ORACLE_EVENT_TEXT], struct event *out)
{
    struct oracle_event *event = &oracle->events[number];
    char *parts[5];
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        parts[i] = text + 40 * i;
    snprintf(parts[0], 40, "t%u", event->tenant);
    snprintf(parts[1], 40, "v%u", event->visitor);
    snprintf(parts[2], 40, "e%zu", number);
    snprintf(parts[3], 40, "{\"page\":\"/p%u\",\"amount\":%d}", event->page, event->amount);
    parts[4][0] = 0;
    if (event->user)
        snprintf(parts[4], 40, "u%u", event->user);
    *out = (struct event){ .customer_id = slice_from(parts[0]),
                           .visitor_id = slice_from(parts[1]),
                           .user_id = slice_from(parts[4]),
                           .event_id = slice_from(parts[2]),
                           .event_type = slice_from(TYPES[event->type]),
                           .properties = slice_from(parts[3]),
                           .context = SLICE("{}"),
                           .timestamp_ms = event->time_ms,
                           .received_ms = now_ms,
                           .ingested_us = now_ms * 1000 };
    event->sent = true;
}

/* ---- reading ---- */

static unsigned number_in(struct slice text)
{
    uint64_t number = 0;
    assert_true(text.n > 1 && slice_to_u64(slice_after(text, 1), &number));
    return (unsigned)number;
}

static size_t window_named(const struct oracle *oracle, struct slice name)
{
    size_t i = 0;
    while (i < oracle->window_count && !slice_equal(slice_from(oracle->windows[i].name), name))
        i++;
    assert_true(i < oracle->window_count);
    return i;
}

static void make_keys(struct oracle *oracle, struct oracle_event *event)
{
    for (size_t w = 0; w < oracle->window_count; w++) {
        char *to = event->keys[w];
        switch (oracle->windows[w].by) {
        case BY_NOTHING:
        case ORACLE_KEYS:
            snprintf(to, ORACLE_KEY_MAX, "{}");
            break;
        case BY_VISITOR:
            snprintf(to, ORACLE_KEY_MAX, "{\"visitor\":\"v%u\"}", event->visitor);
            break;
        case BY_PAGE:
            snprintf(to, ORACLE_KEY_MAX, "{\"page\":\"/p%u\"}", event->page);
            break;
        case BY_TYPE_AND_PAGE:
            snprintf(to, ORACLE_KEY_MAX, "{\"type\":\"%s\",\"page\":\"/p%u\"}", TYPES[event->type], event->page);
            break;
        }
    }
}

static void read_enriched(struct oracle *oracle, uint16_t partition, struct slice record)
{
    struct event event;
    assert_int_equal(event_decode(record, &event, NULL), OK);
    unsigned number = number_in(event.event_id);
    assert_true(number < oracle->event_count);
    struct oracle_event *known = &oracle->events[number];
    if (known->times_enriched++ == 0) {
        known->order = oracle->order[partition]++;
        known->partition = partition;
        make_keys(oracle, known);
    }
}

/* A sum is late only when its sender had been silent for a minute; or for the first of the windows that its slice is
 * part of. */
static void read_late(struct oracle *oracle, struct slice record)
{
    struct late_record late;
    assert_int_equal(late_record_decode(record, &late, NULL), OK);
    oracle->lates = grown(oracle->lates, &oracle->late_capacity, oracle->late_count, sizeof *oracle->lates);
    oracle->lates[oracle->late_count++] =
        (struct oracle_late){ .event = late.event.event_id.n ? (int)number_in(late.event.event_id) : -1,
                              .tenant = (uint8_t)number_in(late.event.customer_id),
                              .window = window_named(oracle, late.window),
                              .start_ms = late.start_ms,
                              .end_ms = late.end_ms,
                              .watermark_ms = late.watermark_ms,
                              .events = late.events };
    if (!late.event.event_id.n && !oracle->windows[window_named(oracle, late.window)].sliding &&
        late.event.received_ms < oracle->none_silent_until_ms)
        fail_msg("a sum of %u events is told late for %.*s, and nobody was silent for a minute", late.events,
                 SLICE_ARG(late.window));
}

static void read_result(struct oracle *oracle, struct slice bytes)
{
    struct window_record record;
    assert_int_equal(window_record_decode(bytes, &record, NULL), OK);
    oracle->results = grown(oracle->results, &oracle->result_capacity, oracle->result_count, sizeof *oracle->results);
    struct oracle_result *result = &oracle->results[oracle->result_count];
    *result = (struct oracle_result){ .tenant = (uint8_t)number_in(record.customer_id),
                                      .window = window_named(oracle, record.window),
                                      .number = oracle->result_count++,
                                      .start_ms = record.start_ms,
                                      .end_ms = record.end_ms,
                                      .events = record.events,
                                      .revision = record.revision,
                                      .final = record.final,
                                      .removed = record.removed };
    snprintf(result->key, sizeof result->key, "%.*s", SLICE_ARG(record.key));
    snprintf(result->measures, sizeof result->measures, "%.*s", SLICE_ARG(record.measures));
}

static struct oracle_session *find_session(struct oracle *oracle, uint8_t tenant, uint8_t visitor, int64_t start_ms)
{
    for (size_t i = 0; i < oracle->session_count; i++) {
        struct oracle_session *session = &oracle->sessions[i];
        if (session->tenant == tenant && session->visitor == visitor && session->start_ms == start_ms)
            return session;
    }
    return NULL;
}

static void read_session(struct oracle *oracle, struct slice bytes)
{
    struct session_record record;
    assert_int_equal(session_record_decode(bytes, &record, NULL), OK);
    const struct oracle_session is = { .tenant = (uint8_t)number_in(record.customer_id),
                                       .visitor = (uint8_t)number_in(record.visitor_id),
                                       .user = record.user_id.n ? (uint8_t)number_in(record.user_id) : 0,
                                       .start_ms = record.start_ms,
                                       .end_ms = record.end_ms,
                                       .events = record.events,
                                       .views = record.views };
    struct oracle_session *session = find_session(oracle, is.tenant, is.visitor, is.start_ms);
    if (record.removed) {
        if (session)
            *session = oracle->sessions[--oracle->session_count];
        return;
    }
    if (!session) {
        oracle->sessions =
            grown(oracle->sessions, &oracle->session_capacity, oracle->session_count, sizeof *oracle->sessions);
        session = &oracle->sessions[oracle->session_count++];
    }
    *session = is;
}

static void read_record(void *self, uint16_t topic, uint16_t partition, struct slice record)
{
    struct oracle *oracle = self;
    oracle->records++;
    if (topic == TOPIC_ENRICHED)
        read_enriched(oracle, partition, record);
    else if (topic == TOPIC_LATE)
        read_late(oracle, record);
    else if (topic == TOPIC_WINDOWS)
        read_result(oracle, record);
    else
        read_session(oracle, record);
}

bool oracle_read(struct oracle *oracle, struct machine *rig)
{
    const uint32_t topics =
        TOPIC_BIT(TOPIC_ENRICHED) | TOPIC_BIT(TOPIC_LATE) | TOPIC_BIT(TOPIC_WINDOWS) | TOPIC_BIT(TOPIC_SESSIONS);
    uint64_t before = oracle->records;
    oracle->position = machine_read(rig, topics, oracle->position, read_record, oracle);
    if (rig->error.text[0])
        fail_msg("%s", rig->error.text);
    return oracle->records > before;
}

/* ---- sessions ---- */

static void check_session(struct oracle *oracle, struct oracle_event **events, size_t count, const char *when)
{
    struct oracle_session is = { .tenant = events[0]->tenant,
                                 .visitor = events[0]->visitor,
                                 .start_ms = events[0]->time_ms,
                                 .end_ms = events[count - 1]->time_ms,
                                 .events = (uint32_t)count };
    for (size_t i = 0; i < count; i++) {
        is.views += events[i]->type == 0;
        is.user = events[i]->user ? events[i]->user : is.user;
    }
    const struct oracle_session *said = find_session(oracle, is.tenant, is.visitor, is.start_ms);
    if (said && said->end_ms == is.end_ms && said->events == is.events && said->views == is.views &&
        said->user == is.user)
        return;
    fail_msg("%s: the session of t%u v%u from %" PRId64 " to %" PRId64 " has %u events, %u views, user %u; said is %s: "
             "to %" PRId64 ", %u, %u, %u",
             when, is.tenant, is.visitor, is.start_ms, is.end_ms, is.events, is.views, is.user, said ? "" : "nothing",
             said ? said->end_ms : 0, said ? said->events : 0, said ? said->views : 0, said ? said->user : 0);
}

/* Sort by time, cut where the pause is too long. */
static size_t check_visitor(struct oracle *oracle, uint8_t tenant, uint8_t visitor, const char *when)
{
    struct oracle_event *events[ORACLE_EVENTS_MAX];
    size_t count = 0, first = 0, sessions = 0;
    for (size_t e = 0; e < oracle->event_count; e++)
        if (oracle->events[e].times_enriched && oracle->events[e].tenant == tenant &&
            oracle->events[e].visitor == visitor)
            events[count++] = &oracle->events[e];
    qsort(events, count, sizeof *events, oracle_by_time);
    for (size_t i = 1; i <= count; i++) {
        if (i < count && events[i]->time_ms - events[i - 1]->time_ms <= oracle->gap_ms)
            continue;
        check_session(oracle, events + first, i - first, when);
        first = i;
        sessions++;
    }
    return sessions;
}

static void check_sessions(struct oracle *oracle, const char *when)
{
    size_t sessions = 0;
    for (uint8_t tenant = 0; tenant < ORACLE_TENANTS_MAX; tenant++)
        for (unsigned visitor = 0; visitor < 256; visitor++)
            sessions += check_visitor(oracle, tenant, (uint8_t)visitor, when);
    if (sessions != oracle->session_count)
        fail_msg("%s: there are %zu sessions, not %zu", when, oracle->session_count, sessions);
}

/* ---- all ---- */

void oracle_check(struct oracle *oracle, struct machine *rig, const int64_t *up_to_ms, const char *when)
{
    (void)oracle_read(oracle, rig);
    for (size_t e = 0; e < oracle->event_count; e++) {
        const struct oracle_event *event = &oracle->events[e];
        if (event->times_enriched > 1 || (event->acknowledged && event->times_enriched == 0) ||
            (event->times_enriched && !event->sent))
            fail_msg("%s: e%zu, %sacknowledged, is there %u times", when, e, event->acknowledged ? "" : "not ",
                     event->times_enriched);
    }
    check_sessions(oracle, when);
    oracle_check_lates(oracle, rig, when);
    oracle_check_results(oracle, rig, up_to_ms, when);
}

void oracle_check_metrics(struct oracle *oracle, struct machine *rig, const char *when)
{
    double accepted = stream_rig_metric(rig, "events_processed_total") - stream_rig_metric(rig, "duplicates_total") -
                      stream_rig_metric(rig, "dead_letters_total");
    for (size_t w = 0; w < oracle->window_count; w++) {
        char start[80];
        snprintf(start, sizeof start, "window_events_total{window=\"%s\"", oracle->windows[w].name);
        double told = stream_rig_metric(rig, start);
        if (told != accepted)
            fail_msg("%s: %s: counted + late + filtered is %.0f, accepted are %.0f", when, oracle->windows[w].name,
                     told, accepted);
    }
}
