/* The clock of windows in processing time over restarts, and what a commit takes. What else windows do:
 * test/sim/stream_sim_test.c. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/test.h"
#include "event/window_record.h"
#include "test/support/stream_rig.h"
#include "world/world.h"

#define MINUTE_MS 60000LL
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)
#define KEYED_WINDOWS 12
#define BACKLOG 20000

static const char DOMAIN[] = "domain: clock\n"
                             "sessions: {enabled: false}\n"
                             "windows:\n"
                             "- {name: by_clock, size: 1m, time: processing, measures: {n: count()}}\n";

struct fixture {
    struct machine machine;
    struct domain_set *domains;
    unsigned events;
};

static int64_t wall_ms(struct fixture *fixture)
{
    return world_wall_ms(&fixture->machine.time.world);
}

/* In one commit, all of one visitor. */
static void send_many(struct fixture *fixture, size_t count)
{
    struct event *events = calloc(count, sizeof *events);
    char(*ids)[16] = calloc(count, sizeof *ids);
    for (size_t i = 0; i < count; i++) {
        snprintf(ids[i], sizeof ids[i], "e%u", fixture->events++);
        events[i] = (struct event){ .customer_id = SLICE("acme"),
                                    .visitor_id = SLICE("v"),
                                    .event_id = slice_from(ids[i]),
                                    .event_type = SLICE("page_view"),
                                    .properties = SLICE("{}"),
                                    .context = SLICE("{}"),
                                    .timestamp_ms = wall_ms(fixture),
                                    .received_ms = wall_ms(fixture),
                                    .ingested_us = wall_ms(fixture) * 1000 };
    }
    assert_int_equal(machine_send(&fixture->machine, events, count), OK);
    free(events);
    free(ids);
}

static void send_one(struct fixture *fixture)
{
    send_many(fixture, 1);
    assert_true(machine_settle(&fixture->machine, 10000));
    assert_null(machine_failure(&fixture->machine));
}

static void take_start(void *self, uint16_t topic, uint16_t partition, struct slice bytes)
{
    struct window_record record;
    assert_int_equal(window_record_decode(bytes, &record, NULL), OK);
    *(int64_t *)self = record.start_ms;
}

/* Where the window begins that was told last. */
static int64_t last_start_ms(struct fixture *fixture)
{
    int64_t start_ms = 0;
    (void)machine_read(&fixture->machine, TOPIC_BIT(TOPIC_WINDOWS), 0, take_start, &start_ms);
    return start_ms;
}

static void start(struct fixture *fixture)
{
    struct error err = { 0 };
    if (machine_up(&fixture->machine, &err) != OK)
        fail_msg("%s", err.text);
    assert_true(machine_settle(&fixture->machine, 10000));
}

static void restart(struct fixture *fixture)
{
    machine_down(&fixture->machine);
    disk_sim_kill(fixture->machine.disk);
    disk_sim_restart(fixture->machine.disk);
    start(fixture);
}

/* An event, one with the clock ahead, and one after it was set right and the machine started again. The last window's
 * start, as far as it is from the wall clock. */
static int64_t window_after_clock_was_ahead(int64_t ahead_ms)
{
    struct fixture fixture = { 0 };
    machine_init(&fixture.machine, 7, 1);
    stream_rig_domain(&fixture.machine, &fixture.domains, "clock", DOMAIN);
    start(&fixture);
    send_one(&fixture);
    world_sim_jump(&fixture.machine.time, ahead_ms * 1000);
    send_one(&fixture);
    assert_true(wall_ms(&fixture) - last_start_ms(&fixture) < 2 * MINUTE_MS);
    world_sim_jump(&fixture.machine.time, -ahead_ms * 1000);
    restart(&fixture);
    send_one(&fixture);
    restart(&fixture); /* what was decided is kept */
    send_one(&fixture);
    const int64_t from_wall_ms = last_start_ms(&fixture) - wall_ms(&fixture);
    machine_done(&fixture.machine);
    domain_set_free(fixture.domains);
    return from_wall_ms;
}

static void test_a_restart_while_the_clock_is_set_back_opens_no_window_again(void **state)
{
    (void)state;
    const int64_t from_wall_ms = window_after_clock_was_ahead(3 * HOUR_MS);
    assert_in_range(from_wall_ms, 3 * HOUR_MS - 2 * MINUTE_MS, 3 * HOUR_MS + MINUTE_MS);
}

static void test_a_clock_that_was_a_year_ahead_is_a_mistake_that_a_restart_ends(void **state)
{
    (void)state;
    const int64_t from_wall_ms = window_after_clock_was_ahead(365 * DAY_MS);
    assert_true(from_wall_ms <= 0 && from_wall_ms > -2 * MINUTE_MS);
}

/* A backlog fills commits to the brim, and each event has a key of its own in each of many windows: what goes to other
 * partitions has its bound, too. */
static void test_a_backlog_of_many_keys_of_other_partitions_goes_in_several_commits(void **state)
{
    (void)state;
    struct fixture fixture = { 0 };
    struct buf yaml;
    buf_init(&yaml, 1 << 16);
    buf_add_text(&yaml, "domain: many\nsessions: {enabled: false}\nwindows:\n");
    for (int i = 0; i < KEYED_WINDOWS; i++)
        buf_add_format(&yaml, "- {name: w%d, size: 1h, by: [event_id], measures: {n: count()}}\n", i);
    machine_init(&fixture.machine, 7, 2);
    fixture.machine.journal_options.segment_bytes = 64u << 20;
    fixture.machine.options.batch_bytes_max = 4u << 20; /* as in production */
    fixture.machine.options.read_bytes = 1u << 20;
    stream_rig_domain(&fixture.machine, &fixture.domains, "many", buf_text(&yaml));
    start(&fixture);
    for (unsigned i = 0; i < BACKLOG; i += BACKLOG / 10)
        send_many(&fixture, BACKLOG / 10);
    const bool settled = machine_settle(&fixture.machine, 60000);
    assert_null(machine_failure(&fixture.machine));
    assert_true(settled);
    machine_done(&fixture.machine);
    domain_set_free(fixture.domains);
    buf_done(&yaml);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_restart_while_the_clock_is_set_back_opens_no_window_again),
        cmocka_unit_test(test_a_clock_that_was_a_year_ahead_is_a_mistake_that_a_restart_ends),
        cmocka_unit_test(test_a_backlog_of_many_keys_of_other_partitions_goes_in_several_commits),
    };
    log_set_level(LOG_ERROR + 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
