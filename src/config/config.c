/* How it works: libfyaml parses a file to a tree that remembers where everything stands; the tree is walked once, and
 * each scalar's path ("journal.segment_size") is looked up in SETTINGS. Parse errors and our own share one printer, so
 * that they look alike. Aliases are followed to scalars only: nothing can expand. */
#include "config/config.h"

#include <libfyaml.h>
#include <stdio.h>
#include <stdlib.h>

#include "world/disk.h"
#include "world/world.h"

#define PATH_MAX_BYTES 256
#define DEPTH_MAX 8

struct loader {
    const char *name;
    struct slice text;
    struct config *config;
    struct buf *problems;
    size_t count;
};

static struct slice line_of(struct slice text, int line)
{
    while (line-- > 0) {
        const char *end = text.n ? memchr(text.p, '\n', text.n) : NULL;
        if (!end)
            return (struct slice){ 0 };
        text = slice_after(text, (size_t)(end - text.p) + 1);
    }
    const char *end = text.n ? memchr(text.p, '\n', text.n) : NULL;
    return end ? slice_of(text.p, (size_t)(end - text.p)) : text;
}

/* line and column count from 0; width is how much of the line the caret underlines. */
static void problem(struct loader *loader, int line, int column, size_t width, const char *message)
{
    loader->count++;
    if (loader->count > CONFIG_PROBLEMS_MAX)
        return;
    buf_add_format(loader->problems, "%s:%d:%d: %s\n", loader->name, line + 1, column + 1, message);
    struct slice text = line_of(loader->text, line);
    if (!text.n || text.n > 200)
        return;
    buf_add_format(loader->problems, "%6d | %.*s\n       | ", line + 1, SLICE_ARG(text));
    for (int i = 0; i < column && (size_t)i < text.n; i++)
        buf_add_char(loader->problems, text.p[i] == '\t' ? '\t' : ' ');
    buf_add_char(loader->problems, '^');
    for (size_t i = 1; i < width && (size_t)column + i < text.n; i++)
        buf_add_char(loader->problems, '~');
    buf_add_char(loader->problems, '\n');
}

static void problem_at_node(struct loader *loader, struct fy_node *node, const char *message)
{
    size_t width = 1;
    struct fy_token *token = fy_node_is_scalar(node) ? fy_node_get_scalar_token(node) : NULL;
    const struct fy_mark *mark = token ? fy_token_start_mark(token) : NULL;
    if (mark)
        fy_node_get_scalar(node, &width);
    problem(loader, mark ? mark->line : 0, mark ? mark->column : 0, width, message);
}

static void apply_scalar(struct loader *loader, struct slice path, struct fy_node *key, struct fy_node *value)
{
    char message[ERROR_TEXT_MAX + 128];
    const struct option *option = option_find(SETTINGS, path);
    if (!option) {
        const char *closest = option_closest(SETTINGS, path);
        snprintf(message, sizeof message, "there is no setting %.*s%s%s%s", SLICE_ARG(path),
                 closest ? "; did you mean " : "", closest ? closest : "",
                 closest ? "?" : "; `weir check --list` shows all");
        problem_at_node(loader, key, message);
        return;
    }
    struct error err;
    struct slice text;
    text.p = fy_node_get_scalar(value, &text.n);
    if (option_set(option, &loader->config->settings, text, &err) != OK) {
        problem_at_node(loader, text.n ? value : key, err.text);
        return;
    }
    struct config_origin *origin = &loader->config->origins[option - SETTINGS.rows];
    snprintf(origin->file, sizeof origin->file, "%s", loader->name);
    origin->line = fy_token_start_mark(fy_node_get_scalar_token(key))->line + 1;
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
    problem_at_node(loader, key, message);
}

static void apply_mapping(struct loader *loader, struct fy_node *mapping, char *path, size_t used, int depth);

