#include "cli/top_sinks.h"

#include <stdio.h>

#include "base/json_scan.h"
#include "base/json_text.h"
#include "cli/term.h"

#define NAME_CELLS 14

static struct top_sink *item_of(struct top_sinks *sinks, struct slice json)
{
    struct slice name;
    if (!json_find(json, "sink", &name) || name.n < 2)
        return NULL;
    name = slice_of(name.p + 1, name.n - 2); /* a sink's name has nothing to escape */
    for (size_t i = 0; i < sinks->count; i++)
        if (slice_equal(name, slice_from(sinks->items[i].name)))
            return &sinks->items[i];
    if (sinks->count == TOP_SINKS_MAX || name.n > TOP_SINK_NAME_MAX)
        return NULL;
    struct top_sink *item = &sinks->items[sinks->count++];
    *item = (struct top_sink){ 0 };
    snprintf(item->name, sizeof item->name, "%.*s", SLICE_ARG(name));
    return item;
}

static void add_partition(struct top_sink *item, struct slice json)
{
    double lag_s = json_find_number(json, "lag_seconds");
    item->away = item->away || json_find_number(json, "up") == 0;
    item->lag_s = lag_s > item->lag_s ? lag_s : item->lag_s;
    item->records += json_find_number(json, "records");
    item->failures += json_find_number(json, "failures");
    item->refused += json_find_number(json, "refused");
    item->skipped += json_find_number(json, "skipped");
}

static double rate_of(const struct top_sink *item, const struct top_sinks *before, double seconds)
{
    for (size_t i = 0; i < before->count && seconds > 0; i++)
        if (strcmp(before->items[i].name, item->name) == 0 && item->records >= before->items[i].records)
            return (item->records - before->items[i].records) / seconds;
    return 0;
}

void top_sinks_take(struct top_sinks *sinks, struct slice json, int64_t now_us)
{
    const struct top_sinks before = *sinks;
    struct slice list;
    struct json_walk walk;
    *sinks = (struct top_sinks){ .looked_us = now_us };
    if (!json_find(json, "sinks", &list))
        return;
    for (json_walk_begin(&walk, list); json_walk_next(&walk);) {
        struct top_sink *item = item_of(sinks, walk.value);
        if (item)
            add_partition(item, walk.value);
    }
    double seconds = before.looked_us ? (double)(now_us - before.looked_us) / 1e6 : 0;
    for (size_t i = 0; i < sinks->count; i++)
        sinks->items[i].rate = rate_of(&sinks->items[i], &before, seconds);
}

static const struct column {
    const char *name;
    size_t offset, cells;
    bool is_seconds;
} COLUMNS[] = {
    { "results/s", offsetof(struct top_sink, rate), 11, false },
    { "behind", offsetof(struct top_sink, lag_s), 10, true },
    { "delivered", offsetof(struct top_sink, records), 11, false },
    { "skipped", offsetof(struct top_sink, skipped), 9, false },
    { "refused", offsetof(struct top_sink, refused), 9, false },
    { "failures", offsetof(struct top_sink, failures), 10, false },
};

static void add_right(struct buf *out, struct slice text, size_t cells)
{
    size_t width = term_width(text);
    term_add_repeat(out, " ", width < cells ? cells - width : 1);
    buf_add_slice(out, text);
}

static void add_left(struct buf *out, struct slice text, size_t cells)
{
    size_t width = term_width(text);
    term_add_cut(out, text, cells - 1);
    term_add_repeat(out, " ", width < cells - 1 ? cells - width : 1);
}

#define STATE_CELLS 5

static void add_values(struct buf *out, const struct top_sink *item, size_t shown)
{
    AUTO(buf) struct buf text;
    buf_init(&text, 256);
    for (size_t c = 0; c < shown; c++) {
        double value = *(const double *)(const void *)((const char *)item + COLUMNS[c].offset);
        buf_reset(&text);
        if (COLUMNS[c].is_seconds)
            term_add_ms(&text, value * 1000);
        else
            term_add_short(&text, value);
        add_right(out, buf_slice(&text), COLUMNS[c].cells);
    }
}

void top_sinks_add(const struct top_sinks *sinks, size_t columns, struct buf *out)
{
    size_t shown = 0, used = NAME_CELLS + STATE_CELLS;
    if (!sinks->count || columns <= used)
        return;
    while (shown < COUNT_OF(COLUMNS) && used + COLUMNS[shown].cells < columns)
        used += COLUMNS[shown++].cells;
    buf_add_char(out, '\n');
    add_left(out, SLICE("sink"), NAME_CELLS);
    add_left(out, SLICE(""), STATE_CELLS);
    for (size_t c = 0; c < shown; c++)
        add_right(out, slice_from(COLUMNS[c].name), COLUMNS[c].cells);
    buf_add_char(out, '\n');
    for (size_t i = 0; i < sinks->count; i++) {
        const struct top_sink *item = &sinks->items[i];
        add_left(out, slice_from(item->name), NAME_CELLS);
        add_left(out, item->away ? SLICE("away") : SLICE("up"), STATE_CELLS);
        add_values(out, item, shown);
        buf_add_char(out, '\n');
    }
}

void top_sinks_json(const struct top_sinks *sinks, struct buf *out)
{
    buf_add_text(out, ",\"sinks\":[");
    for (size_t i = 0; i < sinks->count; i++) {
        const struct top_sink *item = &sinks->items[i];
        buf_add_text(out, i ? ",{" : "{");
        json_add_field(out, "sink", slice_from(item->name));
        buf_add_format(out,
                       ",\"up\":%s,\"results_per_second\":%.1f,\"lag_seconds\":%.3f,\"delivered\":%.0f,"
                       "\"skipped\":%.0f,\"refused\":%.0f,\"failures\":%.0f}",
                       item->away ? "false" : "true", item->rate, item->lag_s, item->records, item->skipped,
                       item->refused, item->failures);
    }
    buf_add_char(out, ']');
}
