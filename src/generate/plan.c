/* What is not declared is guessed from the field's kind, format and name: a field `platform` holds platforms, one named
 * `product_id` one of a thousand products of which few are frequent. What a `generate` group says comes first. */
#include "generate/plan.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include "base/timestamp.h"
#include "config/generate_hint.h"
#include "generate/break.h"
#include "generate/draw.h"
#include "generate/make.h"

#define PLAN_BYTES_MAX (64u << 20)
#define PRESENT_USUAL 0.75 /* of fields that are not required */
#define DISTINCT_ATTRIBUTE 1000
#define DISTINCT_DIMENSION 8

static void *take(struct plan *plan, size_t count, size_t size)
{
    void *p = arena_take(&plan->arena, count * size + 1);
    if (!p)
        abort(); /* bounded by EVENT_TYPES_MAX × EVENT_FIELDS_MAX makers and their choices */
    memset(p, 0, count * size + 1);
    return p;
}

static bool ends_with(struct slice name, struct slice end)
{
    return name.n > end.n && slice_equal(slice_after(name, name.n - end.n), end);
}

static void text_by_format(struct maker *maker, enum event_format format)
{
    switch (format) {
    case EVENT_ANY_FORMAT:
    case EVENT_FORMATS:
        return;
    case EVENT_EMAIL:
        maker->way = MAKE_PERSON;
        maker->part = PERSON_EMAIL;
        maker->basis = BY_VISITOR;
        return;
    case EVENT_URL:
        maker->way = MAKE_URL;
        return;
    case EVENT_UUID:
        maker->way = MAKE_UUID;
        return;
    case EVENT_DATE:
        maker->way = MAKE_DATE;
        return;
    case EVENT_COUNTRY:
    case EVENT_CURRENCY:
        maker->way = MAKE_WORD;
        maker->words = format == EVENT_COUNTRY ? &WORDS_COUNTRY : &WORDS_CURRENCY;
        maker->basis = BY_VISITOR;
        return;
    case EVENT_IP:
        maker->way = MAKE_IP;
        maker->basis = BY_VISITOR;
        return;
    }
}

static void text_by_name(struct maker *maker)
{
    struct slice name = maker->field->name;
    const struct word_list *words = word_list_find(name);
    enum person_part part = person_part_find(name);
    if (words) {
        maker->way = MAKE_WORD;
        maker->words = words;
        maker->basis = words->of_visitor ? BY_VISITOR : BY_EVENT;
    } else if (part) {
        maker->way = MAKE_PERSON;
        maker->part = part;
        maker->basis = BY_VISITOR;
    } else if (ends_with(name, SLICE("url"))) {
        maker->way = MAKE_URL;
    }
}

static void plan_text(struct maker *maker)
{
    const struct event_field *field = maker->field;
    bool is_id = ends_with(field->name, SLICE("_id"));
    maker->way = MAKE_NAMED;
    maker->basis = field->pii ? BY_VISITOR : is_id ? BY_THING : BY_EVENT;
    maker->stem = slice_of(field->name.p, field->name.n - (is_id ? 3 : 0));
    if (field->format)
        text_by_format(maker, field->format);
    else if (field->pattern.n)
        maker->way = MAKE_PATTERN;
    else
        text_by_name(maker);
}

static int64_t bound(const struct event_bound *bound, int64_t otherwise)
{
    return bound->is_set ? bound->whole : otherwise;
}

/* low and high as declared, and `span` from the one that is, else the usual ones. */
static void plan_whole(struct maker *maker, int64_t low, int64_t high)
{
    const struct event_field *field = maker->field;
    int64_t span = high - low;
    maker->low = bound(&field->min, low);
    if (field->max.is_set && !field->min.is_set && field->max.whole < low)
        maker->low = field->max.whole < INT64_MIN + span ? INT64_MIN : field->max.whole - span;
    maker->high = bound(&field->max, maker->low > INT64_MAX - span || maker->low < low ? INT64_MAX : maker->low + span);
    if (!field->max.is_set && maker->low < low)
        maker->high = high;
}

