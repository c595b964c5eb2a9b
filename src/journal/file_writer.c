/* The writer's step: take what was submitted, write it as one group, flush once, tell everybody. There is no lingering:
 * what is submitted during a flush forms the next group, so groups grow with the load by themselves.
 *
 * When the disk fails:
 *   no room for a new segment   the commits that need it get ERR_FULL; nothing was written
 *   write says "no space"       the place is made invalid and flushed, then ERR_FULL; if that fails too, as below
 *   write or flush fails        ERR_IO. The kernel may have dropped the bytes and forgotten it, so that flushing again
 *                               would prove nothing: this segment ends at the last durable frame for ever, and the log
 *                               goes on in a new file. What was written behind that end is never read, and the next
 *                               segment's header says so durably before anything else is acknowledged.
 * After a failure the session changes, so that frames of the failed group can't continue a later chain. */
#include "base/log.h"
#include "journal/file.h"

#define RETRY_PAUSE_MIN_US 50000
#define RETRY_PAUSE_MAX_US 5000000
#define MARK_BYTES_MAX (sizeof(struct frame_mark) + JOURNAL_NOTE_MAX)

static void collect(struct journal_file *j)
{
    struct file_writer *w = &j->writer;
    struct journal_commit *commit = commit_list_take(&j->submitted);
    if (!commit)
        return;
    if (w->pending)
        w->pending_last->next = commit;
    else
        w->pending = commit;
    while (commit->next)
        commit = commit->next;
    w->pending_last = commit;
}

/* The oldest pending commit is over. */
static void finish_first(struct journal_file *j, enum status status, const char *reason)
{
    struct file_writer *w = &j->writer;
    struct journal_commit *commit = w->pending;
    w->pending = commit->next;
    commit->next = NULL;
    uint64_t before = atomic_fetch_sub(&j->queued_bytes, commit_bytes(commit));
    assert(before >= commit_bytes(commit));
    if (status == OK)
        histogram_observe_us(j->metrics.commit_time, world_mono_us(j->world) - commit->submitted_us, 1);
    else if (status == ERR_FULL)
        counter_add(j->metrics.refused_disk, 1);
    commit->done(commit, status, reason);
}

void file_writer_fail_all(struct journal_file *j, enum status status, const char *reason)
{
    collect(j);
    while (j->writer.pending)
        finish_first(j, status, reason);
}

static void publish_segment(struct journal_file *j)
{
    struct file_writer *w = &j->writer;
    if (w->any_segment)
        segments_seal(&j->segments, w->at, w->written_us);
    if (!segments_add(&j->segments, w->first, w->bytes))
        assert(!"room in the list was checked before the segment was begun");
    w->fresh = false;
    w->any_segment = true;
    w->next_first = w->first + w->bytes;
    file_spare_used(j, w->next_first);
    for (uint16_t i = 0; i < j->journal.partitions; i++)
        w->touched[i] = UINT32_MAX; /* everybody wakes and can move its mark on */
    w->touched_all = UINT32_MAX;
}

static void apply_marks(struct journal_file *j)
{
    for (struct journal_commit *commit = j->writer.pending;; commit = commit->next) {
        for (size_t i = 0; i < commit->mark_count; i++)
            if (!marks_set(j->marks, &commit->marks[i]))
                assert(!"room for marks was checked before the commit was written");
        if (commit == j->writer.group_last)
            return;
    }
}

static void group_succeeded(struct journal_file *j)
{
    struct file_writer *w = &j->writer;
    uint64_t records = 0;
    if (w->fresh)
        publish_segment(j);
    counter_add(j->metrics.bytes, w->group_at - w->write_from);
    w->at = w->group_at;
    w->chain = w->group_chain;
    w->written_us = w->wall_us;
    w->new_session = false;
    w->retry_pause_us = 0;
    w->idle_since_us = world_mono_us(j->world);
    if (w->group_last)
        apply_marks(j);
    ring_publish(j->ring, w->ring_next); /* before durable: a reader looks in the other order */
    atomic_store_explicit(&j->durable, w->at, memory_order_release);
    while (w->group_last) {
        bool last = w->pending == w->group_last;
        for (size_t i = 0; i < w->pending->chunk_count; i++) {
            const struct journal_chunk *chunk = &w->pending->chunks[i];
            records += chunk->records;
            atomic_fetch_add(file_end_offset_at(j, chunk->topic, chunk->partition), chunk->records);
        }
        counter_add(j->metrics.commits, 1);
        finish_first(j, OK, NULL);
        if (last)
            w->group_last = NULL;
    }
    counter_add(j->metrics.records, records);
    if (w->touched_all)
        wakers_wake(&j->wakers, w->touched, w->touched_all);
    memset(w->touched, 0, j->journal.partitions * sizeof *w->touched);
    w->touched_all = 0;
}

/* So that no later open finds the frames that a failed write left half or whole. */
static enum status scrub(struct journal_file *j)
{
    struct file_writer *w = &j->writer;
    static const char ZEROS[sizeof(struct frame_head)];
    struct iovec part = { (void *)(uintptr_t)ZEROS, sizeof ZEROS };
    enum status s = w->file->ops->write(w->file, &part, 1, w->write_from - w->first, NULL);
    return s == OK ? w->file->ops->sync(w->file, NULL) : s;
}

