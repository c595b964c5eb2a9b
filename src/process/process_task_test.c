/* The promises of process_task.h over the memory journal: what comes out, once, in whatever portions it came in. */
#include "process/process_task.h"

#include <unistd.h>

#include "base/test.h"
#include "config/domain.h"
#include "process/state/kv.h"
#include "test/support/process_rig.h"
#include "test/support/scratch.h"

static struct rig rig;
static uint8_t times[RIG_IDS_MAX];

static void expect_each_once(unsigned count)
{
    assert_int_equal(rig_count(&rig, TOPIC_ENRICHED, times, RIG_IDS_MAX), count);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(times[i], 1);
}

static void test_a_lone_event_is_committed_without_waiting(void **state)
{
    (void)state;
    rig_run(&rig, 100);
    int64_t before_us = rig.time.now_us;
    assert_int_equal(rig_send(&rig, "acme", 0, 1), OK);
    for (int i = 0; i < 10; i++)
        (void)rig_step(&rig);
    expect_each_once(1);
    assert_int_equal(rig.time.now_us, before_us);
}

static void test_an_empty_batch_commits_nothing(void **state)
{
    (void)state;
    rig_run(&rig, 100);
    double commits = rig_metric(&rig, "process_commits_total");
    rig_run(&rig, 200000);
    assert_true(rig_metric(&rig, "process_commits_total") == commits);
}

static void test_every_event_comes_out_once_in_order_of_arrival(void **state)
{
    (void)state;
    assert_int_equal(rig_send(&rig, "acme", 0, 5000), OK);
    assert_int_equal(rig_send(&rig, "acme", 2500, 5000), OK);
    assert_int_equal(rig_send(&rig, "acme", 0, 7500), OK);
    rig_run(&rig, 1000);
    expect_each_once(7500);
    assert_true(rig_metric(&rig, "duplicates_total") == 10000);
    assert_true(rig_metric(&rig, "events_processed_total") == 17500);
    assert_int_equal(rig.accepted_live, 7500);
    assert_int_equal(rig.duplicates_live, 10000);
}

static void test_a_checkpoint_comes_before_its_time_when_much_has_changed(void **state)
{
    (void)state;
    for (unsigned limited = 0; limited < 2; limited++) {
        rig_down(&rig);
        rig.options.checkpoint_interval_ms = 600000;
        rig.options.checkpoint_bytes = limited ? 2000 : 1u << 30;
        assert_int_equal(rig_up(&rig, NULL), OK);
        rig_run(&rig, 100);
        double before = rig_metric(&rig, "process_checkpoint_seconds_count");
        assert_int_equal(rig_send(&rig, "acme", limited * 1000, 1000), OK);
        rig_run(&rig, 5000);
        assert_int_equal(rig_metric(&rig, "process_checkpoint_seconds_count") > before, limited);
    }
}

static void test_a_domain_may_do_without_sessions(void **state)
{
    static struct domain_set domains = { .others = { .without_sessions = true, .out_of_orderness_ms = 1 } };
    (void)state;
    rig_down(&rig);
    rig.options.domains = &domains;
    assert_int_equal(rig_up(&rig, NULL), OK);
    assert_int_equal(rig_send(&rig, "acme", 0, 100), OK);
    rig_run(&rig, 2000);
    expect_each_once(100);
    assert_int_equal(rig_numbers(&rig, TOPIC_SESSIONS, NULL, 0), 0); /* fails at the first record */
}

static void test_where_ids_are_unique_none_is_looked_up(void **state)
{
    (void)state;
    rig_down(&rig);
    rig.options.ids_unique = true;
    assert_int_equal(rig_up(&rig, NULL), OK);
    assert_int_equal(rig_send(&rig, "acme", 0, 100), OK);
    assert_int_equal(rig_send(&rig, "acme", 0, 50), OK);
    rig_run(&rig, 1000);
    assert_int_equal(rig_count(&rig, TOPIC_ENRICHED, times, RIG_IDS_MAX), 150);
    assert_true(rig_metric(&rig, "duplicates_total") == 0);
}

static void test_results_only_hands_no_event_on(void **state)
{
    (void)state;
    rig_down(&rig);
    rig.options.results_only = true;
    assert_int_equal(rig_up(&rig, NULL), OK);
    assert_int_equal(rig_send(&rig, "acme", 0, 100), OK);
    assert_int_equal(rig_send_records(&rig, slice_of("\x04\0\0\0junk", 8), 1), OK);
    rig_run(&rig, 1000);
    assert_int_equal(rig_count(&rig, TOPIC_ENRICHED, times, RIG_IDS_MAX), 0);
    assert_true(rig_metric(&rig, "events_processed_total") == 101);
    assert_true(rig_metric(&rig, "dead_letters_total{stage=\"decode\",reason=\"corrupt_record\"}") == 1);
}

static void test_the_same_id_of_two_tenants_is_two_events(void **state)
{
    (void)state;
    assert_int_equal(rig_send(&rig, "acme", 0, 10), OK);
    assert_int_equal(rig_send(&rig, "acm", 0, 10), OK);
    rig_run(&rig, 1000);
    assert_int_equal(rig_count(&rig, TOPIC_ENRICHED, times, RIG_IDS_MAX), 20);
}

