/* The `generate` groups: of a domain (who comes, what a visit does), of an event type, of a field. What names event
 * types is read when the whole file has been, so that it may stand anywhere; what names fields, when the event type's
 * fields are known. */
#include <stdio.h>
#include <stdlib.h>

#include "config/domain_reader.h"

#define PAUSE_MS_MAX (24 * 3600000)
#define TIMES_MAX 100000
#define WEIGHT_MAX 1e6

/* ---- numbers ---- */

static bool read_number(struct fy_node *value, const char *behind, double most, double *out)
{
    struct slice text;
    char room[32], *end;
    if (!yaml_scalar(value, &text) || !text.n || text.n >= sizeof room || text.p[0] < '0' || text.p[0] > '9')
        return false;
    memcpy(room, text.p, text.n);
    room[text.n] = '\0';
    double number = strtod(room, &end);
    if (strcmp(end, behind) != 0 || !(number >= 0 && number <= most) || strpbrk(room, "xXpP"))
        return false;
    *out = number;
    return true;
}

static bool read_share(struct domain_reader *reader, struct fy_node *key, struct fy_node *value, double *out)
{
    double percent;
    if (!read_number(value, "%", 100, &percent)) {
        yaml_problem_at(&reader->file, value ? value : key, "a share is written as a percentage, such as 80%%");
        return false;
    }
    *out = percent / 100;
    return true;
}

static bool read_count(struct domain_reader *reader, struct fy_node *key, struct fy_node *value, int64_t most,
                       int64_t *out)
{
    double number;
    if (!read_number(value, "", (double)most, &number) || number < 1 || number != (double)(int64_t)number) {
        yaml_problem_at(&reader->file, value ? value : key, "a whole number from 1 to %lld", (long long)most);
        return false;
    }
    *out = (int64_t)number;
    return true;
}

/* ---- of a field ---- */

struct field_hint {
    struct generate_field *hint;
    struct fy_node *as;
};

static void read_by(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    static const char *const WORDS[] = { "", "event", "visit", "visitor" };
    struct generate_field *hint = ((struct field_hint *)object)->hint;
    if (!domain_text(reader, key, value, &hint->by_name))
        return;
    hint->by = GENERATE_BY_FIELD;
    for (int i = GENERATE_BY_EVENT; i <= GENERATE_BY_VISITOR; i++)
        if (slice_equal(hint->by_name, slice_from(WORDS[i])))
            hint->by = (enum generate_by)i;
}

static void read_present(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    struct generate_field *hint = ((struct field_hint *)object)->hint;
    hint->has_present = read_share(reader, key, value, &hint->present);
}

static void read_distinct(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    (void)!read_count(reader, key, value, UINT32_MAX, &((struct field_hint *)object)->hint->distinct);
}

static void read_as(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    (void)reader, (void)key;
    ((struct field_hint *)object)->as = value;
}

static const struct domain_key FIELD_KEYS[] = {
    { "by", "event | visit | visitor | FIELD",
      "The same value again for the same visitor, visit, or value of another field: a product has one price.", read_by,
      SHAPE_TEXT },
    { "as", "EXPRESSION", "The value is computed of the event's other fields, such as properties.from_level + 1.",
      read_as, SHAPE_EXPRESSION },
    { "present", "80%", "How many events have the field when it is not required; 75% unless said.", read_present,
      SHAPE_TEXT },
    { "distinct", "1000", "How many values there are, few of them frequent; of a dimension 8 unless said.",
      read_distinct, SHAPE_TEXT },
};
const struct domain_level DOMAIN_GENERATE_FIELD = { "event_types[].attributes[].generate", FIELD_KEYS,
                                                    COUNT_OF(FIELD_KEYS) };

