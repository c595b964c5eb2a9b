/* A test may end the delivery between any two of its steps, as kill -9 would: a mark that the journal has not made
 * durable by then is lost or lands, as the seed says, and a new delivery starts from what is there. */
#include "deliver/deliver.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "test/support/delivery_fixture.h"
#include "test/support/seeds.h"

static const struct target_schemas NO_SCHEMAS;

static void live(uint64_t seed, const struct target_backend *backend, bool keeps_place)
{
    delivery_begin(NULL);
    stand.seed = seed * 0x9e3779b97f4a7c15 + 1;
    deliveries.options.backend = backend;
    deliveries.options.target.avro.registry = "http://registry"; /* event types change at any time, too */
    deliveries.keeps_place = keeps_place;
    deliveries.fail_percent = stand_dice() % 40;
    delivery_start();
    for (unsigned turns = 0; turns < 60; turns++) {
        if (stand_dice() % 3)
            delivery_emit(1 + stand_dice() % (stand_dice() % 10 ? 20 : 2000) % (DELIVERY_RESULTS_MAX / 60));
        if (stand_dice() % 8 == 0)
            delivery_use_schemas(deliveries.delivery, &NO_SCHEMAS);
        for (uint64_t steps = stand_dice() % 12; steps; steps--)
            (void)stand_step();
        if (stand_dice() % 8 == 0)
            delivery_crash();
    }
    delivery_emit(1);
    deliveries.fail_percent = 0;
    delivery_run();
    if (backend == &target_file)
        delivery_read_file();
    delivery_expect_each(1, backend == &target_file || keeps_place ? 1 : UINT8_MAX);
    delivery_end(NULL);
}

static void life(uint64_t seed)
{
    live(seed, &target_failing, true);
    live(seed, &target_failing, false);
    live(seed, &target_file, false);
}

static void test_lives_with_crashes_and_failures_deliver_each_result(void **state)
{
    (void)state;
    seeds_run("deliver", 1, 60, life);
}

static void test_it_is_not_drained_before_all_that_was_durable_is_there(void **state)
{
    (void)state;
    delivery_start();
    delivery_run();
    deliveries.options.selection.tenants = "nobody";
    delivery_crash(); /* nothing of what comes now is for this sink */
    delivery_run();
    for (int i = 0; i < 100; i++)
        delivery_emit(100); /* more than one read gives */
    delivery_drain(deliveries.delivery);
    int64_t wake_us = WAKE_NEVER;
    bool more = stand.role.step(stand.role.self, &stand.world, &wake_us);
    assert_true(more && !delivery_is_drained(deliveries.delivery));
    delivery_run();
    assert_true(delivery_is_drained(deliveries.delivery));
}

static void test_results_that_are_too_large_are_counted_and_the_others_go_on(void **state)
{
    (void)state;
    deliveries.options.record_bytes_max = 100;
    delivery_start();
    delivery_emit(10);
    delivery_run();
    delivery_expect_each(0, 0);
    assert_int_equal(delivery_metric("sink_refused_total"), 10);
    assert_int_equal(delivery_metric("sink_records_total"), 0);
}

static void test_a_new_sink_may_begin_at_the_end_and_goes_on_from_there(void **state)
{
    (void)state;
    delivery_emit(50);
    deliveries.options.from_end = true;
    delivery_start();
    delivery_run();
    delivery_emit(3);
    delivery_crash();
    delivery_run();
    for (uint32_t i = 0; i < deliveries.results; i++)
        assert_int_equal(deliveries.seen[i], i >= 50);
}

static void test_a_file_that_was_moved_away_is_left_alone_and_a_new_one_begins(void **state)
{
    (void)state;
    char moved[128];
    deliveries.options.backend = &target_file;
    delivery_start();
    delivery_emit(10);
    delivery_run();
    snprintf(moved, sizeof moved, "%s.1", deliveries.path);
    assert_int_equal(rename(deliveries.path, moved), 0);
    delivery_emit(5);
    delivery_run();
    delivery_crash();
    delivery_emit(1);
    delivery_run();
    delivery_read_file();
    for (uint32_t i = 0; i < deliveries.results; i++)
        assert_int_equal(deliveries.seen[i], i >= 10);
}

static void drop_mark(void)
{
    struct journal_mark mark = { .group = "sink.test",
                                 .partition = JOURNAL_ALL_PARTITIONS,
                                 .position = JOURNAL_MARK_DROP };
    stand_pass_on();
    stand_submit(&(struct journal_commit){ .marks = &mark, .mark_count = 1 });
}

