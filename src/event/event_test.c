#include "event/event.h"

#include <stdlib.h>

#include "base/test.h"

static struct event sample(void)
{
    return (struct event){
        .customer_id = SLICE("acme"),
        .visitor_id = SLICE("v1"),
        .user_id = SLICE(""),
        .session_id = SLICE("s"),
        .event_id = SLICE("e-1"),
        .event_type = SLICE("page_view"),
        .event_name = SLICE("Home"),
        .properties = SLICE("{\"page\":\"/\"}"),
        .context = SLICE("{}"),
        .placement = SLICE(""),
        .timestamp_ms = -5,
        .received_ms = 1737455400000,
        .ingested_us = 7,
        .flags = EVENT_CLOCK_CORRECTED,
    };
}

static void test_what_was_encoded_is_decoded(void **state)
{
    (void)state;
    struct event in = sample(), out;
    size_t n = event_encoded_size(&in);
    char *bytes = malloc(n);
    event_encode(&in, bytes);
    assert_int_equal(event_decode(slice_of(bytes, n), &out, NULL), OK);
    assert_true(slice_equal(in.customer_id, out.customer_id) && slice_equal(in.event_name, out.event_name));
    assert_true(slice_equal(in.properties, out.properties) && slice_equal(in.context, out.context));
    assert_int_equal(out.timestamp_ms, -5);
    assert_int_equal(out.flags, EVENT_CLOCK_CORRECTED);
    free(bytes);
}

static void test_every_cut_or_padded_record_is_corrupt(void **state)
{
    (void)state;
    struct event in = sample(), out;
    size_t n = event_encoded_size(&in);
    char *bytes = calloc(1, n + 1);
    event_encode(&in, bytes);
    for (size_t cut = 0; cut < n; cut++)
        assert_int_equal(event_decode(slice_of(bytes, cut), &out, NULL), ERR_CORRUPT);
    assert_int_equal(event_decode(slice_of(bytes, n + 1), &out, NULL), ERR_CORRUPT);
    free(bytes);
}

static void test_a_record_names_a_tenant_that_can_be(void **state)
{
    (void)state;
    static const char id[EVENT_CUSTOMER_ID_MAX + 1];
    struct event in = sample(), out;
    for (size_t length = 0; length <= sizeof id; length++) {
        in.customer_id = slice_of(id, length);
        size_t n = event_encoded_size(&in);
        char *bytes = malloc(n);
        event_encode(&in, bytes);
        assert_int_equal(event_decode(slice_of(bytes, n), &out, NULL),
                         length == 0 || length == sizeof id ? ERR_CORRUPT : OK);
        free(bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_encoded_is_decoded),
        cmocka_unit_test(test_every_cut_or_padded_record_is_corrupt),
        cmocka_unit_test(test_a_record_names_a_tenant_that_can_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
