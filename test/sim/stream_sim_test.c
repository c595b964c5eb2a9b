/* Windows and sessions against the oracle (test/support/stream_oracle.h), on random streams through a machine that
 * fails: several tenants, some loading history in any order, some live; out of order, repeated, years back, from the
 * future; one to three partitions; domains of every kind of window; commits of a few events, memory so small that rows
 * and visitors leave it all the time; power cuts at random disk steps, full disks, writes, flushes and renames that
 * fail, kills, orderly restarts; partitions that move to a machine that never had them, where a snapshot in the
 * changelog is their beginning, or to one that has kept a standby copy, while the other keeps one from now on; a clock
 * that is set forward and back; a sink that is slow, so that the journal fills up, and a journal that forgets at once
 * what the sink has read; at the end a flipped bit in what a task remembers.
 *
 * A failure prints SEED=…; `SEED=7 build-debug/test_sim_stream_sim_test_c` repeats it alone, with the log. SEEDS=5000
 * runs that many. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/test.h"
#include "test/support/lost_state.h"
#include "test/support/seeds.h"
#include "test/support/stream_oracle.h"

#define MINUTE_MS 60000LL
#define DAY_MS (24 * 60 * MINUTE_MS)
#define HISTORY_MS (1262304000000LL) /* 2010 */
#define LIVES 3

static uint64_t only_seed;

struct story {
    struct machine rig;
    struct domain_set *domains;
    struct oracle oracle;
    uint64_t dice[2], moves_dice[2], standby_dice[2]; /* their own, so that older seeds' stories stay what they are */
    bool moves, clock_jumps,
        marked; /* marked: the journal knows that there is a sink, and forgets nothing that it has not read */
    uint64_t sink_rarely, leaps_rarely;            /* leaps: of history, by a day */
    unsigned tenants, visitors, pages, patience_s; /* how long live tenants' events may have been under way */
    bool scattered[ORACLE_TENANTS_MAX];            /* loads history in no order at all */
    int64_t at_ms[ORACLE_TENANTS_MAX];             /* where the tenant's history is */
};

static uint64_t roll(struct story *story, uint64_t below)
{
    return dice_below(story->dice, below);
}

static int64_t wall_ms(struct story *story)
{
    return story->rig.time.world.wall_us(&story->rig.time.world) / 1000;
}

/* ---- the domains ---- */

static void make_window(struct story *story, struct oracle_window *window, size_t number)
{
    static const int64_t SLIDES_S[] = { 10, 60, 300 };
    *window = (struct oracle_window){ .sliding = roll(story, 3) == 0,
                                      .processing_time = roll(story, 8) == 0,
                                      .slide_ms = SLIDES_S[roll(story, 3)] * 1000,
                                      .filter = (enum oracle_filter)roll(story, ORACLE_FILTERS),
                                      .by = (enum oracle_key)roll(story, ORACLE_KEYS) };
    snprintf(window->name, sizeof window->name, "w%zu", number);
    window->session = !window->sliding && roll(story, 2);
    window->size_ms = window->slide_ms * (window->sliding ? (int64_t)(2 + roll(story, 4)) : 1);
    if (!window->processing_time && roll(story, 2))
        window->lateness_ms = (int64_t)(1 + roll(story, 10)) * window->slide_ms / 2 / 1000 * 1000;
    uint64_t emit = 1 + roll(story, 3);
    window->updates = emit & 1;
    window->closes = emit & 2;
}

