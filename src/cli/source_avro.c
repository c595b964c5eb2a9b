#include "cli/source_avro.h"

#include <stdlib.h>

#include "base/json_scan.h"
#include "base/json_text.h"
#include "cli/source_record.h"
#include "registry/frame.h"

struct source_avro {
    struct registry *registry;
    struct buf fields; /* the record as JSON */
    struct buf event;
};

/* What an event has beside its properties, by the names that weir and Segment give it (src/event/README.md). */
static const char *const OF_EVENT[] = {
    "customer_id", "visitor_id", "anonymousId", "anonymous_id", "user_id",    "userId", "session_id", "sessionId",
    "event_type",  "event_name", "event_id",    "messageId",    "timestamp",  "sentAt", "sent_at",    "received_at",
    "properties",  "context",    "type",        "event",        "previousId", "traits", "ip",
};
static const char *const SAYS_TYPE[] = { "event_type", "type", "event" };

struct source_avro *source_avro_new(struct registry *registry)
{
    struct source_avro *avro = calloc(1, sizeof *avro);
    if (!avro)
        abort();
    avro->registry = registry;
    buf_init(&avro->fields, SOURCE_RECORD_BYTES_MAX);
    buf_init(&avro->event, SOURCE_RECORD_BYTES_MAX);
    return avro;
}

void source_avro_free(struct source_avro *avro)
{
    if (!avro)
        return;
    buf_done(&avro->fields);
    buf_done(&avro->event);
    free(avro);
}

/* name: with its quotes. */
static bool is_one_of(struct slice name, const char *const *names, size_t count)
{
    struct slice plain = slice_of(name.p + 1, name.n - 2);
    for (size_t i = 0; i < count; i++)
        if (slice_equal(plain, slice_from(names[i])))
            return true;
    return false;
}

static void add_member(struct buf *out, const struct json_walk *member)
{
    if (out->p[out->n - 1] != '{')
        buf_add_char(out, ',');
    buf_add_slice(out, member->name);
    buf_add_char(out, ':');
    buf_add_slice(out, member->value);
}

/* Null says nothing: it is left out at the top, where a field is there or not. */
static void write_event(struct slice fields, struct slice name, struct buf *out)
{
    struct json_walk walk;
    bool has_type = false, has_properties = false;
    buf_add_char(out, '{');
    for (json_walk_begin(&walk, fields); json_walk_next(&walk);) {
        if (json_is_null(walk.value) || !is_one_of(walk.name, OF_EVENT, COUNT_OF(OF_EVENT)))
            continue;
        has_type |= is_one_of(walk.name, SAYS_TYPE, COUNT_OF(SAYS_TYPE));
        has_properties |= slice_equal(walk.name, SLICE("\"properties\""));
        add_member(out, &walk);
    }
    if (!has_type)
        json_add_field(out, "event_type", name);
    if (has_properties) {
        for (json_walk_begin(&walk, fields); json_walk_next(&walk);)
            if (!is_one_of(walk.name, OF_EVENT, COUNT_OF(OF_EVENT)))
                add_member(out, &walk);
    } else {
        json_add_key(out, "properties");
        buf_add_char(out, '{');
        for (json_walk_begin(&walk, fields); json_walk_next(&walk);)
            if (!is_one_of(walk.name, OF_EVENT, COUNT_OF(OF_EVENT)))
                add_member(out, &walk);
        buf_add_char(out, '}');
    }
    buf_add_char(out, '}');
}

enum status source_avro_read(struct source_avro *avro, struct slice record, struct slice *out, struct error *err)
{
    uint32_t id = 0;
    struct slice value = { 0 };
    const struct avro_schema *schema;
    enum status s = frame_of(record, &id, &value, err);
    if (s == OK)
        s = registry_schema(avro->registry, id, &schema, err);
    if (s != OK)
        return s;
    struct slice name = avro_schema_name(schema);
    if (!name.n)
        return error_set(err, ERR_INVALID, "schema %u is no record: an event has fields", id);
    buf_reset(&avro->fields);
    buf_reset(&avro->event);
    s = avro_to_json(schema, value, &avro->fields, err);
    if (s != OK)
        return error_wrap(err, ERR_INVALID, "not of schema %u (%.*s)", id, SLICE_ARG(name));
    write_event(buf_slice(&avro->fields), name, &avro->event);
    if (avro->event.full)
        return error_set(err, ERR_INVALID, "as JSON the record has more than %u bytes", SOURCE_RECORD_BYTES_MAX);
    *out = buf_slice(&avro->event);
    return OK;
}
