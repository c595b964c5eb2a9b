/* How a task begins: it reads its partition's mark, rebuilds its states (process_restore.c), and stands where the last
 * durable commit left it. In steps like everything else, since a long changelog takes a while; trouble with the disk is
 * waited out, a state that cannot be rebuilt ends the task with the reason. */
#include "process/process_task_state.h"
#include "world/world.h"

/* The first changes and the first mark are one commit: where there are changes, there was a mark. Kafka forgets offsets
 * that nobody commits (offsets.retention.minutes, 7 days unless set). */
static enum status refuse_lost_mark(struct process_task *task, struct error *err)
{
    const struct journal_read_options options = { .topics = TOPIC_BIT(TOPIC_CHANGELOG), .partition = task->partition };
    struct journal_reader *reader;
    struct journal_batch batch = { 0 };
    if (task->options.accept_lost_state)
        return OK;
    enum status s = task->journal->backend->reader_open(task->journal, &options, &reader, err);
    if (s != OK)
        return s;
    s = journal_read(reader, 1, &batch, err);
    task->journal->backend->reader_close(reader);
    if (s != OK || batch.chunk_count == 0)
        return s;
    return error_set(
        err, ERR_CORRUPT,
        "the mark of partition %u is gone, and its changelog is not empty: everything that the journal has "
        "would count again. Was weir stopped for longer than the brokers' offsets.retention.minutes? To "
        "begin anew: another kafka.prefix, or process.accept_lost_state: true",
        task->partition);
}

/* A new partition gets its seed. */
static enum status begin_anew(struct process_task *task, struct world *world, struct error *err)
{
    enum status s = refuse_lost_mark(task, err);
    if (s != OK)
        return s;
    task->restore.note = (struct process_note){ 0 };
    world->random(world, &task->restore.note.seed, sizeof task->restore.note.seed);
    task->start_position = task->keep = JOURNAL_BEGIN;
    task->must_mark = task->has_keep = true; /* from now on the journal keeps what this partition needs */
    return OK;
}

/* Whoever claimed the partition before has told of himself since (if at all): where that ends has moved on. What others
 * are told is not worth waiting for: 0 is less than what any of them knows. */
static void look_at_generation(struct process_task *task)
{
    uint64_t end = 0;
    if (task->options.is_reported &&
        task->journal->backend->end_position(task->journal, TOPIC_TASKS, 0, &end, NULL) == OK)
        atomic_store(&task->generation, end);
}

static enum status read_mark(struct process_task *task, struct world *world, struct error *err)
{
    struct journal_mark mark;
    char bytes[JOURNAL_NOTE_MAX];
    enum status s = task->journal->backend->own(task->journal, PROCESS_GROUP, task->partition, err);
    if (s != OK)
        return s;
    look_at_generation(task);
    s = task->journal->backend->mark(task->journal, PROCESS_GROUP, task->partition, &mark, bytes);
    if (s == ERR_NOT_FOUND)
        return begin_anew(task, world, err);
    if (s != OK)
        return error_set(err, s, "read the mark of group process");
    task->start_position = mark.position;
    return process_note_decode(mark.note, &task->restore.note, err);
}

static enum status run_from(struct process_task *task, struct world *world, struct error *err)
{
    const struct process_note *note = &task->restore.note;
    struct process_pipeline_options options = { .partition = task->partition,
                                                .partitions = task->journal->partitions,
                                                .seed = note->seed,
                                                .future_skew_ms = task->options.future_skew_ms,
                                                .late_after_ms = task->options.late_after_ms,
                                                .results_max = task->options.results_max,
                                                .domains = task->options.domains,
                                                .session_gap_ms = task->options.session_gap_ms,
                                                .pii_key = task->options.pii_key,
                                                .windows = &task->states.windows,
                                                .results_only = task->options.results_only,
                                                .ids_unique = task->options.ids_unique };
    task->seed = note->seed;
    task->changelog_next = task->durable_next = note->changelog_next;
    const struct process_memory memory = { task->states.dedup, task->states.sessions, task->states.rows,
                                           task->states.watermarks };
    task->pipeline = process_pipeline_new(&options, &memory, &task->metrics);
    task->last_point = task->restore.point;
    task->snapshot.whole = note->snapshot;
    if (task->options.snapshots && note->snapshot.bytes) { /* whoever ended it may have died before it was said */
        task->keep = note->snapshot.position;
        task->has_keep = true;
    }
    task->checkpoint_at_us = world_mono_us(world) + task->options.checkpoint_interval_ms * 1000;
    task->mark_again_us = world_mono_us(world) + MARK_AGAIN_US;
    gauge_set(task->metrics.position, (double)task->start_position);
    task->open->position = task->start_position;
    task->open->note = *note;
    return process_input_open(&task->input, task->journal, task->partition, task->start_position, note->skip,
                              bell_waker(task->bell), err);
}

static void log_restored(const struct process_task *task)
{
    const struct process_restore *restore = &task->restore;
    if (restore->why[0])
        log_warn("process.base_unusable", "partition=%u coped=\"an older base or the whole changelog\" error=\"%s\"",
                 task->partition, restore->why);
    if (restore->lost)
        log_error("process.state_lost",
                  "partition=%u hint=\"repeats of events before the journal's beginning count "
                  "again; unset process.accept_lost_state\"",
                  task->partition);
    static const char *const SOURCES[] = { "files", "snapshot", "changelog" };
    log_info("process.restored", "partition=%u from=%s replayed=%llu ids=%llu", task->partition,
             SOURCES[restore->source], (unsigned long long)restore->records,
             (unsigned long long)dedup_ids(task->states.dedup));
}

bool process_start_step(struct process_task *task, struct world *world, int64_t *wake_us)
{
    struct error err = { 0 };
    bool done = false;
    if (atomic_load(&task->stop_asked)) {
        atomic_store(&task->state, PROCESS_STOPPED);
        return false;
    }
    if (world_mono_us(world) < task->restore_at_us) {
        process_wake_at(wake_us, task->restore_at_us);
        return false;
    }
    enum status s = task->restore.opened ? OK : read_mark(task, world, &err);
    if (s == OK)
        s = process_restore_step(&task->restore, &done, &err);
    gauge_set(task->metrics.replayed, (double)task->restore.records);
    gauge_set(task->metrics.restore_left_records, done ? 0 : (double)process_restore_left(&task->restore));
    if (s == OK && done)
        s = run_from(task, world, &err);
    switch (s) {
    case OK:
        break;
    case ERR_IO:
    case ERR_FULL:
    case ERR_RETRY:
        log_warn("process.restore_failed", "partition=%u error=\"%s\"", task->partition, err.text);
        process_restore_reset(&task->restore);
        task->restore_at_us = retry_next_us(&task->restore_retry, world);
        process_wake_at(wake_us, task->restore_at_us);
        return false;
    case ERR_INVALID:
    case ERR_NOT_FOUND:
    case ERR_CORRUPT:
    case ERR_CLOSED:
        process_task_fail(task, s, "restore", err.text);
        return false;
    }
    if (done) {
        log_restored(task);
        process_restore_reset(&task->restore);
        atomic_store(&task->state, PROCESS_RUNNING);
    }
    return true;
}
