/* Reading scalars, names, durations and expressions out of the tree; what is wrong is told where it stands. */
#include "config/domain_reader.h"

#include <stdio.h>

#include "base/options.h"
#include "config/settings.h"

const char *domain_closest(struct slice name, const char *const *names, size_t count)
{
    const char *best = NULL;
    size_t least = name.n / 3 + 2;
    for (size_t i = 0; i < count; i++) {
        size_t distance = slice_distance(name, slice_from(names[i]));
        if (distance < least) {
            least = distance;
            best = names[i];
        }
    }
    return best;
}

static const char *place(const struct domain_level *level)
{
    return level->path[0] ? level->path : "a domain";
}

static void unknown_key(struct domain_reader *reader, const struct domain_level *level, struct fy_node *key,
                        struct slice name)
{
    const char *names[DOMAIN_KEYS_MAX];
    for (size_t i = 0; i < level->count; i++)
        names[i] = level->keys[i].name;
    const char *closest = domain_closest(name, names, level->count);
    if (level == &DOMAIN_TOP && (option_find(SETTINGS, name) || option_is_section(SETTINGS, name)))
        yaml_problem_at(&reader->file, key,
                        "%.*s is a setting of the platform, not of a domain: it belongs into platform.yaml or "
                        "environments/NAME.yaml",
                        SLICE_ARG(name));
    else if (closest)
        yaml_problem_at(&reader->file, key, "%s has no key %.*s; did you mean %s?", place(level), SLICE_ARG(name),
                        closest);
    else
        yaml_problem_at(&reader->file, key, "%s has no key %.*s; `weir check --list` shows all", place(level),
                        SLICE_ARG(name));
}

static void read_pair(struct domain_reader *reader, const struct domain_level *level, struct fy_node_pair *pair,
                      void *object, struct fy_node **seen)
{
    struct fy_node *key = fy_node_pair_key(pair), *value = yaml_follow(fy_node_pair_value(pair));
    struct slice name;
    if (!yaml_scalar(key, &name)) {
        yaml_problem_at(&reader->file, key ? key : value, "a key is a word");
        return;
    }
    for (size_t i = 0; i < level->count; i++) {
        if (!slice_equal(name, slice_from(level->keys[i].name)))
            continue;
        if (seen && seen[i])
            return; /* told by the YAML parser */
        if (seen)
            seen[i] = key;
        level->keys[i].read(reader, object, key, value);
        return;
    }
    unknown_key(reader, level, key, name);
}

void domain_read_level(struct domain_reader *reader, const struct domain_level *level, struct fy_node *group,
                       struct fy_node *key, void *object, struct fy_node **seen)
{
    assert(level->count <= DOMAIN_KEYS_MAX);
    if (!group || !fy_node_is_mapping(group)) {
        yaml_problem_at(&reader->file, group ? group : key, "%s is written as `key: value` lines", place(level));
        return;
    }
    void *at = NULL;
    struct fy_node_pair *pair;
    while ((pair = fy_node_mapping_iterate(group, &at)) != NULL)
        read_pair(reader, level, pair, object, seen);
}

bool domain_copy(struct domain_reader *reader, struct fy_node *node, struct slice text, struct slice *out)
{
    struct slice copy = arena_copy(reader->build->arena, text);
    if (!copy.p) {
        yaml_problem_at(&reader->file, node, "all domains together are larger than %u MiB", DOMAIN_SET_BYTES_MAX >> 20);
        return false;
    }
    *out = copy;
    return true;
}

static bool scalar_of(struct domain_reader *reader, struct fy_node *key, struct fy_node *value, struct slice *out)
{
    struct slice text, name;
    if (yaml_scalar(value, &text) && text.n > 0) {
        *out = text;
        return true;
    }
    if (!yaml_scalar(key, &name))
        name = SLICE("this");
    yaml_problem_at(&reader->file, key, "%.*s takes one value, not %s", SLICE_ARG(name),
                    value && !fy_node_is_scalar(value) ? "a list or a group" : "nothing");
    return false;
}

