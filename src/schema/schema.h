/* What follows from the event types of the domains (config/event_type.h), as text: schemas for other systems, the
 * statement of a view, types for TypeScript, a reference for people. The same domains give the same bytes. Any thread;
 * everything is appended to a buffer, whose bound the caller states. */
#pragma once
#include "base/buf.h"
#include "config/domain.h"

#define SCHEMA_BYTES_MAX (64u << 20)

struct schema_selection {
    const struct domain_set *domains;
    const struct event_type *types[EVENT_TYPES_MAX]; /* in the order of the files */
    size_t count;
};
/* Whether an earlier one has the name of that at index: of another domain, for other tenants. */
static inline bool schema_is_named_before(const struct schema_selection *selection, size_t index)
{
    bool found = false;
    for (size_t i = 0; i < index && !found; i++)
        found = slice_equal(selection->types[i]->name, selection->types[index]->name);
    return found;
}

/* The record of an event as it is kept, in Avro's JSON; no blanks between tokens, as all JSON here. */
void avro_add_record(struct buf *out, const struct event_type *type);
/* Its Parsing Canonical Form, and that one's CRC-64-AVRO. */
void avro_add_canonical(struct buf *out, const struct event_type *type);
uint64_t avro_fingerprint(const struct event_type *type);

/* The view of its events that tenants may ask, with a column for each field: `events_NAME`, with a _ behind it where
 * that is a table (events_raw). A view and no table: a new field needs no change of what is stored, and past events
 * have it, too. Appends the statement, without a semicolon. */
void ddl_add_view(struct buf *out, const struct event_type *type);
void ddl_add_view_name(struct buf *out, const struct event_type *type);
/* The view `event_types`, which says what there is: one row for each. */
void ddl_add_list(struct buf *out, const struct domain_set *domains);
/* Behind a list with the domain in its column 2: a tenant's own domains alone, which are no other's to know. */
void ddl_add_whose(struct buf *out, const struct domain_set *domains);

/* A dimension table in the engine: a table of its own for each version of the file, so that a view can be moved from
 * one to the next at once, and the view `dim_NAME`, which is what tenants may ask. Statements, without a semicolon; an
 * empty cell is NULL, a row's validity is valid_from (inclusive) and valid_to (exclusive), never NULL. */
#define DDL_DIMENSION "dimension table" /* the comment of the table; the view's has the version behind it */
void ddl_add_dimension_table_name(struct buf *out, const struct dimension_table *table); /* in weir */
void ddl_add_dimension_table(struct buf *out, const struct dimension_table *table);
void ddl_add_dimension_rows(struct buf *out, const struct dimension_table *table);
void ddl_add_dimension_view_name(struct buf *out, const struct dimension_table *table); /* in pub */
void ddl_add_dimension_view(struct buf *out, const struct dimension_table *table);
/* The view `dimension_tables`, which says what there is: one row for each. */
void ddl_add_dimension_list(struct buf *out, const struct domain_set *domains);
void ddl_add_dimension_view_comment(struct buf *out, const struct dimension_table *table);

/* JSON Schema (draft 2020-12) of an event as it is sent to POST /track: what it takes has no fault but of `rules`. */
void json_schema_add(struct buf *out, const struct event_type *type);
/* One schema of all of them, told apart by event_type; of other types it takes anything. */
void json_schema_add_all(struct buf *out, const struct schema_selection *selection);

/* A module with a type for each, and the map of all that createWeir<…>() takes. */
void typescript_add(struct buf *out, const struct schema_selection *selection);

/* As it would be declared, as JSON that the reader of domains takes: an item of event_types, one of its rules. */
void declared_add_type(struct buf *out, const struct event_type *type);
void declared_add_rule(struct buf *out, const struct event_rule *rule);

/* A reference for people, in Markdown. */
void docs_add(struct buf *out, const struct schema_selection *selection);

/* A dashboard for each domain, or for the one of this name alone, as a JSON list: for each event type its count over
 * time, sum and mean of each metric, the most frequent values of each dimension; the results of each window; visits.
 * For a tenant's eyes where one is named: windows of others are not there, nor is whose they are. docs/schemas.md says
 * what stands where. */
void dashboard_add(struct buf *out, const struct domain_set *domains, struct slice domain, struct slice tenant);
