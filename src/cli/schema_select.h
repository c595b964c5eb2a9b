/* Which event types a subcommand of `weir schema` is about. */
#pragma once
#include "cli/args.h"
#include "schema/schema.h"

/* domain: of this one alone, or NULL; types: their names, none: all. Returns the exit code; EX_OK: at least one. */
int schema_select(const struct args_command *command, const char *config, const char *domain,
                  const struct args_rest *types, const struct domain_set *domains, struct schema_selection *out);
