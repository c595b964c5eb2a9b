#include "test/support/scratch.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/test.h"

#define DESCRIPTORS_MAX 8

void scratch_make(const char *name, char out_path[SCRATCH_PATH_MAX])
{
    const char *above = getenv("TMPDIR");
    int n = snprintf(out_path, SCRATCH_PATH_MAX, "%s/weir-%s-XXXXXX", above && *above ? above : "/tmp", name);
    if (n >= SCRATCH_PATH_MAX)
        fail_msg("TMPDIR is too long a path for a test's directory: %s", above);
    if (!mkdtemp(out_path))
        fail_msg("no directory for the test: %s: %s", out_path, strerror(errno));
}

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *where)
{
    (void)about, (void)kind, (void)where;
    return remove(path);
}

int scratch_remove(const char *path)
{
    return nftw(path, remove_one, DESCRIPTORS_MAX, FTW_DEPTH | FTW_PHYS);
}
