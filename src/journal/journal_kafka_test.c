/* What is refused before any broker is asked. The promises of the backend: test/contract/journal_contract_test.c. */
#include <string.h>

#include "base/metrics.h"
#include "base/test.h"
#include "journal/journal.h"
#include "world/world.h"

static void expect_refused(const char *prefix, const char *words)
{
    struct error err = { 0 };
    struct journal *journal = NULL;
    struct metrics *metrics = metrics_new(100);
    const struct journal_options options = {
        .partitions = 1, .kafka = { .brokers = "127.0.0.1:1", .prefix = prefix, .replication = 1, .min_insync = 1 }
    };
    assert_int_equal(journal_kafka.open(&options, world_real(), metrics, &journal, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, words));
    metrics_free(metrics);
}

/* Of a longer one the ends of the topics' names would be cut off: all of them would be one topic. */
static void test_a_prefix_that_makes_no_names_of_topics_is_refused(void **state)
{
    (void)state;
    char longest[66];
    memset(longest, 'a', sizeof longest);
    longest[65] = '\0';
    expect_refused(longest, "kafka.prefix has at most 64 of");
    expect_refused("", "kafka.prefix has at most 64 of");
    expect_refused("my weir", "kafka.prefix has at most 64 of");
    expect_refused("weir/a", "kafka.prefix has at most 64 of");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_prefix_that_makes_no_names_of_topics_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
