/* How many different values (HyperLogLog): a set of 32-bit marks while they are few (in effect exact), 16,384 registers
 * of 6 bits once they are many (standard error 1.04 / √16384 = 0.81 %, without bias: Ertl's estimator). What it is
 * depends on nothing but the set of values. On the heap, at most DISTINCT_BYTES_MAX; owned by the row whose pointer it
 * hangs on. */
#pragma once
#include "process/aggregate/aggregate.h"
#include "process/aggregate/wire.h"

#define DISTINCT_MARKS_MAX 1536
#define DISTINCT_REGISTERS (1u << 14)
#define DISTINCT_DENSE_BYTES (DISTINCT_REGISTERS / 4 * 3)
#define DISTINCT_BYTES_MAX (8 + DISTINCT_DENSE_BYTES + 4)

struct distinct;

/* The value's hash; the same for an integer and a number that are equal. normal: as kept_normal gives it. */
uint64_t distinct_hash(const struct aggregate_value *normal);

/* *distinct may be NULL: then it is made. */
void distinct_add(struct distinct **distinct, uint64_t hash);
void distinct_merge(struct distinct **into, const struct distinct *from);
double distinct_estimate(const struct distinct *distinct);
size_t distinct_bytes(const struct distinct *distinct);
size_t distinct_encoded_max(const struct distinct *distinct);
char *distinct_encode(const struct distinct *distinct, char *to);
/* NULL when empty or the reader turned bad. */
struct distinct *distinct_decode(struct wire *wire);
