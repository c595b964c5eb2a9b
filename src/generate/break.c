/* What is broken is wrong for one reason only, where that can be had: a number beyond its bounds is not also of the
 * wrong type, so that what validation says of the event can be compared with what was done to it. */
#include "generate/break.h"

#include <math.h>

#include "base/timestamp.h"
#include "generate/draw.h"

#define RULE_TRIES 4

const char *break_kind_name(enum break_kind kind)
{
    static const char *const NAMES[BREAK_KINDS] = { "type",    "values",   "format", "pattern",
                                                    "unknown", "required", "range",  "rule" };
    assert(kind < BREAK_KINDS);
    return NAMES[kind];
}

/* ---- what can be broken ---- */

static bool above_fits(const struct event_field *field)
{
    switch (field->kind) {
    case EVENT_TEXT:
        return field->max.is_set && field->max.whole < MADE_TEXT_MAX;
    case EVENT_INTEGER:
    case EVENT_MONEY:
        return field->max.is_set && field->max.whole < INT64_MAX - 1000000;
    case EVENT_FLOAT:
        return field->max.is_set && fabs(field->max.number) < 1e15;
    case EVENT_TIMESTAMP:
        return field->max.is_set && field->max.whole < TIMESTAMP_MAX_MS - 1000000;
    case EVENT_BOOLEAN:
    case EVENT_KINDS:
        break;
    }
    return false;
}

static bool below_fits(const struct event_field *field)
{
    switch (field->kind) {
    case EVENT_TEXT:
        return field->min.is_set && field->min.whole > 0 && field->min.whole <= MADE_TEXT_MAX;
    case EVENT_INTEGER:
    case EVENT_MONEY:
        return field->min.is_set && field->min.whole > INT64_MIN + 1000000;
    case EVENT_FLOAT:
        return field->min.is_set && fabs(field->min.number) < 1e15;
    case EVENT_TIMESTAMP:
        return field->min.is_set && field->min.whole > TIMESTAMP_MIN_MS + 1000000;
    case EVENT_BOOLEAN:
    case EVENT_KINDS:
        break;
    }
    return false;
}

static bool can_break(const struct event_field *field, enum break_kind kind)
{
    switch (kind) {
    case BREAK_TYPE:
        return true;
    case BREAK_VALUES:
        return field->choice_count > 0 && !field->pattern.n && !field->format;
    case BREAK_FORMAT:
        return field->format != EVENT_ANY_FORMAT && !field->choice_count && !field->pattern.n;
    case BREAK_PATTERN:
        return field->pattern.n && !field->choice_count && !field->format && !expr_glob(field->pattern, SLICE("!"));
    case BREAK_REQUIRED:
        return field->required;
    case BREAK_RANGE:
        return !field->choice_count && !field->pattern.n && !field->format && (above_fits(field) || below_fits(field));
    case BREAK_UNKNOWN:
    case BREAK_RULE:
    case BREAK_KINDS:
        break;
    }
    return false;
}

static size_t of_kind(const struct event_type *type, enum break_kind kind)
{
    if (kind == BREAK_UNKNOWN)
        return type->strict;
    return kind == BREAK_RULE ? type->rule_count : type->field_count;
}

size_t break_places(const struct type_plan *plan, struct breaker *out)
{
    const struct event_type *type = plan->type;
    size_t count = 0;
    for (int kind = 0; kind < BREAK_KINDS; kind++)
        for (size_t i = 0; i < of_kind(type, (enum break_kind)kind); i++) {
            if (kind != BREAK_UNKNOWN && kind != BREAK_RULE && !can_break(&type->fields[i], (enum break_kind)kind))
                continue;
            if (out)
                out[count] = (struct breaker){ (uint8_t)kind, (uint16_t)i };
            count++;
        }
    return count;
}

/* Kinds are equally likely, however many fields can be broken that way. */
static struct breaker choose(const struct type_plan *plan, uint64_t number)
{
    size_t first[BREAK_KINDS] = { 0 }, count[BREAK_KINDS] = { 0 }, kinds = 0;
    for (size_t i = 0; i < plan->breaker_count; i++) {
        if (!i || plan->breakers[i].kind != plan->breakers[i - 1].kind) {
            first[kinds] = i;
            count[kinds++] = 0;
        }
        count[kinds - 1]++;
    }
    size_t kind = draw_below(number, (uint32_t)kinds);
    return plan->breakers[first[kind] + draw_below(draw_mix(number), (uint32_t)count[kind])];
}

/* ---- breaking ---- */

static struct value raw(struct slice json)
{
    struct value value = value_text(json);
    value.detail = VALUE_JSON;
    return value;
}

static struct value wrong_type(const struct event_field *field, uint64_t number)
{
    switch (field->kind) {
    case EVENT_TEXT:
        return raw(number & 1 ? SLICE("{\"a\":1}") : SLICE("[1,2]"));
    case EVENT_INTEGER:
        return number & 1 ? value_text(SLICE("several")) : raw(SLICE("1.5"));
    case EVENT_FLOAT:
    case EVENT_MONEY:
        return number & 1 ? value_text(SLICE("a lot")) : value_bool(true);
    case EVENT_BOOLEAN:
        return number & 1 ? value_text(SLICE("perhaps")) : value_int(7);
    case EVENT_TIMESTAMP:
        return number & 1 ? value_text(SLICE("yesterday")) : value_bool(false);
    case EVENT_KINDS:
        break;
    }
    return value_null(REASON_TYPE);
}

