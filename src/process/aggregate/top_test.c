/* Counts beside the exact ones: exact while they fit, within the reported error beyond, also after merging. */
#include "process/aggregate/top.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/test.h"
#include "process/aggregate/distinct.h"
#include "process/aggregate/kept.h"
#include "world/world_sim.h"

#define VALUES 5000
#define K 10

static uint64_t dice[2], exact[VALUES];
static struct aggregate_result result;

/* Small numbers far more often than large ones. */
static uint32_t draw(void)
{
    uint64_t often = VALUES / (1 + dice_below(dice, VALUES)) - 1;
    return (uint32_t)(dice_once_in(dice, 2) ? dice_below(dice, VALUES) : often);
}

static struct aggregate_value value_of(uint32_t number, char text[32])
{
    int n = snprintf(text, 32, "/products/%u", number);
    if (number % 3 == 0)
        return (struct aggregate_value){ .kind = AGGREGATE_INT, .integer = number };
    return (struct aggregate_value){ .kind = AGGREGATE_TEXT, .text = slice_of(text, (size_t)n) };
}

static uint32_t number_of(const struct aggregate_value *value)
{
    if (value->kind == AGGREGATE_INT)
        return (uint32_t)value->integer;
    assert_int_equal(value->kind, AGGREGATE_TEXT);
    uint64_t number = 0;
    assert_true(slice_to_u64(slice_after(value->text, strlen("/products/")), &number));
    return (uint32_t)number;
}

static void add(struct top **top, uint32_t number)
{
    char text[32];
    struct aggregate_value value = value_of(number, text);
    top_add(top, top_capacity(K), &value, distinct_hash(&value));
}

static void take_result(const struct top *top, uint32_t k)
{
    memset(&result, 0, sizeof result);
    top_result(top, k, &result);
}

/* Everything that the header promises, against the exact counts. */
static void check_bounds(const struct top *top, uint64_t total)
{
    take_result(top, AGGREGATE_TOP_MAX);
    assert_true(result.top_error <= 2 * total / top_capacity(K));
    bool there[VALUES] = { false };
    for (size_t i = 0; i < result.top_count; i++) {
        uint32_t number = number_of(&result.top[i].value);
        assert_true(number < VALUES && !there[number]);
        there[number] = true;
        assert_true(result.top[i].count <= exact[number]);
        assert_true(exact[number] <= result.top[i].count + result.top_error);
        if (i > 0)
            assert_true(result.top[i].count <= result.top[i - 1].count);
    }
    for (uint32_t number = 0; number < VALUES; number++)
        if (exact[number] > result.top_error && result.top_count < AGGREGATE_TOP_MAX)
            assert_true(there[number]);
}

static void test_counts_are_within_the_reported_error_also_merged(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        dice_init(dice, seed);
        memset(exact, 0, sizeof exact);
        struct top *whole = NULL, *parts[4] = { NULL };
        uint64_t total = 20000;
        for (uint64_t i = 0; i < total; i++) {
            uint32_t number = draw();
            exact[number]++;
            add(&whole, number);
            add(&parts[dice_roll(dice) % 4], number);
        }
        check_bounds(whole, total);
        take_result(whole, 1);
        assert_int_equal(number_of(&result.value), 0); /* by far the most frequent */
        for (int part = 1; part < 4; part++)
            top_merge(&parts[0], top_capacity(K), parts[part]);
        check_bounds(parts[0], total);
        take_result(parts[0], 1);
        assert_int_equal(number_of(&result.value), 0);
        top_free(whole);
        for (int part = 0; part < 4; part++)
            top_free(parts[part]);
    }
}

static void test_exact_and_ordered_while_they_fit(void **state)
{
    (void)state;
    struct top *top = NULL;
    for (uint32_t number = 0; number < 60; number++)
        for (uint32_t i = 0; i <= number / 2; i++)
            add(&top, number);
    take_result(top, 4);
    assert_int_equal(result.top_error, 0);
    assert_int_equal(result.top_count, 4);
    assert_int_equal(number_of(&result.top[0].value), 58); /* 58 and 59 came 30 times; both are texts */
    assert_int_equal(number_of(&result.top[1].value), 59);
    assert_int_equal(number_of(&result.top[2].value), 57); /* an integer before the text of 56 */
    assert_int_equal(result.top[3].count, 29);
    top_free(top);
}

static void test_a_whole_number_is_the_integer(void **state)
{
    (void)state;
    struct top *top = NULL;
    const struct aggregate_value one = { .kind = AGGREGATE_INT, .integer = 1 };
    const struct aggregate_value same = { .kind = AGGREGATE_NUMBER, .number = 1 };
    top_add(&top, 64, &one, distinct_hash(&one));
    top_add(&top, 64, &same, distinct_hash(&same));
    take_result(top, K);
    assert_int_equal(result.top_count, 1);
    assert_int_equal(result.top[0].count, 2);
    top_free(top);
}

/* Nothing but new values: the memory stays bounded. */
static void test_memory_is_bounded(void **state)
{
    (void)state;
    struct top *top = NULL;
    char text[AGGREGATE_TEXT_MAX];
    uint32_t capacity = top_capacity(AGGREGATE_TOP_MAX);
    for (uint64_t i = 0; i < 20000; i++) {
        memset(text, 'x', sizeof text);
        memcpy(text, &i, sizeof i);
        struct aggregate_value value = { .kind = AGGREGATE_TEXT, .text = slice_of(text, sizeof text) };
        top_add(&top, capacity, &value, distinct_hash(&value));
        assert_true(top_bytes(top) <= 64 + capacity * (size_t)(32 + 4 + 2 * (AGGREGATE_TEXT_MAX + 1)));
    }
    top_free(top);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_are_within_the_reported_error_also_merged),
        cmocka_unit_test(test_exact_and_ordered_while_they_fit),
        cmocka_unit_test(test_a_whole_number_is_the_integer),
        cmocka_unit_test(test_memory_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
