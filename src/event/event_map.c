/* One JSON object becomes one event. Each field is looked for under weir's name first, then Segment's; a value that
 * found its place is marked in parser->used, so that event_context.c can keep everything else as context.extra. The
 * table of names and the rules of time are in README.md. */
#include <stdarg.h>
#include <stdio.h>

#include "base/timestamp.h"
#include "event/event_parser.h"

const char *const EVENT_KEY_NAMES[KEY_COUNT] = {
    [KEY_CUSTOMER_ID] = "customer_id",
    [KEY_VISITOR_ID] = "visitor_id",
    [KEY_ANONYMOUS_ID_CAMEL] = "anonymousId",
    [KEY_ANONYMOUS_ID] = "anonymous_id",
    [KEY_USER_ID] = "user_id",
    [KEY_USER_ID_CAMEL] = "userId",
    [KEY_PREVIOUS_ID_CAMEL] = "previousId",
    [KEY_GROUP_ID_CAMEL] = "groupId",
    [KEY_SESSION_ID] = "session_id",
    [KEY_SESSION_ID_CAMEL] = "sessionId",
    [KEY_EVENT_TYPE] = "event_type",
    [KEY_TYPE] = "type",
    [KEY_EVENT_NAME] = "event_name",
    [KEY_EVENT] = "event",
    [KEY_NAME] = "name",
    [KEY_EVENT_ID] = "event_id",
    [KEY_MESSAGE_ID_CAMEL] = "messageId",
    [KEY_TIMESTAMP] = "timestamp",
    [KEY_ORIGINAL_TIMESTAMP_CAMEL] = "originalTimestamp",
    [KEY_SENT_AT_CAMEL] = "sentAt",
    [KEY_SENT_AT] = "sent_at",
    [KEY_RECEIVED_AT] = "received_at",
    [KEY_RECEIVED_AT_CAMEL] = "receivedAt",
    [KEY_PROPERTIES] = "properties",
    [KEY_TRAITS] = "traits",
    [KEY_CONTEXT] = "context",
    [KEY_IP] = "ip",
    [KEY_WRITE_KEY_CAMEL] = "writeKey",
    [KEY_API_KEY] = "api_key",
};

const char *const CONTEXT_KEY_NAMES[CONTEXT_COUNT] = {
    [CONTEXT_IP] = "ip",
    [CONTEXT_SESSION_ID] = "session_id",
    [CONTEXT_SESSION_ID_CAMEL] = "sessionId",
    [CONTEXT_GROUP_ID] = "groupId",
    [CONTEXT_EXTRA] = "extra",
};

/* Segment's calls, and the event_type that each becomes. */
enum call { CALL_NONE, CALL_TRACK, CALL_IDENTIFY, CALL_PAGE, CALL_SCREEN, CALL_GROUP, CALL_ALIAS, CALL_COUNT };

static const struct slice CALL_NAMES[CALL_COUNT] = {
    [CALL_TRACK] = { "track", 5 },   [CALL_IDENTIFY] = { "identify", 8 }, [CALL_PAGE] = { "page", 4 },
    [CALL_SCREEN] = { "screen", 6 }, [CALL_GROUP] = { "group", 5 },       [CALL_ALIAS] = { "alias", 5 },
};
static const struct slice CALL_TYPES[CALL_COUNT] = {
    [CALL_TRACK] = { "track", 5 },         [CALL_IDENTIFY] = { "identify", 8 }, [CALL_PAGE] = { "page_view", 9 },
    [CALL_SCREEN] = { "screen_view", 11 }, [CALL_GROUP] = { "group", 5 },       [CALL_ALIAS] = { "alias", 5 },
};

