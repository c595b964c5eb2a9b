#include "cli/check_against.h"

#include <stdio.h>
#include <sys/stat.h>

#include "catalog/catalog.h"
#include "evolve/evolve.h"
#include "world/disk.h"
#include "world/world.h"

#define DEFAULT_DATA "data"

static enum status against_catalog(const char *path, const struct domain_set *domains, struct problems *problems,
                                   struct error *err)
{
    const struct catalog_options options = { .path = path, .read_only = true };
    struct catalog *catalog;
    enum status s = catalog_sqlite.open(&options, world_real(), &catalog, err);
    if (s != OK)
        return s;
    s = evolve_check(catalog, domains, world_real(), problems, err);
    catalog->backend->close(catalog);
    return s == OK ? OK : error_wrap(err, s, "against %s", path);
}

/* What is wrong with the other version is told, too, but is none of this one's mistakes. */
static enum status against_files(const char *path, bool is_file, const struct domain_set *domains,
                                 struct problems *problems, struct error *err)
{
    AUTO(problems) struct problems of_before;
    struct domain_set *before = NULL;
    problems_init(&of_before, false);
    enum status s = is_file ? domain_set_load_file(path, world_real(), &before, &of_before, err)
                            : domain_set_load(path, world_real(), &before, &of_before, err);
    if (s != OK) {
        fputs(problems_text(&of_before), stderr);
        return error_wrap(err, s, "against %s", path);
    }
    s = evolve_check_sets(before, path, domains, problems, err);
    domain_set_free(before);
    return s == OK ? OK : error_wrap(err, s, "against %s", path);
}

static bool has(const char *path, const char *name)
{
    struct stat about;
    char whole[DISK_PATH_MAX];
    snprintf(whole, sizeof whole, "%s/%s", path, name);
    return stat(whole, &about) == 0;
}

enum status check_against(const char *path, const struct domain_set *domains, struct problems *problems,
                          struct error *err)
{
    struct stat about;
    if (!path) {
        enum status s = against_catalog(DEFAULT_DATA, domains, problems, err);
        if (s != OK && s != ERR_INVALID && s != ERR_NOT_FOUND)
            fprintf(stderr, "not held against what is deployed: %s\n", err->text);
        return s == ERR_INVALID ? s : OK;
    }
    if (stat(path, &about) != 0)
        return error_set(err, ERR_NOT_FOUND, "--against: there is no %s", path);
    if (S_ISREG(about.st_mode))
        return against_files(path, true, domains, problems, err);
    if (!has(path, "catalog.db") && has(path, "domains"))
        return against_files(path, false, domains, problems, err);
    enum status s = against_catalog(path, domains, problems, err);
    return s == ERR_NOT_FOUND ? error_set(err, s,
                                          "--against: %s is no data directory of a weir, no configuration "
                                          "(with domains/) and no domain file",
                                          path)
                              : s;
}
