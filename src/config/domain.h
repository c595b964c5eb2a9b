/* What the files in config/domains/ say: windows, transforms, sessions, time and dimension tables of all domains
 * together, checked and compiled. Loaded once at start by one thread (domain_load.c), then const and shared by all
 * tasks; what is in it is owned by it, domain_set_free ends it. The language, for people, is in docs/domains.md. */
#pragma once
#include "base/buf.h"
#include "base/error.h"
#include "config/dimension_table.h"
#include "config/event_type.h"
#include "config/quality_ratio.h"
#include "expr/expr.h"

struct problems;
struct settings;
struct world;

#define DOMAINS_MAX 64
#define DOMAIN_NAME_MAX 64 /* bytes of a name: [a-z0-9_]+ */
#define WINDOWS_MAX 256    /* in all domains together */
#define WINDOW_KEYS_MAX 8  /* besides the tenant, which is always part of the key */
#define WINDOW_MEASURES_MAX 16
#define WINDOW_TENANTS_MAX 1000
#define DOMAIN_TENANTS_MAX 1000 /* whom a domain names */
#define TRANSFORMS_MAX 64
#define TRANSFORM_CHANGES_MAX 32 /* set and remove, each */
#define DOMAIN_LUA_BYTES_MAX (64u << 10)

enum window_kind { WINDOW_TUMBLING, WINDOW_SLIDING, WINDOW_SESSION };
enum window_emit { WINDOW_EMIT_UPDATE = 1, WINDOW_EMIT_CLOSE = 2 };
/* Numbered as the accumulators of process/aggregate are. */
enum measure_kind {
    MEASURE_COUNT = 1,
    MEASURE_SUM,
    MEASURE_MIN,
    MEASURE_MAX,
    MEASURE_MEAN,
    MEASURE_VARIANCE,
    MEASURE_DISTINCT,
    MEASURE_QUANTILE,
    MEASURE_TOP,
    MEASURE_FIRST,
    MEASURE_LAST = 11,
    MEASURE_KINDS
};

struct window_measure {
    struct slice name;
    enum measure_kind kind;
    const struct expr *value; /* NULL for count */
    double quantile;          /* of MEASURE_QUANTILE: above 0, below 1 */
    uint32_t top;             /* of MEASURE_TOP: how many, 1 to 100 */
};

struct window_key {
    struct slice name; /* of the column: as given, or the expression's own text */
    const struct expr *value;
};

struct window {
    /* Of the domain, the name and everything that the state depends on: a window that is declared differently is
     * another window and begins with fresh state. Not of emit, lateness and tenants. */
    uint64_t id;
    struct slice domain, name;
    size_t at, retention_at; /* where its name and its retention stand in the text of the domain's file */
    uint8_t domain_place;    /* in the set */
    bool selective;          /* not for everybody's events: its domain has some tenants alone */
    enum window_kind kind;
    int64_t size_ms;  /* tumbling and sliding */
    int64_t slide_ms; /* sliding: divides size_ms; tumbling: size_ms */
    int64_t gap_ms;   /* session: events of a key that are not farther apart are one */
    int64_t lateness_ms;
    int32_t retention_days; /* its results are kept so long where their tenant's retention is longer; 0: as that */
    unsigned emit;          /* enum window_emit as a set */
    bool processing_time;
    const struct expr *where; /* NULL: every event */
    struct window_key keys[WINDOW_KEYS_MAX];
    size_t key_count;
    struct window_measure measures[WINDOW_MEASURES_MAX];
    size_t measure_count;
    const struct slice *tenants; /* tenant_count 0: all */
    size_t tenant_count;
};

struct transform_set {
    struct field_path target; /* properties.…, context.…, event_type or event_name */
    const struct expr *value;
};

struct transform {
    struct slice domain, name;
    size_t at;                       /* where its name stands in the text of the domain's file */
    uint8_t domain_place;            /* in the set */
    const struct field_plan *fields; /* of where and set alone: an earlier transform may have changed the event */
    const struct expr *where;        /* NULL: every event */
    const struct transform_set *set;
    size_t set_count;
    const struct field_path *remove; /* properties.… and context.… */
    size_t remove_count;
    struct slice lua;      /* the script, or empty */
    struct slice lua_name; /* for messages: "web.yaml" or "x.lua" */
    int lua_line;          /* of the script's first line in that file, from 1 */
};

