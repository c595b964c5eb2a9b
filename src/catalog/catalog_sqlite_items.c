/* What is deployed, and the audit log as it is read. A deployment names everything that is in use from then on; each
 * item is held against the row that has its name, and only what differs is written, with a line in the audit log that
 * has both values. A row is never deleted: what is not named any more is put out of use and keeps its version, so that
 * a name that comes back is still held against what it once meant.
 *
 * All three tables are read as one list of columns and written with the same numbers of parameters, of which each
 * statement takes those that it has. */
#include <stdlib.h>

#include "base/buf.h"
#include "catalog/catalog_rows.h"
#include "catalog/catalog_sqlite.h"
#include "world/world.h"

/* ?1 name ?2 domain ?3 type ?4 event type ?5 source ?6 description ?7 body ?8 now ?9 id. The order of columns: id,
 * name, domain, type, event type, source, description, body, version, active, changed_ms. */
static const struct {
    const char *select, *key, *insert, *update, *retire;
} TABLES[CATALOG_KINDS] = {
    [CATALOG_SOURCE] = { "SELECT id, name, '', kind, '', '', description, body, version, active, changed_ms"
                         " FROM data_sources",
                         " WHERE name = ?1",
                         "INSERT INTO data_sources(name, kind, description, body, version, active, changed_ms)"
                         " VALUES(?1, ?3, ?6, ?7, 1, 1, ?8)",
                         "UPDATE data_sources SET kind = ?3, description = ?6, body = ?7, version = version + 1,"
                         " active = 1, changed_ms = ?8 WHERE id = ?9",
                         "UPDATE data_sources SET active = 0, changed_ms = ?8 WHERE id = ?9" },
    [CATALOG_EVENT_TYPE] = { "SELECT id, name, domain, '', '', '', description, body, version, active, changed_ms"
                             " FROM event_types",
                             " WHERE name = ?1",
                             "INSERT INTO event_types(name, domain, description, body, version, active, changed_ms)"
                             " VALUES(?1, ?2, ?6, ?7, 1, 1, ?8)",
                             "UPDATE event_types SET domain = ?2, description = ?6, body = ?7, version = version + 1,"
                             " active = 1, changed_ms = ?8 WHERE id = ?9",
                             "UPDATE event_types SET active = 0, changed_ms = ?8 WHERE id = ?9" },
    [CATALOG_RULE] = { "SELECT r.id, r.name, r.domain, r.rule_type, ifnull(t.name, ''), s.name, r.description, r.body,"
                       " r.version, r.active, r.changed_ms FROM processing_rules r"
                       " JOIN data_sources s ON s.id = r.source_id LEFT JOIN event_types t ON t.id = r.event_type_id",
                       " WHERE r.name = ?1 AND r.domain = ?2 AND r.rule_type = ?3 AND ifnull(t.name, '') = ?4",
                       "INSERT INTO processing_rules(name, domain, rule_type, event_type_id, source_id, description,"
                       " body, version, active, changed_ms) VALUES(?1, ?2, ?3,"
                       " (SELECT id FROM event_types WHERE name = ?4), (SELECT id FROM data_sources WHERE name = ?5),"
                       " ?6, ?7, 1, 1, ?8)",
                       "UPDATE processing_rules SET source_id = (SELECT id FROM data_sources WHERE name = ?5),"
                       " description = ?6, body = ?7, version = version + 1, active = 1, changed_ms = ?8 WHERE id = ?9",
                       "UPDATE processing_rules SET active = 0, changed_ms = ?8 WHERE id = ?9" },
};

struct deploying {
    struct sqlite_catalog *self;
    const char *actor;
    const struct catalog_item *items;
    size_t count;
    int64_t now_ms;
    uint64_t changes;
};

static struct slice text_of(sqlite3_stmt *row, int column)
{
    const char *text = (const char *)sqlite3_column_text(row, column);
    return slice_of(text ? text : "", (size_t)sqlite3_column_bytes(row, column));
}

/* Views into the row, until the statement moves on. */
static struct catalog_item item_of(enum catalog_kind kind, sqlite3_stmt *row)
{
    return (struct catalog_item){ .kind = kind,
                                  .name = text_of(row, 1),
                                  .domain = text_of(row, 2),
                                  .type = text_of(row, 3),
                                  .event_type = text_of(row, 4),
                                  .source = text_of(row, 5),
                                  .description = text_of(row, 6),
                                  .body = text_of(row, 7),
                                  .version = (uint32_t)sqlite3_column_int64(row, 8),
                                  .active = sqlite3_column_int(row, 9) != 0,
                                  .changed_ms = sqlite3_column_int64(row, 10) };
}

