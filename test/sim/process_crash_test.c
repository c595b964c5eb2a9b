/* The power is cut, the process killed, the disk refuses and fills up: afterwards every accepted id is in the enriched
 * topic exactly once, whatever was sent again. Journal and state share one simulated disk. The generations are tiny
 * (some hundred ids), checkpoints frequent, so that every cut falls somewhere else in sealing, logging, manifests.
 *
 * A failure prints SEED=… CUT=…; run this program with both as arguments to repeat it alone. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/test.h"
#include "test/support/process_rig.h"

#define IDS 4000
#define SEND_MAX 300

static uint64_t only_seed, only_cut;

struct story {
    struct rig rig;
    uint64_t dice[2];
    bool accepted[IDS]; /* acknowledged by the journal at least once */
    uint8_t times[IDS];
    unsigned next;
};

static void begin(struct story *story, uint64_t seed)
{
    memset(story, 0, sizeof *story);
    dice_init(story->dice, seed);
    rig_init(&story->rig, seed, &journal_file);
    story->rig.options.dedup_memory_bytes_max = 64u << 10;
    story->rig.options.checkpoint_interval_ms = 50;
}

static bool send(struct story *story, unsigned first, unsigned count)
{
    if (first + count > IDS)
        count = IDS - first;
    if (rig_send(&story->rig, "acme", first, count) != OK)
        return false;
    for (unsigned i = first; i < first + count; i++)
        story->accepted[i] = true;
    return true;
}

/* New ids and repeats of old ones, with time passing, until all were sent or the machine is down. */
static void play(struct story *story, unsigned rounds)
{
    struct rig *rig = &story->rig;
    for (unsigned round = 0; round < rounds && !disk_sim_is_off(rig->disk); round++) {
        unsigned count = 1 + (unsigned)dice_below(story->dice, SEND_MAX);
        if (story->next < IDS && dice_below(story->dice, 4) != 0) {
            if (send(story, story->next, count))
                story->next += count < IDS - story->next ? count : IDS - story->next;
        } else if (story->next > 0) {
            (void)send(story, (unsigned)dice_below(story->dice, story->next), count);
        }
        if (dice_below(story->dice, 3) == 0)
            rig_run(rig, (int64_t)dice_below(story->dice, 40));
        else
            for (uint64_t i = dice_below(story->dice, 6); i > 0; i--)
                (void)rig_step(rig);
    }
}

static void expect_exactly_once(struct story *story, const char *when)
{
    rig_count(&story->rig, TOPIC_ENRICHED, story->times, IDS);
    for (unsigned i = 0; i < IDS; i++) {
        bool right = story->accepted[i] ? story->times[i] == 1 : story->times[i] <= 1;
        if (!right)
            print_message("%s: e%u (%s) is there %u times\n", when, i, story->accepted[i] ? "accepted" : "not accepted",
                          story->times[i]);
        assert_true(right);
    }
}

static void come_back(struct story *story)
{
    struct rig *rig = &story->rig;
    struct error err = { 0 };
    *disk_sim_plan(rig->disk) = (struct disk_sim_plan){ 0 };
    disk_sim_restart(rig->disk);
    if (rig_up(rig, &err) != OK)
        print_message("%s\n", err.text);
    assert_non_null(rig->task);
    rig_run(rig, 500);
    if (process_task_state(rig->task) != PROCESS_RUNNING)
        print_message("%s\n", process_task_error(rig->task));
    assert_int_equal(process_task_state(rig->task), PROCESS_RUNNING);
}

/* Everything is sent once more: nothing may come twice. */
static void finish(struct story *story)
{
    expect_exactly_once(story, "after recovery");
    for (unsigned i = 0; i < IDS; i += SEND_MAX)
        assert_true(send(story, i, SEND_MAX));
    rig_run(&story->rig, 500);
    expect_exactly_once(story, "after sending all again");
    rig_down(&story->rig);
    assert_int_equal(rig_up(&story->rig, NULL), OK);
    assert_true(send(story, 0, IDS));
    rig_run(&story->rig, 500);
    expect_exactly_once(story, "after an orderly restart");
    rig_done(&story->rig);
}

