#include "process/stage_window.h"

#include <stdlib.h>

#include "base/log.h"
#include "process/window/window_partial.h"
#include "process/window/window_stage.h"
#include "process/window/window_time.h"

#define JSON_BYTES_MAX (1u << 20) /* of one result's key or measures */
#define SCRATCH_BYTES (1u << 20)
#define CLOCK_STEP_MS 10000
#define PARTIALS_A_COMMIT 32768 /* at the least */
#define TICK_MS 1000
#define CLOCK_AHEAD_MS (24 * 3600 * 1000) /* of the wall clock: more is a mistake that a restart ends */

/* Windows that were half closed, and updates that waited, when the task was cut off. */
static void look_at_restored(struct stage_window *stage)
{
    struct watermark *mark;
    for (struct keyed_pane *pane = NULL; (pane = keyed_pane_after(stage->options.rows, pane));)
        stage->recovering |= pane->words[PANE_FLAGS] & PANE_PENDING;
    for (size_t i = 0; (mark = watermarks_at(stage->options.watermarks, i)); i++)
        stage->closing |= mark->complete_ms != WATERMARK_NONE &&
                          keyed_due_ms(stage->options.rows, window_tenant(stage, mark)) <= mark->complete_ms;
    stage->more = stage->recovering || stage->closing;
}

/* Room for two batches at the least, so that a commit has one and still goes on. */
static size_t combiner_size(size_t partials_max)
{
    size_t entries = PARTIALS_A_COMMIT;
    while (entries < 2 * partials_max)
        entries *= 2;
    return entries;
}

struct stage_window *stage_window_new(const struct stage_window_options *options)
{
    struct stage_window *stage = calloc(1, sizeof *stage);
    const struct domain_set *domains = options->defs->domains;
    size_t fields = domains && domains->fields && domains->fields->count ? domains->fields->count : 1;
    if (!stage)
        abort();
    stage->options = *options;
    stage->values = calloc(PROCESS_BATCH_MAX * fields, sizeof *stage->values);
    stage->inputs = calloc(WINDOW_MEASURES_MAX, sizeof *stage->inputs);
    stage->pending = calloc(PENDING_MAX, sizeof *stage->pending);
    stage->gathered = calloc(GATHER_IDS, sizeof *stage->gathered);
    if (!stage->values || !stage->inputs || !stage->pending || !stage->gathered)
        abort();
    stage->pending_at_ms = stage->untold_at_ms = INT64_MAX;
    stage->partials_max = PROCESS_BATCH_MAX * window_defs_foreign(options->defs);
    combiner_init(&stage->combiner, combiner_size(stage->partials_max));
    buf_init(&stage->key_json, JSON_BYTES_MAX);
    buf_init(&stage->measures_json, JSON_BYTES_MAX);
    arena_init(&stage->scratch, SCRATCH_BYTES);
    if (stage->options.results_max == 0 || stage->options.results_max > RESULTS_A_COMMIT)
        stage->options.results_max = RESULTS_A_COMMIT;
    stage->clock_ms = watermarks_clock_ms(options->watermarks);
    look_at_restored(stage);
    return stage;
}

void stage_window_free(struct stage_window *stage)
{
    if (!stage)
        return;
    combiner_done(&stage->combiner);
    buf_done(&stage->key_json);
    buf_done(&stage->measures_json);
    arena_done(&stage->scratch);
    free(stage->gathered);
    free(stage->values);
    free(stage->inputs);
    free(stage->pending);
    free(stage);
}

/* A wall clock that was set back would open windows in processing time again that gave their final result. So theirs
 * goes on from where it was, at the pace of the wall clock, until that has caught up; after a restart, too, unless it
 * was so far ahead that it would not for long. */