static void bind_item(sqlite3_stmt *statement, const struct catalog_item *item, int64_t now_ms, int64_t id)
{
    const struct slice texts[] = { item->name,   item->domain,      item->type, item->event_type,
                                   item->source, item->description, item->body };
    const int most = sqlite3_bind_parameter_count(statement);
    for (int i = 0; i < (int)COUNT_OF(texts) && i < most; i++)
        catalog_sql_bind_slice(statement, i + 1, texts[i]);
    if (most >= 8)
        sqlite3_bind_int64(statement, 8, now_ms);
    if (most >= 9)
        sqlite3_bind_int64(statement, 9, id);
}

static enum status add_audit(struct deploying *deploying, const char *action, const struct catalog_item *old,
                             const struct catalog_item *now, struct error *err)
{
    AUTO(item_change) struct item_change change;
    enum status s = item_change_init(&change, old, now, err);
    return s == OK ? catalog_add_audit(&deploying->self->rows, deploying->actor, catalog_kind_name(now->kind),
                                       buf_text(&change.id), action, buf_slice(&change.old_json),
                                       buf_slice(&change.new_json), err)
                   : s;
}

static enum status write_item(struct deploying *deploying, const char *sql, const struct catalog_item *item, int64_t id,
                              struct error *err)
{
    AUTO(stmt) sqlite3_stmt *statement = NULL;
    enum status s = catalog_sql_prepare(deploying->self, sql, &statement, err);
    if (s != OK)
        return s;
    bind_item(statement, item, deploying->now_ms, id);
    deploying->changes++;
    return catalog_sql_done(deploying->self, statement, "deploy", err);
}

static enum status deploy_item(struct deploying *deploying, const struct catalog_item *item, struct error *err)
{
    AUTO(buf) struct buf sql;
    AUTO(stmt) sqlite3_stmt *row = NULL;
    struct catalog_item now = *item, old;
    buf_init(&sql, 2048);
    buf_add_format(&sql, "%s%s", TABLES[item->kind].select, TABLES[item->kind].key);
    enum status s = catalog_sql_prepare(deploying->self, buf_text(&sql), &row, err);
    if (s != OK)
        return s;
    bind_item(row, item, 0, 0);
    now.active = true;
    now.changed_ms = deploying->now_ms;
    now.version = 1;
    int step = sqlite3_step(row);
    if (step == SQLITE_DONE) {
        s = write_item(deploying, TABLES[item->kind].insert, item, 0, err);
        return s == OK ? add_audit(deploying, "create", NULL, &now, err) : s;
    }
    if (step != SQLITE_ROW)
        return catalog_sql_failed(deploying->self, "read what is deployed", err);
    old = item_of(item->kind, row);
    if (old.active && item_is_same(&old, item))
        return OK;
    now.version = old.version + 1;
    s = write_item(deploying, TABLES[item->kind].update, item, sqlite3_column_int64(row, 0), err);
    return s == OK ? add_audit(deploying, old.active ? "update" : "restore", &old, &now, err) : s;
}

/* The row that is read is the row that changes, and what follows it is read by its id: so none comes twice. */
static enum status retire_others(struct deploying *deploying, enum catalog_kind kind, struct error *err)
{
    AUTO(buf) struct buf sql;
    AUTO(stmt) sqlite3_stmt *rows = NULL;
    buf_init(&sql, 2048);
    buf_add_format(&sql, "%s ORDER BY 1", TABLES[kind].select);
    enum status s = catalog_sql_prepare(deploying->self, buf_text(&sql), &rows, err);
    int step = SQLITE_DONE;
    while (s == OK && (step = sqlite3_step(rows)) == SQLITE_ROW) {
        struct catalog_item old = item_of(kind, rows), now = old;
        if (!old.active || item_is_among(deploying->items, deploying->count, &old))
            continue;
        now.active = false;
        now.changed_ms = deploying->now_ms;
        s = write_item(deploying, TABLES[kind].retire, &old, sqlite3_column_int64(rows, 0), err);
        if (s == OK)
            s = add_audit(deploying, "retire", &old, &now, err);
    }
    return s == OK && step != SQLITE_DONE ? catalog_sql_failed(deploying->self, "read what is deployed", err) : s;
}

