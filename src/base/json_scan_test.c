#include "base/json_scan.h"

#include <stdlib.h>

#include "base/test.h"

static void test_members_are_found_and_handed_on_byte_for_byte(void **state)
{
    (void)state;
    struct slice json = SLICE(" { \"a\" : [1, {\"x\":\"]}\\\"\"}] , \"n\": 18446744073709551615, \"s\":\"q\" }");
    struct slice value;
    uint64_t n;
    assert_true(json_find(json, "a", &value));
    assert_true(slice_equal(value, SLICE("[1, {\"x\":\"]}\\\"\"}]")));
    assert_true(json_find(json, "n", &value));
    assert_true(json_scan_u64(value, &n));
    assert_true(n == UINT64_MAX);
    assert_false(json_find(json, "x", &value));
    assert_false(json_find(SLICE("[1]"), "x", &value));
}

static void test_strings_are_unescaped(void **state)
{
    (void)state;
    AUTO(buf) struct buf out;
    buf_init(&out, 100);
    assert_true(json_scan_string(SLICE("\"a\\n\\\"\\u00e9\\ud83d\\ude00\\ud800x\""), &out));
    assert_string_equal(buf_text(&out), "a\n\"é😀\xef\xbf\xbdx");
    assert_false(json_scan_string(SLICE("\"\\u12\""), &out));
    assert_false(json_scan_string(SLICE("\"\\q\""), &out));
    assert_false(json_scan_string(SLICE("\"open"), &out));
    assert_false(json_scan_string(SLICE("\"a\" \"b\""), &out));
    assert_false(json_scan_string(SLICE("5"), &out));
}

/* Strings are looked through in pieces of sixteen bytes: the end and an escape at every place of one, and of the next.
 */
static void test_a_string_ends_where_it_ends_whatever_its_length(void **state)
{
    (void)state;
    for (size_t length = 0; length < 40; length++)
        for (size_t escape = 0; escape <= length; escape++) {
            char text[80], *exact;
            memset(text, 'x', sizeof text);
            text[0] = text[length + 1] = '"';
            if (escape + 1 < length) /* an escaped quote, which does not end it */
                memcpy(text + 1 + escape, "\\\"", 2);
            for (size_t behind = 0; behind < 20; behind++) {
                size_t n = length + 2 + behind;
                exact = malloc(n); /* with sanitizers: nothing is read behind it */
                memcpy(exact, text, n);
                struct slice rest = slice_of(exact, n), value;
                assert_true(json_scan_value(&rest, &value));
                assert_int_equal(value.n, length + 2);
                assert_int_equal(rest.n, behind);
                rest = slice_of(exact, length + 1);
                assert_false(json_scan_value(&rest, &value));
                free(exact);
            }
        }
}

static void test_a_text_is_found_and_cut_where_there_is_no_room(void **state)
{
    (void)state;
    const struct slice json = SLICE("{\"n\":5,\"t\":\"a\\\"bc\",\"e\":\"\"}");
    char text[4];
    json_find_text(json, "t", text, sizeof text);
    assert_string_equal(text, "a\"b");
    static const char *const NONE[] = { "n", "e", "missing" };
    for (size_t i = 0; i < COUNT_OF(NONE); i++) {
        json_find_text(json, NONE[i], text, sizeof text);
        assert_string_equal(text, "");
    }
}

static void test_what_breaks_off_is_reported(void **state)
{
    (void)state;
    static const char *const BROKEN[] = { "",         "[1,2",    "[1 2]",    "{\"a\" 1}", "{1:2}",
                                          "{\"a\":}", "[\"abc]", "[1,{\"]}", "[[1,2}]",   "{\"a\\\":1}" };
    for (size_t i = 0; i < COUNT_OF(BROKEN); i++) {
        struct json_walk walk;
        size_t steps = 0;
        json_walk_begin(&walk, slice_from(BROKEN[i]));
        while (json_walk_next(&walk))
            assert_true(++steps < 10);
        assert_true(walk.bad);
    }
    assert_true(json_is_whole(SLICE(" {\"a\":[1]} \n")));
    assert_false(json_is_whole(SLICE("{\"a\":[1]")));
    assert_false(json_is_whole(SLICE("{} x")));
    assert_false(json_is_whole(SLICE(" ")));
    char deep[300];
    memset(deep, '[', sizeof deep);
    struct slice rest = slice_of(deep, sizeof deep), value;
    assert_false(json_scan_value(&rest, &value));
}

static void test_a_number_is_read_and_a_missing_one_is_none(void **state)
{
    (void)state;
    const struct slice object = SLICE("{\"lag\":-1.5e3,\"name\":\"x\"}");
    assert_true(json_find_number(object, "lag") == -1500);
    assert_true(json_find_number(object, "none") == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_number_is_read_and_a_missing_one_is_none),
        cmocka_unit_test(test_members_are_found_and_handed_on_byte_for_byte),
        cmocka_unit_test(test_strings_are_unescaped),
        cmocka_unit_test(test_a_string_ends_where_it_ends_whatever_its_length),
        cmocka_unit_test(test_a_text_is_found_and_cut_where_there_is_no_room),
        cmocka_unit_test(test_what_breaks_off_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
