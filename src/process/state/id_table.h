/* A set of 128-bit ids in memory: open addressing, 16 bytes an id, slots in the order of the ids, so that growing and
 * writing to a file are sequential passes. Ids are uniform hashes (XXH3, seeded), never attacker-chosen. Nothing is
 * ever removed. One owner, one thread. */
#pragma once
#include "base/compiler.h"

struct id128 {
    uint64_t lo, hi; /* not both 0: that is an empty slot */
};

struct id_table {
    struct id128 *slots; /* home_slots, and ID_TABLE_TAIL more behind them instead of wrapping round */
    size_t home_slots;
    size_t count;
    size_t ids_max;   /* the bound */
    size_t slots_max; /* what it never grows beyond */
};

#define ID_TABLE_TAIL 4096
#define ID_TABLE_SLOTS_MIN 1024
/* Of 4 slots at most 3 are used. */
#define ID_TABLE_IDS_OF_SLOTS(slots) ((slots) / 4 * 3)

/* memory_bytes: the bound of its slots once grown; the memory is taken as ids come. */
void id_table_init(struct id_table *table, size_t memory_bytes);
void id_table_done(struct id_table *table);
/* After true, `more` ids can be added. False: the bound is reached (or memory is out). */
MUST_CHECK bool id_table_reserve(struct id_table *table, size_t more);
/* Raises the bound so that so many ids may be in it: what was stored under a larger bound must still be readable. */
void id_table_allow(struct id_table *table, size_t ids);
size_t id_table_bytes(const struct id_table *table);

/* Where of n equal ranges the id belongs: the same order for slots, pages and filter blocks. */
static inline size_t id_range(struct id128 id, size_t n)
{
    return (size_t)(((unsigned __int128)id.hi * n) >> 64);
}

static inline bool id_is_empty(struct id128 id)
{
    return (id.lo | id.hi) == 0;
}

static inline bool id_equal(struct id128 a, struct id128 b)
{
    return a.lo == b.lo && a.hi == b.hi;
}

static inline void id_table_prefetch(const struct id_table *table, struct id128 id)
{
    if (table->slots)
        __builtin_prefetch(&table->slots[id_range(id, table->home_slots)]);
}

/* The slot that holds the id, or the empty one where it would go. Only after a reserve. */
static inline struct id128 *id_table_slot(const struct id_table *table, struct id128 id)
{
    struct id128 *slot = &table->slots[id_range(id, table->home_slots)];
    while (!id_is_empty(*slot) && !id_equal(*slot, id))
        slot++;
    /* 4096 slots in a row beyond the last home, at 3/4 load, by a seeded hash: it does not happen. */
    assert(slot < table->slots + table->home_slots + ID_TABLE_TAIL);
    return slot;
}

static inline bool id_table_has(const struct id_table *table, struct id128 id)
{
    return table->slots && !id_is_empty(*id_table_slot(table, id));
}

/* False when it was there already. Only after a reserve. */
static inline bool id_table_add(struct id_table *table, struct id128 id)
{
    struct id128 *slot = id_table_slot(table, id);
    if (!id_is_empty(*slot))
        return false;
    assert(table->count < table->ids_max);
    *slot = id;
    table->count++;
    return true;
}