static enum call call_of_endpoint(enum event_endpoint endpoint)
{
    switch (endpoint) {
    case EVENT_ENDPOINT_SEGMENT_TRACK:
        return CALL_TRACK;
    case EVENT_ENDPOINT_SEGMENT_IDENTIFY:
        return CALL_IDENTIFY;
    case EVENT_ENDPOINT_SEGMENT_PAGE:
        return CALL_PAGE;
    case EVENT_ENDPOINT_SEGMENT_SCREEN:
        return CALL_SCREEN;
    case EVENT_ENDPOINT_SEGMENT_GROUP:
        return CALL_GROUP;
    case EVENT_ENDPOINT_SEGMENT_ALIAS:
        return CALL_ALIAS;
    case EVENT_ENDPOINT_TRACK:
    case EVENT_ENDPOINT_BATCH:
    case EVENT_ENDPOINT_POSTHOG:
    case EVENT_ENDPOINT_SNOWPLOW:
        break;
    }
    return CALL_NONE;
}

static enum call call_of_name(struct slice name)
{
    for (int call = CALL_TRACK; call < CALL_COUNT; call++)
        if (slice_equal(name, CALL_NAMES[call]))
            return (enum call)call;
    return CALL_NONE;
}

static struct slice name_of(const struct event_parser *parser, enum event_key key)
{
    return slice_from(event_key_name(parser, key));
}

bool event_refuse(struct event_parser *parser, enum event_code code, struct slice field, const char *format, ...)
{
    char text[ERROR_TEXT_MAX];
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    size_t length = n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
    parser->refusal.code = code;
    parser->refusal.field = field;
    parser->refusal.message = arena_copy(parser->arena, slice_of(text, length));
    parser->arena_full |= !parser->refusal.message.p;
    return false;
}

static bool has_control_character(struct slice text)
{
    for (size_t i = 0; i < text.n; i++)
        if ((unsigned char)text.p[i] < 0x20)
            return true;
    return false;
}

/* The text of a short field; empty when it is missing, null or "". A number is taken as it is written. */
static inline bool take_text(struct event_parser *parser, const struct json_value *value, const char *field,
                             size_t bytes_max, struct slice *out)
{
    struct slice text = SLICE("");
    if (LIKELY(value->kind == JSON_STRING && !value->escaped)) {
        text = slice_of(value->raw.p + 1, value->raw.n - 2);
    } else if (value->kind == JSON_STRING) {
        text = json_text(value, parser->arena);
        parser->arena_full |= !text.p;
        if (has_control_character(text)) /* they cannot be there without an escape */
            return event_refuse(parser, EVENT_CODE_BAD_ID, slice_from(field), "must not contain control characters");
    } else if (value->kind == JSON_NUMBER) {
        text = value->raw;
    } else if (value->kind != JSON_NULL) {
        return event_refuse(parser, EVENT_CODE_BAD_TYPE, slice_from(field), "must be a string");
    }
    if (UNLIKELY(text.n > bytes_max))
        return event_refuse(parser, EVENT_CODE_BAD_ID, slice_from(field), "has %zu bytes, at most %zu are allowed",
                            text.n, bytes_max);
    *out = text;
    return true;
}

static inline bool take(struct event_parser *parser, enum event_key key, size_t bytes_max, struct slice *out)
{
    if (out->n || !event_has(parser, key))
        return true;
    parser->used |= KEY_BIT(key);
    return take_text(parser, &parser->values[key], event_key_name(parser, key), bytes_max, out);
}

/* The first of two keys that has a text; the other stays for context.extra. */
static inline bool take_either(struct event_parser *parser, enum event_key first, enum event_key second,
                               size_t bytes_max, struct slice *out)
{
    return take(parser, first, bytes_max, out) && take(parser, second, bytes_max, out);
}

