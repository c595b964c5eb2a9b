/* The disk that the kernel gives us: one system call for each function of the table, with the three things that POSIX
 * leaves to the caller: interrupted calls and short transfers are carried on, IOV_MAX is respected, and every error
 * says which file. A file keeps its path for that reason alone. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "world/disk.h"

struct real_file {
    struct disk_file file;
    int fd;
    int direct_fd; /* the same file, past the kernel's cache; -1: everything goes through it */
    char path[];
};

static struct real_file *real(struct disk_file *file)
{
    return (struct real_file *)file;
}

static enum status failed(struct error *err, const char *what, const char *path)
{
    int e = errno;
    return error_errno(err, status_from_errno(e), e, "%s %s", what, path);
}

static enum status real_open(struct disk *disk, const char *path, enum disk_mode mode, struct disk_file **out,
                             struct error *err)
{
    static const int FLAGS[] = {
        [DISK_READ] = O_RDONLY,
        [DISK_WRITE] = O_RDWR,
        [DISK_CREATE] = O_RDWR | O_CREAT,
        [DISK_CREATE_NEW] = O_RDWR | O_CREAT | O_EXCL,
    };
    size_t n = strlen(path) + 1;
    struct real_file *file = malloc(sizeof *file + n);
    if (!file)
        return error_set(err, ERR_FULL, "open %s: out of memory", path);
    file->file.ops = disk->ops;
    file->direct_fd = -1;
    memcpy(file->path, path, n);
    do
        file->fd = open(path, FLAGS[mode] | O_CLOEXEC, 0600);
    while (file->fd < 0 && errno == EINTR);
    if (file->fd < 0) {
        enum status s = failed(err, "open", path);
        free(file);
        return s;
    }
    *out = &file->file;
    return OK;
}

static void close_direct(struct real_file *file)
{
    if (file->direct_fd >= 0)
        close(file->direct_fd);
    file->direct_fd = -1;
}

/* A second descriptor (O_DIRECT), since the first one stays for what is no whole block. Not every file system can. */
static void real_past_cache(struct disk_file *self)
{
    struct real_file *file = real(self);
    char path[32];
    if (file->direct_fd >= 0)
        return;
    snprintf(path, sizeof path, "/proc/self/fd/%d", file->fd);
    file->direct_fd = open(path, (fcntl(file->fd, F_GETFL) & O_ACCMODE) | O_DIRECT | O_CLOEXEC);
}

static bool is_aligned(const void *memory, size_t n, uint64_t offset)
{
    return ((uintptr_t)memory | n | offset) % DISK_ALIGN == 0;
}

/* The descriptor that takes these parts. */
static int fd_for(const struct real_file *file, const struct iovec *parts, int count, uint64_t offset)
{
    for (int i = 0; i < count && file->direct_fd >= 0; i++)
        if (!is_aligned(parts[i].iov_base, parts[i].iov_len, offset))
            return file->fd;
    return file->direct_fd >= 0 ? file->direct_fd : file->fd;
}

/* A file system that opens with O_DIRECT may still refuse what it is asked for, block size or no: never again then. */
static bool refuses_direct(struct real_file *file, int fd)
{
    if (errno != EINVAL || fd != file->direct_fd)
        return false;
    close_direct(file);
    return true;
}

static enum status real_read(struct disk_file *file, void *to, size_t n, uint64_t offset, size_t *out_n,
                             struct error *err)
{
    size_t done = 0;
    while (done < n) {
        struct iovec part = { (char *)to + done, n - done };
        int fd = fd_for(real(file), &part, 1, offset + done);
        ssize_t got = pread(fd, part.iov_base, part.iov_len, (off_t)(offset + done));
        if (got < 0 && (errno == EINTR || refuses_direct(real(file), fd)))
            continue;
        if (got < 0)
            return failed(err, "read", real(file)->path);
        if (got == 0)
            break;
        done += (size_t)got;
    }
    *out_n = done;
    return OK;
}

/* Writes one run of parts from `skip` bytes into its first one; returns what the kernel took, or -1. */
static ssize_t write_run(int fd, const struct iovec *parts, int count, size_t skip, uint64_t offset)
{
    struct iovec run[64];
    int n = count < (int)COUNT_OF(run) ? count : (int)COUNT_OF(run);
    if (skip == 0 && count > n) {
        n = count < IOV_MAX ? count : IOV_MAX;
        return pwritev(fd, parts, n, (off_t)offset);
    }
    memcpy(run, parts, (size_t)n * sizeof *run);
    run[0].iov_base = (char *)run[0].iov_base + skip;
    run[0].iov_len -= skip;
    return pwritev(fd, run, n, (off_t)offset);
}

