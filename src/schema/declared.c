/* An event type as it would be declared, in the language of domains, which JSON is a part of: so what was written down
 * is read by the same reader again, whatever the language learned in between. Every key that is not at its default
 * stands there, so that a default that changes later changes nothing here. Not the rules, which are rows of their own,
 * and not what only `weir generate` looks at. */
#include "schema/schema.h"

#include "base/json_text.h"

static void add_text(struct buf *out, const char *key, struct slice text)
{
    if (text.n)
        json_add_field(out, key, text);
}

static void add_raw(struct buf *out, const char *key, struct slice json)
{
    if (!json.n)
        return;
    json_add_key(out, key);
    buf_add_slice(out, json);
}

/* A time stands in quotes, a number does not. */
static void add_bound(struct buf *out, const char *key, const struct event_field *field,
                      const struct event_bound *bound)
{
    AUTO(buf) struct buf text;
    buf_init(&text, 256);
    event_bound_add(&text, field, bound);
    if (field->kind == EVENT_TIMESTAMP)
        add_text(out, key, buf_slice(&text));
    else
        add_raw(out, key, buf_slice(&text));
}

static void add_values(struct buf *out, const struct event_field *field)
{
    if (!field->choice_count)
        return;
    json_add_key(out, "values");
    for (size_t i = 0; i < field->choice_count; i++) {
        buf_add_text(out, i ? "," : "[");
        json_add_string(out, field->choices[i]);
    }
    buf_add_text(out, "]");
}

static void add_field(struct buf *out, const struct event_field *field)
{
    buf_add_text(out, "{");
    json_add_field(out, "name", field->name);
    json_add_field(out, "type", slice_from(event_kind_name(field->kind)));
    if (field->required)
        add_raw(out, "required", SLICE("true"));
    add_bound(out, "min", field, &field->min);
    add_bound(out, "max", field, &field->max);
    add_values(out, field);
    if (field->format != EVENT_ANY_FORMAT)
        json_add_field(out, "format", slice_from(event_format_name(field->format)));
    add_text(out, "pattern", field->pattern);
    add_raw(out, "default", field->default_value);
    if (field->pii != EVENT_PII_NONE)
        json_add_field(out, "pii", slice_from(event_pii_name(field->pii)));
    if (field->otherwise != EVENT_REJECT)
        json_add_field(out, "on_failure", slice_from(event_otherwise_name(field->otherwise)));
    add_text(out, "description", field->description);
    add_text(out, "deprecated", field->deprecated);
    buf_add_text(out, "}");
}

static void add_fields(struct buf *out, const char *key, const struct event_type *type, enum event_role role)
{
    bool any = false;
    for (size_t i = 0; i < type->field_count; i++) {
        if (type->fields[i].role != role)
            continue;
        if (!any)
            json_add_key(out, key);
        buf_add_text(out, any ? "," : "[");
        add_field(out, &type->fields[i]);
        any = true;
    }
    buf_add_text(out, any ? "]" : "");
}

void declared_add_type(struct buf *out, const struct event_type *type)
{
    buf_add_text(out, "{");
    json_add_field(out, "name", type->name);
    add_text(out, "description", type->description);
    add_text(out, "deprecated", type->deprecated);
    json_add_field(out, "compatibility", slice_from(event_compatibility_name(type->compatibility)));
    if (type->retention_days) {
        json_add_key(out, "retention");
        buf_add_format(out, "\"%dd\"", type->retention_days);
    }
    if (type->strict)
        json_add_field(out, "unknown_fields", slice_from(event_otherwise_name(type->unknown)));
    add_fields(out, "attributes", type, EVENT_ATTRIBUTE);
    add_fields(out, "dimensions", type, EVENT_DIMENSION);
    add_fields(out, "metrics", type, EVENT_METRIC);
    buf_add_text(out, "}");
}

void declared_add_rule(struct buf *out, const struct event_rule *rule)
{
    buf_add_text(out, "{");
    json_add_field(out, "name", rule->name);
    json_add_field(out, "expect", rule->text);
    add_text(out, "message", rule->message);
    json_add_field(out, "on_failure", slice_from(event_otherwise_name(rule->otherwise)));
    buf_add_text(out, "}");
}
