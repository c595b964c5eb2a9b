/* The numbers of one task. Series are asked for once; adding is an atomic. Owner: the task. */
#pragma once
#include "base/compiler.h"
#include "base/metrics.h"

#define PROCESS_REASONS_MAX 32

struct process_metrics {
    struct metrics *registry;
    struct counter *processed, *duplicates, *commits, *commit_retries, *checkpoint_failures, *live_delayed;
    struct gauge *lag_seconds, *lag_records, *state_bytes, *state_disk_bytes, *dedup_ids, *dedup_horizon;
    struct counter *dedup_dropped_early;
    struct histogram *checkpoint_seconds, *checkpoint_alias, *commit_seconds, *latency_seconds;
    struct process_reason {
        const char *stage, *reason; /* literals, told apart by their addresses */
        struct counter *dead;
    } reasons[PROCESS_REASONS_MAX];
    size_t reason_count;
};

void process_metrics_init(struct process_metrics *metrics, struct metrics *registry, uint16_t partition);
/* One more dead letter. stage and reason: literals. */
void process_metrics_dead(struct process_metrics *metrics, const char *stage, const char *reason);
void process_metrics_checkpoint(struct process_metrics *metrics, int64_t us);
