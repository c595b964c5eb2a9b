/* Between the two halves of compare.h. */
#pragma once
#include <stdio.h>

#include "schema/compare.h"

/* compare_avro.c: tells visitor->breaks. */
unsigned compare_records(const struct event_type *before, const struct event_type *now,
                         const struct compare_visitor *visitor);
