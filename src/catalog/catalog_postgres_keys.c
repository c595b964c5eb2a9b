/* Keys, as catalog_sqlite_keys.c has them: a row works while revoked_ms is empty or ahead. */
#include <stdio.h>
#include <string.h>

#include "catalog/catalog_postgres.h"
#include "world/world.h"

#define UNIQUE_VIOLATION "23505"

enum status postgres_insert_key(struct catalog_rows *rows, const char *tenant_id, enum key_kind kind, const char *key,
                                struct error *err)
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
    link_number(&params, world_wall_ms(rows->world));
    enum status s =
        link_ask(postgres_of(&rows->catalog)->link, "add a key",
                 "INSERT INTO weir.keys(hash, tenant_id, kind, prefix, created_ms) VALUES($1, $2, $3, $4, $5)", &params,
                 NULL, err);
    if (s == ERR_INVALID && strcmp(link_sqlstate(postgres_of(&rows->catalog)->link), UNIQUE_VIOLATION) == 0)
        return error_set(err, ERR_FULL, "the %s key of '%s' belongs to somebody already: choose another",
                         key_kind_name(kind), tenant_id);
    return s;
}

enum status postgres_end_keys(struct catalog_rows *rows, const char *tenant_id, enum key_kind kind, int64_t end_ms,
                              bool replaced_only, uint64_t *count, struct error *err)
{
    AUTO(link_result) PGresult *changed = NULL;
    struct link_params params = { 0 };
    link_number(&params, end_ms);
    link_text(&params, slice_from(tenant_id));
    link_text(&params, slice_from(key_kind_name(kind)));
    link_number(&params, replaced_only);
    enum status s = link_ask(postgres_of(&rows->catalog)->link, "end keys",
                             "UPDATE weir.keys SET revoked_ms = $1 WHERE tenant_id = $2 AND kind = $3"
                             " AND (revoked_ms > $1 OR (revoked_ms IS NULL AND $4::int = 0))",
                             &params, &changed, err);
    uint64_t n = 0;
    if (s == OK && slice_to_u64(slice_from(PQcmdTuples(changed)), &n))
        *count += n;
    return s;
}
