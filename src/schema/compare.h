/* Two versions of the same domains: what changed in their event types, and who can still read whose records, in Avro's
 * sense. Pure; any thread. */
#pragma once
#include "base/buf.h"
#include "config/domain.h"

/* BACKWARD: the new schema reads records that the old one wrote, which is what tables, the journal and consumers that
 * are renewed first need. FORWARD: the old one reads what the new one writes, for consumers that are renewed later. */
enum compare_direction { COMPARE_NONE, COMPARE_BACKWARD = 1, COMPARE_FORWARD = 2, COMPARE_FULL = 3 };
const char *compare_name(unsigned directions); /* "BACKWARD" */

enum compare_what { COMPARE_ADDED, COMPARE_REMOVED, COMPARE_CHANGED };

struct compare_change {
    enum compare_what what;
    struct slice field;       /* of properties, or the name of a rule; empty: of the event type itself */
    const char *property;     /* of a change: "type", "min"; NULL otherwise */
    struct slice before, now; /* as one would write it; empty: nothing */
};

/* Why one direction is not there. */
struct compare_break {
    enum compare_direction direction;
    const char *column; /* of the Avro record; "" for all of it */
    const char *reason;
    const char *fix; /* what one does instead */
};

/* Both are called in the order of the new version, what is gone last; what they get lives as long as the call. */
struct compare_visitor {
    void (*change)(void *self, const struct compare_change *change);
    void (*breaks)(void *self, const struct compare_break *broken);
    void *self;
};

/* Of one name; either may be NULL, not both. Returns enum compare_direction as a set: FULL of a new one, NONE of one
 * that is gone. */
unsigned compare_types(const struct event_type *before, const struct event_type *now,
                       const struct compare_visitor *visitor);
