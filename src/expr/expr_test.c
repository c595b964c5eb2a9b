#include "expr/expr.h"

#include <stdio.h>

#include "base/test.h"

static struct arena arena;
static struct field_plan plan;
static struct expr_problem problem;

static const struct event EVENT = {
    .customer_id = { "acme", 4 },
    .visitor_id = { "v1", 2 },
    .event_id = { "e1", 2 },
    .event_type = { "purchase", 8 },
    .event_name = { "Bought", 6 },
    .context = { "{\"country\":\"DE\"}", 16 },
    .timestamp_ms = 1737455400123, /* 2025-01-21T10:30:00.123Z */
    .received_ms = 1737455401000,
};

static const struct expr *parse(const char *text)
{
    const struct expr *expr = NULL;
    memset(&problem, 0, sizeof problem);
    if (expr_parse(slice_from(text), &plan, &arena, &expr, &problem) != OK)
        return NULL;
    return expr;
}

/* The value as text, "null:REASON" for null. properties: JSON. */
static const char *eval(const char *text, const char *properties)
{
    static char out[512];
    struct value fields[FIELD_PATHS_MAX];
    char digits[VALUE_DIGITS_MAX];
    arena_reset(&arena);
    field_plan_init(&plan, &arena);
    const struct expr *expr = parse(text);
    if (!expr)
        fail_msg("%s: column %zu: %s", text, problem.at + 1, problem.text);
    struct event event = EVENT;
    event.properties = slice_from(properties);
    field_plan_fill(&plan, &event, &arena, fields);
    struct value v = expr_eval(expr, fields, &arena);
    if (!(expr_types(expr) & 1u << v.kind))
        fail_msg("%s: kind %u is not in the types %x", text, v.kind, expr_types(expr));
    struct slice s = value_as_text(v, digits);
    if (value_is_null(v))
        snprintf(out, sizeof out, "null:%s", value_reason_name((enum value_reason)v.detail));
    else
        snprintf(out, sizeof out, "%.*s", SLICE_ARG(s));
    return out;
}

struct example {
    const char *text, *wanted;
};

static void check(const struct example *examples, size_t count, const char *properties)
{
    for (size_t i = 0; i < count; i++) {
        const char *got = eval(examples[i].text, properties);
        if (strcmp(got, examples[i].wanted) != 0)
            fail_msg("%s\n  gives  %s\n  wanted %s", examples[i].text, got, examples[i].wanted);
    }
}

#define CHECK(examples, properties) check(examples, COUNT_OF(examples), properties)

static void test_arithmetic_is_exact_and_its_limits_are_null_with_a_reason(void **state)
{
    (void)state;
    static const struct example EXAMPLES[] = {
        { "1 + 2 * 3", "7" },
        { "(1 + 2) * 3", "9" },
        { "7 - 2 - 1", "4" },
        { "7 / 2", "3.5" },
        { "-7 % 3", "-1" },
        { "7.5 % 2", "1.5" },
        { "9223372036854775807", "9223372036854775807" },
        { "-9223372036854775808", "-9223372036854775808" },
        { "9223372036854775807 + 1", "null:overflow" },
        { "-9223372036854775808 % -1", "0" },
        { "-(-9223372036854775808)", "null:overflow" },
        { "9223372036854775807 * 2", "null:overflow" },
        { "1e300 * 1e300", "null:overflow" },
        { "1 / 0", "null:zero_division" },
        { "1 % 0", "null:zero_division" },
        { "1.5 / 0.0", "null:zero_division" },
        { "0.1 + 0.2", "0.30000000000000004" },
        { "null + 1", "null:missing" },
        { "2 * -3", "-6" },
        { "9007199254740993 == 9007199254740992.0", "false" },
        { "9007199254740993 > 9007199254740992.0", "true" },
        { "3 == 3.0", "true" },
        { "-3 > -3.5", "true" },
    };
    CHECK(EXAMPLES, "{}");
}