/* Whole units, so that the digits are the same everywhere: hundredths, or millionths where the range is narrow. */
static void plan_decimal(struct maker *maker)
{
    const struct event_field *field = maker->field;
    double low = field->min.is_set ? field->min.number : 0, high = field->max.is_set ? field->max.number : low + 100;
    if (field->max.is_set && !field->min.is_set && high <= 0)
        low = high - 100;
    maker->scale = high - low >= 1 ? 100 : 1000000;
    double least = -9e15 / (double)maker->scale, most = 9e15 / (double)maker->scale;
    low = low < least ? least : low > most ? most : low;
    high = high < low ? low : high > most ? most : high;
    maker->low = (int64_t)ceil(low * (double)maker->scale);
    maker->high = (int64_t)floor(high * (double)maker->scale);
}

static void plan_kind(struct maker *maker)
{
    switch (maker->field->kind) {
    case EVENT_TEXT:
    case EVENT_KINDS:
        plan_text(maker);
        return;
    case EVENT_INTEGER:
        maker->way = MAKE_INTEGER;
        plan_whole(maker, 1, 100);
        return;
    case EVENT_FLOAT:
        maker->way = MAKE_DECIMAL;
        plan_decimal(maker);
        return;
    case EVENT_MONEY:
        maker->way = MAKE_MONEY;
        plan_whole(maker, 100, 50000);
        return;
    case EVENT_BOOLEAN:
        maker->way = MAKE_BOOLEAN;
        return;
    case EVENT_TIMESTAMP:
        maker->way = MAKE_TIME;
        maker->low = bound(&maker->field->min, TIMESTAMP_MIN_MS);
        maker->high = bound(&maker->field->max, TIMESTAMP_MAX_MS);
        return;
    }
}

/* Fixed-point weights 1/rank, each choice at least one slot. */
static void fill_slots(uint8_t *slots, size_t count)
{
    uint64_t sum = 0, passed = 0;
    for (size_t i = 0; i < count; i++)
        sum += (UINT64_C(1) << 32) / (i + 1);
    size_t from = 0;
    for (size_t i = 0; i < count; i++) {
        passed += (UINT64_C(1) << 32) / (i + 1);
        size_t to = (size_t)(passed * (CHOICE_SLOTS - count) / sum) + i + 1;
        for (to = i + 1 == count ? CHOICE_SLOTS : to; from < to; from++)
            slots[from] = (uint8_t)i;
    }
}

/* Only text and whole numbers have `values`. */
static bool choice_value(const struct event_field *field, struct slice text, struct made *out)
{
    *out = (struct made){ .value = field->kind == EVENT_TEXT ? value_text(text) : value_from_decimal(text) };
    return field->kind == EVENT_TEXT || out->value.kind == VALUE_INT;
}

static void plan_choices(struct plan *plan, struct maker *maker)
{
    const struct event_field *field = maker->field;
    if (!field->choice_count)
        return;
    struct made *choices = take(plan, field->choice_count, sizeof *choices);
    size_t count = 0;
    for (size_t i = 0; i < field->choice_count; i++)
        if (choice_value(field, field->choices[i], &choices[count]) && make_is_declared(field, &choices[count]))
            choices[count++].identity = i;
    uint8_t *slots = take(plan, CHOICE_SLOTS, 1);
    if (count)
        fill_slots(slots, count);
    maker->choices = choices;
    maker->choice_count = count;
    maker->slots = slots;
    maker->way = MAKE_CHOICE;
}

static void plan_habits(struct maker *maker)
{
    const struct event_field *field = maker->field;
    bool dimension = field->role == EVENT_DIMENSION;
    maker->distinct = dimension ? DISTINCT_DIMENSION : DISTINCT_ATTRIBUTE;
    double present = PRESENT_USUAL;
    if (field->deprecated.n)
        present = 0;
    else if (field->default_value.n)
        present = 0.5;
    const struct generate_field *hint = field->generate;
    if (hint && hint->has_present)
        present = hint->present;
    if (hint && hint->distinct)
        maker->distinct = hint->distinct > UINT32_MAX ? UINT32_MAX : (uint32_t)hint->distinct;
    maker->present = field->required ? DRAW_ALWAYS : draw_share(present);
}

