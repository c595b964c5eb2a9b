/* The inside of struct event_parser, for event_parse.c (life and results), event_forms.c (arrays, batches,
 * lines), event_map.c (fields of one event), event_context.c (what becomes of the context), event_posthog.c and
 * event_snowplow.c (other people's names and habits). Nobody else includes this. */
#pragma once
#include "base/uuid.h"
#include "event/event_parse.h"
#include "event/json.h"

/* Keys at the top of an event, weir's and Segment's. */
enum event_key {
    KEY_CUSTOMER_ID,
    KEY_VISITOR_ID,
    KEY_ANONYMOUS_ID_CAMEL,
    KEY_ANONYMOUS_ID,
    KEY_USER_ID,
    KEY_USER_ID_CAMEL,
    KEY_PREVIOUS_ID_CAMEL,
    KEY_GROUP_ID_CAMEL,
    KEY_SESSION_ID,
    KEY_SESSION_ID_CAMEL,
    KEY_EVENT_TYPE,
    KEY_TYPE,
    KEY_EVENT_NAME,
    KEY_EVENT,
    KEY_NAME,
    KEY_EVENT_ID,
    KEY_MESSAGE_ID_CAMEL,
    KEY_TIMESTAMP,
    KEY_ORIGINAL_TIMESTAMP_CAMEL,
    KEY_SENT_AT_CAMEL,
    KEY_SENT_AT,
    KEY_RECEIVED_AT,
    KEY_RECEIVED_AT_CAMEL,
    KEY_PROPERTIES,
    KEY_TRAITS,
    KEY_CONTEXT,
    KEY_IP,
    KEY_WRITE_KEY_CAMEL,
    KEY_API_KEY,
    KEY_POSTHOG_PROPERTIES, /* PostHog's alone: what goes with the traits of an identify */
    /* Snowplow's alone. */
    KEY_SNOWPLOW_APP,
    KEY_SNOWPLOW_DATA,
    KEY_SNOWPLOW_DATA_BASE64,
    KEY_SNOWPLOW_ENTITIES,
    KEY_SNOWPLOW_ENTITIES_BASE64,
    KEY_SNOWPLOW_URL,
    KEY_SNOWPLOW_PAGE,
    KEY_SNOWPLOW_REFERRER,
    KEY_SNOWPLOW_CATEGORY,
    KEY_SNOWPLOW_LABEL,
    KEY_SNOWPLOW_PROPERTY,
    KEY_SNOWPLOW_VALUE,
    KEY_COUNT
};
#define KEY_BIT(key) (1ull << (key))
/* What each key is called. All dialects fill in the same keys, so that one mapping serves them; NULL: the dialect has
 * no such key. */
extern const char *const EVENT_KEY_NAMES[KEY_COUNT], *const POSTHOG_KEY_NAMES[KEY_COUNT],
                                                         *const SNOWPLOW_KEY_NAMES[KEY_COUNT];
enum dialect { DIALECT_OWN, DIALECT_POSTHOG, DIALECT_SNOWPLOW, DIALECT_COUNT };

enum context_key {
    CONTEXT_IP,
    CONTEXT_SESSION_ID,
    CONTEXT_SESSION_ID_CAMEL,
    CONTEXT_GROUP_ID,
    CONTEXT_EXTRA,
    CONTEXT_COUNT
};
extern const char *const CONTEXT_KEY_NAMES[CONTEXT_COUNT];

enum envelope_key {
    ENVELOPE_BATCH,
    ENVELOPE_WRITE_KEY,
    ENVELOPE_API_KEY,
    ENVELOPE_SENT_AT_CAMEL,
    ENVELOPE_SENT_AT,
    ENVELOPE_CONTEXT,
    ENVELOPE_SCHEMA,
    ENVELOPE_DATA,
    ENVELOPE_COUNT
};
extern const char *const ENVELOPE_KEY_NAMES[ENVELOPE_COUNT];

enum body_form { FORM_NONE, FORM_OBJECT, FORM_ARRAY, FORM_BATCH };

struct event_parser {
    struct event_parse_options options; /* defaults filled in */
    struct json_limits limits;
    struct uuid_source uuids;
    struct json_index index;
    struct json_keys event_keys[DIALECT_COUNT], context_keys, envelope_keys;
    struct json_index inner; /* of JSON that came as a string within an event */