static void test_a_sink_whose_mark_is_gone_is_refused_until_somebody_decides(void **state)
{
    (void)state;
    struct error err;
    delivery_start();
    delivery_emit(10);
    delivery_run();
    assert_true(delivery_has_mark(deliveries.delivery));
    drop_mark();
    delivery_close(deliveries.delivery);
    deliveries.options.had_mark = true;
    assert_int_equal(
        delivery_open(&deliveries.options, stand.journal, stand.metrics, &stand.world, &deliveries.delivery, &err),
        ERR_CORRUPT);
    assert_non_null(strstr(err.text, "sinks.test.lost_mark"));
    deliveries.options.lost_mark = LOST_MARK_END;
    delivery_start();
    delivery_emit(5);
    delivery_run();
    delivery_expect_each(1, 1);
    drop_mark();
    delivery_close(deliveries.delivery);
    deliveries.options.lost_mark = LOST_MARK_BEGIN;
    delivery_start();
    delivery_run();
    delivery_expect_each(2, 2);
}

static void test_a_mark_that_goes_while_the_sink_runs_is_missed_too(void **state)
{
    (void)state;
    delivery_start();
    delivery_emit(10);
    delivery_run();
    drop_mark();
    deliveries.fail_percent = 100;
    delivery_emit(1);
    for (int i = 0; i < 100; i++) /* a write fails, and it begins again at the mark */
        (void)stand_step();
    deliveries.fail_percent = 0;
    for (int i = 0; i < 100; i++)
        (void)stand_step();
    for (uint32_t i = 0; i < deliveries.results; i++)
        assert_int_equal(deliveries.seen[i], i < 10);
}

static void test_a_target_that_keeps_its_place_needs_no_mark(void **state)
{
    (void)state;
    deliveries.keeps_place = true;
    delivery_start();
    delivery_emit(10);
    delivery_run();
    drop_mark();
    delivery_close(deliveries.delivery);
    deliveries.options.had_mark = true;
    delivery_start();
    delivery_emit(10);
    delivery_run();
    delivery_expect_each(1, 1);
    (void)delivery_mark(); /* there is one again */
}

static void test_the_mark_of_a_sink_that_nothing_is_for_is_said_again(void **state)
{
    (void)state;
    delivery_start();
    delivery_emit(10);
    delivery_run();
    const uint64_t marked = delivery_mark();
    for (int hour = 0; hour < 3; hour++) {
        stand.now_us += 3600 * INT64_C(1000000);
        int64_t wake_us = WAKE_NEVER;
        (void)stand.role.step(stand.role.self, &stand.world, &wake_us);
        assert_int_equal(stand.held_count, 1);
        stand_pass_on();
        delivery_run();
        assert_int_equal(stand.held_count, 0);
        assert_true(delivery_mark() >= marked);
    }
}

static void test_a_target_that_is_not_to_be_tried_is_asked_by_the_role_alone(void **state)
{
    (void)state;
    const char *path = deliveries.options.target.path;
    deliveries.options.backend = &target_file;
    deliveries.options.untried = true;
    deliveries.options.target.path = "/nowhere/at/all";
    delivery_start();
    assert_int_equal(delivery_metric("sink_failures_total"), 0);
    (void)stand_step();
    assert_int_equal(delivery_metric("sink_failures_total"), 1);
    delivery_close(deliveries.delivery);
    deliveries.options.target.path = path;
    delivery_start();
    assert_int_equal(access(path, F_OK), -1);
    delivery_emit(10);
    delivery_run();
    delivery_read_file();
    delivery_expect_each(1, 1);
}

static size_t opened, types_of_open;

static enum status open_and_count(const struct target_options *options, struct world *world, struct target **out,
                                  struct error *err)
{
    opened++;
    types_of_open = options->avro.schemas.count;
    return target_failing.open(options, world, out, err);
}

static const struct target_backend COUNTING = { .version = TARGET_VERSION, .open = open_and_count };
static const struct target_schema TYPES[] = { { "a", "{}" }, { "b", "{}" } };
static const struct target_schemas ONE = { TYPES, 1 }, TWO = { TYPES, 2 };

static void start_with(const char *registry)
{
    opened = 0;
    deliveries.options.backend = &COUNTING;
    deliveries.options.target.avro.registry = registry;
    deliveries.keeps_place = true;
    delivery_start();
}

static void test_new_schemas_are_used_from_the_next_write_on_and_nothing_comes_twice(void **state)
{
    (void)state;
    start_with("http://registry");
    delivery_emit(10);
    (void)stand_step(); /* read, and waiting for company */
    delivery_use_schemas(deliveries.delivery, &ONE);
    delivery_use_schemas(deliveries.delivery, &TWO);
    assert_false(delivery_has_newest_schemas(deliveries.delivery));
    assert_int_equal(opened, 1);
    delivery_run();
    assert_true(delivery_has_newest_schemas(deliveries.delivery));
    assert_int_equal(opened, 2);
    assert_int_equal(types_of_open, 2);
    delivery_use_schemas(deliveries.delivery, &ONE);
    delivery_emit(10);
    delivery_run();
    assert_int_equal(opened, 3);
    assert_int_equal(types_of_open, 1);
    delivery_expect_each(1, 1);
}

