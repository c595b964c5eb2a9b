/* A visit of a partition, in steps:
 *
 *     look      the mark, without owning it: how far is the owner's newest checkpoint? Nothing new: the visit is over
 *     restore   process_restore.c, as a task's start, but ends at that checkpoint
 *     settle    a checkpoint of our own there, as a task's
 *     close     memory is given back; what is left is the directory
 *
 * Why it ends there and not at the newest record: what waits to be sent to others (sessions) is in no record; a task
 * that starts sends again what changed since its base. So a base may stand only where nothing waits, and that is where
 * the owner made its own.
 *
 * The directory changes hands by two flags: whoever wants it clears `follow`, then looks at `open`; the role sets
 * `open`, then looks at `follow`. */
#include "process/process_standby.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/metrics.h"
#include "base/retry.h"
#include "process/process_options.h"
#include "process/process_restore.h"
#include "process/process_states.h"
#include "world/world.h"

#define NONE (-1)
#define NICE 15
#define SETTLE_WAIT_US 20000
#define LOG_INTERVAL_US 60000000

struct copy {
    _Atomic bool follow;
    bool followed; /* at the last look */
    int64_t due_us;
    uint64_t records; /* of the changelog, that the copy consists of; 0: not known */
    struct retry retry;
    struct counter *applied, *failures;
    struct gauge *lag, *disk_bytes;
};

struct process_standby {
    struct process_options options;
    struct journal *journal;
    struct metrics *metrics;
    struct bell *bell;
    struct log_limit log;
    _Atomic bool stop_asked, stopped;
    _Atomic int open; /* the partition whose directory is in use here, or NONE */
    uint16_t turn;    /* the partition that is looked at next */
    bool restored;    /* of the open one: */
    struct process_states states;
    struct process_restore restore;
    struct state_point point;
    struct copy copies[]; /* by partition */
};

static void make_series(struct process_standby *standby, uint16_t partition)
{
    struct copy *copy = &standby->copies[partition];
    char label[32];
    snprintf(label, sizeof label, "partition=\"%u\"", partition);
    copy->applied = metrics_counter(standby->metrics, "standby_records_total",
                                    "Records of the changelog taken into standby copies", label);
    copy->failures = metrics_counter(standby->metrics, "standby_failures_total",
                                     "Attempts to bring a standby copy up to date that failed", label);
    copy->lag = metrics_gauge(standby->metrics, "standby_lag_records",
                              "Records of the changelog that a takeover here would read, at the last look", label);
    copy->disk_bytes = metrics_gauge(standby->metrics, "standby_disk_bytes", "Files of the standby copy", label);
}

struct process_standby *process_standby_new(const struct process_options *options, struct journal *journal,
                                            struct metrics *metrics)
{
    struct process_standby *standby = calloc(1, sizeof *standby + journal->partitions * sizeof standby->copies[0]);
    if (!standby)
        abort();
    standby->options = *options;
    standby->options.catalog = NULL; /* who works on the partition forgets what is past its time, not its copy */
    process_options_complete(&standby->options);
    standby->journal = journal;
    standby->metrics = metrics;
    standby->bell = bell_new();
    atomic_store(&standby->open, NONE);
    for (uint16_t p = 0; p < journal->partitions; p++) {
        standby->copies[p].retry = (struct retry){ .first_ms = 1000, .most_ms = 60000 };
        make_series(standby, p);
    }
    return standby;
}

void process_standby_follow(struct process_standby *standby, uint16_t partition, bool follow)
{
    if (atomic_exchange(&standby->copies[partition].follow, follow) != follow)
        bell_ring(standby->bell);
}

bool process_standby_is_free(const struct process_standby *standby, uint16_t partition)
{
    return atomic_load(&standby->open) != partition;
}

void process_standby_stop(struct process_standby *standby)
{
    atomic_store(&standby->stop_asked, true);
    bell_ring(standby->bell);
}

bool process_standby_is_stopped(const struct process_standby *standby)
{
    return atomic_load(&standby->stopped);
}

