/* Collecting paths: a tree of names per source. Filling is field_scan.c's. */
#include "expr/field_plan.h"

#include "base/buf.h"
#include "expr/field_scan.h"

static const struct source {
    const char *name;
    unsigned types;
} SOURCES[FIELD_SOURCES] = {
    [FIELD_EVENT_TYPE] = { "event_type", TYPE_TEXT | TYPE_NULL },
    [FIELD_EVENT_NAME] = { "event_name", TYPE_TEXT | TYPE_NULL },
    [FIELD_VISITOR_ID] = { "visitor_id", TYPE_TEXT | TYPE_NULL },
    [FIELD_USER_ID] = { "user_id", TYPE_TEXT | TYPE_NULL },
    [FIELD_SESSION_ID] = { "session_id", TYPE_TEXT | TYPE_NULL },
    [FIELD_EVENT_ID] = { "event_id", TYPE_TEXT | TYPE_NULL },
    [FIELD_CUSTOMER_ID] = { "customer_id", TYPE_TEXT | TYPE_NULL },
    [FIELD_TIMESTAMP] = { "timestamp", TYPE_INT },
    [FIELD_RECEIVED_AT] = { "received_at", TYPE_INT },
    [FIELD_PROPERTIES] = { "properties", TYPE_TEXT | TYPE_NULL },
    [FIELD_CONTEXT] = { "context", TYPE_TEXT | TYPE_NULL },
};

enum field_source field_source_find(struct slice name)
{
    unsigned i = 0;
    while (i < FIELD_SOURCES && !slice_equal(slice_from(SOURCES[i].name), name))
        i++;
    return (enum field_source)i;
}

const char *field_source_name(enum field_source source)
{
    assert(source < FIELD_SOURCES);
    return SOURCES[source].name;
}

unsigned field_source_types(enum field_source source)
{
    assert(source < FIELD_SOURCES);
    return SOURCES[source].types;
}

static uint16_t new_node(struct field_plan *plan, struct slice name)
{
    if (plan->node_count == FIELD_NODES_MAX)
        return 0;
    uint16_t at = (uint16_t)plan->node_count++;
    plan->nodes[at] = (struct field_node){ .name = name, .field = -1 };
    return at;
}

void field_plan_init(struct field_plan *plan, struct arena *arena)
{
    memset(plan, 0, sizeof *plan);
    plan->arena = arena;
    plan->node_count = 1;
    plan->roots[FIELD_PROPERTIES] = new_node(plan, (struct slice){ 0 });
    plan->roots[FIELD_CONTEXT] = new_node(plan, (struct slice){ 0 });
}

static uint16_t find_child(const struct field_plan *plan, uint16_t node, struct slice name)
{
    uint16_t at = plan->nodes[node].slots[field_slot(name.p, name.n)];
    while (at && !slice_equal(plan->nodes[at].name, name))
        at = plan->nodes[at].next;
    return at;
}

/* 0: no room. */
static uint16_t child(struct field_plan *plan, uint16_t node, struct slice name)
{
    uint16_t at = find_child(plan, node, name);
    if (at)
        return at;
    struct slice kept = arena_copy(plan->arena, name);
    at = kept.p ? new_node(plan, kept) : 0;
    if (!at)
        return 0;
    uint16_t *slot = &plan->nodes[node].slots[field_slot(name.p, name.n)];
    plan->nodes[at].next = *slot;
    *slot = at;
    plan->nodes[node].inner = true;
    return at;
}

static bool is_plain(struct slice name)
{
    for (size_t i = 0; i < name.n; i++) {
        unsigned char c = (unsigned char)name.p[i];
        bool letter = ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_' || c == '$' || c >= 0x80;
        if (!letter && !(i && c >= '0' && c <= '9'))
            return false;
    }
    return name.n > 0;
}

static struct slice written(struct field_plan *plan, enum field_source source, const struct slice *names, size_t count)
{
    struct buf text;
    buf_init(&text, 4096);
    buf_add_text(&text, SOURCES[source].name);
    for (size_t i = 0; i < count; i++) {
        if (is_plain(names[i]))
            buf_add_format(&text, ".%.*s", SLICE_ARG(names[i]));
        else
            buf_add_format(&text, "['%.*s']", SLICE_ARG(names[i]));
    }
    struct slice kept = arena_copy(plan->arena, buf_slice(&text));
    buf_done(&text);
    return kept;
}

