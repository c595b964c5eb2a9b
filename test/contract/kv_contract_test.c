/* What every map of src/process/state/kv.h promises: order, bounds, reopening, kill -9 in the middle, damaged files. */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/test.h"
#include "process/state/kv.h"
#include "test/support/scratch.h"
#include "world/disk.h"
#include "world/world.h"
#include "world/world_sim.h"

#define KEYS 600
#define VALUE_MAX 200

static char dir[SCRATCH_PATH_MAX];
static char path[DISK_PATH_MAX];
static const struct kv_backend *backend;
static struct kv_pool *pool;
static struct kv *map;
static struct error err;

/* The map as it should be: the value of key i is a number, written `repeat` times; 0: no such key. */
static uint64_t model[KEYS];

static struct slice key_of(unsigned i, char to[8])
{
    to[0] = 2;
    return slice_of(to, 1 + (size_t)snprintf(to + 1, 7, "%05u", i));
}

static struct slice value_of(uint64_t number, uint64_t to[VALUE_MAX / 8])
{
    size_t times = 1 + number % (VALUE_MAX / 8 - 1);
    for (size_t i = 0; i < times; i++)
        to[i] = number;
    return slice_of(to, times * 8);
}

static uint64_t number_of(struct slice value)
{
    uint64_t number, again[VALUE_MAX / 8];
    assert_true(value.n >= 8 && value.n <= VALUE_MAX);
    memcpy(&number, value.p, sizeof number);
    assert_true(slice_equal(value, value_of(number, again)));
    return number;
}

static enum status try_open(bool fresh)
{
    struct kv_options options = { .path = path, .fresh = fresh, .world = world_real(), .pool = pool };
    err = (struct error){ 0 };
    return backend->open(&options, &map, &err);
}

static void open_map(bool fresh)
{
    if (try_open(fresh) != OK)
        print_message("%s\n", err.text);
    assert_non_null(map);
}

static void close_map(void)
{
    if (map)
        backend->close(map);
    map = NULL;
}

static void sync_map(uint64_t number)
{
    bool done = false;
    enum status s;
    while ((s = backend->sync(map, number, &err)) == ERR_RETRY) /* busy with what was written before */
        usleep(1000);
    assert_int_equal(s, OK);
    while (!done)
        assert_int_equal(backend->synced(map, &done, &err), OK);
    assert_int_equal(backend->stamp(map).number, number);
}

static void put_numbers(const unsigned *keys, size_t count, uint64_t number)
{
    static char names[KEYS][8];
    static uint64_t values[KEYS][VALUE_MAX / 8];
    struct kv_change changes[KEYS] = { 0 };
    for (size_t i = 0; i < count; i++)
        changes[i] = (struct kv_change){ KV_PUT, key_of(keys[i], names[i]), value_of(number, values[i]) };
    assert_int_equal(backend->write(map, changes, count, true, &err), OK);
    for (size_t i = 0; i < count; i++)
        model[keys[i]] = number;
}

static void delete_keys(unsigned from, unsigned to, bool range)
{
    char a[8], b[8];
    struct kv_change change = { range ? KV_DELETE_RANGE : KV_DELETE, key_of(from, a),
                                range ? key_of(to, b) : (struct slice){ "", 0 } };
    assert_int_equal(backend->write(map, &change, 1, false, &err), OK);
    for (unsigned i = from; i < (range ? to : from + 1); i++)
        model[i] = 0;
}

struct check {
    unsigned next, seen;
    unsigned stop_after;
};

static bool check_visit(void *self, struct slice key, struct slice value)
{
    struct check *check = self;
    char name[8];
    while (check->next < KEYS && model[check->next] == 0)
        check->next++;
    assert_true(check->next < KEYS);
    assert_true(slice_equal(key, key_of(check->next, name)));
    assert_int_equal(number_of(value), model[check->next]);
    check->next++;
    return ++check->seen != check->stop_after;
}

static void check_many(void *self, size_t index, struct slice value)
{
    assert_int_equal(number_of(value), model[index]);
    (*(unsigned *)self)++;
}

