/* Text is written into one buffer that never moves, so values may point into it. What rules say is met by drawing
 * again: first what goes by the event, then all of it. */
#include "generate/make.h"

#include <stdlib.h>
#include <xxhash.h>

#include "base/timestamp.h"
#include "base/utf8.h"
#include "generate/draw.h"

#define TEXT_BYTES (EVENT_FIELDS_MAX * (MADE_TEXT_MAX + 64))
#define RULE_BYTES_MAX (1u << 20)
#define TRIES_MAX 1000
#define TRIES_AS_COMPUTED 50 /* to break a rule: then what is computed of other fields is drawn, too */
#define TRIES_OF_EVENT 8     /* after so many, what goes by visitors and visits is drawn again, too */
#define HOUR_MS 3600000
#define DAY_MS 86400000

void make_room_init(struct make_room *room)
{
    buf_init(&room->text, TEXT_BYTES);
    if (!buf_reserve(&room->text, TEXT_BYTES))
        abort();
    arena_init(&room->arena, RULE_BYTES_MAX);
}

void make_room_done(struct make_room *room)
{
    buf_done(&room->text);
    arena_done(&room->arena);
}

static struct slice text_from(const struct make_room *room, size_t start)
{
    return slice_of(room->text.p + start, room->text.n - start);
}

static size_t characters(struct slice text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.n; i++)
        count += ((unsigned char)text.p[i] & 0xc0) != 0x80;
    return count;
}

/* ---- text ---- */

static void add_hex(struct buf *out, uint64_t number, int digits)
{
    for (int i = digits - 1; i >= 0; i--)
        buf_add_char(out, "0123456789abcdef"[number >> (4 * i) & 15]);
}

static void add_uuid(struct buf *out, uint64_t number) /* RFC 9562, version 4 */
{
    uint64_t more = draw_mix(number);
    add_hex(out, number >> 32, 8);
    buf_add_char(out, '-');
    add_hex(out, number >> 16, 4);
    buf_add_text(out, "-4");
    add_hex(out, number, 3);
    buf_add_char(out, '-');
    add_hex(out, 8 | (more >> 62), 1);
    add_hex(out, more >> 48, 3);
    buf_add_char(out, '-');
    add_hex(out, more, 12);
}

/* The addresses that are kept for documentation (RFC 5737). */
static void add_ip(struct buf *out, uint64_t number)
{
    static const char *const NETS[] = { "192.0.2.", "198.51.100.", "203.0.113." };
    buf_add_text(out, NETS[draw_below(number, COUNT_OF(NETS))]);
    buf_add_u64(out, 1 + (number & 0xff) % 254);
}

static void add_date(struct buf *out, int64_t at_ms, uint64_t number)
{
    char text[TIMESTAMP_TEXT_BYTES];
    int64_t day_ms = at_ms - (int64_t)draw_below(number, 30) * DAY_MS;
    timestamp_format(day_ms < TIMESTAMP_MIN_MS ? TIMESTAMP_MIN_MS : day_ms, text);
    buf_add(out, text, 10);
}

/* A star becomes the rank, a question mark a digit. */
static void add_pattern(struct buf *out, struct slice pattern, uint64_t rank)
{
    uint64_t digits = draw_mix(rank);
    for (size_t i = 0; i < pattern.n; i++) {
        if (pattern.p[i] == '*') {
            buf_add_u64(out, rank + 1);
        } else if (pattern.p[i] == '?') {
            buf_add_char(out, (char)('0' + digits % 10));
            digits = draw_mix(digits);
        } else {
            i += pattern.p[i] == '\\' && i + 1 < pattern.n;
            buf_add_char(out, pattern.p[i]);
        }
    }
}

static void add_named(struct buf *out, const struct maker *maker, uint64_t rank)
{
    buf_add_slice(out, maker->stem);
    buf_add_char(out, '_');
    buf_add_u64(out, rank + 1);
}

