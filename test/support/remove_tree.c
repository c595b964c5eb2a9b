#include "test/support/remove_tree.h"

#include <ftw.h>
#include <stdio.h>

#define DESCRIPTORS_MAX 8

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *where)
{
    (void)about, (void)kind, (void)where;
    return remove(path);
}

int remove_tree(const char *path)
{
    return nftw(path, remove_one, DESCRIPTORS_MAX, FTW_DEPTH | FTW_PHYS);
}
