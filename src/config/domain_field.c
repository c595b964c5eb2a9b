/* An attribute, a dimension or a metric of an event type: `- name`, or a group of keys. What only makes sense together
 * is checked at the end, by the field's kind. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/json_text.h"
#include "base/timestamp.h"
#include "config/domain_reader.h"

#define DEFAULT_JSON_MAX 4096 /* bytes */

enum { KEY_NAME, KEY_TYPE, KEY_MIN, KEY_MAX, KEY_VALUES, KEY_FORMAT, KEY_PATTERN, KEY_DEFAULT };

static const char *const KINDS[] = { "text", "integer", "float", "money", "boolean", "timestamp" };
static const char *const ROLES[] = { "attribute", "dimension", "metric" };
static const char *const FORMATS[] = { "any", "email", "url", "uuid", "date", "country", "currency", "ip" };
static const char *const PII[] = { "none", "hash", "drop", "encrypt" };
static const char *const OTHERWISE[] = { "reject", "quarantine", "tag" };
static const char *const COMPATIBILITY[] = { "none", "backward", "forward", "full" };
/* Names that every event has beside its properties: a schema or a table could not tell them apart. */
static const char *const TAKEN[] = { "event_id",   "customer_id", "visitor_id", "user_id",    "session_id",
                                     "event_type", "event_name",  "timestamp",  "received_at" };

const char *event_kind_name(enum event_kind kind)
{
    return KINDS[kind];
}

const char *event_role_name(enum event_role role)
{
    return ROLES[role];
}

const char *event_format_name(enum event_format format)
{
    return FORMATS[format];
}

const char *event_pii_name(enum event_pii pii)
{
    return PII[pii];
}

const char *event_otherwise_name(enum event_otherwise otherwise)
{
    return OTHERWISE[otherwise];
}

const char *event_compatibility_name(enum event_compatibility compatibility)
{
    return COMPATIBILITY[compatibility];
}

/* min, max and default wait, as their nodes, until the kind is known. */
struct reading {
    struct event_field *field;
    struct fy_node *min, *max, *default_value, *as;
};

/* ---- keys ---- */

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool domain_identifier(struct domain_reader *reader, struct fy_node *key, struct fy_node *value, struct slice *out)
{
    struct slice text;
    if (!domain_text(reader, key, value, &text))
        return false;
    bool fine = text.n <= EVENT_IDENTIFIER_MAX && is_letter(text.p[0]);
    for (size_t i = 0; i < text.n; i++)
        fine &= is_letter(text.p[i]) || (text.p[i] >= '0' && text.p[i] <= '9');
    if (fine)
        *out = text;
    else
        yaml_problem_at(&reader->file, value, "a name here is a letter or _, then letters, digits and _; at most %d",
                        EVENT_IDENTIFIER_MAX);
    return fine;
}

static void read_name_of(struct domain_reader *reader, struct event_field *field, struct fy_node *key,
                         struct fy_node *value)
{
    if (!domain_identifier(reader, key, value, &field->name))
        return;
    field->at = yaml_position(value);
    for (size_t i = 0; i < COUNT_OF(TAKEN); i++)
        if (slice_equal(field->name, slice_from(TAKEN[i])))
            yaml_problem_at(&reader->file, value, "every event has %s already, beside its properties", TAKEN[i]);
}

static void read_name(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    read_name_of(reader, ((struct reading *)object)->field, key, value);
}

static void read_type(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    size_t choice;
    if (domain_choice(reader, key, value, KINDS, COUNT_OF(KINDS), &choice))
        ((struct reading *)object)->field->kind = (enum event_kind)choice;
}

static void read_description(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    (void)!domain_text(reader, key, value, &((struct reading *)object)->field->description);
}

static void read_deprecated(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    (void)!domain_text(reader, key, value, &((struct reading *)object)->field->deprecated);
}

static void read_required(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    (void)!domain_flag(reader, key, value, &((struct reading *)object)->field->required);
}

static void read_min(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    (void)reader, (void)key;
    ((struct reading *)object)->min = value;
}

static void read_max(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    (void)reader, (void)key;
    ((struct reading *)object)->max = value;
}

static void read_default(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    (void)reader, (void)key;
    ((struct reading *)object)->default_value = value;
}

