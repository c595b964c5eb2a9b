/* Sessions of any key. Time is cut into slices as long as the gap, so that events of a key in one slice are always one
 * session: a row is what one key has in one slice, and a session is a chain of rows in slices that follow one another,
 * each with its first event no farther than the gap behind the last event of the one before. Nothing is ever joined
 * when a late event comes: it is added to the row of its slice, and the chain is another one when it is asked for next.
 * Sums that other partitions send are added the same way, in any order.
 *
 * An event is late when the session that it would be alone is (window_count.c). So once the watermark is beyond all
 * that could be in a slice and in the next one (reach_ms), the slice is folded: rows whose session goes on are merged
 * into the next slice's, the others are over for good. A key has as many rows as slices can still change, however long
 * its sessions are.
 *
 * What was told of a session stands in one of its rows, by where it began. When the chain now begins elsewhere, or has
 * two that were told, the old results are told as removed, before the new one. A key's session that is written only
 * when it is over (emit: close) and goes on after all is told as removed until it is over again. */
#include "process/window/window_stage.h"
#include "process/window/window_time.h"

#define LOOKS_SMALL 1024 /* at a pane within a gap, when it has few rows */
#define LOOKS 16
#define SMALL_ROWS 4096

/* A session as it is now. */
struct session {
    struct keyed_row *first; /* of its rows */
    struct slice key;
    int64_t last_ms;
    uint64_t events;
    uint32_t revision; /* of all that was told of its parts, the greatest */
    size_t rows, told; /* told: so many of the rows have a result that was given */
    bool final;        /* the first row's is the only one, still right in its beginning, and final */
};

static struct window_session *session_of(struct window_def *def, struct keyed_row *row)
{
    return window_row_session(def, window_row_of(row));
}

/* ---- chains ---- */

/* The row of the same key in the slice before (step -1) or behind (1), when it is of the same session; else NULL. */
static enum status neighbour(struct stage_window *stage, struct window_def *def, struct keyed_row *row, int step,
                             struct keyed_row **out, struct error *err)
{
    struct keyed_pane *pane =
        window_pane_find(stage->options.rows, &def->kind, row->pane->tenant, row->pane->start_ms + step * def->step_ms);
    struct keyed_row *other;
    *out = NULL;
    enum status s = pane ? keyed_row_find(stage->options.rows, pane, row->id, &other, err) : ERR_NOT_FOUND;
    if (s != OK)
        return s == ERR_NOT_FOUND ? OK : s;
    struct keyed_row *earlier = step < 0 ? other : row, *later = step < 0 ? row : other;
    if (session_of(def, later)->first_ms - session_of(def, earlier)->last_ms <= def->window->gap_ms)
        *out = other;
    return OK;
}

static void add_part(struct window_def *def, struct keyed_row *row, struct session *session)
{
    const struct window_session *part = session_of(def, row);
    session->last_ms = part->last_ms;
    session->events += window_row_of(row)->events;
    session->told += part->told_ms != WINDOW_UNTOLD;
    session->rows++;
    if (row->revision > session->revision)
        session->revision = row->revision;
}

/* The row's key must be known (keyed.h). */
static enum status session_find(struct stage_window *stage, struct window_def *def, struct keyed_row *row,
                                struct session *out, struct error *err)
{
    struct keyed_row *at = row;
    enum status s = OK;
    *out = (struct session){ .key = slice_of(row->key, row->key_n) };
    for (; s == OK && at; s = neighbour(stage, def, at, -1, &at, err))
        out->first = at;
    for (at = out->first; s == OK && at; s = neighbour(stage, def, at, 1, &at, err))
        add_part(def, at, out);
    if (s != OK)
        return s;
    const struct window_session *first = session_of(def, out->first);
    out->final = out->told == 1 && first->told_ms == first->first_ms && first->final;
    return OK;
}

/* ---- telling ---- */

static enum status tell_removed(struct stage_window *stage, struct window_def *def, const struct session *session,
                                int64_t start_ms, struct error *err)
{
    const struct window_result removed = {
        .start_ms = start_ms, .end_ms = start_ms, .revision = session->revision + 1, .key = session->key
    };
    return window_emit(stage, def, session->first->pane->tenant, &removed, err);
}

