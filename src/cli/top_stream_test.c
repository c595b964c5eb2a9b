#include "cli/top_stream.h"

#include "base/test.h"
#include "cli/term.h"

static const char *shown(const struct top_stream *stream, size_t columns)
{
    static char text[4096];
    AUTO(buf) struct buf out;
    buf_init(&out, sizeof text - 1);
    top_stream_add(stream, columns, &out);
    memcpy(text, buf_text(&out), out.n + 1);
    return text;
}

static void test_rates_come_from_two_looks(void **state)
{
    (void)state;
    struct top_stream stream = { 0 };
    top_stream_take(&stream, SLICE("{\"partitions\":[{\"partition\":0,\"events\":100,\"lag_records\":7}]}"), 1000000);
    assert_true(stream.tasks[0].rate == 0);
    top_stream_take(&stream, SLICE("{\"partitions\":[{\"partition\":0,\"events\":350,\"lag_seconds\":1.5}]}"), 3000000);
    assert_true(stream.tasks[0].rate == 125);
    assert_non_null(strstr(shown(&stream, 80), "125"));
    assert_non_null(strstr(shown(&stream, 80), "1.5 s"));
    top_stream_take(&stream, SLICE("{\"partitions\":[{\"partition\":0,\"events\":1}]}"),
                    4000000); /* it was restarted */
    assert_true(stream.tasks[0].rate == 0);
}

static void test_80_columns_have_room_for_what_goes_wrong(void **state)
{
    (void)state;
    struct top_stream stream = { 0 };
    top_stream_take(
        &stream,
        SLICE("{\"partitions\":[{\"partition\":0,\"events\":1,\"late\":777,\"dead\":55,\"commit_seconds\":0.004}]}"),
        1);
    assert_non_null(strstr(shown(&stream, 80), " 777"));
    assert_non_null(strstr(shown(&stream, 80), " 55"));
    assert_non_null(strstr(shown(&stream, 80), "4.0 ms"));
}

static void test_no_line_is_wider_than_the_terminal(void **state)
{
    (void)state;
    struct top_stream stream = { 0 };
    top_stream_take(&stream, SLICE("{\"partitions\":[{\"partition\":0,\"events\":1,\"state_bytes\":123456789}]}"), 1);
    for (size_t columns = 20; columns < 100; columns++)
        for (const char *line = shown(&stream, columns); *line; line += strcspn(line, "\n") + 1)
            assert_true(strcspn(line, "\n") < columns);
    assert_null(strstr(shown(&stream, 40), "evicted"));
}

static void test_an_older_weir_is_said_to_be_silent(void **state)
{
    (void)state;
    struct top_stream stream = { 0 };
    top_stream_take(&stream, SLICE("{\"code\":\"not_found\"}"), 1);
    assert_non_null(strstr(shown(&stream, 80), "not known"));
}

static void test_without_a_word_of_any_task_it_says_so(void **state)
{
    (void)state;
    struct top_stream stream = { 0 };
    top_stream_take(&stream, SLICE("{\"partitions\":[]}"), 1);
    assert_non_null(strstr(shown(&stream, 80), "no tasks are known yet"));
}

static void test_each_process_is_named_with_its_tasks_and_what_nobody_has_says_since_when(void **state)
{
    (void)state;
    struct top_stream stream = { 0 };
    top_stream_take(
        &stream,
        SLICE(
            "{\"at_ms\":90000,\"partitions\":["
            "{\"partition\":0,\"owned\":true,\"owner\":\"weir-a\",\"host\":\"one\",\"state\":\"running\",\"late\":777},"
            "{\"partition\":1,\"owned\":true,\"owner\":\"weir-b\",\"state\":\"restoring\",\"restore_left_records\":"
            "4321},"
            "{\"partition\":2,\"owned\":true,\"owner\":\"weir-a\",\"host\":\"one\",\"state\":\"running\"},"
            "{\"partition\":3,\"owned\":false,\"owner\":\"weir-c\",\"not_owned_since_ms\":60000},"
            "{\"partition\":4,\"owned\":false}]}"),
        1);
    const char *text = shown(&stream, 80);
    assert_non_null(strstr(text, " 777"));
    assert_non_null(strstr(text, "restoring, changes left: 4.32k\n"));
    assert_non_null(strstr(text, "nobody works on it since 30.0 s (weir-c)\n"));
    assert_non_null(strstr(text, "nobody works on it\n"));
    assert_non_null(strstr(text, "weir-a one has 0 2\n"));
    assert_non_null(strstr(text, "weir-b has 1\n"));
    for (size_t columns = 8; columns < 100; columns++)
        for (const char *line = shown(&stream, columns); *line; line += strcspn(line, "\n") + 1)
            assert_true(term_width(slice_of(line, strcspn(line, "\n"))) < columns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rates_come_from_two_looks),
        cmocka_unit_test(test_80_columns_have_room_for_what_goes_wrong),
        cmocka_unit_test(test_no_line_is_wider_than_the_terminal),
        cmocka_unit_test(test_an_older_weir_is_said_to_be_silent),
        cmocka_unit_test(test_without_a_word_of_any_task_it_says_so),
        cmocka_unit_test(test_each_process_is_named_with_its_tasks_and_what_nobody_has_says_since_when),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
