/* How it works: visits.c says who does what and when, plan.c how each type's fields are made, make.c makes them,
 * break.c breaks some. Here they become lines, and some lines wait (held.c). Whether an event is bad, late or sent
 * twice is a hash of the event, apart from everything else, so the shares change nothing about the other events. */
#include "generate/generator.h"

#include <stdlib.h>

#include "base/json_text.h"
#include "base/timestamp.h"
#include "config/generate_hint.h"
#include "generate/break.h"
#include "generate/draw.h"
#include "generate/held.h"
#include "generate/make.h"
#include "generate/visits.h"

#define LINE_BYTES_MAX (4u << 20)
#define VISITORS_MIN 1000
#define VISITORS_PER_RATE 200 /* a mean visitor comes so seldom: once in half an hour of 9 events */
#define MINUTE_NS INT64_C(60000000000)
#define REPEAT_NS_MAX MINUTE_NS
#define CHECKED 200 /* events of each type that are made and looked at before the first is given out */

struct generator {
    struct generator_options options;
    struct plan plan;
    struct visits *visits;
    struct held held;
    struct make_room room;
    struct made made[EVENT_FIELDS_MAX];
    struct visit_event next;
    int64_t now_ns;
    struct generator_counts counts;
    struct buf before; /* {"customer_id":"…", */
    struct buf line;
    uint64_t bad, late, duplicates; /* shares of 2^32 */
    bool over;
};

/* ---- one line ---- */

static void add_hex(struct buf *out, uint64_t number, int digits)
{
    char text[16];
    for (int i = digits - 1; i >= 0; i--, number >>= 4)
        text[i] = "0123456789abcdef"[number & 15];
    buf_add(out, text, (size_t)digits);
}

static void add_event_id(struct buf *out, int64_t ms, uint64_t a, uint64_t b) /* RFC 9562, version 7 */
{
    add_hex(out, (uint64_t)ms >> 16, 8);
    buf_add_char(out, '-');
    add_hex(out, (uint64_t)ms, 4);
    buf_add(out, "-7", 2);
    add_hex(out, a, 3);
    buf_add_char(out, '-');
    add_hex(out, 0x8000 | (a >> 12 & 0x3fff), 4);
    buf_add_char(out, '-');
    add_hex(out, b, 12);
}

static struct slice visitor_id(uint32_t visitor, char to[12])
{
    static const char PREFIX[] = "vid_";
    memcpy(to, PREFIX, 4);
    for (int i = 0; i < 6; i++)
        to[4 + i] = "0123456789abcdef"[visitor >> (20 - 4 * i) & 15];
    return slice_of(to, 10);
}

static void add_who(const struct generator *generator, struct buf *out, const struct visit_event *event,
                    const struct occasion *occasion)
{
    buf_add_slice(out, buf_slice(&generator->before));
    buf_add_text(out, "\"event_id\":\"");
    add_event_id(out, occasion->at_ms, occasion->event, draw_mix(occasion->event));
    buf_add_text(out, "\",\"visitor_id\":\"");
    buf_add_slice(out, occasion->visitor_id);
    buf_add_text(out, "\",\"session_id\":\"sess_");
    add_hex(out, event->visit, 12);
    if (generator->plan.people && event->serial && occasion->visitor % 3 == 0) { /* a third has an account */
        buf_add_text(out, "\",\"user_id\":\"usr_");
        add_hex(out, event->visitor, 6);
    }
    buf_add_char(out, '"');
}

static void add_value(struct buf *out, const struct value *value)
{
    if (value->kind == VALUE_INT && value->i >= 0) /* as value_add_json, faster */
        buf_add_u64(out, (uint64_t)value->i);
    else if (value->kind == VALUE_NUMBER && value->n)
        buf_add(out, value->p, value->n);
    else
        value_add_json(*value, out);
}

static void add_properties(const struct generator *generator, struct buf *out, const struct type_plan *type,
                           const struct broken *broken)
{
    bool first = true;
    for (size_t i = 0; i < type->count; i++) {
        const struct value *value = &generator->made[i].value;
        bool as_null = broken->is_null && broken->breaker.index == i;
        if (value->kind == VALUE_NULL && !as_null)
            continue;
        if (!first)
            buf_add_char(out, ',');
        first = false;
        buf_add_slice(out, type->makers[i].key);
        add_value(out, value);
    }
    if (broken->is_unknown) {
        if (!first)
            buf_add_char(out, ',');
        json_add_string(out, broken->field);
        buf_add_text(out, ":1");
    }
}

/* As a field of that name would have it. */
static const char *word_of(const struct word_list *words, const struct occasion *occasion, uint64_t salt)
{
    return words->words[draw_zipf(draw_mix(occasion->visitor ^ salt), words->count)];
}

