/* How it works: yaml.c gives a tree that remembers where everything stands; the tree is walked once, and each scalar's
 * path ("journal.segment_size") is looked up in SETTINGS. The depth is bounded, so aliases cannot expand without end.
 * Secrets are looked up when all layers are in place, since the layers say where. */
#include "config/config.h"

#include <stdio.h>
#include <stdlib.h>

#include "config/catalog_check.h"
#include "config/engine_check.h"
#include "config/yaml.h"

#include "world/disk.h"
#include "world/world.h"

#define PATH_MAX_BYTES 256
#define DEPTH_MAX 8
#define PAIRS_MAX 10000
#define SINKS_PATH "sinks"

struct loader {
    struct yaml_file file;
    struct config *config;
    unsigned pairs; /* walked: an alias may stand for a whole group, again and again */
};

struct layer {
    char path[DISK_PATH_MAX];
    char *text;
    size_t n;
};

/* Where a setting's value goes. */
struct place {
    struct option_table table;
    void *values;
    struct config_origin *origins; /* by row of the table */
    struct slice key;              /* within the table */
};

static bool is_secret_setting(const struct option *option)
{
    return slice_starts(slice_from(option->key), SLICE("secrets."));
}

/* False: it is told why not. */
static bool may_hold_secret(struct loader *loader, const struct option *option, struct slice text,
                            struct fy_node *value)
{
    const bool wholly = slice_starts(text, SLICE("${secret:")) && text.p[text.n - 1] == '}';
    if (option->kind == OPTION_SECRET ? !wholly : !secret_is_in(text)) { /* a password's half is one, too */
        if (option->kind != OPTION_SECRET || !text.n)
            return true;
        loader->file.hidden = true;
        yaml_problem_at(&loader->file, value,
                        "%s does not stand in a file: write ${secret:NAME}, and put it into the environment, .env, a "
                        "file or Vault (docs/configuration.md)",
                        option->key);
        loader->file.hidden = false;
        return false;
    }
    if ((option->kind == OPTION_TEXT || option->kind == OPTION_SECRET) && !is_secret_setting(option))
        return true;
    yaml_problem_at(&loader->file, value, "%s cannot be a secret%s", option->key,
                    option->kind == OPTION_TEXT ? ": it says where secrets are" : "");
    return false;
}

static void note_origin(struct loader *loader, struct config_origin *origin, struct slice text, struct fy_node *key,
                        struct fy_node *value)
{
    *origin = (struct config_origin){ .layer = loader->config->layers,
                                      .line = yaml_line(&loader->file, yaml_position(key)) + 1,
                                      .at = yaml_position(value),
                                      .secret = secret_is_in(text) };
    snprintf(origin->file, sizeof origin->file, "%s", loader->file.name);
    if (origin->secret)
        snprintf(origin->written, sizeof origin->written, "%.*s", SLICE_ARG(text));
}

/* The sink of the name, a new one if need be; NULL: told why not. */
static struct sink_settings *sink_of(struct loader *loader, struct slice name, struct fy_node *key)
{
    struct settings *settings = &loader->config->settings;
    for (size_t i = 0; i < settings->sink_count; i++)
        if (slice_equal(name, slice_from(settings->sinks[i].name)))
            return &settings->sinks[i];
    size_t good = 0;
    while (good < name.n && memchr("abcdefghijklmnopqrstuvwxyz0123456789_-", name.p[good], 38))
        good++;
    if (!name.n || good < name.n || name.n > SINK_NAME_BYTES_MAX) {
        yaml_problem_at(&loader->file, key, "a sink's name has at most %d of a-z, 0-9, _ and -", SINK_NAME_BYTES_MAX);
        return NULL;
    }
    if (settings->sink_count == SINKS_MAX) {
        yaml_problem_at(&loader->file, key, "there are at most %d sinks", SINKS_MAX);
        return NULL;
    }
    struct sink_settings *sink = &settings->sinks[settings->sink_count++];
    memset(sink, 0, sizeof *sink);
    options_set_defaults(SINK_SETTINGS, sink);
    memcpy(sink->name, name.p, name.n);
    return sink;
}

