#include "cli/top_stream.h"

#include <stdio.h>

#include "base/json_scan.h"
#include "base/json_text.h"
#include "cli/term.h"

static void read_owner(struct slice json, struct top_task *task)
{
    struct slice owned;
    task->is_shared = json_find(json, "owned", &owned);
    task->is_owned = task->is_shared && slice_equal(owned, SLICE("true"));
    json_find_text(json, "owner", task->owner, sizeof task->owner);
    json_find_text(json, "host", task->host, sizeof task->host);
    json_find_text(json, "state", task->state, sizeof task->state);
    task->restore_left = json_find_number(json, "restore_left_records");
    task->not_owned_since_ms = json_find_number(json, "not_owned_since_ms");
}

static struct top_task read_task(struct slice json)
{
    struct top_task task = { .partition = json_find_number(json, "partition"),
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
    read_owner(json, &task);
    return task;
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
    stream->at_ms = json_find_number(json, "at_ms");
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

static bool has_numbers(const struct top_task *task)
{
    return !task->is_shared || (task->is_owned && strcmp(task->state, "restoring") != 0);
}

/* Instead of numbers, behind the first column. */
static void add_words(const struct top_stream *stream, const struct top_task *task, size_t columns, struct buf *out)
{
    AUTO(buf) struct buf words;
    buf_init(&words, 256);
    buf_add_text(&words, "  ");
    if (task->is_owned) {
        buf_add_text(&words, "restoring, changes left: ");
        term_add_short(&words, task->restore_left);
    } else {
        buf_add_text(&words, "nobody works on it");
    }
    if (!task->is_owned && task->not_owned_since_ms > 0) {
        buf_add_text(&words, " since ");
        term_add_ms(&words, stream->at_ms - task->not_owned_since_ms);
        buf_add_format(&words, " (%s)", task->owner);
    }
    if (columns > COLUMNS[0].cells + 1)
        term_add_cut(out, buf_slice(&words), columns - COLUMNS[0].cells - 1);
}

static bool has_another_before(const struct top_stream *stream, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (stream->tasks[i].is_owned && strcmp(stream->tasks[i].owner, stream->tasks[index].owner) == 0)
            return true;
    return false;
}

/* A line for each process: its name and its tasks. */
static void add_owners(const struct top_stream *stream, size_t columns, struct buf *out)
{
    AUTO(buf) struct buf line;
    buf_init(&line, 4096);
    for (size_t i = 0; i < stream->count; i++) {
        const struct top_task *task = &stream->tasks[i];
        if (!task->is_owned || has_another_before(stream, i))
            continue;
        buf_reset(&line);
        buf_add_format(&line, "%s%s%s has", task->owner, task->host[0] ? " " : "", task->host);
        for (size_t k = i; k < stream->count; k++)
            if (stream->tasks[k].is_owned && strcmp(stream->tasks[k].owner, task->owner) == 0)
                buf_add_format(&line, " %.0f", stream->tasks[k].partition);
        term_add_cut(out, buf_slice(&line), columns - 1);
        buf_add_char(out, '\n');
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
        buf_add_text(out, "(no tasks are known yet)\n");
        return;
    }
    for (size_t c = 0; c < shown; c++) {
        buf_add_text(&text, COLUMNS[c].name);
        add_right(out, &text, COLUMNS[c].cells);
    }
    buf_add_char(out, '\n');
    for (size_t i = 0; i < stream->count; i++) {
        const struct top_task *task = &stream->tasks[i];
        for (size_t c = 0; c < (has_numbers(task) ? shown : 1); c++) {
            add_value(&text, COLUMNS[c].unit, *(const double *)(const void *)((const char *)task + COLUMNS[c].offset));
            add_right(out, &text, COLUMNS[c].cells);
        }
        if (!has_numbers(task))
            add_words(stream, task, columns, out);
        buf_add_char(out, '\n');
    }
    add_owners(stream, columns, out);
}

void top_task_json(const struct top_task *task, struct buf *out)
{
    if (!task->is_shared)
        return;
    buf_add_text(out, task->is_owned ? ",\"owned\":true" : ",\"owned\":false");
    json_add_field(out, "owner", slice_from(task->owner));
    if (task->is_owned)
        json_add_field(out, "state", slice_from(task->state));
    else if (task->not_owned_since_ms > 0)
        json_add_field_u64(out, "not_owned_since_ms", (uint64_t)task->not_owned_since_ms);
}
