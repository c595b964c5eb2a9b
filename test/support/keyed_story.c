#include "test/support/keyed_story.h"

#include <stdlib.h>

#include "base/test.h"

unsigned story_roll(struct story *story, unsigned below)
{
    return (unsigned)dice_below(story->dice, below);
}

/* ---- life ---- */

void story_up(struct story *story)
{
    static const struct keyed_kind *const kinds[] = { &STORY_KIND };
    struct world *world = &story->time.world;
    struct state_kv_options map = { .path = story->path, .backend = story->backend, .pool = story->pool };
    story->kv = state_kv_new(&map, world);
    struct keyed_options options = { kinds, 1, story->memory_bytes_max };
    story->keyed = keyed_new(&options, story->kv, world);
    story->states[0] = state_kv_state(story->kv);
    story->states[1] = keyed_state(story->keyed);
    story->base = state_base_new(story->path, world->disk, 0, story->states, 2);
}

void story_down(struct story *story)
{
    state_base_free(story->base);
    keyed_free(story->keyed);
    state_kv_free(story->kv);
    story->base = NULL;
}

struct story *story_new(uint64_t seed)
{
    struct story *story = calloc(1, sizeof *story);
    assert_non_null(story);
    story->seed = seed;
    dice_init(story->dice, seed);
    story->disk = disk_sim_new(seed, &story->time);
    world_sim_init(&story->time, seed, disk_sim_disk(story->disk));
    story->memory_bytes_max = story_roll(story, 3) ? STORY_SMALL_BYTES : STORY_LARGE_BYTES;
    story->next_value = 1;
    story->backend = &kv_disk;
    story->path = STORY_PATH;
    story_up(story);
    return story;
}

void story_free(struct story *story)
{
    if (story->base)
        story_down(story);
    for (uint64_t i = 0; i < story->end; i++)
        free(story->records[i]);
    process_outputs_done(&story->outputs);
    disk_sim_free(story->disk);
    free(story);
}

/* False: the disk has trouble. */
static bool replay(struct story *story, const struct state_point *point, struct error *err)
{
    uint64_t at = point->from_files ? point->changelog_offset : story->begin;
    assert_true(at >= story->begin); /* what a checkpoint allowed to be forgotten is not needed */
    assert_true(point->from_files || story->begin <= story->replay_from);
    for (; at < story->end; at++) {
        enum status s =
            story->states[1]->ops->apply(story->states[1], slice_of(story->records[at], story->sizes[at]), at, err);
        if (s != OK)
            return false;
    }
    return true;
}

void story_restore(struct story *story)
{
    struct error err = { 0 };
    struct state_point point;
    assert_int_equal(state_base_open(story->base, &err), OK);
    bool done = false;
    while (!done) { /* as process_restore.c: a base that is of no use gives way to an older one, then to none */
        enum status s = state_base_restore(story->base, 1, story->end, &point, &err);
        if (s != OK)
            print_message("%s\n", err.text);
        assert_int_equal(s, OK);
        story->fallbacks += !point.from_files;
        done = replay(story, &point, &err);
        if (!done)
            assert_int_equal(err.status, ERR_CORRUPT);
    }
    story->now = story->durable;
    story->is_flying = false;
}

void story_power_back(struct story *story)
{
    *disk_sim_plan(story->disk) = (struct disk_sim_plan){ 0 };
    disk_sim_restart(story->disk);
    story_up(story);
    story_restore(story);
}

/* ---- commits ---- */

static void append(struct story *story)
{
    struct process_stream *changelog = process_outputs_stream(&story->outputs, TOPIC_CHANGELOG, 0);
    struct slice rest = buf_slice(&changelog->bytes), record;
    while (journal_next_record(&rest, &record)) {
        assert_true(story->end < STORY_RECORDS_MAX);
        story->records[story->end] = malloc(record.n);
        memcpy(story->records[story->end], record.p, record.n);
        story->sizes[story->end++] = (uint32_t)record.n;
    }
    story->durable = story->flying;
    story->replay_from = story->flying_replay_from;
}

void story_collect(struct story *story)
{
    struct error err = { 0 };
    process_outputs_reset(&story->outputs);
    struct process_stream *changelog = process_outputs_stream(&story->outputs, TOPIC_CHANGELOG, 0);
    story->flying_replay_from = story->states[1]->ops->replay_from(story->states[1], story->end);
    assert_int_equal(story->states[1]->ops->collect(story->states[1], changelog, &err), OK);
    assert_int_equal(story->states[1]->ops->pending_bytes(story->states[1]), 0);
    story->flying = story->now;
    story->is_flying = true;
}

void story_make_durable(struct story *story)
{
    uint64_t first = story->end;
    append(story);
    for (uint64_t at = first; at < story->end; at++)
        story->states[1]->ops->durable(story->states[1], slice_of(story->records[at], story->sizes[at]), at);
    story->is_flying = false;
}

void story_checkpoint(struct story *story)
{
    struct error err = { 0 };
    struct state_point point = { story->end, story->end, true };
    uint64_t keep = JOURNAL_BEGIN;
    if (story->is_flying)
        return;
    enum status s = state_base_checkpoint(story->base, 1, &point, &keep, &err);
    if (s != OK)
        return;
    story->checkpoints++;
    if (keep == JOURNAL_BEGIN || story->keep_all)
        return;
    for (; story->begin < keep; story->begin++) {
        free(story->records[story->begin]);
        story->records[story->begin] = NULL;
    }
}

void story_maintain(struct story *story)
{
    bool more = true;
    for (int i = 0; i < 20 && more; i++)
        if (story->states[1]->ops->maintain(story->states[1], &more, NULL) != OK)
            return;
}

/* ---- steps ---- */

bool story_play(struct story *story, unsigned rounds)
{
    for (unsigned round = 0; round < rounds && !disk_sim_is_off(story->disk); round++) {
        unsigned what = story_roll(story, 20);
        if (what < 9) {
            if (story->states[1]->ops->prepare(story->states[1], 64, NULL) == OK && !story_change_rows(story))
                return false;
        } else if (what < 11) {
            story_change_pane(story);
        } else if (what < 15) {
            if (!story->is_flying)
                story_collect(story);
            else
                story_make_durable(story);
        } else if (what < 17) {
            story_maintain(story);
        } else if (what < 19) {
            for (unsigned i = story_roll(story, 6); i > 0; i--)
                story_checkpoint(story);
        } else if (!story_walk(story, story_roll(story, STORY_PANES))) {
            return false;
        }
        story_expect_due(story);
    }
    return true;
}

void story_crash(struct story *story, bool power)
{
    if (power)
        disk_sim_power_cut(story->disk);
    else
        disk_sim_kill(story->disk);
    if (story->is_flying && story_roll(story, 2))
        append(story);
    story_down(story);
    story_power_back(story);
}
