/* What becomes of panes as the watermark passes their ends (those of sessions: window_session.c). A tumbling pane: its
 * window's result is written (closed), it stays for the allowed lateness to be amended, then it is dropped. A slice of
 * sliding windows is due at the end of each window that it is part of: the first of the slices that comes up writes the
 * whole window, then all of them wait for the next. Whatever does not fit into one commit goes on in the next from a
 * cursor in the pane's words, so a crash between them repeats nothing and misses nothing.
 *
 * Results are wrong when an event gets between: into a row that was written already, or a pane that was dropped. So
 * updates that wait are written before the watermark moves, and until everything that it has passed is closed the task
 * takes in no event (stage->closing; after a restart, too). */
#include <stdlib.h>

#include "process/window/window_measures.h"
#include "process/window/window_stage.h"
#include "process/window/window_time.h"

struct close_visit {
    struct stage_window *stage;
    struct window_def *def;
    enum status status;
    struct error *err;
};

static struct id128 cursor_of(const struct keyed_pane *pane)
{
    return (struct id128){ pane->words[PANE_CURSOR_LO], pane->words[PANE_CURSOR_HI] };
}

static void keep_cursor(struct stage_window *stage, struct keyed_pane *pane, struct id128 cursor)
{
    pane->words[PANE_CURSOR_LO] = cursor.lo;
    pane->words[PANE_CURSOR_HI] = cursor.hi;
    keyed_pane_touch(stage->options.rows, pane);
}

void window_pane_opened(struct stage_window *stage, struct window_def *def, struct keyed_pane *pane,
                        const struct watermark *mark)
{
    struct keyed *rows = stage->options.rows;
    const int64_t last_end_ms = window_last_end(pane->start_ms, def->window->size_ms);
    int64_t end_ms = window_first_end(pane->start_ms, def->step_ms);
    if (def->window->processing_time) {
        keyed_pane_set_expires(rows, pane, end_ms);
        return;
    }
    if (mark->complete_ms == WATERMARK_NONE || end_ms > mark->complete_ms) {
        keyed_pane_set_due(rows, pane, end_ms);
        return;
    }
    /* Within the allowed lateness of windows that closed without it. */
    while (end_ms < last_end_ms && window_time_add(end_ms, def->step_ms) <= mark->complete_ms)
        end_ms += def->step_ms;
    pane->words[PANE_FLAGS] = PANE_CLOSED;
    pane->words[PANE_END] = (uint64_t)end_ms;
    keyed_pane_touch(rows, pane);
    keyed_pane_set_due(rows, pane,
                       end_ms < last_end_ms ? end_ms + def->step_ms
                                            : window_time_add(last_end_ms, def->window->lateness_ms));
}

/* ---- tumbling ---- */

static void visit_close(void *self, struct keyed_row *row)
{
    struct close_visit *visit = self;
    const struct keyed_pane *pane = row->pane;
    struct window_row *data = window_row_of(row);
    if (visit->status != OK)
        return;
    const struct window_result result = { .start_ms = pane->start_ms,
                                          .end_ms = window_first_end(pane->start_ms, visit->def->step_ms),
                                          .events = data->events,
                                          .revision = row->revision + 1,
                                          .final = true,
                                          .key = slice_of(row->key, row->key_n),
                                          .accumulators = window_row_accumulators(data) };
    visit->status = window_emit(visit->stage, visit->def, pane->tenant, &result, visit->err);
}

/* *out_done: every row's result is written; else the commit is full. */
static enum status write_pane(struct stage_window *stage, struct window_def *def, struct keyed_pane *pane,
                              bool *out_done, struct error *err)
{
    struct close_visit visit = { stage, def, OK, err };
    struct id128 cursor = cursor_of(pane);
    enum status s = OK;
    *out_done = false;
    while (s == OK && !*out_done && stage->results_left) {
        size_t rows = stage->results_left < ROWS_A_WALK ? stage->results_left : ROWS_A_WALK;
        s = keyed_pane_walk(stage->options.rows, pane, &cursor, rows, visit_close, &visit, out_done, err);
        s = s == OK ? visit.status : s;
    }
    keep_cursor(stage, pane, *out_done ? (struct id128){ 0, 0 } : cursor);
    return s;
}

static enum status close_tumbling(struct stage_window *stage, struct window_def *def, struct keyed_pane *pane,
                                  bool *out_done, struct error *err)
{
    const bool closed = pane->words[PANE_FLAGS] & PANE_CLOSED;
    const int64_t end_ms = window_first_end(pane->start_ms, def->step_ms);
    *out_done = true;
    if (!closed && def->closes) {
        enum status s = write_pane(stage, def, pane, out_done, err);
        if (s != OK || !*out_done)
            return s;
    }
    if (closed || def->window->lateness_ms == 0 || def->window->processing_time) {
        keyed_pane_drop(stage->options.rows, pane);
        return OK;
    }
    pane->words[PANE_FLAGS] |= PANE_CLOSED;
    pane->words[PANE_END] = (uint64_t)end_ms;
    keyed_pane_touch(stage->options.rows, pane);
    keyed_pane_set_due(stage->options.rows, pane, window_time_add(end_ms, def->window->lateness_ms));
    return OK;
}

