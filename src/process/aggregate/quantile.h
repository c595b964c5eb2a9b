/* The distribution of numbers (DDSketch): how many fell into each bin, 50 bins for every power of two, so that the
 * middle of a bin is within 1 % of all its values. Rows merge by adding bins: exactly, in any order. Positive and
 * negative numbers have bins of their own; each keeps the QUANTILE_BINS_MAX (64 powers of two) farthest from 0, and
 * what would lie nearer is counted in the nearest of them. Smaller than 2^-1022: counted as 0. On the heap; owned by
 * the row. */
#pragma once
#include "process/aggregate/aggregate.h"
#include "process/aggregate/wire.h"

#define QUANTILE_BINS_MAX 3200

struct quantile;

/* *quantile may be NULL: then it is made. number: finite. */
void quantile_add(struct quantile **quantile, double number);
void quantile_merge(struct quantile **into, const struct quantile *from);
/* The value at rank ⌊q (n - 1)⌋ of the sorted numbers, n > 0: exact for the smallest and largest. */
double quantile_estimate(const struct quantile *quantile, double q);
size_t quantile_bytes(const struct quantile *quantile);
void quantile_free(struct quantile *quantile);
size_t quantile_encoded_max(const struct quantile *quantile);
char *quantile_encode(const struct quantile *quantile, char *to);
/* NULL when empty or the reader turned bad. */
struct quantile *quantile_decode(struct wire *wire);
