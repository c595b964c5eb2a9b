/* The core's turns: one commit for all that came in, an answer only when it is durable; quotas, bounds, and nobody who
 * holds others up. Requests and bodies are in receive_test.c and judge_test.c. */
#include "ingest/core.h"

#include <stdlib.h>

#include "ingest/produced.h"
#include "test/support/core_fixture.h"

static struct answer *post_many(struct core_fixture *fixture, const char *key, size_t n)
{
    struct slice body = events_array(n);
    struct answer *answer = post_and_settle(fixture, "/track", key, body);
    free((char *)body.p);
    return answer;
}

static void test_an_event_is_answered_only_when_durable(void **state)
{
    struct core_fixture *fixture = *state;
    struct sent_request sent = send_request(fixture, post_request("/track", "acme_write", SLICE(EVENT)));
    assert_non_null(sent.ticket);
    assert_false(core_turn(fixture->core));
    core_finish(fixture->core);
    assert_int_equal(sent.answer->times, 0);
    core_fixture_make_durable(fixture);
    assert_int_equal(fixture->wakes, 1);
    assert_int_equal(sent.answer->times, 0);
    core_finish(fixture->core);
    expect_answer(sent.answer, 200, "{\"accepted\":1,\"rejected\":0,\"results\":[]}");
    struct core_found found = core_fixture_read_journal(fixture);
    assert_int_equal(found.events, 1);
    assert_string_equal(found.customer, "acme");
    assert_string_equal(found.type, "page_view");
    assert_int_equal(found.ingested_us, T0_US);
    assert_int_equal(found.received_ms, T0_US / 1000);
    assert_int_equal(
        core_fixture_counted(fixture, "events_received_total", "customer_id=\"acme\",event_type=\"page_view\""), 1);
}

static uint64_t produced(struct core_fixture *fixture, const char *type, const char *status)
{
    char labels[200];
    snprintf(labels, sizeof labels, "event_type=\"%s\",status=\"%s\"", type, status);
    return core_fixture_counted(fixture, "events_produced_total", labels);
}

static void test_what_the_journal_keeps_is_counted_by_type_once_it_is_durable(void **state)
{
    struct core_fixture *fixture = *state;
    struct sent_request sent =
        send_request(fixture, post_request("/track", "acme_write",
                                           SLICE("[{\"visitor_id\":\"v\",\"event_type\":\"a\"},{\"visitor_id\":\"v\","
                                                 "\"event_type\":\"b\"},{\"visitor_id\":\"v\",\"event_type\":\"a\"},"
                                                 "{\"event_type\":\"a\"}]")));
    assert_non_null(sent.ticket);
    assert_false(core_turn(fixture->core));
    assert_int_equal(produced(fixture, "a", "ok"), 0);
    fixture->now_us += 7000;
    core_fixture_settle(fixture);
    expect_answer(sent.answer, 200, "{\"accepted\":3,\"rejected\":1");
    assert_int_equal(produced(fixture, "a", "ok"), 2);
    assert_int_equal(produced(fixture, "b", "ok"), 1);
    assert_int_equal(produced(fixture, "a", "failed"), 0);
    struct histogram *latency = metrics_histogram(fixture->metrics, "produce_latency_seconds", "", "");
    assert_int_equal(histogram_count(latency), 3);
    assert_true(histogram_quantile(latency, 0.5) > 0.005 && histogram_quantile(latency, 0.5) <= 0.01);
    assert_int_equal(
        core_fixture_counted(fixture, "validation_failures_total", "stage=\"ingest\",reason=\"missing_field\""), 1);
    for (size_t i = 0; i < PRODUCED_TYPES; i++) {
        char body[128];
        int n = snprintf(body, sizeof body, "{\"visitor_id\":\"v\",\"event_type\":\"type_%zu\"}", i);
        expect_answer(post_and_settle(fixture, "/track", "acme_write", slice_of(body, (size_t)n)), 200,
                      "\"accepted\":1");
    }
    assert_int_equal(produced(fixture, "type_0", "ok"), 1);
    assert_int_equal(produced(fixture, "other", "ok"), 3); /* `other` and a, b are three of the bound */
}

static void test_all_requests_of_a_turn_are_one_commit(void **state)
{
    struct core_fixture *fixture = *state;
    struct sent_request sent[50];
    for (size_t i = 0; i < COUNT_OF(sent); i++)
        sent[i] = send_request(fixture, post_request("/track", "acme_write", SLICE(EVENT)));
    core_fixture_settle(fixture);
    for (size_t i = 0; i < COUNT_OF(sent); i++) {
        expect_answer(sent[i].answer, 200, "\"accepted\":1");
        assert_int_equal(sent[i].answer->order, i + 1);
    }
    assert_int_equal(core_fixture_counted(fixture, "ingest_commits_total", ""), 1);
    assert_int_equal(core_fixture_counted(fixture, "ingest_commit_events_total", ""), 50);
    assert_int_equal(core_fixture_read_journal(fixture).events, 50);
}

