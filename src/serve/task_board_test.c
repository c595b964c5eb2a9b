/* Who has which partition, as two processes say it through a journal in memory that is stepped by hand. */
#include "serve/task_board.h"

#include <stdio.h>
#include <string.h>

#include "base/metrics.h"
#include "base/test.h"
#include "world/world.h"

#define PARTITIONS 2

static struct world world;
static int64_t now_ms;
static struct error err;
static struct journal *journal;
static struct role journal_role;
static struct metrics *metrics;
static struct task_board *board;

static int64_t wall_us(struct world *self)
{
    (void)self;
    return (1700000000000 + now_ms) * 1000;
}

static int64_t mono_us(struct world *self)
{
    (void)self;
    return now_ms * 1000;
}

static int setup(void **state)
{
    (void)state;
    world = *world_real();
    world.wall_us = wall_us;
    world.mono_us = mono_us;
    now_ms = 1000000;
    metrics = metrics_new(1000);
    const struct journal_options options = { .partitions = PARTITIONS, .queue_bytes_max = 1 << 20 };
    assert_int_equal(journal_memory.open(&options, &world, NULL, &journal, &err), OK);
    assert_int_equal(journal_memory.roles(journal, &journal_role), 1);
    board = task_board_new(journal, metrics, &world);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    task_board_free(board);
    journal_memory.close(journal);
    metrics_free(metrics);
    return 0;
}

static void on_done(struct journal_commit *commit, enum status status, const char *reason)
{
    (void)reason;
    assert_int_equal(status, OK);
    *(bool *)commit->context = true;
}

static void put(uint16_t partition, struct slice bytes)
{
    AUTO(buf) struct buf record;
    bool done = false;
    int64_t wake_us = WAKE_NEVER;
    const uint32_t n = (uint32_t)bytes.n;
    buf_init(&record, 1 << 20);
    buf_add(&record, &n, sizeof n);
    buf_add_slice(&record, bytes);
    struct journal_chunk chunk = {
        .topic = TOPIC_TASKS, .partition = partition, .records = 1, .bytes = buf_slice(&record)
    };
    struct journal_commit commit = { .chunks = &chunk, .chunk_count = 1, .done = on_done, .context = &done };
    assert_int_equal(journal_submit(journal, &commit, &err), OK);
    while (!done)
        journal_role.step(journal_role.self, &world, &wake_us);
}

static void say(const char *instance, uint16_t partition, uint64_t generation, enum task_state state)
{
    AUTO(buf) struct buf record;
    const struct task_status status = { .partition = partition,
                                        .state = state,
                                        .instance = slice_from(instance),
                                        .generation = generation,
                                        .since_ms = (int64_t)generation,
                                        .at_ms = world_wall_ms(&world) };
    buf_init(&record, TASK_STATUS_BYTES_MAX);
    task_status_encode(&status, &record);
    put(partition, buf_slice(&record));
}

static const struct task_view *look(void)
{
    struct role role = task_board_role(board);
    int64_t wake_us = WAKE_NEVER;
    now_ms += 200; /* views are not made more often than every 100 ms */
    while (role.step(role.self, &world, &wake_us))
        ;
    return task_board_view(board);
}

/* "": nobody has it. */
static const char *owner(uint16_t partition)
{
    static char name[64];
    const struct task_view *view = look();
    const struct task_entry *entry = &view->entries[partition];
    bool owned = task_entry_is_owned(entry, world_mono_us(&world));
    snprintf(name, sizeof name, "%.*s", owned ? (int)entry->status.instance.n : 0, entry->status.instance.p);
    return name;
}

static double metric(const char *name, const char *labels)
{
    double value = -1;
    assert_true(metrics_read(metrics, name, labels, &value));
    return value;
}

static void test_each_partition_has_who_said_so(void **state)
{
    (void)state;
    assert_null(task_board_view(board));
    assert_string_equal(owner(0), "");
    say("weir-a", 0, 1, TASK_RUNNING);
    say("weir-b", 1, 2, TASK_RESTORING);
    assert_string_equal(owner(0), "weir-a");
    assert_string_equal(owner(1), "weir-b");
    now_ms += 1000;
    assert_string_equal(owner(1), "weir-b");
    assert_true(metric("process_partitions_unowned", "") == 0);
}

