/* The file backend: one physical log for all topics and partitions, so that one flush makes a task's outputs, its state
 * changes and its position durable together, and serves everybody who waits. This file opens and closes it and takes
 * commits in; the work is in file_writer.c (one group, one write, one flush), file_janitor.c (segments made and
 * deleted), file_reader.c (reading) and file_recover.c (opening after a crash). The bytes are drawn in frame.c.
 *
 * Checksums of chunks are computed by the writer, not by the submitters: at 10 to 20 GB/s it costs the writer a few per
 * cent of a group, and the bytes are about to be copied there anyway (decision 0020). */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "journal/file.h"

#define SEGMENTS_MAX 16384u /* unless total_bytes_max asks for more: a terabyte of default segments */
#define STAGING_BYTES_MAX (64u << 20)

void file_segment_path(const struct journal_file *j, uint64_t first, char out[DISK_PATH_MAX])
{
    snprintf(out, DISK_PATH_MAX, "%s/%020llu.seg", j->path, (unsigned long long)first);
}

size_t file_commit_bytes_max(const struct journal_file *j)
{
    uint64_t half = j->options.segment_bytes / 2;
    return half < JOURNAL_COMMIT_BYTES_MAX ? (size_t)half : JOURNAL_COMMIT_BYTES_MAX;
}

uint64_t file_bytes_on_disk(struct journal_file *j)
{
    uint64_t bytes = atomic_load(&j->spare_bytes);
    struct segment segment;
    uint64_t oldest = segments_oldest(&j->segments), count = segments_count(&j->segments);
    if (count && segments_get(&j->segments, oldest + count - 1, &segment)) {
        uint64_t end = segment.first + segment.bytes;
        if (segments_get(&j->segments, segments_oldest(&j->segments), &segment))
            bytes += end - segment.first;
    }
    return bytes;
}

static enum status check_options(const struct journal_options *options, struct error *err)
{
    if (options->partitions == 0 || options->partitions == JOURNAL_ALL_PARTITIONS)
        return error_set(err, ERR_INVALID, "open the journal: partitions must be 1 to 65534");
    if (options->segment_bytes < SEGMENT_BYTES_MIN || options->segment_bytes > SEGMENT_BYTES_MAX ||
        options->segment_bytes % 4096)
        return error_set(err, ERR_INVALID,
                         "open the journal: segment_bytes must be a multiple of 4096 from %u to %u, not %llu",
                         SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX, (unsigned long long)options->segment_bytes);
    if ((uint64_t)JOURNAL_TOPICS * options->partitions * sizeof(struct frame_chunk) > options->segment_bytes / 8)
        return error_set(err, ERR_INVALID, "open the journal: %u partitions need larger segments than %llu bytes",
                         options->partitions, (unsigned long long)options->segment_bytes);
    if (options->total_bytes_max && options->total_bytes_max < 4 * options->segment_bytes)
        return error_set(err, ERR_INVALID, "open the journal: total_bytes_max must allow at least four segments");
    if (!options->path || !options->path[0] || strlen(options->path) >= DISK_PATH_MAX - 64)
        return error_set(err, ERR_INVALID, "open the journal: the path of its directory is missing or too long");
    return OK;
}

static void make_metrics(struct journal_file *j, struct metrics *metrics)
{
    if (!metrics)
        metrics = j->own_metrics = metrics_new(32);
    j->metrics = (struct file_metrics){
        .commits = metrics_counter(metrics, "journal_commits_total", "Commits made durable.", ""),
        .records = metrics_counter(metrics, "journal_records_total", "Records made durable.", ""),
        .bytes = metrics_counter(metrics, "journal_written_bytes_total", "Bytes written to the log.", ""),
        .syncs = metrics_counter(metrics, "journal_syncs_total", "Flushes of the log to the disk.", ""),
        .sync_errors = metrics_counter(metrics, "journal_sync_errors_total", "Flushes that the disk failed.", ""),
        .refused_queue =
            metrics_counter(metrics, "journal_refused_total", "Commits refused, by reason.", "reason=\"queue\""),
        .refused_disk =
            metrics_counter(metrics, "journal_refused_total", "Commits refused, by reason.", "reason=\"disk\""),
        .waited =
            metrics_counter(metrics, "journal_segment_waits_total", "Times the writer found no segment ready.", ""),
        .disk_bytes = metrics_gauge(metrics, "journal_disk_bytes", "Size of all segments.", ""),
        .full = metrics_gauge(metrics, "journal_full", "1 while input is refused for want of room.", ""),
        .queued = metrics_gauge(metrics, "journal_queued_bytes", "Submitted, not yet durable.", ""),
        .sync_time = metrics_histogram(metrics, "journal_sync_seconds", "Duration of a flush.", ""),
        .commit_time = metrics_histogram(metrics, "journal_commit_seconds", "From submit to durable.", ""),
    };
}

