/* What the stream's validation asks of an event, as far as a JSON Schema can say it: kinds, what must be there, ranges,
 * formats, values, patterns, fields that nobody declared. `rules` are expressions, and stand in the comment. Null is
 * taken where the field may be missing. */
#include "base/json_text.h"
#include "schema/schema.h"

#define DRAFT "https://json-schema.org/draft/2020-12/schema"
#define TIME_PATTERN                                                                                                   \
    "^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,9})?)?(Z|[+-][0-9]{2}(:?[0-9]{2})?)?)?$"
#define AMOUNT_PATTERN "^[ \\t\\r\\n]*[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?[ \\t\\r\\n]*$"
#define TEXT_BYTES_MAX (1u << 20)

/* `*` and `?` of a glob (expr/match.c) as an expression of ECMA's kind; everything else is taken as it is. */
static void add_glob(struct buf *out, struct slice glob)
{
    AUTO(buf) struct buf text;
    buf_init(&text, TEXT_BYTES_MAX);
    buf_add_char(&text, '^');
    for (size_t i = 0; i < glob.n; i++) {
        bool is_wild = glob.p[i] == '*' || glob.p[i] == '?';
        if (is_wild) {
            buf_add_text(&text, glob.p[i] == '*' ? "[\\s\\S]*" : "[\\s\\S]");
            continue;
        }
        i += glob.p[i] == '\\' && i + 1 < glob.n;
        if (memchr("\\^$.|?*+()[]{}", glob.p[i], 14))
            buf_add_char(&text, '\\');
        buf_add_char(&text, glob.p[i]);
    }
    buf_add_char(&text, '$');
    json_add_string(out, buf_slice(&text));
}

static const char *format_name(enum event_format format)
{
    static const char *const NAMES[EVENT_FORMATS] = {
        [EVENT_EMAIL] = "email",
        [EVENT_URL] = "uri",
        [EVENT_UUID] = "uuid",
        [EVENT_DATE] = "date",
    };
    return NAMES[format];
}

static void add_format(struct buf *out, enum event_format format)
{
    if (format_name(format))
        json_add_field(out, "format", slice_from(format_name(format)));
    else if (format == EVENT_IP)
        buf_add_text(out, ",\"anyOf\":[{\"format\":\"ipv4\"},{\"format\":\"ipv6\"},{\"type\":\"null\"}]");
    else if (format == EVENT_COUNTRY || format == EVENT_CURRENCY)
        buf_add_format(out, ",\"pattern\":\"^[A-Z]{%d}$\"", format == EVENT_COUNTRY ? 2 : 3);
}

static void add_bound(struct buf *out, const char *name, const struct event_field *field,
                      const struct event_bound *bound)
{
    if (!bound->is_set)
        return;
    json_add_key(out, name);
    event_bound_add(out, field, bound);
}

static void add_bounds(struct buf *out, const struct event_field *field)
{
    bool is_text = field->kind == EVENT_TEXT;
    if (field->kind == EVENT_TIMESTAMP) /* a text, or one of two units: no bound of a schema's */
        return;
    add_bound(out, is_text ? "minLength" : "minimum", field, &field->min);
    add_bound(out, is_text ? "maxLength" : "maximum", field, &field->max);
}

static void add_choices(struct buf *out, const struct event_field *field)
{
    if (!field->choice_count)
        return;
    json_add_key(out, "enum");
    buf_add_char(out, '[');
    for (size_t i = 0; i < field->choice_count; i++) {
        buf_add_text(out, i ? "," : "");
        if (field->kind == EVENT_TEXT || field->kind == EVENT_TIMESTAMP)
            json_add_string(out, field->choices[i]);
        else
            buf_add_slice(out, field->choices[i]);
    }
    buf_add_text(out, field->required ? "]" : ",null]");
}

