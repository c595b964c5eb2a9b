#include "ingest/quota.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/test.h"

#define S 1000000 /* microseconds */
static const int64_t T0 = 5000LL * S;

static void test_a_fresh_bucket_holds_one_minute(void **state)
{
    (void)state;
    struct quota_table *table = quota_table_new();
    struct quota *quota = quota_of(table, SLICE("acme"));
    unsigned taken = 0;
    for (int i = 0; i < 10001; i++)
        taken += quota_take(quota, 1, 10000, T0).taken;
    assert_int_equal(taken, 10000);
    struct quota_answer refused = quota_take(quota, 1, 10000, T0);
    assert_false(refused.taken);
    assert_int_equal(refused.retry_after_s, 1);
    assert_true(quota_take(quota_of(table, SLICE("other")), 1, 10000, T0).taken);
    quota_table_free(table);
}

static void test_it_refills_continuously(void **state)
{
    (void)state;
    struct quota_table *table = quota_table_new();
    struct quota *quota = quota_of(table, SLICE("acme"));
    assert_true(quota_take(quota, 600, 600, T0).taken);
    assert_false(quota_take(quota, 1, 600, T0 + 99000).taken); /* 10 a second: one each 100 ms */
    assert_true(quota_take(quota, 1, 600, T0 + 100000).taken);
    assert_true(quota_take(quota, 600, 600, T0 + 61 * S).taken); /* full again, never more */
    assert_false(quota_take(quota, 1, 600, T0 + 61 * S).taken);
    quota_table_free(table);
}

static void test_a_request_is_taken_whole_or_not_at_all(void **state)
{
    (void)state;
    struct quota_table *table = quota_table_new();
    struct quota *quota = quota_of(table, SLICE("acme"));
    assert_true(quota_take(quota, 9950, 10000, T0).taken);
    struct quota_answer refused = quota_take(quota, 100, 10000, T0);
    assert_false(refused.taken);
    assert_int_equal(refused.retry_after_s, 1); /* 50 events at 167 a second */
    assert_true(quota_take(quota, 50, 10000, T0).taken);
    quota_table_free(table);
}

static void test_a_request_larger_than_the_bucket_leaves_a_debt(void **state)
{
    (void)state;
    struct quota_table *table = quota_table_new();
    struct quota *quota = quota_of(table, SLICE("acme"));
    assert_true(quota_take(quota, 250, 100, T0).taken);
    struct quota_answer refused = quota_take(quota, 1, 100, T0 + 60 * S);
    assert_false(refused.taken);
    assert_int_equal(refused.retry_after_s, 31); /* 150 s of debt less the 60 of a full bucket, plus one event */
    assert_true(quota_take(quota, 1, 100, T0 + 91 * S).taken);
    /* A second large one has to wait for a full bucket. */
    refused = quota_take(quota, 250, 100, T0 + 91 * S);
    assert_false(refused.taken);
    assert_true(quota_take(quota, 250, 100, T0 + 91 * S + refused.retry_after_s * (int64_t)S).taken);
    quota_table_free(table);
}

static void test_a_refund_makes_room(void **state)
{
    (void)state;
    struct quota_table *table = quota_table_new();
    struct quota *quota = quota_of(table, SLICE("acme"));
    assert_true(quota_take(quota, 100, 100, T0).taken);
    assert_false(quota_take(quota, 40, 100, T0).taken);
    quota_refund(quota, 40, 100);
    struct quota_answer answer = quota_take(quota, 40, 100, T0);
    assert_true(answer.taken);
    assert_int_equal(answer.used_percent, 100); /* not 140: the minute's count was taken back too */
    assert_false(quota_take(quota, 1, 100, T0).taken);
    quota_table_free(table);
}

static unsigned warnings_of(struct quota *quota, unsigned events, int64_t at_us, int64_t step_us, uint64_t per_minute)
{
    unsigned warnings = 0;
    for (unsigned i = 0; i < events; i++)
        warnings += quota_take(quota, 1, per_minute, at_us + i * step_us).warn;
    return warnings;
}

