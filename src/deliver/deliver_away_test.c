/* Targets that are away or stand still: who waits, what is passed over in the end, and what is told meanwhile. */
#include "base/log.h"
#include "deliver/deliver.h"
#include "test/support/delivery_fixture.h"

static unsigned reads;

static enum status read_but_the_second_time(struct journal_reader *reader, size_t bytes_max, struct journal_batch *out,
                                            struct error *err)
{
    return ++reads != 2 ? journal_memory.read(reader, bytes_max, out, err) : error_set(err, ERR_RETRY, "not now");
}

static void test_a_target_that_is_away_for_too_long_loses_the_oldest_and_says_how_many(void **state)
{
    (void)state;
    deliveries.options.hold_bytes = 64 << 10;
    deliveries.keeps_place = true;
    delivery_start();
    delivery_emit(100);
    delivery_run();
    assert_int_equal(delivery_metric("sink_records_total"), 100);
    deliveries.away = true;
    for (int i = 0; i < 40; i++) {
        delivery_emit(100);
        for (int steps = 0; steps < 50; steps++)
            (void)stand_step();
    }
    struct journal_status status;
    const uint64_t marked = delivery_mark();
    journal_memory.status(stand.journal, &status);
    assert_true(status.end_position - marked <= deliveries.options.hold_bytes + (16 << 10));
    assert_true(delivery_metric("sink_up") == 0 && delivery_metric("sink_lag_seconds") > 0 &&
                delivery_metric("sink_skipped_total") > 1000);
    deliveries.away = false;
    delivery_run();
    delivery_expect_each(0, 1);
    assert_int_equal(delivery_metric("sink_records_total") + delivery_metric("sink_skipped_total"), deliveries.results);
    uint32_t last = 0;
    for (uint32_t i = 100; i < deliveries.results && !last; i++)
        last = deliveries.seen[i] ? i : 0;
    for (uint32_t i = last; i < deliveries.results; i++)
        assert_int_equal(deliveries.seen[i], 1);
    assert_true(delivery_metric("sink_up") == 1 && delivery_metric("sink_lag_seconds") == 0);
}

static void test_a_write_that_stands_still_is_seen_as_a_lag_and_a_target_that_is_away(void **state)
{
    (void)state;
    delivery_start();
    delivery_emit(100);
    delivery_run();
    assert_true(delivery_metric("sink_up") == 1 && delivery_metric("sink_lag_seconds") == 0);
    deliveries.hangs = true;
    delivery_emit(100);
    delivery_run();
    assert_true(delivery_metric("sink_up") == 1 && delivery_metric("sink_lag_seconds") == 0);
    delivery_expect_each(1, 1);
}

static void test_what_is_passed_over_is_counted_once_though_reading_fails_on_the_way(void **state)
{
    (void)state;
    reads = 0;
    deliveries.options.hold_bytes = 1200 << 10;
    deliveries.keeps_place = true;
    delivery_start();
    delivery_run();
    deliveries.away = true;
    delivery_emit(10);
    for (int steps = 0; steps < 20; steps++)
        (void)stand_step();
    for (int i = 0; i < 19; i++)
        delivery_emit(1000);
    stand.backend.read = read_but_the_second_time;
    for (int steps = 0; steps < 200; steps++)
        (void)stand_step();
    deliveries.away = false;
    delivery_run();
    assert_true(reads > 3 && delivery_metric("sink_skipped_total") > 0);
    assert_int_equal(delivery_metric("sink_records_total") + delivery_metric("sink_skipped_total"), deliveries.results);
}

/* Others hold the journal further back than the sink does: what it has delivered is not counted as held back by it. */
static void test_a_start_while_the_target_is_away_passes_over_nothing_that_may_wait(void **state)
{
    (void)state;
    deliveries.options.hold_bytes = 64 << 10;
    delivery_start();
    for (int i = 0; i < 40; i++) {
        delivery_emit(100);
        delivery_run();
    }
    delivery_emit(10); /* waits */
    const uint64_t marked = delivery_mark();
    deliveries.away = true;
    delivery_crash();
    for (int steps = 0; steps < 200; steps++)
        (void)stand_step();
    assert_true(delivery_mark() >= marked);
    assert_int_equal(delivery_metric("sink_skipped_total"), 0);
    deliveries.away = false;
    delivery_run();
    delivery_expect_each(1, 1);
}

static void test_a_new_sink_that_begins_at_the_end_waits_there_for_its_target(void **state)
{
    (void)state;
    delivery_emit(50);
    deliveries.options.from_end = true;
    deliveries.away = true;
    delivery_start();
    for (int i = 0; i < 10; i++) {
        delivery_emit(10);
        for (int steps = 0; steps < 20; steps++)
            (void)stand_step();
    }
    deliveries.away = false;
    delivery_run();
    for (uint32_t i = 0; i < deliveries.results; i++)
        assert_int_equal(deliveries.seen[i], i >= 50);
}

static void test_without_a_bound_nothing_is_passed_over(void **state)
{
    (void)state;
    deliveries.away = true;
    delivery_start();
    for (int i = 0; i < 40; i++) {
        delivery_emit(200);
        for (int steps = 0; steps < 50; steps++)
            (void)stand_step();
    }
    deliveries.away = false;
    delivery_run();
    delivery_expect_each(1, 1);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, delivery_begin, delivery_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_a_target_that_is_away_for_too_long_loses_the_oldest_and_says_how_many),
        CASE(test_a_write_that_stands_still_is_seen_as_a_lag_and_a_target_that_is_away),
        CASE(test_what_is_passed_over_is_counted_once_though_reading_fails_on_the_way),
        CASE(test_a_start_while_the_target_is_away_passes_over_nothing_that_may_wait),
        CASE(test_a_new_sink_that_begins_at_the_end_waits_there_for_its_target),
        CASE(test_without_a_bound_nothing_is_passed_over),
    };
    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
