/* Which addresses engine.url may be, and where a mistake is told. */
#include "config/engine_check.h"

#include <stdio.h>

#include "base/test.h"

static struct config config;

static size_t mistakes(const char *url, bool allow, const char *words)
{
    struct problems problems;
    char text[600];
    problems_init(&problems, false);
    config = (struct config){ 0 };
    options_set_defaults(SETTINGS, &config.settings);
    snprintf(text, sizeof text, "log.level: info\nengine.url: '%s'\nengine.allow_plain_http: %s\n", url,
             allow ? "true" : "false");
    assert_int_equal(config_apply_text("prod.yaml", slice_from(text), &config, &problems), 0);
    engine_check(&config, &problems);
    size_t count = problems.count;
    if (words && (!strstr(problems_text(&problems), words) || !strstr(problems_text(&problems), "prod.yaml:2")))
        fail_msg("'%s' at prod.yaml:2 is not in: %s", words, problems_text(&problems));
    problems_done(&problems);
    return count;
}

static void test_loopback_may_be_plain_and_everything_else_needs_tls(void **state)
{
    (void)state;
    static const char *const RIGHT[] = { "",
                                         "http://127.0.0.1:8123",
                                         "http://localhost:8123/",
                                         "http://[::1]:8123",
                                         "https://engine.example",
                                         "https://10.0.0.7:8443/" };
    static const char *const PLAIN[] = { "http://engine.example:8123", "http://10.0.0.7",
                                         "http://127.0.0.1.example:8123", "http://[fe80::1]:8123",
                                         "http://localhost.example/" };
    for (size_t i = 0; i < COUNT_OF(RIGHT); i++)
        assert_int_equal(mistakes(RIGHT[i], false, NULL), 0);
    for (size_t i = 0; i < COUNT_OF(PLAIN); i++) {
        assert_int_equal(mistakes(PLAIN[i], false, "use https, or set engine.allow_plain_http: true"), 1);
        assert_int_equal(mistakes(PLAIN[i], true, NULL), 0);
    }
}

static void test_what_is_no_address_is_told(void **state)
{
    (void)state;
    assert_int_equal(mistakes("127.0.0.1:8123", false, "must begin with http:// or https://"), 1);
    assert_int_equal(mistakes("clickhouse://engine", false, "must begin with http:// or https://"), 1);
    assert_int_equal(mistakes("https://", false, "must name HOST:PORT"), 1);
    assert_int_equal(mistakes("https://writer:word@engine", false, "the password is engine.password"), 1);
    assert_int_equal(mistakes("https://engine/path", false, "HOST:PORT and nothing else"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loopback_may_be_plain_and_everything_else_needs_tls),
        cmocka_unit_test(test_what_is_no_address_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