static struct value wrong_format(enum event_format format)
{
    static const struct slice WRONG[EVENT_FORMATS] = {
        [EVENT_ANY_FORMAT] = { "", 0 },    [EVENT_EMAIL] = { "at example.com", 14 }, [EVENT_URL] = { "no address", 10 },
        [EVENT_UUID] = { "123-456", 7 },   [EVENT_DATE] = { "2026-13-45", 10 },      [EVENT_COUNTRY] = { "Germany", 7 },
        [EVENT_CURRENCY] = { "euros", 5 }, [EVENT_IP] = { "300.1.2.3", 9 },
    };
    assert(format < EVENT_FORMATS);
    return value_text(WRONG[format]);
}

/* A text or a whole number that is none of the values. */
static struct value none_of(const struct event_field *field, struct make_room *room)
{
    if (field->kind == EVENT_TEXT) {
        size_t start = room->text.n, longest = 0;
        for (size_t i = 0; i < field->choice_count; i++)
            longest = field->choices[i].n > longest ? field->choices[i].n : longest;
        for (size_t i = 0; i <= longest && i < MADE_TEXT_MAX; i++)
            buf_add_char(&room->text, '?');
        return value_text(slice_of(room->text.p + start, room->text.n - start));
    }
    int64_t above = 0;
    for (size_t i = 0; i < field->choice_count; i++) {
        struct value choice = value_from_decimal(field->choices[i]);
        if (choice.kind == VALUE_INT && choice.i >= above && choice.i < INT64_MAX)
            above = choice.i + 1;
    }
    return value_int(above);
}

static struct value beyond(const struct event_field *field, uint64_t number, struct make_room *room)
{
    bool above = above_fits(field) && (!below_fits(field) || number & 1);
    int64_t step = 1 + (int64_t)draw_below(number, 1000);
    int64_t whole = above ? field->max.whole + step : field->min.whole - step;
    size_t start = room->text.n;
    if (field->kind == EVENT_INTEGER)
        return value_int(whole);
    if (field->kind == EVENT_MONEY) {
        uint64_t size = whole < 0 ? -(uint64_t)whole : (uint64_t)whole;
        buf_add_format(&room->text, "%s%lu.%02lu", whole < 0 ? "-" : "", size / 100, size % 100);
    } else if (field->kind == EVENT_FLOAT) {
        buf_add_format(&room->text, "%.17g",
                       above ? ceil(field->max.number) + (double)step : floor(field->min.number) - (double)step);
    } else if (field->kind == EVENT_TIMESTAMP) {
        buf_add_char(&room->text, '"');
        char *to = buf_reserve(&room->text, TIMESTAMP_TEXT_BYTES);
        timestamp_format(whole, to);
        room->text.n += TIMESTAMP_TEXT_BYTES;
        buf_add_char(&room->text, '"');
    } else {
        int64_t length = above ? field->max.whole + 1 : field->min.whole - 1;
        buf_add_char(&room->text, '"');
        for (int64_t i = 0; i < length; i++)
            buf_add_char(&room->text, 'x');
        buf_add_char(&room->text, '"');
    }
    return raw(slice_of(room->text.p + start, room->text.n - start));
}

/* A name that no field has. */
static struct slice unknown_name(const struct event_type *type)
{
    static const struct slice NAMES[] = { { "surprise", 8 }, { "extra_field", 11 }, { "not_declared", 12 } };
    for (size_t i = 0; i < COUNT_OF(NAMES); i++) {
        bool taken = false;
        for (size_t f = 0; f < type->field_count; f++)
            taken |= slice_equal(type->fields[f].name, NAMES[i]);
        if (!taken)
            return NAMES[i];
    }
    return SLICE("surprise_of_the_generator");
}

static void break_field(const struct event_field *field, uint64_t number, struct make_room *room, struct made *io,
                        struct broken *out)
{
    out->field = field->name;
    out->otherwise = field->otherwise;
    switch ((enum break_kind)out->breaker.kind) {
    case BREAK_TYPE:
        io->value = wrong_type(field, number);
        return;
    case BREAK_VALUES:
        io->value = none_of(field, room);
        return;
    case BREAK_FORMAT:
        io->value = wrong_format(field->format);
        return;
    case BREAK_PATTERN:
        io->value = value_text(SLICE("!"));
        return;
    case BREAK_REQUIRED:
        io->value = value_null(REASON_MISSING);
        out->is_null = number & 1;
        return;
    case BREAK_RANGE:
        io->value = beyond(field, number, room);
        return;
    case BREAK_UNKNOWN:
    case BREAK_RULE:
    case BREAK_KINDS:
        return;
    }
}

/* A rule that no draw breaks leaves the values broken by nothing: then they are made again, and a field is broken. */
static bool break_rule(const struct occasion *occasion, struct make_room *room, struct made *io_all, struct broken *out)
{
    size_t index = out->breaker.index;
    const struct event_rule *rule = &occasion->plan->type->rules[index];
    out->field = rule->name;
    out->otherwise = rule->otherwise;
    if (make_fields_breaking(occasion, index, room, io_all))
        return true;
    return !make_fields(occasion, room, io_all) && false;
}

bool break_event(const struct occasion *occasion, uint64_t number, struct make_room *room, struct made *io_all,
                 struct broken *out)
{
    const struct type_plan *plan = occasion->plan;
    const struct event_type *type = plan->type;
    for (int i = 0; i < RULE_TRIES && plan->breaker_count; i++, number = draw_mix(number)) {
        *out = (struct broken){ .breaker = choose(plan, number) };
        if (out->breaker.kind == BREAK_RULE) {
            if (break_rule(occasion, room, io_all, out))
                return true;
        } else if (out->breaker.kind == BREAK_UNKNOWN) {
            *out = (struct broken){ out->breaker, unknown_name(type), type->unknown, .is_unknown = true };
            return true;
        } else {
            break_field(&type->fields[out->breaker.index], draw_mix(number + 1), room, &io_all[out->breaker.index],
                        out);
            return true;
        }
    }
    return false;
}