/* Whose events a domain is for (decisions 0100, 0101). */
enum domain_audience {
    DOMAIN_FOR_ALL,    /* every tenant */
    DOMAIN_FOR_NAMED,  /* those that it names */
    DOMAIN_FOR_OTHERS, /* every tenant that no domain names */
};

/* What a domain says that is one thing for a tenant, besides its event types. */
enum domain_word {
    DOMAIN_SESSION_GAP,      /* ms */
    DOMAIN_OUT_OF_ORDERNESS, /* ms */
    DOMAIN_SESSIONS_ENABLED, /* 1: no, 2: yes */
    DOMAIN_QUALITY_TARGET,   /* the first of them, by enum quality_ratio: a share in millionths, and one */
    DOMAIN_WORDS = DOMAIN_QUALITY_TARGET + QUALITY_RATIOS
};

/* "sessions.gap" …: as one writes it. */
#define DOMAIN_WORD_BYTES 64
void domain_word_name(enum domain_word word, char to[DOMAIN_WORD_BYTES]);

struct domain_said {
    int64_t value;    /* 0: nothing */
    size_t at, width; /* where in the text of the file */
};

struct domain {
    struct slice name, description, file;
    size_t at; /* where its name stands in the text of the file */
    enum domain_audience audience;
    bool is_fallback;            /* every domain that is none goes before it */
    const struct slice *tenants; /* of DOMAIN_FOR_NAMED */
    size_t tenant_count;
    struct domain_said said[DOMAIN_WORDS];
    size_t event_type_count;
    struct slice text;                      /* of the file: to show what a mistake is about that is found later */
    enum event_compatibility compatibility; /* of its event types, unless they say otherwise */
    struct lookup_set lookups;              /* its dimension tables, for its expressions */
    const struct generate_domain *generate; /* for `weir generate`; NULL: nothing was said */
};

/* What holds for a tenant. There is one for each combination of domains that somebody has, made when they are loaded.
 */
struct tenant_domains {
    uint64_t domains;            /* bit i: domains[i] of the set is for it */
    const uint16_t *event_slots; /* for event_type_find; NULL: no event type is declared */
    int64_t session_gap_ms;      /* default 30 minutes */
    bool without_sessions;       /* visits are not told apart */
    int64_t out_of_orderness_ms; /* how far a watermark stays behind the newest event; default 10 minutes */
};

struct named_tenant;

struct domain_set {
    const struct domain *domains;
    size_t domain_count;
    const struct window *windows;
    size_t window_count;
    const struct transform *transforms; /* in the order of files by name, and within each */
    size_t transform_count;
    const struct event_type *event_types;
    size_t event_type_count;
    struct tenant_domains others;       /* of all whom no domain names */
    const struct named_tenant *tenants; /* for domain_set_of */
    size_t tenant_count;                /* whom domains name; 0: `others` holds for everybody */
    const struct slice *named;          /* the same, each once */
    size_t named_count;
    const struct dimension_table *tables;
    size_t table_count;
    const struct field_plan *fields;                     /* of all windows' expressions */
    int64_t session_gap_max_ms, out_of_orderness_max_ms; /* of any tenant */
    uint64_t digest; /* of the files, scripts and tables: another one, another meaning (or another comment) */
};

/* How close a domain is to its tenants. What must be one thing for a tenant is taken from the closest of its domains
 * that says it; two that share a tenant and are equally close may not say different things (decision 0101). */
#define DOMAIN_CLOSENESS_MAX 2
static inline int domain_closeness(const struct domain *domain)
{
    return domain->is_fallback ? 0 : domain->audience == DOMAIN_FOR_NAMED ? DOMAIN_CLOSENESS_MAX : 1;
}

