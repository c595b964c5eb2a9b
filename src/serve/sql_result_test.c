#include "serve/sql_result.h"

#include "base/test.h"

static void expect_cleaned(struct slice engine_text, const char *words)
{
    struct buf out;
    buf_init(&out, 4096);
    sql_error_clean(engine_text, &out);
    assert_string_equal(buf_text(&out), words);
    buf_done(&out);
}

static void test_an_engine_without_words_gives_none(void **state)
{
    (void)state;
    expect_cleaned((struct slice){ 0 }, "");
    expect_cleaned(SLICE(""), "");
}

static void test_the_engines_frame_is_taken_off_its_words(void **state)
{
    (void)state;
    expect_cleaned(SLICE("Code: 47. DB::Exception: Unknown identifier `x`. (UNKNOWN_IDENTIFIER) (version 26.7.2.1)\n"),
                   "Unknown identifier `x`.");
    expect_cleaned(SLICE("anything else (as it is)"), "anything else (as it is)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_engine_without_words_gives_none),
        cmocka_unit_test(test_the_engines_frame_is_taken_off_its_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
