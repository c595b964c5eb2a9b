#include "store/pace.h"

#include "base/test.h"

static const struct pace_options OPTIONS = {
    .linger_ms = 3, .interval_min_ms = 40, .interval_max_ms = 400, .rows_per_s_max = 100000
};
#define S 1000000LL

/* Runs seconds of a steady stream: rows_per_s rows, inserts that take fixed_us + per_row_us each. Returns inserts. */
static int run(struct pace *pace, double rows_per_s, int64_t fixed_us, double per_row_us, int seconds)
{
    int64_t now = 0, end = seconds * S, first = 0;
    int inserts = 0;
    double waiting = 1;
    while (now < end) {
        int64_t due = pace_due_us(pace, first);
        if (due > now) {
            waiting += rows_per_s * (double)(due - now) / 1e6;
            now = due;
        }
        int64_t took = fixed_us + (int64_t)(waiting * per_row_us);
        pace_started(pace, (size_t)waiting, now);
        now += took;
        pace_finished(pace, now);
        waiting = rows_per_s * (double)took / 1e6;
        first = now;
        if (waiting < 1) {
            first += (int64_t)((1 - waiting) * 1e6 / rows_per_s);
            waiting = 1;
            now = first;
        }
        inserts++;
    }
    return inserts;
}

static void test_a_lone_event_goes_after_the_linger(void **state)
{
    struct pace pace;
    pace_init(&pace, &OPTIONS);
    assert_int_equal(pace_due_us(&pace, 5 * S), 5 * S + 3000);
    pace_started(&pace, 1, 5 * S + 3000);
    pace_finished(&pace, 5 * S + 18000);
    assert_int_equal(pace_due_us(&pace, 9 * S), 9 * S + 3000);
}

static void test_a_trickle_makes_at_most_25_inserts_a_second(void **state)
{
    struct pace pace;
    pace_init(&pace, &OPTIONS);
    int inserts = run(&pace, 1000, 15000, 1, 10);
    assert_in_range(inserts, 200, 251);
}

static void test_10k_a_second_makes_about_8_inserts_of_it(void **state)
{
    struct pace pace;
    pace_init(&pace, &OPTIONS);
    int inserts = run(&pace, 10000, 15000, 1.5, 10);
    assert_in_range(inserts, 75, 90);
}

static void test_100k_a_second_makes_large_blocks(void **state)
{
    struct pace pace;
    pace_init(&pace, &OPTIONS);
    int inserts = run(&pace, 100000, 15000, 1.5, 10);
    assert_in_range(inserts, 20, 35);
}

static void test_slow_inserts_fill_half_of_the_time_at_most(void **state)
{
    struct pace pace;
    pace_init(&pace, &OPTIONS);
    int inserts = run(&pace, 100, 100000, 0, 10);
    assert_in_range(inserts, 45, 53);
}

static void test_no_spacing_at_all_may_be_asked_for(void **state)
{
    struct pace pace;
    const struct pace_options none = { .linger_ms = 0, .rows_per_s_max = 100000 };
    pace_init(&pace, &none);
    pace_started(&pace, 1000, 5 * S);
    pace_finished(&pace, 6 * S);
    assert_int_equal(pace_due_us(&pace, 6 * S), 6 * S);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_lone_event_goes_after_the_linger),
        cmocka_unit_test(test_a_trickle_makes_at_most_25_inserts_a_second),
        cmocka_unit_test(test_10k_a_second_makes_about_8_inserts_of_it),
        cmocka_unit_test(test_100k_a_second_makes_large_blocks),
        cmocka_unit_test(test_no_spacing_at_all_may_be_asked_for),
        cmocka_unit_test(test_slow_inserts_fill_half_of_the_time_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
