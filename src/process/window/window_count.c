/* Definition by definition over the batch: first which slice and row each event belongs to (its hit), then, with the
 * rows' cache lines fetched ahead, the adding. An event is late for a window when the tenant's watermark had passed the
 * window's end, and the allowed lateness, before it came; it is then told in TOPIC_LATE, with the window it missed. */
#include "process/window/window_stage.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "event/late_record.h"
#include "process/window/window_key.h"
#include "process/window/window_measures.h"
#include "process/window/window_partial.h"
#include "process/window/window_time.h"

#define AHEAD_SLOT 16
#define AHEAD_ROW 8

struct tally {
    uint64_t counted, late, filtered;
};

/* ---- which slice, which row ---- */

/* Events of one key and slice; what they are late for. */
struct missed {
    const struct event *event;
    struct slice key;
    int64_t time_ms;
    uint32_t events;
};

static enum status tell_late(struct stage_window *stage, const struct window_def *def, const struct missed *missed,
                             int64_t start_ms, int64_t end_ms, int64_t watermark_ms, struct error *err)
{
    struct process_stream *stream = process_outputs_stream(stage->outputs, TOPIC_LATE, stage->options.partition);
    buf_reset(&stage->key_json);
    window_key_add_json(def->window, missed->key, &stage->key_json);
    const struct late_record record = { .window = def->window->name,
                                        .key = buf_slice(&stage->key_json),
                                        .start_ms = start_ms,
                                        .end_ms = end_ms,
                                        .watermark_ms = watermark_ms,
                                        .events = missed->events,
                                        .event = *missed->event };
    char *to = stage->key_json.full ? NULL : process_stream_record(stream, late_record_size(&record));
    if (!to)
        return error_set(err, ERR_FULL, "the late events of a commit do not fit into it");
    late_record_encode(&record, to);
    return OK;
}

/* The end of the last window that an event counts in. A session that is the event alone ends a gap later: whether
 * others are near it does not matter, so that what is late depends on nothing but times. */
static int64_t last_end(const struct window_def *def, int64_t time_ms)
{
    return def->session ? window_time_add(time_ms, def->step_ms)
                        : window_last_end(window_slice_start(time_ms, def->step_ms), def->window->size_ms);
}

/* Whether all windows of an event of that time are beyond their lateness. */
static bool is_late(const struct window_def *def, int64_t time_ms, int64_t watermark_ms)
{
    return !def->window->processing_time && watermark_ms != WATERMARK_NONE &&
           window_time_add(last_end(def, time_ms), def->window->lateness_ms) <= watermark_ms;
}

/* Tells the events late for those of their windows that are. */
static enum status tell_missed(struct stage_window *stage, const struct window_def *def, const struct missed *missed,
                               int64_t watermark_ms, struct error *err)
{
    const struct window *window = def->window;
    const int64_t time_ms = missed->time_ms;
    if (def->session)
        return is_late(def, time_ms, watermark_ms)
                   ? tell_late(stage, def, missed, time_ms, last_end(def, time_ms), watermark_ms, err)
                   : OK;
    const int64_t start_ms = window_slice_start(time_ms, def->step_ms);
    const int64_t first_end_ms = window_first_end(start_ms, def->step_ms);
    int64_t missed_end_ms = window_last_end(start_ms, window->size_ms);
    if (window->processing_time || watermark_ms == WATERMARK_NONE)
        return OK;
    while (missed_end_ms >= first_end_ms && window_time_add(missed_end_ms, window->lateness_ms) > watermark_ms)
        missed_end_ms -= def->step_ms;
    if (missed_end_ms < first_end_ms)
        return OK;
    return tell_late(stage, def, missed, first_end_ms - window->size_ms, missed_end_ms, watermark_ms, err);
}

/* By this partition's own watermark, or for its own keys by the one that windows were closed by, which is ahead while
 * this partition was silent. Of the windows of a slice that can still take the event some may be closed for good;
 * which, the owner of the key knows. */
static enum status judge(struct stage_window *stage, const struct window_def *def, const struct event *event,
                         const struct window_hit *hit, size_t n, bool *out_late, struct error *err)
{
    const int64_t complete_ms = stage->marks[n]->complete_ms;
    const bool own = hit->owner == stage->options.partition;
    const struct missed missed = { event, slice_of(hit->key, hit->key_n), hit->time_ms, 1 };
    *out_late = is_late(def, hit->time_ms, stage->marks_ms[n]);
    if (*out_late)
        return tell_missed(stage, def, &missed, stage->marks_ms[n], err);
    *out_late = own && is_late(def, hit->time_ms, complete_ms);
    return own ? tell_missed(stage, def, &missed, complete_ms, err) : OK;
}

