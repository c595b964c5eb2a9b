/* What `weir catalog` shows: a table, or one JSON object. What is visited is copied, and printed at the end. */
#pragma once
#include "base/buf.h"
#include "base/compiler.h"
#include "catalog/catalog_item.h"

enum catalog_list { CATALOG_LIST_TYPES, CATALOG_LIST_RULES, CATALOG_LIST_SOURCES, CATALOG_LIST_AUDIT };

struct catalog_listing {
    enum catalog_list what;
    bool all, json;
    bool whole; /* audit: with both values, one below the other */
    struct buf text;
    size_t *ends; /* of the cells in text */
    size_t cell_count, cell_capacity;
};

/* False: what is none of types, rules, sources, audit. catalog_listing_done either way. */
MUST_CHECK bool catalog_listing_init(struct catalog_listing *listing, const char *what);
enum catalog_kind catalog_listing_kind(const struct catalog_listing *listing); /* not of audit */
void catalog_listing_add(struct catalog_listing *listing, const struct catalog_item *item);
void catalog_listing_add_audit(struct catalog_listing *listing, const struct audit_line *line);
/* False: it is larger than 256 MiB, or nobody takes it. */
MUST_CHECK bool catalog_listing_print(struct catalog_listing *listing);
void catalog_listing_done(struct catalog_listing *listing);
