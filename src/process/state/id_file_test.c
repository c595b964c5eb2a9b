/* Sealed files hold exactly the ids of their table, also where a page runs over; what rots is found. */
#include "process/state/id_file.h"

#include <stdlib.h>

#include "base/test.h"
#include "world/disk.h"
#include "world/disk_sim.h"
#include "world/world_sim.h"

static struct world_sim sim;
static struct disk_sim *disk;
static struct id_table table;

static int setup(void **state)
{
    (void)state;
    disk = disk_sim_new(3, &sim);
    world_sim_init(&sim, 3, disk_sim_disk(disk));
    id_table_init(&table, 4u << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    id_table_done(&table);
    disk_sim_free(disk);
    return 0;
}

static struct id128 id_random(uint64_t number)
{
    uint64_t dice[2];
    dice_init(dice, number);
    return (struct id128){ dice_roll(dice), dice_roll(dice) };
}

static void add(struct id128 id)
{
    assert_true(id_table_reserve(&table, 1));
    assert_true(id_table_add(&table, id));
}

static struct id_file *write_file(const char *path)
{
    struct id_file_writer *writer;
    struct id_file *file = NULL;
    assert_int_equal(id_file_writer_open(sim.world.disk, path, 5, &table, &writer, NULL), OK);
    while (!file)
        assert_int_equal(id_file_writer_step(writer, 300000, &file, NULL), OK);
    id_file_writer_free(writer);
    return file;
}

static bool has(const struct id_file *file, struct id128 id)
{
    bool found = false;
    struct id_probe probe = id_probe_of(id);
    if (!id_file_may_have(file, id, &probe))
        return false;
    assert_int_equal(id_file_find(file, id, &found, NULL), OK);
    return found;
}

static void test_a_file_has_its_ids_and_no_others_also_after_opening_it_again(void **state)
{
    (void)state;
    unsigned alarms = 0;
    for (uint64_t i = 0; i < 50000; i++)
        add(id_random(i));
    struct id_file *file = write_file("/a");
    uint32_t stamp = file->stamp;
    id_file_close(file);
    assert_int_equal(id_file_open(sim.world.disk, "/a", 5, stamp, &file, NULL), OK);
    for (uint64_t i = 0; i < 50000; i++)
        assert_true(has(file, id_random(i)));
    for (uint64_t i = 50000; i < 100000; i++) {
        struct id_probe probe = id_probe_of(id_random(i));
        alarms += id_file_may_have(file, id_random(i), &probe);
        assert_false(has(file, id_random(i)));
    }
    assert_true(alarms < 50000 / 50); /* the filter is worth its memory */
    id_file_close(file);
}

/* 600 ids that belong to one page, and 600 that belong to the last one. */
static void test_a_page_that_is_full_goes_on_in_the_next(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 2000; i++)
        add(id_random(i));
    for (uint64_t i = 1; i <= 600; i++) {
        add((struct id128){ i, 1ull << 60 });
        add((struct id128){ i, UINT64_MAX });
    }
    struct id_file *file = write_file("/a");
    assert_true(file->all_pages > file->home_pages);
    for (uint64_t i = 0; i < 2000; i++)
        assert_true(has(file, id_random(i)));
    for (uint64_t i = 1; i <= 600; i++) {
        assert_true(has(file, (struct id128){ i, 1ull << 60 }));
        assert_true(has(file, (struct id128){ i, UINT64_MAX }));
        assert_false(has(file, (struct id128){ i + 600, 1ull << 60 }));
    }
    id_file_close(file);
}

static void test_rot_is_found_wherever_it_is(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 1000; i++)
        add(id_random(i));
    struct id_file *file = write_file("/a");
    uint32_t stamp = file->stamp;
    uint64_t bytes = id_file_disk_bytes(file);
    id_file_close(file);
    for (uint64_t at = 0; at < bytes; at += 61) {
        bool noticed = at >= 56 && at < ID_FILE_PAGE_BYTES; /* zeros behind the header mean nothing */
        assert_true(disk_sim_rot(disk, "/a", at, at % 8));
        if (id_file_open(sim.world.disk, "/a", 5, stamp, &file, NULL) != OK) {
            noticed = true;
        } else {
            for (uint64_t i = 0; i < 1000 && !noticed; i++) {
                bool found = false;
                enum status s = id_file_find(file, id_random(i), &found, NULL);
                noticed = s == ERR_CORRUPT;
                assert_true(noticed || (s == OK && found));
            }
            id_file_close(file);
        }
        assert_true(noticed);
        assert_true(disk_sim_rot(disk, "/a", at, at % 8));
    }
}

static void test_another_file_of_the_name_is_not_taken_for_it(void **state)
{
    (void)state;
    add(id_random(1));
    struct id_file *file = write_file("/a");
    uint32_t stamp = file->stamp;
    id_file_close(file);
    add(id_random(2));
    id_file_close(write_file("/a"));
    assert_int_equal(id_file_open(sim.world.disk, "/a", 5, stamp, &file, NULL), ERR_CORRUPT);
    assert_int_equal(id_file_open(sim.world.disk, "/b", 5, stamp, &file, NULL), ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_file_has_its_ids_and_no_others_also_after_opening_it_again, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_page_that_is_full_goes_on_in_the_next, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rot_is_found_wherever_it_is, setup, teardown),
        cmocka_unit_test_setup_teardown(test_another_file_of_the_name_is_not_taken_for_it, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
