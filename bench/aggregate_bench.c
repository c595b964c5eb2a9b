/* What one event costs in a window's row: each kind of measure alone, on one row (its code) and over 100,000 rows at
 * random (its code and the row's cache misses), beside the bare increment of a counter. Nanoseconds an event, the best
 * of five rounds. --json prints what bench/run reads. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "process/aggregate/aggregate.h"

#define EVENTS (1u << 20)
#define VALUES (1u << 14) /* as many as the second-level cache holds: theirs is not the row's time */
#define ROWS 100000u
#define ROUNDS 5
#define MEASURES_MAX 4

struct measured {
    const char *name;
    struct aggregate_def defs[MEASURES_MAX];
    size_t count;
    double aim_ns; /* 0: none */
    bool one_row;  /* a sketch over 100,000 rows would be memory's number, not its own */
};

static const struct measured all[] = {
    { "count", { { AGGREGATE_COUNT, 0 } }, 1, 0, false },
    { "count + sum", { { AGGREGATE_COUNT, 0 }, { AGGREGATE_SUM, 0 } }, 2, 5, false },
    { "sum of numbers", { { AGGREGATE_SUM, 1 } }, 1, 0, false },
    { "min + max", { { AGGREGATE_MIN, 0 }, { AGGREGATE_MAX, 0 } }, 2, 0, false },
    { "variance", { { AGGREGATE_VARIANCE, 0 } }, 1, 0, false },
    { "last", { { AGGREGATE_LAST, 0 } }, 1, 0, false },
    { "distinct, dense", { { AGGREGATE_DISTINCT, 0 } }, 1, 10, true },
    { "quantile", { { AGGREGATE_QUANTILE, 0.5 } }, 1, 0, true },
    { "top 10 of 16,384 values", { { AGGREGATE_TOP, 10 } }, 1, 0, true },
};

static struct aggregate_value *values;
static uint32_t *targets;

static uint64_t next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15ull;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

static double now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void fill_values(bool numbers)
{
    uint64_t state = 7;
    for (uint32_t i = 0; i < EVENTS; i++)
        targets[i] = (uint32_t)(next(&state) % ROWS);
    for (uint32_t i = 0; i < VALUES; i++) {
        uint64_t roll = next(&state);
        values[i] = numbers ? (struct aggregate_value){ .kind = AGGREGATE_NUMBER, .number = (double)roll / 1e15 }
                            : (struct aggregate_value){ .kind = AGGREGATE_INT, .integer = (int64_t)(roll >> 40) };
    }
}

static void round_of_events(const struct aggregate_layout *layout, char *rows, bool many)
{
    struct aggregate_value inputs[MEASURES_MAX];
    for (uint32_t i = 0; i < EVENTS; i++) {
        for (size_t k = 0; k < layout->measures; k++)
            if (layout->slots[k].kind != AGGREGATE_COUNT) /* a count looks at none */
                inputs[k] = values[i % VALUES];
        char *row = rows + (many ? (size_t)targets[i] * layout->row_bytes : 0);
        aggregate_add(layout, row, inputs, i, i);
    }
}

/* Nanoseconds an event. */
static double measure(const struct measured *what, bool many)
{
    struct aggregate_layout layout;
    if (aggregate_layout_make(what->defs, what->count, &layout, NULL) != OK)
        abort();
    uint32_t rows_count = many ? ROWS : 1;
    char *rows = calloc(rows_count, layout.row_bytes);
    double best_ns = 1e18;
    for (int i = 0; rows && i < ROUNDS + 1; i++) { /* the first warms up */
        double start_ns = now_ns();
        round_of_events(&layout, rows, many);
        double ns = (now_ns() - start_ns) / EVENTS;
        if (i > 0 && ns < best_ns)
            best_ns = ns;
    }
    for (uint32_t i = 0; rows && i < rows_count; i++)
        aggregate_release(&layout, rows + (size_t)i * layout.row_bytes);
    free(rows);
    return best_ns;
}

static double bare_increment(void)
{
    static uint64_t counters[ROWS];
    double start_ns = now_ns();
    for (int round = 0; round < ROUNDS; round++)
        for (uint32_t i = 0; i < EVENTS; i++)
            ++*(volatile uint64_t *)&counters[targets[i]];
    return (now_ns() - start_ns) / EVENTS / ROUNDS;
}

static void print(const struct measured *what, double one_ns, double many_ns, bool json, bool first)
{
    if (!json) {
        printf("%-22s %6.1f ns on one row", what->name, one_ns);
        if (!what->one_row)
            printf("  %6.1f ns over %u rows", many_ns, ROWS);
        printf(what->aim_ns > 0 ? "  (aim %.0f)\n" : "\n", what->aim_ns);
        return;
    }
    printf("%s{\"what\":\"window row: %s\",\"value\":%.1f,\"unit\":\"ns an event\",\"beside\":", first ? "[" : ",",
           what->name, one_ns);
    if (what->aim_ns > 0)
        printf("\"aim at most %.0f\",\"ratio\":%.2f}", what->aim_ns, what->aim_ns / one_ns);
    else
        printf("\"over %u rows %.1f\",\"ratio\":null}", ROWS, many_ns);
}

int main(int argc, char **argv)
{
    bool json = argc > 1 && strcmp(argv[1], "--json") == 0;
    values = calloc(VALUES, sizeof *values);
    targets = calloc(EVENTS, sizeof *targets);
    if (!values || !targets)
        return 1;
    fill_values(false);
    if (!json)
        printf("%-22s %6.1f ns over %u counters\n", "bare increment", bare_increment(), ROWS);
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        fill_values(all[i].defs[0].parameter == 1);
        double one_ns = measure(&all[i], false), many_ns = all[i].one_row ? 0 : measure(&all[i], true);
        print(&all[i], one_ns, many_ns, json, i == 0);
    }
    if (json)
        printf("]\n");
    free(values);
    free(targets);
    return 0;
}
