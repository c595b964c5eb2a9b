/* Bodies with several events, and bodies that cannot be read: what is wrong with one event costs that one alone. */
#include <stdlib.h>

#include "base/test.h"
#include "test/support/parsing_fixture.h"

static void expect_bad_body(struct slice body, const char *why)
{
    struct parsing *r = parsing_begin(EVENT_ENDPOINT_TRACK);
    parsing_run(r, body);
    assert_int_equal(r->status, ERR_INVALID);
    if (!strstr(r->err.text, why))
        fail_msg("'%s' does not say '%s'", r->err.text, why);
    parsing_end(r);
}

static void expect_pattern(const char *body, bool ndjson, const char *pattern)
{
    struct parsing *r = parsing_begin(EVENT_ENDPOINT_TRACK);
    r->request.ndjson = ndjson;
    parsing_run(r, slice_from(body));
    if (r->status != OK)
        fail_msg("%s: %s", body, r->err.text);
    char got[64] = { 0 };
    for (size_t i = 0; i < r->result.event_count; i++)
        got[r->result.indexes[i]] = '+';
    for (size_t i = 0; i < r->result.reject_count; i++) {
        const struct event_reject *reject = &r->result.rejects[i];
        got[reject->index] = reject->code == EVENT_CODE_BAD_JSON   ? '-'
                             : reject->code == EVENT_CODE_BAD_UTF8 ? 'u'
                                                                   : 'x';
        assert_true(reject->original.n == 0 || (reject->original.p >= r->body && strstr(body, "{")));
    }
    if (strcmp(got, pattern) != 0)
        fail_msg("%s: %s instead of %s", body, got, pattern);
    parsing_end(r);
}

static void test_bad_elements_of_an_array_cost_themselves_only(void **state)
{
    (void)state;
    expect_pattern("[]", false, "");
    expect_pattern("[" PARSING_GOOD "," PARSING_GOOD "]", false, "++");
    expect_pattern(" [ " PARSING_GOOD " , " PARSING_GOOD " ] \n", false, "++");
    expect_pattern("[" PARSING_GOOD ",1," PARSING_GOOD ",null,[],\"x\"]", false, "+-+---");
    expect_pattern("[" PARSING_GOOD ",{\"event_type\":NaN}," PARSING_GOOD "]", false, "+-+");
    expect_pattern("[{\"a\":[1,2},{\"b\":]}," PARSING_GOOD "]", false, "-+"); /* one that spans both, by its brackets */
    expect_pattern("[" PARSING_GOOD " " PARSING_GOOD "," PARSING_GOOD "]", false, "-+");
    expect_pattern("[" PARSING_GOOD ",]", false, "+-");
    expect_pattern("[," PARSING_GOOD "]", false, "-+");
    expect_pattern("[" PARSING_GOOD ",{\"a\":\"\xff\"}," PARSING_GOOD "]", false, "+u+");
    expect_pattern("[" PARSING_GOOD ",{\"a\":\"\n\"}," PARSING_GOOD "]", false, "+-+");
    expect_pattern("[" PARSING_GOOD ",{\"a\":\"\\q\"}," PARSING_GOOD "]", false, "+-+");
    expect_pattern("[" PARSING_GOOD ",{\"a\":\"\\ud800\"}," PARSING_GOOD "]", false, "+u+");
    expect_pattern("[{}," PARSING_GOOD "]", false, "x+");
}

static void test_bad_lines_cost_themselves_only(void **state)
{
    (void)state;
    expect_pattern(PARSING_GOOD "\n" PARSING_GOOD "\n", false, "++");
    expect_pattern(PARSING_GOOD "\r\n\r\n  \n" PARSING_GOOD, false, "++");
    expect_pattern("\xef\xbb\xbf" PARSING_GOOD "\n" PARSING_GOOD, false, "++");
    expect_pattern("{\"a\":\n" PARSING_GOOD "\n", false, "-+");
    expect_pattern("{\"a\":\"x\n" PARSING_GOOD "\n{\"b\":\"y\n" PARSING_GOOD, false, "-+-+");
    expect_pattern(PARSING_GOOD "\n{\"a\":\"\xff\"}\n" PARSING_GOOD, false, "+u+");
    expect_pattern(PARSING_GOOD "\n[1]\nx\n\"y\"\n" PARSING_GOOD, false, "+---+");
    expect_pattern(PARSING_GOOD "\n" PARSING_GOOD PARSING_GOOD "\n" PARSING_GOOD "x\n" PARSING_GOOD, false, "+--+");
    expect_pattern(PARSING_GOOD "\n}\n]\n" PARSING_GOOD, false, "+--+");
    expect_pattern("{\"a\":1\n", true, "-");
    expect_pattern("{\n\"event_type\":\"t\",\n\"visitor_id\":\"v\"\n}", true, "+");
    expect_pattern("{\"a\":[{\n\"b\":[{\n\"c\":[{\n" PARSING_GOOD "\n", false, "---+");
    expect_pattern("{\"a\":\"\\\n" PARSING_GOOD "\n", false, "-+");
}

