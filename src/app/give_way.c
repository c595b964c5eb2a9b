#include "app/give_way.h"

#include <sys/resource.h>

static int64_t own_cpu_us(void)
{
    struct rusage used;
    if (getrusage(RUSAGE_SELF, &used) != 0)
        return 0;
    return (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000LL + used.ru_utime.tv_usec + used.ru_stime.tv_usec;
}

void give_way_look(struct give_way *give_way, int64_t now_us)
{
    int64_t since_us = now_us - give_way->looked_us, cpu_us;
    if (since_us < GIVE_WAY_EVERY_MS * 1000)
        return;
    cpu_us = own_cpu_us();
    if (give_way->looked_us)
        give_way->percent = 100 * (cpu_us - give_way->cpu_us) / since_us;
    give_way->looked_us = now_us;
    give_way->cpu_us = cpu_us;
}

int give_way_nice(const struct give_way *give_way, int64_t lag_us)
{
    if (give_way->percent < BUSY_PERCENT || lag_us > LAG_EQUAL_US)
        return 0;
    return lag_us > LAG_CLOSER_US ? 10 : 19;
}
