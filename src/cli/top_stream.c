#include "cli/top_stream.h"

#include "base/json_scan.h"
#include "cli/term.h"

static struct top_task read_task(struct slice json)
{
    return (struct top_task){ .partition = json_find_number(json, "partition"),
                              .events = json_find_number(json, "events"),
                              .lag_records = json_find_number(json, "lag_records"),
                              .lag_s = json_find_number(json, "lag_seconds"),
                              .delay_s = json_find_number(json, "watermark_delay_seconds"),
                              .state_bytes = json_find_number(json, "state_bytes"),
                              .rows = json_find_number(json, "state_rows"),
                              .panes = json_find_number(json, "state_panes"),
                              .evictions = json_find_number(json, "state_evictions"),
                              .commit_s = json_find_number(json, "commit_seconds"),
                              .late = json_find_number(json, "late"),
                              .dead = json_find_number(json, "dead") };
}

void top_stream_take(struct top_stream *stream, struct slice json, int64_t now_us)
{
    struct slice partitions;
    struct json_walk walk;
    double seconds = (double)(now_us - stream->looked_us) / 1e6;
    size_t known = stream->looked_us ? stream->count : 0;
    if (!json_find(json, "partitions", &partitions))
        return;
    stream->count = 0;
    for (json_walk_begin(&walk, partitions); stream->count < TOP_TASKS_MAX && json_walk_next(&walk); stream->count++) {
        struct top_task task = read_task(walk.value), *at = &stream->tasks[stream->count];
        bool same = stream->count < known && at->partition == task.partition && task.events >= at->events;
        task.rate = same && seconds > 0 ? (task.events - at->events) / seconds : 0;
        *at = task;
    }
    stream->looked_us = now_us;
}

static void add_right(struct buf *out, struct buf *text, size_t cells)
{
    size_t width = term_width(buf_slice(text));
    term_add_repeat(out, " ", width < cells ? cells - width : 1);
    buf_add_slice(out, buf_slice(text));
    buf_reset(text);
}

enum unit { UNIT_COUNT, UNIT_SECONDS, UNIT_BYTES };

static const struct column {
    const char *name;
    size_t offset, cells;
    enum unit unit;
} COLUMNS[] = {
    { "task", offsetof(struct top_task, partition), 5, UNIT_COUNT },
    { "events/s", offsetof(struct top_task, rate), 10, UNIT_COUNT },
    { "waiting", offsetof(struct top_task, lag_records), 10, UNIT_COUNT },
    { "behind", offsetof(struct top_task, lag_s), 10, UNIT_SECONDS },
    { "event time", offsetof(struct top_task, delay_s), 12, UNIT_SECONDS },
    { "state", offsetof(struct top_task, state_bytes), 11, UNIT_BYTES },
    { "commit", offsetof(struct top_task, commit_s), 8, UNIT_SECONDS },
    { "late", offsetof(struct top_task, late), 6, UNIT_COUNT },
    { "dead", offsetof(struct top_task, dead), 6, UNIT_COUNT },
    { "rows", offsetof(struct top_task, rows), 9, UNIT_COUNT },
    { "windows", offsetof(struct top_task, panes), 9, UNIT_COUNT },
    { "evicted", offsetof(struct top_task, evictions), 9, UNIT_COUNT },
};

static size_t columns_that_fit(size_t cells)
{
    size_t count = 0, used = 0;
    while (count < COUNT_OF(COLUMNS) && used + COLUMNS[count].cells < cells)
        used += COLUMNS[count++].cells;
    return count;
}

static void add_value(struct buf *out, enum unit unit, double value)
{
    switch (unit) {
    case UNIT_COUNT:
        term_add_short(out, value);
        break;
    case UNIT_SECONDS:
        term_add_ms(out, value * 1000);
        break;
    case UNIT_BYTES:
        term_add_bytes(out, value);
        break;
    }
}

void top_stream_add(const struct top_stream *stream, size_t columns, struct buf *out)
{
    AUTO(buf) struct buf text;
    size_t shown = columns_that_fit(columns);
    buf_init(&text, 256);
    if (!stream->looked_us) {
        buf_add_text(out, "(the tasks are not known: this weir has no /v1/stream)\n");
        return;
    }
    if (!stream->count) {
        buf_add_text(out, "(no tasks in this process: with roles apart,\n"
                          " ask GET /metrics of each weir process)\n");
        return;
    }
    for (size_t c = 0; c < shown; c++) {
        buf_add_text(&text, COLUMNS[c].name);
        add_right(out, &text, COLUMNS[c].cells);
    }
    buf_add_char(out, '\n');
    for (size_t i = 0; i < stream->count; i++) {
        for (size_t c = 0; c < shown; c++) {
            const char *task = (const char *)&stream->tasks[i];
            add_value(&text, COLUMNS[c].unit, *(const double *)(const void *)(task + COLUMNS[c].offset));
            add_right(out, &text, COLUMNS[c].cells);
        }
        buf_add_char(out, '\n');
    }
}
