/* How a body is taken apart. All forms run over one index of tokens; an element that cannot be read is skipped by its
 * brackets (in an array) or to the end of its line (NDJSON), refused with its own bytes, and reading goes on behind it.
 * Only where brackets do not add up is nothing known about what follows: that is the 400.
 *
 * An object may be one event, a Segment batch, or the first line of NDJSON: event_body_open looks at its top level
 * without checking the values (they are checked when they are read), which also finds the key. */
#include "event/event_parse.h"

#include <stdlib.h>

#include "event/event_parser.h"

const char *const ENVELOPE_KEY_NAMES[ENVELOPE_COUNT] = {
    [ENVELOPE_BATCH] = "batch",          [ENVELOPE_WRITE_KEY] = "writeKey", [ENVELOPE_API_KEY] = "api_key",
    [ENVELOPE_SENT_AT_CAMEL] = "sentAt", [ENVELOPE_SENT_AT] = "sent_at",    [ENVELOPE_CONTEXT] = "context",
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
    };
    assert((unsigned)code < EVENT_CODE_COUNT);
    return NAMES[code];
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
    json_keys_init(&p->event_keys, EVENT_KEY_NAMES, KEY_COUNT);
    json_keys_init(&p->context_keys, CONTEXT_KEY_NAMES, CONTEXT_COUNT);
    json_keys_init(&p->envelope_keys, ENVELOPE_KEY_NAMES, ENVELOPE_COUNT);
    size_t room = p->options.keys_max * sizeof(struct json_member);
    p->context = (struct json_object){ &p->context_keys, p->context_values, take_memory(room), .nested_key = -1 };
    p->batch_context = (struct json_object){ &p->context_keys, p->batch_values, take_memory(room), .nested_key = -1 };
    p->object = (struct json_object){ &p->event_keys, p->values, take_memory(room), KEY_CONTEXT, &p->context };
    return p;
}

