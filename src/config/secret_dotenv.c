/* dotenv: lines `name=value` of one file (secrets.dotenv), as in `db_password=…`. Blank lines and those that begin
 * with # are left out, `export ` in front of a name too; a value may stand in ' or ". The name is taken as it is, or in
 * capitals. */
#include <stdio.h>
#include <stdlib.h>

#include "config/secret.h"
#include "world/disk.h"
#include "world/world.h"

static struct slice cut_line(struct slice *rest)
{
    const char *end = memchr(rest->p, '\n', rest->n);
    size_t n = end ? (size_t)(end - rest->p) : rest->n;
    struct slice line = slice_trim(slice_of(rest->p, n));
    *rest = slice_after(*rest, end ? n + 1 : n);
    return line;
}

static struct slice without_quotes(struct slice value)
{
    bool quoted = value.n >= 2 && (value.p[0] == '\'' || value.p[0] == '"') && value.p[value.n - 1] == value.p[0];
    return quoted ? slice_of(value.p + 1, value.n - 2) : value;
}

static bool find(struct slice text, struct slice name, struct slice *out_value)
{
    const struct slice export = SLICE("export ");
    while (text.n) {
        struct slice line = cut_line(&text);
        if (slice_starts(line, export))
            line = slice_trim(slice_after(line, export.n));
        const char *equals = line.n && line.p[0] != '#' ? memchr(line.p, '=', line.n) : NULL;
        size_t n = equals ? (size_t)(equals - line.p) : 0;
        if (!equals || !slice_equal_nocase(slice_trim(slice_of(line.p, n)), name))
            continue;
        *out_value = without_quotes(slice_trim(slice_after(line, n + 1)));
        return true;
    }
    return false;
}

static enum status get(const struct settings *settings, struct world *world, struct slice name, struct buf *out,
                       struct secret_place *out_place, struct error *err)
{
    char *text;
    size_t n;
    struct slice value;
    snprintf(out_place->text, sizeof out_place->text, "%s", settings->secrets_dotenv);
    enum status s = disk_read_whole(world->disk, settings->secrets_dotenv, SECRET_FILE_BYTES_MAX, &text, &n, err);
    if (s != OK)
        return s;
    bool found = find(slice_of(text, n), name, &value);
    if (found)
        buf_add_slice(out, value);
    explicit_bzero(text, n);
    free(text);
    return found ? OK : error_set(err, ERR_NOT_FOUND, "it is not in %s", settings->secrets_dotenv);
}

const struct secret_backend secret_dotenv = { "dotenv", get };
