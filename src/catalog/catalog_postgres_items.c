/* What is deployed, and the audit log as it is read. As catalog_sqlite_items.c has it, with two differences: all rows
 * of a kind are read at once, because each question is a way to the server and back; and weir.uses says who has named
 * an item last, so that a deployment puts out of use only what nobody else names (decision 0062). */
#include <stdio.h>
#include <stdlib.h>

#include "catalog/catalog_postgres.h"
#include "world/world.h"

/* $1 name $2 domain $3 type $4 event type $5 source $6 description $7 body $8 now: of these, those that a table has.
 * The columns of select: id, name, domain, type, event type, source, description, body, version, active, changed_ms,
 * whether another owner names it. */
#define USED_BY_OTHERS(kind, id)                                                                                       \
    "EXISTS(SELECT FROM weir.uses u WHERE u.kind = " kind " AND u.item_id = " id " AND u.owner <> $1)"
#define C " COLLATE \"C\""
#define NEXT_VERSION "version = version + 1, active = true, changed_ms"

static const struct {
    const char *select, *insert, *update, *retire;
} TABLES[CATALOG_KINDS] = {
    [CATALOG_SOURCE] = { "SELECT id, name, '', kind, '', '', description, body,"
                         " version, active, changed_ms, " USED_BY_OTHERS(
                             "0", "id") " FROM weir.data_sources ORDER BY name" C,
                         "INSERT INTO weir.data_sources(name, kind, description, body, version, active, changed_ms)"
                         " VALUES($1, $2, $3, $4, 1, true, $5) RETURNING id",
                         "UPDATE weir.data_sources SET kind = $2, description = $3, body = $4, " NEXT_VERSION " = $5"
                         " WHERE name = $1 RETURNING id",
                         "UPDATE weir.data_sources SET active = false, changed_ms = $2 WHERE id = $1" },
    [CATALOG_EVENT_TYPE] = { "SELECT id, name, domain, '', '', '', description, body,"
                             " version, active, changed_ms, " USED_BY_OTHERS(
                                 "1", "id") " FROM weir.event_types ORDER BY domain" C ", name" C,
                             "INSERT INTO weir.event_types(name, domain, description, body, version, active,"
                             " changed_ms) VALUES($1, $2, $3, $4, 1, true, $5) RETURNING id",
                             "UPDATE weir.event_types SET domain = $2, description = $3, body = $4, " NEXT_VERSION
                             " = $5 WHERE name = $1 RETURNING id",
                             "UPDATE weir.event_types SET active = false, changed_ms = $2 WHERE id = $1" },
    [CATALOG_RULE] = { "SELECT r.id, r.name, r.domain, r.rule_type, coalesce(t.name, ''), s.name,"
                       " r.description, r.body, r.version, r.active, r.changed_ms, " USED_BY_OTHERS(
                           "2", "r.id") " FROM weir.processing_rules r JOIN weir.data_sources s ON s.id = r.source_id"
                                        " LEFT JOIN weir.event_types t ON t.id = r.event_type_id"
                                        " ORDER BY r.domain" C ", coalesce(t.name, '')" C ", r.rule_type" C
                                        ", r.name" C,
                       "INSERT INTO weir.processing_rules(name, domain, rule_type, event_type_id, source_id,"
                       " description, body, version, active, changed_ms) VALUES($1, $2, $3,"
                       " (SELECT id FROM weir.event_types WHERE name = $4),"
                       " (SELECT id FROM weir.data_sources WHERE name = $5), $6, $7, 1, true, $8) RETURNING id",
                       "UPDATE weir.processing_rules SET"
                       " source_id = (SELECT id FROM weir.data_sources WHERE name = $5), description = $6, body = $7,"
                       " " NEXT_VERSION " = $8 WHERE name = $1 AND domain = $2 AND rule_type = $3"
                       " AND coalesce(event_type_id, 0) ="
                       " coalesce((SELECT id FROM weir.event_types WHERE name = $4), 0) RETURNING id",
                       "UPDATE weir.processing_rules SET active = false, changed_ms = $2 WHERE id = $1" },
};

struct deploying {
    struct postgres_catalog *self;
    const char *actor;
    const struct catalog_item *items;
    size_t count;
    int64_t now_ms;
    uint64_t changes;
    enum catalog_kind kind; /* that is being deployed */
    PGresult *rows;         /* all of it, as they were */
    struct buf named;       /* ids of those that are named: {1,2,3} */
};