static struct id128 row_id(uint64_t seed, const struct window_def *def, struct slice key)
{
    XXH128_hash_t hash = XXH3_128bits_withSeed(key.p, key.n, seed ^ def->window->id);
    struct id128 id = { hash.low64, hash.high64 };
    if (id_is_empty(id))
        id.lo = 1;
    return id;
}

/* Who owns the key: the same for every partition, so not by the partition's own seed. */
static uint16_t owner_of(const struct stage_window *stage, const struct window_def *def, struct slice customer_id,
                         struct slice key)
{
    if (def->local)
        return stage->options.partition;
    uint64_t seed = XXH3_64bits_withSeed(customer_id.p, customer_id.n, def->window->id);
    return (uint16_t)(XXH3_64bits_withSeed(key.p, key.n, seed) % stage->options.partitions);
}

static bool make_key(const struct window_def *def, const struct value *values, struct process_batch *batch,
                     struct window_hit *hit)
{
    const struct window *window = def->window;
    char *begin = arena_take(batch->arena, WINDOW_KEY_BYTES_MAX), *at = begin;
    if (!begin)
        return false;
    for (size_t i = 0; i < window->key_count; i++)
        at = window_key_add(at, expr_eval(window->keys[i].value, values, batch->arena));
    hit->key = begin;
    hit->key_n = (uint16_t)(at - begin);
    return true;
}

static struct keyed_pane *pane_of(struct stage_window *stage, struct window_def *def, struct watermark *mark,
                                  int64_t start_ms)
{
    bool is_new;
    struct keyed_pane *pane =
        keyed_pane_get(stage->options.rows, &def->kind, window_tenant(stage, mark), start_ms, true, &is_new);
    if (is_new && !def->session)
        window_pane_opened(stage, def, pane, mark);
    return pane;
}

/* The hits of one definition. */
static enum status find_hits(struct stage_window *stage, struct window_def *def, struct process_batch *batch,
                             struct tally *tally, size_t *out_count, struct error *err)
{
    const struct window *window = def->window;
    const size_t fields = stage->options.defs->domains->fields->count;
    const int64_t clock_ms = window->processing_time ? window_clock_ms(stage) : 0;
    struct keyed_pane *pane = NULL;
    const struct watermark *pane_mark = NULL;
    size_t count = 0;
    for (size_t n = 0; n < batch->live_count; n++) {
        const struct event *event = &batch->events[batch->live[n]];
        const struct value *values = stage->values + n * fields;
        struct window_hit *hit = &stage->hits[count];
        int64_t time_ms = window->processing_time ? clock_ms : event->timestamp_ms;
        bool late = false;
        if ((window->selective && !tenant_has_domain(batch->domains[batch->live[n]], window->domain_place)) ||
            (window->tenant_count && !window_def_wants(def, event->customer_id)) ||
            (window->where && !value_is_true(expr_eval(window->where, values, batch->arena)))) {
            tally->filtered++;
            continue;
        }
        *hit = (struct window_hit){ .event = (uint32_t)n,
                                    .start_ms = window_slice_start(time_ms, def->step_ms),
                                    .time_ms = time_ms };
        if (!make_key(def, values, batch, hit))
            return error_set(err, ERR_FULL, "the keys of a batch do not fit into its arena");
        struct slice key = slice_of(hit->key, hit->key_n);
        hit->owner = owner_of(stage, def, event->customer_id, key);
        enum status s = judge(stage, def, event, hit, n, &late, err);
        if (s != OK)
            return s;
        if (late) {
            tally->late++;
            continue;
        }
        tally->counted += hit->owner == stage->options.partition; /* the others are where they are added */
        hit->id = row_id(stage->options.seed, def, key);
        if (hit->owner == stage->options.partition) {
            if (!pane || pane->start_ms != hit->start_ms || pane_mark != stage->marks[n])
                pane = pane_of(stage, def, stage->marks[n], hit->start_ms);
            pane_mark = stage->marks[n];
            hit->pane = pane;
        }
        count++;
    }
    *out_count = count;
    return OK;
}

/* ---- adding ---- */

static enum status add_to_row(struct stage_window *stage, struct window_def *def, const struct window_hit *hit,
                              const struct aggregate_value *inputs, const struct event *event, uint64_t tie_breaker,
                              struct error *err)
{
    struct keyed_row *row;
    bool is_new;
    enum status s =
        keyed_row_get(stage->options.rows, hit->pane, hit->id, slice_of(hit->key, hit->key_n), &row, &is_new, err);
    if (s != OK)
        return s;
    struct window_row *data = window_row_of(row);
    if (is_new)
        aggregate_init(&def->layout, window_row_accumulators(data));
    data->events++;
    aggregate_add(&def->layout, window_row_accumulators(data), inputs, event->timestamp_ms, tie_breaker);
    keyed_row_touch(stage->options.rows, row);
    if (def->session)
        return window_session_count(stage, row, is_new, hit->time_ms, hit->time_ms, stage->marks[hit->event], err);
    if (def->updates || hit->pane->words[PANE_FLAGS] & PANE_CLOSED)
        return window_note_change(stage, hit->pane, row, err);
    return OK;
}

