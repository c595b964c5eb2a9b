#include "world/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

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

/* cgroup v2, as seen from within a container: a number, or "max". UINT64_MAX: no limit is to be read. */
static uint64_t group_memory_bytes(void)
{
    char text[32] = "";
    FILE *file = fopen("/sys/fs/cgroup/memory.max", "re");
    if (!file)
        return UINT64_MAX;
    bool is_number = fgets(text, sizeof text, file) && text[0] >= '1' && text[0] <= '9';
    fclose(file);
    return is_number ? strtoull(text, NULL, 10) : UINT64_MAX;
}

uint64_t world_memory_bytes(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
    uint64_t machine = pages > 0 && page_bytes > 0 ? (uint64_t)pages * (uint64_t)page_bytes : 1u << 30;
    uint64_t group = group_memory_bytes();
    return group < machine ? group : machine;
}

struct world *world_real(void)
{
    static struct world world = { real_wall_us, real_mono_us, real_random, &disk_of_kernel };
    return &world;
}
