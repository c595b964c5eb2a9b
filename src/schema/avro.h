/* What Avro makes of a column: shared by the record's text and the comparison of two versions. */
#pragma once
#include "schema/column.h"

/* Of the value and null; the branch of the default stands first. */
bool avro_is_union(const struct column *column);
/* As JSON; empty: a reader needs the field in the record. */
struct slice avro_default(const struct column *column);