static void test_new_schemas_that_the_registry_does_not_take_hold_the_results_until_better_ones_come(void **state)
{
    (void)state;
    start_with("http://registry");
    delivery_emit(10);
    delivery_run();
    delivery_use_schemas(deliveries.delivery, &ONE);
    deliveries.away = true; /* it registers before anything else */
    delivery_emit(10);
    for (int i = 0; i < 100; i++)
        (void)stand_step();
    assert_int_equal(delivery_metric("sink_records_total"), 10);
    assert_int_equal(delivery_metric("sink_up"), 0);
    delivery_use_schemas(deliveries.delivery, &TWO);
    deliveries.away = false;
    delivery_run();
    assert_int_equal(types_of_open, 2);
    delivery_expect_each(1, 1);
}

static void test_new_schemas_are_nothing_to_a_sink_that_writes_json(void **state)
{
    (void)state;
    start_with(NULL);
    delivery_use_schemas(deliveries.delivery, &ONE);
    assert_true(delivery_has_newest_schemas(deliveries.delivery));
    delivery_emit(10);
    delivery_run();
    assert_int_equal(opened, 1);
    delivery_expect_each(1, 1);
}

static size_t letters_of_open;

static enum status open_and_read(const struct target_options *options, struct world *world, struct target **out,
                                 struct error *err)
{
    for (size_t i = 0; i < options->avro.schemas.count; i++)
        letters_of_open += strlen(options->avro.schemas.types[i].schema);
    return target_failing.open(options, world, out, err);
}

static _Atomic bool ended;

static void *step_until_ended(void *unused)
{
    (void)unused;
    while (!atomic_load(&ended))
        (void)stand_step();
    return NULL;
}

struct generation {
    struct target_schema type;
    struct target_schemas given;
    char text[8];
};

/* Another thread gives them, and frees the ones before as soon as it may (for the sanitizers to see). */
static void test_schemas_that_are_used_no_more_may_go_while_the_role_runs(void **state)
{
    (void)state;
    static const struct target_backend READING = { .version = TARGET_VERSION, .open = open_and_read };
    struct generation *last = NULL;
    pthread_t role;
    letters_of_open = 0;
    deliveries.options.backend = &READING;
    deliveries.options.target.avro.registry = "http://registry";
    deliveries.keeps_place = true;
    delivery_start();
    delivery_emit(1000);
    atomic_store(&ended, false);
    assert_int_equal(pthread_create(&role, NULL, step_until_ended, NULL), 0);
    for (int i = 0; i < 100; i++) {
        struct generation *made = calloc(1, sizeof *made);
        assert_non_null(made);
        snprintf(made->text, sizeof made->text, "{\"%d\"}", i % 10);
        made->type.schema = made->text;
        made->given = (struct target_schemas){ &made->type, 1 };
        delivery_use_schemas(deliveries.delivery, &made->given);
        while (!delivery_has_newest_schemas(deliveries.delivery))
            sched_yield();
        free(last);
        last = made;
    }
    atomic_store(&ended, true);
    assert_int_equal(pthread_join(role, NULL), 0);
    assert_int_equal(letters_of_open, 100 * 5);
    delivery_run();
    delivery_expect_each(1, 1);
    free(last);
}

static void test_what_cannot_work_is_refused_with_the_name_of_the_sink(void **state)
{
    (void)state;
    struct error err;
    deliveries.options.backend = &target_file;
    deliveries.options.target.path = "/nowhere/at/all";
    assert_int_equal(
        delivery_open(&deliveries.options, stand.journal, stand.metrics, &stand.world, &deliveries.delivery, &err),
        ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "sinks.test: there is no directory /nowhere/at/"));
    deliveries.options.selection.results = "windwos";
    assert_int_equal(
        delivery_open(&deliveries.options, stand.journal, stand.metrics, &stand.world, &deliveries.delivery, &err),
        ERR_INVALID);
    deliveries.delivery = NULL;
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, delivery_begin, delivery_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lives_with_crashes_and_failures_deliver_each_result),
        CASE(test_it_is_not_drained_before_all_that_was_durable_is_there),
        CASE(test_results_that_are_too_large_are_counted_and_the_others_go_on),
        CASE(test_a_new_sink_may_begin_at_the_end_and_goes_on_from_there),
        CASE(test_a_file_that_was_moved_away_is_left_alone_and_a_new_one_begins),
        CASE(test_a_sink_whose_mark_is_gone_is_refused_until_somebody_decides),
        CASE(test_a_mark_that_goes_while_the_sink_runs_is_missed_too),
        CASE(test_a_target_that_keeps_its_place_needs_no_mark),
        CASE(test_the_mark_of_a_sink_that_nothing_is_for_is_said_again),
        CASE(test_a_target_that_is_not_to_be_tried_is_asked_by_the_role_alone),
        CASE(test_new_schemas_are_used_from_the_next_write_on_and_nothing_comes_twice),
        CASE(test_new_schemas_that_the_registry_does_not_take_hold_the_results_until_better_ones_come),
        CASE(test_new_schemas_are_nothing_to_a_sink_that_writes_json),
        CASE(test_schemas_that_are_used_no_more_may_go_while_the_role_runs),
        CASE(test_what_cannot_work_is_refused_with_the_name_of_the_sink),
    };
    log_set_level(LOG_ERROR);
    seeds_choose_tests();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
