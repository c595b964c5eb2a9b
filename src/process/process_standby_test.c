/* A standby copy of a task's state: a task that starts in the copy's directory after the owner's death reads what came
 * since the owner's last checkpoint, and knows all. */
#include "process/process_standby.h"

#include <stdio.h>

#include "base/test.h"
#include "event/event.h"
#include "event/session_record.h"
#include "process/stage_session.h"
#include "test/support/process_rig.h"
#include "world/world.h"

#define COPIES "/data/standby"

static struct rig rig;
static struct process_standby *standby;

static void make_standby(void)
{
    struct process_options options = rig.options;
    options.state_path = COPIES;
    standby = process_standby_new(&options, rig.journal, rig.metrics);
}

static int setup_with(uint64_t dedup_memory)
{
    rig_init(&rig, 7, &journal_file);
    rig.journal_options.segment_bytes = 8u << 20;
    rig.options.batch_bytes_max = 16u << 10;
    rig.options.checkpoint_interval_ms = 1000;
    rig.options.dedup_memory_bytes_max = dedup_memory;
    rig.options.snapshots = true;
    assert_int_equal(rig_up(&rig, NULL), OK);
    make_standby();
    process_standby_follow(standby, 0, true);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    return setup_with(1u << 20);
}

/* Several generations of ids, logs and files. */
static int setup_small(void **state)
{
    (void)state;
    return setup_with(64u << 10);
}

static int teardown(void **state)
{
    (void)state;
    process_standby_free(standby);
    standby = NULL;
    rig_done(&rig);
    return 0;
}

/* Lets time pass for both. */
static void run(int64_t for_ms)
{
    struct role role = process_standby_role(standby);
    for (int64_t ms = 0; ms < for_ms; ms += 20) {
        rig_run(&rig, 20);
        for (int steps = 0; steps < 10000; steps++) {
            int64_t wake_us = WAKE_NEVER;
            if (!role.step(role.self, &rig.time.world, &wake_us))
                break;
        }
    }
}

static void send(unsigned first, unsigned count)
{
    for (unsigned i = first; i < first + count; i += 100) {
        assert_int_equal(rig_send(&rig, "acme", i, 100), OK);
        run(20);
    }
}

/* The owner is gone, as by kill -9; the next one has the copy's directory. */
static void take_over(void)
{
    process_standby_free(standby);
    standby = NULL;
    disk_sim_kill(rig.disk);
    rig_crash(&rig);
    disk_sim_restart(rig.disk);
    rig.options.state_path = COPIES;
    assert_int_equal(rig_up(&rig, NULL), OK);
    rig_run(&rig, 100);
    assert_int_equal(process_task_state(rig.task), PROCESS_RUNNING);
    make_standby();
}

static void test_a_takeover_replays_what_came_since_and_knows_all_ids(void **state)
{
    (void)state;
    send(0, 6000);
    run(2500); /* a checkpoint of the owner's, and a visit */
    double copied = rig_metric(&rig, "standby_records_total");
    assert_true(copied > 50);
    assert_true(rig_metric(&rig, "standby_disk_bytes") > 16 * 1000);
    send(6000, 200);
    take_over();
    assert_in_range(rig_metric(&rig, "process_replayed_records"), 1, 20); /* of the last 200 events */
    assert_true(rig_metric(&rig, "dedup_ids") == 6200);
    double duplicates = rig_metric(&rig, "duplicates_total");
    send(0, 6200);
    run(100);
    assert_true(rig_metric(&rig, "duplicates_total") - duplicates == 6200);
    assert_true(rig_count(&rig, TOPIC_ENRICHED, NULL, 0) == 6200);
}

static void test_it_stands_where_the_owner_made_a_checkpoint_and_goes_on_from_there(void **state)
{
    (void)state;
    send(0, 1000);
    run(300); /* no checkpoint yet */
    assert_true(rig_metric(&rig, "standby_records_total") == 0);
    assert_true(rig_metric(&rig, "standby_lag_records") > 0);
    run(2500);
    double first = rig_metric(&rig, "standby_records_total");
    assert_true(first > 0 && rig_metric(&rig, "standby_lag_records") == 0);
    run(5000);
    assert_true(rig_metric(&rig, "standby_records_total") == first);
    send(1000, 100);
    run(2500);
    assert_in_range(rig_metric(&rig, "standby_records_total") - first, 1, 20);
    assert_true(rig_metric(&rig, "standby_failures_total") == 0);
}

static void test_a_directory_is_let_go_of_at_the_next_step(void **state)
{
    (void)state;
    struct role role = process_standby_role(standby);
    int64_t wake_us;
    send(0, 1000);
    process_standby_follow(standby, 0, false);
    run(2500);
    assert_true(process_standby_is_free(standby, 0));
    assert_true(rig_metric(&rig, "standby_records_total") == 0);
    for (unsigned steps = 1; steps < 12; steps++) { /* in every part of a visit */
        process_standby_follow(standby, 0, true);
        for (unsigned i = 0; i < steps; i++)
            (void)role.step(role.self, &rig.time.world, &wake_us);
        process_standby_follow(standby, 0, false);
        (void)role.step(role.self, &rig.time.world, &wake_us);
        assert_true(process_standby_is_free(standby, 0));
        world_sim_advance(&rig.time, 2000000);
    }
    process_standby_follow(standby, 0, true);
    run(2500);
    take_over();
    assert_true(rig_metric(&rig, "dedup_ids") == 1000);
}

