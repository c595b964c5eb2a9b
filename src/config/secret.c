/* After all files are read: a later file may have put another value in place of a reference, which then need not exist.
 */
#include "config/secret.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "world/disk.h"
#include "world/world.h"

static const struct slice OPENING = { "${secret:", 9 };

/* The value of `name` in lines NAME=VALUE; the last one counts, as in a shell. Quotes around a value are not part of
 * it. */
static bool find_line(struct slice text, const char *name, struct slice *out)
{
    bool found = false;
    size_t n = strlen(name);
    while (text.n) {
        const char *end = memchr(text.p, '\n', text.n);
        struct slice line = slice_of(text.p, end ? (size_t)(end - text.p) : text.n);
        text = slice_after(text, line.n + (end != NULL));
        line = slice_trim(line);
        if (line.n <= n || memcmp(line.p, name, n) != 0 || line.p[n] != '=')
            continue;
        *out = slice_trim(slice_after(line, n + 1));
        if (out->n >= 2 && (out->p[0] == '"' || out->p[0] == '\'') && out->p[out->n - 1] == out->p[0])
            *out = slice_of(out->p + 1, out->n - 2);
        found = true;
    }
    return found;
}

static bool find(const char *name, struct slice env_file, struct slice *out)
{
    char capitals[SECRET_NAME_MAX + 1];
    size_t n = strlen(name);
    for (size_t i = 0; i <= n; i++)
        capitals[i] = (char)toupper((unsigned char)name[i]);
    const char *value = getenv(name);
    value = value ? value : getenv(capitals);
    if (value)
        *out = slice_from(value);
    return value || find_line(env_file, name, out) || find_line(env_file, capitals, out);
}

/* False: the text is no reference. name is "" when it is one that is not whole. */
static bool read_reference(const char *text, char *name)
{
    struct slice rest = slice_from(text);
    if (!slice_starts(rest, OPENING))
        return false;
    rest = slice_after(rest, OPENING.n);
    size_t n = rest.n && rest.p[rest.n - 1] == '}' ? rest.n - 1 : 0;
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)rest.p[i]) && rest.p[i] != '_')
            n = 0;
    n = n > SECRET_NAME_MAX ? 0 : n;
    memcpy(name, rest.p, n);
    name[n] = '\0';
    return true;
}

/* True: a problem was told. */
static bool resolve(const struct option *option, const struct config_origin *origin, struct slice env_file,
                    const char *directory, struct config *config, struct buf *problems)
{
    char name[SECRET_NAME_MAX + 1];
    struct slice value;
    struct error err;
    if (!read_reference((const char *)&config->settings + option->offset, name))
        return false;
    if (!name[0])
        buf_add_format(problems, "%s:%d: %s: a secret is written ${secret:NAME}, of letters, digits and _\n",
                       origin->file, origin->line, option->key);
    else if (!find(name, env_file, &value))
        buf_add_format(problems,
                       "%s:%d: %s: there is no secret %s: set the environment's variable of that name, or a line "
                       "%s=… in %s/.env\n",
                       origin->file, origin->line, option->key, name, name, directory);
    else if (option_set(option, &config->settings, value, &err) != OK)
        buf_add_format(problems, "%s:%d: the secret %s: %s\n", origin->file, origin->line, name, err.text);
    else
        return false;
    return true;
}

enum status secrets_resolve(const char *directory, struct world *world, struct config *config, struct buf *problems,
                            size_t *out_count, struct error *err)
{
    char path[DISK_PATH_MAX], *text = NULL;
    size_t n = 0;
    snprintf(path, sizeof path, "%s/.env", directory);
    enum status s = disk_read_whole(world->disk, path, CONFIG_FILE_BYTES_MAX, &text, &n, err);
    if (s != OK && s != ERR_NOT_FOUND)
        return s;
    for (size_t i = 0; i < SETTINGS.count; i++)
        if (SETTINGS.rows[i].kind == OPTION_SECRET)
            *out_count +=
                resolve(&SETTINGS.rows[i], &config->origins[i], slice_of(text, n), directory, config, problems);
    free(text);
    return OK;
}