static struct id128 combined_id(struct id128 id, uint64_t tenant_hash, int64_t start_ms)
{
    const uint64_t parts[4] = { id.lo, id.hi, tenant_hash, (uint64_t)start_ms };
    XXH128_hash_t hash = XXH3_128bits(parts, sizeof parts);
    return (struct id128){ hash.low64, hash.high64 };
}

static enum status add_to_combiner(struct stage_window *stage, struct window_def *def, const struct window_hit *hit,
                                   const struct aggregate_value *inputs, const struct event *event,
                                   uint64_t tie_breaker, struct error *err)
{
    bool is_new = false;
    struct id128 id = combined_id(hit->id, stage->marks[hit->event]->hash, hit->start_ms);
    struct combiner_entry *entry = combiner_entry(&stage->combiner, id, &is_new);
    const struct combiner_entry what = { .layout = &def->layout,
                                         .owner = hit->owner,
                                         .definition = def->window->id,
                                         .start_ms = def->session ? hit->time_ms : hit->start_ms,
                                         .end_ms = def->session ? hit->time_ms : hit->start_ms,
                                         .customer_id = event->customer_id,
                                         .placement = event->placement,
                                         .key = slice_of(hit->key, hit->key_n) };
    if (!entry || (is_new && !combiner_fill(&stage->combiner, entry, &what)))
        return error_set(err, ERR_FULL, "the partials of a commit exceed their bound");
    if (what.start_ms < entry->start_ms)
        entry->start_ms = what.start_ms;
    if (what.end_ms > entry->end_ms)
        entry->end_ms = what.end_ms;
    entry->events++;
    aggregate_add(&def->layout, entry->row, inputs, event->timestamp_ms, tie_breaker);
    return OK;
}

static void prefetch(const struct stage_window *stage, size_t i, size_t count)
{
    if (i + AHEAD_SLOT < count && stage->hits[i + AHEAD_SLOT].pane)
        keyed_prefetch(stage->hits[i + AHEAD_SLOT].pane, stage->hits[i + AHEAD_SLOT].id);
    if (i + AHEAD_ROW < count && stage->hits[i + AHEAD_ROW].pane)
        keyed_prefetch_row(stage->hits[i + AHEAD_ROW].pane, stage->hits[i + AHEAD_ROW].id);
}

/* After a restart, or beyond the memory's bound, rows may lie in the map alone: those of the batch come in one read. */
static enum status load_rows(struct stage_window *stage, size_t count, struct error *err)
{
    enum status s = OK;
    for (size_t begin = 0, end; begin < count && s == OK; begin = end) {
        struct keyed_pane *pane = stage->hits[begin].pane;
        size_t ids = 0;
        for (end = begin; end < count && stage->hits[end].pane == pane; end++)
            stage->wanted[ids++] = stage->hits[end].id;
        if (pane && !keyed_pane_is_complete(pane))
            s = keyed_load(stage->options.rows, pane, stage->wanted, ids, err);
    }
    return s;
}

static enum status add_hits(struct stage_window *stage, struct window_def *def, struct process_batch *batch,
                            size_t count, struct error *err)
{
    const size_t fields = stage->options.defs->domains->fields->count;
    enum status s = load_rows(stage, count, err);
    for (size_t i = 0; i < AHEAD_SLOT && i < count; i++)
        if (stage->hits[i].pane)
            keyed_prefetch(stage->hits[i].pane, stage->hits[i].id);
    for (size_t i = 0; i < count && s == OK; i++) {
        const struct window_hit *hit = &stage->hits[i];
        const struct event *event = &batch->events[batch->live[hit->event]];
        uint64_t tie_breaker = 0;
        prefetch(stage, i, count);
        if (!def->layout.only_count) {
            window_measures_inputs(def->window, stage->values + hit->event * fields, batch->arena, stage->inputs);
            tie_breaker = XXH3_64bits(event->event_id.p, event->event_id.n);
        }
        s = hit->pane ? add_to_row(stage, def, hit, stage->inputs, event, tie_breaker, err)
                      : add_to_combiner(stage, def, hit, stage->inputs, event, tie_breaker, err);
    }
    return s;
}

