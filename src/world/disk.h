/* Files, as a table of functions, so that the simulator can own them: it loses what was not synced, tears and reorders
 * writes, fills up, and cuts the power before any step. Paths are C strings, absolute or relative to the working
 * directory. Offsets and sizes in bytes. Every function may be called from any thread; one file is written by one
 * thread. */
#pragma once
#include <sys/uio.h>

#include "base/compiler.h"
#include "base/error.h"

struct disk;
struct disk_file;

enum disk_mode {
    DISK_READ,       /* must exist */
    DISK_WRITE,      /* must exist; read and write */
    DISK_CREATE,     /* made when missing; read and write */
    DISK_CREATE_NEW, /* must not exist; read and write */
};

struct disk_ops {
    enum status (*open)(struct disk *, const char *path, enum disk_mode mode, struct disk_file **out, struct error *);
    /* *out_n < n only at the end of the file. */
    enum status (*read)(struct disk_file *, void *to, size_t n, uint64_t offset, size_t *out_n, struct error *);
    /* All or an error; after an error any part may have been written. */
    enum status (*write)(struct disk_file *, const struct iovec *parts, int count, uint64_t offset, struct error *);
    /* Writes n zeros; offset and n are multiples of DISK_ALIGN. As write, but past the kernel's cache where it
     * can: for filling files ahead of their use. */
    enum status (*zero)(struct disk_file *, uint64_t offset, uint64_t n, struct error *);
    /* After OK, what was written to the file before (and the file's size) survives a power cut.
     * After an error the content of the file is unknown: it must not be trusted without reading it again (fsyncgate).
     */
    enum status (*sync)(struct disk_file *, struct error *);
    enum status (*size)(struct disk_file *, uint64_t *out_bytes, struct error *);
    enum status (*truncate)(struct disk_file *, uint64_t bytes, struct error *);
    /* A hint: from now on reads and writes of whole blocks (memory, offset and size are multiples of DISK_ALIGN) may go
     * past the kernel's cache, where the file system can. Others go through it as before, but not at the same time. */
    void (*past_cache)(struct disk_file *);
    /* Exclusive, for the life of the open file; ERR_FULL when another process (or open) holds it. */
    enum status (*lock)(struct disk_file *, struct error *);
    void (*close)(struct disk_file *); /* NULL is fine */

    enum status (*rename)(struct disk *, const char *from, const char *to, struct error *);
    enum status (*remove)(struct disk *, const char *path, struct error *);
    enum status (*make_dir)(struct disk *, const char *path, struct error *); /* OK when it exists */
    /* After OK, names made, renamed and removed in the directory survive a power cut. */
    enum status (*sync_dir)(struct disk *, const char *path, struct error *);
    /* Calls visit with each name in the directory (no "." and ".."), in ascending byte order. */
    enum status (*list)(struct disk *, const char *path, void (*visit)(void *self, const char *name), void *self,
                        struct error *);
    enum status (*free_bytes)(struct disk *, const char *path, uint64_t *out_bytes, struct error *);
};

/* Every implementation's struct begins with this. */
struct disk {
    const struct disk_ops *ops;
};

struct disk_file {
    const struct disk_ops *ops;
};

struct disk *disk_real(void);
extern struct disk disk_of_kernel; /* what disk_real gives, for what is made before any thread is */

#define DISK_PATH_MAX 1024
#define DISK_ALIGN 4096

/* The `zero` of a disk that has no better way: ordinary writes. */
MUST_CHECK enum status disk_zero_by_writing(struct disk_file *file, uint64_t offset, uint64_t n, struct error *err);

/* Conveniences over the table. */
MUST_CHECK enum status disk_read_whole(struct disk *disk, const char *path, size_t bytes_max, char **out, size_t *out_n,
                                       struct error *err); /* *out is malloc'ed, terminated by a NUL not counted */
/* Writes a new file beside it, syncs, renames it over path, syncs the directory: all of it or nothing, also in a power
 * cut. */
MUST_CHECK enum status disk_replace(struct disk *disk, const char *path, const void *bytes, size_t n,
                                    struct error *err);
MUST_CHECK enum status disk_make_dirs(struct disk *disk, const char *path, struct error *err); /* with parents */
