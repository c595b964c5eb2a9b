/* Rows: finding, making, touching. A row is one block (struct keyed_row and its data), its key another; the pane's
 * table finds it by its id. Nothing here asks the kernel or malloc anything, except that a pane which is not complete
 * asks the map about ids that are not in memory (keyed_base.c). */
#include "process/state/keyed.h"

#include <stdlib.h>
#include <string.h>

#include "process/state/keyed_inside.h"

#define RECORD_ROW_BYTES 24 /* of a row in a record, besides its value: about */

void *keyed_grow(void *array, size_t *capacity, size_t needed, size_t item_bytes)
{
    if (needed <= *capacity)
        return array;
    size_t larger = *capacity ? *capacity * 2 : 64;
    while (larger < needed)
        larger *= 2;
    array = realloc(array, larger * item_bytes);
    if (!array)
        abort();
    *capacity = larger;
    return array;
}

uint64_t keyed_memory_bytes(const struct keyed *keyed)
{
    return keyed->slab.used_bytes + keyed->owned_bytes + keyed->pane_count * (sizeof(struct pane) + 64);
}

/* ---- rows ---- */

static size_t row_bytes(const struct keyed_row *row)
{
    return sizeof *row + row->pane->kind->row_bytes;
}

void keyed_row_set_key(struct keyed *keyed, struct keyed_row *row, struct slice key)
{
    assert(!row->key && key.n <= KEYED_KEY_MAX);
    char *copy = keyed_slab_take(&keyed->slab, key.n ? key.n : 1);
    if (key.n)
        memcpy(copy, key.p, key.n);
    row->key = copy;
    row->key_n = (uint16_t)key.n;
}

struct keyed_row *keyed_row_new(struct keyed *keyed, struct pane *pane, struct id128 id, struct slice key)
{
    struct keyed_row *row = keyed_slab_take(&keyed->slab, sizeof *row + pane->pane.kind->row_bytes);
    row->id = id;
    row->pane = &pane->pane;
    row->flags = ROW_RECENT;
    if (key.p)
        keyed_row_set_key(keyed, row, key);
    keyed_table_add(&pane->table, &keyed->slab, row);
    keyed->row_count++;
    return row;
}

static void release(struct keyed *keyed, struct keyed_row *row)
{
    const struct keyed_kind *kind = row->pane->kind;
    if (kind->release)
        kind->release(kind, row->data);
    keyed->owned_bytes -= row->owned_bytes;
    row->owned_bytes = 0;
}

void keyed_row_free(struct keyed *keyed, struct keyed_row *row)
{
    release(keyed, row);
    if (row->key)
        keyed_slab_give(&keyed->slab, (char *)row->key, row->key_n ? row->key_n : 1);
    keyed_slab_give(&keyed->slab, row, row_bytes(row));
    keyed->row_count--;
}

void keyed_row_measure(struct keyed *keyed, struct keyed_row *row)
{
    const struct keyed_kind *kind = row->pane->kind;
    if (!kind->memory_bytes)
        return;
    uint64_t bytes = kind->memory_bytes(kind, row->data);
    assert(bytes <= UINT32_MAX);
    keyed->owned_bytes += bytes - row->owned_bytes;
    row->owned_bytes = (uint32_t)bytes;
}

enum status keyed_row_decode(struct keyed *keyed, struct keyed_row *row, uint32_t revision, struct slice bytes,
                             struct error *err)
{
    const struct keyed_kind *kind = row->pane->kind;
    release(keyed, row);
    memset(row->data, 0, kind->row_bytes);
    enum status s = kind->decode(kind, bytes, row->data, err);
    if (s != OK)
        return error_wrap(err, ERR_CORRUPT, "a row of pane %llu", (unsigned long long)pane_of(row->pane)->number);
    row->revision = revision;
    keyed_row_measure(keyed, row);
    return OK;
}

void keyed_row_set_behind(struct keyed_row *row, bool behind)
{
    struct keyed_segment *segment = keyed_segment_of(&pane_of(row->pane)->table, row->id.hi);
    if (keyed_row_is_behind(row) == behind)
        return;
    row->flags ^= ROW_BEHIND;
    segment->behind += behind ? 1u : (uint32_t)-1;
}

