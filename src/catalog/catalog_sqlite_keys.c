/* Keys, and the directories made of them. A row in `keys` works while revoked_ms is empty or ahead: rotation makes a
 * new key and gives the old ones an end, which may lie in the future (the time to roll the new one out), and revocation
 * moves that end to now. Nothing has to run when an end comes: next_end_ms holds the nearest one, version() moves when
 * it has passed, and whoever looks up keys then makes a new directory, without the key. */
#include <stdio.h>

#include "catalog/catalog_sqlite.h"
#include "world/world.h"

#define LIVE_KEYS " FROM keys WHERE revoked_ms IS NULL OR revoked_ms > ?1"

/* The one row of two numbers that sql gives with ?1 = now_ms; NULL counts as INT64_MAX. */
static enum status read_numbers(struct sqlite_catalog *self, const char *sql, int64_t now_ms, int64_t out[2],
                                struct error *err)
{
    AUTO(stmt) sqlite3_stmt *statement = NULL;
    enum status s = catalog_sql_prepare(self, sql, &statement, err);
    if (s != OK)
        return s;
    sqlite3_bind_int64(statement, 1, now_ms);
    if (sqlite3_step(statement) != SQLITE_ROW)
        return catalog_sql_failed(self, "count", err);
    for (int i = 0; i < 2; i++)
        out[i] = sqlite3_column_type(statement, i) == SQLITE_NULL ? INT64_MAX : sqlite3_column_int64(statement, i);
    return OK;
}

static enum status fill_directory(struct sqlite_catalog *self, int64_t now_ms, struct directory *directory,
                                  struct error *err)
{
    AUTO(stmt) sqlite3_stmt *tenants = NULL, *keys = NULL;
    enum status s = catalog_sql_prepare(self, "SELECT " TENANT_COLUMNS " FROM tenants ORDER BY id", &tenants, err);
    if (s != OK)
        return s;
    int step;
    while ((step = sqlite3_step(tenants)) == SQLITE_ROW) {
        struct tenant tenant;
        catalog_read_tenant(tenants, &tenant);
        directory_add_tenant(directory, &tenant);
    }
    if (step != SQLITE_DONE)
        return catalog_sql_failed(self, "read the tenants", err);
    s = catalog_sql_prepare(self, "SELECT hash, kind = 'write', tenant_id, revoked_ms" LIVE_KEYS, &keys, err);
    if (s != OK)
        return s;
    sqlite3_bind_int64(keys, 1, now_ms);
    while ((step = sqlite3_step(keys)) == SQLITE_ROW)
        directory_add_key(directory, sqlite3_column_int(keys, 1) ? KEY_WRITE : KEY_READ, sqlite3_column_blob(keys, 0),
                          sqlite3_column_type(keys, 3) == SQLITE_NULL ? KEY_NO_END : sqlite3_column_int64(keys, 3),
                          slice_from((const char *)sqlite3_column_text(keys, 2)));
    return step == SQLITE_DONE ? OK : catalog_sql_failed(self, "read the keys", err);
}

/* An end that passes while a directory is made: this one has the key no more, and the others shall learn of it. */
static void set_next_end(struct sqlite_catalog *self, int64_t now_ms, int64_t next_ms)
{
    if (atomic_load(&self->next_end_ms) <= now_ms)
        atomic_fetch_add_explicit(&self->version, 1, memory_order_release);
    atomic_store(&self->next_end_ms, next_ms);
}

static enum status directory_locked(struct sqlite_catalog *self, struct directory **out, struct error *err)
{
    int64_t now_ms = world_wall_ms(self->rows.world), counts[2], ends[2];
    enum status s = read_numbers(self, "SELECT (SELECT count(*) FROM tenants), (SELECT count(*)" LIVE_KEYS ")", now_ms,
                                 counts, err);
    if (s == OK)
        s = read_numbers(self, "SELECT min(revoked_ms), 0 FROM keys WHERE revoked_ms > ?1", now_ms, ends, err);
    if (s != OK)
        return s;
    struct directory *directory = directory_new((size_t)counts[0], (size_t)counts[1]);
    if (!directory)
        return error_set(err, ERR_FULL, "catalog: out of memory for %lld tenants", (long long)counts[0]);
    s = fill_directory(self, now_ms, directory, err);
    if (s != OK) {
        directory_free(directory);
        return s;
    }
    set_next_end(self, now_ms, ends[0]);
    *out = directory;
    return OK;
}

enum status sqlite_directory(struct catalog *catalog, struct directory **out, struct error *err)
{
    struct sqlite_catalog *self = sqlite_of(catalog);
    pthread_mutex_lock(&self->mutex);
    enum status s = catalog_sql_run(self, "BEGIN", err);
    if (s == OK) {
        s = directory_locked(self, out, err);
        catalog_roll_back(self); /* it only read */
    }
    pthread_mutex_unlock(&self->mutex);
    return s;
}

enum status catalog_insert_key(struct catalog_rows *rows, const char *tenant_id, enum key_kind kind, const char *key,
                               struct error *err)
{
    struct sqlite_catalog *self = sqlite_of(&rows->catalog);
    AUTO(stmt) sqlite3_stmt *statement = NULL;
    unsigned char hash[KEY_HASH_BYTES];
    char prefix[8];
    key_hash(slice_from(key), hash);
    snprintf(prefix, sizeof prefix, "%s", key);
    enum status s = catalog_sql_prepare(
        self, "INSERT INTO keys(hash, tenant_id, kind, prefix, created_ms) VALUES(?, ?, ?, ?, ?)", &statement, err);
    if (s != OK)
        return s;
    sqlite3_bind_blob(statement, 1, hash, sizeof hash, SQLITE_STATIC);
    catalog_sql_bind(statement, 2, tenant_id);
    catalog_sql_bind(statement, 3, key_kind_name(kind));
    catalog_sql_bind(statement, 4, prefix);
    sqlite3_bind_int64(statement, 5, world_wall_ms(self->rows.world));
    s = catalog_sql_done(self, statement, "add a key", err);
    return s == ERR_INVALID ? error_set(err, ERR_FULL, "the %s key of '%s' belongs to somebody already: choose another",
                                        key_kind_name(kind), tenant_id)
                            : s;
}

enum status catalog_end_keys(struct catalog_rows *rows, const char *tenant_id, enum key_kind kind, int64_t end_ms,
                             bool replaced_only, uint64_t *count, struct error *err)
{
    struct sqlite_catalog *self = sqlite_of(&rows->catalog);
    AUTO(stmt) sqlite3_stmt *statement = NULL;
    enum status s = catalog_sql_prepare(self,
                                        "UPDATE keys SET revoked_ms = ?1 WHERE tenant_id = ?2 AND kind = ?3"
                                        " AND (revoked_ms > ?1 OR (revoked_ms IS NULL AND NOT ?4))",
                                        &statement, err);
    if (s != OK)
        return s;
    sqlite3_bind_int64(statement, 1, end_ms);
    catalog_sql_bind(statement, 2, tenant_id);
    catalog_sql_bind(statement, 3, key_kind_name(kind));
    sqlite3_bind_int(statement, 4, replaced_only);
    s = catalog_sql_done(self, statement, "end keys", err);
    if (s == OK)
        *count += (uint64_t)sqlite3_changes(self->db);
    return s;
}
