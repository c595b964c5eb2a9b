#include "cli/source_record.h"

#include <stdlib.h>

#include "base/test.h"

static void expect(struct slice value, const char *wanted)
{
    struct source_writer *writer = source_writer_new();
    struct source_record record = { "t", 3, 14, value, NULL };
    struct buf out;
    buf_init(&out, 4 << 20);
    source_write(writer, &record, &out);
    if (!slice_equal(buf_slice(&out), slice_from(wanted)))
        fail_msg("%s, not %s", buf_text(&out), wanted);
    buf_done(&out);
    source_writer_free(writer);
}

#define PLACE "{\"kafka_record\":{\"topic\":\"t\",\"partition\":3,\"offset\":14}"
#define ID ",\"event_id\":\"kafka:t/3/14\""

static void test_an_object_gets_its_place_and_an_id(void **state)
{
    (void)state;
    expect(SLICE("{\"a\":1}"), PLACE ID ",\"a\":1}");
    expect(SLICE(" {\n \"a\": {\"event_id\": 1}}\n"), PLACE ID ",\"a\": {\"event_id\": 1}}");
    expect(SLICE("{ }"), PLACE ID "}");
}

static void test_a_record_with_a_fault_says_it_and_keeps_its_bytes(void **state)
{
    (void)state;
    struct source_writer *writer = source_writer_new();
    struct source_record record = { "t", 3, 14, SLICE("\0\1{}"), "not of \"schema\" 7" };
    struct buf out;
    buf_init(&out, 4096);
    source_write(writer, &record, &out);
    assert_string_equal(buf_text(&out), "{\"kafka_record\":{\"topic\":\"t\",\"partition\":3,\"offset\":14,"
                                        "\"fault\":\"not of \\\"schema\\\" 7\"}" ID ",\"record_base64\":\"AAF7fQ==\"}");
    buf_done(&out);
    source_writer_free(writer);
}

static void test_an_id_of_its_own_is_kept(void **state)
{
    (void)state;
    expect(SLICE("{\"event_id\":\"x\"}"), PLACE ",\"event_id\":\"x\"}");
    expect(SLICE("{\"messageId\":7}"), PLACE ",\"messageId\":7}");
    expect(SLICE("{\"event_id\":null,\"messageId\":7}"), PLACE ",\"event_id\":null,\"messageId\":7}");
}

static void test_an_empty_id_is_none_and_no_name_comes_twice(void **state)
{
    (void)state;
    expect(SLICE("{\"event_id\":null}"), PLACE ",\"messageId\":\"kafka:t/3/14\",\"event_id\":null}");
    expect(SLICE("{\"messageId\":\"\"}"), PLACE ID ",\"messageId\":\"\"}");
}

static void test_what_is_no_object_becomes_one_that_holds_it(void **state)
{
    (void)state;
    expect(SLICE(""), PLACE ID ",\"record\":\"\"}");
    expect(SLICE("no \"json\"\n"), PLACE ID ",\"record\":\"no \\\"json\\\"\\n\"}");
    expect(SLICE("[{}]"), PLACE ID ",\"record\":\"[{}]\"}");
    expect(SLICE("{\"a\":1} {\"b\":2}"), PLACE ID ",\"record\":\"{\\\"a\\\":1} {\\\"b\\\":2}\"}");
    expect(SLICE("{\"a\":"), PLACE ID ",\"record\":\"{\\\"a\\\":\"}");
    char *large = calloc(1, SOURCE_RECORD_BYTES_MAX + 1);
    assert_non_null(large);
    expect(slice_of(large, SOURCE_RECORD_BYTES_MAX + 1), PLACE ID ",\"record_bytes\":1048577}");
    free(large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_object_gets_its_place_and_an_id),
        cmocka_unit_test(test_a_record_with_a_fault_says_it_and_keeps_its_bytes),
        cmocka_unit_test(test_an_id_of_its_own_is_kept),
        cmocka_unit_test(test_an_empty_id_is_none_and_no_name_comes_twice),
        cmocka_unit_test(test_what_is_no_object_becomes_one_that_holds_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
