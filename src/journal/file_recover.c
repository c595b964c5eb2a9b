/* Finding the end of the log after anything: a clean stop, kill -9, a power cut, a power cut during this very recovery.
 *
 * 1. The last segment whose header and snapshot are valid is the tail; files behind it are spares, or a segment whose
 *    first group never became durable. Earlier segments need no look: the header behind each says where it ended.
 * 2. The tail is read whole. Offsets and marks come from its snapshot and its frames; the first frame that is not valid
 *    ends the log: it was torn, and never acknowledged. Unless a later frame says (durable_before) that this place was
 *    durable once: then acknowledged bytes have gone bad, and opening is refused rather than cutting them off silently.
 *    Only frames of this directory can say so (checksums are seeded). What nothing can vouch for is a last group that
 *    was damaged before the writer's next frame: that frame follows within a second (FRAME_TIDE).
 * 3. After kill -9 or a failed flush, what is read here may be in the page cache only, and the disk may hold something
 *    else, which the next power cut would bring back. So what was decided is made durable before anything relies on it:
 *    the bytes that the last frame did not know to be durable are written again, the place behind the end is zeroed,
 * and so is the header of a file that becomes the spare. A crash during recovery leaves the same task to the next one.
 * Stale frames further behind the end can't come back: see the chain in frame.c. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "journal/file.h"

struct found {
    uint64_t first;
    bool valid; /* its header */
    struct segment_head head;
    uint64_t size;
};

struct recovery {
    struct journal_file *j;
    struct found *files;
    size_t count, capacity;
    struct disk_file *file; /* the tail's, open for writing */
    char *bytes;            /* of the segment that is looked at */
    size_t n, bytes_capacity;
    /* The tail's scan. */
    size_t tail;  /* index */
    uint64_t end; /* behind its last valid frame */
    struct frame_head last;
};

static void visit_name(void *self, const char *name)
{
    struct recovery *r = self;
    uint64_t first;
    if (strlen(name) != 24 || strcmp(name + 20, ".seg") != 0 || !slice_to_u64(slice_of(name, 20), &first))
        return;
    if (r->count == r->capacity) {
        r->capacity = r->capacity ? r->capacity * 2 : 64;
        r->files = realloc(r->files, r->capacity * sizeof *r->files);
        if (!r->files)
            abort();
    }
    r->files[r->count++] = (struct found){ .first = first };
}

static enum status open_file(struct recovery *r, uint64_t first, enum disk_mode mode, struct disk_file **out,
                             struct error *err)
{
    char path[DISK_PATH_MAX];
    file_segment_path(r->j, first, path);
    return r->j->world->disk->ops->open(r->j->world->disk, path, mode, out, err);
}

static enum status read_header(struct recovery *r, struct found *found, struct error *err)
{
    struct disk_file *file;
    char block[SEGMENT_HEADER_BYTES];
    size_t n = 0;
    enum status s = open_file(r, found->first, DISK_READ, &file, err);
    if (s != OK)
        return s;
    s = file->ops->size(file, &found->size, err);
    if (s == OK)
        s = file->ops->read(file, block, sizeof block, 0, &n, err);
    file->ops->close(file);
    uint32_t version = 0;
    found->valid = s == OK && n == sizeof block && segment_head_read(block, &found->head, &version) &&
                   found->head.first == found->first && found->head.bytes == found->size;
    if (s == OK && version > SEGMENT_VERSION)
        return error_set(err, ERR_INVALID,
                         "segment %llu has format %u, this program knows up to %u: use the newer weir that wrote it",
                         (unsigned long long)found->first, version, SEGMENT_VERSION);
    return s;
}

static enum status read_segment(struct recovery *r, const struct found *found, struct error *err)
{
    struct disk_file *file;
    if (found->size > SEGMENT_BYTES_MAX)
        return error_set(err, ERR_CORRUPT, "segment %llu has %llu bytes: no segment is that large",
                         (unsigned long long)found->first, (unsigned long long)found->size);
    if (found->size > r->bytes_capacity) {
        free(r->bytes);
        r->bytes = malloc(found->size);
        if (!r->bytes)
            return error_set(err, ERR_FULL, "out of memory for a segment of %llu bytes",
                             (unsigned long long)found->size);
        r->bytes_capacity = found->size;
    }
    enum status s = open_file(r, found->first, DISK_READ, &file, err);
    if (s != OK)
        return s;
    s = file->ops->read(file, r->bytes, found->size, 0, &r->n, err);
    file->ops->close(file);
    return s;
}