static void run_with_cut(uint64_t seed, uint64_t cut_at, bool cut_after)
{
    struct story *story = calloc(1, sizeof *story);
    begin(story, seed);
    disk_sim_plan(story->rig.disk)->cut_at = cut_at;
    disk_sim_plan(story->rig.disk)->cut_after = cut_after;
    if (rig_up(&story->rig, NULL) == OK)
        play(story, 40);
    if (story->rig.journal) {
        disk_sim_power_cut(story->rig.disk);
        rig_crash(&story->rig);
    } else {
        disk_sim_power_cut(story->rig.disk);
    }
    come_back(story);
    finish(story);
    free(story);
}

static uint64_t steps_of(uint64_t seed)
{
    struct story *story = calloc(1, sizeof *story);
    begin(story, seed);
    assert_int_equal(rig_up(&story->rig, NULL), OK);
    play(story, 40);
    uint64_t steps = disk_sim_steps(story->rig.disk);
    rig_done(&story->rig);
    free(story);
    return steps;
}

static void test_a_power_cut_before_or_after_any_disk_step_loses_and_doubles_nothing(void **state)
{
    (void)state;
    uint64_t seed = only_seed ? only_seed : 1, steps = steps_of(seed);
    assert_true(steps > 100);
    for (uint64_t cut = only_cut ? only_cut : 1; cut <= steps; cut += 1 + steps / 60) {
        print_message("SEED=%lu CUT=%lu of %lu\n", (unsigned long)seed, (unsigned long)cut, (unsigned long)steps);
        run_with_cut(seed, cut, cut % 2);
        if (only_cut)
            return;
    }
}

/* Several lives, each ended by the dice: power cut, kill, or trouble with the disk before it. */
static void run_lives(uint64_t seed)
{
    struct story *story = calloc(1, sizeof *story);
    begin(story, seed);
    struct rig *rig = &story->rig;
    for (int life = 0; life < 5; life++) {
        struct disk_sim_plan *plan = disk_sim_plan(rig->disk);
        if (dice_below(story->dice, 3) == 0)
            plan->cut_at = disk_sim_steps(rig->disk) + 1 + dice_below(story->dice, 150);
        if (!rig->journal && rig_up(rig, NULL) != OK) {
            come_back(story);
            continue;
        }
        play(story, 5 + (unsigned)dice_below(story->dice, 15));
        if (dice_below(story->dice, 3) == 0)
            plan->fail_sync_in = 1 + dice_below(story->dice, 30);
        if (dice_below(story->dice, 3) == 0)
            plan->fail_write_in = 1 + dice_below(story->dice, 30);
        play(story, 5 + (unsigned)dice_below(story->dice, 15));
        if (dice_below(story->dice, 2))
            disk_sim_power_cut(rig->disk);
        else
            disk_sim_kill(rig->disk);
        rig_crash(rig);
        come_back(story);
        expect_exactly_once(story, "after a life");
    }
    finish(story);
    free(story);
}

static void test_lives_that_end_badly_lose_and_double_nothing(void **state)
{
    (void)state;
    uint64_t first = only_seed ? only_seed : 100, last = only_seed ? only_seed : 115;
    for (uint64_t seed = first; seed <= last; seed++) {
        print_message("SEED=%lu\n", (unsigned long)seed);
        run_lives(seed);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_power_cut_before_or_after_any_disk_step_loses_and_doubles_nothing),
        cmocka_unit_test(test_lives_that_end_badly_lose_and_double_nothing),
    };
    log_set_level(LOG_ERROR + 1);
    if (argc > 1)
        only_seed = strtoull(argv[1], NULL, 10);
    if (argc > 2)
        only_cut = strtoull(argv[2], NULL, 10);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