/* Takes back what was told of the session's parts and does not begin where it does now, or everything. */
static enum status take_back(struct stage_window *stage, struct window_def *def, const struct session *session,
                             bool everything, struct error *err)
{
    const int64_t start_ms = session_of(def, session->first)->first_ms;
    struct keyed_row *row = session->first;
    enum status s = OK;
    for (; s == OK && row; s = neighbour(stage, def, row, 1, &row, err)) {
        struct window_session *part = session_of(def, row);
        if (part->told_ms == WINDOW_UNTOLD)
            continue;
        if (everything || part->told_ms != start_ms)
            s = tell_removed(stage, def, session, part->told_ms, err);
        part->told_ms = WINDOW_UNTOLD;
        part->final = false;
        row->revision = session->revision + 1;
        keyed_row_touch(stage->options.rows, row);
        if (s != OK)
            break;
    }
    return s;
}

/* All of the session's rows added up; the sum is in the scratch arena and must be released. */
static enum status sum_up(struct stage_window *stage, struct window_def *def, const struct session *session,
                          void **out_sum, struct error *err)
{
    struct keyed_row *row = session->first;
    enum status s = OK;
    arena_reset(&stage->scratch);
    void *sum = *out_sum = arena_take(&stage->scratch, def->layout.row_bytes);
    if (!sum)
        return error_set(err, ERR_IO, "out of memory for a session");
    aggregate_init(&def->layout, sum);
    for (; s == OK && row; s = neighbour(stage, def, row, 1, &row, err))
        aggregate_merge(&def->layout, sum, window_row_accumulators(window_row_of(row)));
    return s;
}

static enum status tell_now(struct stage_window *stage, struct window_def *def, const struct session *session,
                            bool over, struct error *err)
{
    struct window_session *first = session_of(def, session->first);
    struct window_result result = { .start_ms = first->first_ms,
                                    .end_ms = session->last_ms,
                                    .events = session->events,
                                    .revision = session->revision + 1,
                                    .final = over,
                                    .key = session->key,
                                    .accumulators = window_row_accumulators(window_row_of(session->first)) };
    void *sum = NULL;
    enum status s = OK;
    if (session->rows > 1) {
        s = sum_up(stage, def, session, &sum, err);
        result.accumulators = sum;
    }
    if (s == OK)
        s = window_emit(stage, def, session->first->pane->tenant, &result, err);
    if (sum)
        aggregate_release(&def->layout, sum);
    first->told_ms = first->first_ms;
    first->final = over;
    session->first->revision = session->revision + 1;
    keyed_row_touch(stage->options.rows, session->first);
    return s;
}

/* Writes the session, or that there is none (any more) to be shown. */
static enum status tell(struct stage_window *stage, struct window_def *def, const struct session *session, bool over,
                        struct error *err)
{
    const bool shown = over || def->updates;
    enum status s = session->told ? take_back(stage, def, session, !shown, err) : OK;
    return s == OK && shown ? tell_now(stage, def, session, over, err) : s;
}

static bool is_over(const struct window_def *def, int64_t last_ms, int64_t complete_ms)
{
    return complete_ms != WATERMARK_NONE && window_time_add(last_ms, def->window->gap_ms) <= complete_ms;
}

/* ---- counting ---- */

static void set_due(struct stage_window *stage, const struct window_def *def, struct keyed_pane *pane, int64_t due_ms)
{
    if (def->window->processing_time)
        keyed_pane_set_expires(stage->options.rows, pane, due_ms);
    else
        keyed_pane_set_due(stage->options.rows, pane, due_ms);
}

static int64_t due_of(const struct window_def *def, const struct keyed_pane *pane)
{
    return def->window->processing_time ? pane->expires_ms : pane->due_ms;
}

static int64_t fold_ms(const struct window_def *def, const struct keyed_pane *pane)
{
    return window_time_add(window_time_add(pane->start_ms, def->reach_ms), def->window->lateness_ms);
}

/* When the pane is to be looked at for a session whose last event was then: sessions are over one by one, but a pane is
 * looked at as a whole, so not for each. */
static int64_t look_ms(const struct window_def *def, const struct keyed_pane *pane, int64_t last_ms)
{
    const int64_t looks = pane->rows <= SMALL_ROWS ? LOOKS_SMALL : LOOKS, every_ms = (def->step_ms + looks - 1) / looks;
    int64_t over_ms = window_time_add(last_ms, def->window->gap_ms) + def->window->processing_time;
    return window_time_add(window_slice_start(over_ms - 1, every_ms), every_ms);
}

