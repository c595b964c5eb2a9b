/* One step of a running task:
 *
 *   finish   the answer to the flying commit: durable → its changes may reach the state's files, the feed is told
 *   upkeep   a bounded piece of state files, a checkpoint when due
 *   start    the open commit becomes the flying one when none is with the journal
 *   fill     reads events, runs the stages, into the open commit until it is full or nothing is left
 *
 * While a commit is in flight the next one fills, so that batches grow by themselves under load and a lone event goes
 * out at once. There is never more than one commit with the journal: a journal that is full may refuse one and take a
 * later one, and then position and state would be ahead of the outputs. A refused commit stays as it is and is
 * submitted again; after any other failure nothing is known, so the task stops, and whoever runs it makes a new one,
 * which rebuilds itself from base and changelog.
 *
 * Effects of the stages on state are in memory before they are durable. That is safe because nothing of it leaves the
 * task except through the commit: files get only what came back as durable, and a failed task is thrown away. */
#include "process/process_task_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "process/process_options.h"
#include "world/disk.h"
#include "world/world.h"

#define VECTOR_BYTES (1u << 20)
#define LOG_INTERVAL_US 5000000
#define SETTLE_WAIT_US 1000 /* while stopping */

/* ---- life ---- */

static void make_states(struct process_task *task, struct world *world)
{
    struct process_states *states = &task->states;
    process_states_make(states, &task->options, task->journal, task->partition, task->metrics.registry, world);
    const struct process_snapshot_options snapshots = { .base = states->base,
                                                        .kv = states->kv,
                                                        .disk = world->disk,
                                                        .partition = task->partition,
                                                        .after_bytes = task->options.snapshot_after_bytes,
                                                        .piece_bytes = task->options.snapshot_piece_bytes };
    process_snapshot_init(&task->snapshot, &snapshots);
}

/* The settings that it stands in may be read again while the task is at work, on its own thread. */
static void keep_key(struct process_task *task)
{
    struct slice *key = &task->options.pii_key;
    if (!key->n)
        return;
    char *kept = malloc(key->n);
    if (!kept)
        abort();
    memcpy(kept, key->p, key->n);
    *key = slice_of(kept, key->n);
}

static void forget_key(struct process_task *task)
{
    char *kept = (char *)(uintptr_t)task->options.pii_key.p;
    if (!task->options.pii_key.n)
        return;
    explicit_bzero(kept, task->options.pii_key.n);
    free(kept);
}

struct process_task *process_task_new(const struct process_options *options, struct journal *journal,
                                      uint16_t partition, struct metrics *metrics, struct queue *live,
                                      struct world *world)
{
    struct process_task *task = calloc(1, sizeof *task);
    if (!task)
        abort();
    assert(options->state_path && options->kv && partition < journal->partitions);
    task->options = *options;
    process_options_complete(&task->options);
    keep_key(task);
    task->journal = journal;
    task->partition = partition;
    task->live_queue = live;
    task->bell = bell_new();
    snprintf(task->name, sizeof task->name, "process-%u", partition);
    process_metrics_init(&task->metrics, metrics, partition);
    make_states(task, world);
    for (int i = 0; i < 2; i++)
        process_commit_init(&task->commits[i], partition, task->bell);
    task->open = &task->commits[0];
    task->restore_retry = task->commit_retry = (struct retry){ .first_ms = 50, .most_ms = 5000 };
    task->checkpoint_retry = task->maintain_retry = (struct retry){ .first_ms = 500, .most_ms = 10000 };
    task->restore = (struct process_restore){ .journal = journal,
                                              .partition = partition,
                                              .base = task->states.base,
                                              .states = task->states.all,
                                              .state_count = PROCESS_STATES,
                                              .snapshot = { task->states.base, task->states.kv, world->disk },
                                              .accept_lost = task->options.accept_lost_state };
    atomic_store(&task->state, PROCESS_RESTORING);
    return task;
}

void process_task_free(struct process_task *task)
{
    if (!task)
        return;
    assert(!atomic_load(&task->at_journal)); /* close the journal first: it answers every commit */
    process_metrics_end(&task->metrics);
    process_restore_reset(&task->restore);
    process_input_close(&task->input);
    process_pipeline_free(task->pipeline);
    process_snapshot_done(&task->snapshot);
    process_states_done(&task->states);
    process_commit_done(&task->commits[0]);
    process_commit_done(&task->commits[1]);
    bell_free(task->bell);
    forget_key(task);
    free(task);
}

