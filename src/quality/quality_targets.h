/* What data_quality is held against: the platform's targets, and those of the domains for their event types, told to
 * the dashboard and to the engine. Pure functions; domains may be NULL: there are none. */
#pragma once
#include "base/buf.h"
#include "config/domain.h"
#include "config/settings.h"

/* {"targets":{"completeness":0.9999,…},"domains":[{"domain":"shop","targets":{…},"event_types":["order",…]}]}: of the
 * tenant's domains those that say something else, with all five. */
void quality_targets_add_json(struct buf *out, const struct settings *settings, const struct domain_set *domains,
                              struct slice tenant);
/* An expression of SQL over customer_id and event_type. */
void quality_targets_add_sql(struct buf *out, const struct settings *settings, const struct domain_set *domains,
                             enum quality_ratio ratio);