static void add_text(const struct maker *maker, const struct occasion *occasion, uint64_t number, struct buf *out,
                     uint64_t *identity)
{
    uint64_t rank = draw_zipf(number, maker->distinct);
    *identity = rank;
    switch (maker->way) {
    case MAKE_WORD:
        *identity = draw_zipf(number, maker->words->count);
        buf_add_text(out, maker->words->words[*identity]);
        return;
    case MAKE_PERSON:
        *identity = number;
        person_add(out, maker->part, occasion->visitor);
        return;
    case MAKE_URL:
        buf_add_text(out, "https://shop.example.com/");
        buf_add_slice(out, maker->stem);
        buf_add_char(out, '/');
        buf_add_u64(out, rank + 1);
        return;
    case MAKE_UUID:
        *identity = maker->basis == BY_EVENT ? number : rank;
        add_uuid(out, draw_mix(*identity ^ maker->salt));
        return;
    case MAKE_DATE:
        add_date(out, occasion->at_ms, number);
        return;
    case MAKE_IP:
        *identity = number;
        add_ip(out, number);
        return;
    case MAKE_PATTERN:
        add_pattern(out, maker->field->pattern, rank);
        return;
    case MAKE_NAMED:
    case MAKE_CHOICE:
    case MAKE_INTEGER:
    case MAKE_DECIMAL:
    case MAKE_MONEY:
    case MAKE_BOOLEAN:
    case MAKE_TIME:
        add_named(out, maker, rank);
        return;
    }
}

/* Into the declared number of characters: letters in front where there are too few, the end kept where too many. */
static void fit(struct buf *text, size_t start, const struct event_field *field)
{
    size_t n = characters(slice_of(text->p + start, text->n - start));
    size_t least = field->min.is_set && field->min.whole > 0 ? (size_t)field->min.whole : 0;
    size_t most = field->max.is_set ? (size_t)field->max.whole : MADE_TEXT_MAX;
    if (least > MADE_TEXT_MAX)
        least = MADE_TEXT_MAX;
    if (n < least) {
        size_t missing = least - n;
        memmove(text->p + start + missing, text->p + start, text->n - start);
        memset(text->p + start, 'x', missing);
        text->n += missing;
    } else if (n > most) {
        memmove(text->p + start, text->p + start + (n - most), most);
        text->n = start + most;
    }
}

static void make_text(const struct maker *maker, const struct occasion *occasion, uint64_t number,
                      struct make_room *room, struct made *out)
{
    size_t start = room->text.n;
    const struct event_field *field = maker->field;
    add_text(maker, occasion, number, &room->text, &out->identity);
    if (field->min.is_set || field->max.is_set)
        fit(&room->text, start, field);
    if (field->pattern.n && maker->way != MAKE_PATTERN && !expr_glob(field->pattern, text_from(room, start))) {
        room->text.n = start;
        add_pattern(&room->text, field->pattern, out->identity);
    }
    out->value = value_text(text_from(room, start));
}

/* ---- numbers ---- */

/* Digits of whole / scale into the text. */
static struct value decimal(struct make_room *room, int64_t whole, int64_t scale)
{
    size_t start = room->text.n;
    uint64_t size = whole < 0 ? -(uint64_t)whole : (uint64_t)whole;
    if (whole < 0)
        buf_add_char(&room->text, '-');
    buf_add_u64(&room->text, size / (uint64_t)scale);
    if (scale > 1)
        buf_add_char(&room->text, '.');
    for (uint64_t unit = (uint64_t)scale / 10; unit; unit /= 10)
        buf_add_char(&room->text, (char)('0' + size / unit % 10));
    struct slice digits = text_from(room, start);
    return (struct value){
        .kind = VALUE_NUMBER, .d = (double)whole / (double)scale, .p = digits.p, .n = (uint32_t)digits.n
    };
}

