/* The list of segments that are kept: added to by the writer, shortened at the old end by the janitor, searched by
 * readers, without a lock. Bounds: as many as total_bytes_max allows, fixed at birth. A slot is reused only after the
 * ring went round, and a search proves its answer against the oldest number afterwards. */
#pragma once
#include <stdatomic.h>

#include "base/compiler.h"

#define SEGMENT_OPEN UINT64_MAX /* the end of the segment that is written */

struct segment_slot {
    _Atomic uint64_t first, end; /* positions: of its first byte; behind its last frame */
    _Atomic uint64_t bytes;      /* size of the file */
    _Atomic int64_t sealed_us;   /* wall clock of its last frame */
};

struct segment {
    uint64_t number, first, end, bytes;
    int64_t sealed_us;
};

struct segments {
    uint32_t capacity;
    _Atomic uint64_t oldest, next; /* numbers; slot = number % capacity */
    struct segment_slot *slots;
};

void segments_init(struct segments *segments, uint32_t capacity); /* aborts when out of memory (start-up only) */
void segments_done(struct segments *segments);

/* Writer: false when the list is full. */
MUST_CHECK bool segments_add(struct segments *segments, uint64_t first, uint64_t bytes);
/* Writer: the newest is finished. */
void segments_seal(struct segments *segments, uint64_t end, int64_t sealed_us);
/* Janitor: the oldest is gone (call before the file is touched). */
void segments_drop_oldest(struct segments *segments);

/* Any thread. False: there is none with that number any more (or yet). */
MUST_CHECK bool segments_get(struct segments *segments, uint64_t number, struct segment *out);
/* Any thread: the last segment that begins at or before the position. False: it is before the oldest, or there is none.
 */
MUST_CHECK bool segments_find(struct segments *segments, uint64_t position, struct segment *out);
uint64_t segments_oldest(struct segments *segments);
uint64_t segments_count(struct segments *segments);
