#include "test/support/stream_rig.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/test.h"
#include "config/problems.h"
#include "world/disk.h"

void stream_rig_domain(struct machine *machine, struct domain_set **io_domains, const char *name, const char *yaml)
{
    struct disk *disk = machine->time.world.disk;
    struct error err = { 0 };
    struct problems problems;
    char path[DISK_PATH_MAX];
    assert(!machine->journal);
    problems_init(&problems, false);
    snprintf(path, sizeof path, "/config/domains/%s.yaml", name);
    assert_int_equal(disk_make_dirs(disk, "/config/domains", &err), OK);
    assert_int_equal(disk_replace(disk, path, yaml, strlen(yaml), &err), OK);
    domain_set_free(*io_domains);
    *io_domains = NULL;
    if (domain_set_load("/config", &machine->time.world, io_domains, &problems, &err) != OK)
        fail_msg("%s%s\n%s", problems_text(&problems), err.text, yaml);
    problems_done(&problems);
    machine->options.domains = *io_domains;
}

double stream_rig_metric(struct machine *machine, const char *line_start)
{
    struct buf text;
    double sum = 0;
    buf_init(&text, 16u << 20);
    metrics_render(machine->metrics, &text);
    for (const char *at = buf_text(&text); (at = strstr(at, line_start)); at++)
        if (at == text.p || at[-1] == '\n')
            sum += strtod(strchr(at, ' '), NULL);
    buf_done(&text);
    return sum;
}
