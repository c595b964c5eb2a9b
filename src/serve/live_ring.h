/* The newest events of one tenant, rendered as JSON once, for all its listeners. Events have numbers that go on for as
 * long as the ring's owner lives, also while it is closed, so that a reader who comes back can say how far it was.
 * Bounds: RING_EVENTS_MAX events of at most RING_EVENT_BYTES_MAX. Owner: the API's loop. */
#pragma once
#include "base/buf.h"
#include "base/compiler.h"
#include "base/slice.h"

#define RING_EVENTS_MAX 100
#define RING_EVENT_BYTES_MAX 4096 /* of one event as JSON; longer ones are left out */

struct ring_event {
    struct slice visitor_id, user_id, session_id, event_id, event_type, event_name;
    struct slice properties, context; /* JSON text; empty context: left out */
    int64_t timestamp_ms, received_ms;
};

struct live_ring {
    uint64_t seq;           /* number of the newest event; 0: there was none */
    struct ring_kept *kept; /* NULL: closed, nothing is kept */
};

void ring_open(struct live_ring *ring); /* from now on events are kept (none, when memory is out); open already: fine */
void ring_close(struct live_ring *ring);                               /* forgets them */
bool ring_add(struct live_ring *ring, const struct ring_event *event); /* false: not kept */
/* The events after number `seq`, oldest first, comma-separated: as far as they are still there, and of those the newest
 * that together have at most bytes_max, but at least one. */
void ring_write(const struct live_ring *ring, uint64_t seq, size_t bytes_max, struct buf *out);
/* When the event of that number came in; 0: it is not there any more. */
int64_t ring_received_ms(const struct live_ring *ring, uint64_t seq);
