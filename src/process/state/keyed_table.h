/* The rows of one pane that are in memory, by their ids: extendible hashing. The upper bits of an id choose a segment
 * of at most 4096 slots; a segment that is full splits in two, so that growing never takes more than a few
 * microseconds, however many rows there are, and the segments stand in the order of the ids, which walks and writes
 * want. Ids are uniform (seeded hashes). One owner. */
#pragma once
#include "process/state/id_table.h"
#include "process/state/keyed_slab.h"

struct keyed_row;

#define SEGMENT_SLOTS_MAX 4096u

struct keyed_segment {
    uint32_t slots_n, count; /* slots_n is a power of two; at most 3/4 are used */
    uint32_t behind;         /* rows that the map does not have as they are */
    uint32_t depth;          /* how many upper bits all of its ids share */
    uint64_t slots[];        /* 0, or the upper 16 bits of id.lo above the row's address */
};

struct keyed_table {
    struct keyed_segment **directory; /* 1 << depth; NULL: no rows yet */
    uint32_t depth;
    uint64_t rows;
};

static inline struct keyed_row *keyed_slot_row(uint64_t slot)
{
    return (struct keyed_row *)(uintptr_t)(slot & 0xffffffffffffull);
}

static inline struct keyed_segment *keyed_segment_of(const struct keyed_table *table, uint64_t hi)
{
    return table->directory[table->depth ? hi >> (64 - table->depth) : 0];
}

/* The first hi behind the segment's ids; 0: it was the last. */
static inline uint64_t keyed_segment_end(const struct keyed_segment *segment, uint64_t hi)
{
    if (segment->depth == 0)
        return 0;
    uint64_t width = 1ull << (64 - segment->depth);
    return (hi & ~(width - 1)) + width;
}

struct keyed_row *keyed_table_find(const struct keyed_table *table, struct id128 id);
/* The id must not be there. */
void keyed_table_add(struct keyed_table *table, struct keyed_slab *slab, struct keyed_row *row);
/* The row must be there. */
void keyed_table_remove(struct keyed_table *table, struct keyed_row *row);
/* The segment of hi becomes smaller when it is nearly empty. */
void keyed_table_shrink(struct keyed_table *table, struct keyed_slab *slab, uint64_t hi);
/* After all rows are gone. */
void keyed_table_done(struct keyed_table *table, struct keyed_slab *slab);