static bool find_direct(const struct field_plan *plan, enum field_source source, size_t *out_index)
{
    for (size_t i = 0; i < plan->count; i++)
        if (plan->paths[i].source == source && plan->paths[i].count == 0) {
            *out_index = i;
            return true;
        }
    return false;
}

enum status field_plan_add(struct field_plan *plan, enum field_source source, const struct slice *names, size_t count,
                           size_t *out_index)
{
    assert(source < FIELD_SOURCES && count <= FIELD_DEPTH_MAX);
    assert(count == 0 || source >= FIELD_PROPERTIES);
    if (count == 0 && find_direct(plan, source, out_index))
        return OK;
    uint16_t node = plan->roots[source];
    struct field_path path = { .source = (uint8_t)source, .count = (uint8_t)count };
    for (size_t i = 0; i < count; i++) {
        if (!(node = child(plan, node, names[i])))
            return ERR_FULL;
        path.names[i] = plan->nodes[node].name;
    }
    if (count && plan->nodes[node].field >= 0) {
        *out_index = (size_t)plan->nodes[node].field;
        return OK;
    }
    path.text = written(plan, source, names, count);
    if (plan->count == FIELD_PATHS_MAX || !path.text.p)
        return ERR_FULL;
    size_t at = plan->count++;
    plan->paths[at] = path;
    if (count) {
        plan->nodes[node].field = (int16_t)at;
        plan->wanted[source]++;
    } else {
        plan->direct[plan->direct_count++] = (uint16_t)at;
    }
    *out_index = at;
    return OK;
}

static struct value text_or_null(struct slice s)
{
    return s.n ? value_text(s) : value_null(REASON_MISSING);
}

static struct value json_value(struct slice s)
{
    struct value v = text_or_null(s);
    v.detail = s.n ? VALUE_JSON : v.detail;
    return v;
}

static struct value direct(enum field_source source, const struct event *event)
{
    switch (source) {
    case FIELD_EVENT_TYPE:
        return text_or_null(event->event_type);
    case FIELD_EVENT_NAME:
        return text_or_null(event->event_name);
    case FIELD_VISITOR_ID:
        return text_or_null(event->visitor_id);
    case FIELD_USER_ID:
        return text_or_null(event->user_id);
    case FIELD_SESSION_ID:
        return text_or_null(event->session_id);
    case FIELD_EVENT_ID:
        return text_or_null(event->event_id);
    case FIELD_CUSTOMER_ID:
        return text_or_null(event->customer_id);
    case FIELD_TIMESTAMP:
        return value_int(event->timestamp_ms);
    case FIELD_RECEIVED_AT:
        return value_int(event->received_ms);
    case FIELD_PROPERTIES:
        return json_value(event->properties);
    case FIELD_CONTEXT:
        return json_value(event->context);
    case FIELD_SOURCES:
        break;
    }
    return value_null(REASON_MISSING);
}

static void fill_direct(const struct field_plan *plan, const struct event *event, struct value *values)
{
    for (size_t i = 0; i < plan->count; i++)
        values[i] = value_null(REASON_MISSING);
    for (size_t i = 0; i < plan->direct_count; i++) {
        size_t at = plan->direct[i];
        values[at] = direct((enum field_source)plan->paths[at].source, event);
    }
}

void field_plan_fill(const struct field_plan *plan, const struct event *event, struct arena *arena,
                     struct value *values)
{
    fill_direct(plan, event, values);
    if (plan->wanted[FIELD_PROPERTIES])
        field_scan(plan, FIELD_PROPERTIES, event->properties, arena, values);
    if (plan->wanted[FIELD_CONTEXT])
        field_scan(plan, FIELD_CONTEXT, event->context, arena, values);
}

void field_plan_fill_strict(const struct field_plan *plan, const struct event *event, size_t known, struct arena *arena,
                            struct value *values, struct slice *out_unknown)
{
    fill_direct(plan, event, values);
    field_scan_strict(plan, event->properties, known, arena, values, out_unknown);
    if (plan->wanted[FIELD_CONTEXT])
        field_scan(plan, FIELD_CONTEXT, event->context, arena, values);
}