static enum status take_lock(struct journal_file *j, struct error *err)
{
    struct disk *disk = j->world->disk;
    char path[DISK_PATH_MAX], pid[32] = "";
    size_t n = 0;
    snprintf(path, sizeof path, "%s/lock", j->path);
    enum status s = disk->ops->open(disk, path, DISK_CREATE, &j->lock, err);
    if (s != OK)
        return s;
    s = j->lock->ops->lock(j->lock, err);
    if (s == ERR_FULL) {
        (void)j->lock->ops->read(j->lock, pid, sizeof pid - 1, 0, &n, NULL); /* only for the message */
        pid[strcspn(pid, "\n")] = 0;
        return error_set(err, ERR_FULL,
                         "the journal in %s is in use by process %s: stop it first, or use another "
                         "data directory",
                         j->path, pid[0] ? pid : "(unknown)");
    }
    if (s != OK)
        return s;
    struct iovec part = { pid, (size_t)snprintf(pid, sizeof pid, "%ld\n", (long)getpid()) };
    s = j->lock->ops->truncate(j->lock, 0, err);
    return s == OK ? j->lock->ops->write(j->lock, &part, 1, 0, err) : s;
}

static void file_close(struct journal *journal);

static struct journal_file *make(const struct journal_options *options, struct world *world, struct metrics *metrics)
{
    struct journal_file *j = calloc(1, sizeof *j);
    if (!j)
        abort();
    j->journal = (struct journal){ &journal_file, options->partitions, 1 };
    j->options = *options;
    snprintf(j->path, sizeof j->path, "%s", options->path);
    j->options.path = j->path;
    j->world = world;
    make_metrics(j, metrics);
    j->writer_bell = bell_new();
    j->janitor_bell = bell_new();
    uint64_t segments = options->total_bytes_max / options->segment_bytes + 64;
    segments_init(&j->segments, options->total_bytes_max && segments < UINT32_MAX ? (uint32_t)segments : SEGMENTS_MAX);
    j->marks = marks_new();
    j->ring = ring_new();
    j->recent = recent_new(&j->wakers);
    j->writer.offsets = calloc((size_t)JOURNAL_TOPICS * options->partitions, sizeof *j->writer.offsets);
    j->ends = calloc((size_t)JOURNAL_TOPICS * options->partitions, sizeof *j->ends);
    j->writer.touched = calloc(options->partitions, sizeof *j->writer.touched);
    buf_init(&j->writer.staging, STAGING_BYTES_MAX);
    if (!j->writer_bell || !j->janitor_bell || !j->writer.offsets || !j->ends || !j->writer.touched)
        abort();
    world->random(world, j->directory, sizeof j->directory); /* kept only if there is no segment yet */
    j->seed = directory_seed(j->directory);
    world->random(world, &j->writer.session, sizeof j->writer.session);
    j->writer.new_session = true;
    return j;
}

static enum status file_open(const struct journal_options *options, struct world *world, struct metrics *metrics,
                             struct journal **out, struct error *err)
{
    enum status s = check_options(options, err);
    if (s != OK)
        return s;
    struct journal_file *j = make(options, world, metrics);
    s = disk_make_dirs(world->disk, j->path, err);
    if (s == OK)
        s = take_lock(j, err);
    if (s == OK)
        s = file_recover(j, err);
    for (size_t i = 0; s == OK && i < (size_t)JOURNAL_TOPICS * options->partitions; i++)
        j->ends[i] = j->writer.offsets[i];
    if (s != OK)
        file_close(&j->journal);
    else
        *out = &j->journal;
    return s;
}

static enum status check_room(const struct journal_file *j, const struct journal_commit *commit, struct error *err)
{
    enum room room = (enum room)atomic_load_explicit(&j->room, memory_order_relaxed);
    if (room == ROOM_ALL || commit->chunk_count == 0 || (room == ROOM_PROGRESS && commit->mark_count))
        return OK;
    counter_add(j->metrics.refused_disk, 1);
    return error_set(err, ERR_FULL,
                     "commit: the journal is short of disk space and takes no %s at the moment: free "
                     "some, or let its readers catch up",
                     room == ROOM_PROGRESS ? "input" : "records");
}