static void test_quota_takes_whole_requests(void **state)
{
    struct core_fixture *fixture = *state;
    expect_answer(post_many(fixture, "small_write", 79), 200, "\"accepted\":79");
    assert_int_equal(fixture->warnings, 0);
    expect_answer(post_many(fixture, "small_write", 1), 200, "\"accepted\":1");
    assert_int_equal(fixture->warnings, 1);
    struct answer *refused = post_many(fixture, "small_write", 30);
    expect_answer(refused, 429, "\"code\":\"over_quota\"");
    assert_non_null(strstr(refused->headers, "Retry-After: 6\r\n")); /* 10 of 30 are missing, at 100 a minute */
    expect_answer(post_many(fixture, "small_write", 20), 200, "\"accepted\":20");
    expect_answer(post_many(fixture, "acme_write", 500), 200, "\"accepted\":500");
    assert_int_equal(fixture->warnings, 1);
    fixture->now_us += 18100000;
    expect_answer(post_many(fixture, "small_write", 30), 200, "\"accepted\":30");
    assert_int_equal(core_fixture_counted(fixture, "events_dropped_total", "customer_id=\"small\",reason=\"quota\""),
                     30);
    /* Received are all that came, also the 30 that were refused: the alert on losses is a ratio of the two. */
    assert_int_equal(core_fixture_counted(fixture, "events_received_total", "customer_id=\"small\",event_type=\"t\""),
                     160);
    assert_int_equal(core_fixture_counted(fixture, "events_dropped_total", "customer_id=\"acme\",reason=\"quota\""), 0);
    assert_int_equal(core_fixture_counted(fixture, "ingest_quota_warnings_total", "customer_id=\"small\""), 1);
    assert_int_equal(core_fixture_read_journal(fixture).events, 79 + 1 + 20 + 500 + 30);
}

static void test_the_default_quota_is_ten_thousand(void **state)
{
    struct core_fixture *fixture = *state;
    for (size_t i = 0; i < 10; i++)
        expect_answer(post_many(fixture, "default_quota_write", 1000), 200, "\"accepted\":1000");
    expect_answer(post_many(fixture, "default_quota_write", 1), 429, "over_quota");
}

static void test_one_of_several_processes_lets_its_part_of_the_quota_through(void **state)
{
    struct core_fixture *fixture = *state;
    expect_answer(post_many(fixture, "small_write", 34), 200, "\"accepted\":34"); /* of 100, rounded up */
    expect_answer(post_many(fixture, "small_write", 1), 429, "over_quota");
    expect_answer(post_many(fixture, "acme_write", 500), 200, "\"accepted\":500"); /* no quota has no parts */
}

static void test_a_full_journal_is_503_and_gives_the_quota_back(void **state)
{
    struct core_fixture *fixture = *state;
    size_t accepted = 0;
    struct answer *answer = post_many(fixture, "small_write", 1);
    for (; answer->status == 200 && accepted < 200; accepted++) {
        fixture->now_us += 600000; /* one event's worth of quota */
        answer = post_many(fixture, "small_write", 1);
    }
    expect_answer(answer, 503, "\"code\":\"unavailable\"");
    assert_non_null(strstr(answer->headers, "Retry-After: 1\r\n"));
    assert_int_equal(core_fixture_read_journal(fixture).events, accepted);
    /* 95 a time, the whole bucket nearly: only a refund lets the next one through to the journal again. */
    expect_answer(post_many(fixture, "small_write", 95), 503, "unavailable");
    expect_answer(post_many(fixture, "small_write", 95), 503, "unavailable");
    assert_int_equal(
        core_fixture_counted(fixture, "events_dropped_total", "customer_id=\"small\",reason=\"journal_full\""), 191);
    assert_int_equal(produced(fixture, "t", "ok"), accepted);
    assert_int_equal(produced(fixture, "t", "failed"), 191);
    assert_int_equal(core_fixture_counted(fixture, "kafka_broker_error_messages_in_total", ""), 191);
    expect_answer(get_path(fixture, "/ready"), 503, "the journal is full");
    assert_int_equal(core_fixture_read_journal(fixture).events, 0);
}