/* Views into the row. */
static struct catalog_item item_of(enum catalog_kind kind, const PGresult *rows, int row)
{
    return (struct catalog_item){ .kind = kind,
                                  .name = link_read_text(rows, row, 1),
                                  .domain = link_read_text(rows, row, 2),
                                  .type = link_read_text(rows, row, 3),
                                  .event_type = link_read_text(rows, row, 4),
                                  .source = link_read_text(rows, row, 5),
                                  .description = link_read_text(rows, row, 6),
                                  .body = link_read_text(rows, row, 7),
                                  .version = (uint32_t)link_read_number(rows, row, 8),
                                  .active = PQgetvalue(rows, row, 9)[0] == 't',
                                  .changed_ms = link_read_number(rows, row, 10) };
}

static enum status read_rows(struct postgres_catalog *self, enum catalog_kind kind, PGresult **out, struct error *err)
{
    struct link_params params = { 0 };
    link_text(&params, slice_from(self->owner));
    return link_ask(self->link, "read what is deployed", TABLES[kind].select, &params, out, err);
}

static enum status add_audit(struct deploying *deploying, const char *action, const struct catalog_item *old,
                             const struct catalog_item *now, struct error *err)
{
    AUTO(item_change) struct item_change change;
    enum status s = item_change_init(&change, old, now, err);
    return s == OK ? postgres_add_audit(&deploying->self->rows, deploying->actor, catalog_kind_name(now->kind),
                                        buf_text(&change.id), action, buf_slice(&change.old_json),
                                        buf_slice(&change.new_json), err)
                   : s;
}

static void name_row(struct deploying *deploying, struct slice id)
{
    buf_add_char(&deploying->named, deploying->named.n ? ',' : '{');
    buf_add_slice(&deploying->named, id);
}

static void add_params(struct link_params *params, const struct catalog_item *item, int64_t now_ms)
{
    link_text(params, item->name);
    if (item->kind != CATALOG_SOURCE)
        link_text(params, item->domain);
    if (item->kind != CATALOG_EVENT_TYPE)
        link_text(params, item->type);
    if (item->kind == CATALOG_RULE) {
        link_text(params, item->event_type);
        link_text(params, item->source);
    }
    link_text(params, item->description);
    link_text(params, item->body);
    link_number(params, now_ms);
}

static enum status write_item(struct deploying *deploying, const char *sql, const struct catalog_item *item,
                              struct error *err)
{
    AUTO(link_result) PGresult *row = NULL;
    struct link_params params = { 0 };
    add_params(&params, item, deploying->now_ms);
    enum status s = link_ask(deploying->self->link, "deploy", sql, &params, &row, err);
    if (s != OK)
        return s;
    assert(PQntuples(row) == 1);
    deploying->changes++;
    name_row(deploying, link_read_text(row, 0, 0));
    return OK;
}

static enum status deploy_item(struct deploying *deploying, const struct catalog_item *item, struct error *err)
{
    struct catalog_item now = *item, old = { 0 };
    int row = 0, rows = PQntuples(deploying->rows);
    while (row < rows && (old = item_of(item->kind, deploying->rows, row), !item_is_named(&old, item)))
        row++;
    now.active = true;
    now.changed_ms = deploying->now_ms;
    now.version = 1;
    if (row == rows) {
        enum status s = write_item(deploying, TABLES[item->kind].insert, item, err);
        return s == OK ? add_audit(deploying, "create", NULL, &now, err) : s;
    }
    if (old.active && item_is_same(&old, item)) {
        name_row(deploying, link_read_text(deploying->rows, row, 0));
        return OK;
    }
    now.version = old.version + 1;
    enum status s = write_item(deploying, TABLES[item->kind].update, item, err);
    return s == OK ? add_audit(deploying, old.active ? "update" : "restore", &old, &now, err) : s;
}

static enum status retire_others(struct deploying *deploying, struct error *err)
{
    enum status s = OK;
    for (int row = 0; row < PQntuples(deploying->rows) && s == OK; row++) {
        struct catalog_item old = item_of(deploying->kind, deploying->rows, row), now = old;
        bool used_by_others = PQgetvalue(deploying->rows, row, 11)[0] == 't';
        if (!old.active || used_by_others || item_is_among(deploying->items, deploying->count, &old))
            continue;
        struct link_params params = { 0 };
        link_number(&params, link_read_number(deploying->rows, row, 0));
        link_number(&params, deploying->now_ms);
        now.active = false;
        now.changed_ms = deploying->now_ms;
        s = link_ask(deploying->self->link, "deploy", TABLES[deploying->kind].retire, &params, NULL, err);
        if (s == OK)
            s = add_audit(deploying, "retire", &old, &now, err);
        deploying->changes++;
    }
    return s;
}