static void make_domain(struct story *story, const char *name, size_t windows)
{
    struct buf text;
    struct oracle *oracle = &story->oracle;
    buf_init(&text, 1u << 20);
    buf_add_format(&text, "domain: %s\n", name);
    if (oracle->window_count == 0)
        buf_add_format(&text, "time: {out_of_orderness: %" PRId64 "s}\nsessions: {gap: %" PRId64 "s}\n",
                       oracle->disorder_ms / 1000, oracle->gap_ms / 1000);
    buf_add_text(&text, "windows:\n");
    for (size_t i = 0; i < windows; i++, oracle->window_count++) {
        make_window(story, &oracle->windows[oracle->window_count], oracle->window_count);
        oracle_window_yaml(&oracle->windows[oracle->window_count], &text);
    }
    if (only_seed)
        print_message("%s", buf_text(&text));
    stream_rig_domain(&story->rig, &story->domains, name, buf_text(&text));
    buf_done(&text);
}

/* Snapshots in every size, from one row a commit on, begun after a few changes or many. In a journal that may fill up
 * they are not for use: what they allow to be deleted must first be written. */
static void begin_moves(struct story *story, uint64_t seed)
{
    static const uint64_t AFTER[] = { 1, 2000, 20000 };
    static const uint32_t PIECES[] = { 1, 100, 4000 };
    struct process_options *options = &story->rig.options;
    dice_init(story->moves_dice, seed ^ 0x5eed);
    story->moves = dice_below(story->moves_dice, 2) && story->rig.journal_options.total_bytes_max == 0;
    options->snapshots = story->moves;
    options->snapshot_after_bytes = AFTER[dice_below(story->moves_dice, 3)];
    options->snapshot_piece_bytes = PIECES[dice_below(story->moves_dice, 3)];
    if (only_seed && story->moves)
        print_message("snapshots after %" PRIu64 " bytes in pieces of %u\n", options->snapshot_after_bytes,
                      options->snapshot_piece_bytes);
}

/* Two machines: the tasks are on one, copies of all partitions on the other. */
static void begin_standby(struct story *story, uint64_t seed)
{
    dice_init(story->standby_dice, seed ^ 0x57a9d);
    if (story->moves && dice_below(story->standby_dice, 2))
        story->rig.standby_path = "/data/standby";
    if (only_seed && story->rig.standby_path)
        print_message("with standby copies\n");
}

static void begin(struct story *story, uint64_t seed)
{
    static const uint64_t MEMORY[] = { 48u << 10, 256u << 10, 0 };
    static const uint32_t RECORDS[] = { 1, 40, 0 }, BYTES[] = { 8u << 10, 64u << 10 }, RESULTS[] = { 3, 50, 0 };
    memset(story, 0, sizeof *story);
    dice_init(story->dice, seed);
    machine_init(&story->rig, seed, (uint16_t)(1 + roll(story, MACHINE_PARTITIONS_MAX)));
    story->oracle.gap_ms = (roll(story, 2) ? 1 : 30) * MINUTE_MS;
    story->oracle.disorder_ms = (roll(story, 2) ? 1 : 10) * MINUTE_MS;
    make_domain(story, "a", 1 + roll(story, 4));
    if (roll(story, 2))
        make_domain(story, "b", 1 + roll(story, 3));
    struct process_options *options = &story->rig.options;
    options->state_memory_bytes_max = MEMORY[roll(story, 3)];
    options->batch_records_max = RECORDS[roll(story, 3)];
    options->batch_bytes_max = BYTES[roll(story, 2)];
    options->checkpoint_interval_ms = 20 + (int64_t)roll(story, 300);
    options->checkpoint_bytes = options->checkpoint_interval_ms % 2 ? 4096 : 0; /* 0: by time alone, with so little */
    options->dedup_memory_bytes_max = 64u << 10;
    options->results_max = RESULTS[roll(story, 3)];
    if (roll(story, 2)) {
        struct journal_options *journal = &story->rig.journal_options;
        journal->segment_bytes = journal->retention_bytes = 512u << 10;
        options->batch_bytes_max = 8u << 10; /* a commit is at most half a segment */
        journal->total_bytes_max = roll(story, 2) ? 0 : (6 + roll(story, 8)) * journal->segment_bytes;
    }
    begin_moves(story, seed);
    begin_standby(story, seed);
    story->clock_jumps = roll(story, 3) == 0;
    story->sink_rarely = 1 + roll(story, 20);
    story->leaps_rarely = roll(story, 2) ? 100 : 3;
    story->tenants = 1 + (unsigned)roll(story, 4);
    story->visitors = 1 + (unsigned)roll(story, 60);
    story->pages = 1 + (unsigned)roll(story, 20);
    story->patience_s = 1 + (unsigned)roll(story, 600);
    story->oracle.none_silent_until_ms = story->clock_jumps ? 0 : wall_ms(story) + MINUTE_MS;
    for (unsigned t = 0; t < story->tenants; t++) {
        story->oracle.live[t] = roll(story, 3) == 0;
        story->scattered[t] = roll(story, 3) == 0;
        story->at_ms[t] = HISTORY_MS;
    }
    if (only_seed)
        print_message("partitions %u, memory %" PRIu64 ", records %u, results %u\n",
                      story->rig.journal_options.partitions, options->state_memory_bytes_max,
                      options->batch_records_max, options->results_max);
}

