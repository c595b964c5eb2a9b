/* A reference for people, in Markdown: what to send, what is allowed, and as which column it is found again. Text from
 * a domain cannot end a cell or a line of a table. */
#include "schema/column.h"
#include "schema/schema.h"

static void add_cell(struct buf *out, struct slice text)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c == '|' || c == '\\' || c == '<' || c == '`' || c == '*' || c == '_')
            buf_add_char(out, '\\');
        buf_add_char(out, c < ' ' ? ' ' : (char)c);
    }
}

/* Within `…` a backslash is a backslash, but a | would end the cell all the same. */
static void add_code(struct buf *out, struct slice text)
{
    buf_add_char(out, '`');
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        buf_add_text(out, c == '|' ? "\\" : "");
        buf_add_char(out, c < ' ' ? ' ' : c == '`' ? '\'' : (char)c);
    }
    buf_add_char(out, '`');
}

/* Behind what is there already. */
static void begin_part(struct buf *out, size_t from)
{
    buf_add_text(out, out->n > from ? "; " : "");
}

static void add_bounds(struct buf *out, const struct event_field *field)
{
    if (field->min.is_set && field->max.is_set) {
        event_bound_add(out, field, &field->min);
        buf_add_text(out, " to ");
        event_bound_add(out, field, &field->max);
    } else {
        buf_add_text(out, field->min.is_set ? "at least " : "at most ");
        event_bound_add(out, field, field->min.is_set ? &field->min : &field->max);
    }
    buf_add_text(out, field->kind == EVENT_TEXT ? " characters" : "");
}

static void add_allowed(struct buf *out, const struct event_field *field)
{
    const size_t from = out->n;
    for (size_t i = 0; i < field->choice_count; i++) {
        buf_add_text(out, i ? ", " : "");
        add_code(out, field->choices[i]);
    }
    if (field->format != EVENT_ANY_FORMAT) {
        begin_part(out, from);
        buf_add_text(out, event_format_name(field->format));
    }
    if (field->pattern.n) {
        begin_part(out, from);
        buf_add_text(out, "like ");
        add_code(out, field->pattern);
    }
    if (field->min.is_set || field->max.is_set) {
        begin_part(out, from);
        add_bounds(out, field);
    }
    if (field->default_value.n) {
        begin_part(out, from);
        buf_add_text(out, "else ");
        add_code(out, field->default_value);
    }
}

static void add_kept(struct buf *out, const struct event_field *field, const struct column *column)
{
    static const char *const TYPES[COLUMN_TYPES] = { [COLUMN_TEXT] = "text",
                                                     [COLUMN_INTEGER] = "integer",
                                                     [COLUMN_FLOAT] = "float",
                                                     [COLUMN_BOOLEAN] = "boolean",
                                                     [COLUMN_TIME] = "time" };
    if (!column) {
        buf_add_text(out, "no");
        return;
    }
    add_code(out, slice_from(column->name));
    if (field->pii != EVENT_PII_NONE)
        buf_add_text(out, field->pii == EVENT_PII_HASH ? ", hashed" : ", encrypted");
    else
        buf_add_format(out, ", %s", TYPES[column->type]);
}

static const struct column *find_column(const struct columns *columns, const struct event_field *field)
{
    for (size_t i = 0; i < columns->count; i++)
        if (columns->items[i].field == field)
            return &columns->items[i];
    return NULL;
}

static void add_field(struct buf *out, const struct event_field *field, const struct column *column)
{
    buf_add_text(out, "| ");
    add_code(out, field->name);
    buf_add_format(out, " | %s | %s%s | ", event_role_name(field->role), event_kind_name(field->kind),
                   field->required ? ", required" : "");
    add_allowed(out, field);
    buf_add_text(out, " | ");
    add_kept(out, field, column);
    buf_add_text(out, " | ");
    add_cell(out, field->description);
    if (field->deprecated.n) {
        buf_add_text(out, field->description.n ? " **Deprecated:** " : "**Deprecated:** ");
        add_cell(out, field->deprecated);
    }
    buf_add_text(out, " |\n");
}

static void add_rules(struct buf *out, const struct event_type *type)
{
    if (type->rule_count)
        buf_add_text(out, "\nRules:\n\n");
    for (size_t i = 0; i < type->rule_count; i++) {
        buf_add_text(out, "- ");
        add_code(out, type->rules[i].name);
        buf_add_text(out, type->rules[i].message.n ? ": " : "");
        add_cell(out, type->rules[i].message);
        buf_add_format(out, " (%s)\n", event_otherwise_name(type->rules[i].otherwise));
    }
}

static void add_type(struct buf *out, const struct event_type *type)
{
    struct columns columns;
    columns_of(type, &columns);
    buf_add_format(out, "\n## %.*s\n\n", SLICE_ARG(type->name));
    if (type->deprecated.n) {
        buf_add_text(out, "**Deprecated:** ");
        add_cell(out, type->deprecated);
        buf_add_text(out, "\n\n");
    }
    if (type->description.n) {
        add_cell(out, type->description);
        buf_add_text(out, "\n\n");
    }
    buf_add_text(out, "In SQL: `");
    ddl_add_view_name(out, type);
    static const char *const UNKNOWN[] = { "refused", "quarantined", "tagged" };
    buf_add_format(out, "`. An event with other fields is %s.\n", type->strict ? UNKNOWN[type->unknown] : "welcome");
    if (type->field_count)
        buf_add_text(out, "\n| field | role | type | allowed | kept as | |\n|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < type->field_count; i++)
        add_field(out, &type->fields[i], find_column(&columns, &type->fields[i]));
    add_rules(out, type);
}

static const struct domain *find_domain(const struct domain_set *domains, struct slice name)
{
    for (size_t i = 0; i < domains->domain_count; i++)
        if (slice_equal(domains->domains[i].name, name))
            return &domains->domains[i];
    return NULL;
}

void docs_add(struct buf *out, const struct schema_selection *selection)
{
    struct slice name = SLICE("");
    buf_add_text(out, "<!-- Made by `weir schema docs`; change the domain instead. -->\n");
    for (size_t i = 0; i < selection->count; i++) {
        const struct event_type *type = selection->types[i];
        if (!slice_equal(name, type->domain)) {
            const struct domain *domain = find_domain(selection->domains, type->domain);
            name = type->domain;
            buf_add_format(out, "%s# Events of %.*s\n", i ? "\n" : "", SLICE_ARG(name));
            buf_add_text(out, domain && domain->description.n ? "\n" : "");
            add_cell(out, domain ? domain->description : SLICE(""));
            buf_add_text(out, domain && domain->description.n ? "\n" : "");
        }
        add_type(out, type);
    }
}
