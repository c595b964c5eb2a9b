/* Linear probing within a segment, at most three quarters full; a removed row's followers move up, so there are no
 * gravestones. A slot carries 16 bits of the id, so that a look at another row is rare. */
#include "process/state/keyed_table.h"

#include <stdlib.h>

#include "process/state/keyed_inside.h"

#define SLOTS_MIN 8u

static inline uint64_t slot_of(const struct keyed_row *row)
{
    assert(((uintptr_t)row >> 48) == 0);
    return (row->id.lo >> 48 << 48) | (uintptr_t)row;
}

static inline uint32_t home_of(const struct keyed_segment *segment, struct id128 id)
{
    return (uint32_t)id.lo & (segment->slots_n - 1);
}

struct keyed_row *keyed_table_find(const struct keyed_table *table, struct id128 id)
{
    if (!table->directory)
        return NULL;
    const struct keyed_segment *segment = keyed_segment_of(table, id.hi);
    uint32_t mask = segment->slots_n - 1;
    uint64_t tag = id.lo >> 48;
    for (uint32_t i = home_of(segment, id); segment->slots[i]; i = (i + 1) & mask) {
        struct keyed_row *row = keyed_slot_row(segment->slots[i]);
        if (segment->slots[i] >> 48 == tag && id_equal(row->id, id))
            return row;
    }
    return NULL;
}

static size_t segment_bytes(uint32_t slots_n)
{
    return sizeof(struct keyed_segment) + slots_n * sizeof(uint64_t);
}

static struct keyed_segment *segment_new(struct keyed_slab *slab, uint32_t slots_n, uint32_t depth)
{
    struct keyed_segment *segment = keyed_slab_take(slab, segment_bytes(slots_n));
    segment->slots_n = slots_n;
    segment->depth = depth;
    return segment;
}

static void segment_add(struct keyed_segment *segment, uint64_t slot, struct id128 id)
{
    uint32_t i = home_of(segment, id), mask = segment->slots_n - 1;
    while (segment->slots[i])
        i = (i + 1) & mask;
    segment->slots[i] = slot;
    segment->count++;
}

static bool is_full(const struct keyed_segment *segment)
{
    return segment->count >= segment->slots_n / 4 * 3;
}

/* Every place of the directory that leads to the segment of `hi`, which shares `depth` bits. */
static void point_to(struct keyed_table *table, uint64_t hi, uint32_t depth, struct keyed_segment *segment)
{
    uint32_t free_bits = table->depth - depth;
    uint64_t first = table->depth ? hi >> (64 - table->depth) >> free_bits << free_bits : 0;
    for (uint64_t i = first; i < first + (1ull << free_bits); i++)
        table->directory[i] = segment;
}

static void double_directory(struct keyed_table *table)
{
    size_t count = (size_t)1 << table->depth;
    struct keyed_segment **larger = malloc(2 * count * sizeof(struct keyed_segment *));
    if (!larger || table->depth >= 40)
        abort();
    for (size_t i = 0; i < count; i++)
        larger[2 * i] = larger[2 * i + 1] = table->directory[i];
    free(table->directory);
    table->directory = larger;
    table->depth++;
}

static void move_rows(const struct keyed_segment *from, struct keyed_segment *to[2], uint32_t bit)
{
    for (uint32_t i = 0; i < from->slots_n; i++) {
        if (!from->slots[i])
            continue;
        const struct keyed_row *row = keyed_slot_row(from->slots[i]);
        struct keyed_segment *target = to[to[1] ? row->id.hi >> (63 - bit) & 1 : 0];
        segment_add(target, from->slots[i], row->id);
        target->behind += keyed_row_is_behind(row);
    }
}

/* The segment doubles, or splits once it is at its largest. */
static void make_room(struct keyed_table *table, struct keyed_slab *slab, struct keyed_segment *old, uint64_t hi)
{
    struct keyed_segment *new[2] = { NULL, NULL };
    if (old->slots_n < SEGMENT_SLOTS_MAX) {
        new[0] = segment_new(slab, old->slots_n * 2, old->depth);
        point_to(table, hi, old->depth, new[0]);
    } else {
        if (old->depth == table->depth)
            double_directory(table);
        for (int half = 0; half < 2; half++)
            new[half] = segment_new(slab, SEGMENT_SLOTS_MAX, old->depth + 1);
        uint64_t bit = 1ull << (63 - old->depth);
        point_to(table, hi & ~bit, old->depth + 1, new[0]);
        point_to(table, hi | bit, old->depth + 1, new[1]);
    }
    move_rows(old, new, old->depth);
    keyed_slab_give(slab, old, segment_bytes(old->slots_n));
}

void keyed_table_add(struct keyed_table *table, struct keyed_slab *slab, struct keyed_row *row)
{
    if (!table->directory) {
        table->directory = malloc(sizeof(struct keyed_segment *));
        if (!table->directory)
            abort();
        table->directory[0] = segment_new(slab, SLOTS_MIN, 0);
    }
    struct keyed_segment *segment = keyed_segment_of(table, row->id.hi);
    while (is_full(segment)) { /* once, unless chance puts all into one half */
        make_room(table, slab, segment, row->id.hi);
        segment = keyed_segment_of(table, row->id.hi);
    }
    segment_add(segment, slot_of(row), row->id);
    table->rows++;
}

void keyed_table_remove(struct keyed_table *table, struct keyed_row *row)
{
    struct keyed_segment *segment = keyed_segment_of(table, row->id.hi);
    uint32_t mask = segment->slots_n - 1, hole = home_of(segment, row->id);
    while (keyed_slot_row(segment->slots[hole]) != row)
        hole = (hole + 1) & mask;
    for (uint32_t i = (hole + 1) & mask; segment->slots[i]; i = (i + 1) & mask) {
        uint32_t home = home_of(segment, keyed_slot_row(segment->slots[i])->id);
        if (((i - home) & mask) < ((i - hole) & mask))
            continue; /* its home lies behind the hole: it stays reachable */
        segment->slots[hole] = segment->slots[i];
        hole = i;
    }
    segment->slots[hole] = 0;
    segment->count--;
    table->rows--;
}

void keyed_table_shrink(struct keyed_table *table, struct keyed_slab *slab, uint64_t hi)
{
    struct keyed_segment *old = keyed_segment_of(table, hi), *new[2] = { NULL, NULL };
    uint32_t slots_n = old->slots_n;
    while (slots_n > SLOTS_MIN && old->count < slots_n / 8)
        slots_n /= 2;
    if (slots_n == old->slots_n)
        return;
    new[0] = segment_new(slab, slots_n, old->depth);
    point_to(table, hi, old->depth, new[0]);
    move_rows(old, new, 0);
    keyed_slab_give(slab, old, segment_bytes(old->slots_n));
}

void keyed_table_done(struct keyed_table *table, struct keyed_slab *slab)
{
    assert(table->rows == 0);
    for (size_t i = 0; table->directory && i < (size_t)1 << table->depth;) {
        struct keyed_segment *segment = table->directory[i];
        i += (size_t)1 << (table->depth - segment->depth);
        keyed_slab_give(slab, segment, segment_bytes(segment->slots_n));
    }
    free(table->directory);
    *table = (struct keyed_table){ 0 };
}
