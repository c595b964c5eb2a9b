#include "cli/line_source.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/test.h"
#include "test/support/scratch.h"

static char directory[SCRATCH_PATH_MAX], path[SCRATCH_PATH_MAX + 16];

static int make_directory(void **state)
{
    (void)state;
    scratch_make("lines", directory);
    snprintf(path, sizeof path, "%s/lines", directory);
    return 0;
}

static int remove_directory(void **state)
{
    (void)state;
    return scratch_remove(directory);
}

static void expect_lines(const char *make, size_t lines, size_t first_bytes)
{
    char command[512];
    snprintf(command, sizeof command, "%s > %s", make, path);
    assert_int_equal(system(command), 0);
    struct line_source *source;
    struct error err = { 0 };
    assert_int_equal(line_source_open(path, &source, &err), OK);
    struct slice line;
    size_t n = 0;
    enum line_result result;
    while ((result = line_source_next(source, 1000, &line, &err)) == LINE_ONE)
        if (n++ == 0)
            assert_int_equal(line.n, first_bytes);
    assert_int_equal(result, LINE_END);
    assert_int_equal(n, lines);
    line_source_close(source);
}

static void test_all_codings_give_the_same_lines(void **state)
{
    (void)state;
    expect_lines("seq -w 1 100000", 100000, 6);
    expect_lines("seq -w 1 100000 | gzip -c", 100000, 6);
    expect_lines("(seq -w 1 50000 | gzip -c; seq -w 1 50000 | gzip -c)", 100000, 5);
    expect_lines("seq -w 1 100000 | xz -c", 100000, 6);
}

static void test_a_last_line_without_an_end_is_a_line(void **state)
{
    (void)state;
    expect_lines("printf 'abc\\ndef'", 2, 3);
    expect_lines("printf ''", 0, 0);
    expect_lines("printf '\\n\\n'", 2, 0);
}

static void test_damage_is_an_error_not_an_end(void **state)
{
    (void)state;
    char command[256];
    snprintf(command, sizeof command, "(printf '\\037\\213\\010\\000'; head -c 999 /dev/zero | tr '\\0' x) > %s", path);
    assert_int_equal(system(command), 0);
    struct line_source *source;
    struct error err = { 0 };
    struct slice line;
    assert_int_equal(line_source_open(path, &source, &err), OK);
    assert_int_equal(line_source_next(source, 1000, &line, &err), LINE_ERROR);
    assert_non_null(strstr(err.text, "damaged gzip"));
    line_source_close(source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define WITH_DIRECTORY(test) cmocka_unit_test_setup_teardown(test, make_directory, remove_directory)
        WITH_DIRECTORY(test_all_codings_give_the_same_lines),
        WITH_DIRECTORY(test_a_last_line_without_an_end_is_a_line),
        WITH_DIRECTORY(test_damage_is_an_error_not_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