void process_task_stop(struct process_task *task)
{
    atomic_store(&task->stop_asked, true);
    bell_ring(task->bell);
}

enum process_task_state process_task_state(const struct process_task *task)
{
    return (enum process_task_state)atomic_load(&task->state);
}

bool process_task_is_finished(const struct process_task *task)
{
    int state = atomic_load(&task->state);
    return (state == PROCESS_STOPPED || state == PROCESS_FAILED) && !atomic_load(&task->at_journal) &&
           !atomic_load(&task->commits[0].ringing) && !atomic_load(&task->commits[1].ringing);
}

bool process_task_is_ready(const struct process_task *task)
{
    int state = atomic_load(&task->state);
    return state == PROCESS_RUNNING || state == PROCESS_STOPPING;
}

uint64_t process_task_generation(const struct process_task *task)
{
    return atomic_load(&task->generation);
}

const char *process_task_error(const struct process_task *task)
{
    return task->error.text;
}

void process_task_fail(struct process_task *task, enum status s, const char *what, const char *text)
{
    error_set(&task->error, s, "partition %u: %s: %s", task->partition, what, text);
    log_error("process.failed", "partition=%u status=%s error=\"%s\"", task->partition, status_name(s),
              task->error.text);
    atomic_store(&task->state, PROCESS_FAILED);
}

/* ---- commits ---- */

static bool wants_snapshot(const struct process_task *task, struct world *world)
{
    return task->options.snapshots && atomic_load(&task->state) == PROCESS_RUNNING &&
           process_snapshot_wants(&task->snapshot, world);
}

struct durable_visit {
    struct process_task *task;
};

static void make_durable(void *self, struct slice record, uint64_t offset)
{
    struct process_task *task = ((struct durable_visit *)self)->task;
    if (is_snapshot_record(record))
        return;
    task->changed_bytes += record.n;
    for (size_t i = 0; i < PROCESS_STATES; i++)
        if ((uint8_t)record.p[0] == task->states.all[i]->ops->id)
            task->states.all[i]->ops->durable(task->states.all[i], record, offset);
}

static void commit_is_durable(struct process_task *task, struct world *world)
{
    struct process_commit *commit = task->flying;
    struct durable_visit visit = { task };
    int64_t now_us = world_mono_us(world);
    uint64_t before = task->changed_bytes, limit = task->options.checkpoint_bytes;
    process_commit_changes(commit, task->partition, make_durable, &visit);
    task->durable_next = commit->note.changelog_next;
    gauge_set(task->metrics.position, (double)commit->position);
    if (before < limit && task->changed_bytes >= limit) /* once: what cannot be done now is tried again in its time */
        task->checkpoint_at_us = now_us;
    counter_add(task->metrics.commits, 1);
    counter_add(task->metrics.late, process_outputs_stream(&commit->outputs, TOPIC_LATE, task->partition)->records);
    histogram_observe_us(task->metrics.commit_seconds, now_us - commit->submitted_us, 1);
    gauge_set(task->metrics.last_commit, (double)(now_us - commit->submitted_us) / 1e6);
    if (commit->oldest_us != INT64_MAX && commit->oldest_us > 0) {
        int64_t latency_us = world_wall_us(world) - commit->oldest_us;
        task->latency_us = latency_us > 0 ? latency_us : 0;
        histogram_observe_us(task->metrics.latency_seconds, task->latency_us, 1);
    }
    if (task->live_queue)
        live_gather_merge(&task->live, &commit->live);
    retry_reset(&task->commit_retry);
    process_commit_reset(commit);
    task->flying = NULL;
}

static void commit_is_refused(struct process_task *task, struct world *world, const char *reason)
{
    uint64_t skipped;
    task->commit_at_us = retry_next_us(&task->commit_retry, world);
    counter_add(task->metrics.commit_retries, 1);
    process_metrics_exceptions(&task->metrics, 1);
    if (log_limit_pass(&task->commit_log, world_mono_us(world), LOG_INTERVAL_US, &skipped))
        log_warn("process.commit_waits", "partition=%u skipped=%llu error=\"%s\"", task->partition,
                 (unsigned long long)skipped, reason);
}