enum status window_session_count(struct stage_window *stage, struct keyed_row *row, bool is_new, int64_t first_ms,
                                 int64_t last_ms, const struct watermark *mark, struct error *err)
{
    struct keyed_pane *pane = row->pane;
    struct window_def *def = window_def_of_pane(pane);
    struct window_session *part = session_of(def, row);
    const int64_t complete_ms = def->window->processing_time ? stage->clock_ms - 1 : mark->complete_ms;
    if (is_new)
        *part = (struct window_session){ .first_ms = first_ms, .last_ms = last_ms, .told_ms = WINDOW_UNTOLD };
    if (first_ms < part->first_ms)
        part->first_ms = first_ms;
    if (last_ms > part->last_ms)
        part->last_ms = last_ms;
    if (due_of(def, pane) == KEYED_NEVER)
        set_due(stage, def, pane, fold_ms(def, pane));
    if (def->closes && !is_over(def, part->last_ms, complete_ms) &&
        look_ms(def, pane, part->last_ms) < due_of(def, pane))
        set_due(stage, def, pane, look_ms(def, pane, part->last_ms));
    /* A result that was final can only change by an event that is behind the watermark. */
    if (def->updates || first_ms <= complete_ms)
        return window_note_change(stage, pane, row, err);
    return OK;
}

enum status window_session_update(struct stage_window *stage, struct keyed_row *row, struct error *err)
{
    struct window_def *def = window_def_of_pane(row->pane);
    const struct watermark *mark = watermarks_of(
        stage->options.watermarks, keyed_tenant_name(stage->options.rows, row->pane->tenant), (struct slice){ 0 });
    struct session session;
    if (!mark)
        return error_set(err, ERR_IO, "out of memory for watermarks");
    window_row_of(row)->pending = 0;
    enum status s = session_find(stage, def, row, &session, err);
    if (s != OK)
        return s;
    int64_t complete_ms = def->window->processing_time ? window_clock_ms(stage) - 1 : mark->complete_ms;
    return tell(stage, def, &session, is_over(def, session.last_ms, complete_ms), err);
}

/* ---- closing ---- */

struct look {
    struct stage_window *stage;
    struct window_def *def;
    int64_t complete_ms, next_ms;
    bool folds;
    enum status status;
    struct error *err;
};

static enum status look_at(struct look *look, struct keyed_row *row, const struct keyed_row *next)
{
    struct window_def *def = look->def;
    const struct window_session *part = session_of(def, row);
    struct session session;
    if (!def->closes || next)
        return OK;
    if (!is_over(def, part->last_ms, look->complete_ms)) {
        int64_t again_ms = look_ms(def, row->pane, part->last_ms);
        look->next_ms = again_ms < look->next_ms ? again_ms : look->next_ms;
        return OK;
    }
    enum status s = session_find(look->stage, def, row, &session, look->err);
    return s == OK && !session.final ? tell(look->stage, def, &session, true, look->err) : s;
}

/* What a fold writes to the changelog counts as results do: a commit must not become too large. */
static void count_fold(struct stage_window *stage, const struct window_def *def, struct keyed_row *row)
{
    stage->result_bytes += aggregate_bytes(&def->layout, window_row_accumulators(window_row_of(row)));
    stage->results_left -= stage->results_left > 0;
    if (stage->result_bytes >= RESULT_BYTES_A_COMMIT)
        stage->results_left = 0;
}

/* Nothing that was told of it is due: what waited was written before the watermark moved. */
static void fold(struct stage_window *stage, struct window_def *def, struct keyed_row *row, struct keyed_row *into)
{
    struct window_session *from = session_of(def, row), *to = session_of(def, into);
    assert(from->told_ms == WINDOW_UNTOLD || to->told_ms == WINDOW_UNTOLD);
    aggregate_merge(&def->layout, window_row_accumulators(window_row_of(into)),
                    window_row_accumulators(window_row_of(row)));
    window_row_of(into)->events += window_row_of(row)->events;
    to->first_ms = from->first_ms;
    if (from->told_ms != WINDOW_UNTOLD) {
        to->told_ms = from->told_ms;
        to->final = from->final;
    }
    if (row->revision > into->revision)
        into->revision = row->revision;
    keyed_row_touch(stage->options.rows, into);
    count_fold(stage, def, into);
}

static void visit_look(void *self, struct keyed_row *row)
{
    struct look *look = self;
    struct keyed_row *next = NULL;
    if (look->status == OK)
        look->status = neighbour(look->stage, look->def, row, 1, &next, look->err);
    if (look->status == OK)
        look->status = look_at(look, row, next);
    if (look->status == OK && look->folds && next)
        fold(look->stage, look->def, row, next);
}