/* All segments are of one journal, with the settings that we were given. */
static enum status check_identity(struct recovery *r, struct error *err)
{
    struct journal_file *j = r->j;
    const struct found *first = NULL;
    for (size_t i = 0; i < r->count; i++) {
        const struct found *found = &r->files[i];
        if (!found->valid)
            continue;
        if (found->head.partitions != j->journal.partitions)
            return error_set(err, ERR_INVALID,
                             "it was made with %u partitions, the settings say %u: set it back, or begin a new data "
                             "directory and replay into it",
                             found->head.partitions, j->journal.partitions);
        if (first && memcmp(first->head.directory, found->head.directory, sizeof found->head.directory) != 0)
            return error_set(err, ERR_INVALID, "segments %llu and %llu are of different journals: separate them",
                             (unsigned long long)first->first, (unsigned long long)found->first);
        first = first ? first : found;
    }
    if (first) {
        memcpy(j->directory, first->head.directory, sizeof j->directory);
        j->seed = directory_seed(j->directory);
    }
    return OK;
}

/* Does a frame in the loaded segment, at or behind `from`, say that `position` was durable? Without any valid header in
 * the directory the seed is lost with it: then a frame's plausible head is enough to refuse. */
static bool vouched(const struct recovery *r, uint64_t first, uint64_t from, uint64_t position, bool seed_known,
                    uint64_t *out_by)
{
    for (size_t at = (size_t)(from - first); at + sizeof(struct frame_head) <= r->n; at += FRAME_ALIGN) {
        struct frame_head head, checked;
        size_t needed;
        memcpy(&head, r->bytes + at, sizeof head);
        if (head.position != first + at || head.durable_before <= position || head.durable_before > head.position)
            continue;
        if (seed_known && !frame_check_head(r->bytes + at, r->n - at, first + at, r->j->seed, &checked, &needed))
            continue;
        if (!seed_known && !frame_plausible(&head))
            continue;
        *out_by = first + at;
        return true;
    }
    return false;
}

static enum status damaged(struct recovery *r, uint64_t first, uint64_t position, uint64_t by, struct error *err)
{
    char path[DISK_PATH_MAX];
    file_segment_path(r->j, first, path);
    return error_set(err, ERR_CORRUPT,
                     "%s: acknowledged bytes at offset %llu are damaged (position %llu proves that they were durable): "
                     "restore the data directory from a backup; or open once with the option cut_damaged, which keeps "
                     "the damaged files beside it and loses what stands behind the damage",
                     path, (unsigned long long)(position - first), (unsigned long long)by);
}

static bool set_mark(void *self, const struct journal_mark *mark)
{
    return marks_set(((struct recovery *)self)->j->marks, mark);
}

/* Takes the frame's records into the counters. False: offsets don't continue, which no crash can do. */
static bool apply_frame(struct recovery *r, const char *frame, const struct frame_head *head)
{
    struct journal_file *j = r->j;
    for (uint32_t i = 0; i < head->chunk_count; i++) {
        struct frame_chunk chunk;
        frame_chunk_at(frame, i, &chunk);
        if (chunk.topic >= JOURNAL_TOPICS || chunk.partition >= j->journal.partitions)
            return false;
        uint64_t *offset = file_offset(j, chunk.topic, chunk.partition);
        if (head->kind == FRAME_SNAPSHOT)
            *offset = chunk.offset;
        else if (*offset != chunk.offset)
            return false;
        *offset += chunk.records;
    }
    return frame_each_mark(frame, head, set_mark, r);
}

static bool frame_is_valid(const struct recovery *r, const char *frame, uint64_t left, uint64_t position,
                           struct frame_head *out)
{
    size_t needed;
    if (!frame_check_head(frame, left, position, r->j->seed, out, &needed) || out->frame_bytes > left)
        return false;
    return frame_check_all(frame, out, r->j->seed);
}

static bool continues(const struct frame_head *before, const struct frame_head *head)
{
    return head->prev_crc == before->crc && head->kind != FRAME_SNAPSHOT &&
           (head->session == before->session || (head->flags & FRAME_STARTS_SESSION));
}

/* Is the loaded segment one that became durable once? Its snapshot belongs to its header. */
static bool snapshot_is_valid(const struct recovery *r, const struct found *found, struct frame_head *out)
{
    return r->n == found->size &&
           frame_is_valid(r, r->bytes + SEGMENT_HEADER_BYTES, r->n - SEGMENT_HEADER_BYTES,
                          found->first + SEGMENT_HEADER_BYTES, out) &&
           out->kind == FRAME_SNAPSHOT && out->prev_crc == found->head.prev_crc && out->session == found->head.session;
}

static enum status scan_tail(struct recovery *r, struct error *err)
{
    const struct found *found = &r->files[r->tail];
    struct frame_head head = r->last; /* the snapshot, which is valid */
    uint64_t at = SEGMENT_HEADER_BYTES;
    do {
        if (!apply_frame(r, r->bytes + at, &head))
            return error_set(err, ERR_CORRUPT,
                             "segment %llu: the frame at offset %llu does not fit what stands before it: restore the "
                             "data directory from a backup",
                             (unsigned long long)found->first, (unsigned long long)at);
        r->last = head;
        at += head.frame_bytes;
    } while (frame_is_valid(r, r->bytes + at, r->n - at, found->first + at, &head) && continues(&r->last, &head));
    r->end = found->first + at;
    return OK;
}

