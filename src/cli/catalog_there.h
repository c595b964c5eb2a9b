/* Which catalog a command works on that asks no running weir: the one that the configuration names, in a data directory
 * or at its server. Nothing is opened here. What contradicts itself is told on standard error. */
#pragma once
#include "catalog/catalog.h"
#include "config/config.h"

struct catalog_request {
    const char *command;           /* "tenant create" */
    const char *config, *env;      /* NULL: not said; then config/, and dev where that is there */
    const char *data, *usual_data; /* data NULL: not said; then the usual one, or NULL: it must be said */
};

struct catalog_there {
    struct config config;
    const struct catalog_backend *backend;
    struct catalog_options options; /* texts are the config's and the request's */
};

/* data NULL: at the server of the settings. The texts are borrowed. */
void catalog_there_options(const struct settings *settings, const char *data, struct catalog_options *out);
/* Returns the exit code; EX_OK: *out says it. */
int catalog_there(const struct catalog_request *request, struct catalog_there *out);