static void close_copy(struct process_standby *standby)
{
    if (atomic_load(&standby->open) == NONE)
        return;
    process_restore_reset(&standby->restore);
    process_states_done(&standby->states);
    standby->restored = false;
    atomic_store(&standby->open, NONE);
}

void process_standby_free(struct process_standby *standby)
{
    if (!standby)
        return;
    close_copy(standby);
    bell_free(standby->bell);
    free(standby);
}

/* ---- a visit ---- */

static void open_copy(struct process_standby *standby, uint16_t partition, const struct process_note *note,
                      struct world *world)
{
    struct process_states *states = &standby->states;
    atomic_store(&standby->open, partition);
    if (!atomic_load(&standby->copies[partition].follow)) {
        atomic_store(&standby->open, NONE);
        return;
    }
    process_states_make(states, &standby->options, standby->journal, partition, standby->metrics, world);
    standby->restore = (struct process_restore){ .journal = standby->journal,
                                                 .partition = partition,
                                                 .base = states->base,
                                                 .states = states->all,
                                                 .state_count = PROCESS_STATES,
                                                 .snapshot = { states->base, states->kv, world->disk },
                                                 .note = *note,
                                                 .is_copy = true };
}

static void tell_lag(struct copy *copy, const struct process_note *note)
{
    const bool behind = note->changelog_next > copy->records;
    gauge_set(copy->lag, behind ? (double)(note->changelog_next - copy->records) : 0);
}

/* *out_new: there is a checkpoint of the owner's that the copy has not. */
static enum status look(struct process_standby *standby, uint16_t partition, struct process_note *out_note,
                        bool *out_new, struct error *err)
{
    struct copy *copy = &standby->copies[partition];
    const struct journal_backend *backend = standby->journal->backend;
    struct journal_mark mark;
    char bytes[JOURNAL_NOTE_MAX];
    *out_new = false;
    enum status s = backend->mark(standby->journal, PROCESS_GROUP, partition, &mark, bytes);
    if (s == ERR_NOT_FOUND)
        return OK; /* nobody has begun it */
    if (s != OK)
        return error_set(err, s, "read the mark of group " PROCESS_GROUP);
    s = process_note_decode(mark.note, out_note, err);
    *out_new = s == OK && out_note->settled > copy->records;
    if (s == OK)
        tell_lag(copy, out_note);
    return s;
}

static enum status restore(struct process_standby *standby, struct copy *copy, struct error *err)
{
    bool done;
    const uint64_t before = standby->restore.records;
    enum status s = process_restore_step(&standby->restore, &done, err);
    const uint64_t now = standby->restore.records;
    counter_add(copy->applied, now > before ? now - before : 0);
    if (s == OK && done) {
        session_state_all_sent(standby->states.sessions);
        standby->point = process_restore_reached(&standby->restore);
        standby->restored = true;
    }
    return s;
}

/* ERR_RETRY: again in a moment. No upkeep: it would decide what is the owner's to decide (which generation an id is
 * of), and a checkpoint that cannot begin without it comes to nothing. */
static enum status settle(struct process_standby *standby, struct error *err)
{
    uint64_t keep;
    if (standby->restore.records == 0 && standby->restore.source == FROM_FILES)
        return OK; /* the base is all */
    enum status s =
        state_base_checkpoint(standby->states.base, standby->restore.note.seed, &standby->point, &keep, err);
    return s == ERR_RETRY && !state_base_is_settling(standby->states.base) ? ERR_IO : s;
}

static void end_visit(struct process_standby *standby, struct copy *copy, struct world *world)
{
    retry_reset(&copy->retry);
    copy->due_us = world_mono_us(world) + standby->options.checkpoint_interval_ms * 1000;
    close_copy(standby);
}

static void end_restored(struct process_standby *standby, struct copy *copy, struct world *world)
{
    uint64_t disk = 0;
    for (size_t i = 0; i < PROCESS_STATES; i++)
        disk += standby->states.all[i]->ops->disk_bytes(standby->states.all[i]);
    gauge_set(copy->disk_bytes, (double)disk);
    copy->records = process_restore_reached(&standby->restore).changelog_offset;
    tell_lag(copy, &standby->restore.note);
    log_debug("standby.copied", "partition=%d replayed=%llu records=%llu", atomic_load(&standby->open),
              (unsigned long long)standby->restore.records, (unsigned long long)copy->records);
    end_visit(standby, copy, world);
}

