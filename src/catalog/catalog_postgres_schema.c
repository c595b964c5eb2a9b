/* The tables, in the schema `weir`. The table weir.migrations has a row for each entry of MIGRATIONS that was applied;
 * entries are never edited after release. Whoever starts first makes them, in one transaction; another who starts at
 * the same time waits for the lock. A weir that already runs goes on over a migration, so entries add and never take
 * away.
 *
 * Requirements D-36 to D-39 and D-41 (event_types, data_sources, processing_rules, audit; unique names, the rule's
 * source). Declarations are `json`, which keeps the text as it was declared: what is deployed is held against it byte
 * by byte. `body::jsonb` is for those who look into it by SQL. */
#include <stdio.h>
#include <string.h>

#include "catalog/catalog_postgres.h"

#define MIGRATION_LOCK "7741232910" /* any number that nobody else of the database locks */

static const char *const MIGRATIONS[] = {
    "CREATE TABLE weir.catalog("
    "  only_one boolean PRIMARY KEY DEFAULT true CHECK(only_one), change bigint NOT NULL, slots bigint NOT NULL);"
    "INSERT INTO weir.catalog(change, slots) VALUES(0, 0);"
    "CREATE TABLE weir.tenants("
    "  olap_slot bigint PRIMARY KEY, id varchar(64) NOT NULL UNIQUE, placement varchar(64) NOT NULL,"
    "  tier text NOT NULL CHECK(tier IN ('standard','enterprise')), quota_per_minute bigint NOT NULL,"
    "  retention_days integer NOT NULL, open boolean NOT NULL, created_ms bigint NOT NULL);"
    "CREATE TABLE weir.keys("
    "  hash bytea PRIMARY KEY CHECK(length(hash) = 32), tenant_id varchar(64) NOT NULL REFERENCES weir.tenants(id),"
    "  kind text NOT NULL CHECK(kind IN ('write','read')), prefix text NOT NULL, created_ms bigint NOT NULL,"
    "  revoked_ms bigint);"
    "CREATE INDEX keys_of_tenant ON weir.keys(tenant_id);"
    "CREATE TABLE weir.audit("
    "  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at_ms bigint NOT NULL, actor text NOT NULL,"
    "  entity_type text NOT NULL, entity_id text NOT NULL, action text NOT NULL, old_value json, new_value json);"
    "CREATE INDEX audit_of_entity ON weir.audit(entity_type, entity_id, id);"
    "CREATE TABLE weir.data_sources("
    "  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name varchar(255) NOT NULL UNIQUE,"
    "  kind text NOT NULL CHECK(kind IN ('kafka','api','database')), description text NOT NULL, body json NOT NULL,"
    "  version bigint NOT NULL, active boolean NOT NULL, changed_ms bigint NOT NULL);"
    "CREATE TABLE weir.event_types("
    "  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name varchar(255) NOT NULL UNIQUE, domain text NOT NULL,"
    "  description text NOT NULL, body json NOT NULL, version bigint NOT NULL, active boolean NOT NULL,"
    "  changed_ms bigint NOT NULL);"
    "CREATE TABLE weir.processing_rules("
    "  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, domain text NOT NULL,"
    "  rule_type text NOT NULL CHECK(rule_type IN ('validation','window','transform')),"
    "  event_type_id bigint REFERENCES weir.event_types(id),"
    "  source_id bigint NOT NULL REFERENCES weir.data_sources(id), description text NOT NULL, body json NOT NULL,"
    "  version bigint NOT NULL, active boolean NOT NULL, changed_ms bigint NOT NULL,"
    "  CHECK((rule_type = 'validation') = (event_type_id IS NOT NULL)));"
    "CREATE UNIQUE INDEX rule_by_name ON weir.processing_rules(domain, rule_type, coalesce(event_type_id, 0), name);"
    /* Who has named an item in its last deployment. kind: as in enum catalog_kind. */
    "CREATE TABLE weir.uses("
    "  owner text NOT NULL, kind smallint NOT NULL, item_id bigint NOT NULL, PRIMARY KEY(owner, kind, item_id));"
    "CREATE INDEX uses_of_item ON weir.uses(kind, item_id);",
};

static enum status read_one(struct postgres_link *link, const char *doing, const char *sql, PGresult **out,
                            struct error *err)
{
    enum status s = link_ask(link, doing, sql, NULL, out, err);
    assert(s != OK || PQntuples(*out) == 1);
    return s;
}