static void test_rejected_bytes_are_the_ones_that_came(void **state)
{
    (void)state;
    struct parsing *r = parsing_begin(EVENT_ENDPOINT_TRACK);
    parsing_run(r, SLICE("[ {\"a\" : nul} , {\"event_id\":\"e7\",\"event_type\":\"t\" } ]"));
    assert_int_equal(r->result.reject_count, 2);
    parsing_expect(r->result.rejects[0].original, "{\"a\" : nul}");
    parsing_expect(r->result.rejects[0].message, "expected a value, at byte 9 of the body");
    parsing_expect(r->result.rejects[1].original, "{\"event_id\":\"e7\",\"event_type\":\"t\" }");
    parsing_expect(r->result.rejects[1].event_id, "e7");
    assert_int_equal(r->result.rejects[1].index, 1);
    parsing_run(r, SLICE(PARSING_GOOD "\n  {\"a\":\"b \n"));
    parsing_expect(r->result.rejects[0].original, "{\"a\":\"b");
    parsing_end(r);
}

static void test_bodies_that_cannot_be_read_say_where(void **state)
{
    (void)state;
    expect_bad_body(SLICE(""), "empty");
    expect_bad_body(SLICE(" \n "), "empty");
    expect_bad_body(SLICE("x"), "at byte 0");
    expect_bad_body(SLICE("\xef\xbb\xbf 1"), "at byte 4");
    expect_bad_body(SLICE("\0"), "at byte 0");
    expect_bad_body(SLICE("\x1f\x8b\x08"), "at byte 0");
    expect_bad_body(SLICE("a=b&c=d"), "at byte 0");
    expect_bad_body(SLICE("{\"a\":NaN}"), "at byte 5");
    expect_bad_body(SLICE("{\"a\":1"), "too early, at byte 6");
    expect_bad_body(SLICE("{\n\"a\":1,\n}"), "expected a key in quotes, at byte 9");
    expect_bad_body(SLICE("[" PARSING_GOOD), "too early");
    expect_bad_body(SLICE("[" PARSING_GOOD ",{\"a\":[}"), "byte");
    expect_bad_body(SLICE("[" PARSING_GOOD "]]"), "follows behind");
    expect_bad_body(SLICE("[" PARSING_GOOD "}"), "byte");
    expect_bad_body(SLICE(PARSING_GOOD PARSING_GOOD), "follows behind");
    expect_bad_body(SLICE("{\"batch\":[" PARSING_GOOD "]"), "too early");
    expect_bad_body(SLICE("{\"batch\":[" PARSING_GOOD "],\"x\":y}"), "expected a value");
    expect_bad_body(SLICE("{\"batch\":[" PARSING_GOOD "]}x"), "follows behind");
    expect_bad_body(SLICE("{\"a\":\"b\"x,\"batch\":[" PARSING_GOOD "]}"), "expected ','");
    expect_bad_body(SLICE("{\"batch\":[" PARSING_GOOD "],\"context\":{\"ip\":\"1\",\"ip\":\"2\"}}"), "twice");
}

