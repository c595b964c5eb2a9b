/* The file journal on a disk that loses, tears and reorders what was not synced, against a model of what it promised.
 *
 *   no acknowledged commit is lost, none is seen twice, none is seen in part, all in the order of their submission;
 *   what was refused (ERR_FULL) is never seen; what failed (ERR_IO) is not seen after a later success;
 *   what was unknown when the process died is there or not after the next open, and stays so for ever;
 *   offsets have no gaps, marks are those of the last commit that is there, retention keeps what marks need;
 *   damaged bytes are reported, never served, and never silently cut off.
 *
 * Three kinds of run: random lives (seeded), a fixed scenario with the power cut before and after every step that
 * changes the disk, and bit rot. `SEED=n` repeats one random run, `SEEDS=n` runs n of them; seeds that once failed are
 * in seeds.txt.
 *
 * That it finds bugs was tried by planting some in a copy of the journal, one at a time. Found within 450 seeds each:
 * done(OK) before the flush; a commit's marks in a frame before its records; recovery without the chain's two checks; a
 * failed flush tried again and trusted; recovery that does not write again what it can't prove durable; offsets not
 * taken back after a failure; ERR_FULL without scrubbing; a spare used before its name is durable; chunks' checksums
 * not looked at by recovery; retention that ignores marks; a group written without the front of its first block; memory
 * of the log's end used after it was overwritten. It also found real ones: see seeds.txt. */
#include <stdio.h>

#include "base/log.h"
#include "base/test.h"
#include "test/support/journal_run.h"
#include "test/support/seeds.h"

/* ---- lives ---- */

/* Also when the power goes again while the journal recovers. */
static void begin_life(void)
{
    struct disk_sim_plan *plan = disk_sim_plan(run->disk), calm = { .sync_us = 100 };
    run->lives++;
    *plan = calm;
    for (int tries = 0;; tries++) {
        if (tries < 3 && run_roll(3) == 0) {
            plan->cut_at = disk_sim_steps(run->disk) + 1 + run_roll(6);
            plan->cut_after = run_roll(2);
        }
        if (tries < 3 && run_roll(6) == 0)
            plan->fail_sync_in = plan->fail_name_in = 2;
        if (run_open())
            break;
        run_check(tries < 3, "can't be opened on a healthy disk");
        if (disk_sim_is_off(run->disk))
            disk_sim_restart(run->disk);
        *plan = calm;
    }
    *plan = calm;
    run_settle();
    run_follower_open(&run->followers[0], UINT32_MAX, JOURNAL_ALL_PARTITIONS);
    run_follower_open(&run->followers[1], TOPIC_BIT(TOPIC_ENRICHED), (uint16_t)run_roll(RUN_PARTITIONS));
}

static uint64_t smallest_mark(void)
{
    uint64_t smallest = UINT64_MAX;
    for (uint16_t group = 0; group < RUN_GROUPS; group++) {
        for (uint16_t partition = 0; partition < RUN_PARTITIONS; partition++) {
            struct journal_mark mark;
            char name[32], note[JOURNAL_NOTE_MAX];
            snprintf(name, sizeof name, "group-%u", group);
            if (run->journal->backend->mark(run->journal, name, partition, &mark, note) == OK)
                smallest = mark.position < smallest ? mark.position : smallest;
        }
    }
    return smallest;
}

static void step(size_t role)
{
    int64_t wake_us = WAKE_NEVER;
    struct journal_status before, after;
    run->journal->backend->status(run->journal, &before);
    (void)run->roles[role].step(run->roles[role].self, &run->world.world, &wake_us);
    run->journal->backend->status(run->journal, &after);
    run_check(after.begin_position == before.begin_position || after.begin_position <= smallest_mark(),
              "retention deleted what a mark needs");
}

static void end_life(bool clean)
{
    for (size_t i = 0; i < COUNT_OF(run->followers); i++)
        run_follower_close(&run->followers[i]);
    if (clean) {
        run->journal->backend->drain(run->journal);
        int64_t wake_us;
        while (run->roles[0].step(run->roles[0].self, &run->world.world, &wake_us))
            ;
    }
    run->journal->backend->close(run->journal);
    run->journal = NULL;
    if (disk_sim_is_off(run->disk))
        disk_sim_restart(run->disk);
}

