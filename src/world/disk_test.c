#include "world/disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/test.h"
#include "test/support/scratch.h"

static char dir[SCRATCH_PATH_MAX];

static void path_of(char *out, const char *name)
{
    snprintf(out, DISK_PATH_MAX, "%s/%s", dir, name);
}

static int make_dir(void **state)
{
    (void)state;
    scratch_make("disk", dir);
    return 0;
}

static int remove_dir(void **state)
{
    (void)state;
    return scratch_remove(dir);
}

static void test_a_replaced_file_has_the_new_content_whole(void **state)
{
    (void)state;
    struct disk *disk = disk_real();
    char path[DISK_PATH_MAX], *text;
    size_t n;
    path_of(path, "settings");
    assert_int_equal(disk_replace(disk, path, "a longer first version", 22, NULL), OK);
    assert_int_equal(disk_replace(disk, path, "second", 6, NULL), OK);
    assert_int_equal(disk_read_whole(disk, path, 100, &text, &n, NULL), OK);
    assert_int_equal(n, 6);
    assert_string_equal(text, "second");
    free(text);
    struct error err;
    assert_int_equal(disk_read_whole(disk, path, 5, &text, &n, &err), ERR_INVALID);
    path_of(path, "nothing");
    assert_int_equal(disk_read_whole(disk, path, 5, &text, &n, &err), ERR_NOT_FOUND);
}

static void test_writes_past_the_cache_and_through_it_make_one_file(void **state)
{
    (void)state;
    struct disk *disk = disk_real();
    struct disk_file *file;
    char path[DISK_PATH_MAX];
    static _Alignas(DISK_ALIGN) char blocks[3 * DISK_ALIGN], got[4 * DISK_ALIGN];
    path_of(path, "blocks");
    assert_int_equal(disk->ops->open(disk, path, DISK_CREATE, &file, NULL), OK);
    assert_int_equal(file->ops->zero(file, 0, 4 * DISK_ALIGN, NULL), OK);
    file->ops->past_cache(file);
    for (int round = 0; round < 20; round++) {
        memset(blocks, 'a' + round, sizeof blocks);
        struct iovec two[] = { { blocks, DISK_ALIGN }, { blocks + DISK_ALIGN, 2 * DISK_ALIGN } };
        struct iovec odd[] = { { blocks + 1, 10 } };
        assert_int_equal(file->ops->write(file, two, 2, DISK_ALIGN, NULL), OK);
        blocks[1] = 'Z';
        assert_int_equal(file->ops->write(file, odd, 1, DISK_ALIGN + 5, NULL), OK);
        assert_int_equal(file->ops->sync(file, NULL), OK);
        size_t n;
        assert_int_equal(file->ops->read(file, got, sizeof got, 0, &n, NULL), OK);
        assert_int_equal(n, sizeof got);
        assert_int_equal(got[DISK_ALIGN - 1], 0);
        assert_int_equal(got[DISK_ALIGN + 4], 'a' + round);
        assert_int_equal(got[DISK_ALIGN + 5], 'Z');
        assert_int_equal(got[DISK_ALIGN + 6], 'a' + round);
        assert_int_equal(got[4 * DISK_ALIGN - 1], 'a' + round);
        assert_int_equal(file->ops->read(file, got + 1, 20, DISK_ALIGN, &n, NULL), OK);
        assert_int_equal(got[6], 'Z');
        assert_int_equal(file->ops->read(file, got, DISK_ALIGN, 4 * DISK_ALIGN, &n, NULL), OK);
        assert_int_equal(n, 0);
    }
    file->ops->close(file);
}

static void test_many_small_parts_are_written_in_order(void **state)
{
    (void)state;
    struct disk *disk = disk_real();
    struct disk_file *file;
    char path[DISK_PATH_MAX], bytes[3000], back[3000];
    struct iovec parts[3000];
    path_of(path, "parts");
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        bytes[i] = (char)(i * 7);
        parts[i] = (struct iovec){ &bytes[i], i % 5 == 0 ? 0 : 1 };
    }
    size_t want = 0, n;
    char expected[3000];
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        if (i % 5)
            expected[want++] = bytes[i];
    assert_int_equal(disk->ops->open(disk, path, DISK_CREATE_NEW, &file, NULL), OK);
    assert_int_equal(file->ops->write(file, parts, (int)COUNT_OF(parts), 0, NULL), OK);
    assert_int_equal(file->ops->sync(file, NULL), OK);
    assert_int_equal(file->ops->read(file, back, sizeof back, 0, &n, NULL), OK);
    assert_int_equal(n, want);
    assert_memory_equal(back, expected, want);
    file->ops->close(file);
}

static void test_a_second_lock_is_refused_until_the_first_is_closed(void **state)
{
    (void)state;
    struct disk *disk = disk_real();
    struct disk_file *first, *second;
    char path[DISK_PATH_MAX];
    path_of(path, "lock");
    assert_int_equal(disk->ops->open(disk, path, DISK_CREATE, &first, NULL), OK);
    assert_int_equal(disk->ops->open(disk, path, DISK_CREATE, &second, NULL), OK);
    assert_int_equal(first->ops->lock(first, NULL), OK);
    assert_int_equal(second->ops->lock(second, NULL), ERR_FULL);
    first->ops->close(first);
    assert_int_equal(second->ops->lock(second, NULL), OK);
    second->ops->close(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_replaced_file_has_the_new_content_whole),
        cmocka_unit_test(test_writes_past_the_cache_and_through_it_make_one_file),
        cmocka_unit_test(test_many_small_parts_are_written_in_order),
        cmocka_unit_test(test_a_second_lock_is_refused_until_the_first_is_closed),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