/* ---- the sink and the clock ---- */

/* Reads what is new, then allows the journal to forget it. */
static bool sink(struct story *story)
{
    if (disk_sim_is_off(story->rig.disk))
        return false;
    bool some = oracle_read(&story->oracle, &story->rig);
    story->marked |= machine_mark(&story->rig, story->oracle.position) == OK;
    return some;
}

static void set_clock(struct story *story, int64_t by_ms)
{
    if (wall_ms(story) > story->oracle.wall_most_ms)
        story->oracle.wall_most_ms = wall_ms(story);
    if (only_seed)
        print_message("the clock jumps by %" PRId64 " ms\n", by_ms);
    world_sim_jump(&story->rig.time, by_ms * 1000);
}

/* Stays within what an event may be ahead of the clock. */
static void jump_clock(struct story *story)
{
    int64_t by_ms = (10 + (int64_t)roll(story, 7200)) * 1000;
    if (story->rig.time.wall_offset_us > 0)
        by_ms = -by_ms;
    else if (story->rig.time.wall_offset_us == 0 && roll(story, 2))
        by_ms = -by_ms;
    set_clock(story, by_ms);
}

/* ---- the stream ---- */

static int64_t next_time(struct story *story, unsigned tenant)
{
    int64_t seconds = (int64_t)roll(story, story->patience_s);
    if (story->oracle.live[tenant])
        return wall_ms(story) - seconds * 1000;
    if (story->scattered[tenant])
        return HISTORY_MS + (int64_t)roll(story, 3) * 365 * DAY_MS + (int64_t)roll(story, 2 * 3600) * 1000;
    story->at_ms[tenant] += (int64_t)roll(story, 20) * 1000;
    if (roll(story, story->leaps_rarely) == 0)
        story->at_ms[tenant] += DAY_MS;
    return roll(story, 4) ? story->at_ms[tenant] : story->at_ms[tenant] - seconds * 1000;
}

static size_t new_event(struct story *story)
{
    size_t number = story->oracle.event_count++;
    unsigned tenant = (unsigned)roll(story, story->tenants);
    int64_t time_ms = next_time(story, tenant);
    bool skewed = roll(story, 2);
    assert_true(number < ORACLE_EVENTS_MAX);
    story->oracle.events[number] = (struct oracle_event){ .tenant = (uint8_t)tenant,
                                                          .visitor = skewed ? 0 : (uint8_t)roll(story, story->visitors),
                                                          .type = (uint8_t)roll(story, 3),
                                                          .page = skewed ? 0 : (uint8_t)roll(story, story->pages),
                                                          .user = roll(story, 4) ? 0 : (uint8_t)(1 + roll(story, 5)),
                                                          .amount = (int)roll(story, 2000) - 1000,
                                                          .time_ms = time_ms / 1000 * 1000 - 1000 + (int64_t)number };
    return number;
}

