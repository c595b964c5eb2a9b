/* The half of `weir tenant` that asks no running weir: it works on the catalog that the configuration names, at its
 * server or in a stopped data directory. A directory that a weir runs on is refused (DATA/weir.lock): two writers of
 * one catalog there would not see each other's changes. */
#pragma once
#include "base/buf.h"
#include "base/compiler.h"
#include "base/error.h"
#include "catalog/catalog.h"
#include "cli/args.h"
#include "config/settings.h"

struct tenant_options {
    const char *tier, *quota, *retention, *url, *data, *config, *env, *token;
    int64_t grace_ms;
    bool json, write, read, all;
    struct args_rest name;
};

/* Where events go in and questions are answered, for what one may try next. */
struct tenant_addresses {
    char ingest_url[300], api_url[300];
};

/* Adds to out what the API would answer. */
typedef enum status tenant_work(const struct tenant_options *options, struct catalog *catalog, struct buf *out,
                                struct error *err);
tenant_work tenant_create_there, tenant_list_there, tenant_show_there, tenant_update_there, tenant_rotate_there,
    tenant_revoke_there;

/* Returns the exit code; what went wrong is told on standard error. */
int tenant_run_there(const char *command, const struct tenant_options *options, tenant_work *work, struct buf *out,
                     struct tenant_addresses *out_at);
/* As the settings say, seen from the same machine. */
void tenant_addresses_of(const struct settings *settings, struct tenant_addresses *out);
struct key_choice tenant_key_choice(const struct tenant_options *options);
