/* An open-addressing table of pointers to entries, doubled when half full up to its bound. An entry's types are a plain
 * array: a tenant has a few dozen, and messages come gathered (process/live.h), so a linear look-up is enough. What
 * only listeners need (the ring of events, the window of latencies) exists while an entry is in the list of those that
 * somebody listens to, or did within the last minute. */
#include "serve/live_board.h"

#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include "base/json_text.h"
#include "catalog/catalog.h"
#include "serve/live_window.h"

#define TYPE_NAME_MAX 128

struct type_count {
    char name[TYPE_NAME_MAX];
    size_t name_n;
    uint64_t accepted, duplicates, dead;
};

struct live_entry {
    char id[TENANT_ID_MAX + 1];
    uint64_t version, accepted, duplicates, dead;
    int64_t at_ms, lag_ms, latency_us;
    uint64_t lag_records;
    struct type_count *types;
    size_t type_count, type_capacity;
    struct board_reason *reasons; /* BOARD_REASONS_MAX, made with the first dead letter */
    size_t reason_count;

    size_t listeners;
    int64_t left_ms;  /* when the last one went */
    bool is_listened; /* in the board's list */
    struct live_entry *next_listened;
    struct live_ring ring;
    struct live_window *shown; /* NULL: nobody listens, or out of memory */
    uint64_t shown_seq;
    char *pulse;
    size_t pulse_n;
    int64_t pulse_at_ms;
};

struct live_board {
    struct live_entry **slots;
    size_t mask, count, tenants_max;
    struct live_entry *listened;
    int64_t since_ms;
};

struct live_board *board_new(size_t tenants_max, int64_t wall_ms)
{
    struct live_board *board = calloc(1, sizeof *board);
    if (!board)
        return NULL;
    *board = (struct live_board){ .mask = 63, .tenants_max = tenants_max, .since_ms = wall_ms };
    board->slots = calloc(board->mask + 1, sizeof *board->slots);
    if (!board->slots) {
        free(board);
        return NULL;
    }
    return board;
}

static void forget(struct live_entry *entry)
{
    ring_close(&entry->ring);
    free(entry->shown);
    free(entry->pulse);
    entry->shown = NULL;
    entry->pulse = NULL;
    entry->pulse_n = 0;
    entry->pulse_at_ms = INT64_MIN;
    entry->is_listened = false;
}

