/* Names that the outside knows already are kept beside ours: kafka_lag and flink_checkpoint_duration_seconds are what
 * existing alerts and dashboards ask for, whichever backend the journal has. */
#include "process/process_metrics.h"

#include <stdio.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

void process_metrics_init(struct process_metrics *metrics, struct metrics *registry, uint16_t partition)
{
    char label[32];
    snprintf(label, sizeof label, "partition=\"%u\"", partition);
    *metrics = (struct process_metrics){
        .registry = registry,
        .processed = metrics_counter(registry, "events_processed_total", "Events read and decided upon", label),
        .duplicates = metrics_counter(registry, "duplicates_total", "Events whose id had been seen before", label),
        .commits = metrics_counter(registry, "process_commits_total", "Atomic commits of outputs and state", label),
        .commit_retries = metrics_counter(registry, "process_commit_retries_total",
                                          "Commits that the full journal refused and that were tried again", label),
        .checkpoint_failures = metrics_counter(registry, "process_checkpoint_failures_total",
                                               "Checkpoints that failed; the next one is tried soon", label),
        .exceptions =
            metrics_counter(registry, "flink_taskmanager_job_task_exceptions_total",
                            "Commits, checkpoints and snapshots of the task that failed, to be repeated", label),
        .late = metrics_counter(registry, "process_late_total", "Rows of late events that the task wrote", label),
        .dead = metrics_counter(registry, "process_dead_total", "Events that the task refused", label),
        .released = metrics_counter(registry, "quarantine_released_total",
                                    "Events that came again from quarantine and passed", label),
        .last_commit =
            metrics_gauge(registry, "process_last_commit_seconds", "The last commit, from submit to durable", label),
        .live_delayed = metrics_counter(registry, "process_live_delayed_total",
                                        "Messages of the live feed held back since its queue was full", label),
        .lag_seconds = metrics_gauge(registry, "process_lag_seconds", "Age of the oldest unprocessed event", label),
        .lag_records = metrics_gauge(registry, "kafka_lag", "Events that wait in the partition", label),
        .partition = partition,
        .lag_alias = metrics_gauge(registry, "kafka_consumer_lag", "Events that wait in the partition", label),
        .state_rows = metrics_gauge(registry, "process_state_rows", "Rows of keyed state in memory", label),
        .state_panes = metrics_gauge(registry, "process_state_panes", "Windows that are open or amendable", label),
        .state_evictions = metrics_counter(registry, "process_state_evictions_total",
                                           "Rows of keyed state that left the memory for the disk", label),
        .replayed = metrics_gauge(registry, "process_replayed_records",
                                  "Records of the changelog that the task's last start replayed", label),
        .snapshots = metrics_counter(registry, "process_snapshots_total",
                                     "Copies of the state that were written into the changelog", label),
        .snapshot_failures = metrics_counter(registry, "process_snapshot_failures_total",
                                             "Such copies that were begun and given up; tried again soon", label),
        .changelog_bytes =
            metrics_gauge(registry, "process_changelog_bytes",
                          "Changes in the changelog since the newest whole copy of the state began", label),
        .snapshot_bytes = metrics_gauge(registry, "process_snapshot_bytes",
                                        "The newest whole copy of the state in the changelog; 0: there is none", label),
        .snapshot_seconds =
            metrics_gauge(registry, "process_snapshot_seconds", "How long the last copy took to be written", label),
        .position =
            metrics_gauge(registry, "process_position",
                          "Where the partition's events are to be read on, as a position of the journal", label),
        .restore_left_records = metrics_gauge(registry, "process_restore_left_records",
                                              "Changes that are to be replayed until the task can begin", label),
        .watermark_delay = metrics_gauge(registry, "watermark_delay_seconds",
                                         "How far event time is behind the wall clock, at the worst of the tenants "
                                         "whose events come as they happen",
                                         label),
        .watermark_alias = metrics_gauge(registry, "flink_taskmanager_job_task_operator_watermark_delay",
                                         "watermark_delay_seconds in milliseconds", label),
        .state_bytes = metrics_gauge(registry, "process_state_bytes", "Memory of the task's state", label),
        .state_disk_bytes = metrics_gauge(registry, "process_state_disk_bytes", "Files of the task's state", label),
        .dedup_ids = metrics_gauge(registry, "dedup_ids", "Event ids remembered", label),
        .dedup_horizon = metrics_gauge(registry, "dedup_horizon_seconds",
                                       "How long an id is remembered; below the setting when a bound was hit", label),
        .dedup_dropped_early = metrics_counter(registry, "dedup_dropped_early_total",
                                               "Generations of ids dropped before their time by a bound", label),
        .checkpoint_seconds = metrics_histogram(registry, "process_checkpoint_seconds", "Duration of checkpoints", ""),
        .checkpoint_alias =
            metrics_histogram(registry, "flink_checkpoint_duration_seconds", "Duration of checkpoints", ""),
        .commit_seconds = metrics_histogram(registry, "process_commit_seconds", "From submit to durable", ""),
        .latency_seconds = metrics_histogram(registry, "process_latency_seconds",
                                             "From accepted to processed and durable, the oldest of a commit", ""),
    };
}