/* The journal's answer to the flying commit, if it has come. */
static bool finish(struct process_task *task, struct world *world)
{
    struct process_commit *commit = task->flying;
    if (!commit || !atomic_load(&task->at_journal) || atomic_load(&commit->answer) == ANSWER_NONE)
        return false;
    atomic_store(&task->at_journal, false);
    if (task->state == PROCESS_FAILED)
        return true;
    switch (commit->status) {
    case OK:
        commit_is_durable(task, world);
        return true;
    case ERR_FULL:
    case ERR_RETRY:
        commit_is_refused(task, world, commit->reason);
        return true;
    case ERR_INVALID:
    case ERR_NOT_FOUND:
    case ERR_CORRUPT:
    case ERR_IO:
    case ERR_CLOSED:
        break;
    }
    process_task_fail(task, commit->status, "commit", commit->reason);
    return true;
}

/* A piece of the snapshot that is being written, unless the commit is large already. */
static void add_snapshot(struct process_task *task, struct process_stream *changelog, struct world *world)
{
    const struct snapshot_place *whole = &task->snapshot.whole;
    uint64_t before = whole->record + whole->bytes;
    process_snapshot_changed(&task->snapshot, changelog->bytes.n);
    if (!wants_snapshot(task, world) ||
        process_outputs_bytes(&task->open->outputs) > JOURNAL_COMMIT_BYTES_MAX - SNAPSHOT_COMMIT_BYTES)
        return;
    process_snapshot_collect(&task->snapshot, task->changelog_next + changelog->records, changelog, world);
    if (whole->record + whole->bytes == before)
        return;
    task->keep = whole->position; /* what lies before it nobody needs, once this commit is durable */
    task->has_keep = true;
}

/* Gathers the changes of state and makes the open commit the flying one. */
static enum status seal(struct process_task *task, struct world *world, struct error *err)
{
    struct process_commit *commit = task->open;
    struct process_stream *changelog = process_outputs_stream(&commit->outputs, TOPIC_CHANGELOG, task->partition);
    uint64_t replay_from = task->changelog_next;
    enum status s = process_pipeline_flush(task->pipeline, &commit->outputs, err);
    if (s != OK)
        return s;
    for (size_t i = 0; i < PROCESS_STATES; i++) {
        struct state *state = task->states.all[i];
        uint64_t from = state->ops->replay_from(state, task->changelog_next);
        replay_from = from < replay_from ? from : replay_from;
        s = state->ops->collect(state, changelog, err);
        if (s != OK)
            return s;
    }
    add_snapshot(task, changelog, world);
    commit->changes = changelog->records;
    task->changelog_next += commit->changes;
    commit->position = process_input_position(&task->input, &commit->note.skip);
    commit->note.seed = task->seed;
    commit->note.changelog_next = task->changelog_next;
    commit->note.replay_from = replay_from;
    commit->note.snapshot = task->snapshot.whole;
    commit->note.settled = task->last_point.changelog_offset;
    process_commit_seal(commit, task->partition, task->has_keep ? &task->keep : NULL);
    task->has_keep = task->must_mark = false;
    task->flying = commit;
    task->open = commit == &task->commits[0] ? &task->commits[1] : &task->commits[0];
    return OK;
}

static size_t vector_bytes(const struct process_task *task)
{
    return task->options.batch_bytes_max < VECTOR_BYTES ? task->options.batch_bytes_max : VECTOR_BYTES;
}

/* What the commit would be now, changes of state included. */
static uint64_t commit_bytes(const struct process_task *task)
{
    uint64_t bytes = process_outputs_bytes(&task->open->outputs);
    for (size_t i = 0; i < PROCESS_STATES; i++)
        bytes += task->states.all[i]->ops->pending_bytes(task->states.all[i]);
    return bytes;
}

static bool is_full(const struct process_task *task)
{
    const struct process_commit *open = task->open;
    return open->events + open->records >= task->options.batch_records_max ||
           commit_bytes(task) >= task->options.batch_bytes_max || process_pipeline_is_full(task->pipeline) ||
           (open->events && process_input_peek_bytes(&task->input) > vector_bytes(task)); /* a giant goes alone */
}

/* Under load a commit waits a moment for company: every flush of the journal that is ours alone holds up everybody's. A
 * lone event after a pause goes at once. */
static bool waits_for_company(struct process_task *task, struct world *world, int64_t *wake_us)
{
    int64_t due_us = task->last_commit_us + task->options.commit_pause_us;
    if (task->options.commit_pause_us == 0 || task->state != PROCESS_RUNNING || is_full(task) ||
        world_mono_us(world) >= due_us)
        return false;
    process_wake_at(wake_us, due_us);
    return true;
}

