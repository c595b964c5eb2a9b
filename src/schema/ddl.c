/* Columns are taken out of the properties' JSON when somebody asks. Names of fields stand in backticks, since `order`
 * is one; the JSON is e.properties, since a field may be named properties and its alias would hide the column. What a
 * default says holds for events from before it was declared, too. */
#include "base/json_scan.h"
#include "schema/column.h"
#include "schema/schema.h"
#include "store/schema.h"

#define COLUMNS_BYTES_MAX (1u << 20)
#define TEXT_BYTES_MAX (64u << 10)
#define VIEW_NAME_MAX (sizeof "events_" + DOMAIN_NAME_MAX + EVENT_IDENTIFIER_MAX + 2)
#define INDENT "    "

void ddl_add_view_name(struct buf *out, const struct event_type *type)
{
    static const char *const TABLES[] = { "raw", "hourly", "daily" };
    struct slice stem = type->key;
    while (stem.n > 1 && stem.p[stem.n - 1] == '_')
        stem.n--;
    buf_add_text(out, "events_");
    for (size_t i = 0; i < type->key.n; i++)
        buf_add_char(out, type->key.p[i] == '.' ? '_' : type->key.p[i]);
    for (size_t i = 0; i < COUNT_OF(TABLES); i++)
        buf_add_text(out, slice_equal(stem, slice_from(TABLES[i])) ? "_" : "");
}

/* Text of a time, or a number of seconds or milliseconds (base/timestamp.h). */
static void add_time(struct buf *out, const char *name)
{
    buf_add_format(out,
                   "multiIf(JSONType(e.properties, '%s') = 'String',"
                   " parseDateTime64BestEffortOrNull(JSONExtractString(e.properties, '%s'), 3, 'UTC'),"
                   " JSONType(e.properties, '%s') IN ('Int64', 'UInt64', 'Double'),"
                   " fromUnixTimestamp64Milli(toInt64(JSONExtractFloat(e.properties, '%s')"
                   " * if(abs(JSONExtractFloat(e.properties, '%s')) < 1e11, 1000, 1)), 'UTC'), NULL)",
                   name, name, name, name, name);
}

static void add_value(struct buf *out, const struct column *column)
{
    static const char *const TYPES[COLUMN_TYPES] = {
        [COLUMN_TEXT] = "String", [COLUMN_INTEGER] = "Int64", [COLUMN_FLOAT] = "Float64", [COLUMN_BOOLEAN] = "Bool"
    };
    if (column->type == COLUMN_TIME)
        add_time(out, column->name);
    else
        buf_add_format(out, "JSONExtract(e.properties, '%s', 'Nullable(%s)')", column->name, TYPES[column->type]);
}

static void add_default(struct buf *out, const struct column *column, struct slice json)
{
    if (column->type == COLUMN_TIME) {
        buf_add_format(out, "fromUnixTimestamp64Milli(%.*s, 'UTC')", SLICE_ARG(json));
    } else if (column->type == COLUMN_TEXT) {
        AUTO(buf) struct buf text;
        buf_init(&text, TEXT_BYTES_MAX);
        bool is_text = json_scan_string(json, &text);
        assert(is_text && !text.full);
        schema_add_literal(out, buf_slice(&text));
    } else {
        buf_add_slice(out, json);
    }
}

static void add_column(struct buf *out, const struct column *column)
{
    struct slice json = column_default(column);
    buf_add_text(out, json.n ? ",\n" INDENT "ifNull(" : ",\n" INDENT);
    add_value(out, column);
    if (json.n) {
        buf_add_text(out, ", ");
        add_default(out, column, json);
        buf_add_char(out, ')');
    }
    buf_add_format(out, " AS `%s`", column->name);
}

void ddl_add_view(struct buf *out, const struct event_type *type)
{
    AUTO(buf) struct buf columns, name;
    struct columns kept;
    columns_of(type, &kept);
    buf_init(&columns, COLUMNS_BYTES_MAX);
    buf_init(&name, VIEW_NAME_MAX);
    ddl_add_view_name(&name, type);
    for (size_t i = 0; i < kept.count; i++) {
        const struct column *column = &kept.items[i];
        if (column->field)
            add_column(&columns, column);
        else if (strcmp(column->name, "user_id") == 0) /* '' where there is none, as in events_raw */
            buf_add_text(&columns, ",\n" INDENT "nullIf(e.user_id, '') AS user_id");
        else
            buf_add_format(&columns, "%se.%s AS %s", i ? ", " : INDENT, column->name, column->name);
    }
    assert(!columns.full);
    schema_add_event_view(out, buf_slice(&name), buf_slice(&columns), type->name);
}

