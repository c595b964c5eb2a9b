#include "event/event_json.h"

#include "base/json_scan.h"
#include "base/test.h"

static struct event example(void)
{
    return (struct event){ .customer_id = SLICE("t"),
                           .visitor_id = SLICE("v \"1\""),
                           .event_id = SLICE("e-1"),
                           .event_type = SLICE("view"),
                           .event_name = SLICE("Tür"),
                           .properties = SLICE("{\"price\":1.50}"),
                           .context = SLICE("{}"),
                           .timestamp_ms = 1737455400000,
                           .received_ms = 1737455400123 };
}

static void test_an_event_reads_as_track_would_take_it(void **state)
{
    (void)state;
    AUTO(buf) struct buf out;
    struct event event = example();
    buf_init(&out, 4096);
    event_json_add(&out, &event);
    assert_string_equal(
        buf_text(&out),
        "{\"customer_id\":\"t\",\"visitor_id\":\"v \\\"1\\\"\",\"event_id\":\"e-1\",\"event_type\":\"view\","
        "\"event_name\":\"Tür\",\"timestamp\":\"2025-01-21T10:30:00.000Z\","
        "\"received_at\":\"2025-01-21T10:30:00.123Z\",\"properties\":{\"price\":1.50},\"context\":{}}");
}

static void test_an_impossible_time_stays_readable(void **state)
{
    (void)state;
    AUTO(buf) struct buf out;
    struct event event = example();
    buf_init(&out, 4096);
    event.timestamp_ms = INT64_MIN;
    event_json_add(&out, &event);
    assert_true(json_is_whole(buf_slice(&out)));
    assert_non_null(strstr(buf_text(&out), "\"timestamp\":-9223372036854775808"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_event_reads_as_track_would_take_it),
        cmocka_unit_test(test_an_impossible_time_stays_readable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
