/* A dimension table of a domain: what is true of the things that events speak of (products, plans, stores), by key and,
 * if it says so, by time. Part of a domain_set (config/domain.h), which owns everything here; const once loaded, any
 * thread may read. Not what event types call dimensions, which are fields of events (config/event_type.h). */
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

struct dimension_table {
    struct slice domain, name, description, file;
    /* Column i is lookup->columns[i]; money is its cents, named NAME_cents. */
    const enum event_kind *kinds;
    bool has_validity;                 /* else its rows are valid at all times */
    const struct lookup_table *lookup; /* which columns are the key, too */
    uint64_t digest;                   /* of what is declared and of the file: another one, another table */
};