static void test_a_commit_larger_than_a_batch_is_worked_off_in_several(void **state)
{
    (void)state;
    assert_int_equal(rig_send(&rig, "acme", 0, 30000), OK);
    rig_run(&rig, 1000);
    expect_each_once(30000);
    assert_true(rig_metric(&rig, "process_commits_total") > 3);
}

static void dropped(struct journal_commit *commit, enum status status, const char *reason)
{
    (void)reason;
    *(enum status *)commit->context = status;
}

/* As when brokers forget the offset of a group that nobody has moved for a week. */
static void drop_mark(void)
{
    enum status status = ERR_RETRY;
    struct journal_mark mark = { .group = PROCESS_GROUP, .topic = TOPIC_EVENTS, .position = JOURNAL_MARK_DROP };
    struct journal_commit commit = { .marks = &mark, .mark_count = 1, .done = dropped, .context = &status };
    assert_int_equal(rig.backend->submit(rig.journal, &commit, NULL), OK);
    rig_run(&rig, 100);
    assert_int_equal(status, OK);
}

static void test_a_partition_whose_mark_is_gone_does_not_count_everything_again(void **state)
{
    (void)state;
    assert_int_equal(rig_send(&rig, "acme", 0, 5), OK);
    rig_run(&rig, 1000);
    process_task_stop(rig.task);
    rig_run(&rig, 1000);
    assert_true(process_task_is_finished(rig.task));
    drop_mark();
    process_task_free(rig.task);
    rig.task = process_task_new(&rig.options, rig.journal, 0, rig.metrics, rig.live, &rig.time.world);
    rig_run(&rig, 1000);
    assert_int_equal(process_task_state(rig.task), PROCESS_FAILED);
    assert_non_null(strstr(process_task_error(rig.task), "offsets.retention.minutes"));
    expect_each_once(5);
    process_task_free(rig.task);
    rig.options.accept_lost_state = true; /* somebody has decided so */
    rig.task = process_task_new(&rig.options, rig.journal, 0, rig.metrics, rig.live, &rig.time.world);
    rig_run(&rig, 1000);
    assert_int_equal(process_task_state(rig.task), PROCESS_RUNNING);
}

static void test_the_mark_of_an_idle_partition_is_said_again_twice_a_day(void **state)
{
    (void)state;
    assert_int_equal(rig_send(&rig, "acme", 0, 5), OK);
    rig_run(&rig, 200000);
    double commits = rig_metric(&rig, "process_commits_total");
    rig_run(&rig, 25 * 3600 * 1000);
    assert_true(rig_metric(&rig, "process_commits_total") == commits + 2);
}

/* Input may fill half of the bound, outputs the rest; then the task waits, and goes on when there is room. */
static void test_a_full_journal_is_waited_for(void **state)
{
    (void)state;
    rig_done(&rig);
    rig_init(&rig, 7, &journal_file);
    rig.journal_options.total_bytes_max = 4u << 20;
    rig.options.checkpoint_interval_ms = 500;
    assert_int_equal(rig_up(&rig, NULL), OK);
    assert_int_equal(rig_mark_all_read(&rig), OK); /* a store that takes nothing more: the outputs stay */
    rig_run(&rig, 10);
    unsigned sent = 0;
    while (sent < 100000 && rig_send(&rig, "acme", sent, 500) == OK) {
        sent += 500;
        rig_run(&rig, 10);
    }
    assert_true(sent > 0 && sent < 100000);
    rig_run(&rig, 20000);
    assert_int_equal(process_task_state(rig.task), PROCESS_RUNNING);
    disk_sim_kill(rig.disk); /* with a commit that waits, and checkpoints made meanwhile */
    rig_crash(&rig);
    disk_sim_restart(rig.disk);
    rig.journal_options.total_bytes_max = 64u << 20;
    assert_int_equal(rig_up(&rig, NULL), OK);
    rig_run(&rig, 1000);
    expect_each_once(sent);
}

/* Checkpoints hold the journal back; the next ones are not due for minutes when the store has caught up. */
static void test_a_full_journal_takes_input_again_soon_after_the_store_has_caught_up(void **state)
{
    (void)state;
    rig_done(&rig);
    rig_init(&rig, 7, &journal_file);
    rig.journal_options.total_bytes_max = 16u << 20;
    rig.options.checkpoint_interval_ms = 600000;
    assert_int_equal(rig_up(&rig, NULL), OK);
    assert_int_equal(rig_mark_all_read(&rig), OK);
    unsigned sent = 0;
    while (sent < 200000 && rig_send(&rig, "acme", sent, 500) == OK) {
        sent += 500;
        rig_run(&rig, 10);
    }
    assert_true(sent > 0 && sent < 200000);
    rig_run(&rig, 1000);
    assert_int_equal(rig_mark_all_read(&rig), OK);
    rig_run(&rig, 5000);
    assert_int_equal(rig_send(&rig, "acme", sent, 500), OK);
}

