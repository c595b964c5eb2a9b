#include "catalog/catalog_rows.h"

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

void key_change_add_json(struct buf *out, const struct key_choice *choice, int64_t end_ms)
{
    buf_add_format(out, "{\"write\":%s,\"read\":%s,\"old_keys_end_ms\":%lld}", choice->write ? "true" : "false",
                   choice->read ? "true" : "false", (long long)end_ms);
}

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
