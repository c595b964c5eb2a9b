/* Each look compares, partition by partition, where the share says it is with what runs here:
 *
 *     here, no task                  start one (after a failure not before settle_us)
 *     here, the task has failed      free it; the next look starts another
 *     not here, a task               stop it: last commit, checkpoint
 *     not here, it has ended         free it
 *     leaving, no task (any more)    say so: only now another process gets the partition
 *
 * With standby copies a partition that is elsewhere and has no task is followed. Its directory has one owner at a time:
 * a task that is to start waits until the copy has let go of it.
 */
#include "app/tasks.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/metrics.h"
#include "config/domain.h"
#include "process/process_standby.h"
#include "world/world.h"

#define LATER_NICE 5          /* processing has the journal in front of it: a client's request goes first */
#define LAST_WORD_WAIT_MS 500 /* for the answer to what was told before it */

struct slot {
    struct process_task *task; /* NULL: none runs */
    struct role_thread *thread;
    bool stopping;
    int64_t not_before_us; /* after a failure */
    int64_t since_ms;      /* wall clock: the task was made */
};

struct tasks {
    struct tasks_options options;
    struct journal *journal;
    struct journal_share *share;
    struct metrics *metrics;
    struct world *world;
    struct gauge *here;
    struct task_reporter *reporter; /* NULL: nobody else asks */
    struct task_now *now;           /* what it is to tell, by partition */
    uint16_t count;
    bool changing;
    struct process_options next;     /* while changing */
    struct process_standby *standby; /* NULL: no copies are kept, or not now */
    struct role_thread *standby_thread;
    struct slot slots[]; /* by partition */
};

/* A journal of one process has no partitions elsewhere. */
static enum status start_standby(struct tasks *tasks, struct error *err)
{
    if (!tasks->options.standby || !tasks->journal->backend->shared)
        return OK;
    tasks->standby = process_standby_new(&tasks->options.process, tasks->journal, tasks->metrics);
    struct role role = process_standby_role(tasks->standby);
    enum status s = role_start(&role, tasks->world, &tasks->standby_thread, err);
    return s == OK ? OK : error_wrap(err, s, "start keeping standby copies");
}

/* Waits for its step that is on. */
static void stop_standby(struct tasks *tasks)
{
    if (!tasks->standby)
        return;
    process_standby_stop(tasks->standby);
    role_stop(tasks->standby_thread);
    tasks->standby_thread = NULL;
    process_standby_free(tasks->standby);
    tasks->standby = NULL;
}

enum status tasks_open(const struct tasks_options *options, struct journal *journal, struct metrics *metrics,
                       struct world *world, struct tasks **out, struct error *err)
{
    struct tasks *tasks = calloc(1, sizeof *tasks + journal->partitions * sizeof tasks->slots[0]);
    if (!tasks)
        abort();
    tasks->options = *options;
    tasks->journal = journal;
    tasks->metrics = metrics;
    tasks->world = world;
    tasks->count = journal->partitions;
    tasks->here = metrics_gauge(metrics, "process_partitions", "Partitions that this process works on.", "");
    tasks->now = calloc(journal->partitions, sizeof *tasks->now);
    if (!tasks->now)
        abort();
    if (options->report.instance)
        tasks->reporter = task_reporter_new(&options->report, journal, metrics, world);
    struct journal_share_options share = { .work = "process", .member = options->member };
    enum status s = journal->backend->share_open(journal, &share, &tasks->share, err);
    s = s == OK ? start_standby(tasks, err) : s;
    if (s != OK) {
        tasks_free(tasks);
        return error_wrap(err, s, "take part in processing");
    }
    *out = tasks;
    return OK;
}

static enum status start(struct tasks *tasks, uint16_t partition, struct error *err)
{
    struct slot *slot = &tasks->slots[partition];
    slot->stopping = false;
    slot->since_ms = world_wall_ms(tasks->world);
    slot->task = process_task_new(&tasks->options.process, tasks->journal, partition, tasks->metrics,
                                  tasks->options.live, tasks->world);
    struct role role = process_task_role(slot->task);
    role.nice = LATER_NICE;
    enum status s = role_start(&role, tasks->world, &slot->thread, err);
    return s == OK ? OK : error_wrap(err, s, "start processing of partition %u", partition);
}

static void end(struct tasks *tasks, uint16_t partition, bool is_here)
{
    struct slot *slot = &tasks->slots[partition];
    if (process_task_state(slot->task) == PROCESS_FAILED) {
        slot->not_before_us = world_mono_us(tasks->world) + tasks->share->settle_us;
        log_error("process.failed", "partition=%u %s: %s", partition, is_here ? "starting again" : "gone",
                  process_task_error(slot->task));
    } else {
        log_info("process.left", "partition=%u", partition);
    }
    role_stop(slot->thread);
    process_task_free(slot->task);
    slot->task = NULL;
    slot->thread = NULL;
}

/* Whether a task may have the partition's directory. */
static bool has_directory(struct tasks *tasks, uint16_t partition, enum share_place place)
{
    if (!tasks->standby)
        return true;
    process_standby_follow(tasks->standby, partition, place == SHARE_ELSEWHERE && !tasks->slots[partition].task);
    return process_standby_is_free(tasks->standby, partition);
}

