/* The same multiset of events gives the same row, however it was ordered, split and merged, and through bytes and back;
 * the results are those of plain arithmetic. SEED= in the environment repeats one run of the random ones. */
#include "process/aggregate/aggregate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/test.h"
#include "world/world_sim.h"

#define RUNS 40
#define EVENTS 3000
#define PARTS 7

static const struct aggregate_def all[] = {
    { AGGREGATE_COUNT, 0 },    { AGGREGATE_SUM, 0 },        { AGGREGATE_MIN, 0 },   { AGGREGATE_MAX, 0 },
    { AGGREGATE_MEAN, 0 },     { AGGREGATE_VARIANCE, 0 },   { AGGREGATE_FIRST, 0 }, { AGGREGATE_LAST, 0 },
    { AGGREGATE_DISTINCT, 0 }, { AGGREGATE_QUANTILE, 0.5 }, { AGGREGATE_TOP, 5 },
};
enum { AT_COUNT, AT_SUM, AT_MIN, AT_MAX, AT_MEAN, AT_VARIANCE, AT_FIRST, AT_LAST, AT_DISTINCT, AT_QUANTILE, AT_TOP };

struct sample {
    struct aggregate_value value;
    int64_t time_ms;
    uint64_t tie_breaker;
    char text[16];
};

static struct aggregate_layout layout;
static uint64_t dice[2];

static int setup(void **state)
{
    (void)state;
    return aggregate_layout_make(all, COUNT_OF(all), &layout, NULL) == OK ? 0 : 1;
}

static void *row_new(void)
{
    void *row = malloc(layout.row_bytes);
    assert_non_null(row);
    aggregate_init(&layout, row);
    return row;
}

static void row_free(void *row)
{
    aggregate_release(&layout, row);
    free(row);
}

static void add(void *row, const struct sample *sample)
{
    struct aggregate_value inputs[COUNT_OF(all)];
    for (size_t i = 0; i < COUNT_OF(all); i++)
        inputs[i] = sample->value;
    aggregate_add(&layout, row, inputs, sample->time_ms, sample->tie_breaker);
}

static struct aggregate_value integer(int64_t value)
{
    return (struct aggregate_value){ .kind = AGGREGATE_INT, .integer = value };
}

static struct aggregate_value number(double value)
{
    return (struct aggregate_value){ .kind = AGGREGATE_NUMBER, .number = value };
}

static struct aggregate_value text(const char *value)
{
    return (struct aggregate_value){ .kind = AGGREGATE_TEXT, .text = slice_from(value) };
}

static void add_value(void *row, struct aggregate_value value, int64_t time_ms)
{
    struct sample sample = { .value = value, .time_ms = time_ms };
    add(row, &sample);
}

static struct aggregate_result *result(const void *row, size_t index)
{
    static struct aggregate_result out;
    aggregate_result(&layout, row, index, &out);
    return &out;
}

static void assert_value(struct aggregate_value a, struct aggregate_value b)
{
    assert_int_equal(a.kind, b.kind);
    if (a.kind == AGGREGATE_INT)
        assert_int_equal(a.integer, b.integer);
    if (a.kind == AGGREGATE_NUMBER)
        assert_true(a.number == b.number);
    if (a.kind == AGGREGATE_TEXT)
        assert_true(slice_equal(a.text, b.text));
}

static void test_layout_names_the_measure_that_is_wrong(void **state)
{
    (void)state;
    struct aggregate_layout out;
    struct error err;
    const struct aggregate_def bad[] = { { AGGREGATE_COUNT, 0 }, { AGGREGATE_QUANTILE, 1.5 } };
    const struct aggregate_def top[] = { { AGGREGATE_TOP, 101 } }, none[] = { { 0, 0 } };
    assert_int_equal(aggregate_layout_make(bad, 2, &out, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "measure 1"));
    assert_int_equal(aggregate_layout_make(top, 1, &out, &err), ERR_INVALID);
    assert_int_equal(aggregate_layout_make(none, 1, &out, &err), ERR_INVALID);
    assert_int_equal(aggregate_layout_make(bad, 0, &out, &err), ERR_INVALID);
    assert_int_equal(aggregate_layout_make(bad, 1, &out, &err), OK);
    assert_true(out.only_count);
    assert_int_equal(out.row_bytes, 8);
}

static void test_empty_row_has_null_results_but_for_counts(void **state)
{
    (void)state;
    void *row = row_new();
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        struct aggregate_value value = result(row, i)->value;
        if (i == AT_COUNT || i == AT_DISTINCT)
            assert_value(value, integer(0));
        else
            assert_int_equal(value.kind, AGGREGATE_NULL);
    }
    row_free(row);
}

