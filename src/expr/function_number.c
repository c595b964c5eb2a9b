/* Functions on numbers. Whole numbers stay whole; what does not fit into 64 bits is null. */
#include <math.h>

#include "expr/functions.h"

#define TWO_TO_63 9223372036854775808.0

static struct value whole(double d)
{
    if (d < -TWO_TO_63 || d >= TWO_TO_63)
        return value_null(REASON_OVERFLOW);
    return value_int((int64_t)d);
}

FUNCTION(abs)
{
    (void)count;
    (void)arena;
    if (a[0].kind == VALUE_NUMBER)
        return value_number(fabs(a[0].d));
    return a[0].i == INT64_MIN ? value_null(REASON_OVERFLOW) : value_int(a[0].i < 0 ? -a[0].i : a[0].i);
}

FUNCTION(round)
{
    (void)arena;
    if (a[0].kind == VALUE_INT)
        return a[0];
    if (count == 1)
        return whole(round(a[0].d));
    if (a[1].i < 0 || a[1].i > 15)
        return value_null(REASON_OVERFLOW);
    double scale = pow(10, (double)a[1].i), scaled = a[0].d * scale;
    return fabs(scaled) < 0x1p52 ? value_number(round(scaled) / scale) : a[0];
}

FUNCTION(floor)
{
    (void)count;
    (void)arena;
    return a[0].kind == VALUE_INT ? a[0] : whole(floor(a[0].d));
}

FUNCTION(ceil)
{
    (void)count;
    (void)arena;
    return a[0].kind == VALUE_INT ? a[0] : whole(ceil(a[0].d));
}

static struct value furthest(const struct value *a, size_t count, int sign)
{
    struct value best = a[0];
    for (size_t i = 1; i < count; i++) {
        int order;
        if (!value_compare(a[i], best, &order))
            return value_null(REASON_TYPE);
        if (order * sign > 0)
            best = a[i];
    }
    return best;
}

FUNCTION(min)
{
    (void)arena;
    return furthest(a, count, -1);
}

FUNCTION(max)
{
    (void)arena;
    return furthest(a, count, 1);
}

static struct value numeric(struct value v)
{
    if (v.kind == VALUE_BOOL)
        return value_int(v.b);
    return v.kind == VALUE_TEXT ? value_from_decimal(slice_trim(value_slice(v))) : v;
}

FUNCTION(int)
{
    (void)count;
    (void)arena;
    struct value v = numeric(a[0]);
    return v.kind == VALUE_NUMBER ? whole(v.d) : v;
}

FUNCTION(number)
{
    (void)count;
    (void)arena;
    return numeric(a[0]);
}

FUNCTION(text)
{
    (void)count;
    char digits[VALUE_DIGITS_MAX];
    struct slice s = value_as_text(a[0], digits);
    if (s.p != digits)
        return value_text(s);
    s = arena_copy(arena, s);
    return s.p ? value_text(s) : value_null(REASON_TOO_LONG);
}
