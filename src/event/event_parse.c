/* The parser's life, the arrays of its results, and the first look at a body. An object may be one event, a Segment
 * batch, or the first line of NDJSON: event_body_open looks at its top level without checking the values (they are
 * checked when they are read), which also finds the key. What a form means is in event_forms.c. */
#include "event/event_parse.h"

#include <stdlib.h>

#include "base/json_scan.h"
#include "event/event_parser.h"

const char *const ENVELOPE_KEY_NAMES[ENVELOPE_COUNT] = {
    [ENVELOPE_BATCH] = "batch",          [ENVELOPE_WRITE_KEY] = "writeKey", [ENVELOPE_API_KEY] = "api_key",
    [ENVELOPE_SENT_AT_CAMEL] = "sentAt", [ENVELOPE_SENT_AT] = "sent_at",    [ENVELOPE_CONTEXT] = "context",
    [ENVELOPE_SCHEMA] = "schema",        [ENVELOPE_DATA] = "data",
};

const char *event_code_name(enum event_code code)
{
    static const char *const NAMES[EVENT_CODE_COUNT] = {
        [EVENT_CODE_MISSING_FIELD] = "missing_field",
        [EVENT_CODE_BAD_TYPE] = "bad_type",
        [EVENT_CODE_BAD_ID] = "bad_id",
        [EVENT_CODE_BAD_TIMESTAMP] = "bad_timestamp",
        [EVENT_CODE_TOO_FAR_IN_FUTURE] = "too_far_in_future",
        [EVENT_CODE_OLDER_THAN_RETENTION] = "older_than_retention",
        [EVENT_CODE_TENANT_MISMATCH] = "tenant_mismatch",
        [EVENT_CODE_UNAUTHORIZED] = "unauthorized",
        [EVENT_CODE_EVENT_TOO_LARGE] = "event_too_large",
        [EVENT_CODE_TOO_DEEP] = "too_deep",
        [EVENT_CODE_TOO_MANY_FIELDS] = "too_many_fields",
        [EVENT_CODE_BAD_JSON] = "bad_json",
        [EVENT_CODE_BAD_UTF8] = "bad_utf8",
        [EVENT_CODE_DUPLICATE_FIELD] = "duplicate_field",
        [EVENT_CODE_TOO_MANY_EVENTS] = "too_many_events",
        [EVENT_CODE_BAD_RECORD] = "bad_record",
    };
    assert((unsigned)code < EVENT_CODE_COUNT);
    return NAMES[code];
}

static const char *const *const DIALECT_NAMES[DIALECT_COUNT] = {
    [DIALECT_OWN] = EVENT_KEY_NAMES,
    [DIALECT_POSTHOG] = POSTHOG_KEY_NAMES,
    [DIALECT_SNOWPLOW] = SNOWPLOW_KEY_NAMES,
};

static enum dialect dialect_of(enum event_endpoint endpoint)
{
    return endpoint == EVENT_ENDPOINT_POSTHOG    ? DIALECT_POSTHOG
           : endpoint == EVENT_ENDPOINT_SNOWPLOW ? DIALECT_SNOWPLOW
                                                 : DIALECT_OWN;
}

static void *take_memory(size_t n)
{
    void *p = calloc(1, n);
    if (!p)
        abort(); /* at start-up only */
    return p;
}

static void fill_defaults(struct event_parse_options *o)
{
    o->body_bytes_max = o->body_bytes_max ? o->body_bytes_max : 16u << 20;
    o->event_bytes_max = o->event_bytes_max ? o->event_bytes_max : 64u << 10;
    o->events_max = o->events_max ? o->events_max : 10000;
    o->depth_max = o->depth_max ? o->depth_max : 32;
    o->keys_max = o->keys_max ? o->keys_max : 1000;
    o->values_max = o->values_max ? o->values_max : 10000;
    o->future_skew_ms = o->future_skew_ms ? o->future_skew_ms : 24 * 3600 * 1000;
    o->clock_error_min_ms = o->clock_error_min_ms ? o->clock_error_min_ms : 5000;
}

struct event_parser *event_parser_new(const struct event_parse_options *options, struct world *world)
{
    struct event_parser *p = take_memory(sizeof *p);
    p->options = *options;
    fill_defaults(&p->options);
    assert(p->options.depth_max <= JSON_DEPTH_MAX);
    p->limits = (struct json_limits){ p->options.depth_max, p->options.keys_max, p->options.values_max };
    uuid_source_init(&p->uuids, world);
    json_index_init(&p->index);
    json_index_init(&p->inner);
    for (size_t i = 0; i < DIALECT_COUNT; i++)
        json_keys_init(&p->event_keys[i], DIALECT_NAMES[i], KEY_COUNT);
    json_keys_init(&p->context_keys, CONTEXT_KEY_NAMES, CONTEXT_COUNT);
    json_keys_init(&p->envelope_keys, ENVELOPE_KEY_NAMES, ENVELOPE_COUNT);
    size_t room = p->options.keys_max * sizeof(struct json_member);
    p->context = (struct json_object){ &p->context_keys, p->context_values, take_memory(room), .nested_key = -1 };
    p->batch_context = (struct json_object){ &p->context_keys, p->batch_values, take_memory(room), .nested_key = -1 };
    p->object = (struct json_object){ p->event_keys, p->values, take_memory(room), KEY_CONTEXT, &p->context };
    return p;
}

