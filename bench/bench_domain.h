/* A bench's domain, loaded from a file as weir would. */
#pragma once
#include <stdio.h>

#include "config/domain.h"
#include "config/problems.h"
#include "world/disk.h"
#include "world/world.h"

/* `text` becomes the only domain of a configuration below `dir`; its mistakes are printed. The caller frees `out`. */
static MUST_CHECK enum status bench_domain_load(const char *dir, const char *text, struct domain_set **out,
                                                struct error *err)
{
    static char path[DISK_PATH_MAX], file[DISK_PATH_MAX + 16];
    struct problems problems;
    snprintf(path, sizeof path, "%s/config/domains", dir);
    enum status s = disk_make_dirs(world_real()->disk, path, err);
    if (s != OK)
        return s;
    snprintf(file, sizeof file, "%s/bench.yaml", path);
    FILE *to = fopen(file, "w");
    bool written = to && fputs(text, to) >= 0;
    if ((to && fclose(to) != 0) || !written)
        return error_set(err, ERR_IO, "%s cannot be written", file);
    snprintf(path, sizeof path, "%s/config", dir);
    problems_init(&problems, false);
    s = domain_set_load(path, world_real(), out, &problems, err);
    if (problems.count > 0)
        fprintf(stderr, "%s\n", problems_text(&problems));
    problems_done(&problems);
    return s;
}
