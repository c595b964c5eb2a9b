/* An entry: 0 u32 key bytes, the highest bit: a later entry replaced it  4 u32 value bytes, UINT32_MAX: removed
 * 8 the bytes of both. A new value of the same length is written over the old one. */
#include "process/state/kv_writer.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define PIECE_BYTES (1u << 20)
#define PIECE_ENTRIES 8192
#define KEEP_BYTES (4u << 20)
#define WAITING_BYTES_MAX (1u << 30) /* far beyond KV_WRITER_BYTES_MAX and a commit */
#define REMOVED UINT32_MAX
#define REPLACED 0x80000000u
#define SLOTS_MIN 256

struct kv_writer_slot {
    uint32_t hash;
    uint32_t at; /* of the entry in waiting, + 1; 0: empty */
};

struct entry {
    struct slice key, value; /* value.p NULL: removed */
    size_t order;
    bool replaced;
};

void kv_writer_init(struct kv_writer *writer, struct state_kv *kv)
{
    *writer = (struct kv_writer){ .kv = kv };
    buf_init(&writer->waiting, WAITING_BYTES_MAX);
}

void kv_writer_done(struct kv_writer *writer)
{
    buf_done(&writer->waiting);
    free(writer->slots);
    writer->slots = NULL;
}

void kv_writer_reset(struct kv_writer *writer)
{
    struct state_kv *kv = writer->kv;
    kv_writer_done(writer);
    kv_writer_init(writer, kv);
}

static size_t entry_read(const struct kv_writer *writer, size_t at, struct entry *out)
{
    uint32_t head[2];
    const char *p = writer->waiting.p + at;
    memcpy(head, p, sizeof head);
    out->replaced = head[0] & REPLACED;
    out->key = slice_of(p + sizeof head, head[0] & ~REPLACED);
    out->value = (struct slice){ 0 };
    if (head[1] != REMOVED)
        out->value = slice_of(out->key.p + out->key.n, head[1]);
    return sizeof head + out->key.n + out->value.n;
}

/* ---- by key ---- */

static struct kv_writer_slot *slot_of(const struct kv_writer *writer, uint32_t hash, struct slice key)
{
    size_t at = hash & (writer->slot_count - 1);
    for (; writer->slots[at].at; at = (at + 1) & (writer->slot_count - 1)) {
        struct entry entry;
        if (writer->slots[at].hash != hash)
            continue;
        (void)entry_read(writer, writer->slots[at].at - 1, &entry);
        if (slice_equal(entry.key, key))
            break;
    }
    return &writer->slots[at];
}

/* Every entry that waits, in a table of the size; what is written has no place in it any more. */
static void index_again(struct kv_writer *writer, size_t slot_count)
{
    size_t at = writer->done;
    free(writer->slots);
    writer->slots = calloc(slot_count, sizeof *writer->slots);
    writer->slot_count = slot_count;
    writer->slots_used = 0;
    if (!writer->slots)
        abort();
    while (at < writer->waiting.n) {
        struct entry entry;
        size_t n = entry_read(writer, at, &entry);
        if (!entry.replaced) {
            uint32_t hash = (uint32_t)XXH3_64bits(entry.key.p, entry.key.n);
            *slot_of(writer, hash, entry.key) = (struct kv_writer_slot){ hash, (uint32_t)at + 1 };
            writer->slots_used++;
        }
        at += n;
    }
}

/* True: it stands where the old value of the key stood. */
static bool overwrite(struct kv_writer *writer, const struct kv_writer_slot *slot, struct slice value)
{
    size_t at = slot->at - 1;
    struct entry old;
    (void)entry_read(writer, at, &old);
    bool fits = old.value.p && value.p && old.value.n == value.n;
    if (fits && value.n)
        memcpy(writer->waiting.p + (old.value.p - writer->waiting.p), value.p, value.n);
    if (!fits) {
        uint32_t head = (uint32_t)old.key.n | REPLACED;
        memcpy(writer->waiting.p + at, &head, sizeof head);
    }
    return fits;
}

