#include "config/sink_check.h"

#include <stdio.h>
#include <unistd.h>

#include "base/test.h"
#include "test/support/scratch.h"

static struct config config;
static struct problems problems;

static int setup(void **state)
{
    (void)state;
    memset(&config, 0, sizeof config);
    options_set_defaults(SETTINGS, &config.settings);
    problems_init(&problems, false);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    problems_done(&problems);
    return 0;
}

static size_t apply(const char *text)
{
    return config_apply_text("dev.yaml", slice_from(text), &config, &problems);
}

static void assert_told(const char *words)
{
    const char *text = problems_text(&problems);
    if (!strstr(text, words))
        fail_msg("'%s' is not in:\n%s", words, text);
}

static void test_a_sink_is_written_as_a_group_or_dotted_and_later_layers_win_key_by_key(void **state)
{
    (void)state;
    assert_int_equal(apply("sinks:\n  a:\n    topic: t\n    results: [windows, dead_letters]\n    linger: 2s\n"
                           "sinks.b: {kind: file, path: /p}\nsinks.c.kind: library\n"),
                     0);
    assert_int_equal(apply("sinks.a.topic: u\n"), 0);
    const struct settings *settings = &config.settings;
    assert_int_equal(settings->sink_count, 3);
    assert_string_equal(settings->sinks[0].name, "a");
    assert_string_equal(settings->sinks[0].kind, "kafka");
    assert_string_equal(settings->sinks[0].topic, "u");
    assert_string_equal(settings->sinks[0].results, "windows,dead_letters");
    assert_int_equal(settings->sinks[0].linger_ms, 2000);
    assert_string_equal(settings->sinks[1].path, "/p");
    assert_string_equal(settings->sinks[2].kind, "library");
    struct config_row row;
    size_t count = 0;
    char key[160], last[160] = "";
    for (; config_row(&config, count, &row); count++) {
        config_row_key(&row, key, sizeof key);
        memcpy(last, key, sizeof last);
    }
    assert_int_equal(count, SETTINGS.count + 3 * SINK_SETTINGS.count);
    assert_string_equal(last, "sinks.c.to");
}

static void test_mistakes_are_told_where_they_are(void **state)
{
    (void)state;
    assert_int_equal(apply("sinks:\n"
                           "  a:\n"
                           "    topik: t\n"
                           "    results: [windows, session]\n"
                           "    sasl_password: plain-and-secret\n"
                           "    windows: {a: b}\n"
                           "  B: {topic: t}\n"
                           "  c: 5\n"),
                     6);
    assert_told("dev.yaml:3:5: there is no setting topik; did you mean topic?");
    assert_told("dev.yaml:4:");
    assert_told("'session' is not one of windows|sessions|late_events|dead_letters|events; did you mean sessions?");
    assert_told("sasl_password does not stand in a file");
    assert_told("a sink's name has at most 32");
    assert_told("dev.yaml:8:3: this is");
    assert_null(strstr(problems_text(&problems), "plain-and-secret"));
}

static void test_a_ninth_sink_and_names_without_end_are_refused(void **state)
{
    (void)state;
    char text[64];
    for (int i = 0; i < SINKS_MAX; i++) {
        snprintf(text, sizeof text, "sinks.s%d.topic: t\n", i);
        assert_int_equal(apply(text), 0);
    }
    assert_int_equal(apply("sinks.s8.topic: t\n"), 1);
    assert_told("there are at most 8 sinks");
    assert_int_equal(apply("sinks.a23456789012345678901234567890123.topic: t\n"), 1);
    assert_int_equal(apply("sinks: [a, b]\nsinks..topic: t\nsinks.: {topic: t}\nsinks: 1\n") > 0, 1);
    assert_int_equal(config.settings.sink_count, SINKS_MAX);
}

static void test_what_a_kind_needs_and_windows_that_are_not_there_are_mistakes(void **state)
{
    (void)state;
    struct error err;
    struct window window = { .name = SLICE("by_page") };
    struct domain_set domains = { .windows = &window, .window_count = 1 };
    assert_int_equal(apply("sinks:\n  a: {results: windows}\n  b:\n    kind: file\n    windows: by_pag, other\n  c: "
                           "{kind: library}\n"),
                     0);
    assert_int_equal(sinks_check(&config, &domains, &problems, &err), ERR_INVALID);
    assert_string_equal(err.text, "6 mistakes in the sinks");
    assert_told("dev.yaml:2:1: sinks.a: kind is kafka, and topic must name");
    assert_told("dev.yaml:2:1: sinks.a: kind is kafka, and brokers must say");
    assert_told("dev.yaml:4:1: sinks.b: kind is file, and path must");
    assert_told("dev.yaml:5:1: sinks.b: there is no window by_pag; did you mean by_page?");
    assert_told("sinks.b: there is no window other in any of the domains");
    assert_told("sinks.c: kind is library");
}

static void test_brokers_may_be_those_of_the_platform(void **state)
{
    (void)state;
    struct error err;
    struct domain_set domains = { 0 };
    assert_int_equal(apply("kafka.brokers: k:9092\nsinks.a.topic: t\n"), 0);
    assert_int_equal(sinks_check(&config, &domains, &problems, &err), OK);
}

