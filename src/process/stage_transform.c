/* All of a transform's expressions are computed from the event as it came to it; then the changes are made to the JSON
 * text at once (base/json_edit.h), so that what nobody touches keeps its bytes. From transform to transform the text
 * goes to and fro between two buffers that the stage keeps, and moves to the batch's arena once, behind the last: the
 * arena holds what comes out, however many transforms there are. */
#include "process/stage_transform.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/json_edit.h"
#include "base/json_text.h"
#include "script/script.h"

#define OBJECT_BYTES_MAX (1u << 20) /* of properties, and of context */
#define NO_ROOM "the texts of this batch's events take more than its 16 MiB; replay it"
#define NAME_BYTES_MAX 1024 /* of event_type and event_name */

struct stage_transform {
    const struct domain_set *domains;
    struct script *scripts[TRANSFORMS_MAX]; /* of the transforms that have one */
    struct counter *counters[TRANSFORMS_MAX];
    uint32_t done[TRANSFORMS_MAX]; /* events of the batch at hand */
    struct buf values;             /* of the event at hand */
    struct buf objects[2][2];      /* properties and context, to and fro */
    unsigned turns[2];
    struct value fields[FIELD_PATHS_MAX];
};

void stage_transform_labels(const struct transform *transform, char to[STAGE_TRANSFORM_LABELS_MAX])
{
    snprintf(to, STAGE_TRANSFORM_LABELS_MAX, "transform=\"%.*s\"", SLICE_ARG(transform->name));
}

struct stage_transform *stage_transform_new(const struct domain_set *domains, struct metrics *metrics)
{
    char labels[STAGE_TRANSFORM_LABELS_MAX];
    if (!domains || !domains->transform_count)
        return NULL;
    struct stage_transform *stage = calloc(1, sizeof *stage);
    if (!stage)
        abort();
    stage->domains = domains;
    for (size_t i = 0; i < domains->transform_count; i++) {
        const struct transform *transform = &domains->transforms[i];
        stage_transform_labels(transform, labels);
        stage->counters[i] = metrics_counter(metrics, STAGE_TRANSFORM_EVENTS,
                                             "Events that a transform was for and did not refuse.", labels);
        if (transform->lua.n &&
            script_new(transform->lua, transform->lua_name, transform->lua_line, &stage->scripts[i], NULL) != OK)
            abort(); /* the configuration has run it already */
    }
    buf_init(&stage->values, OBJECT_BYTES_MAX);
    for (size_t i = 0; i < 4; i++)
        buf_init(&stage->objects[i / 2][i % 2], OBJECT_BYTES_MAX);
    return stage;
}

void stage_transform_free(struct stage_transform *stage)
{
    if (!stage)
        return;
    for (size_t i = 0; i < TRANSFORMS_MAX; i++)
        script_free(stage->scripts[i]);
    buf_done(&stage->values);
    for (size_t i = 0; i < 4; i++)
        buf_done(&stage->objects[i / 2][i % 2]);
    free(stage);
}

static bool refuse(struct process_batch *batch, uint32_t i, const char *reason, struct slice field,
                   const struct transform *transform, const char *message)
{
    struct buf text;
    char room[640];
    text = (struct buf){ .p = room, .capacity = sizeof room, .max_bytes = sizeof room };
    buf_add_format(&text, "transform %.*s: %s", SLICE_ARG(transform->name), message);
    struct slice kept = arena_copy(batch->arena, buf_slice(&text));
    process_refuse(batch, i, "transform", reason, field, kept.p ? kept : slice_from(message));
    return false;
}

/* What a transform wants of one event, before any of it is done. */
struct wish {
    struct json_change changes[2][JSON_EDIT_MAX]; /* of properties and context */
    size_t counts[2];
    struct slice event_type, event_name; /* p NULL: unchanged */
};

static void add_change(struct wish *wish, const struct field_path *path, bool remove, size_t from, size_t n)
{
    size_t which = path->source == FIELD_CONTEXT;
    /* The buffer of values may still move: the place is kept as an offset until all are there. */
    wish->changes[which][wish->counts[which]++] =
        (struct json_change){ path->names, path->count, remove, { (const char *)(uintptr_t)from, n } };
}

static bool set_name(struct process_batch *batch, uint32_t i, const struct transform *transform,
                     const struct transform_set *set, struct value value, struct wish *wish)
{
    if (value.kind != VALUE_TEXT || value.n == 0 || value.n > NAME_BYTES_MAX)
        return refuse(batch, i, "bad_type", set->target.text, transform, "this must become text of 1 to 1024 bytes");
    /* A copy: the buffer that the text may lie in is written again. */
    struct slice kept = arena_copy(batch->arena, value_slice(value));
    if (!kept.p)
        return refuse(batch, i, "no_room", set->target.text, transform, NO_ROOM);
    if (set->target.source == FIELD_EVENT_TYPE)
        wish->event_type = kept;
    else
        wish->event_name = kept;
    return true;
}

