/* What only all of the configuration together can tell of its sinks: whether each says where results go, and names
 * windows that there are. */
#pragma once
#include "base/compiler.h"
#include "base/error.h"
#include "config/config.h"
#include "config/domain.h"

/* After config_load and domain_set_load. ERR_INVALID: some problems were added. */
MUST_CHECK enum status sinks_check(const struct config *config, const struct domain_set *domains,
                                   struct problems *problems, struct error *err);
