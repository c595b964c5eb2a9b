/* What the windows of a race must hold, by counting the generator's events in one large table, and what a contestant
 * says beside it. Of results for one key and window the last one counts, as each contestant means it. Only
 * race_topic.c includes this. */
#pragma once
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "bench/peers/race_events.h"
#include "process/state/pages.h"

struct race_cell {
    uint64_t hash; /* of key and start of the window; 0: free */
    uint32_t expected, got;
};

struct race_table {
    struct race_cell *cells;
    size_t count, used;                /* count: a power of two */
    uint64_t events, results, counted; /* counted: events that results speak of */
    bool adds;                         /* each result is one event's: they are added up, so that a repeat is found */
    struct race_table *parts;          /* results by the clock: where windows begin is chance, a key's sum is not */
};

struct race_difference {
    uint64_t windows, counted, expected_windows, different;
};

static void race_table_init(struct race_table *table, uint64_t windows_max)
{
    *table = (struct race_table){ .count = 1024 };
    while (table->count < windows_max * 2)
        table->count *= 2;
    table->cells = pages_new(table->count * sizeof *table->cells);
    if (!table->cells)
        abort();
}

static void race_table_done(struct race_table *table)
{
    pages_free(table->cells, table->count * sizeof *table->cells);
}

static struct race_cell *race_table_cell(struct race_table *table, struct slice key, int64_t start_ms)
{
    /* Mixed: short keys with seeds that are nearly the same would collide. */
    uint64_t hash = XXH3_64bits_withSeed(key.p, key.n, race_mix((uint64_t)start_ms));
    hash = hash ? hash : 1;
    size_t at = hash & (table->count - 1);
    while (table->cells[at].hash && table->cells[at].hash != hash)
        at = (at + 1) & (table->count - 1);
    if (!table->cells[at].hash) {
        table->cells[at].hash = hash;
        if (++table->used * 10 > table->count * 9) {
            fprintf(stderr, "race_topic: there are far more results than events can make\n");
            exit(1);
        }
    }
    return &table->cells[at];
}

static void race_table_expect(struct race_table *table, const struct race_workload *of, const struct race_names *names,
                              uint64_t events)
{
    char id[RACE_ID_BYTES];
    for (uint64_t i = 0; i < events; i++) {
        struct race_event event = race_event(of, names->seed, i);
        if (of->by_campaign && event.type != 0)
            continue;
        const char *key = names->campaigns[race_campaign_of(event.ad)];
        if (!of->by_campaign) {
            race_id(names->seed, RACE_USER, event.user, id);
            key = id;
        }
        int64_t start_ms = event.time_ms - event.time_ms % of->window_ms;
        race_table_cell(table, slice_of(key, RACE_ID_BYTES), start_ms)->expected++;
        table->counted++;
    }
}

/* As race_results calls it. */
static void race_table_got(void *self, struct slice key, int64_t start_ms, uint64_t count)
{
    struct race_table *table = self;
    table->results++;
    if (table->parts) {
        struct race_cell *part = race_table_cell(table->parts, key, start_ms);
        race_table_cell(table, key, 0)->got += (uint32_t)count - part->got;
        part->got = (uint32_t)count;
        return;
    }
    struct race_cell *cell = race_table_cell(table, key, start_ms);
    cell->got = (uint32_t)count + (table->adds ? cell->got : 0);
}

static struct race_difference race_table_compare(const struct race_table *table)
{
    struct race_difference of = { 0 };
    for (size_t i = 0; i < table->count; i++) {
        const struct race_cell *cell = &table->cells[i];
        of.windows += cell->got > 0;
        of.counted += cell->got;
        of.expected_windows += cell->expected > 0;
        of.different += cell->expected != cell->got;
    }
    return of;
}
