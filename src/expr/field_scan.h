/* The pass over one JSON object that fills the values of a plan. Nobody outside of expr/ includes this. */
#pragma once
#include "expr/field_plan.h"

/* Of FIELD_SLOTS. Names of an object differ most in their length and their ends. */
static inline unsigned field_slot(const char *p, size_t n)
{
    if (n == 0)
        return 0;
    return ((unsigned)n * 7u + (unsigned char)p[0] + (unsigned char)p[n - 1] * 3u) % FIELD_SLOTS;
}

/* Sets the values of the paths inside of source that are found in the text. */
void field_scan(const struct field_plan *plan, enum field_source source, struct slice text, struct arena *arena,
                struct value *values);
/* The whole of properties: *out_unknown is the first of its names, as it stands between its quotes, that is not the
 * whole way to one of the first `known` paths; p NULL: there is none. */
void field_scan_strict(const struct field_plan *plan, struct slice text, size_t known, struct arena *arena,
                       struct value *values, struct slice *out_unknown);
