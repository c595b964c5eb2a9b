/* A dimension table of a domain: what is true of the things that events speak of (products, plans, stores), by key and,
 * if it says so, by time. Part of a domain_set (config/domain.h), which owns everything here; const once loaded, any
 * thread may read; but the rows that a query gives are replaced, while nobody reads (config/dimension_fill.h). Not what
 * event types call dimensions, which are fields of events (config/event_type.h). */
#pragma once
#include "config/event_type.h"
#include "expr/lookup.h"

#define DIMENSION_TABLES_MAX 32 /* in all domains together */
#define DIMENSION_COLUMNS_MAX 64
#define DIMENSION_KEYS_MAX (LOOKUP_KEYS_MAX - 1) /* the tenant aside */
#define DIMENSION_TENANT "customer_id"           /* a column of this name: each tenant has rows of its own */
#define DIMENSION_ROWS_MAX 200000u
#define DIMENSION_CELL_BYTES_MAX 4096
#define DIMENSION_FILE_BYTES_MAX (16u << 20)
#define DIMENSION_BYTES_MAX (64u << 20) /* all tables together, as they are kept */

#define DIMENSION_SQL_BYTES_MAX (16u << 10)
#define DIMENSION_EVERY_MS (10 * 60000)
#define DIMENSION_EVERY_MS_MIN 1000
#define DIMENSION_EVERY_MS_MAX (7 * 86400000)

/* What the columns of its file, or of its query's answer, are called, and what they are. */
struct dimension_source {
    struct slice names[DIMENSION_COLUMNS_MAX];
    enum event_kind kinds[DIMENSION_COLUMNS_MAX];
    size_t column_count;
    struct slice valid_from, valid_to; /* empty: none */
};

/* Where rows are put that a query gave (config/dimension_fill.h). */
struct dimension_place {
    struct dimension_table *table;
    struct lookup_table *lookup;
    struct dimension_fill *fill; /* NULL: it has not been answered yet */
};

struct dimension_table {
    struct slice domain, name, description;
    size_t at;         /* where its name stands in the text of the domain's file */
    struct slice file; /* of CSV; empty: a query gives the rows */
    struct slice sql;
    int64_t every_ms;
    struct dimension_place *place; /* of the query's rows, else NULL */
    const struct dimension_source *source;
    /* Column i is lookup->columns[i]; money is its cents, named NAME_cents. */
    const enum event_kind *kinds;
    bool has_validity;                 /* else its rows are valid at all times */
    const struct lookup_table *lookup; /* which columns are the key, too */
    const struct slice *tenants;       /* who may see it or, for_others, who may not; tenant_count 0: all may */
    size_t tenant_count;
    bool for_others;
    uint64_t digest; /* of what is declared, of the file and of who may see it: another one, another table */
};
