/* Whatever is added, in whatever pieces it is written: the map holds the last value of each key. */
#include "process/state/kv_writer.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/test.h"
#include "world/disk_sim.h"
#include "world/world_sim.h"

#define KEYS 200

struct desk {
    struct world_sim time;
    struct disk_sim *disk;
    struct state_kv *kv;
    struct kv_writer writer;
    char expected[KEYS][40]; /* "" : not there */
};

static void desk_open(struct desk *desk, uint64_t seed)
{
    memset(desk, 0, sizeof *desk);
    desk->disk = disk_sim_new(seed, &desk->time);
    world_sim_init(&desk->time, seed, disk_sim_disk(desk->disk));
    assert_int_equal(disk_make_dirs(desk->time.world.disk, "/state", NULL), OK);
    const struct state_kv_options options = { .path = "/state", .backend = &kv_disk };
    desk->kv = state_kv_new(&options, &desk->time.world);
    kv_writer_init(&desk->writer, desk->kv);
}

static void desk_close(struct desk *desk)
{
    kv_writer_done(&desk->writer);
    state_kv_free(desk->kv);
    disk_sim_free(desk->disk);
}

static void change(struct desk *desk, uint64_t *dice)
{
    unsigned key = (unsigned)dice_below(dice, KEYS);
    char name[16];
    int n = snprintf(name, sizeof name, "k%03u", key);
    if (dice_below(dice, 4) == 0) {
        desk->expected[key][0] = 0;
        kv_writer_add(&desk->writer, slice_of(name, (size_t)n), (struct slice){ 0 });
        return;
    }
    snprintf(desk->expected[key], sizeof desk->expected[key], "%.*s%u", (int)dice_below(dice, 20),
             "xxxxxxxxxxxxxxxxxxxx", (unsigned)dice_below(dice, 100000));
    kv_writer_add(&desk->writer, slice_of(name, (size_t)n), slice_from(desk->expected[key]));
}

static void write_all(struct desk *desk)
{
    bool more = true;
    while (more)
        assert_int_equal(kv_writer_step(&desk->writer, true, &more, NULL), OK);
    assert_int_equal(desk->writer.queued, desk->writer.written);
}

static void check(struct desk *desk, uint64_t seed)
{
    struct kv *map;
    struct buf value;
    buf_init(&value, 1000);
    assert_int_equal(state_kv_map(desk->kv, &map, NULL), OK);
    for (unsigned i = 0; i < KEYS; i++) {
        char name[16];
        int n = snprintf(name, sizeof name, "k%03u", i);
        buf_reset(&value);
        enum status s = map->backend->get(map, slice_of(name, (size_t)n), &value, NULL);
        bool same = desk->expected[i][0] ? s == OK && slice_equal(buf_slice(&value), slice_from(desk->expected[i]))
                                         : s == ERR_NOT_FOUND;
        if (!same)
            fail_msg("SEED=%llu: %s is %.*s, not '%s'", (unsigned long long)seed, name, (int)value.n, value.p,
                     desk->expected[i]);
    }
    buf_done(&value);
}

static void test_the_map_holds_the_last_value_of_each_key(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct desk desk;
        uint64_t dice[2];
        dice_init(dice, seed);
        desk_open(&desk, seed);
        for (unsigned turn = 0; turn < 30; turn++) {
            for (uint64_t i = dice_below(dice, 300); i > 0; i--)
                change(&desk, dice);
            if (dice_below(dice, 3) == 0) {
                write_all(&desk);
                check(&desk, seed);
            }
        }
        write_all(&desk);
        check(&desk, seed);
        desk_close(&desk);
    }
}

/* More than one piece, so that changes come while others of the same key are half way. */
static void test_changes_between_two_pieces_are_not_lost(void **state)
{
    (void)state;
    struct desk desk;
    desk_open(&desk, 1);
    char *large = malloc(300000);
    bool more = true;
    memset(large, 'a', 300000);
    for (unsigned i = 0; i < 8; i++) {
        char name[8];
        int n = snprintf(name, sizeof name, "k%03u", i);
        kv_writer_add(&desk.writer, slice_of(name, (size_t)n), slice_of(large, 300000));
    }
    assert_int_equal(kv_writer_step(&desk.writer, true, &more, NULL), OK);
    assert_true(more);
    for (unsigned i = 0; i < 8; i++) {
        char name[8];
        int n = snprintf(name, sizeof name, "k%03u", i);
        snprintf(desk.expected[i], sizeof desk.expected[i], "new %u", i);
        kv_writer_add(&desk.writer, slice_of(name, (size_t)n), slice_from(desk.expected[i]));
    }
    write_all(&desk);
    check(&desk, 1);
    free(large);
    desk_close(&desk);
}

static void test_what_changes_often_is_written_once(void **state)
{
    (void)state;
    struct desk desk;
    desk_open(&desk, 1);
    for (unsigned i = 0; i < 1000; i++) {
        char value[8];
        snprintf(value, sizeof value, "%04u", i);
        kv_writer_add(&desk.writer, SLICE("key"), slice_from(value));
    }
    assert_int_equal(desk.writer.queued, 1);
    desk_close(&desk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_map_holds_the_last_value_of_each_key),
        cmocka_unit_test(test_changes_between_two_pieces_are_not_lost),
        cmocka_unit_test(test_what_changes_often_is_written_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