static void add_kind(struct buf *out, const struct event_field *field)
{
    static const char *const TYPES[EVENT_KINDS] = {
        [EVENT_TEXT] = "\"string\"",     [EVENT_INTEGER] = "\"integer\"",
        [EVENT_FLOAT] = "\"number\"",    [EVENT_MONEY] = "\"number\",\"string\"",
        [EVENT_BOOLEAN] = "\"boolean\"", [EVENT_TIMESTAMP] = "\"string\",\"number\"",
    };
    bool several = !field->required || field->kind == EVENT_MONEY || field->kind == EVENT_TIMESTAMP;
    json_add_key(out, "type");
    buf_add_format(out, "%s%s%s%s", several ? "[" : "", TYPES[field->kind], field->required ? "" : ",\"null\"",
                   several ? "]" : "");
    if (field->kind == EVENT_MONEY)
        json_add_field(out, "pattern", SLICE(AMOUNT_PATTERN));
    else if (field->kind == EVENT_TIMESTAMP)
        json_add_field(out, "pattern", SLICE(TIME_PATTERN));
}

static void add_about(struct buf *out, struct slice description, struct slice deprecated)
{
    if (description.n)
        json_add_field(out, "description", description);
    if (!deprecated.n)
        return;
    json_add_key(out, "deprecated");
    buf_add_text(out, "true");
    json_add_field(out, "$comment", deprecated);
}

static void add_field(struct buf *out, const struct event_field *field)
{
    buf_add_char(out, '{');
    add_about(out, field->description, field->deprecated);
    add_kind(out, field);
    add_format(out, field->format);
    if (field->pattern.n) { /* beside a pattern of the format */
        buf_add_text(out, ",\"allOf\":[{\"pattern\":");
        add_glob(out, field->pattern);
        buf_add_text(out, "}]");
    }
    add_choices(out, field);
    add_bounds(out, field);
    if (field->default_value.n) {
        json_add_key(out, "default");
        buf_add_slice(out, field->default_value);
    }
    buf_add_char(out, '}');
}

static void add_properties(struct buf *out, const struct event_type *type, bool *out_any_required)
{
    *out_any_required = false;
    buf_add_text(out, "{\"type\":\"object\",\"properties\":{");
    for (size_t i = 0; i < type->field_count; i++) {
        buf_add_text(out, i ? "," : "");
        json_add_string(out, type->fields[i].name);
        buf_add_char(out, ':');
        add_field(out, &type->fields[i]);
        if (type->strict &&
            type->fields[i].kind == EVENT_MONEY) /* the stream's own name: what is sent there is replaced */
            buf_add_format(out, ",\"%.*s_cents\":true", SLICE_ARG(type->fields[i].name));
    }
    buf_add_char(out, '}');
    for (size_t i = 0; i < type->field_count; i++) {
        if (!type->fields[i].required)
            continue;
        buf_add_text(out, *out_any_required ? "," : ",\"required\":[");
        json_add_string(out, type->fields[i].name);
        *out_any_required = true;
    }
    buf_add_text(out, *out_any_required ? "]" : "");
    buf_add_text(out, type->strict ? ",\"additionalProperties\":false}" : "}");
}

/* Who it was has several names (docs/send-events.md), one of which must be there. */
static void add_who(struct buf *out)
{
    static const char *const NAMES[] = { "visitor_id", "anonymousId", "anonymous_id", "user_id", "userId" };
    buf_add_text(out, ",\"anyOf\":[");
    for (size_t i = 0; i < COUNT_OF(NAMES); i++)
        buf_add_format(out, "%s{\"required\":[\"%s\"],\"properties\":{\"%s\":{\"type\":[\"string\",\"number\"]}}}",
                       i ? "," : "", NAMES[i], NAMES[i]);
    buf_add_char(out, ']');
}

