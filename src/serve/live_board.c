/* An open-addressing table of pointers to entries, doubled when half full up to its bound. An entry's types are a plain
 * array: a tenant has a few dozen, and messages come gathered (process/live.h), so a linear look-up is enough. Events
 * are rendered once, when they come, not once for each listener. */
#include "serve/live_board.h"

#include <stdlib.h>
#include <xxhash.h>

#include "base/json_text.h"
#include "catalog/catalog.h"

#define TYPE_NAME_MAX 128

struct type_count {
    char name[TYPE_NAME_MAX];
    size_t name_n;
    uint64_t accepted, duplicates, dead;
};

struct kept_event {
    char *json;
    size_t n;
};

struct live_entry {
    char id[TENANT_ID_MAX + 1];
    uint64_t version, accepted, duplicates, dead;
    int64_t at_ms, lag_ms, latency_us;
    uint64_t lag_records;
    struct type_count *types;
    size_t type_count, type_capacity;
    size_t listeners;
    uint64_t event_seq;        /* events kept so far */
    struct kept_event *events; /* a ring of BOARD_EVENTS_MAX, only while somebody listens */
};

struct live_board {
    struct live_entry **slots;
    size_t mask, count, tenants_max;
    int64_t since_ms;
};

struct live_board *board_new(size_t tenants_max, int64_t now_ms)
{
    struct live_board *board = calloc(1, sizeof *board);
    if (!board)
        return NULL;
    *board = (struct live_board){ .mask = 63, .tenants_max = tenants_max, .since_ms = now_ms };
    board->slots = calloc(board->mask + 1, sizeof *board->slots);
    if (!board->slots) {
        free(board);
        return NULL;
    }
    return board;
}

static void forget_events(struct live_entry *entry)
{
    for (size_t i = 0; entry->events && i < BOARD_EVENTS_MAX; i++)
        free(entry->events[i].json);
    free(entry->events);
    entry->events = NULL;
}

void board_free(struct live_board *board)
{
    if (!board)
        return;
    for (size_t i = 0; i <= board->mask; i++) {
        if (!board->slots[i])
            continue;
        forget_events(board->slots[i]);
        free(board->slots[i]->types);
        free(board->slots[i]);
    }
    free(board->slots);
    free(board);
}

static size_t find_slot(struct live_entry **slots, size_t mask, struct slice id)
{
    size_t slot = XXH3_64bits(id.p, id.n) & mask;
    while (slots[slot] && !slice_equal(slice_from(slots[slot]->id), id))
        slot = (slot + 1) & mask;
    return slot;
}

static bool grow(struct live_board *board)
{
    size_t mask = board->mask * 2 + 1;
    struct live_entry **slots = calloc(mask + 1, sizeof *slots);
    if (!slots)
        return false;
    for (size_t i = 0; i <= board->mask; i++)
        if (board->slots[i])
            slots[find_slot(slots, mask, slice_from(board->slots[i]->id))] = board->slots[i];
    free(board->slots);
    board->slots = slots;
    board->mask = mask;
    return true;
}

struct live_entry *board_entry(struct live_board *board, struct slice tenant_id)
{
    size_t slot = find_slot(board->slots, board->mask, tenant_id);
    if (board->slots[slot])
        return board->slots[slot];
    if (tenant_id.n == 0 || tenant_id.n > TENANT_ID_MAX || board->count >= board->tenants_max)
        return NULL;
    if (board->count * 2 > board->mask) {
        if (!grow(board))
            return NULL;
        slot = find_slot(board->slots, board->mask, tenant_id);
    }
    struct live_entry *entry = calloc(1, sizeof *entry);
    if (!entry)
        return NULL;
    memcpy(entry->id, tenant_id.p, tenant_id.n);
    board->slots[slot] = entry;
    board->count++;
    return entry;
}

/* Valid until the next call. */
static struct type_count *type_of(struct live_entry *entry, struct slice name)
{
    if (name.n > TYPE_NAME_MAX)
        name.n = TYPE_NAME_MAX;
    for (size_t i = 0; i < entry->type_count; i++)
        if (slice_equal(slice_of(entry->types[i].name, entry->types[i].name_n), name))
            return &entry->types[i];
    bool is_last = entry->type_count + 1 == BOARD_TYPES_MAX;
    if (entry->type_count == BOARD_TYPES_MAX)
        return &entry->types[BOARD_TYPES_MAX - 1];
    if (entry->type_count == entry->type_capacity) {
        size_t capacity = entry->type_capacity ? entry->type_capacity * 2 : 8;
        struct type_count *types = realloc(entry->types, capacity * sizeof *types);
        if (!types)
            return entry->type_count ? &entry->types[entry->type_count - 1] : NULL;
        entry->types = types;
        entry->type_capacity = capacity;
    }
    struct type_count *type = &entry->types[entry->type_count++];
    *type = (struct type_count){ 0 };
    if (is_last || name.n == 0)
        name = SLICE("…");
    memcpy(type->name, name.p, name.n);
    type->name_n = name.n;
    return type;
}

