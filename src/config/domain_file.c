/* The top of a domain file. */
#include "config/domain_reader.h"

#include <stdio.h>

#define DAY_MS 86400000
#define NAMES_MAX 1000

static void read_domain_name(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    struct domain *domain = object;
    const struct domain_build *build = reader->build;
    if (!domain_name(reader, key, value, &domain->name))
        return;
    domain->at = yaml_position(value);
    for (size_t i = 0; i < build->domain_count; i++)
        if (&build->domains[i] != domain && slice_equal(build->domains[i].name, domain->name))
            yaml_problem_at(&reader->file, value, "the domain %.*s is described by %.*s already",
                            SLICE_ARG(domain->name), SLICE_ARG(build->domains[i].file));
}

static void read_description(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    struct domain *domain = object;
    if (!domain_text(reader, key, value, &domain->description))
        return;
}

static void read_time_word(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value,
                           enum domain_word word, int64_t least_ms)
{
    int64_t ms;
    if (domain_duration(reader, key, value, least_ms, 7 * (int64_t)DAY_MS, &ms))
        domain_say(object, word, ms, value);
}

static void read_gap(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    read_time_word(reader, object, key, value, DOMAIN_SESSION_GAP, 1000);
}

/* Told as 1 (no) or 2 (yes), 0 being: nobody said. */
static void read_enabled(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    bool enabled;
    if (domain_flag(reader, key, value, &enabled))
        domain_say(object, DOMAIN_SESSIONS_ENABLED, enabled ? 2 : 1, value);
}

static void read_out_of_orderness(struct domain_reader *reader, void *object, struct fy_node *key,
                                  struct fy_node *value)
{
    read_time_word(reader, object, key, value, DOMAIN_OUT_OF_ORDERNESS, 1);
}

/* Known before the event types are read, wherever it stands (take_early). */
static void read_compatibility(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    domain_read_compatibility(reader, key, value, &((struct domain *)object)->compatibility);
}

static void read_sessions(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    domain_read_level(reader, &DOMAIN_SESSIONS, value, key, object, NULL);
}

static void read_time(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    domain_read_level(reader, &DOMAIN_TIME, value, key, object, NULL);
}

static void read_quality(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    domain_read_level(reader, &DOMAIN_QUALITY, value, key, object, NULL);
}

static void read_list(struct domain_reader *reader, struct fy_node *key, struct fy_node *value, const char *of_what,
                      void (*read)(struct domain_reader *reader, struct fy_node *item))
{
    void *at = NULL;
    struct fy_node *item;
    if (!domain_is_list(reader, key, value, of_what))
        return;
    for (size_t i = 0; (item = domain_next(value, &at)) != NULL; i++) {
        if (i == NAMES_MAX) {
            yaml_problem_at(&reader->file, item, "at most %d of these", NAMES_MAX);
            return;
        }
        read(reader, item);
    }
}

static void read_windows(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    (void)object;
    read_list(reader, key, value, "windows", domain_read_window);
}

static void read_transforms(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    (void)object;
    read_list(reader, key, value, "transforms", domain_read_transform);
}

static void read_event_types(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    (void)object;
    read_list(reader, key, value, "event types", domain_read_event_type);
}

/* Read before what must be unique, wherever they stand (read_whose_early). */
static void read_tenants(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    (void)reader, (void)object, (void)key, (void)value;
}

static void read_fallback(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    (void)reader, (void)object, (void)key, (void)value;
}

/* Read before everything else, wherever they stand (read_tables_early): expressions speak of them. */
static void read_tables(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    (void)reader, (void)object, (void)key, (void)value;
}

static void read_generate(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    (void)object;
    reader->generate_key = key;
    reader->generate = value;
}

static const struct domain_key TOP_KEYS[] = {
    { "domain", "NAME", "The domain's name; required, one file each.", read_domain_name, SHAPE_NAME, .required = true },
    { "description", "TEXT", "For people.", read_description, SHAPE_TEXT },
    { "tenants", "others | [NAME, …]",
      "Whose events it is for: these tenants', or those of all whom no domain names; everybody's unless said.",
      read_tenants, SHAPE_NAME_OR_NAMES },
    { "fallback", "false",
      "true: where another of a tenant's domains has an event type of the same name, sessions, time or targets of "
      "quality, that one holds.",
      read_fallback, SHAPE_BOOLEAN },
    { "sessions", "{gap: 30m}", "How visits are told apart; holds for all domains of a tenant.", read_sessions,
      SHAPE_LEVEL, &DOMAIN_SESSIONS },
    { "time", "{out_of_orderness: 10m}", "How late events usually are; holds for all domains of a tenant.", read_time,
      SHAPE_LEVEL, &DOMAIN_TIME },
    { "quality", "{completeness: 0.99}",
      "How good its events should be: shares of an hour, in place of the platform's settings of these names.",
      read_quality, SHAPE_LEVEL, &DOMAIN_QUALITY },
    { "windows", "[…]", "What is counted, by which key, over which time.", read_windows, SHAPE_LEVELS, &DOMAIN_WINDOW },
    { "transforms", "[…]", "What is changed in events before anything is counted, in this order.", read_transforms,
      SHAPE_LEVELS, &DOMAIN_TRANSFORM },
    { "event_types", "[…]", "What the events are, and what is in them.", read_event_types, SHAPE_LEVELS,
      &DOMAIN_EVENT_TYPE },
    { "dimension_tables", "[…]", "What is known of what events speak of, by key and time: products, plans, stores.",
      read_tables, SHAPE_LEVELS, &DOMAIN_TABLE },
    { "compatibility", "backward | forward | full | none",
      "What a change of an event type must keep, or it is refused (docs/schemas.md); backward unless said.",
      read_compatibility, SHAPE_CHOICE },
    { "generate", "{session: […]}", "How `weir generate` makes this domain's events.", read_generate, SHAPE_LEVEL,
      &DOMAIN_GENERATE },
};
static const struct domain_key SESSIONS_KEYS[] = {
    { "gap", "30m", "A visit ends when its visitor does nothing for so long; 1s to 7d.", read_gap, SHAPE_DURATION },
    { "enabled", "true", "false: visits are not told apart at all, and the table sessions gets nothing new.",
      read_enabled, SHAPE_BOOLEAN },
};
static const struct domain_key TIME_KEYS[] = {
    { "out_of_orderness", "10m", "A window is held open so long behind the newest event of its tenant; up to 7d.",
      read_out_of_orderness, SHAPE_DURATION },
};
const struct domain_level DOMAIN_TOP = { "", TOP_KEYS, COUNT_OF(TOP_KEYS) };
const struct domain_level DOMAIN_SESSIONS = { "sessions", SESSIONS_KEYS, COUNT_OF(SESSIONS_KEYS) };
const struct domain_level DOMAIN_TIME = { "time", TIME_KEYS, COUNT_OF(TIME_KEYS) };

