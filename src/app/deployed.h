/* What is deployed, as far as this process is concerned: who owns the catalog holds the domains against it and writes
 * them down; who follows holds them at its start against what the owner has told, then against those that it runs with.
 * Of the main thread. */
#pragma once
#include "app/house.h"
#include "config/domain.h"
#include "config/problems.h"

struct deployed {
    const struct house *house;
    const struct settings *settings;
    const char *command; /* "up": who did it, for the audit log */
    bool owner;          /* of the catalog */
    bool ingests, kafka; /* which sources there are */
};

/* ERR_INVALID: a change breaks what is deployed; it was added to problems. in_use: NULL at start. */
MUST_CHECK enum status deployed_check(const struct deployed *deployed, const struct domain_set *in_use,
                                      const struct domain_set *domains, struct problems *problems, struct error *err);
/* They are in use now. What cannot be written down is logged and tried again with the next change, or start: until then
 * the next version is held against an earlier one. */
void deployed_write(const struct deployed *deployed, const struct domain_set *domains);
