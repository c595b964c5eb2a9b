/* The second role: what may be slow and must not hold up a commit. It deletes or recycles old segments, keeps one spare
 * segment ready under its final name, and measures how much room is left.
 *
 * A spare is either an old segment renamed (its content is stale and harmless: positions and headers don't fit its new
 * name) or a file filled with zeros under another name, flushed, then renamed. Blocks that were never written, as
 * posix_fallocate leaves them, make each flush of the writer 2.2 to 2.4 times slower. The directory is flushed before
 * the writer may use the spare, and after each removal before the next one, so that a power cut can't leave a gap in
 * the row of segments.
 *
 * The role's state is under a claim that both roles take only for a try: a writer that finds no spare ready carries the
 * preparation on itself, from wherever the janitor got to. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "journal/file.h"

#define FILL_PIECE_BYTES (1u << 20)
#define FILL_SYNC_BYTES (8u << 20)
#define CHECK_US 1000000
#define CHECK_LOW_US 100000
#define RETRY_PAUSE_MIN_US 20000
#define RETRY_PAUSE_MAX_US 1000000
#define CLOCK_JUMP_US 60000000
#define CLOCK_DISTRUST_US 3600000000

static bool claim(struct file_janitor *janitor)
{
    bool expected = false;
    return atomic_compare_exchange_strong(&janitor->claimed, &expected, true);
}

static void release(struct journal_file *j)
{
    atomic_store(&j->janitor.claimed, false);
}

static void tmp_path(const struct journal_file *j, char out[DISK_PATH_MAX])
{
    snprintf(out, DISK_PATH_MAX, "%s/prepare.tmp", j->path);
}

static void discard_filling(struct journal_file *j)
{
    struct file_janitor *janitor = &j->janitor;
    char tmp[DISK_PATH_MAX];
    if (!janitor->filling)
        return;
    janitor->filling->ops->close(janitor->filling);
    janitor->filling = NULL;
    tmp_path(j, tmp);
    (void)j->world->disk->ops->remove(j->world->disk, tmp, NULL); /* or the next use or open does it */
}

static void spare_is_ready(struct journal_file *j, struct disk_file *file, uint64_t bytes)
{
    j->janitor.spare_file = file;
    j->janitor.retry_pause_us = 0;
    atomic_store(&j->spare_bytes, bytes);
    atomic_store(&j->janitor.spare, SPARE_READY);
    bell_ring(j->writer_bell);
}

/* Preparing failed, or is not allowed now: nobody waits for it until it is tried again. */
static void no_room(struct journal_file *j, const struct error *err)
{
    struct file_janitor *janitor = &j->janitor;
    discard_filling(j);
    if (janitor->retry_pause_us == 0)
        log_warn("journal.no_room", "%s", err->text);
    janitor->retry_pause_us = janitor->retry_pause_us ? janitor->retry_pause_us * 2 : RETRY_PAUSE_MIN_US;
    if (janitor->retry_pause_us > RETRY_PAUSE_MAX_US)
        janitor->retry_pause_us = RETRY_PAUSE_MAX_US;
    janitor->retry_us = world_mono_us(j->world) + janitor->retry_pause_us;
    atomic_store(&janitor->spare, SPARE_NO_ROOM);
    bell_ring(j->writer_bell);
}

static enum status check_room_for_segment(struct journal_file *j, struct error *err)
{
    uint64_t used = file_bytes_on_disk(j), size = j->options.segment_bytes, free_bytes;
    uint64_t max = j->options.total_bytes_max;
    if (max && used + size > max)
        return error_set(err, ERR_FULL,
                         "the journal holds %llu of at most %llu bytes and its readers still need the oldest: let them "
                         "catch up, drop the marks of groups that are gone, or allow more",
                         (unsigned long long)used, (unsigned long long)max);
    enum status s = j->world->disk->ops->free_bytes(j->world->disk, j->path, &free_bytes, err);
    if (s == OK && free_bytes < size + j->options.disk_reserve_bytes / 2)
        s = error_set(err, ERR_FULL, "the disk of %s has %llu bytes left, a segment needs %llu and %llu are reserved",
                      j->path, (unsigned long long)free_bytes, (unsigned long long)size,
                      (unsigned long long)(j->options.disk_reserve_bytes / 2));
    return s;
}

static enum status fill_begin(struct journal_file *j, struct error *err)
{
    struct file_janitor *janitor = &j->janitor;
    char tmp[DISK_PATH_MAX];
    tmp_path(j, tmp);
    enum status s = check_room_for_segment(j, err);
    if (s == OK)
        s = j->world->disk->ops->open(j->world->disk, tmp, DISK_CREATE, &janitor->filling, err);
    if (s != OK)
        return s;
    janitor->filled = 0;
    return janitor->filling->ops->truncate(janitor->filling, 0, err);
}