static void make_trouble(void)
{
    struct disk_sim_plan *plan = disk_sim_plan(run->disk);
    uint64_t kind = run_roll(10);
    if (kind == 0)
        plan->fail_sync_in = 1 + run_roll(6);
    else if (kind == 1)
        plan->fail_write_in = 1 + run_roll(6);
    else if (kind == 2)
        plan->fail_name_in = 1 + run_roll(4);
    else if (kind == 3)
        plan->write_full = true;
    else if (kind == 4)
        plan->capacity_bytes = RUN_SEGMENT * (1 + run_roll(6));
    else if (kind == 5)
        world_sim_jump(&run->world, (int64_t)run_roll(1000000000) * 10000 - 5000000000000);
    else
        *plan = (struct disk_sim_plan){ .sync_us = 100, .cut_at = plan->cut_at, .cut_after = plan->cut_after };
}

static void live(uint64_t actions)
{
    for (uint64_t i = 0; i < actions && !disk_sim_is_off(run->disk); i++) {
        uint64_t kind = run_roll(20);
        if (kind < 8)
            run_submit();
        else if (kind < 14)
            step(0);
        else if (kind < 16)
            step(1);
        else if (kind < 18)
            run_follower_read(&run->followers[run_roll(2)], 1 + run_roll(6000));
        else if (kind < 19)
            world_sim_advance(&run->world, (int64_t)run_roll(600000));
        else if (run_roll(4) == 0)
            make_trouble();
    }
}

static struct run the_run;
static uint64_t total_lives, total_acked, total_lost, total_refused;

static void run_random(uint64_t seed)
{
    run_begin(&the_run, seed);
    run->options.commit_bytes_max = (uint32_t)(run_roll(3) ? 0 : 1 + run_roll(5000));
    run->options.retention_bytes = run_roll(3) ? 0 : RUN_SEGMENT * (2 + run_roll(4));
    run->options.total_bytes_max = run_roll(3) ? 0 : RUN_SEGMENT * (6 + run_roll(6));
    run->options.disk_reserve_bytes = run_roll(3) ? 0 : RUN_SEGMENT * run_roll(3);
    run->uniform = run_roll(4) == 0;
    uint64_t lives = 2 + run_roll(run->uniform ? 20 : 5);
    for (uint64_t i = 0; i < lives; i++) {
        begin_life();
        if (run_roll(2)) {
            disk_sim_plan(run->disk)->cut_at = disk_sim_steps(run->disk) + 1 + run_roll(run->uniform ? 12 : 120);
            disk_sim_plan(run->disk)->cut_after = run_roll(2);
        }
        /* Short ones too: few new frames over many stale ones. */
        live(run->uniform ? 5 + run_roll(30) : 20 + run_roll(250));
        uint64_t end = run_roll(4);
        if (end == 0)
            disk_sim_power_cut(run->disk);
        else if (end == 1 && !disk_sim_is_off(run->disk))
            disk_sim_kill(run->disk);
        end_life(end == 2 && !disk_sim_is_off(run->disk));
    }
    begin_life();
    end_life(true);
    total_lives += run->lives;
    total_acked += run->acked;
    total_lost += run->unknown_lost;
    total_refused += run->refused;
    run_end();
}

static void test_random_lives_keep_every_promise(void **state)
{
    (void)state;
    uint64_t count = seeds_run("journal", 1, 200, run_random);
    print_message("%llu runs, %llu lives, %llu acknowledged, %llu refused, %llu lost before they were acknowledged\n",
                  (unsigned long long)count, (unsigned long long)total_lives, (unsigned long long)total_acked,
                  (unsigned long long)total_refused, (unsigned long long)total_lost);
    assert_true(count < 100 || (total_acked > count * 20 && total_lost > count / 4));
}

/* Several segments, recycling, a clean stop and a second life; stops when the power goes. */
static void scenario(void)
{
    for (int lives = 0; lives < 2; lives++) {
        if (!run_open())
            return;
        run_settle();
        for (int i = 0; i < 40 && !disk_sim_is_off(run->disk); i++) {
            run_submit();
            run_submit();
            run_submit();
            step(0);
            step(1);
        }
        for (int i = 0; i < 4; i++)
            step(1);
        if (disk_sim_is_off(run->disk))
            return;
        run->journal->backend->drain(run->journal);
        int64_t wake_us;
        while (run->roles[0].step(run->roles[0].self, &run->world.world, &wake_us))
            ;
        run->journal->backend->close(run->journal);
        run->journal = NULL;
    }
}

