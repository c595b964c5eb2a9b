#include "process/validate/field_check.h"

#include "base/timestamp.h"
#include "process/validate/text_format.h"

#define DOUBLE_WHOLE_MAX 0x1p53 /* up to here a double that is whole is the number that was meant */

const char *fault_name(enum fault fault)
{
    static const char *const NAMES[FAULTS] = {
        [FAULT_NONE] = "",
        [FAULT_BAD_TYPE] = "bad_type",
        [FAULT_BAD_FORMAT] = "bad_format",
        [FAULT_NOT_ALLOWED] = "not_allowed",
        [FAULT_UNKNOWN_FIELD] = "unknown_field",
        [FAULT_MISSING_FIELD] = "missing_field",
        [FAULT_OUT_OF_RANGE] = "out_of_range",
        [FAULT_RULE_FAILED] = "rule_failed",
        [FAULT_NO_ROOM] = "no_room",
    };
    assert(fault < FAULTS);
    return NAMES[fault];
}

static bool is_within(const struct event_field *field, int64_t whole)
{
    return !(field->min.is_set && whole < field->min.whole) && !(field->max.is_set && whole > field->max.whole);
}

/* Characters are counted only where their number is not known from that of the bytes. */
static bool is_long_enough(const struct event_field *field, struct slice text)
{
    int64_t most = (int64_t)text.n, least = most / 4;
    if ((!field->min.is_set || least >= field->min.whole) && (!field->max.is_set || most <= field->max.whole))
        return true;
    int64_t characters = 0;
    for (size_t i = 0; i < text.n; i++)
        characters += ((unsigned char)text.p[i] & 0xc0) != 0x80;
    return is_within(field, characters);
}

static enum fault check_text(const struct event_field *field, struct value value)
{
    if (value.kind != VALUE_TEXT || value.detail == VALUE_JSON)
        return FAULT_BAD_TYPE;
    struct slice text = value_slice(value);
    if (field->format != EVENT_ANY_FORMAT && !text_has_format(field->format, text))
        return FAULT_BAD_FORMAT;
    if (field->pattern.n && !expr_glob(field->pattern, text))
        return FAULT_BAD_FORMAT;
    size_t i = 0;
    while (i < field->choice_count && !slice_equal(field->choices[i], text))
        i++;
    if (field->choice_count && i == field->choice_count)
        return FAULT_NOT_ALLOWED;
    return is_long_enough(field, text) ? FAULT_NONE : FAULT_OUT_OF_RANGE;
}

/* 5.0 is a whole number, as JSON Schema has it: many clients write each number so. */
static bool to_whole(struct value value, int64_t *out)
{
    if (value.kind == VALUE_NUMBER && value.d >= -DOUBLE_WHOLE_MAX && value.d <= DOUBLE_WHOLE_MAX &&
        value.d == (double)(int64_t)value.d)
        value = value_int((int64_t)value.d);
    *out = value.i;
    return value.kind == VALUE_INT;
}

static bool is_choice(const struct event_field *field, int64_t whole)
{
    for (size_t i = 0; i < field->choice_count; i++) {
        struct value choice = value_from_decimal(field->choices[i]);
        if (choice.kind == VALUE_INT && choice.i == whole)
            return true;
    }
    return field->choice_count == 0;
}

static enum fault check_integer(const struct event_field *field, struct value value)
{
    int64_t whole;
    if (!to_whole(value, &whole))
        return FAULT_BAD_TYPE;
    if (!is_choice(field, whole))
        return FAULT_NOT_ALLOWED;
    return is_within(field, whole) ? FAULT_NONE : FAULT_OUT_OF_RANGE;
}

static enum fault check_float(const struct event_field *field, struct value value)
{
    if (value.kind != VALUE_INT && value.kind != VALUE_NUMBER)
        return FAULT_BAD_TYPE;
    double number = value_as_double(value);
    bool within =
        !(field->min.is_set && number < field->min.number) && !(field->max.is_set && number > field->max.number);
    return within ? FAULT_NONE : FAULT_OUT_OF_RANGE;
}

static enum fault check_money(const struct event_field *field, struct value value, struct value *out_cents)
{
    bool amount = value.kind == VALUE_INT || value.kind == VALUE_NUMBER ||
                  (value.kind == VALUE_TEXT && value.detail != VALUE_JSON);
    *out_cents = amount ? expr_cents(value) : value_null(REASON_TYPE);
    if (out_cents->kind != VALUE_INT)
        return FAULT_BAD_TYPE;
    return is_within(field, out_cents->i) ? FAULT_NONE : FAULT_OUT_OF_RANGE;
}

static enum fault check_timestamp(const struct event_field *field, struct value value)
{
    char digits[VALUE_DIGITS_MAX];
    int64_t ms;
    bool number = value.kind == VALUE_INT || value.kind == VALUE_NUMBER,
         text = value.kind == VALUE_TEXT && value.detail != VALUE_JSON;
    if (!(number && timestamp_parse_number(value_as_text(value, digits), &ms)) &&
        !(text && timestamp_parse(value_slice(value), &ms)))
        return FAULT_BAD_TYPE;
    return is_within(field, ms) ? FAULT_NONE : FAULT_OUT_OF_RANGE;
}

enum fault field_check_cents(const struct event_field *field, struct value cents)
{
    if (cents.kind != VALUE_INT)
        return FAULT_BAD_TYPE;
    return is_within(field, cents.i) ? FAULT_NONE : FAULT_OUT_OF_RANGE;
}

enum fault field_check(const struct event_field *field, struct value value, struct value *out_cents)
{
    if (field->kind == EVENT_MONEY)
        *out_cents = value_null(REASON_MISSING);
    if (value.kind == VALUE_NULL) {
        if (value.detail == REASON_MISSING)
            return field->required ? FAULT_MISSING_FIELD : FAULT_NONE;
        return value.detail == REASON_TOO_LONG ? FAULT_NO_ROOM : FAULT_BAD_TYPE;
    }
    switch (field->kind) {
    case EVENT_TEXT:
    case EVENT_KINDS:
        return check_text(field, value);
    case EVENT_INTEGER:
        return check_integer(field, value);
    case EVENT_FLOAT:
        return check_float(field, value);
    case EVENT_MONEY:
        return check_money(field, value, out_cents);
    case EVENT_BOOLEAN:
        return value.kind == VALUE_BOOL ? FAULT_NONE : FAULT_BAD_TYPE;
    case EVENT_TIMESTAMP:
        return check_timestamp(field, value);
    }
    return FAULT_NONE;
}
