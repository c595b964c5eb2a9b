/* Quadratic on purpose: what is so plain that one can see it is right may be slow. */
#include "test/support/stream_oracle.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/test.h"
#include "event/late_record.h"
#include "event/session_record.h"
#include "event/window_record.h"

#define NO_TIME INT64_MIN

static const char *const TYPES[] = { "page_view", "purchase", "click" };

struct oracle_late {
    int event; /* -1: a sum that another partition sent too late */
    uint8_t tenant;
    size_t window;
    int64_t start_ms, end_ms, watermark_ms;
    uint32_t events;
};

struct oracle_result {
    uint8_t tenant;
    size_t window, number; /* number: in the journal's order */
    int64_t start_ms, end_ms;
    uint64_t events;
    uint32_t revision;
    bool final, removed;
    char key[ORACLE_KEY_MAX], measures[512];
};

struct oracle_session {
    uint8_t tenant, visitor, user;
    int64_t start_ms, end_ms;
    uint32_t events, views;
};

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

/* ---- which events are late ---- */

static int64_t start_of(int64_t time_ms, int64_t step_ms)
{
    int64_t rest = time_ms % step_ms;
    return time_ms - (rest < 0 ? rest + step_ms : rest);
}

static bool passes(const struct oracle_window *window, const struct oracle_event *event)
{
    switch (window->filter) {
    case FILTER_NONE:
    case ORACLE_FILTERS:
        return true;
    case FILTER_PURCHASES:
        return event->type == 1;
    case FILTER_POSITIVE:
        return event->amount > 0;
    }
    return true;
}

/* The watermark that the event met: of its tenant's events that its partition had taken by then, itself included. */
static int64_t watermark_at(const struct oracle *oracle, const struct oracle_event *event)
{
    int64_t newest_ms = NO_TIME;
    for (size_t i = 0; i < oracle->event_count; i++) {
        const struct oracle_event *other = &oracle->events[i];
        if (other->times_enriched && other->tenant == event->tenant && other->partition == event->partition &&
            other->order <= event->order && other->time_ms > newest_ms)
            newest_ms = other->time_ms;
    }
    return newest_ms - oracle->disorder_ms;
}

/* How far any watermark of the tenant can have come. */
static int64_t watermark_most(const struct oracle *oracle, struct machine *rig, uint8_t tenant)
{
    const int64_t wall_ms = rig->time.world.wall_us(&rig->time.world) / 1000;
    int64_t most_ms = !oracle->live[tenant] ? NO_TIME : wall_ms > oracle->wall_most_ms ? wall_ms : oracle->wall_most_ms;
    for (size_t i = 0; i < oracle->event_count; i++)
        if (oracle->events[i].times_enriched && oracle->events[i].tenant == tenant &&
            oracle->events[i].time_ms > most_ms)
            most_ms = oracle->events[i].time_ms;
    return most_ms == NO_TIME ? NO_TIME : most_ms - oracle->disorder_ms;
}

static bool told_late(const struct oracle *oracle, size_t event, size_t window, int64_t start_ms)
{
    for (size_t i = 0; i < oracle->late_count; i++) {
        const struct oracle_late *late = &oracle->lates[i];
        if (late->event == (int)event && late->window == window &&
            (oracle->windows[window].session ||
             (late->start_ms <= start_ms && start_ms + oracle->windows[window].size_ms <= late->end_ms)))
            return true;
    }
    return false;
}

/* Sums came to the window's owner too late: which events they were is not told. */
static bool is_doubtful(const struct oracle *oracle, uint8_t tenant, size_t window, int64_t start_ms)
{
    for (size_t i = 0; i < oracle->late_count; i++) {
        const struct oracle_late *late = &oracle->lates[i];
        if (late->event < 0 && late->tenant == tenant && late->window == window &&
            (oracle->windows[window].session ||
             (late->start_ms <= start_ms && start_ms + oracle->windows[window].size_ms <= late->end_ms)))
            return true;
    }
    return false;
}