/* The tenants' watermarks move with the events, and each event is judged by where they stand when it comes. */
static enum status look_at_times(struct stage_window *stage, const struct process_batch *batch, struct error *err)
{
    struct watermark *mark = NULL;
    for (size_t n = 0; n < batch->live_count; n++) {
        const struct event *event = &batch->events[batch->live[n]];
        if (!mark || !slice_equal(mark->customer_id, event->customer_id))
            mark = watermarks_of(stage->options.watermarks, event->customer_id, event->placement);
        if (!mark)
            return error_set(err, ERR_IO, "out of memory for watermarks");
        watermarks_event(stage->options.watermarks, mark, event->timestamp_ms, batch->now_ms);
        stage->marks[n] = mark;
        stage->marks_ms[n] = mark->value_ms;
    }
    return OK;
}

enum status window_count_batch(struct stage_window *stage, struct process_batch *batch, struct error *err)
{
    const struct window_defs *defs = stage->options.defs;
    const struct field_plan *fields = defs->domains ? defs->domains->fields : NULL;
    enum status s = look_at_times(stage, batch, err);
    for (size_t n = 0; s == OK && defs->count && n < batch->live_count; n++)
        field_plan_fill(fields, &batch->events[batch->live[n]], batch->arena, stage->values + n * fields->count);
    for (size_t d = 0; d < defs->count && s == OK; d++) {
        struct window_def *def = &defs->defs[d];
        struct tally tally = { 0 };
        size_t count = 0;
        s = find_hits(stage, def, batch, &tally, &count, err);
        if (s == OK)
            s = add_hits(stage, def, batch, count, err);
        counter_add(def->counted, tally.counted);
        counter_add(def->late, tally.late);
        counter_add(def->filtered, tally.filtered);
    }
    return s;
}

/* ---- partials ---- */

/* Windows of the slice were closed, which happens only when its sender had long been silent: the events are told as
 * late in one record, their bytes are in events_raw. */
static enum status tell_partial_missed(struct stage_window *stage, struct window_def *def,
                                       const struct window_partial *partial, const struct watermark *mark,
                                       struct error *err)
{
    const struct event event = { .customer_id = partial->customer_id,
                                 .placement = partial->placement,
                                 .properties = SLICE("{}"),
                                 .context = SLICE("{}"),
                                 .timestamp_ms = partial->end_ms,
                                 .received_ms = stage->now_ms };
    const struct missed missed = { &event, partial->key, partial->end_ms, (uint32_t)partial->events };
    return tell_missed(stage, def, &missed, mark->complete_ms, err);
}

static enum status merge_row(struct window_def *def, struct window_row *data, const struct window_partial *partial,
                             bool is_new, struct error *err)
{
    _Alignas(16) char other[4096];
    assert(def->layout.row_bytes <= sizeof other);
    if (is_new)
        aggregate_init(&def->layout, window_row_accumulators(data));
    enum status s = aggregate_decode(&def->layout, partial->row, other, err);
    if (s != OK)
        return s;
    aggregate_merge(&def->layout, window_row_accumulators(data), other);
    aggregate_release(&def->layout, other);
    data->events += partial->events;
    return OK;
}

enum status window_count_partial(struct stage_window *stage, struct window_def *def,
                                 const struct window_partial *partial, struct watermark *mark, struct error *err)
{
    struct keyed_row *row;
    bool is_new;
    enum status s = tell_partial_missed(stage, def, partial, mark, err);
    if (s != OK)
        return s;
    if (is_late(def, partial->end_ms, mark->complete_ms)) {
        counter_add(def->late, partial->events);
        return OK;
    }
    counter_add(def->counted, partial->events);
    /* By the clock an event happens when it is counted: the sender's window may be closed by now. */
    const bool by_clock = def->window->processing_time;
    const int64_t clock_ms = by_clock ? window_clock_ms(stage) : 0, first_ms = by_clock ? clock_ms : partial->start_ms,
                  last_ms = by_clock ? clock_ms : partial->end_ms;
    struct keyed_pane *pane = pane_of(stage, def, mark, window_slice_start(first_ms, def->step_ms));
    s = keyed_row_get(stage->options.rows, pane, row_id(stage->options.seed, def, partial->key), partial->key, &row,
                      &is_new, err);
    if (s == OK)
        s = merge_row(def, window_row_of(row), partial, is_new, err);
    if (s != OK)
        return s;
    keyed_row_touch(stage->options.rows, row);
    if (def->session)
        return window_session_count(stage, row, is_new, first_ms, last_ms, mark, err);
    if (def->updates || pane->words[PANE_FLAGS] & PANE_CLOSED)
        return window_note_change(stage, pane, row, err);
    return OK;
}
