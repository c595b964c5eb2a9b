/* A view's comment says which version of its table it shows, so that at a start nothing that is there already is made
 * again. A table that was replaced goes with the next change or start, not at once: a query that found it through the
 * old view may be about to read it. */
#include "app/dimension_views.h"

#include "schema/schema.h"

#define STATEMENT_BYTES_MAX (2 * DIMENSION_BYTES_MAX) /* a byte of a cell may be escaped */
#define NAMES_BYTES_MAX (1u << 20)
#define KEPT_SECONDS "60"

static bool has_line(struct slice lines, struct slice wanted)
{
    for (struct slice rest = lines; rest.n;) {
        const char *end = memchr(rest.p, '\n', rest.n);
        size_t n = end ? (size_t)(end - rest.p) : rest.n;
        if (slice_equal(slice_of(rest.p, n), wanted))
            return true;
        rest = slice_after(rest, n + (end != NULL));
    }
    return false;
}

static enum status run(const struct schema_runner *runner, const struct dimension_table *table,
                       void (*add)(struct buf *, const struct dimension_table *), struct error *err)
{
    AUTO(buf) struct buf sql;
    buf_init(&sql, STATEMENT_BYTES_MAX);
    add(&sql, table);
    if (sql.full)
        return error_set(err, ERR_FULL, "its rows take more than %u MiB", STATEMENT_BYTES_MAX >> 20);
    return runner->run(runner->self, buf_slice(&sql), NULL, err);
}

/* What an earlier try has left of the table is not whole. */
static void add_drop(struct buf *out, const struct dimension_table *table)
{
    buf_add_text(out, "DROP TABLE IF EXISTS weir.");
    ddl_add_dimension_table_name(out, table);
}

static enum status make_table(const struct schema_runner *runner, const struct dimension_table *table,
                              struct error *err)
{
    enum status s = run(runner, table, add_drop, err);
    if (s == OK)
        s = run(runner, table, ddl_add_dimension_table, err);
    if (s == OK && table->lookup->row_count)
        s = run(runner, table, ddl_add_dimension_rows, err);
    if (s == OK)
        s = run(runner, table, ddl_add_dimension_view, err);
    return s == OK ? OK : error_wrap(err, s, "make the dimension table %.*s", SLICE_ARG(table->name));
}

/* shown: "dim_products\tdimension table 0123…", a line for each view. */
static bool is_shown(struct slice shown, const struct dimension_table *table)
{
    AUTO(buf) struct buf line;
    buf_init(&line, 4096);
    ddl_add_dimension_view_name(&line, table);
    buf_add_char(&line, '\t');
    ddl_add_dimension_view_comment(&line, table);
    return has_line(shown, buf_slice(&line));
}

static enum status drop_others(const struct schema_runner *runner, const char *list, struct slice wanted,
                               const char *drop, struct error *err)
{
    AUTO(buf) struct buf names, sql;
    buf_init(&names, NAMES_BYTES_MAX);
    buf_init(&sql, 4096);
    enum status s = runner->run(runner->self, slice_from(list), &names, err);
    for (struct slice rest = buf_slice(&names); s == OK && rest.n;) {
        const char *end = memchr(rest.p, '\n', rest.n);
        struct slice name = slice_of(rest.p, end ? (size_t)(end - rest.p) : rest.n);
        rest = slice_after(rest, name.n + (end != NULL));
        if (has_line(wanted, name))
            continue;
        buf_reset(&sql);
        buf_add_format(&sql, "%s%.*s", drop, SLICE_ARG(name));
        s = runner->run(runner->self, buf_slice(&sql), NULL, err);
    }
    return s == OK ? OK : error_wrap(err, s, "remove dimension tables that are gone");
}

static enum status drop_all_others(const struct schema_runner *runner, const struct domain_set *domains,
                                   struct error *err)
{
    AUTO(buf) struct buf views, tables;
    buf_init(&views, NAMES_BYTES_MAX);
    buf_init(&tables, NAMES_BYTES_MAX);
    for (size_t i = 0; domains && i < domains->table_count; i++) {
        ddl_add_dimension_view_name(&views, &domains->tables[i]);
        buf_add_char(&views, '\n');
        ddl_add_dimension_table_name(&tables, &domains->tables[i]);
        buf_add_char(&tables, '\n');
    }
    enum status s = drop_others(
        runner, "SELECT name FROM system.tables WHERE database = 'pub' AND startsWith(comment, '" DDL_DIMENSION " ')",
        buf_slice(&views), "DROP VIEW IF EXISTS pub.", err);
    if (s != OK)
        return s;
    return drop_others(runner,
                       "SELECT name FROM system.tables WHERE database = 'weir' AND comment = '" DDL_DIMENSION "'"
                       " AND metadata_modification_time < now() - " KEPT_SECONDS,
                       buf_slice(&tables), "DROP TABLE IF EXISTS weir.", err);
}

static enum status make_list(const struct schema_runner *runner, const struct domain_set *domains, struct error *err)
{
    static const struct domain_set NONE;
    AUTO(buf) struct buf sql;
    buf_init(&sql, STATEMENT_BYTES_MAX);
    ddl_add_dimension_list(&sql, domains ? domains : &NONE);
    assert(!sql.full);
    enum status s = runner->run(runner->self, buf_slice(&sql), NULL, err);
    return s == OK ? OK : error_wrap(err, s, "make the list of dimension tables");
}

enum status dimension_views_make(const struct schema_runner *runner, const struct domain_set *domains,
                                 struct error *err)
{
    AUTO(buf) struct buf shown;
    buf_init(&shown, NAMES_BYTES_MAX);
    enum status s = runner->run(
        runner->self,
        SLICE("SELECT name, comment FROM system.tables WHERE database = 'pub' AND startsWith(comment, '" DDL_DIMENSION
              " ')"),
        &shown, err);
    for (size_t i = 0; s == OK && domains && i < domains->table_count; i++)
        if (!is_shown(buf_slice(&shown), &domains->tables[i]))
            s = make_table(runner, &domains->tables[i], err);
    if (s == OK)
        s = make_list(runner, domains, err);
    return s == OK ? drop_all_others(runner, domains, err) : s;
}