void event_parser_free(struct event_parser *p)
{
    if (!p)
        return;
    json_index_done(&p->index);
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
    bool done = reserve(&events, sizeof(struct event), room) && reserve(&indexes, sizeof(uint32_t), room);
    p->result.events = events;
    p->result.indexes = indexes;
    if (!done)
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

static uint32_t next_index(const struct event_parser *p)
{
    return (uint32_t)(p->result.event_count + p->result.rejected_events);
}

/* Adds parser->refusal for these bytes. */
static enum status add_reject(struct event_parser *p, struct slice original, uint32_t count, struct error *err)
{
    enum status s = reserve_reject(p, err);
    if (s != OK)
        return s;
    p->refusal.index = next_index(p);
    p->refusal.count = count;
    p->refusal.original = original;
    p->result.rejects[p->result.reject_count++] = p->refusal;
    p->result.rejected_events += count;
    return OK;
}

static enum status full(struct event_parser *p, struct error *err)
{
    return error_set(err, ERR_FULL, "the request's memory (%zu bytes) is used up: send smaller requests",
                     p->arena->max_bytes);
}

/* parser->object has been read: an event or a reject. */
static enum status add_object(struct event_parser *p, struct error *err)
{
    enum status s = reserve_event(p, err);
    if (s != OK)
        return s;
    struct slice raw = p->object.raw;
    uint32_t index = next_index(p);
    bool mapped;
    if (UNLIKELY(raw.n > p->options.event_bytes_max)) {
        p->refusal =
            (struct event_reject){ .customer_id = p->request->tenant ? p->request->tenant->customer_id : SLICE("") };
        mapped = event_refuse(p, EVENT_CODE_EVENT_TOO_LARGE, SLICE(""), "has %zu bytes, at most %u are allowed", raw.n,
                              p->options.event_bytes_max);
    } else {
        mapped = event_map(p, &p->result.events[p->result.event_count]);
    }
    if (UNLIKELY(p->arena_full))
        return full(p, err);
    if (!mapped)
        return add_reject(p, raw, 1, err);
    p->result.indexes[p->result.event_count++] = index;
    return OK;
}

static enum status bad_body(const struct event_parser *p, const struct json_cursor *c, struct error *err)
{
    size_t at = (size_t)(p->index.text.p - p->body.p) + c->problem_at;
    return error_set(err, ERR_INVALID, "the body is not JSON: %s, at byte %zu", c->why, at);
}

static enum status bad_here(struct event_parser *p, struct json_cursor *c, const char *why, struct error *err)
{
    c->why = why;
    c->problem_at = *c->token;
    return bad_body(p, c, err);
}

/* Refuses the bytes that the cursor could not read. */
static enum status refuse_unread(struct event_parser *p, const struct json_cursor *c, struct slice original,
                                 struct error *err)
{
    static const enum event_code CODES[] = {
        [JSON_FINE] = EVENT_CODE_BAD_JSON,
        [JSON_BAD] = EVENT_CODE_BAD_JSON,
        [JSON_BAD_UTF8] = EVENT_CODE_BAD_UTF8,
        [JSON_TOO_DEEP] = EVENT_CODE_TOO_DEEP,
        [JSON_TOO_MANY] = EVENT_CODE_TOO_MANY_FIELDS,
    };
    p->refusal =
        (struct event_reject){ .customer_id = p->request->tenant ? p->request->tenant->customer_id : SLICE("") };
    bool limit = c->problem == JSON_TOO_DEEP || c->problem == JSON_TOO_MANY;
    if (limit && original.n > p->options.event_bytes_max)
        event_refuse(p, EVENT_CODE_EVENT_TOO_LARGE, SLICE(""), "has %zu bytes, at most %u are allowed", original.n,
                     p->options.event_bytes_max);
    else
        event_refuse(p, CODES[c->problem], SLICE(""), "%s, at byte %zu of the body", c->why,
                     (size_t)(p->index.text.p - p->body.p) + c->problem_at);
    return p->arena_full ? full(p, err) : add_reject(p, original, 1, err);
}

static void begin_event(struct json_cursor *c)
{
    c->depth = 0;
    c->values = 0;
    c->problem = JSON_FINE;
}

static bool at_end_of_element(const struct json_cursor *c)
{
    char next = json_peek(c);
    return next == ',' || next == ']';
}

/* The text from a token up to the cursor, without the blanks before it. */
static struct slice text_since(const struct json_cursor *c, const uint32_t *token)
{
    return slice_trim(slice_of(c->index->text.p + *token, *c->token - *token));
}

static enum status parse_element(struct event_parser *p, struct json_cursor *c, struct error *err)
{
    const uint32_t *start = c->token;
    begin_event(c);
    if (LIKELY(json_peek(c) == '{')) {
        if (LIKELY(json_read_object(c, &p->object) && at_end_of_element(c)))
            return add_object(p, err);
    }
    if (c->problem == JSON_FINE) {
        c->why = c->token == c->end  ? "it ends too early"
                 : c->token == start ? "an event must be an object"
                                     : "expected ',' or ']' behind the event";
        c->problem_at = *c->token;
    }
    struct json_cursor skip = *c;
    skip.token = start;
    if (!json_skip(&skip) || !at_end_of_element(&skip))
        return bad_body(p, c, err);
    c->token = skip.token;
    return refuse_unread(p, c, text_since(&skip, start), err);
}

/* Everything in the array from the cursor on, as one reject. */
static enum status refuse_rest(struct event_parser *p, struct json_cursor *c, struct error *err)
{
    const uint32_t *start = c->token;
    uint32_t count = 1;
    while (json_skip(c) && json_peek(c) == ',') {
        c->token++;
        count++;
    }
    if (json_peek(c) != ']')
        return bad_here(p, c, c->token < c->end ? "expected ']'" : "it ends too early", err);
    p->refusal =
        (struct event_reject){ .customer_id = p->request->tenant ? p->request->tenant->customer_id : SLICE("") };
    event_refuse(p, EVENT_CODE_TOO_MANY_EVENTS, SLICE(""),
                 "%u events beyond the %u allowed in one request: send them in requests of their own", count,
                 p->options.events_max);
    return p->arena_full ? full(p, err) : add_reject(p, text_since(c, start), count, err);
}

/* The array at the cursor, which is left behind it. */
static enum status parse_array(struct event_parser *p, struct json_cursor *c, struct error *err)
{
    c->token++;
    enum status s = OK;
    if (json_peek(c) == ']') {
        c->token++;
        return OK;
    }
    for (;;) {
        s = next_index(p) < p->options.events_max ? parse_element(p, c, err) : refuse_rest(p, c, err);
        if (s != OK)
            return s;
        char next = json_peek(c);
        assert(next == ',' || next == ']');
        c->token++;
        if (next == ']')
            return OK;
    }
}

static enum status expect_end(struct event_parser *p, struct json_cursor *c, struct error *err)
{
    if (c->token == c->end)
        return OK;
    return bad_here(p, c, "something follows behind its end (events go one to a line, or into one array)", err);
}

/* sentAt and context of a batch, which may stand behind its events. */
static enum status read_envelope(struct event_parser *p, struct json_cursor c, struct error *err)
{
    static const enum envelope_key SENT[] = { ENVELOPE_SENT_AT_CAMEL, ENVELOPE_SENT_AT };
    for (size_t i = 0; i < COUNT_OF(SENT) && !p->batch_sent_at.raw.n; i++) {
        if (!p->envelope[SENT[i]])
            continue;
        c.token = p->envelope[SENT[i]];
        if (!json_walk_value(&c, &p->batch_sent_at))
            return bad_body(p, &c, err);
    }
    if (!p->envelope[ENVELOPE_CONTEXT])
        return OK;
    c.token = p->envelope[ENVELOPE_CONTEXT];
    if (json_peek(&c) != '{')
        return OK;
    if (!json_read_object(&c, &p->batch_context))
        return bad_body(p, &c, err);
    if (p->batch_context.duplicate >= 0)
        return bad_here(p, &c, "the batch's context has a key twice", err);
    return OK;
}

static enum status parse_batch(struct event_parser *p, struct json_cursor *c, struct error *err)
{
    enum status s = read_envelope(p, *c, err);
    if (s != OK)
        return s;
    struct slice key;
    struct json_value value;
    bool escaped, seen = false;
    do {
        c->token++; /* '{' or ',' */
        begin_event(c);
        if (!json_walk_key(c, &key, &escaped))
            return bad_body(p, c, err);
        if (c->token == p->envelope[ENVELOPE_BATCH]) {
            seen = true;
            s = parse_array(p, c, err);
            if (s != OK)
                return s;
        } else if (!json_walk_value(c, &value)) {
            return bad_body(p, c, err);
        }
    } while (json_peek(c) == ',');
    assert(seen);
    if (json_peek(c) != '}')
        return bad_here(p, c, c->token < c->end ? "expected ',' or '}'" : "it ends too early", err);
    c->token++;
    return expect_end(p, c, err);
}

static enum status parse_line(struct event_parser *p, struct json_cursor *c, size_t from, size_t to, struct error *err)
{
    const char *base = p->index.text.p;
    struct slice line = slice_trim(slice_of(base + from, to - from));
    const uint32_t *text_end = c->end;
    while (c->token < text_end && *c->token < from)
        c->token++;
    for (c->end = c->token; c->end < text_end && *c->end < to;)
        c->end++;
    const uint32_t *next = c->end;
    enum status s = OK;
    begin_event(c);
    if (line.n && json_peek(c) == '{' && json_read_object(c, &p->object) && c->token == c->end) {
        s = add_object(p, err);
    } else if (line.n) {
        if (c->problem == JSON_FINE) {
            c->why = c->token == c->end ? "an event must be an object" : "expected one object in the line";
            c->problem_at = from;
        }
        s = refuse_unread(p, c, line, err);
    }
    c->token = next;
    c->end = text_end;
    return s;
}

static size_t line_end(struct slice text, size_t from)
{
    const char *newline = from < text.n ? memchr(text.p + from, '\n', text.n - from) : NULL;
    return newline ? (size_t)(newline - text.p) : text.n;
}

static enum status refuse_lines(struct event_parser *p, size_t from, struct error *err)
{
    struct slice text = p->index.text, rest = slice_trim(slice_after(text, from));
    uint32_t count = 0;
    for (size_t to; from < text.n; from = to + 1) {
        to = line_end(text, from);
        count += slice_trim(slice_of(text.p + from, to - from)).n > 0;
    }
    if (count == 0)
        return OK;
    p->refusal =
        (struct event_reject){ .customer_id = p->request->tenant ? p->request->tenant->customer_id : SLICE("") };
    event_refuse(p, EVENT_CODE_TOO_MANY_EVENTS, SLICE(""),
                 "%u events beyond the %u allowed in one request: send them in requests of their own", count,
                 p->options.events_max);
    return p->arena_full ? full(p, err) : add_reject(p, rest, count, err);
}

static enum status parse_lines(struct event_parser *p, struct json_cursor *c, struct error *err)
{
    struct slice text = p->index.text;
    enum status s = OK;
    for (size_t from = 0, to; from < text.n && s == OK; from = to + 1) {
        if (next_index(p) >= p->options.events_max)
            return refuse_lines(p, from, err);
        to = line_end(text, from);
        s = parse_line(p, c, from, to, err);
    }
    return s;
}

/* Several lines, of which one at least has an object of its own: NDJSON, whatever the other lines hold. */
static bool looks_like_lines(struct slice text)
{
    size_t lines = 0;
    bool object = false;
    for (size_t from = 0, to; from < text.n && (lines < 2 || !object); from = to + 1) {
        to = line_end(text, from);
        struct slice line = slice_trim(slice_of(text.p + from, to - from));
        lines += line.n > 0;
        object |= line.n > 1 && line.p[0] == '{' && line.p[line.n - 1] == '}';
    }
    return lines >= 2 && object;
}

/* One event, or the first of several lines. */
static enum status parse_objects(struct event_parser *p, struct json_cursor *c, struct error *err)
{
    begin_event(c);
    bool read = json_read_object(c, &p->object);
    if (read && c->token == c->end)
        return add_object(p, err);
    if (p->request->ndjson || looks_like_lines(p->index.text)) {
        json_index_rebuild_by_line(&p->index);
        json_cursor_begin(c, &p->index, &p->limits);
        return parse_lines(p, c, err);
    }
    if (read)
        return expect_end(p, c, err);
    struct json_cursor skip = *c;
    skip.token = p->index.at;
    if (c->problem == JSON_BAD || !json_skip(&skip) || skip.token != skip.end)
        return bad_body(p, c, err);
    return refuse_unread(p, c, slice_trim(p->index.text), err);
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
    const uint32_t *batch = p->envelope[ENVELOPE_BATCH];
    if (batch && p->index.text.p[*batch] == '[')
        p->form = FORM_BATCH;
}

static struct slice envelope_key(const struct event_parser *p)
{
    static const enum envelope_key KEYS[] = { ENVELOPE_WRITE_KEY, ENVELOPE_API_KEY };
    struct json_cursor c;
    struct json_value value;
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

static enum status parse_body(struct event_parser *p, struct error *err)
{
    struct json_cursor c;
    enum status s = OK;
    json_cursor_begin(&c, &p->index, &p->limits);
    switch (p->form) {
    case FORM_OBJECT:
        return parse_objects(p, &c, err);
    case FORM_BATCH:
        return parse_batch(p, &c, err);
    case FORM_ARRAY:
        s = parse_array(p, &c, err);
        return s == OK ? expect_end(p, &c, err) : s;
    case FORM_NONE:
        break;
    }
    assert(!"event_body_open comes first");
    return ERR_INVALID;
}

enum status event_body_parse(struct event_parser *p, const struct event_request *request, struct arena *arena,
                             struct event_parse_result *out, struct error *err)
{
    p->request = request;
    p->arena = arena;
    p->arena_full = false;
    p->result.event_count = p->result.reject_count = p->result.rejected_events = 0;
    p->open_tenant_id = p->ip_hashed = (struct slice){ 0 };
    p->plain_context = (struct slice){ 0 };
    p->batch_context.member_count = p->batch_context.other_count = 0;
    p->batch_context.seen = 0;
    p->batch_sent_at = (struct json_value){ 0 };
    enum status s = parse_body(p, err);
    p->form = FORM_NONE;
    if (s == OK)
        *out = p->result;
    return s;
}
