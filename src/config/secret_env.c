/* env: the variable with the secret's name, or with its name in capitals. */
#include <stdio.h>
#include <stdlib.h>

#include "config/secret.h"

static enum status get(const struct settings *settings, struct world *world, struct slice name, struct buf *out,
                       struct secret_place *out_place, struct error *err)
{
    char variable[SECRET_NAME_MAX + 1], capitals[SECRET_NAME_MAX + 1];
    (void)settings, (void)world;
    snprintf(variable, sizeof variable, "%.*s", SLICE_ARG(name));
    for (size_t i = 0; i <= name.n; i++) {
        char c = variable[i];
        capitals[i] = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c && strchr(".-/#", c) ? '_' : c;
    }
    const char *value = getenv(variable);
    const char *found = value ? variable : capitals;
    if (!value)
        value = getenv(capitals);
    snprintf(out_place->text, sizeof out_place->text, "the environment variable %s", found);
    if (!value)
        return error_set(err, ERR_NOT_FOUND, "there is no environment variable %s", capitals);
    buf_add_text(out, value);
    return OK;
}

const struct secret_backend secret_env = { "env", get };
