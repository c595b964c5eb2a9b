/* Keys, as catalog_sqlite_keys.c has them: a row works while revoked_ms is empty or ahead. */
#include <sodium.h>
#include <stdio.h>

#include "catalog/catalog_postgres.h"
#include "world/world.h"

enum status postgres_insert_key(struct postgres_catalog *self, const char *tenant_id, enum key_kind kind,
                                const char *key, struct error *err)
{
    struct link_params params = { 0 };
    unsigned char hash[KEY_HASH_BYTES];
    char prefix[8];
    key_hash(slice_from(key), hash);
    snprintf(prefix, sizeof prefix, "%s", key);
    link_text(&params, slice_of(hash, sizeof hash)); /* a bytea travels as its bytes, too */
    link_text(&params, slice_from(tenant_id));
    link_text(&params, slice_from(key_kind_name(kind)));
    link_text(&params, slice_from(prefix));
    link_number(&params, world_wall_ms(self->world));
    enum status s =
        link_ask(self->link, "add a key",
                 "INSERT INTO weir.keys(hash, tenant_id, kind, prefix, created_ms) VALUES($1, $2, $3, $4, $5)", &params,
                 NULL, err);
    return s == ERR_INVALID ? error_set(err, ERR_FULL, "the %s key of '%s' belongs to somebody already: choose another",
                                        key_kind_name(kind), tenant_id)
                            : s;
}

/* Keys of the kind end at end_ms, those that would have ended later. replaced_only: not those without an end. */
static enum status end_keys(struct postgres_catalog *self, const char *tenant_id, enum key_kind kind, int64_t end_ms,
                            bool replaced_only, uint64_t *count, struct error *err)
{
    AUTO(link_result) PGresult *changed = NULL;
    struct link_params params = { 0 };
    link_number(&params, end_ms);
    link_text(&params, slice_from(tenant_id));
    link_text(&params, slice_from(key_kind_name(kind)));
    link_number(&params, replaced_only);
    enum status s = link_ask(self->link, "end keys",
                             "UPDATE weir.keys SET revoked_ms = $1 WHERE tenant_id = $2 AND kind = $3"
                             " AND (revoked_ms > $1 OR (revoked_ms IS NULL AND $4::int = 0))",
                             &params, &changed, err);
    uint64_t n = 0;
    if (s == OK && slice_to_u64(slice_from(PQcmdTuples(changed)), &n))
        *count += n;
    return s;
}

static enum status add_key_audit(struct postgres_catalog *self, const char *actor, const char *tenant_id,
                                 const char *action, const struct key_choice *choice, int64_t end_ms, struct error *err)
{
    AUTO(buf) struct buf now;
    buf_init(&now, 512);
    key_change_add_json(&now, choice, end_ms);
    return postgres_add_audit(self, actor, "tenant", tenant_id, action, SLICE(""), buf_slice(&now), err);
}

static enum status rotate_locked(struct postgres_catalog *self, const struct tenant *tenant,
                                 const struct key_choice *choice, const struct tenant_keys *keys, const char *actor,
                                 struct error *err)
{
    int64_t end_ms = world_wall_ms(self->world) + choice->grace_ms;
    uint64_t ended = 0;
    enum status s = OK;
    if (choice->write && (s = end_keys(self, tenant->id, KEY_WRITE, end_ms, false, &ended, err)) == OK)
        s = postgres_insert_key(self, tenant->id, KEY_WRITE, keys->write_key, err);
    if (s == OK && choice->read && (s = end_keys(self, tenant->id, KEY_READ, end_ms, false, &ended, err)) == OK)
        s = postgres_insert_key(self, tenant->id, KEY_READ, keys->read_key, err);
    return s == OK ? add_key_audit(self, actor, tenant->id, "rotate_keys", choice, end_ms, err) : s;
}

enum status postgres_keys_rotate(struct catalog *catalog, struct slice id, const struct key_choice *choice,
                                 struct tenant_keys *out, const char *actor, struct error *err)
{
    struct postgres_catalog *self = postgres_of(catalog);
    struct tenant_keys made = { 0 };
    struct tenant tenant;
    assert((choice->write || choice->read) && choice->grace_ms >= 0);
    if (choice->write)
        key_make(KEY_WRITE, self->world, made.write_key);
    if (choice->read)
        key_make(KEY_READ, self->world, made.read_key);
    enum status s = postgres_change_begin(self, err);
    if (s == OK && (s = postgres_get_tenant(self, id, &tenant, err)) == OK)
        s = rotate_locked(self, &tenant, choice, &made, actor, err);
    s = postgres_change_end(self, s, err);
    if (s == OK)
        *out = made;
    sodium_memzero(&made, sizeof made);
    return s;
}

static enum status revoke_locked(struct postgres_catalog *self, const struct tenant *tenant,
                                 const struct key_choice *choice, uint64_t *count, const char *actor, struct error *err)
{
    int64_t now_ms = world_wall_ms(self->world);
    enum status s = OK;
    if (choice->write)
        s = end_keys(self, tenant->id, KEY_WRITE, now_ms, !choice->current_too, count, err);
    if (s == OK && choice->read)
        s = end_keys(self, tenant->id, KEY_READ, now_ms, !choice->current_too, count, err);
    return s == OK ? add_key_audit(self, actor, tenant->id, "revoke_keys", choice, now_ms, err) : s;
}

enum status postgres_keys_revoke(struct catalog *catalog, struct slice id, const struct key_choice *choice,
                                 uint64_t *out_count, const char *actor, struct error *err)
{
    struct postgres_catalog *self = postgres_of(catalog);
    struct tenant tenant;
    uint64_t count = 0;
    assert(choice->write || choice->read);
    enum status s = postgres_change_begin(self, err);
    if (s == OK && (s = postgres_get_tenant(self, id, &tenant, err)) == OK)
        s = revoke_locked(self, &tenant, choice, &count, actor, err);
    s = postgres_change_end(self, s, err);
    if (s == OK)
        *out_count = count;
    return s;
}