static void run_cut_at(uint64_t step_number, bool after, uint64_t dice)
{
    run_begin(&the_run, 1000000 + dice);
    dice_init(run->dice, 77); /* the scenario is the same each time, what survives is not */
    run->options.retention_bytes = 3 * RUN_SEGMENT;
    disk_sim_plan(run->disk)->cut_at = step_number;
    disk_sim_plan(run->disk)->cut_after = after;
    run->lives = step_number;
    scenario();
    if (run->journal)
        run->journal->backend->close(run->journal);
    run->journal = NULL;
    if (disk_sim_is_off(run->disk))
        disk_sim_restart(run->disk);
    *disk_sim_plan(run->disk) = (struct disk_sim_plan){ 0 };
    for (int i = 0; i < 2; i++) { /* what recovery found is there the next time too */
        run_check(run_open(), "can't be opened after a power cut");
        run_settle();
        for (int c = 0; c < 5; c++)
            run_submit();
        step(0);
        disk_sim_power_cut(run->disk);
        run->journal->backend->close(run->journal);
        run->journal = NULL;
        disk_sim_restart(run->disk);
    }
    run_end();
}

static void test_power_may_go_at_every_step(void **state)
{
    (void)state;
    run_begin(&the_run, 1000000);
    dice_init(run->dice, 77);
    run->options.retention_bytes = 3 * RUN_SEGMENT;
    scenario();
    uint64_t steps = disk_sim_steps(run->disk);
    run_end();
    assert_true(steps > 100);
    for (uint64_t step_number = 1; step_number <= steps; step_number++) {
        run_cut_at(step_number, false, step_number);
        run_cut_at(step_number, true, step_number);
    }
    print_message("%llu steps, the power cut before and after each\n", (unsigned long long)steps);
}

static void pick_file(void *self, const char *name)
{
    char *out = self;
    if (strlen(name) == 24 && (out[0] == 0 || run_roll(2)))
        snprintf(out, DISK_PATH_MAX, RUN_DIR "/%s", name);
}

/* True when the damage was reported; everything that is served is checked on the way. */
static bool damage_is_reported(void)
{
    struct error err = { OK, "" };
    enum status s = journal_file.open(&run->options, &run->world.world, NULL, &run->journal, &err);
    if (s != OK) {
        run_check(s == ERR_CORRUPT && strstr(err.text, "restore"), "open after damage: %s", err.text);
        run->journal = NULL;
        return true;
    }
    journal_file.roles(run->journal, run->roles);
    struct follower all;
    run_follower_open(&all, UINT32_MAX, JOURNAL_ALL_PARTITIONS);
    struct journal_batch batch;
    do {
        s = journal_read(all.reader, 1 + run_roll(20000), &batch, &err);
        run_check(s == OK || s == ERR_CORRUPT, "read after damage: %s", err.text);
        if (s == OK)
            run_follower_check_batch(&all, &batch);
    } while (s == OK && batch.chunk_count);
    if (s == OK)
        run_follower_check_skipped(&all, all.last_id + 1, run->sent + 1);
    run_follower_close(&all);
    return s != OK;
}

static void test_damaged_bytes_are_reported_and_never_served(void **state)
{
    (void)state;
    uint64_t reported = 0, runs = 300;
    for (uint64_t seed = 1; seed <= runs; seed++) {
        run_begin(&the_run, 2000000 + seed);
        run_check(run_open(), "open");
        for (uint64_t i = 0, n = 20 + run_roll(60); i < n; i++) {
            run_submit();
            if (run_roll(2))
                step(0);
        }
        end_life(true);
        char path[DISK_PATH_MAX] = "";
        struct disk *disk = disk_sim_disk(run->disk);
        run_check(disk->ops->list(disk, RUN_DIR, pick_file, path, NULL) == OK, "list");
        run_check(disk_sim_rot(run->disk, path, run_roll(RUN_SEGMENT), (unsigned)run_roll(8)), "rot in %s", path);
        reported += damage_is_reported();
        if (run->journal)
            end_life(false);
        run_end();
    }
    print_message("%llu flipped bits, %llu reported, the others in unused bytes\n", (unsigned long long)runs,
                  (unsigned long long)reported);
    assert_true(reported > runs / 4);
}

int main(void)
{
    log_set_level((enum log_level)(LOG_ERROR + 1));
    seeds_choose_tests();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_power_may_go_at_every_step),
        cmocka_unit_test(test_random_lives_keep_every_promise),
        cmocka_unit_test(test_damaged_bytes_are_reported_and_never_served),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
