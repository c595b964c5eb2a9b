/* Bodies as unmodified clients send them, and what must become of them: every call type is here. */
#include <stdio.h>
#include <stdlib.h>

#include "base/test.h"
#include "event/event_parse.h"
#include "world/world.h"

#define NOW 1737455400000 /* 2025-01-21T10:30:00.000Z */

static void dice(struct world *world, void *out, size_t n)
{
    (void)world;
    memset(out, 7, n);
}

static struct world world = { .random = dice };
static struct event_parser *parser;
static struct arena arena;
static struct event_parse_result result;
static struct slice key;
static char body_room[8192];
static const uint8_t *SALT; /* NULL: addresses are removed */

static void parse_some(enum event_endpoint endpoint, const char *body)
{
    static const struct event_tenant ACME = { { "acme", 4 }, { "", 0 }, INT64_MIN };
    static const struct event_parse_options OPTIONS = { 0 };
    struct event_request request = {
        .endpoint = endpoint, .received_ms = NOW, .tenant = &ACME, .key_in_body = true, .ip_salt = SALT
    };
    struct error err;
    if (!parser) {
        parser = event_parser_new(&OPTIONS, &world);
        arena_init(&arena, 1u << 20);
    }
    arena_reset(&arena);
    size_t n = strlen(body);
    assert_true(n + EVENT_BODY_PADDING <= sizeof body_room);
    memset(body_room, 'x', sizeof body_room);
    memcpy(body_room, body, n);
    if (event_body_open(parser, slice_of(body_room, n), &key, &err) != OK ||
        event_body_parse(parser, &request, &arena, &result, &err) != OK)
        fail_msg("%s", err.text);
}

/* All of it is fine. */
static void parse(enum event_endpoint endpoint, const char *body)
{
    parse_some(endpoint, body);
    if (result.reject_count)
        fail_msg("%s: %.*s", event_code_name(result.rejects[0].code), SLICE_ARG(result.rejects[0].message));
}

static void expect_slice(struct slice got, const char *expected)
{
    if (!slice_equal(got, slice_from(expected)))
        fail_msg("'%.*s' instead of '%s'", SLICE_ARG(got), expected);
}

/* visitor, user, event_type, event_name */
static void expect_who_and_what(size_t i, const char *visitor, const char *user, const char *type, const char *name)
{
    assert_true(i < result.event_count);
    const struct event *event = &result.events[i];
    expect_slice(event->visitor_id, visitor);
    expect_slice(event->user_id, user);
    expect_slice(event->event_type, type);
    expect_slice(event->event_name, name);
}

#define LIBRARY "\"context\":{\"library\":{\"name\":\"@segment/analytics-node\",\"version\":\"3.1.0\"}}"
#define TAIL LIBRARY ",\"integrations\":{},\"timestamp\":\"2025-01-21T10:29:59.500Z\",\"messageId\":\"node-1\""

#define POSTHOG(name, id, properties)                                                                                  \
    "{\"event\":\"" name "\",\"properties\":{" properties "},\"timestamp\":\"2025-01-21T10:29:59.500Z\","              \
    "\"uuid\":\"01a21446-1109-7ac3-9144-e51ab17f4972\",\"distinct_id\":\"" id "\"}"
#define SNOWPLOW_HEAD "{\"schema\":\"iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4\",\"data\":["
#define SNOWPLOW                                                                                                       \
    "\"eid\":\"eid-1\",\"p\":\"srv\",\"aid\":\"wk\",\"uid\":\"user-1\",\"dtm\":\"1737455399500\",\"duid\":\"anon-1\"," \
    "\"sid\":\"s-1\",\"stm\":\"1737455399900\""

