/* One item of `event_types`. Its fields are collected from three lists and put into one, by role; then the rules are
 * read, so that place i of the plan is field i. */
#include <stdlib.h>

#include "config/domain_reader.h"

#define CENTS "_cents"

enum { KEY_NAME };

struct reading {
    struct event_type type;
    struct field_plan *plan;
    struct event_field fields[EVENT_FIELDS_MAX]; /* as they stand in the file */
    struct fy_node *as[EVENT_FIELDS_MAX];        /* generate.as of each, or NULL */
    size_t count;
    struct fy_node *rules, *rules_key;
    enum event_otherwise otherwise;
    bool full;
};

/* ---- keys ---- */

static void make_key(struct domain_reader *reader, struct reading *reading)
{
    const struct slice domain = reader->domain->name, name = reading->type.name;
    char *key = arena_take(reader->build->arena, domain.n + 1 + name.n);
    reading->full |= !key;
    if (!key)
        return;
    memcpy(key, domain.p, domain.n);
    key[domain.n] = '.';
    memcpy(key + domain.n + 1, name.p, name.n);
    reading->type.key = slice_of(key, domain.n + 1 + name.n);
}

/* In the names of views the point is a _ (schema/ddl.c). */
static bool have_one_view(struct slice a, struct slice b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if ((a.p[i] == '.' ? '_' : a.p[i]) != (b.p[i] == '.' ? '_' : b.p[i]))
            return false;
    return true;
}

static void check_unique(struct domain_reader *reader, const struct event_type *type, struct fy_node *value)
{
    char place[DOMAIN_PLACE_MAX];
    const struct domain_build *build = reader->build;
    for (size_t i = 0; i < build->event_type_count; i++) {
        const struct event_type *other = &build->event_types[i];
        const struct domain *theirs = &build->domains[other->domain_place];
        if (slice_equal(other->name, type->name) && domain_contradicts(theirs, reader->domain)) {
            yaml_problem_at(&reader->file, value, "there is an event type %.*s already, in domain %.*s (%s)%s",
                            SLICE_ARG(type->name), SLICE_ARG(other->domain), domain_place(theirs, other->at, place),
                            theirs == reader->domain ? ""
                                                     : ", and there may be a tenant that has both: `tenants` says "
                                                       "whose events a domain is for, `fallback: true` that it yields");
            return;
        }
        if (have_one_view(other->key, type->key)) {
            yaml_problem_at(&reader->file, value, "its view would have the name of that of %.*s (%s)",
                            SLICE_ARG(other->key), domain_place(theirs, other->at, place));
            return;
        }
    }
}

static void read_name(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    struct reading *reading = object;
    if (!domain_identifier(reader, key, value, &reading->type.name))
        return;
    reading->type.at = yaml_position(value);
    reading->type.key = reading->type.name;
    if (reader->domain->audience == DOMAIN_FOR_NAMED || reader->domain->is_fallback)
        make_key(reader, reading);
    check_unique(reader, &reading->type, value);
}

static void read_description(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    (void)!domain_text(reader, key, value, &((struct reading *)object)->type.description);
}

static void read_deprecated(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    (void)!domain_text(reader, key, value, &((struct reading *)object)->type.deprecated);
}

static void read_compatibility(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    domain_read_compatibility(reader, key, value, &((struct reading *)object)->type.compatibility);
}

static void read_unknown(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    static const char *const CHOICES[] = { "reject", "quarantine", "tag", "allow" };
    struct event_type *type = &((struct reading *)object)->type;
    size_t choice;
    if (!domain_choice(reader, key, value, CHOICES, COUNT_OF(CHOICES), &choice))
        return;
    type->strict = choice < 3;
    type->unknown = type->strict ? (enum event_otherwise)choice : EVENT_REJECT;
}

/* Known before the lists are read, wherever it stands (take_otherwise_early). */
static void read_on_failure(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    domain_read_otherwise(reader, key, value, &((struct reading *)object)->otherwise);
}

static bool is_new(struct domain_reader *reader, const struct reading *reading, struct fy_node *item, struct slice name)
{
    for (size_t i = 0; i < reading->count; i++)
        if (slice_equal(reading->fields[i].name, name)) {
            yaml_problem_at(&reader->file, item, "there is %s %.*s already",
                            reading->fields[i].role == EVENT_ATTRIBUTE ? "an attribute"
                            : reading->fields[i].role == EVENT_METRIC  ? "a metric"
                                                                       : "a dimension",
                            SLICE_ARG(name));
            return false;
        }
    return true;
}