static enum status nobody_answers(struct journal *journal, enum journal_topic topic, uint16_t partition, uint64_t *out,
                                  struct error *err)
{
    (void)journal;
    (void)topic;
    (void)partition;
    (void)out;
    return error_set(err, ERR_RETRY, "nobody answers");
}

/* At whatever moment of a checkpoint: rig_down fails when the task does not end. */
static void test_a_stop_ends_while_the_journal_does_not_say_where_it_ends(void **state)
{
    (void)state;
    static struct journal_backend gone;
    gone = journal_memory;
    gone.end_position = nobody_answers;
    for (unsigned steps = 1; steps < 40; steps++) {
        rig_down(&rig);
        rig.options.checkpoint_interval_ms = 1;
        assert_int_equal(rig_up(&rig, NULL), OK);
        assert_int_equal(rig_send(&rig, "acme", steps * 1000, 1000), OK);
        for (unsigned i = 0; i < steps; i++) {
            (void)rig_step(&rig);
            world_sim_advance(&rig.time, 500);
        }
        rig.journal->backend = &gone;
        rig_down(&rig);
        rig.options.checkpoint_interval_ms = 0;
        assert_int_equal(rig_up(&rig, NULL), OK);
    }
    const double failures = rig_metric(&rig, "process_checkpoint_failures_total");
    assert_true(failures > 10);
    assert_true(rig_metric(&rig, "flink_taskmanager_job_task_exceptions_total") == failures);
}

static void test_lag_is_told_in_records_and_seconds(void **state)
{
    (void)state;
    rig_run(&rig, 1000);
    assert_true(rig_metric(&rig, "kafka_lag") == 0);
    assert_true(rig_metric(&rig, "process_lag_seconds") == 0);
}

/* ---- with threads, as in production ---- */

struct life {
    struct process_task *task;
    struct role_thread *thread;
};

static struct life begin_life(const struct process_options *options)
{
    struct life life = { .task = process_task_new(options, rig.journal, 0, rig.metrics, rig.live, world_real()) };
    struct role role = process_task_role(life.task);
    assert_int_equal(role_start(&role, world_real(), &life.thread, NULL), OK);
    return life;
}

static void end_life(struct life life)
{
    process_task_stop(life.task);
    while (!process_task_is_finished(life.task))
        usleep(200);
    assert_int_equal(process_task_state(life.task), PROCESS_STOPPED);
    role_stop(life.thread);
    process_task_free(life.task);
}

static void test_threads_and_a_stop_in_the_middle_lose_nothing(void **state)
{
    (void)state;
    char dir[SCRATCH_PATH_MAX];
    scratch_make("process", dir);
    struct journal_options journal_options = {
        .path = dir, .partitions = 1, .segment_bytes = 1u << 20, .queue_bytes_max = 64u << 20
    };
    struct process_options options = { .state_path = dir, .checkpoint_interval_ms = 5, .kv = &kv_disk };
    struct role roles[2];
    struct role_thread *journal_thread;
    rig_down(&rig);
    assert_int_equal(journal_memory.open(&journal_options, world_real(), NULL, &rig.journal, NULL), OK);
    assert_int_equal(journal_memory.roles(rig.journal, roles), 1);
    assert_int_equal(role_start(&roles[0], world_real(), &journal_thread, NULL), OK);
    rig.journal_role_count = 0; /* the thread steps it */
    for (unsigned n = 0; n < 4; n++) {
        struct life life = begin_life(&options);
        for (unsigned i = 0; i < 10; i++)
            assert_int_equal(rig_send(&rig, "acme", n * 4000 + i * 500, 600), OK);
        end_life(life);
    }
    struct life last = begin_life(&options);
    while (rig_count(&rig, TOPIC_ENRICHED, times, RIG_IDS_MAX) < 17100)
        usleep(1000);
    expect_each_once(17100);
    end_life(last);
    role_stop(journal_thread);
    journal_memory.close(rig.journal);
    rig.journal = NULL;
    assert_int_equal(scratch_remove(dir), 0);
}

#define TEST(function) RIG_TEST(function, &rig)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_lone_event_is_committed_without_waiting),
        TEST(test_an_empty_batch_commits_nothing),
        TEST(test_every_event_comes_out_once_in_order_of_arrival),
        TEST(test_a_checkpoint_comes_before_its_time_when_much_has_changed),
        TEST(test_a_domain_may_do_without_sessions),
        TEST(test_where_ids_are_unique_none_is_looked_up),
        TEST(test_results_only_hands_no_event_on),
        TEST(test_the_same_id_of_two_tenants_is_two_events),
        TEST(test_a_commit_larger_than_a_batch_is_worked_off_in_several),
        TEST(test_a_partition_whose_mark_is_gone_does_not_count_everything_again),
        TEST(test_the_mark_of_an_idle_partition_is_said_again_twice_a_day),
        TEST(test_a_full_journal_is_waited_for),
        TEST(test_a_full_journal_takes_input_again_soon_after_the_store_has_caught_up),
        TEST(test_a_stop_ends_while_the_journal_does_not_say_where_it_ends),
        TEST(test_lag_is_told_in_records_and_seconds),
        TEST(test_threads_and_a_stop_in_the_middle_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
