#include "quality/quality_targets.h"

#include "base/json_text.h"
#include "store/schema.h"

static int64_t target_of(const struct settings *settings, const struct domain *domain, enum quality_ratio ratio)
{
    return domain && domain->quality[ratio] >= 0 ? domain->quality[ratio] : settings->quality_targets[ratio];
}

static void add_share(struct buf *out, int64_t millionths)
{
    static const struct option SHARE = { .kind = OPTION_SHARE };
    char text[32];
    option_format(&SHARE, &millionths, text, sizeof text);
    buf_add_text(out, text);
}

static void add_targets(struct buf *out, const struct settings *settings, const struct domain *domain)
{
    json_add_key(out, "targets");
    for (unsigned i = 0; i < QUALITY_RATIOS; i++) {
        buf_add_text(out, i ? "" : "{");
        json_add_key(out, quality_ratio_name((enum quality_ratio)i));
        add_share(out, target_of(settings, domain, (enum quality_ratio)i));
    }
    buf_add_char(out, '}');
}

static bool says_something(const struct domain *domain)
{
    bool says = false;
    for (unsigned i = 0; i < QUALITY_RATIOS; i++)
        says |= domain->quality[i] >= 0;
    return says;
}

static void add_domain(struct buf *out, const struct settings *settings, const struct domain_set *domains,
                       const struct domain *domain)
{
    bool first = true;
    buf_add_char(out, '{');
    json_add_field(out, "domain", domain->name);
    add_targets(out, settings, domain);
    json_add_key(out, "event_types");
    buf_add_char(out, '[');
    for (size_t i = 0; i < domains->event_type_count; i++) {
        if (!slice_equal(domains->event_types[i].domain, domain->name))
            continue;
        buf_add_text(out, first ? "" : ",");
        json_add_string(out, domains->event_types[i].name);
        first = false;
    }
    buf_add_text(out, "]}");
}

void quality_targets_add_json(struct buf *out, const struct settings *settings, const struct domain_set *domains,
                              struct slice tenant)
{
    bool first = true;
    const struct tenant_domains *has = domains ? domain_set_of(domains, tenant) : NULL;
    buf_add_char(out, '{');
    add_targets(out, settings, NULL);
    json_add_key(out, "domains");
    buf_add_char(out, '[');
    for (size_t i = 0; domains && i < domains->domain_count; i++) {
        if (!tenant_has_domain(has, i) || !says_something(&domains->domains[i]))
            continue;
        buf_add_text(out, first ? "" : ",");
        add_domain(out, settings, domains, &domains->domains[i]);
        first = false;
    }
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

/* False: the domain has no event types. */
static bool add_condition(struct buf *out, const struct domain_set *domains, size_t place)
{
    bool any = false;
    for (size_t i = 0; i < domains->event_type_count; i++) {
        if (domains->event_types[i].domain_place != place)
            continue;
        buf_add_text(out, any ? ", " : "toString(event_type) IN (");
        schema_add_literal(out, domains->event_types[i].name);
        any = true;
    }
    buf_add_text(out, any ? ")" : "");
    if (any)
        add_audience(out, domains, &domains->domains[place]);
    return any;
}

static void add_float(struct buf *out, int64_t share)
{
    buf_add_text(out, "toFloat64(");
    add_share(out, share);
    buf_add_char(out, ')');
}

void quality_targets_add_sql(struct buf *out, const struct settings *settings, const struct domain_set *domains,
                             enum quality_ratio ratio)
{
    buf_add_text(out, "multiIf(");
    for (size_t i = 0; domains && i < domains->domain_count; i++) {
        const int64_t share = domains->domains[i].quality[ratio];
        if (share < 0 || !add_condition(out, domains, i))
            continue;
        buf_add_text(out, ", ");
        add_float(out, share);
        buf_add_text(out, ", ");
    }
    buf_add_text(out, "false, 0., "); /* there is always one condition */
    add_float(out, settings->quality_targets[ratio]);
    buf_add_char(out, ')');
}