static bool map_tenant(struct event_parser *parser, const struct event_tenant **out)
{
    const struct event_request *request = parser->request;
    struct slice named = SLICE("");
    if (!take(parser, KEY_CUSTOMER_ID, EVENT_ID_MAX, &named))
        return false;
    if (request->tenant) {
        parser->refusal.customer_id = request->tenant->customer_id;
        if (named.n && !slice_equal(named, request->tenant->customer_id))
            return event_refuse(parser, EVENT_CODE_TENANT_MISMATCH, SLICE("customer_id"),
                                "the key belongs to another customer_id: leave the field out or use that tenant's key");
        *out = request->tenant;
        return true;
    }
    if (!named.n)
        return event_refuse(parser, EVENT_CODE_MISSING_FIELD, SLICE("customer_id"),
                            "without a write key each event needs its customer_id");
    if (!parser->open_tenant_id.n || !slice_equal(named, parser->open_tenant_id)) {
        parser->open_tenant = request->find_open_tenant ? request->find_open_tenant(request->find_self, named) : NULL;
        parser->open_tenant_id = named;
    }
    if (!parser->open_tenant)
        return event_refuse(parser, EVENT_CODE_UNAUTHORIZED, SLICE("customer_id"),
                            "this tenant takes events with its write key only: send it as X-Write-Key");
    parser->refusal.customer_id = parser->open_tenant->customer_id;
    *out = parser->open_tenant;
    return true;
}

/* event_type and event_name; *out_call is the Segment call that this is, if it is one. */
static bool map_type(struct event_parser *parser, struct event *event, enum call *out_call)
{
    enum call call = call_of_endpoint(parser->request->endpoint);
    struct slice type = SLICE("");
    if (!take(parser, KEY_EVENT_TYPE, EVENT_TYPE_MAX, &event->event_type))
        return false;
    if (call == CALL_NONE && !event->event_type.n) {
        if (!take(parser, KEY_TYPE, EVENT_TYPE_MAX, &type))
            return false;
        call = call_of_name(type);
        event->event_type = type;
    } else if (call != CALL_NONE && event_has(parser, KEY_TYPE) && parser->values[KEY_TYPE].kind == JSON_STRING) {
        type = (struct slice){ parser->values[KEY_TYPE].raw.p + 1, parser->values[KEY_TYPE].raw.n - 2 };
        parser->used |= slice_equal(type, CALL_NAMES[call]) ? KEY_BIT(KEY_TYPE) : 0;
    }
    if (call != CALL_NONE && (!event->event_type.n || event->event_type.p == type.p))
        event->event_type = CALL_TYPES[call];
    if (!event->event_type.n)
        return event_refuse(parser, EVENT_CODE_MISSING_FIELD,
                            parser->request->endpoint == EVENT_ENDPOINT_BATCH ? SLICE("type") : SLICE("event_type"),
                            "an event needs to say what kind it is");
    if (!take_either(parser, KEY_EVENT_NAME, KEY_EVENT, EVENT_NAME_MAX, &event->event_name))
        return false;
    bool named_by_page = !event->event_name.n && (call == CALL_PAGE || call == CALL_SCREEN);
    if (named_by_page && !take(parser, KEY_NAME, EVENT_NAME_MAX, &event->event_name))
        return false;
    if (!event->event_name.n && call == CALL_TRACK)
        return event_refuse(parser, EVENT_CODE_MISSING_FIELD, SLICE("event"), "a track call needs the event's name");
    if (!event->event_name.n)
        event->event_name = event->event_type;
    *out_call = call;
    return true;
}

static bool map_identity(struct event_parser *parser, struct event *event, enum call call)
{
    if (!take_either(parser, KEY_USER_ID, KEY_USER_ID_CAMEL, EVENT_ID_MAX, &event->user_id))
        return false;
    if (call == CALL_ALIAS && !take(parser, KEY_PREVIOUS_ID_CAMEL, EVENT_ID_MAX, &event->visitor_id))
        return false;
    if (!take_either(parser, KEY_VISITOR_ID, KEY_ANONYMOUS_ID_CAMEL, EVENT_ID_MAX, &event->visitor_id) ||
        !take(parser, KEY_ANONYMOUS_ID, EVENT_ID_MAX, &event->visitor_id))
        return false;
    if (!event->visitor_id.n)
        event->visitor_id = event->user_id;
    if (!event->visitor_id.n)
        return event_refuse(parser, EVENT_CODE_MISSING_FIELD, SLICE("visitor_id"),
                            "an event needs visitor_id (or anonymousId, or userId)");
    return true;
}

