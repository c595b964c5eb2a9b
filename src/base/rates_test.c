#include "base/rates.h"

#include <stdio.h>

#include "base/test.h"

#define S INT64_C(1000000)

static const struct rate_row ROWS[] = { { "things_per_sec", "Things.", "things_total" },
                                        { "others_per_sec", "Others.", "others_total" } };

static double rate(struct metrics *metrics, const char *name, const char *labels)
{
    double value = -1;
    return metrics_read(metrics, name, labels, &value) ? value : -1;
}

static void test_a_rate_is_the_mean_of_the_last_fifteen_seconds_for_each_series(void **state)
{
    (void)state;
    struct metrics *metrics = metrics_new(100);
    struct counter *a = metrics_counter(metrics, "things_total", "Things.", "partition=\"0\"");
    struct counter *b = metrics_counter(metrics, "things_total", "Things.", "partition=\"1\"");
    struct rates *rates = rates_new(metrics, ROWS, COUNT_OF(ROWS), -S);
    counter_add(b, 1500); /* a burst before anybody looked */
    rates_look(rates, 0);
    assert_true(rate(metrics, "things_per_sec", "partition=\"0\"") == 0);
    assert_true(rate(metrics, "things_per_sec", "partition=\"1\"") == 1500);
    assert_true(rate(metrics, "others_per_sec", "") == -1); /* its counter is not there yet */
    counter_add(a, 300);
    rates_look(rates, S / 2); /* too soon */
    assert_true(rate(metrics, "things_per_sec", "partition=\"0\"") == 0);
    rates_look(rates, S);
    assert_true(rate(metrics, "things_per_sec", "partition=\"0\"") == 150);
    assert_true(rate(metrics, "things_per_sec", "partition=\"1\"") == 750);
    for (int64_t s = 2; s <= 14; s++)
        rates_look(rates, s * S);
    assert_true(rate(metrics, "things_per_sec", "partition=\"0\"") == 20);
    assert_true(rate(metrics, "things_per_sec", "partition=\"1\"") == 100);
    rates_look(rates, 15 * S);
    assert_true(rate(metrics, "things_per_sec", "partition=\"0\"") == 20);
    assert_true(rate(metrics, "things_per_sec", "partition=\"1\"") == 0); /* its burst is out of the window */
    rates_look(rates, 16 * S);
    counter_add(metrics_counter(metrics, "others_total", "Others.", ""), 7); /* one that comes with its first count */
    rates_look(rates, 17 * S);
    assert_true(rate(metrics, "things_per_sec", "partition=\"0\"") == 0); /* the burst is out of the window */
    assert_true(rate(metrics, "others_per_sec", "") == 7);
    for (int64_t s = 18; s <= 100; s++) {
        counter_add(a, 5);
        rates_look(rates, s * S);
    }
    assert_true(rate(metrics, "things_per_sec", "partition=\"0\"") == 5);
    rates_free(rates);
    metrics_free(metrics);
}

static void test_series_beyond_the_bound_have_no_rate(void **state)
{
    (void)state;
    struct metrics *metrics = metrics_new(10000);
    struct rates *rates = rates_new(metrics, ROWS, 1, -S);
    char label[32];
    for (unsigned i = 0; i < RATES_SERIES_MAX + 10; i++) {
        snprintf(label, sizeof label, "partition=\"%u\"", i);
        counter_add(metrics_counter(metrics, "things_total", "Things.", label), i);
        if (i == 0)
            rates_look(rates, 0);
    }
    rates_look(rates, S);
    size_t rated = 0;
    for (unsigned i = 0; i < RATES_SERIES_MAX + 10; i++) {
        snprintf(label, sizeof label, "partition=\"%u\"", i);
        rated += rate(metrics, "things_per_sec", label) >= 0;
    }
    assert_int_equal(rated, RATES_SERIES_MAX);
    assert_true(rate(metrics, "things_per_sec", "partition=\"0\"") == 0);
    rates_free(rates);
    metrics_free(metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_rate_is_the_mean_of_the_last_fifteen_seconds_for_each_series),
        cmocka_unit_test(test_series_beyond_the_bound_have_no_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
