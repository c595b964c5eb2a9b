/* Requests as they come in, through the core: every route, the key from every place, tenants that come and go, CORS. */
#include "test/support/core_fixture.h"

#define DEMO_EVENT                                                                                                     \
    "{\"customer_id\":\"demo_tenant\",\"visitor_id\":\"test_123\",\"session_id\":\"session_456\","                     \
    "\"event_type\":\"page_view\",\"event_name\":\"Homepage "                                                          \
    "View\",\"properties\":{\"page\":\"/\",\"title\":\"Home\"}}"

static void test_every_route_takes_events(void **state)
{
    struct core_fixture *fixture = *state;
    static const char *const PATHS[] = {
        "/track", "/v1/track", "/v1/page", "/v1/screen", "/v1/identify", "/v1/group", "/v1/t/",
        "/v1/p",  "/v1/s",     "/v1/i",    "/v1/g",      "/v1/beacon",   "/e",
    };
    struct slice body = SLICE("{\"userId\":\"u1\",\"anonymousId\":\"a1\",\"event\":\"Bought\",\"event_type\":\"x\","
                              "\"event_name\":\"y\",\"groupId\":\"g\",\"name\":\"n\"}");
    for (size_t i = 0; i < COUNT_OF(PATHS); i++)
        expect_answer(post_and_settle(fixture, PATHS[i], "acme_write", body), 200, "\"accepted\":1");
    struct slice alias = SLICE("{\"userId\":\"u1\",\"previousId\":\"a1\"}");
    expect_answer(post_and_settle(fixture, "/v1/alias", "acme_write", alias), 200, "\"accepted\":1");
    expect_answer(post_and_settle(fixture, "/v1/a", "acme_write", alias), 200, "\"accepted\":1");
    struct slice batch = SLICE("{\"batch\":[{\"type\":\"track\",\"userId\":\"u\",\"event\":\"e\"},"
                               "{\"type\":\"page\",\"userId\":\"u\",\"name\":\"n\"}]}");
    expect_answer(post_and_settle(fixture, "/v1/batch", "acme_write", batch), 200, "\"accepted\":2");
    expect_answer(post_and_settle(fixture, "/v1/b", "acme_write", batch), 200, "\"accepted\":2");
    expect_answer(post_and_settle(fixture, "/v1/import/", "acme_write", batch), 200, "\"accepted\":2");
    expect_answer(post_and_settle(fixture, "/track", "acme_write", SLICE("[" EVENT "," EVENT "]")), 200,
                  "\"accepted\":2");
    expect_answer(post_and_settle(fixture, "/track", "acme_write", SLICE(EVENT "\n" EVENT "\n")), 200,
                  "\"accepted\":2");
    assert_int_equal(core_fixture_read_journal(fixture).events, COUNT_OF(PATHS) + 2 + 6 + 4);
}

static void test_keys_from_every_place(void **state)
{
    struct core_fixture *fixture = *state;
    struct ingest_request request =
        post_request("/v1/track", NULL, SLICE("{\"type\":\"track\",\"event\":\"e\",\"userId\":\"u\"}"));
    request.authorization = SLICE("Basic YWNtZV93cml0ZTo="); /* acme_write: */
    struct sent_request basic = send_request(fixture, request);
    request.authorization = SLICE("Bearer acme_write");
    struct sent_request bearer = send_request(fixture, request);
    request.authorization = (struct slice){ 0 };
    request.path = SLICE("/v1/beacon");
    request.query = SLICE("key=acme_write");
    struct sent_request beacon = send_request(fixture, request);
    struct sent_request in_body = send_request(
        fixture,
        post_request(
            "/v1/batch", NULL,
            SLICE("{\"batch\":[{\"type\":\"track\",\"event\":\"e\",\"userId\":\"u\"}],\"writeKey\":\"acme_write\"}")));
    core_fixture_settle(fixture);
    expect_answer(basic.answer, 200, "\"accepted\":1");
    expect_answer(bearer.answer, 200, "\"accepted\":1");
    expect_answer(beacon.answer, 200, "\"accepted\":1");
    expect_answer(in_body.answer, 200, "\"accepted\":1");
    struct core_found found = core_fixture_read_journal(fixture);
    assert_int_equal(found.events, 4);
    assert_string_equal(found.customer, "acme");
}

