#include "test/support/seeds.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/test.h"

#define SEED_S_MAX 100

uint64_t seeds_number(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

void seeds_choose_tests(void)
{
    if (seeds_number("FIRST", 0))
        cmocka_set_test_filter("*lives*");
}

static void run_one(uint64_t seed, void (*run)(uint64_t seed))
{
    printf("SEED=%llu\n", (unsigned long long)seed);
    (void)fflush(stdout);
    (void)alarm(SEED_S_MAX); /* a story that never ends is a fault, too */
    run(seed);
    (void)alarm(0);
}

static uint64_t run_kept(const char *test, void (*run)(uint64_t seed))
{
    FILE *file = fopen("test/sim/seeds.txt", "r");
    char line[256], name[32];
    unsigned long long seed;
    uint64_t count = 0;
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        if (sscanf(line, "%31s %llu", name, &seed) != 2 || strcmp(name, test) != 0)
            continue;
        run_one(seed, run);
        count++;
    }
    (void)fclose(file);
    return count;
}

uint64_t seeds_run(const char *test, uint64_t first, uint64_t count, void (*run)(uint64_t seed))
{
    uint64_t only = seeds_number("SEED", 0), from = seeds_number("FIRST", 0), ran = 0;
    if (only) {
        run_one(only, run);
        return 1;
    }
    if (from)
        first = from;
    else
        ran = run_kept(test, run);
    count = seeds_number("SEEDS", count);
    for (uint64_t seed = first; seed < first + count; seed++)
        run_one(seed, run);
    return ran + count;
}
