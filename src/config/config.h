/* The settings of one start: DIR/platform.yaml ← DIR/environments/NAME.yaml, key by key the later one wins, then
 * ${secret:NAME} is put in. Every mistake in every file is found in one go and told as file:line:column with the line
 * and a caret. Used at start and at a reload, by the main thread. docs/configuration.md is for people. */
#pragma once
#include "base/error.h"
#include "config/problems.h"
#include "config/secret.h"
#include "config/settings.h"

struct world;

#define CONFIG_FILE_BYTES_MAX (1u << 20)
#define CONFIG_ROWS_MAX 128
#define CONFIG_SINK_ROWS_MAX 32

struct config_origin {
    char file[256]; /* "" for the default */
    unsigned layer; /* which one it was, from 1; 0 for the default */
    int line;
    size_t at; /* of the value: bytes from the file's start */
    bool secret;
    setting_text written;      /* as it stands in the file, when secret: "${secret:db_password}" */
    struct secret_place place; /* where the secret came from; "" while it is not looked up */
};

struct config {
    struct settings settings;
    unsigned layers;                                                    /* read so far */
    struct config_origin origins[CONFIG_ROWS_MAX];                      /* by row of SETTINGS */
    struct config_origin sink_origins[SINKS_MAX][CONFIG_SINK_ROWS_MAX]; /* by sink and row of SINK_SETTINGS */
};

struct config_request {
    const char *directory, *environment;
    bool without_secrets; /* they are not looked up, and stand in the settings as they are written */
    bool may_be_missing;  /* the environment's file; then platform.yaml and the defaults are all there is */
};

/* Fills *out (on ERR_INVALID: with what was valid). platform.yaml may be missing; the environment's file may not,
 * unless said. ERR_NOT_FOUND: no such directory or environment. ERR_INVALID: some problems were added. */
MUST_CHECK enum status config_load(const struct config_request *request, struct world *world, struct config *out,
                                   struct problems *problems, struct error *err);

/* One file's text, as if read from `name`: for tests and fuzzing. Adds to *out and to problems; returns how many
 * problems. Secrets are not looked up. */
size_t config_apply_text(const char *name, struct slice text, struct config *out, struct problems *problems);

/* All settings that there are, one after the other: those of SETTINGS, then those of each sink. */
struct config_row {
    const struct option *option;
    const char *sink; /* NULL, or the name of the sink that it is of */
    const void *values;
    const struct config_origin *origin;
};
/* False behind the last one. */
bool config_row(const struct config *config, size_t i, struct config_row *out);
/* Its whole key: "sinks.results.topic". */
void config_row_key(const struct config_row *row, char *to, size_t n);
/* What may be shown of a setting: *** for a secret. */
void config_format(const struct config_row *row, char *to, size_t n);
/* Adds a mistake that is told where the setting was set. The line is not shown: it may hold what is not to be seen. */
void config_tell(const struct config *config, const char *key, const char *message, struct problems *problems);
