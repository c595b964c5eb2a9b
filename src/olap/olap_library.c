/* Where the engine's library may be. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "olap/olap.h"

#define UNDER ".deps/engine/libchdb.so"
#define INSTALLED "/usr/lib/weir/libchdb.so"

static bool readable(const char *path, char out[OLAP_PATH_MAX])
{
    char *absolute = access(path, R_OK) == 0 ? realpath(path, NULL) : NULL;
    bool fits = absolute && strlen(absolute) < OLAP_PATH_MAX;
    if (fits)
        snprintf(out, OLAP_PATH_MAX, "%s", absolute);
    free(absolute);
    return fits;
}

enum status olap_find_library(const char *given, char out[OLAP_PATH_MAX], struct error *err)
{
    static const char ADVICE[] = "run `make setup` in the source folder (it fetches the ClickHouse engine, 180 MB), or "
                                 "set olap.library";
    char binary[OLAP_PATH_MAX] = "", beside[OLAP_PATH_MAX + 32] = "";
    if (!given || !*given)
        given = getenv("WEIR_ENGINE");
    if (given && *given)
        return readable(given, out)
                   ? OK
                   : error_set(err, ERR_NOT_FOUND, "the engine's library is not at %s: %s", given, ADVICE);
    if (readable(UNDER, out))
        return OK;
    ssize_t n = readlink("/proc/self/exe", binary, sizeof binary - 1);
    for (int up = 0; n > 0 && up < 3; up++) { /* build/weir lies one below the checkout */
        binary[n] = '\0';
        char *slash = strrchr(binary, '/');
        if (!slash)
            break;
        n = slash - binary;
        snprintf(beside, sizeof beside, "%.*s/" UNDER, (int)n, binary);
        if (readable(beside, out))
            return OK;
    }
    if (readable(INSTALLED, out))
        return OK;
    return error_set(err, ERR_NOT_FOUND,
                     "the engine's library was not found (looked at ./" UNDER ", above %s, and " INSTALLED "): %s",
                     "the weir binary", ADVICE);
}
