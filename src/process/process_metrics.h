/* The numbers of one task. Series are asked for once; adding is an atomic. Owner: the task. */
#pragma once
#include "base/compiler.h"
#include "base/metrics.h"
#include "event/quality_record.h"

#define PROCESS_REASONS_MAX 48
#define PROCESS_QUALITY_TENANTS_MAX 256 /* with counts of quality of their own; the others share customer_id="" */
#define PROCESS_DELAYS_MAX                                                                                             \
    32 /* tenants whose watermark has a series of its own; of the others only the worst shows                          \
        */

struct process_metrics {
    struct metrics *registry;
    struct counter *processed, *duplicates, *commits, *commit_retries, *checkpoint_failures, *live_delayed;
    struct gauge *lag_seconds, *lag_records, *lag_alias, *state_bytes, *state_disk_bytes, *dedup_ids, *dedup_horizon;
    struct counter *dedup_dropped_early;
    struct counter *exceptions;
    struct counter *late, *dead; /* of this task, whatever the window or reason */
    struct gauge *last_commit;
    struct gauge *state_rows, *state_panes, *watermark_delay, *watermark_alias, *delays[PROCESS_DELAYS_MAX];
    struct counter *state_evictions;
    struct counter *snapshots, *snapshot_failures;
    struct gauge *replayed, *changelog_bytes, *snapshot_bytes, *snapshot_seconds;
    struct gauge *position, *restore_left_records;
    uint16_t partition;
    struct histogram *checkpoint_seconds, *checkpoint_alias, *commit_seconds, *latency_seconds;
    struct process_reason {
        const char *stage, *reason; /* literals, told apart by their addresses */
        struct counter *count, *failures;
    } reasons[PROCESS_REASONS_MAX];
    size_t reason_count;
    struct counter *released;
    struct process_reason tags[PROCESS_REASONS_MAX]; /* stage NULL */
    size_t tag_count;
    struct process_quality_counters {
        uint64_t tenant; /* hash of its id */
        struct counter *counts[QUALITY_COUNTS];
    } qualities[PROCESS_QUALITY_TENANTS_MAX];
    size_t quality_count;
};

void process_metrics_init(struct process_metrics *metrics, struct metrics *registry, uint16_t partition);
/* One more dead letter. stage and reason: literals. */
void process_metrics_dead(struct process_metrics *metrics, const char *stage, const char *reason);
/* Steps that failed and are repeated, beside the counter of their kind. */
void process_metrics_exceptions(struct process_metrics *metrics, uint64_t count);
/* One more fault that an event was stored with. reason: a literal. */
void process_metrics_tagged(struct process_metrics *metrics, const char *reason);
/* One more event released from quarantine. */
void process_metrics_released(struct process_metrics *metrics);
/* What was counted of a tenant's events; counts: as in a quality_record. A commit that is repeated counts again. */
void process_metrics_quality(struct process_metrics *metrics, struct slice customer_id, const uint64_t *counts);
/* How far the clock of the tenant that was met as number `index` is behind the wall clock. */
void process_metrics_delay(struct process_metrics *metrics, size_t index, struct slice customer_id, double seconds);
/* The worst of those whose events come as they happen. */
void process_metrics_worst_delay(struct process_metrics *metrics, double seconds);
void process_metrics_lag(struct process_metrics *metrics, double seconds, uint64_t records);
/* The task is gone, and may run elsewhere: what tells of now is 0 from here on. */
void process_metrics_end(struct process_metrics *metrics);
void process_metrics_checkpoint(struct process_metrics *metrics, int64_t us);
