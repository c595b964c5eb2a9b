/* Where ${secret:NAME} comes from. A backend is one file with one function; secret.c has the list of them. Values go
 * nowhere but into the caller's buffer: never into an error, a log line or a place that is printed. Used at start and
 * at a reload, by one thread; a backend may block for some seconds (Vault). */
#pragma once
#include "base/buf.h"
#include "base/compiler.h"
#include "base/error.h"
#include "config/settings.h"

struct world;

#define SECRET_NAME_MAX 128
#define SECRET_FILE_BYTES_MAX (64u << 10)

struct secret_place {
    char text[160]; /* "the environment variable DB_PASSWORD": for people */
};

struct secret_backend {
    const char *name; /* as in secrets.backend */
    /* Adds the value to out. ERR_NOT_FOUND: it has no such secret, and *out_place says where it looked; then the next
     * backend is asked. Anything else but OK: it cannot be asked, and nobody else is. name is one that
     * secret_is_name takes. */
    enum status (*get)(const struct settings *settings, struct world *world, struct slice name, struct buf *out,
                       struct secret_place *out_place, struct error *err);
};

extern const struct secret_backend secret_env, secret_dotenv, secret_file, secret_vault;

/* Letters, digits and _ . - / with at most one #FIELD at the end. */
bool secret_is_name(struct slice name);
/* Asks the backends of secrets.backend in their order. ERR_NOT_FOUND: none has it, and the error says where it was
 * looked for. */
MUST_CHECK enum status secret_get(const struct settings *settings, struct world *world, struct slice name,
                                  struct buf *out, struct secret_place *out_place, struct error *err);
/* Every ${secret:NAME} in text replaced, into out. */
MUST_CHECK enum status secret_expand(const struct settings *settings, struct world *world, struct slice text,
                                     struct buf *out, struct secret_place *out_place, struct error *err);
bool secret_is_in(struct slice text); /* some ${secret: stands in it */
/* What secrets.backend says is a list of backends. */
MUST_CHECK enum status secret_check_backends(const struct settings *settings, struct error *err);