static void plan_basis(const struct event_type *type, struct maker *maker)
{
    const struct generate_field *hint = maker->field->generate;
    if (!hint)
        return;
    maker->as = hint->as;
    switch (hint->by) {
    case GENERATE_BY_HABIT:
        return;
    case GENERATE_BY_EVENT:
        maker->basis = BY_EVENT;
        return;
    case GENERATE_BY_VISIT:
        maker->basis = BY_VISIT;
        return;
    case GENERATE_BY_VISITOR:
        maker->basis = BY_VISITOR;
        return;
    case GENERATE_BY_FIELD:
        maker->basis = BY_FIELD;
        for (size_t i = 0; i < type->field_count; i++)
            if (slice_equal(type->fields[i].name, hint->by_name))
                maker->of = (uint16_t)i;
        return;
    }
}

uint64_t plan_salt(struct slice name)
{
    return XXH3_64bits(name.p, name.n);
}

static void plan_field(struct plan *plan, struct type_plan *to, size_t index)
{
    const struct event_field *field = &to->type->fields[index];
    struct maker *maker = &to->makers[index];
    maker->field = field;
    maker->salt = plan_salt(field->name);
    plan_kind(maker);
    plan_choices(plan, maker);
    plan_habits(maker);
    plan_basis(to->type, maker);
    char key[EVENT_IDENTIFIER_MAX + 8];
    int n = snprintf(key, sizeof key, "\"%.*s\":", SLICE_ARG(field->name));
    maker->key = arena_copy(&plan->arena, slice_of(key, (size_t)n));
}

/* Each behind the one that it goes by (there are no rings), and what is computed behind all that is drawn. */
static void plan_order(struct type_plan *to)
{
    bool placed[EVENT_FIELDS_MAX] = { 0 };
    size_t done = 0;
    for (int computed = 0; computed < 2; computed++)
        for (size_t round = 0; round < to->count; round++)
            for (size_t i = 0; i < to->count; i++) {
                const struct maker *maker = &to->makers[i];
                bool waits = maker->basis == BY_FIELD && !placed[maker->of];
                if (placed[i] || (!computed && (waits || maker->as)))
                    continue;
                placed[i] = true;
                to->order[done++] = (uint16_t)i;
            }
    assert(done == to->count);
}

static struct rule_place place_of(const struct type_plan *to, size_t index)
{
    for (size_t i = 0; i < to->count; i++)
        if (to->type->fields[i].kind == EVENT_MONEY && to->type->fields[i].cents_place == index)
            return (struct rule_place){ PLACE_CENTS, (uint16_t)i };
    switch ((enum field_source)to->type->plan->paths[index].source) {
    case FIELD_EVENT_TYPE:
        return (struct rule_place){ .kind = PLACE_TYPE };
    case FIELD_VISITOR_ID:
        return (struct rule_place){ .kind = PLACE_VISITOR };
    case FIELD_TIMESTAMP:
    case FIELD_RECEIVED_AT:
        return (struct rule_place){ .kind = PLACE_TIME };
    case FIELD_PROPERTIES:
    case FIELD_EVENT_NAME:
    case FIELD_USER_ID:
    case FIELD_SESSION_ID:
    case FIELD_EVENT_ID:
    case FIELD_CUSTOMER_ID:
    case FIELD_CONTEXT:
    case FIELD_SOURCES:
        break;
    }
    return (struct rule_place){ .kind = PLACE_NOTHING };
}

static void plan_rules(struct plan *plan, struct type_plan *to)
{
    const struct event_type *type = to->type;
    if (!type->rule_count)
        return;
    assert(type->plan->count >= to->count);
    to->place_count = type->plan->count - to->count;
    to->places = take(plan, to->place_count, sizeof *to->places);
    for (size_t i = 0; i < to->place_count; i++)
        to->places[i] = place_of(to, to->count + i);
}

