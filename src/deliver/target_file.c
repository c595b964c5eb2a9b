/* JSON lines in a file: each record's value, a line each. A write is appended and flushed, and the file's length behind
 * it goes into the journal with the mark. What stands behind the length that the mark names was written by a run that
 * died before its mark was durable: it comes again, and is cut off first. So the file has each record once, as long as
 * nothing is being written.
 *
 * The file is opened anew for each write: whoever moves it away (logrotate) gets a new one at the next write. The note
 * has a checksum of the last bytes before the length, too: another file is not cut. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/crc32c.h"
#include "deliver/target.h"
#include "world/disk.h"
#include "world/world.h"

#define PARTS_MAX 1024
#define END_BYTES 64 /* that the checksum is of */

struct file_target {
    struct target target;
    struct disk *disk;
    char path[DISK_PATH_MAX], directory[DISK_PATH_MAX];
};

static struct file_target *of(struct target *target)
{
    return (struct file_target *)target;
}

static enum status file_open(const struct target_options *options, struct world *world, struct target **out,
                             struct error *err)
{
    if (!options->path[0] || strlen(options->path) > DISK_PATH_MAX - 16)
        return error_set(err, ERR_INVALID, "path must say in which file results go");
    struct file_target *target = calloc(1, sizeof *target);
    if (!target)
        abort();
    target->target.backend = &target_file;
    target->disk = world->disk;
    if (options->orders > 1)
        snprintf(target->path, sizeof target->path, "%s.%u", options->path, options->order);
    else
        snprintf(target->path, sizeof target->path, "%s", options->path);
    const char *slash = strrchr(target->path, '/');
    snprintf(target->directory, sizeof target->directory, "%.*s", slash ? (int)(slash - target->path) + 1 : 1,
             slash ? target->path : ".");
    *out = &target->target;
    return OK;
}

static enum status open_file(struct file_target *target, struct disk_file **out, uint64_t *out_size, struct error *err)
{
    enum status s = target->disk->ops->open(target->disk, target->path, DISK_CREATE, out, err);
    if (s == ERR_NOT_FOUND)
        return error_set(err, s, "there is no directory %s, or weir may not enter it", target->directory);
    if (s != OK)
        return s;
    s = (*out)->ops->size(*out, out_size, err);
    if (s == OK && *out_size == 0) /* it may be new */
        s = target->disk->ops->sync_dir(target->disk, target->directory, err);
    if (s != OK)
        (*out)->ops->close(*out);
    return s;
}

/* "LENGTH CHECKSUM" of the file as it is up to the length. */
static enum status write_note(struct disk_file *file, uint64_t length, char note[TARGET_NOTE_MAX], struct error *err)
{
    char end[END_BYTES];
    size_t n = length < sizeof end ? (size_t)length : sizeof end, got = 0;
    enum status s = file->ops->read(file, end, n, length - n, &got, err);
    if (s == OK)
        snprintf(note, TARGET_NOTE_MAX, "%" PRIu64 " %08x", length, crc32c(0, end, got));
    return s;
}

/* Whether the note is of this file, and where it ended then. */
static bool is_of(struct disk_file *file, uint64_t size, const char *note, uint64_t *out_length)
{
    char now[TARGET_NOTE_MAX];
    uint64_t length;
    if (sscanf(note, "%" SCNu64, &length) != 1 || length > size || write_note(file, length, now, NULL) != OK ||
        strcmp(now, note) != 0)
        return false;
    *out_length = length;
    return true;
}

static enum status file_resume(struct target *self, char io_note[TARGET_NOTE_MAX], uint64_t *io_position,
                               struct error *err)
{
    struct disk_file *file;
    uint64_t size, length;
    enum status s = open_file(of(self), &file, &size, err);
    if (s != OK)
        return s;
    if (is_of(file, size, io_note, &length) && length < size) {
        s = file->ops->truncate(file, length, err);
        size = length;
    }
    if (s == OK)
        s = write_note(file, size, io_note, err);
    file->ops->close(file);
    return s;
}

static enum status append(struct disk_file *file, const struct target_batch *batch, uint64_t *io_end, struct error *err)
{
    static char NEWLINE = '\n';
    struct iovec parts[PARTS_MAX];
    enum status s = OK;
    for (size_t i = 0; i < batch->count && s == OK;) {
        int n = 0;
        uint64_t bytes = 0;
        for (; i < batch->count && n < PARTS_MAX; i++, n += 2) {
            const struct slice value = batch->records[i].value;
            parts[n] = (struct iovec){ (void *)(uintptr_t)value.p, value.n };
            parts[n + 1] = (struct iovec){ &NEWLINE, 1 };
            bytes += value.n + 1;
        }
        s = file->ops->write(file, parts, n, *io_end, err);
        *io_end += bytes;
    }
    return s;
}

static enum status file_write(struct target *self, const struct target_batch *batch, char io_note[TARGET_NOTE_MAX],
                              struct error *err)
{
    struct disk_file *file;
    uint64_t size;
    enum status s = open_file(of(self), &file, &size, err);
    if (s != OK)
        return s;
    const uint64_t before = size;
    s = append(file, batch, &size, err);
    if (s == OK)
        s = file->ops->sync(file, err);
    if (s == OK)
        s = write_note(file, size, io_note, err);
    if (s != OK && file->ops->truncate(file, before, NULL) != OK)
        error_wrap(err, s, "part of a write is in the file now");
    file->ops->close(file);
    return s;
}

static void file_close(struct target *self)
{
    free(self);
}

const struct target_backend target_file = { TARGET_VERSION, "file", file_open, file_resume, file_write, file_close };
