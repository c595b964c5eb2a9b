#include "app/give_way.h"

#include "base/test.h"

static void test_an_idle_weir_has_an_equal_in_its_engine(void **state)
{
    (void)state;
    struct give_way idle = { .percent = BUSY_PERCENT - 1 };
    assert_int_equal(give_way_nice(&idle, 0), 0);
    assert_int_equal(give_way_nice(&idle, LAG_CLOSER_US + 1), 0);
}

static void test_storing_gives_way_until_it_is_too_far_behind(void **state)
{
    (void)state;
    struct give_way busy = { .percent = BUSY_PERCENT };
    assert_int_equal(give_way_nice(&busy, 0), 19);
    assert_int_equal(give_way_nice(&busy, LAG_CLOSER_US), 19);
    assert_int_equal(give_way_nice(&busy, LAG_CLOSER_US + 1), 10);
    assert_int_equal(give_way_nice(&busy, LAG_EQUAL_US + 1), 0);
}

static void test_work_of_this_process_is_seen(void **state)
{
    (void)state;
    struct give_way give_way = { 0 };
    volatile uint64_t sum = 0;
    give_way_look(&give_way, 1000000);
    for (uint64_t i = 0; i < 100000000; i++) /* at least 20 ms of work */
        sum += i;
    give_way_look(&give_way, 1000000 + GIVE_WAY_EVERY_MS * 1000 / 2);
    assert_int_equal(give_way.percent, 0);
    give_way_look(&give_way, 1000000 + GIVE_WAY_EVERY_MS * 1000);
    assert_true(give_way.percent >= 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_idle_weir_has_an_equal_in_its_engine),
        cmocka_unit_test(test_storing_gives_way_until_it_is_too_far_behind),
        cmocka_unit_test(test_work_of_this_process_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