/* "level_up" → "Level up". */
static void plan_head(struct plan *plan, struct type_plan *to)
{
    char name[EVENT_IDENTIFIER_MAX + 1] = "", head[3 * EVENT_IDENTIFIER_MAX];
    struct slice type = to->type->name;
    size_t length = type.n < EVENT_IDENTIFIER_MAX ? type.n : EVENT_IDENTIFIER_MAX;
    for (size_t i = 0; i < length; i++)
        name[i] = type.p[i] == '_' ? ' ' : type.p[i];
    if (length && name[0] >= 'a' && name[0] <= 'z')
        name[0] = (char)(name[0] - 32);
    int n = snprintf(head, sizeof head, ",\"event_type\":\"%.*s\",\"event_name\":\"%.*s\",\"properties\":{",
                     SLICE_ARG(type), (int)length, name);
    to->head = arena_copy(&plan->arena, slice_of(head, (size_t)n));
}

static void plan_type(struct plan *plan, struct type_plan *to, const struct event_type *type)
{
    to->type = type;
    to->count = type->field_count;
    to->makers = take(plan, to->count, sizeof *to->makers);
    to->order = take(plan, to->count, sizeof *to->order);
    to->weight = type->weight ? *type->weight : type->deprecated.n ? 0 : 1;
    for (size_t i = 0; i < to->count; i++)
        plan_field(plan, to, i);
    plan_order(to);
    plan_rules(plan, to);
    plan_head(plan, to);
    to->breakers = take(plan, break_places(to, NULL), sizeof *to->breakers);
    to->breaker_count = break_places(to, to->breakers);
}

static enum status no_such_domain(const struct domain_set *domains, struct slice name, struct error *err)
{
    char all[256] = "";
    for (size_t i = 0, n = 0; i < domains->domain_count && n < sizeof all; i++)
        n += (size_t)snprintf(all + n, sizeof all - n, "%s%.*s", i ? ", " : "", SLICE_ARG(domains->domains[i].name));
    return error_set(err, ERR_NOT_FOUND, "there is no domain %.*s; %s%s", SLICE_ARG(name),
                     all[0] ? "there is " : "there is none at all", all);
}

enum status plan_make(struct plan *plan, const struct domain_set *domains, struct slice name, struct error *err)
{
    *plan = (struct plan){ .domains = domains,
                           .salt_country = plan_salt(SLICE("country")),
                           .salt_locale = plan_salt(SLICE("locale")),
                           .salt_device = plan_salt(SLICE("device")) };
    for (size_t i = 0; i < domains->domain_count; i++)
        if (slice_equal(domains->domains[i].name, name))
            plan->domain = &domains->domains[i];
    if (!plan->domain)
        return no_such_domain(domains, name, err);
    plan->people = plan->domain->said[DOMAIN_SESSIONS_ENABLED].value != 1;
    arena_init(&plan->arena, PLAN_BYTES_MAX);
    plan->types = take(plan, domains->event_type_count, sizeof *plan->types);
    for (size_t i = 0; i < domains->event_type_count; i++)
        if (slice_equal(domains->event_types[i].domain, name))
            plan_type(plan, &plan->types[plan->type_count++], &domains->event_types[i]);
    if (!plan->type_count)
        return error_set(err, ERR_NOT_FOUND,
                         "the domain %.*s (%.*s) declares no event types: add event_types, "
                         "docs/domains.md shows how",
                         SLICE_ARG(name), SLICE_ARG(plan->domain->file));
    return OK;
}

void plan_all_money(struct plan *plan)
{
    for (size_t i = 0; i < plan->type_count; i++)
        for (size_t k = 0; k < plan->types[i].count; k++)
            if (plan->types[i].makers[k].field->kind == EVENT_MONEY)
                plan->types[i].makers[k].present = DRAW_ALWAYS;
}

void plan_done(struct plan *plan)
{
    if (plan->arena.max_bytes)
        arena_done(&plan->arena);
}
