/* The engine's tables, and how an older data directory is brought up to date: a list of versions, each a few statements
 * that may be run again after being cut off, recorded in weir.schema_migrations one by one. The views of database
 * `pub`, the only thing that tenants' readers may ask, are made anew at each start. No thread of its own; knows neither
 * HTTP nor who runs the statements. */
#pragma once
#include "base/buf.h"
#include "base/compiler.h"
#include "base/error.h"

struct schema_runner {
    void *self;
    /* Runs one statement as the writer; out (may be NULL) gets its answer, TabSeparated. */
    enum status (*run)(void *self, struct slice sql, struct buf *out, struct error *err);
};

/* The newest version that this binary knows. */
uint32_t schema_version(void);
/* ERR_INVALID: the directory was written by a newer weir; nothing was changed. *out_applied may be NULL. */
MUST_CHECK enum status schema_migrate(const struct schema_runner *runner, uint32_t *out_applied, struct error *err);

struct schema_reader {
    struct slice user, tenant; /* the engine's user for the tenant's slot: "reader_0001", "acme" */
};
/* The statement that lets readers see their tenants' rows, at once and without a restart. Repeating it is harmless; a
 * reader that was ever given to two tenants sees nothing. */
void schema_assign_readers(const struct schema_reader *readers, size_t count, struct buf *out_sql);
/* The statement of a view of one event type's events in database pub, of which each tenant sees its own; columns are of
 * SQL, and take those of events_raw from `e`. Its comment is SCHEMA_EVENT_VIEW. */
#define SCHEMA_EVENT_VIEW "event type"
void schema_add_event_view(struct buf *out, struct slice name, struct slice columns, struct slice event_type);
/* The tenant who asks, in SQL; NULL: nobody who is one. */
#define SCHEMA_ASKING                                                                                                  \
    "(SELECT any(tenant) FROM weir.tenant_users WHERE user = currentUser() HAVING uniqExact(tenant) = 1)"
/* The statement of a view in database pub; columns are of SQL, of the table weir.TABLE. of_tenants: each sees the rows
 * with its customer_id; else all rows are there for whoever is a tenant, or one of these, or none of them (tenant_count
 * 0: all). */
struct schema_table_view {
    struct slice name, columns, table, comment;
    const struct slice *tenants;
    size_t tenant_count;
    bool for_others;
};
void schema_add_table_view(struct buf *out, const struct schema_table_view *view, bool of_tenants);
/* The statement of a view in database pub with rows that are said here, the same for everybody: begun with the names of
 * its columns, all of them texts, then row by row, then ended. */
void schema_begin_list(struct buf *out, const char *name, const char *const *columns, size_t count);
void schema_add_list_row(struct buf *out, const struct slice *cells, size_t count);
void schema_end_list(struct buf *out, size_t count);
/* A condition on rows of windows_replayed: sessions that a newer generation replaced, so that nobody sees them. */
void schema_add_hidden_sessions(struct buf *out, struct slice tenant);
/* The question for customer_id, event_type and the five ratios of data_quality (NULL: nothing to judge) of an hour, of
 * all tenants. */
void schema_add_quality_of(struct buf *out, int64_t hour_ms);
/* 'text', with quotes and backslashes escaped. */
void schema_add_literal(struct buf *out, struct slice text);
/* The same of each, with ", " between. */
void schema_add_literals(struct buf *out, const struct slice *texts, size_t count);

/* For tests: the statements of a version (from 1), NULL behind the last. */
const char *schema_statement(uint32_t version, size_t index);
