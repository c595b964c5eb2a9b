#include "app/event_schemas.h"

#include <stdlib.h>

#include "schema/schema.h"

/* The next one on a walk that begins at DOMAIN_CLOSENESS_MAX and 0: types of the closest domains first, since of
 * several with one name the first one holds (target.h). NULL behind the last. */
static const struct event_type *next_type(const struct domain_set *domains, int *io_closeness, size_t *io_at)
{
    for (; *io_closeness >= 0; --*io_closeness, *io_at = 0)
        while (*io_at < domains->event_type_count) {
            const struct event_type *type = &domains->event_types[(*io_at)++];
            if (domain_closeness(&domains->domains[type->domain_place]) == *io_closeness)
                return type;
        }
    return NULL;
}

/* Texts behind one another, each with a NUL. */
static void add_texts(struct buf *text, const struct domain_set *domains)
{
    int closeness = DOMAIN_CLOSENESS_MAX;
    size_t at = 0;
    for (const struct event_type *type; (type = next_type(domains, &closeness, &at)) != NULL;) {
        buf_add_slice(text, type->name);
        buf_add_char(text, '\0');
        avro_add_record(text, type);
        buf_add_char(text, '\0');
    }
}

/* When the texts no longer move. */
static void point_into(struct event_schemas *schemas, const struct domain_set *domains)
{
    const char *text = schemas->text.p;
    int closeness = DOMAIN_CLOSENESS_MAX;
    size_t at = 0;
    for (size_t i = 0; i < schemas->count; i++) {
        const struct event_type *declared = next_type(domains, &closeness, &at);
        const struct domain *domain = &domains->domains[declared->domain_place];
        struct target_schema *type = &schemas->types[i];
        type->event_type = text;
        type->schema = text += strlen(text) + 1;
        text += strlen(text) + 1;
        type->tenants = domain_names(domains, domain, &type->tenant_count);
        type->others = domain->audience == DOMAIN_FOR_OTHERS;
    }
}

enum status event_schemas_init(struct event_schemas *schemas, const struct domain_set *domains, size_t bytes_max,
                               struct error *err)
{
    *schemas = (struct event_schemas){ .types = calloc(domains->event_type_count + 1, sizeof *schemas->types) };
    if (!schemas->types)
        abort();
    buf_init(&schemas->text, bytes_max);
    add_texts(&schemas->text, domains);
    if (schemas->text.full)
        return error_set(err, ERR_INVALID,
                         "the Avro schemas of the %zu event types exceed %zu bytes together: declare fewer types, "
                         "fields or tenants, or let the sinks write JSON (format: json)",
                         domains->event_type_count, bytes_max);
    schemas->count = domains->event_type_count;
    point_into(schemas, domains);
    return OK;
}

static bool have_same_tenants(const struct target_schema *one, const struct target_schema *other)
{
    bool same = one->others == other->others && one->tenant_count == other->tenant_count;
    for (size_t i = 0; same && i < one->tenant_count; i++)
        same = slice_equal(one->tenants[i], other->tenants[i]);
    return same;
}

bool event_schemas_equal(const struct event_schemas *one, const struct event_schemas *other)
{
    bool equal = one->count == other->count && slice_equal(buf_slice(&one->text), buf_slice(&other->text));
    for (size_t i = 0; equal && i < one->count; i++)
        equal = have_same_tenants(&one->types[i], &other->types[i]);
    return equal;
}

void event_schemas_done(struct event_schemas *schemas)
{
    buf_done(&schemas->text);
    free(schemas->types);
    *schemas = (struct event_schemas){ 0 };
}
