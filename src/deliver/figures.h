/* What a delivery tells of itself in /metrics. Counters and the histogram are the role's to move; the gauges follow
 * from what it notes here, also while a write stands still: figures_show. */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/metrics.h"

#define FIGURES_SLOW_US 5000000 /* a target that takes longer for an answer is told as away */

struct figures {
    struct counter *records, *writes, *failures, *refused, *skipped;
    struct histogram *write_s;
    struct gauge *up, *lag_s;
    _Atomic int64_t
        waiting_since_us;     /* wall clock of the oldest result that is known and not delivered; INT64_MAX: none */
    _Atomic int64_t asked_us; /* monotonic: the target has been asked since then; INT64_MAX: it is not */
    _Atomic bool answers;     /* the last thing it was asked for went well */
};

/* orders: how many deliveries the sink has; order: which one of them this is. Until a target has answered it is away.
 */
void figures_init(struct figures *out, const char *sink, uint32_t orders, uint32_t order, struct metrics *metrics);
/* Any thread: sets the gauges by what was noted. wall_us and mono_us: now. */
void figures_show(struct figures *figures, int64_t wall_us, int64_t mono_us);