void kv_writer_add(struct kv_writer *writer, struct slice key, struct slice value)
{
    const uint32_t head[2] = { (uint32_t)key.n, value.p ? (uint32_t)value.n : REMOVED };
    const uint32_t hash = (uint32_t)XXH3_64bits(key.p, key.n);
    assert(key.n && key.n <= KV_KEY_MAX && value.n <= KV_VALUE_MAX);
    if (writer->slots_used + 1 > writer->slot_count / 4 * 3)
        index_again(writer, writer->slot_count ? 2 * writer->slot_count : SLOTS_MIN);
    struct kv_writer_slot *slot = slot_of(writer, hash, key);
    bool waits = slot->at && slot->at > writer->done;
    if (waits && overwrite(writer, slot, value))
        return;
    writer->slots_used += slot->at == 0;
    *slot = (struct kv_writer_slot){ hash, (uint32_t)writer->waiting.n + 1 };
    buf_add(&writer->waiting, head, sizeof head);
    buf_add_slice(&writer->waiting, key);
    if (value.p && value.n)
        buf_add_slice(&writer->waiting, value);
    if (writer->waiting.full)
        abort();
    writer->queued++;
}

void kv_writer_prefetch(const struct kv_writer *writer, struct slice key)
{
    if (writer->slot_count)
        __builtin_prefetch(&writer->slots[(uint32_t)XXH3_64bits(key.p, key.n) & (writer->slot_count - 1)]);
}

void kv_writer_prefetch_entry(const struct kv_writer *writer, struct slice key)
{
    if (writer->slot_count == 0)
        return;
    const uint32_t hash = (uint32_t)XXH3_64bits(key.p, key.n);
    size_t at = hash & (writer->slot_count - 1);
    for (int i = 0; i < 4 && writer->slots[at].at; i++, at = (at + 1) & (writer->slot_count - 1)) {
        if (writer->slots[at].hash != hash)
            continue;
        __builtin_prefetch(writer->waiting.p + writer->slots[at].at - 1);
        __builtin_prefetch(writer->waiting.p + writer->slots[at].at + 63);
        return;
    }
}

bool kv_writer_has(const struct kv_writer *writer, struct slice key)
{
    return writer->slot_count && slot_of(writer, (uint32_t)XXH3_64bits(key.p, key.n), key)->at > writer->done;
}

size_t kv_writer_bytes(const struct kv_writer *writer)
{
    return writer->waiting.n - writer->done;
}

bool kv_writer_is_full(const struct kv_writer *writer)
{
    return kv_writer_bytes(writer) > KV_WRITER_BYTES_MAX;
}

/* ---- writing ---- */

static int by_key(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int order = slice_compare(x->key, y->key);
    return order ? order : (x->order > y->order) - (x->order < y->order);
}

/* Of entries with the same key the last one counts. */
static size_t to_changes(struct entry *entries, size_t count, struct kv_change *changes)
{
    size_t n = 0;
    qsort(entries, count, sizeof *entries, by_key);
    for (size_t i = 0; i < count; i++) {
        if (i + 1 < count && slice_equal(entries[i].key, entries[i + 1].key))
            continue;
        changes[n++] = (struct kv_change){ entries[i].value.p ? KV_PUT : KV_DELETE, entries[i].key, entries[i].value };
    }
    return n;
}

static void compact(struct kv_writer *writer)
{
    size_t left = kv_writer_bytes(writer);
    if (left && writer->done < writer->waiting.n / 2)
        return;
    if (left == 0 && writer->waiting.capacity > KEEP_BYTES) {
        uint64_t queued = writer->queued;
        kv_writer_reset(writer);
        writer->queued = writer->written = queued;
        return;
    }
    if (left)
        memmove(writer->waiting.p, writer->waiting.p + writer->done, left);
    writer->waiting.n = left;
    writer->done = 0;
    index_again(writer, writer->slot_count);
}

enum status kv_writer_step(struct kv_writer *writer, bool wait, bool *out_more, struct error *err)
{
    size_t count = 0, passed = 0, at = writer->done;
    struct kv *map;
    *out_more = false;
    if (at == writer->waiting.n)
        return OK;
    enum status s = state_kv_map(writer->kv, &map, err);
    if (s != OK)
        return s;
    struct entry *entries = malloc(PIECE_ENTRIES * sizeof *entries);
    struct kv_change *changes = malloc(PIECE_ENTRIES * sizeof *changes);
    if (!entries || !changes)
        abort();
    for (; at < writer->waiting.n && count < PIECE_ENTRIES && at - writer->done < PIECE_BYTES; passed++) {
        entries[count].order = count;
        at += entry_read(writer, at, &entries[count]);
        count += !entries[count].replaced;
    }
    if (count)
        s = map->backend->write(map, changes, to_changes(entries, count, changes), wait, err);
    free(entries);
    free(changes);
    if (s != OK)
        return s;
    writer->done = at;
    writer->written += passed;
    compact(writer);
    *out_more = writer->done < writer->waiting.n;
    return OK;
}
