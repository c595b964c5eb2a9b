/* Wiring: which backends, which roles, in which order they start and stop. The only folder that knows both ends of
 * anything. Owned by the main thread. */
#pragma once
#include "base/compiler.h"
#include "base/error.h"
#include "config/config.h"
#include "config/domain.h"

struct app;

struct app_options {
    const char *data_path;   /* made when missing */
    const char *environment; /* "dev"; borrowed, as the settings are */
    const struct settings *settings;
    const struct domain_set *domains; /* outlives the app */
};

/* Starts everything that can be refused (directory, ports, library, journal), then the rest. *out_exit_code is a
 * sysexits code when it fails. */
MUST_CHECK enum status app_start(const struct app_options *options, struct app **out, int *out_exit_code,
                                 struct error *err);
/* Looks after the engine's process. True once everything answers. *out_wait_ms: call again after this long. ERR_*:
 * something failed that starting again cannot help; stop. */
MUST_CHECK enum status app_step(struct app *app, bool *out_ready, int64_t *out_wait_ms, int *out_exit_code,
                                struct error *err);
/* For people: where everything is, one line. */
void app_describe(const struct app *app, char *to, size_t n);
/* Drains from the front: no new events, what was accepted is made durable, state is checkpointed, the engine ends last.
 */
void app_stop(struct app *app);
