/* What goes wrong on the way: events that are sent again, and events that no longer are what they should be.
 * Deterministic by seed, and apart from the traffic's own chance, so that the rest stays the same. One owner, one
 * thread. */
#pragma once
#include "base/buf.h"

struct synth_faults {
    uint64_t state;
    double share; /* of events, 0 to 1 */
};

/* Adds the line to `out`: as it is, twice, or broken. */
void synth_faults_add(struct synth_faults *faults, struct buf *out, struct slice line);
