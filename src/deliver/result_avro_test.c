/* Topics keep records for years, so a published schema stays: these are texts to be compared with, not to be renewed.
 * That values of weir's fit them is tried with a real registry and a stock client (test/scenario/registry_test.py). */
#include "deliver/result_avro.h"

#include "avro/avro.h"
#include "base/json_scan.h"
#include "base/test.h"
#include "deliver/result_schemas.h"
#include "registry/frame.h"
#include "test/support/answer_server.h"
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

#define PAID                                                                                                           \
    "{\"type\":\"record\",\"name\":\"paid\",\"fields\":[{\"name\":\"event_id\",\"type\":\"string\"},"                  \
    "{\"name\":\"stars\",\"type\":[\"null\",\"long\"],\"default\":null}]}"

static struct answer_server server;

static int start_server(void **state)
{
    (void)state;
    answer_server_start(&server);
    return 0;
}

static int stop_server(void **state)
{
    (void)state;
    answer_server_stop(&server);
    return 0;
}

static struct result_avro *open_all(void)
{
    static const struct target_schema TYPES[] = { { "paid", PAID }, { "other", PAID } };
    const struct target_avro_options options = { .registry = server.url,
                                                 .subjects = "topic-record",
                                                 .results = "windows,sessions,late_events,dead_letters,events",
                                                 .schemas = { TYPES, COUNT_OF(TYPES) } };
    struct result_avro *avro;
    struct error err;
    assert_int_equal(result_avro_open(&options, "t", world_real(), &avro, &err), OK);
    return avro;
}

/* Of the table's record what a reader of its schema sees, as JSON. */
static void expect(struct result_avro *avro, const char *value, const char *schema_text, const char *json)
{
    const struct target_record record = { SLICE("x/0/1"), SLICE("{}"), slice_from(value) };
    struct avro_schema *schema;
    struct slice bytes;
    struct error err;
    struct buf binary, text;
    uint32_t id = 0;
    buf_init(&binary, 1 << 20);
    buf_init(&text, 1 << 20);
    assert_int_equal(avro_schema_parse(slice_from(schema_text), &schema, &err), OK);
    if (result_avro_add(avro, &record, &binary, &err) != OK || frame_of(buf_slice(&binary), &id, &bytes, &err) != OK ||
        avro_to_json(schema, bytes, &text, &err) != OK)
        fail_msg("%s: %s", value, err.text);
    assert_int_equal(id, 70000);
    assert_string_equal(buf_text(&text), json);
    avro_schema_free(schema);
    buf_done(&binary);
    buf_done(&text);
}

static void test_results_are_written_by_their_schemas(void **state)
{
    (void)state;
    struct result_avro *avro = open_all();
    const _Atomic bool stopping = false;
    struct error err;
    server.answer = "503 Busy\n";
    assert_int_equal(result_avro_register(avro, &stopping, &err), ERR_RETRY);
    server.answer = "409 Conflict\n{\"error_code\":409,\"message\":\"id has another type\"}";
    assert_int_equal(result_avro_register(avro, &stopping, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "windows is not taken"));
    assert_non_null(strstr(err.text, "subject t-weir.results.windows: id has another type"));
    server.answer = "200 OK\n{\"id\":70000}";
    assert_int_equal(result_avro_register(avro, &stopping, &err), OK);
    expect(avro,
           "{\"table\":\"windows\",\"id\":\"w\",\"customer_id\":\"c\",\"window\":\"n\",\"definition\":\"7\",\"kind\":"
           "\"tumbling\",\"window_start\":\"2023-11-14T22:13:20.000Z\",\"window_end\":null,\"key\":{\"p\":\"/\",\"q\":"
           "null},\"measures\":{\"n\":9007199254740993,\"m\":0.5,\"top\":[{\"v\":\"a\"}]},\"event_count\":3,"
           "\"revision\":2,\"is_final\":true,\"is_removed\":false}",
           RESULT_SCHEMA[0].text,
           "{\"id\":\"w\",\"customer_id\":\"c\",\"window\":\"n\",\"definition\":\"7\",\"kind\":\"tumbling\","
           "\"window_start\":\"2023-11-14T22:13:20.000Z\",\"window_end\":null,\"key\":{\"p\":\"/\",\"q\":null},"
           "\"measures\":{\"n\":9007199254740993,\"m\":0.5,\"top\":\"[{\\\"v\\\":\\\"a\\\"}]\"},\"event_count\":3,"
           "\"revision\":2,\"is_final\":true,\"is_removed\":false}");
    expect(avro,
           "{\"table\":\"events\",\"id\":\"x\",\"event\":{\"event_id\":\"e\",\"event_type\":\"paid\",\"properties\":"
           "{\"stars\":5,\"event_id\":\"of the properties\",\"odd\":[1]}}}",
           PAID, "{\"event_id\":\"e\",\"stars\":5}");
    expect(avro,
           "{\"table\":\"events\",\"id\":\"x\",\"event\":{\"customer_id\":\"c\",\"visitor_id\":\"v\",\"event_id\":"
           "\"e\",\"event_type\":\"paid\",\"timestamp\":7,\"received_at\":8,\"properties\":{\"stars\":\"many\"},"
           "\"context\":{}}}",
           RESULT_SCHEMA[4].text,
           "{\"id\":\"x/0/1\",\"customer_id\":\"c\",\"visitor_id\":\"v\",\"user_id\":null,\"session_id\":null,"
           "\"event_id\":\"e\",\"event_type\":\"paid\",\"event_name\":null,\"timestamp\":\"1970-01-01T00:00:00.007Z\","
           "\"received_at\":\"1970-01-01T00:00:00.008Z\",\"properties\":\"{\\\"stars\\\":\\\"many\\\"}\",\"context\":"
           "\"{}\"}");
    result_avro_close(avro);
}

