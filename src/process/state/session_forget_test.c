/* What lies before a tenant's retention leaves the state, and nothing else does. */
#include "base/test.h"
#include "process/process_output.h"
#include "process/state/session_inside.h"
#include "world/disk_sim.h"
#include "world/world_sim.h"

#define DAY_MS ((int64_t)86400000)
#define KEPT_DAYS 30

static struct world_sim sim_time;
static struct disk_sim *disk;
static struct state_kv *kv;
static struct session_state *sessions;
static struct state *state;
static struct process_outputs outputs;
static struct error err;

/* "brief" keeps its events for 30 days, all others for ever. */
static int64_t kept_ms(void *self, struct slice customer_id)
{
    assert_ptr_equal(self, &disk);
    return slice_equal(customer_id, SLICE("brief")) ? KEPT_DAYS * DAY_MS : INT64_MAX;
}

static void start(void)
{
    disk = disk_sim_new(1, &sim_time);
    world_sim_init(&sim_time, 1, disk_sim_disk(disk));
    kv = state_kv_new(&(struct state_kv_options){ .path = "/s", .backend = &kv_disk }, &sim_time.world);
    sessions = session_state_new(
        &(struct session_state_options){ .gap_ms = 1800000, .kv = kv, .kept_ms = kept_ms, .kept_self = &disk });
    state = session_state_state(sessions);
}

static int stop(void **unused)
{
    (void)unused;
    session_state_free(sessions);
    state_kv_free(kv);
    disk_sim_free(disk);
    process_outputs_done(&outputs);
    return 0;
}

static struct session_visitor *visitor_of(const char *tenant, uint64_t visitor)
{
    const struct event event = { .customer_id = slice_from(tenant), .visitor_id = SLICE("v") };
    struct session_visitor *found;
    assert_int_equal(state->ops->prepare(state, 2, &err), OK);
    assert_int_equal(session_state_visitor(sessions, (struct id128){ visitor, visitor }, &event, &found, &err), OK);
    return found;
}

static void visit(const char *tenant, uint64_t visitor, int64_t day)
{
    assert_true(session_table_event(session_state_table(sessions), visitor_of(tenant, visitor), day * DAY_MS,
                                    (struct slice){ 0 }, true));
}

static void commit(bool send)
{
    static uint64_t offset;
    size_t count;
    process_outputs_reset(&outputs);
    struct process_stream *changelog = process_outputs_stream(&outputs, TOPIC_CHANGELOG, 0);
    (void)session_table_unsent(session_state_table(sessions), &count);
    if (send)
        session_table_sent(session_state_table(sessions), count);
    assert_int_equal(state->ops->collect(state, changelog, &err), OK);
    struct slice rest = buf_slice(&changelog->bytes), record;
    while (journal_next_record(&rest, &record))
        state->ops->durable(state, record, offset++);
}

static void write_map(void)
{
    bool more = true;
    while (more)
        assert_int_equal(kv_writer_step(&sessions->writer, true, &more, &err), OK);
    session_map_note_written(sessions);
}

/* Upkeep by the light of an event that was received on that day, as often as a round may take. */
static void look_on(int64_t day)
{
    bool more;
    session_state_received(sessions, day * DAY_MS);
    for (int i = 0; i < 100; i++)
        assert_int_equal(state->ops->maintain(state, &more, &err), OK);
}

static uint32_t sessions_of(const char *tenant, uint64_t visitor)
{
    return visitor_of(tenant, visitor)->count;
}

static void test_what_is_past_the_retention_is_forgotten_in_memory_and_map(void **unused)
{
    (void)unused;
    start();
    visit("brief", 1, 0);
    visit("long", 2, 0);
    visit("brief", 3, 0);
    visit("brief", 3, 25);
    commit(true);
    write_map();
    look_on(KEPT_DAYS + 1);
    assert_int_equal(session_state_forgotten(sessions), 0); /* the margin and the gap are not over */
    look_on(KEPT_DAYS + 3);
    assert_int_equal(session_state_forgotten(sessions), 2);
    assert_int_equal(session_table_visitors(session_state_table(sessions)), 2);
    write_map();
    session_table_empty(session_state_table(sessions));
    sessions->complete = false; /* as after a restart: from the map */
    assert_int_equal(sessions_of("brief", 1), 0);
    assert_int_equal(sessions_of("long", 2), 1);
    assert_int_equal(sessions_of("brief", 3), 1);
    assert_int_equal(visitor_of("brief", 3)->sessions[0].start_ms, 25 * DAY_MS);
}

static void test_what_is_not_sent_or_not_written_stays(void **unused)
{
    (void)unused;
    start();
    visit("brief", 1, 0);
    commit(false);
    look_on(KEPT_DAYS + 3);
    assert_int_equal(session_state_forgotten(sessions), 0); /* not yet in the map */
    write_map();
    look_on(KEPT_DAYS + 4);
    assert_int_equal(session_state_forgotten(sessions), 0); /* not yet sent */
    commit(true);
    visit("brief", 1, KEPT_DAYS + 4); /* another session of the visitor has changes */
    look_on(KEPT_DAYS + 5);
    assert_int_equal(session_state_forgotten(sessions), 1);
    assert_int_equal(sessions_of("brief", 1), 1);
}

static void test_a_session_that_goes_on_is_not_taken_for_what_the_map_has_of_it(void **unused)
{
    (void)unused;
    start();
    visit("brief", 1, 0);
    commit(true);
    write_map();
    assert_true(
        session_table_event(session_state_table(sessions), visitor_of("brief", 1), 1000, (struct slice){ 0 }, true));
    commit(true); /* durable, but not yet written */
    look_on(KEPT_DAYS + 3);
    assert_int_equal(session_state_forgotten(sessions), 0);
    write_map();
    look_on(KEPT_DAYS + 5);
    assert_int_equal(session_state_forgotten(sessions), 1);
}

static void test_a_round_takes_thousands_in_small_pieces_and_comes_again_a_day_later(void **unused)
{
    (void)unused;
    bool more;
    start();
    for (uint64_t visitor = 1; visitor <= 3000; visitor++)
        visit(visitor % 3 ? "brief" : "long", visitor, visitor % 2);
    commit(true);
    write_map();
    session_state_received(sessions, (KEPT_DAYS + 2) * DAY_MS - 1);
    assert_int_equal(state->ops->maintain(state, &more, &err), OK);
    assert_in_range(session_state_forgotten(sessions), 1, 512);
    look_on(KEPT_DAYS + 2);
    assert_int_equal(session_state_forgotten(sessions), 1000); /* those of the first day */
    look_on(KEPT_DAYS + 5);
    assert_int_equal(session_state_forgotten(sessions), 2000);
    assert_int_equal(session_table_sessions(session_state_table(sessions)), 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_what_is_past_the_retention_is_forgotten_in_memory_and_map, stop),
        cmocka_unit_test_teardown(test_what_is_not_sent_or_not_written_stays, stop),
        cmocka_unit_test_teardown(test_a_session_that_goes_on_is_not_taken_for_what_the_map_has_of_it, stop),
        cmocka_unit_test_teardown(test_a_round_takes_thousands_in_small_pieces_and_comes_again_a_day_later, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
