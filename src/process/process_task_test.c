/* The promises of process_task.h over the memory journal: what comes out, once, in whatever portions it came in. */
#include "process/process_task.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/json_scan.h"
#include "base/test.h"
#include "config/domain.h"
#include "event/dead_letter.h"
#include "event/event.h"
#include "event/event_json.h"
#include "process/state/kv.h"
#include "process/validate/pii.h"
#include "test/support/domain_files.h"
#include "test/support/process_rig.h"
#include "test/support/scratch.h"

static struct rig rig;
static uint8_t times[RIG_IDS_MAX];

static int setup(void **state)
{
    (void)state;
    rig_init(&rig, 7, &journal_memory);
    return rig_up(&rig, NULL);
}

static int teardown(void **state)
{
    (void)state;
    rig_done(&rig);
    return 0;
}

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
    static struct domain_set domains = { .without_sessions = true, .session_gap_ms = 1000, .out_of_orderness_ms = 1 };
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

/* Sends the event framed; returns the journal's answer. */
static enum status send_event(const struct event *event)
{
    char bytes[4096];
    uint32_t n = (uint32_t)event_encoded_size(event);
    assert_true(n + 4 <= sizeof bytes);
    memcpy(bytes, &n, 4);
    event_encode(event, bytes + 4);
    return rig_send_records(&rig, slice_of(bytes, n + 4), 1);
}

static struct event event_with(const char *id)
{
    int64_t now_ms = world_wall_ms(&rig.time.world);
    return (struct event){ .customer_id = SLICE("acme"),
                           .visitor_id = SLICE("v"),
                           .event_id = slice_from(id),
                           .event_type = SLICE("t"),
                           .properties = SLICE("{}"),
                           .context = SLICE("{}"),
                           .timestamp_ms = now_ms,
                           .received_ms = now_ms,
                           .ingested_us = now_ms * 1000 };
}

static void expect_letter(const char *stage, const char *reason, const char *field, struct slice original)
{
    struct journal_read_options options = { .topics = TOPIC_BIT(TOPIC_DEAD_LETTERS), .position = JOURNAL_BEGIN };
    struct journal_reader *reader;
    struct journal_batch batch;
    struct dead_letter letter = { 0 };
    assert_int_equal(rig.backend->reader_open(rig.journal, &options, &reader, NULL), OK);
    assert_int_equal(journal_read(reader, 1u << 20, &batch, NULL), OK);
    assert_true(batch.chunk_count > 0);
    struct slice rest = batch.chunks[batch.chunk_count - 1].bytes, record;
    while (journal_next_record(&rest, &record))
        assert_int_equal(dead_letter_decode(record, &letter, NULL), OK);
    assert_true(slice_equal(letter.stage, slice_from(stage)));
    assert_true(slice_equal(letter.reason, slice_from(reason)));
    assert_true(slice_equal(letter.field, slice_from(field)));
    assert_true(slice_equal(letter.original, original));
    rig.backend->reader_close(reader);
}

/* The original is the event as JSON, in the words of /track. */
static void expect_letter_of(const char *reason, const char *field, const struct event *event)
{
    AUTO(buf) struct buf json;
    buf_init(&json, 4096);
    event_json_add(&json, event);
    expect_letter("validate", reason, field, buf_slice(&json));
}

static void expect_page(const char *key)
{
    struct journal_read_options options = { .topics = TOPIC_BIT(TOPIC_ENRICHED), .position = JOURNAL_BEGIN };
    struct journal_reader *reader;
    struct journal_batch batch;
    struct event event;
    struct arena arena;
    struct slice record, hash, page;
    struct pii *pii = pii_new(slice_from(key));
    arena_init(&arena, 4096);
    assert_true(pii_hash(pii, SLICE("acme"), SLICE("/"), &arena, &hash));
    assert_int_equal(rig.backend->reader_open(rig.journal, &options, &reader, NULL), OK);
    assert_int_equal(journal_read(reader, 1u << 20, &batch, NULL), OK);
    assert_true(batch.chunk_count > 0);
    struct slice rest = batch.chunks[0].bytes;
    assert_true(journal_next_record(&rest, &record));
    assert_int_equal(event_decode(record, &event, NULL), OK);
    assert_true(json_find(event.properties, "page", &page) && slice_equal(page, hash));
    rig.backend->reader_close(reader);
    arena_done(&arena);
    pii_free(pii);
}

/* A reload writes the settings anew while a task that was made before still restores its state. */
static void test_the_key_of_persons_fields_is_the_one_that_the_task_was_made_with(void **state)
{
    char key[] = "a key of more than sixteen bytes";
    rig_down(&rig);
    assert_int_equal(domain_files_begin(state), 0);
    rig.options.domains = domain_files_expect_fine(
        "domain: web\nevent_types: [{name: page_view, attributes: [{name: page, pii: hash}]}]\n");
    rig.options.pii_key = slice_from(key);
    assert_int_equal(rig_up(&rig, NULL), OK);
    memcpy(key, "another", 8);
    assert_int_equal(rig_send(&rig, "acme", 0, 1), OK);
    rig_run(&rig, 1000);
    expect_page("a key of more than sixteen bytes");
    rig_down(&rig);
    assert_int_equal(domain_files_end(state), 0);
    rig.options.domains = NULL;
    assert_int_equal(rig_up(&rig, NULL), OK);
}