/* ---- sliding ---- */

/* Ids that were met in the window's slices, in the range at hand. */
struct gathering {
    struct stage_window *stage;
    struct id128 *ids;
    size_t count, capacity;
    struct id128 last; /* of this slice */
};

static void visit_gather(void *self, struct keyed_row *row)
{
    struct gathering *gathering = self;
    gathering->last = row->id;
    if (gathering->count < gathering->capacity)
        gathering->ids[gathering->count++] = row->id;
}

/* As keyed_pane_walk orders them. */
static int id_order(const void *a, const void *b)
{
    const struct id128 *x = a, *y = b;
    if (x->hi != y->hi)
        return x->hi < y->hi ? -1 : 1;
    return (x->lo > y->lo) - (x->lo < y->lo);
}

static struct id128 id_after(struct id128 id)
{
    if (++id.lo == 0)
        id.hi++;
    return id;
}

/* The ids up to the bound, in order, each once. */
static void sort_up_to(struct gathering *gathering, struct id128 bound)
{
    size_t kept = 0;
    qsort(gathering->ids, gathering->count, sizeof *gathering->ids, id_order);
    for (size_t i = 0; i < gathering->count && id_order(&gathering->ids[i], &bound) <= 0; i++)
        if (kept == 0 || !id_equal(gathering->ids[kept - 1], gathering->ids[i]))
            gathering->ids[kept++] = gathering->ids[i];
    gathering->count = kept;
}

/* The next ids of the window from the cursor on, as far as every slice was looked at. *out_done: there are no more. */
static enum status gather_ids(struct gathering *gathering, struct window_def *def, uint32_t tenant, int64_t end_ms,
                              struct id128 *io_cursor, bool *out_done, struct error *err)
{
    struct keyed *rows = gathering->stage->options.rows;
    const size_t slices = (size_t)(def->window->size_ms / def->step_ms);
    const size_t most =
        gathering->stage->results_left < gathering->capacity ? gathering->stage->results_left : gathering->capacity;
    struct id128 bound = { UINT64_MAX, UINT64_MAX };
    gathering->count = 0;
    *out_done = true;
    for (int64_t start_ms = end_ms - def->window->size_ms; start_ms < end_ms; start_ms += def->step_ms) {
        struct keyed_pane *pane = window_pane_find(rows, &def->kind, tenant, start_ms);
        struct id128 cursor = *io_cursor;
        bool done;
        if (!pane)
            continue;
        enum status s =
            keyed_pane_walk(rows, pane, &cursor, most / (2 * slices) + 1, visit_gather, gathering, &done, err);
        if (s != OK)
            return s;
        if (!done && id_order(&gathering->last, &bound) < 0)
            bound = gathering->last;
        *out_done &= done;
    }
    assert(gathering->count < gathering->capacity); /* a walk visits about as many as it was told */
    sort_up_to(gathering, bound);
    *io_cursor = id_after(bound);
    return OK;
}

/* The result for one id; its key is in whichever slice has it. */
static enum status emit_id(struct stage_window *stage, struct window_def *def, uint32_t tenant, int64_t end_ms,
                           struct id128 id, struct error *err)
{
    for (int64_t start_ms = end_ms - def->window->size_ms; start_ms < end_ms; start_ms += def->step_ms) {
        struct keyed_row *row;
        struct keyed_pane *pane = window_pane_find(stage->options.rows, &def->kind, tenant, start_ms);
        enum status s = pane ? keyed_row_find(stage->options.rows, pane, id, &row, err) : ERR_NOT_FOUND;
        if (s == OK)
            return window_emit_sliding(stage, def, tenant, id, slice_of(row->key, row->key_n), end_ms, true, err);
        if (s != ERR_NOT_FOUND)
            return s;
    }
    return OK;
}

/* Writes the window that ends at end_ms, as far as the commit can take it. */
static enum status write_window(struct stage_window *stage, struct window_def *def, struct keyed_pane *lead,
                                int64_t end_ms, bool *out_done, struct error *err)
{
    struct gathering gathering = { .stage = stage, .ids = stage->gathered, .capacity = GATHER_IDS };
    struct id128 cursor = cursor_of(lead);
    enum status s = OK;
    *out_done = false;
    while (s == OK && !*out_done && stage->results_left) {
        s = gather_ids(&gathering, def, lead->tenant, end_ms, &cursor, out_done, err);
        for (size_t i = 0; i < gathering.count && s == OK; i++)
            s = emit_id(stage, def, lead->tenant, end_ms, gathering.ids[i], err);
    }
    keep_cursor(stage, lead, *out_done ? (struct id128){ 0, 0 } : cursor);
    return s;
}