bool domain_text(struct domain_reader *reader, struct fy_node *key, struct fy_node *value, struct slice *out)
{
    struct slice text;
    return scalar_of(reader, key, value, &text) && domain_copy(reader, value, text, out);
}

bool domain_name(struct domain_reader *reader, struct fy_node *key, struct fy_node *value, struct slice *out)
{
    struct slice text;
    if (!scalar_of(reader, key, value, &text))
        return false;
    bool fine = text.n <= DOMAIN_NAME_MAX;
    for (size_t i = 0; i < text.n; i++)
        fine &= (text.p[i] >= 'a' && text.p[i] <= 'z') || (text.p[i] >= '0' && text.p[i] <= '9') || text.p[i] == '_';
    if (!fine) {
        yaml_problem_at(&reader->file, value, "a name is 1 to %d of a to z, 0 to 9 and _", DOMAIN_NAME_MAX);
        return false;
    }
    return domain_copy(reader, value, text, out);
}

/* What settings of the kind take is taken here, too, and refused with the same words. */
static bool read_as_option(struct domain_reader *reader, struct fy_node *key, struct fy_node *value,
                           const struct option *option, char key_text[64], int64_t *out)
{
    struct slice text, name;
    struct error err;
    if (!scalar_of(reader, key, value, &text))
        return false;
    if (yaml_scalar(key, &name))
        snprintf(key_text, 64, "%.*s", SLICE_ARG(name));
    if (option_set(option, out, text, &err) == OK)
        return true;
    yaml_problem_at(&reader->file, value, "%s", err.text);
    return false;
}

bool domain_share(struct domain_reader *reader, struct fy_node *key, struct fy_node *value, int64_t *out_millionths)
{
    char key_text[64] = "";
    const struct option option = { .key = key_text, .kind = OPTION_SHARE };
    return read_as_option(reader, key, value, &option, key_text, out_millionths);
}

bool domain_duration(struct domain_reader *reader, struct fy_node *key, struct fy_node *value, int64_t min_ms,
                     int64_t max_ms, int64_t *out_ms)
{
    struct slice text;
    char key_text[64] = "";
    const struct option option = { .key = key_text, .kind = OPTION_DURATION };
    int64_t ms;
    if (!read_as_option(reader, key, value, &option, key_text, &ms) || !yaml_scalar(value, &text))
        return false;
    if (ms < min_ms || ms > max_ms) {
        char least[32], most[32];
        option_format(&option, &min_ms, least, sizeof least);
        option_format(&option, &max_ms, most, sizeof most);
        yaml_problem_at(&reader->file, value, "%s: %.*s is outside %s to %s", key_text, SLICE_ARG(text), least, most);
        return false;
    }
    *out_ms = ms;
    return true;
}

#define DAY_MS ((int64_t)86400000)

bool domain_days(struct domain_reader *reader, struct fy_node *key, struct fy_node *value, int32_t *out_days)
{
    int64_t ms;
    if (!domain_duration(reader, key, value, DAY_MS, 36500 * DAY_MS, &ms))
        return false;
    if (ms % DAY_MS)
        yaml_problem_at(&reader->file, value, "whole days are wanted, such as 90d");
    else
        *out_days = (int32_t)(ms / DAY_MS);
    return ms % DAY_MS == 0;
}

bool domain_choice(struct domain_reader *reader, struct fy_node *key, struct fy_node *value, const char *const *choices,
                   size_t count, size_t *out)
{
    struct slice text;
    if (!scalar_of(reader, key, value, &text))
        return false;
    for (size_t i = 0; i < count; i++)
        if (slice_equal(text, slice_from(choices[i]))) {
            *out = i;
            return true;
        }
    const char *closest = domain_closest(text, choices, count);
    char all[128] = "";
    for (size_t i = 0, n = 0; i < count && n < sizeof all; i++)
        n += (size_t)snprintf(all + n, sizeof all - n, "%s%s", i ? ", " : "", choices[i]);
    yaml_problem_at(&reader->file, value, "'%.*s' is not one of %s%s%s%s", SLICE_ARG(text), all,
                    closest ? "; did you mean " : "", closest ? closest : "", closest ? "?" : "");
    return false;
}

