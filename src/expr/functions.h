/* What the table in functions.c points to. Arguments are never null, of the kinds that the table says, and as many.
 * Nobody outside of expr/ includes this. */
#pragma once
#include "base/arena.h"
#include "expr/value.h"

#define FUNCTION(name) struct value function_##name(const struct value *a, size_t count, struct arena *arena)

/* function_text.c */
FUNCTION(lower);
FUNCTION(upper);
FUNCTION(length);
FUNCTION(substr);
FUNCTION(concat);
FUNCTION(starts_with);
FUNCTION(ends_with);
FUNCTION(contains);
/* function_number.c */
FUNCTION(abs);
FUNCTION(round);
FUNCTION(floor);
FUNCTION(ceil);
FUNCTION(min);
FUNCTION(max);
FUNCTION(int);
FUNCTION(number);
FUNCTION(text);
/* function_url.c */
FUNCTION(host);
FUNCTION(path);
FUNCTION(query);
/* function_time.c */
FUNCTION(hour);
FUNCTION(day);
