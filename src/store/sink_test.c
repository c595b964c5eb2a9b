/* What the sink does with what it finds: when it stores, in how large pieces, what it refuses, where its mark is. */
#include "store/sink.h"

#include <stdio.h>
#include <stdlib.h>

#include "test/support/storing_fixture.h"

static void test_a_lone_event_is_stored_after_the_linger(void **state)
{
    storing_run();
    int64_t begin_us = stand.now_us;
    storing_emit(0, 1);
    while (store_memory_rows(storing.store, "events_raw") == 0)
        assert_true(storing_step());
    assert_in_range(stand.now_us - begin_us, 3000, 4000);
    storing_run();
    storing_expect_exactly_once();
    storing_expect_nothing_under_way();
}

static void test_a_trickle_is_gathered_into_few_inserts(void **state)
{
    for (int ms = 0; ms < 1000; ms++) {
        int64_t until_us = stand.now_us + 1000;
        storing_emit((uint16_t)(ms % STORING_PARTITIONS), 1);
        while (stand.now_us < until_us && storing_step())
            ;
        stand.now_us = until_us;
    }
    storing_run();
    storing_expect_exactly_once();
    assert_in_range(storing.inserts, 20, 27);
}

static void test_a_backlog_goes_in_large_blocks(void **state)
{
    for (int i = 0; i < 30; i++)
        storing_emit((uint16_t)(i % STORING_PARTITIONS), 5000);
    storing_run();
    storing_expect_exactly_once();
    assert_in_range(storing.inserts, 2, 3);
    assert_true(storing.rows_in_largest >= 95000);
}

static void test_one_refused_row_does_not_take_others_with_it(void **state)
{
    storing_emit(0, 500);
    storing_emit_poison(0);
    storing_emit(0, 500);
    storing_run();
    storing_expect_exactly_once();
    assert_int_equal(store_memory_rows(storing.store, "events_raw"), 1000);
    assert_int_equal(store_memory_rows(storing.store, "dead_letters"), 1);
}

static void see_original(void *context, const struct native_block *block, uint32_t row)
{
    struct slice original = native_value(block, native_column_index(block, "original"), row);
    struct slice customer = native_value(block, native_column_index(block, "customer_id"), row);
    struct slice event_id = native_value(block, native_column_index(block, "event_id"), row);
    static const char WANT[] = "{\"customer_id\":\"acme\",\"placement\":\"\",\"visitor_id\":\"v1\",\"user_id\":\"\","
                               "\"session_id\":\"\",\"event_id\":\"e1\",\"event_type\":\"page_view\",\"event_name\":"
                               "\"Home\",\"properties\":{\"page\":\"POISON\"},\"context\":{},\"timestamp\":"
                               "1767225600000,\"received_at\":1767225600000,\"identity_stitched\":false,"
                               "\"journal_partition\":2,\"journal_position\":0}";
    assert_true(slice_equal(customer, SLICE("acme")));
    assert_true(slice_equal(event_id, SLICE("e1")));
    assert_int_equal(original.n, sizeof WANT - 1);
    assert_memory_equal(original.p, WANT, original.n);
    *(int *)context += 1;
}

static void test_a_letter_names_tenant_event_and_row(void **state)
{
    int letters = 0;
    storing_emit_poison(2);
    storing_run();
    store_memory_each(storing.store, "dead_letters", see_original, &letters);
    assert_int_equal(letters, 1);
}

static void test_a_store_that_is_away_loses_nothing(void **state)
{
    storing.fail_percent = 100;
    storing_emit(0, 100);
    int64_t begin_us = stand.now_us;
    while (stand.now_us - begin_us < 600 * 1000000LL)
        assert_true(storing_step());
    /* Pauses of 0.5 to 1 second, after the first few. */
    assert_in_range(storing.inserts, 590, 1210);
    storing_emit(1, 100);
    storing.fail_percent = 0;
    storing_run();
    storing_expect_exactly_once();
}

static void test_many_partitions_go_in_several_inserts_within_the_window(void **state)
{
    storing.faults.window_blocks = SINK_PARTITIONS_MAX + SINK_BLOCKS_UNMARKED;
    store_memory_set(storing.store, &storing.faults);
    for (uint64_t at = 0; at < 12; at++) {
        struct buf bytes;
        buf_init(&bytes, JOURNAL_COMMIT_BYTES_MAX);
        for (int i = 0; i < 15000; i++) {
            char name[16];
            struct event event = storing_event();
            event.placement = slice_of(name, (size_t)snprintf(name, sizeof name, "t%d", i % 7900));
            storing_add_event(&bytes, &event);
        }
        storing.crash_at_step = storing.steps + 2 + at;
        storing_commit(0, &bytes, 15000);
        storing_run();
    }
    storing_expect_exactly_once();
    assert_in_range(storing.rows_in_largest, 1000, SINK_PARTITIONS_MAX);
}

static void test_too_many_unreadable_records_stop_the_sink_and_not_the_data(void **state)
{
    struct journal_mark mark;
    storing_emit_unreadable(0, LETTER_BOX_MAX + 1);
    for (int i = 0; i < 50; i++)
        assert_true(storing_step());
    assert_int_equal(store_memory_inserts(storing.store), 0);
    assert_int_equal(storing_mark(&mark), ERR_NOT_FOUND);
}

static void test_draining_waits_for_nobody(void **state)
{
    storing_emit(0, 10);
    storing_run();
    storing_emit(0, 1);
    int64_t begin_us = stand.now_us;
    sink_drain(storing.sink);
    for (int i = 0; !sink_is_drained(storing.sink) && i < 100; i++)
        storing_step();
    assert_true(sink_is_drained(storing.sink));
    assert_true(stand.now_us - begin_us < 3000);
    storing_expect_exactly_once();
}

