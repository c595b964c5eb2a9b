/* Who waits when both processors are wanted: storing gives way to taking in, but only for a while.
 *
 *   weir itself idles along (under BUSY_PERCENT of one processor)     the engine is everybody's equal: 0
 *   it is busy, storing is at most LAG_CLOSER_US behind               the engine gets what is left over: 19
 *   … at most LAG_EQUAL_US behind                                     something of everything: 10
 *   … further behind                                                  equals again
 *
 * Plain data, of the main thread (decision 0072). */
#pragma once
#include <stdint.h>

#define GIVE_WAY_EVERY_MS 200
#define BUSY_PERCENT 35
#define LAG_CLOSER_US 4000000
#define LAG_EQUAL_US 8000000

struct give_way {
    int64_t looked_us, cpu_us; /* at the last look */
    int64_t percent;           /* of one processor that this process used between the last two */
};

/* Looks again, when the last look is long enough ago. */
void give_way_look(struct give_way *give_way, int64_t now_us);
/* For the engine's process, 0 to 19. */
int give_way_nice(const struct give_way *give_way, int64_t lag_us);
