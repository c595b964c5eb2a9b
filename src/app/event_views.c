/* A view says in its comment that it is one of these: by its name alone a table could be taken for one. */
#include "app/event_views.h"

#include "schema/schema.h"

#define STATEMENT_BYTES_MAX (32u << 20)
#define NAMES_BYTES_MAX (1u << 20)

static enum status make_view(const struct schema_runner *runner, const struct event_type *type, struct error *err)
{
    AUTO(buf) struct buf sql;
    buf_init(&sql, STATEMENT_BYTES_MAX);
    ddl_add_view(&sql, type);
    assert(!sql.full);
    enum status s = runner->run(runner->self, buf_slice(&sql), NULL, err);
    return s == OK ? OK : error_wrap(err, s, "make the view of the event type %.*s", SLICE_ARG(type->name));
}

static enum status make_list(const struct schema_runner *runner, const struct domain_set *domains, struct error *err)
{
    static const struct domain_set NONE;
    AUTO(buf) struct buf sql;
    buf_init(&sql, STATEMENT_BYTES_MAX);
    ddl_add_list(&sql, domains ? domains : &NONE);
    if (sql.full)
        return error_set(err, ERR_FULL, "the descriptions of all event types are larger than %u MiB",
                         STATEMENT_BYTES_MAX >> 20);
    enum status s = runner->run(runner->self, buf_slice(&sql), NULL, err);
    return s == OK ? OK : error_wrap(err, s, "make the list of event types");
}

static bool is_declared(const struct domain_set *domains, struct slice view)
{
    AUTO(buf) struct buf name;
    buf_init(&name, NAMES_BYTES_MAX);
    bool found = false;
    for (size_t i = 0; domains && i < domains->event_type_count && !found; i++) {
        buf_reset(&name);
        ddl_add_view_name(&name, &domains->event_types[i]);
        found = slice_equal(buf_slice(&name), view);
    }
    return found;
}

static enum status drop_view(const struct schema_runner *runner, struct slice name, struct error *err)
{
    AUTO(buf) struct buf sql;
    buf_init(&sql, 1024);
    buf_add_format(&sql, "DROP VIEW IF EXISTS pub.%.*s", SLICE_ARG(name));
    return runner->run(runner->self, buf_slice(&sql), NULL, err);
}

static enum status drop_others(const struct schema_runner *runner, const struct domain_set *domains, struct error *err)
{
    AUTO(buf) struct buf names;
    buf_init(&names, NAMES_BYTES_MAX);
    enum status s = runner->run(
        runner->self,
        SLICE("SELECT name FROM system.tables WHERE database = 'pub' AND comment = '" SCHEMA_EVENT_VIEW "'"), &names,
        err);
    for (struct slice rest = buf_slice(&names); s == OK && rest.n;) {
        const char *end = memchr(rest.p, '\n', rest.n);
        struct slice name = slice_of(rest.p, end ? (size_t)(end - rest.p) : rest.n);
        rest = slice_after(rest, name.n + (end != NULL));
        if (name.n && !is_declared(domains, name))
            s = drop_view(runner, name, err);
    }
    return s == OK ? OK : error_wrap(err, s, "remove views of event types that are gone");
}

enum status event_views_make(const struct schema_runner *runner, const struct domain_set *domains, struct error *err)
{
    enum status s = OK;
    for (size_t i = 0; s == OK && domains && i < domains->event_type_count; i++)
        s = make_view(runner, &domains->event_types[i], err);
    if (s == OK)
        s = make_list(runner, domains, err);
    return s == OK ? drop_others(runner, domains, err) : s;
}
