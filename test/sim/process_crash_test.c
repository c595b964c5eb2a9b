/* The power is cut, the process killed, the disk refuses and fills up: afterwards every accepted id is in the enriched
 * topic exactly once, whatever was sent again. Journal and state share one simulated disk. The generations are tiny
 * (some hundred ids), checkpoints frequent, so that every cut falls somewhere else in sealing, logging, manifests. In a
 * part of the stories the base goes into the changelog, too, in small pieces, and the partition's directory gets lost.
 *
 * A failure prints SEED=… CUT=…; `SEED=1 CUT=55 build-debug/test_sim_process_crash_test_c` repeats it alone, with the
 * log. SEEDS=2000 runs that many lives. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/test.h"
#include "test/support/lost_state.h"
#include "test/support/process_rig.h"
#include "test/support/seeds.h"

#define IDS 4000
#define SEND_MAX 200

static uint64_t only_seed, only_cut;

struct story {
    struct rig rig;
    uint64_t dice[2], moves_dice[2];
    bool moves;         /* after a life the directory may be gone */
    bool accepted[IDS]; /* acknowledged by the journal at least once */
    uint8_t times[IDS + RIG_BAD_MAX];
    struct topic_read {
        uint32_t numbers[2 * IDS]; /* by offset */
        uint64_t end;
    } enriched, dead; /* what a sink would have read */
    bool marked;      /* the journal knows that there is a sink */
    unsigned next;
};

static void begin(struct story *story, uint64_t seed)
{
    memset(story, 0, sizeof *story);
    dice_init(story->dice, seed);
    rig_init(&story->rig, seed, &journal_file);
    story->rig.options.dedup_memory_bytes_max = 64u << 10;
    story->rig.bad_every = 20;
    story->rig.options.checkpoint_interval_ms = 50;
    /* The journal forgets at once what no mark needs: so it shows when a checkpoint promised too much. */
    story->rig.journal_options.segment_bytes = 160u << 10; /* half of it takes the largest commit of these stories */
    story->rig.journal_options.retention_bytes = 128u << 10;
    story->rig.options.batch_bytes_max = 16u << 10;
}

static void begin_moves(struct story *story, uint64_t seed)
{
    static const uint32_t PIECES[] = { 500, 4000, 16000 };
    dice_init(story->moves_dice, seed);
    story->moves = story->rig.options.snapshots = true;
    story->rig.options.snapshot_after_bytes = 1 + dice_below(story->moves_dice, 20000);
    story->rig.options.snapshot_piece_bytes = PIECES[dice_below(story->moves_dice, 3)];
}

static void read_topic(struct story *story, enum journal_topic topic, struct topic_read *read)
{
    uint64_t end = rig_numbers(&story->rig, topic, read->numbers, COUNT_OF(read->numbers));
    if (end > read->end)
        read->end = end;
}

/* What a sink does: takes the enriched records, then allows the journal to forget them. */
static void sink(struct story *story)
{
    if (disk_sim_is_off(story->rig.disk))
        return;
    read_topic(story, TOPIC_ENRICHED, &story->enriched);
    read_topic(story, TOPIC_DEAD_LETTERS, &story->dead);
    story->marked |= rig_mark_all_read(&story->rig) == OK;
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
        if (!story->marked || dice_below(story->dice, 8) == 0)
            sink(story);
        if (!story->marked)
            continue;
        if (dice_below(story->dice, 3) == 0)
            rig_run(rig, (int64_t)dice_below(story->dice, 40));
        else
            for (uint64_t i = dice_below(story->dice, 6); i > 0; i--)
                (void)rig_step(rig);
    }
}

static void expect_of(struct story *story, const struct topic_read *read, const bool *accepted, unsigned max,
                      const char *what, const char *when)
{
    memset(story->times, 0, sizeof story->times);
    for (uint64_t i = 0; i < read->end; i++)
        if (read->numbers[i] < max)
            story->times[read->numbers[i]]++;
    for (unsigned i = 0; i < max; i++) {
        bool right = accepted[i] ? story->times[i] == 1 : story->times[i] <= 1;
        if (!right)
            print_message("%s: %s%u (%s) is there %u times\n", when, what, i, accepted[i] ? "accepted" : "not accepted",
                          story->times[i]);
        assert_true(right);
    }
}

/* Also the bad events: each is sent once only, and must give one dead letter. */
static void expect_exactly_once(struct story *story, const char *when)
{
    sink(story);
    expect_of(story, &story->enriched, story->accepted, IDS, "e", when);
    expect_of(story, &story->dead, story->rig.bad_accepted, story->rig.bad_next, "b", when);
}

static void come_back(struct story *story)
{
    struct rig *rig = &story->rig;
    struct error err = { 0 };
    *disk_sim_plan(rig->disk) = (struct disk_sim_plan){ 0 };
    disk_sim_restart(rig->disk);
    if (story->moves && dice_below(story->moves_dice, 2))
        lost_state(disk_sim_disk(rig->disk), rig->options.state_path, 0);
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
    for (unsigned i = 0; i < IDS; i += SEND_MAX)
        assert_true(send(story, i, SEND_MAX));
    rig_run(&story->rig, 500);
    expect_exactly_once(story, "after an orderly restart");
    rig_done(&story->rig);
}

