/* One item of `transforms`: a filter, then either changes by expressions or a script. */
#include <stdio.h>
#include <stdlib.h>

#include "config/domain_reader.h"
#include "script/script.h"
#include "world/disk.h"

#define FULL "all domains together are too large"

enum { KEY_NAME, KEY_WHERE, KEY_SET, KEY_REMOVE, KEY_LUA, KEY_FILE };

/* Of a transform while it is read. */
struct reading {
    struct transform transform;
    struct field_plan *fields;
};

static void read_name(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    struct reading *reading = object;
    const struct domain_build *build = reader->build;
    if (!domain_name(reader, key, value, &reading->transform.name))
        return;
    reading->transform.at = yaml_position(value);
    for (size_t i = 0; i < build->transform_count; i++)
        if (slice_equal(build->transforms[i].name, reading->transform.name))
            yaml_problem_at(&reader->file, value, "there is a transform %.*s already, in domain %.*s",
                            SLICE_ARG(reading->transform.name), SLICE_ARG(build->transforms[i].domain));
}

static void read_where(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    struct reading *reading = object;
    if (!domain_expr(reader, key, value, TYPE_BOOL, reading->fields, &reading->transform.where))
        return;
}

/* A place is written as a field is, and parsed as one. */
static bool read_target(struct domain_reader *reader, struct fy_node *node, bool whole_too, struct field_path *out)
{
    struct field_plan *plan = reader->build->scratch;
    const struct expr *expr;
    field_plan_init(plan, reader->build->arena);
    if (!domain_expr(reader, node, node, TYPE_ANY, plan, &expr))
        return false;
    int index = expr_field(expr);
    const struct field_path *path = index < 0 ? NULL : &plan->paths[index];
    bool named = path && (path->source == FIELD_EVENT_TYPE || path->source == FIELD_EVENT_NAME);
    if (path && (path->count || (whole_too && named))) {
        *out = *path;
        return true;
    }
    yaml_problem_at(&reader->file, node, "%s",
                    whole_too ? "what can be set is properties.…, context.…, event_type and event_name"
                              : "what can be removed is properties.… and context.…");
    return false;
}

static bool starts_with_target(const struct field_path *longer, const struct field_path *shorter)
{
    if (longer->source != shorter->source || longer->count < shorter->count)
        return false;
    for (size_t i = 0; i < shorter->count; i++)
        if (!slice_equal(longer->names[i], shorter->names[i]))
            return false;
    return true;
}

static bool is_apart(struct domain_reader *reader, struct fy_node *node, const struct field_path *target,
                     const struct field_path *other)
{
    if (!starts_with_target(target, other) && !starts_with_target(other, target))
        return true;
    yaml_problem_at(&reader->file, node, "%.*s and %.*s are changed at once: which one counts?",
                    SLICE_ARG(target->text), SLICE_ARG(other->text));
    return false;
}

static void read_set(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    struct reading *reading = object;
    void *at = NULL;
    struct fy_node_pair *pair;
    if (!value || !fy_node_is_mapping(value) || fy_node_mapping_is_empty(value)) {
        yaml_problem_at(&reader->file, key, "set is `properties.name: expression` lines");
        return;
    }
    struct transform_set *sets = arena_take(reader->build->arena, TRANSFORM_CHANGES_MAX * sizeof *sets);
    if (!sets) {
        yaml_problem_at(&reader->file, key, FULL);
        return;
    }
    reading->transform.set = sets;
    while ((pair = fy_node_mapping_iterate(value, &at)) != NULL) {
        struct fy_node *name = fy_node_pair_key(pair);
        struct transform_set *set = &sets[reading->transform.set_count];
        if (reading->transform.set_count == TRANSFORM_CHANGES_MAX) {
            yaml_problem_at(&reader->file, name, "at most %d places are set at once", TRANSFORM_CHANGES_MAX);
            return;
        }
        if (!read_target(reader, name, true, &set->target) ||
            !domain_expr(reader, name, yaml_follow(fy_node_pair_value(pair)), TYPE_ANY, reading->fields, &set->value))
            continue;
        bool apart = true;
        for (size_t i = 0; i < reading->transform.set_count && apart; i++)
            apart = is_apart(reader, name, &set->target, &sets[i].target);
        reading->transform.set_count += apart;
    }
}

static void read_remove(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    struct reading *reading = object;
    void *at = NULL;
    struct fy_node *item;
    if (!domain_is_list(reader, key, value, "places, such as properties.name"))
        return;
    struct field_path *targets = arena_take(reader->build->arena, TRANSFORM_CHANGES_MAX * sizeof *targets);
    if (!targets) {
        yaml_problem_at(&reader->file, key, FULL);
        return;
    }
    reading->transform.remove = targets;
    while ((item = domain_next(value, &at)) != NULL) {
        if (reading->transform.remove_count == TRANSFORM_CHANGES_MAX) {
            yaml_problem_at(&reader->file, item, "at most %d places are removed at once", TRANSFORM_CHANGES_MAX);
            return;
        }
        if (read_target(reader, item, false, &targets[reading->transform.remove_count]))
            reading->transform.remove_count++;
    }
}

static void read_lua(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    struct reading *reading = object;
    if (!domain_text(reader, key, value, &reading->transform.lua))
        return;
    bool block = fy_node_get_style(value) == FYNS_LITERAL || fy_node_get_style(value) == FYNS_FOLDED;
    reading->transform.lua_name = reader->domain->file;
    reading->transform.lua_line = yaml_line(&reader->file, yaml_position(value)) + 1;
    if (block && yaml_line(&reader->file, yaml_position(key)) + 1 == reading->transform.lua_line)
        reading->transform.lua_line++; /* the text begins below its `|` */
}

