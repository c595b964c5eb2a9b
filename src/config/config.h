/* The settings of one start: DIR/platform.yaml ← DIR/environments/NAME.yaml, later files override single keys. Every
 * mistake in every file is found in one go and told as file:line:column with the line and a caret. Used once at start,
 * by one thread. */
#pragma once
#include "base/buf.h"
#include "base/error.h"
#include "config/settings.h"

struct world;

#define CONFIG_FILE_BYTES_MAX (1u << 20)

struct config_origin {
    char file[256]; /* "" for the default */
    int line;
};

struct config {
    struct settings settings;
    struct config_origin origins[128]; /* by row of SETTINGS */
};

/* Fills *out (on ERR_INVALID: with what was valid). problems gets the text for people; *out_count how many there are.
 * platform.yaml may be missing; the environment's file may not, unless the environment is "dev". ERR_NOT_FOUND: no such
 * directory. */
MUST_CHECK enum status config_load(const char *directory, const char *environment, struct world *world,
                                   struct config *out, struct buf *problems, size_t *out_count, struct error *err);

/* One file's text, as if read from `name`: for tests and fuzzing. Adds to *out and to problems; returns how many
 * problems. */
size_t config_apply_text(const char *name, struct slice text, struct config *out, struct buf *problems);
