#include "cli/letter_advice.h"

#include "base/test.h"
#include "event/event_parse.h"

static void test_every_verdict_of_ingestion_has_advice_of_its_own(void **state)
{
    (void)state;
    const char *general = letter_advice(SLICE("ingest"), SLICE("nonsense"));
    for (int code = 0; code <= EVENT_CODE_TOO_MANY_EVENTS; code++)
        assert_ptr_not_equal(letter_advice(SLICE("ingest"), slice_from(event_code_name((enum event_code)code))),
                             general);
}

static void test_the_same_reason_is_another_matter_in_a_transform(void **state)
{
    (void)state;
    assert_string_not_equal(letter_advice(SLICE("transform"), SLICE("bad_type")),
                            letter_advice(SLICE("ingest"), SLICE("bad_type")));
}

static void test_every_reason_of_event_types_has_advice_and_quarantine_says_how_to_release(void **state)
{
    (void)state;
    static const char *const REASONS[] = { "bad_type",      "bad_format",   "not_allowed", "unknown_field",
                                           "missing_field", "out_of_range", "rule_failed" };
    const char *general = letter_advice(SLICE("validate"), SLICE("nonsense"));
    for (size_t i = 0; i < COUNT_OF(REASONS); i++)
        assert_ptr_not_equal(letter_advice(SLICE("validate"), slice_from(REASONS[i])), general);
    assert_non_null(strstr(letter_advice(SLICE("quarantine"), SLICE("bad_type")), "releases it as it is"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_verdict_of_ingestion_has_advice_of_its_own),
        cmocka_unit_test(test_the_same_reason_is_another_matter_in_a_transform),
        cmocka_unit_test(test_every_reason_of_event_types_has_advice_and_quarantine_says_how_to_release),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
