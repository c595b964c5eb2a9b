/* Labels are checked as they are read: who shows them copies their values as they stand into JSON. */
#include "process/task_status.h"

#include <math.h>

#include "base/utf8.h"
#include "event/record_texts.h"

struct __attribute__((packed)) header {
    uint8_t version, state;
    uint16_t partition, numbers, series, texts[3], zero;
    uint64_t generation;
    int64_t since_ms, at_ms;
};
_Static_assert(sizeof(struct header) == TASK_STATUS_HEADER_BYTES, "the format is drawn in task_status.h");

struct __attribute__((packed)) series_head {
    uint16_t kind, labels;
    double value;
};

const struct task_number TASK_NUMBERS[TASK_NUMBER_COUNT] = {
    { "events", "events_processed_total" },
    { "duplicates", "duplicates_total" },
    { "lag_records", "kafka_lag" },
    { "lag_seconds", "process_lag_seconds" },
    { "watermark_delay_seconds", "watermark_delay_seconds" },
    { "state_bytes", "process_state_bytes" },
    { "state_disk_bytes", "process_state_disk_bytes" },
    { "state_rows", "process_state_rows" },
    { "state_panes", "process_state_panes" },
    { "state_evictions", "process_state_evictions_total" },
    { "dedup_ids", "dedup_ids" },
    { "late", "process_late_total" },
    { "dead", "process_dead_total" },
    { "commits", "process_commits_total" },
    { "commit_seconds", "process_last_commit_seconds" },
    { "commit_retries", "process_commit_retries_total" },
    { "checkpoint_failures", "process_checkpoint_failures_total" },
    { "position", "process_position" },
    { "restored_records", "process_replayed_records" },
    { "restore_left_records", "process_restore_left_records" },
};

const char *const TASK_SERIES_METRICS[TASK_SERIES] = {
    [TASK_WATERMARKS] = "tenant_watermark_delay_seconds",
    [TASK_WINDOWS] = "window_events_total",
    [TASK_WINDOW_RESULTS] = "window_results_total",
    [TASK_DEAD_LETTERS] = "dead_letters_total",
};

const char *task_state_name(enum task_state state)
{
    static const char *const NAMES[TASK_STATES] = { "left", "restoring", "running", "stopping", "failed" };
    return (unsigned)state < TASK_STATES ? NAMES[state] : "unknown";
}

void task_series_add(struct buf *series, enum task_series kind, struct slice labels, double value)
{
    const struct series_head head = { (uint16_t)kind, (uint16_t)labels.n, value };
    if (labels.n > UINT16_MAX)
        return;
    char *to = buf_reserve(series, sizeof head + labels.n);
    if (!to)
        return;
    memcpy(to, &head, sizeof head);
    if (labels.n)
        memcpy(to + sizeof head, labels.p, labels.n);
    series->n += sizeof head + labels.n;
}

bool task_series_next(struct slice *rest, struct task_series_item *out)
{
    struct series_head head;
    if (rest->n < sizeof head)
        return false;
    memcpy(&head, rest->p, sizeof head);
    if (rest->n - sizeof head < head.labels)
        return false;
    *out = (struct task_series_item){ head.kind, slice_of(rest->p + sizeof head, head.labels), head.value };
    *rest = slice_after(*rest, sizeof head + head.labels);
    return true;
}

/* How many of them fit into `room` bytes; *out: these. */
static uint16_t series_that_fit(struct slice series, size_t room, struct slice *out)
{
    struct slice rest = series;
    struct task_series_item item;
    uint16_t count = 0;
    *out = slice_of(series.p, 0);
    while (count < UINT16_MAX && task_series_next(&rest, &item) && series.n - rest.n <= room) {
        out->n = series.n - rest.n;
        count++;
    }
    return count;
}

static struct slice cut(struct slice text)
{
    return slice_of(text.p, text.n > TASK_STATUS_TEXT_MAX ? TASK_STATUS_TEXT_MAX : text.n);
}

