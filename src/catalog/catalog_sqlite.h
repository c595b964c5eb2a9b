/* What the files of the SQLite backend share: catalog_sqlite.c (opening, tenants, the audit log) and
 * catalog_sqlite_keys.c (keys and directories) and catalog_sqlite_items.c (what is deployed). Nobody else includes
 * this. Statements run with the mutex held: between catalog_change_begin and catalog_change_end, or by hand. */
#pragma once
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

#include "catalog/catalog_rows.h"
#include "catalog/directory.h"

struct sqlite_catalog {
    struct catalog_rows rows;
    sqlite3 *db;
    pthread_mutex_t mutex;
    _Atomic uint64_t version;
    _Atomic int64_t next_end_ms; /* when the next replaced key ends, wall clock; INT64_MAX: none will */
};

static inline struct sqlite_catalog *sqlite_of(struct catalog *catalog)
{
    assert(catalog->backend == &catalog_sqlite);
    return (struct sqlite_catalog *)catalog;
}

static inline void stmt_auto(sqlite3_stmt **statement)
{
    sqlite3_finalize(*statement);
}

/* Makes the status and the words of what SQLite said last. */
enum status catalog_sql_failed(struct sqlite_catalog *self, const char *doing, struct error *err);
MUST_CHECK enum status catalog_sql_run(struct sqlite_catalog *self, const char *sql, struct error *err);
MUST_CHECK enum status catalog_sql_prepare(struct sqlite_catalog *self, const char *sql, sqlite3_stmt **out,
                                           struct error *err);
void catalog_sql_bind_slice(sqlite3_stmt *statement, int at, struct slice text);
void catalog_sql_bind(sqlite3_stmt *statement, int at, const char *text);
MUST_CHECK enum status catalog_sql_done(struct sqlite_catalog *self, sqlite3_stmt *statement, const char *doing,
                                        struct error *err);

/* Steps of struct catalog_steps. */
MUST_CHECK enum status catalog_change_begin(struct catalog_rows *rows, struct error *err);
MUST_CHECK enum status catalog_change_end(struct catalog_rows *rows, enum status s, struct error *err);
MUST_CHECK enum status catalog_add_audit(struct catalog_rows *rows, const char *actor, const char *entity_type,
                                         const char *entity_id, const char *action, struct slice old_value,
                                         struct slice new_value, struct error *err);
MUST_CHECK enum status catalog_insert_key(struct catalog_rows *rows, const char *tenant_id, enum key_kind kind,
                                          const char *key, struct error *err);
MUST_CHECK enum status catalog_end_keys(struct catalog_rows *rows, const char *tenant_id, enum key_kind kind,
                                        int64_t end_ms, bool replaced_only, uint64_t *count, struct error *err);

void catalog_roll_back(struct sqlite_catalog *self);

#define TENANT_COLUMNS "olap_slot, id, placement, tier, quota_per_minute, retention_days, open, created_ms"
void catalog_read_tenant(sqlite3_stmt *statement, struct tenant *out);

MUST_CHECK enum status sqlite_deploy(struct catalog *catalog, const struct catalog_item *items, size_t count,
                                     const char *actor, uint64_t *out_changes, struct error *err);
MUST_CHECK enum status sqlite_items(struct catalog *catalog, enum catalog_kind kind,
                                    void (*visit)(void *visitor, const struct catalog_item *), void *visitor,
                                    struct error *err);
MUST_CHECK enum status sqlite_audit_read(struct catalog *catalog, const struct audit_query *query,
                                         void (*visit)(void *visitor, const struct audit_line *), void *visitor,
                                         struct error *err);
MUST_CHECK enum status sqlite_directory(struct catalog *catalog, struct directory **out, struct error *err);