static void set_clock(struct stage_window *stage, int64_t now_ms)
{
    const int64_t passed_ms = now_ms - stage->now_ms;
    if (stage->now_ms == 0 && stage->clock_ms > now_ms + CLOCK_AHEAD_MS) {
        log_warn(
            "windows.clock_was_ahead",
            "partition=%u by_s=%lld: windows in processing time go by the wall clock again and may tell a window twice",
            stage->options.partition, (long long)((stage->clock_ms - now_ms) / 1000));
        stage->clock_ms = now_ms;
        watermarks_clock_set(stage->options.watermarks, now_ms);
    }
    if (passed_ms > 0 && passed_ms < CLOCK_STEP_MS) /* more: it was set, or all rested */
        stage->clock_ms += passed_ms;
    if (stage->clock_ms < now_ms)
        stage->clock_ms = now_ms;
    stage->now_ms = now_ms;
}

enum status stage_window_run(void *self, struct process_batch *batch, struct error *err)
{
    struct stage_window *stage = self;
    stage->outputs = batch->outputs;
    set_clock(stage, batch->now_ms);
    return window_count_batch(stage, batch, err);
}

enum status stage_window_partial(struct stage_window *stage, struct slice record, int64_t now_ms,
                                 struct process_outputs *outputs, struct error *err)
{
    struct window_partial partial;
    stage->outputs = outputs;
    set_clock(stage, now_ms);
    enum status s = window_partial_decode(record, &partial, err);
    if (s != OK)
        return s;
    if (partial.from >= stage->options.partitions)
        return error_set(err, ERR_CORRUPT, "a partial comes from partition %u of %u", partial.from,
                         stage->options.partitions);
    struct watermark *mark = watermarks_of(stage->options.watermarks, partial.customer_id, partial.placement);
    if (!mark)
        return error_set(err, ERR_IO, "out of memory for watermarks");
    watermarks_hear(stage->options.watermarks, mark, partial.from, partial.watermark_ms, now_ms);
    struct window_def *def = window_defs_find(stage->options.defs, partial.definition);
    /* A definition that is not there any more: its results are of no use to anybody. */
    return def ? window_count_partial(stage, def, &partial, mark, err) : OK;
}

/* ---- once a commit ---- */

/* The other partitions are told how far this one is, so that they can close what waits for it. */
static enum status tell_watermark(struct stage_window *stage, struct watermark *mark, struct error *err)
{
    const struct window_partial partial = { .from = stage->options.partition,
                                            .watermark_ms = mark->value_ms,
                                            .customer_id = mark->customer_id,
                                            .placement = mark->placement };
    for (uint16_t p = 0; p < stage->options.partitions; p++) {
        if (p == stage->options.partition)
            continue;
        struct process_stream *stream = process_outputs_stream(stage->outputs, TOPIC_REKEYED, p);
        char *to = process_stream_record(stream, window_partial_head_size(&partial));
        if (!to)
            return error_set(err, ERR_FULL, "the watermarks of a commit do not fit into it");
        window_partial_encode_head(&partial, to);
    }
    mark->sent_ms = mark->value_ms;
    mark->sent_at_ms = stage->now_ms;
    return OK;
}

static enum status tell_watermarks(struct stage_window *stage, struct error *err)
{
    struct watermark *mark;
    enum status s = OK;
    size_t left = WATERMARKS_A_COMMIT;
    if (stage->options.partitions == 1 || !window_defs_foreign(stage->options.defs))
        return OK;
    for (size_t i = 0; s == OK && (mark = watermarks_at(stage->options.watermarks, i)); i++) {
        if (mark->value_ms == WATERMARK_NONE || mark->value_ms == mark->sent_ms)
            continue;
        if (left == 0) {
            stage->more = true;
            break;
        }
        if (stage->now_ms - mark->sent_at_ms >= WATERMARK_INTERVAL_MS || stage->now_ms < mark->sent_at_ms) {
            s = tell_watermark(stage, mark, err);
            left--;
        } else if (mark->sent_at_ms + WATERMARK_INTERVAL_MS < stage->untold_at_ms)
            stage->untold_at_ms = mark->sent_at_ms + WATERMARK_INTERVAL_MS;
    }
    return s;
}