void board_free(struct live_board *board)
{
    if (!board)
        return;
    for (size_t i = 0; i <= board->mask; i++) {
        if (!board->slots[i])
            continue;
        forget(board->slots[i]);
        free(board->slots[i]->reasons);
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
    entry->pulse_at_ms = INT64_MIN;
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

void board_dead(struct live_entry *entry, struct slice reason, uint64_t count)
{
    size_t i = 0;
    entry->version++;
    if (!entry->reasons && !(entry->reasons = calloc(BOARD_REASONS_MAX, sizeof *entry->reasons)))
        return;
    while (i < entry->reason_count && !slice_equal(slice_from(entry->reasons[i].name), reason))
        i++;
    if (i == BOARD_REASONS_MAX) {
        i--;
    } else if (i == entry->reason_count) {
        bool is_last = i + 1 == BOARD_REASONS_MAX;
        struct slice name = is_last || reason.n == 0 ? SLICE("…") : reason;
        snprintf(entry->reasons[i].name, sizeof entry->reasons[i].name, "%.*s", SLICE_ARG(name));
        entry->reason_count++;
    }
    entry->reasons[i].count += count;
}

void board_event(struct live_entry *entry, const struct ring_event *event)
{
    if (!ring_add(&entry->ring, event))
        return;
    entry->version++;
    if (entry->listeners == 0)
        entry->shown_seq = entry->ring.seq; /* it waits for nobody: when it is shown says nothing about us */
}

void board_timing(struct live_entry *entry, int64_t at_ms, int64_t lag_ms, uint64_t lag_records, int64_t latency_us)
{
    entry->at_ms = at_ms;
    entry->lag_ms = lag_ms;
    entry->lag_records = lag_records;
    entry->latency_us = latency_us;
    entry->version++;
}

void board_listen(struct live_board *board, struct live_entry *entry)
{
    entry->listeners++;
    ring_open(&entry->ring);
    if (!entry->shown)
        entry->shown = calloc(1, sizeof *entry->shown);
    if (entry->is_listened)
        return;
    entry->is_listened = true;
    entry->next_listened = board->listened;
    board->listened = entry;
}

void board_unlisten(struct live_entry *entry, int64_t mono_ms)
{
    assert(entry->listeners > 0);
    entry->listeners--;
    entry->left_ms = mono_ms;
}

struct live_entry *board_next_listened(const struct live_board *board, const struct live_entry *entry)
{
    struct live_entry *next = entry ? entry->next_listened : board->listened;
    while (next && next->listeners == 0)
        next = next->next_listened; /* in its last minute */
    return next;
}

int64_t board_expire(struct live_board *board, int64_t mono_ms)
{
    int64_t next_ms = INT64_MAX;
    for (struct live_entry **at = &board->listened; *at;) {
        struct live_entry *entry = *at;
        int64_t end_ms = entry->listeners ? INT64_MAX : entry->left_ms + BOARD_LINGER_MS;
        if (end_ms <= mono_ms) {
            *at = entry->next_listened;
            forget(entry);
            continue;
        }
        next_ms = end_ms < next_ms ? end_ms : next_ms;
        at = &entry->next_listened;
    }
    return next_ms;
}

uint64_t board_version(const struct live_entry *entry)
{
    return entry->version;
}

struct slice board_tenant(const struct live_entry *entry)
{
    return slice_from(entry->id);
}

size_t board_reasons(const struct live_entry *entry, const struct board_reason **out)
{
    *out = entry->reasons;
    return entry->reason_count;
}

void board_shown(struct live_entry *entry, uint64_t seq, int64_t wall_ms)
{
    for (; entry->shown_seq < seq; entry->shown_seq++) {
        int64_t received_ms = ring_received_ms(&entry->ring, entry->shown_seq + 1);
        if (received_ms && entry->shown)
            window_add(entry->shown, wall_ms, wall_ms - received_ms);
    }
}

bool board_latency(const struct live_entry *entry, int64_t wall_ms, const double *quantiles, size_t count, int64_t *out)
{
    return entry->shown && window_quantiles(entry->shown, wall_ms, quantiles, count, out);
}

void board_set_pulse(struct live_entry *entry, struct slice members, int64_t mono_ms)
{
    entry->pulse_at_ms = mono_ms;
    if (slice_equal(board_pulse(entry), members))
        return;
    char *copy = malloc(members.n + 1);
    if (!copy)
        return; /* the one before stays */
    memcpy(copy, members.p, members.n);
    free(entry->pulse);
    entry->pulse = copy;
    entry->pulse_n = members.n;
    entry->version++;
}

struct slice board_pulse(const struct live_entry *entry)
{
    return slice_of(entry->pulse, entry->pulse_n);
}

int64_t board_pulse_at_ms(const struct live_entry *entry)
{
    return entry->pulse_at_ms;
}

void board_write_id(const struct live_board *board, uint64_t seq, struct buf *out)
{
    buf_add_u64(out, (uint64_t)board->since_ms);
    buf_add_char(out, '-');
    buf_add_u64(out, seq);
}

uint64_t board_read_id(const struct live_board *board, const struct live_entry *entry, struct slice id)
{
    uint64_t since, seq;
    const char *dash = id.n ? memchr(id.p, '-', id.n) : NULL;
    if (!dash || !slice_to_u64(slice_of(id.p, (size_t)(dash - id.p)), &since) ||
        !slice_to_u64(slice_after(id, (size_t)(dash - id.p) + 1), &seq))
        return 0;
    return since == (uint64_t)board->since_ms && entry && seq <= entry->ring.seq ? seq : 0;
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

void board_write(const struct live_board *board, const struct live_entry *entry, struct slice tenant_id,
                 struct slice pulse, size_t events_bytes_max, uint64_t *io_event_seq, struct buf *out)
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
    if (pulse.n) {
        buf_add_char(out, ',');
        buf_add_slice(out, pulse);
    }
    json_add_key(out, "events");
    buf_add_char(out, '[');
    ring_write(&from->ring, *io_event_seq, events_bytes_max, out);
    buf_add_text(out, "]}");
    *io_event_seq = from->ring.seq;
}
