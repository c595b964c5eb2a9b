/* Secrets: `${secret:NAME}` as the value of a setting that is one. NAME is looked for in the environment, as it is
 * written and in capitals, then in the lines NAME=VALUE of CONFIG/.env. Used once at start, by one thread. */
#pragma once
#include "config/config.h"

#define SECRET_NAME_MAX 64

/* Puts the value in place of each reference. What is not there is a problem, told with the place of the setting; a
 * value is never part of a text. Returns how many problems. ERR_*: .env is there and cannot be read. */
MUST_CHECK enum status secrets_resolve(const char *directory, struct world *world, struct config *config,
                                       struct buf *problems, size_t *out_count, struct error *err);