static enum status fill_end(struct journal_file *j, struct error *err)
{
    struct file_janitor *janitor = &j->janitor;
    struct disk *disk = j->world->disk;
    char tmp[DISK_PATH_MAX], path[DISK_PATH_MAX];
    tmp_path(j, tmp);
    file_segment_path(j, atomic_load(&janitor->next_first), path);
    enum status s = disk->ops->rename(disk, tmp, path, err);
    if (s == OK)
        s = disk->ops->sync_dir(disk, j->path, err);
    if (s == OK)
        spare_is_ready(j, GIVE(janitor->filling), janitor->filled);
    return s;
}

/* One piece of the preparation. */
static enum status fill_piece(struct journal_file *j, struct error *err)
{
    struct file_janitor *janitor = &j->janitor;
    if (!janitor->filling)
        return fill_begin(j, err);
    if (janitor->filled == j->options.segment_bytes)
        return fill_end(j, err);
    uint64_t left = j->options.segment_bytes - janitor->filled;
    uint64_t n = left < FILL_PIECE_BYTES ? left : FILL_PIECE_BYTES;
    enum status s = janitor->filling->ops->zero(janitor->filling, janitor->filled, n, err);
    if (s != OK)
        return s;
    janitor->filled += n;
    if (janitor->filled % FILL_SYNC_BYTES == 0 || janitor->filled == j->options.segment_bytes)
        s = janitor->filling->ops->sync(janitor->filling, err);
    return s;
}

/* True: there is more to do. */
static bool prepare_piece(struct journal_file *j)
{
    struct error err = { OK, "" };
    if (atomic_load(&j->janitor.spare) != SPARE_NONE)
        return false;
    if (fill_piece(j, &err) != OK)
        no_room(j, &err);
    return atomic_load(&j->janitor.spare) == SPARE_NONE;
}

struct disk_file *file_take_spare(struct journal_file *j, bool *out_no_room)
{
    struct file_janitor *janitor = &j->janitor;
    *out_no_room = false;
    if (atomic_load(&janitor->spare) == SPARE_NONE && claim(janitor)) {
        while (prepare_piece(j))
            ;
        release(j);
    }
    *out_no_room = atomic_load(&janitor->spare) == SPARE_NO_ROOM;
    if (atomic_load(&janitor->spare) != SPARE_READY || !claim(janitor))
        return NULL;
    struct disk_file *file = GIVE(janitor->spare_file);
    assert(file);
    atomic_store(&j->spare_bytes, 0);
    atomic_store(&janitor->spare, SPARE_TAKEN);
    release(j);
    return file;
}

void file_spare_used(struct journal_file *j, uint64_t next_first)
{
    assert(atomic_load(&j->janitor.spare) == SPARE_TAKEN);
    atomic_store(&j->janitor.next_first, next_first);
    atomic_store(&j->janitor.spare, SPARE_NONE);
    bell_ring(j->janitor_bell);
}

/* Retention by age must not follow a clock that jumped: it waits for an hour, in which somebody can set it right. */
static bool age_can_be_trusted(struct journal_file *j, int64_t now_us, int64_t wall_us)
{
    struct file_janitor *janitor = &j->janitor;
    int64_t jump_us = (wall_us - janitor->last_wall_us) - (now_us - janitor->last_mono_us);
    if (janitor->last_wall_us && (jump_us > CLOCK_JUMP_US || jump_us < -CLOCK_JUMP_US)) {
        log_warn("journal.clock_jumped", "by_s=%lld: no deletion by age for an hour", (long long)(jump_us / 1000000));
        janitor->no_age_until_us = now_us + CLOCK_DISTRUST_US;
    }
    janitor->last_wall_us = wall_us;
    janitor->last_mono_us = now_us;
    return now_us >= janitor->no_age_until_us;
}

static bool may_go(struct journal_file *j, const struct segment *oldest, int64_t wall_us, bool trust_age)
{
    const struct journal_options *options = &j->options;
    /* A mark at the very end of its frames, before the dead rest, needs it too: else its position would be "deleted".
     */
    if (oldest->end == SEGMENT_OPEN || marks_smallest(j->marks) < oldest->first + oldest->bytes)
        return false;
    uint64_t used = file_bytes_on_disk(j);
    bool too_much = options->retention_bytes && used > options->retention_bytes;
    bool crowded = options->total_bytes_max && used + options->segment_bytes > options->total_bytes_max / 2;
    bool too_old = trust_age && options->retention_ms && oldest->sealed_us < wall_us - options->retention_ms * 1000;
    return too_much || crowded || too_old;
}

