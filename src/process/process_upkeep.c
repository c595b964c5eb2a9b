/* What a task does beside processing, in bounded pieces between its batches: state files, checkpoints, gauges, the live
 * feed. None of it can fail the task: the journal holds the truth, so trouble here is counted, logged and tried again.
 *
 * A checkpoint begins when no commit is with the journal: then everything in the changelog is durable, is numbered
 * below durable_next, and stands before the journal's end. It settles in pieces while events go on. */
#include "process/process_task_state.h"
#include "world/world.h"

/* An idle partition moves its marks only when it would hold back so much of the journal. */
#define MARK_BYTES (1u << 20)
#define GAUGES_INTERVAL_US 100000
#define DELAYS_INTERVAL_US 1000000
#define ROOM_INTERVAL_US 1000000
#define LOG_INTERVAL_US 10000000
#define UPKEEP_WAIT_US 20000
#define PIECES_MAX 8

/* One bounded piece of each state's own. */
static enum status maintain_all(struct process_task *task, bool *out_more, struct error *err)
{
    *out_more = false;
    for (size_t i = 0; i < PROCESS_STATES; i++) {
        bool more_here;
        enum status s = task->states.all[i]->ops->maintain(task->states.all[i], &more_here, err);
        if (s != OK && s != ERR_RETRY)
            return s;
        *out_more |= more_here;
    }
    return OK;
}

/* How many pieces in a row: a checkpoint that falls behind the changes takes a larger share of the task, so that a
 * replay stays short, however fast events come. */
static unsigned pieces(const struct process_task *task)
{
    if (!state_base_is_settling(task->states.base))
        return 1;
    uint64_t late = task->changed_bytes * PIECES_MAX * 2 / task->options.checkpoint_bytes;
    return 1 + (late < PIECES_MAX ? (unsigned)late : PIECES_MAX);
}

bool process_upkeep_maintain(struct process_task *task, struct world *world, int64_t *wake_us)
{
    struct error err = { 0 };
    bool more = true;
    int64_t now_us = world_mono_us(world);
    if (now_us < task->maintain_at_us) {
        process_wake_at(wake_us, task->maintain_at_us);
        return false;
    }
    for (unsigned left = pieces(task); left > 0 && more; left--) {
        if (maintain_all(task, &more, &err) == OK)
            continue;
        uint64_t skipped;
        task->maintain_at_us = retry_next_us(&task->maintain_retry, world);
        process_wake_at(wake_us, task->maintain_at_us);
        if (log_limit_pass(&task->checkpoint_log, now_us, LOG_INTERVAL_US, &skipped))
            log_warn("process.upkeep_failed", "partition=%u skipped=%llu error=\"%s\"", task->partition,
                     (unsigned long long)skipped, err.text);
        return false;
    }
    retry_reset(&task->maintain_retry);
    return more;
}

static void checkpoint_failed(struct process_task *task, struct world *world, enum status s, const struct error *err)
{
    int64_t now_us = world_mono_us(world);
    uint64_t skipped;
    if (s == ERR_RETRY) { /* it settles, or upkeep has to finish first */
        task->checkpoint_at_us = now_us + UPKEEP_WAIT_US;
        return;
    }
    task->checkpoint_at_us = retry_next_us(&task->checkpoint_retry, world);
    counter_add(task->metrics.checkpoint_failures, 1);
    process_metrics_exceptions(&task->metrics, 1);
    if (log_limit_pass(&task->checkpoint_log, now_us, LOG_INTERVAL_US, &skipped))
        log_warn("process.checkpoint_failed", "partition=%u skipped=%llu error=\"%s\"", task->partition,
                 (unsigned long long)skipped, err->text);
}

/* The older of two checkpoints holds the journal back: when that is full, another one sets room free, news or not. */
static bool is_worth_it(const struct process_task *task, uint64_t end)
{
    struct journal_status status;
    task->journal->backend->status(task->journal, &status);
    return task->durable_next != task->last_point.changelog_offset || end - task->last_point.position >= MARK_BYTES ||
           (status.full && task->keep < task->last_point.position);
}

static enum status changelog_end(struct process_task *task, uint64_t *out, struct error *err)
{
    return task->journal->backend->end_position(task->journal, TOPIC_CHANGELOG, task->partition, out, err);
}

/* In its time (which comes early when much has changed, see commit_is_durable), or as soon as the journal has no room.
 */
