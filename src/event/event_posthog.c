/* PostHog's events: one name for the event (with a $ when it is PostHog's own), one distinct_id, and everything else in
 * `properties`, also what weir has columns for. Its own events are Segment's calls under other names, so they become
 * those; what distinct_id means depends on the event, as with PostHog itself:
 *
 *   $identify, $set      the user, whose traits are $set; $anon_distinct_id is the visitor that it was
 *   $create_alias        the user; properties.alias is the visitor that is merged into it
 *   any other            the visitor; properties.$user_id the user, if it is there
 *
 * properties.$ip is the one address that PostHog's clients send: it is taken out of the properties, and stored hashed.
 */
#include "base/json_scan.h"
#include "event/event_parser.h"
#include "event/event_writer.h"

/* `properties` twice: json_keys_find finds the first, the second is the name under which they go to context.extra. */
const char *const POSTHOG_KEY_NAMES[KEY_COUNT] = {
    [KEY_VISITOR_ID] = "distinct_id",
    [KEY_EVENT] = "event",
    [KEY_EVENT_ID] = "uuid",
    [KEY_TIMESTAMP] = "timestamp",
    [KEY_SENT_AT] = "sent_at",
    [KEY_PROPERTIES] = "properties",
    [KEY_TRAITS] = "$set",
    [KEY_IP] = "ip",
    [KEY_API_KEY] = "api_key",
    [KEY_POSTHOG_PROPERTIES] = "properties",
};

static const struct {
    struct slice event, call; /* both raw */
} CALLS[] = {
    { { "\"$identify\"", 11 }, { "\"identify\"", 10 } },  { { "\"$set\"", 6 }, { "\"identify\"", 10 } },
    { { "\"$pageview\"", 11 }, { "\"page\"", 6 } },       { { "\"$screen\"", 9 }, { "\"screen\"", 8 } },
    { { "\"$groupidentify\"", 16 }, { "\"group\"", 7 } }, { { "\"$create_alias\"", 15 }, { "\"alias\"", 7 } },
};

enum inside { DISTINCT_ID, ANONYMOUS_ID, USER_ID, SESSION_ID, ALIAS, GROUP_KEY, SET, IP, INSIDE_COUNT };
static const char *const INSIDE_NAMES[INSIDE_COUNT] = {
    [DISTINCT_ID] = "\"distinct_id\"",
    [ANONYMOUS_ID] = "\"$anon_distinct_id\"",
    [USER_ID] = "\"$user_id\"",
    [SESSION_ID] = "\"$session_id\"",
    [ALIAS] = "\"alias\"",
    [GROUP_KEY] = "\"$group_key\"",
    [SET] = "\"$set\"",
    [IP] = "\"$ip\"",
};

/* The values in `properties` that weir has a place for; p is NULL where there is none. */
static void read_inside(struct slice properties, struct slice out[INSIDE_COUNT])
{
    struct json_walk walk;
    json_walk_begin(&walk, properties);
    while (json_walk_next(&walk))
        for (size_t i = 0; i < INSIDE_COUNT; i++)
            if (slice_equal(walk.name, slice_from(INSIDE_NAMES[i])) && !json_is_null(walk.value))
                out[i] = walk.value;
}

/* The properties with null in the place of the address. */
static void hide_address(struct event_parser *parser, struct slice ip)
{
    struct slice raw = parser->values[KEY_PROPERTIES].raw;
    struct writer w = { .p = arena_take(parser->arena, raw.n + 4) };
    if (!w.p) {
        parser->arena_full = true;
        return;
    }
    put(&w, slice_of(raw.p, (size_t)(ip.p - raw.p)));
    put(&w, SLICE("null"));
    put(&w, slice_of(ip.p + ip.n, (size_t)(raw.p + raw.n - (ip.p + ip.n))));
    event_set(parser, KEY_PROPERTIES, slice_of(w.p, w.n));
    event_set(parser, KEY_IP, ip);
}

static void set_if(struct event_parser *parser, enum event_key key, struct slice raw)
{
    if (raw.p)
        event_set(parser, key, raw);
}

static void take_identify(struct event_parser *parser, const struct slice inside[INSIDE_COUNT])
{
    event_set(parser, KEY_USER_ID, parser->values[KEY_VISITOR_ID].raw);
    set_if(parser, KEY_VISITOR_ID, inside[ANONYMOUS_ID]);
    struct slice traits = event_has(parser, KEY_TRAITS) ? parser->values[KEY_TRAITS].raw : inside[SET];
    if (!traits.p || *traits.p != '{')
        return;
    if (event_has(parser, KEY_PROPERTIES))
        event_set(parser, KEY_POSTHOG_PROPERTIES, parser->values[KEY_PROPERTIES].raw);
    event_set(parser, KEY_PROPERTIES, traits);
    parser->used |= KEY_BIT(KEY_TRAITS);
}

bool event_from_posthog(struct event_parser *parser)
{
    struct slice inside[INSIDE_COUNT] = { 0 }, call = SLICE("\"track\"");
    if (!event_has(parser, KEY_EVENT) || parser->values[KEY_EVENT].kind != JSON_STRING)
        return event_refuse(parser, EVENT_CODE_MISSING_FIELD, SLICE("event"), "each event needs its name");
    if (event_has(parser, KEY_PROPERTIES) && parser->values[KEY_PROPERTIES].kind == JSON_OBJECT)
        read_inside(parser->values[KEY_PROPERTIES].raw, inside);
    if (inside[IP].p)
        hide_address(parser, inside[IP]);
    if (!event_has(parser, KEY_VISITOR_ID))
        set_if(parser, KEY_VISITOR_ID, inside[DISTINCT_ID]);
    if (!event_has(parser, KEY_VISITOR_ID))
        return event_refuse(parser, EVENT_CODE_MISSING_FIELD, SLICE("distinct_id"), "each event needs its distinct_id");
    for (size_t i = 0; i < COUNT_OF(CALLS); i++)
        if (slice_equal(parser->values[KEY_EVENT].raw, CALLS[i].event))
            call = CALLS[i].call;
    event_set(parser, KEY_TYPE, call);
    set_if(parser, KEY_SESSION_ID, inside[SESSION_ID]);
    set_if(parser, KEY_GROUP_ID_CAMEL, call.p[1] == 'g' ? inside[GROUP_KEY] : (struct slice){ 0 });
    if (call.p[1] == 'i') {
        take_identify(parser, inside);
    } else if (call.p[1] == 'a') {
        event_set(parser, KEY_USER_ID, parser->values[KEY_VISITOR_ID].raw);
        set_if(parser, KEY_PREVIOUS_ID_CAMEL, inside[ALIAS]);
        parser->used |= KEY_BIT(KEY_VISITOR_ID);
    } else {
        set_if(parser, KEY_USER_ID, inside[USER_ID]);
    }
    return true;
}
