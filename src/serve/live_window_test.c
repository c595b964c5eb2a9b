#include "serve/live_window.h"

#include <stdlib.h>

#include "base/test.h"

static const double QUANTILES[] = { 0.5, 0.95, 0.99 };
static struct live_window window;

static int reset(void **state)
{
    (void)state;
    memset(&window, 0, sizeof window);
    return 0;
}

static void test_nothing_observed_is_no_latency(void **state)
{
    int64_t ms[3];
    (void)state;
    assert_false(window_quantiles(&window, 1000000, QUANTILES, 3, ms));
}

static void test_small_values_are_exact(void **state)
{
    int64_t ms[3];
    (void)state;
    for (int i = 0; i < 100; i++)
        window_add(&window, 1000000, i < 50 ? 3 : i < 96 ? 7 : 15);
    assert_true(window_quantiles(&window, 1000000, QUANTILES, 3, ms));
    assert_int_equal(ms[0], 3);
    assert_int_equal(ms[1], 7);
    assert_int_equal(ms[2], 15);
}

static void test_every_value_lies_in_its_bucket_within_an_eighth(void **state)
{
    (void)state;
    for (int64_t took = 0; took < 60000; took = took < 100 ? took + 1 : took + took / 17) {
        int64_t ms;
        double all = 1;
        memset(&window, 0, sizeof window);
        window_add(&window, 1000000, took);
        assert_true(window_quantiles(&window, 1000000, &all, 1, &ms));
        assert_true(ms >= took && ms <= took + took / 8);
    }
}

static void test_impossible_values_are_kept_at_the_ends(void **state)
{
    int64_t ms[2];
    (void)state;
    window_add(&window, 1000000, -5); /* the clock was set back */
    window_add(&window, 1000000, INT64_MAX);
    assert_true(window_quantiles(&window, 1000000, (const double[]){ 0.5, 1 }, 2, ms));
    assert_int_equal(ms[0], 0);
    assert_true(ms[1] >= 60000);
}

static void test_after_a_minute_it_is_forgotten(void **state)
{
    int64_t ms[3];
    (void)state;
    window_add(&window, 1000000, 5);
    assert_true(window_quantiles(&window, 1000000 + 54999, QUANTILES, 3, ms));
    assert_false(window_quantiles(&window, 1000000 + 60000, QUANTILES, 3, ms));
    window_add(&window, 1000000 + 60000, 9); /* the slot is used again */
    assert_true(window_quantiles(&window, 1000000 + 60000, QUANTILES, 3, ms));
    assert_int_equal(ms[0], 9);
}

#define TEST(function) cmocka_unit_test_setup(function, reset)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_nothing_observed_is_no_latency),
        TEST(test_small_values_are_exact),
        TEST(test_every_value_lies_in_its_bucket_within_an_eighth),
        TEST(test_impossible_values_are_kept_at_the_ends),
        TEST(test_after_a_minute_it_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
