#include "config/config.h"

#include <stdio.h>

#include "base/test.h"

static struct config config;
static struct problems problems;

static size_t apply(const char *text)
{
    memset(&config, 0, sizeof config);
    options_set_defaults(SETTINGS, &config.settings);
    problems_done(&problems);
    problems_init(&problems, false);
    return config_apply_text("test.yaml", slice_from(text), &config, &problems);
}

static void expect_text(const char *part)
{
    if (!strstr(buf_text(&problems.text), part))
        fail_msg("'%s' is not in:\n%s", part, buf_text(&problems.text));
}

static void test_values_reach_their_fields_in_base_units(void **state)
{
    (void)state;
    assert_int_equal(
        apply("journal:\n  segment_size: 8 MiB\n  retention: 36h\ningest: {port: 9000, tls: {key: /k.pem}}\n"
              "demo_tenant: true\n"),
        0);
    assert_int_equal(config.settings.journal_segment_bytes, 8 << 20);
    assert_int_equal(config.settings.journal_retention_ms, 36 * 3600 * 1000);
    assert_int_equal(config.settings.ingest_port, 9000);
    assert_string_equal(config.settings.ingest_tls_key, "/k.pem");
    assert_true(config.settings.open_demo_tenant);
    assert_int_equal(config.settings.api_port, 8001);
}

static void test_a_share_is_a_fraction_or_in_percent_and_reads_back_as_it_prints(void **state)
{
    (void)state;
    static const struct {
        const char *text, *shown;
        int64_t millionths;
    } SHARES[] = { { "0.9999", "0.9999", 999900 }, { "99.99 %", "0.9999", 999900 }, { "100%", "1", 1000000 },
                   { "1", "1", 1000000 },          { "1.000000", "1", 1000000 },    { "0", "0", 0 },
                   { "0.000001", "0.000001", 1 },  { "0.0001 %", "0.000001", 1 },   { "0.30", "0.3", 300000 } };
    static const char *const WRONG[] = { "99.99", "1.000001", "100.1 %", "-0.1",  "0.0000001", "0.00001 %",     ".5",
                                         "'%'",   "''",       "1e-3",    "0.1.2", "x",         "99999999999999" };
    const struct option *option = option_find(SETTINGS, SLICE("quality.validity"));
    char yaml[64], shown[32];
    for (size_t i = 0; i < COUNT_OF(SHARES); i++) {
        snprintf(yaml, sizeof yaml, "quality: {validity: %s}\n", SHARES[i].text);
        assert_int_equal(apply(yaml), 0);
        assert_int_equal(config.settings.quality_targets[QUALITY_VALIDITY], SHARES[i].millionths);
        option_format(option, &config.settings, shown, sizeof shown);
        assert_string_equal(shown, SHARES[i].shown);
    }
    for (size_t i = 0; i < COUNT_OF(WRONG); i++) {
        snprintf(yaml, sizeof yaml, "quality: {validity: %s}\n", WRONG[i]);
        if (apply(yaml) != 1)
            fail_msg("passed: %s", WRONG[i]);
        expect_text(": quality.validity: ");
        expect_text("is not a share of 0 to 1");
    }
}

static void test_a_misspelt_key_is_named_with_its_place_and_the_right_one(void **state)
{
    (void)state;
    assert_int_equal(apply("journal:\n  segment_sise: 8 MiB\n"), 1);
    expect_text("test.yaml:2:3: there is no setting journal.segment_sise; did you mean journal.segment_size?");
    expect_text("  segment_sise: 8 MiB\n");
    expect_text("^~~~~~~~~~~~\n");
}

static void test_every_mistake_is_told_in_one_go(void **state)
{
    (void)state;
    assert_int_equal(
        apply("ingest:\n  port: eighty\n  threads: 1000\nlog: {level: loud}\nnonsense: 1\njournal: [1, 2]\n"), 5);
    expect_text("test.yaml:2:9: ingest.port: 'eighty' is not a whole number");
    expect_text("test.yaml:3:12: ingest.threads: 1000 is outside 1 to 64");
    expect_text("'loud' is not one of debug|info|warn|error");
    expect_text("there is no setting nonsense");
    expect_text("this is a group of settings, written as `key: value` lines");
}

static void test_broken_yaml_and_repeated_keys_are_errors_with_their_place(void **state)
{
    (void)state;
    assert_true(apply("journal:\n  partitions: [1\nfoo: }\n") > 0);
    expect_text("test.yaml:");
    assert_true(apply("ingest:\n  port: 1\n  port: 2\n") > 0);
    expect_text("test.yaml:3");
}

static void test_a_misspelt_group_is_named_once_with_the_right_one(void **state)
{
    (void)state;
    assert_int_equal(apply("jurnal:\n  partitions: 1\n  retention: 7d\n"), 1);
    expect_text("test.yaml:1:1: there is no group of settings jurnal; did you mean journal?");
}

static void test_a_time_without_a_unit_is_refused(void **state)
{
    (void)state;
    assert_int_equal(apply("journal:\n  retention: 7\n"), 1);
    expect_text("like 250ms, 10s, 5m, 24h or 7d");
}

static void test_a_list_where_one_value_may_stand_is_told(void **state)
{
    (void)state;
    assert_int_equal(apply("log.level: [debug]\nno_such: [1]\n"), 2);
    expect_text("test.yaml:1:1: this setting takes one value, not a list or a group");
}

static void test_empty_files_are_fine(void **state)
{
    (void)state;
    assert_int_equal(apply(""), 0);
    assert_int_equal(apply("# nothing\n"), 0);
}

static int end(void **state)
{
    (void)state;
    problems_done(&problems);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_reach_their_fields_in_base_units),
        cmocka_unit_test(test_a_share_is_a_fraction_or_in_percent_and_reads_back_as_it_prints),
        cmocka_unit_test(test_a_misspelt_key_is_named_with_its_place_and_the_right_one),
        cmocka_unit_test(test_every_mistake_is_told_in_one_go),
        cmocka_unit_test(test_broken_yaml_and_repeated_keys_are_errors_with_their_place),
        cmocka_unit_test(test_a_misspelt_group_is_named_once_with_the_right_one),
        cmocka_unit_test(test_a_time_without_a_unit_is_refused),
        cmocka_unit_test(test_a_list_where_one_value_may_stand_is_told),
        cmocka_unit_test(test_empty_files_are_fine),
    };
    return cmocka_run_group_tests(tests, NULL, end);
}