static void fail_visit(struct process_standby *standby, uint16_t partition, const struct error *err,
                       struct world *world)
{
    struct copy *copy = &standby->copies[partition];
    uint64_t skipped;
    if (atomic_load(&standby->open) != NONE)
        copy->records = 0; /* who knows what is left of it */
    close_copy(standby);
    copy->due_us = retry_next_us(&copy->retry, world);
    counter_add(copy->failures, 1);
    if (log_limit_pass(&standby->log, world_mono_us(world), LOG_INTERVAL_US, &skipped))
        log_warn("standby.failed", "partition=%u skipped=%llu coped=\"tried again\" error=\"%s\"", partition,
                 (unsigned long long)skipped, err->text);
}

/* ---- the step ---- */

/* The directory was somebody else's till now, or is from now on. */
static void note_follow(struct copy *copy, bool follow, int64_t now_us)
{
    copy->followed = follow;
    copy->records = 0;
    copy->due_us = now_us;
    gauge_set(copy->lag, 0);
    gauge_set(copy->disk_bytes, 0);
}

/* A partition whose time has come; NONE: *wake_us says when. */
static int next_due(struct process_standby *standby, struct world *world, int64_t *wake_us)
{
    const uint16_t count = standby->journal->partitions;
    const int64_t now_us = world_mono_us(world);
    for (uint16_t i = 0; i < count; i++) {
        const uint16_t partition = (uint16_t)((standby->turn + i) % count);
        struct copy *copy = &standby->copies[partition];
        const bool follow = atomic_load(&copy->follow);
        if (follow != copy->followed)
            note_follow(copy, follow, now_us);
        if (follow && copy->due_us <= now_us)
            return partition;
        if (follow && copy->due_us < *wake_us)
            *wake_us = copy->due_us;
    }
    return NONE;
}

static bool begin_visit(struct process_standby *standby, struct world *world, int64_t *wake_us)
{
    struct process_note note;
    struct error err = { 0 };
    bool is_new;
    const int due = next_due(standby, world, wake_us);
    if (due == NONE)
        return false;
    const uint16_t partition = (uint16_t)due;
    struct copy *copy = &standby->copies[partition];
    standby->turn = (uint16_t)((partition + 1) % standby->journal->partitions);
    enum status s = look(standby, partition, &note, &is_new, &err);
    if (s != OK)
        fail_visit(standby, partition, &err, world);
    else if (is_new)
        open_copy(standby, partition, &note, world);
    else
        end_visit(standby, copy, world);
    return true;
}

static bool go_on(struct process_standby *standby, uint16_t partition, struct world *world, int64_t *wake_us)
{
    struct copy *copy = &standby->copies[partition];
    struct error err = { 0 };
    const bool settles = standby->restored;
    enum status s = settles ? settle(standby, &err) : restore(standby, copy, &err);
    if (settles && s == ERR_RETRY) {
        *wake_us = world_mono_us(world) + SETTLE_WAIT_US;
        return false;
    }
    if (s != OK)
        fail_visit(standby, partition, &err, world);
    else if (settles)
        end_restored(standby, copy, world);
    return true;
}

static bool standby_step(void *self, struct world *world, int64_t *wake_us)
{
    struct process_standby *standby = self;
    const int partition = atomic_load(&standby->open);
    if (atomic_load(&standby->stop_asked)) {
        close_copy(standby);
        atomic_store(&standby->stopped, true);
        return false;
    }
    if (partition == NONE)
        return begin_visit(standby, world, wake_us);
    if (!atomic_load(&standby->copies[partition].follow)) {
        close_copy(standby);
        return true;
    }
    return go_on(standby, (uint16_t)partition, world, wake_us);
}

struct role process_standby_role(struct process_standby *standby)
{
    return (
        struct role){ .name = "standby", .self = standby, .step = standby_step, .bell = standby->bell, .nice = NICE };
}
