/* Dice: xoroshiro128+, seeded through splitmix64, so that seeds 1, 2, 3 … give unrelated runs. */
#include "world/world_sim.h"

#include <string.h>

#define WALL_BEGIN_US 1767225600000000

static uint64_t mix(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15ull;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

static uint64_t turned_left(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

void dice_init(uint64_t dice[2], uint64_t seed)
{
    dice[0] = mix(&seed);
    dice[1] = mix(&seed);
}

uint64_t dice_roll(uint64_t dice[2])
{
    uint64_t a = dice[0], b = dice[1], result = a + b;
    b ^= a;
    dice[0] = turned_left(a, 24) ^ b ^ b << 16;
    dice[1] = turned_left(b, 37);
    return result;
}

uint64_t dice_below(uint64_t dice[2], uint64_t below)
{
    assert(below > 0);
    return (dice_roll(dice) >> 11) % below;
}

bool dice_once_in(uint64_t dice[2], uint64_t times)
{
    return dice_below(dice, times) == 0;
}

static int64_t sim_wall_us(struct world *world)
{
    struct world_sim *sim = (struct world_sim *)world;
    return WALL_BEGIN_US + sim->now_us + sim->wall_offset_us;
}

static int64_t sim_mono_us(struct world *world)
{
    return ((struct world_sim *)world)->now_us;
}

static void sim_random(struct world *world, void *out, size_t n)
{
    struct world_sim *sim = (struct world_sim *)world;
    for (char *p = out; n;) {
        uint64_t word = dice_roll(sim->dice);
        size_t part = n < sizeof word ? n : sizeof word;
        memcpy(p, &word, part);
        p += part;
        n -= part;
    }
}

void world_sim_init(struct world_sim *sim, uint64_t seed, struct disk *disk)
{
    memset(sim, 0, sizeof *sim);
    sim->world = (struct world){ sim_wall_us, sim_mono_us, sim_random, disk };
    dice_init(sim->dice, seed);
}

void world_sim_advance(struct world_sim *sim, int64_t us)
{
    assert(us >= 0);
    sim->now_us += us;
}

void world_sim_jump(struct world_sim *sim, int64_t us)
{
    sim->wall_offset_us += us;
}
