/* Names stand in backticks, since `order` is one. Rows go in as TabSeparated: nothing is quoted, four bytes are
 * escaped. */
#include <inttypes.h>

#include "base/timestamp.h"
#include "schema/schema.h"
#include "store/schema.h"

#define COLUMNS_BYTES_MAX (64u << 10)
#define NAME_BYTES_MAX 256
#define TIME "DateTime64(3, 'UTC')"

void ddl_add_dimension_view_name(struct buf *out, const struct dimension_table *table)
{
    buf_add_format(out, "dim_%.*s", SLICE_ARG(table->name));
}

void ddl_add_dimension_table_name(struct buf *out, const struct dimension_table *table)
{
    buf_add_format(out, "dim_%.*s_%016" PRIx64, SLICE_ARG(table->name), table->digest);
}

void ddl_add_dimension_view_comment(struct buf *out, const struct dimension_table *table)
{
    buf_add_format(out, DDL_DIMENSION " %016" PRIx64, table->digest);
}

static const char *type_of(enum event_kind kind)
{
    switch (kind) {
    case EVENT_INTEGER:
    case EVENT_MONEY:
        return "Int64";
    case EVENT_FLOAT:
        return "Float64";
    case EVENT_BOOLEAN:
        return "Bool";
    case EVENT_TIMESTAMP:
        return TIME;
    case EVENT_TEXT:
    case EVENT_KINDS:
        break;
    }
    return "String";
}

static bool is_in_key(const struct lookup_table *lookup, size_t column)
{
    for (size_t i = 0; i < lookup->key_count; i++)
        if (lookup->keys[i] == column)
            return true;
    return false;
}

void ddl_add_dimension_table(struct buf *out, const struct dimension_table *table)
{
    const struct lookup_table *lookup = table->lookup;
    buf_add_text(out, "CREATE TABLE weir.");
    ddl_add_dimension_table_name(out, table);
    for (size_t i = 0; i < lookup->column_count; i++) {
        bool is_key = is_in_key(lookup, i);
        buf_add_format(out, "%s`%.*s` %s%s%s", i ? ", " : " (", SLICE_ARG(lookup->columns[i].name),
                       is_key ? "" : "Nullable(", type_of(table->kinds[i]), is_key ? "" : ")");
    }
    buf_add_text(out, table->has_validity ? ", valid_from " TIME ", valid_to " TIME ")" : ")");
    buf_add_text(out, " ENGINE = MergeTree ORDER BY (");
    for (size_t i = 0; i < lookup->key_count; i++)
        buf_add_format(out, "%s`%.*s`", i ? ", " : "", SLICE_ARG(lookup->columns[lookup->keys[i]].name));
    buf_add_format(out, "%s) COMMENT '" DDL_DIMENSION "'", table->has_validity ? ", valid_from" : "");
}

/* ---- rows ---- */

static void add_text(struct buf *out, struct slice text)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        const char *escaped = c == '\t' ? "\\t" : c == '\n' ? "\\n" : c == '\r' ? "\\r" : c == '\\' ? "\\\\" : NULL;
        if (escaped)
            buf_add_text(out, escaped);
        else
            buf_add_char(out, c);
    }
}

/* 2026-01-31 09:00:00.000 */
static void add_time(struct buf *out, int64_t ms)
{
    char text[TIMESTAMP_TEXT_BYTES];
    timestamp_format(ms, text);
    buf_add(out, text, 10);
    buf_add_char(out, ' ');
    buf_add(out, text + 11, 12);
}

static void add_cell(struct buf *out, enum event_kind kind, struct value cell)
{
    char digits[VALUE_DIGITS_MAX];
    if (value_is_null(cell))
        buf_add_text(out, "\\N");
    else if (kind == EVENT_TIMESTAMP)
        add_time(out, cell.i);
    else
        add_text(out, value_as_text(cell, digits));
}

