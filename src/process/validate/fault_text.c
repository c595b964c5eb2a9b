#include "process/validate/fault_text.h"

#include "base/json_text.h"

#define SHOWN_BYTES_MAX 80 /* of a value */
#define CHOICES_SHOWN_MAX 12

struct slice fault_subject(const struct fault_case *fault)
{
    return fault->rule ? fault->rule->name : fault->field ? fault->field->name : fault->unknown;
}

/* In the middle of a character nothing is cut. */
static struct slice beginning(struct slice text)
{
    size_t n = text.n < SHOWN_BYTES_MAX ? text.n : SHOWN_BYTES_MAX;
    while (n && n < text.n && ((unsigned char)text.p[n] & 0xc0) == 0x80)
        n--;
    return slice_of(text.p, n);
}

static void add_value(const struct fault_case *fault, struct buf *out)
{
    struct value value = fault->value;
    if (fault->field->pii != EVENT_PII_NONE) {
        buf_add_text(out, "not shown here (of a person)");
        return;
    }
    if (value.kind != VALUE_TEXT) {
        value_add_json(value, out);
        return;
    }
    struct slice text = value_slice(value), shown = beginning(text);
    if (value.detail == VALUE_JSON)
        buf_add_slice(out, shown);
    else
        json_add_string(out, shown);
    if (shown.n < text.n)
        buf_add_format(out, "… (%zu bytes)", text.n);
}

static void add_range(const struct event_field *field, struct buf *out)
{
    buf_add_text(out, field->min.is_set && field->max.is_set ? "" : field->min.is_set ? "at least " : "at most ");
    event_bound_add(out, field, &field->min);
    if (field->min.is_set && field->max.is_set)
        buf_add_text(out, " to ");
    event_bound_add(out, field, &field->max);
    buf_add_text(out, field->kind == EVENT_TEXT ? " characters" : "");
}

static void add_choices(const struct event_field *field, struct buf *out)
{
    for (size_t i = 0; i < field->choice_count && i < CHOICES_SHOWN_MAX; i++)
        buf_add_format(out, "%s%.*s", i ? ", " : "", SLICE_ARG(beginning(field->choices[i])));
    if (field->choice_count > CHOICES_SHOWN_MAX)
        buf_add_format(out, " and %zu more", field->choice_count - CHOICES_SHOWN_MAX);
}

static const char *example_of(enum event_kind kind)
{
    switch (kind) {
    case EVENT_INTEGER:
        return "a whole number such as 7";
    case EVENT_FLOAT:
        return "a number such as 1.5";
    case EVENT_MONEY:
        return "an amount such as 19.99";
    case EVENT_BOOLEAN:
        return "true or false";
    case EVENT_TIMESTAMP:
        return "a time such as 2026-01-31T10:00:00Z, or Unix (milli)seconds";
    case EVENT_TEXT:
    case EVENT_KINDS:
        break;
    }
    return "text";
}

static void add_format(const struct event_field *field, struct buf *out)
{
    if (field->format != EVENT_ANY_FORMAT)
        buf_add_format(out, "the format %s", event_format_name(field->format));
    if (field->format != EVENT_ANY_FORMAT && field->pattern.n)
        buf_add_text(out, " and ");
    if (field->pattern.n)
        buf_add_format(out, "the pattern '%.*s'", SLICE_ARG(beginning(field->pattern)));
}

/* "purchase.amount is "x"; wanted is …" */
static void add_field_message(const struct fault_case *fault, struct buf *out)
{
    const struct event_field *field = fault->field;
    buf_add_format(out, "%.*s.%.*s is ", SLICE_ARG(fault->type->name), SLICE_ARG(field->name));
    if (fault->fault == FAULT_MISSING_FIELD) {
        buf_add_format(out, "missing or null, and required; wanted is %s", example_of(field->kind));
        return;
    }
    add_value(fault, out);
    switch (fault->fault) {
    case FAULT_BAD_TYPE:
        buf_add_format(out, "; wanted is %s", example_of(field->kind));
        return;
    case FAULT_BAD_FORMAT:
        buf_add_text(out, "; wanted is ");
        add_format(field, out);
        return;
    case FAULT_NOT_ALLOWED:
        buf_add_text(out, "; allowed are ");
        add_choices(field, out);
        return;
    case FAULT_OUT_OF_RANGE:
        buf_add_text(out, "; allowed is ");
        add_range(field, out);
        return;
    case FAULT_NONE:
    case FAULT_UNKNOWN_FIELD:
    case FAULT_MISSING_FIELD:
    case FAULT_RULE_FAILED:
    case FAULT_NO_ROOM:
    case FAULTS:
        break;
    }
    buf_add_text(out, "; the texts of this batch's events take more than its 16 MiB; replay it");
}

void fault_add_message(const struct fault_case *fault, struct buf *out)
{
    struct slice type = fault->type->name, domain = fault->type->domain;
    if (fault->rule) {
        buf_add_format(out, "%.*s breaks the rule %.*s", SLICE_ARG(type), SLICE_ARG(fault->rule->name));
        if (fault->rule->message.n)
            buf_add_format(out, ": %.*s", SLICE_ARG(beginning(fault->rule->message)));
    } else if (fault->field) {
        add_field_message(fault, out);
    } else {
        buf_add_format(out, "%.*s has no field %.*s", SLICE_ARG(type), SLICE_ARG(beginning(fault->unknown)));
    }
    buf_add_format(out, " (domain %.*s): %s, or change the domain; then replay it", SLICE_ARG(domain),
                   fault->fault == FAULT_UNKNOWN_FIELD ? "leave it out" : "mend the sender");
}