static void test_sum_beyond_64_bits_is_exact(void **state)
{
    (void)state;
    void *row = row_new();
    for (int i = 0; i < 6; i++)
        add_value(row, integer(INT64_MAX), i);
    struct aggregate_result *sum = result(row, AT_SUM);
    assert_int_equal(sum->value.kind, AGGREGATE_NUMBER);
    assert_true(sum->exact && sum->sum_high == 2 && sum->sum_low == (uint64_t)-6);
    assert_true(result(row, AT_MEAN)->value.number == 0x1p63);
    for (int i = 0; i < 6; i++)
        add_value(row, integer(-INT64_MAX), i);
    add_value(row, integer(-3), 0);
    assert_value(result(row, AT_SUM)->value, integer(-3));
    row_free(row);
}

static void test_numbers_that_cancel_leave_what_is_small(void **state)
{
    (void)state;
    void *row = row_new();
    const double numbers[] = { 1e20, 3.25, -1e20, 1e-3, 7e15, -7e15 };
    for (size_t i = 0; i < COUNT_OF(numbers); i++)
        add_value(row, number(numbers[i]), 0);
    add_value(row, integer(2), 0);
    assert_true(fabs(result(row, AT_SUM)->value.number - 5.251) < 1e-12);
    assert_false(result(row, AT_SUM)->exact);
    row_free(row);
}

static void test_variance_survives_a_large_mean(void **state)
{
    (void)state;
    void *row = row_new();
    for (int i = 0; i < 1000; i++) /* 1e12 + 0, 1, 2 … 999: variance (1000² - 1) / 12 */
        add_value(row, i % 2 ? number(1e12 + i) : integer(1000000000000 + i), 0);
    assert_true(fabs(result(row, AT_VARIANCE)->value.number - 999999.0 / 12) < 1e-6);
    add_value(row, number(1e300), 0);
    assert_int_equal(result(row, AT_VARIANCE)->skipped, 1);
    row_free(row);
}

static void test_wrong_types_are_skipped_and_counted_and_nulls_are_not(void **state)
{
    (void)state;
    void *row = row_new();
    add_value(row, text("abc"), 1);
    add_value(row, number(NAN), 2);
    add_value(row, (struct aggregate_value){ .kind = AGGREGATE_NULL }, 3);
    add_value(row, integer(4), 4);
    const uint64_t expected[] = { 0, 2, 2, 2, 2, 2, 1, 1, 1, 2, 1 };
    for (size_t i = 0; i < COUNT_OF(all); i++)
        assert_int_equal(result(row, i)->skipped, expected[i]);
    assert_value(result(row, AT_COUNT)->value, integer(4));
    assert_value(result(row, AT_MIN)->value, integer(4));
    assert_value(result(row, AT_FIRST)->value, text("abc"));
    assert_value(result(row, AT_DISTINCT)->value, integer(2));
    row_free(row);
}

static void test_integers_and_numbers_are_compared_exactly(void **state)
{
    (void)state;
    void *row = row_new();
    add_value(row, number(9007199254740992.0), 0); /* 2^53 */
    add_value(row, integer(9007199254740993), 0);
    assert_value(result(row, AT_MAX)->value, integer(9007199254740993));
    assert_value(result(row, AT_MIN)->value, number(9007199254740992.0));
    add_value(row, number(0x1p63), 0);
    add_value(row, integer(INT64_MAX), 0);
    add_value(row, number(-0.5), 0);
    add_value(row, integer(0), 0);
    assert_value(result(row, AT_MAX)->value, number(0x1p63));
    assert_value(result(row, AT_MIN)->value, number(-0.5));
    row_free(row);
}

static void test_first_and_last_keep_texts_and_cut_long_ones_at_a_character(void **state)
{
    (void)state;
    char longest[400];
    void *row = row_new();
    memset(longest, 'a', sizeof longest);
    memcpy(longest + 254, "\xe2\x82\xac", 3); /* a character over the bound */
    add_value(row, text("middle"), 20);
    add_value(row, (struct aggregate_value){ .kind = AGGREGATE_TEXT, .text = slice_of(longest, sizeof longest) }, 30);
    add_value(row, text(""), 10);
    assert_value(result(row, AT_FIRST)->value, text(""));
    assert_int_equal(result(row, AT_LAST)->value.text.n, 254);
    add_value(row, integer(7), 40);
    assert_value(result(row, AT_LAST)->value, integer(7));
    row_free(row);
}

