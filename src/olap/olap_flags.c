/* Two flags of files and directories, for two reasons.
 *
 * Top directory (chattr +T), on each table. Every insert makes directories with a dozen small files, and merges delete
 * them again. ext4 puts a new directory into its parent's block group and its files beside it; without a journal it
 * will not reuse an inode that was deleted in the last minute, and walks over all of them for each file that it makes.
 * With everything of a table in one group that walk took nine tenths of an insert (55 ms of system time for one row, 5
 * s for a block over 330 months, and growing). Marked as a top directory, the table's parts are spread over all groups:
 * 8 ms and 0.5 s.
 *
 * Synchronous (chattr +S), on each table's deduplication_logs and the files in it. The engine flushes the files of a
 * part (fsync_after_insert), writes its note "this block is part P", and renames the part into place, but it never
 * flushes the note. After a power cut the rows could be there without the note: the batch comes again, and counts
 * twice. With the flag each note is on the disk before the engine goes on, so before the part has its name; a note
 * without its part is what olap_repair.c takes back. New files inherit the flag (decision 0071).
 */
#include "olap/olap_flags.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/compiler.h"

/* True: it had not been set before. */
static bool set_flag(int fd, int flag)
{
    int flags = 0; /* the kernel takes an int, whatever the header says */
    if (ioctl(fd, FS_IOC_GETFLAGS, &flags) != 0 || flags & flag)
        return false;
    flags |= flag;
    return ioctl(fd, FS_IOC_SETFLAGS, &flags) == 0;
}

/* The notes of one table. Files that are made later inherit the flag; those that were there first do not. */
static void make_synchronous(int table)
{
    int fd = openat(table, "deduplication_logs", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return;
    DIR *dir = set_flag(fd, FS_SYNC_FL) ? fdopendir(fd) : NULL;
    if (!dir) {
        close(fd);
        return;
    }
    for (struct dirent *entry; (entry = readdir(dir));) {
        int file = entry->d_name[0] == '.' ? -1 : openat(fd, entry->d_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (file < 0)
            continue;
        (void)set_flag(file, FS_SYNC_FL);
        close(file);
    }
    closedir(dir);
}

/* Calls itself once for each directory in fd, and marks the tables, which are the ones at the bottom. Takes fd. */
static void descend(int fd, int levels)
{
    DIR *dir = fdopendir(fd);
    if (!dir) {
        close(fd);
        return;
    }
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (entry->d_name[0] == '.')
            continue;
        int inner = openat(dirfd(dir), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (inner < 0)
            continue;
        if (levels > 1) {
            descend(inner, levels - 1);
        } else {
            (void)set_flag(inner, FS_TOPDIR_FL);
            make_synchronous(inner);
            close(inner);
        }
    }
    closedir(dir);
}

void olap_flags_set(const char *engine_dir)
{
    int base = open(engine_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int store = base < 0 ? -1 : openat(base, "store", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (base >= 0)
        close(base);
    if (store >= 0)
        descend(store, 2);
}