static void test_commits_grow_while_the_journal_is_busy(void **state)
{
    struct core_fixture *fixture = *state;
    struct sent_request first = send_request(fixture, post_request("/track", "acme_write", SLICE(EVENT)));
    core_turn(fixture->core);
    struct sent_request later[5];
    for (size_t i = 0; i < COUNT_OF(later); i++) {
        later[i] = send_request(fixture, post_request("/track", "acme_write", SLICE(EVENT)));
        core_turn(fixture->core);
    }
    core_fixture_settle(fixture);
    expect_answer(first.answer, 200, NULL);
    for (size_t i = 0; i < COUNT_OF(later); i++)
        expect_answer(later[i].answer, 200, "\"accepted\":1");
    assert_int_equal(core_fixture_counted(fixture, "ingest_commits_total", ""), 2);
}

static void test_too_much_in_flight_is_503(void **state)
{
    struct core_fixture *fixture = *state;
    struct slice body = events_array(10000);
    unsigned refused = 0, accepted = 0;
    struct sent_request sent[30];
    for (size_t i = 0; i < COUNT_OF(sent); i++) {
        sent[i] = send_request(fixture, post_request("/track", "acme_write", body));
        core_turn(fixture->core);
    }
    core_fixture_settle(fixture);
    for (size_t i = 0; i < COUNT_OF(sent); i++) {
        assert_int_equal(sent[i].answer->times, 1);
        refused += sent[i].answer->status == 503;
        accepted += sent[i].answer->status == 200;
    }
    assert_true(refused > 0 && accepted > 0);
    assert_int_equal(refused + accepted, COUNT_OF(sent));
    assert_int_equal(core_fixture_read_journal(fixture).events, accepted * 10000);
    free((char *)body.p);
}

static void test_a_client_that_has_gone_is_not_answered(void **state)
{
    struct core_fixture *fixture = *state;
    struct sent_request gone = send_request(fixture, post_request("/track", "acme_write", SLICE(EVENT)));
    struct sent_request other = send_request(fixture, post_request("/track", "acme_write", SLICE(EVENT)));
    core_gone(fixture->core, gone.ticket);
    core_fixture_settle(fixture);
    assert_int_equal(gone.answer->times, 0);
    expect_answer(other.answer, 200, NULL);
    assert_int_equal(core_fixture_read_journal(fixture).events, 2);
}

static void test_a_tenant_with_large_requests_does_not_hold_others_up(void **state)
{
    struct core_fixture *fixture = *state;
    struct slice large = events_array(10000);
    struct sent_request whales[8];
    for (size_t i = 0; i < COUNT_OF(whales); i++)
        whales[i] = send_request(fixture, post_request("/track", "acme_write", large));
    struct sent_request minnow = send_request(fixture, post_request("/track", "small_write", SLICE(EVENT)));
    assert_true(core_turn(fixture->core)); /* not all of the whale's in one turn */
    core_fixture_make_durable(fixture);
    core_finish(fixture->core);
    expect_answer(minnow.answer, 200, NULL);
    assert_int_equal(whales[COUNT_OF(whales) - 1].answer->times, 0);
    core_gone(fixture->core, whales[COUNT_OF(whales) - 1].ticket); /* while it waits for its turn */
    free(fixture->bodies[COUNT_OF(whales) - 1]);
    fixture->bodies[COUNT_OF(whales) - 1] = NULL;
    core_fixture_settle(fixture);
    for (size_t i = 0; i + 1 < COUNT_OF(whales); i++)
        expect_answer(whales[i].answer, 200, "\"accepted\":10000");
    assert_int_equal(whales[COUNT_OF(whales) - 1].answer->times, 0);
    assert_int_equal(core_fixture_read_journal(fixture).events, 70001);
    free((char *)large.p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CORE_TEST(test_an_event_is_answered_only_when_durable),
        CORE_TEST(test_what_the_journal_keeps_is_counted_by_type_once_it_is_durable),
        CORE_TEST(test_all_requests_of_a_turn_are_one_commit),
        CORE_TEST(test_quota_takes_whole_requests),
        CORE_TEST(test_the_default_quota_is_ten_thousand),
        cmocka_unit_test_setup_teardown(test_one_of_several_processes_lets_its_part_of_the_quota_through,
                                        core_fixture_setup_one_of_three, core_fixture_teardown),
        cmocka_unit_test_setup_teardown(test_a_full_journal_is_503_and_gives_the_quota_back,
                                        core_fixture_setup_tiny_journal, core_fixture_teardown),
        cmocka_unit_test_setup_teardown(test_commits_grow_while_the_journal_is_busy, core_fixture_setup_one_commit,
                                        core_fixture_teardown),
        cmocka_unit_test_setup_teardown(test_too_much_in_flight_is_503, core_fixture_setup_one_commit,
                                        core_fixture_teardown),
        CORE_TEST(test_a_client_that_has_gone_is_not_answered),
        CORE_TEST(test_a_tenant_with_large_requests_does_not_hold_others_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
