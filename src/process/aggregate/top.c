/* Entries stand in an array in the order they came, their texts likewise in one block, so that throwing out the rare
 * ones is one pass over both. An open-addressing table of positions, twice as large as the array, finds an entry by its
 * value's hash. Array, table and block grow by doubling; at capacity the median of all counts is taken from each, and
 * at least half of the entries are gone: so an event costs a look-up and, spread over the events between, one such
 * pass. */
#include "process/aggregate/top.h"

#include <math.h>
#include <stdlib.h>

#include "process/aggregate/distinct.h"
#include "process/aggregate/heap.h"
#include "process/aggregate/kept.h"

#define ROOM_MIN 8

struct entry {
    uint64_t hash, count;
    union {
        int64_t integer;
        double number;
        uint32_t text; /* where it begins in the block */
    };
    uint8_t kind, length;
};

struct top {
    uint64_t error; /* what was taken from each count so far, at most */
    struct entry *entries;
    uint16_t *table; /* position + 1, 0 where free; 2 × room */
    char *texts;
    uint32_t used, room;
    uint32_t texts_used, texts_room;
};

uint32_t top_capacity(uint32_t k)
{
    uint32_t capacity = TOP_CAPACITY_MIN;
    while (capacity < 8 * k && capacity < TOP_CAPACITY_MAX)
        capacity *= 2;
    return capacity;
}

static struct aggregate_value entry_value(const struct top *top, const struct entry *entry)
{
    struct aggregate_value value = { .kind = entry->kind };
    if (entry->kind == AGGREGATE_TEXT)
        value.text = entry->length ? slice_of(top->texts + entry->text, entry->length) : SLICE("");
    else if (entry->kind == AGGREGATE_INT)
        value.integer = entry->integer;
    else
        value.number = entry->number;
    return value;
}

/* A number that is whole counts as the integer, which hashes alike. */
static struct aggregate_value canonical(const struct aggregate_value *normal)
{
    if (normal->kind != AGGREGATE_NUMBER || normal->number < -TWO_TO_63 || normal->number >= TWO_TO_63 ||
        normal->number != trunc(normal->number))
        return *normal;
    return (struct aggregate_value){ .kind = AGGREGATE_INT, .integer = (int64_t)normal->number };
}

static void index_all(struct top *top)
{
    uint32_t mask = top->room * 2 - 1;
    memset(top->table, 0, (size_t)top->room * 2 * sizeof *top->table);
    for (uint32_t i = 0; i < top->used; i++) {
        uint32_t at = (uint32_t)top->entries[i].hash & mask;
        while (top->table[at])
            at = (at + 1) & mask;
        top->table[at] = (uint16_t)(i + 1);
    }
}

static void resize(struct top *top, uint32_t room)
{
    top->room = room;
    top->entries = heap_resize(top->entries, room * sizeof *top->entries);
    top->table = heap_resize(top->table, (size_t)room * 2 * sizeof *top->table);
    index_all(top);
}

static struct top *top_new(void)
{
    struct top *top = heap_resize(NULL, sizeof *top);
    *top = (struct top){ 0 };
    resize(top, ROOM_MIN);
    return top;
}

