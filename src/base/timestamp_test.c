#include "base/timestamp.h"

#include <time.h>

#include "base/test.h"

static void expect(const char *text, int64_t ms)
{
    int64_t got;
    if (!timestamp_parse(slice_from(text), &got))
        fail_msg("refused: %s", text);
    if (got != ms)
        fail_msg("%s: %ld, not %ld", text, (long)got, (long)ms);
}

static void test_every_form_of_iso_8601_that_clients_send(void **state)
{
    (void)state;
    expect("2025-01-21T10:30:00.000Z", 1737455400000);
    expect("2025-01-21T10:30:00Z", 1737455400000);
    expect("2025-01-21 10:30:00", 1737455400000);
    expect("2025-01-21t10:30z", 1737455400000);
    expect("2025-01-21T10:30:00.5Z", 1737455400500);
    expect("2025-01-21T10:30:00.123456+00:00", 1737455400123);
    expect("2025-01-21T10:30:00.123999999Z", 1737455400123);
    expect("2025-01-21T12:30:00+02:00", 1737455400000);
    expect("2025-01-21T05:00:00-0530", 1737455400000);
    expect("2025-01-21T11:30:00+01", 1737455400000);
    expect("2025-01-21", 1737417600000);
    expect("1969-12-31T23:59:59.999Z", -1);
    expect("2000-02-29T00:00:00Z", 951782400000);
    expect("1900-01-01T00:00:00Z", TIMESTAMP_MIN_MS);
    expect("1899-12-31T23:30:00-01:00", TIMESTAMP_MIN_MS + 1800000);
    expect("2299-12-31T23:59:59.999999999Z", TIMESTAMP_MAX_MS);
}

static void test_a_leap_second_is_the_second_behind_it(void **state)
{
    (void)state;
    expect("2016-12-31T23:59:60Z", 1483228800000);
    expect("2016-12-31T23:59:60.999Z", 1483228800999);
    expect("2015-06-30T23:59:60+00:00", 1435708800000);
    expect("2017-01-01T08:59:60.5+09:00", 1483228800500);
    expect("2016-12-31T18:29:60-0530", 1483228800000);
    expect("2016-02-29 23:59:60", 1456790400000);
}

static void test_what_is_no_time_is_refused(void **state)
{
    (void)state;
    static const char *const BAD[] = {
        "",
        "2025",
        "2025-1-21",
        "2025-13-01",
        "2025-00-10",
        "2025-02-29",
        "1900-02-29",
        "2100-02-29T00:00:00Z",
        "2025-04-31",
        "2025-01-21T",
        "2025-01-21T24:00:00Z",
        "2025-01-21T10:60:00Z",
        "2025-01-21T10:30:60Z",
        "2025-01-21T23:59:60Z",
        "2025-01-31T23:58:60Z",
        "2017-01-01T23:59:60+09:00",
        "2016-12-31T23:59:61Z",
        "2299-12-31T23:59:60Z",
        "2025-01-21T10:30:00.Z",
        "2025-01-21T10:30:00.1234567890Z",
        "2025-01-21T10:30:00+24:00",
        "2025-01-21T10:30:00+1",
        "2025-01-21T10:30:00+01:0",
        "2025-01-21T10:30:00ZZ",
        "2025-01-21X10:30:00Z",
        "2025-01-21T1a:30:00Z",
        "-025-01-21",
        "2025/01/21",
        "1899-12-31T23:59:59Z",
        "2300-01-01T00:00:00Z",
        "2299-12-31T23:59:59-00:01",
        "2025-01-21T10:30:00 Z",
        "20250121T103000Z",
        "2025-01-21T10",
        "2025-01-2\xc3\xa9",
    };
    int64_t ms;
    for (size_t i = 0; i < COUNT_OF(BAD); i++)
        if (timestamp_parse(slice_from(BAD[i]), &ms))
            fail_msg("accepted: '%s' as %ld", BAD[i], (long)ms);
}

static void expect_number(const char *text, int64_t ms)
{
    int64_t got;
    if (!timestamp_parse_number(slice_from(text), &got))
        fail_msg("refused: %s", text);
    if (got != ms)
        fail_msg("%s: %ld, not %ld", text, (long)got, (long)ms);
}

static void test_epoch_numbers_in_seconds_and_milliseconds(void **state)
{
    (void)state;
    expect_number("1737455400", 1737455400000);
    expect_number("1737455400000", 1737455400000);
    expect_number("1737455400.123", 1737455400123);
    expect_number("1737455400.1239999999999999999999", 1737455400123);
    expect_number("1737455400123.75", 1737455400123);
    expect_number("1.7374554e9", 1737455400000);
    expect_number("17374554E+2", 1737455400000);
    expect_number("17374554000000e-1", 1737455400000);
    expect_number("0", 0);
    expect_number("-0", 0);
    expect_number("-0.0001", -1);
    expect_number("-1", -1000);
    expect_number("0e999999999999", 0);
    static const char *const BAD[] = {
        "",   "-",     "1e999",       "99999999999999999999", "1737455400000000",        "1.", ".5", "1e", "1e+",
        "1x", "1.2.3", "10413792000", "-2208988801",          "123456789012345678901234"
    };
    int64_t ms;
    for (size_t i = 0; i < COUNT_OF(BAD); i++)
        if (timestamp_parse_number(slice_from(BAD[i]), &ms))
            fail_msg("accepted: '%s' as %ld", BAD[i], (long)ms);
}

/* Every day of the range, against libc as the oracle, there and back. */
static void test_every_day_of_four_centuries_goes_there_and_back(void **state)
{
    (void)state;
    for (int64_t ms = TIMESTAMP_MIN_MS + 45296789; ms <= TIMESTAMP_MAX_MS; ms += 86400000) {
        char text[TIMESTAMP_TEXT_BYTES], oracle[80];
        timestamp_format(ms, text);
        time_t seconds = (time_t)((ms - 789) / 1000);
        struct tm tm;
        assert_non_null(gmtime_r(&seconds, &tm));
        size_t n = strftime(oracle, sizeof oracle, "%Y-%m-%dT%H:%M:%S.789Z", &tm);
        assert_int_equal(n, TIMESTAMP_TEXT_BYTES);
        assert_memory_equal(text, oracle, TIMESTAMP_TEXT_BYTES);
        int64_t back;
        assert_true(timestamp_parse(slice_of(text, sizeof text), &back));
        assert_int_equal(back, ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_form_of_iso_8601_that_clients_send),
        cmocka_unit_test(test_a_leap_second_is_the_second_behind_it),
        cmocka_unit_test(test_what_is_no_time_is_refused),
        cmocka_unit_test(test_epoch_numbers_in_seconds_and_milliseconds),
        cmocka_unit_test(test_every_day_of_four_centuries_goes_there_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