static enum status look_after(struct tasks *tasks, uint16_t partition, struct error *err)
{
    struct slot *slot = &tasks->slots[partition];
    enum share_place place = tasks->share->ops->place(tasks->share, partition);
    bool wanted = place == SHARE_HERE && !tasks->changing;
    if (slot->task && !wanted && !slot->stopping) {
        slot->stopping = true;
        process_task_stop(slot->task);
    }
    bool over = slot->task && (slot->stopping || process_task_state(slot->task) == PROCESS_FAILED);
    if (over && process_task_is_finished(slot->task))
        end(tasks, partition, place == SHARE_HERE);
    if (!slot->task && place == SHARE_LEAVING)
        tasks->share->ops->left(tasks->share, partition);
    bool free = has_directory(tasks, partition, place);
    if (!slot->task && wanted && free && world_mono_us(tasks->world) >= slot->not_before_us)
        return start(tasks, partition, err);
    return OK;
}

void tasks_change(struct tasks *tasks, const struct process_options *options)
{
    tasks->next = *options;
    tasks->changing = true;
    if (tasks->standby)
        process_standby_stop(tasks->standby);
}

bool tasks_are_changing(const struct tasks *tasks)
{
    return tasks->changing;
}

static enum status finish_change(struct tasks *tasks, struct error *err)
{
    for (uint16_t i = 0; i < tasks->count; i++)
        if (tasks->slots[i].task)
            return OK;
    if (tasks->standby && !process_standby_is_stopped(tasks->standby))
        return OK; /* its states know the domains that may go now */
    stop_standby(tasks);
    tasks->options.between(tasks->options.hook_self);
    tasks->options.process = tasks->next;
    tasks->changing = false;
    const struct domain_set *domains = tasks->next.domains;
    log_info("process.changed", "windows=%zu", domains ? domains->window_count : 0);
    return start_standby(tasks, err);
}

static struct task_now now_of(const struct slot *slot)
{
    static const enum task_state STATES[] = { [PROCESS_RESTORING] = TASK_RESTORING,
                                              [PROCESS_RUNNING] = TASK_RUNNING,
                                              [PROCESS_STOPPING] = TASK_STOPPING,
                                              [PROCESS_STOPPED] = TASK_STOPPING,
                                              [PROCESS_FAILED] = TASK_FAILED };
    if (!slot->task)
        return (struct task_now){ .state = TASK_LEFT };
    return (struct task_now){ STATES[process_task_state(slot->task)], process_task_generation(slot->task),
                              slot->since_ms };
}

static void report(struct tasks *tasks)
{
    if (!tasks->reporter)
        return;
    for (uint16_t i = 0; i < tasks->count; i++)
        tasks->now[i] = now_of(&tasks->slots[i]);
    task_reporter_step(tasks->reporter, tasks->now);
}

enum status tasks_step(struct tasks *tasks, bool *out_ready, struct error *err)
{
    struct error why;
    uint16_t here = 0, restored = 0;
    enum status joined = tasks->share->ops->state(tasks->share, &why), s = OK;
    if (joined == ERR_CLOSED)
        return error_set(err, ERR_CLOSED, "%s", why.text);
    for (uint16_t partition = 0; partition < tasks->count && s == OK; partition++) {
        s = look_after(tasks, partition, err);
        const struct slot *slot = &tasks->slots[partition];
        bool is_here = tasks->share->ops->place(tasks->share, partition) == SHARE_HERE;
        here += is_here;
        restored += is_here && slot->task && !slot->stopping && process_task_is_ready(slot->task);
    }
    if (s == OK && tasks->changing)
        s = finish_change(tasks, err);
    report(tasks);
    gauge_set(tasks->here, here);
    *out_ready = joined == OK && restored == here;
    return s;
}

static void report_left(struct tasks *tasks)
{
    if (!tasks->reporter || !tasks->share)
        return; /* it was told already */
    for (int waited_ms = 0; !task_reporter_is_idle(tasks->reporter) && waited_ms < LAST_WORD_WAIT_MS; waited_ms++)
        usleep(1000);
    task_reporter_leave(tasks->reporter);
}

void tasks_stop(struct tasks *tasks)
{
    if (tasks->standby)
        process_standby_stop(tasks->standby);
    for (uint16_t i = 0; i < tasks->count; i++)
        if (tasks->slots[i].task)
            process_task_stop(tasks->slots[i].task);
    for (uint16_t i = 0; i < tasks->count; i++) {
        struct slot *slot = &tasks->slots[i];
        while (slot->thread && !process_task_is_finished(slot->task))
            usleep(1000);
        role_stop(slot->thread);
        slot->thread = NULL;
    }
    stop_standby(tasks);
    report_left(tasks);
    if (tasks->share)
        tasks->share->ops->close(tasks->share);
    tasks->share = NULL;
}

void tasks_tell_left(const struct tasks *tasks)
{
    for (uint16_t i = 0; i < tasks->count; i++)
        if (tasks->slots[i].task && !process_task_is_finished(tasks->slots[i].task))
            log_warn("process.stopped_behind",
                     "partition=%u left=\"its last commit, which the journal has not answered\"", i);
}

void tasks_free(struct tasks *tasks)
{
    if (!tasks)
        return;
    tasks_stop(tasks);
    for (uint16_t i = 0; i < tasks->count; i++)
        process_task_free(tasks->slots[i].task);
    task_reporter_free(tasks->reporter);
    free(tasks->now);
    free(tasks);
}