/* The slices of the window that ended wait for the next one that they are part of, or for the end of the lateness. */
static void advance_slices(struct stage_window *stage, struct window_def *def, uint32_t tenant, int64_t end_ms)
{
    struct keyed *rows = stage->options.rows;
    for (int64_t start_ms = end_ms - def->window->size_ms; start_ms < end_ms; start_ms += def->step_ms) {
        struct keyed_pane *pane = window_pane_find(rows, &def->kind, tenant, start_ms);
        bool last = end_ms == window_last_end(start_ms, def->window->size_ms);
        int64_t next_ms = last ? window_time_add(end_ms, def->window->lateness_ms) : end_ms + def->step_ms;
        if (!pane)
            continue;
        pane->words[PANE_FLAGS] |= PANE_CLOSED;
        pane->words[PANE_END] = (uint64_t)end_ms;
        keyed_pane_touch(rows, pane);
        if (def->window->processing_time)
            keyed_pane_set_expires(rows, pane, next_ms);
        else
            keyed_pane_set_due(rows, pane, next_ms);
    }
}

static enum status close_sliding(struct stage_window *stage, struct window_def *def, struct keyed_pane *lead,
                                 bool *out_done, struct error *err)
{
    const int64_t end_ms = def->window->processing_time ? lead->expires_ms : lead->due_ms;
    const bool closed = lead->words[PANE_FLAGS] & PANE_CLOSED;
    const uint32_t tenant = lead->tenant;
    *out_done = true;
    if (closed && (int64_t)lead->words[PANE_END] >= window_last_end(lead->start_ms, def->window->size_ms)) {
        keyed_pane_drop(stage->options.rows, lead);
        return OK;
    }
    if (def->closes) {
        enum status s = write_window(stage, def, lead, end_ms, out_done, err);
        if (s != OK || !*out_done)
            return s;
    }
    advance_slices(stage, def, tenant, end_ms);
    return OK;
}

/* ---- all ---- */

static enum status close_pane(struct stage_window *stage, struct keyed_pane *pane, int64_t complete_ms, bool *out_done,
                              struct error *err)
{
    struct window_def *def = window_def_of_pane(pane);
    if (def->session)
        return window_session_close(stage, def, pane, complete_ms, out_done, err);
    return def->window->kind == WINDOW_SLIDING ? close_sliding(stage, def, pane, out_done, err)
                                               : close_tumbling(stage, def, pane, out_done, err);
}

/* Everything that is due up to complete_ms. */
static enum status close_up_to(struct stage_window *stage, const struct watermark *mark, uint32_t tenant,
                               struct error *err)
{
    struct keyed_pane *pane;
    enum status s = OK;
    bool done = true;
    while (s == OK && done && (pane = keyed_pane_next_due(stage->options.rows, tenant, mark->complete_ms))) {
        done = stage->results_left > 0;
        if (done)
            s = close_pane(stage, pane, mark->complete_ms, &done, err);
    }
    stage->closing |= !done;
    return s;
}

enum status window_close_due(struct stage_window *stage, struct watermark *mark, struct error *err)
{
    const uint32_t tenant = window_tenant(stage, mark);
    const int64_t reached_ms = watermarks_reached(stage->options.watermarks, mark, stage->now_ms);
    enum status s = OK;
    if (reached_ms > mark->complete_ms && mark->complete_ms != WATERMARK_NONE &&
        keyed_pane_next_due(stage->options.rows, tenant, mark->complete_ms))
        return close_up_to(stage, mark, tenant, err); /* what the last commit could not take */
    if (reached_ms > mark->complete_ms) {
        if (stage->closed_waits || keyed_pane_next_due(stage->options.rows, tenant, reached_ms))
            s = window_flush_updates(stage, true, err);
        if (s != OK || stage->pending_count) {
            stage->more |= s == OK && stage->results_left == 0;
            return s;
        }
        watermarks_complete(stage->options.watermarks, mark, reached_ms);
    }
    return mark->complete_ms == WATERMARK_NONE ? OK : close_up_to(stage, mark, tenant, err);
}

enum status window_close_expired(struct stage_window *stage, struct error *err)
{
    struct keyed *rows = stage->options.rows;
    struct keyed_pane *pane;
    bool done = true;
    if (!keyed_pane_next_expired(rows, stage->clock_ms))
        return OK;
    enum status s = window_flush_updates(stage, true, err);
    while (s == OK && done && (pane = keyed_pane_next_expired(rows, stage->clock_ms))) {
        done = stage->results_left > 0 && stage->pending_count == 0;
        if (done)
            s = close_pane(stage, pane, window_clock_ms(stage) - 1, &done, err);
    }
    stage->closing |= !done;
    return s;
}
