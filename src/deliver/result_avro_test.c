/* Topics keep records for years, so a published schema stays: these are texts to be compared with, not to be renewed.
 * That values of weir's fit them is tried with a real registry and a stock client (test/scenario/registry_test.py). */
#include "deliver/result_avro.h"

#include "avro/avro.h"
#include "base/json_scan.h"
#include "base/test.h"
#include "deliver/result_schemas.h"
#include "world/world.h"

static void test_every_table_has_a_schema_that_avro_reads_by_its_name(void **state)
{
    (void)state;
    static const char *const NAMES[RESULT_SCHEMAS] = { "windows", "sessions", "late_events", "dead_letters", "events" };
    for (size_t i = 0; i < RESULT_SCHEMAS; i++) {
        struct avro_schema *schema;
        struct error err;
        assert_string_equal(RESULT_SCHEMA[i].table, NAMES[i]);
        assert_true(json_is_whole(slice_from(RESULT_SCHEMA[i].text)));
        assert_int_equal(avro_schema_parse(slice_from(RESULT_SCHEMA[i].text), &schema, &err), OK);
        assert_true(slice_equal(avro_schema_name(schema), slice_from(NAMES[i])));
        avro_schema_free(schema);
    }
}

static void test_a_published_schema_stays(void **state)
{
    (void)state;
    assert_string_equal(RESULT_SCHEMA[1].text,
                        "{\"type\":\"record\",\"name\":\"sessions\",\"namespace\":\"weir.results\",\"fields\":["
                        "{\"name\":\"id\",\"type\":\"string\"},{\"name\":\"customer_id\",\"type\":\"string\"},"
                        "{\"name\":\"session_id\",\"type\":\"string\"},{\"name\":\"visitor_id\",\"type\":\"string\"},"
                        "{\"name\":\"user_id\",\"type\":\"string\"},{\"name\":\"started_at\",\"type\":[\"null\","
                        "{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}],\"default\":null},"
                        "{\"name\":\"ended_at\",\"type\":[\"null\",{\"type\":\"long\",\"logicalType\":"
                        "\"timestamp-millis\"}],\"default\":null},{\"name\":\"event_count\",\"type\":\"long\"},"
                        "{\"name\":\"page_views\",\"type\":\"long\"},{\"name\":\"is_removed\",\"type\":\"boolean\"}]}");
}

static void test_without_a_registry_there_is_nothing_to_do(void **state)
{
    (void)state;
    struct result_avro *avro;
    struct error err;
    assert_int_equal(result_avro_open(&(struct target_avro_options){ 0 }, "t", world_real(), &avro, &err), OK);
    assert_null(avro);
    assert_int_equal(result_avro_register(NULL, NULL, &err), OK);
    result_avro_close(NULL);
    const struct target_avro_options bad = { .registry = "registry", .subjects = "record", .results = "windows" };
    assert_int_equal(result_avro_open(&bad, "t", world_real(), &avro, &err), ERR_INVALID);
    assert_null(avro);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_table_has_a_schema_that_avro_reads_by_its_name),
        cmocka_unit_test(test_a_published_schema_stays),
        cmocka_unit_test(test_without_a_registry_there_is_nothing_to_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