static enum status keep_damaged(struct recovery *r, uint64_t first, struct error *err)
{
    char from[DISK_PATH_MAX], to[DISK_PATH_MAX + 16];
    file_segment_path(r->j, first, from);
    snprintf(to, sizeof to, "%s.damaged", from);
    log_error("journal.cut_damaged", "kept=%s", to);
    enum status s = r->j->world->disk->ops->rename(r->j->world->disk, from, to, err);
    return s == OK ? r->j->world->disk->ops->sync_dir(r->j->world->disk, r->j->path, err) : s;
}

/* The loaded tail is damaged at r->end: its copy is put aside, and the rest of it becomes zeros, so that nothing there
 * vouches for the lost bytes any more. */
static enum status cut_tail(struct recovery *r, struct error *err)
{
    char path[DISK_PATH_MAX], copy[DISK_PATH_MAX + 16];
    uint64_t first = r->files[r->tail].first;
    size_t keep = (size_t)(r->end - first);
    file_segment_path(r->j, first, path);
    snprintf(copy, sizeof copy, "%s.damaged", path);
    log_error("journal.cut_damaged", "kept=%s", copy);
    enum status s = disk_replace(r->j->world->disk, copy, r->bytes, r->n, err);
    if (s != OK)
        return s;
    memset(r->bytes + keep, 0, r->n - keep);
    struct iovec part = { r->bytes + keep, r->n - keep };
    s = r->file->ops->write(r->file, &part, 1, keep, err);
    return s == OK ? r->file->ops->sync(r->file, err) : s;
}

/* Goes back from the newest file to the tail. Files behind it must not hold anything that was ever acknowledged. */
static enum status find_tail(struct recovery *r, bool *out_found, struct error *err)
{
    bool seed_known = false;
    for (size_t i = 0; i < r->count; i++)
        seed_known |= r->files[i].valid;
    *out_found = false;
    while (r->count) {
        const struct found *found = &r->files[r->count - 1];
        uint64_t by;
        enum status s = read_segment(r, found, err);
        if (s != OK)
            return s;
        if (found->valid && snapshot_is_valid(r, found, &r->last)) {
            r->tail = r->count - 1;
            *out_found = true;
            return OK;
        }
        if (vouched(r, found->first, found->first, found->first, seed_known, &by)) {
            if (!r->j->options.cut_damaged)
                return damaged(r, found->first, found->first, by, err);
            s = keep_damaged(r, found->first, err);
            if (s != OK)
                return s;
            r->files[r->count - 1].size = 0; /* no spare */
        }
        r->count--;
    }
    return OK;
}

/* What may not be on the disk yet goes there before anybody relies on it. */
static enum status make_durable(struct recovery *r, struct error *err)
{
    const struct found *found = &r->files[r->tail];
    uint64_t from = r->last.durable_before > found->first ? r->last.durable_before : found->first;
    uint64_t end = r->end + sizeof(struct frame_head);
    if (end > found->first + found->size)
        end = found->first + found->size;
    memset(r->bytes + (r->end - found->first), 0, (size_t)(end - r->end));
    struct iovec part = { r->bytes + (from - found->first), (size_t)(end - from) };
    enum status s = r->file->ops->write(r->file, &part, 1, from - found->first, err);
    return s == OK ? r->file->ops->sync(r->file, err) : s;
}

static enum status recover_tail(struct recovery *r, struct error *err)
{
    const struct found *found = &r->files[r->tail];
    uint64_t by;
    enum status s = open_file(r, found->first, DISK_WRITE, &r->file, err);
    if (s == OK)
        s = scan_tail(r, err);
    if (s == OK && vouched(r, found->first, r->end, r->end, true, &by))
        s = r->j->options.cut_damaged ? cut_tail(r, err) : damaged(r, found->first, r->end, by, err);
    return s == OK ? make_durable(r, err) : s;
}

