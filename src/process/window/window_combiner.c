#include "process/window/window_combiner.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "process/state/watermarks.h"
#include "process/window/window_partial.h"

#define ARENA_BYTES (64u << 20)
#define ROW_BYTES_MAX (1u << 20) /* of one encoded row */

void combiner_init(struct window_combiner *combiner, size_t entries_max)
{
    assert((entries_max & (entries_max - 1)) == 0);
    *combiner = (struct window_combiner){ .entries_max = entries_max,
                                          .entries = calloc(entries_max, sizeof *combiner->entries),
                                          .slots = calloc(2 * entries_max, sizeof *combiner->slots) };
    if (!combiner->entries || !combiner->slots)
        abort();
    arena_init(&combiner->arena, ARENA_BYTES);
}

static void forget(struct window_combiner *combiner)
{
    for (size_t i = 0; i < combiner->count; i++) {
        combiner->slots[combiner->entries[i].slot] = 0;
        if (combiner->entries[i].row)
            aggregate_release(combiner->entries[i].layout, combiner->entries[i].row);
    }
    combiner->count = 0;
    arena_reset(&combiner->arena);
}

void combiner_done(struct window_combiner *combiner)
{
    if (combiner->entries)
        forget(combiner);
    arena_done(&combiner->arena);
    free(combiner->entries);
    free(combiner->slots);
}

bool combiner_has_room(const struct window_combiner *combiner, size_t entries)
{
    return combiner->count + entries <= combiner->entries_max && combiner->arena.used_bytes < ARENA_BYTES / 2;
}

struct combiner_entry *combiner_entry(struct window_combiner *combiner, struct id128 id, bool *out_new)
{
    const size_t mask = 2 * combiner->entries_max - 1;
    size_t at = id.lo & mask;
    for (; combiner->slots[at]; at = (at + 1) & mask) {
        struct combiner_entry *entry = &combiner->entries[combiner->slots[at] - 1];
        if (!id_equal(entry->id, id))
            continue;
        *out_new = false;
        return entry;
    }
    if (combiner->count == combiner->entries_max)
        return NULL;
    combiner->slots[at] = (uint32_t)++combiner->count;
    struct combiner_entry *entry = &combiner->entries[combiner->count - 1];
    *entry = (struct combiner_entry){ .id = id, .slot = (uint32_t)at };
    *out_new = true;
    return entry;
}

bool combiner_fill(struct window_combiner *combiner, struct combiner_entry *entry, const struct combiner_entry *what)
{
    struct combiner_entry made = *what;
    made.id = entry->id;
    made.slot = entry->slot;
    *entry = made;
    entry->events = 0;
    entry->customer_id = arena_copy(&combiner->arena, what->customer_id);
    entry->placement = arena_copy(&combiner->arena, what->placement);
    entry->key = arena_copy(&combiner->arena, what->key);
    entry->row = arena_take(&combiner->arena, entry->layout->row_bytes);
    if (!entry->customer_id.p || !entry->placement.p || !entry->key.p || !entry->row) {
        entry->row = NULL;
        return false;
    }
    aggregate_init(entry->layout, entry->row);
    return true;
}

static enum status send(const struct combiner_entry *entry, uint16_t from, struct buf *row,
                        struct process_outputs *outputs, struct error *err)
{
    struct process_stream *stream = process_outputs_stream(outputs, TOPIC_REKEYED, entry->owner);
    buf_reset(row);
    aggregate_encode(entry->layout, entry->row, row);
    const struct window_partial partial = { .from = from,
                                            .definition = entry->definition,
                                            .start_ms = entry->start_ms,
                                            .end_ms = entry->end_ms,
                                            .watermark_ms = WATERMARK_NONE,
                                            .events = entry->events,
                                            .customer_id = entry->customer_id,
                                            .placement = entry->placement,
                                            .key = entry->key,
                                            .row = buf_slice(row) };
    size_t head = window_partial_head_size(&partial);
    char *to = row->full ? NULL : process_stream_record(stream, head + row->n);
    if (!to)
        return error_set(err, ERR_FULL, "the partials of windows do not fit into a commit");
    window_partial_encode_head(&partial, to);
    memcpy(to + head, row->p, row->n);
    return OK;
}

enum status combiner_flush(struct window_combiner *combiner, uint16_t from, struct process_outputs *outputs,
                           struct error *err)
{
    AUTO(buf) struct buf row;
    enum status s = OK;
    buf_init(&row, ROW_BYTES_MAX);
    for (size_t i = 0; i < combiner->count && s == OK; i++)
        s = send(&combiner->entries[i], from, &row, outputs, err);
    forget(combiner);
    return s;
}
