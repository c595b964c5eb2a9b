/* The simulated disk must be as bad as it says, or the tests that stand on it prove nothing. */
#include "world/disk_sim.h"

#include "base/test.h"
#include "world/world_sim.h"

static struct disk_sim *sim;
static struct disk *disk;
static struct disk_file *file;
static struct error err;

static int setup(void **state)
{
    (void)state;
    sim = disk_sim_new(7, NULL);
    disk = disk_sim_disk(sim);
    assert_int_equal(disk->ops->open(disk, "d/f", DISK_CREATE_NEW, &file, &err), OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (file)
        file->ops->close(file);
    file = NULL;
    disk_sim_free(sim);
    return 0;
}

static void put(uint64_t offset, char letter, size_t n, enum status expected)
{
    static char bytes[8192];
    memset(bytes, letter, n);
    struct iovec part = { bytes, n };
    assert_int_equal(file->ops->write(file, &part, 1, offset, &err), expected);
}

static void again(void)
{
    file->ops->close(file);
    file = NULL;
    disk_sim_restart(sim);
    (void)disk->ops->open(disk, "d/f", DISK_WRITE, &file, &err);
}

static size_t count_letter(char letter)
{
    char bytes[8192];
    size_t n, count = 0;
    assert_int_equal(file->ops->read(file, bytes, sizeof bytes, 0, &n, &err), OK);
    for (size_t i = 0; i < n; i++)
        count += bytes[i] == letter;
    return count;
}

static void sync_all(void)
{
    assert_int_equal(file->ops->sync(file, &err), OK);
    assert_int_equal(disk->ops->sync_dir(disk, "d", &err), OK);
}

static void test_what_was_synced_survives_and_the_rest_in_whole_sectors(void **state)
{
    (void)state;
    bool lost = false, torn = false;
    put(0, 'a', 4096, OK);
    sync_all();
    for (int i = 0; i < 200; i++) {
        put(0, 'a', 4096, OK);
        sync_all();
        put(0, 'b', 4096, OK);
        disk_sim_power_cut(sim);
        again();
        size_t a = count_letter('a'), b = count_letter('b');
        assert_int_equal(a + b, 4096);
        assert_int_equal(b % DISK_SIM_SECTOR, 0);
        lost |= b == 0;
        torn |= b > 0 && a > 0;
    }
    assert_true(lost && torn);
}

static void test_a_name_that_was_not_synced_may_be_gone(void **state)
{
    (void)state;
    int gone = 0;
    for (int i = 0; i < 100; i++) {
        put(0, 'a', 100, OK);
        assert_int_equal(file->ops->sync(file, &err), OK);
        disk_sim_power_cut(sim);
        again();
        gone += file == NULL;
        if (file) { /* for the next round */
            assert_int_equal(disk->ops->remove(disk, "d/f", &err), OK);
            assert_int_equal(disk->ops->sync_dir(disk, "d", &err), OK);
            file->ops->close(file);
        }
        assert_int_equal(disk->ops->open(disk, "d/f", DISK_CREATE_NEW, &file, &err), OK);
    }
    assert_true(gone > 10 && gone < 90);
}

static void test_a_kill_keeps_the_page_cache_and_frees_the_lock(void **state)
{
    (void)state;
    assert_int_equal(file->ops->lock(file, &err), OK);
    put(0, 'a', 1000, OK);
    disk_sim_kill(sim);
    put(0, 'b', 1000, ERR_IO);
    again();
    assert_int_equal(count_letter('a'), 1000);
    assert_int_equal(file->ops->lock(file, &err), OK);
}

static void test_a_failed_sync_is_not_made_good_by_the_next(void **state)
{
    (void)state;
    bool lost = false;
    for (int i = 0; i < 100; i++) {
        put(0, 'a', 4096, OK);
        sync_all();
        put(0, 'b', 4096, OK);
        disk_sim_plan(sim)->fail_sync_in = 1;
        assert_int_equal(file->ops->sync(file, &err), ERR_IO);
        disk_sim_plan(sim)->fail_sync_in = 0;
        assert_int_equal(count_letter('b'), 4096);
        assert_int_equal(file->ops->sync(file, &err), OK);
        disk_sim_power_cut(sim);
        again();
        lost |= count_letter('b') < 4096;
    }
    assert_true(lost);
}

static void test_the_power_goes_at_the_planned_step(void **state)
{
    (void)state;
    put(0, 'a', 512, OK);
    sync_all();
    disk_sim_plan(sim)->cut_at = disk_sim_steps(sim) + 2;
    disk_sim_plan(sim)->cut_after = true;
    put(0, 'b', 512, OK);
    assert_int_equal(file->ops->sync(file, &err), ERR_IO); /* carried out, but nobody heard of it */
    assert_true(disk_sim_is_off(sim));
    again();
    assert_int_equal(count_letter('b'), 512);
}

static void test_a_full_disk_says_so_and_takes_no_more(void **state)
{
    (void)state;
    uint64_t left;
    disk_sim_plan(sim)->capacity_bytes = 4096;
    put(0, 'a', 3000, OK);
    put(3000, 'b', 2000, ERR_FULL);
    put(0, 'c', 3000, OK); /* what is there can be overwritten */
    assert_int_equal(disk->ops->free_bytes(disk, "d", &left, &err), OK);
    assert_true(left <= 1096);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_was_synced_survives_and_the_rest_in_whole_sectors, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_name_that_was_not_synced_may_be_gone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_kill_keeps_the_page_cache_and_frees_the_lock, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_failed_sync_is_not_made_good_by_the_next, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_power_goes_at_the_planned_step, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_full_disk_says_so_and_takes_no_more, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