static bool is_due(struct process_task *task, int64_t now_us)
{
    struct journal_status status;
    if (now_us >= task->checkpoint_at_us)
        return true;
    if (now_us < task->room_at_us)
        return false;
    task->room_at_us = now_us + ROOM_INTERVAL_US;
    task->journal->backend->status(task->journal, &status);
    uint64_t end;
    return status.full && changelog_end(task, &end, NULL) == OK && is_worth_it(task, end);
}

bool process_upkeep_checkpoint(struct process_task *task, struct world *world, int64_t *wake_us)
{
    int64_t now_us = world_mono_us(world);
    if (!is_due(task, now_us)) {
        process_wake_at(wake_us, task->checkpoint_at_us < task->room_at_us ? task->checkpoint_at_us : task->room_at_us);
        return false;
    }
    if (task->flying && atomic_load(&task->at_journal))
        return false; /* its answer rings the bell */
    struct error err = { 0 };
    uint64_t end;
    enum status s = changelog_end(task, &end, &err);
    if (s != OK) {
        checkpoint_failed(task, world, s == ERR_RETRY ? ERR_IO : s, &err);
        process_wake_at(wake_us, task->checkpoint_at_us);
        return false;
    }
    if (!state_base_is_settling(task->states.base) && !is_worth_it(task, end)) {
        task->checkpoint_at_us = now_us + task->options.checkpoint_interval_ms * 1000;
        process_wake_at(wake_us, task->checkpoint_at_us);
        if (now_us < task->mark_again_us)
            return false;
        task->must_mark = true;
        task->mark_again_us = now_us + MARK_AGAIN_US;
        return true;
    }
    struct state_point point = { end, task->durable_next, true };
    if (!state_base_is_settling(task->states.base))
        task->checkpoint_began_us = now_us;
    uint64_t keep = JOURNAL_BEGIN;
    bool begins = !state_base_is_settling(task->states.base);
    s = state_base_checkpoint(task->states.base, task->seed, &point, &keep, &err);
    if (begins && (s == OK || state_base_is_settling(task->states.base)))
        task->changed_bytes = 0;
    if (s != OK) {
        checkpoint_failed(task, world, s, &err);
        process_wake_at(wake_us, task->checkpoint_at_us);
        return false;
    }
    retry_reset(&task->checkpoint_retry);
    process_metrics_checkpoint(&task->metrics, world_mono_us(world) - task->checkpoint_began_us);
    task->last_point = point;
    bool again = task->changed_bytes >= task->options.checkpoint_bytes; /* so much came meanwhile */
    task->checkpoint_at_us = again ? now_us : now_us + task->options.checkpoint_interval_ms * 1000;
    task->must_mark = true;                                  /* moves the mark "process" of an idle partition, too */
    if (keep != JOURNAL_BEGIN && !task->options.snapshots) { /* else others need it as far back as the snapshot */
        task->keep = keep;
        task->has_keep = true;
    }
    process_wake_at(wake_us, task->checkpoint_at_us);
    return true;
}

static uint64_t lag_records(const struct process_task *task)
{
    if (!process_input_has(&task->input))
        return 0;
    uint64_t end = task->journal->backend->end_offset(task->journal, TOPIC_EVENTS, task->partition);
    return end > task->input.next_event ? end - task->input.next_event : 0;
}

static int64_t lag_us(const struct process_task *task, struct world *world)
{
    int64_t written_us = task->input.written_us;
    int64_t lag = written_us ? world_wall_us(world) - written_us : 0;
    return lag > 0 ? lag : 0;
}

static void look_at_horizon(struct process_task *task)
{
    uint64_t dropped = dedup_dropped_early(task->states.dedup);
    if (dropped == task->dropped_early_seen)
        return;
    counter_add(task->metrics.dedup_dropped_early, dropped - task->dropped_early_seen);
    task->dropped_early_seen = dropped;
    log_warn("dedup.horizon_short",
             "partition=%u horizon_s=%lld wanted_s=%lld hint=\"allow deduplication more memory or disk, or ask for a "
             "shorter horizon\"",
             task->partition, (long long)dedup_horizon_ms(task->states.dedup) / 1000,
             (long long)task->options.dedup_horizon_ms / 1000);
}

static void look_at_rows(struct process_task *task)
{
    struct keyed_usage usage;
    keyed_usage(task->states.rows, &usage);
    gauge_set(task->metrics.state_rows, (double)usage.rows_in_memory);
    gauge_set(task->metrics.state_panes, (double)usage.panes);
    counter_add(task->metrics.state_evictions, usage.evictions - task->evictions_seen);
    task->evictions_seen = usage.evictions;
}

