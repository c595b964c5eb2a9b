#include "cli/metrics_text.h"

#include "base/test.h"

static const char TEXT[] =
    "# HELP a_total x\n# TYPE a_total counter\n"
    "a_total{customer_id=\"x} 9\",t=\"\\\"}\"} 3\na_total 4\na_total_more 100\n"
    "s_bucket{p=\"0\",le=\"0.001\"} 10\ns_bucket{p=\"0\",le=\"0.01\"} 10\ns_bucket{p=\"0\",le=\"+Inf\"} 10\n"
    "s_bucket{p=\"1\",le=\"0.001\"} 0\ns_bucket{p=\"1\",le=\"0.01\"} 10\ns_bucket{p=\"1\",le=\"+Inf\"} 10\n"
    "s_sum 5\ns_count 20\nlast 1e3";

static void test_series_of_a_name_are_summed_and_no_other(void **state)
{
    (void)state;
    double value;
    assert_true(metrics_text_value(slice_from(TEXT), "a_total", false, &value));
    assert_int_equal((int)value, 7);
    assert_true(metrics_text_value(slice_from(TEXT), "a_total", true, &value));
    assert_int_equal((int)value, 4);
    assert_true(metrics_text_value(slice_from(TEXT), "last", false, &value));
    assert_int_equal((int)value, 1000);
    assert_false(metrics_text_value(slice_from(TEXT), "a", false, &value));
}

static void test_quantiles_come_from_the_buckets_of_all_series(void **state)
{
    (void)state;
    struct metrics_buckets ever, before;
    double value;
    assert_true(metrics_text_buckets(slice_from(TEXT), "s", &ever));
    assert_int_equal(ever.count, 3);
    assert_true(metrics_buckets_quantile(NULL, &ever, 0.5, &value));
    assert_true(value > 0.0009 && value < 0.0011);
    assert_true(metrics_buckets_quantile(NULL, &ever, 1, &value));
    assert_true(value > 0.0099 && value < 0.0101);
    before = ever;
    assert_false(metrics_buckets_quantile(&before, &ever, 0.5, &value)); /* nothing since */
    ever.counts[1] += 1;
    ever.counts[2] += 1;
    assert_true(metrics_buckets_quantile(&before, &ever, 0.5, &value));
    assert_true(value > 0.001 && value < 0.01);
    assert_false(metrics_text_buckets(slice_from(TEXT), "nothing", &ever));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_series_of_a_name_are_summed_and_no_other),
        cmocka_unit_test(test_quantiles_come_from_the_buckets_of_all_series),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