static int64_t skewed(const struct maker *maker, uint64_t number)
{
    uint64_t width = (uint64_t)maker->high - (uint64_t)maker->low;
    return (int64_t)((uint64_t)maker->low + draw_zipf(number, width == UINT64_MAX ? width : width + 1));
}

/* Measurements: each visitor (device) has a middle of its own, in the middle half of the range, and swings around it by
 * an eighth of the range. */
static int64_t measured(const struct maker *maker, const struct occasion *occasion, uint64_t number)
{
    uint64_t width = (uint64_t)maker->high - (uint64_t)maker->low;
    uint64_t own = draw_mix(occasion->visitor ^ maker->salt) >> 32, swing = (number >> 32) + (number & UINT32_MAX);
    uint64_t share = (UINT64_C(1) << 29) + own / 2 + swing / 8; /* of 2^32: 1/8, up to 1/2, up to 1/4 */
    return (int64_t)((uint64_t)maker->low + (uint64_t)((unsigned __int128)width * share >> 32));
}

/* Prices end as prices do, where the range allows it. */
static int64_t priced(const struct maker *maker, uint64_t number)
{
    static const int ENDS[] = { 99, 0, 95, 49, 50, 99, 90, 99 };
    int64_t cents = skewed(maker, number);
    int64_t nice = cents - cents % 100 + ENDS[number & 7];
    return cents >= 0 && nice >= maker->low && nice <= maker->high ? nice : cents;
}

static void time_text(int64_t ms, struct make_room *room, struct made *out)
{
    char *to = buf_reserve(&room->text, TIMESTAMP_TEXT_BYTES);
    timestamp_format(ms, to);
    room->text.n += TIMESTAMP_TEXT_BYTES;
    *out = (struct made){ value_text(slice_of(to, TIMESTAMP_TEXT_BYTES)), ms, (uint64_t)ms };
}

/* Not long before the event. */
static void make_time(const struct maker *maker, const struct occasion *occasion, uint64_t number,
                      struct make_room *room, struct made *out)
{
    int64_t ms = occasion->at_ms - (int64_t)draw_below(number, HOUR_MS);
    time_text(ms < maker->low ? maker->low : ms > maker->high ? maker->high : ms, room, out);
}

/* ---- fields ---- */

static uint64_t basis_of(const struct maker *maker, const struct occasion *occasion, const struct made *all)
{
    switch (maker->basis) {
    case BY_EVENT:
        return occasion->event;
    case BY_THING:
        return occasion->thing;
    case BY_VISIT:
        return occasion->visit;
    case BY_VISITOR:
        return occasion->visitor;
    case BY_FIELD:
        return draw_mix(all[maker->of].identity);
    }
    return 0;
}

static void make_value(const struct maker *maker, const struct occasion *occasion, uint64_t number,
                       struct make_room *room, struct made *out)
{
    switch (maker->way) {
    case MAKE_CHOICE:
        *out = maker->choices[maker->slots[number >> 56]];
        return;
    case MAKE_INTEGER:
        out->whole = skewed(maker, number);
        out->value = value_int(out->whole);
        break;
    case MAKE_DECIMAL:
        out->whole = measured(maker, occasion, number);
        out->value = decimal(room, out->whole, maker->scale);
        break;
    case MAKE_MONEY:
        out->whole = priced(maker, number);
        out->value = decimal(room, out->whole, 100);
        break;
    case MAKE_BOOLEAN:
        out->whole = draw_below(number, 3) == 0;
        out->value = value_bool(out->whole);
        break;
    case MAKE_TIME:
        make_time(maker, occasion, number, room, out);
        return;
    case MAKE_WORD:
    case MAKE_NAMED:
    case MAKE_PATTERN:
    case MAKE_PERSON:
    case MAKE_URL:
    case MAKE_UUID:
    case MAKE_DATE:
    case MAKE_IP:
        make_text(maker, occasion, number, room, out);
        return;
    }
    out->identity = (uint64_t)out->whole;
}

