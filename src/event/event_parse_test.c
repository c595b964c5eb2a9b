#include "event/event_parse.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/test.h"
#include "base/uuid.h"
#include "test/support/parsing_fixture.h"

static void expect_reject(enum event_endpoint endpoint, const char *body, enum event_code code, const char *field)
{
    struct parsing *r = parsing_begin(endpoint);
    parsing_run(r, slice_from(body));
    const struct event_reject *reject = parsing_reject(r, code, field);
    parsing_expect(reject->original, body);
    parsing_expect(reject->customer_id, "acme");
    parsing_end(r);
}

static void test_sample_event_of_the_requirements(void **state)
{
    (void)state;
    struct parsing *r = parsing_begin(EVENT_ENDPOINT_TRACK);
    parsing_run(r, SLICE("{\"customer_id\":\"acme\",\"visitor_id\":\"test_123\",\"session_id\":\"session_456\","
                         "\"event_type\":\"page_view\",\"event_name\":\"Homepage View\","
                         "\"properties\":{\"page\":\"/\", \"title\":\"Home\"}}"));
    const struct event *event = parsing_event(r);
    parsing_expect(event->customer_id, "acme");
    parsing_expect(event->placement, "p_acme");
    parsing_expect(event->visitor_id, "test_123");
    parsing_expect(event->user_id, "");
    parsing_expect(event->session_id, "session_456");
    parsing_expect(event->event_type, "page_view");
    parsing_expect(event->event_name, "Homepage View");
    parsing_expect(event->properties, "{\"page\":\"/\", \"title\":\"Home\"}");
    parsing_expect(event->context, "{}");
    assert_int_equal(event->timestamp_ms, PARSING_NOW_MS);
    assert_int_equal(event->received_ms, PARSING_NOW_MS);
    assert_int_equal(event->flags, EVENT_ID_GENERATED);
    uint8_t uuid[UUID_BYTES];
    assert_true(uuid_parse(event->event_id, uuid) && uuid[6] >> 4 == 7);
    assert_int_equal(r->result.indexes[0], 0);
    parsing_end(r);
}

static void test_full_record_keeps_every_field(void **state)
{
    (void)state;
    struct parsing *r = parsing_begin(EVENT_ENDPOINT_TRACK);
    parsing_run(r,
                SLICE("{\"event_id\":\"ae1912cb\",\"visitor_id\":17,\"user_id\":\"u\\u00e9\",\"event_type\":\"login\","
                      "\"event_name\":null,\"properties\":null,\"context\":{\"locale\":\"en-US\"},"
                      "\"timestamp\":\"1999-12-29T14:20:26.000Z\",\"received_at\":\"1999-12-29T14:20:27Z\"}"));
    const struct event *event = parsing_event(r);
    parsing_expect(event->event_id, "ae1912cb");
    parsing_expect(event->visitor_id, "17");
    parsing_expect(event->user_id, "u\xc3\xa9");
    parsing_expect(event->event_name, "login");
    parsing_expect(event->properties, "{}");
    parsing_expect(event->context, "{\"locale\":\"en-US\"}");
    assert_int_equal(event->timestamp_ms, 946477226000);
    assert_int_equal(event->received_ms, 946477227000);
    assert_int_equal(event->flags, 0);
    parsing_end(r);
}

static void test_unknown_fields_are_kept_and_keys_are_not(void **state)
{
    (void)state;
    struct parsing *r = parsing_begin(EVENT_ENDPOINT_TRACK);
    parsing_run(r,
                SLICE("{\"visitor_id\":\"v\",\"event_type\":\"t\",\"channel\":\"web\",\"a\\\"b\":[1, 2],\"type\":\"x\","
                      "\"writeKey\":\"secret\",\"api_key\":\"secret\",\"context\":{ }}"));
    parsing_expect(parsing_event(r)->context, "{ \"extra\":{\"type\":\"x\",\"channel\":\"web\",\"a\\\"b\":[1, 2]}}");
    parsing_expect(r->key, "secret");
    parsing_run(r, SLICE("{\"visitor_id\":\"v\",\"event_type\":\"t\",\"z\":1,\"context\":{\"extra\":2}}"));
    parsing_expect(parsing_event(r)->context, "{\"extra\":2,\"weir_extra\":{\"z\":1}}");
    parsing_end(r);
}

