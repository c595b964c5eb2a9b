#include "cli/letter_print.h"

#include "base/json_scan.h"
#include "base/test.h"

static const char *shown(struct slice original)
{
    static char text[1024];
    AUTO(buf) struct buf out;
    buf_init(&out, sizeof text - 1);
    letter_add_original(&out, original, 40);
    memcpy(text, buf_text(&out), out.n + 1);
    return text;
}

static void test_json_is_indented(void **state)
{
    (void)state;
    assert_string_equal(shown(SLICE("{\"a\":[1,{}],\"b\":\"x\"}")),
                        "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": \"x\"\n}\n");
}

static void test_bytes_cannot_move_the_cursor(void **state)
{
    (void)state;
    assert_string_equal(shown(SLICE("{\x1b[2J\xff\n")), "{\\x1b[2J\\xff\\x0a\n\n");
    assert_string_equal(shown(SLICE("tür \xc2\x9b")), "tür \\xc2\\x9b\n");
}

static void test_a_long_original_says_what_is_left_out(void **state)
{
    (void)state;
    assert_non_null(strstr(shown(SLICE("0123456789012345678901234567890123456789xyz")), "9\n… and 3 bytes more"));
}

static void test_json_for_programs_keeps_every_byte(void **state)
{
    (void)state;
    AUTO(buf) struct buf out;
    buf_init(&out, 4096);
    struct letter letter = {
        .id = SLICE("3-1"), .reason = SLICE("bad_utf8"), .original = SLICE("{\xff}"), .received_ms = 0
    };
    letter_add_json(&out, &letter);
    assert_true(json_is_whole(buf_slice(&out)));
    assert_non_null(strstr(buf_text(&out), "\"original_hex\":\"7bff7d\""));
    assert_non_null(strstr(buf_text(&out), "\"received_at\":\"1970-01-01T00:00:00.000Z\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_is_indented),
        cmocka_unit_test(test_bytes_cannot_move_the_cursor),
        cmocka_unit_test(test_a_long_original_says_what_is_left_out),
        cmocka_unit_test(test_json_for_programs_keeps_every_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
