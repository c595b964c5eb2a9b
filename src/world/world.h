/* The kernel as our code sees it: time, disk, chance. Production has one world for the process; the simulator makes
 * worlds of its own and decides what time it is, which write was lost, and what the dice say. Nothing outside this
 * folder asks the kernel for time, files or randomness (libraries' own threads aside). */
#pragma once
#include "base/compiler.h"

struct disk;

struct world {
    int64_t (*wall_us)(struct world *world);                  /* Unix time in microseconds; may jump either way */
    int64_t (*mono_us)(struct world *world);                  /* microseconds since some start; never goes back */
    void (*random)(struct world *world, void *out, size_t n); /* unpredictable bytes (in a simulation: seeded) */
    struct disk *disk;
};

/* The real one. Lives for ever, usable from any thread. */
struct world *world_real(void);

/* Memory that this process may expect to have: the machine's, or less where a control group says so. Never 0. */
uint64_t world_memory_bytes(void);

static inline int64_t world_wall_us(struct world *world)
{
    return world->wall_us(world);
}

static inline int64_t world_wall_ms(struct world *world)
{
    return world->wall_us(world) / 1000;
}

static inline int64_t world_mono_us(struct world *world)
{
    return world->mono_us(world);
}
