#include "base/json_layout.h"

#include "base/test.h"

#define NAMES                                                                                                          \
    "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\",\"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\","                       \
    "\"cccccccccccccccccccccccccccccccccccccccc\""

static void check(const char *json, const char *wanted)
{
    AUTO(buf) struct buf out;
    buf_init(&out, 1 << 20);
    json_add_laid_out(&out, slice_from(json));
    assert_string_equal(buf_text(&out), wanted);
}

static void test_what_fits_stays_in_a_line(void **state)
{
    (void)state;
    check("{}", "{}\n");
    check("[1,-2.5e3,null]", "[1, -2.5e3, null]\n");
    check("{\"a\":{\"b\":[true]},\"c\":\"x,y:{\\\"]\"}", "{\"a\": {\"b\": [true]}, \"c\": \"x,y:{\\\"]\"}\n");
    check("\"text\"", "\"text\"\n");
}

static void test_what_does_not_fit_has_a_line_for_each_member(void **state)
{
    (void)state;
    check("{\"empty\":{},\"n\":1,\"long\":[" NAMES ",[]]}",
          "{\n  \"empty\": {},\n  \"n\": 1,\n  \"long\": [\n    \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\",\n"
          "    \"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\",\n    \"cccccccccccccccccccccccccccccccccccccccc\",\n    "
          "[]\n  ]\n}\n");
}

static void test_a_depth_without_end_is_no_recursion_without_end(void **state)
{
    (void)state;
    static char deep[20001];
    memset(deep, '[', 10000);
    memset(deep + 10000, ']', 10000);
    AUTO(buf) struct buf out;
    buf_init(&out, 1 << 20);
    json_add_laid_out(&out, slice_of(deep, 20000));
    assert_false(out.full);
    assert_int_equal(out.p[out.n - 1], '\n');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_fits_stays_in_a_line),
        cmocka_unit_test(test_what_does_not_fit_has_a_line_for_each_member),
        cmocka_unit_test(test_a_depth_without_end_is_no_recursion_without_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
