/* Bodies as they come in, through the core: packed, broken, with bad events among good ones; what is told and counted.
 */
#include <libdeflate.h>
#include <stdio.h>
#include <stdlib.h>

#include "test/support/core_fixture.h"

static void test_a_bad_event_does_not_spoil_its_neighbours(void **state)
{
    struct core_fixture *fixture = *state;
    struct answer *answer =
        post_and_settle(fixture, "/track", "acme_write", SLICE("[" EVENT ",{\"nonsense\":\"x\"}," EVENT "]"));
    expect_answer(answer, 200, "{\"accepted\":2,\"rejected\":1,\"results\":[{\"index\":1,\"code\":\"missing_field\"");
    struct core_found found = core_fixture_read_journal(fixture);
    assert_int_equal(found.events, 2);
    assert_int_equal(found.letters, 1);
    assert_string_equal(found.customer, "acme");
    assert_string_equal(found.reason, "missing_field");
    assert_string_equal(found.stage, "ingest");
    assert_string_equal(found.original, "{\"nonsense\":\"x\"}");
    assert_int_equal(core_fixture_counted(fixture, "events_dropped_total", "customer_id=\"acme\",reason=\"invalid\""),
                     1);
    assert_int_equal(
        core_fixture_counted(fixture, "ingest_dead_letters_total", "customer_id=\"acme\",reason=\"missing_field\""), 1);
}

static void test_verdicts_are_bounded(void **state)
{
    struct core_fixture *fixture = *state;
    struct answer *answer = post_and_settle(fixture, "/track", "acme_write", SLICE("[1,2,3,4,5," EVENT "]"));
    expect_answer(answer, 200, "{\"accepted\":1,\"rejected\":5,\"results\":[");
    expect_answer(answer, 200, "\"results_left_out\":2}");
    assert_null(strstr(answer->body, "\"index\":3"));
    assert_int_equal(core_fixture_read_journal(fixture).letters, 5);
}

static void test_an_empty_array_is_accepted(void **state)
{
    struct core_fixture *fixture = *state;
    struct sent_request sent = send_request(fixture, post_request("/track", "acme_write", SLICE("[]")));
    expect_answer(sent.answer, 200, "{\"accepted\":0,\"rejected\":0,\"results\":[]}");
}

static struct slice gzip_of(struct slice in, size_t *out_capacity)
{
    struct libdeflate_compressor *compressor = libdeflate_alloc_compressor(6);
    *out_capacity = libdeflate_gzip_compress_bound(compressor, in.n);
    char *out = malloc(*out_capacity);
    assert_non_null(out);
    size_t n = libdeflate_gzip_compress(compressor, in.p, in.n, out, *out_capacity);
    libdeflate_free_compressor(compressor);
    return slice_of(out, n);
}

static void test_compressed_bodies(void **state)
{
    struct core_fixture *fixture = *state;
    size_t capacity;
    struct slice packed = gzip_of(SLICE("[" EVENT "," EVENT "]"), &capacity);
    struct ingest_request request = post_request("/track", "acme_write", packed);
    request.content_type = SLICE("application/x-www-form-urlencoded"); /* rudder's label */
    struct sent_request unlabelled = send_request(fixture, request);
    request.content_encoding = SLICE("gzip");
    struct sent_request labelled = send_request(fixture, request);
    request.body.n -= 9;
    struct sent_request truncated = send_request(fixture, request);
    request.body = SLICE(EVENT);
    struct sent_request unpacked = send_request(fixture, request); /* a proxy unpacked it and left the header */
    request.body = SLICE("\x01\x02\x03\x04");
    struct sent_request garbage = send_request(fixture, request);
    request.content_encoding = SLICE("br");
    struct sent_request unknown = send_request(fixture, request);
    core_fixture_settle(fixture);
    expect_answer(unlabelled.answer, 200, "\"accepted\":2");
    expect_answer(labelled.answer, 200, "\"accepted\":2");
    expect_answer(truncated.answer, 400, "truncated");
    expect_answer(unpacked.answer, 200, "\"accepted\":1");
    expect_answer(garbage.answer, 400, "Content-Encoding says gzip");
    expect_answer(unknown.answer, 400, "\\\"br\\\" is not known");
    free((char *)packed.p);

    char *zeros = malloc(40u << 20);
    assert_non_null(zeros);
    memset(zeros, ' ', 40u << 20);
    packed = gzip_of(slice_of(zeros, 40u << 20), &capacity);
    expect_answer(post_and_settle(fixture, "/track", "acme_write", packed), 413, "unpacks to more than");
    free(zeros);
    free((char *)packed.p);
}

static void test_an_unreadable_body_is_400(void **state)
{
    struct core_fixture *fixture = *state;
    expect_answer(post_and_settle(fixture, "/track", "acme_write", SLICE("")), 400, "unreadable_body");
    expect_answer(post_and_settle(fixture, "/track", "acme_write", SLICE("<xml/>")), 400, "unreadable_body");
    expect_answer(post_and_settle(fixture, "/track", "acme_write", SLICE("[" EVENT)), 400, "unreadable_body");
    struct core_found found = core_fixture_read_journal(fixture);
    assert_int_equal(found.events, 0);
}

static void test_older_than_the_retention_is_told(void **state)
{
    struct core_fixture *fixture = *state;
    struct slice old = SLICE("{\"visitor_id\":\"v\",\"event_type\":\"t\",\"event_name\":\"n\","
                             "\"timestamp\":\"2011-03-23T08:39:59.000Z\"}");
    expect_answer(post_and_settle(fixture, "/track", "acme_write", old), 200, "older_than_retention");
    expect_answer(post_and_settle(fixture, "/track", "small_write", old), 200, "\"accepted\":1");
}

static void test_event_types_in_metrics_are_bounded(void **state)
{
    struct core_fixture *fixture = *state;
    for (size_t i = 0; i < 100; i++) {
        char body[128];
        int n =
            snprintf(body, sizeof body, "{\"visitor_id\":\"v\",\"event_type\":\"type_%zu\",\"event_name\":\"n\"}", i);
        expect_answer(post_and_settle(fixture, "/track", "acme_write", slice_of(body, (size_t)n)), 200,
                      "\"accepted\":1");
    }
    assert_int_equal(
        core_fixture_counted(fixture, "events_received_total", "customer_id=\"acme\",event_type=\"type_0\""), 1);
    assert_int_equal(
        core_fixture_counted(fixture, "events_received_total", "customer_id=\"acme\",event_type=\"other\""), 52);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CORE_TEST(test_a_bad_event_does_not_spoil_its_neighbours),
        CORE_TEST(test_verdicts_are_bounded),
        CORE_TEST(test_an_empty_array_is_accepted),
        CORE_TEST(test_compressed_bodies),
        CORE_TEST(test_an_unreadable_body_is_400),
        CORE_TEST(test_older_than_the_retention_is_told),
        CORE_TEST(test_event_types_in_metrics_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