/* False: told why not. */
static bool locate(struct loader *loader, struct slice path, struct fy_node *key, struct place *out)
{
    struct config *config = loader->config;
    *out = (struct place){ SETTINGS, &config->settings, config->origins, path };
    if (!slice_starts(path, SLICE(SINKS_PATH ".")))
        return true;
    struct slice name = slice_after(path, sizeof SINKS_PATH);
    const char *dot = memchr(name.p, '.', name.n);
    if (!dot) {
        yaml_problem_at(&loader->file, key, "this is a sink, written as `key: value` lines: kind, topic, results …");
        return false;
    }
    out->key = slice_after(name, (size_t)(dot - name.p) + 1);
    name.n = (size_t)(dot - name.p);
    struct sink_settings *sink = sink_of(loader, name, key);
    if (!sink)
        return false;
    out->table = SINK_SETTINGS;
    out->values = sink;
    out->origins = config->sink_origins[sink - config->settings.sinks];
    return true;
}

static void report_setting(struct loader *loader, struct option_table table, struct slice name, struct fy_node *key)
{
    char message[ERROR_TEXT_MAX + 128];
    const char *closest = option_closest(table, name);
    const struct option *meant = closest ? option_find(table, slice_from(closest)) : NULL;
    snprintf(message, sizeof message, "there is no setting %.*s%s%s%s", SLICE_ARG(name),
             closest ? "; did you mean " : "", closest ? closest : "",
             closest ? "?" : "; `weir check --list` shows all");
    loader->file.hidden = meant && meant->kind == OPTION_SECRET; /* misspelt: what stands there is still one */
    yaml_problem_at(&loader->file, key, "%s", message);
    loader->file.hidden = false;
}

/* ingest.port and ingest: {port: …} are the same setting, which the YAML library cannot know. */
static bool is_new(struct loader *loader, const struct option *option, const struct config_origin *origin,
                   struct fy_node *key)
{
    const bool repeats = origin->layer == loader->config->layers;
    if (repeats)
        yaml_problem_at(&loader->file, key, "%s is in line %d already", option->key, origin->line);
    return !repeats;
}

static void apply_text(struct loader *loader, const struct place *place, const struct option *option, struct slice text,
                       struct fy_node *key, struct fy_node *value)
{
    struct error err;
    struct config_origin *origin = &place->origins[option - place->table.rows];
    if (!is_new(loader, option, origin, key) || !may_hold_secret(loader, option, text, value))
        return;
    if (option_set(option, place->values, text, &err) != OK) {
        yaml_problem_at(&loader->file, text.n ? value : key, "%s", err.text);
        return;
    }
    note_origin(loader, origin, text, key, value);
}

static void apply_scalar(struct loader *loader, struct slice path, struct fy_node *key, struct fy_node *value)
{
    struct place place;
    struct slice text;
    if (!locate(loader, path, key, &place))
        return;
    const struct option *option = option_find(place.table, place.key);
    if (!option)
        report_setting(loader, place.table, place.key, key);
    else if (yaml_scalar(value, &text))
        apply_text(loader, &place, option, text, key, value);
}

/* [a, b] is "a,b" where the setting is a list. */
static void apply_list(struct loader *loader, struct slice path, struct fy_node *key, struct fy_node *value)
{
    AUTO(buf) struct buf text;
    struct place place;
    struct fy_node *item;
    void *at = NULL;
    buf_init(&text, OPTION_TEXT_MAX + 1);
    if (!locate(loader, path, key, &place))
        return;
    const struct option *option = option_find(place.table, place.key);
    if (!option || !option->list) {
        yaml_problem_at(&loader->file, key, "this setting takes one value, not a list or a group");
        return;
    }
    while ((item = fy_node_sequence_iterate(value, &at)) != NULL) {
        struct slice one;
        item = yaml_follow(item);
        if (!item || !yaml_scalar(item, &one) || (one.n && memchr(one.p, ',', one.n))) {
            yaml_problem_at(&loader->file, key, "%s is a list of names", option->key);
            return;
        }
        if (text.n)
            buf_add_char(&text, ',');
        buf_add_slice(&text, one);
    }
    if (text.full)
        yaml_problem_at(&loader->file, key, "%s: at most %d bytes with the commas", option->key, OPTION_TEXT_MAX);
    else
        apply_text(loader, &place, option, buf_slice(&text), key, value);
}