void domain_read_generate_field(struct domain_reader *reader, struct fy_node *key, struct fy_node *value,
                                const struct generate_field **out, struct fy_node **out_as)
{
    struct generate_field *hint = arena_take(reader->build->arena, sizeof *hint);
    if (!hint) {
        yaml_problem_at(&reader->file, key, "all domains together are too large");
        return;
    }
    *hint = (struct generate_field){ 0 };
    struct field_hint object = { hint, NULL };
    domain_read_level(reader, &DOMAIN_GENERATE_FIELD, value, key, &object, NULL);
    *out = hint;
    *out_as = object.as;
}

/* ---- of an event type ---- */

static void read_weight(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    const double **out = object;
    double *weight = arena_take(reader->build->arena, sizeof *weight);
    if (weight && read_number(value, "", WEIGHT_MAX, weight))
        *out = weight;
    else
        yaml_problem_at(&reader->file, value ? value : key, "a weight is a number from 0 to 1000000");
}

static const struct domain_key TYPE_KEYS[] = {
    { "weight", "1", "How often beside the others, where no session says it; 0: never.", read_weight, SHAPE_TEXT },
};
const struct domain_level DOMAIN_GENERATE_TYPE = { "event_types[].generate", TYPE_KEYS, COUNT_OF(TYPE_KEYS) };

void domain_read_generate_type(struct domain_reader *reader, struct fy_node *key, struct fy_node *value,
                               const double **out_weight)
{
    domain_read_level(reader, &DOMAIN_GENERATE_TYPE, value, key, (void *)out_weight, NULL);
}

/* ---- a step of a session ---- */

static void read_event_name(struct domain_reader *reader, struct fy_node *value, struct slice *out)
{
    struct slice name;
    const struct domain_build *build = reader->build;
    const char *names[EVENT_TYPES_MAX];
    char room[EVENT_TYPES_MAX][EVENT_IDENTIFIER_MAX + 1];
    size_t count = 0;
    if (!yaml_scalar(value, &name)) {
        yaml_problem_at(&reader->file, value, "this is the name of an event type");
        return;
    }
    for (size_t i = 0; i < build->event_type_count; i++) {
        const struct event_type *type = &build->event_types[i];
        if (!slice_equal(type->domain, reader->domain->name))
            continue;
        if (slice_equal(type->name, name)) {
            *out = type->name;
            return;
        }
        snprintf(room[count], sizeof room[count], "%.*s", SLICE_ARG(type->name));
        names[count] = room[count];
        count++;
    }
    const char *closest = domain_closest(name, names, count);
    yaml_problem_at(&reader->file, value, "the domain has no event type %.*s%s%s%s", SLICE_ARG(name),
                    closest ? "; did you mean " : "", closest ? closest : "", closest ? "?" : "");
}

static void read_event(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    struct generate_step *step = object;
    void *at = NULL;
    struct fy_node *item;
    (void)key;
    if (!value || !fy_node_is_sequence(value)) {
        read_event_name(reader, value ? value : key, &step->events[0]);
        step->event_count = 1;
        return;
    }
    while ((item = domain_next(value, &at)) != NULL) {
        if (step->event_count == GENERATE_STEP_EVENTS_MAX) {
            yaml_problem_at(&reader->file, item, "at most %d event types in a step", GENERATE_STEP_EVENTS_MAX);
            return;
        }
        read_event_name(reader, item, &step->events[step->event_count++]);
    }
}

static void read_times(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    double times;
    if (read_number(value, "", TIMES_MAX, &times) && times >= 1)
        ((struct generate_step *)object)->times = times;
    else
        yaml_problem_at(&reader->file, value ? value : key, "how often on average: a number from 1 to %d", TIMES_MAX);
}

static void read_chance(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    (void)!read_share(reader, key, value, &((struct generate_step *)object)->chance);
}

static void read_else(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    struct generate_step *step = object;
    struct slice word;
    step->otherwise = GENERATE_EVENT;
    if (yaml_scalar(value, &word) && slice_equal(word, SLICE("skip")))
        step->otherwise = GENERATE_SKIP;
    else if (yaml_scalar(value, &word) && slice_equal(word, SLICE("leave")))
        step->otherwise = GENERATE_LEAVE;
    else
        read_event_name(reader, value ? value : key, &step->otherwise_event);
}

