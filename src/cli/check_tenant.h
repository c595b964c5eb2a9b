/* The part of `weir check` that is about one tenant: what holds for it, and in which file and line that stands. */
#pragma once
#include "config/config.h"
#include "config/domain.h"

/* A table, for people. False: it is too large. */
MUST_CHECK bool check_tenant_print(const struct config *config, const struct domain_set *set, struct slice tenant);
/* ,"tenant":{"id":…,"named":…,"holds":[{"what","name","is","domain","file","line","column","in_place_of":[…]},…]}. Of
 * what no domain says there is `file` and `line` of the setting, or `from`: "default" or "built in". What is held in
 * place of is such a place; of an event type with `without`, the fields that are declared no more. */
void check_tenant_json(const struct config *config, const struct domain_set *set, struct slice tenant, struct buf *out);
