/* Evolution: what the domains declare now, held against what is deployed. What a change must keep is said by the event
 * type (`compatibility`, backward unless said); a change that does not is refused, with the place, the reason and the
 * way out. What is taken goes into the catalog, which remembers it for the next time. Called at start, at a reload and
 * by `weir check`; any thread. */
#pragma once
#include "catalog/catalog.h"
#include "config/domain.h"
#include "config/problems.h"

struct world;

/* ERR_INVALID: at least one change is refused; each was added to problems. Event types that are new, and those of a
 * domain that is gone as a whole, are no reason to refuse. */
MUST_CHECK enum status evolve_check(struct catalog *catalog, const struct domain_set *now, struct world *world,
                                    struct problems *problems, struct error *err);
/* The same with what another configuration declares; from: how to call that to people. */
MUST_CHECK enum status evolve_check_sets(const struct domain_set *before, const char *from,
                                         const struct domain_set *now, struct problems *problems, struct error *err);

/* Where events come from: the catalog's data sources. Slices outlive the call. */
struct evolve_source {
    struct slice name, type, description; /* type: api, kafka or database */
    struct slice body;                    /* JSON */
};

/* Writes down the event types, rules, windows and transforms of these domains, which are in use from now on. Rules
 * are of the first source; there is at least one. */
MUST_CHECK enum status evolve_deploy(struct catalog *catalog, const struct domain_set *now,
                                     const struct evolve_source *sources, size_t source_count, const char *actor,
                                     uint64_t *out_changes, struct error *err);
