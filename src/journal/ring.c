#include "journal/ring.h"

#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(struct ring_chunk) == 56, "whole words, no holes");

struct ring *ring_new(void)
{
    struct ring *ring = calloc(1, sizeof *ring);
    if (!ring)
        abort();
    return ring;
}

void ring_free(struct ring *ring)
{
    free(ring);
}

void ring_put(struct ring *ring, uint64_t number, const struct ring_chunk *chunk)
{
    uint64_t words[RING_WORDS];
    memcpy(words, chunk, sizeof words);
    /* Announced before the first word changes; the words' release keeps that order for whoever sees one of them. */
    atomic_store_explicit(&ring->reserved, number + 1, memory_order_relaxed);
    for (size_t i = 0; i < RING_WORDS; i++)
        atomic_store_explicit(&ring->words[number % RING_CHUNKS][i], words[i], memory_order_release);
}

void ring_publish(struct ring *ring, uint64_t number)
{
    atomic_store_explicit(&ring->published, number, memory_order_release);
}

static uint64_t oldest_safe(struct ring *ring)
{
    uint64_t reserved = atomic_load_explicit(&ring->reserved, memory_order_acquire);
    return reserved > RING_CHUNKS ? reserved - RING_CHUNKS : 0;
}

bool ring_get(struct ring *ring, uint64_t number, struct ring_chunk *out)
{
    uint64_t words[RING_WORDS];
    for (size_t i = 0; i < RING_WORDS; i++)
        words[i] = atomic_load_explicit(&ring->words[number % RING_CHUNKS][i], memory_order_acquire);
    if (number < oldest_safe(ring))
        return false;
    memcpy(out, words, sizeof *out);
    return true;
}

bool ring_find(struct ring *ring, uint64_t position, uint64_t end, uint64_t *out_number)
{
    uint64_t low = oldest_safe(ring), high = end;
    struct ring_chunk chunk;
    /* What is older than the ring's oldest is unknown, so that one must stand before the position; or at it, when
     * nothing was overwritten yet: else earlier chunks of the same frame may be gone. */
    if (low >= end || !ring_get(ring, low, &chunk) || chunk.position > position ||
        (chunk.position == position && low > 0))
        return false;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (!ring_get(ring, middle, &chunk))
            return false;
        if (chunk.position >= position)
            high = middle;
        else
            low = middle + 1;
    }
    *out_number = low;
    return true;
}