static void add_context(const struct generator *generator, struct buf *out, const struct occasion *occasion,
                        const struct broken *broken)
{
    static const char *const AS[] = { "reject", "quarantine", "tag" };
    buf_add_text(out, "},\"context\":{");
    if (generator->plan.people) {
        buf_add_text(out, "\"country\":\"");
        buf_add_text(out, word_of(&WORDS_COUNTRY, occasion, generator->plan.salt_country));
        buf_add_text(out, "\",\"locale\":\"");
        buf_add_text(out, word_of(&WORDS_LOCALE, occasion, generator->plan.salt_locale));
        buf_add_text(out, "\",\"device\":\"");
        buf_add_text(out, word_of(&WORDS_DEVICE, occasion, generator->plan.salt_device));
        buf_add_char(out, '"');
    }
    if (broken->field.n) {
        json_add_field(out, "broken", slice_from(break_kind_name((enum break_kind)broken->breaker.kind)));
        json_add_field(out, "broken_field", broken->field);
        json_add_field(out, "broken_as", slice_from(AS[broken->otherwise]));
    }
    buf_add_text(out, "},\"timestamp\":\"");
    char *to = buf_reserve(out, TIMESTAMP_TEXT_BYTES);
    if (to) {
        timestamp_format(occasion->at_ms, to);
        out->n += TIMESTAMP_TEXT_BYTES;
    }
    buf_add_text(out, "\"}\n");
}

static uint64_t number_of(const struct generator *generator, uint64_t what)
{
    return draw_mix(what ^ draw_mix(generator->options.seed));
}

/* True: the event is as declared. */
static bool write_line(struct generator *generator, struct buf *out, const struct visit_event *event)
{
    char id[12];
    struct broken broken = { 0 };
    const struct occasion occasion = {
        .plan = &generator->plan.types[event->type],
        .event = draw_mix(event->visit ^ draw_mix(event->serial + 1)),
        .thing = event->thing,
        .visit = event->visit,
        .visitor = number_of(generator, event->visitor),
        .at_ms = generator->options.start_ms + event->at_ns / 1000000,
        .visitor_id = visitor_id(event->visitor, id),
    };
    bool meets = make_fields(&occasion, &generator->room, generator->made);
    if (draw_hits(draw_mix(occasion.event ^ 0xbad), generator->bad) &&
        break_event(&occasion, draw_mix(occasion.event + 0xbad), &generator->room, generator->made, &broken))
        meets = false;
    add_who(generator, out, event, &occasion);
    buf_add_slice(out, occasion.plan->head);
    add_properties(generator, out, occasion.plan, &broken);
    add_context(generator, out, &occasion, &broken);
    if (broken.field.n) {
        generator->counts.broken[broken.breaker.kind]++;
        generator->counts.refused += broken.otherwise != EVENT_TAG;
    }
    return meets;
}

/* ---- the stream ---- */

static void advance(struct generator *generator)
{
    const struct generator_options *options = &generator->options;
    generator->over = options->events_max && generator->counts.events >= options->events_max;
    if (generator->over)
        return;
    visits_next(generator->visits, &generator->next);
    generator->over = options->start_ms + generator->next.at_ns / 1000000 >= options->end_ms;
}

/* From one minute to an hour, short delays as likely as long ones. */
static int64_t delay_ns(uint64_t number)
{
    return MINUTE_NS + (int64_t)draw_zipf(number, 59 * 60000) * 1000000;
}

/* Makes the next event: written, or put aside. */
static void make_next(struct generator *generator, struct buf *out)
{
    const struct visit_event event = generator->next;
    uint64_t number = draw_mix(event.visit ^ draw_mix(event.serial) ^ 0x1a7e);
    bool late = draw_hits(number, generator->late), twice = draw_hits(draw_mix(number), generator->duplicates);
    struct buf *to = late ? &generator->line : out;
    size_t start = to->n;
    bool meets = write_line(generator, to, &event);
    struct slice line = slice_of(to->p + start, to->n - start);
    generator->counts.events++;
    if (late) {
        held_add(&generator->held, event.at_ns + delay_ns(draw_mix(number + 1)), line);
        generator->counts.late++;
        buf_reset(to);
    } else if (twice && meets) {
        held_add(&generator->held,
                 event.at_ns + draw_below(draw_mix(number + 2), REPEAT_NS_MAX / 1000000) * INT64_C(1000000), line);
        generator->counts.duplicates++;
    }
    advance(generator);
}

bool generator_next(struct generator *generator, struct buf *out, int64_t *out_at_ms)
{
    size_t start = out->n;
    while (out->n == start) {
        int64_t due_ns = held_due_ns(&generator->held);
        if (generator->over && due_ns == INT64_MAX)
            return false;
        if (generator->over || due_ns <= generator->next.at_ns) {
            generator->now_ns = due_ns > generator->now_ns ? due_ns : generator->now_ns;
            held_take(&generator->held, out);
        } else {
            generator->now_ns = generator->next.at_ns;
            make_next(generator, out);
        }
    }
    *out_at_ms = generator->options.start_ms + generator->now_ns / 1000000;
    return true;
}