static void test_verdict_for_each_kind_of_bad_event(void **state)
{
    (void)state;
    const enum event_endpoint track = EVENT_ENDPOINT_TRACK;
    expect_reject(track, "{}", EVENT_CODE_MISSING_FIELD, "event_type");
    expect_reject(track, "{\"event_type\":\"t\"}", EVENT_CODE_MISSING_FIELD, "visitor_id");
    expect_reject(track, "{\"event_type\":\"\",\"visitor_id\":\"v\"}", EVENT_CODE_MISSING_FIELD, "event_type");
    expect_reject(track, "{\"event_type\":\"t\",\"visitor_id\":null}", EVENT_CODE_MISSING_FIELD, "visitor_id");
    expect_reject(EVENT_ENDPOINT_BATCH, "{}", EVENT_CODE_MISSING_FIELD, "type");
    expect_reject(EVENT_ENDPOINT_SEGMENT_TRACK, "{\"userId\":\"u\"}", EVENT_CODE_MISSING_FIELD, "event");
    expect_reject(track, "{\"event_type\":\"t\",\"visitor_id\":[1]}", EVENT_CODE_BAD_TYPE, "visitor_id");
    expect_reject(track, "{\"kafka_record\":{\"topic\":\"t\",\"fault\":\"not \\\"Avro\\\"\"}}", EVENT_CODE_BAD_RECORD,
                  "kafka_record");
    expect_reject(track, "{\"kafka_record\":{\"fault\":7}}", EVENT_CODE_MISSING_FIELD, "event_type");
    expect_reject(track, "{\"event_type\":true,\"visitor_id\":\"v\"}", EVENT_CODE_BAD_TYPE, "event_type");
    expect_reject(track, "{\"event_type\":\"t\",\"visitor_id\":\"v\",\"properties\":\"{}\"}", EVENT_CODE_BAD_TYPE,
                  "properties");
    expect_reject(track, "{\"event_type\":\"t\",\"visitor_id\":\"v\",\"context\":[]}", EVENT_CODE_BAD_TYPE, "context");
    expect_reject(track, "{\"event_type\":\"t\",\"visitor_id\":\"a\\u0000b\"}", EVENT_CODE_BAD_ID, "visitor_id");
    expect_reject(track, "{\"event_type\":\"t\",\"visitor_id\":\"v\",\"timestamp\":\"yesterday\"}",
                  EVENT_CODE_BAD_TIMESTAMP, "timestamp");
    expect_reject(track, "{\"event_type\":\"t\",\"visitor_id\":\"v\",\"timestamp\":{}}", EVENT_CODE_BAD_TIMESTAMP,
                  "timestamp");
    expect_reject(track, "{\"event_type\":\"t\",\"visitor_id\":\"v\",\"received_at\":true}", EVENT_CODE_BAD_TIMESTAMP,
                  "received_at");
    expect_reject(track, "{\"event_type\":\"t\",\"visitor_id\":\"v\",\"timestamp\":\"2025-01-22T10:30:01Z\"}",
                  EVENT_CODE_TOO_FAR_IN_FUTURE, "timestamp");
    expect_reject(track, "{\"customer_id\":\"other\",\"event_type\":\"t\",\"visitor_id\":\"v\"}",
                  EVENT_CODE_TENANT_MISMATCH, "customer_id");
    expect_reject(track, "{\"event_type\":\"t\",\"visitor_id\":\"v\",\"visitor_id\":\"w\"}", EVENT_CODE_DUPLICATE_FIELD,
                  "visitor_id");
    expect_reject(track, "{\"event_type\":\"t\",\"visitor_id\":\"v\",\"context\":{\"ip\":\"1\",\"i\\u0070\":\"2\"}}",
                  EVENT_CODE_DUPLICATE_FIELD, "context");
    expect_reject(track, "{\"event_type\":\"t\",\"visitor_id\":\"\\ud83d\"}", EVENT_CODE_BAD_UTF8, "");
    expect_reject(track, "{\"event_type\":\"t\",\"visitor_id\":\"\xff\"}", EVENT_CODE_BAD_UTF8, "");
}

