/* What can be said of a field is a table of how it is written; where the two versions write differently, it changed. So
 * a key that is added to the language is a row here. */
#include "schema/compare_inside.h"

#define TEXT_BYTES_MAX (256u << 10)

const char *compare_name(unsigned directions)
{
    static const char *const NAMES[] = { "NONE", "BACKWARD", "FORWARD", "FULL" };
    assert(directions < COUNT_OF(NAMES));
    return NAMES[directions];
}

/* ---- how a field is written ---- */

static void write_role(const struct event_field *field, struct buf *out)
{
    buf_add_text(out, event_role_name(field->role));
}

static void write_type(const struct event_field *field, struct buf *out)
{
    buf_add_text(out, event_kind_name(field->kind));
}

static void write_required(const struct event_field *field, struct buf *out)
{
    buf_add_text(out, field->required ? "true" : "false");
}

static void write_min(const struct event_field *field, struct buf *out)
{
    event_bound_add(out, field, &field->min);
}

static void write_max(const struct event_field *field, struct buf *out)
{
    event_bound_add(out, field, &field->max);
}

static void write_values(const struct event_field *field, struct buf *out)
{
    for (size_t i = 0; i < field->choice_count; i++)
        buf_add_format(out, "%s%.*s", i ? ", " : "[", SLICE_ARG(field->choices[i]));
    buf_add_text(out, field->choice_count ? "]" : "");
}

static void write_format(const struct event_field *field, struct buf *out)
{
    if (field->format != EVENT_ANY_FORMAT)
        buf_add_text(out, event_format_name(field->format));
}

static void write_pattern(const struct event_field *field, struct buf *out)
{
    buf_add_slice(out, field->pattern);
}

static void write_default(const struct event_field *field, struct buf *out)
{
    buf_add_slice(out, field->default_value);
}

static void write_pii(const struct event_field *field, struct buf *out)
{
    buf_add_text(out, event_pii_name(field->pii));
}

static void write_on_failure(const struct event_field *field, struct buf *out)
{
    buf_add_text(out, event_otherwise_name(field->otherwise));
}

static void write_deprecated(const struct event_field *field, struct buf *out)
{
    buf_add_slice(out, field->deprecated);
}

static void write_description(const struct event_field *field, struct buf *out)
{
    buf_add_slice(out, field->description);
}

static const struct {
    const char *name;
    void (*write)(const struct event_field *field, struct buf *out);
} PROPERTIES[] = {
    { "role", write_role },
    { "type", write_type },
    { "required", write_required },
    { "min", write_min },
    { "max", write_max },
    { "values", write_values },
    { "format", write_format },
    { "pattern", write_pattern },
    { "default", write_default },
    { "pii", write_pii },
    { "on_failure", write_on_failure },
    { "deprecated", write_deprecated },
    { "description", write_description },
};

/* ---- what changed ---- */

static void tell(const struct compare_visitor *visitor, struct slice field, const char *property, struct slice before,
                 struct slice now)
{
    if (!slice_equal(before, now))
        visitor->change(visitor->self, &(struct compare_change){ COMPARE_CHANGED, field, property, before, now });
}

static void compare_fields(const struct event_field *before, const struct event_field *now,
                           const struct compare_visitor *visitor)
{
    struct buf olds, news;
    buf_init(&olds, TEXT_BYTES_MAX);
    buf_init(&news, TEXT_BYTES_MAX);
    for (size_t i = 0; i < COUNT_OF(PROPERTIES); i++) {
        buf_reset(&olds);
        buf_reset(&news);
        PROPERTIES[i].write(before, &olds);
        PROPERTIES[i].write(now, &news);
        tell(visitor, now->name, PROPERTIES[i].name, buf_slice(&olds), buf_slice(&news));
    }
    buf_done(&olds);
    buf_done(&news);
}

static const struct event_field *find_field(const struct event_type *type, struct slice name)
{
    for (size_t i = 0; i < type->field_count; i++)
        if (slice_equal(type->fields[i].name, name))
            return &type->fields[i];
    return NULL;
}

/* "text", or "metric money": what one wants to know of a field that is new or gone. */
static void tell_whole_field(const struct compare_visitor *visitor, enum compare_what what,
                             const struct event_field *field)
{
    AUTO(buf) struct buf text;
    buf_init(&text, TEXT_BYTES_MAX);
    buf_add_format(&text, "%s %s%s", event_role_name(field->role), event_kind_name(field->kind),
                   field->required ? ", required" : "");
    if (field->default_value.n)
        buf_add_format(&text, ", default %.*s", SLICE_ARG(field->default_value));
    const struct slice is = buf_slice(&text), nothing = SLICE("");
    visitor->change(visitor->self,
                    &(struct compare_change){ what, field->name, NULL, what == COMPARE_ADDED ? nothing : is,
                                              what == COMPARE_ADDED ? is : nothing });
}

