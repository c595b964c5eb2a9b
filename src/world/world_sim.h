/* A world under the simulator's control: its clocks stand still until told, its dice are seeded, so that a run repeats
 * from its seed. One thread. Plain data; nothing to release. */
#pragma once
#include "world/world.h"

struct world_sim {
    struct world world; /* first: a struct world * of it is one of these */
    int64_t now_us;     /* monotonic */
    int64_t wall_offset_us;
    uint64_t dice[2];
};

/* disk may be NULL. The wall clock begins at 2026-01-01 00:00 UTC. */
void world_sim_init(struct world_sim *sim, uint64_t seed, struct disk *disk);
void world_sim_advance(struct world_sim *sim, int64_t us);
/* The wall clock alone jumps, by either sign. */
void world_sim_jump(struct world_sim *sim, int64_t us);

/* The dice, for whoever needs their own. */
void dice_init(uint64_t dice[2], uint64_t seed);
uint64_t dice_roll(uint64_t dice[2]);
/* 0 … below - 1; below must not be 0. */
uint64_t dice_below(uint64_t dice[2], uint64_t below);
/* True once in `times` on average. */
bool dice_once_in(uint64_t dice[2], uint64_t times);
