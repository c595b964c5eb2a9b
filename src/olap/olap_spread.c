/* Every insert makes directories with a dozen small files, and merges delete them again. ext4 puts a new directory into
 * its parent's block group and its files beside it; without a journal it will not reuse an inode that was deleted in
 * the last minute, and walks over all of them for each file that it makes. With everything of a table in one group that
 * walk took nine tenths of an insert (55 ms of system time for one row, 5 s for a block over 330 months, and growing).
 * Marked as a top directory (chattr +T), the table's parts are spread over all groups: 8 ms and 0.5 s.
 */
#include "olap/olap_spread.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/compiler.h"

static void mark(int fd)
{
    int flags = 0; /* the kernel takes an int, whatever the header says */
    if (ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0 && !(flags & FS_TOPDIR_FL)) {
        flags |= FS_TOPDIR_FL;
        (void)ioctl(fd, FS_IOC_SETFLAGS, &flags);
    }
}

/* Calls itself once for each directory in fd, and marks the ones at the bottom. Takes fd. */
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
            mark(inner);
            close(inner);
        }
    }
    closedir(dir);
}

void olap_spread(const char *engine_dir)
{
    int base = open(engine_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int store = base < 0 ? -1 : openat(base, "store", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (base >= 0)
        close(base);
    if (store >= 0)
        descend(store, 2);
}
