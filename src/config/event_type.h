/* What the domains say of events: their types, with the fields that an event of each has in `properties`. Part of a
 * domain_set (config/domain.h), which owns everything here; const once loaded, any thread may read.
 *
 * Attributes, dimensions and metrics are all fields of properties. An attribute is what is kept, a dimension is what
 * one groups by (few values), a metric is a number. Money comes as `19.99` (a number, or its text) and is kept beside
 * it as whole cents in `NAME_cents`. */
#pragma once
#include "config/generate_hint.h"
#include "expr/expr.h"

#define EVENT_TYPES_MAX 256 /* in all domains together */
#define EVENT_FIELDS_MAX 100
#define EVENT_RULES_MAX 16
#define EVENT_CHOICES_MAX 200
#define EVENT_IDENTIFIER_MAX 64 /* bytes of the name of a type or a field: [A-Za-z_][A-Za-z0-9_]* */

enum event_role { EVENT_ATTRIBUTE, EVENT_DIMENSION, EVENT_METRIC };
/* Text unless said; a metric is a float unless said. */
enum event_kind { EVENT_TEXT, EVENT_INTEGER, EVENT_FLOAT, EVENT_MONEY, EVENT_BOOLEAN, EVENT_TIMESTAMP, EVENT_KINDS };
enum event_format {
    EVENT_ANY_FORMAT,
    EVENT_EMAIL,
    EVENT_URL,
    EVENT_UUID,
    EVENT_DATE,     /* 2026-11-26 */
    EVENT_COUNTRY,  /* two capital letters */
    EVENT_CURRENCY, /* three capital letters */
    EVENT_IP,       /* version 4 or 6 */
    EVENT_FORMATS
};
/* What is done with a field of a person before the event is stored. */
enum event_pii { EVENT_PII_NONE, EVENT_PII_HASH, EVENT_PII_DROP, EVENT_PII_ENCRYPT };
/* What becomes of an event that breaks what is declared: a dead letter; a dead letter that somebody looks at and may
 * release as it is; an event that is stored and says what is wrong with it. */
enum event_otherwise { EVENT_REJECT, EVENT_QUARANTINE, EVENT_TAG };
/* What a change of the type must keep, as a set (schema/compare.h): that the new one reads what the old one wrote
 * (backward, unless said), the old one what the new one writes (forward), both, or nothing. */
enum event_compatibility {
    EVENT_COMPATIBLE_NONE,
    EVENT_COMPATIBLE_BACKWARD,
    EVENT_COMPATIBLE_FORWARD,
    EVENT_COMPATIBLE_FULL
};

/* Bounds are inclusive: of an integer and a timestamp (Unix milliseconds) `whole`, of money cents in `whole`, of a
 * float `number`, of text its characters in `whole`. */
struct event_bound {
    bool is_set;
    int64_t whole;
    double number;
};

struct event_field {
    struct slice name; /* in properties */
    struct slice description;
    struct slice deprecated; /* what to use instead; empty: in use */
    size_t at;               /* where its name stands in the text of the domain's file */
    enum event_role role;
    enum event_kind kind;
    enum event_format format;
    enum event_pii pii;
    enum event_otherwise otherwise;
    bool required; /* absent and null are faults */
    struct event_bound min, max;
    const struct slice *choices; /* `values`; choice_count 0: any */
    size_t choice_count;
    struct slice pattern;                  /* as of `matches` in expressions; empty: any */
    struct slice default_value;            /* as JSON, set where the field is absent or null; empty: none */
    size_t cents_place;                    /* of money: where the plan has properties.NAME_cents */
    const struct generate_field *generate; /* for `weir generate` (generate_hint.h); NULL: nothing was said */
};

struct event_rule {
    struct slice name, message; /* message: for people; empty unless said */
    struct slice text;          /* of the expression, as it was written */
    const struct expr *expect;  /* fails when it is false; null (unknown) passes */
    enum event_otherwise otherwise;
};

struct event_type {
    struct slice domain, name, description;
    /* NAME, or DOMAIN.NAME where its domain names its tenants or is a fallback: unique in all domains, while a name is
     * so for a tenant. */
    struct slice key;
    uint8_t domain_place; /* in the set */
    struct slice deprecated;
    size_t at; /* where its name stands in the text of the domain's file */
    enum event_compatibility compatibility;
    int32_t retention_days; /* its events are kept so long where their tenant's retention is longer; 0: as that */
    size_t retention_at;    /* where that stands in the text of the domain's file */
    const struct event_field *fields; /* attributes, dimensions, metrics, in the order of the file within each */
    size_t field_count;
    const struct event_rule *rules;
    size_t rule_count;
    bool strict;                  /* a field that is not declared is a fault */
    enum event_otherwise unknown; /* when strict: what becomes of an event with one */
    /* Place i is properties.NAME of field i; behind them the NAME_cents of money and what the rules look at. */
    const struct field_plan *plan;
    const double *weight; /* for `weir generate`; NULL: nothing was said */
};

/* "integer", "metric", "email" …: as one writes them. */
const char *event_kind_name(enum event_kind kind);
const char *event_role_name(enum event_role role);
const char *event_format_name(enum event_format format);
const char *event_pii_name(enum event_pii pii);
const char *event_otherwise_name(enum event_otherwise otherwise);
const char *event_compatibility_name(enum event_compatibility compatibility);

struct buf;
/* A bound as one writes it: 19.99 of money, 2026-01-31T00:00:00.000Z of a time, a number otherwise; nothing when it is
 * not set. */
void event_bound_add(struct buf *out, const struct event_field *field, const struct event_bound *bound);

struct domain_set;
struct tenant_domains;
/* What the tenant's domains declare by this name, or NULL. Constant time. */
const struct event_type *event_type_find(const struct domain_set *domains, const struct tenant_domains *tenant,
                                         struct slice name);
/* Whether tenants that have both have the other one in its place: of the same name, in a closer domain. */
bool event_type_yields(const struct domain_set *domains, const struct event_type *type, const struct event_type *to);
/* What the domain itself declares by it, or NULL. */
const struct event_type *event_type_of_domain(const struct domain_set *domains, struct slice domain, struct slice name);
/* What has this key, or NULL. */
const struct event_type *event_type_of_key(const struct domain_set *domains, struct slice key);
/* What became of a type of another version of the domains: it may be for other tenants now, or in another domain. */
const struct event_type *event_type_again(const struct domain_set *domains, struct slice domain, struct slice key);
