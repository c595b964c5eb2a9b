#include "base/options.h"

#include <stdio.h>
#include <string.h>

struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit BYTE_UNITS[] = {
    { "", 1 },
    { "B", 1 },
    { "k", 1024 },
    { "KiB", 1024 },
    { "kB", 1000 },
    { "M", 1 << 20 },
    { "MiB", 1 << 20 },
    { "MB", 1000000 },
    { "G", 1 << 30 },
    { "GiB", 1 << 30 },
    { "GB", 1000000000 },
    { "TiB", 1LL << 40 },
    { "T", 1LL << 40 },
    { "TB", 1000000000000 },
};
static const struct unit TIME_UNITS[] = { { "ms", 1 },      { "s", 1000 },     { "m", 60000 },      { "min", 60000 },
                                          { "h", 3600000 }, { "d", 86400000 }, { "days", 86400000 } };
static const struct unit NO_UNITS[] = { { "", 1 } };

const struct option *option_find(struct option_table table, struct slice key)
{
    for (size_t i = 0; i < table.count; i++)
        if (slice_equal(key, slice_from(table.rows[i].key)))
            return table.rows + i; /* into the table itself, which outlives all of this */
    return NULL;
}

bool option_is_section(struct option_table table, struct slice path)
{
    for (size_t i = 0; i < table.count; i++) {
        struct slice key = slice_from(table.rows[i].key);
        if (key.n > path.n && slice_starts(key, path) && key.p[path.n] == '.')
            return true;
    }
    return false;
}

const char *option_closest(struct option_table table, struct slice key)
{
    const char *best = NULL;
    size_t best_distance = key.n / 3 + 2;
    for (size_t i = 0; i < table.count; i++) {
        size_t d = slice_distance(key, slice_from(table.rows[i].key));
        if (d < best_distance) {
            best_distance = d;
            best = table.rows[i].key;
        }
    }
    return best;
}

/* "64 MiB" → 64 × 2^20. False when the number or the unit is not understood or it overflows. */
static bool parse_number(struct slice text, const struct unit *units, size_t unit_count, int64_t *out_value)
{
    bool negative = text.n && text.p[0] == '-';
    if (negative)
        text = slice_after(text, 1);
    size_t digits = 0;
    while (digits < text.n && text.p[digits] >= '0' && text.p[digits] <= '9')
        digits++;
    uint64_t number;
    if (!slice_to_u64(slice_of(text.p, digits), &number) || number > INT64_MAX)
        return false;
    struct slice unit = slice_trim(slice_after(text, digits));
    for (size_t i = 0; i < unit_count; i++) {
        if (!slice_equal(unit, slice_from(units[i].name)))
            continue;
        int64_t value;
        if (__builtin_mul_overflow((int64_t)number, units[i].factor, &value))
            return false;
        *out_value = negative ? -value : value;
        return true;
    }
    return false;
}

static enum status set_number(const struct option *option, void *field, struct slice text, struct error *err)
{
    const struct unit *units = NO_UNITS;
    size_t unit_count = COUNT_OF(NO_UNITS);
    const char *example = "a whole number, like 100";
    if (option->kind == OPTION_BYTES) {
        units = BYTE_UNITS;
        unit_count = COUNT_OF(BYTE_UNITS);
        example = "a size, like 64 MiB or 1048576";
    } else if (option->kind == OPTION_DURATION) {
        units = TIME_UNITS;
        unit_count = COUNT_OF(TIME_UNITS);
        example = "a time with its unit, like 250ms, 10s, 5m, 24h or 7d";
    }
    int64_t value;
    if (!parse_number(text, units, unit_count, &value))
        return error_set(err, ERR_INVALID, "%s: '%.*s' is not %s", option->key, SLICE_ARG(text), example);
    if ((option->min || option->max) && (value < option->min || value > option->max))
        return error_set(err, ERR_INVALID, "%s: %.*s is outside %ld to %ld", option->key, SLICE_ARG(text), option->min,
                         option->max);
    memcpy(field, &value, sizeof value);
    return OK;
}

