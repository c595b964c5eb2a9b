/* Which parts of an event the expressions of a domain look at, collected while they are parsed; per event one pass over
 * the JSON fills an array of values, one place per path, and stops as soon as every path has its value.
 *
 * Paths: event_type event_name visitor_id user_id session_id event_id customer_id (text, null when empty), timestamp
 * received_at (Unix milliseconds), properties and context (all of it, as JSON text), properties.a.b, context.x. When an
 * object has a name twice, the first counts. An object or list is text with detail VALUE_JSON.
 *
 * A plan is made by one thread at start and const afterwards; any thread may then fill from it. Nothing is allocated
 * per event, but for text with escapes in the batch's arena. Any bytes may stand where JSON should: what cannot be read
 * is null. */
#pragma once
#include "base/arena.h"
#include "base/compiler.h"
#include "event/event.h"
#include "expr/lookup.h"
#include "expr/value.h"

#define FIELD_PATHS_MAX 128
#define FIELD_DEPTH_MAX 8 /* names in a path */
#define FIELD_NAME_MAX 64 /* bytes of one name */
#define FIELD_NODES_MAX 512
#define FIELD_SLOTS 32

enum field_source {
    FIELD_EVENT_TYPE,
    FIELD_EVENT_NAME,
    FIELD_VISITOR_ID,
    FIELD_USER_ID,
    FIELD_SESSION_ID,
    FIELD_EVENT_ID,
    FIELD_CUSTOMER_ID,
    FIELD_TIMESTAMP,
    FIELD_RECEIVED_AT,
    FIELD_PROPERTIES,
    FIELD_CONTEXT,
    FIELD_SOURCES
};

struct field_path {
    uint8_t source;    /* enum field_source */
    uint8_t count;     /* of names, the source aside */
    struct slice text; /* "properties.a.b": as one would write it */
    struct slice names[FIELD_DEPTH_MAX];
};

/* A name on the way to some path; the children of a node hang on its slots, by a small hash. Node 0: nobody. */
struct field_node {
    struct slice name;
    int16_t field; /* the path that ends here, or -1 */
    uint16_t next; /* in the same slot */
    bool inner;    /* has children */
    uint16_t slots[FIELD_SLOTS];
};

struct field_plan {
    struct arena *arena;              /* of the names */
    const struct lookup_set *lookups; /* the tables that expressions of this plan may ask; NULL: none */
    size_t count;
    struct field_path paths[FIELD_PATHS_MAX];
    struct field_node nodes[FIELD_NODES_MAX];
    size_t node_count;
    uint16_t roots[FIELD_SOURCES];                  /* of properties and context */
    uint16_t wanted[FIELD_SOURCES];                 /* paths inside of each */
    uint16_t direct[FIELD_PATHS_MAX], direct_count; /* paths that need no JSON */
};

/* arena: lives as long as the plan; keeps the names. No lookups unless they are set behind it. */
void field_plan_init(struct field_plan *plan, struct arena *arena);
/* "event_type" → its source, or FIELD_SOURCES. */
enum field_source field_source_find(struct slice name);
const char *field_source_name(enum field_source source);
/* What a whole field of this source is: TYPE_TEXT …; what lies inside properties and context can be anything. */
unsigned field_source_types(enum field_source source);

/* The place of the path in the values, the same for the same path. ERR_FULL: too many paths or names. names are copied;
 * count 0 for the source itself. */
MUST_CHECK enum status field_plan_add(struct field_plan *plan, enum field_source source, const struct slice *names,
                                      size_t count, size_t *out_index);

/* values has room for plan->count. Text in values lives as long as the event's bytes and the arena's. A null that
 * stands in the event has p there; where there is nothing p is NULL. */
void field_plan_fill(const struct field_plan *plan, const struct event *event, struct arena *arena,
                     struct value *values);
/* As above, and looks at every name in properties: *out_unknown is the first one that is not the whole way to one of
 * the first `known` paths, as it stands between its quotes; p NULL: there is none. */
void field_plan_fill_strict(const struct field_plan *plan, const struct event *event, size_t known, struct arena *arena,
                            struct value *values, struct slice *out_unknown);
