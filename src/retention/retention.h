/* Takes rows out of the engine's tables that are older than their tenant's retention, or the shorter one that a domain
 * says for an event type or a window: once a day, table by table, for all tenants together, so that a table is
 * rewritten once however many tenants there are (docs/stream.md, Retention). Rollups stay: they are counts. A pass that
 * is cut off, or done again, does no harm.
 *
 * One role; a step waits for the engine. */
#pragma once
#include "base/compiler.h"
#include "base/error.h"
#include "base/role.h"
#include "store/store_http.h"

struct catalog;
struct domain_set;
struct metrics;
struct retention;
struct world;

struct retention_options {
    struct catalog *catalog;          /* outlives it */
    struct store_http_options engine; /* as the writer; copied */
    const struct domain_set *domains; /* NULL: none; they outlive it */
    int32_t days;                     /* of tenants that name none; -1: for ever */
    int64_t every_ms;                 /* between two passes */
};

/* Aborts when out of memory (start-up only). */
struct retention *retention_new(const struct retention_options *options, struct metrics *metrics, struct world *world);
struct role retention_role(struct retention *retention);
/* Other domains from now on: nothing more is deleted by those of before but what the engine is deleting already, and a
 * pass under way begins anew. Those of before may go when the next pass is done. Any thread. */
void retention_use(struct retention *retention, const struct domain_set *domains);
/* The question under way is given up, and no further one is asked. Any thread. */
void retention_stop(struct retention *retention);
void retention_free(struct retention *retention); /* after its role ended; NULL is fine */

/* What is older may go; INT64_MIN: nothing. It moves on in steps of a day, or of a thirty-second of a longer retention,
 * since every step rewrites the parts of the tables that it cuts. */
int64_t retention_cutoff_ms(int64_t now_ms, int32_t days, int64_t spare_ms);
