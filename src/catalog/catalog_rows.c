#include "catalog/catalog_rows.h"

#include <sodium.h>
#include <string.h>

#include "catalog/directory.h"
#include "world/world.h"

#define VALUE_BYTES_MAX (4u << 20)

const char *key_kind_name(enum key_kind kind)
{
    return kind == KEY_WRITE ? "write" : "read";
}

int64_t tenant_stored_quota(const struct tenant *tenant)
{
    return tenant->quota_per_minute > INT64_MAX ? -1 : (int64_t)tenant->quota_per_minute;
}

uint64_t tenant_quota_of_stored(int64_t stored)
{
    return stored < 0 ? UINT64_MAX : (uint64_t)stored;
}

/* --- tenants --- */

static struct catalog_rows *rows_of(struct catalog *catalog)
{
    return (struct catalog_rows *)catalog;
}

static enum status add_tenant_audit(struct catalog_rows *rows, const char *actor, const char *action,
                                    const struct tenant *old, const struct tenant *now, struct error *err)
{
    AUTO(buf) struct buf old_json, new_json;
    buf_init(&old_json, 4096);
    buf_init(&new_json, 4096);
    if (old)
        tenant_add_json(&old_json, old);
    tenant_add_json(&new_json, now);
    return rows->steps->add_audit(rows, actor, "tenant", now->id, action, buf_slice(&old_json), buf_slice(&new_json),
                                  err);
}

static enum status create(struct catalog_rows *rows, struct tenant *tenant, const struct tenant_keys *keys,
                          const char *actor, struct error *err)
{
    struct tenant there;
    enum status s = rows->steps->get_tenant(rows, slice_from(tenant->id), &there, err);
    if (s == OK)
        return error_set(err, ERR_FULL, "the tenant '%s' exists already", tenant->id);
    if (s != ERR_NOT_FOUND)
        return s;
    tenant->created_ms = world_wall_ms(rows->world);
    if ((s = rows->steps->insert_tenant(rows, tenant, err)) != OK ||
        (s = rows->steps->insert_key(rows, tenant->id, KEY_WRITE, keys->write_key, err)) != OK ||
        (s = rows->steps->insert_key(rows, tenant->id, KEY_READ, keys->read_key, err)) != OK)
        return s;
    return add_tenant_audit(rows, actor, "create", NULL, tenant, err);
}

enum status rows_tenant_create(struct catalog *catalog, struct tenant *tenant, struct tenant_keys *keys,
                               const char *actor, struct error *err)
{
    struct catalog_rows *rows = rows_of(catalog);
    enum status s = tenant_id_check(slice_from(tenant->id), err);
    if (s != OK)
        return s;
    struct tenant made = *tenant;
    struct tenant_keys made_keys = *keys;
    if (!made_keys.write_key[0])
        key_make(KEY_WRITE, rows->world, made_keys.write_key);
    if (!made_keys.read_key[0])
        key_make(KEY_READ, rows->world, made_keys.read_key);
    s = rows->steps->begin(rows, err);
    if (s == OK)
        s = create(rows, &made, &made_keys, actor, err);
    s = rows->steps->end(rows, s, err);
    if (s == OK) {
        *tenant = made;
        *keys = made_keys;
    }
    sodium_memzero(&made_keys, sizeof made_keys);
    return s;
}

static enum status update(struct catalog_rows *rows, const struct tenant *tenant, const char *actor, struct error *err)
{
    struct tenant old, now = *tenant;
    enum status s = rows->steps->get_tenant(rows, slice_from(tenant->id), &old, err);
    if (s != OK)
        return s;
    if (strcmp(old.placement, tenant->placement) != 0)
        return error_set(err, ERR_INVALID, "the placement of '%s' cannot change: its data lies there", tenant->id);
    now.olap_slot = old.olap_slot;
    now.created_ms = old.created_ms;
    s = rows->steps->change_tenant(rows, tenant, err);
    return s == OK ? add_tenant_audit(rows, actor, "update", &old, &now, err) : s;
}

enum status rows_tenant_update(struct catalog *catalog, const struct tenant *tenant, const char *actor,
                               struct error *err)
{
    struct catalog_rows *rows = rows_of(catalog);
    enum status s = rows->steps->begin(rows, err);
    if (s == OK)
        s = update(rows, tenant, actor, err);
    return rows->steps->end(rows, s, err);
}

/* --- keys --- */

static enum status add_key_audit(struct catalog_rows *rows, const char *actor, const char *tenant_id,
                                 const char *action, const struct key_choice *choice, int64_t end_ms, struct error *err)
{
    AUTO(buf) struct buf now;
    buf_init(&now, 512);
    buf_add_format(&now, "{\"write\":%s,\"read\":%s,\"old_keys_end_ms\":%lld}", choice->write ? "true" : "false",
                   choice->read ? "true" : "false", (long long)end_ms);
    return rows->steps->add_audit(rows, actor, "tenant", tenant_id, action, SLICE(""), buf_slice(&now), err);
}

/* The keys of the kind that work end at end_ms, and this one begins. */
static enum status replace_key(struct catalog_rows *rows, const struct tenant *tenant, enum key_kind kind,
                               const char *key, int64_t end_ms, struct error *err)
{
    uint64_t ended = 0;
    enum status s = rows->steps->end_keys(rows, tenant->id, kind, end_ms, false, &ended, err);
    return s == OK ? rows->steps->insert_key(rows, tenant->id, kind, key, err) : s;
}

