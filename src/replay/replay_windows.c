/* A task in little: the stage, its states and their round of collect and durable, but with no journal behind. What the
 * changelog would carry is handed back to the states at once: if the process dies, the job is begun anew. */
#include "replay/replay_windows.h"

#include <stdlib.h>

#include "base/metrics.h"
#include "base/timestamp.h"
#include "config/domain.h"
#include "event/window_record.h"
#include "process/process_output.h"
#include "process/stage_window.h"
#include "process/state/keyed.h"
#include "process/state/kv.h"
#include "process/state/state_kv.h"
#include "process/state/watermarks.h"
#include "process/window/window_def.h"
#include "process/window/window_key.h"
#include "replay/row_binary.h"
#include "world/disk.h"
#include "world/world.h"

#define STATES 3
#define SERIES_MAX (WINDOWS_MAX * 8)
#define FRAME_BYTES 4 /* the length before each record of a stream */
#define ROWS_A_WALK 4096
#define KEY_JSON_BYTES_MAX (1u << 20)

struct replay_windows {
    struct replay_windows_options options;
    struct world *world;
    struct domain_set domains; /* only the windows that are asked for */
    struct window chosen[WINDOWS_MAX];
    struct metrics *metrics; /* its own: live counters count live events */
    struct window_defs defs;
    struct state_kv *kv;
    struct keyed *rows;
    struct watermarks *watermarks;
    struct state *states[STATES];
    struct stage_window *stage;
    struct process_batch batch;
    struct process_outputs outputs;
    struct arena arena;
    uint64_t changes;
};

bool replay_windows_can(const struct window *window)
{
    return !window->processing_time;
}

/* Results once, when a window is over; and since events come in order, nobody is waited for. */
static void choose(struct replay_windows *windows)
{
    const struct replay_windows_options *options = &windows->options;
    windows->domains = *options->domains;
    for (size_t i = 0; i < options->window_count; i++) {
        windows->chosen[i] = options->domains->windows[options->windows[i]];
        windows->chosen[i].emit = WINDOW_EMIT_CLOSE;
        windows->chosen[i].lateness_ms = 0;
        windows->chosen[i].selective = false; /* the tenant has it, or it would not have been asked for */
    }
    windows->domains.windows = windows->chosen;
    windows->domains.window_count = options->window_count;
}

static void make_states(struct replay_windows *windows)
{
    const struct state_kv_options kv = { windows->options.path, &kv_rocksdb, windows->options.pool };
    windows->kv = state_kv_new(&kv, windows->world);
    const struct keyed_options rows = { windows->defs.kinds, windows->defs.count, windows->options.memory_bytes_max };
    windows->rows = keyed_new(&rows, windows->kv, windows->world);
    /* An event of the same time as the last one may follow, and be of a session that is a gap behind. */
    const struct watermarks_options watermarks = {
        .disorder_ms = 1, .idle_ms = INT64_MAX, .partitions = 1, .kv = windows->kv
    };
    windows->watermarks = watermarks_new(&watermarks);
    windows->states[0] = state_kv_state(windows->kv);
    windows->states[1] = keyed_state(windows->rows);
    windows->states[2] = watermarks_state(windows->watermarks);
}

enum status replay_windows_new(const struct replay_windows_options *options, struct world *world,
                               struct replay_windows **out, struct error *err)
{
    enum status s = disk_make_dirs(world->disk, options->path, err);
    if (s != OK)
        return s;
    struct replay_windows *windows = calloc(1, sizeof *windows);
    if (!windows)
        abort();
    windows->options = *options;
    windows->world = world;
    windows->metrics = metrics_new(SERIES_MAX);
    choose(windows);
    s = window_defs_make(&windows->domains, true, windows->metrics, &windows->defs, err);
    if (s != OK) {
        replay_windows_free(windows);
        return s;
    }
    make_states(windows);
    arena_init(&windows->arena, PROCESS_ARENA_BYTES);
    const struct stage_window_options stage = { .defs = &windows->defs,
                                                .rows = windows->rows,
                                                .watermarks = windows->watermarks,
                                                .partitions = 1,
                                                .seed = options->generation };
    windows->stage = stage_window_new(&stage);
    *out = windows;
    return OK;
}

void replay_windows_free(struct replay_windows *windows)
{
    if (!windows)
        return;
    stage_window_free(windows->stage);
    watermarks_free(windows->watermarks);
    keyed_free(windows->rows);
    state_kv_free(windows->kv);
    window_defs_done(&windows->defs);
    process_outputs_done(&windows->outputs);
    arena_done(&windows->arena);
    metrics_free(windows->metrics);
    free(windows);
}