static void compare_all_fields(const struct event_type *before, const struct event_type *now,
                               const struct compare_visitor *visitor)
{
    for (size_t i = 0; i < now->field_count; i++) {
        const struct event_field *old = find_field(before, now->fields[i].name);
        if (old)
            compare_fields(old, &now->fields[i], visitor);
        else
            tell_whole_field(visitor, COMPARE_ADDED, &now->fields[i]);
    }
    for (size_t i = 0; i < before->field_count; i++)
        if (!find_field(now, before->fields[i].name))
            tell_whole_field(visitor, COMPARE_REMOVED, &before->fields[i]);
}

static const struct event_rule *find_rule(const struct event_type *type, struct slice name)
{
    for (size_t i = 0; i < type->rule_count; i++)
        if (slice_equal(type->rules[i].name, name))
            return &type->rules[i];
    return NULL;
}

/* An expression has no text any more: that it means something else is what can be said. */
static void compare_expectations(const struct event_type *before, const struct event_rule *old,
                                 const struct event_type *now, const struct event_rule *rule,
                                 const struct compare_visitor *visitor)
{
    struct buf olds, news;
    buf_init(&olds, TEXT_BYTES_MAX);
    buf_init(&news, TEXT_BYTES_MAX);
    expr_add_canonical(old->expect, before->plan, &olds);
    expr_add_canonical(rule->expect, now->plan, &news);
    if (!slice_equal(buf_slice(&olds), buf_slice(&news)))
        visitor->change(visitor->self,
                        &(struct compare_change){ COMPARE_CHANGED, rule->name, "rule", SLICE("another expression"),
                                                  SLICE("this expression") });
    buf_done(&olds);
    buf_done(&news);
    tell(visitor, rule->name, "rule's message", old->message, rule->message);
    tell(visitor, rule->name, "rule's on_failure", slice_from(event_otherwise_name(old->otherwise)),
         slice_from(event_otherwise_name(rule->otherwise)));
}

static void compare_rules(const struct event_type *before, const struct event_type *now,
                          const struct compare_visitor *visitor)
{
    const struct slice rule = SLICE("rule"), nothing = SLICE("");
    for (size_t i = 0; i < now->rule_count; i++) {
        const struct event_rule *old = find_rule(before, now->rules[i].name);
        if (old)
            compare_expectations(before, old, now, &now->rules[i], visitor);
        else
            visitor->change(visitor->self,
                            &(struct compare_change){ COMPARE_ADDED, now->rules[i].name, NULL, nothing, rule });
    }
    for (size_t i = 0; i < before->rule_count; i++)
        if (!find_rule(now, before->rules[i].name))
            visitor->change(visitor->self,
                            &(struct compare_change){ COMPARE_REMOVED, before->rules[i].name, NULL, rule, nothing });
}

static struct slice unknown_fields(const struct event_type *type)
{
    return type->strict ? slice_from(event_otherwise_name(type->unknown)) : SLICE("allow");
}

static void tell_retention(const struct compare_visitor *visitor, int32_t before, int32_t now)
{
    char was[16] = "", is[16] = "";
    if (before)
        snprintf(was, sizeof was, "%dd", before);
    if (now)
        snprintf(is, sizeof is, "%dd", now);
    tell(visitor, SLICE(""), "retention", slice_from(was), slice_from(is));
}

unsigned compare_types(const struct event_type *before, const struct event_type *now,
                       const struct compare_visitor *visitor)
{
    const struct slice itself = SLICE("");
    assert(before || now);
    if (!before || !now) {
        enum compare_what what = now ? COMPARE_ADDED : COMPARE_REMOVED;
        visitor->change(visitor->self, &(struct compare_change){ what, itself, NULL, itself, itself });
        if (!now)
            visitor->breaks(visitor->self, &(struct compare_break){ COMPARE_FULL, "",
                                                                    "the event type is gone: nothing checks its events "
                                                                    "any more, and its view goes",
                                                                    "mark it `deprecated` first" });
        return now ? COMPARE_FULL : COMPARE_NONE;
    }
    tell(visitor, itself, "domain", before->domain, now->domain);
    tell(visitor, itself, "unknown_fields", unknown_fields(before), unknown_fields(now));
    tell_retention(visitor, before->retention_days, now->retention_days);
    tell(visitor, itself, "deprecated", before->deprecated, now->deprecated);
    tell(visitor, itself, "description", before->description, now->description);
    compare_all_fields(before, now, visitor);
    compare_rules(before, now, visitor);
    return compare_records(before, now, visitor);
}
