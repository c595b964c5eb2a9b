/* Keyed state against a plain table: random changes, commits, drops, walks, checkpoints, with memory so small that rows
 * leave and come back all the time; ended by power cuts, kills and trouble with the disk at any step. After each
 * recovery the state is exactly that of the last durable commit, read row by row and by walking.
 *
 * The changelog is a list in memory that forgets what a checkpoint allows it to forget, at once. A failure prints SEED=
 * (and CUT=); `SEED=3 CUT=55 build-debug/test_sim_keyed_crash_test_c` repeats it. SEEDS=2000 runs that many. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/test.h"
#include "process/process_output.h"
#include "process/state/keyed.h"
#include "process/state/state_base.h"
#include "process/state/state_kv.h"
#include "test/support/seeds.h"
#include "world/disk.h"
#include "world/disk_sim.h"
#include "world/world_sim.h"

#define TENANTS 3
#define STARTS 4
#define PANES (TENANTS * STARTS)
#define KEYS 90
#define RECORDS_MAX 20000
#define TEXT_MAX 60

static uint64_t only_seed, only_cut;
static const char SIM_PATH[] = "/data/state";

/* ---- rows of the test: a number, and text of their own ---- */

struct row {
    uint64_t value;
    char *text;
    size_t text_n;
};

static void row_set(struct row *row, uint64_t value)
{
    free(row->text);
    row->value = value;
    row->text_n = value % TEXT_MAX;
    row->text = malloc(row->text_n + 1);
    memset(row->text, (int)(value & 0x7f), row->text_n);
}

static void row_encode(const struct keyed_kind *kind, const void *data, struct buf *to)
{
    const struct row *row = data;
    (void)kind;
    buf_add(to, &row->value, sizeof row->value);
    buf_add(to, row->text, row->text_n);
}

static enum status row_decode(const struct keyed_kind *kind, struct slice bytes, void *data, struct error *err)
{
    struct row *row = data;
    uint64_t value;
    (void)kind;
    if (bytes.n < sizeof value)
        return error_set(err, ERR_CORRUPT, "a row of %zu bytes", bytes.n);
    memcpy(&value, bytes.p, sizeof value);
    row_set(row, value);
    if (row->text_n != bytes.n - sizeof value || memcmp(row->text, bytes.p + sizeof value, row->text_n) != 0)
        return error_set(err, ERR_CORRUPT, "a row's text is not what its number says");
    return OK;
}

static void row_release(const struct keyed_kind *kind, void *data)
{
    (void)kind;
    free(((struct row *)data)->text);
}

static uint64_t row_memory(const struct keyed_kind *kind, const void *data)
{
    (void)kind;
    return ((const struct row *)data)->text_n;
}

static const struct keyed_kind KIND = { 7, sizeof(struct row), row_encode, row_decode, row_release, row_memory };

/* ---- the plain table ---- */

struct model {
    struct model_pane {
        bool alive;
        uint64_t words[KEYED_WORDS], rows;
        int64_t due_ms;
        uint64_t values[KEYS]; /* 0: no such row */
        uint32_t revisions[KEYS];
    } panes[PANES];
};

struct story {
    uint64_t seed, dice[2];
    struct world_sim time;
    struct disk_sim *disk;
    const struct kv_backend *backend;
    struct kv_pool *pool;
    const char *path;
    struct state_kv *kv;
    struct keyed *keyed;
    struct state *states[2];
    struct state_base *base;
    struct model now, durable, flying;
    struct process_outputs outputs; /* of the commit that is not durable */
    bool is_flying;
    uint64_t flying_replay_from;
    char *records[RECORDS_MAX];
    uint32_t sizes[RECORDS_MAX];
    uint64_t begin, end; /* of the durable changelog */
    uint64_t replay_from;
    bool keep_all;
    uint64_t next_value, checkpoints, fallbacks, memory_bytes_max;
    const char *why;
};

static unsigned roll(struct story *story, unsigned below)
{
    return (unsigned)dice_below(story->dice, below);
}

static struct slice tenant_name(unsigned pane)
{
    static const char *const names[TENANTS] = { "acme", "b", "a-tenant-with-a-longer-name" };
    return slice_from(names[pane / STARTS]);
}

