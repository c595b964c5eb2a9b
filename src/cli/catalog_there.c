#include "cli/catalog_there.h"

#include <stdio.h>
#include <sysexits.h>

#include "cli/settings_there.h"

static const char *env_of(const struct catalog_request *request)
{
    return request->env ? request->env : "dev";
}

/* A directory's catalog is not what is in force there: a change would be lost, and the next start refused. */
static int refuse_directory(const struct catalog_request *request)
{
    fprintf(
        stderr,
        "weir %s: --data %s: environment %s keeps its catalog at a server (catalog.backend is postgres): to use that "
        "give --env %s in place of --data, or name the environment of %s with --env and --config\n",
        request->command, request->data, env_of(request), env_of(request), request->data);
    return EX_USAGE;
}

static int refuse_nowhere(const struct catalog_request *request)
{
    fprintf(stderr,
            "weir %s: environment %s keeps its catalog in the data directory of its weir (catalog.backend is sqlite): "
            "name it with --data DIR\n",
            request->command, env_of(request));
    return EX_USAGE;
}

void catalog_there_options(const struct settings *settings, const char *data, struct catalog_options *out)
{
    *out = (struct catalog_options){ .path = data };
    if (data)
        return;
    out->url = settings->catalog_url;
    out->password = settings->catalog_password;
    out->connect_timeout_ms = settings->catalog_connect_timeout_ms;
    out->statement_timeout_ms = settings->catalog_statement_timeout_ms;
}

int catalog_there(const struct catalog_request *request, struct catalog_there *out)
{
    const struct settings *settings = &out->config.settings;
    const char *directory = request->config ? request->config : "config";
    const int exit_code = settings_there(request->command, directory, request->env, &out->config);
    if (exit_code != EX_OK)
        return exit_code;
    const bool at_server = strcmp(settings->catalog_backend, catalog_postgres.name) == 0;
    const char *data = request->data ? request->data : request->usual_data;
    if (at_server && request->data)
        return refuse_directory(request);
    if (!at_server && !data)
        return refuse_nowhere(request);
    out->backend = at_server ? &catalog_postgres : &catalog_sqlite;
    catalog_there_options(settings, at_server ? NULL : data, &out->options);
    return EX_OK;
}