static void test_unknown_is_neither_true_nor_false(void **state)
{
    (void)state;
    static const struct example EXAMPLES[] = {
        { "properties.x == 1", "null:missing" },
        { "properties.x is null", "true" },
        { "properties.x is not null", "false" },
        { "properties.a is not null", "true" },
        { "not (properties.x == 1)", "null:missing" },
        { "properties.x == 1 and false", "false" },
        { "properties.x == 1 and true", "null:missing" },
        { "true and properties.x == 1", "null:missing" },
        { "properties.x == 1 or true", "true" },
        { "false or properties.x == 1", "null:missing" },
        { "properties.x in (1, 2)", "null:missing" },
        { "1 in (1, properties.x)", "true" },
        { "3 in (1, properties.x)", "null:missing" },
        { "3 in (1, 2)", "false" },
        { "3 not in (1, 2)", "true" },
        { "coalesce(properties.x, properties.y, 5)", "5" },
        { "coalesce(properties.a, 5)", "1" },
        { "if(properties.x == 1, 'yes', 'no')", "no" },
        { "if(properties.a == 1, 'yes', 'no')", "yes" },
        { "properties.s == 5", "null:type" },
        { "properties.s > 5", "null:type" },
        { "properties.s and true", "null:type" },
        { "properties.n is null", "true" },
        { "not not properties.a", "null:type" },
        { "!!!(properties.a == 2)", "true" },
    };
    CHECK(EXAMPLES, "{\"a\":1,\"s\":\"5\",\"n\":null}");
}

/* The comparison of a field with a constant is one operation, but not when the field is only one branch. */
static void test_a_branch_is_compared_as_a_whole(void **state)
{
    (void)state;
    static const struct example EXAMPLES[] = {
        { "if(true, 5, properties.a) == 5", "true" },
        { "coalesce(properties.b, properties.a) == 2", "true" },
        { "properties.a == 1 and properties.b == 2 or false", "true" },
        { "false or properties.b == 2 and properties.a == 1", "true" },
        { "not properties.a == 2", "true" },
        { "!(properties.a == 1) || properties.b == 3", "false" },
    };
    CHECK(EXAMPLES, "{\"a\":1,\"b\":2}");
}

static void test_text_is_compared_cut_joined_and_matched(void **state)
{
    (void)state;
    static const struct example EXAMPLES[] = {
        { "event_type == 'purchase'", "true" },
        { "event_type = \"purchase\" && event_name <> 'x'", "true" },
        { "'a' < 'b' and 'a' < 'aa'", "true" },
        { "lower('ÄbC') == 'Äbc'", "true" },
        { "upper('abc')", "ABC" },
        { "length('äöü')", "3" },
        { "substr('grüße', 3, 2)", "üß" },
        { "substr('abc', 2)", "bc" },
        { "substr('abc', 9)", "" },
        { "substr('abc', -9223372036854775808, 1)", "a" },
        { "substr('abc', 1, 9223372036854775807)", "abc" },
        { "concat('a', 1, true, 1.50)", "a1true1.50" },
        { "starts_with(event_type, 'pur') and ends_with(event_type, 'ase') and contains(event_type, 'cha')", "true" },
        { "contains('abc', '')", "true" },
        { "'it''s' == 'it\\'s'", "true" },
        { "'/blog/2025/x' matches '/blog/*'", "true" },
        { "'/blog' matches '/blog/*'", "false" },
        { "'/a/b/c.html' matches '/*/?/*.html'", "true" },
        { "'über' matches '?ber'", "true" },
        { "'a*b' matches 'a\\*b'", "true" },
        { "'axb' matches 'a\\*b'", "false" },
        { "'aXbXc' matches '*X?'", "true" },
        { "'' matches '*' and '' matches '' and 'a' not matches ''", "true" },
        { "'abab' matches '*ab'", "true" },
        { "context.country in ('DE', 'AT')", "true" },
        { "properties['odd name'].deep", "42" },
        { "properties.escaped", "a\"b\né" },
        { "properties.list", "[1,\"]\",{}]" },
        { "user_id", "null:missing" },
        { "customer_id", "acme" },
    };
    CHECK(EXAMPLES,
          "{\"odd name\":{\"x\":[{\"deep\":1}],\"deep\":42},\"escaped\":\"a\\\"b\\n\\u00e9\",\"list\":[1,\"]\",{}]}");
}

