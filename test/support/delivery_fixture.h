/* A delivery on the test stand of sinks (sink_stand.h), to a real file or to a target that fails as the stand's die
 * says. At the end the target must have every result: once where it keeps its place, else at least once. */
#pragma once
#include "base/test.h"
#include "deliver/deliver.h"
#include "test/support/scratch.h"
#include "test/support/sink_stand.h"

#define DELIVERY_RESULTS_MAX 20000

struct deliveries {
    struct delivery_options options;
    struct delivery *delivery;
    uint32_t results; /* in the journal */
    char dir[SCRATCH_PATH_MAX], path[SCRATCH_PATH_MAX + 16];
    /* Of the failing target: */
    uint32_t fail_percent;
    bool away, keeps_place, hangs;
    uint64_t place; /* behind what it has, when it keeps that */
    uint8_t seen[DELIVERY_RESULTS_MAX];
};
extern struct deliveries deliveries;
extern const struct target_backend target_failing;

/* Around each test. The sink is called "test", wants windows, and is not open yet. */
int delivery_begin(void **state);
int delivery_end(void **state);

void delivery_start(void);
/* Results into the journal. */
void delivery_emit(uint32_t count);
/* Until nothing is left to do. */
void delivery_run(void);
/* kill -9, and a new one: marks that are under way are lost, or land. */
void delivery_crash(void);

double delivery_metric(const char *name);
/* Its mark, when all is durable. */
uint64_t delivery_mark(void);
/* Counts what is in the file as seen. */
void delivery_read_file(void);
void delivery_expect_each(uint8_t least, uint8_t most);
