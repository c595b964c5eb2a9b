/* What dedup.h promises of the set itself: known stays known, across generations and files, until the horizon; bounds
 * are kept and told. Crashes are in test/sim/process_crash_test.c. */
#include "process/state/dedup.h"

#include <stdlib.h>

#include "base/test.h"
#include "process/process_output.h"
#include "world/disk.h"
#include "world/disk_sim.h"
#include "world/world_sim.h"

#define DAY_MS (24 * 3600 * 1000LL)
#define BATCH 256

static struct world_sim sim;
static struct disk_sim *disk;
static struct dedup *dedup;
static struct process_outputs outputs;
static uint64_t offset;

static struct id128 id_of(uint64_t number)
{
    uint64_t dice[2];
    dice_init(dice, number);
    return (struct id128){ dice_roll(dice), dice_roll(dice) };
}

static void make(uint64_t memory_bytes, uint64_t disk_bytes)
{
    struct dedup_options options = {
        .path = "/d", .memory_bytes_max = memory_bytes, .disk_bytes_max = disk_bytes, .horizon_ms = 7 * DAY_MS
    };
    dedup_free(dedup);
    dedup = dedup_new(&options, &sim.world);
}

static int setup(void **state)
{
    (void)state;
    disk = disk_sim_new(1, &sim);
    world_sim_init(&sim, 1, disk_sim_disk(disk));
    offset = 0;
    make(64u << 10, 1u << 30);
    return sim.world.disk->ops->make_dir(sim.world.disk, "/d", NULL);
}

static int teardown(void **state)
{
    (void)state;
    dedup_free(dedup);
    dedup = NULL;
    process_outputs_done(&outputs);
    disk_sim_free(disk);
    return 0;
}

/* Collects, and calls the changes durable, as after a commit. */
static void commit(void)
{
    struct state *set = dedup_state(dedup);
    struct process_stream *stream = process_outputs_stream(&outputs, TOPIC_CHANGELOG, 0);
    assert_int_equal(set->ops->collect(set, stream, NULL), OK);
    struct slice rest = buf_slice(&stream->bytes), record;
    while (journal_next_record(&rest, &record))
        set->ops->durable(set, record, offset++);
    process_outputs_reset(&outputs);
}

static void maintain(void)
{
    struct state *set = dedup_state(dedup);
    bool more = true;
    while (more)
        assert_int_equal(set->ops->maintain(set, &more, NULL), OK);
}

/* How many of the ids were known. */
static unsigned check(uint64_t first, uint64_t count)
{
    struct state *set = dedup_state(dedup);
    unsigned known_count = 0;
    for (uint64_t at = first; at < first + count; at += BATCH) {
        struct id128 ids[BATCH];
        bool known[BATCH];
        size_t n = first + count - at < BATCH ? (size_t)(first + count - at) : BATCH;
        for (size_t i = 0; i < n; i++)
            ids[i] = id_of(at + i);
        assert_int_equal(set->ops->prepare(set, BATCH, NULL), OK);
        assert_int_equal(dedup_check(dedup, ids, n, known, NULL), OK);
        for (size_t i = 0; i < n; i++)
            known_count += known[i];
        commit();
        maintain();
    }
    return known_count;
}

static void pass(int64_t ms)
{
    world_sim_advance(&sim, ms * 1000);
    maintain();
}

static void test_a_repeat_is_known_in_its_batch_its_generation_and_in_sealed_ones(void **state)
{
    (void)state;
    make(256u << 10, 1u << 30);
    struct state *set = dedup_state(dedup);
    struct id128 twice[2] = { id_of(1), id_of(1) };
    bool known[2];
    assert_int_equal(set->ops->prepare(set, 2, NULL), OK);
    assert_int_equal(dedup_check(dedup, twice, 2, known, NULL), OK);
    assert_false(known[0]);
    assert_true(known[1]);
    assert_int_equal(dedup_ids(dedup), 1);
    commit();
    assert_int_equal(check(2, 9999), 0);
    assert_int_equal(check(1, 10000), 10000);
    assert_int_equal(check(10001, 20000), 0); /* no false alarm is taken for the truth */
    assert_int_equal(dedup_ids(dedup), 30000);
}

static void test_ids_are_remembered_for_the_horizon_and_forgotten_behind_it(void **state)
{
    (void)state;
    assert_int_equal(check(0, 1000), 0);
    for (int day = 0; day < 6; day++) {
        pass(DAY_MS);
        assert_int_equal(check(10000 + 1000 * (unsigned)day, 1000), 0);
    }
    assert_int_equal(check(0, 1000), 1000);
    pass(2 * DAY_MS);
    struct buf section;
    buf_init(&section, 1u << 20);
    assert_int_equal(check(20000, 1000), 0);
    assert_int_equal(dedup_state(dedup)->ops->checkpoint(dedup_state(dedup), &section, NULL), OK);
    buf_done(&section);
    assert_int_equal(check(0, 700), 0); /* 768 is a full generation: these were in the one that went */
    assert_int_equal(dedup_horizon_ms(dedup), 7 * DAY_MS);
    assert_int_equal(dedup_dropped_early(dedup), 0);
}

