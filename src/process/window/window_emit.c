/* Results as records, and the rows whose results change while their window is open (updates) or after it closed
 * (amendments). Such rows are noted once and written with the next flush that is due, so that a key that is hit a
 * thousand times between two flushes is written once. What waits is marked in its pane before a commit ends: after a
 * crash all rows of the pane are written again, which tells nobody anything wrong. */
#include "process/window/window_key.h"
#include "process/window/window_measures.h"
#include "process/window/window_stage.h"
#include "process/window/window_time.h"

#include "event/window_record.h"

static uint8_t record_kind(const struct window *window)
{
    switch (window->kind) {
    case WINDOW_TUMBLING:
        return WINDOW_RECORD_TUMBLING;
    case WINDOW_SLIDING:
        return WINDOW_RECORD_SLIDING;
    case WINDOW_SESSION:
        return WINDOW_RECORD_SESSION;
    }
    return 0;
}

enum status window_emit(struct stage_window *stage, struct window_def *def, uint32_t tenant,
                        const struct window_result *result, struct error *err)
{
    struct process_stream *stream = process_outputs_stream(stage->outputs, TOPIC_WINDOWS, stage->options.partition);
    const struct slice customer_id = keyed_tenant_name(stage->options.rows, tenant);
    const struct watermark *mark = watermarks_of(stage->options.watermarks, customer_id, (struct slice){ 0 });
    if (!mark)
        return error_set(err, ERR_IO, "out of memory for watermarks");
    buf_reset(&stage->key_json);
    buf_reset(&stage->measures_json);
    window_key_add_json(def->window, result->key, &stage->key_json);
    if (result->accumulators)
        window_measures_add_json(def->window, &def->layout, result->accumulators, &stage->measures_json);
    else
        buf_add_text(&stage->measures_json, "{}");
    const struct window_record record = { .customer_id = customer_id,
                                          .placement = mark->placement,
                                          .window = def->window->name,
                                          .key = buf_slice(&stage->key_json),
                                          .measures = buf_slice(&stage->measures_json),
                                          .start_ms = result->start_ms,
                                          .end_ms = result->end_ms,
                                          .definition = def->window->id,
                                          .events = result->events,
                                          .revision = result->revision,
                                          .kind = record_kind(def->window),
                                          .final = result->final,
                                          .removed = !result->accumulators };
    bool whole = !stage->key_json.full && !stage->measures_json.full;
    char *to = whole ? process_stream_record(stream, window_record_size(&record)) : NULL;
    if (!to)
        return error_set(err, ERR_FULL, "the results of a commit do not fit into it");
    window_record_encode(&record, to);
    counter_add(def->results, 1);
    stage->result_bytes += window_record_size(&record);
    if (stage->results_left)
        stage->results_left--;
    if (stage->result_bytes >= RESULT_BYTES_A_COMMIT)
        stage->results_left = 0;
    return OK;
}

/* ---- sliding: a window is put together from its slices ---- */

enum status window_emit_sliding(struct stage_window *stage, struct window_def *def, uint32_t tenant, struct id128 id,
                                struct slice key, int64_t end_ms, bool final, struct error *err)
{
    struct keyed *rows = stage->options.rows;
    const int64_t begin_ms = end_ms - def->window->size_ms;
    struct window_result result = { .start_ms = begin_ms, .end_ms = end_ms, .final = final, .key = key };
    arena_reset(&stage->scratch);
    void *sum = arena_take(&stage->scratch, def->layout.row_bytes);
    if (!sum)
        return error_set(err, ERR_IO, "out of memory for a window");
    aggregate_init(&def->layout, sum);
    enum status s = OK;
    for (int64_t start_ms = begin_ms; start_ms < end_ms && s == OK; start_ms += def->step_ms) {
        struct keyed_row *row;
        struct keyed_pane *pane = window_pane_find(rows, &def->kind, tenant, start_ms);
        enum status found = pane ? keyed_row_find(rows, pane, id, &row, err) : ERR_NOT_FOUND;
        if (found == ERR_NOT_FOUND)
            continue;
        s = found;
        if (s != OK)
            break;
        struct window_row *data = window_row_of(row);
        aggregate_merge(&def->layout, sum, window_row_accumulators(data));
        result.events += data->events;
        result.revision += row->revision;
    }
    result.revision += final || result.revision == 0;
    result.accumulators = sum;
    if (s == OK)
        s = window_emit(stage, def, tenant, &result, err);
    aggregate_release(&def->layout, sum);
    return s;
}