static void test_money_is_exact(void **state)
{
    (void)state;
    static const struct example EXAMPLES[] = {
        { "cents(19.99)", "1999" },
        { "cents('19.99')", "1999" },
        { "cents(properties.price)", "1999" },
        { "cents(properties.tiny)", "10" },
        { "cents(properties.huge)", "123456789012345678" },
        { "cents('1234567890123456.78')", "123456789012345678" },
        { "cents(1.005)", "101" },
        { "cents('-1.005')", "-101" },
        { "cents(1.004999999999999999999999999)", "100" },
        { "cents(4.35 * 100)", "43500" },
        { "cents(0.1 + 0.2)", "30" },
        { "cents(7)", "700" },
        { "cents('7')", "700" },
        { "cents('.5')", "50" },
        { "cents('1.2e3')", "120000" },
        { "cents('  12.30 ')", "1230" },
        { "cents('12,30')", "null:unreadable" },
        { "cents('')", "null:unreadable" },
        { "cents('.')", "null:unreadable" },
        { "cents('1e-1000')", "0" },
        { "cents('1e1000')", "null:overflow" },
        { "cents('92233720368547758.07')", "9223372036854775807" },
        { "cents('92233720368547758.08')", "null:overflow" },
        { "cents('-92233720368547758.08')", "-9223372036854775808" },
        { "cents(9223372036854775807)", "null:overflow" },
        { "cents(coalesce(properties.none, properties.price))", "1999" },
    };
    CHECK(EXAMPLES, "{\"price\":19.99,\"tiny\":1e-1,\"huge\":1234567890123456.78}");
}

static void test_numbers_are_rounded_and_converted(void **state)
{
    (void)state;
    static const struct example EXAMPLES[] = {
        { "abs(-5)", "5" },
        { "abs(-5.5)", "5.5" },
        { "round(2.5)", "3" },
        { "round(-2.5)", "-3" },
        { "round(2.345, 2)", "2.35" },
        { "round(1e300)", "null:overflow" },
        { "floor(-1.5)", "-2" },
        { "ceil(1.2)", "2" },
        { "floor(7)", "7" },
        { "min(3, 1, 2.5)", "1" },
        { "max('a', 'b')", "b" },
        { "max(1, properties.t)", "null:type" },
        { "int('42')", "42" },
        { "int(4.99)", "4" },
        { "int(true)", "1" },
        { "int('x')", "null:unreadable" },
        { "number('1.5') * 2", "3" },
        { "text(5) == '5'", "true" },
        { "text(0.1)", "0.1" },
        { "text(1 / 3)", "0.3333333333333333" },
    };
    CHECK(EXAMPLES, "{\"t\":\"x\"}");
}

static void test_urls_and_times_are_taken_apart(void **state)
{
    (void)state;
    static const struct example EXAMPLES[] = {
        { "host('https://user:pw@Shop.Example:8080/a/b?x=1#f')", "shop.example" },
        { "host('https://[::1]:80/')", "[::1]" },
        { "host('/a/b')", "null:unreadable" },
        { "host('//cdn.example/x')", "cdn.example" },
        { "path('https://a.example/b/c?x=1#f')", "/b/c" },
        { "path('https://a.example')", "/" },
        { "path('/b?x')", "/b" },
        { "query('https://a.example/?utm_source=news%20letter&x=2#f', 'utm_source')", "news letter" },
        { "query('/?a=1&b=&c', 'b')", "" },
        { "query('/?a=1&b=&c', 'c')", "" },
        { "query('/?a=1', 'z')", "null:missing" },
        { "hour(timestamp)", "10" },
        { "hour('1969-12-31T23:59:59Z')", "23" },
        { "day(timestamp)", "2025-01-21" },
        { "day('nonsense')", "null:unreadable" },
        { "received_at - timestamp", "877" },
    };
    CHECK(EXAMPLES, "{}");
}