static int64_t start_of(unsigned pane)
{
    return (int64_t)(pane % STARTS) * 60000 - 60000;
}

static struct slice key_of(unsigned key, char to[64])
{
    return slice_of(to, (size_t)snprintf(to, 64, "key-%u%.*s", key, (int)(key % 12), "............"));
}

static struct id128 id_of(struct slice key)
{
    XXH128_hash_t hash = XXH3_128bits_withSeed(key.p, key.n, 99);
    return (struct id128){ hash.low64, hash.high64 };
}

/* ---- life ---- */

static void up(struct story *story)
{
    static const struct keyed_kind *const kinds[] = { &KIND };
    struct world *world = &story->time.world;
    struct state_kv_options map = { .path = story->path, .backend = story->backend, .pool = story->pool };
    story->kv = state_kv_new(&map, world);
    struct keyed_options options = { kinds, 1, story->memory_bytes_max };
    story->keyed = keyed_new(&options, story->kv, world);
    story->states[0] = state_kv_state(story->kv);
    story->states[1] = keyed_state(story->keyed);
    story->base = state_base_new(story->path, world->disk, 0, story->states, 2);
}

static void down(struct story *story)
{
    state_base_free(story->base);
    keyed_free(story->keyed);
    state_kv_free(story->kv);
    story->base = NULL;
}

static void begin(struct story *story, uint64_t seed)
{
    memset(story, 0, sizeof *story);
    story->seed = seed;
    dice_init(story->dice, seed);
    story->disk = disk_sim_new(seed, &story->time);
    world_sim_init(&story->time, seed, disk_sim_disk(story->disk));
    story->memory_bytes_max = roll(story, 3) ? 24u << 10 : 1u << 20;
    story->next_value = 1;
    story->backend = &kv_disk;
    story->path = SIM_PATH;
    up(story);
}

