/* The catalog in one SQLite file, DIR/catalog.db.
 *
 * One connection behind one mutex: the catalog changes a few times a day and hot paths read a directory (directory.h),
 * so that a second connection would buy nothing. WAL with synchronous=FULL: a tenant whose keys were shown survives a
 * power cut. Every change and its line in the audit log are one transaction. The schema's version is SQLite's
 * user_version; MIGRATIONS below are applied in order, each in a transaction of its own, and never edited after
 * release. SQLite does its own file access, past `struct world` (decision 0060); time and chance come from the world.
 * The file is made by the world's disk first, because that gives it the mode 0600, which WAL and shared memory inherit.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "catalog/catalog_sqlite.h"
#include "world/disk.h"
#include "world/world.h"

static const char *const MIGRATIONS[] = {
    /* 1. quota_per_minute: 0 the tier's default, -1 unlimited. AUTOINCREMENT: a slot is never given out twice. */
    "CREATE TABLE tenants("
    "  olap_slot INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, placement TEXT NOT NULL,"
    "  tier TEXT NOT NULL CHECK(tier IN ('standard','enterprise')), quota_per_minute INTEGER NOT NULL,"
    "  retention_days INTEGER NOT NULL, open INTEGER NOT NULL CHECK(open IN (0,1)), created_ms INTEGER NOT NULL) "
    "STRICT;"
    "CREATE TABLE keys("
    "  hash BLOB PRIMARY KEY CHECK(length(hash) = 32), tenant_id TEXT NOT NULL REFERENCES tenants(id),"
    "  kind TEXT NOT NULL CHECK(kind IN ('write','read')), prefix TEXT NOT NULL, created_ms INTEGER NOT NULL,"
    "  revoked_ms INTEGER) STRICT;"
    "CREATE INDEX keys_of_tenant ON keys(tenant_id);"
    "CREATE TABLE audit("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, actor TEXT NOT NULL, entity_type TEXT NOT NULL,"
    "  entity_id TEXT NOT NULL, action TEXT NOT NULL, old_value TEXT, new_value TEXT) STRICT;"
    "CREATE INDEX audit_of_entity ON audit(entity_type, entity_id, id);",
    /* 2. What is deployed. Nothing is deleted here: `active` says what is in use. */
    "CREATE TABLE data_sources("
    "  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
    "  kind TEXT NOT NULL CHECK(kind IN ('kafka','api','database')), description TEXT NOT NULL,"
    "  body TEXT NOT NULL CHECK(body <> ''), version INTEGER NOT NULL, active INTEGER NOT NULL CHECK(active IN "
    "(0,1)),"
    "  changed_ms INTEGER NOT NULL) STRICT;"
    "CREATE TABLE event_types("
    "  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, domain TEXT NOT NULL, description TEXT NOT NULL,"
    "  body TEXT NOT NULL CHECK(body <> ''), version INTEGER NOT NULL, active INTEGER NOT NULL CHECK(active IN "
    "(0,1)),"
    "  changed_ms INTEGER NOT NULL) STRICT;"
    "CREATE TABLE processing_rules("
    "  id INTEGER PRIMARY KEY, name TEXT NOT NULL, domain TEXT NOT NULL,"
    "  rule_type TEXT NOT NULL CHECK(rule_type IN ('validation','window','transform')),"
    "  event_type_id INTEGER REFERENCES event_types(id), source_id INTEGER NOT NULL REFERENCES data_sources(id),"
    "  description TEXT NOT NULL, body TEXT NOT NULL CHECK(body <> ''), version INTEGER NOT NULL,"
    "  active INTEGER NOT NULL CHECK(active IN (0,1)), changed_ms INTEGER NOT NULL,"
    "  CHECK((rule_type = 'validation') = (event_type_id IS NOT NULL))) STRICT;"
    "CREATE UNIQUE INDEX rule_by_name ON processing_rules(domain, rule_type, ifnull(event_type_id, 0), name);",
};

