/* Which seeds a simulation runs, from the environment: SEED=7 is that one alone; SEEDS=500 the kept ones of
 * test/sim/seeds.txt and so many from the test's first one on; FIRST=101 SEEDS=50 is 101 … 150 and nothing else (that
 * is how tools/sim.py gives the cores their shares). One thread. */
#pragma once
#include <stdint.h>

/* The number in that variable of the environment, or the other. */
uint64_t seeds_number(const char *name, uint64_t otherwise);
/* To be called first: with FIRST, only the tests with "lives" in their name are run. */
void seeds_choose_tests(void);
/* Prints SEED=… before each. test: as its lines in seeds.txt begin. Returns how many were run. */
uint64_t seeds_run(const char *test, uint64_t first, uint64_t count, void (*run)(uint64_t seed));