/* Whose value is in *out: a time. False: not one. Missing and null: *out_found is false. */
static bool read_time(struct event_parser *parser, const struct json_value *value, bool *out_found, int64_t *out_ms)
{
    *out_found = false;
    if (value->kind == JSON_NULL)
        return true;
    if (value->kind == JSON_NUMBER)
        return *out_found = timestamp_parse_number(value->raw, out_ms);
    if (value->kind != JSON_STRING)
        return false;
    struct slice text = json_text(value, parser->arena);
    parser->arena_full |= !text.p;
    return *out_found = text.p && (timestamp_parse(text, out_ms) || timestamp_parse_number(text, out_ms));
}

static bool take_time(struct event_parser *parser, enum event_key key, bool *out_found, int64_t *out_ms)
{
    *out_found = false;
    if (!event_has(parser, key))
        return true;
    parser->used |= KEY_BIT(key);
    if (read_time(parser, &parser->values[key], out_found, out_ms))
        return true;
    struct slice raw = parser->values[key].raw;
    return event_refuse(parser, EVENT_CODE_BAD_TIMESTAMP, name_of(parser, key),
                        "%.*s is no time between 1900 and 2299: write it like 2025-01-21T10:30:00.000Z, or as Unix "
                        "seconds or milliseconds",
                        (int)(raw.n < 40 ? raw.n : 40), raw.p);
}

/* How far the client's clock is behind ours, when it told us; 0 else. A sentAt that cannot be read corrects nothing and
 * is kept in context.extra. */
static int64_t clock_error(struct event_parser *parser)
{
    static const enum event_key KEYS[] = { KEY_SENT_AT_CAMEL, KEY_SENT_AT };
    const struct json_value *value = parser->batch_sent_at.raw.n ? &parser->batch_sent_at : NULL;
    bool found = false;
    int64_t sent_ms = 0;
    parser->sent_at_kept = false;
    for (size_t i = 0; i < COUNT_OF(KEYS) && !found; i++) {
        if (!event_has(parser, KEYS[i]) || !read_time(parser, &parser->values[KEYS[i]], &found, &sent_ms))
            continue;
        parser->used |= KEY_BIT(KEYS[i]);
    }
    bool own = found;
    if (!found && value && !read_time(parser, value, &found, &sent_ms))
        parser->sent_at_kept = true;
    int64_t difference = found ? parser->request->received_ms - sent_ms : 0;
    if (difference < parser->options.clock_error_min_ms && -difference < parser->options.clock_error_min_ms)
        return 0;
    if (own)
        parser->used &= ~(KEY_BIT(KEY_SENT_AT_CAMEL) | KEY_BIT(KEY_SENT_AT));
    else
        parser->sent_at_kept = true;
    return difference;
}

/* timestamp = received_at − (sentAt − originalTimestamp): the client's clock may be wrong, but not by different
 * amounts between the two. What the client said then stays in context.extra. */