static void test_lengths_of_ids_are_bounded_exactly(void **state)
{
    (void)state;
    static const struct {
        const char *field;
        int max;
    } FIELDS[] = { { "visitor_id", 256 }, { "user_id", 256 },    { "session_id", 256 }, { "event_id", 256 },
                   { "event_type", 128 }, { "event_name", 256 }, { "customer_id", 256 } };
    for (size_t i = 0; i < COUNT_OF(FIELDS); i++) {
        for (int over = 0; over < 2; over++) {
            char body[1024];
            int n = snprintf(body, sizeof body, "{\"%s\":\"%0*d\"%s%s}", FIELDS[i].field, FIELDS[i].max + over, 7,
                             strcmp(FIELDS[i].field, "visitor_id") ? ",\"visitor_id\":\"v\"" : "",
                             strcmp(FIELDS[i].field, "event_type") ? ",\"event_type\":\"t\"" : "");
            struct parsing *r = parsing_begin(EVENT_ENDPOINT_TRACK);
            parsing_run(r, slice_of(body, (size_t)n));
            if (over)
                parsing_reject(r, EVENT_CODE_BAD_ID, FIELDS[i].field);
            else if (!strcmp(FIELDS[i].field, "customer_id"))
                parsing_reject(r, EVENT_CODE_TENANT_MISMATCH, "customer_id");
            else
                parsing_event(r);
            parsing_end(r);
        }
    }
}

static void test_history_beyond_the_retention_is_refused(void **state)
{
    (void)state;
    struct event_tenant tenant = PARSING_TENANT;
    struct parsing *r = parsing_begin(EVENT_ENDPOINT_TRACK);
    tenant.oldest_ms = PARSING_NOW_MS - 1000;
    r->request.tenant = &tenant;
    parsing_run(r, SLICE("{\"event_type\":\"t\",\"visitor_id\":\"v\",\"timestamp\":1737455398.999}"));
    parsing_reject(r, EVENT_CODE_OLDER_THAN_RETENTION, "timestamp");
    parsing_run(r, SLICE("{\"event_type\":\"t\",\"visitor_id\":\"v\",\"timestamp\":1737455399000}"));
    assert_int_equal(parsing_event(r)->timestamp_ms, PARSING_NOW_MS - 1000);
    parsing_end(r);
}

static void test_numbers_in_properties_are_kept_to_the_digit(void **state)
{
    (void)state;
    const char *properties = "{\"a\":-0,\"b\":1e999,\"c\":9007199254740993,\"d\":18446744073709551615,\"e\":1.10}";
    char body[256];
    int n = snprintf(body, sizeof body, "{\"event_type\":\"t\",\"visitor_id\":\"v\",\"properties\":%s}", properties);
    struct parsing *r = parsing_begin(EVENT_ENDPOINT_TRACK);
    parsing_run(r, slice_of(body, (size_t)n));
    parsing_expect(parsing_event(r)->properties, properties);
    parsing_end(r);
}

static const struct event_tenant *find_demo(void *self, struct slice customer_id)
{
    static const struct event_tenant DEMO = { { "demo_tenant", 11 }, { "", 0 }, INT64_MIN };
    (*(int *)self)++;
    return slice_equal(customer_id, DEMO.customer_id) ? &DEMO : NULL;
}

static void test_without_a_key_each_event_names_an_open_tenant(void **state)
{
    (void)state;
    int asked = 0;
    struct parsing *r = parsing_begin(EVENT_ENDPOINT_TRACK);
    r->request.tenant = NULL;
    r->request.find_open_tenant = find_demo;
    r->request.find_self = &asked;
    parsing_run(r, SLICE("[{\"customer_id\":\"demo_tenant\",\"event_type\":\"t\",\"visitor_id\":\"v\"},"
                         "{\"customer_id\":\"demo_tenant\",\"event_type\":\"t\",\"visitor_id\":\"v\"}," PARSING_GOOD
                         ",{\"customer_id\":\"acme\",\"event_type\":\"t\",\"visitor_id\":\"v\"}]"));
    assert_int_equal(r->result.event_count, 2);
    parsing_expect(r->result.events[1].customer_id, "demo_tenant");
    assert_int_equal(r->result.rejects[0].code, EVENT_CODE_MISSING_FIELD);
    assert_int_equal(r->result.rejects[1].code, EVENT_CODE_UNAUTHORIZED);
    parsing_expect(r->result.rejects[1].customer_id, "");
    assert_int_equal(asked, 2);
    parsing_end(r);
}