/* A path that settings lie below. */
static bool is_section(struct slice path)
{
    struct slice sink = slice_starts(path, SLICE(SINKS_PATH ".")) ? slice_after(path, sizeof SINKS_PATH) : SLICE("");
    return slice_equal(path, SLICE(SINKS_PATH)) || (sink.n && !memchr(sink.p, '.', sink.n)) ||
           option_is_section(SETTINGS, path);
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
    if (++loader->pairs > PAIRS_MAX) {
        if (loader->pairs == PAIRS_MAX + 1)
            yaml_problem_at(&loader->file, key ? key : value, "more than %d settings: this is not a configuration",
                            PAIRS_MAX);
        return;
    }
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
        if (is_section(slice_of(path, end)))
            apply_mapping(loader, value, path, end, depth + 1);
        else
            report_section(loader, slice_of(path, end), key);
    } else if (value && fy_node_is_scalar(value) && !slice_equal(slice_of(path, end), SLICE(SINKS_PATH))) {
        apply_scalar(loader, slice_of(path, end), key, value);
    } else if (value && fy_node_is_sequence(value) && !is_section(slice_of(path, end))) {
        apply_list(loader, slice_of(path, end), key, value);
    } else {
        yaml_problem_at(&loader->file, key, "%s",
                        is_section(slice_of(path, end)) ? "this is a group of settings, written as `key: value` lines"
                                                        : "this setting takes one value, not a list or a group");
    }
}

static void apply_mapping(struct loader *loader, struct fy_node *mapping, char *path, size_t used, int depth)
{
    void *at = NULL;
    struct fy_node_pair *pair;
    while ((pair = fy_node_mapping_iterate(mapping, &at)) != NULL)
        apply_pair(loader, pair, path, used, depth);
}

size_t config_apply_text(const char *name, struct slice text, struct config *out, struct problems *problems)
{
    struct loader loader = { .file = { .name = name, .text = text, .problems = problems, .hides = settings_hide_line },
                             .config = out };
    struct fy_document *document = yaml_parse(&loader.file);
    struct fy_node *root = document ? fy_document_root(document) : NULL;
    char path[PATH_MAX_BYTES];
    out->layers++;
    if (root && fy_node_is_mapping(root))
        apply_mapping(&loader, root, path, 0, 0);
    else if (root && !fy_node_is_null(root))
        yaml_problem(&loader.file, 0, 1, "settings are written as `key: value` lines");
    fy_document_destroy(document);
    return loader.file.count;
}

static enum status read_layer(struct layer *layer, bool required, struct world *world, struct config *out,
                              struct problems *problems, struct error *err)
{
    enum status s = disk_read_whole(world->disk, layer->path, CONFIG_FILE_BYTES_MAX, &layer->text, &layer->n, err);
    if (s == ERR_NOT_FOUND && !required)
        return OK;
    if (s == OK)
        config_apply_text(layer->path, slice_of(layer->text, layer->n), out, problems);
    return s;
}

static void tell_secret(const struct config_origin *origin, const struct layer *layers, size_t count,
                        struct problems *problems, const struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        struct yaml_file file = { .name = layers[i].path,
                                  .text = slice_of(layers[i].text, layers[i].n),
                                  .problems = problems,
                                  .hides = settings_hide_line };
        if (layers[i].text && strncmp(layers[i].path, origin->file, sizeof origin->file - 1) == 0)
            yaml_problem(&file, origin->at, strlen(origin->written), "%s", err->text);
    }
}

static enum status put_secret(struct config *config, const struct config_row *row, struct world *world,
                              struct error *err)
{
    struct config_origin *origin = (struct config_origin *)(uintptr_t)row->origin; /* config's, as the values are */
    struct buf value;
    buf_init(&value, SECRET_FILE_BYTES_MAX);
    enum status s = secret_expand(&config->settings, world, slice_from(origin->written), &value, &origin->place, err);
    if (s == OK && value.full)
        s = error_set(err, ERR_INVALID, "%s: the secret is larger than %u KiB", row->option->key,
                      SECRET_FILE_BYTES_MAX >> 10);
    if (s == OK) /* its words have no values of texts */
        s = option_set(row->option, (void *)(uintptr_t)row->values, buf_slice(&value), err);
    if (value.p)
        explicit_bzero(value.p, value.n);
    buf_done(&value);
    return s;
}

static void put_secrets(struct config *config, struct world *world, const struct layer *layers, size_t count,
                        struct problems *problems)
{
    struct error err;
    struct config_row row;
    for (size_t i = 0; config_row(config, i, &row); i++)
        if (row.origin->secret && put_secret(config, &row, world, &err) != OK)
            tell_secret(row.origin, layers, count, problems, &err);
}

