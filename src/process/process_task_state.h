/* The inside of a task, shared by the files that make it up: process_task.c (life, the step),
 * process_start.c (restoring) and process_upkeep.c (checkpoints, metrics, live feed). Owner: the task's role; the
 * atomics are read by others. */
#pragma once
#include <stdatomic.h>

#include "base/log.h"
#include "base/retry.h"
#include "process/process_commit.h"
#include "process/process_input.h"
#include "process/process_metrics.h"
#include "process/process_pipeline.h"
#include "process/process_restore.h"
#include "process/process_snapshot.h"
#include "process/process_states.h"
#include "process/process_task.h"

#define MARK_AGAIN_US (12 * 3600 * INT64_C(1000000))

struct process_task {
    struct process_options options;
    struct journal *journal;
    uint16_t partition;
    struct bell *bell;
    char name[16];
    struct process_metrics metrics;
    struct queue *live_queue;

    _Atomic int state; /* enum process_task_state */
    _Atomic bool stop_asked;
    _Atomic uint64_t generation; /* of the claim; 0: not known */
    struct error error;          /* once failed */

    struct process_states states;
    struct process_restore restore;
    struct process_snapshot snapshot;
    uint64_t start_position; /* of the mark */
    int64_t restore_at_us;   /* not before, after an error */
    struct retry restore_retry;

    struct process_pipeline *pipeline;
    struct process_input input;

    struct process_commit commits[2];
    struct process_commit *open, *flying; /* flying: NULL, or sealed and on its way */
    _Atomic bool at_journal;              /* the journal has the flying one; else it waits for commit_at_us */
    int64_t last_commit_us;               /* when the last one was submitted */
    int64_t commit_at_us;
    struct retry commit_retry;
    struct log_limit commit_log;
    uint64_t seed, changelog_next; /* with what the flying commit adds */
    uint64_t durable_next;         /* without */
    bool must_mark;                /* commit marks even without events */

    int64_t checkpoint_at_us, checkpoint_began_us;
    int64_t mark_again_us;  /* an idle partition's mark: Kafka forgets what is not committed for days */
    uint64_t changed_bytes; /* in the changelog since the last checkpoint began: what a replay would read */
    int64_t room_at_us;     /* when to look at the journal's room again */
    struct retry checkpoint_retry;
    struct log_limit checkpoint_log;
    struct state_point last_point;
    uint64_t keep; /* position for the checkpoint's mark */
    bool has_keep; /* not yet committed */
    bool last_checkpoint_tried;
    int64_t maintain_at_us;
    struct retry maintain_retry;
    uint64_t dropped_early_seen, evictions_seen, snapshots_seen, snapshot_failures_seen;

    struct live_gather live;
    int64_t live_at_us, gauges_at_us, delays_at_us, latency_us;
    bool live_delayed;
};

/* process_task.c: the task cannot go on. */
void process_task_fail(struct process_task *task, enum status s, const char *what, const char *text);
/* process_start.c: the step while restoring. */
bool process_start_step(struct process_task *task, struct world *world, int64_t *wake_us);

/* process_upkeep.c; each says whether it did something, and lowers *wake_us to when it wants to be called again. */
bool process_upkeep_maintain(struct process_task *task, struct world *world, int64_t *wake_us);
bool process_upkeep_checkpoint(struct process_task *task, struct world *world, int64_t *wake_us);
void process_upkeep_publish(struct process_task *task, struct world *world, int64_t *wake_us);
void process_upkeep_gauges(struct process_task *task, struct world *world);

static inline void process_wake_at(int64_t *wake_us, int64_t at_us)
{
    if (at_us < *wake_us)
        *wake_us = at_us;
}
