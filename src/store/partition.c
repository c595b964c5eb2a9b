/* A set of 64-bit hashes: two partitions that collide would be counted as one, which at 2^-64 a pair is no matter for
 * a number that is compared with a bound. */
#include "store/partition.h"

#include <stdlib.h>
#include <xxhash.h>

#define DAY_MS 86400000LL

/* Days since 1970-01-01 of the first day of the month; month counts from 0 and may be beyond 11 or negative years. */
static int64_t days_of_month(int64_t year, int month)
{
    if (month > 11) {
        year++;
        month -= 12;
    }
    /* Years that begin in March have the leap day at their end. */
    int64_t y = month < 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month < 2 ? month + 10 : month - 2) + 2) / 5;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

static void month_around(int64_t timestamp_ms, int64_t *out_begin_ms, int64_t *out_end_ms)
{
    int64_t days = (timestamp_ms >= 0 ? timestamp_ms : timestamp_ms - (DAY_MS - 1)) / DAY_MS;
    int64_t year = 1970 + days / 366; /* at or before the right one for later days, corrected by the loops */
    if (days < 0)
        year = 1970 + days / 365 - 1;
    while (days_of_month(year + 1, 0) <= days)
        year++;
    while (days_of_month(year, 0) > days)
        year--;
    int month = 0;
    while (month < 11 && days_of_month(year, month + 1) <= days)
        month++;
    *out_begin_ms = days_of_month(year, month) * DAY_MS;
    *out_end_ms = days_of_month(year, month + 1) * DAY_MS;
}

void partition_set_reset(struct partition_set *set)
{
    if (set->count)
        memset(set->slots, 0, sizeof set->slots);
    set->count = 0;
    set->month_begin_ms = set->month_end_ms = 0;
    set->placement_n = SIZE_MAX;
}

void partition_set_insert(struct partition_set *set, struct slice placement, int64_t timestamp_ms)
{
    /* Beyond what Int64 days can name the engine clamps too; one partition is as good as another there. */
    if (timestamp_ms < -4000000000000LL)
        timestamp_ms = -4000000000000LL;
    if (timestamp_ms > 12000000000000LL)
        timestamp_ms = 12000000000000LL;
    if (timestamp_ms < set->month_begin_ms || timestamp_ms >= set->month_end_ms)
        month_around(timestamp_ms, &set->month_begin_ms, &set->month_end_ms);
    set->placement_n = SIZE_MAX;
    if (placement.n <= sizeof set->placement) {
        if (placement.n)
            memcpy(set->placement, placement.p, placement.n);
        set->placement_n = placement.n;
    }
    uint64_t hash = XXH3_64bits_withSeed(placement.p, placement.n, (uint64_t)set->month_begin_ms) | 1;
    size_t at = (hash >> 1) % PARTITION_SLOTS;
    while (set->slots[at] && set->slots[at] != hash)
        at = (at + 1) % PARTITION_SLOTS;
    if (set->slots[at] || set->count == PARTITION_COUNT_MAX)
        return;
    set->slots[at] = hash;
    set->count++;
}

static bool find_column(const struct native_block *block, const char *name, enum native_type type, size_t *out)
{
    for (size_t i = 0; i < block->column_count; i++) {
        if (strcmp(block->columns[i].name, name) == 0 && block->columns[i].type == type) {
            *out = i;
            return true;
        }
    }
    return false;
}

uint32_t partition_count(const struct native_block *block, uint32_t first, uint32_t end)
{
    size_t placement, timestamp;
    assert(first < end && end <= block->rows);
    if (!find_column(block, "placement", NATIVE_STRING, &placement) ||
        !find_column(block, "timestamp", NATIVE_DATETIME_MS, &timestamp))
        return 1;
    struct partition_set *set = calloc(1, sizeof *set); /* 128 KB: too much for a stack, rare enough for the heap */
    if (!set)
        abort();
    partition_set_reset(set);
    struct slice value = native_value(block, placement, first);
    for (uint32_t row = first; row < end; row++) {
        int64_t ms;
        memcpy(&ms, native_value(block, timestamp, row).p, sizeof ms);
        partition_set_add(set, value, ms);
        if (row + 1 < end)
            value = native_next_string(block, placement, value);
    }
    uint32_t count = set->count;
    free(set);
    return count;
}
