/* The order in which the parts of a batch are tried when it cannot go as a whole: halves of halves, from the first row
 * to the last. The tree of ranges depends on the number of rows alone, so that after a restart the same parts have the
 * same tokens. Plain data; one owner. */
#pragma once
#include "base/compiler.h"

struct split_range {
    uint32_t first, end; /* rows [first, end) */
};

struct split {
    struct split_range ranges[34]; /* the next one is last: at most one for each halving of 2^32 rows, and one more */
    size_t count;
};

/* All of [0, rows) is to be done, but for the rows before `done`, which are settled. */
void split_begin(struct split *split, uint32_t rows, uint32_t done);
bool split_next(const struct split *split, struct split_range *out); /* false: nothing is left */
void split_settle(struct split *split);                              /* the next range is done */
void split_halve(struct split *split); /* try the next range in two halves; it must have at least 2 rows */
