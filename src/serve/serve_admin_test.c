/* The rest of the API from outside: tenants, who may administrate, what is told without a key, and wrong addresses. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "http/http_client.h"
#include "serve/pages.h"
#include "test/support/serve_fixture.h"
#include "world/world.h"

static void test_a_tenant_made_over_the_api_works_at_once(void **state)
{
    (void)state;
    char *token = NULL;
    FILE *file = fopen(api.token_path, "r");
    size_t size = 0;
    assert_non_null(file);
    assert_true(getline(&token, &size, file) > 20);
    fclose(file);
    struct stat st;
    assert_int_equal(stat(api.token_path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(
        api_request("POST", "/v1/tenants", token, NULL,
                    "{\"tenant\":\"newcomer\",\"tier\":\"enterprise\",\"quota\":\"unlimited\",\"retention\":30}"),
        201);
    assert_int_equal(atomic_load(&api.mapped), 1);
    AUTO(buf) struct buf key, user;
    buf_init(&key, 100);
    buf_init(&user, 100);
    assert_true(http_json_string(slice_from(api.answer), "read_key", &key));
    assert_true(http_json_string(slice_from(api.answer), "olap_user", &user));
    assert_string_equal(buf_text(&user), "reader_0002");
    assert_non_null(strstr(api.answer, "\"placement\":\"newcomer\""));
    assert_int_equal(api_request("POST", "/v1/sql", buf_text(&key), NULL, "{\"sql\":\"SELECT 1\"}"), 200);
    assert_string_equal(fake_engine_seen(fake_engine.user), "reader_0002");
    assert_int_equal(api_request("POST", "/v1/tenants", token, NULL, "{\"tenant\":\"newcomer\"}"), 409);
    assert_int_equal(api_request("PATCH", "/v1/tenants/newcomer", token, NULL, "{\"quota\":\"500/min\"}"), 200);
    assert_int_equal(api_request("GET", "/v1/tenants/newcomer", token, NULL, NULL), 200);
    assert_non_null(strstr(api.answer, "\"quota_per_minute\":500"));
    assert_non_null(strstr(api.answer, "\"retention_days\":30"));
    assert_null(strstr(api.answer, "key"));
    assert_int_equal(api_request("GET", "/v1/tenants", token, NULL, NULL), 200);
    assert_non_null(strstr(api.answer, "\"acme\""));
    assert_int_equal(api_request("GET", "/v1/tenants/nobody", token, NULL, NULL), 404);
    static const char *const BAD[] = { "{}",
                                       "[]",
                                       "{\"tenant\":\"Bad Name\"}",
                                       "{\"tenant\":\"default\"}",
                                       "{\"tenant\":\"a\",\"tier\":\"gold\"}",
                                       "{\"tenant\":\"a\",\"quota\":0}",
                                       "{\"tenant\":\"a\",\"quotta\":5}",
                                       "{\"tenant\":\"a\",\"retention\":\"soon\"}",
                                       "{\"tenant\":\"a\"" };
    for (size_t i = 0; i < COUNT_OF(BAD); i++)
        assert_int_equal(api_request("POST", "/v1/tenants", token, NULL, BAD[i]), 400);
    free(token);
}

static void test_a_tenant_made_while_the_engine_is_away_gets_its_keys(void **state)
{
    (void)state;
    api.options.dev = true;
    api_again();
    atomic_store(&api.ready, false);
    assert_int_equal(api_request("POST", "/v1/tenants", NULL, NULL, "{\"tenant\":\"early\"}"), 201);
    assert_non_null(strstr(api.answer, "\"queryable\":false"));
    assert_non_null(strstr(api.answer, "\"read_key\":\"rk_"));
}

static void test_administration_wants_the_token_and_a_page_cannot_borrow_loopback(void **state)
{
    (void)state;
    const char *body = "{\"tenant\":\"sneaky\"}";
    assert_int_equal(api_request("POST", "/v1/tenants", NULL, NULL, body), 401);
    assert_int_equal(api_request("POST", "/v1/tenants", "at_0000000000000000000000", NULL, body), 403);
    assert_int_equal(api_request("POST", "/v1/tenants", api.acme.read_key, NULL, body), 403);
    assert_int_equal(api_request("GET", "/v1/tenants", NULL, NULL, NULL), 401);
    api.options.dev = true;
    api_again();
    assert_int_equal(api_request("POST", "/v1/tenants", NULL, "Origin: http://evil.example", body), 401);
    assert_int_equal(api_request("POST", "/v1/tenants", NULL, "Origin: null", body), 401);
    assert_int_equal(api_request("POST", "/v1/tenants", NULL, "Host: evil.example:8001", body), 401);
    assert_int_equal(api_request("POST", "/v1/tenants", NULL, "Host: 127.0.0.1.evil.example", body), 401);
    assert_int_equal(api_request("POST", "/v1/tenants", NULL, "Host: localhost.evil.example", body), 401);
    assert_int_equal(api_request("POST", "/v1/tenants", NULL, "Sec-Fetch-Site: cross-site", body), 401);
    assert_int_equal(api_request("POST", "/v1/tenants", "at_0000000000000000000000", NULL, body), 403);
    assert_int_equal(api_request("POST", "/v1/tenants", NULL, "Host: localhost:8001", body), 201);
}

static void make_demo_tenant(void)
{
    struct tenant demo = {
        .id = "demo_tenant", .tier = TIER_ENTERPRISE, .quota_per_minute = UINT64_MAX, .retention_days = -1, .open = true
    };
    struct tenant_keys keys = { "demo_write", "demo_read" };
    assert_int_equal(catalog_sqlite.tenant_create(api.catalog, &demo, &keys, "test", &api.err), OK);
    api.options.dev = true;
    api.options.environment = "dev";
    api.options.version = "1.2.3";
    api.options.ingest_port = 8000;
    api_again();
}

static void test_the_configuration_is_told_without_a_key(void **state)
{
    (void)state;
    make_demo_tenant();
    assert_int_equal(api_request("GET", "/v1/config", NULL, "Host: localhost:8001", NULL), 200);
    assert_string_equal(api.answer, "{\"env\":\"dev\",\"version\":\"1.2.3\",\"ingest_url\":\"http://localhost:8000\","
                                    "\"demo\":{\"tenant\":\"demo_tenant\",\"read_key\":\"demo_read\","
                                    "\"write_key\":\"demo_write\"}}");
    assert_int_equal(api_request("GET", "/v1/config", NULL, "Host: [::1]:8001", NULL), 200);
    assert_non_null(strstr(api.answer, "\"ingest_url\":\"http://[::1]:8000\""));
}

static void test_other_websites_are_not_handed_the_demo_keys(void **state)
{
    (void)state;
    static const char *const FOREIGN[] = { "Host: evil.example:8001",       "Host: localhost.evil.example",
                                           "Origin: http://evil.example",   "Origin: null",
                                           "Sec-Fetch-Site: cross-site",    "Sec-Fetch-Site: same-site",
                                           "Origin: http://127.0.0.1.evil", "Origin: http://localhost:1" };
    make_demo_tenant();
    for (size_t i = 0; i < COUNT_OF(FOREIGN); i++) {
        assert_int_equal(api_request("GET", "/v1/config", NULL, FOREIGN[i], NULL), 200);
        assert_non_null(strstr(api.answer, "\"demo\":null"));
    }
    assert_int_equal(api_request("GET", "/v1/config", NULL, "Sec-Fetch-Site: same-origin", NULL), 200);
    assert_non_null(strstr(api.answer, "\"demo\":{"));
    api.options.dev = false;
    api_again();
    assert_int_equal(api_request("GET", "/v1/config", NULL, NULL, NULL), 200);
    assert_non_null(strstr(api.answer, "\"demo\":null"));
}

static void test_a_key_is_told_whose_it_is(void **state)
{
    (void)state;
    make_demo_tenant();
    api.options.retention_days = 30;
    api_again();
    assert_int_equal(api_request("GET", "/v1/whoami", "demo_read", NULL, NULL), 200);
    assert_string_equal(api.answer, "{\"tenant\":\"demo_tenant\",\"tier\":\"enterprise\",\"quota_per_minute\":null,"
                                    "\"retention_days\":null}");
    assert_int_equal(api_request("GET", "/v1/whoami", api.acme.read_key, NULL, NULL), 200);
    assert_string_equal(api.answer, "{\"tenant\":\"acme\",\"tier\":\"standard\",\"quota_per_minute\":10000,"
                                    "\"retention_days\":30}");
    assert_int_equal(api_request("GET", "/v1/whoami", NULL, NULL, NULL), 401);
    assert_int_equal(api_request("GET", "/v1/whoami", api.acme.write_key, NULL, NULL), 403);
    assert_int_equal(api_request("GET", "/v1/whoami?key=demo_read", NULL, NULL, NULL), 401);
}

static void test_unknown_paths_and_methods_are_answered_as_json(void **state)
{
    (void)state;
    assert_int_equal(api_request("GET", "/nothing", NULL, NULL, NULL), 404);
    assert_true(api_code_is("not_found"));
    assert_int_equal(api_request("GET", "/v1/sql", NULL, NULL, NULL), 405);
    assert_true(api_code_is("wrong_method"));
    assert_int_equal(api_request("DELETE", "/v1/tenants/acme", NULL, NULL, NULL), 405);
    assert_int_equal(api_request("OPTIONS", "/v1/sql", NULL, NULL, NULL), 204);
    assert_int_equal(api_request("OPTIONS", "/v1/tenants", NULL, NULL, NULL), 405);
    assert_int_equal(api_request("GET", "/metrics", NULL, NULL, NULL), 200);
    assert_non_null(strstr(api.answer, "api_queries_total"));
    api.options.pages = &(const struct page_table){ 0 };
    api_again();
    assert_int_equal(api_request("GET", "/", NULL, NULL, NULL), 404);
    assert_true(api_code_is("no_dashboard"));
}

static void test_a_port_that_is_taken_is_told(void **state)
{
    (void)state;
    struct serve *second = NULL;
    struct serve_options same = api.options;
    same.http.port = serve_port(api.serve);
    assert_int_not_equal(serve_new(&same, api.catalog, api.metrics, world_real(), &second, &api.err), OK);
    assert_null(second);
    assert_non_null(strstr(api.err.text, "--api-port"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        API_TEST(test_a_tenant_made_over_the_api_works_at_once),
        API_TEST(test_a_tenant_made_while_the_engine_is_away_gets_its_keys),
        API_TEST(test_administration_wants_the_token_and_a_page_cannot_borrow_loopback),
        API_TEST(test_the_configuration_is_told_without_a_key),
        API_TEST(test_other_websites_are_not_handed_the_demo_keys),
        API_TEST(test_a_key_is_told_whose_it_is),
        API_TEST(test_unknown_paths_and_methods_are_answered_as_json),
        API_TEST(test_a_port_that_is_taken_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
