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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_verdict_of_ingestion_has_advice_of_its_own),
        cmocka_unit_test(test_the_same_reason_is_another_matter_in_a_transform),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