static void expect_as_model(void)
{
    char from[8], to[8], names[KEYS][8];
    struct check check = { 0 };
    struct slice keys[KEYS];
    unsigned alive = 0, found = 0;
    AUTO(buf) struct buf value = { 0 };
    buf_init(&value, KV_VALUE_MAX);
    for (unsigned i = 0; i < KEYS; i++) {
        alive += model[i] != 0;
        keys[i] = key_of(i, names[i]);
        buf_reset(&value);
        enum status s = backend->get(map, keys[i], &value, &err);
        assert_int_equal(s, model[i] ? OK : ERR_NOT_FOUND);
        if (s == OK)
            assert_int_equal(number_of(buf_slice(&value)), model[i]);
    }
    assert_int_equal(backend->scan(map, key_of(0, from), key_of(99999, to), check_visit, &check, &err), OK);
    assert_int_equal(check.seen, alive);
    assert_int_equal(backend->get_many(map, keys, KEYS, check_many, &found, &err), OK);
    assert_int_equal(found, alive);
}

static int make_dir(void **state)
{
    (void)state;
    memset(model, 0, sizeof model);
    snprintf(path, sizeof path, "%s/map", dir);
    open_map(true);
    return 0;
}

static int close_it(void **state)
{
    (void)state;
    close_map();
    return 0;
}

/* ---- promises ---- */

static void test_random_changes_are_there_in_order_also_after_reopening(void **state)
{
    (void)state;
    uint64_t dice[2];
    dice_init(dice, 7);
    for (uint64_t round = 1; round <= 120; round++) {
        unsigned keys[KEYS], count = 0;
        unsigned most = 1 + (unsigned)dice_below(dice, 20);
        for (unsigned i = (unsigned)dice_below(dice, most); i < KEYS; i += 1 + (unsigned)dice_below(dice, most))
            keys[count++] = i;
        if (count)
            put_numbers(keys, count, round);
        unsigned from = (unsigned)dice_below(dice, KEYS);
        delete_keys(from, from + 1 + (unsigned)dice_below(dice, KEYS - from), dice_below(dice, 2));
        if (round % 10 == 0)
            expect_as_model();
        if (round % 30 == 0) {
            uint64_t life = backend->stamp(map).life;
            sync_map(round);
            close_map();
            open_map(false);
            assert_int_equal(backend->stamp(map).number, round);
            assert_int_equal(backend->stamp(map).life, life);
            expect_as_model();
        }
    }
    struct kv_usage usage;
    backend->usage(map, &usage);
    assert_true(usage.disk_bytes > 0);
}

static void test_a_scan_keeps_to_its_bounds_and_stops_when_told(void **state)
{
    (void)state;
    unsigned keys[KEYS];
    for (unsigned i = 0; i < KEYS; i++)
        keys[i] = i;
    put_numbers(keys, KEYS, 5);
    char from[8], to[8];
    struct check check = { .next = 100 };
    assert_int_equal(backend->scan(map, key_of(100, from), key_of(200, to), check_visit, &check, &err), OK);
    assert_int_equal(check.seen, 100);
    check = (struct check){ .next = 300, .stop_after = 7 };
    assert_int_equal(backend->scan(map, key_of(300, from), key_of(500, to), check_visit, &check, &err), OK);
    assert_int_equal(check.seen, 7);
    check = (struct check){ 0 };
    assert_int_equal(backend->scan(map, key_of(300, from), key_of(300, to), check_visit, &check, &err), OK);
    assert_int_equal(check.seen, 0);
}

/* Nothing that happens to the map afterwards shows in it, nor is it lost when all of that is on disk. */
static void test_a_view_stands_still_while_the_map_goes_on(void **state)
{
    (void)state;
    static uint64_t then[KEYS], now[KEYS];
    char from[8], to[8];
    unsigned keys[KEYS];
    struct kv_view *view;
    for (unsigned i = 0; i < KEYS; i++)
        keys[i] = i;
    put_numbers(keys, KEYS / 2, 5);
    memcpy(then, model, sizeof model);
    assert_int_equal(backend->view_open(map, &view, &err), OK);
    put_numbers(keys, KEYS, 6);
    delete_keys(10, 40, true);
    sync_map(1);
    memcpy(now, model, sizeof model);
    memcpy(model, then, sizeof model);
    struct check check = { 20, 0, 7 }; /* in pieces */
    assert_int_equal(backend->view_scan(map, view, key_of(20, from), key_of(99999, to), check_visit, &check, &err), OK);
    assert_int_equal(check.seen, 7);
    check.stop_after = 0;
    assert_int_equal(backend->view_scan(map, view, key_of(27, from), key_of(99999, to), check_visit, &check, &err), OK);
    assert_int_equal(check.seen, KEYS / 2 - 20);
    backend->view_close(map, view);
    memcpy(model, now, sizeof model);
    expect_as_model();
}