static enum status real_write(struct disk_file *file, const struct iovec *parts, int count, uint64_t offset,
                              struct error *err)
{
    size_t skip = 0; /* bytes of parts[0] that are written */
    while (count > 0) {
        if (parts->iov_len == skip) {
            parts++;
            count--;
            skip = 0;
            continue;
        }
        int fd = skip ? real(file)->fd : fd_for(real(file), parts, count, offset);
        ssize_t put = write_run(fd, parts, count, skip, offset);
        if (put < 0 && (errno == EINTR || refuses_direct(real(file), fd)))
            continue;
        if (put < 0)
            return failed(err, "write", real(file)->path);
        offset += (uint64_t)put;
        for (size_t left = (size_t)put; left;) {
            size_t part = parts->iov_len - skip;
            if (left < part) {
                skip += left;
                break;
            }
            left -= part;
            skip = 0;
            parts++;
            count--;
        }
    }
    return OK;
}

/* Straight to the disk: filled pages would only push others out of the kernel's cache, and copying zeros there costs
 * more than everything else that filling does. */
static enum status real_zero(struct disk_file *file, uint64_t offset, uint64_t n, struct error *err)
{
    static _Alignas(DISK_ALIGN) char zeros[1 << 20]; /* never written */
    assert(offset % DISK_ALIGN == 0 && n % DISK_ALIGN == 0);
    real_past_cache(file);
    while (real(file)->direct_fd >= 0 && n) {
        ssize_t done = pwrite(real(file)->direct_fd, zeros, n < sizeof zeros ? n : sizeof zeros, (off_t)offset);
        if (done <= 0 || done % DISK_ALIGN)
            break;
        offset += (uint64_t)done;
        n -= (uint64_t)done;
    }
    return n ? disk_zero_by_writing(file, offset, n, err) : OK;
}

static enum status real_sync(struct disk_file *file, struct error *err)
{
    /* Not repeated after EINTR or any other error: the kernel forgets what it failed to write. */
    return fdatasync(real(file)->fd) == 0 ? OK : failed(err, "sync", real(file)->path);
}

static enum status real_size(struct disk_file *file, uint64_t *out_bytes, struct error *err)
{
    struct stat st;
    if (fstat(real(file)->fd, &st) != 0)
        return failed(err, "size of", real(file)->path);
    *out_bytes = (uint64_t)st.st_size;
    return OK;
}

static enum status real_truncate(struct disk_file *file, uint64_t bytes, struct error *err)
{
    return ftruncate(real(file)->fd, (off_t)bytes) == 0 ? OK : failed(err, "truncate", real(file)->path);
}

static enum status real_lock(struct disk_file *file, struct error *err)
{
    if (flock(real(file)->fd, LOCK_EX | LOCK_NB) == 0)
        return OK;
    if (errno == EWOULDBLOCK)
        return error_set(err, ERR_FULL, "lock %s: another process holds it", real(file)->path);
    return failed(err, "lock", real(file)->path);
}

static void real_close(struct disk_file *file)
{
    if (!file)
        return;
    close_direct(real(file));
    close(real(file)->fd);
    free(file);
}

static enum status real_rename(struct disk *disk, const char *from, const char *to, struct error *err)
{
    (void)disk;
    return rename(from, to) == 0 ? OK : failed(err, "rename", from);
}

static enum status real_remove(struct disk *disk, const char *path, struct error *err)
{
    (void)disk;
    return remove(path) == 0 ? OK : failed(err, "remove", path);
}

static enum status real_make_dir(struct disk *disk, const char *path, struct error *err)
{
    (void)disk;
    struct stat st;
    if (mkdir(path, 0700) == 0 || (errno == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode)))
        return OK;
    return failed(err, "make directory", path);
}

static enum status real_sync_dir(struct disk *disk, const char *path, struct error *err)
{
    (void)disk;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return failed(err, "open directory", path);
    enum status s = fsync(fd) == 0 ? OK : failed(err, "sync directory", path);
    close(fd);
    return s;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static enum status real_list(struct disk *disk, const char *path, void (*visit)(void *self, const char *name),
                             void *self, struct error *err)
{
    (void)disk;
    struct dirent **names = NULL;
    int count = scandir(path, &names, NULL, by_bytes);
    if (count < 0)
        return failed(err, "list", path);
    for (int i = 0; i < count; i++) {
        if (strcmp(names[i]->d_name, ".") != 0 && strcmp(names[i]->d_name, "..") != 0)
            visit(self, names[i]->d_name);
        free(names[i]);
    }
    free(names);
    return OK;
}

static enum status real_free_bytes(struct disk *disk, const char *path, uint64_t *out_bytes, struct error *err)
{
    (void)disk;
    struct statvfs st;
    if (statvfs(path, &st) != 0)
        return failed(err, "free space of", path);
    *out_bytes = (uint64_t)st.f_bavail * st.f_frsize;
    return OK;
}

static const struct disk_ops OPS = {
    .open = real_open,
    .read = real_read,
    .write = real_write,
    .zero = real_zero,
    .sync = real_sync,
    .size = real_size,
    .truncate = real_truncate,
    .past_cache = real_past_cache,
    .lock = real_lock,
    .close = real_close,
    .rename = real_rename,
    .remove = real_remove,
    .make_dir = real_make_dir,
    .sync_dir = real_sync_dir,
    .list = real_list,
    .free_bytes = real_free_bytes,
};

struct disk disk_of_kernel = { &OPS };

struct disk *disk_real(void)
{
    return &disk_of_kernel;
}
