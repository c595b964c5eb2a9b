/* What every user of files would otherwise write again, over the table, so that it works on any disk. */
#include "world/disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum status read_all(struct disk_file *file, const char *path, size_t bytes_max, char **out, size_t *out_n,
                            struct error *err)
{
    uint64_t bytes;
    enum status s = file->ops->size(file, &bytes, err);
    if (s != OK)
        return s;
    if (bytes > bytes_max)
        return error_set(err, ERR_INVALID, "read %s: it has %llu bytes, at most %zu are expected", path,
                         (unsigned long long)bytes, bytes_max);
    char *text = malloc(bytes + 1);
    if (!text)
        return error_set(err, ERR_FULL, "read %s: out of memory", path);
    size_t n = 0;
    s = file->ops->read(file, text, bytes, 0, &n, err);
    if (s != OK) {
        free(text);
        return s;
    }
    text[n] = 0;
    *out = text;
    *out_n = n;
    return OK;
}

enum status disk_zero_by_writing(struct disk_file *file, uint64_t offset, uint64_t n, struct error *err)
{
    static char zeros[1 << 16]; /* never written */
    enum status s = OK;
    while (n && s == OK) {
        struct iovec part = { zeros, n < sizeof zeros ? n : sizeof zeros };
        s = file->ops->write(file, &part, 1, offset, err);
        offset += part.iov_len;
        n -= part.iov_len;
    }
    return s;
}

enum status disk_read_whole(struct disk *disk, const char *path, size_t bytes_max, char **out, size_t *out_n,
                            struct error *err)
{
    struct disk_file *file;
    enum status s = disk->ops->open(disk, path, DISK_READ, &file, err);
    if (s != OK)
        return s;
    s = read_all(file, path, bytes_max, out, out_n, err);
    file->ops->close(file);
    return s;
}

static enum status write_new(struct disk *disk, const char *path, const void *bytes, size_t n, struct error *err)
{
    struct disk_file *file;
    enum status s = disk->ops->open(disk, path, DISK_CREATE, &file, err);
    if (s != OK)
        return s;
    struct iovec part = { (void *)(uintptr_t)bytes, n };
    s = file->ops->truncate(file, 0, err); /* one left over from a crash may be longer */
    if (s == OK && n)
        s = file->ops->write(file, &part, 1, 0, err);
    if (s == OK)
        s = file->ops->sync(file, err);
    file->ops->close(file);
    return s;
}

enum status disk_replace(struct disk *disk, const char *path, const void *bytes, size_t n, struct error *err)
{
    char beside[DISK_PATH_MAX], dir[DISK_PATH_MAX];
    if (snprintf(beside, sizeof beside, "%s.new", path) >= (int)sizeof beside)
        return error_set(err, ERR_INVALID, "write %s: the path is too long", path);
    enum status s = write_new(disk, beside, bytes, n, err);
    if (s == OK)
        s = disk->ops->rename(disk, beside, path, err);
    if (s != OK) {
        (void)disk->ops->remove(disk, beside, NULL); /* what is left does no harm: the next replace overwrites it */
        return s;
    }
    const char *slash = strrchr(path, '/');
    snprintf(dir, sizeof dir, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
    return disk->ops->sync_dir(disk, dir[0] ? dir : "/", err);
}

enum status disk_make_dirs(struct disk *disk, const char *path, struct error *err)
{
    char part[DISK_PATH_MAX];
    size_t n = strlen(path);
    if (n == 0 || n >= sizeof part)
        return error_set(err, ERR_INVALID, "make directory \"%.64s\": the path is empty or too long", path);
    for (size_t i = 1; i <= n; i++) {
        if (path[i] != '/' && path[i] != 0)
            continue;
        memcpy(part, path, i);
        part[i] = 0;
        enum status s = disk->ops->make_dir(disk, part, err);
        if (s != OK)
            return s;
    }
    return OK;
}