static void test_a_jump_of_the_wall_clock_forgets_nothing(void **state)
{
    (void)state;
    assert_int_equal(check(0, 5000), 0);
    world_sim_jump(&sim, 400 * DAY_MS * 1000);
    assert_int_equal(check(0, 5000), 5000);
    world_sim_jump(&sim, -800 * DAY_MS * 1000);
    assert_int_equal(check(0, 5000), 5000);
}

static void test_a_bound_of_memory_drops_the_oldest_and_says_so(void **state)
{
    (void)state;
    for (unsigned hour = 0; hour < 60; hour++) {
        assert_int_equal(check(hour * 1000, 1000), 0);
        pass(DAY_MS / 24);
    }
    assert_true(dedup_dropped_early(dedup) > 0);
    assert_true(dedup_horizon_ms(dedup) < 7 * DAY_MS);
    assert_true(dedup_state(dedup)->ops->memory_bytes(dedup_state(dedup)) < 400u << 10);
    assert_int_equal(check(50000, 10000), 10000); /* what is within the horizon that it tells is known */
    pass(8 * DAY_MS);
    assert_int_equal(dedup_horizon_ms(dedup), 7 * DAY_MS);
}

static void test_a_bound_of_disk_drops_the_oldest_and_says_so(void **state)
{
    (void)state;
    make(1u << 20, 300u << 10);
    assert_int_equal(check(0, 60000), 0);
    assert_true(dedup_dropped_early(dedup) > 0);
    assert_true(dedup_state(dedup)->ops->disk_bytes(dedup_state(dedup)) < 900u << 10);
}

static void test_a_rotten_page_is_an_error_and_no_answer(void **state)
{
    (void)state;
    assert_int_equal(check(0, 3000), 0);
    for (uint64_t at = 4096; at < 5 * 4096; at += 64)
        if (!disk_sim_rot(disk, "/d/dedup-0000000001.ids", at, 3))
            break;
    struct state *set = dedup_state(dedup);
    unsigned corrupt = 0;
    for (uint64_t i = 0; i < 700; i++) {
        struct id128 id = id_of(i);
        bool known;
        assert_int_equal(set->ops->prepare(set, 1, NULL), OK);
        enum status s = dedup_check(dedup, &id, 1, &known, NULL);
        assert_true(s == ERR_CORRUPT || (s == OK && known));
        corrupt += s == ERR_CORRUPT;
    }
    assert_true(corrupt > 0);
}

static void test_a_full_disk_stops_taking_ids_and_loses_none(void **state)
{
    (void)state;
    struct state *set = dedup_state(dedup);
    assert_int_equal(check(0, 3000), 0);
    disk_sim_plan(disk)->fail_write_in = 1;
    unsigned taken = 0;
    for (; taken < 10000; taken++) {
        struct id128 id = id_of(5000 + taken);
        bool known, more;
        if (set->ops->prepare(set, 1, NULL) != OK)
            break;
        assert_int_equal(dedup_check(dedup, &id, 1, &known, NULL), OK);
        assert_false(known);
        commit();
        enum status s = set->ops->maintain(set, &more, NULL);
        assert_true(s == OK || s == ERR_IO);
    }
    assert_true(taken > 500 && taken < 10000); /* two tables are the bound */
    disk_sim_plan(disk)->fail_write_in = 0;
    maintain();
    assert_int_equal(check(0, 3000), 3000);
    assert_int_equal(check(5000, taken), taken);
}

static void test_a_checkpoint_is_restored_to_the_same_set(void **state)
{
    (void)state;
    struct state *set = dedup_state(dedup);
    struct buf section;
    buf_init(&section, 1u << 20);
    assert_int_equal(check(0, 5000), 0);
    assert_int_equal(set->ops->checkpoint(set, &section, NULL), OK);
    assert_int_equal(check(5000, 400), 0); /* behind the checkpoint: not part of it */
    make(64u << 10, 1u << 30);
    set = dedup_state(dedup);
    assert_int_equal(set->ops->restore(set, buf_slice(&section), NULL), OK);
    assert_int_equal(dedup_ids(dedup), 5000);
    assert_int_equal(check(0, 5000), 5000);
    assert_int_equal(check(5000, 400), 0);
    buf_done(&section);
}

static void test_a_damaged_log_is_not_restored(void **state)
{
    (void)state;
    struct state *set = dedup_state(dedup);
    struct buf section;
    buf_init(&section, 1u << 20);
    assert_int_equal(check(0, 300), 0);
    assert_int_equal(set->ops->checkpoint(set, &section, NULL), OK);
    assert_true(disk_sim_rot(disk, "/d/dedup-0000000001.log", 1000, 0));
    set->ops->empty(set);
    assert_int_equal(set->ops->restore(set, buf_slice(&section), NULL), ERR_CORRUPT);
    for (size_t n = 0; n < section.n; n++) {
        set->ops->empty(set);
        assert_int_not_equal(set->ops->restore(set, slice_of(section.p, n), NULL), OK);
    }
    buf_done(&section);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_repeat_is_known_in_its_batch_its_generation_and_in_sealed_ones, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_ids_are_remembered_for_the_horizon_and_forgotten_behind_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_jump_of_the_wall_clock_forgets_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_bound_of_memory_drops_the_oldest_and_says_so, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_bound_of_disk_drops_the_oldest_and_says_so, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_rotten_page_is_an_error_and_no_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_full_disk_stops_taking_ids_and_loses_none, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_checkpoint_is_restored_to_the_same_set, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_damaged_log_is_not_restored, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
