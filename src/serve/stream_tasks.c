/* The tasks in GET /v1/stream: those of this process by their metrics, or, where other processes work on the
 * partitions, too, all of them as they say of themselves (task_board.h). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json_text.h"
#include "serve/inside.h"
#include "serve/task_board.h"

#define PARTITIONS_MAX 1024

/* ---- partitions ---- */

static void add_here(struct serve *serve, struct buf *out)
{
    size_t count = 0;
    for (unsigned p = 0; p < PARTITIONS_MAX; p++) {
        char labels[32];
        double value;
        snprintf(labels, sizeof labels, "partition=\"%u\"", p);
        if (!metrics_read(serve->metrics, TASK_NUMBERS[0].metric, labels, &value))
            continue;
        buf_add_text(out, count++ ? ",{" : "{");
        json_add_field_u64(out, "partition", p);
        for (size_t i = 0; i < TASK_NUMBER_COUNT; i++)
            stream_add_number(serve, TASK_NUMBERS[i].json, TASK_NUMBERS[i].metric, labels, out);
        buf_add_char(out, '}');
    }
}

/* Of a partition that nobody has, numbers would be of the past. */
static void add_entry(const struct task_entry *entry, bool owned, bool admin, struct buf *out)
{
    const struct task_status *status = &entry->status;
    buf_add_text(out, owned ? ",\"owned\":true" : ",\"owned\":false");
    if (!entry->is_known)
        return;
    json_add_field(out, "owner", status->instance);
    if (admin) {
        json_add_field(out, "host", status->host);
        json_add_field(out, "version", status->version);
    }
    if (!owned) {
        json_add_field_u64(out, "not_owned_since_ms", (uint64_t)status->at_ms);
        return;
    }
    json_add_field(out, "state", slice_from(task_state_name(status->state)));
    json_add_field_u64(out, "owned_since_ms", (uint64_t)status->since_ms);
    for (size_t i = 0; i < TASK_NUMBER_COUNT; i++) {
        if (isnan(status->numbers[i]))
            continue;
        json_add_key(out, TASK_NUMBERS[i].json);
        json_add_number(out, status->numbers[i]);
    }
}

static void add_all(struct serve *serve, const struct task_view *view, bool admin, struct buf *out)
{
    const int64_t now_us = world_mono_us(serve->world);
    for (uint16_t p = 0; p < view->count; p++) {
        buf_add_text(out, p ? ",{" : "{");
        json_add_field_u64(out, "partition", p);
        add_entry(&view->entries[p], task_entry_is_owned(&view->entries[p], now_us), admin, out);
        buf_add_char(out, '}');
    }
}

void stream_add_partitions(struct serve *serve, bool admin, struct buf *out)
{
    struct task_board *board = serve->options.tasks;
    const struct task_view *view = board ? task_board_view(board) : NULL;
    json_add_key(out, "partitions");
    buf_add_char(out, '[');
    if (!board)
        add_here(serve, out);
    else if (view)
        add_all(serve, view, admin, out);
    buf_add_char(out, ']');
}

/* ---- series ---- */

struct listing {
    struct buf *out;
    const struct stream_listing *what;
    size_t count;
};

/* name="value",… becomes "name":"value",…: labels are ours, or were checked; values are quoted and escaped as in JSON.
 */
static void add_labels(struct slice labels, struct buf *out)
{
    const char *at = labels.p, *end = labels.p + labels.n;
    while (at < end) {
        const char *name_end = memchr(at, '=', (size_t)(end - at)), *close = name_end + 2;
        while (*close != '"')
            close += *close == '\\' ? 2 : 1;
        close++;
        buf_add_format(out, "\"%.*s\":%.*s,", (int)(name_end - at), at, (int)(close - name_end - 1), name_end + 1);
        at = close + (close < end);
    }
}

static void add_item(struct listing *listing, struct slice labels, double value)
{
    if (listing->what->only && !slice_starts(labels, slice_from(listing->what->only)))
        return;
    buf_add_text(listing->out, listing->count++ ? ",{" : "{");
    add_labels(labels, listing->out);
    buf_add_format(listing->out, "\"%s\":", listing->what->value_name);
    json_add_number(listing->out, value);
    buf_add_char(listing->out, '}');
}

static void add_series(void *self, const char *labels, double value)
{
    add_item(self, slice_from(labels), value);
}

static size_t count_series(const struct task_view *view)
{
    size_t count = 0;
    for (uint16_t p = 0; p < view->count; p++)
        count += view->entries[p].status.series_count;
    return count;
}

/* Those of the kind, of partitions that somebody has. items: room for count_series. */
static size_t gather(const struct task_view *view, enum task_series kind, int64_t now_us,
                     struct task_series_item *items)
{
    size_t count = 0;
    for (uint16_t p = 0; p < view->count; p++) {
        struct slice rest = view->entries[p].status.series;
        if (!task_entry_is_owned(&view->entries[p], now_us))
            continue;
        while (task_series_next(&rest, &items[count]))
            count += items[count].kind == (unsigned)kind;
    }
    return count;
}

static int by_labels(const void *a, const void *b)
{
    return slice_compare(((const struct task_series_item *)a)->labels, ((const struct task_series_item *)b)->labels);
}

/* What several processes counted under the same labels is added up. */
static void add_sums(struct listing *listing, struct task_series_item *items, size_t count)
{
    qsort(items, count, sizeof *items, by_labels);
    for (size_t i = 0, next; i < count; i = next) {
        double sum = items[i].value;
        for (next = i + 1; next < count && slice_equal(items[next].labels, items[i].labels); next++)
            sum += items[next].value;
        add_item(listing, items[i].labels, sum);
    }
}

static void add_of_all(struct serve *serve, const struct task_view *view, struct listing *listing)
{
    struct task_series_item *items = calloc(count_series(view) + 1, sizeof *items); /* gather looks one further */
    if (!items)
        return;
    add_sums(listing, items, gather(view, listing->what->kind, world_mono_us(serve->world), items));
    free(items);
}

void stream_add_listing(struct serve *serve, const struct stream_listing *what, struct buf *out)
{
    struct listing listing = { out, what, 0 };
    struct task_board *board = serve->options.tasks;
    const struct task_view *view = board ? task_board_view(board) : NULL;
    json_add_key(out, what->name);
    buf_add_char(out, '[');
    if (!board)
        metrics_visit(serve->metrics, TASK_SERIES_METRICS[what->kind], add_series, &listing);
    else if (view)
        add_of_all(serve, view, &listing);
    buf_add_char(out, ']');
}