static void add_validity(struct buf *out, const struct lookup_row *row)
{
    buf_add_char(out, '\t');
    add_time(out, row->from_ms == LOOKUP_BEGIN_MS ? TIMESTAMP_MIN_MS : row->from_ms);
    buf_add_char(out, '\t');
    add_time(out, row->to_ms == LOOKUP_END_MS ? TIMESTAMP_MAX_MS : row->to_ms);
}

void ddl_add_dimension_rows(struct buf *out, const struct dimension_table *table)
{
    const struct lookup_table *lookup = table->lookup;
    buf_add_text(out, "INSERT INTO weir.");
    ddl_add_dimension_table_name(out, table);
    buf_add_text(out, " FORMAT TabSeparated\n");
    for (size_t i = 0; i < lookup->row_count; i++) {
        const struct lookup_row *row = &lookup->rows[i];
        for (size_t k = 0; k < lookup->column_count; k++) {
            if (k)
                buf_add_char(out, '\t');
            add_cell(out, table->kinds[k], row->cells[k]);
        }
        if (table->has_validity)
            add_validity(out, row);
        buf_add_char(out, '\n');
    }
}

void ddl_add_dimension_view(struct buf *out, const struct dimension_table *table)
{
    AUTO(buf) struct buf name, from, columns, comment;
    buf_init(&name, NAME_BYTES_MAX);
    buf_init(&from, NAME_BYTES_MAX);
    buf_init(&columns, COLUMNS_BYTES_MAX);
    buf_init(&comment, NAME_BYTES_MAX);
    ddl_add_dimension_view_name(&name, table);
    ddl_add_dimension_table_name(&from, table);
    ddl_add_dimension_view_comment(&comment, table);
    for (size_t i = 0; i < table->lookup->column_count; i++)
        buf_add_format(&columns, "%s`%.*s`", i ? ", " : "", SLICE_ARG(table->lookup->columns[i].name));
    buf_add_text(&columns, table->has_validity ? ", valid_from, valid_to" : "");
    assert(!name.full && !from.full && !columns.full && !comment.full);
    const struct schema_table_view view = { .name = buf_slice(&name),
                                            .columns = buf_slice(&columns),
                                            .table = buf_slice(&from),
                                            .comment = buf_slice(&comment),
                                            .tenants = table->tenants,
                                            .tenant_count = table->tenant_count,
                                            .for_others = table->for_others };
    schema_add_table_view(out, &view, table->lookup->by_tenant);
}

static void add_row(struct buf *out, const struct dimension_table *table)
{
    AUTO(buf) struct buf name, columns, key;
    const struct lookup_table *lookup = table->lookup;
    buf_init(&name, NAME_BYTES_MAX);
    buf_init(&columns, COLUMNS_BYTES_MAX);
    buf_init(&key, COLUMNS_BYTES_MAX);
    ddl_add_dimension_view_name(&name, table);
    for (size_t i = 0; i < lookup->column_count; i++)
        buf_add_format(&columns, "%s%.*s", i ? ", " : "", SLICE_ARG(lookup->columns[i].name));
    buf_add_text(&columns, table->has_validity ? ", valid_from, valid_to" : "");
    for (size_t i = 0; i < lookup->key_count; i++)
        buf_add_format(&key, "%s%.*s", i ? ", " : "", SLICE_ARG(lookup->columns[lookup->keys[i]].name));
    const struct slice cells[] = { table->name,         table->domain,   buf_slice(&name),
                                   buf_slice(&columns), buf_slice(&key), table->description };
    schema_add_list_row(out, cells, COUNT_OF(cells));
}

void ddl_add_dimension_list(struct buf *out, const struct domain_set *domains)
{
    static const char *const NAMES[] = { "dimension_table", "domain", "view", "columns", "key", "description" };
    schema_begin_list(out, "dimension_tables", NAMES, COUNT_OF(NAMES));
    for (size_t i = 0; i < domains->table_count; i++)
        add_row(out, &domains->tables[i]);
    schema_end_list(out, COUNT_OF(NAMES));
    ddl_add_whose(out, domains);
}
