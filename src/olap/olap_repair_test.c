#include "olap/olap_repair.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/test.h"
#include "test/support/scratch.h"

static char table[SCRATCH_PATH_MAX];

static void make_dir(const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", table, name);
    assert_int_equal(mkdir(path, 0755), 0);
}

static void log_write(int number, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/deduplication_logs/deduplication_log_%d.txt", table, number);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void assert_log(int number, const char *wanted)
{
    char path[256], text[1024] = "";
    snprintf(path, sizeof path, "%s/deduplication_logs/deduplication_log_%d.txt", table, number);
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    assert_true(read(fd, text, sizeof text - 1) >= 0);
    close(fd);
    assert_string_equal(text, wanted);
}

static int setup(void **state)
{
    (void)state;
    scratch_make("repair", table);
    make_dir("deduplication_logs");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return scratch_remove(table);
}

static uint32_t repair(void)
{
    uint32_t records = 99;
    struct error err = { .text = "" };
    assert_int_equal(olap_repair_table(table, &records, &err), OK);
    return records;
}

static void test_an_insert_without_its_part_is_forgotten_once(void **state)
{
    (void)state;
    make_dir("202601_1_1_0");
    make_dir("tmp_insert_202601_2_2_0");
    log_write(1, "1\t202601_1_1_0\tblock-a\n1\t202601_2_2_0\tblock-b\n");
    assert_int_equal(repair(), 1);
    assert_log(1, "1\t202601_1_1_0\tblock-a\n1\t202601_2_2_0\tblock-b\n2\t202601_2_2_0\tblock-b\n");
    assert_int_equal(repair(), 0);
}

static void test_a_part_that_was_merged_or_mutated_away_is_there(void **state)
{
    (void)state;
    make_dir("all_1_5_2");
    make_dir("all_6_6_0_9");
    log_write(1, "1\tall_1_1_0\ta\n1\tall_3_3_0\tb\n1\tall_6_6_0\tc\n1\tother_3_3_0\td\n");
    assert_int_equal(repair(), 1); /* the last: another partition */
}

static void test_the_file_before_the_newest_is_looked_at_and_a_torn_line_is_closed(void **state)
{
    (void)state;
    make_dir("x_2_2_0");
    log_write(4, "1\tx_1_1_0\told\n");
    log_write(5, "1\tx_2_2_0\tnew\n1\tx_3");
    assert_int_equal(repair(), 1);
    assert_log(5, "1\tx_2_2_0\tnew\n1\tx_3\n2\tx_1_1_0\told\n");
}

static void test_a_table_without_a_log_is_left_alone(void **state)
{
    (void)state;
    assert_int_equal(repair(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_an_insert_without_its_part_is_forgotten_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_part_that_was_merged_or_mutated_away_is_there, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_file_before_the_newest_is_looked_at_and_a_torn_line_is_closed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_table_without_a_log_is_left_alone, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