static bool make_wish(struct stage_transform *stage, struct process_batch *batch, uint32_t i,
                      const struct transform *transform, struct wish *wish)
{
    wish->counts[0] = wish->counts[1] = 0;
    wish->event_type = wish->event_name = (struct slice){ 0 };
    buf_reset(&stage->values);
    for (size_t n = 0; n < transform->set_count; n++) {
        const struct transform_set *set = &transform->set[n];
        struct value value = expr_eval(set->value, stage->fields, batch->arena);
        size_t from = stage->values.n;
        if (value_is_null(value) && value.detail == REASON_TOO_LONG)
            return refuse(batch, i, "too_long", set->target.text, transform, "this text is longer than 64 KiB");
        if (set->target.count == 0) {
            if (!set_name(batch, i, transform, set, value, wish))
                return false;
            continue;
        }
        value_add_json(value, &stage->values);
        add_change(wish, &set->target, false, from, stage->values.n - from);
    }
    for (size_t n = 0; n < transform->remove_count; n++)
        add_change(wish, &transform->remove[n], true, 0, 0);
    if (stage->values.full)
        return refuse(batch, i, "event_too_large", (struct slice){ 0 }, transform, "what is set is larger than 1 MiB");
    return true;
}

static bool edit(struct stage_transform *stage, struct wish *wish, size_t which, struct slice *object)
{
    struct buf *out = &stage->objects[which][stage->turns[which]];
    if (!wish->counts[which])
        return true;
    for (size_t n = 0; n < wish->counts[which]; n++) {
        struct slice *value = &wish->changes[which][n].value;
        value->p = stage->values.p + (uintptr_t)value->p;
    }
    buf_reset(out);
    if (!json_edit(*object, wish->changes[which], wish->counts[which], out))
        return false;
    *object = buf_slice(out);
    stage->turns[which] ^= 1;
    return true;
}

static bool grant(struct stage_transform *stage, struct process_batch *batch, uint32_t i,
                  const struct transform *transform, struct wish *wish)
{
    struct event *event = &batch->events[i];
    struct slice properties = event->properties, context = event->context;
    if (!edit(stage, wish, 0, &properties))
        return refuse(batch, i, "event_too_large", SLICE("properties"), transform, "they would be larger than 1 MiB");
    if (!edit(stage, wish, 1, &context))
        return refuse(batch, i, "event_too_large", SLICE("context"), transform, "it would be larger than 1 MiB");
    event->properties = properties;
    event->context = context;
    if (wish->event_type.p)
        event->event_type = wish->event_type;
    if (wish->event_name.p)
        event->event_name = wish->event_name;
    batch->changed[i] = true;
    return true;
}

static bool run_script(struct stage_transform *stage, struct process_batch *batch, uint32_t i, size_t which)
{
    const struct transform *transform = &stage->domains->transforms[which];
    struct event *event = &batch->events[i], before = *event;
    struct error err;
    enum status s = script_run(stage->scripts[which], event, batch->arena, &err);
    if (s != OK)
        return refuse(batch, i, s == ERR_FULL ? "script_limit" : "script_failed", (struct slice){ 0 }, transform,
                      err.text);
    batch->changed[i] |= event->properties.p != before.properties.p || event->context.p != before.context.p ||
                         event->event_type.p != before.event_type.p || event->event_name.p != before.event_name.p;
    return true;
}

/* False: the event is dead. */
static bool apply(struct stage_transform *stage, struct process_batch *batch, uint32_t i, size_t which)
{
    const struct transform *transform = &stage->domains->transforms[which];
    struct wish wish;
    field_plan_fill(transform->fields, &batch->events[i], batch->arena, stage->fields);
    if (transform->where && !value_is_true(expr_eval(transform->where, stage->fields, batch->arena)))
        return true;
    const bool done = transform->lua.n
                          ? run_script(stage, batch, i, which)
                          : make_wish(stage, batch, i, transform, &wish) && grant(stage, batch, i, transform, &wish);
    stage->done[which] += done;
    return done;
}

static bool is_in(struct slice s, const struct buf *buffer)
{
    return s.p == buffer->p;
}

/* What lies in the stage's buffers moves to the arena. */
static bool keep(struct stage_transform *stage, struct process_batch *batch, uint32_t i, size_t which,
                 struct slice *object)
{
    if (!is_in(*object, &stage->objects[which][0]) && !is_in(*object, &stage->objects[which][1]))
        return true;
    struct slice kept = arena_copy(batch->arena, *object);
    if (!kept.p) {
        process_refuse(batch, i, "transform", "no_room", (struct slice){ 0 }, SLICE(NO_ROOM));
        *object = SLICE("{}");
        return false;
    }
    *object = kept;
    return true;
}

static void transform_event(struct stage_transform *stage, struct process_batch *batch, uint32_t i)
{
    const struct domain_set *domains = stage->domains;
    struct event *event = &batch->events[i];
    for (size_t t = 0; t < domains->transform_count; t++)
        if (tenant_has_domain(batch->domains[i], domains->transforms[t].domain_place) && !apply(stage, batch, i, t))
            break;
    if (keep(stage, batch, i, 0, &event->properties))
        (void)keep(stage, batch, i, 1, &event->context);
}

enum status stage_transform_run(void *self, struct process_batch *batch, struct error *err)
{
    struct stage_transform *stage = self;
    (void)err;
    for (size_t n = 0; n < batch->live_count; n++)
        transform_event(stage, batch, batch->live[n]);
    for (size_t t = 0; t < stage->domains->transform_count; t++) {
        counter_add(stage->counters[t], stage->done[t]);
        stage->done[t] = 0;
    }
    return OK;
}