void event_parser_free(struct event_parser *p)
{
    if (!p)
        return;
    json_index_done(&p->index);
    json_index_done(&p->inner);
    free(p->context.others);
    free(p->batch_context.others);
    free(p->object.others);
    free(p->result.events);
    free(p->result.indexes);
    free(p->result.rejects);
    free(p);
}

static bool reserve(void **array, size_t item_bytes, size_t count)
{
    void *grown = realloc(*array, item_bytes * count);
    if (grown)
        *array = grown;
    return grown;
}

static enum status reserve_event(struct event_parser *p, struct error *err)
{
    if (LIKELY(p->result.event_count < p->events_room))
        return OK;
    size_t room = p->events_room ? p->events_room * 2 : 64;
    void *events = p->result.events, *indexes = p->result.indexes;
    bool grown = reserve(&events, sizeof(struct event), room) && reserve(&indexes, sizeof(uint32_t), room);
    p->result.events = events;
    p->result.indexes = indexes;
    if (!grown)
        return error_set(err, ERR_FULL, "out of memory for %zu events of a request", room);
    p->events_room = room;
    return OK;
}

static enum status reserve_reject(struct event_parser *p, struct error *err)
{
    if (LIKELY(p->result.reject_count < p->rejects_room))
        return OK;
    size_t room = p->rejects_room ? p->rejects_room * 2 : 64;
    void *rejects = p->result.rejects;
    if (!reserve(&rejects, sizeof(struct event_reject), room))
        return error_set(err, ERR_FULL, "out of memory for %zu refused events of a request", room);
    p->result.rejects = rejects;
    p->rejects_room = room;
    return OK;
}

uint32_t event_next_index(const struct event_parser *p)
{
    return (uint32_t)(p->result.event_count + p->result.rejected_events);
}

static enum status full(struct event_parser *p, struct error *err)
{
    return error_set(err, ERR_FULL, "the request's memory (%zu bytes) is used up: send smaller requests",
                     p->arena->max_bytes);
}

void event_begin_refusal(struct event_parser *p)
{
    p->refusal = (struct event_reject){
        .customer_id = p->request->tenant ? p->request->tenant->customer_id : SLICE(""),
    };
}

enum status event_add_refusal(struct event_parser *p, struct slice original, uint32_t count, struct error *err)
{
    if (p->arena_full)
        return full(p, err);
    enum status s = reserve_reject(p, err);
    if (s != OK)
        return s;
    p->refusal.index = event_next_index(p);
    p->refusal.count = count;
    p->refusal.original = original;
    p->result.rejects[p->result.reject_count++] = p->refusal;
    p->result.rejected_events += count;
    return OK;
}

/* A record of a foreign topic that could not be read says so itself (cli/source_record.h): that is why it is no event.
 */
static void take_fault(struct event_parser *p, struct slice raw)
{
    struct slice record, fault;
    if (!json_find(raw, "kafka_record", &record) || record.p[0] != '{' || !json_find(record, "fault", &fault) ||
        fault.p[0] != '"')
        return;
    const struct json_value text = { .raw = fault,
                                     .kind = JSON_STRING,
                                     .escaped = memchr(fault.p, '\\', fault.n) != NULL };
    struct slice message = json_text(&text, p->arena);
    p->refusal.code = EVENT_CODE_BAD_RECORD;
    p->refusal.field = SLICE("kafka_record");
    p->refusal.message = message.p ? message : SLICE("the record could not be read");
}

enum status event_add_object(struct event_parser *p, struct error *err)
{
    enum status s = reserve_event(p, err);
    if (s != OK)
        return s;
    struct slice raw = p->object.raw;
    uint32_t index = event_next_index(p);
    bool mapped;
    if (UNLIKELY(raw.n > p->options.event_bytes_max)) {
        event_begin_refusal(p);
        mapped = event_refuse(p, EVENT_CODE_EVENT_TOO_LARGE, SLICE(""), "has %zu bytes, at most %u are allowed", raw.n,
                              p->options.event_bytes_max);
    } else {
        mapped = event_map(p, &p->result.events[p->result.event_count]);
    }
    if (UNLIKELY(!mapped || p->arena_full)) {
        take_fault(p, raw);
        return event_add_refusal(p, raw, 1, err);
    }
    p->result.indexes[p->result.event_count++] = index;
    return OK;
}

