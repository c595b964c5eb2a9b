/* `weir up`: everything in one process (and the engine in its child), in the foreground until SIGTERM or ctrl-C; and
 * `weir ingest`, `weir process`, `weir serve`: one role each. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#include "app/asked.h"
#include "app/dimensions.h"
#include "app/reload.h"
#include "base/log.h"
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/term.h"
#include "config/sink_check.h"
#include "world/world.h"

struct up_options {
    const char *config, *env, *data;
    int64_t ingest_port, api_port, olap_port, port;
};

#define COMMON_ARGS(data_default, data_help)                                                                           \
    ARG_TEXT(struct up_options, config, "config", 'c', "DIR", "config",                                                \
             "directory with platform.yaml and environments/"),                                                        \
        ARG_TEXT(struct up_options, env, "env", 'e', "NAME", "dev", "environment: environments/NAME.yaml"),            \
        ARG_TEXT(struct up_options, data, "data", 'd', "DIR", data_default, data_help)
#define PORT_ARG(field, name, help) ARG_INTEGER(struct up_options, field, name, 0, "PORT", "-1", -1, 65535, help)
#define INGEST_PORT PORT_ARG(ingest_port, "ingest-port", "events in; default: ingest.port, 8000")
#define API_PORT PORT_ARG(api_port, "api-port", "queries, live feed; default: api.port, 8001")
#define OLAP_PORT                                                                                                      \
    PORT_ARG(olap_port, "olap-port", "the engine's ClickHouse HTTP, loopback only; default: olap.port, 8123")

static const struct arg UP_ARGS[] = {
    COMMON_ARGS("data", "directory for everything that is kept, made when missing"),
    INGEST_PORT,
    API_PORT,
    OLAP_PORT,
};
static const struct arg INGEST_ARGS[] = {
    COMMON_ARGS("data-ingest", "this process's own directory, made when missing"),
    INGEST_PORT,
};
static const struct arg PROCESS_ARGS[] = {
    COMMON_ARGS("data-process", "this process's own directory for state, made when missing"),
    PORT_ARG(port, "port", "health and metrics; default: process.port, 8002"),
};
static const struct arg SERVE_ARGS[] = {
    COMMON_ARGS("data-serve", "directory for tenants and tables, made when missing"),
    API_PORT,
    OLAP_PORT,
};

#define LIFE                                                                                                           \
    "Runs in the foreground and prints a line that begins with `ready` when everything answers. SIGTERM "              \
    "or ctrl-C drains and\n"                                                                                           \
    "ends it with code 0: what was answered 200 is on disk, and goes on at the next start. SIGHUP reads the "          \
    "configuration "                                                                                                   \
    "again."
#define APART "One of the roles of `weir up` as a process of its own, on a journal in Kafka (docs/kafka.md).\n"

static const struct role_command {
    unsigned roles;
    struct args_command command;
} UP = { APP_ALL,
         { .name = "up",
           .summary = "start everything: ingestion, processing, engine, API",
           .description = LIFE,
           .examples = "  weir up\n  weir up --env prod --data /var/lib/weir\n",
           .args = UP_ARGS,
           .arg_count = COUNT_OF(UP_ARGS) } },
  INGEST = { APP_INGEST,
             { .name = "ingest",
               .summary = "take events in, as a process of its own",
               .description = APART "It needs the brokers alone: tenants and keys come through the journal.\n" LIFE,
               .examples = "  weir ingest --env prod --data /var/lib/weir-ingest\n",
               .args = INGEST_ARGS,
               .arg_count = COUNT_OF(INGEST_ARGS) } },
  PROCESS = { APP_PROCESS,
              { .name = "process",
                .summary = "process events, as a process of its own",
                .description = APART "Run as many as you like: they share the partitions out among them.\n" LIFE,
                .examples = "  weir process --env prod --data /var/lib/weir-process\n",
                .args = PROCESS_ARGS,
                .arg_count = COUNT_OF(PROCESS_ARGS) } },
  SERVE = { APP_SERVE,
            { .name = "serve",
              .summary = "store and answer, as a process of its own",
              .description = APART "Engine, tables, queries, dashboard, tenants: one process of a journal.\n" LIFE,
              .examples = "  weir serve --env prod --data /var/lib/weir-serve\n",
              .args = SERVE_ARGS,
              .arg_count = COUNT_OF(SERVE_ARGS) } };

/* Both are read whatever is wrong with the first, so that every mistake is told. */
static bool load(const struct role_command *what, const struct config_request *request, struct config *config,
                 struct domain_set **out_domains)
{
    const char *command = what->command.name;
    struct problems problems;
    struct error err, of_domains;
    problems_init(&problems, term_style(stderr, TERM_BOLD)[0] != '\0');
    enum status s = config_load(request, world_real(), config, &problems, &err);
    enum status domains = domain_set_load(request->directory, world_real(), out_domains, &problems, &of_domains);
    if (s == OK && domains == OK && (what->roles & APP_PROCESS))
        domains = event_types_check_key(*out_domains, &config->settings, what->roles != APP_ALL, &of_domains);
    if (s == OK && domains == OK)
        s = sinks_check(config, *out_domains, &problems, &err);
    if (s != OK || domains != OK)
        fprintf(stderr, "%s", problems_text(&problems));
    if (s != OK)
        fprintf(stderr, "weir %s: %s\n", command, err.text);
    if (domains != OK)
        fprintf(stderr, "weir %s: %s\n", command, of_domains.text);
    problems_done(&problems);
    return s == OK && domains == OK;
}