void ddl_add_whose(struct buf *out, const struct domain_set *domains)
{
    if (!domains->tenant_count)
        return;
    buf_add_text(out, " WHERE multiIf(");
    for (size_t i = 0; i < domains->domain_count; i++) {
        const struct domain *domain = &domains->domains[i];
        if (domain->audience == DOMAIN_FOR_ALL)
            continue;
        size_t count;
        const struct slice *names = domain_names(domains, domain, &count);
        buf_add_text(out, "t.2 = ");
        schema_add_literal(out, domain->name);
        buf_add_format(out, ", %shas([", domain->audience == DOMAIN_FOR_OTHERS ? "NOT " : "");
        schema_add_literals(out, names, count);
        buf_add_text(out, "], " SCHEMA_ASKING "), ");
    }
    buf_add_text(out, "true)");
}

static void add_row(struct buf *out, const struct event_type *type)
{
    AUTO(buf) struct buf name, columns;
    struct columns kept;
    columns_of(type, &kept);
    buf_init(&name, VIEW_NAME_MAX);
    buf_init(&columns, COLUMNS_BYTES_MAX);
    ddl_add_view_name(&name, type);
    for (size_t i = 0; i < kept.count; i++)
        buf_add_format(&columns, "%s%s", i ? ", " : "", kept.items[i].name);
    const struct slice cells[] = { type->name,          type->domain,      buf_slice(&name),
                                   buf_slice(&columns), type->description, type->deprecated };
    schema_add_list_row(out, cells, COUNT_OF(cells));
}

static bool is_for_everybody(const struct domain_set *domains, const struct domain *domain)
{
    return domain->audience == DOMAIN_FOR_ALL || (domain->audience == DOMAIN_FOR_OTHERS && !domains->named_count);
}

/* Whether nobody has it: a closer domain that is for everybody has one of its name. */
static bool is_nobodys(const struct domain_set *domains, const struct event_type *type)
{
    bool found = false;
    for (size_t i = 0; i < domains->event_type_count && !found; i++) {
        const struct event_type *other = &domains->event_types[i];
        found = is_for_everybody(domains, &domains->domains[other->domain_place]) &&
                event_type_yields(domains, type, other);
    }
    return found;
}

/* The types of one domain that yield to types of the other; false: there are none, and nothing was added. */
static bool add_yielding(struct buf *out, const struct domain_set *domains, size_t place, size_t to)
{
    bool any = false;
    for (size_t i = 0; i < domains->event_type_count; i++) {
        const struct event_type *type = &domains->event_types[i];
        const struct event_type *other = event_type_of_domain(domains, domains->domains[to].name, type->name);
        if (type->domain_place != place || !other || !event_type_yields(domains, type, other))
            continue;
        buf_add_text(out, any ? ", " : " AND NOT (t.1 IN (");
        schema_add_literal(out, type->name);
        any = true;
    }
    return any;
}

/* Behind ddl_add_whose: who has another type in the place of one does not see that one. */
static void add_yields(struct buf *out, const struct domain_set *domains, size_t place)
{
    for (size_t to = 0; to < domains->domain_count; to++) {
        const struct domain *other = &domains->domains[to];
        size_t count;
        const struct slice *names = domain_names(domains, other, &count);
        if (is_for_everybody(domains, other) || !add_yielding(out, domains, place, to))
            continue;
        buf_add_text(out, ") AND t.2 = ");
        schema_add_literal(out, domains->domains[place].name);
        buf_add_format(out, " AND %shas([", other->audience == DOMAIN_FOR_OTHERS ? "NOT " : "");
        schema_add_literals(out, names, count);
        buf_add_text(out, "], " SCHEMA_ASKING "))");
    }
}

void ddl_add_list(struct buf *out, const struct domain_set *domains)
{
    static const char *const NAMES[] = { "event_type", "domain", "view", "columns", "description", "deprecated" };
    schema_begin_list(out, "event_types", NAMES, COUNT_OF(NAMES));
    for (size_t i = 0; i < domains->event_type_count; i++)
        if (!is_nobodys(domains, &domains->event_types[i]))
            add_row(out, &domains->event_types[i]);
    schema_end_list(out, COUNT_OF(NAMES));
    ddl_add_whose(out, domains);
    for (size_t i = 0; i < domains->domain_count; i++)
        add_yields(out, domains, i);
}