static void group_failed(struct journal_file *j, bool written, const struct error *err)
{
    struct file_writer *w = &j->writer;
    enum status status = ERR_IO;
    file_group_undo(j);
    if (!written && err->status == ERR_FULL && scrub(j) == OK) {
        status = ERR_FULL;
    } else {
        w->file->ops->close(w->file);
        w->file = NULL;
        if (w->fresh)
            file_spare_used(j, w->next_first); /* the same name again: the next one prepared replaces it */
        w->fresh = false;
        w->tide_due = false;
        log_error("journal.write_failed", "segment=%llu offset=%llu: %s; going on in a new segment",
                  (unsigned long long)w->first, (unsigned long long)(w->write_from - w->first), err->text);
    }
    j->world->random(j->world, &w->session, sizeof w->session);
    w->new_session = true;
    w->retry_pause_us = w->retry_pause_us ? w->retry_pause_us * 2 : RETRY_PAUSE_MIN_US;
    if (w->retry_pause_us > RETRY_PAUSE_MAX_US)
        w->retry_pause_us = RETRY_PAUSE_MAX_US;
    w->retry_us = world_mono_us(j->world) + w->retry_pause_us;
    while (w->group_last) {
        bool last = w->pending == w->group_last;
        finish_first(j, status, err->text);
        if (last)
            w->group_last = NULL;
    }
}

static void write_group(struct journal_file *j)
{
    struct error err = { OK, "" };
    bool written;
    if (file_group_write(j, &written, &err) == OK)
        group_succeeded(j);
    else
        group_failed(j, written, &err);
}

/* The last part of a segment is kept for marks alone when there is no room for another segment: they free space. */
static bool fits(const struct journal_file *j, const struct journal_commit *commit, uint64_t at)
{
    const struct file_writer *w = &j->writer;
    uint64_t reserve = commit->chunk_count ? w->bytes / 32 : 0;
    return at + frame_bytes(commit) + sizeof(struct frame_head) + reserve <= w->first + w->bytes;
}

static bool marks_fit(const struct journal_file *j, const struct journal_commit *commit)
{
    uint64_t snapshot = (marks_count(j->marks) + commit->mark_count) * MARK_BYTES_MAX +
                        (uint64_t)JOURNAL_TOPICS * j->journal.partitions * sizeof(struct frame_chunk);
    return commit->mark_count == 0 || (marks_room(j->marks, commit->marks, commit->mark_count) &&
                                       snapshot + SEGMENT_HEADER_BYTES <= j->options.segment_bytes / 4 + (64u << 10));
}

enum place { PLACE_READY, PLACE_WAIT, PLACE_NONE };

/* A segment that has room for the oldest pending commit. */
static enum place find_place(struct journal_file *j)
{
    struct file_writer *w = &j->writer;
    if (w->file && (w->fresh || fits(j, w->pending, w->at)))
        return PLACE_READY;
    if (segments_count(&j->segments) + 2 >= j->segments.capacity)
        return PLACE_NONE;
    bool no_room;
    struct disk_file *file = file_take_spare(j, &no_room);
    if (!file)
        return no_room ? PLACE_NONE : PLACE_WAIT;
    if (w->file)
        w->file->ops->close(w->file);
    w->file = file;
    w->file->ops->past_cache(w->file);
    w->fresh = true;
    w->first = w->next_first;
    w->bytes = j->options.segment_bytes;
    return PLACE_READY;
}

/* Nothing is pending: after a while say once that the last group is durable, so that damage to it is noticed. */
static bool idle(struct journal_file *j, int64_t *wake_us)
{
    struct file_writer *w = &j->writer;
    if (!w->tide_due || !w->file)
        return false;
    int64_t due_us = w->idle_since_us + TIDE_AFTER_US;
    if (world_mono_us(j->world) < due_us && !atomic_load(&j->draining)) {
        *wake_us = due_us;
        return false;
    }
    w->tide_due = false;
    if (w->at + sizeof(struct frame_head) > w->first + w->bytes)
        return false;
    file_group_begin(j);
    file_group_add_tide(j);
    write_group(j);
    return false;
}

static void write_pending(struct journal_file *j)
{
    struct file_writer *w = &j->writer;
    file_group_begin(j);
    for (struct journal_commit *commit = w->pending; commit; commit = commit->next) {
        /* The first fits by find_place; its marks may still be too many. */
        if (!marks_fit(j, commit) || (w->group_last && !fits(j, commit, w->group_at)) || !file_group_add(j, commit))
            break;
    }
    if (!w->group_last) {
        finish_first(j, ERR_FULL, "there are too many marks: drop those of groups that are gone");
        return;
    }
    w->tide_due = true;
    write_group(j);
}

bool file_writer_step(void *self, struct world *world, int64_t *wake_us)
{
    struct journal_file *j = self;
    struct file_writer *w = &j->writer;
    bool draining = atomic_load(&j->draining);
    int64_t now_us = world_mono_us(world);
    collect(j);
    gauge_set(j->metrics.queued, (double)atomic_load(&j->queued_bytes));
    if (!w->pending)
        return idle(j, wake_us);
    if (now_us < w->retry_us && !draining) {
        *wake_us = w->retry_us;
        return false;
    }
    switch (find_place(j)) {
    case PLACE_READY:
        write_pending(j);
        return true; /* also with nothing pending: the step after the last group sees to the tide */
    case PLACE_WAIT: /* the janitor is at it, and rings when it is done */
        counter_add(j->metrics.waited, 1);
        *wake_us = now_us + 5000;
        return draining;
    case PLACE_NONE:
        finish_first(j, ERR_FULL,
                     "no room on the disk for another segment of the journal: free some, or let readers catch up");
        return true;
    }
    return false;
}