/* Every late event was late, and every event that was late for sure is told. */
static void check_lates(const struct oracle *oracle, struct machine *rig, const char *when)
{
    for (size_t i = 0; i < oracle->late_count; i++) {
        const struct oracle_late *late = &oracle->lates[i];
        const struct oracle_window *window = &oracle->windows[late->window];
        if (window->processing_time)
            fail_msg("%s: an event is late for %s, which goes by the clock", when, window->name);
        if (late->watermark_ms < late->end_ms + window->lateness_ms ||
            late->watermark_ms > watermark_most(oracle, rig, late->tenant))
            fail_msg("%s: e%d is told late for %s until %" PRId64 " by a watermark of %" PRId64, when, late->event,
                     window->name, late->end_ms, late->watermark_ms);
        for (size_t j = 0; j < i; j++)
            if (late->event >= 0 && oracle->lates[j].event == late->event && oracle->lates[j].window == late->window)
                fail_msg("%s: e%d is told late for %s twice", when, late->event, window->name);
    }
    for (size_t e = 0; e < oracle->event_count; e++) {
        const struct oracle_event *event = &oracle->events[e];
        if (!event->times_enriched)
            continue;
        const int64_t watermark_ms = watermark_at(oracle, event);
        const bool exact = rig->journal_options.partitions == 1 && !oracle->live[event->tenant];
        for (size_t w = 0; w < oracle->window_count; w++) {
            const struct oracle_window *window = &oracle->windows[w];
            const int64_t slice_ms = window->session ? event->time_ms : start_of(event->time_ms, window->slide_ms),
                          last_end_ms = slice_ms + window->size_ms;
            if (!passes(window, event) || window->processing_time)
                continue;
            bool late = last_end_ms + window->lateness_ms <= watermark_ms, told = told_late(oracle, e, w, slice_ms);
            if ((late && !told) || (exact && !late && told))
                fail_msg("%s: e%zu, at %" PRId64 " with the watermark at %" PRId64 ", is %stold late for %s", when, e,
                         event->time_ms, watermark_ms, told ? "" : "not ", window->name);
        }
    }
}

/* ---- results ---- */

struct sum {
    unsigned n;
    int64_t total, low, high, begin_ms, end_ms;
    size_t begin, end;
    bool visitors[256];
    unsigned pages[256];
};

static void add(struct sum *sum, const struct oracle_event *event, size_t number)
{
    sum->total += event->amount;
    if (sum->n == 0 || event->amount < sum->low)
        sum->low = event->amount;
    if (sum->n == 0 || event->amount > sum->high)
        sum->high = event->amount;
    if (sum->n == 0 || event->time_ms < sum->begin_ms) {
        sum->begin = number;
        sum->begin_ms = event->time_ms;
    }
    if (sum->n == 0 || event->time_ms > sum->end_ms) {
        sum->end = number;
        sum->end_ms = event->time_ms;
    }
    sum->visitors[event->visitor] = true;
    sum->pages[event->page]++;
    sum->n++;
}

/* "/p1" before "/p10" before "/p2": as texts are ordered. */
static bool page_before(unsigned a, unsigned b)
{
    char x[8], y[8];
    snprintf(x, sizeof x, "%u", a);
    snprintf(y, sizeof y, "%u", b);
    return strcmp(x, y) < 0;
}

static int add_top(struct sum *sum, char *to, size_t room)
{
    int n = snprintf(to, room, "[");
    for (int rank = 0; rank < 3; rank++) {
        unsigned best = 256;
        for (unsigned page = 0; page < 256; page++)
            if (sum->pages[page] && (best == 256 || sum->pages[page] > sum->pages[best] ||
                                     (sum->pages[page] == sum->pages[best] && page_before(page, best))))
                best = page;
        if (best == 256)
            break;
        n += snprintf(to + n, room - (size_t)n, "%s{\"value\":\"/p%u\",\"count\":%u}", rank ? "," : "", best,
                      sum->pages[best]);
        sum->pages[best] = 0;
    }
    return n + snprintf(to + n, room - (size_t)n, "]");
}

static void describe(struct sum *sum, char *to, size_t room)
{
    unsigned visitors = 0;
    for (size_t v = 0; v < COUNT_OF(sum->visitors); v++)
        visitors += sum->visitors[v];
    int n = snprintf(to, room,
                     "{\"n\":%u,\"total\":%" PRId64 ",\"low\":%" PRId64 ",\"high\":%" PRId64
                     ",\"who\":%u,\"begin\":\"e%zu\",\"end\":\"e%zu\",\"most\":",
                     sum->n, sum->total, sum->low, sum->high, visitors, sum->begin, sum->end);
    n += add_top(sum, to + n, room - (size_t)n);
    snprintf(to + n, room - (size_t)n, "}");
}

