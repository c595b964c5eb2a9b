/* A frame of `weir top`, as lines for a terminal or as JSON. */
#include <stdio.h>

#include "base/json_text.h"
#include "cli/term.h"
#include "cli/top_inside.h"
#include "world/world.h"

struct frame {
    struct buf *out;
    size_t columns, rows, lines;
    bool live; /* on the alternate screen: lines are wiped to their end */
};

static void end_line(struct frame *frame)
{
    buf_add_text(frame->out, frame->live ? "\033[K\r\n" : "\n");
    frame->lines++;
}

static void style(struct frame *frame, enum term_style style)
{
    buf_add_text(frame->out, term_style(stdout, style));
}

static void add_label(struct frame *frame, const char *label)
{
    style(frame, TERM_DIM);
    buf_add_format(frame->out, "%-10s", label);
    style(frame, TERM_PLAIN);
}

/* Text to the left and right ends of a line. */
static void add_ends(struct frame *frame, struct slice left, struct slice right)
{
    size_t used = term_width(right) + 1, room = frame->columns > used ? frame->columns - used : 0;
    size_t width = term_width(left) < room ? term_width(left) : room;
    style(frame, TERM_BOLD);
    term_add_cut(frame->out, left, room);
    style(frame, TERM_PLAIN);
    term_add_repeat(frame->out, " ", room - width + 1);
    style(frame, TERM_DIM);
    buf_add_slice(frame->out, right);
    style(frame, TERM_PLAIN);
    end_line(frame);
}

static void add_head(struct frame *frame, const struct top *top)
{
    AUTO(buf) struct buf left, right;
    buf_init(&left, 1024);
    buf_init(&right, 1024);
    buf_add_format(&left, "weir  %s", top->tenant);
    buf_add_text(&right, "up ");
    term_add_ms(&right, (double)(world_wall_ms(world_real()) - top->since_ms));
    add_ends(frame, buf_slice(&left), buf_slice(&right));
    end_line(frame);
}

static void add_rate(struct frame *frame, const struct top *top)
{
    size_t room = frame->columns > 24 ? frame->columns - 24 : 8;
    size_t count = top->history_count < room ? top->history_count : room;
    AUTO(buf) struct buf number;
    buf_init(&number, 64);
    term_add_short(&number, top->rate);
    add_label(frame, "events/s");
    style(frame, TERM_BOLD);
    buf_add_format(frame->out, "%-12s", buf_text(&number));
    style(frame, TERM_GREEN);
    term_add_sparkline(frame->out, top->history + top->history_count - count, count);
    style(frame, TERM_PLAIN);
    end_line(frame);
}

static void add_counts(struct frame *frame, const struct top *top)
{
    add_label(frame, "accepted");
    term_add_grouped(frame->out, top->accepted);
    style(frame, TERM_DIM);
    buf_add_text(frame->out, "   duplicates ");
    style(frame, top->duplicates ? TERM_YELLOW : TERM_PLAIN);
    term_add_grouped(frame->out, top->duplicates);
    style(frame, TERM_PLAIN);
    style(frame, TERM_DIM);
    buf_add_text(frame->out, "   dead letters ");
    style(frame, top->dead ? TERM_RED : TERM_PLAIN);
    term_add_grouped(frame->out, top->dead);
    style(frame, TERM_PLAIN);
    end_line(frame);
}

static void add_stages(struct frame *frame, const struct top *top)
{
    for (size_t i = 0; i < COUNT_OF(top->stages); i++) {
        const struct stage *stage = &top->stages[i];
        add_label(frame, i == 0 ? "latency" : "");
        buf_add_format(frame->out, "%-24s", stage->label);
        if (stage->p50_ms >= 0) {
            buf_add_text(frame->out, "p50 ");
            term_add_ms(frame->out, stage->p50_ms);
            buf_add_text(frame->out, "   p99 ");
            term_add_ms(frame->out, stage->p99_ms);
        } else {
            buf_add_text(frame->out, "–");
        }
        end_line(frame);
    }
}

static void add_lag(struct frame *frame, const struct top *top)
{
    add_label(frame, "waiting");
    term_add_grouped(frame->out, top->lag_events);
    buf_add_text(frame->out, " events");
    if (top->lag_ms) {
        buf_add_text(frame->out, ", oldest ");
        term_add_ms(frame->out, (double)top->lag_ms);
    }
    if (top->store_lag_s >= 0) {
        buf_add_text(frame->out, "   store behind ");
        term_add_ms(frame->out, top->store_lag_s * 1000);
    }
    if (top->journal_bytes >= 0) {
        buf_add_text(frame->out, "   journal ");
        term_add_bytes(frame->out, top->journal_bytes);
    }
    if (top->memory_bytes >= 0 && frame->columns >= 90) {
        buf_add_text(frame->out, "   memory ");
        term_add_bytes(frame->out, top->memory_bytes);
    }
    end_line(frame);
}

static void add_right(struct buf *out, const char *text, size_t cells)
{
    size_t width = term_width(slice_from(text));
    term_add_repeat(out, " ", width < cells ? cells - width : 0);
    buf_add_text(out, text);
}

