/* Sum, mean and variance. The variance keeps the sums of values and of their squares instead of Welford's running mean:
 * in plain doubles that would lose everything to cancellation, in pairs it loses less than Welford does, needs no
 * division for an event, and does not depend on the order. What is left of the variance's relative error is about
 * 2^-100 × (1 + mean² / variance). */
#include "process/aggregate/sums.h"

#include <math.h>

/* a × b exactly (Dekker's splitting: the smallest machine we run on has no fused multiply-add). */
static struct pair product(double a, double b)
{
    const double splitter = 134217729.0; /* 2^27 + 1 */
    double rounded = a * b, wide_a = a * splitter, wide_b = b * splitter;
    double a_high = wide_a - (wide_a - a), b_high = wide_b - (wide_b - b);
    double a_low = a - a_high, b_low = b - b_high;
    double rest = ((a_high * b_high - rounded) + a_high * b_low + a_low * b_high) + a_low * b_low;
    return (struct pair){ rounded, rest };
}

/* One step of long division: the quotient, then that of what it missed. */
static struct pair quotient(struct pair pair, double divisor)
{
    double first = pair.high / divisor;
    struct pair reached = product(first, divisor);
    struct pair rest = pair_add(pair, (struct pair){ -reached.high, -reached.low });
    return pair_of_two(first, (rest.high + rest.low) / divisor);
}

static struct pair pair_from_integer(__int128 integer)
{
    double high = (double)integer;
    return pair_of_two(high, (double)(integer - (__int128)high));
}

void sum_add_rare(struct sum_slot *slot, const struct aggregate_value *value)
{
    if (value->kind == AGGREGATE_NUMBER && fabs(value->number) <= SUM_NUMBER_MAX) { /* a NaN is not */
        slot->numbers = pair_add_number(slot->numbers, value->number);
        slot->has_numbers = 1;
        slot->count++;
    } else if (value->kind != AGGREGATE_NULL) {
        skipped_add(&slot->skipped, 1);
    }
}

void sum_merge(struct sum_slot *into, const struct sum_slot *from)
{
    sum_add_integers(into, sum_integers(from));
    into->numbers = pair_add(into->numbers, from->numbers);
    into->has_numbers |= from->has_numbers;
    into->count += from->count;
    skipped_add(&into->skipped, from->skipped);
}

static struct pair sum_of_all(const struct sum_slot *slot)
{
    return pair_add(slot->numbers, pair_from_integer(sum_integers(slot)));
}

static void sum_common(const struct sum_slot *slot, struct aggregate_result *out)
{
    out->skipped = slot->skipped;
    out->exact = slot->count > 0 && !slot->has_numbers;
    out->sum_high = slot->high;
    out->sum_low = slot->low;
}

void sum_result(const struct sum_slot *slot, struct aggregate_result *out)
{
    sum_common(slot, out);
    __int128 integers = sum_integers(slot);
    if (slot->count == 0)
        return;
    if (out->exact && integers == (int64_t)integers) {
        out->value = (struct aggregate_value){ .kind = AGGREGATE_INT, .integer = (int64_t)integers };
        return;
    }
    out->value = (struct aggregate_value){ .kind = AGGREGATE_NUMBER, .number = sum_of_all(slot).high };
}

void mean_result(const struct sum_slot *slot, struct aggregate_result *out)
{
    sum_common(slot, out);
    if (slot->count == 0)
        return;
    struct pair mean = quotient(sum_of_all(slot), (double)slot->count);
    out->value = (struct aggregate_value){ .kind = AGGREGATE_NUMBER, .number = mean.high };
}

static char *put_pair(char *to, struct pair pair)
{
    return wire_put(to, &pair, sizeof pair);
}

/* What our arithmetic can have left there. */
static struct pair get_pair(struct wire *wire, double most)
{
    struct pair pair;
    pair.high = wire_get_double(wire);
    pair.low = wire_get_double(wire);
    if (!(fabs(pair.high) <= most) || !(pair.high + pair.low == pair.high)) {
        wire->bad = true;
        return (struct pair){ 0, 0 };
    }
    return pair;
}

char *sum_encode(const struct sum_slot *slot, char *to)
{
    to = wire_put_u64(to, slot->count);
    to = wire_put_u64(to, slot->skipped);
    if (slot->count == 0)
        return to;
    *to++ = (char)slot->has_numbers;
    to = wire_put_i128(to, sum_integers(slot));
    return slot->has_numbers ? put_pair(to, slot->numbers) : to;
}

void sum_decode(struct sum_slot *slot, struct wire *wire)
{
    *slot = (struct sum_slot){ .count = wire_get_u64(wire) };
    slot->skipped = (uint32_t)wire_get_bits(wire, 32);
    if (slot->count > 0) {
        slot->has_numbers = wire_get_u8(wire);
        sum_add_integers(slot, wire_get_i128(wire));
        if (slot->has_numbers)
            slot->numbers = get_pair(wire, 0x1p1023);
    }
    if (slot->has_numbers > 1)
        wire->bad = true;
    if (wire->bad)
        *slot = (struct sum_slot){ 0 };
}

void variance_add(struct variance_slot *slot, const struct aggregate_value *value)
{
    double number;
    if (value->kind == AGGREGATE_NULL)
        return;
    if (value->kind == AGGREGATE_INT) {
        number = (double)value->integer;
    } else if (value->kind == AGGREGATE_NUMBER && fabs(value->number) <= VARIANCE_NUMBER_MAX) {
        number = value->number;
    } else {
        skipped_add(&slot->skipped, 1);
        return;
    }
    slot->sum = pair_add_number(slot->sum, number);
    slot->squares = pair_add(slot->squares, product(number, number));
    slot->count++;
}

void variance_merge(struct variance_slot *into, const struct variance_slot *from)
{
    into->sum = pair_add(into->sum, from->sum);
    into->squares = pair_add(into->squares, from->squares);
    into->count += from->count;
    skipped_add(&into->skipped, from->skipped);
}

/* The mean of the squares less the square of the mean: the two may agree in most digits, so both are pairs. */
void variance_result(const struct variance_slot *slot, struct aggregate_result *out)
{
    out->skipped = slot->skipped;
    if (slot->count == 0)
        return;
    struct pair mean = quotient(slot->sum, (double)slot->count);
    struct pair mean_square = pair_add_number(product(mean.high, mean.high), 2 * mean.high * mean.low);
    struct pair squares_mean = quotient(slot->squares, (double)slot->count);
    double variance = pair_add(squares_mean, (struct pair){ -mean_square.high, -mean_square.low }).high;
    out->value = (struct aggregate_value){ .kind = AGGREGATE_NUMBER, .number = variance > 0 ? variance : 0 };
}

char *variance_encode(const struct variance_slot *slot, char *to)
{
    to = wire_put_u64(to, slot->count);
    to = wire_put_u64(to, slot->skipped);
    return slot->count ? put_pair(put_pair(to, slot->sum), slot->squares) : to;
}

void variance_decode(struct variance_slot *slot, struct wire *wire)
{
    *slot = (struct variance_slot){ .count = wire_get_u64(wire) };
    slot->skipped = (uint32_t)wire_get_bits(wire, 32);
    if (slot->count > 0) {
        slot->sum = get_pair(wire, 0x1p512);
        slot->squares = get_pair(wire, 0x1p960);
    }
    if (wire->bad)
        *slot = (struct variance_slot){ 0 };
}