/* {"schema":"iglu:com.snowplowanalytics.snowplow/payload_data/…","data":[…]} */
static bool is_payload_data(const struct event_parser *p)
{
    const uint32_t *schema = p->envelope[ENVELOPE_SCHEMA], *data = p->envelope[ENVELOPE_DATA];
    return schema && data && p->index.text.p[*data] == '[' &&
           slice_starts(slice_after(p->index.text, *schema),
                        SLICE("\"iglu:com.snowplowanalytics.snowplow/payload_data/"));
}

/* Where the values of the envelope's keys begin, without looking into them. Stops at the first thing that is wrong. */
static void scan_envelope(struct event_parser *p)
{
    struct json_cursor c;
    struct slice key;
    bool escaped;
    json_cursor_begin(&c, &p->index, &p->limits);
    do {
        c.token++; /* '{' or ',' */
        if (json_peek(&c) != '"' || !json_walk_key(&c, &key, &escaped))
            return;
        int wanted = json_keys_find(&p->envelope_keys, slice_of(key.p + 1, key.n - 2));
        if (wanted >= 0 && c.token < c.end && !p->envelope[wanted])
            p->envelope[wanted] = c.token;
    } while (json_skip(&c) && json_peek(&c) == ',');
    if (is_payload_data(p))
        p->envelope[ENVELOPE_BATCH] = p->envelope[ENVELOPE_DATA];
    else
        p->envelope[ENVELOPE_DATA] = NULL;
    const uint32_t *batch = p->envelope[ENVELOPE_BATCH];
    if (batch && p->index.text.p[*batch] == '[')
        p->form = FORM_BATCH;
}

/* The app id of the first event: Snowplow's trackers have no other place for a key. */
static struct slice first_app_id(const struct event_parser *p)
{
    struct slice array = slice_after(p->index.text, *p->envelope[ENVELOPE_DATA]), id;
    struct json_walk walk;
    json_walk_begin(&walk, array);
    bool found = json_walk_next(&walk) && json_find(walk.value, "aid", &id) && *id.p == '"';
    return found && !memchr(id.p, '\\', id.n) ? slice_of(id.p + 1, id.n - 2) : SLICE("");
}

static struct slice envelope_key(const struct event_parser *p)
{
    static const enum envelope_key KEYS[] = { ENVELOPE_WRITE_KEY, ENVELOPE_API_KEY };
    struct json_cursor c;
    struct json_value value;
    if (p->form == FORM_BATCH && p->envelope[ENVELOPE_DATA])
        return first_app_id(p);
    json_cursor_begin(&c, &p->index, &p->limits);
    for (size_t i = 0; i < COUNT_OF(KEYS); i++) {
        if (!p->envelope[KEYS[i]])
            continue;
        c.token = p->envelope[KEYS[i]];
        if (json_peek(&c) == '"' && json_walk_value(&c, &value) && !value.escaped)
            return slice_of(value.raw.p + 1, value.raw.n - 2);
    }
    return SLICE("");
}

enum status event_body_open(struct event_parser *p, struct slice body, struct slice *out_key, struct error *err)
{
    p->form = FORM_NONE;
    p->body = body;
    memset(p->envelope, 0, sizeof p->envelope);
    if (body.n > p->options.body_bytes_max)
        return error_set(err, ERR_INVALID, "the body has %zu bytes, at most %u are allowed: send smaller requests",
                         body.n, p->options.body_bytes_max);
    if (slice_starts(body, SLICE("\xef\xbb\xbf")))
        body = slice_after(body, 3);
    enum status s = json_index_build(&p->index, body, err);
    if (s != OK)
        return s;
    if (p->index.count == 0)
        return error_set(err, ERR_INVALID, "the body is empty: send a JSON object, an array of them, or one to a line");
    size_t at = p->index.at[0];
    if (body.p[at] != '{' && body.p[at] != '[')
        return error_set(err, ERR_INVALID, "the body is not JSON: expected '{' or '[', at byte %zu",
                         at + (size_t)(body.p - p->body.p));
    p->form = body.p[at] == '[' ? FORM_ARRAY : FORM_OBJECT;
    *out_key = SLICE("");
    if (p->form == FORM_OBJECT) {
        scan_envelope(p);
        *out_key = envelope_key(p);
    }
    return OK;
}

enum status event_body_parse(struct event_parser *p, const struct event_request *request, struct arena *arena,
                             struct event_parse_result *out, struct error *err)
{
    enum dialect dialect = dialect_of(request->endpoint);
    p->request = request;
    p->key_names = DIALECT_NAMES[dialect];
    p->object.keys = &p->event_keys[dialect];
    p->arena = arena;
    p->arena_full = false;
    p->result.event_count = p->result.reject_count = p->result.rejected_events = 0;
    p->open_tenant_id = p->ip_hashed = (struct slice){ 0 };
    p->plain_context = (struct slice){ 0 };
    p->batch_context.member_count = p->batch_context.other_count = 0;
    p->batch_context.seen = 0;
    p->batch_sent_at = (struct json_value){ 0 };
    enum status s = event_parse_form(p, err);
    p->form = FORM_NONE;
    if (s == OK)
        *out = p->result;
    return s;
}
