/* What is asked and what is told. That it is true of the engine's tables: test/scenario/quality_test.py. */
#include "quality/quality_watch.h"

#include "base/test.h"
#include "quality/quality_targets.h"
#include "test/support/domain_files.h"

#define HOUR ((int64_t)3600000)
#define MINUTE ((int64_t)60000)

static const char SHOP[] = "domain: shop\n"
                           "quality: {completeness: 0.99, timeliness: 95 %}\n"
                           "event_types: [{name: order}, {name: refund}]\n";

static void test_an_hour_is_judged_five_minutes_after_it_ended(void **state)
{
    (void)state;
    assert_int_equal(quality_watch_hour_ms(12 * HOUR + 5 * MINUTE - 1), 10 * HOUR);
    assert_int_equal(quality_watch_hour_ms(12 * HOUR + 5 * MINUTE), 11 * HOUR);
    assert_int_equal(quality_watch_hour_ms(13 * HOUR + 4 * MINUTE), 11 * HOUR);
}

static void test_targets_of_a_domain_stand_in_place_of_the_platforms_for_its_types(void **state)
{
    (void)state;
    static struct settings settings;
    AUTO(buf) struct buf out;
    options_set_defaults(SETTINGS, &settings);
    const struct domain_set *domains = domain_files_expect_fine(SHOP);
    buf_init(&out, 1 << 16);
    quality_targets_add_json(&out, &settings, domains, SLICE("acme"));
    assert_string_equal(buf_text(&out),
                        "{\"targets\":{\"completeness\":0.9999,\"validity\":0.9997,\"uniqueness\":1,"
                        "\"timeliness\":0.998,\"consistency\":1},\"domains\":[{\"domain\":\"shop\",\"targets\":"
                        "{\"completeness\":0.99,\"validity\":0.9997,\"uniqueness\":1,\"timeliness\":0.95,"
                        "\"consistency\":1},\"event_types\":[\"order\",\"refund\"]}]}");
    buf_reset(&out);
    quality_targets_add_sql(&out, &settings, domains, QUALITY_TIMELINESS);
    assert_string_equal(buf_text(&out), "multiIf(toString(event_type) IN ('order', 'refund'), toFloat64(0.95), "
                                        "false, 0., toFloat64(0.998))");
    buf_reset(&out);
    quality_targets_add_sql(&out, &settings, domains, QUALITY_VALIDITY);
    assert_string_equal(buf_text(&out), "multiIf(false, 0., toFloat64(0.9997))");
}

static void told(const struct domain_set *domains, const char *tenant, const char *with, const char *without)
{
    static struct settings settings;
    AUTO(buf) struct buf out;
    options_set_defaults(SETTINGS, &settings);
    buf_init(&out, 1 << 16);
    quality_targets_add_json(&out, &settings, domains, slice_from(tenant));
    assert_non_null(strstr(buf_text(&out), with));
    assert_null(strstr(buf_text(&out), without));
}

static void test_each_tenant_has_the_targets_of_its_own_domains_and_is_told_of_no_other(void **state)
{
    (void)state;
    static struct settings settings;
    AUTO(buf) struct buf out;
    options_set_defaults(SETTINGS, &settings);
    domain_files_put("game.yaml", "domain: game\ntenants: [pixels]\nquality: {validity: 0.5}\n"
                                  "event_types: [{name: purchase}]\n");
    const struct domain_set *domains = domain_files_expect_fine(
        "domain: web\ntenants: others\nquality: {validity: 0.75}\nevent_types: [{name: purchase}]\n");
    told(domains, "pixels", "\"game\"", "\"web\"");
    told(domains, "acme", "\"web\"", "\"game\"");
    buf_init(&out, 1 << 16);
    quality_targets_add_sql(&out, &settings, domains, QUALITY_VALIDITY);
    assert_string_equal(buf_text(&out),
                        "multiIf(toString(event_type) IN ('purchase') AND toString(customer_id) IN ('pixels'), "
                        "toFloat64(0.5), toString(event_type) IN ('purchase') AND toString(customer_id) NOT IN "
                        "('pixels'), toFloat64(0.75), false, 0., toFloat64(0.9997))");
}

