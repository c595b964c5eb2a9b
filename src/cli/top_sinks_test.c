#include "cli/top_sinks.h"

#include <stdio.h>

#include "base/test.h"

static const char *shown(const struct top_sinks *sinks, size_t columns)
{
    static char text[4096];
    AUTO(buf) struct buf out;
    buf_init(&out, sizeof text - 1);
    top_sinks_add(sinks, columns, &out);
    snprintf(text, sizeof text, "%s", buf_text(&out));
    return text;
}

static struct top_sinks sinks;

static void take(const char *json, int64_t now_us)
{
    top_sinks_take(&sinks, slice_from(json), now_us);
}

static void test_the_partitions_of_a_sink_are_one_line_and_one_that_waits_is_away(void **state)
{
    (void)state;
    sinks = (struct top_sinks){ 0 };
    take("{\"sinks\":[{\"sink\":\"a\",\"partition\":\"0\",\"up\":1,\"records\":100,\"lag_seconds\":0.5},"
         "{\"sink\":\"a\",\"partition\":\"1\",\"up\":0,\"records\":11,\"lag_seconds\":75,\"skipped\":3},"
         "{\"sink\":\"b\",\"up\":1,\"records\":7,\"refused\":2}]}",
         1000000);
    assert_int_equal(sinks.count, 2);
    assert_true(sinks.items[0].away && !sinks.items[1].away);
    assert_true(sinks.items[0].records == 111 && sinks.items[0].lag_s == 75 && sinks.items[0].skipped == 3);
    assert_non_null(strstr(shown(&sinks, 100), "a             away"));
    assert_non_null(strstr(shown(&sinks, 100), "b             up "));
}

static void test_rates_come_from_two_looks_and_a_restart_has_none(void **state)
{
    (void)state;
    sinks = (struct top_sinks){ 0 };
    take("{\"sinks\":[{\"sink\":\"a\",\"up\":1,\"records\":100}]}", 1000000);
    assert_true(sinks.items[0].rate == 0);
    take("{\"sinks\":[{\"sink\":\"new\",\"up\":1,\"records\":50},{\"sink\":\"a\",\"up\":1,\"records\":350}]}", 3000000);
    assert_true(sinks.items[0].rate == 0 && sinks.items[1].rate == 125);
    take("{\"sinks\":[{\"sink\":\"a\",\"up\":1,\"records\":4}]}", 4000000);
    assert_true(sinks.items[0].rate == 0);
}

static void test_no_line_is_wider_than_the_terminal_and_without_sinks_there_is_none(void **state)
{
    (void)state;
    sinks = (struct top_sinks){ 0 };
    take("{\"partitions\":[]}", 1);
    assert_string_equal(shown(&sinks, 80), "");
    take("{\"sinks\":[{\"sink\":\"a-name-that-is-longer-than-its-\",\"up\":1,\"records\":123456789}]}", 2);
    for (size_t columns = 10; columns < 100; columns++)
        for (const char *line = shown(&sinks, columns); *line; line += strcspn(line, "\n") + 1)
            assert_true(strcspn(line, "\n") < columns + 2); /* an ellipsis is three bytes of one column */
    assert_non_null(strstr(shown(&sinks, 61), "skipped"));
}

static void test_as_json_it_says_what_is_away(void **state)
{
    (void)state;
    AUTO(buf) struct buf out;
    buf_init(&out, 4096);
    sinks = (struct top_sinks){ 0 };
    take("{\"sinks\":[{\"sink\":\"a\",\"up\":0,\"records\":5,\"lag_seconds\":2.5}]}", 1);
    top_sinks_json(&sinks, &out);
    assert_string_equal(buf_text(&out), ",\"sinks\":[{\"sink\":\"a\",\"up\":false,\"results_per_second\":0.0,"
                                        "\"lag_seconds\":2.500,\"delivered\":5,\"skipped\":0,\"refused\":0,"
                                        "\"failures\":0}]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_partitions_of_a_sink_are_one_line_and_one_that_waits_is_away),
        cmocka_unit_test(test_rates_come_from_two_looks_and_a_restart_has_none),
        cmocka_unit_test(test_no_line_is_wider_than_the_terminal_and_without_sinks_there_is_none),
        cmocka_unit_test(test_as_json_it_says_what_is_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
