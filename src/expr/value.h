/* What an expression works on: null, truth, whole number, number, or text. Plain data, passed by value, 24 bytes; text
 * is a view that somebody else owns (the event, the expression, the arena of the batch).
 *
 * Null says why: a window can count what it could not use by reason. A number that came from JSON or from the
 * expression's text keeps the digits it was written with, so that money stays exact (cents). */
#pragma once
#include "base/buf.h"
#include "base/compiler.h"
#include "base/slice.h"

#define VALUE_TEXT_MAX (64u << 10) /* bytes that a function will build; longer ones are null */

enum value_kind { VALUE_NULL, VALUE_BOOL, VALUE_INT, VALUE_NUMBER, VALUE_TEXT };

/* Kinds as a set, for what is known before any event comes. */
enum {
    TYPE_NULL = 1u << VALUE_NULL,
    TYPE_BOOL = 1u << VALUE_BOOL,
    TYPE_INT = 1u << VALUE_INT,
    TYPE_NUMBER = 1u << VALUE_NUMBER,
    TYPE_TEXT = 1u << VALUE_TEXT,
    TYPE_NUMERIC = TYPE_INT | TYPE_NUMBER,
    TYPE_ANY = TYPE_NULL | TYPE_BOOL | TYPE_NUMERIC | TYPE_TEXT,
};

/* value.detail of a null: why there is nothing. Of text: VALUE_JSON when it is an object or a list as it stands in the
 * event, 0 when it is words. */
enum value_reason {
    REASON_MISSING,       /* the event has no such field, or null */
    REASON_TYPE,          /* an operator or function met a kind it cannot use */
    REASON_OVERFLOW,      /* does not fit into 64 bits, or beyond the largest number */
    REASON_ZERO_DIVISION, /* x / 0, x % 0 */
    REASON_UNREADABLE,    /* text that is no number (int, number, cents), no time (hour, day), or no URL */
    REASON_TOO_LONG,      /* longer than VALUE_TEXT_MAX, or the batch's arena is full */
    REASON_COUNT
};
#define VALUE_JSON 1

struct value {
    uint8_t kind; /* enum value_kind */
    uint8_t detail;
    uint32_t n; /* of text, and of a number's digits as written (0: it was computed) */
    union {
        int64_t i;
        double d;
        bool b;
    };
    const char *p;
};

static inline struct value value_null(enum value_reason why)
{
    return (struct value){ .kind = VALUE_NULL, .detail = (uint8_t)why };
}
static inline struct value value_bool(bool b)
{
    return (struct value){ .kind = VALUE_BOOL, .b = b };
}
static inline struct value value_int(int64_t i)
{
    return (struct value){ .kind = VALUE_INT, .i = i };
}
/* Infinities and not-a-number become null. */
struct value value_number(double d);
/* As value_number, but a whole one that a double holds exactly becomes VALUE_INT. */
struct value value_from_double(double d);
static inline struct value value_text(struct slice s)
{
    assert(s.n <= UINT32_MAX);
    return (struct value){ .kind = VALUE_TEXT, .n = (uint32_t)s.n, .p = s.p };
}
static inline struct slice value_slice(struct value v)
{
    assert(v.kind == VALUE_TEXT);
    return (struct slice){ v.p, v.n };
}
static inline bool value_is_null(struct value v)
{
    return v.kind == VALUE_NULL;
}
/* Unknown is not true: what a filter asks. */
static inline bool value_is_true(struct value v)
{
    return v.kind == VALUE_BOOL && v.b;
}
static inline double value_as_double(struct value v)
{
    assert(v.kind == VALUE_INT || v.kind == VALUE_NUMBER);
    return v.kind == VALUE_INT ? (double)v.i : v.d;
}

/* A decimal as JSON writes it (sign, digits, fraction, exponent) from the start of text: whole numbers that fit become
 * VALUE_INT, others VALUE_NUMBER with the nearest double and their digits. Null when it is none or has something
 * behind it. */
struct value value_from_decimal(struct slice text);
/* Both not null. False: these kinds have no order (text and number). *out_order: below, at or above 0. Whole numbers
 * and doubles compare exactly. */
MUST_CHECK bool value_compare(struct value a, struct value b, int *out_order);
/* A number or truth as text, text as it is; at most VALUE_DIGITS_MAX bytes unless it is text or has digits. What is
 * made for it stands at the beginning of `digits`. */
#define VALUE_DIGITS_MAX 32
struct slice value_as_text(struct value v, char digits[VALUE_DIGITS_MAX]);

/* Appends it as JSON. */
void value_add_json(struct value v, struct buf *out);

/* "missing", "type" …: stable, for metrics. */
const char *value_reason_name(enum value_reason reason);
/* "text", "a whole number", "a number or null" … for a set of kinds. */
const char *value_types_text(unsigned types);
