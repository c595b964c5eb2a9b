#include "process/validate/field_check.h"

#include "base/test.h"
#include "process/validate/text_format.h"

static struct value text(const char *s)
{
    return value_text(slice_from(s));
}

static struct value number(const char *digits)
{
    return value_from_decimal(slice_from(digits));
}

static struct value object(void)
{
    struct value v = text("{\"a\":1}");
    v.detail = VALUE_JSON;
    return v;
}

static enum fault check(enum event_kind kind, struct value value)
{
    const struct event_field field = { .kind = kind };
    struct value cents;
    return field_check(&field, value, &cents);
}

/* Every kind × every kind of value that JSON can have. */
static void test_each_kind_takes_its_own_values_alone(void **state)
{
    (void)state;
    const struct value values[] = { value_bool(true), number("7"),
                                    number("7.5"),    text("word"),
                                    text("19.99"),    text("2026-01-31T10:00:00Z"),
                                    object(),         value_null(REASON_UNREADABLE) };
    static const struct {
        enum event_kind kind;
        const char *fits; /* by place in values */
    } CASES[] = {
        { EVENT_TEXT, "---111--" },  { EVENT_INTEGER, "-1------" }, { EVENT_FLOAT, "-11-----" },
        { EVENT_MONEY, "-11-1---" }, { EVENT_BOOLEAN, "1-------" }, { EVENT_TIMESTAMP, "-11--1--" },
    };
    for (size_t k = 0; k < COUNT_OF(CASES); k++)
        for (size_t v = 0; v < COUNT_OF(values); v++) {
            enum fault wanted = CASES[k].fits[v] == '1' ? FAULT_NONE : FAULT_BAD_TYPE;
            if (check(CASES[k].kind, values[v]) != wanted)
                fail_msg("%s with value %zu is not '%s'", event_kind_name(CASES[k].kind), v, fault_name(wanted));
        }
}

static void test_a_missing_value_is_a_fault_where_it_is_required(void **state)
{
    (void)state;
    struct value cents;
    for (int kind = 0; kind < EVENT_KINDS; kind++) {
        struct event_field field = { .kind = (enum event_kind)kind, .min = { true, 5, 5 }, .format = EVENT_EMAIL };
        assert_int_equal(field_check(&field, value_null(REASON_MISSING), &cents), FAULT_NONE);
        field.required = true;
        assert_int_equal(field_check(&field, value_null(REASON_MISSING), &cents), FAULT_MISSING_FIELD);
    }
}

static void test_text_for_which_the_batch_had_no_room_is_not_the_events_fault(void **state)
{
    (void)state;
    assert_int_equal(check(EVENT_TEXT, value_null(REASON_TOO_LONG)), FAULT_NO_ROOM);
}

static void test_a_whole_number_may_be_written_with_a_point(void **state)
{
    (void)state;
    assert_int_equal(check(EVENT_INTEGER, number("5.0")), FAULT_NONE);
    assert_int_equal(check(EVENT_INTEGER, number("5e3")), FAULT_NONE);
    assert_int_equal(check(EVENT_INTEGER, number("9223372036854775807")), FAULT_NONE);
    assert_int_equal(check(EVENT_INTEGER, number("9223372036854775808")), FAULT_BAD_TYPE);
    assert_int_equal(check(EVENT_INTEGER, number("1e300")), FAULT_BAD_TYPE);
}

static int64_t cents_of(struct value value)
{
    const struct event_field field = { .kind = EVENT_MONEY };
    struct value cents;
    assert_int_equal(field_check(&field, value, &cents), FAULT_NONE);
    assert_int_equal(cents.kind, VALUE_INT);
    return cents.i;
}

static void test_money_is_exact(void **state)
{
    (void)state;
    assert_int_equal(cents_of(number("19.99")), 1999);
    assert_int_equal(cents_of(text("19.99")), 1999);
    assert_int_equal(cents_of(number("0.1")) + cents_of(number("0.2")), cents_of(number("0.3")));
    assert_int_equal(cents_of(number("90071992547409.93")), 9007199254740993);
    assert_int_equal(cents_of(number("-5")), -500);
    assert_int_equal(check(EVENT_MONEY, text("19,99")), FAULT_BAD_TYPE);
    assert_int_equal(check(EVENT_MONEY, text("")), FAULT_BAD_TYPE);
    assert_int_equal(check(EVENT_MONEY, number("1e300")), FAULT_BAD_TYPE);
}

static void expect_range(const struct event_field *field, struct value value, bool within)
{
    struct value cents;
    assert_int_equal(field_check(field, value, &cents), within ? FAULT_NONE : FAULT_OUT_OF_RANGE);
}

static void test_bounds_are_inclusive_and_exact(void **state)
{
    (void)state;
    const struct event_field level = { .kind = EVENT_INTEGER, .min = { true, 1, 0 }, .max = { true, 100, 0 } },
                             weight = { .kind = EVENT_FLOAT, .min = { true, 0, 0.5 }, .max = { true, 0, 1.5 } },
                             amount = { .kind = EVENT_MONEY, .min = { true, 0, 0 }, .max = { true, 1000000, 0 } },
                             name = { .kind = EVENT_TEXT, .min = { true, 2, 0 }, .max = { true, 3, 0 } },
                             when = { .kind = EVENT_TIMESTAMP, .min = { true, 1769904000000, 0 } };
    expect_range(&level, number("1"), true);
    expect_range(&level, number("100"), true);
    expect_range(&level, number("0"), false);
    expect_range(&level, number("101"), false);
    expect_range(&weight, number("0.5"), true);
    expect_range(&weight, number("1"), true);
    expect_range(&weight, number("1.5000001"), false);
    expect_range(&amount, number("10000.00"), true);
    expect_range(&amount, number("10000.01"), false);
    expect_range(&amount, number("-0.01"), false);
    expect_range(&name, text("ab"), true);
    expect_range(&name, text("a"), false);
    expect_range(&name, text("abcd"), false);
    expect_range(&name, text("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"), true); /* three characters, nine bytes */
    expect_range(&name, text("\xf0\x9f\x98\x80"), false);                    /* one, four bytes */
    expect_range(&when, text("2026-02-01T00:00:00Z"), true);
    expect_range(&when, text("2026-01-31T23:59:59.999Z"), false);
    expect_range(&when, number("1769903999"), false);
}