static enum status close_windows(struct stage_window *stage, struct error *err)
{
    struct watermark *mark;
    enum status s = OK;
    stage->closing = false;
    for (size_t i = 0; s == OK && (mark = watermarks_at(stage->options.watermarks, i)); i++)
        s = window_close_due(stage, mark, err);
    if (s == OK)
        s = window_close_expired(stage, err);
    stage->more |= stage->closing;
    return s;
}

enum status stage_window_flush(void *self, struct process_outputs *outputs, struct error *err)
{
    struct stage_window *stage = self;
    stage->outputs = outputs;
    stage->results_left = stage->options.results_max;
    stage->result_bytes = 0;
    stage->more = false;
    stage->untold_at_ms = INT64_MAX;
    enum status s = combiner_flush(&stage->combiner, stage->options.partition, outputs, err);
    if (s == OK)
        s = tell_watermarks(stage, err);
    if (s == OK)
        s = window_recover_updates(stage, err);
    if (s == OK)
        s = window_flush_updates(stage, false, err);
    return s == OK && !stage->recovering ? close_windows(stage, err) : s;
}

bool stage_window_is_full(const struct stage_window *stage)
{
    return !combiner_has_room(&stage->combiner, stage->partials_max);
}

bool stage_window_is_closing(const struct stage_window *stage)
{
    return stage->closing || stage->recovering;
}

/* ---- time ---- */

/* Windows of other partitions wait for this one, too: until everything that its events can be in has ended. */
static int64_t foreign_due_ms(const struct stage_window *stage, const struct watermark *mark)
{
    int64_t span_ms = -1;
    for (size_t d = 0; d < stage->options.defs->count; d++) {
        const struct window_def *def = &stage->options.defs->defs[d];
        int64_t ms = window_time_add(def->reach_ms, def->window->lateness_ms);
        if (!def->local && !def->window->processing_time && ms > span_ms)
            span_ms = ms;
    }
    if (span_ms < 0 || mark->newest_ms == WATERMARK_NONE || mark->newest_ms > INT64_MAX - span_ms)
        return INT64_MAX;
    int64_t due_ms = mark->newest_ms + span_ms;
    return mark->value_ms < due_ms ? due_ms : INT64_MAX;
}

static int64_t due_of(void *self, const struct watermark *mark)
{
    struct stage_window *stage = self;
    int64_t here_ms = mark->tenant ? keyed_due_ms(stage->options.rows, mark->tenant - 1) : INT64_MAX;
    int64_t there_ms = foreign_due_ms(stage, mark);
    return here_ms < there_ms ? here_ms : there_ms;
}

static bool anything_is_due(struct stage_window *stage)
{
    struct watermark *mark;
    for (size_t i = 0; (mark = watermarks_at(stage->options.watermarks, i)); i++)
        if (mark->tenant && keyed_pane_next_due(stage->options.rows, mark->tenant - 1,
                                                watermarks_reached(stage->options.watermarks, mark, stage->now_ms)))
            return true;
    return false;
}

bool stage_window_tick(struct stage_window *stage, int64_t now_ms)
{
    if (stage->options.defs->count == 0)
        return false;
    set_clock(stage, now_ms);
    if (stage->more || now_ms >= stage->pending_at_ms || now_ms >= stage->untold_at_ms ||
        keyed_pane_next_expired(stage->options.rows, stage->clock_ms))
        return true;
    if (now_ms < stage->tick_at_ms && stage->tick_at_ms - now_ms <= TICK_MS)
        return false;
    stage->tick_at_ms = now_ms + TICK_MS;
    watermarks_tick(stage->options.watermarks, now_ms, due_of, stage);
    return watermarks_changed(stage->options.watermarks) != NULL || anything_is_due(stage);
}

int64_t stage_window_wake_ms(const struct stage_window *stage)
{
    int64_t wake_ms = stage->tick_at_ms;
    if (stage->options.defs->count == 0)
        return INT64_MAX;
    if (stage->pending_at_ms < wake_ms)
        wake_ms = stage->pending_at_ms;
    return stage->untold_at_ms < wake_ms ? stage->untold_at_ms : wake_ms;
}
