#include "world/path.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINKS_MAX 40 /* as the kernel */

/* In place: what is written never overtakes what is read. */
static void settle(char *path)
{
    size_t n = 0;
    for (const char *at = path; *at;) {
        at += strspn(at, "/");
        const size_t length = strcspn(at, "/");
        if (length == 2 && memcmp(at, "..", 2) == 0) {
            while (n > 0 && path[--n] != '/')
                continue;
        } else if (length > 0 && !(length == 1 && *at == '.')) {
            path[n++] = '/';
            memmove(path + n, at, length);
            n += length;
        }
        at += length;
    }
    if (n == 0)
        path[n++] = '/';
    path[n] = '\0';
}

bool path_absolute(const char *path, char *to, size_t size)
{
    char whole[2 * PATH_MAX], from[PATH_MAX] = "";
    if (path[0] != '/' && !getcwd(from, sizeof from))
        return false;
    int n = snprintf(whole, sizeof whole, "%s/%s", from, path);
    if (n < 0 || (size_t)n >= sizeof whole)
        return false;
    settle(whole);
    const size_t settled = strlen(whole);
    if (settled >= size)
        return false;
    memcpy(to, whole, settled + 1);
    return true;
}

/* ---- one file ---- */

struct place {
    dev_t device;
    ino_t inode;             /* of the file or, while there is none, of the directory */
    char name[NAME_MAX + 1]; /* "" or the one that it would have there */
};

/* *out_name: within path. False: it is too long. */
static bool split(const char *path, char directory[PATH_MAX], const char **out_name)
{
    const char *slash = strrchr(path, '/');
    *out_name = slash ? slash + 1 : path;
    const int n = snprintf(directory, PATH_MAX, "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
    return n < PATH_MAX && strlen(*out_name) <= NAME_MAX;
}

/* A link whose end is not there leads on to where that would be made. False: path is none. */
static bool follow(char path[PATH_MAX], const char *directory)
{
    char end[PATH_MAX], next[PATH_MAX];
    const ssize_t n = readlink(path, end, sizeof end - 1);
    if (n <= 0)
        return false;
    end[n] = '\0';
    const bool whole = end[0] == '/';
    const int length = snprintf(next, sizeof next, "%s%s%s", whole ? "" : directory, whole ? "" : "/", end);
    if (length >= PATH_MAX)
        return false;
    memcpy(path, next, (size_t)length + 1);
    return true;
}

/* False: nothing is there, nor a directory for it. */
static bool find(const char *from, struct place *out)
{
    struct stat found;
    char path[PATH_MAX], directory[PATH_MAX];
    const char *name;
    if (snprintf(path, sizeof path, "%s", from) >= (int)sizeof path)
        return false;
    for (int links = 0; links < LINKS_MAX; links++) {
        *out = (struct place){ 0 };
        const bool is_there = stat(path, &found) == 0;
        if (!is_there && (!split(path, directory, &name) || stat(directory, &found) != 0))
            return false;
        out->device = found.st_dev;
        out->inode = found.st_ino;
        if (is_there)
            return true;
        if (!follow(path, directory)) {
            snprintf(out->name, sizeof out->name, "%s", name);
            return true;
        }
    }
    return false;
}

static bool are_spelled_alike(const char *one, const char *other)
{
    char places[2][PATH_MAX];
    if (!path_absolute(one, places[0], sizeof places[0]) || !path_absolute(other, places[1], sizeof places[1]))
        return strcmp(one, other) == 0;
    return strcmp(places[0], places[1]) == 0;
}

bool path_is_same_file(const char *one, const char *other)
{
    struct place places[2];
    if (!find(one, &places[0]) || !find(other, &places[1]))
        return are_spelled_alike(one, other);
    return places[0].device == places[1].device && places[0].inode == places[1].inode &&
           strcmp(places[0].name, places[1].name) == 0;
}