static void test_garbage_of_every_size_is_survived(void **state)
{
    (void)state;
    size_t n = 10u << 20;
    char *text = malloc(n);
    struct parsing *r = parsing_begin(EVENT_ENDPOINT_TRACK);
    memset(text, '[', n);
    parsing_run(r, slice_of(text, 20000));
    assert_int_equal(r->status, ERR_INVALID);
    memset(text + 10000, ']', 10000);
    parsing_run(r, slice_of(text, 20000));
    parsing_reject(r, EVENT_CODE_BAD_JSON, "");
    memcpy(text, "[{\"a\":", 6);
    memset(text + 20000, '}', 1);
    memset(text + 6, '[', 9994);
    memset(text + 10000, ']', 9994);
    memcpy(text + 19994, "}," PARSING_GOOD "]", 3 + sizeof PARSING_GOOD);
    parsing_run(r, slice_of(text, 19994 + 2 + sizeof PARSING_GOOD));
    assert_int_equal(r->status, OK);
    assert_int_equal(r->result.event_count, 1);
    assert_int_equal(r->result.rejects[0].code, EVENT_CODE_TOO_DEEP);
    memset(text, 'x', n);
    memcpy(text, "[{\"event_type\":\"", 16);
    memcpy(text + n - 3 - sizeof PARSING_GOOD, "\"}," PARSING_GOOD "]", 4 + sizeof PARSING_GOOD - 1);
    parsing_run(r, slice_of(text, n));
    assert_int_equal(r->status, OK);
    assert_int_equal(r->result.event_count, 1);
    assert_int_equal(r->result.rejects[0].code, EVENT_CODE_EVENT_TOO_LARGE);
    assert_int_equal(r->result.rejects[0].original.n, n - 1 - sizeof PARSING_GOOD - 1);
    parsing_end(r);
    free(text);
}

static void test_limits_on_fields_and_values(void **state)
{
    (void)state;
    struct parsing *r = parsing_begin(EVENT_ENDPOINT_TRACK);
    r->options = (struct event_parse_options){ .keys_max = 3, .values_max = 8, .event_bytes_max = 100, .depth_max = 3 };
    parsing_run(r, SLICE("[{\"a\":1,\"b\":2,\"c\":3,\"d\":4}," PARSING_GOOD "]"));
    assert_int_equal(r->result.rejects[0].code, EVENT_CODE_TOO_MANY_FIELDS);
    parsing_run(r, SLICE("[{\"a\":[1,2,3,4,5,6,7]}," PARSING_GOOD "]"));
    assert_int_equal(r->result.rejects[0].code, EVENT_CODE_TOO_MANY_FIELDS);
    assert_int_equal(r->result.event_count, 1);
    parsing_run(r, SLICE("{\"a\":[[[]]]}"));
    parsing_reject(r, EVENT_CODE_TOO_DEEP, "");
    parsing_run(
        r, SLICE("{\"event_type\":\"t\",\"visitor_id\":\"v\",\"a\":\"01234567890123456789012345678901234567890123456789"
                 "0123456789\"}"));
    parsing_reject(r, EVENT_CODE_EVENT_TOO_LARGE, "");
    parsing_end(r);
}

static void test_too_many_events_become_one_reject_with_all_their_bytes(void **state)
{
    (void)state;
    struct parsing *r = parsing_begin(EVENT_ENDPOINT_TRACK);
    r->options.events_max = 2;
    parsing_run(r, SLICE("[" PARSING_GOOD "," PARSING_GOOD "]"));
    assert_int_equal(r->result.event_count, 2);
    assert_int_equal(r->result.reject_count, 0);
    parsing_run(r, SLICE("[" PARSING_GOOD "," PARSING_GOOD ", 1 ,{\"a\":[2,3]} ]"));
    assert_int_equal(r->result.event_count, 2);
    assert_int_equal(r->result.reject_count, 1);
    assert_int_equal(r->result.rejects[0].code, EVENT_CODE_TOO_MANY_EVENTS);
    assert_int_equal(r->result.rejects[0].count, 2);
    assert_int_equal(r->result.rejects[0].index, 2);
    assert_int_equal(r->result.rejected_events, 2);
    parsing_expect(r->result.rejects[0].original, "1 ,{\"a\":[2,3]}");
    parsing_run(r, SLICE(PARSING_GOOD "\n" PARSING_GOOD "\n\n" PARSING_GOOD "\n \nx\n"));
    assert_int_equal(r->result.rejects[0].count, 2);
    parsing_expect(r->result.rejects[0].original, PARSING_GOOD "\n \nx");
    parsing_end(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_elements_of_an_array_cost_themselves_only),
        cmocka_unit_test(test_bad_lines_cost_themselves_only),
        cmocka_unit_test(test_rejected_bytes_are_the_ones_that_came),
        cmocka_unit_test(test_bodies_that_cannot_be_read_say_where),
        cmocka_unit_test(test_garbage_of_every_size_is_survived),
        cmocka_unit_test(test_limits_on_fields_and_values),
        cmocka_unit_test(test_too_many_events_become_one_reject_with_all_their_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