void keyed_row_touch(struct keyed *keyed, struct keyed_row *row)
{
    if (row->commit == keyed->open_commit)
        return;
    struct pane *pane = pane_of(row->pane);
    assert(!(pane->flags & PANE_DROPPED));
    row->commit = keyed->open_commit;
    row->next_dirty = pane->dirty;
    pane->dirty = row;
    pane->dirty_count++;
    keyed->dirty_bytes += RECORD_ROW_BYTES + pane->pane.kind->row_bytes + row->owned_bytes;
    pane_link(keyed, pane);
    if (!keyed_row_is_behind(row))
        keyed_row_set_behind(row, true);
}

void keyed_prefetch(const struct keyed_pane *pane, struct id128 id)
{
    const struct keyed_table *table = &pane_of_const(pane)->table;
    if (!table->directory)
        return;
    const struct keyed_segment *segment = keyed_segment_of(table, id.hi);
    __builtin_prefetch(&segment->slots[(uint32_t)id.lo & (segment->slots_n - 1)]);
}

void keyed_prefetch_row(const struct keyed_pane *pane, struct id128 id)
{
    const struct keyed_table *table = &pane_of_const(pane)->table;
    if (!table->directory)
        return;
    const struct keyed_segment *segment = keyed_segment_of(table, id.hi);
    uint32_t mask = segment->slots_n - 1, i = (uint32_t)id.lo & mask;
    for (int looks = 0; looks < 4 && segment->slots[i]; looks++, i = (i + 1) & mask) {
        if (segment->slots[i] >> 48 != id.lo >> 48)
            continue;
        char *row = (char *)keyed_slot_row(segment->slots[i]);
        __builtin_prefetch(row, 1);
        __builtin_prefetch(row + 64, 1);
        return;
    }
}

enum status keyed_row_find(struct keyed *keyed, struct keyed_pane *pane, struct id128 id, struct keyed_row **out,
                           struct error *err)
{
    struct keyed_row *row = keyed_table_find(&pane_of(pane)->table, id);
    enum status s = OK;
    if (!row) {
        if (pane_of(pane)->complete)
            return ERR_NOT_FOUND;
        s = base_fetch(keyed, pane_of(pane), id, &row, err);
    }
    if (s == OK) {
        row->flags |= ROW_RECENT;
        *out = row;
    }
    return s;
}

enum status keyed_row_get(struct keyed *keyed, struct keyed_pane *pane, struct id128 id, struct slice key,
                          struct keyed_row **out, bool *out_new, struct error *err)
{
    enum status s = keyed_row_find(keyed, pane, id, out, err);
    *out_new = s == ERR_NOT_FOUND;
    if (s == OK && UNLIKELY(!(*out)->key))
        keyed_row_set_key(keyed, *out, key);
    if (s != ERR_NOT_FOUND)
        return s;
    if (key.n > KEYED_KEY_MAX)
        return error_set(err, ERR_INVALID, "a key of %zu bytes, at most %d are allowed", key.n, KEYED_KEY_MAX);
    struct keyed_row *row = keyed_row_new(keyed, pane_of(pane), id, slice_of(key.p ? key.p : "", key.n));
    row->flags |= ROW_NEW;
    keyed->dirty_bytes += key.n;
    keyed_row_touch(keyed, row);
    pane->rows++;
    keyed_pane_touch(keyed, pane);
    *out = row;
    return OK;
}

/* ---- walking ---- */

struct walk {
    struct keyed_row *rows[SEGMENT_SLOTS_MAX];
    size_t count;
};

static int by_id(const void *a, const void *b)
{
    return id_compare((*(struct keyed_row *const *)a)->id, (*(struct keyed_row *const *)b)->id);
}

/* The segment's rows from id `from` on and before `end` (all zero: no end), ascending. */
static void gather(const struct keyed_segment *segment, struct id128 from, struct id128 end, struct walk *walk)
{
    walk->count = 0;
    for (uint32_t i = 0; i < segment->slots_n; i++) {
        struct keyed_row *row = segment->slots[i] ? keyed_slot_row(segment->slots[i]) : NULL;
        if (row && id_compare(row->id, from) >= 0 && (id_is_empty(end) || id_compare(row->id, end) < 0))
            walk->rows[walk->count++] = row;
    }
    qsort(walk->rows, walk->count, sizeof walk->rows[0], by_id);
}

