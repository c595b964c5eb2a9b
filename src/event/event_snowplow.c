/* Snowplow's events (tracker protocol 2, payload_data): flat, all values strings, names of two or three letters; events
 * with fields of their own are JSON in a string, plain (ue_pr, co) or in base64 (ue_px, cx). That inner JSON is checked
 * as strictly as any other before it becomes the properties. What has no place stays in context.extra under its short
 * name.
 *
 *   e = pv  page_view: url, page, refr → properties url, title, referrer
 *       pp  page_ping: the same
 *       se  track, named by se_ac: properties category, label, property, value
 *       ue  track, named by its schema (iglu:VENDOR/NAME/…), its data the properties; screen_view is one
 *       any other: e as it is
 *
 * duid (else nuid, tnuid) is the visitor, uid the user, sid the session, eid the event's id, dtm and stm the two times.
 */
#include "base/encode.h"
#include "base/json_scan.h"
#include "event/event_parser.h"
#include "event/event_writer.h"

const char *const SNOWPLOW_KEY_NAMES[KEY_COUNT] = {
    [KEY_TYPE] = "e",
    [KEY_EVENT_ID] = "eid",
    [KEY_VISITOR_ID] = "duid",
    [KEY_ANONYMOUS_ID_CAMEL] = "nuid",
    [KEY_ANONYMOUS_ID] = "tnuid",
    [KEY_USER_ID] = "uid",
    [KEY_SESSION_ID] = "sid",
    [KEY_EVENT] = "se_ac",
    [KEY_ORIGINAL_TIMESTAMP_CAMEL] = "dtm",
    [KEY_TIMESTAMP] = "ttm",
    [KEY_SENT_AT_CAMEL] = "stm",
    [KEY_IP] = "ip",
    [KEY_SNOWPLOW_APP] = "aid",
    [KEY_SNOWPLOW_DATA] = "ue_pr",
    [KEY_SNOWPLOW_DATA_BASE64] = "ue_px",
    [KEY_SNOWPLOW_ENTITIES] = "co",
    [KEY_SNOWPLOW_ENTITIES_BASE64] = "cx",
    [KEY_SNOWPLOW_URL] = "url",
    [KEY_SNOWPLOW_PAGE] = "page",
    [KEY_SNOWPLOW_REFERRER] = "refr",
    [KEY_SNOWPLOW_CATEGORY] = "se_ca",
    [KEY_SNOWPLOW_LABEL] = "se_la",
    [KEY_SNOWPLOW_PROPERTY] = "se_pr",
    [KEY_SNOWPLOW_VALUE] = "se_va",
};

struct place {
    enum event_key key;
    const char *name;
};

static struct slice digits(struct slice *rest)
{
    struct slice found = *rest;
    while (rest->n && *rest->p >= '0' && *rest->p <= '9')
        *rest = slice_after(*rest, 1);
    return slice_of(found.p, found.n - rest->n);
}

/* As JSON writes numbers. */
static bool is_number(struct slice text)
{
    if (text.n && *text.p == '-')
        text = slice_after(text, 1);
    struct slice whole = digits(&text);
    if (whole.n == 0 || (whole.n > 1 && *whole.p == '0'))
        return false;
    if (text.n && *text.p == '.') {
        text = slice_after(text, 1);
        if (digits(&text).n == 0)
            return false;
    }
    return text.n == 0;
}

/* Numbers that came as strings are numbers again. */
static struct slice value_of(const struct event_parser *parser, enum event_key key)
{
    struct slice raw = parser->values[key].raw;
    struct slice inner = raw.n >= 2 ? slice_of(raw.p + 1, raw.n - 2) : raw;
    return key == KEY_SNOWPLOW_VALUE && *raw.p == '"' && is_number(inner) ? inner : raw;
}