bool domain_flag(struct domain_reader *reader, struct fy_node *key, struct fy_node *value, bool *out)
{
    static const char *const CHOICES[] = { "false", "true" };
    size_t choice;
    if (!domain_choice(reader, key, value, CHOICES, COUNT_OF(CHOICES), &choice))
        return false;
    *out = choice == 1;
    return true;
}

bool domain_cut_at_comma(const struct domain_reader *reader, struct fy_node *value, struct slice text)
{
    size_t end = yaml_position(value) + text.n;
    while (end < reader->file.text.n && reader->file.text.p[end] == ' ')
        end++;
    return end < reader->file.text.n && reader->file.text.p[end] == ',';
}

/* `plan: 'free'` means a text to people and the word free to YAML. */
static void explain_quotes(struct fy_node *value, struct slice text, struct expr_problem *problem)
{
    enum fy_node_style style = fy_node_get_style(value);
    bool quoted = style == FYNS_SINGLE_QUOTED || style == FYNS_DOUBLE_QUOTED;
    if (quoted && problem->at == 0 && strstr(problem->text, "text stands in quotes"))
        snprintf(problem->text, sizeof problem->text, "YAML takes these quotes away: write the text as \"'%.*s'\"",
                 (int)(text.n < 40 ? text.n : 40), text.p);
}

bool domain_expr(struct domain_reader *reader, struct fy_node *key, struct fy_node *value, unsigned types,
                 struct field_plan *plan, const struct expr **out)
{
    struct slice text;
    struct expr_problem problem;
    const struct expr *expr = NULL;
    if (!scalar_of(reader, key, value, &text))
        return false;
    if (expr_parse(text, plan, reader->build->arena, &expr, &problem) != OK) {
        if (problem.at == text.n && domain_cut_at_comma(reader, value, text))
            snprintf(problem.text, sizeof problem.text, "%s", DOMAIN_CUT_AT_COMMA);
        explain_quotes(value, text, &problem);
        yaml_problem_inside(&reader->file, value, problem.at, problem.width, problem.text);
        return false;
    }
    if (!(expr_types(expr) & types)) {
        yaml_problem_at(&reader->file, value, "this must be %s; it is %s", value_types_text(types),
                        value_types_text(expr_types(expr)));
        return false;
    }
    *out = expr;
    return true;
}

static bool is_plain_name(struct slice name)
{
    return !memchr(name.p, '/', name.n) && !memchr(name.p, '\0', name.n) && name.p[0] != '.';
}

bool domain_file_beside(struct domain_reader *reader, struct fy_node *name, size_t bytes_max,
                        char out_path[DISK_PATH_MAX], char **out_text, size_t *out_n)
{
    struct slice text;
    struct error err;
    if (!scalar_of(reader, name, name, &text))
        return false;
    if (!is_plain_name(text)) {
        yaml_problem_at(&reader->file, name, "the file lies beside the domain's file: a name without /");
        return false;
    }
    snprintf(out_path, DISK_PATH_MAX, "%s/%.*s", reader->directory, SLICE_ARG(text));
    if (disk_read_whole(reader->world->disk, out_path, bytes_max, out_text, out_n, &err) == OK)
        return true;
    yaml_problem_at(&reader->file, name, "%s", err.text);
    return false;
}

struct fy_node *domain_next(struct fy_node *list, void **at)
{
    struct fy_node *item = fy_node_sequence_iterate(list, at);
    return yaml_follow(item);
}

bool domain_is_list(struct domain_reader *reader, struct fy_node *key, struct fy_node *value, const char *of_what)
{
    struct slice name;
    if (value && fy_node_is_sequence(value))
        return true;
    if (!yaml_scalar(key, &name))
        name = SLICE("this");
    yaml_problem_at(&reader->file, key, "%.*s is a list of %s, each behind a - or in [ ]", SLICE_ARG(name), of_what);
    return false;
}