static enum status rotate(struct catalog_rows *rows, const struct tenant *tenant, const struct key_choice *choice,
                          const struct tenant_keys *keys, const char *actor, struct error *err)
{
    int64_t end_ms = world_wall_ms(rows->world) + choice->grace_ms;
    enum status s = OK;
    if (choice->write)
        s = replace_key(rows, tenant, KEY_WRITE, keys->write_key, end_ms, err);
    if (s == OK && choice->read)
        s = replace_key(rows, tenant, KEY_READ, keys->read_key, end_ms, err);
    return s == OK ? add_key_audit(rows, actor, tenant->id, "rotate_keys", choice, end_ms, err) : s;
}

enum status rows_keys_rotate(struct catalog *catalog, struct slice id, const struct key_choice *choice,
                             struct tenant_keys *out, const char *actor, struct error *err)
{
    struct catalog_rows *rows = rows_of(catalog);
    struct tenant_keys made = { 0 };
    struct tenant tenant;
    assert((choice->write || choice->read) && choice->grace_ms >= 0);
    if (choice->write)
        key_make(KEY_WRITE, rows->world, made.write_key);
    if (choice->read)
        key_make(KEY_READ, rows->world, made.read_key);
    enum status s = rows->steps->begin(rows, err);
    if (s == OK && (s = rows->steps->get_tenant(rows, id, &tenant, err)) == OK)
        s = rotate(rows, &tenant, choice, &made, actor, err);
    s = rows->steps->end(rows, s, err);
    if (s == OK)
        *out = made;
    sodium_memzero(&made, sizeof made);
    return s;
}

static enum status revoke(struct catalog_rows *rows, const struct tenant *tenant, const struct key_choice *choice,
                          uint64_t *count, const char *actor, struct error *err)
{
    int64_t now_ms = world_wall_ms(rows->world);
    enum status s = OK;
    if (choice->write)
        s = rows->steps->end_keys(rows, tenant->id, KEY_WRITE, now_ms, !choice->current_too, count, err);
    if (s == OK && choice->read)
        s = rows->steps->end_keys(rows, tenant->id, KEY_READ, now_ms, !choice->current_too, count, err);
    return s == OK ? add_key_audit(rows, actor, tenant->id, "revoke_keys", choice, now_ms, err) : s;
}

enum status rows_keys_revoke(struct catalog *catalog, struct slice id, const struct key_choice *choice,
                             uint64_t *out_count, const char *actor, struct error *err)
{
    struct catalog_rows *rows = rows_of(catalog);
    struct tenant tenant;
    uint64_t count = 0;
    assert(choice->write || choice->read);
    enum status s = rows->steps->begin(rows, err);
    if (s == OK && (s = rows->steps->get_tenant(rows, id, &tenant, err)) == OK)
        s = revoke(rows, &tenant, choice, &count, actor, err);
    s = rows->steps->end(rows, s, err);
    if (s == OK)
        *out_count = count;
    return s;
}

/* --- items --- */

bool item_is_same(const struct catalog_item *a, const struct catalog_item *b)
{
    return slice_equal(a->domain, b->domain) && slice_equal(a->type, b->type) && slice_equal(a->source, b->source) &&
           slice_equal(a->description, b->description) && slice_equal(a->body, b->body);
}

bool item_is_named(const struct catalog_item *a, const struct catalog_item *b)
{
    return a->kind == b->kind && slice_equal(a->name, b->name) &&
           (a->kind != CATALOG_RULE || (slice_equal(a->domain, b->domain) && slice_equal(a->type, b->type) &&
                                        slice_equal(a->event_type, b->event_type)));
}

bool item_is_among(const struct catalog_item *items, size_t count, const struct catalog_item *item)
{
    for (size_t i = 0; i < count; i++)
        if (item_is_named(&items[i], item))
            return true;
    return false;
}

/* Of a rule, whose name is one of its event type, or of its domain. */
static void add_entity_id(struct buf *out, const struct catalog_item *item)
{
    if (item->kind == CATALOG_RULE)
        buf_add_format(out, "%.*s.", SLICE_ARG(item->event_type.n ? item->event_type : item->domain));
    buf_add_slice(out, item->name);
}

enum status item_change_init(struct item_change *change, const struct catalog_item *old, const struct catalog_item *now,
                             struct error *err)
{
    buf_init(&change->id, 1024);
    buf_init(&change->old_json, VALUE_BYTES_MAX);
    buf_init(&change->new_json, VALUE_BYTES_MAX);
    add_entity_id(&change->id, now);
    if (old)
        catalog_item_add_json(&change->old_json, old);
    catalog_item_add_json(&change->new_json, now);
    if (change->id.full || change->old_json.full || change->new_json.full)
        return error_set(err, ERR_INVALID, "the %s %s is larger than %u MiB", catalog_kind_name(now->kind),
                         buf_text(&change->id), VALUE_BYTES_MAX >> 20);
    return OK;
}

void item_change_done(struct item_change *change)
{
    buf_done(&change->id);
    buf_done(&change->old_json);
    buf_done(&change->new_json);
}