static void test_fresh_forgets_everything_and_begins_another_life(void **state)
{
    (void)state;
    unsigned key = 3;
    put_numbers(&key, 1, 9);
    sync_map(1);
    uint64_t life = backend->stamp(map).life;
    close_map();
    open_map(true);
    model[3] = 0;
    expect_as_model();
    assert_int_equal(backend->stamp(map).number, 0);
    assert_true(backend->stamp(map).life != life);
}

/* ---- kill -9 ---- */

/* Round r writes r to the keys whose number is a multiple of something; after some rounds there is a sync. */
static unsigned keys_of_round(uint64_t round, unsigned keys[KEYS])
{
    unsigned count = 0;
    for (unsigned i = (unsigned)(round % 7); i < KEYS; i += 1 + (unsigned)(round % 13))
        keys[count++] = i;
    return count;
}

static int write_until_killed(int out)
{
    unsigned keys[KEYS];
    open_map(true);
    for (uint64_t round = 1;; round++) {
        put_numbers(keys, keys_of_round(round, keys), round);
        if (round % 50 == 0) {
            sync_map(round);
            if (write(out, &round, sizeof round) != sizeof round)
                return 1;
        }
    }
}

static bool newest_visit(void *self, struct slice key, struct slice value)
{
    uint64_t number = number_of(value), *newest = self;
    (void)key;
    if (number > *newest)
        *newest = number;
    return true;
}

static void test_kill_leaves_a_prefix_that_holds_what_was_synced(void **state)
{
    (void)state;
    close_map();
    for (int life = 0; life < 3; life++) {
        int ends[2];
        uint64_t synced = 0, newest = 0;
        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        if (child == 0) {
            char out[16];
            snprintf(out, sizeof out, "%d", ends[1]);
            execl("/proc/self/exe", "kv_contract_test", backend->name, path, out, NULL);
            _exit(1);
        }
        close(ends[1]);
        for (int i = 0; i < 3 + life; i++)
            assert_int_equal(read(ends[0], &synced, sizeof synced), sizeof synced);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        while (read(ends[0], &synced, sizeof synced) == sizeof synced)
            ;
        close(ends[0]);
        open_map(false);
        assert_true(backend->stamp(map).number >= synced);
        char from[8], to[8];
        assert_int_equal(backend->scan(map, key_of(0, from), key_of(99999, to), newest_visit, &newest, &err), OK);
        assert_true(newest >= backend->stamp(map).number);
        memset(model, 0, sizeof model);
        for (uint64_t round = 1; round <= newest; round++) {
            unsigned keys[KEYS], count = keys_of_round(round, keys);
            for (unsigned i = 0; i < count; i++)
                model[keys[i]] = round;
        }
        expect_as_model();
        close_map();
    }
}

/* ---- damage ---- */

static unsigned flip_in_file(const char *name, uint64_t dice[2])
{
    char file[DISK_PATH_MAX];
    struct stat about;
    snprintf(file, sizeof file, "%s/%s", path, name);
    FILE *f = stat(file, &about) == 0 && S_ISREG(about.st_mode) && about.st_size > 0 ? fopen(file, "r+b") : NULL;
    if (!f)
        return 0;
    long at = (long)dice_below(dice, (uint64_t)about.st_size);
    fseek(f, at, SEEK_SET);
    int byte = fgetc(f);
    fseek(f, at, SEEK_SET);
    fputc(byte ^ (1 << dice_below(dice, 8)), f);
    fclose(f);
    return 1;
}

/* One bit of one file, by the dice. */
static void flip_one(uint64_t dice[2])
{
    struct dirent *entries[64];
    unsigned count = 0, flipped = 0;
    DIR *d = opendir(path);
    for (struct dirent *e; (e = readdir(d)) && count < COUNT_OF(entries);) {
        if (e->d_name[0] == '.' || strncmp(e->d_name, "LOG", 3) == 0 || strncmp(e->d_name, "OPTIONS", 7) == 0 ||
            strcmp(e->d_name, "LOCK") == 0 || strcmp(e->d_name, "IDENTITY") == 0)
            continue;
        entries[count] = malloc(sizeof *e);
        memcpy(entries[count++], e, sizeof *e);
    }
    closedir(d);
    assert_true(count > 0);
    while (!flipped)
        flipped = flip_in_file(entries[dice_below(dice, count)]->d_name, dice);
    for (unsigned i = 0; i < count; i++)
        free(entries[i]);
}

static void make_two_syncs(void)
{
    unsigned keys[KEYS];
    open_map(true);
    memset(model, 0, sizeof model);
    for (uint64_t round = 1; round <= 20; round++) {
        put_numbers(keys, keys_of_round(round, keys), round);
        if (round % 10 == 0)
            sync_map(round);
    }
    close_map();
}