static const struct domain_key STEP_KEYS[] = {
    { "event", "page_view | [page_view, search]", "What is done; of several one each time, by their weights; required.",
      read_event, SHAPE_NAME_OR_NAMES, .required = true },
    { "times", "4", "How often, on average; once unless said.", read_times, SHAPE_TEXT },
    { "chance", "30%", "How many of those who come so far take the step; all unless said.", read_chance, SHAPE_TEXT },
    { "else", "skip | leave | EVENT",
      "What the others do: the next step, nothing more, or this event and nothing more.", read_else, SHAPE_TEXT },
};
const struct domain_level DOMAIN_GENERATE_STEP = { "generate.session[]", STEP_KEYS, COUNT_OF(STEP_KEYS) };

/* ---- of a domain ---- */

static void read_visitors(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    (void)!read_count(reader, key, value, GENERATE_VISITORS_MAX, &((struct generate_domain *)object)->visitors);
}

static void read_pause(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    (void)!domain_duration(reader, key, value, 1, PAUSE_MS_MAX, &((struct generate_domain *)object)->pause_ms);
}

static void read_rhythm(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    static const char *const CHOICES[] = { "day", "flat" };
    size_t choice;
    if (domain_choice(reader, key, value, CHOICES, COUNT_OF(CHOICES), &choice))
        ((struct generate_domain *)object)->flat = choice == 1;
}

static void read_step(struct domain_reader *reader, struct fy_node *item, struct generate_step *step)
{
    struct fy_node *seen[DOMAIN_KEYS_MAX] = { 0 };
    *step = (struct generate_step){ .times = 1, .chance = 1 };
    if (item && fy_node_is_scalar(item)) {
        read_event(reader, step, item, item);
        return;
    }
    domain_read_level(reader, &DOMAIN_GENERATE_STEP, item, item, step, seen);
    if (item && fy_node_is_mapping(item) && !step->event_count)
        yaml_problem_at(&reader->file, item, "a step is an event type, or a group of keys with `event`");
}

static void read_session(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    struct generate_domain *hint = object;
    void *at = NULL;
    struct fy_node *item;
    if (!domain_is_list(reader, key, value, "steps"))
        return;
    struct generate_step *steps = arena_take(reader->build->arena, GENERATE_STEPS_MAX * sizeof *steps);
    while (steps && (item = domain_next(value, &at)) != NULL) {
        if (hint->step_count == GENERATE_STEPS_MAX) {
            yaml_problem_at(&reader->file, item, "a session has at most %d steps", GENERATE_STEPS_MAX);
            return;
        }
        read_step(reader, item, &steps[hint->step_count++]);
    }
    hint->session = steps;
}

static const struct domain_key DOMAIN_KEYS[] = {
    { "session", "[page_view, {event: purchase, chance: 10%}]",
      "What a visit does, step by step; any events of the domain unless said.", read_session, SHAPE_NAMES_OR_LEVELS,
      &DOMAIN_GENERATE_STEP },
    { "visitors", "5000", "How many people, or devices, there are; by the rate unless said.", read_visitors,
      SHAPE_TEXT },
    { "pause", "20s", "Mean time between two events of a visit.", read_pause, SHAPE_DURATION },
    { "rhythm", "day | flat", "Busy evenings and quiet nights, or always the same.", read_rhythm, SHAPE_CHOICE },
};
const struct domain_level DOMAIN_GENERATE = { "generate", DOMAIN_KEYS, COUNT_OF(DOMAIN_KEYS) };

void domain_read_generate(struct domain_reader *reader, struct fy_node *key, struct fy_node *value)
{
    struct generate_domain *hint = arena_take(reader->build->arena, sizeof *hint);
    if (!hint) {
        yaml_problem_at(&reader->file, key, "all domains together are too large");
        return;
    }
    *hint = (struct generate_domain){ 0 };
    domain_read_level(reader, &DOMAIN_GENERATE, value, key, hint, NULL);
    reader->domain->generate = hint;
}