static void random_sample(struct sample *sample, bool integers_only)
{
    uint64_t roll = dice_roll(dice) % 20;
    int n = snprintf(sample->text, sizeof sample->text, "t%u", (unsigned)(dice_roll(dice) % 10));
    sample->time_ms = (int64_t)(dice_roll(dice) % 50);
    sample->tie_breaker = dice_roll(dice) % 3;
    if (roll == 0)
        sample->value = (struct aggregate_value){ .kind = AGGREGATE_NULL };
    else if (roll == 1)
        sample->value = (struct aggregate_value){ .kind = AGGREGATE_TEXT, .text = slice_of(sample->text, (size_t)n) };
    else if (roll < 12 || integers_only)
        sample->value = integer((int64_t)(dice_roll(dice) % 20) - 10);
    else
        sample->value = number(((double)(dice_roll(dice) % 32) - 9) / 4);
}

/* Bytes of the row: they are the same when the row is. */
static void encode(const void *row, struct buf *buf)
{
    buf_reset(buf);
    aggregate_encode(&layout, row, buf);
    assert_false(buf->full);
}

static void shuffle(struct sample *samples, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        size_t other = dice_roll(dice) % i;
        struct sample swap = samples[i - 1];
        samples[i - 1] = samples[other];
        samples[other] = swap;
        for (size_t k = 0; k < 2; k++) { /* texts are inside the samples that moved */
            struct sample *moved = &samples[k ? other : i - 1];
            if (moved->value.kind == AGGREGATE_TEXT)
                moved->value.text.p = moved->text;
        }
    }
}

/* Spread over rows that are then merged in a random order. */
static void *row_of_parts(const struct sample *samples, size_t count)
{
    void *parts[PARTS];
    for (size_t i = 0; i < PARTS; i++)
        parts[i] = row_new();
    for (size_t i = 0; i < count; i++)
        add(parts[dice_roll(dice) % PARTS], &samples[i]);
    for (size_t left = PARTS; left > 1; left--) {
        size_t from = dice_roll(dice) % left, into = (from + 1 + dice_roll(dice) % (left - 1)) % left;
        aggregate_merge(&layout, parts[into], parts[from]);
        row_free(parts[from]);
        parts[from] = parts[left - 1];
    }
    return parts[0];
}

/* Values are few, so that the top is exact, and multiples of 1/4, so that also the sums of numbers and squares must
 * agree to the bit. */
static void check_one_run(uint64_t seed)
{
    static struct sample samples[EVENTS];
    struct buf whole, parts;
    dice_init(dice, seed);
    buf_init(&whole, 1u << 20);
    buf_init(&parts, 1u << 20);
    size_t count = 1 + dice_roll(dice) % EVENTS;
    for (size_t i = 0; i < count; i++)
        random_sample(&samples[i], seed % 2);
    void *row = row_new();
    for (size_t i = 0; i < count; i++)
        add(row, &samples[i]);
    encode(row, &whole);
    for (int again = 0; again < 3; again++) {
        shuffle(samples, count);
        void *other = row_of_parts(samples, count), *back = row_new();
        encode(other, &parts);
        if (!slice_equal(buf_slice(&whole), buf_slice(&parts)))
            fail_msg("SEED=%lu: split and merged, the row is another", (unsigned long)seed);
        assert_int_equal(aggregate_decode(&layout, buf_slice(&parts), back, NULL), OK);
        encode(back, &parts);
        assert_true(slice_equal(buf_slice(&whole), buf_slice(&parts)));
        row_free(back);
        row_free(other);
    }
    row_free(row);
    buf_done(&whole);
    buf_done(&parts);
}

static void test_order_and_splits_make_no_difference(void **state)
{
    (void)state;
    const char *seed = getenv("SEED");
    if (seed)
        check_one_run(strtoull(seed, NULL, 10));
    for (uint64_t run = 1; !seed && run <= RUNS; run++)
        check_one_run(run);
}

static void test_any_numbers_sum_alike_in_any_order(void **state)
{
    (void)state;
    static struct sample samples[EVENTS];
    dice_init(dice, 5);
    void *row = row_new();
    long double sum = 0;
    for (size_t i = 0; i < EVENTS; i++) {
        double value = ((double)(int64_t)dice_roll(dice) / 0x1p63) * pow(10, (double)(dice_roll(dice) % 9));
        samples[i] = (struct sample){ .value = number(value), .tie_breaker = i };
        sum += (long double)value;
        add(row, &samples[i]);
    }
    double expected = result(row, AT_SUM)->value.number, variance = result(row, AT_VARIANCE)->value.number;
    assert_true(fabsl((long double)expected - sum) < 1e-6L);
    for (int again = 0; again < 20; again++) {
        shuffle(samples, EVENTS);
        void *other = row_of_parts(samples, EVENTS);
        assert_true(result(other, AT_SUM)->value.number == expected);
        assert_true(result(other, AT_VARIANCE)->value.number == variance);
        row_free(other);
    }
    row_free(row);
}