/* The properties, made of those fields of the event that are there. */
static void make_properties(struct event_parser *parser, const struct place *places, size_t count)
{
    size_t n = 2;
    for (size_t i = 0; i < count; i++)
        if (event_has(parser, places[i].key))
            n += strlen(places[i].name) + 4 + parser->values[places[i].key].raw.n;
    struct writer w = { .p = arena_take(parser->arena, n) };
    if (!w.p) {
        parser->arena_full = true;
        return;
    }
    put(&w, SLICE("{"));
    for (size_t i = 0; i < count; i++) {
        if (!event_has(parser, places[i].key))
            continue;
        put_named(&w, places[i].name, value_of(parser, places[i].key));
        parser->used |= KEY_BIT(places[i].key);
    }
    put(&w, SLICE("}"));
    assert(w.n <= n);
    event_set(parser, KEY_PROPERTIES, slice_of(w.p, w.n));
}

/* The bytes of the inner JSON with room behind them, in the arena. p is NULL: not base64, or the arena is full. */
static struct slice inner_text(struct event_parser *parser, const struct json_value *value, bool base64)
{
    struct slice text = json_text(value, parser->arena);
    size_t n = text.n;
    char *to = text.p ? arena_take(parser->arena, BASE64_DECODED_BYTES_MAX(text.n) + JSON_PADDING) : NULL;
    if (!to || (base64 && !base64_decode(text, to, &n))) {
        parser->arena_full |= !to;
        return (struct slice){ 0 };
    }
    if (!base64)
        memcpy(to, text.p, n);
    memset(to + n, 0, JSON_PADDING);
    return slice_of(to, n);
}

/* {"schema":…,"data":…} in a string: its data. False: there is none, *out_why says why. */
static bool read_inner(struct event_parser *parser, enum event_key key, bool base64, struct slice *out_data,
                       const char **out_why)
{
    struct json_cursor cursor;
    struct json_value whole;
    *out_why = base64 ? "is not base64" : "must be a string";
    if (parser->values[key].kind != JSON_STRING)
        return false;
    struct slice text = inner_text(parser, &parser->values[key], base64);
    if (!text.p)
        return false;
    *out_why = "is not JSON";
    if (json_index_build(&parser->inner, text, NULL) != OK)
        return false;
    json_cursor_begin(&cursor, &parser->inner, &parser->limits);
    if (!json_walk_value(&cursor, &whole)) {
        *out_why = cursor.why;
        return false;
    }
    *out_why = "must be one JSON object with schema and data";
    return cursor.token == cursor.end && whole.kind == JSON_OBJECT && json_find(whole.raw, "data", out_data);
}

static void take_entities(struct event_parser *parser)
{
    bool base64 = event_has(parser, KEY_SNOWPLOW_ENTITIES_BASE64);
    enum event_key key = base64 ? KEY_SNOWPLOW_ENTITIES_BASE64 : KEY_SNOWPLOW_ENTITIES;
    struct slice data;
    const char *why;
    if (!event_has(parser, key) || !read_inner(parser, key, base64, &data, &why))
        return; /* what cannot be read stays as it came */
    parser->used |= KEY_BIT(key);
    parser->used &= ~KEY_BIT(KEY_SNOWPLOW_ENTITIES);
    event_set(parser, KEY_SNOWPLOW_ENTITIES, data);
}

/* "iglu:com.acme/order_completed/jsonschema/1-0-0": order_completed, in quotes of its own. */
static struct slice name_in_schema(struct event_parser *parser, struct slice schema)
{
    const char *end = schema.p + schema.n, *name = memchr(schema.p, '/', schema.n);
    const char *behind = name ? memchr(name + 1, '/', (size_t)(end - name - 1)) : NULL;
    if (!behind || behind == name + 1)
        return (struct slice){ 0 };
    size_t n = (size_t)(behind - name - 1);
    char *to = arena_take(parser->arena, n + 2);
    if (!to) {
        parser->arena_full = true;
        return (struct slice){ 0 };
    }
    to[0] = to[n + 1] = '"';
    memcpy(to + 1, name + 1, n);
    return slice_of(to, n + 2);
}

