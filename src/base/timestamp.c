/* Days are counted by the civil-calendar arithmetic of 400-year eras (146,097 days), with the year beginning in March,
 * so that the leap day is the last and no table is needed. Every event passes here, so digits are read in place at
 * fixed columns; the rare forms come after. */
#include "base/timestamp.h"

#define DAY_MS 86400000

static int64_t days_from_civil(int year, unsigned month, unsigned day)
{
    year -= month <= 2;
    int era = year / 400; /* years from 1900 on: never negative */
    unsigned year_of_era = (unsigned)(year - era * 400);
    unsigned day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return (int64_t)era * 146097 + (int64_t)day_of_era - 719468;
}

static bool month_has_day(int year, unsigned month, unsigned day)
{
    static const uint8_t DAYS[13] = { 0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    if (month < 1 || month > 12 || day < 1)
        return false;
    bool leap = month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return day <= DAYS[month] + (leap ? 1u : 0u);
}

/* The value of two digits, or something above 99. */
static inline unsigned two(const char *p)
{
    unsigned tens = (unsigned char)p[0] - '0', ones = (unsigned char)p[1] - '0';
    return tens <= 9 && ones <= 9 ? tens * 10 + ones : 100;
}

static bool parse_date(const char *p, int64_t *out_days)
{
    unsigned century = two(p), year_in_century = two(p + 2), month = two(p + 5), day = two(p + 8);
    if (century > 99 || year_in_century > 99 || p[4] != '-' || p[7] != '-')
        return false;
    int year = (int)(century * 100 + year_in_century);
    if (year < 1899 || year > 2300 || !month_has_day(year, month, day)) /* one year more: an offset may bring it back */
        return false;
    *out_days = days_from_civil(year, month, day);
    return true;
}

/* .f to .fffffffff at *at; leaves *at behind it. */
static bool parse_fraction(struct slice text, size_t *at, unsigned *out_ms)
{
    unsigned ms = 0;
    size_t digits = 0, i = *at + 1;
    for (; i < text.n && (unsigned char)(text.p[i] - '0') <= 9; i++, digits++)
        if (digits < 3)
            ms = ms * 10 + (unsigned)(text.p[i] - '0');
    if (digits < 1 || digits > 9)
        return false;
    *out_ms = digits == 1 ? ms * 100 : digits == 2 ? ms * 10 : ms;
    *at = i;
    return true;
}

/* What stands behind the time of day: nothing, Z, ±hh, ±hhmm or ±hh:mm. */
static bool parse_zone(const char *p, size_t n, int *out_minutes)
{
    if (n == 0 || (n == 1 && (*p == 'Z' || *p == 'z'))) {
        *out_minutes = 0;
        return true;
    }
    if ((*p != '+' && *p != '-') || (n != 3 && n != 5 && !(n == 6 && p[3] == ':')))
        return false;
    unsigned hours = two(p + 1), minutes = n == 3 ? 0 : two(p + n - 2);
    if (hours > 23 || minutes > 59)
        return false;
    int sum = (int)(hours * 60 + minutes);
    *out_minutes = *p == '-' ? -sum : sum;
    return true;
}

static bool in_range(int64_t ms)
{
    return ms >= TIMESTAMP_MIN_MS && ms <= TIMESTAMP_MAX_MS;
}

/* Whether the instant behind a second 60 is one that a leap second can come before: the first of a month in UTC. */
static bool follows_leap_second(int64_t ms)
{
    char text[TIMESTAMP_TEXT_BYTES];
    timestamp_format(ms, text);
    return memcmp(text + 7, "-01T00:00:00", 12) == 0;
}

bool timestamp_parse(struct slice text, int64_t *out_ms)
{
    int64_t days;
    const char *p = text.p;
    if (text.n < 10 || !parse_date(p, &days))
        return false;
    unsigned hour = 0, minute = 0, second = 0, fraction = 0;
    int zone = 0;
    if (text.n > 10) {
        if (text.n < 16 || (p[10] != 'T' && p[10] != ' ' && p[10] != 't') || p[13] != ':')
            return false;
        hour = two(p + 11);
        minute = two(p + 14);
        size_t at = 16;
        if (text.n >= 19 && p[16] == ':') {
            second = two(p + 17);
            at = 19;
            if (text.n > 19 && p[19] == '.' && !parse_fraction(text, &at, &fraction))
                return false;
        }
        if (hour > 23 || minute > 59 || second > 60 || !parse_zone(p + at, text.n - at, &zone))
            return false;
    }
    int64_t ms = days * DAY_MS + ((int64_t)hour * 3600 + (int64_t)minute * 60 + second) * 1000 + fraction;
    ms -= (int64_t)zone * 60000;
    if (!in_range(ms) || (second == 60 && !follows_leap_second(ms)))
        return false;
    *out_ms = ms;
    return true;
}

/* A number as mantissa × 10^exponent. At most 18 digits are kept; what is cut behind the point is below anything that
 * matters here. */
struct decimal {
    bool negative;
    uint64_t mantissa;
    int exponent;
};

static bool parse_exponent(const char *p, size_t n, int *out)
{
    bool negative = n && *p == '-';
    size_t i = n && (*p == '-' || *p == '+') ? 1 : 0;
    int value = 0;
    if (i == n)
        return false;
    for (; i < n; i++) {
        unsigned digit = (unsigned char)p[i] - '0';
        if (digit > 9)
            return false;
        value = value > 1000 ? value : value * 10 + (int)digit;
    }
    *out = negative ? -value : value;
    return true;
}

static bool parse_decimal(struct slice text, struct decimal *out)
{
    struct decimal d = { .negative = text.n && text.p[0] == '-' };
    size_t i = d.negative, digits = 0;
    bool point = false;
    for (; i < text.n; i++) {
        unsigned digit = (unsigned char)text.p[i] - '0';
        if (text.p[i] == '.' && !point && digits) {
            point = true;
        } else if (digit <= 9) {
            digits++;
            if (d.mantissa < 100000000000000000) {
                d.mantissa = d.mantissa * 10 + digit;
                d.exponent -= point;
            } else {
                d.exponent += !point;
            }
        } else {
            break;
        }
    }
    int shift = 0;
    if (!digits || text.p[i - 1] == '.')
        return false;
    if (i < text.n &&
        ((text.p[i] != 'e' && text.p[i] != 'E') || !parse_exponent(text.p + i + 1, text.n - i - 1, &shift)))
        return false;
    d.exponent += shift;
    *out = d;
    return true;
}

/* mantissa × 10^exponent, rounded towards the past; INT64_MAX when it is beyond anything that we take. */
static int64_t decimal_floor(struct decimal d, int exponent)
{
    uint64_t value = d.mantissa;
    bool cut = false;
    for (; exponent > 0 && value; exponent--) {
        if (value > 1000000000000000)
            return INT64_MAX;
        value *= 10;
    }
    for (; exponent < 0 && value; exponent++) {
        cut |= value % 10 != 0;
        value /= 10;
    }
    return d.negative ? -(int64_t)(value + cut) : (int64_t)value;
}

bool timestamp_parse_number(struct slice text, int64_t *out_ms)
{
    struct decimal d;
    if (!parse_decimal(text, &d))
        return false;
    int64_t whole = decimal_floor(d, d.exponent);
    bool seconds = whole < 100000000000 && whole > -100000000000;
    int64_t ms = seconds ? decimal_floor(d, d.exponent + 3) : whole;
    if (!in_range(ms))
        return false;
    *out_ms = ms;
    return true;
}

static void put_digits(char *to, unsigned value, int width)
{
    for (int i = width - 1; i >= 0; i--, value /= 10)
        to[i] = (char)('0' + value % 10);
}

void timestamp_format(int64_t ms, char to[TIMESTAMP_TEXT_BYTES])
{
    assert(in_range(ms));
    int64_t days = ms >= 0 ? ms / DAY_MS : -((-ms + DAY_MS - 1) / DAY_MS);
    unsigned rest = (unsigned)(ms - days * DAY_MS);
    unsigned since_era = (unsigned)(days + 719468); /* from 0000-03-01: never negative here */
    unsigned era = since_era / 146097, day_of_era = since_era % 146097;
    unsigned year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned shifted = (5 * day_of_year + 2) / 153, month = shifted < 10 ? shifted + 3 : shifted - 9;
    unsigned year = year_of_era + era * 400 + (month <= 2);
    memcpy(to, "0000-00-00T00:00:00.000Z", TIMESTAMP_TEXT_BYTES);
    put_digits(to, year, 4);
    put_digits(to + 5, month, 2);
    put_digits(to + 8, day_of_year - (153 * shifted + 2) / 5 + 1, 2);
    put_digits(to + 11, rest / 3600000, 2);
    put_digits(to + 14, rest / 60000 % 60, 2);
    put_digits(to + 17, rest / 1000 % 60, 2);
    put_digits(to + 20, rest % 1000, 3);
}