/* Whether the event counts in the window that begins there; the key is not looked at. */
static bool counts(const struct oracle *oracle, size_t number, size_t w, int64_t start_ms)
{
    const struct oracle_event *event = &oracle->events[number];
    const struct oracle_window *window = &oracle->windows[w];
    return event->times_enriched && event->time_ms >= start_ms && event->time_ms < start_ms + window->size_ms &&
           passes(window, event) && !told_late(oracle, number, w, start_ms);
}

static int by_key(const struct oracle_result *a, const struct oracle_result *b)
{
    if (a->tenant != b->tenant)
        return a->tenant < b->tenant ? -1 : 1;
    if (a->window != b->window)
        return a->window < b->window ? -1 : 1;
    if (a->start_ms != b->start_ms)
        return a->start_ms < b->start_ms ? -1 : 1;
    return strcmp(a->key, b->key);
}

static int by_key_and_number(const void *a, const void *b)
{
    const struct oracle_result *x = *(struct oracle_result *const *)a, *y = *(struct oracle_result *const *)b;
    int order = by_key(x, y);
    return order ? order : (x->number > y->number) - (x->number < y->number);
}

static void describe_result(const struct oracle_result *result, const char *when, const char *what)
{
    print_message("%s: %s: tenant t%u window %zu [%" PRId64 ", %" PRId64 ") key %s revision %u%s events %" PRIu64
                  "\n  is       %s\n",
                  when, what, result->tenant, result->window, result->start_ms, result->end_ms, result->key,
                  result->revision, result->final ? " final" : "", result->events,
                  result->removed ? "removed" : result->measures);
}

/* Of two results for one key, one behind the other in the journal. A session that was over may go on. */
static void check_pair(const struct oracle *oracle, const struct oracle_result *earlier,
                       const struct oracle_result *later, const char *when)
{
    bool same = earlier->events == later->events && strcmp(earlier->measures, later->measures) == 0;
    if (later->revision < earlier->revision || (later->revision == earlier->revision && !same) ||
        (earlier->final && !later->final && !oracle->windows[later->window].session)) {
        describe_result(earlier, when, "first this was said");
        describe_result(later, when, "then this, without a higher revision, or no longer final");
        fail();
    }
}

static void sort_results(struct oracle *oracle, const char *when)
{
    free(oracle->newest);
    oracle->newest = malloc((oracle->result_count + 1) * sizeof *oracle->newest);
    assert_non_null(oracle->newest);
    for (size_t i = 0; i < oracle->result_count; i++)
        oracle->newest[i] = &oracle->results[i];
    qsort(oracle->newest, oracle->result_count, sizeof *oracle->newest, by_key_and_number);
    oracle->newest_count = 0;
    for (size_t i = 0; i < oracle->result_count; i++) {
        struct oracle_result *result = oracle->newest[i];
        struct oracle_result **last = oracle->newest_count ? &oracle->newest[oracle->newest_count - 1] : NULL;
        if (last && by_key(*last, result) == 0) {
            check_pair(oracle, *last, result, when);
            *last = result;
        } else {
            oracle->newest[oracle->newest_count++] = result;
        }
    }
}

