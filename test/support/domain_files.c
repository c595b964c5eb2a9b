#include "test/support/domain_files.h"

#include <stdio.h>

struct domain_files domain_files;

void domain_files_put(const char *name, const char *text)
{
    char path[128];
    struct error why;
    struct disk *disk = domain_files.sim.world.disk;
    snprintf(path, sizeof path, "/c/domains/%s", name);
    assert_int_equal(disk_make_dirs(disk, "/c/domains", &why), OK);
    assert_int_equal(disk_replace(disk, path, text, strlen(text), &why), OK);
}

enum status domain_files_load(void)
{
    struct domain_files *files = &domain_files;
    domain_set_free(files->set);
    files->set = NULL;
    problems_done(&files->problems);
    problems_init(&files->problems, false);
    memset(&files->err, 0, sizeof files->err);
    return domain_set_load("/c", &files->sim.world, &files->set, &files->problems, &files->err);
}

enum status domain_files_load_text(const char *text)
{
    domain_files_put("web.yaml", text);
    return domain_files_load();
}

const struct domain_set *domain_files_expect_fine(const char *text)
{
    if (domain_files_load_text(text) != OK)
        fail_msg("%s\n%s", domain_files.err.text, buf_text(&domain_files.problems.text));
    return domain_files.set;
}

void domain_files_expect_problem(const char *part)
{
    if (!strstr(buf_text(&domain_files.problems.text), part))
        fail_msg("'%s' is not in:\n%s", part, buf_text(&domain_files.problems.text));
}

void domain_files_expect_wrong(const char *text, const char *part)
{
    assert_int_equal(domain_files_load_text(text), ERR_INVALID);
    domain_files_expect_problem(part);
}

int domain_files_begin(void **state)
{
    (void)state;
    domain_files.disk = disk_sim_new(7, &domain_files.sim);
    world_sim_init(&domain_files.sim, 7, disk_sim_disk(domain_files.disk));
    problems_init(&domain_files.problems, false);
    return 0;
}

int domain_files_end(void **state)
{
    (void)state;
    domain_set_free(domain_files.set);
    domain_files.set = NULL;
    problems_done(&domain_files.problems);
    disk_sim_free(domain_files.disk);
    return 0;
}