uint64_t replay_windows_evictions(const struct replay_windows *windows)
{
    struct keyed_usage usage;
    keyed_usage(windows->rows, &usage);
    return usage.evictions;
}

struct event *replay_windows_events(struct replay_windows *windows)
{
    return windows->batch.events;
}

/* ---- what came out ---- */

/* The next record of a stream; false at its end. */
static bool next_record(struct slice *rest, struct slice *out)
{
    uint32_t n;
    if (rest->n < FRAME_BYTES)
        return false;
    memcpy(&n, rest->p, sizeof n);
    *out = slice_of(rest->p + FRAME_BYTES, n);
    *rest = slice_after(*rest, FRAME_BYTES + n);
    return true;
}

static bool in_range(const struct replay_windows *windows, int64_t time_ms)
{
    return time_ms >= windows->options.from_ms && time_ms < windows->options.to_ms;
}

/* Of the key, what was told of sessions that begin from begins_ms to ends_ms is replaced, or it is not, whatever the
 * range says. */
struct edge {
    struct slice customer_id, placement, window, key;
    uint64_t definition;
    int64_t begins_ms, ends_ms;
    bool replaced;
};

static void add_edge(const struct replay_windows *windows, const struct edge *edge, struct buf *rows)
{
    row_add_text(rows, edge->customer_id);
    row_add_text(rows, edge->placement);
    row_add_text(rows, edge->window);
    row_add_u64(rows, edge->definition);
    row_add_u64(rows, windows->options.generation);
    row_add_text(rows, edge->key);
    row_add_u64(rows, (uint64_t)edge->begins_ms);
    row_add_u64(rows, (uint64_t)edge->ends_ms);
    buf_add_char(rows, (char)edge->replaced);
}

/* The session that is over, when part of it lies on the other side of an edge of the range than its beginning. */
static void add_edge_of(const struct replay_windows *windows, const struct window_record *record, struct buf *rows)
{
    const int64_t from_ms = windows->options.from_ms, to_ms = windows->options.to_ms;
    struct edge edge = { .customer_id = record->customer_id,
                         .placement = record->placement,
                         .window = record->window,
                         .key = record->key,
                         .definition = record->definition,
                         .begins_ms = from_ms,
                         .ends_ms = record->end_ms };
    if (record->start_ms < from_ms && record->end_ms >= from_ms) {
        add_edge(windows, &edge, rows);
    } else if (in_range(windows, record->start_ms) && record->end_ms >= to_ms) {
        edge.begins_ms = to_ms;
        edge.replaced = true;
        add_edge(windows, &edge, rows);
    }
}

static bool is_wanted(const struct replay_windows *windows, const struct window_record *record)
{
    if (record->kind == WINDOW_RECORD_SESSION)
        return in_range(windows, record->start_ms);
    return record->start_ms >= windows->options.from_ms && record->end_ms <= windows->options.to_ms;
}

static void add_row(const struct replay_windows *windows, const struct window_record *record, struct buf *rows)
{
    row_add_text(rows, record->customer_id);
    row_add_text(rows, record->placement);
    row_add_text(rows, record->window);
    row_add_u64(rows, record->definition);
    row_add_u64(rows, windows->options.generation);
    row_add_text(rows, slice_from(window_record_kind_name(record->kind)));
    row_add_u64(rows, (uint64_t)record->start_ms);
    row_add_u64(rows, (uint64_t)record->end_ms);
    row_add_text(rows, record->key);
    row_add_text(rows, record->measures);
    row_add_u64(rows, record->events);
}

static enum status take_results(struct replay_windows *windows, struct replay_rows *out, struct error *err)
{
    struct slice rest = buf_slice(&process_outputs_stream(&windows->outputs, TOPIC_WINDOWS, 0)->bytes), bytes;
    while (next_record(&rest, &bytes)) {
        struct window_record record;
        enum status s = window_record_decode(bytes, &record, err);
        if (s != OK)
            return s;
        if (record.kind == WINDOW_RECORD_SESSION)
            add_edge_of(windows, &record, &out->replay_edges);
        if (!is_wanted(windows, &record))
            continue;
        add_row(windows, &record, &out->windows_replayed);
        out->results++;
    }
    return out->windows_replayed.full || out->replay_edges.full
               ? error_set(err, ERR_FULL, "the results of a step do not fit into %u MiB", REPLAY_ROWS_BYTES_MAX >> 20)
               : OK;
}

