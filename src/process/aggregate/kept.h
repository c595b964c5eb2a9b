/* Values that a row keeps as they came: the smallest and largest number, the first and last value by event time. A
 * text is kept in a block of its own on the heap, taken again only when a longer one comes. */
#pragma once
#include "process/aggregate/aggregate.h"
#include "process/aggregate/wire.h"

#define TWO_TO_63 9223372036854775808.0 /* the first number beyond the integers */

struct extreme_slot {
    union {
        int64_t integer;
        double number;
    };
    uint8_t kind; /* enum aggregate_value_kind, never TEXT */
    uint8_t reserved[3];
    uint32_t skipped;
};

struct moment_slot {
    int64_t time_ms;
    uint64_t tie_breaker;
    union {
        int64_t integer;
        double number;
        char *text; /* `room` bytes, kept for the next text */
    };
    uint8_t kind;
    uint8_t length;
    uint16_t room; /* of text; only when kind is TEXT */
    uint32_t skipped;
};

/* Total, and exact also between an integer and a number: <0, 0, >0. Numbers before texts; of an integer and a number
 * that are equal the integer is the smaller, so that no two different values are equal. No NULL, no NaN, no -0. */
int kept_compare(const struct aggregate_value *a, const struct aggregate_value *b);
/* As the row keeps it: a text cut to AGGREGATE_TEXT_MAX bytes at a character, 0 for -0. The value itself when nothing
 * is to change, else `scratch`; NULL: NaN or infinite. */
const struct aggregate_value *kept_normal_rare(const struct aggregate_value *value, struct aggregate_value *scratch);
static inline const struct aggregate_value *kept_normal(const struct aggregate_value *value,
                                                        struct aggregate_value *scratch)
{
    return LIKELY(value->kind == AGGREGATE_INT) ? value : kept_normal_rare(value, scratch);
}
#define VALUE_ENCODED_MAX (1 + 10 + AGGREGATE_TEXT_MAX)
char *kept_encode(const struct aggregate_value *value, char *to);
/* A view into the bytes; NULL and the reader bad when it is no value that kept_normal gives. */
struct aggregate_value kept_decode(struct wire *wire);

/* direction: <0 keeps the smallest, >0 the largest. */
void extreme_add(struct extreme_slot *slot, const struct aggregate_value *value, int direction);
void extreme_merge(struct extreme_slot *into, const struct extreme_slot *from, int direction);
void extreme_result(const struct extreme_slot *slot, struct aggregate_result *out);
#define EXTREME_ENCODED_MAX (5 + 1 + 10)
char *extreme_encode(const struct extreme_slot *slot, char *to);
void extreme_decode(struct extreme_slot *slot, struct wire *wire);

/* direction: <0 keeps the earliest, >0 the latest. */
void moment_add(struct moment_slot *slot, const struct aggregate_value *value, int64_t time_ms, uint64_t tie_breaker,
                int direction);
void moment_merge(struct moment_slot *into, const struct moment_slot *from, int direction);
void moment_release(struct moment_slot *slot);
size_t moment_bytes(const struct moment_slot *slot);
void moment_result(const struct moment_slot *slot, struct aggregate_result *out);
#define MOMENT_ENCODED_MAX (5 + VALUE_ENCODED_MAX + 10 + 8)
char *moment_encode(const struct moment_slot *slot, char *to);
void moment_decode(struct moment_slot *slot, struct wire *wire);