static struct id128 after(struct id128 id)
{
    id.lo++;
    id.hi += id.lo == 0;
    return id;
}

/* Rows in memory only; *cursor moves to `end` when all before it were visited. */
static void walk_memory(struct keyed *keyed, struct pane *pane, struct id128 *cursor, struct id128 end, size_t rows_max,
                        void (*visit)(void *self, struct keyed_row *row), void *self)
{
    static _Thread_local struct walk walk;
    size_t visited = 0;
    (void)keyed;
    while (pane->table.directory && visited < rows_max) {
        const struct keyed_segment *segment = keyed_segment_of(&pane->table, cursor->hi);
        uint64_t next_hi = keyed_segment_end(segment, cursor->hi);
        gather(segment, *cursor, end, &walk);
        for (size_t i = 0; i < walk.count && visited < rows_max; i++, visited++) {
            *cursor = after(walk.rows[i]->id);
            visit(self, walk.rows[i]);
            if (visited + 1 == rows_max && i + 1 < walk.count)
                return;
        }
        bool at_end = next_hi == 0 || (!id_is_empty(end) && next_hi > end.hi);
        *cursor = at_end ? end : (struct id128){ 0, next_hi };
        if (at_end)
            return;
    }
    if (!pane->table.directory)
        *cursor = end;
}

enum status keyed_pane_walk(struct keyed *keyed, struct keyed_pane *pane, struct id128 *cursor, size_t rows_max,
                            void (*visit)(void *self, struct keyed_row *row), void *self, bool *out_done,
                            struct error *err)
{
    struct pane *walked = pane_of(pane);
    struct id128 end = { 0, 0 };
    bool whole = true;
    assert(!(walked->flags & PANE_DROPPED) && rows_max > 0);
    if (!walked->complete) {
        enum status s = base_load(keyed, walked, *cursor, rows_max, &end, &whole, err);
        if (s != OK)
            return s;
    }
    walk_memory(keyed, walked, cursor, end, rows_max, visit, self);
    *out_done = whole && id_is_empty(*cursor);
    return OK;
}

/* ---- life ---- */

struct keyed *keyed_new(const struct keyed_options *options, struct state_kv *kv, struct world *world)
{
    struct keyed *keyed = calloc(1, sizeof *keyed);
    if (!keyed)
        abort();
    keyed->state.ops = &keyed_ops;
    keyed->kinds = calloc(options->kind_count + 1, sizeof *keyed->kinds);
    if (!keyed->kinds)
        abort();
    for (size_t i = 0; i < options->kind_count; i++)
        keyed->kinds[i] = options->kinds[i];
    keyed->kind_count = options->kind_count;
    keyed->memory_bytes_max = options->memory_bytes_max ? options->memory_bytes_max : 256u << 20;
    keyed->kv = kv;
    keyed->world = world;
    keyed_ops.empty(&keyed->state);
    return keyed;
}

void keyed_free(struct keyed *keyed)
{
    if (!keyed)
        return;
    keyed_panes_done(keyed);
    buf_done(&keyed->record);
    buf_done(&keyed->late_bytes);
    buf_done(&keyed->batch.bytes);
    free(keyed->drops);
    free(keyed->late);
    free(keyed->batch.changes);
    free(keyed->batch.rows);
    free(keyed->batch.panes);
    free(keyed->kinds);
    free(keyed);
}

struct state *keyed_state(struct keyed *keyed)
{
    return &keyed->state;
}

void keyed_usage(const struct keyed *keyed, struct keyed_usage *out)
{
    *out = (struct keyed_usage){ .rows_in_memory = keyed->row_count,
                                 .panes = keyed->pane_count,
                                 .tenants = keyed->tenant_count,
                                 .memory_bytes = keyed_memory_bytes(keyed),
                                 .evictions = keyed->evictions,
                                 .base_reads = keyed->base_reads,
                                 .base_writes = keyed->base_writes };
}
