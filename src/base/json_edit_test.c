#include "base/json_edit.h"

#include "base/json_scan.h"
#include "base/test.h"

static const struct slice A[] = { { "a", 1 } }, B[] = { { "b", 1 } }, A_X[] = { { "a", 1 }, { "x", 1 } },
                          A_Y_Z[] = { { "a", 1 }, { "y", 1 }, { "z", 1 } }, QUOTED[] = { { "q\"\xc3\xa9", 4 } };

static void check(const char *object, const struct json_change *changes, size_t count, const char *wanted)
{
    struct buf out;
    buf_init(&out, 4096);
    bool fine = json_edit(slice_from(object), changes, count, &out);
    if (!wanted && fine)
        fail_msg("%s became %s", object, buf_text(&out));
    if (wanted && (!fine || strcmp(buf_text(&out), wanted) != 0))
        fail_msg("%s became %s, not %s", object, buf_text(&out), wanted);
    if (wanted)
        assert_true(json_is_whole(buf_slice(&out)));
    buf_done(&out);
}

static void test_members_are_replaced_where_they_stand_and_added_at_the_end(void **state)
{
    (void)state;
    struct json_change set[] = { { A, 1, false, SLICE("1") }, { B, 1, false, SLICE("\"two\"") } };
    check("{}", set, 2, "{\"a\":1,\"b\":\"two\"}");
    check("{\"a\":0,\"c\": 1.50 }", set, 2, "{\"a\":1,\"c\":1.50,\"b\":\"two\"}");
    check(" {\"b\":[1,{\"a\":9}],\"a\":0}", set, 2, "{\"b\":\"two\",\"a\":1}");
    check("{\"a\":0,\"a\":5}", set, 1, "{\"a\":1}");
}

static void test_removing_what_is_not_there_changes_nothing(void **state)
{
    (void)state;
    struct json_change gone[] = { { A, 1, true, { 0 } }, { B, 1, true, { 0 } } };
    check("{\"c\":1}", gone, 2, "{\"c\":1}");
    check("{\"a\":1,\"c\":1,\"b\":2}", gone, 2, "{\"c\":1}");
    check("{\"a\":1,\"a\":2}", gone, 1, "{}");
}

static void test_the_way_to_a_member_is_made_when_it_is_missing(void **state)
{
    (void)state;
    struct json_change deep[] = { { A_X, 2, false, SLICE("1") }, { A_Y_Z, 3, false, SLICE("2") } };
    check("{}", deep, 2, "{\"a\":{\"x\":1,\"y\":{\"z\":2}}}");
    check("{\"a\":5}", deep, 2, "{\"a\":{\"x\":1,\"y\":{\"z\":2}}}");
    check("{\"a\":{\"y\":{\"z\":0,\"k\":1}},\"b\":1}", deep, 2, "{\"a\":{\"y\":{\"z\":2,\"k\":1},\"x\":1},\"b\":1}");
    struct json_change gone[] = { { A_X, 2, true, { 0 } } };
    check("{\"a\":5}", gone, 1, "{\"a\":5}");
    check("{\"a\":{\"x\":5}}", gone, 1, "{\"a\":{}}");
}

static void test_names_are_compared_by_what_they_mean(void **state)
{
    (void)state;
    struct json_change set[] = { { QUOTED, 1, false, SLICE("1") } };
    check("{\"q\\u0022\\u00e9\":0}", set, 1, "{\"q\\u0022\\u00e9\":1}");
    check("{}", set, 1, "{\"q\\\"\xc3\xa9\":1}");
}

static void test_what_is_no_object_is_refused(void **state)
{
    (void)state;
    struct json_change set[] = { { A, 1, false, SLICE("1") } };
    check("", set, 1, NULL);
    check("[1]", set, 1, NULL);
    check("{\"b\":1", set, 1, NULL);
    check("{\"b\" 1}", set, 1, NULL);
    struct buf small;
    buf_init(&small, 4);
    assert_false(json_edit(SLICE("{}"), set, 1, &small));
    buf_done(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members_are_replaced_where_they_stand_and_added_at_the_end),
        cmocka_unit_test(test_removing_what_is_not_there_changes_nothing),
        cmocka_unit_test(test_the_way_to_a_member_is_made_when_it_is_missing),
        cmocka_unit_test(test_names_are_compared_by_what_they_mean),
        cmocka_unit_test(test_what_is_no_object_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
