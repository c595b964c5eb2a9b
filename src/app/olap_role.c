/* `weir olap`: the engine as a process of its own, for a weir whose engine.url names it. It looks after the same
 * shut-in child as `weir up` does, under users whose passwords follow from engine.password; what the tables are, it
 * does not know. With --port it is that child (olap/olap_child.c). */
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "app/asked.h"
#include "app/engine.h"
#include "app/house.h"
#include "base/log.h"
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/settings_there.h"
#include "config/config.h"
#include "olap/olap.h"
#include "olap/olap_users.h"
#include "world/world.h"

struct olap_role_options {
    const char *config, *env, *data;
    int64_t olap_port;
};

static const struct arg ARGS[] = {
    ARG_TEXT(struct olap_role_options, config, "config", 'c', "DIR", "config",
             "directory with platform.yaml and environments/"),
    ARG_TEXT(struct olap_role_options, env, "env", 'e', "NAME", "dev", "environment: environments/NAME.yaml"),
    ARG_TEXT(struct olap_role_options, data, "data", 'd', "DIR", "data-olap",
             "directory for tables, made when missing: DIR/olap, as in that of weir up"),
    ARG_INTEGER(struct olap_role_options, olap_port, "olap-port", 0, "PORT", "-1", -1, 65535,
                "ClickHouse HTTP, loopback only; default: olap.port, 8123"),
};

static const struct args_command COMMAND = {
    .name = "olap",
    .summary = "the engine, as a process of its own",
    .description =
        "The engine of a weir whose setting engine.url names this process. Both have the same engine.password. It "
        "listens on\n"
        "127.0.0.1: for another machine put TLS in front of it (docs/kafka.md).\n"
        "Runs in the foreground, starts the engine again when it dies, and prints a line that begins with `ready` when "
        "it answers.\n"
        "SIGTERM or ctrl-C ends it with code 0. With --port instead of --config it is the engine's process alone, for "
        "looking into a\n"
        "stopped data directory: weir olap --data DIR/olap --port PORT [--verbose].",
    .examples = "  weir olap --env prod --data /var/lib/weir-olap\n",
    .args = ARGS,
    .arg_count = COUNT_OF(ARGS),
};

struct olap_role {
    struct house house;
    struct olap *olap;
    char path[DISK_PATH_MAX];
};

static enum status put_secret(const struct olap_role *role, const struct settings *settings, struct error *err)
{
    struct olap_secret secret;
    if (strlen(settings->engine_password) < ENGINE_PASSWORD_MIN)
        return error_set(err, ERR_INVALID,
                         "engine.password must be ${secret:NAME}, of %d bytes or more: who uses this engine has the "
                         "same one",
                         ENGINE_PASSWORD_MIN);
    olap_secret_derive(settings->engine_password, &secret);
    enum status s = olap_secret_put(role->path, &secret, world_real(), err);
    sodium_memzero(&secret, sizeof secret);
    return s;
}

static enum status start(struct olap_role *role, const char *data, const struct settings *settings, int *out_exit_code,
                         struct error *err)
{
    enum status s = house_open(&role->house, data, world_real(), out_exit_code, err);
    snprintf(role->path, sizeof role->path, "%s/olap", role->house.path);
    if (s != OK)
        return s;
    s = put_secret(role, settings, err);
    *out_exit_code = s == ERR_INVALID ? EX_CONFIG : EX_CANTCREAT;
    if (s != OK)
        return s;
    const struct olap_options options = { .data_dir = role->path,
                                          .library = settings->olap_library[0] ? settings->olap_library : NULL,
                                          .port = (uint16_t)settings->olap_port,
                                          .memory_mb = (uint32_t)(settings->olap_memory_bytes >> 20),
                                          .reader_slots = (uint32_t)settings->olap_tenant_slots,
                                          .no_confine = !settings->olap_confine };
    *out_exit_code = EX_UNAVAILABLE;
    return olap_start(&options, world_real(), &role->olap, err);
}

/* Milliseconds until the child wants to be looked after again; the code it failed with ends everything. */
static int64_t step(struct olap_role *role, int *out_exit_code)
{
    struct world *world = world_real();
    int64_t wake_us = WAKE_NEVER;
    while (olap_step(role->olap, world, &wake_us))
        wake_us = WAKE_NEVER;
    if (olap_state(role->olap) == OLAP_FAILED) {
        struct error why;
        *out_exit_code = olap_failure(role->olap, &why);
        fprintf(stderr, "weir olap: %s\n", why.text);
    }
    int64_t wait_ms = wake_us == WAKE_NEVER ? 1000 : (wake_us - world_mono_us(world)) / 1000 + 1;
    return wait_ms < 1 ? 1 : wait_ms;
}

static int look_after(struct olap_role *role, const struct settings *settings, const sigset_t *signals)
{
    const int64_t began_us = world_mono_us(world_real());
    int exit_code = EX_OK;
    for (bool told = false;;) {
        int64_t wait_ms = step(role, &exit_code);
        if (exit_code != EX_OK)
            return exit_code;
        if (!told && olap_state(role->olap) == OLAP_READY) {
            printf("ready in %.2f s: the engine at http://127.0.0.1:%lld, data in %s\n",
                   (double)(world_mono_us(world_real()) - began_us) / 1e6, (long long)settings->olap_port, role->path);
            fflush(stdout);
            told = true;
        }
        enum asked asked = asked_wait(signals, wait_ms, "olap.stopping");
        if (asked == ASKED_TO_STOP)
            return EX_OK;
        if (asked == ASKED_TO_RELOAD)
            log_warn("olap.needs_restart", "the settings of weir olap are read at its start");
    }
}

static int run(const struct olap_role_options *options, const struct settings *settings)
{
    struct olap_role role = { 0 };
    struct error err;
    int exit_code = EX_OK;
    sigset_t signals;
    asked_begin(&signals);
    if (sodium_init() < 0)
        return EX_OSERR;
    if (start(&role, options->data, settings, &exit_code, &err) == OK)
        exit_code = look_after(&role, settings, &signals);
    else
        fprintf(stderr, "weir olap: %s\n", err.text);
    olap_stop(role.olap);
    house_close(&role.house);
    return exit_code;
}

static bool is_child(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--port") == 0 || strncmp(argv[i], "--port=", 7) == 0)
            return true;
    return false;
}

int command_olap(int argc, char **argv)
{
    static struct config config;
    struct olap_role_options options;
    int exit_code;
    if (is_child(argc, argv))
        return olap_child(argc, argv);
    if (!args_parse(&COMMAND, argc, argv, &options, &exit_code))
        return exit_code;
    exit_code = settings_load("olap", options.config, options.env, &config);
    if (exit_code != EX_OK)
        return exit_code;
    if (options.olap_port >= 0)
        config.settings.olap_port = options.olap_port;
    log_set(config.settings.log_level, config.settings.log_format);
    return run(&options, &config.settings);
}