static void test_segment_node_batch_with_every_call(void **state)
{
    (void)state;
    parse(EVENT_ENDPOINT_BATCH,
          "{\"batch\":["
          "{\"type\":\"track\",\"userId\":\"u1\",\"event\":\"Order Completed\",\"properties\":{\"total\":9.5}," TAIL
          "},"
          "{\"type\":\"identify\",\"userId\":\"u1\",\"anonymousId\":\"a1\",\"traits\":{\"email\":\"x@y.z\"}," TAIL "},"
          "{\"type\":\"page\",\"anonymousId\":\"a1\",\"name\":\"Home\",\"category\":\"Docs\"," TAIL "},"
          "{\"type\":\"screen\",\"anonymousId\":\"a1\"," TAIL "},"
          "{\"type\":\"group\",\"userId\":\"u1\",\"groupId\":\"g1\",\"traits\":{\"plan\":\"x\"}," TAIL "},"
          "{\"type\":\"alias\",\"userId\":\"u1\",\"previousId\":\"a0\"," TAIL "}"
          "],\"writeKey\":\"wk\",\"sentAt\":\"2025-01-21T10:29:59.900Z\"}");
    expect_slice(key, "wk");
    assert_int_equal(result.event_count, 6);
    expect_who_and_what(0, "u1", "u1", "track", "Order Completed");
    expect_who_and_what(1, "a1", "u1", "identify", "identify");
    expect_who_and_what(2, "a1", "", "page_view", "Home");
    expect_who_and_what(3, "a1", "", "screen_view", "screen_view");
    expect_who_and_what(4, "u1", "u1", "group", "group");
    expect_who_and_what(5, "a0", "u1", "alias", "alias");
    expect_slice(result.events[0].properties, "{\"total\":9.5}");
    expect_slice(result.events[1].properties, "{\"email\":\"x@y.z\"}");
    expect_slice(result.events[0].event_id, "node-1");
    assert_int_equal(result.events[0].timestamp_ms, NOW - 500);
    assert_int_equal(result.events[0].flags, 0);
    expect_slice(result.events[2].context, "{\"library\":{\"name\":\"@segment/analytics-node\",\"version\":\"3.1.0\"},"
                                           "\"extra\":{\"category\":\"Docs\",\"integrations\":{}}}");
    expect_slice(result.events[4].context, "{\"library\":{\"name\":\"@segment/analytics-node\",\"version\":\"3.1.0\"},"
                                           "\"groupId\":\"g1\",\"extra\":{\"integrations\":{}}}");
}

static void test_segment_python_with_null_ids_and_microseconds(void **state)
{
    (void)state;
    parse(
        EVENT_ENDPOINT_BATCH,
        "{\"sentAt\": \"2025-01-21T10:29:59.900000+00:00\", \"batch\": [{\"integrations\": {}, \"anonymousId\": null, "
        "\"properties\": {\"plan\": \"pro\"}, \"timestamp\": \"2025-01-21T11:29:59.123456+01:00\", \"userId\": 42, "
        "\"context\": {}, \"event\": \"Signed Up\", \"type\": \"track\", \"messageId\": \"m1\"}], "
        "\"writeKey\": \"wk2\"}");
    expect_slice(key, "wk2");
    assert_int_equal(result.event_count, 1);
    expect_who_and_what(0, "42", "42", "track", "Signed Up");
    assert_int_equal(result.events[0].timestamp_ms, NOW - 877);
    expect_slice(result.events[0].properties, "{\"plan\": \"pro\"}");
}

static void test_rudder_node_with_its_own_times(void **state)
{
    (void)state;
    parse(EVENT_ENDPOINT_BATCH,
          "{\"batch\":[{\"userId\":\"u\",\"event\":\"e\",\"type\":\"track\",\"channel\":\"server\","
          "\"originalTimestamp\":\"2025-01-21T09:29:30.000Z\",\"sentAt\":\"2025-01-21T09:30:00.000Z\","
          "\"timestamp\":\"2025-01-21T09:29:30.000Z\",\"context\":{\"sessionId\":1737455000123}}],"
          "\"sentAt\":\"2020-01-01T00:00:00.000Z\"}");
    assert_int_equal(result.event_count, 1);
    expect_who_and_what(0, "u", "u", "track", "e");
    expect_slice(result.events[0].session_id, "1737455000123");
    assert_int_equal(result.events[0].timestamp_ms, NOW - 30000);
    assert_true(result.events[0].flags & EVENT_CLOCK_CORRECTED);
    expect_slice(result.events[0].context,
                 "{\"sessionId\":1737455000123,\"extra\":{\"originalTimestamp\":\"2025-01-21T09:29:30.000Z\","
                 "\"sentAt\":\"2025-01-21T09:30:00.000Z\",\"channel\":\"server\"}}");
}

