#include "world/path.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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
