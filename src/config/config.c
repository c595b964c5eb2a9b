/* How it works: yaml.c gives a tree that remembers where everything stands; the tree is walked once, and each scalar's
 * path
 * ("journal.segment_size") is looked up in SETTINGS. The depth is bounded, so aliases cannot expand without end. */
#include "config/config.h"

#include <stdio.h>
#include <stdlib.h>

#include "config/secret.h"
#include "config/yaml.h"

#include "world/disk.h"
#include "world/world.h"

#define PATH_MAX_BYTES 256
#define DEPTH_MAX 8

struct loader {
    struct yaml_file file;
    struct config *config;
};

static void apply_scalar(struct loader *loader, struct slice path, struct fy_node *key, struct fy_node *value)
{
    char message[ERROR_TEXT_MAX + 128];
    const struct option *option = option_find(SETTINGS, path);
    if (!option) {
        const char *closest = option_closest(SETTINGS, path);
        snprintf(message, sizeof message, "there is no setting %.*s%s%s%s", SLICE_ARG(path),
                 closest ? "; did you mean " : "", closest ? closest : "",
                 closest ? "?" : "; `weir check --list` shows all");
        yaml_problem_at(&loader->file, key, "%s", message);
        return;
    }
    struct error err;
    struct slice text;
    text.p = fy_node_get_scalar(value, &text.n);
    if (option_set(option, &loader->config->settings, text, &err) != OK) {
        yaml_problem_at(&loader->file, text.n ? value : key, "%s", err.text);
        return;
    }
    struct config_origin *origin = &loader->config->origins[option - SETTINGS.rows];
    snprintf(origin->file, sizeof origin->file, "%s", loader->file.name);
    origin->line = yaml_line(&loader->file, yaml_position(key)) + 1;
}

/* The group of settings that was probably meant: the start of some key, up to a dot. */
static const char *closest_section(struct slice path, char *to, size_t n)
{
    size_t best = path.n / 3 + 2;
    to[0] = '\0';
    for (size_t i = 0; i < SETTINGS.count; i++) {
        const char *key = SETTINGS.rows[i].key;
        for (const char *dot = strchr(key, '.'); dot; dot = strchr(dot + 1, '.')) {
            size_t d = slice_distance(path, slice_of(key, (size_t)(dot - key)));
            if (d < best) {
                best = d;
                snprintf(to, n, "%.*s", (int)(dot - key), key);
            }
        }
    }
    return to[0] ? to : NULL;
}

static void report_section(struct loader *loader, struct slice path, struct fy_node *key)
{
    char section[64], message[ERROR_TEXT_MAX];
    const char *closest = closest_section(path, section, sizeof section);
    snprintf(message, sizeof message, "there is no group of settings %.*s%s%s%s", SLICE_ARG(path),
             closest ? "; did you mean " : "", closest ? closest : "",
             closest ? "?" : "; `weir check --list` shows all");
    yaml_problem_at(&loader->file, key, "%s", message);
}

static void apply_mapping(struct loader *loader, struct fy_node *mapping, char *path, size_t used, int depth);

static void apply_pair(struct loader *loader, struct fy_node_pair *pair, char *path, size_t used, int depth)
{
    struct fy_node *key = fy_node_pair_key(pair), *value = fy_node_pair_value(pair);
    size_t n;
    const char *name = key && fy_node_is_scalar(key) ? fy_node_get_scalar(key, &n) : NULL;
    if (!name || used + n + 2 > PATH_MAX_BYTES || depth > DEPTH_MAX) {
        yaml_problem_at(&loader->file, key ? key : value, "a setting's name is a short word");
        return;
    }
    size_t end = used + (used > 0);
    if (used)
        path[used] = '.';
    memcpy(path + end, name, n);
    end += n;
    value = yaml_follow(value);
    if (value && fy_node_is_mapping(value) && !option_find(SETTINGS, slice_of(path, end))) {
        if (option_is_section(SETTINGS, slice_of(path, end)))
            apply_mapping(loader, value, path, end, depth + 1);
        else
            report_section(loader, slice_of(path, end), key);
    } else if (value && fy_node_is_scalar(value)) {
        apply_scalar(loader, slice_of(path, end), key, value);
    } else {
        yaml_problem_at(&loader->file, key, "this setting takes one value, not a list or a group");
    }
}

static void apply_mapping(struct loader *loader, struct fy_node *mapping, char *path, size_t used, int depth)
{
    void *at = NULL;
    struct fy_node_pair *pair;
    while ((pair = fy_node_mapping_iterate(mapping, &at)) != NULL)
        apply_pair(loader, pair, path, used, depth);
}

size_t config_apply_text(const char *name, struct slice text, struct config *out, struct buf *problems)
{
    struct loader loader = { .file = { .name = name, .text = text, .problems = problems }, .config = out };
    struct fy_document *document = yaml_parse(&loader.file);
    struct fy_node *root = document ? fy_document_root(document) : NULL;
    char path[PATH_MAX_BYTES];
    if (root && fy_node_is_mapping(root))
        apply_mapping(&loader, root, path, 0, 0);
    else if (root && !fy_node_is_null(root))
        yaml_problem(&loader.file, 0, 1, "settings are written as `key: value` lines");
    fy_document_destroy(document);
    return loader.file.count;
}

static enum status apply_file(const char *path, bool required, struct world *world, struct config *out,
                              struct buf *problems, size_t *count, struct error *err)
{
    char *text;
    size_t n;
    enum status s = disk_read_whole(world->disk, path, CONFIG_FILE_BYTES_MAX, &text, &n, err);
    if (s == ERR_NOT_FOUND && !required)
        return OK;
    if (s != OK)
        return s;
    *count += config_apply_text(path, slice_of(text, n), out, problems);
    free(text);
    return OK;
}

enum status config_load(const char *directory, const char *environment, struct world *world, struct config *out,
                        struct buf *problems, size_t *out_count, struct error *err)
{
    assert(SETTINGS.count <= COUNT_OF(out->origins));
    char path[DISK_PATH_MAX];
    memset(out, 0, sizeof *out);
    options_set_defaults(SETTINGS, &out->settings);
    *out_count = 0;
    if (strspn(environment, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != strlen(environment))
        return error_set(err, ERR_INVALID, "'%s' is not the name of an environment: letters, digits, _ and - only",
                         environment);
    snprintf(path, sizeof path, "%s/platform.yaml", directory);
    enum status s = apply_file(path, false, world, out, problems, out_count, err);
    if (s != OK)
        return s;
    snprintf(path, sizeof path, "%s/environments/%s.yaml", directory, environment);
    s = apply_file(path, true, world, out, problems, out_count, err);
    if (s == ERR_NOT_FOUND)
        return error_set(
            err, s, "there is no environment '%s': %s is missing (--config names the directory, --env the environment)",
            environment, path);
    if (s == OK)
        s = secrets_resolve(directory, world, out, problems, out_count, err);
    if (s != OK)
        return s;
    if (*out_count)
        return error_set(err, ERR_INVALID, "%zu mistake%s in the configuration", *out_count,
                         *out_count == 1 ? "" : "s");
    return OK;
}
