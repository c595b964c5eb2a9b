#include "quality/quality_targets.h"

#include "base/json_text.h"
#include "store/schema.h"

static void add_share(struct buf *out, int64_t millionths)
{
    static const struct option SHARE = { .kind = OPTION_SHARE };
    char text[32];
    option_format(&SHARE, &millionths, text, sizeof text);
    buf_add_text(out, text);
}

/* Of a type, or of those that nobody declares. */
struct targets {
    int64_t shares[QUALITY_RATIOS];
};

static struct targets targets_of(const struct settings *settings, const struct domain_set *domains, struct slice tenant,
                                 struct slice type)
{
    struct targets targets;
    for (unsigned i = 0; i < QUALITY_RATIOS; i++) {
        const int64_t said =
            domains ? domain_quality_target(domains, domain_set_of(domains, tenant), type, (enum quality_ratio)i) : -1;
        targets.shares[i] = said >= 0 ? said : settings->quality_targets[i];
    }
    return targets;
}

static bool are_equal(const struct targets *a, const struct targets *b)
{
    return memcmp(a->shares, b->shares, sizeof a->shares) == 0;
}

static void add_targets(struct buf *out, const struct targets *targets)
{
    json_add_key(out, "targets");
    for (unsigned i = 0; i < QUALITY_RATIOS; i++) {
        buf_add_text(out, i ? "" : "{");
        json_add_key(out, quality_ratio_name((enum quality_ratio)i));
        add_share(out, targets->shares[i]);
    }
    buf_add_char(out, '}');
}

/* Types of a domain that have the same targets stand together. */
struct listing {
    struct buf *out;
    const struct event_type *last; /* NULL: none is open */
    struct targets targets;        /* of the last one */
    bool any;
};

static void close_group(struct listing *listing)
{
    if (listing->last)
        buf_add_text(listing->out, "]}");
    listing->last = NULL;
}

static void list_type(struct listing *listing, const struct event_type *type, const struct targets *targets)
{
    struct buf *out = listing->out;
    if (listing->last && listing->last->domain_place == type->domain_place && are_equal(&listing->targets, targets)) {
        buf_add_char(out, ',');
    } else {
        close_group(listing);
        buf_add_text(out, listing->any ? ",{" : "{");
        json_add_field(out, "domain", type->domain);
        add_targets(out, targets);
        json_add_key(out, "event_types");
        buf_add_char(out, '[');
    }
    json_add_string(out, type->name);
    listing->any = true;
    listing->last = type;
    listing->targets = *targets;
}

void quality_targets_add_json(struct buf *out, const struct settings *settings, const struct domain_set *domains,
                              struct slice tenant)
{
    const struct targets usual = targets_of(settings, domains, tenant, SLICE(""));
    struct listing listing = { .out = out };
    buf_add_char(out, '{');
    add_targets(out, &usual);
    json_add_key(out, "domains");
    buf_add_char(out, '[');
    for (size_t i = 0; domains && i < domains->event_type_count; i++) {
        const struct event_type *type = &domains->event_types[i];
        const struct targets targets = targets_of(settings, domains, tenant, type->name);
        if (event_type_find(domains, domain_set_of(domains, tenant), type->name) == type &&
            !are_equal(&targets, &usual))
            list_type(&listing, type, &targets);
    }
    close_group(&listing);
    buf_add_text(out, "]}");
}

/* ---- for the engine ---- */

/* Two domains may have types of one name, as long as no tenant has both. */
static void add_audience(struct buf *out, const struct domain_set *domains, const struct domain *domain)
{
    size_t count;
    const struct slice *names = domain_names(domains, domain, &count);
    if (domain->audience == DOMAIN_FOR_ALL || !count)
        return;
    buf_add_format(out, " AND toString(customer_id)%s IN (", domain->audience == DOMAIN_FOR_OTHERS ? " NOT" : "");
    schema_add_literals(out, names, count);
    buf_add_char(out, ')');
}

static void add_types(struct buf *out, const struct domain_set *domains, size_t place)
{
    bool any = false;
    for (size_t i = 0; i < domains->event_type_count; i++) {
        if (domains->event_types[i].domain_place != place)
            continue;
        buf_add_text(out, any ? ", " : "toString(event_type) IN (");
        schema_add_literal(out, domains->event_types[i].name);
        any = true;
    }
    buf_add_text(out, any ? ")" : "true"); /* who declares none speaks of all */
}

static void add_float(struct buf *out, int64_t share)
{
    buf_add_text(out, "toFloat64(");
    add_share(out, share);
    buf_add_char(out, ')');
}

/* What these domains say, each behind its condition. */
static void add_cases(struct buf *out, const struct domain_set *domains, enum quality_ratio ratio, int closeness,
                      bool of_types)
{
    for (size_t i = 0; i < domains->domain_count; i++) {
        const struct domain *domain = &domains->domains[i];
        const int64_t said = domain->said[DOMAIN_QUALITY_TARGET + ratio].value;
        if (!said || domain_closeness(domain) != closeness || (domain->event_type_count > 0) != of_types)
            continue;
        add_types(out, domains, i);
        add_audience(out, domains, domain);
        buf_add_text(out, ", ");
        add_float(out, said - 1);
        buf_add_text(out, ", ");
    }
}

/* The first case that holds counts: the order is that of domain_quality_target. */
void quality_targets_add_sql(struct buf *out, const struct settings *settings, const struct domain_set *domains,
                             enum quality_ratio ratio)
{
    buf_add_text(out, "multiIf(");
    for (int closeness = DOMAIN_CLOSENESS_MAX; domains && closeness >= 0; closeness--) {
        add_cases(out, domains, ratio, closeness, true);
        add_cases(out, domains, ratio, closeness, false);
    }
    buf_add_text(out, "false, 0., "); /* there is always one condition */
    add_float(out, settings->quality_targets[ratio]);
    buf_add_char(out, ')');
}
