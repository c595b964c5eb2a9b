#include "cli/catalog_print.h"

#include "base/test.h"

static const struct audit_line LINE = { .id = 1,
                                        .at_ms = 1767225600000,
                                        .actor = SLICE("api:admin"),
                                        .entity_type = SLICE("tenant"),
                                        .entity_id = SLICE("a\x1b]0;x\x07"),
                                        .action = SLICE("update"),
                                        .old_value = SLICE("{\"a\":\"\x1b[31m\"}"),
                                        .new_value = SLICE("") };

static void test_what_stands_in_the_log_does_nothing_to_a_terminal(void **state)
{
    (void)state;
    struct catalog_listing listing;
    assert_true(catalog_listing_init(&listing, "audit"));
    listing.whole = true;
    catalog_listing_add_audit(&listing, &LINE);
    const char *text = buf_text(&listing.text);
    assert_null(strstr(text, "\x1b]"));
    assert_null(strstr(text, "\x1b[31m\""));
    assert_null(strchr(text, '\x07'));
    assert_non_null(strstr(text, "api:admin  update tenant a"));
    catalog_listing_done(&listing);
}

static void test_what_does_not_fit_is_no_half_answer(void **state)
{
    (void)state;
    for (int json = 0; json < 2; json++) {
        struct catalog_listing listing;
        assert_true(catalog_listing_init(&listing, "audit"));
        listing.json = json;
        listing.text.max_bytes = 300;
        for (int i = 0; i < 20; i++)
            catalog_listing_add_audit(&listing, &LINE);
        assert_false(catalog_listing_print(&listing));
        catalog_listing_done(&listing);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_stands_in_the_log_does_nothing_to_a_terminal),
        cmocka_unit_test(test_what_does_not_fit_is_no_half_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