static void read_fields(struct domain_reader *reader, struct reading *reading, struct fy_node *key,
                        struct fy_node *value, enum event_role role)
{
    void *at = NULL;
    struct fy_node *item;
    if (!domain_is_list(reader, key, value, "names, or groups of keys with a name"))
        return;
    while ((item = domain_next(value, &at)) != NULL) {
        if (reading->count == EVENT_FIELDS_MAX) {
            yaml_problem_at(&reader->file, item, "an event type has at most %d fields", EVENT_FIELDS_MAX);
            return;
        }
        struct event_field *field = &reading->fields[reading->count];
        *field = (struct event_field){ .otherwise = reading->otherwise };
        struct fy_node **as = &reading->as[reading->count];
        *as = NULL;
        if (domain_read_field(reader, role, item, field, as) && is_new(reader, reading, item, field->name))
            reading->count++;
    }
}

static void read_attributes(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    read_fields(reader, object, key, value, EVENT_ATTRIBUTE);
}

static void read_dimensions(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    read_fields(reader, object, key, value, EVENT_DIMENSION);
}

static void read_metrics(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    read_fields(reader, object, key, value, EVENT_METRIC);
}

static void read_rules(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    struct reading *reading = object;
    if (!domain_is_list(reader, key, value, "rules"))
        return;
    reading->rules = value;
    reading->rules_key = key;
}

static void read_retention(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    struct event_type *type = &((struct reading *)object)->type;
    if (domain_days(reader, key, value, &type->retention_days))
        type->retention_at = yaml_position(value);
}

static void read_generate(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    domain_read_generate_type(reader, key, value, &((struct reading *)object)->type.weight);
}

static const struct domain_key EVENT_KEYS[] = {
    [KEY_NAME] = { "name", "purchase",
                   "The event_type; a letter, then letters, digits and _; unique among a tenant's domains; required.",
                   read_name, SHAPE_TEXT, .required = true },
    { "attributes", "[product_id, {name: …, …}]", "Fields of properties that are kept; text unless said.",
      read_attributes, SHAPE_NAMES_OR_LEVELS, &DOMAIN_EVENT_FIELD },
    { "dimensions", "[platform]", "Fields with few values, which one groups by; written as attributes are.",
      read_dimensions, SHAPE_NAMES_OR_LEVELS, &DOMAIN_EVENT_FIELD },
    { "metrics", "[{name: amount, type: money}]", "Fields that are numbers; written as attributes are.", read_metrics,
      SHAPE_NAMES_OR_LEVELS, &DOMAIN_EVENT_FIELD },
    { "rules", "[{name: …, expect: EXPRESSION}]", "What must hold between fields; up to 16.", read_rules, SHAPE_LEVELS,
      &DOMAIN_EVENT_RULE },
    { "unknown_fields", "allow | reject | quarantine | tag",
      "What becomes of an event with a field of properties that is not declared; allow unless said.", read_unknown,
      SHAPE_CHOICE },
    { "on_failure", "reject | quarantine | tag",
      "What becomes of an event at fault: a dead letter; one that may be released; or stored, saying so. reject unless "
      "said.",
      read_on_failure, SHAPE_CHOICE },
    { "description", "TEXT", "For people.", read_description, SHAPE_TEXT },
    { "deprecated", "TEXT", "It goes away: what to use instead.", read_deprecated, SHAPE_TEXT },
    { "compatibility", "backward | forward | full | none",
      "What a change of it must keep, or it is refused; as the domain says unless said.", read_compatibility,
      SHAPE_CHOICE },
    { "retention", "90d", "Its events are kept so long, in whole days; as long as their tenant's unless said.",
      read_retention, SHAPE_DURATION },
    { "generate", "{weight: 5}", "How `weir generate` makes it.", read_generate, SHAPE_LEVEL, &DOMAIN_GENERATE_TYPE },
};
const struct domain_level DOMAIN_EVENT_TYPE = { "event_types[]", EVENT_KEYS, COUNT_OF(EVENT_KEYS) };

/* ---- rules ---- */

enum { RULE_NAME, RULE_EXPECT };

struct rule_reading {
    struct event_rule *rule;
    struct field_plan *plan;
};

static void read_rule_name(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    (void)!domain_name(reader, key, value, &((struct rule_reading *)object)->rule->name);
}