static void add_event(struct buf *out, const struct event_type *type)
{
    static const char *const IDS[] = { "event_id", "event_name", "customer_id", "visitor_id", "user_id", "session_id" };
    bool any_required;
    buf_add_text(out, "\"type\":\"object\",\"properties\":{\"event_type\":{\"const\":");
    json_add_string(out, type->name);
    buf_add_char(out, '}');
    for (size_t i = 0; i < COUNT_OF(IDS); i++)
        buf_add_format(out, ",\"%s\":{\"type\":[\"string\",\"number\",\"null\"]}", IDS[i]);
    buf_add_text(out, ",\"timestamp\":{\"type\":[\"string\",\"number\",\"null\"],\"pattern\":\"" TIME_PATTERN "\"}"
                      ",\"context\":{\"type\":[\"object\",\"null\"]},\"properties\":");
    add_properties(out, type, &any_required);
    buf_add_format(out, "},\"required\":[\"event_type\"%s]", any_required ? ",\"properties\"" : "");
    add_who(out);
}

static void add_rules(struct buf *out, const struct event_type *type)
{
    if (!type->rule_count)
        return;
    json_add_key(out, "$comment");
    AUTO(buf) struct buf text;
    buf_init(&text, TEXT_BYTES_MAX);
    buf_add_text(&text, "Not said here, and asked for as well:");
    for (size_t i = 0; i < type->rule_count; i++)
        buf_add_format(&text, "%s %.*s", i ? "," : "", SLICE_ARG(type->rules[i].name));
    json_add_string(out, buf_slice(&text));
}

static void add_type(struct buf *out, const struct event_type *type)
{
    json_add_field(out, "title", type->name);
    if (type->description.n)
        json_add_field(out, "description", type->description);
    if (type->deprecated.n)
        buf_add_text(out, ",\"deprecated\":true");
    add_rules(out, type);
    buf_add_char(out, ',');
    add_event(out, type);
}

void json_schema_add(struct buf *out, const struct event_type *type)
{
    buf_add_char(out, '{');
    json_add_field(out, "$schema", SLICE(DRAFT));
    add_type(out, type);
    buf_add_char(out, '}');
}

/* Of several domains' types with one name an event is of one: which, its tenant decides. */
static void add_references(struct buf *out, const struct schema_selection *selection, size_t index)
{
    size_t count = 0;
    for (size_t i = index; i < selection->count; i++)
        count += slice_equal(selection->types[i]->name, selection->types[index]->name);
    buf_add_text(out, count > 1 ? "{\"anyOf\":[" : "");
    for (size_t i = index, n = 0; i < selection->count; i++) {
        if (!slice_equal(selection->types[i]->name, selection->types[index]->name))
            continue;
        buf_add_text(out, n++ ? ",{\"$ref\":\"#/$defs/" : "{\"$ref\":\"#/$defs/");
        buf_add_slice(out, selection->types[i]->key);
        buf_add_text(out, "\"}");
    }
    buf_add_text(out, count > 1 ? "]}" : "");
}

void json_schema_add_all(struct buf *out, const struct schema_selection *selection)
{
    buf_add_char(out, '{');
    json_add_field(out, "$schema", SLICE(DRAFT));
    json_add_field(out, "title", SLICE("the events of these domains, as they are sent"));
    json_add_key(out, "allOf");
    buf_add_char(out, '[');
    for (size_t i = 0; i < selection->count; i++) {
        if (schema_is_named_before(selection, i))
            continue;
        buf_add_text(out, i ? "," : "");
        buf_add_text(out, "{\"if\":{\"properties\":{\"event_type\":{\"const\":");
        json_add_string(out, selection->types[i]->name);
        buf_add_text(out, "}},\"required\":[\"event_type\"]},\"then\":");
        add_references(out, selection, i);
        buf_add_char(out, '}');
    }
    buf_add_text(out, "],\"$defs\":{");
    for (size_t i = 0; i < selection->count; i++) {
        buf_add_text(out, i ? "," : "");
        json_add_string(out, selection->types[i]->key);
        buf_add_text(out, ":{");
        add_type(out, selection->types[i]);
        buf_add_char(out, '}');
    }
    buf_add_text(out, "}}");
}