/* count NULL: there is none yet, or no room for one. */
static struct process_reason find_reason(const struct process_reason *known, size_t count, const char *stage,
                                         const char *reason)
{
    for (size_t i = 0; i < count; i++)
        if (known[i].stage == stage && known[i].reason == reason)
            return known[i];
    return (struct process_reason){ 0 };
}

/* The stages that look at what an event is: the same family of series as ingestion's verdicts. */
static struct process_reason make_reason(struct process_metrics *metrics, const char *stage, const char *reason)
{
    char labels[160];
    struct process_reason one = { .stage = stage, .reason = reason };
    snprintf(labels, sizeof labels, "stage=\"%s\",reason=\"%s\"", stage, reason);
    one.count = metrics_counter(metrics->registry, "dead_letters_total", "Events refused, by stage and reason", labels);
    if (strcmp(stage, "validate") == 0 || strcmp(stage, "quarantine") == 0)
        one.failures = metrics_counter(metrics->registry, "validation_failures_total",
                                       "Events refused for what they are, by stage and reason.", labels);
    return one;
}

static void remember(struct process_reason *known, size_t *io_count, struct process_reason one)
{
    if (*io_count < PROCESS_REASONS_MAX)
        known[(*io_count)++] = one;
}

void process_metrics_dead(struct process_metrics *metrics, const char *stage, const char *reason)
{
    struct process_reason one = find_reason(metrics->reasons, metrics->reason_count, stage, reason);
    counter_add(metrics->dead, 1);
    if (!one.count) {
        one = make_reason(metrics, stage, reason);
        remember(metrics->reasons, &metrics->reason_count, one);
    }
    counter_add(one.count, 1);
    if (one.failures)
        counter_add(one.failures, 1);
}

void process_metrics_exceptions(struct process_metrics *metrics, uint64_t count)
{
    counter_add(metrics->exceptions, count);
}

void process_metrics_tagged(struct process_metrics *metrics, const char *reason)
{
    struct counter *tagged = find_reason(metrics->tags, metrics->tag_count, NULL, reason).count;
    if (!tagged) {
        char labels[160];
        snprintf(labels, sizeof labels, "reason=\"%s\"", reason);
        tagged = metrics_counter(metrics->registry, "validation_tagged_total",
                                 "Faults that events were stored with, by reason", labels);
        remember(metrics->tags, &metrics->tag_count, (struct process_reason){ .reason = reason, .count = tagged });
    }
    counter_add(tagged, 1);
}

void process_metrics_released(struct process_metrics *metrics)
{
    counter_add(metrics->released, 1);
}

