#include "event/json.h"

#include <stdlib.h>

#include "base/test.h"

static const struct json_limits LIMITS = { 32, 100, 1000 };

/* A copy with nothing but the promised padding behind it, so that the sanitizer sees whoever reads too far. */
static char *padded(struct slice text)
{
    char *copy = malloc(text.n + JSON_PADDING);
    assert_non_null(copy);
    memcpy(copy, text.p, text.n);
    memset(copy + text.n, '"', JSON_PADDING); /* the worst thing that could stand there */
    return copy;
}

static enum json_problem walk(struct slice text, const struct json_limits *limits, bool by_line, size_t *out_at)
{
    struct json_index index;
    struct json_cursor cursor;
    struct json_value value = { 0 };
    char *copy = padded(text);
    json_index_init(&index);
    assert_int_equal(json_index_build(&index, slice_of(copy, text.n), NULL), OK);
    if (by_line)
        json_index_rebuild(&index, true);
    json_cursor_begin(&cursor, &index, limits);
    enum json_problem problem = json_walk_value(&cursor, &value) ? JSON_FINE : cursor.problem;
    if (problem == JSON_FINE && cursor.token != cursor.end)
        problem = JSON_BAD;
    if (problem == JSON_FINE)
        assert_true(slice_equal(value.raw, slice_trim(text)));
    if (out_at)
        *out_at = cursor.problem_at;
    json_index_done(&index);
    free(copy);
    return problem;
}

static void test_everything_that_is_json_passes(void **state)
{
    (void)state;
    static const char *const GOOD[] = {
        "{}",
        "[]",
        " [ ] ",
        "{\"a\":1}",
        "[1,2,3]",
        "null",
        "true",
        "false",
        "0",
        "-0",
        "-0.0",
        "1e999",
        "-1.5E-10",
        "9007199254740993",
        "18446744073709551615",
        "123456789012345678901234567890",
        "\"\"",
        "\"a\"",
        "\"\\\"\"",
        "\"\\\\\"",
        "\"\\u0000\"",
        "\"\\ud83d\\ude00\"",
        "\"\\b\\f\\n\\r\\t\\/\"",
        "\"\x7f\"",
        "\"\xc3\xa9\xf0\x9f\x98\x80\"",
        "[[],{},[[]],{\"\":{}}]",
        "{\"a\":{\"b\":[{\"c\":null},\"d\"]},\"e\":[true,false]}",
        "\r\n\t {\"a\" : \n1 } \n",
        "{\"a\":1,\"a\":2}",
        "[\"a]\",\"{\",\"\\\"}\"]",
        "[\"\\\\\",\"\\\\\\\\\",\"\\\\\\\"\"]",
    };
    for (size_t i = 0; i < COUNT_OF(GOOD); i++)
        if (walk(slice_from(GOOD[i]), &LIMITS, false, NULL) != JSON_FINE)
            fail_msg("refused: %s", GOOD[i]);
}

static const char *const BAD[] = {
    "{",
    "}",
    "[",
    "]",
    "[1",
    "[1,",
    "[1,]",
    "[,1]",
    "[1 2]",
    "{\"a\"}",
    "{\"a\":}",
    "{\"a\":1,}",
    "{,}",
    "{a:1}",
    "{\"a\":1 \"b\":2}",
    "{\"a\" 1}",
    "{1:2}",
    "{\"a\":1]",
    "[1}",
    "[{]}",
    "nul",
    "nulll",
    "True",
    "NaN",
    "Infinity",
    "-",
    "+1",
    "01",
    "-01",
    "1.",
    ".5",
    "1e",
    "1e+",
    "1.e5",
    "0x10",
    "1_000",
    "1a",
    "--1",
    "1-",
    "\"",
    "\"abc",
    "\"\\",
    "\"\\\"",
    "\"\\x\"",
    "\"\\u12\"",
    "\"\\u12g4\"",
    "\"\\U0041\"",
    "'a'",
    "\"a\"b",
    "\"a\"\"b\"",
    "a\"b\"",
    "1\"x\"",
    "[\"a\" \"b\"]",
    "{\"a\":\"b\"\"c\":1}",
    "{\"a\":1}}",
    "[1]]",
    "{} {}",
    "1 2",
    "// x\n1",
    "[1/**/]",
    "\"a\nb\"",
    "\"a\tb\"",
    "\"\x01\"",
    "\\\"a\\\"",
    "[\\]",
    ":",
    ",",
    "{:}",
    "{\"a\"::1}",
    "[1:2]",
    "{\"a\",1}",
    "[\"a\\\"]",
};

