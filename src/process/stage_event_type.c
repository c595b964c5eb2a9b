/* One pass over the properties gives every value that the type's fields and rules look at. The usual event has no
 * fault: then all checks have been one loop, and only what is to be put in or taken out is left. The order of the steps
 * is looked at only when something is wrong. */
#include "process/stage_event_type.h"

#include <sodium.h>
#include <stdlib.h>

#include "base/json_scan.h"
#include "base/json_text.h"
#include "process/validate/amend.h"
#include "process/validate/fault_text.h"
#include "process/validate/pii.h"

#define OBJECT_BYTES_MAX (1u << 20) /* of properties, and of context, once they are edited */
#define MESSAGE_BYTES_MAX 800
#define TAGS_MAX 16 /* faults that an event is stored with; further ones are left out */
#define SUBJECT_BYTES_MAX 200
#define FAULTS_KEY "weir_faults"
#define RELEASED_KEY "weir_released"

/* Whether a value of a field is missed when it is not there. */
enum asked { ASKED_NOT, ASKED_REQUIRED, ASKED_OPTIONAL, ASKED };

/* Of a type, what the loops need to know before they begin. */
struct type_work {
    uint16_t changing[EVENT_FIELDS_MAX]; /* fields of which something may be put in or taken out */
    size_t count;
    uint8_t asked[EVENT_FIELDS_MAX]; /* enum asked, by field */
    uint8_t asked_count[ASKED];
    size_t known; /* paths of the plan that are declared: the fields and their cents */
};

struct stage_event_type {
    const struct domain_set *domains;
    struct process_metrics *metrics;
    struct pii *pii;
    struct type_work *work; /* by the type's place in the set */
    struct amend properties, context;
    struct value values[FIELD_PATHS_MAX];
    uint8_t faults[EVENT_FIELDS_MAX]; /* enum fault, of the event at hand */
    bool cents_sent[EVENT_FIELDS_MAX];
    struct slice unknown; /* a field that nobody declared, where that is a fault; p NULL: none */
    struct fault_case tags[TAGS_MAX];
};

/* An event at hand. */
struct judging {
    struct process_batch *batch;
    uint32_t index;
    const struct event *event;
    const struct event_type *type;
    struct fault_case quarantined; /* type NULL: it is not */
    size_t tag_count;              /* of the stage's tags; may be above TAGS_MAX */
};

/* ---- life ---- */

static bool is_changing(const struct event_field *field)
{
    return field->kind == EVENT_MONEY || field->pii != EVENT_PII_NONE || field->default_value.n;
}

static enum asked asked_of(const struct event_field *field)
{
    if (field->deprecated.n || field->default_value.n)
        return ASKED_NOT;
    return field->required ? ASKED_REQUIRED : ASKED_OPTIONAL;
}

static void look_at_type(const struct event_type *type, struct type_work *work)
{
    work->known = type->field_count;
    for (size_t i = 0; i < type->field_count; i++) {
        work->known += type->fields[i].kind == EVENT_MONEY;
        work->asked[i] = (uint8_t)asked_of(&type->fields[i]);
        work->asked_count[work->asked[i]]++;
        if (is_changing(&type->fields[i]))
            work->changing[work->count++] = (uint16_t)i;
    }
}

struct stage_event_type *stage_event_type_new(const struct stage_event_type_options *options)
{
    const struct domain_set *domains = options->domains;
    if (!domains || !domains->event_type_count)
        return NULL;
    struct stage_event_type *stage = calloc(1, sizeof *stage);
    struct type_work *work = calloc(domains->event_type_count, sizeof *work);
    if (!stage || !work)
        abort();
    for (size_t t = 0; t < domains->event_type_count; t++)
        look_at_type(&domains->event_types[t], &work[t]);
    stage->domains = domains;
    stage->metrics = options->metrics;
    stage->work = work;
    stage->pii = pii_new(options->secret);
    amend_init(&stage->properties, OBJECT_BYTES_MAX);
    amend_init(&stage->context, OBJECT_BYTES_MAX);
    return stage;
}

void stage_event_type_free(struct stage_event_type *stage)
{
    if (!stage)
        return;
    pii_free(stage->pii);
    amend_done(&stage->properties);
    amend_done(&stage->context);
    free(stage->work);
    free(stage);
}

static bool is_absent(struct value value)
{
    return value_is_missing(value) && !value.p;
}

/* ---- refusing ---- */

/* "properties.amount", the rule's name. */
static struct slice field_of(const struct judging *judging, const struct fault_case *fault)
{
    char room[FIELD_NAME_MAX + sizeof "properties."];
    struct buf text = { .p = room, .capacity = sizeof room, .max_bytes = sizeof room };
    if (fault->rule)
        return fault->rule->name;
    if (fault->field)
        return judging->type->plan->paths[fault->field - judging->type->fields].text;
    buf_add_format(&text, "properties.%.*s", (int)(fault->unknown.n < FIELD_NAME_MAX ? fault->unknown.n : 0),
                   fault->unknown.p);
    return arena_copy(judging->batch->arena, buf_slice(&text));
}

