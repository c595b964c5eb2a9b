/* Everything that is in use as items of the catalog. Expressions of windows and transforms have no text any more, so
 * that an id stands for what they mean: another one, another meaning. */
#include "evolve/evolve.h"

#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include "base/arena.h"
#include "base/json_text.h"
#include "schema/schema.h"

#define BODY_BYTES_MAX (4u << 20)
#define ALL_BYTES_MAX (256u << 20)

struct deploying {
    struct arena arena; /* of the bodies */
    struct buf body;    /* of the item that is being made */
    struct slice source;
    size_t count;
    bool full;
    struct catalog_item items[CATALOG_ITEMS_MAX];
};

/* Takes what stands in body. */
static void add(struct deploying *deploying, struct catalog_item item)
{
    deploying->full |= deploying->body.full || deploying->count == CATALOG_ITEMS_MAX;
    if (deploying->full)
        return;
    item.body = arena_copy(&deploying->arena, buf_slice(&deploying->body));
    deploying->full |= !item.body.p;
    deploying->items[deploying->count++] = item;
    buf_reset(&deploying->body);
}

static void add_source(struct deploying *deploying, const struct evolve_source *source)
{
    buf_add_slice(&deploying->body, source->body);
    add(deploying,
        (struct catalog_item){
            .kind = CATALOG_SOURCE, .name = source->name, .type = source->type, .description = source->description });
}

static void add_type(struct deploying *deploying, const struct event_type *type)
{
    declared_add_type(&deploying->body, type);
    add(deploying,
        (struct catalog_item){
            .kind = CATALOG_EVENT_TYPE, .name = type->key, .domain = type->domain, .description = type->description });
    for (size_t i = 0; i < type->rule_count; i++) {
        declared_add_rule(&deploying->body, &type->rules[i]);
        add(deploying, (struct catalog_item){ .kind = CATALOG_RULE,
                                              .name = type->rules[i].name,
                                              .domain = type->domain,
                                              .type = SLICE("validation"),
                                              .event_type = type->key,
                                              .source = deploying->source,
                                              .description = type->rules[i].message });
    }
}

static void add_id(struct buf *body, uint64_t id)
{
    char text[17];
    snprintf(text, sizeof text, "%016llx", (unsigned long long)id);
    json_add_field(body, "id", slice_from(text));
}

static void add_time(struct buf *body, const char *key, int64_t ms)
{
    if (ms)
        json_add_field_u64(body, key, (uint64_t)ms);
}

static void add_window(struct deploying *deploying, const struct window *window)
{
    struct buf *body = &deploying->body;
    buf_add_text(body, "{");
    add_id(body, window->id);
    json_add_field(body, "kind", slice_from(window_kind_name(window->kind)));
    add_time(body, "size_ms", window->size_ms);
    add_time(body, "slide_ms", window->slide_ms);
    add_time(body, "gap_ms", window->gap_ms);
    add_time(body, "lateness_ms", window->lateness_ms);
    json_add_key(body, "keys");
    buf_add_text(body, "[");
    for (size_t i = 0; i < window->key_count; i++) {
        buf_add_text(body, i ? "," : "");
        json_add_string(body, window->keys[i].name);
    }
    buf_add_text(body, "],\"measures\":{");
    for (size_t i = 0; i < window->measure_count; i++) {
        buf_add_text(body, i ? "," : "");
        json_add_string(body, window->measures[i].name);
        buf_add_format(body, ":\"%s\"", measure_kind_name(window->measures[i].kind));
    }
    buf_add_text(body, "}}");
    add(deploying, (struct catalog_item){ .kind = CATALOG_RULE,
                                          .name = window->name,
                                          .domain = window->domain,
                                          .type = SLICE("window"),
                                          .source = deploying->source });
}

static void add_meaning(struct buf *out, const struct expr *expr, const struct field_plan *plan)
{
    if (expr)
        expr_add_canonical(expr, plan, out);
    buf_add_char(out, '\n');
}

static uint64_t transform_id(const struct transform *transform)
{
    AUTO(buf) struct buf text;
    buf_init(&text, BODY_BYTES_MAX);
    add_meaning(&text, transform->where, transform->fields);
    for (size_t i = 0; i < transform->set_count; i++)
        add_meaning(&text, transform->set[i].value, transform->fields);
    buf_add_slice(&text, transform->lua);
    return XXH3_64bits(text.p, text.n);
}

static void add_transform(struct deploying *deploying, const struct transform *transform)
{
    struct buf *body = &deploying->body;
    buf_add_text(body, "{");
    add_id(body, transform_id(transform));
    json_add_key(body, "sets");
    for (size_t i = 0; i < transform->set_count; i++) {
        buf_add_text(body, i ? "," : "[");
        json_add_string(body, transform->set[i].target.text);
    }
    buf_add_text(body, transform->set_count ? "]" : "[]");
    json_add_key(body, "removes");
    for (size_t i = 0; i < transform->remove_count; i++) {
        buf_add_text(body, i ? "," : "[");
        json_add_string(body, transform->remove[i].text);
    }
    buf_add_text(body, transform->remove_count ? "]" : "[]");
    if (transform->lua.n)
        json_add_field(body, "lua", transform->lua_name);
    buf_add_text(body, "}");
    add(deploying, (struct catalog_item){ .kind = CATALOG_RULE,
                                          .name = transform->name,
                                          .domain = transform->domain,
                                          .type = SLICE("transform"),
                                          .source = deploying->source });
}

static void add_all(struct deploying *deploying, const struct domain_set *now, const struct evolve_source *sources,
                    size_t source_count)
{
    for (size_t i = 0; i < source_count; i++)
        add_source(deploying, &sources[i]);
    for (size_t i = 0; i < now->event_type_count; i++)
        add_type(deploying, &now->event_types[i]);
    for (size_t i = 0; i < now->window_count; i++)
        add_window(deploying, &now->windows[i]);
    for (size_t i = 0; i < now->transform_count; i++)
        add_transform(deploying, &now->transforms[i]);
}

enum status evolve_deploy(struct catalog *catalog, const struct domain_set *now, const struct evolve_source *sources,
                          size_t source_count, const char *actor, uint64_t *out_changes, struct error *err)
{
    struct deploying *deploying = calloc(1, sizeof *deploying);
    assert(source_count > 0);
    if (!deploying)
        return error_set(err, ERR_FULL, "write down what is deployed: out of memory");
    arena_init(&deploying->arena, ALL_BYTES_MAX);
    buf_init(&deploying->body, BODY_BYTES_MAX);
    deploying->source = sources[0].name;
    add_all(deploying, now, sources, source_count);
    enum status s = deploying->full ? error_set(err, ERR_FULL, "what the domains declare is too large for the catalog")
                                    : catalog->backend->deploy(catalog, deploying->items, deploying->count, actor,
                                                               out_changes, err);
    arena_done(&deploying->arena);
    buf_done(&deploying->body);
    free(deploying);
    return s;
}
