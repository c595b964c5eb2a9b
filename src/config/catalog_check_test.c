/* Which connection strings catalog.url may be, and where a mistake is told. */
#include "config/catalog_check.h"

#include <stdio.h>

#include "base/test.h"

static struct config config;

/* How many mistakes; words: one of them, "": none is looked for. Nothing that looks like a password is repeated. */
static size_t mistakes(const char *url, const char *words)
{
    struct problems problems;
    char text[600];
    problems_init(&problems, false);
    config = (struct config){ 0 };
    options_set_defaults(SETTINGS, &config.settings);
    snprintf(text, sizeof text, "catalog.backend: postgres\ncatalog.url: \"%s\"\n", url);
    assert_int_equal(config_apply_text("prod.yaml", slice_from(text), &config, &problems), 0);
    catalog_check(&config, &problems);
    size_t count = problems.count;
    const char *told = problems_text(&problems);
    if (!strstr(told, words) || strstr(told, "hunter") || (count && !strstr(told, "prod.yaml:")))
        fail_msg("'%s' at prod.yaml is not in: %s", words, told);
    problems_done(&problems);
    return count;
}

static void test_this_machine_may_be_plain_and_another_must_say_what_it_is(void **state)
{
    (void)state;
    static const char *const RIGHT[] = { "postgresql://weir@127.0.0.1:5432/weir",
                                         "postgresql://weir@localhost/weir",
                                         "postgresql://weir@[::1]/weir",
                                         "postgresql:///weir?host=/run/postgresql",
                                         "host=/run/postgresql dbname=weir",
                                         "dbname=weir",
                                         "service=weir",
                                         "postgresql://weir@db.example/weir?sslmode=verify-full",
                                         "postgresql://weir@db.example/weir?sslmode=require",
                                         "postgresql://weir@10.0.0.7/weir?sslmode=disable" };
    static const char *const PLAIN[] = { "postgresql://weir@db.example/weir",
                                         "postgresql://weir@127.0.0.1.example/weir",
                                         "postgresql://weir@db.example/weir?sslmode=prefer",
                                         "host=localhost,db.example dbname=weir",
                                         "host=localhost hostaddr=10.0.0.7 dbname=weir" };
    for (size_t i = 0; i < COUNT_OF(RIGHT); i++)
        assert_int_equal(mistakes(RIGHT[i], ""), 0);
    for (size_t i = 0; i < COUNT_OF(PLAIN); i++)
        assert_int_equal(mistakes(PLAIN[i], "prod.yaml:2:1: catalog.url names another machine"), 1);
}

static void test_what_cannot_be_is_told_and_no_password_with_it(void **state)
{
    (void)state;
    assert_int_equal(mistakes("", "prod.yaml:1:1: catalog.backend is postgres, and catalog.url does not say"), 1);
    assert_int_equal(mistakes("postgresql://weir:hunter2@localhost/weir", "that is catalog.password"), 1);
    assert_int_equal(mistakes("postgresql://localhost/weir?password=hunter2", "that is catalog.password"), 1);
    assert_int_equal(mistakes("host=localhost password=hunter2", "that is catalog.password"), 1);
    assert_int_equal(mistakes("postgresql://weir:hunter%zz@localhost/weir", "no connection string such as"), 1);
    assert_int_equal(mistakes("mysql://localhost/weir", "no connection string such as"), 1);
    assert_int_equal(mistakes("postgresql://localhost/weir?sslmod=require", "invalid URI query parameter"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_this_machine_may_be_plain_and_another_must_say_what_it_is),
        cmocka_unit_test(test_what_cannot_be_is_told_and_no_password_with_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
