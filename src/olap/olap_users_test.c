#include "olap/olap_users.h"

#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/test.h"
#include "test/support/scratch.h"
#include "world/world.h"

static const struct olap_secret SECRET = { { 1, 2, 3 } };

static void test_markup_in_a_path_cannot_leave_its_element(void **state)
{
    (void)state;
    AUTO(buf) struct buf out;
    buf_init(&out, 4096);
    xml_add_text(&out, SLICE("a<b>&\"c\"\x01\tд"));
    assert_string_equal(buf_text(&out), "a&lt;b&gt;&amp;&quot;c&quot;\tд");
}

static void test_passwords_differ_by_user_and_secret_and_are_not_in_the_file(void **state)
{
    (void)state;
    struct olap_user one = { "", "" }, two = one, writer = one, other = one;
    olap_reader(&SECRET, 1, &one);
    olap_reader(&SECRET, 2, &two);
    olap_writer(&SECRET, &writer);
    olap_reader(&(struct olap_secret){ { 9 } }, 1, &other);
    assert_string_equal(one.name, "reader_0001");
    assert_string_equal(writer.name, "writer");
    assert_int_equal(strlen(one.password), 64);
    assert_string_not_equal(one.password, two.password);
    assert_string_not_equal(one.password, writer.password);
    assert_string_not_equal(one.password, other.password);

    struct error err;
    AUTO(buf) struct buf out;
    buf_init(&out, 1 << 20);
    assert_int_equal(olap_users_xml(&SECRET, 3, &out, &err), OK);
    const char *text = buf_text(&out);
    assert_null(strstr(text, one.password));
    assert_null(strstr(text, writer.password));
    assert_non_null(strstr(text, "<reader_0003>"));
    assert_null(strstr(text, "<reader_0004>"));
}

static void test_a_list_of_users_that_does_not_fit_is_an_error(void **state)
{
    (void)state;
    struct error err;
    AUTO(buf) struct buf out;
    buf_init(&out, 10000);
    assert_int_equal(olap_users_xml(&SECRET, 100, &out, &err), ERR_FULL);
}

static void test_the_secret_of_a_password_takes_the_place_of_another_one_in_the_file(void **state)
{
    (void)state;
    char base[SCRATCH_PATH_MAX], dir[SCRATCH_PATH_MAX + 8], path[SCRATCH_PATH_MAX + 16];
    struct olap_secret one, again, two, there;
    struct stat about;
    scratch_make("olap-users", base);
    snprintf(dir, sizeof dir, "%s/olap", base);
    snprintf(path, sizeof path, "%s/secret", dir);
    assert_true(sodium_init() >= 0);
    olap_secret_derive("a-password-of-the-engine", &one);
    olap_secret_derive("a-password-of-the-engine", &again);
    olap_secret_derive("a-password-of-the-engino", &two);
    assert_memory_equal(one.bytes, again.bytes, sizeof one.bytes);
    assert_memory_not_equal(one.bytes, two.bytes, sizeof one.bytes);
    for (int turn = 0; turn < 3; turn++) {
        const struct olap_secret *put = turn == 1 ? &two : &one;
        assert_int_equal(olap_secret_put(dir, put, world_real(), NULL), OK);
        assert_int_equal(olap_secret_open(dir, world_real(), &there, NULL), OK);
        assert_memory_equal(there.bytes, put->bytes, sizeof there.bytes);
        assert_int_equal(stat(path, &about), 0);
        assert_int_equal(about.st_mode & 0777, 0600);
    }
    assert_int_equal(scratch_remove(base), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_markup_in_a_path_cannot_leave_its_element),
        cmocka_unit_test(test_passwords_differ_by_user_and_secret_and_are_not_in_the_file),
        cmocka_unit_test(test_the_secret_of_a_password_takes_the_place_of_another_one_in_the_file),
        cmocka_unit_test(test_a_list_of_users_that_does_not_fit_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
