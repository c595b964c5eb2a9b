/* Both forms come from one 64-bit hash of the value. A mark is its first 26 bits and the rank (the place of the first
 * 1) of the other 38; of those the registers of the dense form follow: register = the first 14 bits, rank within the
 * other 50. So it makes no difference when a set became dense, and sets may be merged in either form.
 * Marks stand in an open-addressing table of 8 to 2,048 slots, 3/4 full at most: at 1,536 marks it takes 8 KiB, and one
 * value in 44,000 shares its mark's bits with an earlier one.
 * Sparse: n = m ln(m / (m - marks)) with m = 2^26. Dense: O. Ertl, "New cardinality estimation algorithms for
 * HyperLogLog sketches" (2017), the improved raw estimator. */
#include "process/aggregate/distinct.h"

#include <math.h>
#include <stdlib.h>
#include <xxhash.h>

#include "process/aggregate/heap.h"
#include "process/aggregate/kept.h"

#define MARK_BITS 26
#define RANK_BITS 6
#define REGISTER_BITS 14
#define RANK_MAX (64 - REGISTER_BITS + 1)
#define MARK_RANK_MAX (64 - MARK_BITS + 1)
#define SLOTS_MIN 8
#define SLOTS_MAX 2048
#define DENSE UINT32_MAX

struct distinct {
    uint32_t marks;
    uint32_t slots;     /* or DENSE */
    uint32_t content[]; /* marks, 0 where free; or the registers and 4 bytes to read over */
};

static uint64_t mix(uint64_t bits)
{
    bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9ull;
    bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebull;
    return bits ^ (bits >> 31);
}

uint64_t distinct_hash(const struct aggregate_value *normal)
{
    uint64_t bits = 0;
    switch (normal->kind) {
    case AGGREGATE_TEXT:
        return XXH3_64bits(normal->text.p, normal->text.n);
    case AGGREGATE_NUMBER:
        if (normal->number >= -TWO_TO_63 && normal->number < TWO_TO_63 && normal->number == trunc(normal->number))
            return mix((uint64_t)(int64_t)normal->number + 0x9e3779b97f4a7c15ull);
        memcpy(&bits, &normal->number, sizeof bits);
        return mix(~bits);
    case AGGREGATE_NULL:
    case AGGREGATE_INT:
        break;
    }
    return mix((uint64_t)normal->integer + 0x9e3779b97f4a7c15ull);
}

static unsigned rank(uint64_t hash, unsigned bits)
{
    uint64_t rest = hash << bits;
    return rest ? (unsigned)__builtin_clzll(rest) + 1 : 64 - bits + 1;
}

static unsigned register_get(const unsigned char *registers, uint32_t index)
{
    uint16_t word;
    uint32_t bit = index * 6;
    memcpy(&word, registers + bit / 8, sizeof word);
    return (word >> (bit % 8)) & 63;
}

static inline void register_raise(unsigned char *registers, uint32_t index, unsigned value)
{
    uint16_t word;
    uint32_t bit = index * 6, shift = bit % 8;
    memcpy(&word, registers + bit / 8, sizeof word);
    if (((word >> shift) & 63u) >= value)
        return;
    word = (uint16_t)((word & ~(63u << shift)) | value << shift);
    memcpy(registers + bit / 8, &word, sizeof word);
}

static size_t bytes_of(uint32_t slots)
{
    return sizeof(struct distinct) + (slots == DENSE ? DISTINCT_DENSE_BYTES + 4 : (size_t)slots * 4);
}

static struct distinct *distinct_make(uint32_t slots)
{
    struct distinct *made = heap_resize(NULL, bytes_of(slots));
    memset(made, 0, bytes_of(slots));
    made->slots = slots;
    return made;
}

static void mark_to_register(struct distinct *dense, uint32_t mark)
{
    uint32_t between = (mark >> RANK_BITS) << (32 - MARK_BITS + REGISTER_BITS); /* the 12 bits at the top */
    unsigned value =
        between ? (unsigned)__builtin_clz(between) + 1 : MARK_BITS - REGISTER_BITS + (mark & ((1u << RANK_BITS) - 1));
    register_raise((unsigned char *)dense->content, mark >> (32 - REGISTER_BITS), value);
}

static void mark_put(struct distinct **distinct, uint32_t mark);

/* Twice the slots, or dense when there are enough of them. */
static void grow(struct distinct **distinct)
{
    struct distinct *old = *distinct;
    *distinct = distinct_make(old->slots == SLOTS_MAX ? DENSE : old->slots * 2);
    for (uint32_t i = 0; i < old->slots; i++)
        if (old->content[i])
            mark_put(distinct, old->content[i]);
    free(old);
}

static void mark_put(struct distinct **distinct, uint32_t mark)
{
    if ((*distinct)->slots == DENSE) {
        mark_to_register(*distinct, mark);
        return;
    }
    uint32_t mask = (*distinct)->slots - 1;
    for (uint32_t at = (mark >> RANK_BITS) & mask;; at = (at + 1) & mask) {
        uint32_t *slot = &(*distinct)->content[at];
        if (*slot >> RANK_BITS == mark >> RANK_BITS && *slot) {
            if (mark > *slot)
                *slot = mark; /* the higher rank */
            return;
        }
        if (*slot)
            continue;
        if (((*distinct)->marks + 1) * 4 > (*distinct)->slots * 3) {
            grow(distinct);
            mark_put(distinct, mark);
            return;
        }
        *slot = mark;
        (*distinct)->marks++;
        return;
    }
}

