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

static const struct domain *domain_of(const struct domain_set *domains, const struct event_type *type)
{
    for (size_t i = 0; i < domains->domain_count; i++)
        if (slice_equal(domains->domains[i].name, type->domain))
            return &domains->domains[i];
    return NULL;
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

void quality_targets_add_json(struct buf *out, const struct settings *settings, const struct domain_set *domains)
{
    bool first = true;
    buf_add_char(out, '{');
    add_targets(out, settings, NULL);
    json_add_key(out, "domains");
    buf_add_char(out, '[');
    for (size_t i = 0; domains && i < domains->domain_count; i++) {
        if (!says_something(&domains->domains[i]))
            continue;
        buf_add_text(out, first ? "" : ",");
        add_domain(out, settings, domains, &domains->domains[i]);
        first = false;
    }
    buf_add_text(out, "]}");
}

void quality_targets_add_sql(struct buf *out, const struct settings *settings, const struct domain_set *domains,
                             enum quality_ratio ratio)
{
    AUTO(buf) struct buf names, shares;
    buf_init(&names, 1u << 20);
    buf_init(&shares, 1u << 20);
    for (size_t i = 0; domains && i < domains->event_type_count; i++) {
        const struct domain *domain = domain_of(domains, &domains->event_types[i]);
        if (!domain || domain->quality[ratio] < 0)
            continue;
        buf_add_text(&names, names.n ? "," : "");
        schema_add_literal(&names, domains->event_types[i].name);
        buf_add_text(&shares, shares.n ? "," : "");
        buf_add_text(&shares, "toFloat64(");
        add_share(&shares, domain->quality[ratio]);
        buf_add_char(&shares, ')');
    }
    if (names.n)
        buf_add_format(out, "transform(toString(event_type), [%.*s], [%.*s], ", SLICE_ARG(buf_slice(&names)),
                       SLICE_ARG(buf_slice(&shares)));
    buf_add_text(out, "toFloat64(");
    add_share(out, settings->quality_targets[ratio]);
    buf_add_text(out, names.n ? "))" : ")");
}
