/* How long to pause before trying again: doubling, with a bound, with jitter so that many who failed together do not
 * come back together. A backend reports ERR_RETRY and does not sleep; the role that owns the work keeps one of these.
 *     if (s == ERR_RETRY) *wake_us = retry_next_us(&retry, world);      ...      on success: retry_reset(&retry);
 */
#pragma once
#include "base/compiler.h"

struct world;

struct retry {
    uint32_t first_ms; /* the first pause; > 0 */
    uint32_t most_ms;  /* no pause is longer; >= first_ms */
    uint32_t attempts; /* failures since the last success */
};

/* The monotonic time at which to try again: now + between half and all of the pause. Counts one failure. */
int64_t retry_next_us(struct retry *retry, struct world *world);
void retry_reset(struct retry *retry);
