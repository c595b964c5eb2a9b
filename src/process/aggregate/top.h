/* The most frequent values (Misra-Gries, in the form that takes the median away at once): counts of at most `capacity`
 * values. While no more different values came it is exact. Beyond, a value's true count lies between its count and its
 * count + error; every value that came more often than `error` is there, and error ≤ 2 n / capacity after n values,
 * also when rows were merged. Which values are there may then depend on the order. On the heap; owned by the row. */
#pragma once
#include "process/aggregate/aggregate.h"
#include "process/aggregate/wire.h"

#define TOP_CAPACITY_MIN 64
#define TOP_CAPACITY_MAX 1024

struct top;

/* For the k most frequent: 8 k at least. */
uint32_t top_capacity(uint32_t k);
/* *top may be NULL: then it is made. normal: not NULL, as kept_normal gives it; hash: of distinct_hash. */
void top_add(struct top **top, uint32_t capacity, const struct aggregate_value *normal, uint64_t hash);
void top_merge(struct top **into, uint32_t capacity, const struct top *from);
/* Sets the fields of a top and value, k entries at most: by count, equal ones by value. */
void top_result(const struct top *top, uint32_t k, struct aggregate_result *out);
size_t top_bytes(const struct top *top);
void top_free(struct top *top);
size_t top_encoded_max(const struct top *top);
char *top_encode(const struct top *top, char *to);
/* NULL when empty or the reader turned bad. */
struct top *top_decode(struct wire *wire, uint32_t capacity);
