/* Memory for rows, keys and segments: blocks by size class, cut from large zeroed pages and never given back to the
 * kernel before keyed_slab_done, so that a row costs no malloc and no lock, and lies on huge pages. One owner. */
#pragma once
#include "base/compiler.h"

#define SLAB_SMALL_MAX 1024u  /* up to here in steps of 16 bytes, beyond in powers of two … */
#define SLAB_EXTRA 64u        /* … and a cache line more, for what has a header before a power of two … */
#define SLAB_BLOCK_MAX 65536u /* … up to here; what is larger is the C library's */
#define SLAB_CLASSES (SLAB_SMALL_MAX / 16 + 1 + 6)

struct slab_chunk;

struct keyed_slab {
    void *free[SLAB_CLASSES]; /* blocks given back, each pointing to the next */
    struct slab_chunk *chunks;
    char *at, *end; /* of the newest chunk */
    uint64_t used_bytes, chunk_bytes;
};

/* Zeroed. Aborts when out of memory: the bound of the state is checked long before (keyed.h). */
void *keyed_slab_take(struct keyed_slab *slab, size_t n);
void keyed_slab_give(struct keyed_slab *slab, void *block, size_t n); /* n as it was taken; NULL is fine */
void keyed_slab_done(struct keyed_slab *slab);
