#include "config/secret.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/test.h"
#include "world/disk_sim.h"
#include "world/world_sim.h"

static struct config config;
static struct buf problems;

static void put(struct disk *disk, const char *path, const char *text)
{
    struct disk_file *file;
    struct iovec part = { (void *)(uintptr_t)text, strlen(text) };
    assert_int_equal(disk->ops->open(disk, path, DISK_CREATE, &file, NULL), OK);
    assert_int_equal(file->ops->write(file, &part, 1, 0, NULL), OK);
    file->ops->close(file);
}

/* How many problems with this password in the settings, and this .env. */
static size_t load(const char *password, const char *env_file)
{
    struct world_sim world;
    struct disk_sim *disk = disk_sim_new(1, NULL);
    struct error err;
    char yaml[512];
    size_t count = 0;
    world_sim_init(&world, 1, disk_sim_disk(disk));
    assert_int_equal(disk_make_dirs(disk_sim_disk(disk), "/c/environments", &err), OK);
    snprintf(yaml, sizeof yaml, "kafka.sasl_user: u\nkafka.sasl_password: %s\n", password);
    put(disk_sim_disk(disk), "/c/environments/t.yaml", yaml);
    if (env_file)
        put(disk_sim_disk(disk), "/c/.env", env_file);
    buf_done(&problems);
    buf_init(&problems, 1 << 20);
    enum status s = config_load("/c", "t", &world.world, &config, &problems, &count, &err);
    assert_int_equal(s, count ? ERR_INVALID : OK);
    disk_sim_free(disk);
    return count;
}

static void test_a_secret_comes_from_the_environment_before_the_file(void **state)
{
    (void)state;
    setenv("WEIR_TEST_SECRET", "from outside", 1);
    assert_int_equal(load("'${secret:weir_test_secret}'", "weir_test_secret=from the file\n"), 0);
    assert_string_equal(config.settings.kafka_sasl_password, "from outside");
    unsetenv("WEIR_TEST_SECRET");
    assert_int_equal(load("'${secret:weir_test_secret}'", "# a\nweir_test_secret_2=no\nweir_test_secret=\"a b=c\"\n"),
                     0);
    assert_string_equal(config.settings.kafka_sasl_password, "a b=c");
    assert_int_equal(load("as it is", NULL), 0);
    assert_string_equal(config.settings.kafka_sasl_password, "as it is");
}

static void test_a_missing_secret_is_a_mistake_with_its_place(void **state)
{
    (void)state;
    assert_int_equal(load("'${secret:weir_test_nothing}'", "other=1"), 1);
    assert_non_null(strstr(buf_text(&problems), "/c/environments/t.yaml:2: kafka.sasl_password: there is no secret "
                                                "weir_test_nothing"));
    assert_int_equal(load("'${secret:weir_test_nothing'", NULL), 1);
    assert_int_equal(load("'${secret:}'", NULL), 1);
    assert_int_equal(load("'${secret:a b}'", NULL), 1);
}

static void test_a_value_is_never_printed(void **state)
{
    (void)state;
    char text[OPTION_TEXT_MAX + 1], long_line[OPTION_TEXT_MAX + 100] = "weir_test_secret=";
    memset(long_line + strlen(long_line), 'x', OPTION_TEXT_MAX + 1);
    assert_int_equal(load("'${secret:weir_test_secret}'", long_line), 1);
    assert_null(strstr(buf_text(&problems), "xxx"));
    assert_int_equal(load("hush", NULL), 0);
    option_format(option_find(SETTINGS, SLICE("kafka.sasl_password")), &config.settings, text, sizeof text);
    assert_string_equal(text, "(secret)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_secret_comes_from_the_environment_before_the_file),
        cmocka_unit_test(test_a_missing_secret_is_a_mistake_with_its_place),
        cmocka_unit_test(test_a_value_is_never_printed),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    buf_done(&problems);
    return failed;
}