/* What SQLite's answer means to the caller. */
enum status catalog_sql_failed(struct sqlite_catalog *self, const char *doing, struct error *err)
{
    int code = sqlite3_errcode(self->db) & 0xff;
    enum status s = code == SQLITE_FULL                                 ? ERR_FULL
                    : code == SQLITE_BUSY || code == SQLITE_LOCKED      ? ERR_RETRY
                    : code == SQLITE_CORRUPT || code == SQLITE_NOTADB   ? ERR_CORRUPT
                    : code == SQLITE_CONSTRAINT || code == SQLITE_RANGE ? ERR_INVALID
                                                                        : ERR_IO;
    return error_set(err, s, "catalog: %s: %s", doing, sqlite3_errmsg(self->db));
}

enum status catalog_sql_run(struct sqlite_catalog *self, const char *sql, struct error *err)
{
    return sqlite3_exec(self->db, sql, NULL, NULL, NULL) == SQLITE_OK ? OK : catalog_sql_failed(self, sql, err);
}

void catalog_roll_back(struct sqlite_catalog *self)
{
    /* Fails only where SQLite has rolled back by itself already. */
    sqlite3_exec(self->db, "ROLLBACK", NULL, NULL, NULL);
}

enum status catalog_sql_prepare(struct sqlite_catalog *self, const char *sql, sqlite3_stmt **out, struct error *err)
{
    return sqlite3_prepare_v2(self->db, sql, -1, out, NULL) == SQLITE_OK ? OK : catalog_sql_failed(self, sql, err);
}

void catalog_sql_bind_slice(sqlite3_stmt *statement, int at, struct slice text)
{
    sqlite3_bind_text(statement, at, text.n ? text.p : "", (int)text.n, SQLITE_STATIC);
}

void catalog_sql_bind(sqlite3_stmt *statement, int at, const char *text)
{
    catalog_sql_bind_slice(statement, at, slice_from(text));
}

enum status catalog_sql_done(struct sqlite_catalog *self, sqlite3_stmt *statement, const char *doing, struct error *err)
{
    return sqlite3_step(statement) == SQLITE_DONE ? OK : catalog_sql_failed(self, doing, err);
}

/* --- opening --- */