static const struct oracle_result *find_result(const struct oracle *oracle, const struct oracle_result *like)
{
    size_t low = 0, high = oracle->newest_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = by_key(oracle->newest[middle], like);
        if (order == 0)
            return oracle->newest[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* ---- session windows: sort by time, cut where the pause is too long ---- */

static int by_time(const void *a, const void *b)
{
    const struct oracle_event *x = *(struct oracle_event *const *)a, *y = *(struct oracle_event *const *)b;
    return (x->time_ms > y->time_ms) - (x->time_ms < y->time_ms);
}

/* The session of the tenant's key that holds the time; end_ms NO_TIME: there is none. */
static struct sum window_session(struct oracle *oracle, size_t w, uint8_t tenant, const char *key, int64_t time_ms)
{
    struct oracle_event *events[ORACLE_EVENTS_MAX];
    struct sum sum = { .end_ms = NO_TIME };
    size_t count = 0;
    for (size_t e = 0; e < oracle->event_count; e++) {
        struct oracle_event *event = &oracle->events[e];
        if (event->times_enriched && event->tenant == tenant && passes(&oracle->windows[w], event) &&
            strcmp(event->keys[w], key) == 0 && !told_late(oracle, e, w, 0))
            events[count++] = event;
    }
    qsort(events, count, sizeof *events, by_time);
    for (size_t i = 0; i < count; i++) {
        if (i && events[i]->time_ms - events[i - 1]->time_ms > oracle->windows[w].size_ms) {
            if (sum.begin_ms <= time_ms && time_ms <= sum.end_ms)
                return sum;
            sum = (struct sum){ 0 };
        }
        add(&sum, events[i], (size_t)(events[i] - oracle->events));
    }
    if (count && sum.begin_ms <= time_ms && time_ms <= sum.end_ms)
        return sum;
    return (struct sum){ .end_ms = NO_TIME };
}

static void check_session_result(struct oracle *oracle, struct machine *rig, const struct oracle_result *result,
                                 const char *when)
{
    const struct oracle_window *window = &oracle->windows[result->window];
    char expected[512];
    if (result->removed || window->processing_time || is_doubtful(oracle, result->tenant, result->window, 0))
        return;
    if (result->final && result->end_ms + window->size_ms > watermark_most(oracle, rig, result->tenant)) {
        describe_result(result, when, "final before any watermark can have passed it");
        fail();
    }
    if (!result->final && !window->updates) {
        describe_result(result, when, "said before it is over");
        fail();
    }
    struct sum sum = window_session(oracle, result->window, result->tenant, result->key, result->start_ms);
    describe(&sum, expected, sizeof expected);
    if (sum.end_ms == result->end_ms && sum.begin_ms == result->start_ms && result->events == sum.n &&
        strcmp(result->measures, expected) == 0)
        return;
    describe_result(result, when, "a session is wrong");
    print_message("  expected %s from %" PRId64 " to %" PRId64 "\n", expected, sum.begin_ms, sum.end_ms);
    fail();
}

static void check_session_present(struct oracle *oracle, size_t e, size_t w, const int64_t *up_to_ms, const char *when)
{
    const struct oracle_event *event = &oracle->events[e];
    const struct oracle_window *window = &oracle->windows[w];
    if (!passes(window, event) || told_late(oracle, e, w, 0) || is_doubtful(oracle, event->tenant, w, 0))
        return;
    struct sum sum = window_session(oracle, w, event->tenant, event->keys[w], event->time_ms);
    struct oracle_result like = { .tenant = event->tenant, .window = w, .start_ms = sum.begin_ms };
    memcpy(like.key, event->keys[w], sizeof like.key);
    /* It is told that a session is over a sixteenth of the gap after it is, at the latest. */
    bool closed = window->closes && up_to_ms && sum.end_ms + window->size_ms * 17 / 16 <= up_to_ms[event->tenant];
    const struct oracle_result *result = find_result(oracle, &like);
    if ((closed || window->updates) && (!result || result->removed || (closed && !result->final)))
        fail_msg("%s: %s has no %sresult of t%u for %s from %" PRId64 " to %" PRId64 ", where e%zu is counted", when,
                 window->name, closed ? "final " : "", event->tenant, like.key, sum.begin_ms, sum.end_ms, e);
}

/* What is said is right. */
static void check_result(const struct oracle *oracle, struct machine *rig, const struct oracle_result *result,
                         const char *when)
{
    struct sum sum = { 0 };
    char expected[512];
    if (result->final && !oracle->windows[result->window].processing_time &&
        result->end_ms > watermark_most(oracle, rig, result->tenant)) {
        describe_result(result, when, "final before any watermark can have passed it");
        fail();
    }
    if (oracle->windows[result->window].processing_time ||
        is_doubtful(oracle, result->tenant, result->window, result->start_ms))
        return;
    for (size_t e = 0; e < oracle->event_count; e++)
        if (oracle->events[e].tenant == result->tenant && counts(oracle, e, result->window, result->start_ms) &&
            strcmp(oracle->events[e].keys[result->window], result->key) == 0)
            add(&sum, &oracle->events[e], e);
    describe(&sum, expected, sizeof expected);
    if (result->events == sum.n && strcmp(result->measures, expected) == 0)
        return;
    describe_result(result, when, "a result is wrong");
    print_message("  expected %s\n", expected);
    fail();
}

/* What must be said is there. */
static void check_present(const struct oracle *oracle, size_t e, size_t w, const int64_t *up_to_ms, const char *when)
{
    const struct oracle_event *event = &oracle->events[e];
    const struct oracle_window *window = &oracle->windows[w];
    const int64_t slice_ms = start_of(event->time_ms, window->slide_ms);
    for (int64_t end_ms = slice_ms + window->slide_ms; end_ms <= slice_ms + window->size_ms;
         end_ms += window->slide_ms) {
        struct oracle_result like = { .tenant = event->tenant, .window = w, .start_ms = end_ms - window->size_ms };
        memcpy(like.key, event->keys[w], sizeof like.key);
        if (!counts(oracle, e, w, like.start_ms) || is_doubtful(oracle, event->tenant, w, like.start_ms))
            continue;
        bool closed = window->closes && up_to_ms && end_ms <= up_to_ms[event->tenant];
        const struct oracle_result *result = closed || window->updates ? find_result(oracle, &like) : NULL;
        if ((closed || window->updates) && (!result || (closed && !result->final)))
            fail_msg("%s: %s has no %sresult of t%u for %s from %" PRId64 " to %" PRId64 ", where e%zu is counted",
                     when, window->name, closed ? "final " : "", event->tenant, like.key, like.start_ms, end_ms, e);
    }
}

/* By the clock: which window an event fell into is not told, but that it did, once. */
static void check_by_clock(const struct oracle *oracle, size_t w, const char *when)
{
    const struct oracle_window *window = &oracle->windows[w];
    uint64_t said = 0, expected = 0;
    for (size_t i = 0; i < oracle->newest_count; i++)
        if (oracle->newest[i]->window == w && !oracle->newest[i]->removed)
            said += oracle->newest[i]->events;
    for (size_t e = 0; e < oracle->event_count; e++)
        if (oracle->events[e].times_enriched && passes(window, &oracle->events[e]))
            expected += (uint64_t)(window->size_ms / window->slide_ms);
    if (said != expected)
        fail_msg("%s: the windows of %s count %" PRIu64 " events, not %" PRIu64, when, window->name, said, expected);
}

static void check_results(struct oracle *oracle, struct machine *rig, const int64_t *up_to_ms, const char *when)
{
    sort_results(oracle, when);
    for (size_t i = 0; i < oracle->newest_count; i++) {
        if (oracle->windows[oracle->newest[i]->window].session)
            check_session_result(oracle, rig, oracle->newest[i], when);
        else
            check_result(oracle, rig, oracle->newest[i], when);
    }
    for (size_t w = 0; w < oracle->window_count; w++) {
        if (oracle->windows[w].processing_time) {
            if (up_to_ms || (oracle->windows[w].updates && !oracle->windows[w].sliding))
                check_by_clock(oracle, w, when);
            continue;
        }
        for (size_t e = 0; e < oracle->event_count; e++) {
            if (!oracle->events[e].times_enriched)
                continue;
            if (oracle->windows[w].session)
                check_session_present(oracle, e, w, up_to_ms, when);
            else
                check_present(oracle, e, w, up_to_ms, when);
        }
    }
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
    qsort(events, count, sizeof *events, by_time);
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
    check_lates(oracle, rig, when);
    check_results(oracle, rig, up_to_ms, when);
}

void oracle_check_metrics(struct oracle *oracle, struct machine *rig, const char *when)
{
    double accepted = stream_rig_metric(rig, "weir_events_processed_total") -
                      stream_rig_metric(rig, "weir_duplicates_total") -
                      stream_rig_metric(rig, "weir_dead_letters_total");
    for (size_t w = 0; w < oracle->window_count; w++) {
        char start[80];
        snprintf(start, sizeof start, "weir_window_events_total{window=\"%s\"", oracle->windows[w].name);
        double told = stream_rig_metric(rig, start);
        if (told != accepted)
            fail_msg("%s: %s: counted + late + filtered is %.0f, accepted are %.0f", when, oracle->windows[w].name,
                     told, accepted);
    }
}
