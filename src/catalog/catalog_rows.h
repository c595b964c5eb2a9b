/* What the backends that keep rows (SQLite, PostgreSQL) have in common: values as they are stored, lines of the audit
 * log, and what makes two items the same. Plain functions; nobody outside of catalog/ includes this. */
#pragma once
#include "base/buf.h"
#include "catalog/catalog.h"

const char *key_kind_name(enum key_kind kind); /* "write", "read" */
/* 0: the tier's default, -1: unlimited. */
int64_t tenant_stored_quota(const struct tenant *tenant);
uint64_t tenant_quota_of_stored(int64_t stored);
/* {"write":…,"read":…,"old_keys_end_ms":…} */
void key_change_add_json(struct buf *out, const struct key_choice *choice, int64_t end_ms);

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