static void take_ports(const struct up_options *options, struct settings *settings)
{
    if (options->ingest_port >= 0)
        settings->ingest_port = options->ingest_port;
    if (options->api_port >= 0)
        settings->api_port = options->api_port;
    if (options->olap_port >= 0)
        settings->olap_port = options->olap_port;
    if (options->port >= 0)
        settings->process_port = options->port;
}

/* Connections and segments are files: as many as the system lets us have. */
static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int look_after(const char *command, struct app *app, struct reload *reload, const sigset_t *signals,
                      int64_t began_us)
{
    bool told = false, reload_asked = false;
    for (;;) {
        bool ready = false;
        int64_t wait_ms = 1000;
        int exit_code = EX_OK;
        struct error err;
        if (app_step(app, &ready, &wait_ms, &exit_code, &err) != OK) {
            fprintf(stderr, "weir %s: %s\n", command, err.text);
            return exit_code;
        }
        if (ready && !told) {
            char where[512];
            app_describe(app, where, sizeof where);
            printf("ready in %.2f s: %s\n", (double)(world_mono_us(world_real()) - began_us) / 1e6, where);
            fflush(stdout);
            told = true;
        }
        enum asked asked = asked_wait(signals, wait_ms, "up.stopping");
        if (asked == ASKED_TO_STOP)
            return EX_OK;
        reload_asked |= asked == ASKED_TO_RELOAD;
        if (reload_asked && !app_is_changing(app)) {
            reload_asked = false;
            reload_now(reload, app);
            log_set(reload->live->settings.log_level, reload->live->settings.log_format);
        }
    }
}

static int live(const struct app_options *options, struct reload *reload, int64_t began_us)
{
    sigset_t signals;
    struct app *app;
    struct error err;
    int exit_code;
    asked_begin(&signals);
    if (app_start(options, &app, &exit_code, &err) != OK) {
        fprintf(stderr, "%sweir %s: %s\n", problems_text(options->problems), options->command, err.text);
        return exit_code;
    }
    exit_code = look_after(options->command, app, reload, &signals, began_us);
    app_stop(app);
    return exit_code;
}

static int run(const struct role_command *what, int argc, char **argv)
{
    struct up_options options = { .ingest_port = -1, .api_port = -1, .olap_port = -1, .port = -1 };
    const int64_t began_us = world_mono_us(world_real());
    int exit_code;
    if (!args_parse(&what->command, argc, argv, &options, &exit_code))
        return exit_code;
    static struct config config;
    struct domain_set *domains = NULL;
    const struct config_request request = { .directory = options.config, .environment = options.env };
    if (!load(what, &request, &config, &domains)) {
        domain_set_free(domains);
        return EX_CONFIG;
    }
    struct reload reload;
    dimensions_restore(domains, options.data, world_real());
    reload_init(&reload, &request, options.data, &config, domains);
    take_ports(&options, &config.settings);
    log_set(config.settings.log_level, config.settings.log_format);
    raise_file_limit();
    AUTO(problems) struct problems problems;
    problems_init(&problems, term_style(stderr, TERM_BOLD)[0] != '\0');
    const struct app_options app_options = { .roles = what->roles,
                                             .command = what->command.name,
                                             .data_path = options.data,
                                             .environment = options.env,
                                             .config = &config,
                                             .settings = &config.settings,
                                             .domains = domains,
                                             .problems = &problems };
    exit_code = live(&app_options, &reload, began_us);
    reload_done(&reload);
    return exit_code;
}

int command_up(int argc, char **argv)
{
    return run(&UP, argc, argv);
}

int command_ingest(int argc, char **argv)
{
    return run(&INGEST, argc, argv);
}

int command_process(int argc, char **argv)
{
    return run(&PROCESS, argc, argv);
}

int command_serve(int argc, char **argv)
{
    return run(&SERVE, argc, argv);
}