static void test_without_any_room_it_fails_alone_and_comes_when_there_is_some(void **state)
{
    (void)state;
    send(0, 1000);
    run(1500);
    struct disk_sim_plan *plan = disk_sim_plan(rig.disk);
    send(1000, 1000);
    for (int i = 0; i < 100; i++) /* another checkpoint of the owner's */
        rig_run(&rig, 20);
    plan->fail_name_in = 1; /* the manifest cannot be put in place */
    struct role role = process_standby_role(standby);
    int64_t wake_us;
    for (int i = 0; i < 100; i++)
        (void)role.step(role.self, &rig.time.world, &wake_us);
    *plan = (struct disk_sim_plan){ 0 };
    assert_true(rig_metric(&rig, "standby_failures_total") == 1);
    assert_int_equal(process_task_state(rig.task), PROCESS_RUNNING);
    run(4000);
    assert_true(rig_metric(&rig, "standby_failures_total") == 1);
    assert_true(rig_metric(&rig, "standby_lag_records") == 0);
    take_over();
    assert_true(rig_metric(&rig, "dedup_ids") == 2000);
}

#define VISITORS (SESSIONS_A_SECOND + 5000)

/* One event of each visitor. */
static void send_visitors(void)
{
    struct buf bytes;
    char id[24];
    int64_t now_us = rig.time.world.wall_us(&rig.time.world);
    buf_init(&bytes, 64u << 20);
    for (unsigned i = 0; i < VISITORS; i++) {
        snprintf(id, sizeof id, "w%u", i);
        const struct event event = { .customer_id = SLICE("acme"),
                                     .visitor_id = slice_from(id),
                                     .event_id = slice_from(id),
                                     .event_type = SLICE("page_view"),
                                     .properties = SLICE("{}"),
                                     .context = SLICE("{}"),
                                     .timestamp_ms = now_us / 1000,
                                     .received_ms = now_us / 1000,
                                     .ingested_us = now_us };
        const uint32_t n = (uint32_t)event_encoded_size(&event);
        buf_add(&bytes, &n, sizeof n);
        event_encode(&event, buf_reserve(&bytes, n));
        bytes.n += n;
    }
    assert_int_equal(rig_send_records(&rig, buf_slice(&bytes), VISITORS), OK);
    buf_done(&bytes);
}

/* How many of them have a session that was sent. */
static unsigned visitors_sent(void)
{
    static bool seen[VISITORS];
    struct journal_read_options options = { .topics = TOPIC_BIT(TOPIC_SESSIONS), .position = JOURNAL_BEGIN };
    struct journal_reader *reader;
    struct journal_batch batch;
    unsigned count = 0;
    memset(seen, 0, sizeof seen);
    assert_int_equal(rig.backend->reader_open(rig.journal, &options, &reader, NULL), OK);
    do {
        assert_int_equal(journal_read(reader, 1u << 20, &batch, NULL), OK);
        for (size_t i = 0; i < batch.chunk_count; i++) {
            struct slice rest = batch.chunks[i].bytes, bytes;
            while (journal_next_record(&rest, &bytes)) {
                struct session_record record;
                uint64_t number;
                assert_int_equal(session_record_decode(bytes, &record, NULL), OK);
                if (record.visitor_id.p[0] != 'w' || !slice_to_u64(slice_after(record.visitor_id, 1), &number))
                    continue;
                count += !seen[number];
                seen[number] = true;
            }
        }
    } while (batch.chunk_count);
    rig.backend->reader_close(reader);
    return count;
}

static void test_what_the_owner_had_not_sent_is_sent_after_a_takeover(void **state)
{
    (void)state;
    process_standby_follow(standby, 0, false);
    send(0, 100);
    run(1200); /* a checkpoint, where nothing waits */
    send_visitors();
    for (int i = 0; i < 10; i++)
        rig_run(&rig, 20);
    const unsigned sent = visitors_sent();
    assert_in_range(sent, 1, VISITORS - 1000); /* the others wait for the next second */
    process_standby_follow(standby, 0, true);
    run(200);
    assert_true(rig_metric(&rig, "standby_disk_bytes") > 0); /* the visit is over */
    assert_int_equal(visitors_sent(), sent);
    take_over();
    for (int i = 0; i < 200; i++)
        rig_run(&rig, 20);
    assert_int_equal(visitors_sent(), VISITORS);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define SMALL_CASE(name) cmocka_unit_test_setup_teardown(name, setup_small, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_a_takeover_replays_what_came_since_and_knows_all_ids),
        SMALL_CASE(test_a_takeover_replays_what_came_since_and_knows_all_ids),
        CASE(test_it_stands_where_the_owner_made_a_checkpoint_and_goes_on_from_there),
        CASE(test_what_the_owner_had_not_sent_is_sent_after_a_takeover),
        CASE(test_a_directory_is_let_go_of_at_the_next_step),
        SMALL_CASE(test_without_any_room_it_fails_alone_and_comes_when_there_is_some),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
