/* The synthetic traffic: the same for the same options, in order of time, growing and surging as asked, broken as
 * asked. */
#include <stdlib.h>

#include "base/test.h"
#include "cli/synth.h"
#include "cli/synth_faults.h"

#define DAY_MS INT64_C(86400000)
#define START_MS INT64_C(1767571200000) /* a Monday, 2026-01-05 */

static struct synth_options shop(int64_t days)
{
    return (struct synth_options){ .seed = 7,
                                   .customer_id = "demo_tenant",
                                   .visitors = 500,
                                   .events_per_s = 0.2,
                                   .start_ms = START_MS,
                                   .end_ms = START_MS + days * DAY_MS,
                                   .anchor_ms = START_MS + days * DAY_MS };
}

/* Events within [from, to), and all of their text in `out` when it is not NULL. */
static int64_t count(const struct synth_options *options, int64_t from_ms, int64_t to_ms, struct buf *out)
{
    struct synth *synth = synth_new(options);
    struct buf line;
    buf_init(&line, 1 << 16);
    int64_t found = 0, before_ms = INT64_MIN;
    for (int64_t at_ms; synth_next(synth, &line, &at_ms); buf_reset(&line)) {
        assert_true(at_ms >= before_ms && at_ms < options->end_ms);
        before_ms = at_ms;
        found += at_ms >= from_ms && at_ms < to_ms;
        if (out)
            buf_add_slice(out, buf_slice(&line));
    }
    buf_done(&line);
    synth_free(synth);
    return found;
}

static void test_the_same_options_give_the_same_bytes_and_another_seed_others(void **state)
{
    (void)state;
    struct synth_options options = shop(1);
    struct buf one, two, other;
    buf_init(&one, 64 << 20);
    buf_init(&two, 64 << 20);
    buf_init(&other, 64 << 20);
    assert_true(count(&options, 0, INT64_MAX, &one) > 10000);
    (void)count(&options, 0, INT64_MAX, &two);
    options.seed = 8;
    (void)count(&options, 0, INT64_MAX, &other);
    assert_true(slice_equal(buf_slice(&one), buf_slice(&two)));
    assert_false(slice_equal(buf_slice(&one), buf_slice(&other)));
    buf_done(&one);
    buf_done(&two);
    buf_done(&other);
}

static void test_growth_makes_the_last_week_larger_than_the_first(void **state)
{
    (void)state;
    struct synth_options options = shop(28);
    int64_t end = options.end_ms;
    options.growth_per_week = 0.3;
    double first = (double)count(&options, START_MS, START_MS + 7 * DAY_MS, NULL);
    double last = (double)count(&options, end - 7 * DAY_MS, end, NULL);
    assert_true(last / first > 2.0 && last / first < 3.0); /* e^0.9 = 2.46 */
    options.growth_per_week = 0;
    last = (double)count(&options, end - 7 * DAY_MS, end, NULL);
    assert_true(last > 0.9 * 0.2 * 7 * 86400 && last < 1.1 * 0.2 * 7 * 86400);
}

static void test_a_surge_lifts_the_last_hours_alone(void **state)
{
    (void)state;
    struct synth_options options = shop(2);
    int64_t end = options.end_ms, hour = 3600000;
    int64_t quiet = count(&options, end - hour, end, NULL), day = count(&options, START_MS, START_MS + DAY_MS, NULL);
    options.surge_events_per_s = 2;
    assert_true(count(&options, end - hour, end, NULL) > quiet + 5000);
    assert_int_equal(count(&options, START_MS, START_MS + DAY_MS, NULL), day);
}

/* Where many sessions are born within a millisecond, time goes by all the same. */
static void test_a_high_rate_gives_as_many_sessions_as_asked(void **state)
{
    (void)state;
    struct synth_options options = shop(0);
    options.events_per_s = SYNTH_RATE_MAX;
    options.flat = true;
    options.end_ms = START_MS + 1000;
    int64_t landed = count(&options, START_MS, options.end_ms, NULL); /* hardly anyone has looked further by then */
    assert_true(landed > SYNTH_RATE_MAX / 10 && landed < SYNTH_RATE_MAX / 8);
}

static void test_faults_break_or_repeat_about_as_many_as_asked(void **state)
{
    (void)state;
    const struct slice line = SLICE("{\"visitor_id\":\"v\",\"event_type\":\"t\",\"properties\":{\"a\":1},"
                                    "\"timestamp\":\"2026-01-05T00:00:00.000Z\"}\n");
    struct synth_faults faults = { 1, 0.1 };
    struct buf out;
    buf_init(&out, 1 << 16);
    int broken = 0, twice = 0;
    for (int i = 0; i < 10000; i++) {
        synth_faults_add(&faults, &out, line);
        assert_true(out.n > 0 && out.p[out.n - 1] == '\n');
        twice += out.n == 2 * line.n;
        broken += out.n != 2 * line.n && !slice_equal(buf_slice(&out), line);
        buf_reset(&out);
    }
    assert_true(broken + twice > 850 && broken + twice < 1150);
    assert_true(twice > 200 && broken > 500);
    faults.share = 0;
    synth_faults_add(&faults, &out, line);
    assert_true(slice_equal(buf_slice(&out), line));
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_same_options_give_the_same_bytes_and_another_seed_others),
        cmocka_unit_test(test_growth_makes_the_last_week_larger_than_the_first),
        cmocka_unit_test(test_a_surge_lifts_the_last_hours_alone),
        cmocka_unit_test(test_a_high_rate_gives_as_many_sessions_as_asked),
        cmocka_unit_test(test_faults_break_or_repeat_about_as_many_as_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