static void refuse(const struct judging *judging, const char *stage, const struct fault_case *fault)
{
    char room[MESSAGE_BYTES_MAX];
    struct buf text = { .p = room, .capacity = sizeof room, .max_bytes = sizeof room };
    fault_add_message(fault, &text);
    process_refuse(judging->batch, judging->index, stage, fault_name(fault->fault), field_of(judging, fault),
                   arena_copy(judging->batch->arena, buf_slice(&text)));
}

static bool refuse_change(const struct judging *judging, enum amend_result result, struct slice what)
{
    switch (result) {
    case AMEND_OK:
        return true;
    case AMEND_NO_OBJECT:
        process_refuse(judging->batch, judging->index, "validate", "bad_type", what, SLICE("this must be an object"));
        return false;
    case AMEND_TOO_LARGE:
        process_refuse(judging->batch, judging->index, "validate", "event_too_large", what,
                       SLICE("with what validation puts in, this would be larger than 1 MiB"));
        return false;
    case AMEND_NO_ROOM:
        process_refuse(judging->batch, judging->index, "validate", "no_room", what,
                       SLICE("the texts of this batch's events take more than its 16 MiB; replay it"));
        return false;
    }
    return false;
}

/* ---- what is wrong ---- */

/* An amount may come as whole cents already: under the name that they are kept under, and without the other. */
static enum fault check_money(struct stage_event_type *stage, const struct event_field *field, size_t i)
{
    struct value *cents = &stage->values[field->cents_place];
    stage->cents_sent[i] = !is_absent(*cents);
    if (value_is_missing(stage->values[i]) && !value_is_missing(*cents))
        return field_check_cents(field, *cents);
    return field_check(field, stage->values[i], cents);
}

/* Of an amount it is enough that its cents came. */
static bool is_missing(const struct stage_event_type *stage, const struct event_field *field, size_t i)
{
    return value_is_missing(stage->values[i]) &&
           (field->kind != EVENT_MONEY || value_is_missing(stage->values[field->cents_place]));
}

/* Everything that is seen without the order of the steps. Money's cents are in the values afterwards: rules speak of
 * them. */
static bool has_fault(struct stage_event_type *stage, const struct event_type *type, unsigned missing[ASKED])
{
    const struct type_work *work = &stage->work[type - stage->domains->event_types];
    unsigned any = 0;
    for (size_t i = 0; i < type->field_count; i++) {
        const struct event_field *field = &type->fields[i];
        enum fault fault =
            field->kind == EVENT_MONEY ? check_money(stage, field, i) : field_check(field, stage->values[i], NULL);
        stage->faults[i] = (uint8_t)fault;
        any |= (unsigned)fault;
        missing[work->asked[i]] += is_missing(stage, field, i);
    }
    return any || stage->unknown.p;
}

/* Null is unknown, and no fault. */
static bool is_broken(struct stage_event_type *stage, const struct judging *judging, const struct event_rule *rule)
{
    struct value value = expr_eval(rule->expect, stage->values, judging->batch->arena);
    return value.kind == VALUE_BOOL && !value.b;
}

static bool breaks_rule(struct stage_event_type *stage, const struct judging *judging)
{
    for (size_t i = 0; i < judging->type->rule_count; i++)
        if (is_broken(stage, judging, &judging->type->rules[i]))
            return true;
    return false;
}

static bool is_released(struct stage_event_type *stage, const struct event *event)
{
    char token[PII_RELEASE_BYTES];
    struct slice found;
    if (!json_find(event->context, RELEASED_KEY, &found) || found.n != sizeof token + 2)
        return false;
    pii_release(stage->pii, event->customer_id, event->event_id, token);
    return sodium_memcmp(found.p + 1, token, sizeof token) == 0;
}

/* False: the event is dead. */
static bool note(struct stage_event_type *stage, struct judging *judging, enum event_otherwise otherwise,
                 const struct fault_case *fault)
{
    if (otherwise == EVENT_REJECT) {
        refuse(judging, "validate", fault);
        return false;
    }
    if (otherwise == EVENT_QUARANTINE && !judging->quarantined.type)
        judging->quarantined = *fault;
    if (judging->tag_count < TAGS_MAX)
        stage->tags[judging->tag_count] = *fault;
    judging->tag_count++;
    return true;
}

enum step { STEP_SCHEMA, STEP_NULLABILITY, STEP_RANGE, STEPS };

static enum step step_of(enum fault fault)
{
    return fault == FAULT_MISSING_FIELD ? STEP_NULLABILITY : fault == FAULT_OUT_OF_RANGE ? STEP_RANGE : STEP_SCHEMA;
}