/* Text, column and words: a change of either is a change for people. */
static void test_errors_name_the_column_and_what_was_expected(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t column;
        const char *message;
    } EXAMPLES[] = {
        { "", 1, "a value is missing at the end" },
        { "1 +", 4, "a value is missing at the end" },
        { "(1", 3, ") is missing at the end" },
        { "1 2", 3, "expected an operator or the end, not 2" },
        { "event_typ == 'x'", 1, "there is no field event_typ; did you mean event_type?" },
        { "page == 'x'", 1,
          "there is no field page; what an event brings along is properties.page, text stands in quotes" },
        { "lowr(event_type)", 1, "there is no function lowr; did you mean lower?" },
        { "lower(5)", 7, "lower takes text; this is a whole number" },
        { "lower()", 1, "write it as lower(text)" },
        { "lower('a', 'b')", 1, "write it as lower(text)" },
        { "1 + 'a'", 1, "+ takes numbers; texts are joined by concat(a, b)" },
        { "1 * 'a'", 5, "* takes a number; this is text" },
        { "event_type == 5", 1, "text and a whole number cannot be compared; text(), number() convert" },
        { "user_id + 1", 1, "+ takes a number; this is text" },
        { "lower(lower('a') == 'a')", 7, "lower takes text; this is true or false" },
        { "event_type == null", 1, "nothing equals null; write `is null` or `is not null`" },
        { "event_type in (1)", 16, "text is never a whole number" },
        { "event_type and true", 1, "and takes true or false; this is text" },
        { "not 5", 5, "not takes true or false; this is a whole number" },
        { "'abc", 1, "this text has no closing quote" },
        { "1.2.3", 1, "a number is digits with at most one point; durations have no place here" },
        { "30m", 1, "a number is digits with at most one point; durations have no place here" },
        { "a & b", 1, "there is no field a; what an event brings along is properties.a, text stands in quotes" },
        { "true & true", 6, "write and, or (also &&, ||)" },
        { "true ; true", 6, "this character has no meaning here; text stands in quotes" },
        { "event_type matches event_name", 20, "expected a pattern in quotes, such as '/blog/*', not event_name" },
        { "event_type is 5", 15, "expected `is null` or `is not null`, not 5" },
        { "event_type not 5", 16, "expected `in` or `matches` behind this `not`, not 5" },
        { "event_type.x", 11, "event_type has no parts; properties and context do" },
        { "properties.", 12, "a name behind the point (others are written ['as text']) is missing at the end" },
        { "'\\x'", 1, "a backslash stands before \\ ' \" n t (and * ? in patterns); write it twice to mean itself" },
        { "properties.a.b.c.d.e.f.g.h.i", 1, "a path has at most 8 names" },
        { "1e999", 1, "this number is too large" },
        { "- - 1", 3, "expected one minus at most, not -" },
        { "true < false", 1, "< and > takes a number or text; this is true or false" },
    };
    for (size_t i = 0; i < COUNT_OF(EXAMPLES); i++) {
        arena_reset(&arena);
        field_plan_init(&plan, &arena);
        if (parse(EXAMPLES[i].text))
            fail_msg("%s: has no problem", EXAMPLES[i].text);
        if (strcmp(problem.text, EXAMPLES[i].message) != 0 || problem.at + 1 != EXAMPLES[i].column)
            fail_msg("%s\n  says   %zu: %s\n  wanted %zu: %s", EXAMPLES[i].text, problem.at + 1, problem.text,
                     EXAMPLES[i].column, EXAMPLES[i].message);
    }
}

static void expect_refused(struct buf *text, const char *part)
{
    arena_reset(&arena);
    field_plan_init(&plan, &arena);
    assert_null(parse(buf_text(text)));
    if (!strstr(problem.text, part))
        fail_msg("'%s' is not in: %s", part, problem.text);
    buf_reset(text);
}

static void test_depth_length_and_count_are_bounded(void **state)
{
    (void)state;
    struct buf text;
    buf_init(&text, 1 << 20);
    for (int i = 0; i < EXPR_DEPTH_MAX + 1; i++)
        buf_add_text(&text, "(");
    expect_refused(&text, "32 deep");
    for (int i = 0; i < 600; i++)
        buf_add_text(&text, "1 + ");
    buf_add_text(&text, "1");
    expect_refused(&text, "too long");
    for (int i = 0; i < EXPR_TEXT_MAX; i++)
        buf_add_text(&text, " ");
    buf_add_text(&text, "1");
    expect_refused(&text, "at most 4096 bytes");
    buf_add_text(&text, "1 in (0");
    for (int i = 0; i < EXPR_STACK_MAX; i++)
        buf_add_text(&text, ", 1");
    buf_add_text(&text, ")");
    expect_refused(&text, "at most 64");
    for (int i = 0; i < 70; i++)
        buf_add_text(&text, "true and ");
    buf_add_text(&text, "true");
    expect_refused(&text, "fewer parts");
    buf_done(&text);
}

