/* Sinks that are no more: their marks go, whenever the journal lets them. */
#include "deliver/forget.h"

#include "base/log.h"
#include "test/support/delivery_fixture.h"

static unsigned asked, refused;

static enum status own_later(struct journal *journal, const char *group, uint16_t partition, struct error *err)
{
    asked++;
    return asked > refused ? journal_memory.own(journal, group, partition, err)
                           : error_set(err, ERR_RETRY, "no broker answers");
}

static enum status mark_of_test(void)
{
    struct journal_mark mark;
    char note[JOURNAL_NOTE_MAX];
    return journal_memory.mark(stand.journal, "sink.test", JOURNAL_ALL_PARTITIONS, &mark, note);
}

static struct forgetting *begin(void)
{
    delivery_start();
    delivery_emit(10);
    delivery_run();
    assert_int_equal(mark_of_test(), OK);
    struct forgetting *forgetting = forgetting_new(stand.journal, &stand.world);
    forgetting_add(forgetting, "never");
    forgetting_add(forgetting, "test");
    stand.role = forgetting_role(forgetting);
    asked = refused = 0;
    stand.backend.own = own_later;
    return forgetting;
}

static void expect_forgotten(struct forgetting *forgetting)
{
    assert_int_equal(forgetting_count(forgetting), 2);
    assert_true(forgetting_is_forgotten(forgetting, 0) && forgetting_is_forgotten(forgetting, 1));
    assert_int_equal(mark_of_test(), ERR_NOT_FOUND);
    forgetting_free(forgetting);
}

static void test_marks_of_sinks_that_are_gone_go(void **state)
{
    (void)state;
    struct forgetting *forgetting = begin();
    delivery_run();
    expect_forgotten(forgetting);
}

static void test_a_journal_that_does_not_answer_is_asked_again_until_it_does(void **state)
{
    (void)state;
    struct forgetting *forgetting = begin();
    refused = 20;
    const int64_t began_us = stand.now_us;
    for (int i = 0; i < 100 && !forgetting_is_forgotten(forgetting, 1); i++)
        if (!stand_step()) /* a pause that is longer than the stand's own patience */
            stand.now_us += 10 * INT64_C(1000000);
    assert_int_equal(asked, 22);
    assert_true(stand.now_us - began_us > 60 * INT64_C(1000000)); /* not all at once */
    expect_forgotten(forgetting);
}

static void test_an_answer_that_does_not_come_holds_nobody_up(void **state)
{
    (void)state;
    struct forgetting *forgetting = begin();
    for (int minute = 0; minute < 10; minute++) { /* each step returns, whatever the journal does */
        int64_t wake_us = WAKE_NEVER;
        while (stand.role.step(stand.role.self, &stand.world, &wake_us))
            ;
        stand.now_us += 60 * INT64_C(1000000);
    }
    assert_true(forgetting_is_forgotten(forgetting, 0) && !forgetting_is_forgotten(forgetting, 1));
    assert_int_equal(stand.held_count, 1);
    stand_pass_on();
    delivery_run();
    expect_forgotten(forgetting);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, delivery_begin, delivery_end)

int main(void)
{
    log_set_level(LOG_ERROR);
    const struct CMUnitTest tests[] = {
        CASE(test_marks_of_sinks_that_are_gone_go),
        CASE(test_a_journal_that_does_not_answer_is_asked_again_until_it_does),
        CASE(test_an_answer_that_does_not_come_holds_nobody_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
