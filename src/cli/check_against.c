#include "cli/check_against.h"

#include <stdio.h>
#include <sys/stat.h>

#include "catalog/catalog.h"
#include "cli/catalog_there.h"
#include "evolve/evolve.h"
#include "world/disk.h"
#include "world/world.h"

#define DEFAULT_DATA "data"

static enum status against_catalog(const struct catalog_backend *backend, const struct catalog_options *options,
                                   const struct domain_set *domains, struct problems *problems, struct error *err)
{
    struct catalog *catalog;
    enum status s = backend->open(options, world_real(), &catalog, err);
    if (s != OK)
        return s;
    s = evolve_check(catalog, domains, world_real(), problems, err);
    backend->close(catalog);
    return s == OK ? OK : error_wrap(err, s, "against %s", options->path ? options->path : "the catalog's server");
}

static enum status against_directory(const char *path, const struct domain_set *domains, struct problems *problems,
                                     struct error *err)
{
    const struct catalog_options options = { .path = path, .read_only = true };
    return against_catalog(&catalog_sqlite, &options, domains, problems, err);
}

static enum status against_server(const struct settings *settings, const struct domain_set *domains,
                                  struct problems *problems, struct error *err)
{
    struct catalog_options options;
    catalog_there_options(settings, NULL, &options);
    options.read_only = true;
    return against_catalog(&catalog_postgres, &options, domains, problems, err);
}

/* Where nothing was asked for: the catalog that the settings name, if it can be seen from here. */
static enum status against_usual(const struct settings *settings, const struct domain_set *domains,
                                 struct problems *problems, struct error *err)
{
    const size_t before = problems->count;
    const bool at_server = settings && strcmp(settings->catalog_backend, catalog_postgres.name) == 0;
    enum status s = at_server ? against_server(settings, domains, problems, err)
                              : against_directory(DEFAULT_DATA, domains, problems, err);
    if (s == OK || problems->count > before)
        return s;
    if (s == ERR_INVALID && !at_server)
        return s;
    if (s != ERR_NOT_FOUND)
        fprintf(stderr, "not held against what is deployed: %s\n", err->text);
    return OK;
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

enum status check_against(const char *path, const struct settings *settings, const struct domain_set *domains,
                          struct problems *problems, struct error *err)
{
    struct stat about;
    if (!path)
        return against_usual(settings, domains, problems, err);
    if (stat(path, &about) != 0)
        return error_set(err, ERR_NOT_FOUND, "--against: there is no %s", path);
    if (S_ISREG(about.st_mode))
        return against_files(path, true, domains, problems, err);
    if (!has(path, "catalog.db") && has(path, "domains"))
        return against_files(path, false, domains, problems, err);
    enum status s = against_directory(path, domains, problems, err);
    return s == ERR_NOT_FOUND ? error_set(err, s,
                                          "--against: %s is no data directory of a weir, no configuration "
                                          "(with domains/) and no domain file",
                                          path)
                              : s;
}
