#include "world/world.h"

#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "world/disk.h"

static int64_t clock_us(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t real_wall_us(struct world *world)
{
    (void)world;
    return clock_us(CLOCK_REALTIME);
}

static int64_t real_mono_us(struct world *world)
{
    (void)world;
    return clock_us(CLOCK_MONOTONIC);
}

static void real_random(struct world *world, void *out, size_t n)
{
    (void)world;
    char *p = out;
    while (n) {
        ssize_t got = getrandom(p, n, 0);
        if (got < 0)
            continue; /* interrupted: nothing else can fail here */
        p += got;
        n -= (size_t)got;
    }
}

struct world *world_real(void)
{
    static struct world world = { real_wall_us, real_mono_us, real_random, NULL };
    world.disk = disk_real();
    return &world;
}