static bool right_visit(void *self, struct slice key, struct slice value)
{
    char name[8];
    unsigned i = (unsigned)strtoul((char[6]){ key.p[1], key.p[2], key.p[3], key.p[4], key.p[5], 0 }, NULL, 10);
    assert_true(i < KEYS && slice_equal(key, key_of(i, name)));
    assert_int_equal(number_of(value), model[i]);
    (*(unsigned *)self)++;
    return true;
}

/* True when the damage was found. */
static bool is_found(void)
{
    char from[8], to[8], name[8];
    unsigned seen = 0, alive = 0;
    enum status s = try_open(false);
    if (s != OK) {
        if (s != ERR_CORRUPT)
            print_message("%s\n", err.text);
        assert_int_equal(s, ERR_CORRUPT);
        return true;
    }
    if (backend->stamp(map).number < 20)
        return true;
    s = backend->scan(map, key_of(0, from), key_of(99999, to), right_visit, &seen, &err);
    AUTO(buf) struct buf value = { 0 };
    buf_init(&value, KV_VALUE_MAX);
    for (unsigned i = 0; i < KEYS; i++) {
        alive += model[i] != 0;
        buf_reset(&value);
        enum status got = backend->get(map, key_of(i, name), &value, &err);
        if (got == OK)
            assert_int_equal(number_of(buf_slice(&value)), model[i]);
        else
            assert_true(got == ERR_CORRUPT || model[i] == 0);
    }
    if (s == OK)
        assert_int_equal(seen, alive);
    return s == ERR_CORRUPT;
}

static void test_a_flipped_bit_is_found_or_harmless_never_served(void **state)
{
    (void)state;
    uint64_t dice[2];
    unsigned found = 0;
    dice_init(dice, 11);
    close_map();
    for (int i = 0; i < 60; i++) {
        make_two_syncs();
        flip_one(dice);
        found += is_found();
        close_map();
    }
    print_message("%s: %u of 60 flipped bits were found\n", backend->name, found);
    assert_true(found > 20);
}

static void test_a_missing_or_cut_file_is_found(void **state)
{
    (void)state;
    close_map();
    make_two_syncs();
    DIR *d = opendir(path);
    for (struct dirent *e; (e = readdir(d));) {
        char file[DISK_PATH_MAX];
        snprintf(file, sizeof file, "%s/%s", path, e->d_name);
        if (strstr(e->d_name, ".sst"))
            assert_int_equal(unlink(file), 0);
        if (strcmp(e->d_name, "map.log") == 0)
            assert_int_equal(truncate(file, 20), 0);
    }
    closedir(d);
    assert_int_equal(try_open(false), ERR_CORRUPT);
    open_map(true); /* the way on */
    memset(model, 0, sizeof model);
    expect_as_model();
}

/* With arguments: the child that is killed. */
int main(int argc, char **argv)
{
    static const struct kv_backend *const backends[] = { &kv_disk, &kv_rocksdb };
    const struct CMUnitTest tests[] = {
#define WITH_MAP(test) cmocka_unit_test_setup_teardown(test, make_dir, close_it)
        WITH_MAP(test_random_changes_are_there_in_order_also_after_reopening),
        WITH_MAP(test_a_scan_keeps_to_its_bounds_and_stops_when_told),
        WITH_MAP(test_a_view_stands_still_while_the_map_goes_on),
        WITH_MAP(test_fresh_forgets_everything_and_begins_another_life),
        WITH_MAP(test_a_flipped_bit_is_found_or_harmless_never_served),
        WITH_MAP(test_a_missing_or_cut_file_is_found),
        WITH_MAP(test_kill_leaves_a_prefix_that_holds_what_was_synced),
    };
    int failed = 0;
    pool = kv_pool_new(&(struct kv_pool_options){ .cache_bytes = 1u << 20, .write_buffers_bytes = 1u << 20 });
    if (argc == 4) {
        backend = strcmp(argv[1], "disk") == 0 ? &kv_disk : &kv_rocksdb;
        snprintf(path, sizeof path, "%s", argv[2]);
        return write_until_killed((int)strtol(argv[3], NULL, 10));
    }
    scratch_make("kv", dir);
    for (size_t i = 0; i < COUNT_OF(backends); i++) {
        backend = backends[i];
        print_message("kv_%s\n", backend->name);
        failed += cmocka_run_group_tests(tests, NULL, NULL);
    }
    kv_pool_free(pool);
    return failed + (scratch_remove(dir) != 0);
}
