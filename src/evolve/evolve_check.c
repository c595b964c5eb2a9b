/* The catalog has of each event type what was declared when it was last taken, as an item of a domain file in JSON.
 * Most of the time that is what is declared now, to the byte, and there is nothing to do; else it is read by the reader
 * of domains and both are compared as `weir schema diff` compares them.
 *
 * An event type that is gone is no record that cannot be read, but its events go unchecked from then on and its view is
 * gone, so it must have been said before: by `deprecated`, or by `compatibility: none`, in what is deployed. */
#include "evolve/evolve.h"

#include <stdio.h>

#include "base/json_text.h"
#include "schema/compare.h"
#include "schema/schema.h"
#include "world/world.h"

#define BODY_BYTES_MAX (4u << 20)

struct checking {
    const struct domain_set *now;
    struct world *world;
    struct problems *problems;
    const char *from; /* "version 3" */
    const struct event_type *type;
    unsigned missing; /* directions that it must have and has not */
    size_t refused;
    enum status status; /* of what stopped it */
    struct error err;
};

static void on_change(void *self, const struct compare_change *change)
{
    (void)self, (void)change; /* what changed is no reason: what it breaks is */
}

/* The field that a column is made of, if it is still declared. */
static const struct event_field *field_of(const struct event_type *type, struct slice column)
{
    for (size_t i = 0; i < type->field_count; i++) {
        struct slice name = type->fields[i].name;
        bool cents = type->fields[i].kind == EVENT_MONEY && slice_starts(column, name) &&
                     slice_equal(slice_after(column, name.n), SLICE("_cents"));
        if (cents || slice_equal(column, name))
            return &type->fields[i];
    }
    return NULL;
}

static void on_break(void *self, const struct compare_break *broken)
{
    struct checking *checking = self;
    const struct event_type *type = checking->type;
    if (!(broken->direction & checking->missing))
        return;
    const struct event_field *field = field_of(type, slice_from(broken->column));
    checking->refused++;
    domain_set_problem(checking->now, type->domain, field ? field->at : type->at, field ? field->name.n : type->name.n,
                       checking->problems,
                       "%.*s.%s: this change is not %s, and %.*s is deployed (%s): %s; %s, or allow it by "
                       "`compatibility: none`",
                       SLICE_ARG(type->name), broken->column, compare_name(broken->direction), SLICE_ARG(type->name),
                       checking->from, broken->reason, broken->fix);
}

static void ignore_break(void *self, const struct compare_break *broken)
{
    (void)self, (void)broken;
}

/* First which directions are there, so that only what is asked for is told. */
static void check_changed(struct checking *checking, const struct event_type *before, const struct event_type *now)
{
    const struct compare_visitor quiet = { on_change, ignore_break, checking },
                                 tell = { on_change, on_break, checking };
    checking->type = now;
    checking->missing = (unsigned)now->compatibility & ~compare_types(before, now, &quiet);
    if (checking->missing)
        (void)compare_types(before, now, &tell);
}

static bool has_domain(const struct domain_set *set, struct slice name)
{
    for (size_t i = 0; i < set->domain_count; i++)
        if (slice_equal(set->domains[i].name, name))
            return true;
    return false;
}

static void check_gone(struct checking *checking, struct slice domain, const struct event_type *before)
{
    if (before->deprecated.n || before->compatibility == EVENT_COMPATIBLE_NONE || !has_domain(checking->now, domain))
        return;
    checking->refused++;
    domain_set_problem(
        checking->now, domain, 0, 1, checking->problems,
        "the event type %.*s is deployed (%s) and gone from here: its events would not be checked any "
        "more, and its view would go; say `deprecated: WHAT TO USE INSTEAD` in it and deploy that first, "
        "or `compatibility: none`",
        SLICE_ARG(before->name), checking->from);
}

/* ---- against the catalog ---- */

static bool is_as_deployed(const struct catalog_item *item, const struct event_type *now)
{
    AUTO(buf) struct buf body;
    buf_init(&body, BODY_BYTES_MAX);
    declared_add_type(&body, now);
    return !body.full && slice_equal(buf_slice(&body), item->body);
}

static enum status read_item(struct checking *checking, const struct catalog_item *item, struct domain_set **out)
{
    AUTO(buf) struct buf text;
    AUTO(problems) struct problems of_item;
    struct error why;
    buf_init(&text, BODY_BYTES_MAX);
    problems_init(&of_item, false);
    buf_add_text(&text, "{");
    json_add_field(&text, "domain", item->domain);
    buf_add_format(&text, ",\"event_types\":[%.*s]}", SLICE_ARG(item->body));
    enum status s = domain_set_load_text("catalog", buf_slice(&text), checking->world, out, &of_item, &why);
    if (s == OK)
        return OK;
    return error_set(&checking->err, s, "the catalog's version %u of the event type %.*s cannot be read: %s",
                     item->version, SLICE_ARG(item->name), why.text);
}

static void check_item(void *self, const struct catalog_item *item)
{
    struct checking *checking = self;
    /* A domain that gets or loses its `tenants` has its types under other keys; what they were is then out of use. */
    const struct event_type *now = item->active ? event_type_again(checking->now, item->domain, item->name)
                                                : event_type_of_key(checking->now, item->name);
    struct domain_set *before = NULL;
    char from[32];
    if (checking->status != OK || (!now && !item->active) || (now && is_as_deployed(item, now)))
        return;
    checking->status = read_item(checking, item, &before);
    if (checking->status != OK)
        return;
    snprintf(from, sizeof from, "version %u", item->version);
    checking->from = from;
    if (now)
        check_changed(checking, &before->event_types[0], now);
    else
        check_gone(checking, item->domain, &before->event_types[0]);
    domain_set_free(before);
}

static enum status verdict(const struct checking *checking, struct error *err)
{
    if (!checking->refused)
        return OK;
    return error_set(err, ERR_INVALID, "%zu change%s of event types would break what is deployed", checking->refused,
                     checking->refused == 1 ? "" : "s");
}

enum status evolve_check(struct catalog *catalog, const struct domain_set *now, struct world *world,
                         struct problems *problems, struct error *err)
{
    struct checking checking = { .now = now, .world = world, .problems = problems };
    enum status s = catalog->backend->items(catalog, CATALOG_EVENT_TYPE, check_item, &checking, err);
    if (s != OK)
        return s;
    if (checking.status != OK)
        return error_set(err, checking.status, "%s", checking.err.text);
    return verdict(&checking, err);
}

/* ---- against another configuration ---- */

enum status evolve_check_sets(const struct domain_set *before, const char *from, const struct domain_set *now,
                              struct problems *problems, struct error *err)
{
    struct checking checking = { .now = now, .problems = problems, .from = from };
    for (size_t i = 0; i < before->event_type_count; i++) {
        const struct event_type *old = &before->event_types[i], *type = event_type_again(now, old->domain, old->key);
        if (type)
            check_changed(&checking, old, type);
        else
            check_gone(&checking, old->domain, old);
    }
    return verdict(&checking, err);
}
