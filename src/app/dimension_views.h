/* The engine's copies of the domains' dimension tables (schema/dimension_ddl.c), kept as the domains say. */
#pragma once
#include "config/domain.h"
#include "store/schema.h"

/* Makes a table and a view of each dimension table that is new or has changed, and the list `dimension_tables`, and
 * removes those that are gone. May be
 * run again at any time; whoever asks meanwhile sees all of the old rows or all of the new ones. domains may be NULL:
 * there are none. */
MUST_CHECK enum status dimension_views_make(const struct schema_runner *runner, const struct domain_set *domains,
                                            struct error *err);
