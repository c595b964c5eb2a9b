/* Large blocks are mapped on their own: zero pages cost nothing until they are touched, and freeing gives them back. */
#include "process/state/pages.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define LARGE_BYTES (2u << 20)
#define HUGE_BYTES (2u << 20)

/* A mapping has whole huge pages and begins at one; what is mapped beyond is never touched. */
static size_t mapped_bytes(size_t bytes)
{
    return (bytes + HUGE_BYTES - 1) / HUGE_BYTES * HUGE_BYTES;
}

static void *map_aligned(size_t bytes)
{
    size_t n = mapped_bytes(bytes), all = n + HUGE_BYTES;
    char *p = mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    size_t before = (HUGE_BYTES - (uintptr_t)p % HUGE_BYTES) % HUGE_BYTES;
    if (before)
        munmap(p, before);
    munmap(p + before + n, all - before - n);
    (void)madvise(p + before, n, MADV_HUGEPAGE); /* where it is not to be had, small pages do */
    return p + before;
}

void *pages_new(size_t bytes)
{
    if (bytes >= LARGE_BYTES)
        return map_aligned(bytes);
    size_t n = (bytes + 63) / 64 * 64;
    void *p = aligned_alloc(64, n ? n : 64);
    if (p)
        memset(p, 0, n);
    return p;
}

void pages_free(void *pages, size_t bytes)
{
    if (pages && bytes >= LARGE_BYTES)
        munmap(pages, mapped_bytes(bytes));
    else
        free(pages);
}