/* Whether windows are due, or whatever else happens because time passes. */
static bool time_wants(struct process_task *task, struct world *world, int64_t *wake_us)
{
    int64_t now_ms = world_wall_ms(world), wake_ms;
    if (process_pipeline_tick(task->pipeline, now_ms, &wake_ms))
        return true;
    if (wake_ms != INT64_MAX)
        process_wake_at(wake_us, world_mono_us(world) + (wake_ms > now_ms ? wake_ms - now_ms : 1) * 1000);
    return false;
}

static bool start(struct process_task *task, struct world *world, int64_t *wake_us)
{
    struct error err = { 0 };
    if (task->flying && atomic_load(&task->at_journal))
        return false;
    if (task->flying && world_mono_us(world) < task->commit_at_us) {
        process_wake_at(wake_us, task->commit_at_us);
        return false;
    }
    if (!task->flying) {
        if (task->open->events == 0 && task->open->records == 0 && !task->must_mark && !wants_snapshot(task, world) &&
            !time_wants(task, world, wake_us))
            return false;
        if (waits_for_company(task, world, wake_us))
            return false;
        enum status s = seal(task, world, &err);
        if (s != OK) {
            process_task_fail(task, s, "commit", err.text);
            return false;
        }
    }
    task->flying->submitted_us = task->last_commit_us = world_mono_us(world);
    atomic_store(&task->at_journal, true);
    enum status s = process_commit_submit(task->flying, task->journal, &err);
    if (s == OK)
        return true;
    atomic_store(&task->at_journal, false);
    if (s == ERR_FULL || s == ERR_RETRY) {
        commit_is_refused(task, world, err.text);
        process_wake_at(wake_us, task->commit_at_us);
    } else {
        process_task_fail(task, s, "commit", err.text);
    }
    return false;
}

/* ---- filling ---- */

static enum status take_vector(struct process_task *task, struct error *err)
{
    size_t bytes = 0;
    while (process_input_has(&task->input) && process_input_topic(&task->input) == TOPIC_EVENTS &&
           process_pipeline_count(task->pipeline) < PROCESS_BATCH_MAX) {
        struct slice record;
        size_t next = process_input_peek_bytes(&task->input);
        if (bytes && bytes + next > vector_bytes(task))
            break;
        enum status s = process_input_next(&task->input, &record, err);
        if (s != OK)
            return s;
        (void)process_pipeline_add(task->pipeline, record);
        bytes += record.n;
    }
    return OK;
}

/* What other partitions found for this one's keys, up to the next event. */
static enum status take_partials(struct process_task *task, struct world *world, struct error *err)
{
    struct process_commit *open = task->open;
    enum status s = OK;
    for (size_t n = 0;
         s == OK && n < PROCESS_BATCH_MAX && open->events + open->records < task->options.batch_records_max &&
         process_input_has(&task->input) && process_input_topic(&task->input) == TOPIC_REKEYED;
         n++) {
        struct slice record;
        s = process_input_next(&task->input, &record, err);
        if (s == OK)
            s = process_pipeline_partial(task->pipeline, record, world_wall_ms(world), &open->outputs, err);
        open->records++;
    }
    return s;
}

static enum status prepare_states(struct process_task *task, struct error *err)
{
    for (size_t i = 0; i < PROCESS_STATES; i++) {
        enum status s = task->states.all[i]->ops->prepare(task->states.all[i], PROCESS_BATCH_MAX, err);
        if (s != OK)
            return s;
    }
    return OK;
}

/* One vector of events through the stages. ERR_NOT_FOUND: nothing to do. ERR_FULL: the states have no room now. */
static enum status fill_vector(struct process_task *task, struct world *world, struct error *err)
{
    struct process_commit *open = task->open;
    enum status s = OK;
    if (!process_input_has(&task->input))
        s = process_input_read(&task->input, task->options.read_bytes, err);
    if (s != OK)
        return s == ERR_NOT_FOUND ? error_wrap(err, ERR_CORRUPT, "read events") : s;
    if (!process_input_has(&task->input))
        return ERR_NOT_FOUND;
    s = prepare_states(task, err);
    if (s == OK && process_input_topic(&task->input) == TOPIC_REKEYED)
        return take_partials(task, world, err);
    if (s == OK)
        s = take_vector(task, err);
    if (s != OK)
        return s;
    size_t count = process_pipeline_count(task->pipeline);
    s = process_pipeline_run(task->pipeline, world_wall_ms(world), &open->outputs, &open->live, &open->oldest_us, err);
    open->events += (uint32_t)count;
    return s == ERR_FULL ? ERR_INVALID : s;
}