/* "99.99 %" → 999900. No more digits than a millionth has; false also beyond the whole. */
static bool parse_share(struct slice text, int64_t *out_value)
{
    const bool percent = text.n && text.p[text.n - 1] == '%';
    if (percent)
        text = slice_trim(slice_of(text.p, text.n - 1));
    int64_t value = 0, unit = percent ? OPTION_WHOLE / 100 : OPTION_WHOLE;
    bool is_fraction = false, has_digit = false;
    for (size_t i = 0; i < text.n; i++) {
        const char c = text.p[i];
        if (c == '.' && !is_fraction && has_digit) {
            is_fraction = true;
            continue;
        }
        if (c < '0' || c > '9' || (is_fraction && unit < 10) || value > OPTION_WHOLE)
            return false;
        has_digit = true;
        unit /= is_fraction ? 10 : 1;
        value = is_fraction ? value + (c - '0') * unit : value * 10 + (c - '0') * unit;
    }
    if (!has_digit || value > OPTION_WHOLE)
        return false;
    *out_value = value;
    return true;
}

static enum status set_share(const struct option *option, void *field, struct slice text, struct error *err)
{
    int64_t value;
    if (!parse_share(text, &value))
        return error_set(err, ERR_INVALID,
                         "%s: '%.*s' is not a share of 0 to 1 with at most 6 decimals, like 0.9999 or 99.99 %%",
                         option->key, SLICE_ARG(text));
    memcpy(field, &value, sizeof value);
    return OK;
}

static bool choice_has(const char *choices, struct slice text)
{
    while (*choices) {
        size_t n = strcspn(choices, "|");
        if (slice_equal(text, slice_of(choices, n)))
            return true;
        choices += n + (choices[n] == '|');
    }
    return false;
}

static enum status refuse_choice(const struct option *option, struct slice text, struct error *err)
{
    size_t best_distance = text.n / 3 + 2;
    struct slice best = { 0 };
    for (const char *at = option->choices; *at; at += at[0] == '|') {
        struct slice choice = slice_of(at, strcspn(at, "|"));
        size_t d = slice_distance(text, choice);
        if (d < best_distance) {
            best_distance = d;
            best = choice;
        }
        at += choice.n;
    }
    return error_set(err, ERR_INVALID, "%s: '%.*s' is not one of %s%s%.*s%s", option->key, SLICE_ARG(text),
                     option->choices, best.n ? "; did you mean " : "", SLICE_ARG(best), best.n ? "?" : "");
}

/* Each of a list's items is one of the choices. */
static enum status check_items(const struct option *option, struct slice list, struct error *err)
{
    while (list.n) {
        const char *comma = memchr(list.p, ',', list.n);
        size_t n = comma ? (size_t)(comma - list.p) : list.n;
        struct slice item = slice_trim(slice_of(list.p, n));
        if (!choice_has(option->choices, item))
            return refuse_choice(option, item, err);
        list = slice_after(list, comma ? n + 1 : n);
    }
    return OK;
}

enum status option_set(const struct option *option, void *settings, struct slice text, struct error *err)
{
    char *field = (char *)settings + option->offset;
    bool yes = slice_equal(text, SLICE("true"));
    switch (option->kind) {
    case OPTION_INTEGER:
    case OPTION_BYTES:
    case OPTION_DURATION:
        return set_number(option, field, text, err);
    case OPTION_SHARE:
        return set_share(option, field, text, err);
    case OPTION_BOOLEAN:
        if (!yes && !slice_equal(text, SLICE("false")))
            return error_set(err, ERR_INVALID, "%s: '%.*s' is neither true nor false", option->key, SLICE_ARG(text));
        memcpy(field, &yes, sizeof yes);
        return OK;
    case OPTION_CHOICE:
        if (!choice_has(option->choices, text))
            return refuse_choice(option, text, err);
        break;
    case OPTION_TEXT:
        if (option->choices && check_items(option, text, err) != OK)
            return ERR_INVALID;
        break;
    case OPTION_SECRET:
        break;
    }
    if (text.n > OPTION_TEXT_MAX || (text.n && memchr(text.p, '\0', text.n)))
        return error_set(err, ERR_INVALID, "%s: at most %d bytes, without NUL", option->key, OPTION_TEXT_MAX);
    if (text.n)
        memcpy(field, text.p, text.n);
    field[text.n] = '\0';
    return OK;
}