static void test_browser_calls_take_their_type_from_the_path(void **state)
{
    (void)state;
    const char *const common = "{\"anonymousId\":\"a\",\"userId\":null,\"properties\":{\"path\":\"/\"},"
                               "\"messageId\":\"ajs-next-1\",\"writeKey\":\"wk\",\"event\":\"Clicked\"}";
    parse(EVENT_ENDPOINT_SEGMENT_TRACK, common);
    expect_slice(key, "wk");
    expect_who_and_what(0, "a", "", "track", "Clicked");
    expect_slice(result.events[0].context, "{}");
    parse(EVENT_ENDPOINT_SEGMENT_PAGE, "{\"anonymousId\":\"a\",\"type\":\"page\",\"name\":null}");
    expect_who_and_what(0, "a", "", "page_view", "page_view");
    expect_slice(result.events[0].context, "{}");
    parse(EVENT_ENDPOINT_SEGMENT_SCREEN, "{\"anonymousId\":\"a\",\"name\":\"Cart\"}");
    expect_who_and_what(0, "a", "", "screen_view", "Cart");
    parse(EVENT_ENDPOINT_SEGMENT_IDENTIFY, "{\"anonymousId\":\"a\",\"userId\":\"u\",\"traits\":null}");
    expect_who_and_what(0, "a", "u", "identify", "identify");
    parse(EVENT_ENDPOINT_SEGMENT_GROUP, "{\"anonymousId\":\"a\",\"groupId\":7}");
    expect_who_and_what(0, "a", "", "group", "group");
    expect_slice(result.events[0].context, "{\"groupId\":7}");
    parse(EVENT_ENDPOINT_SEGMENT_ALIAS, "{\"previousId\":\"old\",\"userId\":\"new\"}");
    expect_who_and_what(0, "old", "new", "alias", "alias");
}

static void test_segment_names_are_understood_by_track(void **state)
{
    (void)state;
    parse(EVENT_ENDPOINT_TRACK, "[{\"type\":\"page\",\"anonymousId\":\"a\",\"name\":\"Home\"},"
                                "{\"type\":\"purchase\",\"userId\":\"u\"},"
                                "{\"event_type\":\"purchase\",\"event\":\"Bought\",\"anonymous_id\":\"b\"},"
                                "{\"event_type\":\"click\",\"visitor_id\":\"v\",\"anonymousId\":\"a\"}]");
    expect_who_and_what(0, "a", "", "page_view", "Home");
    expect_who_and_what(1, "u", "u", "purchase", "purchase");
    expect_who_and_what(2, "b", "", "purchase", "Bought");
    expect_who_and_what(3, "v", "", "click", "click");
    expect_slice(result.events[3].context, "{\"extra\":{\"anonymousId\":\"a\"}}");
}

static void test_context_of_the_batch_completes_each_event(void **state)
{
    (void)state;
    parse(EVENT_ENDPOINT_BATCH,
          "{\"context\":{\"ip\":\"203.0.113.7\",\"locale\":\"de\",\"app\":{\"v\":1},\"groupId\":\"g\"},\"batch\":["
          "{\"type\":\"page\",\"userId\":\"u\"},{\"type\":\"page\",\"userId\":\"u\",\"context\":{\"locale\":\"fr\"}}],"
          "\"sentAt\":\"2025-01-21T09:30:00Z\"}");
    assert_int_equal(result.event_count, 2);
    expect_slice(result.events[1].context, "{\"locale\":\"fr\",\"ip\":null,\"groupId\":\"g\",\"app\":{\"v\":1},"
                                           "\"extra\":{\"sentAt\":\"2025-01-21T09:30:00Z\"}}");
    assert_int_equal(result.events[0].timestamp_ms, NOW);
    assert_int_equal(result.events[0].flags & EVENT_CLOCK_CORRECTED, 0);
}

