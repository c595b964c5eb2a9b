/* A block given back goes to the list of its class and is zeroed when it is taken again. Chunks grow from 64 KiB to 2
 * MiB, so that an idle partition costs little and a large one has huge pages. */
#include "process/state/keyed_slab.h"

#include <stdlib.h>
#include <string.h>

#include "process/state/pages.h"

#define CHUNK_BYTES_MIN (64u << 10)
#define CHUNK_BYTES_MAX (2u << 20)

struct slab_chunk {
    struct slab_chunk *next;
    size_t bytes;
    char pad[48]; /* blocks begin at a cache line */
};

static size_t class_of(size_t n, size_t *out_bytes)
{
    if (n <= SLAB_SMALL_MAX) {
        size_t class = n ? (n + 15) / 16 : 1;
        *out_bytes = class * 16;
        return class;
    }
    size_t class = SLAB_SMALL_MAX / 16 + 1, bytes = SLAB_SMALL_MAX * 2;
    for (; bytes + SLAB_EXTRA < n; bytes *= 2)
        class ++;
    *out_bytes = bytes + SLAB_EXTRA;
    return class;
}

static void next_chunk(struct keyed_slab *slab, size_t needed)
{
    size_t bytes = CHUNK_BYTES_MIN;
    while (bytes < CHUNK_BYTES_MAX && (bytes < slab->chunk_bytes || bytes < needed + sizeof(struct slab_chunk)))
        bytes *= 2;
    struct slab_chunk *chunk = pages_new(bytes);
    if (!chunk)
        abort();
    chunk->next = slab->chunks;
    chunk->bytes = bytes;
    slab->chunks = chunk;
    slab->chunk_bytes += bytes;
    slab->at = (char *)(chunk + 1);
    slab->end = (char *)chunk + bytes;
}

void *keyed_slab_take(struct keyed_slab *slab, size_t n)
{
    size_t bytes, class;
    if (n > SLAB_BLOCK_MAX) {
        void *block = calloc(1, n);
        if (!block)
            abort();
        slab->used_bytes += n;
        return block;
    }
    class = class_of(n, &bytes);
    slab->used_bytes += bytes;
    void *block = slab->free[class];
    if (block) {
        memcpy(&slab->free[class], block, sizeof(void *));
        memset(block, 0, bytes);
        return block;
    }
    if ((size_t)(slab->end - slab->at) < bytes)
        next_chunk(slab, bytes);
    block = slab->at;
    slab->at += bytes;
    return block;
}

void keyed_slab_give(struct keyed_slab *slab, void *block, size_t n)
{
    size_t bytes;
    if (!block)
        return;
    if (n > SLAB_BLOCK_MAX) {
        slab->used_bytes -= n;
        free(block);
        return;
    }
    size_t class = class_of(n, &bytes);
    slab->used_bytes -= bytes;
    memcpy(block, &slab->free[class], sizeof(void *));
    slab->free[class] = block;
}

void keyed_slab_done(struct keyed_slab *slab)
{
    while (slab->chunks) {
        struct slab_chunk *chunk = slab->chunks;
        slab->chunks = chunk->next;
        pages_free(chunk, chunk->bytes);
    }
    *slab = (struct keyed_slab){ 0 };
}