void distinct_add(struct distinct **distinct, uint64_t hash)
{
    if (!*distinct)
        *distinct = distinct_make(SLOTS_MIN);
    if (LIKELY((*distinct)->slots == DENSE)) {
        register_raise((unsigned char *)(*distinct)->content, (uint32_t)(hash >> (64 - REGISTER_BITS)),
                       rank(hash, REGISTER_BITS));
        return;
    }
    mark_put(distinct, (uint32_t)(hash >> (64 - MARK_BITS)) << RANK_BITS | rank(hash, MARK_BITS));
}

static void make_dense(struct distinct **distinct)
{
    while ((*distinct)->slots != DENSE)
        grow(distinct);
}

void distinct_merge(struct distinct **into, const struct distinct *from)
{
    if (!from)
        return;
    if (!*into)
        *into = distinct_make(SLOTS_MIN);
    if (from->slots != DENSE) {
        for (uint32_t i = 0; i < from->slots; i++)
            if (from->content[i])
                mark_put(into, from->content[i]);
        return;
    }
    make_dense(into);
    for (uint32_t i = 0; i < DISTINCT_REGISTERS; i++)
        register_raise((unsigned char *)(*into)->content, i, register_get((const unsigned char *)from->content, i));
}

/* Both series converge within some 60 terms; x is within 0 and 1. */
static double sigma(double x)
{
    double power = 1, sum = x, before;
    if (x == 1)
        return INFINITY;
    do {
        x *= x;
        before = sum;
        sum += x * power;
        power += power;
    } while (sum != before);
    return sum;
}

static double tau(double x)
{
    double power = 1, sum = 1 - x, before;
    if (x == 0 || x == 1)
        return 0;
    do {
        x = sqrt(x);
        before = sum;
        power *= 0.5;
        sum -= (1 - x) * (1 - x) * power;
    } while (sum != before);
    return sum / 3;
}

static double dense_estimate(const struct distinct *dense)
{
    const double registers = DISTINCT_REGISTERS;
    uint32_t of_rank[RANK_MAX + 1] = { 0 };
    for (uint32_t i = 0; i < DISTINCT_REGISTERS; i++)
        of_rank[register_get((const unsigned char *)dense->content, i)]++;
    double z = registers * tau(1 - of_rank[RANK_MAX] / registers);
    for (int k = RANK_MAX - 1; k >= 1; k--)
        z = 0.5 * (z + of_rank[k]);
    z += registers * sigma(of_rank[0] / registers);
    return registers * registers / (2 * M_LN2 * z);
}

double distinct_estimate(const struct distinct *distinct)
{
    const double marks = 1u << MARK_BITS;
    if (!distinct)
        return 0;
    return round(distinct->slots == DENSE ? dense_estimate(distinct)
                                          : -marks * log1p(-(double)distinct->marks / marks));
}

size_t distinct_bytes(const struct distinct *distinct)
{
    return distinct ? bytes_of(distinct->slots) : 0;
}

size_t distinct_encoded_max(const struct distinct *distinct)
{
    if (!distinct)
        return 1;
    return distinct->slots == DENSE ? 1 + DISTINCT_DENSE_BYTES : 1 + 5 + (size_t)distinct->marks * 5;
}

static int compare_marks(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

enum form { FORM_EMPTY = 0, FORM_MARKS = 1, FORM_REGISTERS = 2 };

char *distinct_encode(const struct distinct *distinct, char *to)
{
    uint32_t sorted[DISTINCT_MARKS_MAX], count = 0, before = 0;
    if (!distinct) {
        *to++ = FORM_EMPTY;
        return to;
    }
    if (distinct->slots == DENSE) {
        *to++ = FORM_REGISTERS;
        return wire_put(to, distinct->content, DISTINCT_DENSE_BYTES);
    }
    for (uint32_t i = 0; i < distinct->slots; i++)
        if (distinct->content[i])
            sorted[count++] = distinct->content[i];
    qsort(sorted, count, sizeof sorted[0], compare_marks);
    *to++ = FORM_MARKS;
    to = wire_put_u64(to, count);
    for (uint32_t i = 0; i < count; i++) {
        to = wire_put_u64(to, sorted[i] - before);
        before = sorted[i];
    }
    return to;
}

static void decode_marks(struct distinct **distinct, struct wire *wire)
{
    uint64_t count = wire_get_u64(wire), mark = 0;
    if (count == 0 || count > DISTINCT_MARKS_MAX)
        wire->bad = true;
    for (uint64_t i = 0; i < count && !wire->bad; i++) {
        uint64_t before = mark;
        mark += wire_get_bits(wire, 32);
        unsigned value = mark & ((1u << RANK_BITS) - 1);
        if (mark > UINT32_MAX || value == 0 || value > MARK_RANK_MAX ||
            (i > 0 && mark >> RANK_BITS == before >> RANK_BITS))
            wire->bad = true;
        else
            mark_put(distinct, (uint32_t)mark);
    }
}

static void decode_registers(struct distinct **distinct, struct wire *wire)
{
    const char *registers = wire_get(wire, DISTINCT_DENSE_BYTES);
    if (!registers)
        return;
    make_dense(distinct);
    memcpy((*distinct)->content, registers, DISTINCT_DENSE_BYTES);
    for (uint32_t i = 0; i < DISTINCT_REGISTERS; i++)
        if (register_get((const unsigned char *)(*distinct)->content, i) > RANK_MAX)
            wire->bad = true;
}

struct distinct *distinct_decode(struct wire *wire)
{
    uint8_t form = wire_get_u8(wire);
    if (wire->bad || form == FORM_EMPTY)
        return NULL;
    struct distinct *distinct = distinct_make(SLOTS_MIN);
    if (form == FORM_MARKS)
        decode_marks(&distinct, wire);
    else if (form == FORM_REGISTERS)
        decode_registers(&distinct, wire);
    else
        wire->bad = true;
    if (wire->bad) {
        free(distinct);
        return NULL;
    }
    return distinct;
}