static bool map_timestamp(struct event_parser *parser, struct event *event)
{
    bool original, plain;
    int64_t original_ms = 0, plain_ms = 0;
    if (!take_time(parser, KEY_ORIGINAL_TIMESTAMP_CAMEL, &original, &original_ms))
        return false;
    if (!original && !take_time(parser, KEY_TIMESTAMP, &plain, &plain_ms))
        return false;
    if (original && event_has(parser, KEY_TIMESTAMP) &&
        slice_equal(parser->values[KEY_TIMESTAMP].raw, parser->values[KEY_ORIGINAL_TIMESTAMP_CAMEL].raw))
        parser->used |= KEY_BIT(KEY_TIMESTAMP);
    int64_t error_ms = clock_error(parser);
    bool found = original || plain;
    event->timestamp_ms = original ? original_ms : found ? plain_ms : parser->request->received_ms;
    if (found && error_ms) {
        event->timestamp_ms += error_ms;
        event->flags |= EVENT_CLOCK_CORRECTED;
        parser->used &= ~KEY_BIT(original ? KEY_ORIGINAL_TIMESTAMP_CAMEL : KEY_TIMESTAMP);
    }
    if (event->timestamp_ms < TIMESTAMP_MIN_MS || event->timestamp_ms > TIMESTAMP_MAX_MS)
        return event_refuse(parser, EVENT_CODE_BAD_TIMESTAMP, SLICE("timestamp"),
                            "corrected by the difference between sentAt and our clock it lies outside 1900 to 2299");
    return true;
}

static bool map_received(struct event_parser *parser, struct event *event)
{
    bool found;
    int64_t ms;
    event->received_ms = parser->request->received_ms;
    enum event_key key = event_has(parser, KEY_RECEIVED_AT) ? KEY_RECEIVED_AT : KEY_RECEIVED_AT_CAMEL;
    if (!take_time(parser, key, &found, &ms))
        return false;
    if (found && ms <= parser->request->received_ms)
        event->received_ms = ms;
    else if (found)
        parser->used &= ~KEY_BIT(key);
    return true;
}

static bool check_age(struct event_parser *parser, const struct event *event, const struct event_tenant *tenant)
{
    int64_t ahead_ms = event->timestamp_ms - parser->request->received_ms;
    if (ahead_ms > parser->options.future_skew_ms)
        return event_refuse(parser, EVENT_CODE_TOO_FAR_IN_FUTURE, SLICE("timestamp"),
                            "is %lld s ahead of our clock, at most %lld s are allowed: check the client's clock, or "
                            "send sentAt so that it can be corrected",
                            (long long)(ahead_ms / 1000), (long long)(parser->options.future_skew_ms / 1000));
    if (event->timestamp_ms < tenant->oldest_ms)
        return event_refuse(parser, EVENT_CODE_OLDER_THAN_RETENTION, SLICE("timestamp"),
                            "is older than what this tenant keeps: raise the tenant's retention to load history");
    return true;
}

static bool map_event_id(struct event_parser *parser, struct event *event)
{
    if (!take_either(parser, KEY_EVENT_ID, KEY_MESSAGE_ID_CAMEL, EVENT_ID_MAX, &event->event_id))
        return false;
    parser->refusal.event_id = event->event_id;
    if (event->event_id.n)
        return true;
    uint8_t uuid[UUID_BYTES];
    char *text = arena_take(parser->arena, UUID_TEXT_BYTES);
    if (!text) {
        parser->arena_full = true;
        return true;
    }
    uuid_v7(&parser->uuids, parser->request->received_ms, uuid);
    uuid_format(uuid, text);
    event->event_id = slice_of(text, UUID_TEXT_BYTES);
    event->flags |= EVENT_ID_GENERATED;
    return true;
}

static bool map_session(struct event_parser *parser, struct event *event)
{
    if (!take_either(parser, KEY_SESSION_ID, KEY_SESSION_ID_CAMEL, EVENT_ID_MAX, &event->session_id))
        return false;
    for (int key = CONTEXT_SESSION_ID; key <= CONTEXT_SESSION_ID_CAMEL && !event->session_id.n; key++)
        if (parser->context.seen & 1u << key &&
            !take_text(parser, &parser->context_values[key], "context.sessionId", EVENT_ID_MAX, &event->session_id))
            return false;
    return true;
}