static void test_addresses_are_stored_hashed_only(void **state)
{
    (void)state;
    static const uint8_t TODAY[EVENT_IP_SALT_BYTES] = "today";
    struct parsing *r = parsing_begin(EVENT_ENDPOINT_TRACK);
    r->request.ip_salt = TODAY;
    r->request.remote_address = SLICE("203.0.113.7");
    parsing_run(
        r,
        SLICE("[" PARSING_GOOD "," PARSING_GOOD ",{\"event_type\":\"t\",\"visitor_id\":\"v\",\"ip\":\"203.0.113.7\"},"
              "{\"event_type\":\"t\",\"visitor_id\":\"v\",\"context\":{\"a\":1, \"ip\" : \"203.0.113.7\" ,\"b\":2}},"
              "{\"event_type\":\"t\",\"visitor_id\":\"v\",\"context\":{\"ip\":null,\"b\":2}},"
              "{\"event_type\":\"t\",\"visitor_id\":\"v\",\"context\":{\"b\":2}},"
              "{\"event_type\":\"t\",\"visitor_id\":\"v\",\"context\":{\"ip\":\"203.0.113.8\"}}]"));
    assert_int_equal(r->result.event_count, 7);
    const struct event *events = r->result.events;
    char hash[24] = { 0 };
    memcpy(hash, events[0].context.p + 6, 20);
    assert_memory_equal(hash, "\"h_", 3);
    char expected[128];
    snprintf(expected, sizeof expected, "{\"ip\":%s}", hash);
    parsing_expect(events[0].context, expected);
    assert_ptr_equal(events[0].context.p, events[1].context.p);
    parsing_expect(events[2].context, expected);
    snprintf(expected, sizeof expected, "{\"a\":1, \"ip\" : %s ,\"b\":2}", hash);
    parsing_expect(events[3].context, expected);
    snprintf(expected, sizeof expected, "{\"ip\":%s,\"b\":2}", hash);
    parsing_expect(events[4].context, expected);
    snprintf(expected, sizeof expected, "{\"b\":2,\"ip\":%s}", hash);
    parsing_expect(events[5].context, expected);
    assert_int_equal(events[6].context.n, 27);
    assert_memory_not_equal(events[6].context.p + 6, hash, 20);
    parsing_end(r);
}

static void test_another_salt_gives_another_hash_and_none_removes_the_address(void **state)
{
    (void)state;
    static const uint8_t TODAY[EVENT_IP_SALT_BYTES] = "today", TOMORROW[EVENT_IP_SALT_BYTES] = "tomorrow";
    struct parsing *r = parsing_begin(EVENT_ENDPOINT_TRACK);
    char hash[24] = { 0 };
    r->request.remote_address = SLICE("203.0.113.7");
    r->request.ip_salt = TODAY;
    parsing_run(r, SLICE(PARSING_GOOD));
    memcpy(hash, parsing_event(r)->context.p + 6, 20);
    r->request.ip_salt = TOMORROW;
    parsing_run(r, SLICE(PARSING_GOOD));
    assert_memory_not_equal(parsing_event(r)->context.p + 6, hash, 20);
    r->request.ip_salt = TODAY;
    parsing_run(r, SLICE(PARSING_GOOD));
    assert_memory_equal(parsing_event(r)->context.p + 6, hash, 20);
    r->request.ip_salt = NULL;
    parsing_run(r, SLICE("{\"event_type\":\"t\",\"visitor_id\":\"v\",\"context\":{\"ip\":\"203.0.113.8\"}}"));
    parsing_expect(parsing_event(r)->context, "{\"ip\":null}");
    parsing_end(r);
}