static void read_values(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    struct event_field *field = ((struct reading *)object)->field;
    void *at = NULL;
    struct fy_node *item;
    size_t count = 0, n = 0;
    if (!domain_is_list(reader, key, value, "values"))
        return;
    while (domain_next(value, &at))
        count++;
    struct slice *choices = NULL;
    if (count && count <= EVENT_CHOICES_MAX)
        choices = arena_take(reader->build->arena, count * sizeof *choices);
    if (!choices) {
        yaml_problem_at(&reader->file, key, "1 to %d values; without this key it is any", EVENT_CHOICES_MAX);
        return;
    }
    for (at = NULL; n < count && (item = domain_next(value, &at)) != NULL; n++)
        if (!domain_text(reader, item, item, &choices[n]))
            return;
    field->choices = choices;
    field->choice_count = count;
}

static void read_format(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    size_t choice;
    if (domain_choice(reader, key, value, FORMATS, COUNT_OF(FORMATS), &choice))
        ((struct reading *)object)->field->format = (enum event_format)choice;
}

static void read_pattern(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    (void)!domain_text(reader, key, value, &((struct reading *)object)->field->pattern);
}

static void read_pii(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    size_t choice;
    if (domain_choice(reader, key, value, PII, COUNT_OF(PII), &choice))
        ((struct reading *)object)->field->pii = (enum event_pii)choice;
}

void domain_read_otherwise(struct domain_reader *reader, struct fy_node *key, struct fy_node *value,
                           enum event_otherwise *out)
{
    size_t choice;
    if (domain_choice(reader, key, value, OTHERWISE, COUNT_OF(OTHERWISE), &choice))
        *out = (enum event_otherwise)choice;
}

void domain_read_compatibility(struct domain_reader *reader, struct fy_node *key, struct fy_node *value,
                               enum event_compatibility *out)
{
    size_t choice;
    if (domain_choice(reader, key, value, COMPATIBILITY, COUNT_OF(COMPATIBILITY), &choice))
        *out = (enum event_compatibility)choice;
}

static void read_on_failure(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    domain_read_otherwise(reader, key, value, &((struct reading *)object)->field->otherwise);
}

static void read_generate(struct domain_reader *reader, void *object, struct fy_node *key, struct fy_node *value)
{
    struct reading *reading = object;
    domain_read_generate_field(reader, key, value, &reading->field->generate, &reading->as);
}

static const struct domain_key FIELD_KEYS[] = {
    [KEY_NAME] = { "name", "amount", "In properties; a letter, then letters, digits and _; required.", read_name,
                   SHAPE_TEXT, .required = true },
    [KEY_TYPE] = { "type", "text | integer | float | money | boolean | timestamp",
                   "text unless said; of a metric float. Money is 19.99, kept as cents in NAME_cents.", read_type,
                   SHAPE_CHOICE },
    [KEY_MIN] = { "min", "0", "The least that is allowed: a number, an amount, a time; of text, how many characters.",
                  read_min, SHAPE_TEXT },
    [KEY_MAX] = { "max", "100", "The most that is allowed.", read_max, SHAPE_TEXT },
    [KEY_VALUES] = { "values", "[new, used]", "Only these; of text and integers.", read_values, SHAPE_TEXTS },
    [KEY_FORMAT] = { "format", "email | url | uuid | date | country | currency | ip", "What a text looks like.",
                     read_format, SHAPE_CHOICE },
    [KEY_PATTERN] = { "pattern", "'SKU-*'", "A text as of `matches`: * is anything, ? one character.", read_pattern,
                      SHAPE_TEXT },
    [KEY_DEFAULT] = { "default", "none", "Put in where the field is missing or null.", read_default, SHAPE_TEXT },
    { "required", "false", "true: an event without it, or with null, is at fault.", read_required, SHAPE_BOOLEAN },
    { "pii", "none | hash | drop | encrypt", "Of a person: what is done with it before the event is stored.", read_pii,
      SHAPE_CHOICE },
    { "on_failure", "reject | quarantine | tag",
      "What becomes of an event in which this is wrong; as the event type says unless said.", read_on_failure,
      SHAPE_CHOICE },
    { "description", "TEXT", "For people.", read_description, SHAPE_TEXT },
    { "deprecated", "TEXT", "It goes away: what to use instead.", read_deprecated, SHAPE_TEXT },
    { "generate", "{by: visitor}", "How `weir generate` makes it.", read_generate, SHAPE_LEVEL,
      &DOMAIN_GENERATE_FIELD },
};
const struct domain_level DOMAIN_EVENT_FIELD = { "event_types[].attributes[]", FIELD_KEYS, COUNT_OF(FIELD_KEYS) };

