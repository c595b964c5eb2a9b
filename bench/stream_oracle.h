/* What the windows of stream_bench must hold, by counting in one large table, and the results of TOPIC_WINDOWS beside
 * it. Only stream_bench.c includes this. */
#pragma once
#include "bench/stream_events.h"
#include "event/session_record.h"
#include "event/window_record.h"
#include "journal/journal.h"
#include "process/state/pages.h"

struct oracle_cell {
    uint64_t key; /* + 1; 0: free */
    uint32_t expected, got;
};

struct oracle {
    const struct stream_case *of;
    int64_t base_ms;
    struct oracle_cell *cells;
    size_t cell_count, used; /* a power of two */
    uint64_t results, unreadable, events_got;
};

static void oracle_init(struct oracle *oracle, const struct stream_case *of, int64_t base_ms, uint64_t cells)
{
    *oracle = (struct oracle){ .of = of, .base_ms = base_ms, .cell_count = 1024 };
    while (oracle->cell_count < cells * 2)
        oracle->cell_count *= 2;
    oracle->cells = pages_new(oracle->cell_count * sizeof *oracle->cells);
    if (!oracle->cells)
        abort();
}

static void oracle_done(struct oracle *oracle)
{
    pages_free(oracle->cells, oracle->cell_count * sizeof *oracle->cells);
}

static struct oracle_cell *oracle_cell(struct oracle *oracle, uint64_t first, uint64_t second)
{
    uint64_t key = (first << 32 | second) + 1;
    size_t at = roll_of(key, 9) & (oracle->cell_count - 1);
    while (oracle->cells[at].key && oracle->cells[at].key != key)
        at = (at + 1) & (oracle->cell_count - 1);
    if (!oracle->cells[at].key) {
        oracle->cells[at].key = key;
        if (++oracle->used * 10 > oracle->cell_count * 9) {
            fprintf(stderr, "stream_bench: the oracle's table is too small\n");
            exit(1);
        }
    }
    return &oracle->cells[at];
}

/* Sessions of events that come in the order of time: by key, where the open one began and when its last event was. */
struct oracle_session {
    int64_t start_ms, last_ms; /* + 1: 0 is none */
};

static void oracle_session_add(struct oracle *oracle, struct oracle_session *sessions, uint64_t key, int64_t time_ms)
{
    struct oracle_session *session = &sessions[key];
    if (!session->last_ms || time_ms - (session->last_ms - 1) > oracle->of->gap_ms)
        session->start_ms = time_ms + 1;
    session->last_ms = time_ms + 1;
    oracle_cell(oracle, key, (uint64_t)(session->start_ms - 1))->expected++;
}

/* The windows that start within `slide` steps: number k starts at (k + 1) slide - size; so that none is below 0. */
static void oracle_add(struct oracle *oracle, const struct stream_event *event, struct oracle_session *sessions)
{
    const struct stream_case *of = oracle->of;
    uint64_t key = of->by_item ? event->item : event->visitor;
    if (!event->counted && !of->sessions)
        return;
    if (of->last) {
        oracle_cell(oracle, event->visitor, event->item)->expected = (uint32_t)(100000000 + event->price);
    } else if (of->gap_ms) {
        oracle_session_add(oracle, sessions, key, event->offset_ms);
    } else if (of->size_ms) {
        uint64_t first = (uint64_t)(event->offset_ms / of->slide_ms), windows = (uint64_t)(of->size_ms / of->slide_ms);
        for (uint64_t k = first; k < first + windows; k++)
            oracle_cell(oracle, key, k)->expected++;
    }
}

/* The digits behind :"LETTER in a JSON object, or behind the last colon when letter is 0. */
static bool digits_behind(struct slice json, char letter, uint64_t *out)
{
    char pattern[4] = { ':', '"', letter, 0 };
    const char *at = letter ? memmem(json.p, json.n, pattern, 3) : memrchr(json.p, ':', json.n);
    if (!at)
        return false;
    at += letter ? 3 : 1;
    const char *end = at;
    while (end < json.p + json.n && *end >= '0' && *end <= '9')
        end++;
    return slice_to_u64(slice_of(at, (size_t)(end - at)), out);
}

static void oracle_result(struct oracle *oracle, const struct window_record *record)
{
    const struct stream_case *of = oracle->of;
    uint64_t visitor = 0, item = 0, value = 0, second;
    oracle->results++;
    if ((of->by_visitor && !digits_behind(record->key, 'v', &visitor)) ||
        (of->by_item && !digits_behind(record->key, 'i', &item)) || !digits_behind(record->measures, 0, &value)) {
        oracle->unreadable++;
        return;
    }
    int64_t start_ms = record->start_ms - oracle->base_ms;
    if (of->last)
        second = item;
    else if (of->gap_ms)
        second = (uint64_t)start_ms;
    else if (of->size_ms)
        second = (uint64_t)((start_ms + of->size_ms) / of->slide_ms - 1);
    else
        second = (uint64_t)(start_ms / 1000 + (1 << 20));
    struct oracle_cell *cell = oracle_cell(oracle, of->by_item && !of->by_visitor ? item : visitor, second);
    cell->got = record->removed ? 0 : (uint32_t)value;
}

static void oracle_session_result(struct oracle *oracle, const struct session_record *record)
{
    uint64_t visitor;
    oracle->results++;
    if (record->visitor_id.n != DIGITS + 1 || !slice_to_u64(slice_after(record->visitor_id, 1), &visitor)) {
        oracle->unreadable++;
        return;
    }
    if (record->start_ms < oracle->base_ms + DAY_MS) /* not that of the closing event */
        oracle_cell(oracle, visitor, (uint64_t)(record->start_ms - oracle->base_ms))->got =
            record->removed ? 0 : record->events;
}

static enum journal_topic result_topic(const struct stream_case *of)
{
    return of->sessions ? TOPIC_SESSIONS : TOPIC_WINDOWS;
}

static enum status oracle_read(struct oracle *oracle, struct slice bytes, struct error *err)
{
    struct window_record window;
    struct session_record session;
    enum status s =
        oracle->of->sessions ? session_record_decode(bytes, &session, err) : window_record_decode(bytes, &window, err);
    if (s == OK && oracle->of->sessions)
        oracle_session_result(oracle, &session);
    else if (s == OK)
        oracle_result(oracle, &window);
    return s;
}

/* How many windows differ; out of how many there must be. */
static uint64_t oracle_differences(const struct oracle *oracle, uint64_t *out_windows, uint64_t *out_sum)
{
    uint64_t differ = 0;
    *out_windows = *out_sum = 0;
    for (size_t i = 0; i < oracle->cell_count; i++) {
        const struct oracle_cell *cell = &oracle->cells[i];
        *out_windows += cell->got > 0;
        *out_sum += cell->got;
        differ += cell->expected != cell->got;
    }
    return differ;
}