static void read_expect(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    struct rule_reading *reading = object;
    if (domain_expr(reader, key, value, TYPE_BOOL, reading->plan, &reading->rule->expect))
        (void)!domain_text(reader, key, value, &reading->rule->text);
}

static void read_message(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    (void)!domain_text(reader, key, value, &((struct rule_reading *)object)->rule->message);
}

static void read_rule_on_failure(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    domain_read_otherwise(reader, key, value, &((struct rule_reading *)object)->rule->otherwise);
}

static const struct domain_key RULE_KEYS[] = {
    [RULE_NAME] = { "name", "paid_something", "[a-z0-9_]+; required.", read_rule_name, SHAPE_NAME, .required = true },
    [RULE_EXPECT] = { "expect", "EXPRESSION", "The event is at fault when this is false; not when it is null.",
                      read_expect, SHAPE_EXPRESSION, .required = true },
    { "message", "TEXT", "What is said of an event at fault, for people.", read_message, SHAPE_TEXT },
    { "on_failure", "reject | quarantine | tag", "As the event type says unless said.", read_rule_on_failure,
      SHAPE_CHOICE },
};
const struct domain_level DOMAIN_EVENT_RULE = { "event_types[].rules[]", RULE_KEYS, COUNT_OF(RULE_KEYS) };

static bool read_rule(struct domain_reader *reader, const struct reading *reading, struct fy_node *item,
                      struct event_rule *rules, size_t count)
{
    struct fy_node *seen[DOMAIN_KEYS_MAX] = { 0 };
    struct rule_reading rule = { &rules[count], reading->plan };
    *rule.rule = (struct event_rule){ .otherwise = reading->otherwise };
    domain_read_level(reader, &DOMAIN_EVENT_RULE, item, item, &rule, seen);
    if (!item || !fy_node_is_mapping(item))
        return false;
    if (!seen[RULE_NAME] || !seen[RULE_EXPECT])
        yaml_problem_at(&reader->file, item, "a rule has a name, and an expression behind `expect`");
    for (size_t i = 0; i < count; i++)
        if (slice_equal(rules[i].name, rule.rule->name))
            yaml_problem_at(&reader->file, item, "there is a rule %.*s already", SLICE_ARG(rules[i].name));
    return rule.rule->expect != NULL;
}

static void add_rules(struct domain_reader *reader, struct reading *reading)
{
    void *at = NULL;
    struct fy_node *item;
    if (!reading->rules)
        return;
    struct event_rule *rules = arena_take(reader->build->arena, EVENT_RULES_MAX * sizeof *rules);
    reading->full |= !rules;
    while (rules && (item = domain_next(reading->rules, &at)) != NULL) {
        if (reading->type.rule_count == EVENT_RULES_MAX) {
            yaml_problem_at(&reader->file, item, "an event type has at most %d rules", EVENT_RULES_MAX);
            return;
        }
        if (read_rule(reader, reading, item, rules, reading->type.rule_count))
            reading->type.rule_count++;
    }
    reading->type.rules = rules;
}

/* ---- the whole ---- */

static void add_path(struct reading *reading, struct slice name, size_t *out_place)
{
    reading->full |= field_plan_add(reading->plan, FIELD_PROPERTIES, &name, 1, out_place) != OK;
}

/* Cents stand in the event under a name of their own, which nothing else may have. */
static void add_cents(struct domain_reader *reader, struct reading *reading, struct event_field *field,
                      struct fy_node *item)
{
    char room[EVENT_IDENTIFIER_MAX + sizeof CENTS];
    memcpy(room, field->name.p, field->name.n);
    memcpy(room + field->name.n, CENTS, sizeof CENTS);
    struct slice name = slice_of(room, field->name.n + sizeof CENTS - 1);
    for (size_t i = 0; i < reading->count; i++)
        if (slice_equal(reading->fields[i].name, name))
            yaml_problem_at(&reader->file, item, "the money %.*s is kept in %.*s, which is a field of its own here",
                            SLICE_ARG(field->name), SLICE_ARG(name));
    add_path(reading, name, &field->cents_place);
}