void task_status_encode(const struct task_status *status, struct buf *out)
{
    const struct slice texts[3] = { cut(status->instance), cut(status->host), cut(status->version) };
    struct header header = { .version = 1,
                             .state = (uint8_t)status->state,
                             .partition = status->partition,
                             .numbers = TASK_NUMBER_COUNT,
                             .generation = status->generation,
                             .since_ms = status->since_ms,
                             .at_ms = status->at_ms };
    const size_t texts_n = texts[0].n + texts[1].n + texts[2].n;
    const size_t n = sizeof header + sizeof status->numbers + texts_n;
    struct slice series;
    _Static_assert(sizeof header + sizeof status->numbers + 3 * TASK_STATUS_TEXT_MAX < TASK_STATUS_BYTES_MAX, "");
    header.series = series_that_fit(status->series, TASK_STATUS_BYTES_MAX - n, &series);
    char *to = buf_reserve(out, n + series.n);
    if (!to)
        return;
    memcpy(to + sizeof header, status->numbers, sizeof status->numbers);
    record_texts_put(to + sizeof header + sizeof status->numbers, texts, COUNT_OF(texts), header.texts);
    memcpy(to, &header, sizeof header);
    if (series.n)
        memcpy(to + n, series.p, series.n);
    out->n += n + series.n;
}

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || c == '_';
}

/* "…" whose inside is a JSON string's, too. Where it ends; NULL: it is none. */
static const char *quoted_end(const char *at, const char *end)
{
    if (at == end || *at++ != '"')
        return NULL;
    while (at < end && *at != '"') {
        if ((unsigned char)*at < 0x20)
            return NULL;
        if (*at == '\\' && (end - at < 2 || !strchr("\\\"n", at[1]) || !at[1]))
            return NULL;
        size_t length = *at == '\\' ? 2 : utf8_length((const unsigned char *)at, (size_t)(end - at));
        if (length == 0)
            return NULL;
        at += length;
    }
    return at < end ? at + 1 : NULL;
}

/* name="value",name="value"; or nothing. */
static bool labels_are_sound(struct slice labels)
{
    const char *at = labels.p, *end = labels.p + labels.n;
    while (at < end) {
        const char *name = at;
        while (at < end && is_name(*at))
            at++;
        if (at == name || at == end || *at++ != '=' || !(at = quoted_end(at, end)))
            return false;
        if (at < end && (*at++ != ',' || at == end))
            return false;
    }
    return true;
}

static enum status check_series(struct slice series, uint16_t count, struct error *err)
{
    struct task_series_item item;
    for (uint16_t i = 0; i < count; i++)
        if (!task_series_next(&series, &item) || !labels_are_sound(item.labels))
            return error_set(err, ERR_CORRUPT, "the status of a task has a series that is none");
    return series.n == 0 ? OK : error_set(err, ERR_CORRUPT, "the status of a task has %zu bytes more", series.n);
}

static void take_numbers(const char *at, uint16_t count, struct task_status *out)
{
    for (size_t i = 0; i < TASK_NUMBER_COUNT; i++)
        out->numbers[i] = NAN;
    memcpy(out->numbers, at, (count < TASK_NUMBER_COUNT ? count : TASK_NUMBER_COUNT) * sizeof out->numbers[0]);
}

enum status task_status_decode(struct slice bytes, struct task_status *out, struct error *err)
{
    struct header header;
    if (bytes.n < sizeof header)
        return error_set(err, ERR_CORRUPT, "the status of a task of %zu bytes is shorter than its header", bytes.n);
    memcpy(&header, bytes.p, sizeof header);
    if (header.version != 1 || header.state >= TASK_STATES)
        return error_set(err, ERR_CORRUPT,
                         "the status of a task has version %u and state %u, this weir reads version 1", header.version,
                         header.state);
    if (header.since_ms < 0 || header.at_ms < 0)
        return error_set(err, ERR_CORRUPT, "the status of a task has a time before 1970");
    const size_t texts_at = sizeof header + (size_t)header.numbers * sizeof(double);
    const size_t series_at = texts_at + record_texts_size(header.texts, COUNT_OF(header.texts));
    if (series_at > bytes.n)
        return error_set(err, ERR_CORRUPT, "the status of a task of %zu bytes has texts that end at %zu", bytes.n,
                         series_at);
    enum status s = check_series(slice_after(bytes, series_at), header.series, err);
    if (s != OK)
        return s;
    *out = (struct task_status){ .partition = header.partition,
                                 .state = (enum task_state)header.state,
                                 .generation = header.generation,
                                 .since_ms = header.since_ms,
                                 .at_ms = header.at_ms,
                                 .series = slice_after(bytes, series_at),
                                 .series_count = header.series };
    take_numbers(bytes.p + sizeof header, header.numbers, out);
    struct slice *const texts[3] = { &out->instance, &out->host, &out->version };
    record_texts_get(bytes.p + texts_at, texts, COUNT_OF(texts), header.texts);
    return OK;
}