static void done(struct story *story)
{
    if (story->base)
        down(story);
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

static void restore(struct story *story)
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

static void power_back(struct story *story)
{
    *disk_sim_plan(story->disk) = (struct disk_sim_plan){ 0 };
    disk_sim_restart(story->disk);
    up(story);
    restore(story);
}

/* ---- commits ---- */

static void append(struct story *story)
{
    struct process_stream *changelog = process_outputs_stream(&story->outputs, TOPIC_CHANGELOG, 0);
    struct slice rest = buf_slice(&changelog->bytes), record;
    while (journal_next_record(&rest, &record)) {
        assert_true(story->end < RECORDS_MAX);
        story->records[story->end] = malloc(record.n);
        memcpy(story->records[story->end], record.p, record.n);
        story->sizes[story->end++] = (uint32_t)record.n;
    }
    story->durable = story->flying;
    story->replay_from = story->flying_replay_from;
}

static void collect(struct story *story)
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

static void make_durable(struct story *story)
{
    uint64_t first = story->end;
    append(story);
    for (uint64_t at = first; at < story->end; at++)
        story->states[1]->ops->durable(story->states[1], slice_of(story->records[at], story->sizes[at]), at);
    story->is_flying = false;
}

/* A step towards a checkpoint, as the task takes it: only when no commit flies. */
static void checkpoint(struct story *story)
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

static void maintain(struct story *story)
{
    bool more = true;
    for (int i = 0; i < 20 && more; i++)
        if (story->states[1]->ops->maintain(story->states[1], &more, NULL) != OK)
            return;
}

/* ---- what a stage does ---- */

static struct keyed_pane *pane_of_number(struct story *story, unsigned number, bool create)
{
    bool is_new;
    uint32_t tenant = keyed_tenant(story->keyed, tenant_name(number));
    struct keyed_pane *pane = keyed_pane_get(story->keyed, &KIND, tenant, start_of(number), create, &is_new);
    assert_true(is_new == (pane && !story->now.panes[number].alive));
    if (is_new) {
        story->now.panes[number] = (struct model_pane){ .alive = true, .due_ms = start_of(number) + 60000 };
        keyed_pane_set_due(story->keyed, pane, start_of(number) + 60000);
    }
    assert_true((pane != NULL) == story->now.panes[number].alive);
    return pane;
}

/* False: the map could not be read, the task ends. */
static bool change_rows(struct story *story)
{
    unsigned number = roll(story, PANES), count = 1 + roll(story, 40);
    struct keyed_pane *pane = pane_of_number(story, number, true);
    struct model_pane *model = &story->now.panes[number];
    struct id128 ids[64];
    unsigned keys[64];
    char text[64];
    for (unsigned i = 0; i < count; i++) {
        keys[i] = roll(story, 3) ? roll(story, KEYS) : roll(story, 5); /* some are hot */
        ids[i] = id_of(key_of(keys[i], text));
    }
    if (roll(story, 2) && keyed_load(story->keyed, pane, ids, count, NULL) != OK)
        return false;
    for (unsigned i = 0; i < count; i++) {
        struct keyed_row *row;
        bool is_new;
        keyed_prefetch(pane, ids[i]);
        keyed_prefetch_row(pane, ids[i]);
        if (keyed_row_get(story->keyed, pane, ids[i], key_of(keys[i], text), &row, &is_new, NULL) != OK)
            return false;
        struct row *data = (struct row *)row->data;
        assert_true(is_new == (model->values[keys[i]] == 0));
        assert_int_equal(data->value, model->values[keys[i]]);
        assert_int_equal(row->revision, model->revisions[keys[i]]);
        keyed_row_touch(story->keyed, row);
        row_set(data, story->next_value);
        model->rows += is_new;
        model->values[keys[i]] = story->next_value++;
        row->revision = model->revisions[keys[i]] = roll(story, 4) ? row->revision : roll(story, 1u << 20);
    }
    assert_int_equal(pane->rows, model->rows);
    return true;
}

static void change_pane(struct story *story)
{
    unsigned number = roll(story, PANES);
    struct keyed_pane *pane = pane_of_number(story, number, false);
    struct model_pane *model = &story->now.panes[number];
    if (!pane)
        return;
    if (roll(story, 4) == 0) {
        keyed_pane_drop(story->keyed, pane);
        *model = (struct model_pane){ 0 };
        return;
    }
    model->words[roll(story, KEYED_WORDS)] = roll(story, 1u << 30);
    memcpy(pane->words, model->words, sizeof model->words);
    keyed_pane_touch(story->keyed, pane);
    model->due_ms = roll(story, 3) ? (int64_t)roll(story, 1000) : KEYED_NEVER;
    keyed_pane_set_due(story->keyed, pane, model->due_ms);
}

struct visit {
    const struct model_pane *model;
    struct id128 last;
    bool seen[KEYS];
    unsigned count;
};

static void visit_row(void *self, struct keyed_row *row)
{
    struct visit *visit = self;
    char text[64], name[40];
    snprintf(name, sizeof name, "%.*s", (int)row->key_n, row->key);
    unsigned key = (unsigned)strtoul(name + 4, NULL, 10);
    assert_true(key < KEYS && !visit->seen[key]);
    assert_true(slice_equal(slice_of(row->key, row->key_n), key_of(key, text)));
    assert_true(visit->count == 0 || row->id.hi > visit->last.hi ||
                (row->id.hi == visit->last.hi && row->id.lo > visit->last.lo));
    assert_int_equal(((struct row *)row->data)->value, visit->model->values[key]);
    assert_int_equal(row->revision, visit->model->revisions[key]);
    visit->seen[key] = true;
    visit->last = row->id;
    visit->count++;
}

/* In pieces, with upkeep in between. */
static bool walk(struct story *story, unsigned number)
{
    struct keyed_pane *pane = pane_of_number(story, number, false);
    struct visit visit = { .model = &story->now.panes[number] };
    struct id128 cursor = { 0, 0 };
    bool all = false;
    struct error err = { 0 };
    while (pane && !all) {
        enum status s =
            keyed_pane_walk(story->keyed, pane, &cursor, 1 + roll(story, 30), visit_row, &visit, &all, &err);
        if (s != OK) {
            story->why = s == ERR_CORRUPT ? "corrupt" : "disk";
            return false;
        }
        if (roll(story, 2))
            maintain(story);
    }
    assert_int_equal(visit.count, visit.model->rows);
    return true;
}

static void expect_due(struct story *story)
{
    unsigned tenant = roll(story, TENANTS);
    int64_t watermark_ms = roll(story, 1000), best_ms = KEYED_NEVER;
    for (unsigned i = tenant * STARTS; i < (tenant + 1) * STARTS; i++)
        if (story->now.panes[i].alive && story->now.panes[i].due_ms < best_ms)
            best_ms = story->now.panes[i].due_ms;
    uint32_t number = keyed_tenant(story->keyed, tenant_name(tenant * STARTS));
    struct keyed_pane *pane = keyed_pane_next_due(story->keyed, number, watermark_ms);
    assert_int_equal(keyed_due_ms(story->keyed, number), best_ms);
    assert_true((pane != NULL) == (best_ms <= watermark_ms));
    if (pane)
        assert_int_equal(pane->due_ms, best_ms);
}

/* False: the disk ended it. */
static bool expect_all(struct story *story)
{
    for (unsigned number = 0; number < PANES; number++) {
        struct keyed_pane *pane = pane_of_number(story, number, false);
        if (pane) {
            assert_memory_equal(pane->words, story->now.panes[number].words, sizeof pane->words);
            assert_int_equal(pane->due_ms, story->now.panes[number].due_ms);
            assert_int_equal(pane->rows, story->now.panes[number].rows);
        }
        if (!walk(story, number))
            return false;
    }
    return true;
}

/* Until `rounds` are over or the machine is down. */
static bool play(struct story *story, unsigned rounds)
{
    for (unsigned round = 0; round < rounds && !disk_sim_is_off(story->disk); round++) {
        unsigned what = roll(story, 20);
        if (what < 9) {
            if (story->states[1]->ops->prepare(story->states[1], 64, NULL) == OK && !change_rows(story))
                return false;
        } else if (what < 11) {
            change_pane(story);
        } else if (what < 15) {
            if (!story->is_flying)
                collect(story);
            else
                make_durable(story);
        } else if (what < 17) {
            maintain(story);
        } else if (what < 19) {
            for (unsigned i = roll(story, 6); i > 0; i--)
                checkpoint(story);
        } else if (!walk(story, roll(story, PANES))) {
            return false;
        }
        expect_due(story);
    }
    return true;
}

/* The process or the power ends; a commit that flies is durable or not. */
static void crash(struct story *story, bool power)
{
    if (power)
        disk_sim_power_cut(story->disk);
    else
        disk_sim_kill(story->disk);
    if (story->is_flying && roll(story, 2))
        append(story);
    down(story);
    power_back(story);
}

static void run_with_cut(uint64_t seed, uint64_t cut_at, bool cut_after)
{
    struct story *story = malloc(sizeof *story);
    begin(story, seed);
    story->memory_bytes_max = 24u << 10;
    down(story);
    up(story);
    restore(story);
    disk_sim_plan(story->disk)->cut_at = cut_at;
    disk_sim_plan(story->disk)->cut_after = cut_after;
    (void)play(story, 300);
    crash(story, true);
    assert_true(expect_all(story));
    assert_true(play(story, 60));
    crash(story, true);
    assert_true(expect_all(story));
    done(story);
}

static uint64_t steps_of(uint64_t seed)
{
    struct story *story = malloc(sizeof *story);
    begin(story, seed);
    story->memory_bytes_max = 24u << 10;
    down(story);
    up(story);
    restore(story);
    assert_true(play(story, 300));
    uint64_t steps = disk_sim_steps(story->disk);
    struct keyed_usage usage;
    keyed_usage(story->keyed, &usage);
    assert_true(usage.evictions > 100 && usage.base_reads > 100 && story->checkpoints > 3);
    done(story);
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
    struct story *story = malloc(sizeof *story);
    begin(story, seed);
    restore(story);
    for (int life = 0; life < 8; life++) {
        struct disk_sim_plan *plan = disk_sim_plan(story->disk);
        bool well = play(story, 20 + roll(story, 100));
        if (roll(story, 3) == 0)
            plan->cut_at = disk_sim_steps(story->disk) + 1 + roll(story, 80);
        if (roll(story, 3) == 0)
            plan->fail_sync_in = 1 + roll(story, 6);
        if (roll(story, 3) == 0)
            plan->fail_write_in = 1 + roll(story, 20);
        if (roll(story, 3) == 0)
            plan->fail_name_in = 1 + roll(story, 6);
        plan->write_full = roll(story, 4) == 0;
        if (well)
            (void)play(story, 20 + roll(story, 100));
        crash(story, roll(story, 2));
        if (roll(story, 3)) /* else it dies again before anything was looked at */
            assert_true(expect_all(story));
    }
    done(story);
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
        struct story *story = malloc(sizeof *story);
        begin(story, 900);
        restore(story);
        while (story->now.panes[0].rows < 20)
            assert_true(change_rows(story));
        collect(story);
        make_durable(story);
        keyed_pane_drop(story->keyed, pane_of_number(story, 0, false));
        story->now.panes[0] = (struct model_pane){ 0 };
        for (int i = 0; i < 50; i++)
            checkpoint(story);
        assert_int_equal(story->checkpoints, 0);
        if (durable) {
            collect(story);
            make_durable(story);
            for (int i = 0; i < 50 && story->checkpoints == 0; i++)
                checkpoint(story);
            assert_int_equal(story->checkpoints, 1);
        }
        crash(story, true);
        assert_true(expect_all(story));
        done(story);
    }
}