static enum status write_uses(struct deploying *deploying, struct error *err)
{
    struct link_params params = { 0 };
    buf_add_text(&deploying->named, deploying->named.n ? "}" : "{}");
    if (deploying->named.full)
        return error_set(err, ERR_FULL, "catalog: too much is deployed");
    link_text(&params, slice_from(deploying->self->owner));
    link_number(&params, deploying->kind);
    link_text(&params, buf_slice(&deploying->named));
    return link_ask(deploying->self->link, "deploy",
                    "WITH gone AS (DELETE FROM weir.uses WHERE owner = $1::text AND kind = $2::smallint"
                    " AND item_id <> ALL($3::text::bigint[]))"
                    " INSERT INTO weir.uses SELECT $1::text, $2::smallint, unnest($3::text::bigint[])"
                    " ON CONFLICT DO NOTHING",
                    &params, NULL, err);
}

static enum status deploy_kind(struct deploying *deploying, struct error *err)
{
    buf_init(&deploying->named, 1u << 20);
    deploying->rows = NULL;
    enum status s = read_rows(deploying->self, deploying->kind, &deploying->rows, err);
    for (size_t i = 0; i < deploying->count && s == OK; i++)
        if (deploying->items[i].kind == deploying->kind)
            s = deploy_item(deploying, &deploying->items[i], err);
    if (s == OK)
        s = retire_others(deploying, err);
    if (s == OK)
        s = write_uses(deploying, err);
    PQclear(deploying->rows);
    buf_done(&deploying->named);
    return s;
}

enum status postgres_deploy(struct catalog *catalog, const struct catalog_item *items, size_t count, const char *actor,
                            uint64_t *out_changes, struct error *err)
{
    struct deploying deploying = { .self = postgres_of(catalog), .actor = actor, .items = items, .count = count };
    if (count > CATALOG_ITEMS_MAX)
        return error_set(err, ERR_FULL, "%zu event types, rules and sources are more than the %d that are kept", count,
                         CATALOG_ITEMS_MAX);
    deploying.now_ms = world_wall_ms(deploying.self->rows.world);
    enum status s = postgres_change_begin(&deploying.self->rows, err);
    for (int kind = 0; kind < CATALOG_KINDS && s == OK; kind++) { /* what others refer to comes first */
        deploying.kind = (enum catalog_kind)kind;
        s = deploy_kind(&deploying, err);
    }
    s = postgres_change_end(&deploying.self->rows, s, err);
    if (s == OK)
        *out_changes = deploying.changes;
    return s;
}

enum status postgres_items(struct catalog *catalog, enum catalog_kind kind,
                           void (*visit)(void *visitor, const struct catalog_item *), void *visitor, struct error *err)
{
    AUTO(link_result) PGresult *rows = NULL;
    struct postgres_catalog *self = postgres_of(catalog);
    enum status s = postgres_read_begin(self, err);
    if (s == OK)
        s = read_rows(self, kind, &rows, err);
    s = postgres_read_end(self, s);
    for (int row = 0; s == OK && row < PQntuples(rows); row++) {
        struct catalog_item item = item_of(kind, rows, row);
        visit(visitor, &item);
    }
    return s;
}

static enum status read_audit(struct postgres_catalog *self, const struct audit_query *query, PGresult **out,
                              struct error *err)
{
    struct link_params params = { 0 };
    link_text(&params, query->entity_type);
    link_text(&params, query->entity_id);
    link_number(&params, query->before_id);
    link_number(&params, (int64_t)query->lines_max);
    return link_ask(self->link, "read the audit log",
                    "SELECT id, at_ms, actor, entity_type, entity_id, action, old_value, new_value FROM weir.audit"
                    " WHERE ($1::text = '' OR entity_type = $1::text) AND ($2::text = '' OR entity_id = $2::text)"
                    " AND ($3::bigint = 0 OR id < $3::bigint) ORDER BY id DESC LIMIT $4",
                    &params, out, err);
}

enum status postgres_audit_read(struct catalog *catalog, const struct audit_query *query,
                                void (*visit)(void *visitor, const struct audit_line *), void *visitor,
                                struct error *err)
{
    AUTO(link_result) PGresult *rows = NULL;
    struct postgres_catalog *self = postgres_of(catalog);
    enum status s = postgres_read_begin(self, err);
    if (s == OK)
        s = read_audit(self, query, &rows, err);
    s = postgres_read_end(self, s);
    for (int row = 0; s == OK && row < PQntuples(rows); row++)
        visit(visitor, &(struct audit_line){ .id = link_read_number(rows, row, 0),
                                             .at_ms = link_read_number(rows, row, 1),
                                             .actor = link_read_text(rows, row, 2),
                                             .entity_type = link_read_text(rows, row, 3),
                                             .entity_id = link_read_text(rows, row, 4),
                                             .action = link_read_text(rows, row, 5),
                                             .old_value = link_read_text(rows, row, 6),
                                             .new_value = link_read_text(rows, row, 7) });
    return s;
}