static void test_real_commit_history_line(void **state)
{
    (void)state;
    parse(EVENT_ENDPOINT_TRACK,
          "{\"event_id\":\"8b094bda-dfbc-3498-0e90-4853c8d969f2\",\"customer_id\":\"acme\",\"visitor_id\":"
          "\"v_d4f467601eba\",\"user_id\":\"u_4142f769aecd\",\"event_type\":\"login\",\"event_name\":\"login\","
          "\"properties\":{\"page\":\"/login\"},\"timestamp\":\"2015-11-02T20:18:03.000Z\",\"received_at\":"
          "\"2015-11-02T21:57:13.000Z\"}\n");
    expect_who_and_what(0, "v_d4f467601eba", "u_4142f769aecd", "login", "login");
    assert_int_equal(result.events[0].timestamp_ms, 1446495483000);
    assert_int_equal(result.events[0].received_ms, 1446501433000);
    expect_slice(result.events[0].event_id, "8b094bda-dfbc-3498-0e90-4853c8d969f2");
}

static void test_posthog_node_batch_with_its_own_events(void **state)
{
    (void)state;
    parse(
        EVENT_ENDPOINT_POSTHOG,
        "{\"api_key\":\"wk\",\"batch\":[" POSTHOG(
            "$identify", "user-1",
            "\"$set\":{\"plan\":\"pro\"},\"$set_once\":{},"
            "\"$anon_distinct_id\":\"anon-1\",\"$lib\":\"posthog-node\"") "," POSTHOG("Order Completed", "user-1",
                                                                                      "\"amount\":19.99") "," POSTHOG("$pageview",
                                                                                                                      "anon-1",
                                                                                                                      "\"$current_url\":\"https://shop.example/\",\"$session_id\":\"s-1\"") "," POSTHOG("$screen",
                                                                                                                                                                                                        "anon-1", "\"$user_id\":\"user-1\"") "," POSTHOG("$groupidentify", "user-1", "\"$group_type\":\"company\",\"$group_key\":\"g-1\"") "," POSTHOG("$create_alias", "user-1", "\"distinct_id\":\"user-1\",\"alias\":\"anon-1\"") "],\"sent_at\":\"2025-01-21T10:29:59.900Z\"}");
    expect_slice(key, "wk");
    assert_int_equal(result.event_count, 6);
    expect_who_and_what(0, "anon-1", "user-1", "identify", "$identify");
    expect_who_and_what(1, "user-1", "", "track", "Order Completed");
    expect_who_and_what(2, "anon-1", "", "page_view", "$pageview");
    expect_who_and_what(3, "anon-1", "user-1", "screen_view", "$screen");
    expect_who_and_what(4, "user-1", "", "group", "$groupidentify");
    expect_who_and_what(5, "anon-1", "user-1", "alias", "$create_alias");
    expect_slice(result.events[0].properties, "{\"plan\":\"pro\"}");
    expect_slice(result.events[0].context,
                 "{\"extra\":{\"properties\":{\"$set\":{\"plan\":\"pro\"},\"$set_once\":{},\"$anon_distinct_id\":"
                 "\"anon-1\",\"$lib\":\"posthog-node\"}}}");
    expect_slice(result.events[1].event_id, "01a21446-1109-7ac3-9144-e51ab17f4972");
    assert_int_equal(result.events[1].timestamp_ms, NOW - 500);
    expect_slice(result.events[1].properties, "{\"amount\":19.99}");
    expect_slice(result.events[2].session_id, "s-1");
    expect_slice(result.events[4].context, "{\"groupId\":\"g-1\"}");
    for (size_t i = 1; i < 6; i++)
        if (i != 4)
            expect_slice(result.events[i].context, "{}");
}