static void add_type(struct frame *frame, const struct type_row *row, size_t name_cells)
{
    AUTO(buf) struct buf number;
    buf_init(&number, 64);
    struct slice name = slice_from(row->name);
    size_t width = term_width(name) < name_cells ? term_width(name) : name_cells;
    term_add_cut(frame->out, name, name_cells);
    term_add_repeat(frame->out, " ", name_cells - width);
    const uint64_t counts[] = { row->accepted, row->duplicates, row->dead };
    term_add_short(&number, row->rate);
    add_right(frame->out, buf_text(&number), 8);
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        buf_reset(&number);
        term_add_grouped(&number, counts[i]);
        add_right(frame->out, buf_text(&number), i == 0 ? 15 : 13);
    }
    end_line(frame);
}

static void add_types(struct frame *frame, const struct top *top)
{
    size_t fixed = 8 + 15 + 13 + 13, name_cells = frame->columns > fixed + 10 ? frame->columns - fixed - 1 : 10;
    if (name_cells > 40)
        name_cells = 40;
    end_line(frame);
    style(frame, TERM_DIM);
    buf_add_text(frame->out, "type");
    term_add_repeat(frame->out, " ", name_cells - 4);
    buf_add_format(frame->out, "%8s%15s%13s%13s", "/s", "accepted", "duplicates", "dead letters");
    style(frame, TERM_PLAIN);
    end_line(frame);
    size_t room = frame->live && frame->rows > frame->lines + 2 ? frame->rows - frame->lines - 2 : frame->live ? 0 : 40;
    for (size_t i = 0; i < top->type_count && i < room; i++)
        add_type(frame, &top->types[i], name_cells);
    if (top->type_count == 0) {
        buf_add_text(frame->out, "(no events yet: weir generate --events 1000 | weir send -)");
        end_line(frame);
    }
}

static void add_tasks(struct frame *frame, const struct top *top)
{
    AUTO(buf) struct buf lines;
    buf_init(&lines, 65536);
    top_stream_add(&top->stream, frame->columns, &lines);
    top_sinks_add(&top->sinks, frame->columns, &lines);
    end_line(frame);
    for (struct slice rest = buf_slice(&lines); rest.n;) {
        size_t n = (size_t)((const char *)memchr(rest.p, '\n', rest.n) - rest.p);
        if (frame->live && frame->lines + 2 >= frame->rows)
            return;
        buf_add(frame->out, rest.p, n);
        end_line(frame);
        rest = slice_after(rest, n + 1);
    }
}

void top_add_frame(struct buf *out, const struct top *top, bool live)
{
    struct frame frame = { out, term_columns(), term_rows(), 0, live };
    if (live)
        buf_add_text(out, "\033[H");
    add_head(&frame, top);
    add_rate(&frame, top);
    add_counts(&frame, top);
    add_stages(&frame, top);
    add_lag(&frame, top);
    if (top->shows_stream)
        add_tasks(&frame, top);
    else
        add_types(&frame, top);
    if (!live)
        return;
    buf_add_text(out, "\033[J");
    buf_add_format(out, "\033[%zu;1H", frame.rows);
    style(&frame, top->trouble.text[0] ? TERM_RED : TERM_DIM);
    term_add_cut(out, slice_from(top->trouble.text[0] ? top->trouble.text : "s tasks or types   q quits"),
                 frame.columns - 1);
    style(&frame, TERM_PLAIN);
    buf_add_text(out, "\033[K");
}

void top_add_json(struct buf *out, const struct top *top)
{
    buf_add_char(out, '{');
    json_add_field(out, "tenant", slice_from(top->tenant));
    json_add_key(out, "events_per_second");
    buf_add_format(out, "%.1f", top->rate);
    json_add_field_u64(out, "accepted", top->accepted);
    json_add_field_u64(out, "duplicates", top->duplicates);
    json_add_field_u64(out, "dead_letters", top->dead);
    json_add_field_u64(out, "lag_events", top->lag_events);
    json_add_field_u64(out, "lag_ms", (uint64_t)top->lag_ms);
    json_add_field_u64(out, "uptime_ms", (uint64_t)(world_wall_ms(world_real()) - top->since_ms));
    for (size_t i = 0; i < COUNT_OF(top->stages); i++) {
        const struct stage *stage = &top->stages[i];
        json_add_key(out, stage->json_name);
        if (stage->p50_ms >= 0)
            buf_add_format(out, "{\"p50_ms\":%.3f,\"p99_ms\":%.3f}", stage->p50_ms, stage->p99_ms);
        else
            buf_add_text(out, "null");
    }
    json_add_key(out, "types");
    buf_add_char(out, '[');
    for (size_t i = 0; i < top->type_count; i++) {
        const struct type_row *row = &top->types[i];
        buf_add_text(out, i ? ",{" : "{");
        json_add_field(out, "type", slice_from(row->name));
        json_add_field_u64(out, "accepted", row->accepted);
        json_add_field_u64(out, "duplicates", row->duplicates);
        json_add_field_u64(out, "dead_letters", row->dead);
        json_add_key(out, "events_per_second");
        buf_add_format(out, "%.1f}", row->rate);
    }
    buf_add_text(out, "],\"tasks\":[");
    for (size_t i = 0; i < top->stream.count; i++) {
        const struct top_task *task = &top->stream.tasks[i];
        buf_add_format(out,
                       "%s{\"task\":%.0f,\"events_per_second\":%.1f,\"lag_events\":%.0f,\"lag_seconds\":%.3f,"
                       "\"watermark_delay_seconds\":%.3f,\"state_bytes\":%.0f",
                       i ? "," : "", task->partition, task->rate, task->lag_records, task->lag_s, task->delay_s,
                       task->state_bytes);
        top_task_json(task, out);
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
    top_sinks_json(&top->sinks, out);
    buf_add_text(out, "}\n");
}
