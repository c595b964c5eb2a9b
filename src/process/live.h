/* What just happened, for the live feed: counts since the last message and a few of the newest events, from one task.
 * A task gathers while it works and sends one message, at most every LIVE_INTERVAL_US, after the commit is durable. It
 * never waits: while the queue is full the counts add up and go with the next message, so that none is lost; the
 * newest events push out older ones. Add up the counts of all messages and the totals are exact.
 *
 * struct live_update is one allocation with everything it points to; whoever pops it owns it (live_update_free).
 * struct live_gather belongs to its task; one thread. */
#pragma once
#include "base/compiler.h"
#include "base/slice.h"

#define LIVE_COUNTS_MAX 256 /* (tenant, type) pairs in a message; beyond: types fold into "", tenants into "" */
#define LIVE_EVENTS_MAX 32  /* newest events in a message */
#define LIVE_EVENTS_OF_TENANT_MAX 8
#define LIVE_TEXT_BYTES 24576  /* for the texts of the counts */
#define LIVE_EVENT_BYTES 2048  /* for the texts of an event; properties beyond are left out ("{}") */
#define LIVE_CONTEXT_BYTES 512 /* a longer context is left out ("") */
#define LIVE_DEADS_MAX 64      /* (tenant, reason) pairs in a message; beyond: counted under neither, "" and "" */
#define LIVE_INTERVAL_US 10000 /* shortest time between two messages of a task */

struct live_count {
    struct slice customer_id, event_type; /* "": folded, see above; a dead letter may have no tenant */
    uint64_t accepted, duplicates, dead;  /* since the last message */
};

struct live_dead {
    struct slice customer_id;
    const char *reason; /* as in the dead letter; a literal */
    uint64_t count;     /* since the last message */
};

struct live_event {
    struct slice customer_id, visitor_id, user_id, session_id, event_id, event_type, event_name, properties, context;
    int64_t timestamp_ms, received_ms;
};

struct live_update {
    uint16_t partition;
    int64_t at_ms;        /* wall clock: when it was durable */
    int64_t lag_ms;       /* age of the oldest event that is not processed; 0: none waits */
    uint64_t lag_records; /* events that wait in the partition */
    int64_t latency_us;   /* accepted → durable here, of the oldest event in the last commit */
    const struct live_count *counts;
    size_t count_count;
    const struct live_dead *deads;
    size_t dead_count;
    const struct live_event *events; /* newest last */
    size_t event_count;
};

void live_update_free(struct live_update *update);

struct event;

struct live_gather {
    struct live_count counts[LIVE_COUNTS_MAX];
    uint16_t index[LIVE_COUNTS_MAX * 2]; /* open addressing: number of the count + 1 */
    uint16_t last;                       /* the count of the last call: events come in runs */
    size_t count_count;
    struct live_dead deads[LIVE_DEADS_MAX];
    size_t dead_count;
    char text[LIVE_TEXT_BYTES];
    size_t text_bytes;
    struct live_event events[LIVE_EVENTS_MAX]; /* a ring */
    char event_text[LIVE_EVENTS_MAX][LIVE_EVENT_BYTES];
    size_t event_next; /* how many there ever were since the reset */
};

void live_gather_reset(struct live_gather *gather);
/* Counts of a tenant and type, made when missing. */
struct live_count *live_gather_count(struct live_gather *gather, struct slice customer_id, struct slice event_type);
/* Dead letters by reason, beside live_count.dead, which has them by type. */
void live_gather_dead(struct live_gather *gather, struct slice customer_id, const char *reason, uint64_t count);
void live_gather_event(struct live_gather *gather, const struct event *event);
/* Adds what is in `from`. */
void live_gather_merge(struct live_gather *gather, const struct live_gather *from);
bool live_gather_is_empty(const struct live_gather *gather);
/* A message with copies of everything gathered; the caller fills in the rest. NULL: out of memory. */
struct live_update *live_gather_message(const struct live_gather *gather);
