#include "catalog/deployed_types.h"

#define FIELDS 5

#define HEAD SLICE("weir-types 1\n")

struct writing {
    struct buf *out;
    size_t count;
};

static void write_item(void *self, const struct catalog_item *item)
{
    struct writing *writing = self;
    assert(!memchr(item->body.p, '\n', item->body.n) && !memchr(item->body.p, '\t', item->body.n)); /* JSON of ours */
    buf_add_format(writing->out, "%.*s\t%.*s\t%u\t%d\t", SLICE_ARG(item->name), SLICE_ARG(item->domain), item->version,
                   item->active);
    buf_add_slice(writing->out, item->body);
    buf_add_char(writing->out, '\n');
    writing->count++;
}

enum status deployed_types_write(struct catalog *catalog, struct buf *out, struct error *err)
{
    struct writing writing = { out, 0 };
    buf_add_slice(out, HEAD);
    enum status s = catalog->backend->items(catalog, CATALOG_EVENT_TYPE, write_item, &writing, err);
    buf_add_format(out, "end\t%zu\n", writing.count);
    return s;
}

bool deployed_types_is(struct slice text)
{
    return slice_starts(text, HEAD);
}

/* The next line's fields, at most so many; the last one has the rest of the line. How many; 0: there is no line. */
static size_t next_line(struct slice *rest, struct slice fields[FIELDS])
{
    const char *end = rest->n ? memchr(rest->p, '\n', rest->n) : NULL;
    if (!end)
        return 0;
    struct slice line = slice_of(rest->p, (size_t)(end - rest->p));
    *rest = slice_after(*rest, line.n + 1);
    size_t count = 0;
    for (;;) {
        const char *tab = count < FIELDS - 1 && line.n ? memchr(line.p, '\t', line.n) : NULL;
        fields[count++] = tab ? slice_of(line.p, (size_t)(tab - line.p)) : line;
        if (!tab)
            return count;
        line = slice_after(line, fields[count - 1].n + 1);
    }
}

enum status deployed_types_read(struct slice text, void (*visit)(void *visitor, const struct catalog_item *),
                                void *visitor, struct error *err)
{
    struct slice fields[FIELDS], rest = slice_after(text, HEAD.n);
    uint64_t version, active, count = 0, said;
    size_t n;
    assert(deployed_types_is(text));
    while ((n = next_line(&rest, fields)) == FIELDS && slice_to_u64(fields[2], &version) &&
           slice_to_u64(fields[3], &active)) {
        const struct catalog_item item = { .kind = CATALOG_EVENT_TYPE,
                                           .name = fields[0],
                                           .domain = fields[1],
                                           .body = fields[4],
                                           .version = (uint32_t)version,
                                           .active = active != 0 };
        visit(visitor, &item);
        count++;
    }
    if (n == 2 && slice_equal(fields[0], SLICE("end")) && slice_to_u64(fields[1], &said) && said == count)
        return OK;
    return error_set(err, ERR_CORRUPT, "the event types that weir serve has told are cut off or malformed");
}
