/* Half of the pause is fixed and half is by chance: full jitter would let a client come back at once, none would let
 * all come back in the same millisecond. */
#include "base/retry.h"

#include "world/world.h"

int64_t retry_next_us(struct retry *retry, struct world *world)
{
    assert(retry->first_ms > 0 && retry->most_ms >= retry->first_ms);
    uint64_t pause_ms = retry->first_ms;
    for (uint32_t i = 0; i < retry->attempts && pause_ms < retry->most_ms; i++)
        pause_ms *= 2;
    if (pause_ms > retry->most_ms)
        pause_ms = retry->most_ms;
    if (retry->attempts < UINT32_MAX)
        retry->attempts++;
    uint32_t dice;
    world->random(world, &dice, sizeof dice);
    uint64_t half_us = pause_ms * 500;
    return world_mono_us(world) + (int64_t)(half_us + dice % (half_us + 1));
}

void retry_reset(struct retry *retry)
{
    retry->attempts = 0;
}