void options_set_defaults(struct option_table table, void *settings)
{
    for (size_t i = 0; i < table.count; i++) {
        enum status s = option_set(&table.rows[i], settings, slice_from(table.rows[i].default_text), NULL);
        assert(s == OK);
        (void)s;
    }
}

static void format_with_unit(int64_t value, const struct unit *units, size_t unit_count, char *to, size_t n)
{
    const struct unit *best = &units[0];
    for (size_t i = 0; i < unit_count; i++)
        if (value && value % units[i].factor == 0 && units[i].factor > best->factor)
            best = &units[i];
    snprintf(to, n, best->name[0] ? "%ld %s" : "%ld%s", value / best->factor, best->name);
}

/* 999900 → "0.9999" */
static void format_share(int64_t value, char *to, size_t n)
{
    char digits[32];
    int length = snprintf(digits, sizeof digits, "%lld.%06lld", (long long)value / OPTION_WHOLE,
                          (long long)value % OPTION_WHOLE);
    while (digits[length - 1] == '0')
        length--;
    length -= digits[length - 1] == '.';
    snprintf(to, n, "%.*s", length, digits);
}

void option_format(const struct option *option, const void *settings, char *to, size_t n)
{
    const char *field = (const char *)settings + option->offset;
    int64_t value = 0;
    bool yes = false;
    static const struct unit BYTES_OUT[] = { { "", 1 }, { "KiB", 1024 }, { "MiB", 1 << 20 }, { "GiB", 1 << 30 } };
    static const struct unit TIME_OUT[] = {
        { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 }
    };
    switch (option->kind) {
    case OPTION_INTEGER:
        memcpy(&value, field, sizeof value);
        snprintf(to, n, "%ld", value);
        return;
    case OPTION_BYTES:
        memcpy(&value, field, sizeof value);
        format_with_unit(value, BYTES_OUT, COUNT_OF(BYTES_OUT), to, n);
        return;
    case OPTION_DURATION:
        memcpy(&value, field, sizeof value);
        format_with_unit(value, TIME_OUT, COUNT_OF(TIME_OUT), to, n);
        return;
    case OPTION_SHARE:
        memcpy(&value, field, sizeof value);
        format_share(value, to, n);
        return;
    case OPTION_BOOLEAN:
        memcpy(&yes, field, sizeof yes);
        snprintf(to, n, "%s", yes ? "true" : "false");
        return;
    case OPTION_SECRET:
        snprintf(to, n, "%s", field[0] ? "***" : "");
        return;
    case OPTION_TEXT:
    case OPTION_CHOICE:
        snprintf(to, n, "%s", field);
        return;
    }
}

static size_t field_bytes(enum option_kind kind)
{
    switch (kind) {
    case OPTION_INTEGER:
    case OPTION_BYTES:
    case OPTION_DURATION:
    case OPTION_SHARE:
        return sizeof(int64_t);
    case OPTION_BOOLEAN:
        return sizeof(bool);
    case OPTION_TEXT:
    case OPTION_SECRET:
    case OPTION_CHOICE:
        return OPTION_TEXT_MAX + 1;
    }
    return 0;
}

bool option_equal(const struct option *option, const void *a, const void *b)
{
    const char *field_a = (const char *)a + option->offset, *field_b = (const char *)b + option->offset;
    size_t n = field_bytes(option->kind);
    return n > sizeof(int64_t) ? strcmp(field_a, field_b) == 0 : memcmp(field_a, field_b, n) == 0;
}

void option_copy(const struct option *option, const void *from, void *to)
{
    memcpy((char *)to + option->offset, (const char *)from + option->offset, field_bytes(option->kind));
}