static void expect_time(const char *fields, int64_t timestamp_ms, uint8_t flags, const char *context)
{
    char body[512];
    int n = snprintf(body, sizeof body, "{\"event_type\":\"t\",\"visitor_id\":\"v\",\"event_id\":\"e\",%s}", fields);
    struct parsing *r = parsing_begin(EVENT_ENDPOINT_TRACK);
    parsing_run(r, slice_of(body, (size_t)n));
    const struct event *event = parsing_event(r);
    if (event->timestamp_ms != timestamp_ms)
        fail_msg("%s: %ld instead of %ld", fields, (long)event->timestamp_ms, (long)timestamp_ms);
    assert_int_equal(event->flags, flags);
    parsing_expect(event->context, context);
    parsing_end(r);
}

static void test_a_wrong_client_clock_is_corrected(void **state)
{
    (void)state;
    expect_time("\"timestamp\":null", PARSING_NOW_MS, 0, "{}");
    expect_time("\"timestamp\":\"" PARSING_NOW_TEXT "\"", PARSING_NOW_MS, 0, "{}");
    expect_time("\"timestamp\":\"1737455400000\"", PARSING_NOW_MS, 0, "{}");
    /* An hour ahead: what happened 10 s before it was sent happened 10 s ago. */
    expect_time("\"timestamp\":\"2025-01-21T11:29:50Z\",\"sentAt\":\"2025-01-21T11:30:00Z\"", PARSING_NOW_MS - 10000,
                EVENT_CLOCK_CORRECTED,
                "{\"extra\":{\"timestamp\":\"2025-01-21T11:29:50Z\",\"sentAt\":\"2025-01-21T11:30:00Z\"}}");
    /* Years behind. */
    expect_time("\"originalTimestamp\":\"1970-01-01T00:00:00Z\",\"sent_at\":\"1970-01-01T00:00:01Z\"",
                PARSING_NOW_MS - 1000, EVENT_CLOCK_CORRECTED,
                "{\"extra\":{\"originalTimestamp\":\"1970-01-01T00:00:00Z\",\"sent_at\":\"1970-01-01T00:00:01Z\"}}");
    /* A few seconds are the network's. */
    expect_time("\"timestamp\":\"2025-01-21T10:29:00Z\",\"sentAt\":\"2025-01-21T10:29:55.001Z\"",
                PARSING_NOW_MS - 60000, 0, "{}");
    expect_time("\"timestamp\":\"2025-01-21T10:29:00Z\",\"sentAt\":\"2025-01-21T10:29:55Z\"", PARSING_NOW_MS - 55000,
                EVENT_CLOCK_CORRECTED,
                "{\"extra\":{\"timestamp\":\"2025-01-21T10:29:00Z\",\"sentAt\":\"2025-01-21T10:29:55Z\"}}");
    /* What cannot be read corrects nothing and is kept. */
    expect_time("\"timestamp\":\"2025-01-21T10:29:00Z\",\"sentAt\":\"soon\"", PARSING_NOW_MS - 60000, 0,
                "{\"extra\":{\"sentAt\":\"soon\"}}");
    /* A time of ours in the future cannot be. */
    expect_time("\"received_at\":\"2025-01-21T10:30:00.001Z\"", PARSING_NOW_MS, 0,
                "{\"extra\":{\"received_at\":\"2025-01-21T10:30:00.001Z\"}}");
    expect_time("\"timestamp\":\"2025-01-22T10:30:00Z\"", PARSING_NOW_MS + 86400000, 0, "{}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sample_event_of_the_requirements),
        cmocka_unit_test(test_full_record_keeps_every_field),
        cmocka_unit_test(test_unknown_fields_are_kept_and_keys_are_not),
        cmocka_unit_test(test_verdict_for_each_kind_of_bad_event),
        cmocka_unit_test(test_lengths_of_ids_are_bounded_exactly),
        cmocka_unit_test(test_history_beyond_the_retention_is_refused),
        cmocka_unit_test(test_numbers_in_properties_are_kept_to_the_digit),
        cmocka_unit_test(test_without_a_key_each_event_names_an_open_tenant),
        cmocka_unit_test(test_addresses_are_stored_hashed_only),
        cmocka_unit_test(test_another_salt_gives_another_hash_and_none_removes_the_address),
        cmocka_unit_test(test_a_wrong_client_clock_is_corrected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