static void test_only_the_values_that_are_listed_are_allowed(void **state)
{
    (void)state;
    const struct slice words[] = { SLICE("new"), SLICE("used") }, numbers[] = { SLICE("1"), SLICE("-20") };
    const struct event_field condition = { .kind = EVENT_TEXT, .choices = words, .choice_count = 2 },
                             code = { .kind = EVENT_INTEGER, .choices = numbers, .choice_count = 2 };
    struct value cents;
    assert_int_equal(field_check(&condition, text("used"), &cents), FAULT_NONE);
    assert_int_equal(field_check(&condition, text("Used"), &cents), FAULT_NOT_ALLOWED);
    assert_int_equal(field_check(&condition, text(""), &cents), FAULT_NOT_ALLOWED);
    assert_int_equal(field_check(&code, number("-20"), &cents), FAULT_NONE);
    assert_int_equal(field_check(&code, number("1.0"), &cents), FAULT_NONE);
    assert_int_equal(field_check(&code, number("2"), &cents), FAULT_NOT_ALLOWED);
}

static void test_a_pattern_is_that_of_matches(void **state)
{
    (void)state;
    const struct event_field coupon = { .kind = EVENT_TEXT, .pattern = SLICE("C-*") };
    struct value cents;
    assert_int_equal(field_check(&coupon, text("C-10"), &cents), FAULT_NONE);
    assert_int_equal(field_check(&coupon, text("c-10"), &cents), FAULT_BAD_FORMAT);
}

static void test_formats(void **state)
{
    (void)state;
    static const struct {
        enum event_format format;
        bool fits;
        const char *text;
    } CASES[] = {
        { EVENT_EMAIL, true, "ann@example.org" },
        { EVENT_EMAIL, true, "a.b+c@mail.example.co.uk" },
        { EVENT_EMAIL, true, "j\xc3\xbcrgen@b\xc3\xbc\x63her.example" },
        { EVENT_EMAIL, false, "ann@localhost" },
        { EVENT_EMAIL, false, "ann@" },
        { EVENT_EMAIL, false, "@example.org" },
        { EVENT_EMAIL, false, "a@b@example.org" },
        { EVENT_EMAIL, false, "an n@example.org" },
        { EVENT_EMAIL, false, "ann@example..org" },
        { EVENT_EMAIL, false, "ann@.org" },
        { EVENT_EMAIL, false, "ann@example.org." },
        { EVENT_EMAIL, false, "<ann@example.org>" },
        { EVENT_EMAIL, false, "" },
        { EVENT_URL, true, "https://example.org/a?b=c#d" },
        { EVENT_URL, true, "app+x://screen" },
        { EVENT_URL, false, "example.org" },
        { EVENT_URL, false, "https://" },
        { EVENT_URL, false, "https:///path" },
        { EVENT_URL, false, "https://exa mple.org" },
        { EVENT_URL, false, "1a://x" },
        { EVENT_URL, false, "" },
        { EVENT_UUID, true, "0190a5c0-7b3e-7c4d-8a5b-0123456789aB" },
        { EVENT_UUID, false, "0190a5c07b3e7c4d8a5b0123456789ab" },
        { EVENT_DATE, true, "2024-02-29" },
        { EVENT_DATE, false, "2026-02-29" },
        { EVENT_DATE, false, "2026-2-1" },
        { EVENT_DATE, false, "2026-01-31T00:00:00Z" },
        { EVENT_COUNTRY, true, "DE" },
        { EVENT_COUNTRY, false, "de" },
        { EVENT_COUNTRY, false, "DEU" },
        { EVENT_CURRENCY, true, "EUR" },
        { EVENT_CURRENCY, false, "EU" },
        { EVENT_IP, true, "203.0.113.7" },
        { EVENT_IP, true, "2001:db8::1" },
        { EVENT_IP, false, "203.0.113.256" },
        { EVENT_IP, false, "203.0.113" },
        { EVENT_IP, false, "" },
        { EVENT_ANY_FORMAT, true, "" },
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++)
        if (text_has_format(CASES[i].format, slice_from(CASES[i].text)) != CASES[i].fits)
            fail_msg("%s %s", event_format_name(CASES[i].format), CASES[i].text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_kind_takes_its_own_values_alone),
        cmocka_unit_test(test_a_missing_value_is_a_fault_where_it_is_required),
        cmocka_unit_test(test_text_for_which_the_batch_had_no_room_is_not_the_events_fault),
        cmocka_unit_test(test_a_whole_number_may_be_written_with_a_point),
        cmocka_unit_test(test_money_is_exact),
        cmocka_unit_test(test_bounds_are_inclusive_and_exact),
        cmocka_unit_test(test_only_the_values_that_are_listed_are_allowed),
        cmocka_unit_test(test_a_pattern_is_that_of_matches),
        cmocka_unit_test(test_formats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
