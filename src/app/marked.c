/* DATA/marks, a line for each: the journal's name, a space, the group. */
#include "app/marked.h"

#include <stdio.h>
#include <stdlib.h>

#include "world/world.h"

#define MARKS_BYTES_MAX (64u << 10)
#define LINE_BYTES_MAX 512

enum status marked_open(struct marked *marked, const char *data_path, const char *journal, struct world *world,
                        struct error *err)
{
    char *there = NULL;
    size_t n = 0;
    marked->world = world;
    marked->journal = journal;
    buf_init(&marked->lines, MARKS_BYTES_MAX);
    snprintf(marked->path, sizeof marked->path, "%s/marks", data_path);
    if (!journal[0])
        return OK;
    enum status s = disk_read_whole(world->disk, marked->path, MARKS_BYTES_MAX, &there, &n, err);
    if (s == OK)
        buf_add(&marked->lines, there, n);
    free(there);
    return s == ERR_NOT_FOUND ? OK : s;
}

static size_t line_of(const struct marked *marked, const char *group, char line[LINE_BYTES_MAX])
{
    return (size_t)snprintf(line, LINE_BYTES_MAX, "%s %s\n", marked->journal, group);
}

/* Where the group's line begins, or SIZE_MAX. */
static size_t find(const struct marked *marked, const char *group)
{
    char line[LINE_BYTES_MAX];
    const size_t n = line_of(marked, group, line);
    for (size_t at = 0; at + n <= marked->lines.n;) {
        if (memcmp(marked->lines.p + at, line, n) == 0)
            return at;
        const char *end = memchr(marked->lines.p + at, '\n', marked->lines.n - at);
        if (!end)
            break;
        at = (size_t)(end - marked->lines.p) + 1;
    }
    return SIZE_MAX;
}

bool marked_has(const struct marked *marked, const char *group)
{
    return find(marked, group) != SIZE_MAX;
}

static enum status write(struct marked *marked, struct error *err)
{
    return disk_replace(marked->world->disk, marked->path, marked->lines.p, marked->lines.n, err);
}

enum status marked_add(struct marked *marked, const char *group, struct error *err)
{
    char line[LINE_BYTES_MAX];
    if (!marked->journal[0] || marked_has(marked, group))
        return OK;
    buf_add(&marked->lines, line, line_of(marked, group, line));
    return write(marked, err);
}

enum status marked_remove(struct marked *marked, const char *group, struct error *err)
{
    char line[LINE_BYTES_MAX];
    const size_t at = find(marked, group), n = line_of(marked, group, line);
    if (at == SIZE_MAX)
        return OK;
    memmove(marked->lines.p + at, marked->lines.p + at + n, marked->lines.n - at - n);
    marked->lines.n -= n;
    return write(marked, err);
}

void marked_close(struct marked *marked)
{
    buf_done(&marked->lines);
}
