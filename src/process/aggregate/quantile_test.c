/* Estimates beside the sorted numbers themselves, for distributions that are wide, narrow, negative, whole; and that
 * bins which must collapse do so the same way in any order. */
#include "process/aggregate/quantile.h"

#include <math.h>
#include <stdlib.h>

#include "base/test.h"
#include "world/world_sim.h"

#define NUMBERS 20000
#define ERROR_MAX 0.01

static uint64_t dice[2];

static double uniform(void)
{
    return (double)(dice_roll(dice) >> 11) * 0x1p-53;
}

static double draw_uniform(void)
{
    return uniform() * 1000;
}

static double draw_wide(void)
{
    return exp2(uniform() * 60 - 30);
}

static double draw_signed(void)
{
    return (uniform() - 0.4) * exp2(uniform() * 20);
}

static double draw_cents(void)
{
    return floor(uniform() * uniform() * 50000);
}

static double draw_constant(void)
{
    return -42.5;
}

static int compare_numbers(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static void check_distribution(double (*draw)(void))
{
    static double numbers[NUMBERS];
    struct quantile *quantile = NULL;
    for (size_t i = 0; i < NUMBERS; i++) {
        numbers[i] = draw();
        quantile_add(&quantile, numbers[i]);
    }
    qsort(numbers, NUMBERS, sizeof numbers[0], compare_numbers);
    for (int permille = 0; permille <= 1000; permille++) {
        double exact = numbers[(size_t)floor(permille / 1000.0 * (NUMBERS - 1))];
        double estimate = quantile_estimate(quantile, permille / 1000.0);
        if (!(fabs(estimate - exact) <= ERROR_MAX * fabs(exact)))
            fail_msg("quantile %d/1000: %.17g, exactly %.17g", permille, estimate, exact);
    }
    assert_true(quantile_estimate(quantile, 0) == numbers[0]);
    assert_true(quantile_estimate(quantile, 1) == numbers[NUMBERS - 1]);
    quantile_free(quantile);
}

static void test_estimates_are_within_one_percent(void **state)
{
    (void)state;
    dice_init(dice, 11);
    check_distribution(draw_uniform);
    check_distribution(draw_wide);
    check_distribution(draw_signed);
    check_distribution(draw_cents);
    check_distribution(draw_constant);
}

static void test_every_end_of_a_bin_is_within_one_percent(void **state)
{
    (void)state;
    for (int j = 0; j < 50; j++) {
        double low = 1 + j / 50.0, high = nextafter(1 + (j + 1) / 50.0, 0);
        for (int end = 0; end < 2; end++) { /* of three equal ones the middle is not clamped by smallest and largest */
            struct quantile *quantile = NULL;
            double number = end ? high : low;
            quantile_add(&quantile, 1e-9);
            quantile_add(&quantile, number);
            quantile_add(&quantile, 1e9);
            assert_true(fabs(quantile_estimate(quantile, 0.5) - number) <= ERROR_MAX * number);
            quantile_free(quantile);
        }
    }
}

static size_t encoded(const struct quantile *quantile, char *to)
{
    size_t n = (size_t)(quantile_encode(quantile, to) - to);
    assert_true(n <= quantile_encoded_max(quantile));
    return n;
}

/* 200 powers of two, of which a store keeps 64. */
static void test_collapsed_bins_are_the_same_in_any_order(void **state)
{
    (void)state;
    static char bytes[2][200000];
    dice_init(dice, 12);
    for (int again = 0; again < 50; again++) {
        struct quantile *whole = NULL, *parts[3] = { NULL };
        size_t count = 1 + dice_roll(dice) % 300;
        for (size_t i = 0; i < count; i++) {
            double number = exp2(uniform() * 200 - 100) * (dice_once_in(dice, 3) ? -1 : 1);
            quantile_add(&whole, number);
            quantile_add(&parts[dice_roll(dice) % 3], number);
        }
        quantile_merge(&parts[2], parts[0]);
        quantile_merge(&parts[2], parts[1]);
        size_t n = encoded(whole, bytes[0]);
        assert_int_equal(encoded(parts[2], bytes[1]), n);
        assert_memory_equal(bytes[0], bytes[1], n);
        struct wire wire = wire_from(slice_of(bytes[0], n));
        struct quantile *back = quantile_decode(&wire);
        assert_true(back && !wire.bad);
        assert_int_equal(encoded(back, bytes[1]), n);
        assert_memory_equal(bytes[0], bytes[1], n);
        assert_true(quantile_bytes(whole) <= 2 * (QUANTILE_BINS_MAX + 32) * 8 + 128);
        quantile_free(back);
        quantile_free(whole);
        for (int part = 0; part < 3; part++)
            quantile_free(parts[part]);
    }
}

static void test_extremes_of_doubles_are_numbers_like_others(void **state)
{
    (void)state;
    const double extremes[] = { 0x1p-1074, 0x1p-1022, 1.7976931348623157e308, -1.7976931348623157e308, 0 };
    struct quantile *quantile = NULL;
    for (size_t i = 0; i < COUNT_OF(extremes); i++)
        quantile_add(&quantile, extremes[i]);
    assert_true(quantile_estimate(quantile, 0) == extremes[3]);
    assert_true(quantile_estimate(quantile, 0.25) == 0);
    assert_true(quantile_estimate(quantile, 1) == extremes[2]);
    quantile_free(quantile);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_estimates_are_within_one_percent),
        cmocka_unit_test(test_every_end_of_a_bin_is_within_one_percent),
        cmocka_unit_test(test_collapsed_bins_are_the_same_in_any_order),
        cmocka_unit_test(test_extremes_of_doubles_are_numbers_like_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
