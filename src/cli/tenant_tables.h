/* The tables of `weir tenant`: its options, and the help of each of its commands. For tenant.c alone. */
#pragma once
#include "cli/args.h"
#include "cli/tenant_there.h"

#define COMMON_ARGS                                                                                                    \
    ARG_TEXT_ENV(struct tenant_options, url, "url", 'u', "URL", "http://127.0.0.1:8001", "WEIR_URL",                   \
                 "address of a running weir"),                                                                         \
        ARG_TEXT(struct tenant_options, data, "data", 'd', "DIR", NULL,                                                \
                 "data directory of a stopped weir, instead of --url"),                                                \
        ARG_TEXT(                                                                                                      \
            struct tenant_options, env, "env", 'e', "NAME", NULL,                                                      \
            "instead of --url: the catalog of this environment, at its server where catalog.backend is postgres"),     \
        ARG_TEXT(struct tenant_options, config, "config", 'c', "DIR", NULL,                                            \
                 "with --env or --data: directory with platform.yaml; default: config"),                               \
        ARG_TEXT_ENV(struct tenant_options, token, "token", 0, "TOKEN", NULL, "WEIR_ADMIN_TOKEN",                      \
                     "administration token: DATA/admin.token; not needed in the dev environment"),                     \
        ARG_FLAG(struct tenant_options, json, "json", 'j', "one JSON object instead of text")
#define CHANGE_ARGS                                                                                                    \
    ARG_TEXT(struct tenant_options, tier, "tier", 0, "standard|enterprise", NULL,                                      \
             "standard: 10,000 events a minute; enterprise: 100,000, and storage of its own"),                         \
        ARG_TEXT(struct tenant_options, quota, "quota", 0, "N/min", NULL,                                              \
                 "events a minute, or unlimited, or default (the tier's)"),                                            \
        ARG_TEXT(struct tenant_options, retention, "retention", 0, "DAYS", NULL,                                       \
                 "days, or unlimited, or default; older events are refused with a verdict")

static const struct arg CREATE_ARGS[] = { CHANGE_ARGS, COMMON_ARGS,
                                          ARG_REST(struct tenant_options, name, "NAME", 1, 1,
                                                   "a-z, 0-9, _ and -, at most 64 characters") };
static const struct arg UPDATE_ARGS[] = { CHANGE_ARGS, COMMON_ARGS,
                                          ARG_REST(struct tenant_options, name, "NAME", 1, 1, "the tenant") };
static const struct arg SHOW_ARGS[] = { COMMON_ARGS,
                                        ARG_REST(struct tenant_options, name, "NAME", 1, 1, "the tenant") };
static const struct arg LIST_ARGS[] = { COMMON_ARGS };

#define KIND_ARGS                                                                                                      \
    ARG_FLAG(struct tenant_options, write, "write", 0, "the write key only"),                                          \
        ARG_FLAG(struct tenant_options, read, "read", 0, "the read key only")
static const struct arg ROTATE_ARGS[] = { KIND_ARGS,
                                          ARG_DURATION(struct tenant_options, grace_ms, "grace", 0, "TIME", "24h",
                                                       "how long the old keys still work; 0 ends them at once"),
                                          COMMON_ARGS,
                                          ARG_REST(struct tenant_options, name, "NAME", 1, 1, "the tenant") };
static const struct arg REVOKE_ARGS[] = {
    KIND_ARGS,
    ARG_FLAG(struct tenant_options, all, "all", 0,
             "also the keys in use: nothing gets in or out until the next rotate"),
    COMMON_ARGS, ARG_REST(struct tenant_options, name, "NAME", 1, 1, "the tenant")
};

static const struct args_command CREATE = {
    .name = "tenant create",
    .summary = "make a tenant and print its keys",
    .description = "The write key sends events, the read key asks questions. Both are shown this once; only their\n"
                   "hashes are stored.",
    .examples = "  weir tenant create acme\n"
                "  weir tenant create big --tier enterprise --quota 250000/min --retention 365\n"
                "  weir tenant create loadtest --quota unlimited --retention unlimited --json\n"
                "  weir tenant create acme --data ./data          while weir is stopped\n"
                "  weir tenant create acme --env prod             at the PostgreSQL server that prod names\n",
    .args = CREATE_ARGS,
    .arg_count = COUNT_OF(CREATE_ARGS),
};
static const struct args_command ROTATE = {
    .name = "tenant rotate",
    .summary = "make new keys; the old ones work for a day more",
    .description = "Give out the new keys, then end the old ones: by themselves when --grace is over, or at once with\n"
                   "weir tenant revoke. Without --write and --read both keys are made anew.",
    .examples = "  weir tenant rotate acme\n"
                "  weir tenant rotate acme --write --grace 7d\n"
                "  weir tenant rotate acme --read --grace 0       the read key leaked: end it now\n",
    .args = ROTATE_ARGS,
    .arg_count = COUNT_OF(ROTATE_ARGS),
};
static const struct args_command REVOKE = {
    .name = "tenant revoke",
    .summary = "end replaced keys at once",
    .description =
        "Ends the keys that a rotation replaced and that are still in their grace. With --all also the keys\n"
        "in use.",
    .examples = "  weir tenant revoke acme\n  weir tenant revoke acme --write --all\n",
    .args = REVOKE_ARGS,
    .arg_count = COUNT_OF(REVOKE_ARGS),
};
static const struct args_command LIST = {
    .name = "tenant list",
    .summary = "show all tenants",
    .examples = "  weir tenant list\n  weir tenant list --json\n",
    .args = LIST_ARGS,
    .arg_count = COUNT_OF(LIST_ARGS),
};
static const struct args_command SHOW = {
    .name = "tenant show",
    .summary = "show one tenant",
    .examples = "  weir tenant show acme\n",
    .args = SHOW_ARGS,
    .arg_count = COUNT_OF(SHOW_ARGS),
};
static const struct args_command UPDATE = {
    .name = "tenant update",
    .summary = "change a tenant's tier, quota or retention",
    .examples = "  weir tenant update acme --quota 50000/min\n  weir tenant update acme --retention default\n",
    .args = UPDATE_ARGS,
    .arg_count = COUNT_OF(UPDATE_ARGS),
};