static void send(struct story *story, const size_t *numbers, size_t count)
{
    struct event events[64];
    char texts[64][ORACLE_EVENT_TEXT];
    assert_true(count <= COUNT_OF(events));
    for (size_t i = 0; i < count; i++)
        oracle_event(&story->oracle, numbers[i], wall_ms(story), texts[i], &events[i]);
    if (machine_send(&story->rig, events, count) == OK)
        for (size_t i = 0; i < count; i++)
            story->oracle.events[numbers[i]].acknowledged = true;
}

/* One from too far in the future: it becomes a dead letter and moves nothing. */
static void send_future(struct story *story)
{
    const struct event event = { .customer_id = SLICE("t0"),
                                 .visitor_id = SLICE("v0"),
                                 .event_id = SLICE("f0"),
                                 .event_type = SLICE("page_view"),
                                 .properties = SLICE("{}"),
                                 .context = SLICE("{}"),
                                 .timestamp_ms = wall_ms(story) + 30 * DAY_MS,
                                 .received_ms = wall_ms(story),
                                 .ingested_us = wall_ms(story) * 1000 };
    (void)machine_send(&story->rig, &event, 1);
}

static void play(struct story *story, unsigned rounds)
{
    struct machine *rig = &story->rig;
    if (!story->marked)
        (void)sink(story);
    for (unsigned round = 0; story->marked && round < rounds && !disk_sim_is_off(rig->disk); round++) {
        size_t numbers[64], count = 1 + roll(story, 20);
        for (size_t i = 0; i < count; i++) {
            bool again = story->oracle.event_count && roll(story, 6) == 0;
            again |= story->oracle.event_count >= ORACLE_EVENTS_MAX - 50;
            numbers[i] = again ? roll(story, story->oracle.event_count) : new_event(story);
        }
        send(story, numbers, count);
        if (roll(story, 20) == 0)
            send_future(story);
        if (story->clock_jumps && roll(story, 15) == 0)
            jump_clock(story);
        if (roll(story, story->sink_rarely) == 0)
            (void)sink(story);
        if (roll(story, 3) == 0)
            machine_run(rig, (int64_t)roll(story, roll(story, 8) ? 100 : 90000));
        else
            for (uint64_t i = roll(story, 8); i > 0; i--)
                (void)machine_step(rig);
    }
}

/* ---- lives ---- */

/* The machine with the tasks is gone; the other one has them from now on, and the first, back, keeps the copies. */
static void change_machines(struct story *story)
{
    struct machine *rig = &story->rig;
    const char *tasks = rig->options.state_path;
    rig->options.state_path = rig->standby_path;
    rig->standby_path = tasks;
    if (only_seed)
        print_message("all partitions move to %s\n", rig->options.state_path);
}

/* Each partition stays where it was, or goes where nothing of it is. */
static void move(struct story *story)
{
    struct machine *rig = &story->rig;
    if (rig->standby_path && dice_below(story->standby_dice, 3)) {
        change_machines(story);
        return;
    }
    for (uint16_t p = 0; story->moves && p < rig->journal_options.partitions; p++) {
        if (dice_below(story->moves_dice, 2))
            continue;
        if (only_seed)
            print_message("partition %u moves\n", p);
        lost_state(disk_sim_disk(rig->disk), rig->options.state_path, p);
    }
}

static void must_be_up(struct story *story, const char *when)
{
    struct machine *rig = &story->rig;
    struct error err = { 0 };
    *disk_sim_plan(rig->disk) = (struct disk_sim_plan){ 0 };
    if (!rig->journal) {
        if (disk_sim_is_off(rig->disk))
            disk_sim_restart(rig->disk);
        move(story);
        if (machine_up(rig, &err) != OK)
            fail_msg("%s: %s", when, err.text);
    }
    /* In a full journal the tasks wait until the sink has read on. */
    bool settled = false;
    for (int rounds = 0, still = 0; rounds < 40 && still < 3 && !machine_failure(rig); rounds++) {
        settled = machine_settle(rig, 2000);
        still = sink(story) || !settled ? 0 : still + 1;
    }
    if (machine_failure(rig))
        fail_msg("%s: %s", when, machine_failure(rig));
    if (!settled)
        fail_msg("%s: the tasks do not come to rest", when);
}

