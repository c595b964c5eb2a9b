/* What windows say: each result is computed anew from all events that are not late for it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/test.h"
#include "test/support/stream_oracle_inside.h"

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
           oracle_passes(window, event) && !oracle_told_late(oracle, number, w, start_ms);
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

/* The session of the tenant's key that holds the time; end_ms NO_TIME: there is none. */
static struct sum window_session(struct oracle *oracle, size_t w, uint8_t tenant, const char *key, int64_t time_ms)
{
    struct oracle_event *events[ORACLE_EVENTS_MAX];
    struct sum sum = { .end_ms = NO_TIME };
    size_t count = 0;
    for (size_t e = 0; e < oracle->event_count; e++) {
        struct oracle_event *event = &oracle->events[e];
        if (event->times_enriched && event->tenant == tenant && oracle_passes(&oracle->windows[w], event) &&
            strcmp(event->keys[w], key) == 0 && !oracle_told_late(oracle, e, w, 0))
            events[count++] = event;
    }
    qsort(events, count, sizeof *events, oracle_by_time);
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
    if (result->removed || window->processing_time || oracle_is_doubtful(oracle, result->tenant, result->window, 0))
        return;
    if (result->final && result->end_ms + window->size_ms > oracle_watermark_most(oracle, rig, result->tenant)) {
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
    if (!oracle_passes(window, event) || oracle_told_late(oracle, e, w, 0) ||
        oracle_is_doubtful(oracle, event->tenant, w, 0))
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
        result->end_ms > oracle_watermark_most(oracle, rig, result->tenant)) {
        describe_result(result, when, "final before any watermark can have passed it");
        fail();
    }
    if (oracle->windows[result->window].processing_time ||
        oracle_is_doubtful(oracle, result->tenant, result->window, result->start_ms))
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
    const int64_t slice_ms = oracle_start_of(event->time_ms, window->slide_ms);
    for (int64_t end_ms = slice_ms + window->slide_ms; end_ms <= slice_ms + window->size_ms;
         end_ms += window->slide_ms) {
        struct oracle_result like = { .tenant = event->tenant, .window = w, .start_ms = end_ms - window->size_ms };
        memcpy(like.key, event->keys[w], sizeof like.key);
        if (!counts(oracle, e, w, like.start_ms) || oracle_is_doubtful(oracle, event->tenant, w, like.start_ms))
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
        if (oracle->events[e].times_enriched && oracle_passes(window, &oracle->events[e]))
            expected += (uint64_t)(window->size_ms / window->slide_ms);
    if (said != expected)
        fail_msg("%s: the windows of %s count %" PRIu64 " events, not %" PRIu64, when, window->name, said, expected);
}

void oracle_check_results(struct oracle *oracle, struct machine *rig, const int64_t *up_to_ms, const char *when)
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