static void run_with_cut(uint64_t seed, uint64_t cut_at, bool cut_after)
{
    struct story *story = calloc(1, sizeof *story);
    begin(story, seed);
    if (cut_at % 3)
        begin_moves(story, cut_at);
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
    if (seed % 2)
        begin_moves(story, seed);
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
        plan->write_full = dice_below(story->dice, 2); /* then commits are refused and tried again */
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
    (void)seeds_run("process", 100, 16, run_lives);
}

/* ---- rot ---- */

struct rot {
    const char *starts; /* the file's name begins so */
    struct story *story;
    unsigned rotten;
};

static void rot_file(void *self, const char *name)
{
    struct rot *rot = self;
    char path[128];
    if (strncmp(name, rot->starts, strlen(rot->starts)) != 0)
        return;
    snprintf(path, sizeof path, "/data/state/partition-00000/%s", name);
    for (uint64_t at = dice_below(rot->story->dice, 40);
         disk_sim_rot(rot->story->rig.disk, path, at, (unsigned)dice_below(rot->story->dice, 8)); at += 400)
        rot->rotten++;
}

static void live_a_while(struct story *story, uint64_t seed)
{
    begin(story, seed);
    assert_int_equal(rig_up(&story->rig, NULL), OK);
    play(story, 40);
    rig_run(&story->rig, 300);
    rig_down(&story->rig);
}

static void rot_files(struct story *story, const char *starts)
{
    struct rot rot = { starts, story, 0 };
    struct disk *disk = disk_sim_disk(story->rig.disk);
    assert_int_equal(disk->ops->list(disk, "/data/state/partition-00000", rot_file, &rot, NULL), OK);
    assert_true(rot.rotten > 0);
    disk_sim_kill(story->rig.disk);
}

static void test_one_rotten_manifest_costs_a_replay_and_no_answer(void **state)
{
    (void)state;
    for (int i = 0; i < 6; i++) {
        struct story *story = calloc(1, sizeof *story);
        live_a_while(story, 200 + (uint64_t)i);
        rot_files(story, i % 2 ? "manifest.0" : "manifest.1");
        come_back(story);
        finish(story);
        free(story);
    }
}

/* With the whole changelog in the journal, no state file is needed. */
static void test_all_files_rotten_are_rebuilt_from_the_changelog(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct story *story = calloc(1, sizeof *story);
        begin(story, 300 + (uint64_t)i);
        story->rig.journal_options.retention_bytes = 0;
        assert_int_equal(rig_up(&story->rig, NULL), OK);
        play(story, 40);
        rig_run(&story->rig, 300);
        rig_down(&story->rig);
        rot_files(story, i % 2 ? "manifest" : "dedup");
        come_back(story);
        finish(story);
        free(story);
    }
}

/* Without it, the task says so and processes nothing, rather than counting anything twice. */
static void test_what_cannot_be_rebuilt_is_refused_with_the_reason(void **state)
{
    (void)state;
    struct story *story = calloc(1, sizeof *story);
    live_a_while(story, 400);
    rot_files(story, "manifest");
    struct rig *rig = &story->rig;
    disk_sim_restart(rig->disk);
    assert_int_equal(rig_up(rig, NULL), OK);
    rig_run(rig, 500);
    assert_int_equal(process_task_state(rig->task), PROCESS_FAILED);
    assert_non_null(strstr(process_task_error(rig->task), "accept_lost_state"));
    sink(story);
    uint64_t before = story->enriched.end;
    assert_int_equal(rig_send(rig, "acme", 0, SEND_MAX), OK);
    rig_run(rig, 500);
    sink(story);
    assert_true(before > 0 && story->enriched.end == before);
    rig_down(rig);
    rig->options.accept_lost_state = true;
    assert_int_equal(rig_up(rig, NULL), OK);
    rig_run(rig, 500);
    assert_int_equal(process_task_state(rig->task), PROCESS_RUNNING);
    rig_done(rig);
    free(story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_power_cut_before_or_after_any_disk_step_loses_and_doubles_nothing),
        cmocka_unit_test(test_lives_that_end_badly_lose_and_double_nothing),
        cmocka_unit_test(test_one_rotten_manifest_costs_a_replay_and_no_answer),
        cmocka_unit_test(test_all_files_rotten_are_rebuilt_from_the_changelog),
        cmocka_unit_test(test_what_cannot_be_rebuilt_is_refused_with_the_reason),
    };
    only_seed = seeds_number("SEED", 0);
    only_cut = seeds_number("CUT", 0);
    seeds_choose_tests();
    log_set_level(only_seed ? LOG_DEBUG : LOG_ERROR + 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
