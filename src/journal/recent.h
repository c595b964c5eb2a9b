/* The log's last bytes in memory: the writer lays a group out here and writes it to the disk from here, so readers who
 * follow the log's end copy from memory, and neither side needs the kernel's cache. The byte of position p lies at
 * p % RECENT_BYTES. One writer (the journal's role), any number of readers without a lock: a reader says what it copies
 * from in its pin, and the writer waits for whoever pins what it is about to overwrite, which takes a reader that is
 * RECENT_BYTES behind and in the middle of a copy. Bounds: RECENT_BYTES of address space, resident once written to. */
#pragma once
#include <stdatomic.h>

#include "base/error.h"
#include "journal/wakers.h"
#include "world/disk.h"

#ifdef WEIR_DEBUG
#define RECENT_BYTES (64u << 10) /* so that tests go round it often */
#else
#define RECENT_BYTES (64u << 20)
#endif
#define RECENT_PIECE_BYTES (RECENT_BYTES / 4) /* most that is written in one call */

struct recent {
    char *bytes;                       /* RECENT_BYTES, aligned for the disk */
    _Atomic uint64_t begin;            /* what lies before it is not here, or not any more */
    uint64_t end;                      /* the writer's: behind the last byte that was put here */
    struct wakers *wakers;             /* whose slots number the readers */
    _Atomic uint64_t pins[WAKERS_MAX]; /* by slot: position + 1 of what is being copied; 0: nothing */
};

struct recent *recent_new(struct wakers *wakers); /* aborts when out of memory (start-up only) */
void recent_free(struct recent *recent);

/* Writer: the log goes on at `position`, in a file whose position `first` is at its start; what stands before it in the
 * position's block is in `block` (position % DISK_ALIGN bytes). Everything older is forgotten. */
void recent_start(struct recent *recent, uint64_t position, const char *block);
/* Writer: puts the parts at `position`, which is where the last ones ended or the start of a block, and writes them to
 * the file that begins at position `first`: whole blocks, the last one filled up with zeros. Not flushed. */
MUST_CHECK enum status recent_write(struct recent *recent, struct disk_file *file, uint64_t first, uint64_t position,
                                    const struct iovec *parts, int count, struct error *err);

/* Any thread, with its slot of the wakers. False: not here any more. */
MUST_CHECK bool recent_copy(struct recent *recent, size_t slot, uint64_t position, char *to, size_t n);
