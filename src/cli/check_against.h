/* The event types against what is deployed, or against another version of them. */
#pragma once
#include "config/domain.h"
#include "config/problems.h"

/* path: a data directory, a configuration, or a domain file; NULL: the server that the settings name for the catalog,
 * or `data` in the working directory, if weir has run there. settings NULL: without their secrets, no server is asked.
 * ERR_INVALID: a change would be refused; it was added to problems. ERR_NOT_FOUND: nothing is there to compare
 * with. */
MUST_CHECK enum status check_against(const char *path, const struct settings *settings,
                                     const struct domain_set *domains, struct problems *problems, struct error *err);
