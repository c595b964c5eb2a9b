/* Memory of one batch: bump allocation out of chunks, everything released at once by arena_reset.
 * One owner, one thread at a time. arena_reset fills what was used with 0xA5 (in builds with asserts on sanitizers,
 * always in debug), so that a pointer kept too long fails at once, and keeps the first chunk for the next batch. */
#pragma once
#include "base/compiler.h"
#include "base/slice.h"

struct arena_chunk;

struct arena {
    struct arena_chunk *chunk; /* newest first */
    size_t used_bytes;         /* in all chunks, since the last reset */
    size_t max_bytes;          /* the bound: allocations beyond it return NULL */
};

/* chunk memory is taken lazily; max_bytes is a hard bound on the sum. */
void arena_init(struct arena *arena, size_t max_bytes);
void arena_reset(struct arena *arena);
void arena_done(struct arena *arena);
/* 16-byte aligned, not zeroed; NULL when the bound is reached. */
void *arena_take(struct arena *arena, size_t n);
/* A copy of the bytes in the arena; p is NULL when the bound is reached. */
struct slice arena_copy(struct arena *arena, struct slice s);
