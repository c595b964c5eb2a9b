/* Money is never a double: the decimal's digits are shifted by two places and its exponent as they stand. A number that
 * was computed has no digits, so it is first written as the shortest decimal that means it. */
#include "expr/expr_inside.h"

#define EXPONENT_MAX 1000

struct amount {
    bool negative;
    struct slice whole, fraction;
    int exponent;
};

static struct slice take_digits(struct slice *rest)
{
    size_t n = 0;
    while (n < rest->n && rest->p[n] >= '0' && rest->p[n] <= '9')
        n++;
    struct slice digits = slice_of(rest->p, n);
    *rest = slice_after(*rest, n);
    return digits;
}

static bool take(struct slice *rest, char c)
{
    if (!rest->n || *rest->p != c)
        return false;
    *rest = slice_after(*rest, 1);
    return true;
}

static bool read_exponent(struct slice *rest, int *out)
{
    if (!take(rest, 'e') && !take(rest, 'E'))
        return true;
    bool negative = take(rest, '-');
    if (!negative)
        (void)take(rest, '+');
    struct slice digits = take_digits(rest);
    uint64_t value;
    if (!slice_to_u64(digits, &value) || value > EXPONENT_MAX)
        return false;
    *out = negative ? -(int)value : (int)value;
    return true;
}

static bool read_amount(struct slice text, struct amount *out)
{
    text = slice_trim(text);
    *out = (struct amount){ 0 };
    out->negative = take(&text, '-');
    if (!out->negative)
        (void)take(&text, '+');
    out->whole = take_digits(&text);
    if (take(&text, '.'))
        out->fraction = take_digits(&text);
    return out->whole.n + out->fraction.n > 0 && read_exponent(&text, &out->exponent) && text.n == 0;
}

/* The digit at a place of the decimal: 0 is the one before the point, -1 the first behind it. */
static unsigned digit_at(const struct amount *amount, int64_t place)
{
    place -= amount->exponent;
    if (place >= 0)
        return (uint64_t)place < amount->whole.n
                   ? (unsigned)(amount->whole.p[amount->whole.n - 1 - (size_t)place] - '0')
                   : 0;
    size_t at = (size_t)(-place - 1);
    return at < amount->fraction.n ? (unsigned)(amount->fraction.p[at] - '0') : 0;
}

static struct value cents_of(struct slice text)
{
    struct amount amount;
    if (text.n > EXPR_TEXT_MAX || !read_amount(text, &amount))
        return value_null(REASON_UNREADABLE);
    int64_t cents = 0, sign = amount.negative ? -1 : 1;
    for (int64_t place = (int64_t)amount.whole.n + amount.exponent; place >= -2; place--)
        if (__builtin_mul_overflow(cents, 10, &cents) ||
            __builtin_add_overflow(cents, sign * (int64_t)digit_at(&amount, place), &cents))
            return value_null(REASON_OVERFLOW);
    if (digit_at(&amount, -3) >= 5 && __builtin_add_overflow(cents, sign, &cents))
        return value_null(REASON_OVERFLOW);
    return value_int(cents);
}

struct value expr_cents(struct value v)
{
    char digits[VALUE_DIGITS_MAX];
    int64_t cents;
    if (v.kind == VALUE_INT)
        return __builtin_mul_overflow(v.i, 100, &cents) ? value_null(REASON_OVERFLOW) : value_int(cents);
    return cents_of(value_as_text(v, digits));
}
