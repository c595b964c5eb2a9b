/* An entry: 0 u32 key bytes  4 u32 value bytes, UINT32_MAX: removed  8 the bytes of both. */
#include "process/state/kv_writer.h"

#include <stdlib.h>
#include <string.h>

#define PIECE_BYTES (1u << 20)
#define PIECE_ENTRIES 8192
#define KEEP_BYTES (4u << 20)
#define WAITING_BYTES_MAX (1u << 30) /* far beyond KV_WRITER_BYTES_MAX and a commit */
#define REMOVED UINT32_MAX

struct entry {
    struct slice key, value; /* value.p NULL: removed */
    size_t order;
};

void kv_writer_init(struct kv_writer *writer, struct state_kv *kv)
{
    *writer = (struct kv_writer){ .kv = kv };
    buf_init(&writer->waiting, WAITING_BYTES_MAX);
}

void kv_writer_done(struct kv_writer *writer)
{
    buf_done(&writer->waiting);
}

void kv_writer_reset(struct kv_writer *writer)
{
    struct state_kv *kv = writer->kv;
    kv_writer_done(writer);
    kv_writer_init(writer, kv);
}

void kv_writer_add(struct kv_writer *writer, struct slice key, struct slice value)
{
    const uint32_t head[2] = { (uint32_t)key.n, value.p ? (uint32_t)value.n : REMOVED };
    assert(key.n && key.n <= KV_KEY_MAX && value.n <= KV_VALUE_MAX);
    buf_add(&writer->waiting, head, sizeof head);
    buf_add_slice(&writer->waiting, key);
    if (value.p && value.n)
        buf_add_slice(&writer->waiting, value);
    if (writer->waiting.full)
        abort();
    writer->queued++;
}

bool kv_writer_is_full(const struct kv_writer *writer)
{
    return writer->waiting.n - writer->done > KV_WRITER_BYTES_MAX;
}

static size_t entry_read(const struct kv_writer *writer, size_t at, struct entry *out)
{
    uint32_t head[2];
    const char *p = writer->waiting.p + at;
    memcpy(head, p, sizeof head);
    out->key = slice_of(p + sizeof head, head[0]);
    out->value = (struct slice){ 0 };
    if (head[1] != REMOVED)
        out->value = slice_of(p + sizeof head + head[0], head[1]);
    return sizeof head + head[0] + out->value.n;
}

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
    size_t left = writer->waiting.n - writer->done;
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
}

enum status kv_writer_step(struct kv_writer *writer, bool wait, bool *out_more, struct error *err)
{
    struct entry *entries;
    struct kv_change *changes;
    size_t count = 0, at = writer->done;
    struct kv *map;
    *out_more = false;
    if (at == writer->waiting.n)
        return OK;
    enum status s = state_kv_map(writer->kv, &map, err);
    if (s != OK)
        return s;
    entries = malloc(PIECE_ENTRIES * sizeof *entries);
    changes = malloc(PIECE_ENTRIES * sizeof *changes);
    if (!entries || !changes)
        abort();
    while (at < writer->waiting.n && count < PIECE_ENTRIES && at - writer->done < PIECE_BYTES) {
        entries[count].order = count;
        at += entry_read(writer, at, &entries[count]);
        count++;
    }
    s = map->backend->write(map, changes, to_changes(entries, count, changes), wait, err);
    free(entries);
    free(changes);
    if (s != OK)
        return s;
    writer->done = at;
    writer->written += count;
    compact(writer);
    *out_more = writer->done < writer->waiting.n;
    return OK;
}