/* ---- what expressions see ---- */

/* A field that is missing has its default when rules are looked at. */
static struct value value_for_rules(const struct maker *maker, const struct made *made)
{
    struct slice preset = maker->field->default_value;
    if (!value_is_null(made->value) || !preset.n)
        return made->value;
    if (preset.p[0] == '"')
        return value_text(slice_of(preset.p + 1, preset.n - 2));
    if (preset.p[0] == 't' || preset.p[0] == 'f')
        return value_bool(preset.p[0] == 't');
    return value_from_decimal(preset);
}

static void fill_fields(const struct occasion *occasion, const struct made *all, struct value *fields)
{
    const struct type_plan *plan = occasion->plan;
    for (size_t i = 0; i < plan->count; i++)
        fields[i] = value_for_rules(&plan->makers[i], &all[i]);
    for (size_t i = 0; i < plan->place_count; i++) {
        struct rule_place place = plan->places[i];
        struct value *to = &fields[plan->count + i];
        *to = value_null(REASON_MISSING);
        if (place.kind == PLACE_TYPE)
            *to = value_text(plan->type->name);
        else if (place.kind == PLACE_VISITOR)
            *to = value_text(occasion->visitor_id);
        else if (place.kind == PLACE_TIME)
            *to = value_int(occasion->at_ms);
        else if (place.kind == PLACE_CENTS && !value_is_null(all[place.field].value))
            *to = value_int(all[place.field].whole);
    }
}

/* ---- what is computed ---- */

/* The result as a value of the field's kind, its text in the room. Null: it is none. */
static void take_result(const struct maker *maker, struct value result, struct make_room *room, struct made *out)
{
    char digits[VALUE_DIGITS_MAX];
    bool numeric = result.kind == VALUE_INT || result.kind == VALUE_NUMBER;
    struct value cents = maker->field->kind == EVENT_MONEY ? expr_cents(result) : value_null(REASON_TYPE);
    if (cents.kind == VALUE_INT) {
        out->whole = cents.i;
        out->value = decimal(room, cents.i, 100);
        out->identity = (uint64_t)cents.i;
    } else if (maker->field->kind == EVENT_TIMESTAMP && result.kind == VALUE_INT && result.i >= TIMESTAMP_MIN_MS &&
               result.i <= TIMESTAMP_MAX_MS) {
        time_text(result.i, room, out);
    } else if (maker->field->kind == EVENT_TEXT ? !value_is_null(result) : numeric || result.kind == VALUE_BOOL) {
        struct slice text = value_as_text(result, digits);
        size_t start = room->text.n;
        buf_add_slice(&room->text, slice_of(text.p, text.n < MADE_TEXT_MAX ? text.n : MADE_TEXT_MAX));
        text = text_from(room, start);
        out->identity = XXH3_64bits(text.p, text.n);
        out->value = result;
        out->value.p = text.p;
        out->value.n = result.kind == VALUE_NUMBER || result.kind == VALUE_TEXT ? (uint32_t)text.n : 0;
        if (maker->field->kind == EVENT_TEXT)
            out->value = value_text(text);
    }
}

static void make_computed(const struct occasion *occasion, size_t index, struct make_room *room, struct made *all)
{
    const struct maker *maker = &occasion->plan->makers[index];
    fill_fields(occasion, all, room->fields);
    take_result(maker, expr_eval(maker->as, room->fields, &room->arena), room, &all[index]);
    arena_reset(&room->arena);
}

static void make_all(const struct occasion *occasion, struct make_room *room, struct made *all)
{
    const struct type_plan *plan = occasion->plan;
    room->text.n = 0;
    for (size_t i = 0; i < plan->count; i++) {
        size_t index = plan->order[i];
        const struct maker *maker = &plan->makers[index];
        uint64_t number = draw_mix(basis_of(maker, occasion, all) ^ maker->salt);
        all[index] = (struct made){ .value = value_null(REASON_MISSING), .identity = number };
        bool has = maker->present >= DRAW_ALWAYS ||
                   draw_hits(draw_mix(draw_mix(occasion->event + 1) ^ maker->salt), maker->present);
        if (has && maker->as && !occasion->draws_all)
            make_computed(occasion, index, room, all);
        else if (has)
            make_value(maker, occasion, number, room, &all[index]);
    }
}