void board_count(struct live_entry *entry, struct slice event_type, uint64_t accepted, uint64_t duplicates,
                 uint64_t dead)
{
    struct type_count *type = type_of(entry, event_type.n ? event_type : SLICE("…"));
    entry->accepted += accepted;
    entry->duplicates += duplicates;
    entry->dead += dead;
    entry->version++;
    if (!type)
        return;
    type->accepted += accepted;
    type->duplicates += duplicates;
    type->dead += dead;
}

void board_event(struct live_entry *entry, const struct board_event *event)
{
    if (!entry->events)
        return;
    AUTO(buf) struct buf json;
    buf_init(&json, BOARD_EVENT_BYTES_MAX);
    buf_add_char(&json, '{');
    json_add_field(&json, "event_type", event->event_type);
    json_add_field(&json, "event_name", event->event_name);
    json_add_field(&json, "visitor_id", event->visitor_id);
    json_add_field(&json, "event_id", event->event_id);
    json_add_key(&json, "timestamp_ms");
    buf_add_format(&json, "%lld", (long long)event->timestamp_ms);
    json_add_key(&json, "received_ms");
    buf_add_format(&json, "%lld", (long long)event->received_ms);
    json_add_key(&json, "properties");
    buf_add_slice(&json, event->properties.n ? event->properties : SLICE("{}"));
    buf_add_char(&json, '}');
    /* A line break would end the message of the feed; raw ones stand only between JSON tokens. */
    for (size_t i = 0; i < json.n; i++)
        if (json.p[i] == '\n' || json.p[i] == '\r')
            json.p[i] = ' ';
    if (json.full)
        return;
    struct kept_event *kept = &entry->events[entry->event_seq % BOARD_EVENTS_MAX];
    free(kept->json);
    *kept = (struct kept_event){ json.p, json.n };
    buf_init(&json, 0); /* kept owns the memory now */
    entry->event_seq++;
    entry->version++;
}

void board_timing(struct live_entry *entry, int64_t at_ms, int64_t lag_ms, uint64_t lag_records, int64_t latency_us)
{
    entry->at_ms = at_ms;
    entry->lag_ms = lag_ms;
    entry->lag_records = lag_records;
    entry->latency_us = latency_us;
    entry->version++;
}

void board_listen(struct live_entry *entry)
{
    if (entry->listeners++ == 0)
        entry->events = calloc(BOARD_EVENTS_MAX, sizeof *entry->events); /* NULL: no events are shown */
}

void board_unlisten(struct live_entry *entry)
{
    assert(entry->listeners > 0);
    if (--entry->listeners == 0)
        forget_events(entry);
}

uint64_t board_version(const struct live_entry *entry)
{
    return entry->version;
}

static void add_signed(struct buf *out, const char *name, int64_t value)
{
    json_add_key(out, name);
    buf_add_format(out, "%lld", (long long)value);
}

static void add_types(const struct live_entry *entry, struct buf *out)
{
    json_add_key(out, "types");
    buf_add_char(out, '[');
    for (size_t i = 0; entry && i < entry->type_count; i++) {
        const struct type_count *type = &entry->types[i];
        buf_add_text(out, i ? ",{" : "{");
        json_add_field(out, "type", slice_of(type->name, type->name_n));
        json_add_field_u64(out, "accepted", type->accepted);
        json_add_field_u64(out, "duplicates", type->duplicates);
        json_add_field_u64(out, "dead_letters", type->dead);
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
}

static void add_events(const struct live_entry *entry, uint64_t *io_seq, struct buf *out)
{
    uint64_t newest = entry ? entry->event_seq : 0;
    uint64_t seq =
        newest > BOARD_EVENTS_MAX && *io_seq < newest - BOARD_EVENTS_MAX ? newest - BOARD_EVENTS_MAX : *io_seq;
    json_add_key(out, "events");
    buf_add_char(out, '[');
    for (bool first = true; entry && entry->events && seq < newest; seq++) {
        const struct kept_event *kept = &entry->events[seq % BOARD_EVENTS_MAX];
        if (!kept->json)
            continue; /* from before the last listener left */
        if (!first)
            buf_add_char(out, ',');
        first = false;
        buf_add(out, kept->json, kept->n);
    }
    buf_add_char(out, ']');
    *io_seq = newest;
}

void board_write(const struct live_board *board, const struct live_entry *entry, struct slice tenant_id,
                 uint64_t *io_event_seq, struct buf *out)
{
    static const struct live_entry NOTHING;
    const struct live_entry *from = entry ? entry : &NOTHING;
    buf_add_char(out, '{');
    json_add_field(out, "tenant", tenant_id);
    add_signed(out, "since_ms", board->since_ms);
    add_signed(out, "at_ms", from->at_ms);
    json_add_field_u64(out, "accepted", from->accepted);
    json_add_field_u64(out, "duplicates", from->duplicates);
    json_add_field_u64(out, "dead_letters", from->dead);
    json_add_key(out, "latency_ms");
    buf_add_format(out, "%.3f", (double)from->latency_us / 1000);
    add_signed(out, "lag_ms", from->lag_ms);
    json_add_field_u64(out, "lag_events", from->lag_records);
    add_types(entry, out);
    add_events(entry, io_event_seq, out);
    buf_add_char(out, '}');
}