/* Every window of the slice that the change concerns. One whose lateness the watermark has passed is left as it is: the
 * event was told late for it, and slices of it may be gone. */
static enum status update_sliding(struct stage_window *stage, struct window_def *def, struct keyed_pane *pane,
                                  struct keyed_row *row, struct error *err)
{
    const struct watermark *mark = watermarks_of(
        stage->options.watermarks, keyed_tenant_name(stage->options.rows, pane->tenant), (struct slice){ 0 });
    if (!mark)
        return error_set(err, ERR_IO, "out of memory for watermarks");
    const int64_t closed_ms = (int64_t)pane->words[PANE_END],
                  last_end_ms = window_last_end(pane->start_ms, def->window->size_ms);
    const bool any_closed = pane->words[PANE_FLAGS] & PANE_CLOSED;
    const struct slice key = slice_of(row->key, row->key_n);
    enum status s = OK;
    for (int64_t end_ms = window_first_end(pane->start_ms, def->step_ms); end_ms <= last_end_ms && s == OK;
         end_ms += def->step_ms) {
        bool closed = any_closed && end_ms <= closed_ms;
        bool amendable = closed && window_time_add(end_ms, def->window->lateness_ms) > mark->complete_ms;
        if (amendable || (!closed && def->updates))
            s = window_emit_sliding(stage, def, pane->tenant, row->id, key, end_ms, closed, err);
    }
    return s;
}

/* ---- updates ---- */

static enum status update(struct stage_window *stage, struct keyed_pane *pane, struct keyed_row *row, struct error *err)
{
    struct window_def *def = window_def_of_pane(pane);
    struct window_row *data = window_row_of(row);
    const bool closed = pane->words[PANE_FLAGS] & PANE_CLOSED;
    if (def->session)
        return window_session_update(stage, row, err);
    data->pending = 0;
    row->revision++;
    keyed_row_touch(stage->options.rows, row);
    if (def->window->kind == WINDOW_SLIDING)
        return update_sliding(stage, def, pane, row, err);
    const struct window_result result = { .start_ms = pane->start_ms,
                                          .end_ms = window_first_end(pane->start_ms, def->step_ms),
                                          .events = data->events,
                                          .revision = row->revision + (closed && def->closes),
                                          .final = closed,
                                          .key = slice_of(row->key, row->key_n),
                                          .accumulators = window_row_accumulators(data) };
    return window_emit(stage, def, pane->tenant, &result, err);
}

static void clear_pending(struct stage_window *stage, struct keyed_pane *pane)
{
    if (!(pane->words[PANE_FLAGS] & PANE_PENDING))
        return;
    pane->words[PANE_FLAGS] &= ~(uint64_t)PANE_PENDING;
    keyed_pane_touch(stage->options.rows, pane);
}

static void mark_pending(struct stage_window *stage, struct keyed_pane *pane)
{
    if (pane->words[PANE_FLAGS] & PANE_PENDING)
        return;
    pane->words[PANE_FLAGS] |= PANE_PENDING;
    keyed_pane_touch(stage->options.rows, pane);
}