static void test_the_target_of_the_closest_domain_stands_first(void **state)
{
    (void)state;
    static struct settings settings;
    AUTO(buf) struct buf out;
    options_set_defaults(SETTINGS, &settings);
    domain_files_put("a.yaml", "domain: base\nfallback: true\nquality: {validity: 0.5}\n"
                               "event_types: [{name: purchase}, {name: visit}]\n");
    domain_files_put("b.yaml", "domain: acme\ntenants: [acme]\nquality: {validity: 0.75}\n");
    const struct domain_set *domains =
        domain_files_expect_fine("domain: shop\nquality: {validity: 0.25}\nevent_types: [{name: purchase}]\n");
    buf_init(&out, 1 << 16);
    quality_targets_add_sql(&out, &settings, domains, QUALITY_VALIDITY);
    assert_string_equal(buf_text(&out), "multiIf(true AND toString(customer_id) IN ('acme'), toFloat64(0.75), "
                                        "toString(event_type) IN ('purchase'), toFloat64(0.25), "
                                        "toString(event_type) IN ('purchase', 'visit'), toFloat64(0.5), "
                                        "false, 0., toFloat64(0.9997))");
    told(domains, "acme", "{\"targets\":{\"completeness\":0.9999,\"validity\":0.75,", "event_types");
    told(domains, "other", "\"event_types\":[\"visit\"]", "[\"purchase\",\"visit\"]");
}

static void test_without_domains_there_are_the_platforms_targets_alone(void **state)
{
    (void)state;
    static struct settings settings;
    AUTO(buf) struct buf out;
    options_set_defaults(SETTINGS, &settings);
    buf_init(&out, 1 << 16);
    quality_targets_add_json(&out, &settings, NULL, SLICE("acme"));
    assert_non_null(strstr(buf_text(&out), "\"consistency\":1},\"domains\":[]}"));
}

static void test_a_tenant_that_missed_targets_is_one_line(void **state)
{
    (void)state;
    struct quality_missed missed;
    AUTO(buf) struct buf text;
    buf_init(&text, 4096);
    const char line[] =
        "acme\t2\torder\t0.5\t0.9999\t0\t\\N\t\\N\t\\N\t0\t\\N\t\\N\t\\N\t0\t\\N\t\\N\t\\N\t1\tvisit\t0.25\t1";
    assert_true(quality_missed_parse(slice_from(line), &missed, &text));
    assert_true(slice_equal(missed.customer_id, SLICE("acme")));
    assert_true(missed.types[QUALITY_COMPLETENESS] == 2 && missed.types[QUALITY_CONSISTENCY] == 1);
    assert_string_equal(buf_text(&text), "completeness 0.5 < 0.9999 (order and 1 more), consistency 0.25 < 1 (visit)");
}

static void test_what_is_no_such_line_is_refused(void **state)
{
    (void)state;
    static const char *const LINES[] = { "", "acme", "Code: 60. DB::Exception", "acme\t0\t\t\t\t0\t\t\t\t0\t\t\t\t0",
                                         "acme\t0\t\t\t\t0\t\t\t\t0\t\t\t\t0\t\t\t\t0\t\t\t\tmore" };
    for (size_t i = 0; i < COUNT_OF(LINES); i++) {
        struct quality_missed missed;
        AUTO(buf) struct buf text;
        buf_init(&text, 4096);
        assert_false(quality_missed_parse(slice_from(LINES[i]), &missed, &text));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_hour_is_judged_five_minutes_after_it_ended),
        DOMAIN_TEST(test_targets_of_a_domain_stand_in_place_of_the_platforms_for_its_types),
        DOMAIN_TEST(test_the_target_of_the_closest_domain_stands_first),
        DOMAIN_TEST(test_each_tenant_has_the_targets_of_its_own_domains_and_is_told_of_no_other),
        cmocka_unit_test(test_without_domains_there_are_the_platforms_targets_alone),
        cmocka_unit_test(test_a_tenant_that_missed_targets_is_one_line),
        cmocka_unit_test(test_what_is_no_such_line_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
