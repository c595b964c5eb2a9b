#include "serve/pages.h"

#include "base/test.h"

static const struct page ROWS[] = {
    { .path = "/" },
    { .path = "/assets/a-12345678.js" },
    { .path = "/shop/" },
    { .path = "/shop/shop.js" },
};
static const struct page_table TABLE = { ROWS, COUNT_OF(ROWS), "" };
static const struct page_table EMPTY = { ROWS, 0, "" };

static const char *found(const char *path)
{
    const struct page *page = page_for(&TABLE, slice_from(path));
    return page ? page->path : "none";
}

static void test_a_file_is_found_by_its_whole_path_alone(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++)
        assert_ptr_equal(page_find(&TABLE, slice_from(ROWS[i].path)), &ROWS[i]);
    static const char *const OTHERS[] = { "",
                                          "/assets/",
                                          "/assets/a-12345678.js/",
                                          "/assets/a-12345678.jsx",
                                          "/assets/A-12345678.js",
                                          "/assets/%61-12345678.js",
                                          "//",
                                          "/./",
                                          "/assets/../",
                                          "/../etc/passwd",
                                          "/shop/../../etc/passwd",
                                          "/shop/%2e%2e/%2e%2e/etc/passwd",
                                          "/shop/..%2fadmin.token" };
    for (size_t i = 0; i < COUNT_OF(OTHERS); i++)
        assert_string_equal(found(OTHERS[i]), "none");
    assert_null(page_for(&TABLE, slice_of("/\0", 2)));
}

static void test_the_pages_own_routes_lead_to_the_page(void **state)
{
    (void)state;
    static const char *const ROUTES[] = { "/explore", "/events", "/stream", "/sql", "/setup" };
    for (size_t i = 0; i < COUNT_OF(ROUTES); i++)
        assert_string_equal(found(ROUTES[i]), "/");
    assert_string_equal(found("/explorer"), "none");
    assert_string_equal(found("/shop/product/7"), "/shop/");
    assert_string_equal(found("/shop/missing.js"), "none");
    assert_string_equal(found("/shopping"), "none");
}

static void test_a_build_without_pages_has_none(void **state)
{
    (void)state;
    assert_null(page_for(&EMPTY, SLICE("/")));
    assert_null(page_for(&EMPTY, SLICE("/explore")));
    assert_null(page_for(&EMPTY, SLICE("/shop/")));
}

static void test_gzip_goes_to_those_who_take_it(void **state)
{
    (void)state;
    static const char *const YES[] = {
        "gzip", "gzip, deflate, br, zstd", "br;q=1.0, GZIP;q=0.8", "x-gzip", "*", "br, *;q=0.1", "gzip;q=0.001"
    };
    static const char *const NO[] = { "",      "identity",    "br",     "gzip;q=0", "gzip; q=0.000",
                                      "*;q=0", "gzip;q=0, *", "gzipped" };
    for (size_t i = 0; i < COUNT_OF(YES); i++)
        assert_true(page_accepts_gzip(slice_from(YES[i])));
    for (size_t i = 0; i < COUNT_OF(NO); i++)
        assert_false(page_accepts_gzip(slice_from(NO[i])));
    assert_false(page_accepts_gzip((struct slice){ NULL, 0 }));
}

static void test_a_tag_is_known_again_weak_or_strong_and_among_others(void **state)
{
    (void)state;
    struct slice tag = SLICE("W/\"abc\"");
    static const char *const YES[] = { "W/\"abc\"", "\"abc\"", "\"x\", W/\"abc\"", " \"abc\" ,\"y\"", "*" };
    static const char *const NO[] = { "", "abc", "\"ab\"", "\"abcd\"", "W/\"abc", "\"x\",\"y\"" };
    for (size_t i = 0; i < COUNT_OF(YES); i++)
        assert_true(page_etag_matches(slice_from(YES[i]), tag));
    for (size_t i = 0; i < COUNT_OF(NO); i++)
        assert_false(page_etag_matches(slice_from(NO[i]), tag));
    assert_false(page_etag_matches((struct slice){ NULL, 0 }, tag));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_file_is_found_by_its_whole_path_alone),
        cmocka_unit_test(test_the_pages_own_routes_lead_to_the_page),
        cmocka_unit_test(test_a_build_without_pages_has_none),
        cmocka_unit_test(test_gzip_goes_to_those_who_take_it),
        cmocka_unit_test(test_a_tag_is_known_again_weak_or_strong_and_among_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