static void read_file(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    struct reading *reading = object;
    char path[DISK_PATH_MAX], *text;
    size_t n;
    if (!domain_file_beside(reader, value ? value : key, DOMAIN_LUA_BYTES_MAX, path, &text, &n))
        return;
    if (domain_copy(reader, value, slice_of(text, n), &reading->transform.lua) &&
        domain_copy(reader, value, slice_from(path), &reading->transform.lua_name))
        reading->transform.lua_line = 1;
    free(text);
}

static const struct domain_key TRANSFORM_KEYS[] = {
    [KEY_NAME] = { "name", "price_in_cents", "[a-z0-9_]+, unique in all domains; required.", read_name, SHAPE_NAME,
                   .required = true },
    [KEY_WHERE] = { "where", "EXPRESSION", "Only events for which this is true; all unless said.", read_where,
                    SHAPE_EXPRESSION },
    [KEY_SET] = { "set", "{properties.x: EXPRESSION}",
                  "Sets what is there or not; null is written as null. All are computed from the event as it came.",
                  read_set, SHAPE_EXPRESSIONS },
    [KEY_REMOVE] = { "remove", "[properties.x]", "Takes these away.", read_remove, SHAPE_TEXTS },
    [KEY_LUA] = { "lua", "SCRIPT", "function transform(event) … return event end; in place of set and remove.",
                  read_lua, SHAPE_TEXT },
    [KEY_FILE] = { "file", "x.lua", "The script as a file beside this one.", read_file, SHAPE_TEXT },
};
const struct domain_level DOMAIN_TRANSFORM = { "transforms[]", TRANSFORM_KEYS, COUNT_OF(TRANSFORM_KEYS) };

/* "…web.yaml:14: what" → 14, and *message behind it; 0: no line is known. */
static int cut_line(const char **message, const char *name)
{
    size_t n = strlen(name);
    const char *end = n > SCRIPT_NAME_MAX ? name + n - SCRIPT_NAME_MAX : name, *at = *message;
    if (strncmp(at, end, strlen(end)) != 0 || at[strlen(end)] != ':')
        return 0;
    at += strlen(end) + 1;
    int line = 0;
    for (; *at >= '0' && *at <= '9' && line < 1000000; at++)
        line = line * 10 + (*at - '0');
    *message = at + strspn(at, ": ");
    return line;
}

/* A script is compiled and run once here, so that a mistake in it stops the start and not the events. */
static void check_script(struct domain_reader *reader, const struct transform *transform, struct fy_node *key)
{
    struct script *script = NULL;
    struct error err;
    char name[DISK_PATH_MAX];
    if (!transform->lua.n)
        return;
    if (script_new(transform->lua, transform->lua_name, transform->lua_line, &script, &err) == OK) {
        script_free(script);
        return;
    }
    const char *message = err.text;
    snprintf(name, sizeof name, "%.*s", SLICE_ARG(transform->lua_name));
    int line = cut_line(&message, name);
    size_t at = line ? yaml_offset(&reader->file, line) : yaml_position(key);
    if (slice_equal(transform->lua_name, reader->domain->file))
        yaml_problem(&reader->file, at, 1, "%s", message);
    else
        yaml_problem_at(&reader->file, key, "%s", err.text);
}

static void check_whole(struct domain_reader *reader, struct fy_node *item, const struct transform *transform,
                        struct fy_node **seen)
{
    if (!seen[KEY_NAME])
        yaml_problem_at(&reader->file, item, "a transform needs a name");
    bool script = seen[KEY_LUA] || seen[KEY_FILE], changes = seen[KEY_SET] || seen[KEY_REMOVE];
    if (seen[KEY_LUA] && seen[KEY_FILE])
        yaml_problem_at(&reader->file, seen[KEY_FILE], "either lua or file");
    else if (script && changes)
        yaml_problem_at(&reader->file, item, "a transform is either a script or set and remove; make two of it");
    else if (!script && !changes)
        yaml_problem_at(&reader->file, item, "a transform needs set, remove, lua or file");
    for (size_t i = 0; i < transform->set_count; i++)
        for (size_t k = 0; k < transform->remove_count; k++)
            if (!is_apart(reader, seen[KEY_REMOVE], &transform->remove[k], &transform->set[i].target))
                return;
}

void domain_read_transform(struct domain_reader *reader, struct fy_node *item)
{
    struct domain_build *build = reader->build;
    struct fy_node *seen[DOMAIN_KEYS_MAX] = { 0 };
    struct field_plan *fields =
        build->transform_count < TRANSFORMS_MAX ? arena_take(build->arena, sizeof *fields) : NULL;
    if (!fields) {
        yaml_problem_at(&reader->file, item, "all domains together have at most %d transforms", TRANSFORMS_MAX);
        return;
    }
    field_plan_init(fields, build->arena);
    fields->lookups = &reader->domain->lookups;
    struct reading reading = { .fields = fields };
    reading.transform.domain = reader->domain->name;
    reading.transform.domain_place = (uint8_t)(reader->domain - build->domains);
    reading.transform.fields = fields;
    domain_read_level(reader, &DOMAIN_TRANSFORM, item, item, &reading, seen);
    if (fy_node_is_mapping(item))
        check_whole(reader, item, &reading.transform, seen);
    check_script(reader, &reading.transform, seen[KEY_LUA] ? seen[KEY_LUA] : seen[KEY_FILE]);
    build->transforms[build->transform_count++] = reading.transform;
}