static void test_everything_else_does_not(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        if (walk(slice_from(BAD[i]), &LIMITS, false, NULL) == JSON_FINE)
            fail_msg("accepted: %s", BAD[i]);
        if (walk(slice_from(BAD[i]), &LIMITS, true, NULL) == JSON_FINE)
            fail_msg("accepted by line: %s", BAD[i]);
    }
    assert_int_equal(walk(SLICE(""), &LIMITS, false, NULL), JSON_BAD);
    assert_int_equal(walk(SLICE("[1\0]"), &LIMITS, false, NULL), JSON_BAD);
    assert_int_equal(walk(SLICE("\0"), &LIMITS, false, NULL), JSON_BAD);
    assert_int_equal(walk(SLICE("\"a\0b\""), &LIMITS, false, NULL), JSON_BAD);
}

/* Each cut of a valid text is invalid, and nothing behind the cut is read. */
static void test_every_cut_is_refused(void **state)
{
    (void)state;
    struct slice whole = SLICE("{\"k\\u00e9y\":[1.5e3,-0,true,null,{\"a\":\"b\\n\"}],\"x\":\"\xf0\x9f\x98\x80\"}");
    for (size_t n = 0; n < whole.n; n++)
        assert_int_not_equal(walk(slice_of(whole.p, n), &LIMITS, false, NULL), JSON_FINE);
    assert_int_equal(walk(whole, &LIMITS, false, NULL), JSON_FINE);
}

static void test_wrong_characters_have_a_problem_of_their_own(void **state)
{
    (void)state;
    static const char *const TEXTS[] = {
        "[\"\xff\"]",           "[\"\xc0\xaf\"]",  "[\"\xed\xa0\x80\"]", "[\"\xf4\x90\x80\x80\"]", "[\"\xe2\x82\"]",
        "[\"\x80\"]",           "[\"\\ud83d\"]",   "[\"\\ude00\"]",      "[\"\\ud83d\\u0041\"]",   "[\"\\ud83dx\"]",
        "[\"\\ude00\\ud83d\"]", "{\"\\ud800\":1}", "{\"\xfe\":1}",
    };
    for (size_t i = 0; i < COUNT_OF(TEXTS); i++)
        if (walk(slice_from(TEXTS[i]), &LIMITS, false, NULL) != JSON_BAD_UTF8)
            fail_msg("not seen: %zu", i);
    size_t at;
    assert_int_equal(walk(SLICE("[\"abc\",\"d\\ud800\"]"), &LIMITS, false, &at), JSON_BAD_UTF8);
    assert_int_equal(at, 9);
}