/* ---- the whole, by its kind ---- */

static bool to_whole(struct slice text, int64_t *out)
{
    char room[24], *end;
    const size_t sign = text.n && text.p[0] == '-';
    if (text.n == sign || text.n >= sizeof room || text.p[sign] < '0' || text.p[sign] > '9')
        return false;
    if (text.p[sign] == '0' && text.n > sign + 1) /* 007 is no JSON */
        return false;
    memcpy(room, text.p, text.n);
    room[text.n] = '\0';
    errno = 0;
    *out = strtoll(room, &end, 10);
    return !errno && !*end;
}

static bool to_number(struct slice text, double *out)
{
    char room[64], *end;
    if (!text.n || text.n >= sizeof room || strspn(text.p, "+-.0123456789") == 0)
        return false;
    memcpy(room, text.p, text.n);
    room[text.n] = '\0';
    *out = strtod(room, &end);
    return !*end && *out >= -1e300 && *out <= 1e300;
}

static bool to_cents(struct slice text, int64_t *out)
{
    struct value cents = expr_cents(value_text(text));
    *out = cents.kind == VALUE_INT ? cents.i : 0;
    return cents.kind == VALUE_INT;
}

/* text as a value of this kind; of text and truth nothing is to be known. */
static bool to_kind(enum event_kind kind, struct slice text, struct event_bound *out)
{
    *out = (struct event_bound){ .is_set = true };
    switch (kind) {
    case EVENT_INTEGER:
        return to_whole(text, &out->whole);
    case EVENT_FLOAT:
        return to_number(text, &out->number);
    case EVENT_MONEY:
        return to_cents(text, &out->whole);
    case EVENT_TIMESTAMP:
        return timestamp_parse(text, &out->whole);
    case EVENT_TEXT:
    case EVENT_BOOLEAN:
    case EVENT_KINDS:
        return true;
    }
    return true;
}

static bool read_bound(struct domain_reader *reader, const struct event_field *field, struct fy_node *value,
                       const char *name, struct event_bound *out)
{
    struct slice text;
    struct event_bound bound;
    enum event_kind kind = field->kind == EVENT_TEXT ? EVENT_INTEGER : field->kind;
    if (!value)
        return false;
    if (field->kind == EVENT_BOOLEAN) {
        yaml_problem_at(&reader->file, value, "a boolean has no %s", name);
    } else if (!yaml_scalar(value, &text) || !to_kind(kind, text, &bound) ||
               (field->kind == EVENT_TEXT && bound.whole < 0)) {
        yaml_problem_at(&reader->file, value, "%s of %s is %s", name, KINDS[field->kind],
                        field->kind == EVENT_TEXT        ? "a number of characters"
                        : field->kind == EVENT_TIMESTAMP ? "a time such as 2026-01-31T00:00:00Z"
                        : field->kind == EVENT_MONEY     ? "an amount such as 19.99"
                                                         : "a number");
    } else {
        *out = bound;
    }
    return out->is_set;
}

static void check_bounds(struct domain_reader *reader, const struct reading *reading)
{
    struct event_field *field = reading->field;
    bool both = read_bound(reader, field, reading->min, "min", &field->min);
    both &= read_bound(reader, field, reading->max, "max", &field->max);
    if (both && (field->min.whole > field->max.whole || field->min.number > field->max.number))
        yaml_problem_at(&reader->file, reading->max, "max is below min");
}

static bool is_choice(const struct event_field *field, struct slice text)
{
    for (size_t i = 0; i < field->choice_count; i++)
        if (slice_equal(field->choices[i], text))
            return true;
    return field->choice_count == 0;
}

