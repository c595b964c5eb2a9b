/* The catalog in the schema `weir` of a PostgreSQL database, which several processes may share (decision 0062).
 *
 * Every change begins with adding one to weir.catalog.change: that row's lock makes changes come one after the other,
 * whichever process makes them, and its count tells the others that there is something new. A change, its line in the
 * audit log and what is known afterwards are one transaction. Hot paths never wait for the server: a directory is made
 * of what was read last (catalog_postgres_known.c).
 *
 * Everything is named with its schema, so that nothing depends on a search_path. Numbers travel as text and texts as
 * they are; all that comes from outside is a parameter. */
#include "catalog/catalog_postgres.h"

#include <stdio.h>
#include <stdlib.h>

#include "world/world.h"

#define KNOWN_BYTES_MAX (512u << 20) /* a million tenants */

/* --- transactions --- */

enum status postgres_change_begin(struct catalog_rows *rows, struct error *err)
{
    struct postgres_catalog *self = postgres_of(&rows->catalog);
    pthread_mutex_lock(&self->mutex);
    enum status s = link_begin(self->link, "BEGIN", err);
    return s == OK ? link_ask(self->link, "change the catalog", "UPDATE weir.catalog SET change = change + 1", NULL,
                              NULL, err)
                   : s;
}

enum status postgres_change_end(struct catalog_rows *rows, enum status s, struct error *err)
{
    struct postgres_catalog *self = postgres_of(&rows->catalog);
    if (s == OK)
        s = postgres_known_read(self, err);
    if (s != OK) {
        link_roll_back(self->link);
    } else if ((s = link_commit(self->link, err)) == OK) {
        postgres_known_take(self);
    } else if (s == ERR_RETRY) {
        s = error_wrap(err, s, "the answer was lost, and the change may have been made: look before trying again");
        link_roll_back(self->link);
    }
    pthread_mutex_unlock(&self->mutex);
    return s;
}

