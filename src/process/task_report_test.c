/* What is told of the tasks, through a journal in memory that is stepped by hand. */
#include "process/task_report.h"

#include <math.h>
#include <stdio.h>

#include "base/metrics.h"
#include "base/role.h"
#include "base/test.h"
#include "world/world.h"

#define PARTITIONS 3

static struct world world;
static int64_t now_ms;
static struct error err;
static struct journal *journal;
static struct role journal_role;
static struct metrics *metrics;
static struct task_reporter *reporter;
static struct journal_reader *reader;
static struct task_now now[PARTITIONS];
/* What the last look found. */
static struct task_status told[PARTITIONS];
static char kept[PARTITIONS][TASK_STATUS_BYTES_MAX];

static int64_t clock_us(struct world *self)
{
    (void)self;
    return now_ms * 1000;
}

static int setup(void **state)
{
    (void)state;
    world = *world_real();
    world.wall_us = world.mono_us = clock_us;
    now_ms = 1700000000000;
    metrics = metrics_new(1000);
    const struct journal_options options = { .partitions = PARTITIONS, .queue_bytes_max = 1 << 20 };
    assert_int_equal(journal_memory.open(&options, &world, NULL, &journal, &err), OK);
    assert_int_equal(journal_memory.roles(journal, &journal_role), 1);
    const struct task_reporter_options as = { "weir-a", "one", "0.1.0" };
    reporter = task_reporter_new(&as, journal, metrics, &world);
    const struct journal_read_options from = { TOPIC_BIT(TOPIC_TASKS), JOURNAL_ALL_PARTITIONS, JOURNAL_BEGIN, { 0 } };
    assert_int_equal(journal_memory.reader_open(journal, &from, &reader, &err), OK);
    memset(now, 0, sizeof now);
    return 0;
}

static void step_journal(void)
{
    int64_t wake_us = WAKE_NEVER;
    while (journal_role.step(journal_role.self, &world, &wake_us))
        ;
}

static int teardown(void **state)
{
    (void)state;
    step_journal();
    task_reporter_free(reporter);
    journal_memory.reader_close(reader);
    journal_memory.close(journal);
    metrics_free(metrics);
    return 0;
}

static void take(const struct journal_chunk *chunk)
{
    struct slice rest = chunk->bytes, record;
    while (journal_next_record(&rest, &record)) {
        memcpy(kept[chunk->partition], record.p, record.n);
        assert_int_equal(task_status_decode(slice_of(kept[chunk->partition], record.n), &told[chunk->partition], &err),
                         OK);
        assert_int_equal(told[chunk->partition].partition, chunk->partition);
    }
}

/* A step after so long; how many records it told. */
static size_t after(int64_t ms)
{
    struct journal_batch batch;
    size_t records = 0;
    now_ms += ms;
    task_reporter_step(reporter, now);
    step_journal();
    do {
        assert_int_equal(journal_read(reader, 1 << 20, &batch, &err), OK);
        for (size_t i = 0; i < batch.chunk_count; i++)
            take(&batch.chunks[i]);
        records += batch.records;
    } while (batch.chunk_count);
    return records;
}

static void test_tasks_are_told_of_once_a_second_and_when_something_changes(void **state)
{
    (void)state;
    assert_int_equal(after(0), 0); /* nothing is here */
    now[1] = (struct task_now){ TASK_RESTORING, 5, 123 };
    assert_int_equal(after(200), 1);
    assert_int_equal(told[1].state, TASK_RESTORING);
    assert_int_equal(told[1].generation, 5);
    assert_int_equal(told[1].since_ms, 123);
    assert_true(slice_equal(told[1].instance, SLICE("weir-a")) && slice_equal(told[1].host, SLICE("one")));
    assert_int_equal(after(500), 0);
    now[1].state = TASK_RUNNING;
    assert_int_equal(after(1), 1);
    now[2] = (struct task_now){ TASK_RUNNING, 6, 124 };
    assert_int_equal(after(1), 0); /* so soon after the last one it waits */
    assert_int_equal(after(100), 2);
    for (int i = 0; i < 20; i++)
        assert_int_equal(after(50), i == 19 ? 2 : 0);
    now[1].state = TASK_LEFT;
    assert_int_equal(after(100), 2);
    assert_int_equal(told[1].state, TASK_LEFT);
    assert_int_equal(after(1000), 1); /* it is said once */
}

static void test_numbers_and_series_are_those_of_the_metrics(void **state)
{
    (void)state;
    struct task_series_item item;
    counter_add(metrics_counter(metrics, "events_processed_total", "", "partition=\"1\""), 7);
    counter_add(metrics_counter(metrics, "events_processed_total", "", "partition=\"2\""), 9);
    gauge_set(metrics_gauge(metrics, "tenant_watermark_delay_seconds", "", "customer_id=\"acme\",partition=\"2\""),
              1.5);
    gauge_set(metrics_gauge(metrics, "tenant_watermark_delay_seconds", "", "customer_id=\"gone\",partition=\"0\""), 1);
    counter_add(metrics_counter(metrics, "window_events_total", "", "window=\"w\",outcome=\"counted\""), 3);
    now[1] = now[2] = (struct task_now){ TASK_RUNNING, 5, 123 };
    assert_int_equal(after(0), 2);
    assert_true(told[1].numbers[0] == 7 && told[2].numbers[0] == 9 && isnan(told[1].numbers[1]));
    assert_int_equal(told[1].series_count, 1); /* the process's own counts are with the first one alone */
    assert_true(task_series_next(&told[1].series, &item) && item.kind == TASK_WINDOWS && item.value == 3);
    assert_int_equal(told[2].series_count, 1);
    assert_true(task_series_next(&told[2].series, &item) && item.kind == TASK_WATERMARKS && item.value == 1.5);
}

static void test_while_the_journal_does_not_answer_nothing_more_is_told(void **state)
{
    (void)state;
    struct journal_batch batch;
    now[0] = (struct task_now){ TASK_RUNNING, 5, 123 };
    for (int i = 0; i < 10; i++, now_ms += 2000)
        task_reporter_step(reporter, now);
    assert_false(task_reporter_is_idle(reporter));
    step_journal();
    assert_int_equal(journal_read(reader, 1 << 20, &batch, &err), OK);
    assert_int_equal(batch.records, 1);
    assert_int_equal(after(0), 1);
}

static void test_the_last_word_is_that_all_have_left(void **state)
{
    (void)state;
    now[0] = now[2] = (struct task_now){ TASK_RUNNING, 5, 123 };
    assert_int_equal(after(0), 2);
    memset(now, 0, sizeof now);
    task_reporter_step(reporter, now); /* too soon for news, but then there is no later */
    task_reporter_leave(reporter);
    step_journal();
    assert_int_equal(after(0), 2);
    assert_int_equal(told[0].state, TASK_LEFT);
    assert_int_equal(told[2].state, TASK_LEFT);
    task_reporter_leave(reporter);
    assert_int_equal(after(0), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_tasks_are_told_of_once_a_second_and_when_something_changes),
        TEST(test_numbers_and_series_are_those_of_the_metrics),
        TEST(test_while_the_journal_does_not_answer_nothing_more_is_told),
        TEST(test_the_last_word_is_that_all_have_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