/* Whom the domain is for or, of one for the others, whom it is not for; not of one for all. */
static inline const struct slice *domain_names(const struct domain_set *set, const struct domain *domain,
                                               size_t *out_count)
{
    const bool others = domain->audience == DOMAIN_FOR_OTHERS;
    *out_count = others ? set->named_count : domain->tenant_count;
    return others ? set->named : domain->tenants;
}

/* What holds for the tenant; constant time. It is as old as the set. */
const struct tenant_domains *domain_set_of(const struct domain_set *set, struct slice tenant);
/* Which of the tenant's domains says the word: the closest that does, or NULL. Of targets: the next function. */
const struct domain *domain_that_says(const struct domain_set *set, const struct tenant_domains *tenant,
                                      enum domain_word word);
/* Whether there can be a tenant that has both. */
bool domain_shares_tenants(const struct domain *a, const struct domain *b);
/* Whose target holds for the tenant's events of this type (of the types that nobody declares: empty): that of the
 * closest of its domains that declares the type or none at all, and says one; or NULL. */
const struct domain *domain_with_quality_target(const struct domain_set *set, const struct tenant_domains *tenant,
                                                struct slice type, enum quality_ratio ratio);
/* That target in millionths; -1: there is none. */
int64_t domain_quality_target(const struct domain_set *set, const struct tenant_domains *tenant, struct slice type,
                              enum quality_ratio ratio);
static inline bool tenant_has_domain(const struct tenant_domains *tenant, size_t place)
{
    return tenant->domains >> place & 1;
}
/* Whether the window counts the tenant's events. */
bool window_is_for(const struct domain_set *set, const struct window *window, struct slice tenant);

/* Compiles every .yaml file of DIRECTORY/domains; a directory without any gives an empty set. All mistakes of all files
 * are added to problems. ERR_INVALID: there were some. *out is set on OK only. */
MUST_CHECK enum status domain_set_load(const char *directory, struct world *world, struct domain_set **out,
                                       struct problems *problems, struct error *err);
/* As above, of one file with one domain; scripts in files of their own stand beside it. */
MUST_CHECK enum status domain_set_load_file(const char *path, struct world *world, struct domain_set **out,
                                            struct problems *problems, struct error *err);
/* As above, of the text of one file; a script in a file of its own is looked for in the working directory. */
MUST_CHECK enum status domain_set_load_text(const char *name, struct slice text, struct world *world,
                                            struct domain_set **out, struct problems *problems, struct error *err);
void domain_set_free(struct domain_set *set);
/* Of a set that was replaced, whose names somebody may still look at, but whose expressions nobody evaluates any more:
 * its dimension tables have no rows from here on, and the memory is given back. Twice is fine. */
void domain_set_drop_rows(struct domain_set *set);

/* A mistake that only shows once the domains are compared with something else, told where it stands: at: in the text of
 * that domain's file, width bytes are underlined. A domain that is not in the set: its name stands for the place. */
PRINTF_LIKE(6, 7)
void domain_set_problem(const struct domain_set *set, struct slice domain, size_t at, size_t width,
                        struct problems *problems, const char *format, ...);

/* ERR_INVALID: a field is to be encrypted and there is no process.pii_key, or it is too short; shared: several
 * processes work on the partitions, then hashing needs it too. */
MUST_CHECK enum status event_types_check_key(const struct domain_set *domains, const struct settings *settings,
                                             bool shared, struct error *err);

/* Line and column, from 1, of a place in the text of the domain's file. */
void domain_line(const struct domain *domain, size_t at, size_t *out_line, size_t *out_column);

/* "tumbling", "count" …: as one writes them. */
const char *window_kind_name(enum window_kind kind);
const char *measure_kind_name(enum measure_kind kind);

/* The language as a table: what `weir check --list` prints, and the check of every key comes from. */
struct domain_key_help {
    const char *path, *form, *help; /* "windows[].size", "1m", "…" */
};
/* In the order of the documentation; false behind the last. */
bool domain_key_at(size_t index, struct domain_key_help *out);
bool domain_measure_at(size_t index, struct domain_key_help *out);
