#include "catalog/catalog_item.h"

#include "base/buf.h"
#include "base/json_text.h"

const char *catalog_kind_name(enum catalog_kind kind)
{
    static const char *const NAMES[CATALOG_KINDS] = { "source", "event_type", "rule" };
    assert(kind < CATALOG_KINDS);
    return NAMES[kind];
}

static void add_text(struct buf *buf, const char *name, struct slice text)
{
    if (text.n)
        json_add_field(buf, name, text);
}

static void add_json(struct buf *buf, const char *name, struct slice json)
{
    json_add_key(buf, name);
    buf_add_slice(buf, json.n ? json : SLICE("null"));
}

void catalog_item_add_json(struct buf *buf, const struct catalog_item *item)
{
    buf_add_text(buf, "{");
    json_add_field(buf, "name", item->name);
    add_text(buf, "domain", item->domain);
    add_text(buf, "type", item->type);
    add_text(buf, "event_type", item->event_type);
    add_text(buf, "source", item->source);
    add_text(buf, "description", item->description);
    json_add_field_u64(buf, "version", item->version);
    json_add_key(buf, "active");
    buf_add_text(buf, item->active ? "true" : "false");
    json_add_field_u64(buf, "changed_ms", (uint64_t)item->changed_ms);
    add_json(buf, "body", item->body);
    buf_add_text(buf, "}");
}

void audit_line_add_json(struct buf *buf, const struct audit_line *line)
{
    buf_add_text(buf, "{");
    json_add_field_u64(buf, "id", (uint64_t)line->id);
    json_add_field_u64(buf, "at_ms", (uint64_t)line->at_ms);
    json_add_field(buf, "actor", line->actor);
    json_add_field(buf, "entity_type", line->entity_type);
    json_add_field(buf, "entity_id", line->entity_id);
    json_add_field(buf, "action", line->action);
    add_json(buf, "old_value", line->old_value);
    add_json(buf, "new_value", line->new_value);
    buf_add_text(buf, "}");
}