enum status postgres_read_begin(struct postgres_catalog *self, struct error *err)
{
    pthread_mutex_lock(&self->mutex);
    return link_begin(self->link, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", err);
}

enum status postgres_read_end(struct postgres_catalog *self, enum status s)
{
    link_roll_back(self->link); /* it only read */
    pthread_mutex_unlock(&self->mutex);
    return s;
}

/* --- reading --- */

static void copy_text(char *to, size_t size, const PGresult *rows, int row, int column)
{
    snprintf(to, size, "%s", PQgetvalue(rows, row, column));
}

void postgres_read_tenant(const PGresult *rows, int row, struct tenant *out)
{
    *out = (struct tenant){ .olap_slot = (uint32_t)link_read_number(rows, row, 0) };
    copy_text(out->id, sizeof out->id, rows, row, 1);
    copy_text(out->placement, sizeof out->placement, rows, row, 2);
    if (!tenant_read_tier(link_read_text(rows, row, 3), &out->tier))
        assert(!"a tier that the table's CHECK lets through");
    out->quota_per_minute = tenant_quota_of_stored(link_read_number(rows, row, 4));
    out->retention_days = (int32_t)link_read_number(rows, row, 5);
    out->open = PQgetvalue(rows, row, 6)[0] == 't';
    out->created_ms = link_read_number(rows, row, 7);
}

static enum status get_tenant(struct catalog_rows *catalog, struct slice id, struct tenant *out, struct error *err)
{
    AUTO(link_result) PGresult *rows = NULL;
    struct link_params params = { 0 };
    link_text(&params, id);
    enum status s = link_ask(postgres_of(&catalog->catalog)->link, "read a tenant",
                             "SELECT " TENANT_COLUMNS " FROM weir.tenants WHERE id = $1", &params, &rows, err);
    if (s != OK)
        return s;
    if (!PQntuples(rows))
        return error_set(err, ERR_NOT_FOUND, "there is no tenant '%.*s'", SLICE_ARG(id));
    postgres_read_tenant(rows, 0, out);
    return OK;
}

static enum status postgres_tenant_get(struct catalog *catalog, struct slice id, struct tenant *out, struct error *err)
{
    struct postgres_catalog *self = postgres_of(catalog);
    enum status s = postgres_read_begin(self, err);
    if (s == OK)
        s = get_tenant(&self->rows, id, out, err);
    return postgres_read_end(self, s);
}

/* --- changing --- */

enum status postgres_add_audit(struct catalog_rows *rows, const char *actor, const char *entity_type,
                               const char *entity_id, const char *action, struct slice old_value,
                               struct slice new_value, struct error *err)
{
    struct link_params params = { 0 };
    link_number(&params, world_wall_ms(rows->world));
    link_text(&params, slice_from(actor));
    link_text(&params, slice_from(entity_type));
    link_text(&params, slice_from(entity_id));
    link_text(&params, slice_from(action));
    link_text(&params, old_value);
    link_text(&params, new_value);
    return link_ask(postgres_of(&rows->catalog)->link, "write the audit log",
                    "INSERT INTO weir.audit(at_ms, actor, entity_type, entity_id, action, old_value, new_value)"
                    " VALUES($1, $2, $3, $4, $5, nullif($6::text, '')::json, nullif($7::text, '')::json)",
                    &params, NULL, err);
}

/* The slot is counted in the row that is locked: none is given out twice, and one that is rolled back is not lost. */
static enum status insert_tenant(struct catalog_rows *rows, struct tenant *tenant, struct error *err)
{
    AUTO(link_result) PGresult *row = NULL;
    struct link_params params = { 0 };
    link_text(&params, slice_from(tenant->id));
    link_text(&params, slice_from(tenant->placement));
    link_text(&params, slice_from(tenant_tier_name(tenant->tier)));
    link_number(&params, tenant_stored_quota(tenant));
    link_number(&params, tenant->retention_days);
    link_text(&params, tenant->open ? SLICE("true") : SLICE("false"));
    link_number(&params, tenant->created_ms);
    enum status s = link_ask(postgres_of(&rows->catalog)->link, "add a tenant",
                             "WITH slot AS (UPDATE weir.catalog SET slots = slots + 1 RETURNING slots)"
                             " INSERT INTO weir.tenants(" TENANT_COLUMNS ")"
                             " SELECT slots, $1::text, $2::text, $3::text, $4, $5, $6::text::boolean, $7 FROM slot"
                             " RETURNING olap_slot",
                             &params, &row, err);
    if (s == OK)
        tenant->olap_slot = (uint32_t)link_read_number(row, 0, 0);
    return s;
}

static enum status change_tenant(struct catalog_rows *rows, const struct tenant *tenant, struct error *err)
{
    struct link_params params = { 0 };
    link_text(&params, slice_from(tenant_tier_name(tenant->tier)));
    link_number(&params, tenant_stored_quota(tenant));
    link_number(&params, tenant->retention_days);
    link_text(&params, tenant->open ? SLICE("true") : SLICE("false"));
    link_text(&params, slice_from(tenant->id));
    return link_ask(postgres_of(&rows->catalog)->link, "change a tenant",
                    "UPDATE weir.tenants SET tier = $1, quota_per_minute = $2, retention_days = $3,"
                    " open = $4::text::boolean WHERE id = $5",
                    &params, NULL, err);
}

static enum status postgres_audit(struct catalog *catalog, const char *actor, const char *entity_type,
                                  const char *entity_id, const char *action, struct slice old_value,
                                  struct slice new_value, struct error *err)
{
    struct postgres_catalog *self = postgres_of(catalog);
    enum status s = postgres_change_begin(&self->rows, err);
    if (s == OK)
        s = postgres_add_audit(&self->rows, actor, entity_type, entity_id, action, old_value, new_value, err);
    return postgres_change_end(&self->rows, s, err);
}

/* --- opening --- */

static const struct catalog_steps STEPS = {
    .begin = postgres_change_begin,
    .end = postgres_change_end,
    .get_tenant = get_tenant,
    .insert_tenant = insert_tenant,
    .change_tenant = change_tenant,
    .insert_key = postgres_insert_key,
    .end_keys = postgres_end_keys,
    .add_audit = postgres_add_audit,
};

static void postgres_close(struct catalog *catalog)
{
    if (!catalog)
        return;
    struct postgres_catalog *self = postgres_of(catalog);
    link_free(self->link);
    bell_free(self->bell);
    buf_done(&self->fresh);
    buf_done(&self->known);
    pthread_mutex_destroy(&self->mutex);
    pthread_mutex_destroy(&self->known_mutex);
    free(self);
}

static struct postgres_catalog *make(const struct catalog_options *options, struct world *world)
{
    const struct postgres_link_options link = { options->url, options->password ? options->password : "",
                                                options->connect_timeout_ms, options->statement_timeout_ms,
                                                options->read_only };
    struct postgres_catalog *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->rows.catalog.backend = &catalog_postgres;
    self->rows.steps = &STEPS;
    self->rows.world = world;
    snprintf(self->owner, sizeof self->owner, "%s", options->owner && options->owner[0] ? options->owner : "nobody");
    self->link = link_new(&link, world);
    self->bell = bell_new();
    self->retry = (struct retry){ .first_ms = 100, .most_ms = 5000 };
    self->known_change = -1;
    buf_init(&self->fresh, KNOWN_BYTES_MAX);
    buf_init(&self->known, KNOWN_BYTES_MAX);
    pthread_mutex_init(&self->mutex, NULL);
    pthread_mutex_init(&self->known_mutex, NULL);
    atomic_store(&self->version, 0);
    atomic_store(&self->next_end_ms, KEY_NO_END);
    return self;
}

static enum status postgres_open(const struct catalog_options *options, struct world *world, struct catalog **out,
                                 struct error *err)
{
    assert(options->url && options->connect_timeout_ms > 0 && options->statement_timeout_ms > 0);
    struct postgres_catalog *self = make(options, world);
    enum status s = link_connect(self->link, err);
    if (s == OK)
        s = postgres_schema_make(self->link, options->read_only, err);
    if (s == OK)
        s = postgres_known_refresh(self, err);
    if (s != OK) {
        postgres_close(&self->rows.catalog);
        return s;
    }
    *out = &self->rows.catalog;
    return OK;
}

const struct catalog_backend catalog_postgres = {
    .name = "postgres",
    .shared = true,
    .open = postgres_open,
    .tenant_create = rows_tenant_create,
    .tenant_update = rows_tenant_update,
    .tenant_get = postgres_tenant_get,
    .keys_rotate = rows_keys_rotate,
    .keys_revoke = rows_keys_revoke,
    .directory = postgres_directory,
    .version = postgres_version,
    .audit = postgres_audit,
    .audit_read = postgres_audit_read,
    .deploy = postgres_deploy,
    .items = postgres_items,
    .role = postgres_role,
    .close = postgres_close,
};
