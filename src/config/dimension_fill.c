/* The rows lie in an arena of their own, so that they go alone: a set of domains lives as long as the process, and a
 * query that is asked every minute would fill the memory within a day. */
#include "config/dimension_fill.h"

#include <stdlib.h>

#include "config/dimension_rows.h"

struct dimension_fill {
    const struct dimension_table *table;
    struct lookup_table lookup;
    struct arena arena;
    uint64_t digest;
};

/* Not its rows, which another thread may be replacing. */
static void copy_declared(const struct lookup_table *from, struct lookup_table *to)
{
    to->name = from->name;
    to->columns = from->columns;
    to->column_count = from->column_count;
    to->key_count = from->key_count;
    to->by_tenant = from->by_tenant;
    memcpy(to->keys, from->keys, sizeof to->keys);
    memcpy(to->whole, from->whole, sizeof to->whole);
}

struct dimension_fill *dimension_fill_read(const struct dimension_table *table, const char *name, struct slice text,
                                           struct problems *problems)
{
    struct dimension_fill *fill = calloc(1, sizeof *fill);
    if (!fill)
        abort();
    arena_init(&fill->arena, DIMENSION_BYTES_MAX);
    fill->table = table;
    copy_declared(table->lookup, &fill->lookup);
    struct yaml_file file = { .name = name, .text = arena_copy(&fill->arena, text), .problems = problems };
    assert(text.n <= DIMENSION_FILE_BYTES_MAX && file.text.p);
    dimension_rows_parse(&file, &fill->arena, table, &fill->lookup, &fill->digest);
    if (file.count == 0)
        return fill;
    dimension_fill_free(fill);
    return NULL;
}

const struct dimension_table *dimension_fill_table(const struct dimension_fill *fill)
{
    return fill->table;
}

size_t dimension_fill_rows(const struct dimension_fill *fill)
{
    return fill->lookup.row_count;
}

uint64_t dimension_fill_digest(const struct dimension_fill *fill)
{
    return fill->digest;
}

void dimension_fill_free(struct dimension_fill *fill)
{
    if (!fill)
        return;
    arena_done(&fill->arena);
    free(fill);
}

void dimension_fill_use(struct dimension_fill *fill)
{
    struct dimension_place *place = fill->table->place;
    assert(place && place->table == fill->table);
    place->lookup->rows = fill->lookup.rows;
    place->lookup->row_count = fill->lookup.row_count;
    place->lookup->slots = fill->lookup.slots;
    place->lookup->slot_count = fill->lookup.slot_count;
    place->table->digest = fill->digest;
    dimension_fill_free(place->fill);
    place->fill = fill;
}