static void test_posthog_python_sets_traits_beside_the_properties(void **state)
{
    (void)state;
    parse(EVENT_ENDPOINT_POSTHOG,
          "{\"batch\": [{\"timestamp\": \"2025-01-21T10:29:59.600863+00:00\", \"distinct_id\": \"user-1\", \"$set\": "
          "{\"plan\": \"pro\"}, \"event\": \"$set\", \"properties\": {\"$lib\": \"posthog-python\"}, \"uuid\": "
          "\"079f0b9c-bd36-4d3b-9eb8-31c481b76a83\"}], \"api_key\": \"wk\", \"sentAt\": "
          "\"2025-01-21T10:29:59.900000+00:00\"}");
    expect_who_and_what(0, "user-1", "user-1", "identify", "$set");
    expect_slice(result.events[0].properties, "{\"plan\": \"pro\"}");
    expect_slice(result.events[0].context, "{\"extra\":{\"properties\":{\"$lib\": \"posthog-python\"}}}");
}

static void test_posthog_address_is_taken_out_of_the_properties_and_hashed(void **state)
{
    (void)state;
    SALT = (const uint8_t *)"0123456789abcdef";
    parse(EVENT_ENDPOINT_POSTHOG, "{\"api_key\":\"wk\",\"event\":\"Clicked\",\"properties\":{\"distinct_id\":\"d\","
                                  "\"$ip\":\"203.0.113.7\",\"i\":1}}");
    SALT = NULL;
    expect_who_and_what(0, "d", "", "track", "Clicked");
    expect_slice(result.events[0].properties, "{\"distinct_id\":\"d\",\"$ip\":null,\"i\":1}");
    assert_true(slice_starts(result.events[0].context, SLICE("{\"ip\":\"h_")));
}

static void test_snowplow_node_payload_with_every_kind(void **state)
{
    (void)state;
    parse(
        EVENT_ENDPOINT_SNOWPLOW, SNOWPLOW_HEAD
        "{\"e\":\"pv\",\"url\":\"https://shop.example/\",\"page\":\"Home\",\"refr\":\"https://search.example/"
        "\"," SNOWPLOW
        ",\"co\":\"{\\\"schema\\\":\\\"iglu:c/contexts/jsonschema/1-0-0\\\",\\\"data\\\":[{\\\"a\\\":1}]}\"},"
        "{\"e\":\"se\",\"se_ca\":\"shop\",\"se_ac\":\"Order Completed\",\"se_la\":\"EUR\",\"se_va\":\"19.99\"," SNOWPLOW
        "},"
        "{\"e\":\"ue\",\"ue_pr\":\"{\\\"schema\\\":\\\"iglu:u\\\",\\\"data\\\":{\\\"schema\\\":\\\"iglu:com.example/"
        "order_completed/jsonschema/1-0-0\\\",\\\"data\\\":{\\\"amount\\\":19.99}}}\"," SNOWPLOW "},"
        "{\"e\":\"ue\",\"ue_px\":"
        "\"eyJzY2hlbWEiOiJpZ2x1OmNvbS5zbm93cGxvd2FuYWx5dGljcy5zbm93cGxvdy91bnN0cnVjdF9ldmVudC9qc29u"
        "c2NoZW1hLzEtMC0wIiwiZGF0YSI6eyJzY2hlbWEiOiJpZ2x1OmNvbS5zbm93cGxvd2FuYWx5dGljcy5zbm93cGxvdy9zY3JlZW5fdmlldy9qc2"
        "9uc2No"
        "ZW1hLzEtMC0wIiwiZGF0YSI6eyJuYW1lIjoiU3RhcnQiLCJpZCI6ImkifX19\"," SNOWPLOW "},"
        "{\"e\":\"pp\",\"url\":\"https://shop.example/\"," SNOWPLOW "}]}");
    expect_slice(key, "wk");
    assert_int_equal(result.event_count, 5);
    expect_who_and_what(0, "anon-1", "user-1", "page_view", "Home");
    expect_who_and_what(1, "anon-1", "user-1", "track", "Order Completed");
    expect_who_and_what(2, "anon-1", "user-1", "track", "order_completed");
    expect_who_and_what(3, "anon-1", "user-1", "screen_view", "Start");
    expect_who_and_what(4, "anon-1", "user-1", "page_ping", "page_ping");
    expect_slice(result.events[0].properties, "{\"url\":\"https://shop.example/\",\"title\":\"Home\",\"referrer\":"
                                              "\"https://search.example/\"}");
    expect_slice(result.events[0].context, "{\"extra\":{\"co\":[{\"a\":1}],\"p\":\"srv\"}}");
    expect_slice(result.events[1].properties, "{\"category\":\"shop\",\"label\":\"EUR\",\"value\":19.99}");
    expect_slice(result.events[2].properties, "{\"amount\":19.99}");
    expect_slice(result.events[3].properties, "{\"name\":\"Start\",\"id\":\"i\"}");
    expect_slice(result.events[4].session_id, "s-1");
    expect_slice(result.events[4].event_id, "eid-1");
    assert_int_equal(result.events[4].timestamp_ms, NOW - 500);
    expect_slice(result.events[4].context, "{\"extra\":{\"p\":\"srv\"}}");
}