static void test_one_warning_at_80_percent(void **state)
{
    (void)state;
    struct quota_table *table = quota_table_new();
    struct quota *quota = quota_of(table, SLICE("acme"));
    assert_int_equal(warnings_of(quota, 7999, T0, 0, 10000), 0);
    struct quota_answer answer = quota_take(quota, 1, 10000, T0);
    assert_true(answer.taken && answer.warn);
    assert_int_equal(answer.used_percent, 80);
    assert_int_equal(warnings_of(quota, 2100, T0, 0, 10000), 0);
    quota_table_free(table);
}

static void test_a_steady_85_percent_warns_once_a_minute(void **state)
{
    (void)state;
    struct quota_table *table = quota_table_new();
    struct quota *quota = quota_of(table, SLICE("acme"));
    int64_t minute = 6000LL * S; /* starts a minute */
    assert_int_equal(warnings_of(quota, 850, minute, 60 * S / 850, 1000), 1);
    assert_int_equal(warnings_of(quota, 850, minute + 60 * S, 60 * S / 850, 1000), 1);
    assert_int_equal(warnings_of(quota, 700, minute + 120 * S, 60 * S / 700, 1000), 0);
    quota_table_free(table);
}

static void test_unlimited_and_zero(void **state)
{
    (void)state;
    struct quota_table *table = quota_table_new();
    struct quota *quota = quota_of(table, SLICE("acme"));
    for (int i = 0; i < 100; i++) {
        struct quota_answer answer = quota_take(quota, UINT32_MAX, QUOTA_UNLIMITED, T0);
        assert_true(answer.taken && !answer.warn);
    }
    assert_false(quota_take(quota, 1, 0, T0).taken);
    quota_table_free(table);
}

struct race {
    struct quota_table *table;
    _Atomic unsigned taken;
};

static void *race_run(void *argument)
{
    struct race *race = argument;
    struct quota *quota = quota_of(race->table, SLICE("shared"));
    for (int i = 0; i < 20000; i++)
        if (quota_take(quota, 1, 10000, T0).taken)
            race->taken++;
    return NULL;
}

static void test_loops_share_one_bucket(void **state)
{
    (void)state;
    struct race race = { .table = quota_table_new() };
    pthread_t threads[4];
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, race_run, &race), 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(race.taken, 10000);
    quota_table_free(race.table);
}

static void test_what_was_used_is_that_of_the_minute_also_without_a_limit(void **state)
{
    (void)state;
    struct quota_table *table = quota_table_new();
    assert_null(quota_find(table, SLICE("acme")));
    struct quota *quota = quota_of(table, SLICE("acme"));
    assert_ptr_equal(quota_find(table, SLICE("acme")), quota);
    assert_int_equal(quota_used(quota, T0), 0);
    quota_take(quota, 30, 100, T0);
    quota_take(quota, 1000, 100, T0); /* refused */
    quota_take(quota, 5, QUOTA_UNLIMITED, T0 + S);
    assert_int_equal(quota_used(quota, T0 + S), 35);
    quota_refund(quota, 5, QUOTA_UNLIMITED);
    assert_int_equal(quota_used(quota, T0 + S), 30);
    assert_int_equal(quota_used(quota, T0 + 60 * S), 0);
    quota_take(quota, 2, QUOTA_UNLIMITED, T0 + 60 * S);
    assert_int_equal(quota_used(quota, T0 + 60 * S), 2);
    quota_table_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_fresh_bucket_holds_one_minute),
        cmocka_unit_test(test_it_refills_continuously),
        cmocka_unit_test(test_a_request_is_taken_whole_or_not_at_all),
        cmocka_unit_test(test_a_request_larger_than_the_bucket_leaves_a_debt),
        cmocka_unit_test(test_a_refund_makes_room),
        cmocka_unit_test(test_one_warning_at_80_percent),
        cmocka_unit_test(test_a_steady_85_percent_warns_once_a_minute),
        cmocka_unit_test(test_unlimited_and_zero),
        cmocka_unit_test(test_what_was_used_is_that_of_the_minute_also_without_a_limit),
        cmocka_unit_test(test_loops_share_one_bucket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