static enum status recycle(struct journal_file *j, const char *path, struct error *err)
{
    struct disk *disk = j->world->disk;
    char to[DISK_PATH_MAX];
    struct disk_file *file;
    file_segment_path(j, atomic_load(&j->janitor.next_first), to);
    discard_filling(j);
    enum status s = disk->ops->rename(disk, path, to, err);
    if (s == OK)
        s = disk->ops->sync_dir(disk, j->path, err);
    if (s == OK)
        s = disk->ops->open(disk, to, DISK_WRITE, &file, err);
    if (s == OK)
        spare_is_ready(j, file, j->options.segment_bytes);
    return s;
}

/* A segment that could not be removed goes before any younger one does: after a crash there would be a gap. */
static bool finish_retiring(struct journal_file *j)
{
    struct disk *disk = j->world->disk;
    char path[DISK_PATH_MAX];
    if (!j->janitor.retiring)
        return true;
    file_segment_path(j, j->janitor.retiring_first, path);
    enum status s = disk->ops->remove(disk, path, NULL);
    if (s == OK || s == ERR_NOT_FOUND) /* it may have its new name already */
        s = disk->ops->sync_dir(disk, j->path, NULL);
    j->janitor.retiring = s != OK;
    return s == OK;
}

/* Removes or recycles the oldest segment if it may go. True: there may be another. */
static bool retire_one(struct journal_file *j, int64_t wall_us, bool trust_age)
{
    struct disk *disk = j->world->disk;
    struct segment oldest;
    struct error err = { OK, "" };
    int spare = atomic_load(&j->janitor.spare);
    if (!finish_retiring(j) || spare == SPARE_TAKEN ||
        !segments_get(&j->segments, segments_oldest(&j->segments), &oldest) || !may_go(j, &oldest, wall_us, trust_age))
        return false;
    char path[DISK_PATH_MAX];
    file_segment_path(j, oldest.first, path);
    segments_drop_oldest(&j->segments); /* first: a reader that finds other bytes there sees that it is gone */
    bool wanted = spare != SPARE_READY && oldest.bytes == j->options.segment_bytes;
    enum status s = wanted ? recycle(j, path, &err) : disk->ops->remove(disk, path, &err);
    if (s == OK && !wanted)
        s = disk->ops->sync_dir(disk, j->path, &err);
    if (s != OK) {
        log_error("journal.retire_failed", "%s; trying again", err.text);
        j->janitor.retiring = true;
        j->janitor.retiring_first = oldest.first;
    }
    return s == OK;
}

static void measure_room(struct journal_file *j)
{
    const struct journal_options *options = &j->options;
    uint64_t used = file_bytes_on_disk(j), free_bytes = UINT64_MAX;
    enum room room = ROOM_ALL, before = (enum room)atomic_load(&j->room);
    if (options->disk_reserve_bytes)
        (void)j->world->disk->ops->free_bytes(j->world->disk, j->path, &free_bytes, NULL); /* unknown: as if plenty */
    if ((options->total_bytes_max && used > options->total_bytes_max / 2) || free_bytes < options->disk_reserve_bytes)
        room = ROOM_PROGRESS;
    if (free_bytes < options->disk_reserve_bytes / 2)
        room = ROOM_MARKS;
    atomic_store(&j->room, (int)room);
    gauge_set(j->metrics.disk_bytes, (double)used);
    gauge_set(j->metrics.full, room != ROOM_ALL || atomic_load(&j->janitor.spare) == SPARE_NO_ROOM);
    if (room != before)
        log_warn("journal.room", "input=%s progress=%s on_disk=%llu", room == ROOM_ALL ? "accepted" : "refused",
                 room <= ROOM_PROGRESS ? "accepted" : "refused", (unsigned long long)used);
}

bool file_janitor_step(void *self, struct world *world, int64_t *wake_us)
{
    struct journal_file *j = self;
    struct file_janitor *janitor = &j->janitor;
    if (atomic_load(&j->draining) || !claim(janitor)) {
        *wake_us = world_mono_us(world) + CHECK_LOW_US;
        return false;
    }
    int64_t now_us = world_mono_us(world), wall_us = world_wall_us(world);
    bool trust_age = age_can_be_trusted(j, now_us, wall_us);
    bool more = retire_one(j, wall_us, trust_age);
    if (atomic_load(&janitor->spare) == SPARE_NO_ROOM && now_us >= janitor->retry_us)
        atomic_store(&janitor->spare, SPARE_NONE);
    more |= prepare_piece(j);
    measure_room(j);
    bool low = atomic_load(&j->room) != ROOM_ALL || atomic_load(&janitor->spare) == SPARE_NO_ROOM;
    release(j);
    bell_ring(j->writer_bell);
    *wake_us = now_us + (low ? CHECK_LOW_US : CHECK_US);
    return more;
}

void file_janitor_done(struct journal_file *j)
{
    discard_filling(j);
    if (j->janitor.spare_file)
        j->janitor.spare_file->ops->close(j->janitor.spare_file);
}
