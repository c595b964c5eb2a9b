/* The Avro schemas of the event types that the domains declare, and whose each is, as targets take them (a schema that
 * is missing there would be no error: its events would go by the general one). */
#pragma once
#include "base/buf.h"
#include "base/compiler.h"
#include "base/error.h"
#include "config/domain.h"
#include "deliver/target.h"

struct event_schemas {
    struct buf text; /* which the types point into */
    struct target_schema *types;
    size_t count;
};

/* The domains outlive it. All of them, or ERR_INVALID: together they exceed bytes_max. To be done with in either case.
 */
MUST_CHECK enum status event_schemas_init(struct event_schemas *schemas, const struct domain_set *domains,
                                          size_t bytes_max, struct error *err);
/* The same schemas, in the same order, of the same tenants. */
bool event_schemas_equal(const struct event_schemas *one, const struct event_schemas *other);
void event_schemas_done(struct event_schemas *schemas); /* zeroes are fine */