/* Wherever they stand, windows need the name (they are told apart by it), event types what changes must keep. What is
 * wrong with them is told in its turn. */
static void take_early(struct domain_reader *reader, struct fy_node *root)
{
    struct slice text;
    if (yaml_scalar(yaml_member(root, "domain"), &text) && text.n <= DOMAIN_NAME_MAX &&
        !domain_copy(reader, root, text, &reader->domain->name))
        return;
    for (int i = EVENT_COMPATIBLE_NONE; i <= EVENT_COMPATIBLE_FULL; i++)
        if (yaml_scalar(yaml_member(root, "compatibility"), &text) &&
            slice_equal(text, slice_from(event_compatibility_name((enum event_compatibility)i))))
            reader->domain->compatibility = (enum event_compatibility)i;
}

/* A name that is there twice is a mistake that was told; the first one counts. */
static void read_whose_early(struct domain_reader *reader, struct fy_node *root)
{
    void *at = NULL;
    struct fy_node_pair *pair;
    struct slice name;
    bool tenants = false, fallback = false;
    while ((pair = fy_node_mapping_iterate(root, &at)) != NULL) {
        struct fy_node *key = fy_node_pair_key(pair), *value = yaml_follow(fy_node_pair_value(pair));
        if (!yaml_scalar(key, &name))
            continue;
        if (slice_equal(name, SLICE("tenants")) && !tenants) {
            tenants = true;
            domain_read_tenants(reader, key, value);
        } else if (slice_equal(name, SLICE("fallback")) && !fallback) {
            fallback = true;
            (void)!domain_flag(reader, key, value, &reader->domain->is_fallback);
        }
    }
}

static void read_tables_early(struct domain_reader *reader, struct fy_node *root)
{
    struct domain_build *build = reader->build;
    void *at = NULL;
    struct fy_node_pair *pair;
    struct slice name;
    reader->domain->lookups.tables = build->lookups + build->table_count;
    build->fields->lookups = &reader->domain->lookups;
    while ((pair = fy_node_mapping_iterate(root, &at)) != NULL)
        if (yaml_scalar(fy_node_pair_key(pair), &name) && slice_equal(name, SLICE("dimension_tables"))) {
            read_list(reader, fy_node_pair_key(pair), yaml_follow(fy_node_pair_value(pair)), "dimension tables",
                      domain_read_table);
            return;
        }
}

void domain_read_file(struct domain_reader *reader)
{
    struct fy_node *seen[DOMAIN_KEYS_MAX] = { 0 };
    struct fy_document *document = yaml_parse(&reader->file);
    struct fy_node *root = document ? fy_document_root(document) : NULL;
    if (root && fy_node_is_mapping(root)) {
        take_early(reader, root);
        read_whose_early(reader, root);
        read_tables_early(reader, root);
        domain_read_level(reader, &DOMAIN_TOP, root, root, reader->domain, seen);
        if (reader->generate_key)
            domain_read_generate(reader, reader->generate_key, reader->generate);
        domain_agree(reader);
        if (!seen[0])
            yaml_problem(&reader->file, 0, 1, "the domain's name is missing: `domain: NAME`");
    } else if (!reader->file.count) {
        yaml_problem(&reader->file, 0, 1, "a domain is written as `key: value` lines, the first is `domain: NAME`");
    }
    fy_document_destroy(document);
}

bool domain_key_at(size_t index, struct domain_key_help *out)
{
    static const struct domain_level *const LEVELS[] = {
        &DOMAIN_TOP,           &DOMAIN_SESSIONS,      &DOMAIN_TIME,           &DOMAIN_QUALITY,    &DOMAIN_WINDOW,
        &DOMAIN_TRANSFORM,     &DOMAIN_EVENT_TYPE,    &DOMAIN_EVENT_FIELD,    &DOMAIN_EVENT_RULE, &DOMAIN_GENERATE,
        &DOMAIN_GENERATE_STEP, &DOMAIN_GENERATE_TYPE, &DOMAIN_GENERATE_FIELD, &DOMAIN_TABLE,      &DOMAIN_TABLE_FROM
    };
    static _Thread_local char path[64];
    for (size_t i = 0; i < COUNT_OF(LEVELS); i++) {
        if (index >= LEVELS[i]->count) {
            index -= LEVELS[i]->count;
            continue;
        }
        const struct domain_key *key = &LEVELS[i]->keys[index];
        snprintf(path, sizeof path, "%s%s%s", LEVELS[i]->path, LEVELS[i]->path[0] ? "." : "", key->name);
        *out = (struct domain_key_help){ path, key->form, key->help };
        return true;
    }
    return false;
}
