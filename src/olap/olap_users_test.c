#include "olap/olap_users.h"

#include "base/test.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_markup_in_a_path_cannot_leave_its_element),
        cmocka_unit_test(test_passwords_differ_by_user_and_secret_and_are_not_in_the_file),
        cmocka_unit_test(test_a_list_of_users_that_does_not_fit_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
