/* What the files of the PostgreSQL backend share: catalog_postgres.c (opening, tenants, the audit log),
 * catalog_postgres_schema.c (tables and rights), catalog_postgres_known.c (what is known of the tenants, and the role
 * that keeps it so), catalog_postgres_keys.c and catalog_postgres_items.c. Nobody else includes this. Statements run
 * with the mutex held: between a begin and its end. */
#pragma once
#include <pthread.h>
#include <stdatomic.h>

#include "base/bell.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/retry.h"
#include "base/role.h"
#include "catalog/catalog_rows.h"
#include "catalog/directory.h"
#include "catalog/postgres_link.h"
#include "catalog/snapshot.h"

struct postgres_catalog {
    struct catalog_rows rows;
    char owner[SNAPSHOT_OWNER_MAX + 1];
    pthread_mutex_t mutex; /* of the link and what is read over it; held while the server is waited for */
    struct postgres_link *link;
    struct buf fresh;            /* tenants and keys as a snapshot (snapshot.h), just read */
    int64_t fresh_change;        /* the server's count of changes that it has */
    int64_t known_change;        /* of what is known */
    pthread_mutex_t known_mutex; /* of known; never held over a wait */
    struct buf known;
    _Atomic uint64_t version;
    _Atomic int64_t next_end_ms;
    /* The role's: */
    struct bell *bell;
    struct retry retry;
    int64_t not_before_us;
    bool away;
};

static inline struct postgres_catalog *postgres_of(struct catalog *catalog)
{
    assert(catalog->backend == &catalog_postgres);
    return (struct postgres_catalog *)catalog;
}

/* Makes or migrates the tables. ERR_INVALID: they are of a newer weir, or rights are missing. ERR_NOT_FOUND, when only
 * reading: there are none yet, or they are older. */
MUST_CHECK enum status postgres_schema_make(struct postgres_link *link, bool read_only, struct error *err);

/* Steps of struct catalog_steps. Changes come one after the other, whoever makes them, and their end takes over what is
 * known then. */
MUST_CHECK enum status postgres_change_begin(struct catalog_rows *rows, struct error *err);
MUST_CHECK enum status postgres_change_end(struct catalog_rows *rows, enum status s, struct error *err);
MUST_CHECK enum status postgres_read_begin(struct postgres_catalog *self, struct error *err);
MUST_CHECK enum status postgres_read_end(struct postgres_catalog *self, enum status s); /* s */

#define TENANT_COLUMNS "olap_slot, id, placement, tier, quota_per_minute, retention_days, open, created_ms"
void postgres_read_tenant(const PGresult *rows, int row, struct tenant *out);
MUST_CHECK enum status postgres_add_audit(struct catalog_rows *rows, const char *actor, const char *entity_type,
                                          const char *entity_id, const char *action, struct slice old_value,
                                          struct slice new_value, struct error *err);
MUST_CHECK enum status postgres_insert_key(struct catalog_rows *rows, const char *tenant_id, enum key_kind kind,
                                           const char *key, struct error *err);
MUST_CHECK enum status postgres_end_keys(struct catalog_rows *rows, const char *tenant_id, enum key_kind kind,
                                         int64_t end_ms, bool replaced_only, uint64_t *count, struct error *err);

/* Reads tenants and keys into fresh, within a transaction; takes fresh over as what is known. */
MUST_CHECK enum status postgres_known_read(struct postgres_catalog *self, struct error *err);
void postgres_known_take(struct postgres_catalog *self);
/* Both in a transaction of their own, when the server has changes that are not known. */
MUST_CHECK enum status postgres_known_refresh(struct postgres_catalog *self, struct error *err);

MUST_CHECK enum status postgres_directory(struct catalog *catalog, struct directory **out, struct error *err);
uint64_t postgres_version(struct catalog *catalog);
bool postgres_role(struct catalog *catalog, struct role *out);
MUST_CHECK enum status postgres_deploy(struct catalog *catalog, const struct catalog_item *items, size_t count,
                                       const char *actor, uint64_t *out_changes, struct error *err);
MUST_CHECK enum status postgres_items(struct catalog *catalog, enum catalog_kind kind,
                                      void (*visit)(void *visitor, const struct catalog_item *), void *visitor,
                                      struct error *err);
MUST_CHECK enum status postgres_audit_read(struct catalog *catalog, const struct audit_query *query,
                                           void (*visit)(void *visitor, const struct audit_line *), void *visitor,
                                           struct error *err);