static int compare_counts(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

/* Takes the median count from all and keeps those that have some left. */
static void thin_out(struct top *top)
{
    uint64_t counts[TOP_CAPACITY_MAX];
    assert(top->used <= TOP_CAPACITY_MAX);
    for (uint32_t i = 0; i < top->used; i++)
        counts[i] = top->entries[i].count;
    qsort(counts, top->used, sizeof counts[0], compare_counts);
    uint64_t median = counts[top->used / 2];
    uint32_t kept = 0, texts_used = 0;
    for (uint32_t i = 0; i < top->used; i++) {
        struct entry entry = top->entries[i];
        if (entry.count <= median)
            continue;
        entry.count -= median;
        if (entry.kind == AGGREGATE_TEXT) {
            memmove(top->texts + texts_used, top->texts + entry.text, entry.length);
            entry.text = texts_used;
            texts_used += entry.length;
        }
        top->entries[kept++] = entry;
    }
    top->used = kept;
    top->texts_used = texts_used;
    top->error += median;
    index_all(top);
}

static void append(struct top *top, const struct aggregate_value *value, uint64_t hash, uint64_t count)
{
    struct entry *entry = &top->entries[top->used++];
    *entry = (struct entry){ .hash = hash, .count = count, .kind = (uint8_t)value->kind };
    if (value->kind == AGGREGATE_INT) {
        entry->integer = value->integer;
    } else if (value->kind == AGGREGATE_NUMBER) {
        entry->number = value->number;
    } else {
        if (top->texts_room - top->texts_used < value->text.n) {
            top->texts_room = top->texts_room * 2 + AGGREGATE_TEXT_MAX + 1;
            top->texts = heap_resize(top->texts, top->texts_room);
        }
        entry->text = top->texts_used;
        entry->length = (uint8_t)value->text.n;
        if (value->text.n)
            memcpy(top->texts + entry->text, value->text.p, value->text.n);
        top->texts_used += entry->length;
    }
}

/* The table's place of the value: its entry's, or the free one where it would go. */
static uint16_t *place_of(const struct top *top, const struct aggregate_value *value, uint64_t hash)
{
    uint32_t mask = top->room * 2 - 1, at = (uint32_t)hash & mask;
    for (; top->table[at]; at = (at + 1) & mask) {
        const struct entry *entry = &top->entries[top->table[at] - 1];
        if (entry->hash != hash || entry->kind != value->kind)
            continue;
        struct aggregate_value has = entry_value(top, entry);
        if (kept_compare(&has, value) == 0)
            break;
    }
    return &top->table[at];
}

static void count_value(struct top *top, uint32_t capacity, const struct aggregate_value *value, uint64_t hash,
                        uint64_t count)
{
    uint16_t *place = place_of(top, value, hash);
    if (*place) {
        top->entries[*place - 1].count += count;
        return;
    }
    if (top->used == capacity)
        thin_out(top);
    else if (top->used == top->room)
        resize(top, top->room * 2);
    place = place_of(top, value, hash);
    append(top, value, hash, count);
    *place = (uint16_t)top->used;
}

void top_add(struct top **top, uint32_t capacity, const struct aggregate_value *normal, uint64_t hash)
{
    if (!*top)
        *top = top_new();
    struct aggregate_value value = canonical(normal);
    count_value(*top, capacity, &value, hash, 1);
}

void top_merge(struct top **into, uint32_t capacity, const struct top *from)
{
    if (!from)
        return;
    if (!*into)
        *into = top_new();
    for (uint32_t i = 0; i < from->used; i++) {
        struct aggregate_value value = entry_value(from, &from->entries[i]);
        count_value(*into, capacity, &value, from->entries[i].hash, from->entries[i].count);
    }
    (*into)->error += from->error;
}

struct ranked {
    struct aggregate_value value;
    uint64_t count;
};

static int compare_ranked(const void *a, const void *b)
{
    const struct ranked *left = a, *right = b;
    if (left->count != right->count)
        return left->count > right->count ? -1 : 1;
    return kept_compare(&left->value, &right->value);
}

static void rank_all(const struct top *top, struct ranked *ranked)
{
    for (uint32_t i = 0; i < top->used; i++)
        ranked[i] = (struct ranked){ entry_value(top, &top->entries[i]), top->entries[i].count };
    qsort(ranked, top->used, sizeof *ranked, compare_ranked);
}

void top_result(const struct top *top, uint32_t k, struct aggregate_result *out)
{
    struct ranked ranked[TOP_CAPACITY_MAX];
    if (!top)
        return;
    rank_all(top, ranked);
    out->top_error = top->error;
    out->top_count = top->used < k ? top->used : k;
    for (size_t i = 0; i < out->top_count; i++)
        out->top[i] = (struct aggregate_top){ ranked[i].value, ranked[i].count };
    if (out->top_count > 0)
        out->value = out->top[0].value;
}

size_t top_bytes(const struct top *top)
{
    if (!top)
        return 0;
    return sizeof *top + top->room * (sizeof *top->entries + 2 * sizeof *top->table) + top->texts_room;
}

void top_free(struct top *top)
{
    if (!top)
        return;
    free(top->entries);
    free(top->table);
    free(top->texts);
    free(top);
}

size_t top_encoded_max(const struct top *top)
{
    return 5 + 10 + (top ? (size_t)top->used * (10 + 1 + 10) + top->texts_used : 0);
}

char *top_encode(const struct top *top, char *to)
{
    struct ranked ranked[TOP_CAPACITY_MAX];
    to = wire_put_u64(to, top ? top->used : 0);
    if (!top)
        return wire_put_u64(to, 0);
    to = wire_put_u64(to, top->error);
    rank_all(top, ranked);
    for (uint32_t i = 0; i < top->used; i++)
        to = kept_encode(&ranked[i].value, wire_put_u64(to, ranked[i].count));
    return to;
}

struct top *top_decode(struct wire *wire, uint32_t capacity)
{
    uint64_t used = wire_get_u64(wire), error = wire_get_u64(wire);
    if (used > capacity)
        wire->bad = true;
    if (wire->bad || (used == 0 && error == 0))
        return NULL;
    struct top *top = top_new();
    for (uint64_t i = 0; i < used && !wire->bad; i++) {
        uint64_t count = wire_get_u64(wire);
        struct aggregate_value value = kept_decode(wire), same = canonical(&value);
        if (value.kind == AGGREGATE_NULL || value.kind != same.kind || count == 0)
            wire->bad = true;
        else
            count_value(top, capacity, &value, distinct_hash(&value), count);
    }
    top->error = error;
    if (wire->bad || top->used != used) {
        wire->bad = true;
        top_free(top);
        return NULL;
    }
    return top;
}
