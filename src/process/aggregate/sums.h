/* Sums of numbers that come out the same in whatever order they are added and however they were split: whole numbers in
 * 128 bits, exactly; others as an unevaluated sum of two doubles (106 bits), so that what the order changes lies about
 * 2^-100 of the sum of magnitudes below, and rounding to one double hides it but for freak cases. A row's slot. */
#pragma once
#include "process/aggregate/aggregate.h"
#include "process/aggregate/wire.h"

/* Numbers beyond are skipped: so no sum of 2^63 of them can overflow. */
#define SUM_NUMBER_MAX 0x1p960
#define VARIANCE_NUMBER_MAX 0x1p448

struct pair {
    double high, low; /* the value is high + low, |low| ≤ half a unit in the last place of high */
};

struct sum_slot {
    uint64_t low; /* of the integers */
    int64_t high;
    struct pair numbers;
    uint64_t count; /* values, of both kinds */
    uint32_t skipped;
    uint32_t has_numbers;
};

struct variance_slot {
    struct pair sum, squares;
    uint64_t count;
    uint32_t skipped;
    uint32_t reserved;
};

/* a + b exactly, as a pair. */
static inline struct pair pair_of_two(double a, double b)
{
    double sum = a + b, of_b = sum - a;
    return (struct pair){ sum, (a - (sum - of_b)) + (b - of_b) };
}

static inline struct pair pair_add(struct pair pair, struct pair other)
{
    struct pair high = pair_of_two(pair.high, other.high), low = pair_of_two(pair.low, other.low);
    struct pair once = pair_of_two(high.high, high.low + low.high);
    return pair_of_two(once.high, once.low + low.low);
}

static inline struct pair pair_add_number(struct pair pair, double number)
{
    struct pair high = pair_of_two(pair.high, number);
    return pair_of_two(high.high, high.low + pair.low);
}

static inline void skipped_add(uint32_t *skipped, uint32_t more)
{
    *skipped = *skipped + (uint64_t)more > UINT32_MAX ? UINT32_MAX : *skipped + more;
}

static inline void sum_add_integers(struct sum_slot *slot, __int128 integers)
{
    unsigned __int128 sum = ((unsigned __int128)(uint64_t)slot->high << 64) | slot->low;
    sum += (unsigned __int128)integers;
    slot->low = (uint64_t)sum;
    slot->high = (int64_t)(uint64_t)(sum >> 64);
}

static inline __int128 sum_integers(const struct sum_slot *slot)
{
    return (__int128)(((unsigned __int128)(uint64_t)slot->high << 64) | slot->low);
}

void sum_add_rare(struct sum_slot *slot, const struct aggregate_value *value);
static inline void sum_add(struct sum_slot *slot, const struct aggregate_value *value)
{
    if (UNLIKELY(value->kind != AGGREGATE_INT)) {
        sum_add_rare(slot, value);
        return;
    }
    uint64_t low = slot->low + (uint64_t)value->integer; /* by halves: the compiler takes 128 bits over the stack */
    slot->high += (value->integer < 0 ? -1 : 0) + (low < slot->low);
    slot->low = low;
    slot->count++;
}
void sum_merge(struct sum_slot *into, const struct sum_slot *from);
void sum_result(const struct sum_slot *slot, struct aggregate_result *out);
void mean_result(const struct sum_slot *slot, struct aggregate_result *out);
#define SUM_ENCODED_MAX (10 + 5 + 1 + 19 + 16)
char *sum_encode(const struct sum_slot *slot, char *to);
/* May turn the reader bad; the slot is empty then. */
void sum_decode(struct sum_slot *slot, struct wire *wire);

void variance_add(struct variance_slot *slot, const struct aggregate_value *value);
void variance_merge(struct variance_slot *into, const struct variance_slot *from);
void variance_result(const struct variance_slot *slot, struct aggregate_result *out);
#define VARIANCE_ENCODED_MAX (10 + 5 + 32)
char *variance_encode(const struct variance_slot *slot, char *to);
void variance_decode(struct variance_slot *slot, struct wire *wire);
