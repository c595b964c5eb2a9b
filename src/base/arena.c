#include "base/arena.h"

#include <stdlib.h>

#define CHUNK_BYTES_MIN (64u * 1024)

struct arena_chunk {
    struct arena_chunk *next;
    size_t size, used;
    _Alignas(16) char bytes[];
};

void arena_init(struct arena *arena, size_t max_bytes)
{
    *arena = (struct arena){ .max_bytes = max_bytes };
}

static struct arena_chunk *chunk_new(struct arena *arena, size_t n)
{
    size_t size = arena->chunk ? arena->chunk->size * 2 : CHUNK_BYTES_MIN;
    if (size > 4u << 20)
        size = 4u << 20;
    if (size < n)
        size = n;
    struct arena_chunk *chunk = malloc(sizeof *chunk + size);
    if (!chunk)
        return NULL;
    chunk->next = arena->chunk;
    chunk->size = size;
    chunk->used = 0;
    arena->chunk = chunk;
    return chunk;
}

void *arena_take(struct arena *arena, size_t n)
{
    n = (n + 15) & ~(size_t)15;
    if (arena->used_bytes + n > arena->max_bytes)
        return NULL;
    struct arena_chunk *chunk = arena->chunk;
    if (!chunk || chunk->size - chunk->used < n)
        chunk = chunk_new(arena, n);
    if (!chunk)
        return NULL;
    void *p = chunk->bytes + chunk->used;
    chunk->used += n;
    arena->used_bytes += n;
    return p;
}

struct slice arena_copy(struct arena *arena, struct slice s)
{
    char *p = arena_take(arena, s.n ? s.n : 1);
    if (!p)
        return (struct slice){ 0 };
    if (s.n)
        memcpy(p, s.p, s.n);
    return (struct slice){ p, s.n };
}

void arena_reset(struct arena *arena)
{
    struct arena_chunk *chunk = arena->chunk;
    while (chunk && chunk->next) {
        struct arena_chunk *next = chunk->next;
        free(chunk);
        chunk = next;
    }
    if (chunk) {
#ifdef WEIR_DEBUG
        memset(chunk->bytes, 0xA5, chunk->used);
#endif
        chunk->used = 0;
    }
    arena->chunk = chunk;
    arena->used_bytes = 0;
}

void arena_done(struct arena *arena)
{
    arena_reset(arena);
    free(arena->chunk);
    arena->chunk = NULL;
}