static unsigned empty_reads;

/* As a far journal's does while messages are on their way. */
static enum status read_later(struct journal_reader *reader, size_t bytes_max, struct journal_batch *out,
                              struct error *err)
{
    static uint64_t position;
    if (empty_reads) {
        empty_reads--;
        *out = (struct journal_batch){ .next_position = position };
        return OK;
    }
    enum status s = journal_memory.read(reader, bytes_max, out, err);
    position = out->next_position;
    return s;
}

static void test_it_is_not_drained_while_something_durable_is_on_its_way(void **state)
{
    stand.backend.read = read_later;
    storing_emit(0, 10);
    storing_run();
    storing_emit(0, 7);
    empty_reads = 20;
    sink_drain(storing.sink);
    for (int i = 0; !sink_is_drained(storing.sink) && i < 1000; i++)
        storing_step();
    assert_true(sink_is_drained(storing.sink));
    assert_int_equal(empty_reads, 0);
    assert_int_equal(store_memory_rows(storing.store, "events_raw"), 17);
}

static void drop_mark(void)
{
    struct journal_mark mark = { .group = SINK_GROUP,
                                 .partition = JOURNAL_ALL_PARTITIONS,
                                 .position = JOURNAL_MARK_DROP };
    stand_pass_on();
    stand_submit(&(struct journal_commit){ .marks = &mark, .mark_count = 1 });
}

static void reopen(void)
{
    struct error err;
    sink_close(storing.sink);
    if (sink_open(&storing.options, stand.journal, storing.store, stand.metrics, &stand.world, &storing.sink, &err) !=
        OK)
        fail_msg("%s", err.text);
    stand.role = sink_role(storing.sink);
}

static void test_a_sink_whose_mark_is_gone_stores_nothing_twice_unless_somebody_decides(void **state)
{
    struct sink *other;
    struct error err;
    storing_run();
    assert_true(sink_has_mark(storing.sink)); /* a new one has its mark before anything came */
    storing_emit(0, 10);
    storing_run();
    drop_mark();
    storing.options.had_mark = true;
    assert_int_equal(
        sink_open(&storing.options, stand.journal, storing.store, stand.metrics, &stand.world, &other, &err),
        ERR_CORRUPT);
    assert_non_null(strstr(err.text, "store.lost_mark"));
    storing.options.lost_mark = LOST_MARK_END;
    reopen();
    storing_emit(0, 5);
    storing_run();
    storing_expect_exactly_once();
    drop_mark();
    storing.options.lost_mark = LOST_MARK_BEGIN;
    reopen();
    storing_run();
    assert_true(store_memory_rows(storing.store, "events_raw") >= 15);
    assert_true(sink_has_mark(storing.sink));
}

static void test_a_mark_moves_also_when_nothing_is_for_the_store(void **state)
{
    char *bytes = calloc(1, 8 << 20);
    uint32_t n = (8 << 20) - sizeof n;
    memcpy(bytes, &n, sizeof n);
    for (int i = 0; i < 3; i++) {
        stand_emit(&(struct journal_chunk){ .topic = TOPIC_CHANGELOG, .records = 1, .bytes = { bytes, 8 << 20 } });
        stand_pass_on();
        storing_run();
    }
    struct journal_mark mark;
    assert_int_equal(storing_mark(&mark), OK);
    assert_true(mark.position >= 16 << 20);
    free(bytes);
}

static void test_the_mark_of_an_idle_store_is_said_again(void **state)
{
    storing_run();
    for (int hour = 0; hour < 3; hour++) {
        stand.now_us += 3600 * INT64_C(1000000);
        int64_t wake_us = WAKE_NEVER;
        (void)stand.role.step(stand.role.self, &stand.world, &wake_us);
        assert_int_equal(stand.held_count, 1);
        assert_int_equal(wake_us, stand.now_us + 3600 * INT64_C(1000000));
        stand_pass_on();
        storing_run();
        assert_int_equal(stand.held_count, 0);
    }
}

static void test_a_note_of_somebody_else_is_refused(void **state)
{
    struct journal_mark mark = {
        .group = SINK_GROUP, .partition = JOURNAL_ALL_PARTITIONS, .position = 1, .note = SLICE("to=0 table=9")
    };
    struct journal_commit commit = { .marks = &mark, .mark_count = 1 };
    struct sink *other;
    struct error err;
    stand_submit(&commit);
    stand_pass_on();
    assert_int_equal(
        sink_open(&storing.options, stand.journal, storing.store, stand.metrics, &stand.world, &other, &err),
        ERR_CORRUPT);
    assert_non_null(strstr(err.text, "table=9"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, storing_begin, storing_end)
    const struct CMUnitTest tests[] = {
        TEST(test_a_lone_event_is_stored_after_the_linger),
        TEST(test_a_trickle_is_gathered_into_few_inserts),
        TEST(test_a_backlog_goes_in_large_blocks),
        TEST(test_one_refused_row_does_not_take_others_with_it),
        TEST(test_a_letter_names_tenant_event_and_row),
        TEST(test_a_store_that_is_away_loses_nothing),
        TEST(test_many_partitions_go_in_several_inserts_within_the_window),
        TEST(test_too_many_unreadable_records_stop_the_sink_and_not_the_data),
        TEST(test_draining_waits_for_nobody),
        TEST(test_it_is_not_drained_while_something_durable_is_on_its_way),
        TEST(test_a_sink_whose_mark_is_gone_stores_nothing_twice_unless_somebody_decides),
        TEST(test_a_mark_moves_also_when_nothing_is_for_the_store),
        TEST(test_the_mark_of_an_idle_store_is_said_again),
        TEST(test_a_note_of_somebody_else_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
