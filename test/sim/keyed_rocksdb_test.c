/* Keyed state against a plain table (test/support/keyed_story.h) with RocksDB beneath, on the real disk: restarts at
 * any moment, and a block that rots. kill -9 of RocksDB is test/contract/kv_contract_test.c's. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/test.h"
#include "test/support/keyed_story.h"
#include "test/support/scratch.h"
#include "world/disk.h"

static struct story *begin_on_disk(uint64_t seed, const char *path, struct kv_pool *pool, uint64_t memory_bytes_max)
{
    struct story *story = story_new(seed);
    story_down(story);
    story->backend = &kv_rocksdb;
    story->pool = pool;
    story->path = path;
    story->time.world.disk = disk_real();
    story->memory_bytes_max = memory_bytes_max;
    story_up(story);
    return story;
}

/* The map is closed at any moment, and mostly newer than the checkpoint when it comes back. */
static void test_with_rocksdb_beneath_restarts_at_any_moment_leave_the_last_commit(void **state)
{
    (void)state;
    char dir[SCRATCH_PATH_MAX];
    scratch_make("keyed", dir);
    struct kv_pool *pool =
        kv_pool_new(&(struct kv_pool_options){ .cache_bytes = 1u << 20, .write_buffers_bytes = 256u << 10 });
    for (uint64_t seed = 700; seed < 706; seed++) {
        char path[DISK_PATH_MAX];
        snprintf(path, sizeof path, "%s/%lu", dir, (unsigned long)seed);
        struct story *story = begin_on_disk(seed, path, pool, STORY_SMALL_BYTES);
        story_restore(story);
        for (int life = 0; life < 5; life++) {
            assert_true(story_play(story, 150));
            uint64_t fallbacks = story->fallbacks, checkpoints = story->checkpoints;
            story_crash(story, false);
            assert_int_equal(story->fallbacks, fallbacks + (checkpoints == 0)); /* the map is used */
            assert_true(story_expect_all(story));
        }
        story_free(story);
    }
    kv_pool_free(pool);
    assert_int_equal(scratch_remove(dir), 0);
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
    char dir[SCRATCH_PATH_MAX];
    scratch_make("keyed", dir);
    struct kv_pool *pool = kv_pool_new(&(struct kv_pool_options){ 0 });
    /* Of memory so much that the replay needs nothing of the map. */
    struct story *story = begin_on_disk(800, dir, pool, STORY_LARGE_BYTES);
    story->keep_all = true;
    story_restore(story);
    while (story->checkpoints < 2)
        assert_true(story_play(story, 50));
    story_down(story);
    disk_sim_kill(story->disk);
    rot_tables(dir);
    kv_pool_free(pool); /* whose cache knows better */
    story->pool = pool = kv_pool_new(&(struct kv_pool_options){ 0 });
    story_power_back(story);
    uint64_t fallbacks = story->fallbacks;
    assert_false(story_expect_all(story));
    assert_string_equal(story->why, "corrupt");
    story_crash(story, false);
    assert_int_equal(story->fallbacks, fallbacks + 1);
    assert_true(story_expect_all(story));
    while (story->checkpoints < 4)
        assert_true(story_play(story, 50));
    story_crash(story, false);
    assert_int_equal(story->fallbacks, fallbacks + 1); /* the new map is used */
    assert_true(story_expect_all(story));
    story_free(story);
    kv_pool_free(pool);
    assert_int_equal(scratch_remove(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_with_rocksdb_beneath_restarts_at_any_moment_leave_the_last_commit),
        cmocka_unit_test(test_a_rotten_block_ends_the_task_once_then_the_changelog_rebuilds_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