static enum status keep_changes(struct replay_windows *windows, struct error *err)
{
    struct process_stream *changelog = process_outputs_stream(&windows->outputs, TOPIC_CHANGELOG, 0);
    struct slice record;
    for (size_t i = 0; i < STATES; i++) {
        enum status s = windows->states[i]->ops->collect(windows->states[i], changelog, err);
        if (s != OK)
            return s;
    }
    for (struct slice rest = buf_slice(&changelog->bytes); next_record(&rest, &record); windows->changes++)
        for (size_t i = 0; i < STATES; i++)
            if ((uint8_t)record.p[0] == windows->states[i]->ops->id)
                windows->states[i]->ops->durable(windows->states[i], record, windows->changes);
    return OK;
}

/* ---- counting ---- */

static enum status make_room(struct replay_windows *windows, struct error *err)
{
    for (size_t i = 0; i < STATES; i++) {
        struct state *state = windows->states[i];
        bool more = false;
        enum status s = state->ops->maintain(state, &more, err);
        if (s == OK)
            s = state->ops->prepare(state, PROCESS_BATCH_MAX, err);
        if (s == ERR_FULL)
            return error_set(err, ERR_RETRY, "the rows of open windows wait for the disk");
        if (s != OK)
            return s;
    }
    return OK;
}

static enum status flush(struct replay_windows *windows, struct replay_rows *out, bool *out_more, struct error *err)
{
    enum status s = stage_window_flush(windows->stage, &windows->outputs, err);
    if (s == OK)
        s = take_results(windows, out, err);
    if (s == OK)
        s = keep_changes(windows, err);
    process_outputs_reset(&windows->outputs);
    *out_more = stage_window_is_closing(windows->stage);
    return s;
}

enum status replay_windows_add(struct replay_windows *windows, size_t count, struct replay_rows *out, bool *out_more,
                               struct error *err)
{
    struct process_batch *batch = &windows->batch;
    enum status s = make_room(windows, err);
    if (s != OK)
        return s;
    batch->count = batch->live_count = count;
    batch->arena = &windows->arena;
    batch->outputs = &windows->outputs;
    batch->now_ms = world_wall_ms(windows->world);
    for (uint32_t i = 0; i < count; i++)
        batch->live[i] = i;
    if (count)
        s = stage_window_run(windows->stage, batch, err);
    arena_reset(&windows->arena);
    return s == OK ? flush(windows, out, out_more, err) : s;
}

enum status replay_windows_until(struct replay_windows *windows, int64_t until_ms, struct replay_rows *out,
                                 bool *out_more, struct error *err)
{
    struct watermark *mark = watermarks_at(windows->watermarks, 0);
    *out_more = false;
    if (!mark)
        return OK; /* no event came */
    enum status s = make_room(windows, err);
    if (s != OK)
        return s;
    watermarks_event(windows->watermarks, mark, until_ms, world_wall_ms(windows->world));
    return flush(windows, out, out_more, err);
}

/* ---- sessions that go on ---- */

struct open_walk {
    struct replay_windows *windows;
    struct replay_rows *out; /* NULL: nothing is written */
    struct buf key;
    bool began_in_range;
};

static void visit_open(void *self, const struct window_open_session *session)
{
    struct open_walk *walk = self;
    const struct replay_windows_options *options = &walk->windows->options;
    const struct watermark *mark = watermarks_at(walk->windows->watermarks, 0);
    walk->began_in_range |= in_range(walk->windows, session->start_ms);
    if (!walk->out || session->start_ms >= options->to_ms)
        return;
    buf_reset(&walk->key);
    window_key_add_json(session->window, session->key, &walk->key);
    const struct edge edge = { .customer_id = mark->customer_id,
                               .placement = mark->placement,
                               .window = session->window->name,
                               .key = buf_slice(&walk->key),
                               .definition = session->window->id,
                               .begins_ms = session->start_ms > options->from_ms ? session->start_ms : options->from_ms,
                               .ends_ms = TIMESTAMP_MAX_MS };
    add_edge(walk->windows, &edge, &walk->out->replay_edges);
}

enum status replay_windows_open(struct replay_windows *windows, struct stage_window_walk *walk, struct replay_rows *out,
                                bool *io_open, bool *out_done, struct error *err)
{
    struct open_walk open = { .windows = windows, .out = out };
    enum status s = make_room(windows, err);
    if (s != OK)
        return s;
    buf_init(&open.key, KEY_JSON_BYTES_MAX);
    s = stage_window_open_sessions(windows->stage, walk, ROWS_A_WALK, visit_open, &open, out_done, err);
    buf_done(&open.key);
    if (s == OK)
        s = keep_changes(windows, err);
    process_outputs_reset(&windows->outputs);
    *io_open |= open.began_in_range;
    if (s == OK && out && out->replay_edges.full)
        s = error_set(err, ERR_FULL, "the edges of a step do not fit into %u MiB", REPLAY_ROWS_BYTES_MAX >> 20);
    return s;
}
