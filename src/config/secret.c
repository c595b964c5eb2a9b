#include "config/secret.h"

#include <stdio.h>

#define BEGIN SLICE("${secret:")

static const struct secret_backend *const BACKENDS[] = { &secret_env, &secret_dotenv, &secret_file, &secret_vault };

bool secret_is_name(struct slice name)
{
    size_t fields = 0;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("_.-/", c);
        fields += c == '#';
        if (c == '\0' || (!letter && c != '#') || (c == '#' && (i == 0 || i + 1 == name.n)))
            return false;
    }
    return name.n > 0 && name.n <= SECRET_NAME_MAX && fields <= 1;
}

bool secret_is_in(struct slice text)
{
    return text.n && memmem(text.p, text.n, BEGIN.p, BEGIN.n) != NULL;
}

static const struct secret_backend *find_backend(struct slice name)
{
    for (size_t i = 0; i < COUNT_OF(BACKENDS); i++)
        if (slice_equal(name, slice_from(BACKENDS[i]->name)))
            return BACKENDS[i];
    return NULL;
}

/* The next name of "env, vault"; false: no more. */
static bool next_backend(struct slice *rest, struct slice *out_name)
{
    if (!rest->n)
        return false;
    const char *comma = memchr(rest->p, ',', rest->n);
    size_t n = comma ? (size_t)(comma - rest->p) : rest->n;
    *out_name = slice_trim(slice_of(rest->p, n));
    *rest = slice_after(*rest, comma ? n + 1 : n);
    return true;
}

enum status secret_check_backends(const struct settings *settings, struct error *err)
{
    struct slice rest = slice_from(settings->secrets_backend), name;
    size_t count = 0;
    for (; next_backend(&rest, &name); count++)
        if (!find_backend(name))
            return error_set(err, ERR_INVALID, "secrets.backend: '%.*s' is not one of env, dotenv, file, vault",
                             SLICE_ARG(name));
    return count ? OK : error_set(err, ERR_INVALID, "secrets.backend: name at least one of env, dotenv, file, vault");
}

enum status secret_get(const struct settings *settings, struct world *world, struct slice name, struct buf *out,
                       struct secret_place *out_place, struct error *err)
{
    struct slice rest = slice_from(settings->secrets_backend), backend_name;
    char looked[ERROR_TEXT_MAX] = "";
    size_t n = 0;
    while (next_backend(&rest, &backend_name)) {
        const struct secret_backend *backend = find_backend(backend_name);
        struct secret_place place = { "" };
        assert(backend); /* secret_check_backends */
        enum status s = backend->get(settings, world, name, out, &place, err);
        if (s == OK)
            *out_place = place;
        if (s != ERR_NOT_FOUND)
            return s;
        if (n < sizeof looked)
            n += (size_t)snprintf(looked + n, sizeof looked - n, "%s%s", n ? ", " : "", place.text);
    }
    return error_set(err, ERR_NOT_FOUND, "the secret '%.*s' is missing: looked for in %s", SLICE_ARG(name), looked);
}

enum status secret_expand(const struct settings *settings, struct world *world, struct slice text, struct buf *out,
                          struct secret_place *out_place, struct error *err)
{
    while (text.n) {
        const char *at = memmem(text.p, text.n, BEGIN.p, BEGIN.n);
        size_t before = at ? (size_t)(at - text.p) : text.n;
        buf_add(out, text.p, before);
        text = slice_after(text, before);
        if (!at)
            break;
        text = slice_after(text, BEGIN.n);
        const char *end = memchr(text.p, '}', text.n);
        struct slice name = slice_of(text.p, end ? (size_t)(end - text.p) : 0);
        if (!secret_is_name(name))
            return error_set(err, ERR_INVALID,
                             "a secret is written ${secret:NAME}, its name of letters, digits and _ . - /");
        enum status s = secret_get(settings, world, name, out, out_place, err);
        if (s != OK)
            return s;
        text = slice_after(text, name.n + 1);
    }
    return OK;
}