    /* The body that is open. */
    struct slice body; /* index.text is the same without a byte order mark */
    enum body_form form;
    const uint32_t *envelope[ENVELOPE_COUNT]; /* tokens of the values, or NULL */

    /* The request that is being parsed. */
    const struct event_request *request;
    const char *const *key_names; /* of the request's dialect */
    struct arena *arena;
    bool arena_full;
    struct event_parse_result result;
    size_t events_room, rejects_room;
    const struct event_tenant *open_tenant; /* of the last event without a key */
    struct slice open_tenant_id;
    struct json_object batch_context; /* member_count 0: none */
    struct json_value batch_sent_at;  /* raw.n 0: none */
    struct slice plain_context;       /* of events without one of their own; p NULL: not made yet */
    struct slice ip_text, ip_hashed;  /* the last one hashed, and its hash as a JSON string */

    /* The event that is being mapped. */
    struct json_object object, context;
    uint64_t used; /* keys whose value has found its place; what is left goes to context.extra */
    bool sent_at_kept;
    struct event_reject refusal; /* why it was refused */
    struct json_value values[KEY_COUNT], context_values[CONTEXT_COUNT], batch_values[CONTEXT_COUNT];
};

/* Maps parser->object, which must be whole. False: *event is undefined, parser->refusal says why (original and index
 * are left to the caller). */
MUST_CHECK bool event_map(struct event_parser *parser, struct event *event);

static inline const char *event_key_name(const struct event_parser *parser, enum event_key key)
{
    const char *name = parser->key_names[key];
    return name ? name : EVENT_KEY_NAMES[key];
}

static inline bool event_has(const struct event_parser *parser, enum event_key key)
{
    return parser->object.seen & KEY_BIT(key);
}

/* Put what an event of PostHog's or Snowplow's says under the keys that event_map looks at. Called by event_map, before
 * anything else is read. False: refused. */
MUST_CHECK bool event_from_posthog(struct event_parser *parser);
MUST_CHECK bool event_from_snowplow(struct event_parser *parser);

/* Of valid JSON. */
MUST_CHECK static inline enum json_kind event_kind_of(struct slice raw)
{
    switch (*raw.p) {
    case '"':
        return JSON_STRING;
    case '{':
        return JSON_OBJECT;
    case '[':
        return JSON_ARRAY;
    case 't':
        return JSON_TRUE;
    case 'f':
        return JSON_FALSE;
    case 'n':
        return JSON_NULL;
    default:
        return JSON_NUMBER;
    }
}

/* The event has this value under this key from now on; raw must be valid JSON. */
static inline void event_set(struct event_parser *parser, enum event_key key, struct slice raw)
{
    enum json_kind kind = event_kind_of(raw);
    bool escaped = kind == JSON_STRING && memchr(raw.p, '\\', raw.n) != NULL;
    parser->values[key] = (struct json_value){ raw, kind, escaped };
    parser->object.seen |= KEY_BIT(key);
}

/* Fills in parser->refusal and returns false. */
PRINTF_LIKE(4, 5)
bool event_refuse(struct event_parser *parser, enum event_code code, struct slice field, const char *format, ...);

/* The context to store: the event's own, completed from the batch's, with the IP hashed and what had no other place
 * (keys not in parser->used, and others) as "extra". */
struct slice event_context_make(struct event_parser *parser, bool is_group);

/* Walks over the open body in the form that it has, and adds each event or reject. */
MUST_CHECK enum status event_parse_form(struct event_parser *parser, struct error *err);

/* parser->object has been read: adds it as an event or a reject. */
MUST_CHECK enum status event_add_object(struct event_parser *parser, struct error *err);
/* A refusal that event_refuse can fill in, … */
void event_begin_refusal(struct event_parser *parser);
/* … and its addition to the rejects: `count` events with these bytes. */
MUST_CHECK enum status event_add_refusal(struct event_parser *parser, struct slice original, uint32_t count,
                                         struct error *err);
/* The index of the next event of the request. */
uint32_t event_next_index(const struct event_parser *parser);