static bool take_self_describing(struct event_parser *parser)
{
    bool base64 = event_has(parser, KEY_SNOWPLOW_DATA_BASE64);
    enum event_key key = base64 ? KEY_SNOWPLOW_DATA_BASE64 : KEY_SNOWPLOW_DATA;
    struct slice event, schema, data, name;
    const char *why;
    if (!event_has(parser, key))
        return event_refuse(parser, EVENT_CODE_MISSING_FIELD, SLICE("ue_pr"),
                            "an event of kind ue needs ue_pr or ue_px");
    if (!read_inner(parser, key, base64, &event, &why))
        return event_refuse(parser, EVENT_CODE_BAD_JSON, slice_from(event_key_name(parser, key)), "%s", why);
    if (!json_find(event, "schema", &schema) || *schema.p != '"' || !json_find(event, "data", &data) || *data.p != '{')
        return event_refuse(parser, EVENT_CODE_BAD_JSON, slice_from(event_key_name(parser, key)),
                            "the event in it needs a schema and an object as data");
    parser->used |= KEY_BIT(key);
    event_set(parser, KEY_PROPERTIES, data);
    event_set(parser, KEY_TYPE, SLICE("\"track\""));
    name = name_in_schema(parser, schema);
    event_set(parser, KEY_EVENT, name.p ? name : schema);
    if (slice_equal(name, SLICE("\"screen_view\""))) {
        event_set(parser, KEY_TYPE, SLICE("\"screen\""));
        if (json_find(data, "name", &name) && *name.p == '"')
            event_set(parser, KEY_EVENT, name);
    }
    return true;
}

bool event_from_snowplow(struct event_parser *parser)
{
    static const struct place PAGE[] = { { KEY_SNOWPLOW_URL, "url" },
                                         { KEY_SNOWPLOW_PAGE, "title" },
                                         { KEY_SNOWPLOW_REFERRER, "referrer" } };
    static const struct place STRUCTURED[] = { { KEY_SNOWPLOW_CATEGORY, "category" },
                                               { KEY_SNOWPLOW_LABEL, "label" },
                                               { KEY_SNOWPLOW_PROPERTY, "property" },
                                               { KEY_SNOWPLOW_VALUE, "value" } };
    if (!event_has(parser, KEY_TYPE) || parser->values[KEY_TYPE].kind != JSON_STRING)
        return event_refuse(parser, EVENT_CODE_MISSING_FIELD, SLICE("e"),
                            "each event needs its kind: pv, pp, se, ue, …");
    struct slice kind = parser->values[KEY_TYPE].raw;
    parser->used |= parser->request->key_in_body ? KEY_BIT(KEY_SNOWPLOW_APP) : 0; /* it is the key */
    take_entities(parser);
    if (slice_equal(kind, SLICE("\"ue\"")))
        return take_self_describing(parser);
    if (slice_equal(kind, SLICE("\"se\""))) {
        event_set(parser, KEY_TYPE, SLICE("\"track\""));
        make_properties(parser, STRUCTURED, COUNT_OF(STRUCTURED));
    } else if (slice_equal(kind, SLICE("\"pv\""))) {
        event_set(parser, KEY_TYPE, SLICE("\"page\""));
        if (event_has(parser, KEY_SNOWPLOW_PAGE) && parser->values[KEY_SNOWPLOW_PAGE].raw.n <= EVENT_NAME_MAX)
            event_set(parser, KEY_NAME, parser->values[KEY_SNOWPLOW_PAGE].raw);
        make_properties(parser, PAGE, COUNT_OF(PAGE));
    } else if (slice_equal(kind, SLICE("\"pp\""))) {
        event_set(parser, KEY_TYPE, SLICE("\"page_ping\""));
        make_properties(parser, PAGE, COUNT_OF(PAGE));
    }
    return true;
}