/* *out_has_schema: somebody made the schema for us. 0: there are no tables. */
static enum status read_version(struct postgres_link *link, int *out_version, bool *out_has_schema, struct error *err)
{
    AUTO(link_result) PGresult *there = NULL, *version = NULL;
    enum status s =
        read_one(link, "look for its tables",
                 "SELECT to_regnamespace('weir') IS NOT NULL, to_regclass('weir.migrations') IS NOT NULL", &there, err);
    if (s != OK)
        return s;
    *out_has_schema = PQgetvalue(there, 0, 0)[0] == 't';
    *out_version = 0;
    if (PQgetvalue(there, 0, 1)[0] != 't')
        return OK;
    s = read_one(link, "read its version", "SELECT coalesce(max(version), 0) FROM weir.migrations", &version, err);
    if (s == OK)
        *out_version = (int)link_read_number(version, 0, 0);
    return s;
}

static enum status apply(struct postgres_link *link, int version, struct error *err)
{
    struct link_params params = { 0 };
    link_number(&params, version + 1);
    enum status s = link_run(link, "migrate", MIGRATIONS[version], err);
    return s == OK ? link_ask(link, "migrate", "INSERT INTO weir.migrations(version) VALUES($1)", &params, NULL, err)
                   : s;
}

static enum status migrate_locked(struct postgres_link *link, struct error *err)
{
    int version = 0;
    bool has_schema = false;
    enum status s = link_ask(link, "wait for others who migrate", "SELECT pg_advisory_xact_lock(" MIGRATION_LOCK ")",
                             NULL, NULL, err);
    if (s == OK)
        s = read_version(link, &version, &has_schema, err);
    if (s == OK && !has_schema)
        s = link_run(link, "make the schema", "CREATE SCHEMA weir", err);
    if (s == OK && !version)
        s = link_run(link, "make its tables",
                     "CREATE TABLE IF NOT EXISTS weir.migrations("
                     "  version integer PRIMARY KEY, at timestamptz NOT NULL DEFAULT now())",
                     err);
    for (; s == OK && version < (int)COUNT_OF(MIGRATIONS); version++)
        s = apply(link, version, err);
    return s == OK ? link_commit(link, err) : s;
}

static enum status migrate(struct postgres_link *link, struct error *err)
{
    enum status s = link_begin(link, "BEGIN", err);
    if (s == OK)
        s = migrate_locked(link, err);
    link_roll_back(link);
    return s;
}

/* What is missing shall be told now, not at the first tenant. */
static enum status check_rights(struct postgres_link *link, bool read_only, struct error *err)
{
    AUTO(link_result) PGresult *row = NULL;
    struct link_params params = { 0 };
    link_text(&params, read_only ? SLICE("SELECT") : SLICE("INSERT,UPDATE,DELETE"));
    enum status s =
        link_ask(link, "look at its rights",
                 "SELECT string_agg(right_name || ' on weir.' || name, ', ' ORDER BY name, right_name), current_user"
                 " FROM unnest(ARRAY['catalog', 'tenants', 'keys', 'audit', 'data_sources', 'event_types',"
                 " 'processing_rules', 'uses']) name, unnest(string_to_array('SELECT,' || $1::text, ',')) right_name"
                 " WHERE NOT has_table_privilege('weir.' || name, right_name)"
                 " AND NOT (right_name = 'DELETE' AND name <> 'uses')",
                 &params, &row, err);
    if (s != OK || PQgetisnull(row, 0, 0))
        return s;
    return error_set(err, ERR_INVALID,
                     "the user %s has not the right to %.300s: GRANT it, or let the schema be its own",
                     PQgetvalue(row, 0, 1), PQgetvalue(row, 0, 0));
}

static enum status make(struct postgres_link *link, bool read_only, struct error *err)
{
    const int newest = (int)COUNT_OF(MIGRATIONS);
    int version = 0;
    bool has_schema = false;
    enum status s = read_version(link, &version, &has_schema, err);
    if (s != OK)
        return s;
    if (version > newest)
        return error_set(
            err, ERR_INVALID,
            "the tables have version %d, this weir knows up to %d: use the newer weir, or restore a backup", version,
            newest);
    if (version < newest && read_only)
        return error_set(err, ERR_NOT_FOUND, "%s",
                         version ? "the catalog is of an earlier weir: it is migrated at the next start"
                                 : "there is no catalog in that database");
    if (version < newest)
        s = migrate(link, err);
    return s == OK ? check_rights(link, read_only, err) : s;
}

enum status postgres_schema_make(struct postgres_link *link, bool read_only, struct error *err)
{
    static const char NO_RIGHT[] = "42501";
    enum status s = make(link, read_only, err);
    if (s == ERR_INVALID && strcmp(link_sqlstate(link), NO_RIGHT) == 0)
        error_wrap(err, s, "rights are missing (CREATE SCHEMA weir AUTHORIZATION the user of catalog.url gives them)");
    return s;
}