/* ---- rot ---- */

static unsigned rot(struct story *story, const char *file, unsigned bits)
{
    unsigned rotten = 0;
    char path[64];
    snprintf(path, sizeof path, "%s/%s", SIM_PATH, file);
    for (unsigned i = 0; i < bits; i++)
        rotten += disk_sim_rot(story->disk, path, roll(story, 60000), roll(story, 8));
    return rotten;
}

/* With the whole changelog there, every damage costs time only: at the start, or when a row is read. */
static void test_rot_in_the_map_is_found_and_mended_from_the_changelog(void **state)
{
    (void)state;
    unsigned rotten = 0, later = 0;
    uint64_t fallbacks = 0;
    for (uint64_t seed = 500; seed < 540; seed++) {
        struct story *story = malloc(sizeof *story);
        begin(story, seed);
        story->keep_all = true;
        restore(story);
        assert_true(play(story, 250));
        bool live = seed % 2; /* while it runs, or while it is off */
        if (!live)
            disk_sim_kill(story->disk);
        rotten += rot(story, roll(story, 4) ? "kv/map.log" : "manifest.0", 40);
        if (!live) {
            down(story);
            power_back(story);
        }
        if (!expect_all(story)) { /* the task fails, and begins anew */
            later++;
            crash(story, false);
        }
        assert_true(expect_all(story));
        assert_true(play(story, 50) || story->why);
        crash(story, true);
        assert_true(expect_all(story));
        fallbacks += story->fallbacks;
        done(story);
    }
    print_message("%u bits rotten, %lu replays of everything, %u found by a read\n", rotten, (unsigned long)fallbacks,
                  later);
    assert_true(rotten > 100 && fallbacks > 40 && later > 0);
}