const struct generator_counts *generator_counts(const struct generator *generator)
{
    return &generator->counts;
}

/* ---- making and freeing ---- */

/* What is declared may contradict itself, or this generator may not know how to meet it: said before anything is
 * written, with the field's name. */
static enum status check_type(struct generator *generator, const struct type_plan *type, struct error *err)
{
    for (uint32_t i = 0; i < CHECKED; i++) {
        const struct occasion occasion = { .plan = type,
                                           .event = draw_mix(i),
                                           .thing = draw_mix(i + 1000),
                                           .visit = draw_mix(i + 2000),
                                           .visitor = draw_mix(i + 3000),
                                           .at_ms = generator->options.start_ms,
                                           .visitor_id = SLICE("vid_000000") };
        if (!make_fields(&occasion, &generator->room, generator->made))
            return error_set(err, ERR_INVALID,
                             "%.*s: no values were found that meet its rules; bounds or `values` of "
                             "the fields in them, or `generate: {by: …}`, help",
                             SLICE_ARG(type->type->name));
        for (size_t f = 0; f < type->count; f++) {
            const struct event_field *field = &type->type->fields[f];
            if (!value_is_null(generator->made[f].value) && !make_is_declared(field, &generator->made[f]))
                return error_set(err, ERR_INVALID, "%.*s.%.*s: no value is known that is as declared",
                                 SLICE_ARG(type->type->name), SLICE_ARG(field->name));
        }
    }
    return OK;
}

static int64_t visitors_of(const struct generator *generator)
{
    const struct generate_domain *hint = generator->plan.domain->generate;
    int64_t count = generator->options.visitors;
    if (!count && hint)
        count = hint->visitors;
    if (!count)
        count = (int64_t)(generator->options.events_per_s * VISITORS_PER_RATE);
    if (!generator->options.visitors && !(hint && hint->visitors) && count < VISITORS_MIN)
        count = VISITORS_MIN;
    return count > GENERATE_VISITORS_MAX ? GENERATE_VISITORS_MAX : count;
}

static void add_before(struct generator *generator)
{
    const char *tenant = generator->options.customer_id;
    buf_init(&generator->before, 4096);
    buf_add_char(&generator->before, '{');
    if (tenant && tenant[0]) {
        json_add_field(&generator->before, "customer_id", slice_from(tenant));
        buf_add_char(&generator->before, ',');
    }
}

static enum status start(struct generator *generator, struct error *err)
{
    const struct generator_options *options = &generator->options;
    const struct generate_domain *hint = generator->plan.domain->generate;
    for (size_t i = 0; i < generator->plan.type_count; i++) {
        enum status s = check_type(generator, &generator->plan.types[i], err);
        if (s != OK)
            return s;
    }
    const struct visits_options visits = { .seed = options->seed,
                                           .plan = &generator->plan,
                                           .events_per_s = options->events_per_s,
                                           .start_ms = options->start_ms,
                                           .visitors = visitors_of(generator),
                                           .flat = options->flat || (hint && hint->flat) };
    generator->visits = visits_new(&visits);
    if (!generator->visits)
        return error_set(err, ERR_INVALID, "domain %.*s: nothing ever happens: every weight or chance is 0",
                         SLICE_ARG(generator->plan.domain->name));
    advance(generator);
    return OK;
}

enum status generator_new(const struct domain_set *domains, struct slice domain,
                          const struct generator_options *options, struct generator **out, struct error *err)
{
    assert(options->events_per_s > 0);
    struct generator *generator = calloc(1, sizeof *generator);
    if (!generator)
        abort();
    generator->options = *options;
    generator->bad = draw_share(options->bad);
    generator->late = draw_share(options->late);
    generator->duplicates = draw_share(options->duplicates);
    buf_init(&generator->line, LINE_BYTES_MAX);
    make_room_init(&generator->room);
    add_before(generator);
    enum status s = plan_make(&generator->plan, domains, domain, err);
    if (s == OK && options->has_all_money)
        plan_all_money(&generator->plan);
    if (s == OK)
        s = start(generator, err);
    if (s == OK)
        *out = generator;
    else
        generator_free(generator);
    return s;
}

void generator_free(struct generator *generator)
{
    if (!generator)
        return;
    visits_free(generator->visits);
    held_done(&generator->held);
    make_room_done(&generator->room);
    buf_done(&generator->before);
    buf_done(&generator->line);
    plan_done(&generator->plan);
    free(generator);
}
