#include "cli/schema_select.h"

#include <stdio.h>
#include <sysexits.h>

static int no_such_type(const struct args_command *command, const struct domain_set *domains, const char *name)
{
    struct slice closest = SLICE("");
    size_t best = 4;
    for (size_t i = 0; i < domains->event_type_count; i++) {
        size_t distance = slice_distance(domains->event_types[i].name, slice_from(name));
        if (distance < best) {
            best = distance;
            closest = domains->event_types[i].name;
        }
    }
    fprintf(stderr, "weir %s: no domain declares an event type %s", command->name, name);
    if (closest.n)
        fprintf(stderr, "; did you mean %.*s?", SLICE_ARG(closest));
    fprintf(stderr, "\nTry: weir schema list\n");
    return EX_DATAERR;
}

/* purchase, or shop.purchase: several domains may have one. */
static bool is_called(const struct event_type *type, struct slice name)
{
    return slice_equal(type->name, name) ||
           (name.n == type->domain.n + 1 + type->name.n && slice_starts(name, type->domain) &&
            name.p[type->domain.n] == '.' && slice_equal(slice_after(name, type->domain.n + 1), type->name));
}

static bool is_declared(const struct domain_set *domains, const char *name)
{
    bool found = false;
    for (size_t i = 0; i < domains->event_type_count && !found; i++)
        found = is_called(&domains->event_types[i], slice_from(name));
    return found;
}

static bool is_wanted(const char *domain, const struct args_rest *types, const struct event_type *type)
{
    if (domain && !slice_equal(type->domain, slice_from(domain)))
        return false;
    for (int64_t i = 0; i < types->count; i++)
        if (is_called(type, slice_from(types->items[i])))
            return true;
    return types->count == 0;
}

int schema_select(const struct args_command *command, const char *config, const char *domain,
                  const struct args_rest *types, const struct domain_set *domains, struct schema_selection *out)
{
    *out = (struct schema_selection){ .domains = domains };
    for (int64_t i = 0; i < types->count; i++)
        if (!is_declared(domains, types->items[i]))
            return no_such_type(command, domains, types->items[i]);
    for (size_t i = 0; i < domains->event_type_count; i++)
        if (is_wanted(domain, types, &domains->event_types[i]))
            out->types[out->count++] = &domains->event_types[i];
    if (out->count)
        return EX_OK;
    if (domain)
        fprintf(stderr, "weir %s: domain %s declares no event types%s\n", command->name, domain,
                types->count ? " of these names" : "");
    else
        fprintf(stderr, "weir %s: no domain in %s/domains declares event types (docs/domains.md shows how)\n",
                command->name, config);
    return EX_DATAERR;
}
