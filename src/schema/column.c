/* What validation leaves of a field decides its column. An event that is tagged, not refused, is kept with what is
 * wrong in it, so that `required` promises nothing there. */
#include "schema/column.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/timestamp.h"
#include "expr/expr.h"

struct common {
    const char *name, *about;
    enum column_type type;
    bool is_never_null, is_of_tables;
};

static const struct common COMMON[COLUMNS_OF_EVERY_EVENT] = {
    { "event_id", "which event: one id counts once", COLUMN_TEXT, true, false },
    { "timestamp", "when it happened", COLUMN_TIME, true, false },
    { "customer_id", "the tenant", COLUMN_TEXT, true, false },
    { "visitor_id", "who, anonymously", COLUMN_TEXT, true, false },
    { "user_id", "who, once known", COLUMN_TEXT, false, false },
    { "session_id", "the visit, as the client counts visits", COLUMN_TEXT, false, false },
    { "event_name", "what happened, for people", COLUMN_TEXT, true, true },
    { "received_at", "when it came in", COLUMN_TIME, true, true },
};

static enum column_type type_of(const struct event_field *field)
{
    if (field->pii == EVENT_PII_HASH || field->pii == EVENT_PII_ENCRYPT)
        return COLUMN_TEXT;
    switch (field->kind) {
    case EVENT_INTEGER:
    case EVENT_MONEY:
        return COLUMN_INTEGER;
    case EVENT_FLOAT:
        return COLUMN_FLOAT;
    case EVENT_BOOLEAN:
        return COLUMN_BOOLEAN;
    case EVENT_TIMESTAMP:
        return COLUMN_TIME;
    case EVENT_TEXT:
    case EVENT_KINDS:
        break;
    }
    return COLUMN_TEXT;
}

static bool is_plain(const struct event_field *field)
{
    return field->pii == EVENT_PII_NONE;
}

bool column_is_money(const struct column *column)
{
    return column->field && column->field->kind == EVENT_MONEY && is_plain(column->field);
}

/* Numbers alone are written in another way than they were given. */
static void convert_default(struct column *column)
{
    struct slice text = column->field->default_value;
    bool quoted = text.n >= 2 && text.p[0] == '"';
    struct slice inside = quoted ? slice_of(text.p + 1, text.n - 2) : text;
    struct value number = value_from_decimal(inside);
    int64_t ms;
    if (column_is_money(column))
        number = expr_cents(quoted ? value_text(inside) : number);
    if (column->type == COLUMN_TIME)
        number = (quoted ? timestamp_parse(inside, &ms) : timestamp_parse_number(inside, &ms))
                     ? value_int(ms)
                     : value_null(REASON_UNREADABLE);
    if (number.kind == VALUE_INT)
        snprintf(column->default_digits, sizeof column->default_digits, "%" PRId64, number.i);
}

static void add_field(struct columns *columns, const struct event_field *field)
{
    struct column *column = &columns->items[columns->count];
    if (field->pii == EVENT_PII_DROP)
        return;
    *column = (struct column){ .field = field, .type = type_of(field) };
    column->is_never_null = field->required && field->otherwise != EVENT_TAG;
    snprintf(column->name, sizeof column->name, "%.*s%s", SLICE_ARG(field->name),
             column_is_money(column) ? "_cents" : "");
    if (field->default_value.n && (column->type == COLUMN_INTEGER || column->type == COLUMN_TIME))
        convert_default(column);
    columns->count++;
}

void columns_of(const struct event_type *type, struct columns *out)
{
    assert(type->field_count <= EVENT_FIELDS_MAX);
    out->count = 0;
    for (size_t i = 0; i < COUNT_OF(COMMON); i++) {
        struct column *column = &out->items[out->count++];
        *column = (struct column){ .type = COMMON[i].type,
                                   .about = COMMON[i].about,
                                   .is_never_null = COMMON[i].is_never_null,
                                   .is_of_tables = COMMON[i].is_of_tables };
        snprintf(column->name, sizeof column->name, "%s", COMMON[i].name);
    }
    for (size_t i = 0; i < type->field_count; i++)
        add_field(out, &type->fields[i]);
}

struct slice column_default(const struct column *column)
{
    if (column->default_digits[0])
        return slice_from(column->default_digits);
    if (!column->field || !is_plain(column->field))
        return SLICE("");
    bool must_convert = column->type == COLUMN_INTEGER || column->type == COLUMN_TIME;
    return must_convert ? SLICE("") : column->field->default_value;
}
