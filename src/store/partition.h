/* How many storage partitions, that is (placement, month of event time in UTC), rows fall into. The engine makes a
 * block for each of them in an insert, and remembers repeats by counting blocks: so a batch must know the number.
 * No allocation, no threads. */
#pragma once
#include "base/compiler.h"
#include "base/slice.h"
#include "store/native.h"

#define PARTITION_SLOTS 16384
#define PARTITION_COUNT_MAX 8192 /* counting stops here: "at least so many" */

struct partition_set {
    uint64_t slots[PARTITION_SLOTS]; /* 0: empty */
    uint32_t count;
    /* The last one added: most rows are like the one before. */
    int64_t month_begin_ms, month_end_ms; /* [begin, end) */
    char placement[72];
    size_t placement_n; /* SIZE_MAX: none yet, or too long to remember */
};

void partition_set_reset(struct partition_set *set);
void partition_set_insert(struct partition_set *set, struct slice placement, int64_t timestamp_ms);

static inline void partition_set_add(struct partition_set *set, struct slice placement, int64_t timestamp_ms)
{
    if (LIKELY(timestamp_ms >= set->month_begin_ms && timestamp_ms < set->month_end_ms &&
               placement.n == set->placement_n &&
               (placement.n == 0 || !memcmp(placement.p, set->placement, placement.n))))
        return;
    partition_set_insert(set, placement, timestamp_ms);
}

/* Of rows [first, end) of a block; 1 for a block without the columns placement and timestamp. */
uint32_t partition_count(const struct native_block *block, uint32_t first, uint32_t end);