static void apply_pair(struct loader *loader, struct fy_node_pair *pair, char *path, size_t used, int depth)
{
    struct fy_node *key = fy_node_pair_key(pair), *value = fy_node_pair_value(pair);
    size_t n;
    const char *name = key && fy_node_is_scalar(key) ? fy_node_get_scalar(key, &n) : NULL;
    if (!name || used + n + 2 > PATH_MAX_BYTES || depth > DEPTH_MAX) {
        problem_at_node(loader, key ? key : value, "a setting's name is a short word");
        return;
    }
    size_t end = used + (used > 0);
    if (used)
        path[used] = '.';
    memcpy(path + end, name, n);
    end += n;
    if (value && fy_node_is_alias(value))
        value = fy_node_resolve_alias(value);
    if (value && fy_node_is_mapping(value) && !option_find(SETTINGS, slice_of(path, end))) {
        if (option_is_section(SETTINGS, slice_of(path, end)))
            apply_mapping(loader, value, path, end, depth + 1);
        else
            report_section(loader, slice_of(path, end), key);
    } else if (value && fy_node_is_scalar(value)) {
        apply_scalar(loader, slice_of(path, end), key, value);
    } else {
        problem_at_node(loader, key, "this setting takes one value, not a list or a group");
    }
}

static void apply_mapping(struct loader *loader, struct fy_node *mapping, char *path, size_t used, int depth)
{
    void *at = NULL;
    struct fy_node_pair *pair;
    while ((pair = fy_node_mapping_iterate(mapping, &at)) != NULL)
        apply_pair(loader, pair, path, used, depth);
}

/* The library's words, but for the one mistake that people make most: its own do not say what to do. */
static const char *words_of(const char *message)
{
    if (!message)
        return "this is not YAML";
    return strcmp(message, "duplicate key") == 0 ? "this name is here twice: put what belongs to it in one place"
                                                 : message;
}

static void report_parse_errors(struct loader *loader, struct fy_diag *diag)
{
    void *at = NULL;
    struct fy_diag_error *error;
    size_t before = loader->count;
    while ((error = fy_diag_errors_iterate(diag, &at)) != NULL)
        if (error->line >= 0)
            problem(loader, error->line ? error->line - 1 : 0, error->column ? error->column - 1 : 0, 1,
                    words_of(error->msg));
    if (loader->count == before)
        problem(loader, 0, 0, 1, "this is not YAML");
}

/* libfyaml takes a file of nothing but comments for a failure without a reason. */
static bool has_content(struct slice text)
{
    while (text.n) {
        struct slice here = slice_trim(line_of(text, 0));
        if (here.n && here.p[0] != '#')
            return true;
        const char *end = memchr(text.p, '\n', text.n);
        text = end ? slice_after(text, (size_t)(end - text.p) + 1) : (struct slice){ 0 };
    }
    return false;
}

size_t config_apply_text(const char *name, struct slice text, struct config *out, struct buf *problems)
{
    struct loader loader = { .name = name, .text = text, .config = out, .problems = problems };
    struct fy_diag_cfg diag_options;
    fy_diag_cfg_default(&diag_options);
    diag_options.fp = NULL;
    struct fy_diag *diag = fy_diag_create(&diag_options);
    if (!diag)
        abort();
    fy_diag_set_collect_errors(diag, true);
    struct fy_parse_cfg options = { .flags = FYPCF_QUIET, .diag = diag };
    bool empty = !has_content(text);
    struct fy_document *document = empty ? NULL : fy_document_build_from_string(&options, text.p, text.n);
    struct fy_node *root = document ? fy_document_root(document) : NULL;
    char path[PATH_MAX_BYTES];
    if (!empty && (!document || fy_diag_got_error(diag)))
        report_parse_errors(&loader, diag);
    else if (root && fy_node_is_mapping(root))
        apply_mapping(&loader, root, path, 0, 0);
    else if (root && !fy_node_is_null(root))
        problem(&loader, 0, 0, 1, "settings are written as `key: value` lines");
    fy_document_destroy(document);
    fy_diag_destroy(diag);
    return loader.count;
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
    if (s != OK)
        return s;
    if (*out_count)
        return error_set(err, ERR_INVALID, "%zu mistake%s in the configuration", *out_count,
                         *out_count == 1 ? "" : "s");
    return OK;
}