/* Also when no secret is used: a misspelt word is a mistake now, not on the day when it matters. */
static bool check_backends(const struct config *config, const struct layer *layers, size_t count,
                           struct problems *problems)
{
    struct error err;
    if (secret_check_backends(&config->settings, &err) == OK)
        return true;
    const struct option *option = option_find(SETTINGS, SLICE("secrets.backend"));
    struct config_origin origin = config->origins[option - SETTINGS.rows];
    snprintf(origin.written, sizeof origin.written, "%s", config->settings.secrets_backend);
    tell_secret(&origin, layers, count, problems, &err);
    return false;
}

static enum status load_layers(const struct config_request *request, struct world *world, struct layer *layers,
                               struct config *out, struct problems *problems, struct error *err)
{
    snprintf(layers[0].path, sizeof layers[0].path, "%s/platform.yaml", request->directory);
    snprintf(layers[1].path, sizeof layers[1].path, "%s/environments/%s.yaml", request->directory,
             request->environment);
    enum status s = read_layer(&layers[0], false, world, out, problems, err);
    if (s != OK)
        return s;
    s = read_layer(&layers[1], !request->may_be_missing, world, out, problems, err);
    if (s == ERR_NOT_FOUND)
        return error_set(
            err, s, "there is no environment '%s': %s is missing (--config names the directory, --env the environment)",
            request->environment, layers[1].path);
    if (!out->settings.secrets_dotenv[0])
        snprintf(out->settings.secrets_dotenv, sizeof out->settings.secrets_dotenv, "%s/.env", request->directory);
    if (s == OK && check_backends(out, layers, 2, problems) && !request->without_secrets)
        put_secrets(out, world, layers, 2, problems);
    return s;
}

static bool is_environment_name(const char *name)
{
    return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == strlen(name);
}

enum status config_load(const struct config_request *request, struct world *world, struct config *out,
                        struct problems *problems, struct error *err)
{
    assert(SETTINGS.count <= COUNT_OF(out->origins) && SINK_SETTINGS.count <= COUNT_OF(out->sink_origins[0]));
    struct layer layers[2] = { 0 };
    size_t before = problems->count;
    memset(out, 0, sizeof *out);
    options_set_defaults(SETTINGS, &out->settings);
    if (!is_environment_name(request->environment))
        return error_set(err, ERR_INVALID, "'%s' is not the name of an environment: letters, digits, _ and - only",
                         request->environment);
    enum status s = load_layers(request, world, layers, out, problems, err);
    for (size_t i = 0; i < COUNT_OF(layers); i++)
        free(layers[i].text);
    if (s == OK)
        engine_check(out, problems);
    if (s == OK)
        catalog_check(out, problems);
    size_t count = problems->count - before;
    if (s == OK && count)
        return error_set(err, ERR_INVALID, "%zu mistake%s in the configuration", count, count == 1 ? "" : "s");
    return s;
}

bool config_row(const struct config *config, size_t i, struct config_row *out)
{
    if (i < SETTINGS.count) {
        *out = (struct config_row){ &SETTINGS.rows[i], NULL, &config->settings, &config->origins[i] };
        return true;
    }
    size_t sink = (i - SETTINGS.count) / SINK_SETTINGS.count, row = (i - SETTINGS.count) % SINK_SETTINGS.count;
    if (sink >= config->settings.sink_count)
        return false;
    const struct sink_settings *values = &config->settings.sinks[sink];
    *out = (struct config_row){ &SINK_SETTINGS.rows[row], values->name, values, &config->sink_origins[sink][row] };
    return true;
}

void config_row_key(const struct config_row *row, char *to, size_t n)
{
    snprintf(to, n, "%s%s%s%s", row->sink ? SINKS_PATH "." : "", row->sink ? row->sink : "", row->sink ? "." : "",
             row->option->key);
}

void config_format(const struct config_row *row, char *to, size_t n)
{
    option_format(row->option, row->values, to, n);
    if (to[0] && row->origin->secret)
        snprintf(to, n, "***");
}

void config_tell(const struct config *config, const char *key, const char *message, struct problems *problems)
{
    const struct option *option = option_find(SETTINGS, slice_from(key));
    const struct config_origin *origin = &config->origins[option - SETTINGS.rows];
    const struct problem problem = {
        .file = origin->file, .line = origin->line, .column = 1, .message = message, .source = SLICE("")
    };
    problems_add(problems, &problem);
}
