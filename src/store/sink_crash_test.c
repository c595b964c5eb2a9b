/* The sink may be ended between any two of its steps, as kill -9 would: commits that the journal has not made durable
 * by then are lost or land, as the test says, and a new sink starts from the mark. */
#include "test/support/storing_fixture.h"

/* Ends the sink once, at each step of a scenario in turn, losing or keeping what was in flight. */
static void crash_everywhere(void (*scenario)(void))
{
    uint64_t crashes = 0;
    for (uint64_t at = 1, reached = true; reached; at++) {
        for (int loses = 0; loses < 2; loses++) {
            storing_end(NULL);
            storing_begin(NULL);
            stand.seed += at;
            storing.crash_at_step = at;
            storing.crash_loses = loses;
            scenario();
            storing_run();
            storing_expect_exactly_once();
            storing_expect_nothing_under_way();
            reached = storing.steps >= at;
            crashes += reached;
        }
    }
    print_message("%lu crashes\n", crashes);
    assert_true(crashes > 40);
}

static void three_batches(void)
{
    for (uint16_t i = 0; i < 3; i++) {
        storing_emit(i, 10 + i);
        storing_emit(0, 1);
        storing_run();
    }
}

static void three_batches_broken_off_once_each(void)
{
    for (uint16_t i = 0; i < 3; i++) {
        storing_emit(i, 10 + i);
        storing.fail_percent = 100;
        storing_run_until_inserts(storing.inserts + 1);
        storing.fail_percent = storing.commit_fail_percent = 0;
        storing_run();
    }
}

static void poison_among_rows(void)
{
    storing_emit(0, 5);
    storing_emit_poison(1);
    storing_emit(1, 3);
    storing_emit_poison(0);
    storing_emit_unreadable(2, 1);
    storing_emit(2, 4);
    storing_run();
    storing_emit(3, 2);
}

static void test_a_crash_at_any_step_stores_each_row_once(void **state)
{
    crash_everywhere(three_batches);
}

static void test_a_crash_after_a_broken_insert_stores_each_row_once(void **state)
{
    crash_everywhere(three_batches_broken_off_once_each);
}

static void test_a_crash_among_refused_rows_writes_each_letter_once(void **state)
{
    crash_everywhere(poison_among_rows);
}

static void test_more_refused_rows_than_one_commit_takes(void **state)
{
    for (uint64_t crash_at = 100; crash_at < 1400; crash_at += 400) {
        storing_end(NULL);
        storing_begin(NULL);
        for (int i = 0; i < 700; i++)
            storing_emit_poison((uint16_t)(i % STORING_PARTITIONS));
        storing_emit_unreadable(1, 3);
        storing_emit(0, 10);
        storing.crash_at_step = crash_at;
        storing_run();
        assert_true(storing.steps > crash_at);
        storing_expect_exactly_once();
    }
}

static void emit_something(void)
{
    uint16_t partition = (uint16_t)(stand_dice() % STORING_PARTITIONS);
    switch (stand_dice() % 8) {
    case 0:
        storing_emit_poison(partition);
        break;
    case 1:
        storing_emit_unreadable(partition, 1);
        break;
    default:
        storing_emit(partition, 1 + (uint32_t)(stand_dice() % 100));
    }
}

static void test_seeded_faults_and_crashes(void **state)
{
    for (uint64_t seed = 1; seed <= 60; seed++) {
        storing_end(NULL);
        storing_begin(NULL);
        print_message("seed %lu\n", seed);
        stand.seed = seed * 0x2545f4914f6cdd1d;
        storing.fail_percent = (uint32_t)(stand_dice() % 60);
        storing.commit_fail_percent = seed % 2 ? 0 : (uint32_t)(stand_dice() % 30);
        storing.options.batch.rows_max = 1 + (uint32_t)(stand_dice() % 300);
        storing_crash();
        for (int turn = 0; turn < 40; turn++) {
            emit_something();
            for (uint64_t steps = stand_dice() % 40; steps > 0 && storing_step(); steps--)
                ;
            storing.crash_loses = stand_dice() & 1;
            if (stand_dice() % 3 == 0)
                storing_crash();
        }
        storing.fail_percent = 0;
        storing_run();
        storing_expect_exactly_once();
        storing_expect_nothing_under_way();
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, storing_begin, storing_end)
    const struct CMUnitTest tests[] = {
        TEST(test_a_crash_at_any_step_stores_each_row_once),
        TEST(test_a_crash_after_a_broken_insert_stores_each_row_once),
        TEST(test_a_crash_among_refused_rows_writes_each_letter_once),
        TEST(test_more_refused_rows_than_one_commit_takes),
        TEST(test_seeded_faults_and_crashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