enum status sqlite_deploy(struct catalog *catalog, const struct catalog_item *items, size_t count, const char *actor,
                          uint64_t *out_changes, struct error *err)
{
    struct deploying deploying = { sqlite_of(catalog), actor, items, count, 0, 0 };
    if (count > CATALOG_ITEMS_MAX)
        return error_set(err, ERR_FULL, "%zu event types, rules and sources are more than the %d that are kept", count,
                         CATALOG_ITEMS_MAX);
    deploying.now_ms = world_wall_ms(deploying.self->rows.world);
    enum status s = catalog_change_begin(&deploying.self->rows, err);
    for (int kind = 0; kind < CATALOG_KINDS && s == OK; kind++) /* what others refer to comes first */
        for (size_t i = 0; i < count && s == OK; i++)
            if (items[i].kind == (enum catalog_kind)kind)
                s = deploy_item(&deploying, &items[i], err);
    for (int kind = 0; kind < CATALOG_KINDS && s == OK; kind++)
        s = retire_others(&deploying, (enum catalog_kind)kind, err);
    s = catalog_change_end(&deploying.self->rows, s, err);
    if (s == OK)
        *out_changes = deploying.changes;
    return s;
}

enum status sqlite_items(struct catalog *catalog, enum catalog_kind kind,
                         void (*visit)(void *visitor, const struct catalog_item *), void *visitor, struct error *err)
{
    AUTO(buf) struct buf sql;
    sqlite3_stmt *rows = NULL;
    struct sqlite_catalog *self = sqlite_of(catalog);
    int step = SQLITE_DONE;
    buf_init(&sql, 2048);
    buf_add_format(&sql, "%s ORDER BY 3, 5, 4, 2", TABLES[kind].select);
    pthread_mutex_lock(&self->mutex);
    enum status s = catalog_sql_prepare(self, buf_text(&sql), &rows, err);
    while (s == OK && (step = sqlite3_step(rows)) == SQLITE_ROW) {
        struct catalog_item item = item_of(kind, rows);
        visit(visitor, &item);
    }
    if (s == OK && step != SQLITE_DONE)
        s = catalog_sql_failed(self, "read what is deployed", err);
    sqlite3_finalize(rows);
    pthread_mutex_unlock(&self->mutex);
    return s;
}

static enum status read_audit(struct sqlite_catalog *self, const struct audit_query *query,
                              void (*visit)(void *visitor, const struct audit_line *), void *visitor, struct error *err)
{
    AUTO(stmt) sqlite3_stmt *rows = NULL;
    int step = SQLITE_DONE;
    enum status s = catalog_sql_prepare(
        self,
        "SELECT id, at_ms, actor, entity_type, entity_id, action, old_value, new_value FROM audit"
        " WHERE (?1 = '' OR entity_type = ?1) AND (?2 = '' OR entity_id = ?2) AND (?3 = 0 OR id < ?3)"
        " ORDER BY id DESC LIMIT ?4",
        &rows, err);
    if (s != OK)
        return s;
    catalog_sql_bind_slice(rows, 1, query->entity_type);
    catalog_sql_bind_slice(rows, 2, query->entity_id);
    sqlite3_bind_int64(rows, 3, query->before_id);
    sqlite3_bind_int64(rows, 4, (int64_t)query->lines_max);
    while ((step = sqlite3_step(rows)) == SQLITE_ROW)
        visit(visitor, &(struct audit_line){ .id = sqlite3_column_int64(rows, 0),
                                             .at_ms = sqlite3_column_int64(rows, 1),
                                             .actor = text_of(rows, 2),
                                             .entity_type = text_of(rows, 3),
                                             .entity_id = text_of(rows, 4),
                                             .action = text_of(rows, 5),
                                             .old_value = text_of(rows, 6),
                                             .new_value = text_of(rows, 7) });
    return step == SQLITE_DONE ? OK : catalog_sql_failed(self, "read the audit log", err);
}

enum status sqlite_audit_read(struct catalog *catalog, const struct audit_query *query,
                              void (*visit)(void *visitor, const struct audit_line *), void *visitor, struct error *err)
{
    struct sqlite_catalog *self = sqlite_of(catalog);
    pthread_mutex_lock(&self->mutex);
    enum status s = read_audit(self, query, visit, visitor, err);
    pthread_mutex_unlock(&self->mutex);
    return s;
}