static void end_life(struct story *story)
{
    struct machine *rig = &story->rig;
    uint64_t how = roll(story, 3);
    if (!rig->journal) /* it did not even start */
        return;
    if (how == 0 && !disk_sim_is_off(rig->disk) && !machine_failure(rig)) {
        *disk_sim_plan(rig->disk) = (struct disk_sim_plan){ 0 };
        machine_down(rig);
        disk_sim_kill(rig->disk);
        return;
    }
    if (how == 1)
        disk_sim_kill(rig->disk);
    else
        disk_sim_power_cut(rig->disk);
    machine_crash(rig);
}

static void make_trouble(struct story *story, struct disk_sim_plan *plan)
{
    plan->write_full = roll(story, 3) == 0;
    if (roll(story, 4) == 0)
        plan->capacity_bytes = disk_sim_used_bytes(story->rig.disk) + roll(story, 1u << 20);
    if (roll(story, 4) == 0)
        plan->fail_write_in = 1 + roll(story, 30);
    if (roll(story, 4) == 0)
        plan->fail_sync_in = 1 + roll(story, 30);
    if (roll(story, 4) == 0)
        plan->fail_name_in = 1 + roll(story, 10);
}

static void live(struct story *story)
{
    struct machine *rig = &story->rig;
    struct disk_sim_plan *plan = disk_sim_plan(rig->disk);
    if (roll(story, 2))
        plan->cut_at = disk_sim_steps(rig->disk) + 1 + roll(story, 300);
    plan->cut_after = roll(story, 2);
    if (disk_sim_is_off(rig->disk))
        disk_sim_restart(rig->disk);
    if (machine_up(rig, NULL) == OK) {
        play(story, 5 + (unsigned)roll(story, 10));
        make_trouble(story, plan);
        play(story, (unsigned)roll(story, 6));
    } else if (!rig->journal) {
        disk_sim_power_cut(rig->disk);
    }
    end_life(story);
}

/* Again and again while the journal is full. */
static void send_surely(struct story *story, size_t number)
{
    for (int i = 0; i < 50 && !story->oracle.events[number].acknowledged; i++) {
        send(story, &number, 1);
        if (story->oracle.events[number].acknowledged)
            return;
        machine_run(&story->rig, 200);
        (void)sink(story);
    }
    assert_true(story->oracle.events[number].acknowledged);
}

static void send_rest(struct story *story)
{
    for (size_t i = 0; i < story->oracle.event_count; i++)
        send_surely(story, i);
}

/* An event for every tenant and partition, behind all others: every window before it is closed. */
static void close_all(struct story *story, int64_t up_to_ms[ORACLE_TENANTS_MAX])
{
    for (unsigned t = 0; t < story->tenants; t++) {
        int64_t time_ms = story->oracle.live[t] ? wall_ms(story) + DAY_MS / 2 : HISTORY_MS + 2000 * DAY_MS;
        for (uint16_t p = 0; p < story->rig.journal_options.partitions; p++) {
            size_t number = new_event(story);
            struct oracle_event *event = &story->oracle.events[number];
            struct event made;
            char text[ORACLE_EVENT_TEXT];
            *event = (struct oracle_event){ .tenant = (uint8_t)t, .time_ms = time_ms + (int64_t)number };
            do {
                event->visitor++;
                oracle_event(&story->oracle, number, 0, text, &made);
            } while (machine_partition(&story->rig, &made) != p);
            send_surely(story, number);
        }
        up_to_ms[t] = time_ms - story->oracle.disorder_ms;
    }
}

