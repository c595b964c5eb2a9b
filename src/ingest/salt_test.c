#include "ingest/salt.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/test.h"
#include "event/event_parse.h"
#include "test/support/scratch.h"
#include "world/disk.h"
#include "world/world.h"

#define DAY_MS INT64_C(86400000)
static const int64_t T0_MS = 20000 * DAY_MS + 5000;

struct fake_world {
    struct world world;
    int64_t now_us;
};

static int64_t fake_now(struct world *world)
{
    return ((struct fake_world *)world)->now_us;
}

static struct fake_world fake_world(void)
{
    struct fake_world fake = { *world_real(), T0_MS * 1000 };
    fake.world.wall_us = fake_now;
    fake.world.mono_us = fake_now;
    return fake;
}

static bool same(const uint8_t *a, const uint8_t *b)
{
    return memcmp(a, b, EVENT_IP_SALT_BYTES) == 0;
}

static void copy_salt(uint8_t *to, struct salt *salt, int64_t wall_ms)
{
    memcpy(to, salt_at(salt, wall_ms), EVENT_IP_SALT_BYTES);
}

static void test_each_day_has_its_own(void **state)
{
    (void)state;
    struct fake_world fake = fake_world();
    struct salt *salt;
    uint8_t first[EVENT_IP_SALT_BYTES], second[EVENT_IP_SALT_BYTES], later[EVENT_IP_SALT_BYTES];
    assert_int_equal(salt_open(&fake.world, NULL, &salt, NULL), OK);
    copy_salt(first, salt, T0_MS);
    assert_true(same(first, salt_at(salt, T0_MS + DAY_MS - 5001)));
    copy_salt(second, salt, T0_MS + DAY_MS);
    assert_false(same(first, second));
    assert_true(same(second, salt_at(salt, T0_MS + DAY_MS + 1000)));
    copy_salt(later, salt, T0_MS + 9 * DAY_MS);
    assert_false(same(second, later));
    /* Yesterday's is forgotten: a clock that goes back does not bring it back. */
    assert_false(same(first, salt_at(salt, T0_MS)));
    for (int day = 10; day < 40; day++) {
        copy_salt(second, salt, T0_MS + day * DAY_MS);
        assert_false(same(second, later));
        memcpy(later, second, sizeof later);
    }
    salt_close(salt);
}

static void test_a_restart_goes_on_with_the_same(void **state)
{
    (void)state;
    char directory[SCRATCH_PATH_MAX], path[SCRATCH_PATH_MAX + 16];
    scratch_make("salt", directory);
    snprintf(path, sizeof path, "%s/ingest.salt", directory);
    struct fake_world fake = fake_world();
    struct salt *salt;
    uint8_t today[EVENT_IP_SALT_BYTES], tomorrow[EVENT_IP_SALT_BYTES];
    assert_int_equal(salt_open(&fake.world, path, &salt, NULL), OK);
    copy_salt(today, salt, T0_MS);
    salt_close(salt);
    struct stat file;
    assert_int_equal(stat(path, &file), 0);
    assert_int_equal(file.st_mode & 0777, 0600);

    assert_int_equal(salt_open(&fake.world, path, &salt, NULL), OK);
    assert_true(same(today, salt_at(salt, T0_MS)));
    copy_salt(tomorrow, salt, T0_MS + DAY_MS);
    salt_close(salt);
    fake.now_us += DAY_MS * 1000;
    assert_int_equal(salt_open(&fake.world, path, &salt, NULL), OK);
    assert_true(same(tomorrow, salt_at(salt, T0_MS + DAY_MS)));
    salt_close(salt);

    /* A damaged file is replaced. */
    assert_int_equal(truncate(path, 20), 0);
    assert_int_equal(salt_open(&fake.world, path, &salt, NULL), OK);
    assert_false(same(tomorrow, salt_at(salt, T0_MS + DAY_MS)));
    salt_close(salt);
    assert_int_equal(scratch_remove(directory), 0);
}

static void test_a_directory_that_is_missing_is_told(void **state)
{
    (void)state;
    struct fake_world fake = fake_world();
    struct salt *salt = NULL;
    struct error err;
    assert_int_not_equal(salt_open(&fake.world, "/nonexistent/weir/ingest.salt", &salt, &err), OK);
    assert_non_null(strstr(err.text, "/nonexistent/weir/ingest.salt"));
    assert_null(salt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_day_has_its_own),
        cmocka_unit_test(test_a_restart_goes_on_with_the_same),
        cmocka_unit_test(test_a_directory_that_is_missing_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
