#include "store/partition.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/test.h"

static struct partition_set *new_set(void)
{
    struct partition_set *set = calloc(1, sizeof *set);
    assert_non_null(set);
    partition_set_reset(set);
    return set;
}

static int64_t ms_of(int year, int month, int day, int hour)
{
    struct tm parts = { .tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day, .tm_hour = hour };
    return (int64_t)timegm(&parts) * 1000;
}

static void test_every_month_of_four_centuries_counts_once(void **state)
{
    struct partition_set *set = new_set();
    uint32_t months = 0;
    for (int year = 1900; year < 2299; year++) {
        for (int month = 1; month <= 12; month++) {
            partition_set_add(set, SLICE(""), ms_of(year, month, 1, 0));
            partition_set_add(set, SLICE(""), ms_of(year, month, 28, 23));
            partition_set_add(set, SLICE(""), ms_of(year, month + 1, 1, 0) - 1);
            assert_int_equal(set->count, ++months);
            assert_int_equal(set->month_begin_ms, ms_of(year, month, 1, 0));
            assert_int_equal(set->month_end_ms, ms_of(year, month + 1, 1, 0));
        }
    }
    for (int year = 1900; year < 2299; year++)
        partition_set_add(set, SLICE(""), ms_of(year, 7, 14, 5));
    assert_int_equal(set->count, months);
    partition_set_reset(set);
    assert_int_equal(set->count, 0);
    free(set);
}

static void test_placements_are_partitions_of_their_own(void **state)
{
    struct partition_set *set = new_set();
    for (int i = 0; i < 3; i++) {
        partition_set_add(set, SLICE(""), ms_of(2026, 1, 1, 0));
        partition_set_add(set, SLICE("acme"), ms_of(2026, 1, 2, 0));
        partition_set_add(set, SLICE("acne"), ms_of(2026, 1, 3, 0));
        partition_set_add(set, SLICE("acne"), ms_of(2026, 2, 3, 0));
    }
    assert_int_equal(set->count, 4);
    free(set);
}

static void test_counting_stops_at_the_bound(void **state)
{
    struct partition_set *set = new_set();
    char name[16];
    for (int i = 0; i < 20000; i++) {
        int n = snprintf(name, sizeof name, "t%d", i);
        partition_set_add(set, slice_of(name, (size_t)n), 0);
    }
    assert_int_equal(set->count, PARTITION_COUNT_MAX);
    free(set);
}

static void test_rows_of_a_block_are_counted_between_bounds(void **state)
{
    static const struct native_column COLUMNS[] = { { "placement", NATIVE_STRING },
                                                    { "timestamp", NATIVE_DATETIME_MS } };
    struct native_block block;
    native_init(&block, COLUMNS, COUNT_OF(COLUMNS), 1 << 20);
    for (int i = 0; i < 24; i++) {
        native_add_string(&block, 0, i % 2 ? SLICE("acme") : SLICE(""));
        native_add_i64(&block, 1, ms_of(2020, 1 + i / 2, 5, 0));
        native_row_done(&block);
    }
    assert_int_equal(partition_count(&block, 0, 24), 24);
    assert_int_equal(partition_count(&block, 3, 7), 4);
    assert_int_equal(partition_count(&block, 23, 24), 1);
    native_done(&block);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_month_of_four_centuries_counts_once),
        cmocka_unit_test(test_placements_are_partitions_of_their_own),
        cmocka_unit_test(test_counting_stops_at_the_bound),
        cmocka_unit_test(test_rows_of_a_block_are_counted_between_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