/* A system that is told nothing has nothing to do. */
static void check_quiet(struct story *story)
{
    machine_run(&story->rig, 30 * MINUTE_MS);
    double commits = stream_rig_metric(&story->rig, "process_commits_total");
    machine_run(&story->rig, 5 * MINUTE_MS);
    commits = stream_rig_metric(&story->rig, "process_commits_total") - commits;
    if (commits > 2 * story->rig.journal_options.partitions)
        fail_msg("idle for half an hour, then %.0f commits in 5 minutes", commits);
}

/* ---- rot ---- */

struct pick {
    struct story *story;
    char path[DISK_PATH_MAX], directory[DISK_PATH_MAX];
    uint64_t seen;
};

static void pick_file(void *self, const char *name)
{
    struct pick *pick = self;
    if (roll(pick->story, ++pick->seen) == 0)
        snprintf(pick->path, sizeof pick->path, "%s/%s", pick->directory, name);
}

/* A bit of what a task remembers is not what it was: either the task says so, or all it says is right. */
static void rot(struct story *story)
{
    struct machine *rig = &story->rig;
    struct disk *disk = disk_sim_disk(rig->disk);
    struct pick pick = { .story = story };
    machine_down(rig);
    snprintf(pick.directory, sizeof pick.directory, "/data/state/partition-%05u",
             (unsigned)roll(story, rig->journal_options.partitions));
    assert_int_equal(disk->ops->list(disk, pick.directory, pick_file, &pick, NULL), OK);
    if (!pick.seen ||
        !disk_sim_rot(rig->disk, pick.path, roll(story, 1 + roll(story, 20000)), (unsigned)roll(story, 8)))
        return;
    if (only_seed)
        print_message("a bit of %s is flipped\n", pick.path);
    disk_sim_kill(rig->disk);
    disk_sim_restart(rig->disk);
    if (machine_up(rig, NULL) != OK)
        return;
    play(story, 5);
    machine_run(rig, 5000);
    (void)sink(story);
    if (machine_failure(rig))
        return;
    must_be_up(story, "after a bit was flipped");
    oracle_check(&story->oracle, rig, NULL, "after a bit was flipped");
}

static void run_story(uint64_t seed)
{
    struct story *story = calloc(1, sizeof *story);
    int64_t up_to_ms[ORACLE_TENANTS_MAX];
    begin(story, seed);
    for (unsigned i = 0; i < LIVES; i++) {
        live(story);
        must_be_up(story, "after a life");
        oracle_check(&story->oracle, &story->rig, NULL, "after a life");
        machine_down(&story->rig);
        disk_sim_kill(story->rig.disk);
    }
    must_be_up(story, "after an orderly restart");
    oracle_check(&story->oracle, &story->rig, NULL, "after an orderly restart");
    send_rest(story);
    play(story, 5);
    must_be_up(story, "when all is sent");
    oracle_check(&story->oracle, &story->rig, NULL, "when all is sent");
    close_all(story, up_to_ms);
    must_be_up(story, "when all is closed");
    machine_run(&story->rig, 2 * MINUTE_MS);
    check_quiet(story);
    oracle_check(&story->oracle, &story->rig, up_to_ms, "when all is closed");
    oracle_check_metrics(&story->oracle, &story->rig, "when all is closed");
    if (roll(story, 3) == 0)
        rot(story);
    machine_done(&story->rig);
    domain_set_free(story->domains);
    oracle_done(&story->oracle);
    free(story);
}

static void test_windows_and_sessions_equal_the_oracle_through_all_lives(void **state)
{
    (void)state;
    (void)seeds_run("stream", 1, 20, run_story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_windows_and_sessions_equal_the_oracle_through_all_lives),
    };
    only_seed = seeds_number("SEED", 0);
    seeds_choose_tests();
    log_set_level(only_seed ? LOG_DEBUG : LOG_ERROR + 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