enum status window_flush_updates(struct stage_window *stage, bool all, struct error *err)
{
    size_t kept = 0;
    enum status s = OK;
    stage->closed_waits = false;
    for (size_t i = 0; i < stage->pending_count; i++) {
        const struct pending_update pending = stage->pending[i];
        struct window_def *def = window_def_of_pane(pending.pane);
        struct keyed_row *row;
        bool due =
            all || stage->now_ms - def->updated_at_ms >= UPDATE_INTERVAL_MS || stage->now_ms < def->updated_at_ms;
        if (!due || stage->results_left == 0 || s != OK) {
            mark_pending(stage, pending.pane);
            stage->closed_waits |= pending.pane->words[PANE_FLAGS] & PANE_CLOSED;
            stage->pending[kept++] = pending;
            continue;
        }
        s = keyed_row_find(stage->options.rows, pending.pane, pending.id, &row, err);
        if (s == OK)
            s = update(stage, pending.pane, row, err);
        if (kept == 0 || stage->pending[kept - 1].pane != pending.pane)
            clear_pending(stage, pending.pane);
    }
    for (size_t d = 0; d < stage->options.defs->count; d++)
        if (stage->now_ms - stage->options.defs->defs[d].updated_at_ms >= UPDATE_INTERVAL_MS)
            stage->options.defs->defs[d].updated_at_ms = stage->now_ms;
    stage->pending_count = kept;
    stage->pending_at_ms = kept ? stage->now_ms + UPDATE_INTERVAL_MS : INT64_MAX;
    stage->more |= kept && stage->results_left == 0;
    for (size_t i = 0; i < kept; i++) /* a pane of which some rows were written and some were not */
        mark_pending(stage, stage->pending[i].pane);
    return s;
}

enum status window_note_change(struct stage_window *stage, struct keyed_pane *pane, struct keyed_row *row,
                               struct error *err)
{
    struct window_row *data = window_row_of(row);
    if (data->pending)
        return OK;
    if (stage->pending_count == PENDING_MAX)
        return update(stage, pane, row, err);
    data->pending = 1;
    stage->closed_waits |= pane->words[PANE_FLAGS] & PANE_CLOSED;
    if (stage->pending_at_ms == INT64_MAX)
        stage->pending_at_ms = stage->now_ms;
    stage->pending[stage->pending_count++] = (struct pending_update){ pane, row->id };
    return OK;
}

struct update_visit {
    struct stage_window *stage;
    enum status status;
    struct error *err;
};

static void visit_update(void *self, struct keyed_row *row)
{
    struct update_visit *visit = self;
    if (visit->status == OK)
        visit->status = update(visit->stage, row->pane, row, visit->err);
}

static enum status recover_pane(struct stage_window *stage, struct error *err)
{
    struct update_visit visit = { stage, OK, err };
    bool done = false;
    enum status s = OK;
    while (s == OK && !done && stage->results_left) {
        size_t rows = stage->results_left < ROWS_A_WALK ? stage->results_left : ROWS_A_WALK;
        s = keyed_pane_walk(stage->options.rows, stage->recovered, &stage->recovered_to, rows, visit_update, &visit,
                            &done, err);
        s = s == OK ? visit.status : s;
    }
    if (s != OK || !done)
        return s;
    clear_pending(stage, stage->recovered);
    stage->recovered = NULL;
    return OK;
}

enum status window_recover_updates(struct stage_window *stage, struct error *err)
{
    enum status s = OK;
    while (s == OK && stage->recovering) {
        struct keyed_pane *pane = stage->recovered;
        for (pane = pane ? pane : keyed_pane_after(stage->options.rows, NULL);
             pane && !(pane->words[PANE_FLAGS] & PANE_PENDING);)
            pane = keyed_pane_after(stage->options.rows, pane);
        if (pane && stage->results_left == 0)
            break;
        if (pane && pane != stage->recovered)
            stage->recovered_to = (struct id128){ 0, 0 };
        stage->recovered = pane;
        stage->recovering = pane != NULL;
        if (pane)
            s = recover_pane(stage, err);
    }
    stage->more |= stage->recovering;
    return s;
}
