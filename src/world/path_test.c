#include "world/path.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/test.h"
#include "test/support/scratch.h"

static void test_spellings_of_one_place_come_out_alike(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        { "/a/b", "/a/b" },         { "//a///b/", "/a/b" }, { "/./a/./b/.", "/a/b" }, { "/x/../a/y/../b", "/a/b" },
        { "/../../a/b", "/a/b" },   { "/", "/" },           { "/a/..", "/" },         { "/..a/b.", "/..a/b." },
        { "/a/.../b", "/a/.../b" },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char to[64];
        assert_true(path_absolute(cases[i][0], to, sizeof to));
        assert_string_equal(to, cases[i][1]);
    }
}

static void test_a_relative_path_begins_at_the_working_directory(void **state)
{
    (void)state;
    char here[PATH_MAX], expected[PATH_MAX + 8], to[PATH_MAX + 8];
    assert_non_null(getcwd(here, sizeof here));
    snprintf(expected, sizeof expected, "%s/a", here);
    static const char *const spellings[] = { "a", "./a", "dir/../a", "a/" };
    for (size_t i = 0; i < COUNT_OF(spellings); i++) {
        assert_true(path_absolute(spellings[i], to, sizeof to));
        assert_string_equal(to, expected);
    }
}

static void test_what_does_not_fit_is_not_cut(void **state)
{
    (void)state;
    char to[5] = "was", large[3 * PATH_MAX];
    assert_true(path_absolute("/abc", to, sizeof to));
    assert_false(path_absolute("/abcd", to, sizeof to));
    memset(large, 'a', sizeof large);
    large[0] = '/';
    large[sizeof large - 1] = '\0';
    assert_false(path_absolute(large, to, sizeof to));
    assert_string_equal(to, "/abc");
}

static char scratch[SCRATCH_PATH_MAX];

static int enter(void **state)
{
    (void)state;
    scratch_make("path", scratch);
    return chdir(scratch) == 0 &&
                   system("mkdir real && ln -s real by_link && touch real/there && ln real/there hard && "
                          "ln -s real/there soft && ln -s by_link/later dangling && ln -s round round") == 0
               ? 0
               : -1;
}

static int leave(void **state)
{
    (void)state;
    return chdir("/") == 0 ? scratch_remove(scratch) : -1;
}

static void test_a_file_is_the_same_by_links_whether_it_is_there_or_not(void **state)
{
    (void)state;
    static const struct {
        const char *one, *other;
        bool same;
    } CASES[] = {
        { "real/there", "by_link/there", true },
        { "real/there", "hard", true },
        { "soft", "by_link/../hard", true },
        { "real/later", "by_link/later", true },
        { "dangling", "real/later", true },
        { "real/later", "real/other", false },
        { "real/there", "real/later", false },
        { "later", "real/later", false },
        { "real/there", "there", false },
        { "nowhere/a", "nowhere//b/../a", true },
        { "nowhere/a", "nowhere/b", false },
        { "real/later", "nowhere/later", false },
        { "round", "./round", true },
        { "round", "real/later", false },
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++)
        if (path_is_same_file(CASES[i].one, CASES[i].other) != CASES[i].same ||
            path_is_same_file(CASES[i].other, CASES[i].one) != CASES[i].same)
            fail_msg("%s and %s", CASES[i].one, CASES[i].other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spellings_of_one_place_come_out_alike),
        cmocka_unit_test(test_a_relative_path_begins_at_the_working_directory),
        cmocka_unit_test(test_what_does_not_fit_is_not_cut),
        cmocka_unit_test_setup_teardown(test_a_file_is_the_same_by_links_whether_it_is_there_or_not, enter, leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
