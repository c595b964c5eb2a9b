/* What is deployed: the data sources, event types and processing rules that a weir runs with, and the audit log that
 * says how they came to be. Of a domain's files the catalog keeps what they meant when they were last taken, so that
 * the next version can be held against it (evolve/). Plain data; the slices belong to whoever made the item. */
#pragma once
#include "base/slice.h"

enum catalog_kind { CATALOG_SOURCE, CATALOG_EVENT_TYPE, CATALOG_RULE, CATALOG_KINDS };

#define CATALOG_ITEMS_MAX 8192 /* of all kinds, in one deployment */

struct catalog_item {
    enum catalog_kind kind;
    struct slice name;        /* of a source and an event type (its key): unique among them */
    struct slice domain;      /* "" of a source */
    struct slice type;        /* source: kafka, api or database; rule: validation, window or transform */
    struct slice event_type;  /* of a rule: whose events it holds for; "": all */
    struct slice source;      /* of a rule: where its events come from, a source of the same deployment */
    struct slice description; /* for people */
    struct slice body;        /* what it says, as JSON */
    /* The catalog's: from 1 up, one more with each change; whether it is in use; since when it is as it is. */
    uint32_t version;
    bool active;
    int64_t changed_ms;
};

struct audit_line {
    int64_t id, at_ms;
    struct slice actor, entity_type, entity_id, action;
    struct slice old_value, new_value; /* JSON, or "": there was, or is, none */
};

struct audit_query {
    struct slice entity_type, entity_id; /* "": any */
    int64_t before_id;                   /* 0: from the newest */
    size_t lines_max;                    /* at least 1 */
};

/* "source", "event_type", "rule": in the audit log. */
const char *catalog_kind_name(enum catalog_kind kind);
struct buf;
/* {"name":…,"domain":…,"version":…,"body":{…}}: for the audit log and `--json`. */
void catalog_item_add_json(struct buf *buf, const struct catalog_item *item);
void audit_line_add_json(struct buf *buf, const struct audit_line *line);
