/* What was committed last: a bounded ring of chunk descriptors, so that a reader at the log's end reads only the bytes
 * that it wants and does not walk through everybody else's. Written by the journal's role, read by any thread without a
 * lock: a reader copies descriptors and drops those that were overwritten meanwhile (then it walks the file instead).
 * Bounds: RING_CHUNKS descriptors of 56 bytes. */
#pragma once
#include <stdatomic.h>

#include "base/compiler.h"

#ifdef WEIR_DEBUG
#define RING_CHUNKS 1024 /* so that tests go round it often */
#else
#define RING_CHUNKS 65536
#endif

struct ring_chunk {
    uint64_t position, frame_end; /* of its frame */
    uint64_t bytes_at;            /* position of the chunk's bytes */
    uint64_t offset;
    int64_t written_us;
    uint16_t topic, partition;
    uint32_t records;
    uint32_t bytes, crc;
};
#define RING_WORDS (sizeof(struct ring_chunk) / 8)

struct ring {
    _Atomic uint64_t reserved;  /* numbers below this may be under construction */
    _Atomic uint64_t published; /* numbers below this are whole and durable */
    _Atomic uint64_t words[RING_CHUNKS][RING_WORDS];
};

struct ring *ring_new(void); /* aborts when out of memory (start-up only) */
void ring_free(struct ring *ring);

/* Writer: puts one behind the others, not yet visible. */
void ring_put(struct ring *ring, uint64_t number, const struct ring_chunk *chunk);
/* Writer: everything below `number` is visible. */
void ring_publish(struct ring *ring, uint64_t number);

/* Any thread. False: overwritten. */
MUST_CHECK bool ring_get(struct ring *ring, uint64_t number, struct ring_chunk *out);
/* Any thread: the first number whose chunk stands at or behind the position, with end = what was published when the
 * caller looked. False: the ring does not reach back that far. */
MUST_CHECK bool ring_find(struct ring *ring, uint64_t position, uint64_t end, uint64_t *out_number);
