/* The engine's views of the domains' event types (schema/ddl.c), kept as the domains say. */
#pragma once
#include "config/domain.h"
#include "store/schema.h"

/* Makes a view of each event type and the list `event_types`, and removes those of types that are gone. May be run
 * again at any time; whoever reads meanwhile sees the old view or the new one. domains may be NULL: there are none. */
MUST_CHECK enum status event_views_make(const struct schema_runner *runner, const struct domain_set *domains,
                                        struct error *err);
