/* The slots of a row, for the two files that go through all kinds: aggregate.c and aggregate_encode.c. */
#pragma once
#include <stdlib.h>

#include "process/aggregate/distinct.h"
#include "process/aggregate/kept.h"
#include "process/aggregate/quantile.h"
#include "process/aggregate/sums.h"
#include "process/aggregate/top.h"

struct sketch_slot {
    union { /* NULL: no value yet */
        struct distinct *distinct;
        struct quantile *quantile;
        struct top *top;
    };
    uint32_t skipped;
    uint32_t reserved;
};