/* All rows of the pane, or as many as the commit can take: a crash between two commits goes on from the cursor. */
static enum status walk(struct look *look, struct keyed_pane *pane, bool *out_done)
{
    struct stage_window *stage = look->stage;
    struct id128 cursor = { pane->words[PANE_CURSOR_LO], pane->words[PANE_CURSOR_HI] };
    enum status s = OK;
    look->next_ms = id_is_empty(cursor) ? INT64_MAX : (int64_t)pane->words[PANE_NEXT_LOOK];
    *out_done = false;
    while (s == OK && !*out_done && stage->results_left) {
        size_t rows = stage->results_left < ROWS_A_WALK ? stage->results_left : ROWS_A_WALK;
        s = keyed_pane_walk(stage->options.rows, pane, &cursor, rows, visit_look, look, out_done, look->err);
        s = s == OK ? look->status : s;
    }
    pane->words[PANE_CURSOR_LO] = *out_done ? 0 : cursor.lo;
    pane->words[PANE_CURSOR_HI] = *out_done ? 0 : cursor.hi;
    pane->words[PANE_NEXT_LOOK] = (uint64_t)look->next_ms;
    keyed_pane_touch(stage->options.rows, pane);
    return s;
}

enum status window_session_close(struct stage_window *stage, struct window_def *def, struct keyed_pane *pane,
                                 int64_t complete_ms, bool *out_done, struct error *err)
{
    const int64_t last_ms = fold_ms(def, pane);
    struct look look = {
        .stage = stage, .def = def, .complete_ms = complete_ms, .folds = due_of(def, pane) >= last_ms, .err = err
    };
    enum status s = walk(&look, pane, out_done);
    if (s != OK || !*out_done)
        return s;
    if (look.folds)
        keyed_pane_drop(stage->options.rows, pane);
    else
        set_due(stage, def, pane, look.next_ms < last_ms ? look.next_ms : last_ms);
    return OK;
}

/* ---- those that go on ---- */

struct open_visit {
    struct stage_window *stage;
    struct window_def *def;
    int64_t complete_ms;
    void (*visit)(void *self, const struct window_open_session *session);
    void *self;
    enum status status;
    struct error *err;
};

/* Once for each session: at its last row. */
static void visit_open(void *self, struct keyed_row *row)
{
    struct open_visit *open = self;
    struct session session;
    if (open->status != OK || is_over(open->def, session_of(open->def, row)->last_ms, open->complete_ms))
        return;
    open->status = session_find(open->stage, open->def, row, &session, open->err);
    if (open->status != OK || session.last_ms != session_of(open->def, row)->last_ms)
        return;
    const struct window_open_session told = { open->def->window, session.key,
                                              session_of(open->def, session.first)->first_ms };
    open->visit(open->self, &told);
}

/* The walk's pane, or the next one of a session window; NULL: none is left. */
static struct keyed_pane *session_pane(struct stage_window *stage, struct keyed_pane *pane)
{
    while (pane && !window_def_of_pane(pane)->session)
        pane = keyed_pane_after(stage->options.rows, pane);
    return pane;
}

enum status stage_window_open_sessions(struct stage_window *stage, struct stage_window_walk *walk, size_t rows_max,
                                       void (*visit)(void *self, const struct window_open_session *session), void *self,
                                       bool *out_done, struct error *err)
{
    struct keyed_pane *pane = walk->begun ? walk->pane : keyed_pane_after(stage->options.rows, NULL);
    enum status s = OK;
    walk->begun = true;
    pane = session_pane(stage, pane);
    *out_done = !pane;
    if (pane) {
        const struct watermark *mark = watermarks_of(
            stage->options.watermarks, keyed_tenant_name(stage->options.rows, pane->tenant), (struct slice){ 0 });
        if (!mark)
            return error_set(err, ERR_IO, "out of memory for watermarks");
        struct open_visit open = { stage, window_def_of_pane(pane), mark->complete_ms, visit, self, OK, err };
        bool done = false;
        s = keyed_pane_walk(stage->options.rows, pane, &walk->cursor, rows_max, visit_open, &open, &done, err);
        s = s == OK ? open.status : s;
        if (done) {
            pane = keyed_pane_after(stage->options.rows, pane);
            walk->cursor = (struct id128){ 0, 0 };
        }
    }
    walk->pane = pane;
    return s;
}