static void test_who_is_silent_or_has_left_has_it_no_more(void **state)
{
    (void)state;
    say("weir-a", 0, 1, TASK_RUNNING);
    say("weir-b", 1, 2, TASK_RUNNING);
    assert_string_equal(owner(0), "weir-a");
    say("weir-b", 1, 2, TASK_LEFT);
    assert_string_equal(owner(1), "");
    now_ms += TASK_STATUS_SILENT_US / 1000 - 1000;
    assert_string_equal(owner(0), "weir-a");
    now_ms += 1000;
    assert_string_equal(owner(0), "");
    assert_true(slice_equal(look()->entries[0].status.instance, SLICE("weir-a"))); /* it is said who had it */
    assert_true(metric("process_partitions_unowned", "") == 2);
}

static void test_a_zombie_does_not_take_it_back(void **state)
{
    (void)state;
    assert_string_equal(owner(0), ""); /* what comes from here on is new */
    say("weir-zombie", 0, 5, TASK_RUNNING);
    assert_string_equal(owner(0), "weir-zombie");
    say("weir-new", 0, 9, TASK_RESTORING);
    say("weir-zombie", 0, 5, TASK_RUNNING);
    assert_string_equal(owner(0), "weir-new");
    say("weir-zombie", 0, 5, TASK_LEFT);
    assert_string_equal(owner(0), "weir-new");
    say("weir-new", 0, 9, TASK_LEFT);
    say("weir-zombie", 0, 5, TASK_RUNNING);
    assert_string_equal(owner(0), "");
    say("weir-zombie", 0, 12, TASK_RUNNING); /* it has joined again, and is the owner now */
    assert_string_equal(owner(0), "weir-zombie");
    assert_true(metric("task_reports_refused_total", "reason=\"outdated\"") == 3);
}

/* The topic was made anew, and its numbers begin at 0. */
static void test_a_smaller_number_counts_once_the_greater_one_is_silent(void **state)
{
    (void)state;
    assert_string_equal(owner(0), "");
    say("weir-a", 0, 900, TASK_RUNNING);
    assert_string_equal(owner(0), "weir-a");
    now_ms += TASK_STATUS_SILENT_US / 1000 + 1;
    say("weir-b", 0, 3, TASK_RUNNING);
    assert_string_equal(owner(0), "weir-b");
}

static void test_what_was_said_before_the_start_is_as_old_as_it_says(void **state)
{
    (void)state;
    say("weir-a", 0, 1, TASK_RUNNING);
    say("weir-b", 1, 2, TASK_RUNNING);
    now_ms += TASK_STATUS_SILENT_US / 1000 + 1;
    say("weir-b", 1, 2, TASK_RUNNING);
    assert_string_equal(owner(0), "");
    assert_string_equal(owner(1), "weir-b");
    assert_true(slice_equal(look()->entries[0].status.instance, SLICE("weir-a")));
}

static void test_records_that_are_none_are_counted_and_change_nothing(void **state)
{
    (void)state;
    static char huge[TASK_STATUS_BYTES_MAX + 1];
    say("weir-a", 0, 1, TASK_RUNNING);
    put(0, SLICE("nonsense"));
    put(1, slice_of(huge, sizeof huge));
    assert_string_equal(owner(0), "weir-a");
    assert_true(metric("task_reports_refused_total", "reason=\"malformed\"") == 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_each_partition_has_who_said_so),
        TEST(test_who_is_silent_or_has_left_has_it_no_more),
        TEST(test_a_zombie_does_not_take_it_back),
        TEST(test_a_smaller_number_counts_once_the_greater_one_is_silent),
        TEST(test_what_was_said_before_the_start_is_as_old_as_it_says),
        TEST(test_records_that_are_none_are_counted_and_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