/* ---- RocksDB ---- */

/* On the real disk, without power cuts (the contract test kills it): the map is closed at any moment, and mostly newer
 * than the checkpoint when it comes back. */
static void test_with_rocksdb_beneath_restarts_at_any_moment_leave_the_last_commit(void **state)
{
    (void)state;
    char dir[] = "/tmp/weir-keyed-test-XXXXXX", command[64];
    assert_non_null(mkdtemp(dir));
    struct kv_pool *pool =
        kv_pool_new(&(struct kv_pool_options){ .cache_bytes = 1u << 20, .write_buffers_bytes = 256u << 10 });
    for (uint64_t seed = 700; seed < 706; seed++) {
        struct story *story = malloc(sizeof *story);
        char path[DISK_PATH_MAX];
        snprintf(path, sizeof path, "%s/%lu", dir, (unsigned long)seed);
        begin(story, seed);
        down(story);
        story->backend = &kv_rocksdb;
        story->pool = pool;
        story->path = path;
        story->time.world.disk = disk_real();
        story->memory_bytes_max = 24u << 10;
        up(story);
        restore(story);
        for (int life = 0; life < 5; life++) {
            assert_true(play(story, 150));
            uint64_t fallbacks = story->fallbacks, checkpoints = story->checkpoints;
            crash(story, false);
            assert_int_equal(story->fallbacks, fallbacks + (checkpoints == 0)); /* the map is used */
            assert_true(expect_all(story));
        }
        done(story);
    }
    kv_pool_free(pool);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    assert_int_equal(system(command), 0);
}