/* The segments up to the tail; where a file is missing in the row, only leftovers of retention may stand before it. */
static enum status list_segments(struct recovery *r, struct error *err)
{
    struct journal_file *j = r->j;
    size_t begin = r->tail;
    while (begin > 0 && r->files[begin - 1].first + r->files[begin - 1].size == r->files[begin].first)
        begin--;
    uint64_t needed = marks_smallest(j->marks);
    if (begin > 0 && (needed == UINT64_MAX || needed < r->files[begin].first))
        return error_set(err, ERR_CORRUPT, "the segment behind %llu is missing: restore it from a backup",
                         (unsigned long long)r->files[begin - 1].first);
    for (size_t i = 0; i < begin; i++) {
        char path[DISK_PATH_MAX];
        file_segment_path(j, r->files[i].first, path);
        log_warn("journal.leftover", "removing %s, which retention had given up", path);
        enum status s = j->world->disk->ops->remove(j->world->disk, path, err);
        if (s != OK)
            return s;
    }
    for (size_t i = begin; i <= r->tail; i++) {
        const struct found *found = &r->files[i], *next = found + 1;
        if (!segments_add(&j->segments, found->first, found->size))
            return error_set(err, ERR_INVALID, "there are %zu segments, more than total_bytes_max allows: raise it",
                             r->tail - begin + 1);
        if (i == r->tail)
            return OK;
        bool known = next->valid && next->head.prev_end > found->first;
        if (!known)
            log_warn("journal.header_damaged", "of segment %llu: the one before is read to its last byte",
                     (unsigned long long)next->first);
        segments_seal(&j->segments, known ? next->head.prev_end : next->first, known ? next->head.created_us : 0);
    }
    return OK;
}

static enum status open_spare(struct recovery *r, uint64_t first, struct error *err)
{
    static const char ZEROS[SEGMENT_HEADER_BYTES];
    struct iovec part = { (void *)(uintptr_t)ZEROS, sizeof ZEROS };
    struct disk_file **file = &r->j->janitor.spare_file;
    enum status s = open_file(r, first, DISK_WRITE, file, err);
    if (s == OK)
        s = (*file)->ops->write(*file, &part, 1, 0, err);
    return s == OK ? (*file)->ops->sync(*file, err) : s;
}

/* A file behind the tail that has the right name and size is the next segment already; others are removed. */
static enum status adopt_spare(struct recovery *r, size_t all, uint64_t next_first, struct error *err)
{
    struct journal_file *j = r->j;
    for (size_t i = r->count; i < all; i++) {
        const struct found *found = &r->files[i];
        enum status s = OK;
        if (found->size == 0 && j->options.cut_damaged)
            continue;
        if (found->first == next_first && found->size == j->options.segment_bytes) {
            s = open_spare(r, found->first, err);
            if (s == OK) {
                atomic_store(&j->janitor.spare, SPARE_READY);
                atomic_store(&j->spare_bytes, found->size);
            }
        } else {
            char path[DISK_PATH_MAX];
            file_segment_path(j, found->first, path);
            s = j->world->disk->ops->remove(j->world->disk, path, err);
        }
        if (s != OK)
            return s;
    }
    return j->world->disk->ops->sync_dir(j->world->disk, j->path, err);
}

static void set_writer(struct recovery *r)
{
    struct file_writer *w = &r->j->writer;
    const struct found *found = &r->files[r->tail];
    w->file = GIVE(r->file);
    w->file->ops->past_cache(w->file);
    recent_start(r->j->recent, r->end, r->bytes + (r->end - found->first) / DISK_ALIGN * DISK_ALIGN);
    w->first = found->first;
    w->bytes = found->size;
    w->at = r->end;
    w->chain = r->last.crc;
    w->written_us = r->last.written_us;
    w->next_first = found->first + found->size;
    w->any_segment = true;
    w->tide_due = r->last.kind != FRAME_TIDE;
    atomic_store(&r->j->durable, r->end);
}

static enum status recover(struct recovery *r, struct error *err)
{
    struct journal_file *j = r->j;
    struct disk *disk = j->world->disk;
    char tmp[DISK_PATH_MAX];
    snprintf(tmp, sizeof tmp, "%s/prepare.tmp", j->path);
    enum status s = disk->ops->remove(disk, tmp, err);
    if (s == OK || s == ERR_NOT_FOUND)
        s = disk->ops->list(disk, j->path, visit_name, r, err);
    for (size_t i = 0; i < r->count && s == OK; i++)
        s = read_header(r, &r->files[i], err);
    if (s == OK)
        s = check_identity(r, err);
    size_t all = r->count;
    bool found = false;
    if (s == OK)
        s = find_tail(r, &found, err);
    if (s == OK && found)
        s = recover_tail(r, err);
    if (s == OK && found)
        s = list_segments(r, err);
    if (s != OK)
        return s;
    if (found)
        set_writer(r);
    atomic_store(&j->janitor.next_first, j->writer.next_first);
    return adopt_spare(r, all, j->writer.next_first, err);
}

enum status file_recover(struct journal_file *j, struct error *err)
{
    struct recovery r = { .j = j };
    enum status s = recover(&r, err);
    if (r.file)
        r.file->ops->close(r.file);
    free(r.files);
    free(r.bytes);
    return s == OK ? OK : error_wrap(err, s, "open the journal in %s", j->path);
}