/* `.5` and `+5` are numbers to people, and no JSON. */
static void add_default_json(enum event_kind kind, struct slice text, const struct event_bound *value, struct buf *out)
{
    const uint64_t cents = value->whole < 0 ? 0 - (uint64_t)value->whole : (uint64_t)value->whole;
    if (kind == EVENT_TEXT || kind == EVENT_TIMESTAMP)
        json_add_string(out, text);
    else if (kind == EVENT_FLOAT)
        json_add_number(out, value->number);
    else if (kind == EVENT_MONEY)
        buf_add_format(out, "%s%" PRIu64 ".%02u", value->whole < 0 ? "-" : "", cents / 100, (unsigned)(cents % 100));
    else
        buf_add_slice(out, text);
}

static void check_default(struct domain_reader *reader, const struct reading *reading)
{
    struct event_field *field = reading->field;
    struct slice text;
    struct event_bound bound;
    struct buf json;
    if (!reading->default_value)
        return;
    if (field->required)
        yaml_problem_at(&reader->file, reading->default_value, "a required field has no default: it is always there");
    bool of_kind = yaml_scalar(reading->default_value, &text) && to_kind(field->kind, text, &bound);
    if (of_kind && field->kind == EVENT_BOOLEAN)
        of_kind = slice_equal(text, SLICE("true")) || slice_equal(text, SLICE("false"));
    if (!of_kind) {
        yaml_problem_at(&reader->file, reading->default_value, "the default is no %s", KINDS[field->kind]);
        return;
    }
    if (!is_choice(field, text))
        yaml_problem_at(&reader->file, reading->default_value, "the default is not one of the values");
    buf_init(&json, DEFAULT_JSON_MAX);
    add_default_json(field->kind, text, &bound, &json);
    if (json.full || !domain_copy(reader, reading->default_value, buf_slice(&json), &field->default_value))
        yaml_problem_at(&reader->file, reading->default_value, "this text is too long");
    buf_done(&json);
}

static void check_of_text(struct domain_reader *reader, const struct event_field *field, struct fy_node **seen)
{
    bool text = field->kind == EVENT_TEXT, whole = field->kind == EVENT_INTEGER;
    int64_t number;
    if (seen[KEY_FORMAT] && !text)
        yaml_problem_at(&reader->file, seen[KEY_FORMAT], "only text has a format; this is %s", KINDS[field->kind]);
    if (seen[KEY_PATTERN] && !text)
        yaml_problem_at(&reader->file, seen[KEY_PATTERN], "only text has a pattern; this is %s", KINDS[field->kind]);
    if (seen[KEY_VALUES] && !text && !whole)
        yaml_problem_at(&reader->file, seen[KEY_VALUES], "only text and integers have values; this is %s",
                        KINDS[field->kind]);
    for (size_t i = 0; whole && i < field->choice_count; i++)
        if (!to_whole(field->choices[i], &number))
            yaml_problem_at(&reader->file, seen[KEY_VALUES], "'%.*s' is no whole number", SLICE_ARG(field->choices[i]));
}

bool domain_read_field(struct domain_reader *reader, enum event_role role, struct fy_node *item,
                       struct event_field *out, struct fy_node **out_as)
{
    struct fy_node *seen[DOMAIN_KEYS_MAX] = { 0 };
    struct reading reading = { .field = out };
    out->role = role;
    out->kind = role == EVENT_METRIC ? EVENT_FLOAT : EVENT_TEXT;
    if (item && fy_node_is_scalar(item)) {
        read_name_of(reader, out, item, item);
        return out->name.n > 0;
    }
    domain_read_level(reader, &DOMAIN_EVENT_FIELD, item, item, &reading, seen);
    if (!item || !fy_node_is_mapping(item))
        return false;
    if (!seen[KEY_NAME])
        yaml_problem_at(&reader->file, item, "%s needs a name", role == EVENT_ATTRIBUTE ? "an attribute" : ROLES[role]);
    if (role == EVENT_METRIC && (out->kind == EVENT_TEXT || out->kind == EVENT_BOOLEAN))
        yaml_problem_at(&reader->file, seen[KEY_TYPE], "a metric is a number; make it an attribute or a dimension");
    check_of_text(reader, out, seen);
    check_bounds(reader, &reading);
    check_default(reader, &reading);
    *out_as = reading.as;
    return out->name.n > 0;
}
