#include "cli/args.h"

#include <stdlib.h>
#include <sysexits.h>

#include "base/test.h"

struct values {
    const char *url, *format;
    int64_t rate, wait_ms;
    uint64_t size_bytes;
    double share, faults;
    bool json;
    struct args_texts sets;
    struct args_rest files;
};

static const struct arg ARGS[] = {
    ARG_TEXT_ENV(struct values, url, "url", 'u', "URL", "http://127.0.0.1:8000", "WEIR_TEST_URL", "where"),
    ARG_TEXT(struct values, format, "format", 0, "json|csv", NULL, "how"),
    ARG_INTEGER(struct values, rate, "rate", 'r', "N", "5", 0, 1000000, "how fast"),
    ARG_DURATION(struct values, wait_ms, "wait", 0, "TIME", "2s", "how long"),
    ARG_BYTES(struct values, size_bytes, "size", 0, "SIZE", "64K", "how large"),
    ARG_REAL(struct values, share, "share", 0, "P", "0.5", "how many"),
    ARG_PERCENT(struct values, faults, "faults", 0, "PERCENT", "0.5%", "how many are wrong"),
    ARG_FLAG(struct values, json, "json", 'j', "JSON"),
    ARG_TEXTS(struct values, sets, "set", 0, "FIELD=VALUE", "change"),
    ARG_REST(struct values, files, "FILE", 1, 2, "what"),
};
static const struct args_command COMMAND = { .name = "try", .summary = "s", .args = ARGS, .arg_count = COUNT_OF(ARGS) };

static struct values values;
static int exit_code;

static char *words_now[8];

#define PARSE(...) parse_words((char *[8]){ (char *)"try", __VA_ARGS__ })

static bool parse_words(char **words)
{
    int argc = 0;
    memcpy(words_now, words, sizeof words_now);
    while (argc < 8 && words_now[argc])
        argc++;
    return args_parse(&COMMAND, argc, words_now, &values, &exit_code);
}

static void test_defaults_hold_where_nothing_is_given(void **state)
{
    (void)state;
    unsetenv("WEIR_TEST_URL");
    assert_true(PARSE((char *)"a"));
    assert_string_equal(values.url, "http://127.0.0.1:8000");
    assert_null(values.format);
    assert_int_equal(values.rate, 5);
    assert_int_equal(values.wait_ms, 2000);
    assert_int_equal(values.size_bytes, 65536);
    assert_true(values.share > 0.49 && values.share < 0.51);
    assert_true(values.faults > 0.49 && values.faults < 0.51);
    assert_false(values.json);
    assert_int_equal(values.files.count, 1);
}

static void test_options_and_words_may_be_mixed_in_every_spelling(void **state)
{
    (void)state;
    char *words[] = { "try", "a", "--rate=1_000", "-j", "--wait", "250ms", "-uX", "--size", "2MiB", "--", "-b", NULL };
    assert_true(args_parse(&COMMAND, (int)COUNT_OF(words) - 1, words, &values, &exit_code));
    assert_int_equal(values.rate, 1000);
    assert_true(values.json);
    assert_int_equal(values.wait_ms, 250);
    assert_string_equal(values.url, "X");
    assert_int_equal(values.size_bytes, 2 << 20);
    assert_int_equal(values.files.count, 2);
    assert_string_equal(values.files.items[0], "a");
    assert_string_equal(values.files.items[1], "-b");
}

static void test_the_environment_is_between_default_and_command_line(void **state)
{
    (void)state;
    setenv("WEIR_TEST_URL", "http://there", 1);
    assert_true(PARSE((char *)"a"));
    assert_string_equal(values.url, "http://there");
    assert_true(PARSE((char *)"a", (char *)"--url", (char *)"http://here"));
    assert_string_equal(values.url, "http://here");
    unsetenv("WEIR_TEST_URL");
}

static void test_a_single_dash_is_a_word(void **state)
{
    (void)state;
    assert_true(PARSE((char *)"-"));
    assert_string_equal(values.files.items[0], "-");
}

static void test_wrong_usage_is_refused_with_the_usage_code(void **state)
{
    (void)state;
    char *wrong[][3] = {
        { "a", "--nothing", NULL }, { "a", "--rate", NULL },       { "a", "--rate=1000001", NULL },
        { "a", "--rate=1x", NULL }, { "a", "--format=xml", NULL }, { "a", "--json=1", NULL },
        { "a", "b", "c" },          { "a", "--wait=soon", NULL },  { "a", "--size=-1", NULL },
        { "a", "-z", NULL },        { "--json", NULL, NULL },
    };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        char *words[5] = { (char *)"try", wrong[i][0], wrong[i][1], wrong[i][2], NULL };
        int argc = 1;
        while (words[argc])
            argc++;
        assert_false(args_parse(&COMMAND, argc, words, &values, &exit_code));
        assert_int_equal(exit_code, EX_USAGE);
    }
}

static void test_integers_are_read_exactly(void **state)
{
    (void)state;
    int64_t value = 7;
    assert_true(args_read_integer("9223372036854775807", &value));
    assert_int_equal(value, INT64_MAX);
    assert_true(args_read_integer("-3", &value));
    assert_false(args_read_integer("9223372036854775808", &value));
    assert_false(args_read_integer("", &value));
    assert_false(args_read_integer(" 1", &value));
    assert_false(args_read_integer("0x10", &value));
    uint64_t bytes;
    assert_false(args_read_bytes("0x10", &bytes));
    assert_false(args_read_bytes("10 potatoes", &bytes));
}

static void test_an_option_of_several_values_keeps_their_order(void **state)
{
    (void)state;
    assert_true(PARSE("--set", "a=1", "f", "--set=b=2"));
    assert_int_equal(values.sets.count, 2);
    assert_string_equal(values.sets.items[0], "a=1");
    assert_string_equal(values.sets.items[1], "b=2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_option_of_several_values_keeps_their_order),
        cmocka_unit_test(test_defaults_hold_where_nothing_is_given),
        cmocka_unit_test(test_options_and_words_may_be_mixed_in_every_spelling),
        cmocka_unit_test(test_the_environment_is_between_default_and_command_line),
        cmocka_unit_test(test_a_single_dash_is_a_word),
        cmocka_unit_test(test_wrong_usage_is_refused_with_the_usage_code),
        cmocka_unit_test(test_integers_are_read_exactly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