/* ---- rules ---- */

/* Those that are broken, as a set. */
static uint32_t broken_rules(const struct occasion *occasion, const struct made *all, struct make_room *room)
{
    const struct event_type *type = occasion->plan->type;
    uint32_t broken = 0;
    fill_fields(occasion, all, room->fields);
    for (size_t i = 0; i < type->rule_count; i++) {
        struct value met = expr_eval(type->rules[i].expect, room->fields, &room->arena);
        if (met.kind == VALUE_BOOL && !met.b)
            broken |= 1u << i;
    }
    arena_reset(&room->arena);
    return broken;
}

/* Draws until exactly these rules are broken. */
static bool make_until(const struct occasion *occasion, uint32_t wanted, uint64_t tries, struct make_room *room,
                       struct made *all)
{
    struct occasion draw = *occasion;
    static_assert(EVENT_RULES_MAX <= 32, "rules are a set of bits");
    for (uint64_t i = 0; i < tries; i++) {
        make_all(&draw, room, all);
        if (broken_rules(&draw, all, room) == wanted)
            return true;
        draw.event = draw_mix(occasion->event + i);
        if (i >= TRIES_OF_EVENT) {
            draw.thing = draw_mix(draw.event + 1);
            draw.visit = draw_mix(draw.event + 2);
            draw.visitor = draw_mix(draw.event + 3);
        }
    }
    return false;
}

bool make_fields(const struct occasion *occasion, struct make_room *room, struct made *out_all)
{
    if (occasion->plan->type->rule_count)
        return make_until(occasion, 0, TRIES_MAX, room, out_all);
    make_all(occasion, room, out_all);
    return true;
}

bool make_fields_breaking(const struct occasion *occasion, size_t rule, struct make_room *room, struct made *out_all)
{
    assert(rule < occasion->plan->type->rule_count);
    struct occasion freely = *occasion;
    freely.draws_all = true;
    return make_until(occasion, 1u << rule, TRIES_AS_COMPUTED, room, out_all) ||
           make_until(&freely, 1u << rule, TRIES_MAX, room, out_all);
}

static bool within(const struct event_field *field, int64_t whole)
{
    return (!field->min.is_set || whole >= field->min.whole) && (!field->max.is_set || whole <= field->max.whole);
}

bool make_is_declared(const struct event_field *field, const struct made *made)
{
    struct slice text = made->value.kind == VALUE_TEXT ? value_slice(made->value) : slice_of("", 0);
    bool listed = field->choice_count == 0;
    switch (field->kind) {
    case EVENT_TEXT:
        for (size_t i = 0; i < field->choice_count; i++)
            listed |= slice_equal(field->choices[i], text);
        return listed && made->value.kind == VALUE_TEXT && within(field, (int64_t)characters(text)) &&
               (!field->pattern.n || expr_glob(field->pattern, text));
    case EVENT_INTEGER:
        return made->value.kind == VALUE_INT && within(field, made->value.i);
    case EVENT_FLOAT:
        return (made->value.kind == VALUE_NUMBER || made->value.kind == VALUE_INT) &&
               (!field->min.is_set || value_as_double(made->value) >= field->min.number) &&
               (!field->max.is_set || value_as_double(made->value) <= field->max.number);
    case EVENT_MONEY:
    case EVENT_TIMESTAMP:
        return within(field, made->whole);
    case EVENT_BOOLEAN:
        return made->value.kind == VALUE_BOOL;
    case EVENT_KINDS:
        break;
    }
    return false;
}
