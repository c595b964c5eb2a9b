/* Wiring: which backends, which roles, in which order they start and stop. The only folder that knows both ends of
 * anything. Owned by the main thread. */
#pragma once
#include "base/compiler.h"
#include "base/error.h"
#include "config/config.h"
#include "config/domain.h"
#include "config/problems.h"

struct app;

/* What a process does; `weir up` all of it, the others one each, on a journal that they share (decision 0023). */
enum app_role {
    APP_INGEST = 1,  /* events in: HTTP → journal */
    APP_PROCESS = 2, /* the tasks of the partitions that it has been given */
    APP_SERVE = 4,   /* engine, sinks, API, dashboard; owns the catalog */
    APP_ALL = 7,
};

struct app_options {
    unsigned roles;
    const char *command;         /* "up": for messages */
    const char *data_path;       /* made when missing */
    const char *environment;     /* "dev"; borrowed, as the settings are */
    const struct config *config; /* app_start looks where a setting came from, to tell of it */
    const struct settings *settings;
    const struct domain_set *domains; /* outlives the app */
    struct problems *problems;        /* of app_start: where it tells which of their changes break what is deployed */
};

/* Starts everything that can be refused (directory, ports, library, journal), then the rest. *out_exit_code is a
 * sysexits code when it fails; EX_OK: SIGTERM came while it waited. */
MUST_CHECK enum status app_start(const struct app_options *options, struct app **out, int *out_exit_code,
                                 struct error *err);
/* Looks after the engine's process and the tasks. True once everything answers. *out_wait_ms: call again after this
 * long. ERR_*: something failed that starting again cannot help; stop. */
MUST_CHECK enum status app_step(struct app *app, bool *out_ready, int64_t *out_wait_ms, int *out_exit_code,
                                struct error *err);
/* May these domains take the place of those in use? ERR_INVALID: no, and problems say why. */
MUST_CHECK enum status app_check_domains(struct app *app, const struct domain_set *domains, struct problems *problems,
                                         struct error *err);
/* A change of the configuration: the tasks finish what they read, make a checkpoint, and are made anew with what the
 * settings and domains say now; app_step does it over its next calls, while events are accepted. The domains outlive
 * the app, as those before do. ERR_RETRY: a replay is under way, or a change. */
MUST_CHECK enum status app_use_domains(struct app *app, const struct domain_set *domains, struct error *err);
void app_restart_processing(struct app *app);
bool app_is_changing(const struct app *app);
bool app_is_one_of_several(const struct app *app); /* a role of its own: others work on the partitions, too */
/* For people: where everything is, one line. */
void app_describe(const struct app *app, char *to, size_t n);
/* Drains from the front: no new events, what was accepted is made durable, state is checkpointed, the engine ends last.
 */
void app_stop(struct app *app);
