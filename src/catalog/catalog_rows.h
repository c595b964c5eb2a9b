/* What the backends that keep rows (SQLite, PostgreSQL) have in common: how tenants and keys change, in steps that each
 * backend does in its own SQL; values as they are stored, lines of the audit log, and what makes two items the same.
 * Nobody outside of catalog/ includes this. */
#pragma once
#include "base/buf.h"
#include "catalog/catalog.h"

/* First member of such a backend's own struct. */
struct catalog_rows {
    struct catalog catalog;
    const struct catalog_steps *steps;
    struct world *world;
};

/* Each but begin is called between begin and end. */
struct catalog_steps {
    /* Locks and begins. Whatever it returned, end must follow: it commits when s is OK, which makes directories stale,
     * and unlocks. */
    enum status (*begin)(struct catalog_rows *rows, struct error *err);
    enum status (*end)(struct catalog_rows *rows, enum status s, struct error *err);
    enum status (*get_tenant)(struct catalog_rows *rows, struct slice id, struct tenant *out, struct error *err);
    /* With its created_ms; sets olap_slot. */
    enum status (*insert_tenant)(struct catalog_rows *rows, struct tenant *tenant, struct error *err);
    enum status (*change_tenant)(struct catalog_rows *rows, const struct tenant *tenant, struct error *err);
    /* ERR_FULL: the key is somebody's already. */
    enum status (*insert_key)(struct catalog_rows *rows, const char *tenant_id, enum key_kind kind, const char *key,
                              struct error *err);
    /* Keys of the kind end at end_ms, those that would have ended later; replaced_only: not those without an end. Adds
     * to *count how many. */
    enum status (*end_keys)(struct catalog_rows *rows, const char *tenant_id, enum key_kind kind, int64_t end_ms,
                            bool replaced_only, uint64_t *count, struct error *err);
    enum status (*add_audit)(struct catalog_rows *rows, const char *actor, const char *entity_type,
                             const char *entity_id, const char *action, struct slice old_value, struct slice new_value,
                             struct error *err);
};

/* As catalog.h has them. */
MUST_CHECK enum status rows_tenant_create(struct catalog *catalog, struct tenant *tenant, struct tenant_keys *keys,
                                          const char *actor, struct error *err);
MUST_CHECK enum status rows_tenant_update(struct catalog *catalog, const struct tenant *tenant, const char *actor,
                                          struct error *err);
MUST_CHECK enum status rows_keys_rotate(struct catalog *catalog, struct slice id, const struct key_choice *choice,
                                        struct tenant_keys *out, const char *actor, struct error *err);
MUST_CHECK enum status rows_keys_revoke(struct catalog *catalog, struct slice id, const struct key_choice *choice,
                                        uint64_t *out_count, const char *actor, struct error *err);

const char *key_kind_name(enum key_kind kind); /* "write", "read" */
/* 0: the tier's default, -1: unlimited. */
int64_t tenant_stored_quota(const struct tenant *tenant);
uint64_t tenant_quota_of_stored(int64_t stored);
/* Whether they say the same, of two items with one name. */
bool item_is_same(const struct catalog_item *a, const struct catalog_item *b);
/* Whether the two are versions of one item. */
bool item_is_named(const struct catalog_item *a, const struct catalog_item *b);
bool item_is_among(const struct catalog_item *items, size_t count, const struct catalog_item *item);

/* A line of the audit log about an item. */
struct item_change {
    struct buf id, old_json, new_json;
};
/* old: NULL when there was none. ERR_INVALID: it is too large; item_change_done all the same. */
MUST_CHECK enum status item_change_init(struct item_change *change, const struct catalog_item *old,
                                        const struct catalog_item *now, struct error *err);
void item_change_done(struct item_change *change);
static inline void item_change_auto(struct item_change *change)
{
    item_change_done(change);
}