/* Of a changelog that nobody has looked at yet it is not known how long it is. */
static void look_at_snapshots(struct process_task *task)
{
    const struct process_snapshot *snapshot = &task->snapshot;
    const struct snapshot_place *whole = &snapshot->whole;
    if (!task->options.snapshots)
        return;
    gauge_set(task->metrics.changelog_bytes, whole->changes < UINT64_MAX / 2 ? (double)whole->changes : 0);
    gauge_set(task->metrics.snapshot_bytes, (double)whole->bytes);
    gauge_set(task->metrics.snapshot_seconds, snapshot->last_seconds);
    counter_add(task->metrics.snapshots, snapshot->written - task->snapshots_seen);
    counter_add(task->metrics.snapshot_failures, snapshot->failed - task->snapshot_failures_seen);
    process_metrics_exceptions(&task->metrics, snapshot->failed - task->snapshot_failures_seen);
    if (snapshot->written > task->snapshots_seen)
        log_info("process.snapshot_written", "partition=%u bytes=%llu records=%u seconds=%.1f", task->partition,
                 (unsigned long long)whole->bytes, snapshot->number, snapshot->last_seconds);
    task->snapshots_seen = snapshot->written;
    task->snapshot_failures_seen = snapshot->failed;
}

/* A tenant that loads history is years behind and in good order: it has its own series, but is not the worst. */
static void look_at_watermarks(struct process_task *task, int64_t now_ms)
{
    double worst = 0;
    for (size_t i = 0; i < watermarks_count(task->states.watermarks); i++) {
        const struct watermark *mark = watermarks_at(task->states.watermarks, i);
        if (mark->value_ms == WATERMARK_NONE)
            continue;
        double delay = (double)(now_ms - mark->value_ms) / 1000;
        worst = mark->live && delay > worst ? delay : worst;
        process_metrics_delay(&task->metrics, i, mark->customer_id, delay);
    }
    process_metrics_worst_delay(&task->metrics, worst);
}

void process_upkeep_gauges(struct process_task *task, struct world *world)
{
    int64_t now_us = world_mono_us(world);
    if (now_us < task->gauges_at_us)
        return;
    task->gauges_at_us = now_us + GAUGES_INTERVAL_US;
    uint64_t memory = 0, disk = 0;
    for (size_t i = 0; i < PROCESS_STATES; i++) {
        memory += task->states.all[i]->ops->memory_bytes(task->states.all[i]);
        disk += task->states.all[i]->ops->disk_bytes(task->states.all[i]);
    }
    gauge_set(task->metrics.state_bytes, (double)memory);
    gauge_set(task->metrics.state_disk_bytes, (double)disk);
    gauge_set(task->metrics.dedup_ids, (double)dedup_ids(task->states.dedup));
    gauge_set(task->metrics.dedup_horizon, (double)dedup_horizon_ms(task->states.dedup) / 1000);
    process_metrics_lag(&task->metrics, (double)lag_us(task, world) / 1e6, lag_records(task));
    look_at_horizon(task);
    look_at_rows(task);
    look_at_snapshots(task);
    if (now_us < task->delays_at_us)
        return;
    task->delays_at_us = now_us + DELAYS_INTERVAL_US;
    look_at_watermarks(task, world_wall_ms(world));
}

void process_upkeep_publish(struct process_task *task, struct world *world, int64_t *wake_us)
{
    if (!task->live_queue || live_gather_is_empty(&task->live))
        return;
    int64_t now_us = world_mono_us(world);
    if (now_us < task->live_at_us) {
        process_wake_at(wake_us, task->live_at_us);
        return;
    }
    task->live_at_us = now_us + LIVE_INTERVAL_US;
    process_wake_at(wake_us, task->live_at_us);
    struct live_update *update = live_gather_message(&task->live);
    if (!update)
        return; /* what was gathered goes with the next one */
    update->partition = task->partition;
    update->at_ms = world_wall_ms(world);
    update->lag_ms = lag_us(task, world) / 1000;
    update->lag_records = lag_records(task);
    update->latency_us = task->latency_us;
    enum status s = queue_push(task->live_queue, update);
    if (s == OK || s == ERR_CLOSED)
        live_gather_reset(&task->live);
    if (s != OK) {
        live_update_free(update);
        counter_add(task->metrics.live_delayed, 1);
    }
}
