#include "cli/letter_mend.h"

#include <stdio.h>

#include "base/json_scan.h"
#include "base/test.h"

static const char *mend(const struct letter_line *line, const struct args_texts *texts)
{
    static char text[4096];
    AUTO(letter_sets) struct letter_sets sets;
    AUTO(buf) struct buf out;
    struct error err;
    buf_init(&out, sizeof text - 1);
    assert_int_equal(letter_sets_init(&sets, texts, &err), OK);
    if (!letter_mend(line, &sets, &out))
        return NULL;
    memcpy(text, buf_text(&out), out.n + 1);
    return text;
}

static const struct args_texts NOTHING;

static void test_an_event_with_id_and_time_stays_byte_for_byte(void **state)
{
    (void)state;
    struct letter_line line = { .original = SLICE("{\"event_id\":\"e\", \"timestamp\":1.7e9,\"x\":1.50}"),
                                .received_ms = 1 };
    assert_string_equal(mend(&line, &NOTHING), "{\"event_id\":\"e\", \"timestamp\":1.7e9,\"x\":1.50}\n");
}

static void test_an_event_without_id_gets_the_same_one_each_time(void **state)
{
    (void)state;
    char first[4096];
    struct letter_line line = { .original = SLICE("{\"a\":1}"), .origin = SLICE("0-1") };
    snprintf(first, sizeof first, "%s", mend(&line, &NOTHING));
    assert_non_null(strstr(first, "\"event_id\":\"letter-"));
    assert_string_equal(mend(&line, &NOTHING), first);
    line.origin = SLICE("0-2");
    assert_string_not_equal(mend(&line, &NOTHING), first);
}

static void test_what_is_set_does_not_change_the_id(void **state)
{
    (void)state;
    char id[64];
    struct letter_line line = { .original = SLICE("{\"a\":1}"), .origin = SLICE("0-1") };
    const struct args_texts texts = { { "a=2" }, 1 };
    snprintf(id, sizeof id, "%.41s", strstr(mend(&line, &NOTHING), "letter-"));
    assert_non_null(strstr(mend(&line, &texts), id));
}

static void test_an_event_without_time_happened_when_it_came(void **state)
{
    (void)state;
    struct letter_line line = { .original = SLICE("{\"event_id\":\"e\"}"), .received_ms = 1737455400000 };
    assert_string_equal(mend(&line, &NOTHING), "{\"event_id\":\"e\",\"timestamp\":\"2025-01-21T10:30:00.000Z\"}\n");
}

static void test_fields_are_set_as_json_or_text_and_removed(void **state)
{
    (void)state;
    struct letter_line line = { .original = SLICE("{\"event_id\":\"e\",\n\"a\":1,\"b\":2}"), .received_ms = 0 };
    const struct args_texts texts = { { "a=x y", "b=", "properties.price=10.5", "zip=007", "ok=true" }, 5 };
    assert_string_equal(
        mend(&line, &texts),
        "{\"event_id\":\"e\",\"a\":\"x y\",\"properties\":{\"price\":10.5},\"zip\":\"007\",\"ok\":true}\n");
}

static void test_bytes_that_are_no_json_pass_in_one_line_unless_something_is_to_be_set(void **state)
{
    (void)state;
    struct letter_line line = { .original = SLICE("{broken\r\nlines") };
    const struct args_texts texts = { { "a=1" }, 1 };
    assert_string_equal(mend(&line, &NOTHING), "{broken  lines\n");
    assert_null(mend(&line, &texts));
}

static void test_a_new_id_follows_from_the_old_one(void **state)
{
    (void)state;
    char first[4096];
    struct letter_line line = { .original = SLICE("{\"event_id\":\"e\",\"a\":1}"),
                                .origin = SLICE("0-1"),
                                .new_id = true };
    snprintf(first, sizeof first, "%s", mend(&line, &NOTHING));
    assert_null(strstr(first, "\"e\""));
    assert_string_equal(mend(&line, &NOTHING), first);
}

static void test_bad_settings_are_refused_with_the_word(void **state)
{
    (void)state;
    static const struct args_texts BAD[] = {
        { { "novalue" }, 1 }, { { "=1" }, 1 }, { { "a..b=1" }, 1 }, { { "a=1", "a.b=2" }, 2 }
    };
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        AUTO(letter_sets) struct letter_sets sets;
        struct error err;
        assert_int_equal(letter_sets_init(&sets, &BAD[i], &err), ERR_INVALID);
        assert_non_null(strstr(err.text, BAD[i].items[BAD[i].count - 1]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_event_with_id_and_time_stays_byte_for_byte),
        cmocka_unit_test(test_an_event_without_id_gets_the_same_one_each_time),
        cmocka_unit_test(test_what_is_set_does_not_change_the_id),
        cmocka_unit_test(test_an_event_without_time_happened_when_it_came),
        cmocka_unit_test(test_fields_are_set_as_json_or_text_and_removed),
        cmocka_unit_test(test_bytes_that_are_no_json_pass_in_one_line_unless_something_is_to_be_set),
        cmocka_unit_test(test_a_new_id_follows_from_the_old_one),
        cmocka_unit_test(test_bad_settings_are_refused_with_the_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
