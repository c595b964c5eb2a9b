/* How a body is taken apart. All forms run over one index of tokens; an element that cannot be read is skipped by its
 * brackets (in an array) or to the end of its line (NDJSON), refused with its own bytes, and reading goes on behind it.
 * Only where brackets do not add up is nothing known about what follows: that is the 400. */
#include "event/event_parser.h"

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
    event_begin_refusal(p);
    bool limit = c->problem == JSON_TOO_DEEP || c->problem == JSON_TOO_MANY;
    if (limit && original.n > p->options.event_bytes_max)
        event_refuse(p, EVENT_CODE_EVENT_TOO_LARGE, SLICE(""), "has %zu bytes, at most %u are allowed", original.n,
                     p->options.event_bytes_max);
    else
        event_refuse(p, CODES[c->problem], SLICE(""), "%s, at byte %zu of the body", c->why,
                     (size_t)(p->index.text.p - p->body.p) + c->problem_at);
    return event_add_refusal(p, original, 1, err);
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
            return event_add_object(p, err);
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

static enum status refuse_too_many(struct event_parser *p, struct slice original, uint32_t count, struct error *err)
{
    event_begin_refusal(p);
    event_refuse(p, EVENT_CODE_TOO_MANY_EVENTS, SLICE(""),
                 "%u events beyond the %u allowed in one request: send them in requests of their own", count,
                 p->options.events_max);
    return event_add_refusal(p, original, count, err);
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
    return refuse_too_many(p, text_since(c, start), count, err);
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
        s = event_next_index(p) < p->options.events_max ? parse_element(p, c, err) : refuse_rest(p, c, err);
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
    /* Where the tokens do not fit, this walk ends before the batch that the first look saw. */
    if (json_peek(c) != '}' || !seen)
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
        s = event_add_object(p, err);
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
    return refuse_too_many(p, rest, count, err);
}

static enum status parse_lines(struct event_parser *p, struct json_cursor *c, struct error *err)
{
    struct slice text = p->index.text;
    enum status s = OK;
    for (size_t from = 0, to; from < text.n && s == OK; from = to + 1) {
        if (event_next_index(p) >= p->options.events_max)
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
        return event_add_object(p, err);
    if (p->request->ndjson || looks_like_lines(p->index.text)) {
        if (p->index.suspect)
            json_index_rebuild(&p->index, true);
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

enum status event_parse_form(struct event_parser *p, struct error *err)
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
