/* Decimals take Clinger's short way: a mantissa below 2^53 and a power of ten up to 22 are both exact as doubles, so
 * one division or multiplication rounds once and right. Everything else goes to strtod. */
#include "expr/value.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json_text.h"

#define DECIMAL_BYTES_MAX 350 /* longer ones are not numbers that anybody means */

struct value value_number(double d)
{
    if (UNLIKELY(!isfinite(d)))
        return value_null(REASON_OVERFLOW);
    return (struct value){ .kind = VALUE_NUMBER, .d = d };
}

struct value value_from_double(double d)
{
    bool whole = fabs(d) <= 9007199254740992.0 && d == floor(d); /* 2^53 */
    return whole ? value_int((int64_t)d) : value_number(d);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* What the grammar of a decimal takes from the start of the text. */
struct decimal {
    uint64_t mantissa;
    int fraction, exponent;
    bool negative, whole, small; /* small: the mantissa holds every digit */
};

static void take_digits(struct decimal *d, const char *p, const char *end)
{
    for (; p < end; p++) {
        if (d->mantissa >= 1000000000000000000u) {
            d->small = false;
            return;
        }
        d->mantissa = d->mantissa * 10 + (uint64_t)(*p - '0');
    }
}

static const char *digits_end(const char *p, const char *end)
{
    while (p < end && is_digit(*p))
        p++;
    return p;
}

static bool take_exponent(struct decimal *d, const char *p, const char *end)
{
    bool negative = p < end && *p == '-';
    if (p < end && (*p == '-' || *p == '+'))
        p++;
    if (p == end || digits_end(p, end) != end)
        return false;
    int value = 0;
    for (; p < end; p++)
        value = value < 10000 ? value * 10 + (*p - '0') : value;
    d->exponent = negative ? -value : value;
    return true;
}

static bool read_decimal(struct slice text, struct decimal *d)
{
    const char *p = text.p, *end = text.p + text.n;
    *d = (struct decimal){ .whole = true, .small = true };
    if (p < end && *p == '-') {
        d->negative = true;
        p++;
    }
    const char *stop = digits_end(p, end);
    if (stop == p)
        return false;
    take_digits(d, p, stop);
    p = stop;
    if (p < end && *p == '.') {
        d->whole = false;
        stop = digits_end(p + 1, end);
        if (stop == p + 1)
            return false;
        take_digits(d, p + 1, stop);
        d->fraction = (int)(stop - p - 1);
        p = stop;
    }
    if (p == end)
        return true;
    d->whole = false;
    return (*p == 'e' || *p == 'E') && take_exponent(d, p + 1, end);
}

static double slow_double(struct slice text)
{
    char copy[DECIMAL_BYTES_MAX + 1];
    memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    return strtod(copy, NULL);
}

static const double TEN[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                              1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };

/* Up to 18 digits with a point among them, which is nearly every number there is. False: the long way decides. */
static bool read_short(struct slice text, struct value *out)
{
    size_t sign = text.n && text.p[0] == '-', point = text.n;
    int64_t mantissa = 0;
    if (text.n - sign > 18)
        return false;
    for (size_t i = sign; i < text.n; i++) {
        unsigned digit = (unsigned)(text.p[i] - '0');
        if (digit <= 9)
            mantissa = mantissa * 10 + digit;
        else if (text.p[i] == '.' && point == text.n)
            point = i;
        else
            return false;
    }
    if (point == sign || point + 1 == text.n || mantissa > 1ll << 53)
        return false;
    mantissa = sign ? -mantissa : mantissa;
    *out = point == text.n
               ? value_int(mantissa)
               : (struct value){
                     VALUE_NUMBER, 0, (uint32_t)text.n, { .d = (double)mantissa / TEN[text.n - point - 1] }, text.p
                 };
    return true;
}

struct value value_from_decimal(struct slice text)
{
    struct value short_one;
    if (LIKELY(read_short(text, &short_one)))
        return short_one;
    struct decimal d;
    if (text.n > DECIMAL_BYTES_MAX || !read_decimal(text, &d))
        return value_null(REASON_UNREADABLE);
    uint64_t limit = (uint64_t)INT64_MAX + d.negative;
    if (d.whole && d.small && d.mantissa <= limit)
        return value_int(d.negative ? (int64_t)(0 - d.mantissa) : (int64_t)d.mantissa);
    int power = d.exponent - d.fraction;
    double number;
    if (d.small && d.mantissa <= 1ull << 53 && power >= -22 && power <= 22) {
        number = power < 0 ? (double)d.mantissa / TEN[-power] : (double)d.mantissa * TEN[power];
        number = d.negative ? -number : number;
    } else {
        number = slow_double(text);
    }
    struct value v = value_number(number);
    if (v.kind == VALUE_NUMBER) {
        v.p = text.p;
        v.n = (uint32_t)text.n;
    }
    return v;
}

/* A double beyond 2^53 is a whole number; one below is compared after its fraction has decided nothing. */
static int compare_int_double(int64_t i, double d)
{
    if (d >= 0x1p63)
        return -1;
    if (d < -0x1p63)
        return 1;
    int64_t whole = (int64_t)d; /* towards zero */
    if (i != whole)
        return i < whole ? -1 : 1;
    double rest = d - (double)whole;
    return rest > 0 ? -1 : rest < 0 ? 1 : 0;
}

static int compare_slices(struct slice a, struct slice b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n ? memcmp(a.p, b.p, n) : 0;
    return order ? order : (a.n > b.n) - (a.n < b.n);
}

bool value_compare(struct value a, struct value b, int *out_order)
{
    assert(a.kind != VALUE_NULL && b.kind != VALUE_NULL);
    if (a.kind == b.kind) {
        if (a.kind == VALUE_TEXT)
            *out_order = compare_slices(value_slice(a), value_slice(b));
        else if (a.kind == VALUE_INT)
            *out_order = (a.i > b.i) - (a.i < b.i);
        else if (a.kind == VALUE_NUMBER)
            *out_order = (a.d > b.d) - (a.d < b.d);
        else
            *out_order = a.b - b.b;
        return true;
    }
    if (a.kind == VALUE_INT && b.kind == VALUE_NUMBER)
        *out_order = compare_int_double(a.i, b.d);
    else if (a.kind == VALUE_NUMBER && b.kind == VALUE_INT)
        *out_order = -compare_int_double(b.i, a.d);
    else
        return false;
    return true;
}

static struct slice shortest(double d, char digits[VALUE_DIGITS_MAX])
{
    int n = 0;
    for (int precision = 15; precision <= 17; precision++) {
        n = snprintf(digits, VALUE_DIGITS_MAX, "%.*g", precision, d);
        if (strtod(digits, NULL) == d)
            break;
    }
    return slice_of(digits, (size_t)n);
}

/* By hand: this is done for money's cents and windows' keys, event by event. */
static struct slice whole_text(int64_t i, char digits[VALUE_DIGITS_MAX])
{
    char text[VALUE_DIGITS_MAX];
    uint64_t rest = i < 0 ? 0 - (uint64_t)i : (uint64_t)i;
    size_t at = sizeof text;
    do
        text[--at] = (char)('0' + rest % 10);
    while (rest /= 10);
    if (i < 0)
        text[--at] = '-';
    memcpy(digits, text + at, sizeof text - at);
    return slice_of(digits, sizeof text - at);
}

struct slice value_as_text(struct value v, char digits[VALUE_DIGITS_MAX])
{
    switch ((enum value_kind)v.kind) {
    case VALUE_TEXT:
        return value_slice(v);
    case VALUE_INT:
        return whole_text(v.i, digits);
    case VALUE_NUMBER:
        return v.n ? slice_of(v.p, v.n) : shortest(v.d, digits);
    case VALUE_BOOL:
        return v.b ? SLICE("true") : SLICE("false");
    case VALUE_NULL:
        break;
    }
    return SLICE("null");
}

/* Digits from somewhere else than JSON may begin with zeros, which JSON does not have. */
static bool is_json_number(const char *p, uint32_t n)
{
    size_t sign = n && *p == '-';
    return n > sign && (p[sign] != '0' || n == sign + 1 || !is_digit(p[sign + 1]));
}

void value_add_json(struct value v, struct buf *out)
{
    char digits[VALUE_DIGITS_MAX];
    if (v.kind == VALUE_TEXT && v.detail != VALUE_JSON) {
        json_add_string(out, value_slice(v));
        return;
    }
    if (v.kind == VALUE_NUMBER && !is_json_number(v.p, v.n))
        v.n = 0;
    buf_add_slice(out, value_as_text(v, digits));
}

const char *value_reason_name(enum value_reason reason)
{
    static const char *const NAMES[REASON_COUNT] = { "missing",       "type",       "overflow",
                                                     "zero_division", "unreadable", "too_long" };
    return reason < REASON_COUNT ? NAMES[reason] : "unknown";
}

const char *value_types_text(unsigned types)
{
    switch (types & ~(unsigned)TYPE_NULL) {
    case 0:
        return "null";
    case TYPE_BOOL:
        return "true or false";
    case TYPE_INT:
        return "a whole number";
    case TYPE_NUMBER:
    case TYPE_NUMERIC:
        return "a number";
    case TYPE_TEXT:
        return "text";
    case TYPE_NUMERIC | TYPE_TEXT:
        return "a number or text";
    default:
        return "any value";
    }
}
