/* Keyed state against a plain table (test/support/keyed_story.h), with memory so small that rows leave and come back
 * all the time; ended by power cuts, kills and trouble with the disk at any step, and by rot. After each recovery the
 * state is exactly that of the last durable commit, read row by row and by walking.
 *
 * A failure prints SEED= (and CUT=); `SEED=3 CUT=55 build-debug/test_sim_keyed_crash_test_c` repeats it. SEEDS=2000
 * runs that many. */
#include <stdio.h>
#include <stdlib.h>

#include "base/test.h"
#include "test/support/keyed_story.h"
#include "test/support/seeds.h"

static uint64_t only_seed, only_cut;

static struct story *begin_small(uint64_t seed)
{
    struct story *story = story_new(seed);
    story_down(story);
    story->memory_bytes_max = STORY_SMALL_BYTES;
    story_up(story);
    story_restore(story);
    return story;
}

static void run_with_cut(uint64_t seed, uint64_t cut_at, bool cut_after)
{
    struct story *story = begin_small(seed);
    disk_sim_plan(story->disk)->cut_at = cut_at;
    disk_sim_plan(story->disk)->cut_after = cut_after;
    (void)story_play(story, 300);
    story_crash(story, true);
    assert_true(story_expect_all(story));
    assert_true(story_play(story, 60));
    story_crash(story, true);
    assert_true(story_expect_all(story));
    story_free(story);
}

static uint64_t steps_of(uint64_t seed)
{
    struct story *story = begin_small(seed);
    assert_true(story_play(story, 300));
    uint64_t steps = disk_sim_steps(story->disk);
    struct keyed_usage usage;
    keyed_usage(story->keyed, &usage);
    assert_true(usage.evictions > 100 && usage.base_reads > 100 && story->checkpoints > 3);
    story_free(story);
    return steps;
}

static void test_a_power_cut_before_or_after_any_disk_step_leaves_the_last_commit(void **state)
{
    (void)state;
    uint64_t seed = only_seed ? only_seed : 1, steps = steps_of(seed);
    assert_true(steps > 100);
    for (uint64_t cut = only_cut ? only_cut : 1; cut <= steps; cut++)
        for (int after = 0; after < 2; after++) {
            if (cut % 50 == 1 || only_cut)
                print_message("SEED=%lu CUT=%lu of %lu\n", (unsigned long)seed, (unsigned long)cut,
                              (unsigned long)steps);
            run_with_cut(seed, cut, after);
            if (only_cut && after)
                return;
        }
}

static void run_lives(uint64_t seed)
{
    struct story *story = story_new(seed);
    story_restore(story);
    for (int life = 0; life < 8; life++) {
        struct disk_sim_plan *plan = disk_sim_plan(story->disk);
        bool well = story_play(story, 20 + story_roll(story, 100));
        if (story_roll(story, 3) == 0)
            plan->cut_at = disk_sim_steps(story->disk) + 1 + story_roll(story, 80);
        if (story_roll(story, 3) == 0)
            plan->fail_sync_in = 1 + story_roll(story, 6);
        if (story_roll(story, 3) == 0)
            plan->fail_write_in = 1 + story_roll(story, 20);
        if (story_roll(story, 3) == 0)
            plan->fail_name_in = 1 + story_roll(story, 6);
        plan->write_full = story_roll(story, 4) == 0;
        if (well)
            (void)story_play(story, 20 + story_roll(story, 100));
        story_crash(story, story_roll(story, 2));
        if (story_roll(story, 3)) /* else it dies again before anything was looked at */
            assert_true(story_expect_all(story));
    }
    story_free(story);
}

static void test_lives_that_end_badly_leave_the_last_commit(void **state)
{
    (void)state;
    (void)seeds_run("keyed", 100, 60, run_lives);
}

/* The drop may never become durable: then its rows, which the hand passed over, are missing behind the checkpoint. */
static void test_a_checkpoint_waits_for_a_drop_that_is_not_durable(void **state)
{
    (void)state;
    for (int durable = 0; durable < 2; durable++) {
        struct story *story = story_new(900);
        story_restore(story);
        while (story->now.panes[0].rows < 20)
            assert_true(story_change_rows(story));
        story_collect(story);
        story_make_durable(story);
        story_drop_pane(story, 0);
        for (int i = 0; i < 50; i++)
            story_checkpoint(story);
        assert_int_equal(story->checkpoints, 0);
        if (durable) {
            story_collect(story);
            story_make_durable(story);
            for (int i = 0; i < 50 && story->checkpoints == 0; i++)
                story_checkpoint(story);
            assert_int_equal(story->checkpoints, 1);
        }
        story_crash(story, true);
        assert_true(story_expect_all(story));
        story_free(story);
    }
}

/* ---- rot ---- */

static unsigned rot(struct story *story, const char *file, unsigned bits)
{
    unsigned rotten = 0;
    char path[64];
    snprintf(path, sizeof path, "%s/%s", STORY_PATH, file);
    for (unsigned i = 0; i < bits; i++)
        rotten += disk_sim_rot(story->disk, path, story_roll(story, 60000), story_roll(story, 8));
    return rotten;
}

/* With the whole changelog there, every damage costs time only: at the start, or when a row is read. */
static void test_rot_in_the_map_is_found_and_mended_from_the_changelog(void **state)
{
    (void)state;
    unsigned rotten = 0, later = 0;
    uint64_t fallbacks = 0;
    for (uint64_t seed = 500; seed < 540; seed++) {
        struct story *story = story_new(seed);
        story->keep_all = true;
        story_restore(story);
        assert_true(story_play(story, 250));
        bool live = seed % 2; /* while it runs, or while it is off */
        if (!live)
            disk_sim_kill(story->disk);
        rotten += rot(story, story_roll(story, 4) ? "kv/map.log" : "manifest.0", 40);
        if (!live) {
            story_down(story);
            story_power_back(story);
        }
        if (!story_expect_all(story)) { /* the task fails, and begins anew */
            later++;
            story_crash(story, false);
        }
        assert_true(story_expect_all(story));
        assert_true(story_play(story, 50) || story->why);
        story_crash(story, true);
        assert_true(story_expect_all(story));
        fallbacks += story->fallbacks;
        story_free(story);
    }
    print_message("%u bits rotten, %lu replays of everything, %u found by a read\n", rotten, (unsigned long)fallbacks,
                  later);
    assert_true(rotten > 100 && fallbacks > 40 && later > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lives_that_end_badly_leave_the_last_commit),
        cmocka_unit_test(test_a_power_cut_before_or_after_any_disk_step_leaves_the_last_commit),
        cmocka_unit_test(test_a_checkpoint_waits_for_a_drop_that_is_not_durable),
        cmocka_unit_test(test_rot_in_the_map_is_found_and_mended_from_the_changelog),
    };
    only_seed = seeds_number("SEED", 0);
    only_cut = seeds_number("CUT", 0);
    seeds_choose_tests();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