static void test_too_many_fields_are_refused_not_forgotten(void **state)
{
    (void)state;
    char text[32];
    arena_reset(&arena);
    field_plan_init(&plan, &arena);
    for (int i = 0; i < FIELD_PATHS_MAX; i++) {
        snprintf(text, sizeof text, "properties.f%d", i);
        assert_non_null(parse(text));
        assert_int_equal(expr_field(parse(text)), i);
    }
    assert_int_equal(plan.count, FIELD_PATHS_MAX);
    assert_null(parse("properties.one_more"));
    assert_string_equal(problem.text, "too many different fields in all expressions together");
    assert_non_null(parse("properties.f7 == 1"));
}

static void test_an_argument_ends_at_its_own_comma(void **state)
{
    (void)state;
    struct slice text = SLICE("quantile(min(1, 2) + 3, 0.95)");
    const struct expr *expr = NULL;
    size_t at = 9;
    arena_reset(&arena);
    field_plan_init(&plan, &arena);
    assert_int_equal(expr_parse_argument(text, &at, &plan, &arena, &expr, &problem), OK);
    assert_int_equal(text.p[at], ',');
    assert_int_equal(expr_eval(expr, NULL, &arena).i, 4);
}

static void canonical(const char *text, struct buf *out)
{
    const struct expr *expr = parse(text);
    assert_non_null(expr);
    buf_reset(out);
    expr_add_canonical(expr, &plan, out);
}

static void test_what_an_expression_means_does_not_depend_on_its_blanks_or_neighbours(void **state)
{
    (void)state;
    struct buf a, b;
    buf_init(&a, 4096);
    buf_init(&b, 4096);
    arena_reset(&arena);
    field_plan_init(&plan, &arena);
    canonical("properties.x=='a'", &a);
    canonical("properties.y == 1", &b);
    canonical("properties . x == \"a\"", &b);
    assert_string_equal(buf_text(&a), buf_text(&b));
    canonical("properties.x == 'b'", &b);
    assert_string_not_equal(buf_text(&a), buf_text(&b));
    canonical("properties['x'] == 'a'", &b);
    assert_string_equal(buf_text(&a), buf_text(&b));
    buf_done(&a);
    buf_done(&b);
}

static void test_a_full_arena_gives_null_not_a_crash(void **state)
{
    (void)state;
    static struct arena small;
    struct value fields[FIELD_PATHS_MAX];
    arena_reset(&arena);
    field_plan_init(&plan, &arena);
    arena_init(&small, 16);
    const struct expr *expr = parse("concat(properties.a, properties.a)");
    struct event event = EVENT;
    event.properties = SLICE("{\"a\":\"a text that is longer than the arena\"}");
    field_plan_fill(&plan, &event, &small, fields);
    struct value v = expr_eval(expr, fields, &small);
    assert_true(value_is_null(v));
    assert_int_equal(v.detail, REASON_TOO_LONG);
    arena_done(&small);
}

static int begin(void **state)
{
    (void)state;
    arena_init(&arena, 1 << 20);
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arithmetic_is_exact_and_its_limits_are_null_with_a_reason),
        cmocka_unit_test(test_unknown_is_neither_true_nor_false),
        cmocka_unit_test(test_a_branch_is_compared_as_a_whole),
        cmocka_unit_test(test_text_is_compared_cut_joined_and_matched),
        cmocka_unit_test(test_money_is_exact),
        cmocka_unit_test(test_numbers_are_rounded_and_converted),
        cmocka_unit_test(test_urls_and_times_are_taken_apart),
        cmocka_unit_test(test_errors_name_the_column_and_what_was_expected),
        cmocka_unit_test(test_depth_length_and_count_are_bounded),
        cmocka_unit_test(test_too_many_fields_are_refused_not_forgotten),
        cmocka_unit_test(test_an_argument_ends_at_its_own_comma),
        cmocka_unit_test(test_what_an_expression_means_does_not_depend_on_its_blanks_or_neighbours),
        cmocka_unit_test(test_a_full_arena_gives_null_not_a_crash),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