static void add_fields(struct domain_reader *reader, struct reading *reading, struct fy_node *item)
{
    struct event_type *type = &reading->type;
    struct event_field *fields = arena_take(reader->build->arena, (reading->count + 1) * sizeof *fields);
    size_t place;
    reading->full |= !fields;
    if (!fields)
        return;
    for (int role = EVENT_ATTRIBUTE; role <= EVENT_METRIC; role++)
        for (size_t i = 0; i < reading->count; i++)
            if (reading->fields[i].role == (enum event_role)role)
                fields[type->field_count++] = reading->fields[i];
    type->fields = fields;
    for (size_t i = 0; i < type->field_count; i++)
        add_path(reading, fields[i].name, &place);
    for (size_t i = 0; i < type->field_count; i++)
        if (fields[i].kind == EVENT_MONEY)
            add_cents(reader, reading, &fields[i], item);
}

static const struct event_field *field_named(const struct event_type *type, struct slice name)
{
    for (size_t i = 0; i < type->field_count; i++)
        if (slice_equal(type->fields[i].name, name))
            return &type->fields[i];
    return NULL;
}

/* What a value goes by must be there, and not go by it in turn. */
static void check_by(struct domain_reader *reader, const struct reading *reading, struct fy_node *item,
                     const struct event_field *field)
{
    const struct event_field *at = field;
    for (size_t i = 0; at && at->generate && at->generate->by == GENERATE_BY_FIELD; i++) {
        if (i == reading->type.field_count) {
            yaml_problem_at(&reader->file, item, "%.*s: generate.by goes in a ring", SLICE_ARG(field->name));
            return;
        }
        struct slice name = at->generate->by_name;
        at = field_named(&reading->type, name);
        if (!at && i == 0)
            yaml_problem_at(&reader->file, item, "%.*s: generate.by is event, visit, visitor or a field; %.*s is none",
                            SLICE_ARG(field->name), SLICE_ARG(name));
    }
}

/* How fields are made of others: now that all are known. */
static void read_generated(struct domain_reader *reader, struct reading *reading, struct fy_node *item)
{
    const struct event_type *type = &reading->type;
    for (size_t i = 0; i < reading->count && type->fields; i++) {
        check_by(reader, reading, item, field_named(type, reading->fields[i].name));
        struct generate_field *hint = (struct generate_field *)reading->fields[i].generate; /* still being read */
        if (reading->as[i])
            (void)!domain_expr(reader, reading->as[i], reading->as[i], TYPE_ANY, reading->plan, &hint->as);
    }
}

/* Fields and rules take it over, wherever it stands among the keys. What is wrong with it is told in its turn. */
static void take_otherwise_early(struct fy_node *item, struct reading *reading)
{
    struct slice text;
    if (!fy_node_is_mapping(item) || !yaml_scalar(yaml_member(item, "on_failure"), &text))
        return;
    for (int i = EVENT_REJECT; i <= EVENT_TAG; i++)
        if (slice_equal(text, slice_from(event_otherwise_name((enum event_otherwise)i))))
            reading->otherwise = (enum event_otherwise)i;
}

static void read_whole(struct domain_reader *reader, struct reading *reading, struct fy_node *item)
{
    struct fy_node *seen[DOMAIN_KEYS_MAX] = { 0 };
    take_otherwise_early(item, reading);
    domain_read_level(reader, &DOMAIN_EVENT_TYPE, item, item, reading, seen);
    if (!fy_node_is_mapping(item))
        return;
    if (!seen[KEY_NAME])
        yaml_problem_at(&reader->file, item, "an event type needs a name");
    add_fields(reader, reading, item);
    read_generated(reader, reading, item);
    add_rules(reader, reading);
    if (reading->full)
        yaml_problem_at(&reader->file, item, "an event type looks at no more than %d fields, its rules included",
                        FIELD_PATHS_MAX);
    reader->build->event_types[reader->build->event_type_count++] = reading->type;
    reader->domain->event_type_count++;
}

void domain_read_event_type(struct domain_reader *reader, struct fy_node *item)
{
    struct domain_build *build = reader->build;
    struct field_plan *plan = build->event_type_count < EVENT_TYPES_MAX ? arena_take(build->arena, sizeof *plan) : NULL;
    struct reading *reading = calloc(1, sizeof *reading);
    if (!reading)
        abort();
    if (plan) {
        field_plan_init(plan, build->arena);
        plan->lookups = &reader->domain->lookups;
        reading->plan = plan;
        reading->type.plan = plan;
        reading->type.domain = reader->domain->name;
        reading->type.domain_place = (uint8_t)(reader->domain - build->domains);
        reading->type.compatibility = reader->domain->compatibility;
        read_whole(reader, reading, item);
    } else {
        yaml_problem_at(&reader->file, item, "all domains together have at most %d event types", EVENT_TYPES_MAX);
    }
    free(reading);
}