static void test_cut_bytes_are_corrupt_and_leave_an_empty_row(void **state)
{
    (void)state;
    struct buf bytes;
    struct error err;
    buf_init(&bytes, 1u << 20);
    dice_init(dice, 9);
    void *row = row_new(), *back = row_new();
    struct sample sample = { 0 };
    for (int i = 0; i < 300; i++) {
        random_sample(&sample, false);
        add(row, &sample);
    }
    encode(row, &bytes);
    for (size_t n = 0; n < bytes.n; n++) {
        char *cut = malloc(n + 1);
        memcpy(cut, bytes.p, n);
        assert_int_equal(aggregate_decode(&layout, slice_of(cut, n), back, &err), ERR_CORRUPT);
        assert_value(result(back, AT_COUNT)->value, integer(0));
        free(cut);
    }
    buf_add_char(&bytes, 0);
    assert_int_equal(aggregate_decode(&layout, buf_slice(&bytes), back, &err), ERR_CORRUPT);
    row_free(row);
    row_free(back);
    buf_done(&bytes);
}

static void test_quantiles_of_one_input_share_a_sketch(void **state)
{
    (void)state;
    struct aggregate_layout shared;
    struct aggregate_result out;
    struct buf bytes;
    const struct aggregate_def defs[] = { { AGGREGATE_QUANTILE, 0 },   { AGGREGATE_SUM, 0 },
                                          { AGGREGATE_QUANTILE, 1 },   { AGGREGATE_MEAN, 0 },
                                          { AGGREGATE_QUANTILE, 0.5 }, { AGGREGATE_MEAN, 0 } };
    const uint32_t numbers[] = { 1, 1, 1, 1, 2, 0 };
    assert_int_equal(aggregate_layout_make_sharing(defs, numbers, COUNT_OF(defs), &shared, NULL), OK);
    assert_int_equal(shared.row_bytes, 16 + 48 + 16 + 48);
    uint64_t row[16], back[16], merged[16];
    aggregate_init(&shared, row);
    aggregate_init(&shared, merged);
    for (int i = 1; i <= 9; i++) {
        struct aggregate_value inputs[] = { integer(i), integer(i), integer(i), integer(i), integer(-i), integer(7) };
        aggregate_add(&shared, row, inputs, 0, 0);
    }
    aggregate_merge(&shared, merged, row);
    aggregate_merge(&shared, merged, row);
    buf_init(&bytes, 4096);
    aggregate_encode(&shared, merged, &bytes);
    assert_int_equal(aggregate_decode(&shared, buf_slice(&bytes), back, NULL), OK);
    const double expected[] = { 1, 90, 9, 5, -5, 7 };
    for (size_t i = 0; i < COUNT_OF(defs); i++) {
        aggregate_result(&shared, back, i, &out);
        double value = out.value.kind == AGGREGATE_INT ? (double)out.value.integer : out.value.number;
        assert_true(fabs(value - expected[i]) <= 0.05);
    }
    aggregate_release(&shared, row);
    aggregate_release(&shared, back);
    aggregate_release(&shared, merged);
    buf_done(&bytes);
}

static void test_only_counts_need_no_inputs(void **state)
{
    (void)state;
    struct aggregate_layout counts;
    const struct aggregate_def defs[] = { { AGGREGATE_COUNT, 0 } };
    uint64_t row = 0, other = 0;
    assert_int_equal(aggregate_layout_make(defs, 1, &counts, NULL), OK);
    for (int i = 0; i < 5; i++)
        aggregate_add(&counts, i % 2 ? &row : &other, NULL, 0, 0);
    aggregate_merge(&counts, &row, &other);
    assert_int_equal(row, 5);
    assert_int_equal(aggregate_bytes(&counts, &row), 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layout_names_the_measure_that_is_wrong),
        cmocka_unit_test(test_empty_row_has_null_results_but_for_counts),
        cmocka_unit_test(test_sum_beyond_64_bits_is_exact),
        cmocka_unit_test(test_numbers_that_cancel_leave_what_is_small),
        cmocka_unit_test(test_variance_survives_a_large_mean),
        cmocka_unit_test(test_wrong_types_are_skipped_and_counted_and_nulls_are_not),
        cmocka_unit_test(test_integers_and_numbers_are_compared_exactly),
        cmocka_unit_test(test_first_and_last_keep_texts_and_cut_long_ones_at_a_character),
        cmocka_unit_test(test_order_and_splits_make_no_difference),
        cmocka_unit_test(test_any_numbers_sum_alike_in_any_order),
        cmocka_unit_test(test_cut_bytes_are_corrupt_and_leave_an_empty_row),
        cmocka_unit_test(test_quantiles_of_one_input_share_a_sketch),
        cmocka_unit_test(test_only_counts_need_no_inputs),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