static int user_version(sqlite3 *db)
{
    sqlite3_stmt *statement = NULL;
    int version = -1;
    if (sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        version = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    return version;
}

static enum status migrate(struct sqlite_catalog *self, bool read_only, struct error *err)
{
    int version = user_version(self->db), newest = (int)COUNT_OF(MIGRATIONS);
    if (version < 0)
        return catalog_sql_failed(self, "read its version", err);
    if (version > newest)
        return error_set(err, ERR_INVALID,
                         "catalog.db has version %d, this weir knows up to %d: use the newer weir, or restore a backup",
                         version, newest);
    if (read_only && version < newest)
        return error_set(err, ERR_NOT_FOUND, "catalog.db is of an earlier weir: it is migrated at the next start");
    for (; version < newest; version++) {
        char mark[64];
        snprintf(mark, sizeof mark, "PRAGMA user_version=%d", version + 1);
        enum status s = catalog_sql_run(self, "BEGIN IMMEDIATE", err);
        if (s == OK && (s = catalog_sql_run(self, MIGRATIONS[version], err)) == OK &&
            (s = catalog_sql_run(self, mark, err)) == OK)
            s = catalog_sql_run(self, "COMMIT", err);
        if (s != OK) {
            catalog_roll_back(self);
            return error_wrap(err, s, "migrate catalog.db to version %d", version + 1);
        }
    }
    return OK;
}

/* The empty file, readable by its owner only. */
static enum status make_file(struct world *world, const char *directory, const char *path, struct error *err)
{
    struct disk_file *file;
    enum status s = disk_make_dirs(world->disk, directory, err);
    if (s == OK)
        s = world->disk->ops->open(world->disk, path, DISK_CREATE, &file, err);
    if (s == OK)
        world->disk->ops->close(file);
    return s;
}

static enum status find_file(const char *path, struct error *err)
{
    if (access(path, R_OK) == 0)
        return OK;
    return errno == ENOENT ? error_set(err, ERR_NOT_FOUND, "there is no %s", path)
                           : error_set(err, ERR_IO, "read %s: %s", path, strerror(errno));
}

/* What is asked of every connection; nothing is written where it only reads. */
static enum status set_up(struct sqlite_catalog *self, bool read_only, struct error *err)
{
    sqlite3_busy_timeout(self->db, 5000);
    enum status s = read_only ? catalog_sql_run(self, "PRAGMA query_only=ON", err)
                              : catalog_sql_run(self, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL", err);
    if (s == OK)
        s = catalog_sql_run(self, "PRAGMA foreign_keys=ON; PRAGMA trusted_schema=OFF", err);
    return s == OK ? migrate(self, read_only, err) : s;
}

static const struct catalog_steps STEPS;

static void sqlite_close(struct catalog *catalog)
{
    if (!catalog)
        return;
    struct sqlite_catalog *self = sqlite_of(catalog);
    sqlite3_close(self->db);
    pthread_mutex_destroy(&self->mutex);
    free(self);
}

static enum status sqlite_open(const struct catalog_options *options, struct world *world, struct catalog **out,
                               struct error *err)
{
    char path[DISK_PATH_MAX];
    if (snprintf(path, sizeof path, "%s/catalog.db", options->path) >= (int)sizeof path)
        return error_set(err, ERR_INVALID, "the data directory's name is too long");
    enum status s = options->read_only ? find_file(path, err) : make_file(world, options->path, path, err);
    if (s != OK)
        return s;
    struct sqlite_catalog *self = calloc(1, sizeof *self);
    if (!self)
        return error_set(err, ERR_FULL, "catalog: out of memory");
    self->rows.catalog.backend = &catalog_sqlite;
    self->rows.steps = &STEPS;
    self->rows.world = world;
    atomic_store(&self->version, 1);
    atomic_store(&self->next_end_ms, INT64_MAX);
    pthread_mutex_init(&self->mutex, NULL);
    if (sqlite3_open_v2(path, &self->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW, NULL) !=
        SQLITE_OK)
        s = error_set(err, ERR_IO, "open %s: %s", path, self->db ? sqlite3_errmsg(self->db) : "out of memory");
    if (s == OK)
        s = set_up(self, options->read_only, err);
    if (s != OK) {
        sqlite_close(&self->rows.catalog);
        return s;
    }
    *out = &self->rows.catalog;
    return OK;
}

/* --- reading --- */

static void copy_text(char *to, size_t size, sqlite3_stmt *statement, int column)
{
    const char *text = (const char *)sqlite3_column_text(statement, column);
    snprintf(to, size, "%s", text ? text : "");
}

void catalog_read_tenant(sqlite3_stmt *statement, struct tenant *out)
{
    char tier[16];
    *out = (struct tenant){ .olap_slot = (uint32_t)sqlite3_column_int64(statement, 0) };
    copy_text(out->id, sizeof out->id, statement, 1);
    copy_text(out->placement, sizeof out->placement, statement, 2);
    copy_text(tier, sizeof tier, statement, 3);
    if (!tenant_read_tier(slice_from(tier), &out->tier))
        assert(!"a tier that the table's CHECK lets through");
    out->quota_per_minute = tenant_quota_of_stored(sqlite3_column_int64(statement, 4));
    out->retention_days = sqlite3_column_int(statement, 5);
    out->open = sqlite3_column_int(statement, 6) != 0;
    out->created_ms = sqlite3_column_int64(statement, 7);
}

static enum status get_tenant(struct catalog_rows *rows, struct slice id, struct tenant *out, struct error *err)
{
    struct sqlite_catalog *self = sqlite_of(&rows->catalog);
    AUTO(stmt) sqlite3_stmt *statement = NULL;
    enum status s = catalog_sql_prepare(self, "SELECT " TENANT_COLUMNS " FROM tenants WHERE id = ?", &statement, err);
    if (s != OK)
        return s;
    catalog_sql_bind_slice(statement, 1, id);
    switch (sqlite3_step(statement)) {
    case SQLITE_ROW:
        catalog_read_tenant(statement, out);
        return OK;
    case SQLITE_DONE:
        return error_set(err, ERR_NOT_FOUND, "there is no tenant '%.*s'", SLICE_ARG(id));
    default:
        return catalog_sql_failed(self, "read a tenant", err);
    }
}

static enum status sqlite_tenant_get(struct catalog *catalog, struct slice id, struct tenant *out, struct error *err)
{
    struct sqlite_catalog *self = sqlite_of(catalog);
    pthread_mutex_lock(&self->mutex);
    enum status s = get_tenant(&self->rows, id, out, err);
    pthread_mutex_unlock(&self->mutex);
    return s;
}

static uint64_t sqlite_version(struct catalog *catalog)
{
    struct sqlite_catalog *self = sqlite_of(catalog);
    int64_t end_ms = atomic_load_explicit(&self->next_end_ms, memory_order_relaxed);
    if (UNLIKELY(end_ms != INT64_MAX) && world_wall_ms(self->rows.world) >= end_ms &&
        atomic_compare_exchange_strong(&self->next_end_ms, &end_ms, INT64_MAX))
        atomic_fetch_add_explicit(&self->version, 1, memory_order_release); /* a replaced key ends now */
    return atomic_load_explicit(&self->version, memory_order_acquire);
}

/* --- changing --- */

enum status catalog_add_audit(struct catalog_rows *rows, const char *actor, const char *entity_type,
                              const char *entity_id, const char *action, struct slice old_value, struct slice new_value,
                              struct error *err)
{
    struct sqlite_catalog *self = sqlite_of(&rows->catalog);
    AUTO(stmt) sqlite3_stmt *statement = NULL;
    enum status s =
        catalog_sql_prepare(self,
                            "INSERT INTO audit(at_ms, actor, entity_type, entity_id, action, old_value, new_value) "
                            "VALUES(?, ?, ?, ?, ?, nullif(?, ''), nullif(?, ''))",
                            &statement, err);
    if (s != OK)
        return s;
    sqlite3_bind_int64(statement, 1, world_wall_ms(self->rows.world));
    catalog_sql_bind(statement, 2, actor);
    catalog_sql_bind(statement, 3, entity_type);
    catalog_sql_bind(statement, 4, entity_id);
    catalog_sql_bind(statement, 5, action);
    catalog_sql_bind_slice(statement, 6, old_value);
    catalog_sql_bind_slice(statement, 7, new_value);
    return catalog_sql_done(self, statement, "write the audit log", err);
}

static enum status insert_tenant(struct catalog_rows *rows, struct tenant *tenant, struct error *err)
{
    struct sqlite_catalog *self = sqlite_of(&rows->catalog);
    AUTO(stmt) sqlite3_stmt *statement = NULL;
    enum status s = catalog_sql_prepare(
        self,
        "INSERT INTO tenants(id, placement, tier, quota_per_minute, retention_days, open, created_ms)"
        " VALUES(?, ?, ?, ?, ?, ?, ?)",
        &statement, err);
    if (s != OK)
        return s;
    catalog_sql_bind(statement, 1, tenant->id);
    catalog_sql_bind(statement, 2, tenant->placement);
    catalog_sql_bind(statement, 3, tenant_tier_name(tenant->tier));
    sqlite3_bind_int64(statement, 4, tenant_stored_quota(tenant));
    sqlite3_bind_int(statement, 5, tenant->retention_days);
    sqlite3_bind_int(statement, 6, tenant->open);
    sqlite3_bind_int64(statement, 7, tenant->created_ms);
    s = catalog_sql_done(self, statement, "add a tenant", err);
    tenant->olap_slot = (uint32_t)sqlite3_last_insert_rowid(self->db);
    return s;
}

/* Ends the transaction as s says; a committed change makes directories stale. Unlocks. */
enum status catalog_change_end(struct catalog_rows *rows, enum status s, struct error *err)
{
    struct sqlite_catalog *self = sqlite_of(&rows->catalog);
    if (s == OK)
        s = catalog_sql_run(self, "COMMIT", err);
    if (s == OK)
        atomic_fetch_add_explicit(&self->version, 1, memory_order_release);
    else
        catalog_roll_back(self);
    pthread_mutex_unlock(&self->mutex);
    return s;
}

enum status catalog_change_begin(struct catalog_rows *rows, struct error *err)
{
    struct sqlite_catalog *self = sqlite_of(&rows->catalog);
    pthread_mutex_lock(&self->mutex);
    return catalog_sql_run(self, "BEGIN IMMEDIATE", err);
}

static enum status change_tenant(struct catalog_rows *rows, const struct tenant *tenant, struct error *err)
{
    struct sqlite_catalog *self = sqlite_of(&rows->catalog);
    AUTO(stmt) sqlite3_stmt *statement = NULL;
    enum status s = catalog_sql_prepare(
        self, "UPDATE tenants SET tier = ?, quota_per_minute = ?, retention_days = ?, open = ? WHERE id = ?",
        &statement, err);
    if (s != OK)
        return s;
    catalog_sql_bind(statement, 1, tenant_tier_name(tenant->tier));
    sqlite3_bind_int64(statement, 2, tenant_stored_quota(tenant));
    sqlite3_bind_int(statement, 3, tenant->retention_days);
    sqlite3_bind_int(statement, 4, tenant->open);
    catalog_sql_bind(statement, 5, tenant->id);
    return catalog_sql_done(self, statement, "change a tenant", err);
}

static enum status sqlite_audit(struct catalog *catalog, const char *actor, const char *entity_type,
                                const char *entity_id, const char *action, struct slice old_value,
                                struct slice new_value, struct error *err)
{
    struct sqlite_catalog *self = sqlite_of(catalog);
    pthread_mutex_lock(&self->mutex);
    enum status s = catalog_add_audit(&self->rows, actor, entity_type, entity_id, action, old_value, new_value, err);
    pthread_mutex_unlock(&self->mutex);
    return s;
}

/* A weir that runs has the directory's lock: nobody else changes this file. */
static bool sqlite_role(struct catalog *catalog, struct role *out)
{
    (void)catalog, (void)out;
    return false;
}

static const struct catalog_steps STEPS = {
    .begin = catalog_change_begin,
    .end = catalog_change_end,
    .get_tenant = get_tenant,
    .insert_tenant = insert_tenant,
    .change_tenant = change_tenant,
    .insert_key = catalog_insert_key,
    .end_keys = catalog_end_keys,
    .add_audit = catalog_add_audit,
};

const struct catalog_backend catalog_sqlite = {
    .name = "sqlite",
    .open = sqlite_open,
    .tenant_create = rows_tenant_create,
    .tenant_update = rows_tenant_update,
    .tenant_get = sqlite_tenant_get,
    .keys_rotate = rows_keys_rotate,
    .keys_revoke = rows_keys_revoke,
    .directory = sqlite_directory,
    .version = sqlite_version,
    .audit = sqlite_audit,
    .audit_read = sqlite_audit_read,
    .deploy = sqlite_deploy,
    .items = sqlite_items,
    .role = sqlite_role,
    .close = sqlite_close,
};
