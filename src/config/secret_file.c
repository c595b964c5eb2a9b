/* file: the content of secrets.directory/NAME without the line's end, as Docker and Kubernetes mount secrets. */
#include <stdio.h>
#include <stdlib.h>

#include "config/secret.h"
#include "world/disk.h"
#include "world/world.h"

static enum status get(const struct settings *settings, struct world *world, struct slice name, struct buf *out,
                       struct secret_place *out_place, struct error *err)
{
    char path[OPTION_TEXT_MAX + SECRET_NAME_MAX + 2], *text;
    size_t n;
    snprintf(path, sizeof path, "%s/%.*s", settings->secrets_directory, SLICE_ARG(name));
    snprintf(out_place->text, sizeof out_place->text, "the file %s", path);
    if (name.p[0] == '.' || memchr(name.p, '/', name.n)) /* nothing outside of the directory */
        return error_set(err, ERR_NOT_FOUND, "a file's name has no / and no . in front");
    enum status s = disk_read_whole(world->disk, path, SECRET_FILE_BYTES_MAX, &text, &n, err);
    if (s != OK)
        return s;
    struct slice value = slice_of(text, n);
    while (value.n && (value.p[value.n - 1] == '\n' || value.p[value.n - 1] == '\r'))
        value.n--;
    buf_add_slice(out, value);
    explicit_bzero(text, n);
    free(text);
    return OK;
}

const struct secret_backend secret_file = { "file", get };