static enum status file_submit(struct journal *journal, struct journal_commit *commit, struct error *err)
{
    struct journal_file *j = file_of(journal);
    enum status s = commit_check(commit, journal->partitions, file_commit_bytes_max(j), err);
    if (s != OK)
        return s;
    if (frame_bytes(commit) > j->options.segment_bytes / 2 + j->options.segment_bytes / 8)
        return error_set(err, ERR_INVALID, "commit: too many chunks and marks for a segment: split it");
    if (atomic_load_explicit(&j->draining, memory_order_relaxed))
        return error_set(err, ERR_CLOSED, "commit: the journal is shutting down");
    s = check_room(j, commit, err);
    if (s != OK)
        return s;
    uint64_t n = commit_bytes(commit), before = atomic_fetch_add(&j->queued_bytes, n);
    if (before && before + n > j->options.queue_bytes_max) {
        atomic_fetch_sub(&j->queued_bytes, n);
        counter_add(j->metrics.refused_queue, 1);
        return error_set(err, ERR_FULL, "commit: %llu bytes wait for the disk, at most %llu may: slow down",
                         (unsigned long long)before, (unsigned long long)j->options.queue_bytes_max);
    }
    commit->submitted_us = world_mono_us(j->world);
    bool was_empty;
    commit_list_push(&j->submitted, commit, &was_empty);
    if (was_empty)
        bell_ring(j->writer_bell);
    return OK;
}

/* The directory's lock keeps other processes out. */
static enum status file_own(struct journal *journal, const char *group, uint16_t partition, struct error *err)
{
    (void)journal, (void)group, (void)partition, (void)err;
    return OK;
}

static enum status file_end_position(struct journal *journal, enum journal_topic topic, uint16_t partition,
                                     uint64_t *out, struct error *err)
{
    (void)topic, (void)partition, (void)err;
    *out = atomic_load(&file_of(journal)->durable);
    return OK;
}

static enum status file_mark(struct journal *journal, const char *group, uint16_t partition, struct journal_mark *out,
                             char *note_buffer)
{
    return marks_get(file_of(journal)->marks, group, partition, out, note_buffer);
}

static void file_status(struct journal *journal, struct journal_status *out)
{
    struct journal_file *j = file_of(journal);
    struct segment oldest;
    *out = (struct journal_status){ .end_position = atomic_load(&j->durable),
                                    .bytes_on_disk = file_bytes_on_disk(j),
                                    .full = atomic_load(&j->room) != ROOM_ALL ||
                                            atomic_load(&j->janitor.spare) == SPARE_NO_ROOM };
    if (segments_get(&j->segments, segments_oldest(&j->segments), &oldest))
        out->begin_position = oldest.first;
}

static uint64_t file_end_offset(struct journal *journal, enum journal_topic topic, uint16_t partition)
{
    return atomic_load(file_end_offset_at(file_of(journal), (uint16_t)topic, partition));
}

static size_t file_roles(struct journal *journal, struct role *out_roles)
{
    struct journal_file *j = file_of(journal);
    out_roles[0] = (struct role){ "journal", j, file_writer_step, j->writer_bell };
    out_roles[1] = (struct role){ "journal-janitor", j, file_janitor_step, j->janitor_bell };
    return 2;
}

static void file_drain(struct journal *journal)
{
    struct journal_file *j = file_of(journal);
    atomic_store(&j->draining, true);
    bell_ring(j->writer_bell);
    bell_ring(j->janitor_bell);
}

static void file_close(struct journal *journal)
{
    struct journal_file *j = journal ? file_of(journal) : NULL;
    if (!j)
        return;
    file_writer_fail_all(j, ERR_CLOSED, "the journal was closed");
    file_janitor_done(j);
    if (j->writer.file)
        j->writer.file->ops->close(j->writer.file);
    if (j->lock)
        j->lock->ops->close(j->lock);
    buf_done(&j->writer.staging);
    free(j->writer.offsets);
    free(j->ends);
    free(j->writer.touched);
    segments_done(&j->segments);
    marks_free(j->marks);
    ring_free(j->ring);
    recent_free(j->recent);
    bell_free(j->writer_bell);
    bell_free(j->janitor_bell);
    metrics_free(j->own_metrics);
    free(j);
}

const struct journal_backend journal_file = {
    .name = "file",
    .open = file_open,
    .submit = file_submit,
    .read = file_read,
    .reader_open = file_reader_open,
    .reader_close = file_reader_close,
    .own = file_own,
    .mark = file_mark,
    .status = file_status,
    .end_position = file_end_position,
    .end_offset = file_end_offset,
    .roles = file_roles,
    .drain = file_drain,
    .share_open = journal_share_whole,
    .close = file_close,
};