/* A page's plain-text POST needs no preflight: all that it says is in the body. */
static void test_a_browsers_batch_needs_no_header(void **state)
{
    struct core_fixture *fixture = *state;
    struct ingest_request request = post_request(
        "/e", NULL,
        SLICE("{\"writeKey\":\"acme_write\",\"sentAt\":\"2026-01-21T10:30:00.000Z\",\"batch\":[" EVENT "]}"));
    request.content_type = SLICE("text/plain;charset=UTF-8");
    request.origin = SLICE("https://shop.example");
    struct sent_request sent = send_request(fixture, request);
    core_fixture_settle(fixture);
    expect_answer(sent.answer, 200, "\"accepted\":1");
    assert_string_equal(core_fixture_read_journal(fixture).customer, "acme");
}

static void test_wrong_keys_are_401_with_the_reason(void **state)
{
    struct core_fixture *fixture = *state;
    expect_answer(post_and_settle(fixture, "/track", "nobody", SLICE(EVENT)), 401, "\"code\":\"unknown_key\"");
    expect_answer(post_and_settle(fixture, "/track", "acme_read", SLICE(EVENT)), 401, "\"code\":\"read_key\"");
    expect_answer(post_and_settle(fixture, "/track", NULL, SLICE(EVENT)), 401, "\"code\":\"missing_key\"");
    expect_answer(post_and_settle(fixture, "/v1/batch", NULL, SLICE("{\"batch\":[],\"writeKey\":\"nobody\"}")), 401,
                  "\"code\":\"unknown_key\"");
    expect_answer(post_and_settle(fixture, "/v1/batch", NULL, SLICE("{\"batch\":[],\"api_key\":\"acme_read\"}")), 401,
                  "\"code\":\"read_key\"");
    /* Twice, since a cache is in between. */
    expect_answer(post_and_settle(fixture, "/track", "nobody", SLICE(EVENT)), 401, "\"code\":\"unknown_key\"");
    struct core_found found = core_fixture_read_journal(fixture);
    assert_int_equal(found.events + found.letters, 0);
}

static void test_open_tenants_need_no_key(void **state)
{
    struct core_fixture *fixture = *state;
    expect_answer(post_and_settle(fixture, "/track", NULL, SLICE(DEMO_EVENT)), 200, "\"accepted\":1");
    struct core_found found = core_fixture_read_journal(fixture);
    assert_string_equal(found.customer, "demo_tenant");
    /* A tenant that is not open may not be named, and nothing of it is kept. */
    expect_answer(
        post_and_settle(
            fixture, "/track", NULL,
            SLICE("{\"customer_id\":\"acme\",\"visitor_id\":\"v\",\"event_type\":\"t\",\"event_name\":\"n\"}")),
        401, "missing_key");
    expect_answer(
        post_and_settle(
            fixture, "/track", NULL,
            SLICE("[" DEMO_EVENT
                  ",{\"customer_id\":\"acme\",\"visitor_id\":\"v\",\"event_type\":\"t\",\"event_name\":\"n\"}]")),
        200, "\"code\":\"unauthorized\"");
    found = core_fixture_read_journal(fixture);
    assert_int_equal(found.events, 1);
    assert_int_equal(found.letters, 0);
}

static void test_a_new_tenant_is_known_at_once(void **state)
{
    struct core_fixture *fixture = *state;
    expect_answer(post_and_settle(fixture, "/track", "late_write", SLICE(EVENT)), 401, "unknown_key");
    fixture->with_late_tenant = true;
    fixture->version++;
    expect_answer(post_and_settle(fixture, "/track", "late_write", SLICE(EVENT)), 200, "\"accepted\":1");
    /* And its key ends with it. */
    fixture->with_late_tenant = false;
    fixture->version++;
    fixture->now_us += 200000;
    core_turn(fixture->core);
    expect_answer(post_and_settle(fixture, "/track", "late_write", SLICE(EVENT)), 401, "unknown_key");
}

