/* What is known of tenants and keys: a copy of them as they were read last, so that a look-up never waits for the
 * server and goes on while it is away. The copy is a snapshot (snapshot.c), the same text that followers of a journal
 * keep; a directory is made of it, and leaves out keys whose end has come meanwhile. So a replaced key ends at its time
 * also while the server is away.
 *
 * It is read anew with every change of our own, and by the role when the server's count of changes has moved: some five
 * times a second, one row. A role that cannot reach the server tries again after 0.1 s … 5 s, with jitter. */
#include <stdlib.h>

#include "base/encode.h"
#include "catalog/catalog_postgres.h"
#include "world/world.h"

#define LOOK_INTERVAL_US 200000

static enum status read_change(struct postgres_catalog *self, int64_t *out, struct error *err)
{
    AUTO(link_result) PGresult *row = NULL;
    enum status s = link_ask(self->link, "look for changes", "SELECT change FROM weir.catalog", NULL, &row, err);
    if (s == OK && !PQntuples(row))
        s = error_set(err, ERR_CORRUPT, "catalog: weir.catalog has no row: restore it from a backup");
    if (s == OK)
        *out = link_read_number(row, 0, 0);
    return s;
}

/* Keys of tenants that are there, which the table's reference sees to. */
static enum status fill(const PGresult *tenants, const PGresult *keys, struct directory *directory, struct error *err)
{
    for (int i = 0; i < PQntuples(tenants); i++) {
        struct tenant tenant;
        postgres_read_tenant(tenants, i, &tenant);
        directory_add_tenant(directory, &tenant);
    }
    for (int i = 0; i < PQntuples(keys); i++) {
        unsigned char hash[KEY_HASH_BYTES];
        struct slice hex = link_read_text(keys, i, 0);
        if (hex.n != sizeof hash * 2 || !hex_decode(hex, hash))
            return error_set(err, ERR_CORRUPT, "catalog: a key's hash is malformed");
        directory_add_key(directory, PQgetvalue(keys, i, 1)[0] == 't' ? KEY_WRITE : KEY_READ, hash,
                          PQgetisnull(keys, i, 3) ? KEY_NO_END : link_read_number(keys, i, 3),
                          link_read_text(keys, i, 2));
    }
    return OK;
}

static enum status write_fresh(struct postgres_catalog *self, const PGresult *tenants, const PGresult *keys,
                               struct error *err)
{
    struct directory *directory = directory_new((size_t)PQntuples(tenants), (size_t)PQntuples(keys));
    if (!directory)
        return error_set(err, ERR_FULL, "catalog: out of memory for %d tenants", PQntuples(tenants));
    enum status s = fill(tenants, keys, directory, err);
    buf_reset(&self->fresh);
    if (s == OK)
        snapshot_write(directory, self->owner, &self->fresh);
    directory_free(directory);
    return s == OK && self->fresh.full ? error_set(err, ERR_FULL, "catalog: out of memory") : s;
}

enum status postgres_known_read(struct postgres_catalog *self, struct error *err)
{
    AUTO(link_result) PGresult *tenants = NULL, *keys = NULL;
    struct link_params params = { 0 };
    link_number(&params, world_wall_ms(self->rows.world));
    enum status s = read_change(self, &self->fresh_change, err);
    if (s == OK)
        s = link_ask(self->link, "read the tenants", "SELECT " TENANT_COLUMNS " FROM weir.tenants ORDER BY id", NULL,
                     &tenants, err);
    if (s == OK)
        s = link_ask(self->link, "read the keys",
                     "SELECT encode(hash, 'hex'), kind = 'write', tenant_id, revoked_ms FROM weir.keys"
                     " WHERE revoked_ms IS NULL OR revoked_ms > $1",
                     &params, &keys, err);
    return s == OK ? write_fresh(self, tenants, keys, err) : s;
}

void postgres_known_take(struct postgres_catalog *self)
{
    pthread_mutex_lock(&self->known_mutex);
    struct buf before = self->known;
    self->known = self->fresh;
    self->fresh = before;
    pthread_mutex_unlock(&self->known_mutex);
    self->known_change = self->fresh_change;
    atomic_fetch_add_explicit(&self->version, 1, memory_order_release);
}

enum status postgres_known_refresh(struct postgres_catalog *self, struct error *err)
{
    int64_t change = 0;
    enum status s = postgres_read_begin(self, err);
    if (s == OK)
        s = read_change(self, &change, err);
    if (s == OK && change != self->known_change && (s = postgres_known_read(self, err)) == OK)
        postgres_known_take(self);
    return postgres_read_end(self, s);
}

enum status postgres_directory(struct catalog *catalog, struct directory **out, struct error *err)
{
    struct postgres_catalog *self = postgres_of(catalog);
    int64_t next_end_ms = KEY_NO_END;
    pthread_mutex_lock(&self->known_mutex);
    enum status s = snapshot_read(buf_slice(&self->known), world_wall_ms(self->rows.world), out, &next_end_ms, err);
    pthread_mutex_unlock(&self->known_mutex);
    if (s == OK)
        atomic_store(&self->next_end_ms, next_end_ms);
    return s;
}

uint64_t postgres_version(struct catalog *catalog)
{
    struct postgres_catalog *self = postgres_of(catalog);
    int64_t end_ms = atomic_load_explicit(&self->next_end_ms, memory_order_relaxed);
    if (UNLIKELY(end_ms != KEY_NO_END) && world_wall_ms(self->rows.world) >= end_ms &&
        atomic_compare_exchange_strong(&self->next_end_ms, &end_ms, KEY_NO_END))
        atomic_fetch_add_explicit(&self->version, 1, memory_order_release); /* a replaced key ends now */
    return atomic_load_explicit(&self->version, memory_order_acquire);
}

static bool step(void *catalog, struct world *world, int64_t *wake_us)
{
    struct postgres_catalog *self = catalog;
    struct error err = { 0 };
    if (world_mono_us(world) < self->not_before_us) {
        *wake_us = self->not_before_us;
        return false;
    }
    if (postgres_known_refresh(self, &err) == OK) {
        if (self->away)
            log_info("catalog.back", "the catalog's server answers again");
        self->away = false;
        retry_reset(&self->retry);
        *wake_us = self->not_before_us = world_mono_us(world) + LOOK_INTERVAL_US;
        return false;
    }
    *wake_us = self->not_before_us = retry_next_us(&self->retry, world);
    if (!self->away)
        log_warn("catalog.away", "going on with the tenants known so far; none can be changed: %s", err.text);
    self->away = true;
    return false;
}

bool postgres_role(struct catalog *catalog, struct role *out)
{
    struct postgres_catalog *self = postgres_of(catalog);
    *out = (struct role){ "catalog-look", self, step, self->bell, 0 };
    return true;
}