static void test_inner_json_of_snowplow_is_checked_before_it_is_taken(void **state)
{
    (void)state;
    static const char *const BROKEN[] = {
        "\"ue_pr\":\"{\\\"schema\\\":\\\"iglu:u\\\",\\\"data\\\":{\"",
        "\"ue_pr\":\"{\\\"data\\\":{\\\"schema\\\":\\\"iglu:a/b/c\\\",\\\"data\\\":{\\\"x\\\":007}}}\"",
        "\"ue_pr\":\"{\\\"data\\\":{\\\"schema\\\":\\\"iglu:a/b/c\\\",\\\"data\\\":[]}}\"",
        "\"ue_pr\":\"\"",
        "\"ue_pr\":{}",
        "\"ue_px\":\"%%%\"",
        "\"nothing\":1",
    };
    for (size_t i = 0; i < COUNT_OF(BROKEN); i++) {
        char body[600];
        snprintf(body, sizeof body, SNOWPLOW_HEAD "{\"e\":\"ue\",%s," SNOWPLOW "},{\"e\":\"pp\"," SNOWPLOW "}]}",
                 BROKEN[i]);
        parse_some(EVENT_ENDPOINT_SNOWPLOW, body);
        assert_int_equal(result.event_count, 1);
        assert_int_equal(result.reject_count, 1);
        assert_true(slice_starts(result.rejects[0].field, SLICE("ue_p")));
    }
}

static void test_data_beside_another_schema_is_no_batch(void **state)
{
    (void)state;
    parse(EVENT_ENDPOINT_TRACK,
          "{\"schema\":\"iglu:com.acme/x\",\"data\":[1],\"visitor_id\":\"v\",\"event_type\":\"t\"}");
    expect_who_and_what(0, "v", "", "t", "t");
}

static int teardown(void **state)
{
    (void)state;
    event_parser_free(parser);
    arena_done(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_segment_node_batch_with_every_call),
        cmocka_unit_test(test_segment_python_with_null_ids_and_microseconds),
        cmocka_unit_test(test_rudder_node_with_its_own_times),
        cmocka_unit_test(test_browser_calls_take_their_type_from_the_path),
        cmocka_unit_test(test_segment_names_are_understood_by_track),
        cmocka_unit_test(test_context_of_the_batch_completes_each_event),
        cmocka_unit_test(test_real_commit_history_line),
        cmocka_unit_test(test_posthog_node_batch_with_its_own_events),
        cmocka_unit_test(test_posthog_python_sets_traits_beside_the_properties),
        cmocka_unit_test(test_posthog_address_is_taken_out_of_the_properties_and_hashed),
        cmocka_unit_test(test_snowplow_node_payload_with_every_kind),
        cmocka_unit_test(test_inner_json_of_snowplow_is_checked_before_it_is_taken),
        cmocka_unit_test(test_data_beside_another_schema_is_no_batch),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
