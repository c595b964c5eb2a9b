/* The processing tasks of this process: those of the partitions that the journal's share gives it. A partition that
 * comes gets a task, which restores the state from the local base, when there is one, and the changelog; one that is to
 * leave gets its last commit and checkpoint first; a task that failed is made anew. Of the others there are standby
 * copies, if wanted. Of the main thread. */
#pragma once
#include "base/compiler.h"
#include "base/error.h"
#include "base/role.h"
#include "journal/journal.h"
#include "process/process_task.h"
#include "process/task_report.h"

struct tasks;

struct tasks_options {
    struct process_options process;      /* the texts in it are borrowed */
    bool standby;                        /* keep copies of the state of partitions that other processes work on */
    const char *member;                  /* who this process is to the others */
    struct queue *live;                  /* or NULL */
    struct task_reporter_options report; /* as whom others are told how the tasks are; no instance: there are none */
    /* Of a change, when no task runs any more and none yet: what they look at may be replaced. Not NULL. */
    void (*between)(void *self);
    void *hook_self;
};

MUST_CHECK enum status tasks_open(const struct tasks_options *options, struct journal *journal, struct metrics *metrics,
                                  struct world *world, struct tasks **out, struct error *err);
/* Starts, stops and starts again. *out_ready: takes part, and every task is restored. ERR_CLOSED: somebody else uses
 * our name. */
MUST_CHECK enum status tasks_step(struct tasks *tasks, bool *out_ready, struct error *err);
/* From now on with these options: every task makes its last commit and checkpoint, then all are made anew, over the
 * next calls of tasks_step. All or none: partitions send each other sums of windows, which must mean the same to both.
 */
void tasks_change(struct tasks *tasks, const struct process_options *options);
bool tasks_are_changing(const struct tasks *tasks);
/* Last commits and checkpoints; returns when all is done. */
void tasks_stop(struct tasks *tasks);
/* While tasks_stop waits, by any thread: logs the partitions whose last commit has no answer. */
void tasks_tell_left(const struct tasks *tasks);
void tasks_free(struct tasks *tasks); /* after the journal's roles have ended, before its close; NULL is fine */
