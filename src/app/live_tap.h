/* The live feed of a `weir serve` that has no processing tasks in its process: what the sink takes from the journal is
 * told to the feed, too, as the tasks tell it where they are beside it (process/live.h). It knows what was accepted and
 * what was refused on the way, not which repeats were left out. One for each sink, on its thread. */
#pragma once
#include "base/compiler.h"

struct journal_chunk;
struct live_tap;
struct queue;
struct world;

/* Aborts when out of memory (start-up only). live outlives it. */
struct live_tap *live_tap_new(struct queue *live, uint16_t partition, struct world *world);
/* sink_options.seen. */
void live_tap_seen(void *tap, const struct journal_chunk *chunks, size_t count);
void live_tap_free(struct live_tap *tap); /* after the feed's end, which may still hold its words; NULL is fine */