/* Calls visit for each table of the map with its size. */
static void each_table(const char *path, void (*visit)(void *self, const char *name, off_t bytes), void *self)
{
    char name[DISK_PATH_MAX + 300];
    struct stat about;
    snprintf(name, sizeof name, "%s/kv", path);
    DIR *dir = opendir(name);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        snprintf(name, sizeof name, "%s/kv/%s", path, entry->d_name);
        if (strstr(entry->d_name, ".sst") && stat(name, &about) == 0)
            visit(self, name, about.st_size);
    }
    closedir(dir);
}

static void take_most(void *self, const char *name, off_t bytes)
{
    off_t *most = self;
    (void)name;
    if (bytes > *most)
        *most = bytes;
}

static void rot_if_large(void *self, const char *name, off_t bytes)
{
    const off_t *most = self;
    if (bytes < *most / 4)
        return;
    FILE *file = fopen(name, "r+b");
    assert_non_null(file);
    fseek(file, bytes / 2, SEEK_SET);
    int byte = fgetc(file);
    fseek(file, bytes / 2, SEEK_SET);
    fputc(byte ^ 1, file);
    fclose(file);
}

/* A bit in the middle of every large file, since one of them alone may hold nothing but what is gone: among rows, since
 * the stamp and the panes come first. */
static void rot_tables(const char *path)
{
    off_t most = 0;
    each_table(path, take_most, &most);
    assert_true(most > 0);
    each_table(path, rot_if_large, &most);
}

/* RocksDB looks at a block when it is read, so it opens well: the first read ends the task, and the next start must not
 * run into the same block again. */
static void test_a_rotten_block_ends_the_task_once_then_the_changelog_rebuilds_it(void **state)
{
    (void)state;
    char dir[] = "/tmp/weir-keyed-test-XXXXXX", command[64];
    assert_non_null(mkdtemp(dir));
    struct kv_pool *pool = kv_pool_new(&(struct kv_pool_options){ 0 });
    struct story *story = malloc(sizeof *story);
    begin(story, 800);
    down(story);
    story->backend = &kv_rocksdb;
    story->pool = pool;
    story->path = dir;
    story->time.world.disk = disk_real();
    story->keep_all = true;
    story->memory_bytes_max = 1u << 20; /* the replay needs nothing of the map */
    up(story);
    restore(story);
    while (story->checkpoints < 2)
        assert_true(play(story, 50));
    down(story);
    disk_sim_kill(story->disk);
    rot_tables(dir);
    kv_pool_free(pool); /* whose cache knows better */
    story->pool = pool = kv_pool_new(&(struct kv_pool_options){ 0 });
    power_back(story);
    uint64_t fallbacks = story->fallbacks;
    assert_false(expect_all(story));
    assert_string_equal(story->why, "corrupt");
    crash(story, false);
    assert_int_equal(story->fallbacks, fallbacks + 1);
    assert_true(expect_all(story));
    while (story->checkpoints < 4)
        assert_true(play(story, 50));
    crash(story, false);
    assert_int_equal(story->fallbacks, fallbacks + 1); /* the new map is used */
    assert_true(expect_all(story));
    done(story);
    kv_pool_free(pool);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lives_that_end_badly_leave_the_last_commit),
        cmocka_unit_test(test_a_power_cut_before_or_after_any_disk_step_leaves_the_last_commit),
        cmocka_unit_test(test_a_checkpoint_waits_for_a_drop_that_is_not_durable),
        cmocka_unit_test(test_rot_in_the_map_is_found_and_mended_from_the_changelog),
        cmocka_unit_test(test_with_rocksdb_beneath_restarts_at_any_moment_leave_the_last_commit),
        cmocka_unit_test(test_a_rotten_block_ends_the_task_once_then_the_changelog_rebuilds_it),
    };
    only_seed = seeds_number("SEED", 0);
    only_cut = seeds_number("CUT", 0);
    seeds_choose_tests();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
