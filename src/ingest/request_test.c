#include "base/test.h"
#include "ingest/request.h"

static void expect_route(enum http_method method, const char *path, enum route route, enum event_endpoint endpoint)
{
    struct route_match match = route_of(method, slice_from(path));
    if (match.route != route || match.endpoint != endpoint)
        fail_msg("%s: route %d endpoint %d, not %d %d", path, match.route, match.endpoint, route, endpoint);
}

static void test_every_path(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        enum event_endpoint endpoint;
    } EVENTS[] = {
        { "/track", EVENT_ENDPOINT_TRACK },
        { "/track/", EVENT_ENDPOINT_TRACK },
        { "/v1/batch", EVENT_ENDPOINT_BATCH },
        { "/v1/batch//", EVENT_ENDPOINT_BATCH },
        { "/v1/import", EVENT_ENDPOINT_BATCH },
        { "/v1/b", EVENT_ENDPOINT_BATCH },
        { "/v1/track", EVENT_ENDPOINT_SEGMENT_TRACK },
        { "/v1/t", EVENT_ENDPOINT_SEGMENT_TRACK },
        { "/v1/identify", EVENT_ENDPOINT_SEGMENT_IDENTIFY },
        { "/v1/i", EVENT_ENDPOINT_SEGMENT_IDENTIFY },
        { "/v1/page", EVENT_ENDPOINT_SEGMENT_PAGE },
        { "/v1/p", EVENT_ENDPOINT_SEGMENT_PAGE },
        { "/v1/screen", EVENT_ENDPOINT_SEGMENT_SCREEN },
        { "/v1/s", EVENT_ENDPOINT_SEGMENT_SCREEN },
        { "/v1/group", EVENT_ENDPOINT_SEGMENT_GROUP },
        { "/v1/g", EVENT_ENDPOINT_SEGMENT_GROUP },
        { "/v1/alias", EVENT_ENDPOINT_SEGMENT_ALIAS },
        { "/v1/a", EVENT_ENDPOINT_SEGMENT_ALIAS },
    };
    for (size_t i = 0; i < COUNT_OF(EVENTS); i++) {
        expect_route(HTTP_METHOD_POST, EVENTS[i].path, ROUTE_EVENTS, EVENTS[i].endpoint);
        assert_int_equal(route_of(HTTP_METHOD_GET, slice_from(EVENTS[i].path)).route, ROUTE_WRONG_METHOD);
        assert_int_equal(route_of(HTTP_METHOD_OPTIONS, slice_from(EVENTS[i].path)).route, ROUTE_PREFLIGHT);
    }
    expect_route(HTTP_METHOD_POST, "/v1/beacon", ROUTE_BEACON, EVENT_ENDPOINT_TRACK);
    expect_route(HTTP_METHOD_POST, "/e", ROUTE_BEACON, EVENT_ENDPOINT_TRACK);
    expect_route(HTTP_METHOD_GET, "/health", ROUTE_HEALTH, 0);
    expect_route(HTTP_METHOD_HEAD, "/ready/", ROUTE_READY, 0);
    expect_route(HTTP_METHOD_GET, "/metrics", ROUTE_METRICS, 0);
    expect_route(HTTP_METHOD_GET, "/", ROUTE_UNKNOWN, 0);
    expect_route(HTTP_METHOD_POST, "", ROUTE_UNKNOWN, 0);
    expect_route(HTTP_METHOD_POST, "/v1/tracks", ROUTE_UNKNOWN, 0);
    assert_string_equal(route_of(HTTP_METHOD_PUT, SLICE("/track")).allow, "POST, OPTIONS");
    assert_string_equal(route_of(HTTP_METHOD_POST, SLICE("/health")).allow, "GET, HEAD, OPTIONS");
}

static void test_the_settings_path_holds_the_key(void **state)
{
    (void)state;
    struct route_match match = route_of(HTTP_METHOD_GET, SLICE("/v1/projects/wk_1/settings"));
    assert_int_equal(match.route, ROUTE_SETTINGS);
    assert_true(slice_equal(match.key, SLICE("wk_1")));
    assert_int_equal(route_of(HTTP_METHOD_GET, SLICE("/v1/projects//settings")).route, ROUTE_UNKNOWN);
    assert_int_equal(route_of(HTTP_METHOD_GET, SLICE("/v1/projects/settings")).route, ROUTE_UNKNOWN);
    assert_int_equal(route_of(HTTP_METHOD_GET, SLICE("/v1/projects/a/b/settings")).route, ROUTE_UNKNOWN);
    assert_int_equal(route_of(HTTP_METHOD_POST, SLICE("/v1/projects/a/settings")).route, ROUTE_WRONG_METHOD);
}

static void expect_key(const char *authorization, const char *write_key, const char *expected)
{
    char space[CREDENTIAL_MAX];
    struct ingest_request request = { .authorization = slice_from(authorization), .write_key = slice_from(write_key) };
    struct slice key = credential_of_headers(&request, space);
    if (!slice_equal(key, slice_from(expected)))
        fail_msg("%s / %s gives \"%.*s\", not \"%s\"", authorization ? authorization : "", write_key ? write_key : "",
                 SLICE_ARG(key), expected);
}

static void test_keys_in_headers(void **state)
{
    (void)state;
    expect_key(NULL, NULL, "");
    expect_key("Basic d2tfMTo=", NULL, "wk_1");         /* wk_1: */
    expect_key("basic   d2tfMTo", NULL, "wk_1");        /* no padding */
    expect_key("Basic d2tfMQ==", NULL, "wk_1");         /* no colon */
    expect_key("Basic d2tfMTpzZWNyZXQ=", NULL, "wk_1"); /* the password is not looked at */
    expect_key("Bearer wk_1", NULL, "wk_1");
    expect_key("bearer  wk_1 ", NULL, "wk_1");
    expect_key(NULL, " wk_1 ", "wk_1");
    expect_key("Basic Og==", "wk_2", "wk_2"); /* an empty user says nothing */
    expect_key("Digest abc", "wk_2", "wk_2");
    expect_key("Bearer wk_1", "wk_2", "wk_1");
    expect_key("Bearer", NULL, "");
    expect_key("Basic !!!", NULL, "!!!"); /* nobody's key, and not "missing" */
}

static void expect_query_key(const char *query, const char *expected)
{
    char space[CREDENTIAL_MAX];
    struct slice key = credential_of_query(slice_from(query), space);
    assert_true(slice_equal(key, slice_from(expected)));
}

static void test_keys_in_the_query(void **state)
{
    (void)state;
    expect_query_key("", "");
    expect_query_key("key=wk_1", "wk_1");
    expect_query_key("a=b&key=wk%5f1&c", "wk_1");
    expect_query_key("writeKey=wk_1", "wk_1");
    expect_query_key("monkey=wk_1", "");
    expect_query_key("key=%zz", "%zz");
    char longer[1000];
    memset(longer, 'x', sizeof longer);
    memcpy(longer, "key=", 4);
    char space[CREDENTIAL_MAX];
    assert_int_equal(credential_of_query(slice_of(longer, sizeof longer), space).n, sizeof longer - 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_path),
        cmocka_unit_test(test_the_settings_path_holds_the_key),
        cmocka_unit_test(test_keys_in_headers),
        cmocka_unit_test(test_keys_in_the_query),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