#define GENERAL "{\"type\":\"record\",\"name\":\"general\",\"fields\":[{\"name\":\"stars\",\"type\":\"long\"}]}"
#define COINS "{\"type\":\"record\",\"name\":\"paid_coins\",\"fields\":[{\"name\":\"coins\",\"type\":\"long\"}]}"

static void test_of_types_of_one_name_each_tenant_has_the_first_that_is_its_own(void **state)
{
    (void)state;
    static const struct slice GAMES[] = { SLICE("pixels"), SLICE("arcade") };
    const struct target_schema types[] = {
        { .event_type = "paid", .schema = COINS, .tenants = GAMES, .tenant_count = COUNT_OF(GAMES) },
        { .event_type = "paid", .schema = PAID, .tenants = GAMES, .tenant_count = COUNT_OF(GAMES), .others = true },
        { .event_type = "paid", .schema = GENERAL },
        { .event_type = "gift", .schema = GENERAL },
    };
    const struct target_avro_options options = {
        .registry = server.url, .subjects = "topic-record", .results = "events", .schemas = { types, COUNT_OF(types) }
    };
    const _Atomic bool stopping = false;
    struct result_avro *avro;
    struct error err;
    server.answer = "200 OK\n{\"id\":70000}";
    assert_int_equal(result_avro_open(&options, "t", world_real(), &avro, &err), OK);
    assert_int_equal(result_avro_register(avro, &stopping, &err), OK);
#define EVENT_OF(tenant)                                                                                               \
    "{\"table\":\"events\",\"id\":\"x\",\"event\":{\"customer_id\":\"" tenant "\",\"event_id\":\"e\",\"event_type\":"  \
    "\"paid\",\"properties\":{\"stars\":5,\"coins\":7}}}"
    expect(avro, EVENT_OF("arcade"), COINS, "{\"coins\":7}");
    expect(avro, EVENT_OF("pixels"), COINS, "{\"coins\":7}");
    expect(avro, EVENT_OF("acme"), PAID, "{\"event_id\":\"e\",\"stars\":5}");
    result_avro_close(avro);
}

static void test_a_sink_that_stops_asks_nothing_more(void **state)
{
    (void)state;
    struct result_avro *avro = open_all();
    const _Atomic bool stopping = true;
    struct error err;
    assert_int_equal(result_avro_register(avro, &stopping, &err), ERR_CLOSED);
    result_avro_close(avro);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_table_has_a_schema_that_avro_reads_by_its_name),
        cmocka_unit_test(test_a_published_schema_stays),
        cmocka_unit_test(test_without_a_registry_there_is_nothing_to_do),
        cmocka_unit_test(test_results_are_written_by_their_schemas),
        cmocka_unit_test(test_of_types_of_one_name_each_tenant_has_the_first_that_is_its_own),
        cmocka_unit_test(test_a_sink_that_stops_asks_nothing_more),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