static void make_quality(struct process_metrics *metrics, struct slice customer_id,
                         struct process_quality_counters *out)
{
    static const char *const NAMES[QUALITY_COUNTS] = {
        [QUALITY_EVENTS] = "events",
        [QUALITY_INVALID] = "invalid",
        [QUALITY_DUPLICATES] = "duplicates",
        [QUALITY_TAGGED] = "tagged",
        [QUALITY_LATE] = "late",
        [QUALITY_REQUIRED] = "required",
        [QUALITY_OPTIONAL] = "optional",
        [QUALITY_REQUIRED_MISSING] = "required_missing",
        [QUALITY_OPTIONAL_MISSING] = "optional_missing",
    };
    for (size_t i = 0; i < QUALITY_COUNTS; i++) {
        AUTO(buf) struct buf labels;
        buf_init(&labels, 2048);
        metrics_label(&labels, "customer_id", customer_id);
        buf_add_text(&labels, ",");
        metrics_label(&labels, "count", slice_from(NAMES[i]));
        out->counts[i] =
            metrics_counter(metrics->registry, "data_quality_total",
                            "How good a tenant's events were, as in the table data_quality", buf_text(&labels));
    }
}

static struct process_quality_counters *quality_of(struct process_metrics *metrics, struct slice customer_id)
{
    const size_t last = PROCESS_QUALITY_TENANTS_MAX - 1;
    uint64_t tenant = XXH3_64bits(customer_id.p, customer_id.n);
    for (size_t i = 0; i < metrics->quality_count; i++)
        if (metrics->qualities[i].tenant == tenant)
            return &metrics->qualities[i];
    if (metrics->quality_count > last)
        return &metrics->qualities[last];
    struct process_quality_counters *made = &metrics->qualities[metrics->quality_count++];
    made->tenant = tenant;
    make_quality(metrics, made == &metrics->qualities[last] ? SLICE("") : customer_id, made);
    return made;
}

void process_metrics_quality(struct process_metrics *metrics, struct slice customer_id, const uint64_t *counts)
{
    const struct process_quality_counters *counters = quality_of(metrics, customer_id);
    for (size_t i = 0; i < QUALITY_COUNTS; i++)
        if (counts[i])
            counter_add(counters->counts[i], counts[i]);
}

void process_metrics_delay(struct process_metrics *metrics, size_t index, struct slice customer_id, double seconds)
{
    if (index >= PROCESS_DELAYS_MAX)
        return;
    if (!metrics->delays[index]) {
        AUTO(buf) struct buf labels;
        buf_init(&labels, 2048);
        metrics_label(&labels, "customer_id", customer_id);
        buf_add_format(&labels, ",partition=\"%u\"", metrics->partition);
        metrics->delays[index] =
            metrics_gauge(metrics->registry, "tenant_watermark_delay_seconds",
                          "How far the tenant's event time is behind the wall clock", buf_text(&labels));
    }
    gauge_set(metrics->delays[index], seconds);
}

void process_metrics_worst_delay(struct process_metrics *metrics, double seconds)
{
    gauge_set(metrics->watermark_delay, seconds);
    gauge_set(metrics->watermark_alias, seconds * 1000);
}

void process_metrics_lag(struct process_metrics *metrics, double seconds, uint64_t records)
{
    gauge_set(metrics->lag_seconds, seconds);
    gauge_set(metrics->lag_records, (double)records);
    gauge_set(metrics->lag_alias, (double)records);
}

void process_metrics_end(struct process_metrics *metrics)
{
    struct gauge *const of_now[] = {
        metrics->state_bytes,     metrics->state_disk_bytes, metrics->dedup_ids,
        metrics->dedup_horizon,   metrics->state_rows,       metrics->state_panes,
        metrics->changelog_bytes, metrics->snapshot_bytes,   metrics->restore_left_records
    };
    for (size_t i = 0; i < COUNT_OF(of_now); i++)
        gauge_set(of_now[i], 0);
    for (size_t i = 0; i < PROCESS_DELAYS_MAX; i++)
        if (metrics->delays[i])
            gauge_set(metrics->delays[i], 0);
    process_metrics_lag(metrics, 0, 0);
    process_metrics_worst_delay(metrics, 0);
}

void process_metrics_checkpoint(struct process_metrics *metrics, int64_t us)
{
    histogram_observe_us(metrics->checkpoint_seconds, us, 1);
    histogram_observe_us(metrics->checkpoint_alias, us, 1);
}