static void test_limits_are_exact(void **state)
{
    (void)state;
    char text[512];
    struct json_limits limits = { 3, 2, 5 };
    assert_int_equal(walk(SLICE("[[[1]]]"), &limits, false, NULL), JSON_FINE);
    assert_int_equal(walk(SLICE("[[[[]]]]"), &limits, false, NULL), JSON_TOO_DEEP);
    assert_int_equal(walk(SLICE("[{\"a\":1,\"b\":2}]"), &limits, false, NULL), JSON_FINE);
    assert_int_equal(walk(SLICE("[{\"a\":1,\"b\":2,\"c\":3}]"), &limits, false, NULL), JSON_TOO_MANY);
    assert_int_equal(walk(SLICE("[1,2,3,4]"), &limits, false, NULL), JSON_FINE);
    assert_int_equal(walk(SLICE("[1,2,3,4,5]"), &limits, false, NULL), JSON_TOO_MANY);
    assert_int_equal(walk(SLICE("[[],[],[],[],[]]"), &limits, false, NULL), JSON_TOO_MANY);
    struct json_limits deep = { JSON_DEPTH_MAX, 10, 1000 };
    memset(text, '[', JSON_DEPTH_MAX + 1);
    memset(text + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
    assert_int_equal(walk(slice_of(text, 2 * JSON_DEPTH_MAX), &deep, false, NULL), JSON_FINE);
    memset(text, '[', JSON_DEPTH_MAX + 1);
    memset(text + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
    assert_int_equal(walk(slice_of(text, 2 * JSON_DEPTH_MAX + 2), &deep, false, NULL), JSON_TOO_DEEP);
}

struct reading {
    struct json_index index;
    struct json_cursor cursor;
    struct json_keys keys, inner_keys;
    struct json_value values[4], inner_values[4];
    struct json_member others[100], inner_others[100];
    struct json_object object, inner;
    char *copy;
};

static const char *const NAMES[] = { "id", "context", "a_key_of_20_letters_" };
static const char *const INNER[] = { "ip" };

static bool read_text(struct reading *r, struct slice text)
{
    r->copy = padded(text);
    json_keys_init(&r->keys, NAMES, COUNT_OF(NAMES));
    json_keys_init(&r->inner_keys, INNER, COUNT_OF(INNER));
    r->inner = (struct json_object){ &r->inner_keys, r->inner_values, r->inner_others, .nested_key = -1 };
    r->object = (struct json_object){ &r->keys, r->values, r->others, 1, &r->inner };
    json_index_init(&r->index);
    assert_int_equal(json_index_build(&r->index, slice_of(r->copy, text.n), NULL), OK);
    json_cursor_begin(&r->cursor, &r->index, &LIMITS);
    return json_read_object(&r->cursor, &r->object);
}

static void read_done(struct reading *r)
{
    json_index_done(&r->index);
    free(r->copy);
}

static void test_wanted_keys_are_found_and_the_others_listed(void **state)
{
    (void)state;
    static struct reading r;
    assert_true(read_text(&r, SLICE("{\"x\": [1, 2] , \"i\\u0064\":\"a\\nb\",\"context\":{\"q\":1,\"ip\":\"1.2.3.4\"},"
                                    "\"a_key_of_20_letters_\":18446744073709551615,\"id2\":{}}")));
    assert_int_equal(r.object.seen, 7);
    assert_int_equal(r.object.member_count, 5);
    assert_int_equal(r.object.duplicate, -1);
    assert_true(slice_equal(r.values[0].raw, SLICE("\"a\\nb\"")) && r.values[0].escaped);
    assert_true(slice_equal(r.values[2].raw, SLICE("18446744073709551615")));
    assert_int_equal(r.values[2].kind, JSON_NUMBER);
    assert_true(slice_equal(r.values[1].raw, SLICE("{\"q\":1,\"ip\":\"1.2.3.4\"}")));
    assert_true(slice_equal(r.inner_values[0].raw, SLICE("\"1.2.3.4\"")));
    assert_int_equal(r.object.other_count, 2);
    assert_true(slice_equal(r.others[0].key, SLICE("\"x\"")) && slice_equal(r.others[0].value.raw, SLICE("[1, 2]")));
    assert_true(slice_equal(r.others[1].key, SLICE("\"id2\"")) && r.others[1].value.kind == JSON_OBJECT);
    read_done(&r);
    assert_true(read_text(&r, SLICE("{\"id\":1,\"id\":2}")));
    assert_int_equal(r.object.duplicate, 0);
    read_done(&r);
    assert_true(read_text(&r, SLICE("{\"id\":1,\"context\":7,\"a_key_of_20_letters_x\":1,\"a_key_of_20_letters\":1}")));
    assert_int_equal(r.object.seen, 3);
    assert_int_equal(r.object.other_count, 2);
    read_done(&r);
    assert_false(read_text(&r, SLICE("[1]")));
    read_done(&r);
}

static void test_text_is_unescaped_into_the_arena(void **state)
{
    (void)state;
    static struct reading r;
    struct arena arena;
    arena_init(&arena, 4096);
    assert_true(read_text(&r, SLICE("{\"id\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20ac\\ud83d\\uDE00.\"}")));
    struct slice text = json_text(&r.values[0], &arena);
    assert_true(slice_equal(text, SLICE("\"\\/\b\f\n\r\tA\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80.")));
    struct arena full;
    arena_init(&full, 0);
    assert_null(json_text(&r.values[0], &full).p);
    read_done(&r);
    assert_true(read_text(&r, SLICE("{\"id\":\"plain\"}")));
    text = json_text(&r.values[0], &full);
    assert_true(slice_equal(text, SLICE("plain")) && text.p > r.copy && text.p < r.copy + 20);
    read_done(&r);
    arena_done(&arena);
}

/* One index is used for bodies of all sizes, and gives the room of a large one back. */
static void test_index_grows_and_shrinks(void **state)
{
    (void)state;
    struct json_index index;
    size_t n = 3u << 20;
    char *text = malloc(n + JSON_PADDING);
    memset(text, '[', n / 2);
    memset(text + n / 2, ']', n / 2 + JSON_PADDING);
    json_index_init(&index);
    for (int round = 0; round < 3; round++) {
        assert_int_equal(json_index_build(&index, slice_of(text, n), NULL), OK);
        assert_int_equal(index.count, n);
        assert_int_equal(json_index_build(&index, slice_of(text, 2), NULL), OK);
        assert_int_equal(index.count, 2);
        assert_true(index.capacity < n);
    }
    json_index_done(&index);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything_that_is_json_passes),
        cmocka_unit_test(test_everything_else_does_not),
        cmocka_unit_test(test_every_cut_is_refused),
        cmocka_unit_test(test_wrong_characters_have_a_problem_of_their_own),
        cmocka_unit_test(test_limits_are_exact),
        cmocka_unit_test(test_wanted_keys_are_found_and_the_others_listed),
        cmocka_unit_test(test_text_is_unescaped_into_the_arena),
        cmocka_unit_test(test_index_grows_and_shrinks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