static void test_bytes_that_are_no_event_become_a_dead_letter_with_the_bytes(void **state)
{
    (void)state;
    assert_int_equal(rig_send(&rig, "acme", 0, 3), OK);
    assert_int_equal(rig_send_records(&rig, slice_of("\x04\0\0\0junk", 8), 1), OK);
    assert_int_equal(rig_send(&rig, "acme", 3, 3), OK);
    rig_run(&rig, 1000);
    expect_each_once(6);
    expect_letter("decode", "corrupt_record", "", SLICE("junk"));
    assert_true(rig_metric(&rig, "dead_letters_total{stage=\"decode\",reason=\"corrupt_record\"}") == 1);
    assert_int_equal(rig.dead_live, 1);
}

static void test_an_event_from_the_future_is_a_dead_letter_and_its_id_stays_free(void **state)
{
    (void)state;
    struct event event = event_with("e0");
    event.timestamp_ms = event.received_ms + 24 * 3600 * 1000 + 1;
    assert_int_equal(send_event(&event), OK);
    rig_run(&rig, 1000);
    expect_letter_of("too_far_in_future", "timestamp", &event);
    event.timestamp_ms--;
    assert_int_equal(send_event(&event), OK);
    rig_run(&rig, 1000);
    expect_each_once(1);
}

static void test_an_event_without_an_id_is_a_dead_letter_that_names_the_field(void **state)
{
    (void)state;
    struct event event = event_with("e0");
    event.visitor_id.n = 0;
    assert_int_equal(send_event(&event), OK);
    rig_run(&rig, 1000);
    expect_letter_of("missing_field", "visitor_id", &event);
}

static void test_a_commit_larger_than_a_batch_is_worked_off_in_several(void **state)
{
    (void)state;
    assert_int_equal(rig_send(&rig, "acme", 0, 30000), OK);
    rig_run(&rig, 1000);
    expect_each_once(30000);
    assert_true(rig_metric(&rig, "process_commits_total") > 3);
}

/* Input may fill half of the bound, outputs the rest; then the task waits, and goes on when there is room. */
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
}

static void test_lag_is_told_in_records_and_seconds(void **state)
{
    (void)state;
    rig_run(&rig, 1000);
    assert_true(rig_metric(&rig, "kafka_lag") == 0);
    assert_true(rig_metric(&rig, "process_lag_seconds") == 0);
}

/* With threads, as in production: stopped in the middle, nothing is lost between two lives. */
static void test_threads_and_a_stop_in_the_middle_lose_nothing(void **state)
{
    (void)state;
    struct world *world = world_real();
    char dir[SCRATCH_PATH_MAX];
    scratch_make("process", dir);
    struct journal_options journal_options = {
        .path = dir, .partitions = 1, .segment_bytes = 1u << 20, .queue_bytes_max = 64u << 20
    };
    struct process_options options = { .state_path = dir, .checkpoint_interval_ms = 5, .kv = &kv_disk };
    struct journal *journal;
    struct role roles[2];
    struct role_thread *journal_thread, *task_thread;
    rig_down(&rig);
    assert_int_equal(journal_memory.open(&journal_options, world, NULL, &journal, NULL), OK);
    assert_int_equal(journal_memory.roles(journal, roles), 1);
    assert_int_equal(role_start(&roles[0], world, &journal_thread, NULL), OK);
    rig.journal = journal;
    rig.journal_role_count = 0; /* the thread steps it */
    for (int life = 0; life < 4; life++) {
        struct process_task *task = process_task_new(&options, journal, 0, rig.metrics, rig.live, world);
        struct role role = process_task_role(task);
        assert_int_equal(role_start(&role, world, &task_thread, NULL), OK);
        for (unsigned i = 0; i < 10; i++)
            assert_int_equal(rig_send(&rig, "acme", (unsigned)life * 4000 + i * 500, 600), OK);
        process_task_stop(task);
        while (!process_task_is_finished(task))
            usleep(200);
        assert_int_equal(process_task_state(task), PROCESS_STOPPED);
        role_stop(task_thread);
        process_task_free(task);
    }
    struct process_task *task = process_task_new(&options, journal, 0, rig.metrics, rig.live, world);
    struct role role = process_task_role(task);
    assert_int_equal(role_start(&role, world, &task_thread, NULL), OK);
    while (rig_count(&rig, TOPIC_ENRICHED, times, RIG_IDS_MAX) < 17100)
        usleep(1000);
    expect_each_once(17100);
    process_task_stop(task);
    while (!process_task_is_finished(task))
        usleep(200);
    role_stop(task_thread);
    process_task_free(task);
    role_stop(journal_thread);
    journal_memory.close(journal);
    rig.journal = NULL;
    assert_int_equal(scratch_remove(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_lone_event_is_committed_without_waiting, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_empty_batch_commits_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_event_comes_out_once_in_order_of_arrival, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_checkpoint_comes_before_its_time_when_much_has_changed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_domain_may_do_without_sessions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_where_ids_are_unique_none_is_looked_up, setup, teardown),
        cmocka_unit_test_setup_teardown(test_results_only_hands_no_event_on, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_same_id_of_two_tenants_is_two_events, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_key_of_persons_fields_is_the_one_that_the_task_was_made_with, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_bytes_that_are_no_event_become_a_dead_letter_with_the_bytes, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_an_event_from_the_future_is_a_dead_letter_and_its_id_stays_free, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_an_event_without_an_id_is_a_dead_letter_that_names_the_field, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_commit_larger_than_a_batch_is_worked_off_in_several, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_partition_whose_mark_is_gone_does_not_count_everything_again, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_the_mark_of_an_idle_partition_is_said_again_twice_a_day, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_full_journal_is_waited_for, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_full_journal_takes_input_again_soon_after_the_store_has_caught_up, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_stop_ends_while_the_journal_does_not_say_where_it_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lag_is_told_in_records_and_seconds, setup, teardown),
        cmocka_unit_test_setup_teardown(test_threads_and_a_stop_in_the_middle_lose_nothing, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