static bool judge_fields(struct stage_event_type *stage, struct judging *judging, enum step step)
{
    const struct event_type *type = judging->type;
    for (size_t i = 0; i < type->field_count; i++) {
        enum fault fault = (enum fault)stage->faults[i];
        if (fault == FAULT_NONE || step_of(fault) != step)
            continue;
        const struct fault_case one = {
            .type = type, .fault = fault, .field = &type->fields[i], .value = stage->values[i]
        };
        if (!note(stage, judging, fault == FAULT_NO_ROOM ? EVENT_REJECT : type->fields[i].otherwise, &one))
            return false;
    }
    if (step != STEP_SCHEMA || !stage->unknown.p)
        return true;
    const struct fault_case one = { .type = type, .fault = FAULT_UNKNOWN_FIELD, .unknown = stage->unknown };
    return note(stage, judging, type->unknown, &one);
}

static bool judge_rules(struct stage_event_type *stage, struct judging *judging)
{
    const struct event_type *type = judging->type;
    for (size_t i = 0; i < type->rule_count; i++) {
        const struct fault_case one = { .type = type, .fault = FAULT_RULE_FAILED, .rule = &type->rules[i] };
        if (is_broken(stage, judging, one.rule) && !note(stage, judging, one.rule->otherwise, &one))
            return false;
    }
    return true;
}

/* Puts the proof for its release into the letter's original. */
static void quarantine(struct stage_event_type *stage, const struct judging *judging)
{
    char token[PII_RELEASE_BYTES + 2];
    struct slice context = judging->event->context;
    pii_release(stage->pii, judging->event->customer_id, judging->event->event_id, token + 1);
    token[0] = token[sizeof token - 1] = '"';
    amend_begin(&stage->context);
    amend_set(&stage->context, SLICE(RELEASED_KEY), slice_of(token, sizeof token), true);
    if (!refuse_change(judging, amend_make(&stage->context, judging->batch->arena, &context), SLICE("context")))
        return;
    refuse(judging, "quarantine", &judging->quarantined);
    judging->batch->refusals[judging->index].context = context;
}

/* In the order of the steps. False: the event is dead. */
static bool judge(struct stage_event_type *stage, struct judging *judging)
{
    for (enum step step = STEP_SCHEMA; step < STEPS; step++)
        if (!judge_fields(stage, judging, step))
            return false;
    if (!judge_rules(stage, judging))
        return false;
    if (!judging->quarantined.type)
        return true;
    if (is_released(stage, judging->event)) {
        process_metrics_released(stage->metrics);
        return true;
    }
    quarantine(stage, judging);
    return false;
}

/* ---- what is put in ---- */

/* False: no room. What a client sent under the name of the cents goes. */
static bool add_cents(struct stage_event_type *stage, const struct judging *judging, size_t i, struct value cents)
{
    const struct event_field *field = &judging->type->fields[i];
    struct slice name = judging->type->plan->paths[field->cents_place].names[0];
    char digits[VALUE_DIGITS_MAX];
    if (cents.kind != VALUE_INT) {
        if (stage->cents_sent[i])
            amend_remove(&stage->properties, name);
        return true;
    }
    struct slice text = arena_copy(judging->batch->arena, value_as_text(cents, digits));
    if (text.p)
        amend_set(&stage->properties, name, text, stage->cents_sent[i]);
    return text.p != NULL;
}

static bool add_default(struct stage_event_type *stage, const struct judging *judging, size_t i)
{
    const struct event_field *field = &judging->type->fields[i];
    amend_set(&stage->properties, field->name, field->default_value, !is_absent(stage->values[i]));
    return field->kind != EVENT_MONEY ||
           add_cents(stage, judging, i, expr_cents(value_from_decimal(field->default_value)));
}

/* What cannot be hashed goes away: nothing of a person stays as it was. A null stays, but not what stands behind it
 * under the same name. False: no room. */
static bool hide(struct stage_event_type *stage, const struct judging *judging, const struct event_field *field,
                 struct value value)
{
    char digits[VALUE_DIGITS_MAX];
    const struct event *event = judging->event;
    const struct pii_place place = { event->customer_id, event->event_id, field->name };
    struct arena *arena = judging->batch->arena;
    struct slice hidden;
    if (value_is_missing(value)) {
        amend_set(&stage->properties, field->name, SLICE("null"), true);
        return true;
    }
    if (field->pii == EVENT_PII_DROP || value.kind == VALUE_NULL) {
        amend_remove(&stage->properties, field->name);
        return true;
    }
    struct slice text = value_as_text(value, digits);
    bool fine = field->pii == EVENT_PII_HASH ? pii_hash(stage->pii, event->customer_id, text, arena, &hidden)
                                             : pii_encrypt(stage->pii, &place, text, arena, &hidden);
    if (fine)
        amend_set(&stage->properties, field->name, hidden, true);
    return fine;
}

