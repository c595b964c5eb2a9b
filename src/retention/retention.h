/* Takes rows out of the engine's tables that are older than their tenant's retention: once a day, table by table, for
 * all tenants together, so that a table is rewritten once however many tenants there are (docs/stream.md, Retention).
 * Rollups stay: they are counts. A pass that is cut off, or done again, does no harm.
 *
 * One role; a step waits for the engine. */
#pragma once
#include "base/compiler.h"
#include "base/error.h"
#include "base/role.h"
#include "store/store_http.h"

struct catalog;
struct metrics;
struct retention;
struct world;

struct retention_options {
    struct catalog *catalog;          /* outlives it */
    struct store_http_options engine; /* as the writer; copied */
    int32_t days;                     /* of tenants that name none; -1: for ever */
    int64_t spare_ms; /* rows are kept so much longer: a session that goes on may still need what is a gap older */
    int64_t every_ms; /* between two passes */
};

/* Aborts when out of memory (start-up only). */
struct retention *retention_new(const struct retention_options *options, struct metrics *metrics, struct world *world);
struct role retention_role(struct retention *retention);
/* The same as options.spare_ms, when the domains have changed. Any thread. */
void retention_set_spare(struct retention *retention, int64_t spare_ms);
/* The question under way is given up, and no further one is asked. Any thread. */
void retention_stop(struct retention *retention);
void retention_free(struct retention *retention); /* after its role ended; NULL is fine */

/* What is older may go; INT64_MIN: nothing. It moves on in steps of a day, or of a thirty-second of a longer retention,
 * since every step rewrites the parts of the tables that it cuts. */
int64_t retention_cutoff_ms(int64_t now_ms, int32_t days, int64_t spare_ms);