/* A checkpoint begins between two commits, when no session waits to be sent: what filled the next commit meanwhile
 * would leave some again, each time. */
static bool waits_for_checkpoint(const struct process_task *task)
{
    return task->flying && session_state_hurries(task->states.sessions);
}

static bool fill(struct process_task *task, struct world *world, int64_t *wake_us)
{
    bool worked = false;
    if (waits_for_checkpoint(task))
        return false;
    while (!is_full(task) && !process_pipeline_is_closing(task->pipeline)) {
        struct error err = { 0 };
        enum status s = fill_vector(task, world, &err);
        if (s == OK) {
            worked = true;
            continue;
        }
        if (s == ERR_FULL && task->flying == NULL && !worked) /* upkeep makes room; its trouble paces us */
            process_wake_at(wake_us, task->maintain_at_us);
        if (s != ERR_FULL && s != ERR_NOT_FOUND)
            process_task_fail(task, s, "process", err.text);
        break;
    }
    return worked;
}

/* ---- the step ---- */

static bool step_stopping(struct process_task *task, struct world *world, int64_t *wake_us)
{
    bool worked = finish(task, world);
    if (task->state == PROCESS_FAILED)
        return false;
    bool refused = task->flying && !atomic_load(&task->at_journal);
    if (refused && task->commit_retry.attempts) { /* the journal has no room: the next start does this work again */
        log_warn("process.stopped_behind", "partition=%u events=%u", task->partition, task->flying->events);
        atomic_store(&task->state, PROCESS_STOPPED);
        return false;
    }
    if (task->flying)
        return worked;
    if (!task->last_checkpoint_tried) {
        process_pipeline_hurry(task->pipeline);
        if (start(task, world, wake_us) || task->flying)
            return true;
    }
    if (task->open->events == 0 && !task->last_checkpoint_tried) {
        task->checkpoint_at_us = 0;
        (void)process_upkeep_checkpoint(task, world, wake_us);
        /* One that began settles only while the journal says where it ends. */
        task->last_checkpoint_tried = !state_base_is_settling(task->states.base) || task->checkpoint_retry.attempts;
        if (!task->last_checkpoint_tried) {
            process_wake_at(wake_us, world_mono_us(world) + SETTLE_WAIT_US);
            return false;
        }
    }
    if (start(task, world, wake_us) || task->flying)
        return true;
    process_upkeep_publish(task, world, wake_us);
    if (task->state != PROCESS_FAILED)
        atomic_store(&task->state, PROCESS_STOPPED);
    return false;
}

static bool step_running(struct process_task *task, struct world *world, int64_t *wake_us)
{
    if (atomic_load(&task->stop_asked)) {
        retry_reset(&task->checkpoint_retry); /* from here on it counts the failures of the last one */
        atomic_store(&task->state, PROCESS_STOPPING);
        return true;
    }
    bool worked = finish(task, world);
    if (task->state == PROCESS_FAILED)
        return false;
    worked |= process_upkeep_maintain(task, world, wake_us);
    worked |= process_upkeep_checkpoint(task, world, wake_us);
    worked |= start(task, world, wake_us);
    if (task->state != PROCESS_FAILED && fill(task, world, wake_us)) {
        worked = true;
        if (task->state != PROCESS_FAILED)
            (void)start(task, world, wake_us);
    }
    process_upkeep_publish(task, world, wake_us);
    process_upkeep_gauges(task, world);
    return worked && task->state != PROCESS_FAILED;
}

static bool task_step(void *self, struct world *world, int64_t *wake_us)
{
    struct process_task *task = self;
    switch ((enum process_task_state)atomic_load(&task->state)) {
    case PROCESS_RESTORING:
        return process_start_step(task, world, wake_us);
    case PROCESS_RUNNING:
        return step_running(task, world, wake_us);
    case PROCESS_STOPPING:
        return step_stopping(task, world, wake_us);
    case PROCESS_FAILED:
        (void)finish(task, world);
        return false;
    case PROCESS_STOPPED:
        return false;
    }
    return false;
}

struct role process_task_role(struct process_task *task)
{
    return (struct role){ task->name, task, task_step, task->bell };
}