static void test_avro_wants_kafka_a_registry_and_a_subject_for_each_kind_of_results(void **state)
{
    (void)state;
    struct error err;
    struct domain_set domains = { 0 };
    assert_int_equal(apply("kafka.brokers: k:9092\nsinks:\n  a: {topic: t, format: avro}\n"
                           "  b: {kind: file, path: /p, format: avro}\n"
                           "  c: {topic: t, format: avro, registry: registry.example}\n"
                           "  d: {topic: t, format: avro, registry: 'http://r', results: events, subjects: topic}\n"
                           "  e: {topic: t, format: avro, registry: 'http://r', subjects: topic}\n"),
                     0);
    assert_int_equal(sinks_check(&config, &domains, &problems, &err), ERR_INVALID);
    assert_string_equal(err.text, "4 mistakes in the sinks");
    assert_told("sinks.a: format is avro, and registry (or the setting registry.url) must say");
    assert_told("sinks.b: format avro is for kind kafka; a file gets JSON");
    assert_told("sinks.c: 'registry.example' is not an address such as http://registry:8081");
    assert_told("sinks.d: subjects: topic is for one kind of results other than events");
}

static void test_who_is_at_the_registry_goes_with_its_address(void **state)
{
    (void)state;
    struct error err;
    struct domain_set domains = { 0 };
    assert_int_equal(apply("kafka.brokers: k:9092\nregistry.url: http://r\nsinks:\n"
                           "  a:\n    topic: t\n    format: avro\n    registry_user: ann\n"
                           "  b:\n    topic: t\n    format: avro\n    registry: http://s\n    registry_user: ann\n"
                           "  c: {topic: t, format: avro}\n"),
                     0);
    snprintf(config.settings.sinks[2].registry_password, sizeof config.settings.sinks[2].registry_password,
             "plain-and-secret");
    assert_int_equal(sinks_check(&config, &domains, &problems, &err), ERR_INVALID);
    assert_string_equal(err.text, "2 mistakes in the sinks");
    assert_told("dev.yaml:7:1: sinks.a: registry_user is for the sink's own registry, and registry must say where");
    assert_told("sinks.c: registry_password is for the sink's own registry");
    assert_null(strstr(problems_text(&problems), "plain-and-secret"));
}

static void test_two_sinks_do_not_share_a_file(void **state)
{
    (void)state;
    struct error err;
    struct domain_set domains = { 0 };
    assert_int_equal(apply("sinks:\n  a: {kind: file, path: /p}\n  b: {kind: file, path: /q}\n  c: {kind: file, path: "
                           "/p}\n  d: {kind: library, library: /l, path: /p}\n"),
                     0);
    assert_int_equal(sinks_check(&config, &domains, &problems, &err), ERR_INVALID);
    assert_string_equal(err.text, "1 mistake in the sinks");
    assert_told("dev.yaml:4:1: sinks.c: /p is the file of sinks.a already");
}

static void test_a_file_is_the_same_however_its_path_is_spelled(void **state)
{
    (void)state;
    struct error err;
    struct domain_set domains = { 0 };
    assert_int_equal(apply("sinks:\n  a: {kind: file, path: out}\n  b: {kind: file, path: ./out}\n"
                           "  c: {kind: file, path: dir/../out}\n  d: {kind: file, path: dir/out}\n"
                           "  e: {kind: file, path: /dir//p}\n  f: {kind: file, path: /dir/./x/../p}\n"),
                     0);
    assert_int_equal(sinks_check(&config, &domains, &problems, &err), ERR_INVALID);
    assert_string_equal(err.text, "4 mistakes in the sinks");
    assert_told("dev.yaml:3:1: sinks.b: ./out is the file of sinks.a already");
    assert_told("dev.yaml:4:1: sinks.c: dir/../out is the file of sinks.a already");
    assert_told("dev.yaml:4:1: sinks.c: dir/../out is the file of sinks.b already");
    assert_told("dev.yaml:7:1: sinks.f: /dir/./x/../p is the file of sinks.e already");
}

static void test_a_file_is_the_same_by_a_link_to_its_directory(void **state)
{
    (void)state;
    struct error err;
    struct domain_set domains = { 0 };
    char dir[SCRATCH_PATH_MAX], link[SCRATCH_PATH_MAX + 8], text[3 * SCRATCH_PATH_MAX];
    scratch_make("sinks", dir);
    snprintf(link, sizeof link, "%s/again", dir);
    assert_int_equal(symlink(dir, link), 0);
    snprintf(text, sizeof text, "sinks:\n  a: {kind: file, path: %s/out}\n  b: {kind: file, path: %s/out}\n", dir,
             link);
    assert_int_equal(apply(text), 0);
    assert_int_equal(sinks_check(&config, &domains, &problems, &err), ERR_INVALID);
    assert_told("/again/out is the file of sinks.a already");
    assert_int_equal(scratch_remove(dir), 0);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_a_sink_is_written_as_a_group_or_dotted_and_later_layers_win_key_by_key),
        CASE(test_mistakes_are_told_where_they_are),
        CASE(test_a_ninth_sink_and_names_without_end_are_refused),
        CASE(test_what_a_kind_needs_and_windows_that_are_not_there_are_mistakes),
        CASE(test_who_is_at_the_registry_goes_with_its_address),
        CASE(test_two_sinks_do_not_share_a_file),
        CASE(test_a_file_is_the_same_however_its_path_is_spelled),
        CASE(test_a_file_is_the_same_by_a_link_to_its_directory),
        CASE(test_brokers_may_be_those_of_the_platform),
        CASE(test_avro_wants_kafka_a_registry_and_a_subject_for_each_kind_of_results),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
