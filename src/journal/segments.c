#include "journal/segments.h"

#include <stdlib.h>

void segments_init(struct segments *segments, uint32_t capacity)
{
    segments->capacity = capacity;
    segments->slots = calloc(capacity, sizeof *segments->slots);
    if (!segments->slots)
        abort();
}

void segments_done(struct segments *segments)
{
    free(segments->slots);
    segments->slots = NULL;
}

bool segments_add(struct segments *segments, uint64_t first, uint64_t bytes)
{
    uint64_t next = atomic_load(&segments->next);
    if (next - atomic_load(&segments->oldest) + 1 >= segments->capacity)
        return false;
    struct segment_slot *slot = &segments->slots[next % segments->capacity];
    atomic_store(&slot->first, first);
    atomic_store(&slot->end, SEGMENT_OPEN);
    atomic_store(&slot->bytes, bytes);
    atomic_store(&segments->next, next + 1);
    return true;
}

void segments_seal(struct segments *segments, uint64_t end, int64_t sealed_us)
{
    uint64_t next = atomic_load(&segments->next);
    assert(next > atomic_load(&segments->oldest));
    struct segment_slot *slot = &segments->slots[(next - 1) % segments->capacity];
    assert(end >= atomic_load(&slot->first));
    atomic_store(&slot->sealed_us, sealed_us);
    atomic_store(&slot->end, end);
}

void segments_drop_oldest(struct segments *segments)
{
    assert(segments_count(segments) > 0);
    atomic_fetch_add(&segments->oldest, 1);
}

uint64_t segments_oldest(struct segments *segments)
{
    return atomic_load(&segments->oldest);
}

uint64_t segments_count(struct segments *segments)
{
    uint64_t oldest = atomic_load(&segments->oldest); /* first: it may only grow meanwhile */
    return atomic_load(&segments->next) - oldest;
}

bool segments_get(struct segments *segments, uint64_t number, struct segment *out)
{
    if (number >= atomic_load(&segments->next))
        return false;
    struct segment_slot *slot = &segments->slots[number % segments->capacity];
    struct segment copy = { number, atomic_load(&slot->first), atomic_load(&slot->end), atomic_load(&slot->bytes),
                            atomic_load(&slot->sealed_us) };
    if (number < atomic_load(&segments->oldest))
        return false;
    *out = copy;
    return true;
}

bool segments_find(struct segments *segments, uint64_t position, struct segment *out)
{
    uint64_t low = atomic_load(&segments->oldest), high = atomic_load(&segments->next);
    struct segment found, one;
    bool any = false;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (!segments_get(segments, middle, &one)) {
            low = middle + 1; /* dropped while we looked */
            continue;
        }
        if (one.first > position) {
            high = middle;
        } else {
            found = one;
            any = true;
            low = middle + 1;
        }
    }
    if (!any || found.number < atomic_load(&segments->oldest))
        return false;
    *out = found;
    return true;
}
