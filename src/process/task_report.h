/* Tells other processes how the tasks of this one are (task_status.h): about once a second, and when a task comes, goes
 * or changes its state, one commit with a record for each partition that is here. A process that shows them all reads
 * it (serve/task_board.h). What is told is read from the metrics, so no task does anything for it.
 *
 * Owner: the thread that looks after the tasks; nothing here waits. Bounds: TASK_REPORT_BYTES_MAX in a commit (of
 * partitions beyond nothing is told), one commit at a time; while the journal does not answer, nothing more is told. */
#pragma once
#include "base/compiler.h"
#include "journal/journal.h"
#include "process/task_status.h"

#define TASK_REPORT_BYTES_MAX (8u << 20)

struct metrics;
struct task_reporter;
struct world;

struct task_reporter_options {
    const char *instance, *host, *version; /* borrowed */
};

/* Of a partition, now. TASK_LEFT: no task of it is here. */
struct task_now {
    enum task_state state;
    uint64_t generation;
    int64_t since_ms;
};

/* Aborts when out of memory (start-up only). All that is passed outlives it. */
struct task_reporter *task_reporter_new(const struct task_reporter_options *options, struct journal *journal,
                                        struct metrics *metrics, struct world *world);
/* now: one for each partition of the journal. */
void task_reporter_step(struct task_reporter *reporter, const struct task_now *now);
/* The last word: no task is here any more. Nothing when the journal has not answered the one before. */
void task_reporter_leave(struct task_reporter *reporter);
/* The journal has answered what was told last. */
bool task_reporter_is_idle(const struct task_reporter *reporter);
void task_reporter_free(struct task_reporter *reporter); /* when it is idle; NULL is fine */