static bool map_objects(struct event_parser *parser, struct event *event)
{
    static const enum event_key KEYS[] = { KEY_PROPERTIES, KEY_TRAITS };
    event->properties = SLICE("{}");
    for (size_t i = 0; i < COUNT_OF(KEYS); i++) {
        const struct json_value *value = &parser->values[KEYS[i]];
        if (!event_has(parser, KEYS[i]))
            continue;
        if (value->kind != JSON_OBJECT && value->kind != JSON_NULL)
            return event_refuse(parser, EVENT_CODE_BAD_TYPE, name_of(parser, KEYS[i]), "must be an object");
        parser->used |= KEY_BIT(KEYS[i]);
        if (value->kind == JSON_OBJECT) {
            event->properties = value->raw;
            break;
        }
    }
    if (!event_has(parser, KEY_CONTEXT))
        return true;
    parser->used |= KEY_BIT(KEY_CONTEXT);
    if (parser->values[KEY_CONTEXT].kind != JSON_OBJECT && parser->values[KEY_CONTEXT].kind != JSON_NULL)
        return event_refuse(parser, EVENT_CODE_BAD_TYPE, SLICE("context"), "must be an object");
    return true;
}

static bool check_duplicates(struct event_parser *parser)
{
    if (parser->object.duplicate >= 0)
        return event_refuse(parser, EVENT_CODE_DUPLICATE_FIELD,
                            name_of(parser, (enum event_key)parser->object.duplicate),
                            "is there twice: which one is meant?");
    if (parser->context.duplicate >= 0)
        return event_refuse(parser, EVENT_CODE_DUPLICATE_FIELD, SLICE("context"), "has %s twice: which one is meant?",
                            CONTEXT_KEY_NAMES[parser->context.duplicate]);
    return true;
}

/* Other people's names and habits become ours before anything is read. */
static bool translate(struct event_parser *parser)
{
    switch (parser->request->endpoint) {
    case EVENT_ENDPOINT_POSTHOG:
        return event_from_posthog(parser);
    case EVENT_ENDPOINT_SNOWPLOW:
        return event_from_snowplow(parser);
    case EVENT_ENDPOINT_TRACK:
    case EVENT_ENDPOINT_BATCH:
    case EVENT_ENDPOINT_SEGMENT_TRACK:
    case EVENT_ENDPOINT_SEGMENT_IDENTIFY:
    case EVENT_ENDPOINT_SEGMENT_PAGE:
    case EVENT_ENDPOINT_SEGMENT_SCREEN:
    case EVENT_ENDPOINT_SEGMENT_GROUP:
    case EVENT_ENDPOINT_SEGMENT_ALIAS:
        break;
    }
    return true;
}

bool event_map(struct event_parser *parser, struct event *event)
{
    *event = (struct event){ .user_id = SLICE(""), .session_id = SLICE("") };
    const struct event_tenant *tenant = NULL;
    enum call call = CALL_NONE;
    parser->refusal = (struct event_reject){ .count = 1 };
    /* Keys are secrets, and addresses are hashed elsewhere: neither may end in context.extra. */
    parser->used = KEY_BIT(KEY_WRITE_KEY_CAMEL) | KEY_BIT(KEY_API_KEY) | KEY_BIT(KEY_IP);
    if (!event_has(parser, KEY_CONTEXT) || parser->values[KEY_CONTEXT].kind != JSON_OBJECT) {
        parser->context.seen = 0;
        parser->context.duplicate = -1;
    }
    if (parser->request->tenant)
        parser->refusal.customer_id = parser->request->tenant->customer_id;
    if (!check_duplicates(parser) || !map_event_id(parser, event) || !map_tenant(parser, &tenant) ||
        !translate(parser) || !map_type(parser, event, &call) || !map_identity(parser, event, call) ||
        !map_session(parser, event) || !map_objects(parser, event) || !map_timestamp(parser, event) ||
        !map_received(parser, event) || !check_age(parser, event, tenant))
        return false;
    event->customer_id = tenant->customer_id;
    event->placement = tenant->placement;
    event->context = event_context_make(parser, call == CALL_GROUP);
    assert(parser->arena_full || (event->visitor_id.n && event->event_type.n && event->context.n >= 2));
    return true;
}
