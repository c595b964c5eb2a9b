/* An unprivileged user may not be able to walk to the data directory: a temporary directory or root's home has mode
 * 0700, and opening those to everybody is not ours to do. So the process takes a mount namespace of its own, where a
 * small empty file system covers /mnt and the two directories are bound into it. Nobody else sees that, and it vanishes
 * with the process. Where namespaces are refused (some containers), the real paths do if everybody may walk them; if
 * not, the process stays root, but without capabilities, and the other layers hold.
 */
#include "olap/olap_house.h"

#include <errno.h>
#include <ftw.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const PLACES[] = { "/mnt", "/media", "/srv", "/opt" };

static bool bind_into(const char *place, const char *name, const char *from, char *out, size_t size)
{
    snprintf(out, size, "%s/%s", place, name);
    return mkdir(out, 0755) == 0 && mount(from, out, NULL, MS_BIND, NULL) == 0;
}

static bool move_in(const char *engine, struct olap_paths *out)
{
    const char *place = NULL;
    for (size_t i = 0; !place && i < COUNT_OF(PLACES); i++)
        if (access(PLACES[i], F_OK) == 0)
            place = PLACES[i];
    if (!place || unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        return false;
    /* Bound from where they were before the place is covered: the data directory may lie below it. */
    char above[1300];
    snprintf(above, sizeof above, "%s/..", engine);
    if (chdir(above) != 0 || mount("weir", place, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=64k,mode=755") != 0)
        return false;
    if (!bind_into(place, "run", "run", out->run, sizeof out->run) ||
        !bind_into(place, "engine", "engine", out->engine, sizeof out->engine)) {
        umount2(place, MNT_DETACH);
        return false;
    }
    return chdir("/") == 0;
}

static bool everybody_may_walk(const char *path)
{
    char part[1200];
    struct stat about;
    for (size_t n = 1; n <= strlen(path); n++) {
        if (path[n] != '/' && path[n] != '\0')
            continue;
        snprintf(part, sizeof part, "%.*s", (int)n, path);
        bool last = path[n] == '\0';
        if (stat(part, &about) != 0 || (!last && !(about.st_mode & S_IXOTH)))
            return false;
    }
    return true;
}

static uid_t give_to;

static int give(const char *path, const struct stat *about, int kind, struct FTW *at)
{
    (void)kind, (void)at;
    return about->st_uid == give_to ? 0 : lchown(path, give_to, give_to);
}

/* The directory itself comes last (FTW_DEPTH), so that an interrupted change is taken up again. */
static enum status give_tree(const char *path, uint32_t uid, struct error *err)
{
    struct stat about;
    if (stat(path, &about) != 0)
        return error_errno(err, ERR_IO, errno, "look at %s", path);
    give_to = uid;
    if (about.st_uid != uid && nftw(path, give, 32, FTW_PHYS | FTW_DEPTH) != 0)
        return error_errno(err, ERR_IO, errno, "give %s to the engine's user", path);
    return OK;
}

enum status olap_house(const char *run, const char *engine, uint32_t *out_uid, struct olap_paths *out_paths,
                       struct error *err)
{
    struct olap_paths paths;
    uint32_t uid = HOUSE_UID;
    if (!move_in(engine, &paths)) {
        snprintf(paths.run, sizeof paths.run, "%s", run);
        snprintf(paths.engine, sizeof paths.engine, "%s", engine);
        if (!everybody_may_walk(engine))
            uid = 0;
    }
    enum status s = give_tree(paths.run, uid, err);
    if (s == OK)
        s = give_tree(paths.engine, uid, err);
    if (s == OK) {
        *out_uid = uid;
        *out_paths = paths;
    }
    return s;
}