static bool change_field(struct stage_event_type *stage, const struct judging *judging, size_t i)
{
    const struct event_field *field = &judging->type->fields[i];
    const struct value value = stage->values[i];
    const bool hidden = field->pii != EVENT_PII_NONE;
    const bool is_cents = field->kind == EVENT_MONEY && stage->values[field->cents_place].kind == VALUE_INT;
    if (value_is_missing(value) && is_cents && !hidden)
        return true; /* it came like that */
    if (value_is_missing(value) && field->default_value.n && !is_cents)
        return add_default(stage, judging, i);
    if (field->kind == EVENT_MONEY &&
        !add_cents(stage, judging, i, hidden ? value_null(REASON_MISSING) : stage->values[field->cents_place]))
        return false;
    return !hidden || is_absent(value) || hide(stage, judging, field, value);
}

static bool change_properties(struct stage_event_type *stage, const struct judging *judging)
{
    const struct type_work *work = &stage->work[judging->type - stage->domains->event_types];
    struct event *event = &judging->batch->events[judging->index];
    struct slice properties = event->properties;
    bool room = true;
    amend_begin(&stage->properties);
    for (size_t n = 0; n < work->count && room; n++)
        room = change_field(stage, judging, work->changing[n]);
    enum amend_result result =
        room ? amend_make(&stage->properties, judging->batch->arena, &properties) : AMEND_NO_ROOM;
    if (!refuse_change(judging, result, SLICE("properties")))
        return false;
    judging->batch->changed[judging->index] |= !slice_equal(properties, event->properties);
    event->properties = properties;
    return true;
}

/* `context.weir_faults: ["amount: out_of_range", …]` */
static void add_tags(struct stage_event_type *stage, const struct judging *judging)
{
    char room[TAGS_MAX * (2 * SUBJECT_BYTES_MAX + 40)];
    struct buf json = { .p = room, .capacity = sizeof room, .max_bytes = sizeof room };
    struct slice context = judging->event->context;
    for (size_t i = 0; i < judging->tag_count && i < TAGS_MAX; i++) {
        const struct fault_case *fault = &stage->tags[i];
        struct slice subject = fault_subject(fault);
        process_metrics_tagged(stage->metrics, fault_name(fault->fault));
        buf_add_text(&json, i ? ",\"" : "[\"");
        buf_add(&json, subject.p, subject.n < SUBJECT_BYTES_MAX ? subject.n : 0);
        buf_add_format(&json, ": %s\"", fault_name(fault->fault));
    }
    buf_add_char(&json, ']');
    assert(!json.full);
    judging->batch->values[judging->index].tagged = true;
    amend_begin(&stage->context);
    amend_set(&stage->context, SLICE(FAULTS_KEY), buf_slice(&json), true);
    if (!refuse_change(judging, amend_make(&stage->context, judging->batch->arena, &context), SLICE("context")))
        return;
    judging->batch->events[judging->index].context = context;
    judging->batch->changed[judging->index] = true;
}

/* ---- an event ---- */

static void look_at_event(struct stage_event_type *stage, struct process_batch *batch, uint32_t index)
{
    const struct event *event = &batch->events[index];
    const struct event_type *type = event_type_find(stage->domains, batch->domains[index], event->event_type);
    if (!type)
        return;
    const struct type_work *work = &stage->work[type - stage->domains->event_types];
    stage->unknown = (struct slice){ 0 };
    if (type->strict)
        field_plan_fill_strict(type->plan, event, work->known, batch->arena, stage->values, &stage->unknown);
    else
        field_plan_fill(type->plan, event, batch->arena, stage->values);
    struct judging judging = { .batch = batch, .index = index, .event = event, .type = type };
    unsigned missing[ASKED] = { 0 };
    bool fault = has_fault(stage, type, missing);
    batch->values[index] = (struct process_values){ .required = work->asked_count[ASKED_REQUIRED],
                                                    .required_missing = (uint8_t)missing[ASKED_REQUIRED],
                                                    .optional = work->asked_count[ASKED_OPTIONAL],
                                                    .optional_missing = (uint8_t)missing[ASKED_OPTIONAL] };
    fault = fault || breaks_rule(stage, &judging);
    if (UNLIKELY(fault) && !judge(stage, &judging))
        return;
    if (change_properties(stage, &judging) && judging.tag_count)
        add_tags(stage, &judging);
}

enum status stage_event_type_run(void *self, struct process_batch *batch, struct error *err)
{
    struct stage_event_type *stage = self;
    (void)err;
    for (size_t n = 0; n < batch->live_count; n++)
        look_at_event(stage, batch, batch->live[n]);
    return OK;
}
