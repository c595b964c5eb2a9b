/* The estimate beside the exact number, few to many; and that neither order, splits nor the time of becoming dense
 * show. */
#include "process/aggregate/distinct.h"

#include <math.h>
#include <stdlib.h>

#include "base/test.h"
#include "world/world_sim.h"

#define SEEDS 60
#define STANDARD_ERROR 0.00813

static uint64_t hash_of(uint64_t seed, uint64_t number)
{
    struct aggregate_value value = { .kind = AGGREGATE_INT, .integer = (int64_t)(seed << 40 | number) };
    return distinct_hash(&value);
}

static double relative_error(uint64_t seed, uint64_t count)
{
    struct distinct *distinct = NULL;
    for (uint64_t i = 0; i < count; i++) {
        distinct_add(&distinct, hash_of(seed, i));
        if (i % 3 == 0)
            distinct_add(&distinct, hash_of(seed, i / 2)); /* a repeat */
    }
    double error = (distinct_estimate(distinct) - (double)count) / (double)count;
    assert_true(distinct_bytes(distinct) <= DISTINCT_BYTES_MAX);
    free(distinct);
    return error;
}

static void test_few_are_counted_exactly(void **state)
{
    (void)state;
    const uint64_t counts[] = { 1, 2, 6, 7, 50, 400, 1000, 1536 };
    for (size_t i = 0; i < COUNT_OF(counts); i++)
        for (uint64_t seed = 0; seed < 20; seed++) /* one in 44,000 may share its mark */
            assert_true(fabs(relative_error(seed, counts[i])) * (double)counts[i] <= 1);
}

/* Of many estimates the mean error tells the bias, the mean square the spread. */
static void test_many_are_within_the_stated_error_and_without_bias(void **state)
{
    (void)state;
    const uint64_t counts[] = { 1600, 5000, 20000, 40000, 100000, 300000 };
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        double sum = 0, squares = 0;
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            double error = relative_error(seed, counts[i]);
            sum += error;
            squares += error * error;
            assert_true(fabs(error) < 4.5 * STANDARD_ERROR);
        }
        assert_true(fabs(sum / SEEDS) < 4 * STANDARD_ERROR / sqrt(SEEDS));
        assert_true(sqrt(squares / SEEDS) < 1.35 * STANDARD_ERROR);
    }
}

static void test_texts_numbers_and_integers_are_told_apart_by_value(void **state)
{
    (void)state;
    const struct aggregate_value one = { .kind = AGGREGATE_INT, .integer = 1 };
    const struct aggregate_value one_number = { .kind = AGGREGATE_NUMBER, .number = 1 };
    const struct aggregate_value half = { .kind = AGGREGATE_NUMBER, .number = 0.5 };
    const struct aggregate_value text = { .kind = AGGREGATE_TEXT, .text = SLICE("1") };
    assert_true(distinct_hash(&one) == distinct_hash(&one_number));
    assert_true(distinct_hash(&one) != distinct_hash(&text) && distinct_hash(&one) != distinct_hash(&half));
}

static size_t encoded(const struct distinct *distinct, char *to)
{
    size_t n = (size_t)(distinct_encode(distinct, to) - to);
    assert_true(n <= distinct_encoded_max(distinct));
    return n;
}

/* count values in parts that overlap, against all in one. */
static void check_splits(uint64_t *dice, uint64_t count)
{
    static char whole_bytes[16384], merged_bytes[16384];
    struct distinct *whole = NULL, *parts[4] = { NULL }, *merged = NULL;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t hash = dice_roll(dice);
        distinct_add(&whole, hash);
        for (int part = 0; part < 4; part++)
            if (part == (int)(hash % 4) || dice_once_in(dice, 5))
                distinct_add(&parts[part], hash);
    }
    for (int part = 3; part >= 0; part--)
        distinct_merge(&merged, parts[part]);
    size_t n = encoded(whole, whole_bytes);
    assert_int_equal(encoded(merged, merged_bytes), n);
    assert_memory_equal(whole_bytes, merged_bytes, n);
    struct wire wire = wire_from(slice_of(merged_bytes, n));
    struct distinct *back = distinct_decode(&wire);
    assert_true(!wire.bad && distinct_estimate(back) == distinct_estimate(whole));
    free(back);
    free(merged);
    free(whole);
    for (int part = 0; part < 4; part++)
        free(parts[part]);
}

static void test_splits_and_overlaps_leave_no_trace(void **state)
{
    (void)state;
    uint64_t dice[2];
    dice_init(dice, 3);
    const uint64_t counts[] = { 1, 5, 6, 7, 100, 1535, 1536, 1537, 1600, 2500, 6000, 40000 };
    for (size_t i = 0; i < COUNT_OF(counts); i++)
        for (int again = 0; again < 5; again++)
            check_splits(dice, counts[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_few_are_counted_exactly),
        cmocka_unit_test(test_many_are_within_the_stated_error_and_without_bias),
        cmocka_unit_test(test_texts_numbers_and_integers_are_told_apart_by_value),
        cmocka_unit_test(test_splits_and_overlaps_leave_no_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