static void test_a_catalog_that_is_away_does_not_stop_known_tenants(void **state)
{
    struct core_fixture *fixture = *state;
    fixture->directory_fails = true;
    fixture->version++;
    fixture->now_us += 200000;
    expect_answer(post_and_settle(fixture, "/track", "acme_write", SLICE(EVENT)), 200, "\"accepted\":1");
}

static void test_the_other_routes(void **state)
{
    struct core_fixture *fixture = *state;
    expect_answer(get_path(fixture, "/health"), 200, "ok");
    expect_answer(get_path(fixture, "/ready"), 200, "ready");
    expect_answer(get_path(fixture, "/metrics"), 200, "# TYPE ingest_answers_total counter");
    expect_answer(get_path(fixture, "/nowhere"), 404, "\"code\":\"not_found\"");
    struct answer *wrong = get_path(fixture, "/track");
    expect_answer(wrong, 405, "\"code\":\"method_not_allowed\"");
    assert_non_null(strstr(wrong->headers, "Allow: POST, OPTIONS\r\n"));
    struct answer *settings = get_path(fixture, "/v1/projects/acme_write/settings");
    expect_answer(settings, 200, "\"Segment.io\":{\"apiKey\":\"acme_write\",\"apiHost\":\"in.example.com:8000/v1\"");
    assert_non_null(strstr(settings->headers, "Access-Control-Allow-Origin: *"));
    expect_answer(get_path(fixture, "/v1/projects/acme_read/settings"), 404, "unknown_key");
    fixture->not_ready = "the engine is starting";
    expect_answer(get_path(fixture, "/ready"), 503, "the engine is starting");
    fixture->not_ready = NULL;
    core_set_draining(fixture->core);
    expect_answer(get_path(fixture, "/ready"), 503, "shutting down");
    expect_answer(get_path(fixture, "/health"), 200, NULL);
}

static void test_browsers_get_cors_headers(void **state)
{
    struct core_fixture *fixture = *state;
    struct ingest_request preflight = { .method = HTTP_METHOD_OPTIONS,
                                        .path = SLICE("/v1/t"),
                                        .origin = SLICE("https://shop.example") };
    struct sent_request sent = send_request(fixture, preflight);
    expect_answer(sent.answer, 204, NULL);
    assert_non_null(strstr(sent.answer->headers, "Access-Control-Allow-Headers: Authorization, Content-Type"));
    assert_non_null(strstr(sent.answer->headers, "Access-Control-Max-Age: "));
    assert_null(strstr(sent.answer->headers, "Credentials"));
    struct ingest_request request = post_request("/v1/t", "acme_write", SLICE("{\"event\":\"e\",\"userId\":\"u\"}"));
    request.origin = preflight.origin;
    sent = send_request(fixture, request);
    request.write_key = SLICE("nobody");
    struct sent_request refused = send_request(fixture, request);
    core_fixture_settle(fixture);
    expect_answer(sent.answer, 200, NULL);
    assert_non_null(strstr(sent.answer->headers, "Access-Control-Allow-Origin: *\r\n"));
    expect_answer(refused.answer, 401, NULL);
    assert_non_null(strstr(refused.answer->headers, "Access-Control-Allow-Origin: *\r\n"));
    assert_string_equal(post_and_settle(fixture, "/track", "acme_write", SLICE(EVENT))->headers, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CORE_TEST(test_every_route_takes_events),
        CORE_TEST(test_keys_from_every_place),
        CORE_TEST(test_a_browsers_batch_needs_no_header),
        CORE_TEST(test_wrong_keys_are_401_with_the_reason),
        CORE_TEST(test_open_tenants_need_no_key),
        CORE_TEST(test_a_new_tenant_is_known_at_once),
        CORE_TEST(test_a_catalog_that_is_away_does_not_stop_known_tenants),
        CORE_TEST(test_the_other_routes),
        CORE_TEST(test_browsers_get_cors_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
