/* Any bytes as a request body. The first two bytes choose the endpoint, small limits and whether there is a key; the
 * rest is the body. Beyond not crashing: every byte sequence gives events and rejects that add up, each accepted event
 * survives its codec, each reject's bytes lie within the body, and what was accepted is JSON when read again. */
#include <stdlib.h>

#include "event/event_parse.h"
#include "event/json.h"
#include "world/world.h"

static const struct event_tenant ACME = { { "acme", 4 }, { "p", 1 }, 1000000000000 };

static void fixed_random(struct world *world, void *out, size_t n)
{
    (void)world;
    memset(out, 5, n);
}

static struct world world = { .random = fixed_random };

static const struct event_tenant *find_open(void *self, struct slice customer_id)
{
    (void)self;
    return customer_id.n % 2 ? &ACME : NULL;
}

static void expect(bool condition)
{
    if (!condition)
        abort();
}

static void check_json(struct json_index *index, struct slice text)
{
    static const struct json_limits LIMITS = { JSON_DEPTH_MAX, 100000, 1000000 };
    struct json_cursor cursor;
    struct json_value value;
    char *copy = malloc(text.n + JSON_PADDING);
    memcpy(copy, text.p, text.n);
    memset(copy + text.n, '"', JSON_PADDING);
    expect(json_index_build(index, slice_of(copy, text.n), NULL) == OK);
    json_cursor_begin(&cursor, index, &LIMITS);
    expect(json_walk_value(&cursor, &value) && cursor.token == cursor.end && value.kind == JSON_OBJECT);
    free(copy);
}

static void check_event(struct json_index *index, const struct event *event)
{
    struct event back;
    size_t n = event_encoded_size(event);
    char *record = malloc(n);
    event_encode(event, record);
    expect(event_decode(slice_of(record, n), &back, NULL) == OK && slice_equal(back.context, event->context));
    expect(event->visitor_id.n && event->visitor_id.n <= EVENT_ID_MAX && event->event_id.n <= EVENT_ID_MAX);
    expect(event->event_type.n && event->event_type.n <= EVENT_TYPE_MAX && event->event_name.n <= EVENT_NAME_MAX);
    expect(event->timestamp_ms >= ACME.oldest_ms);
    check_json(index, event->properties);
    check_json(index, event->context);
    free(record);
}

static void check_result(const struct event_parse_result *result, struct slice body)
{
    static struct json_index index; /* zero is a fresh one */
    size_t rejected = 0;
    for (size_t i = 0; i < result->event_count; i++)
        check_event(&index, &result->events[i]);
    for (size_t i = 0; i < result->reject_count; i++) {
        const struct event_reject *reject = &result->rejects[i];
        expect(reject->original.p >= body.p && reject->original.p + reject->original.n <= body.p + body.n);
        expect(reject->message.n && event_code_name(reject->code) && reject->index < 1u << 30);
        rejected += reject->count;
    }
    expect(rejected == result->rejected_events);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct event_parser *parsers[2];
    static struct arena arena;
    static const struct event_parse_options SMALL = {
        .events_max = 5, .depth_max = 4, .keys_max = 8, .values_max = 20, .event_bytes_max = 200
    };
    static const struct event_parse_options USUAL = { 0 };
    if (size < 2)
        return 0;
    bool small = data[0] & 0x80;
    if (!parsers[small])
        parsers[small] = event_parser_new(small ? &SMALL : &USUAL, &world);
    if (!arena.max_bytes)
        arena_init(&arena, 16u << 20);
    struct event_request request = { .endpoint = (data[0] & 0x7f) % EVENT_ENDPOINT_COUNT,
                                     .key_in_body = data[1] & 16,
                                     .ndjson = data[1] & 1,
                                     .received_ms = 1737455400000,
                                     .tenant = data[1] & 2 ? NULL : &ACME,
                                     .find_open_tenant = find_open,
                                     .remote_address = data[1] & 4 ? SLICE("203.0.113.7") : SLICE(""),
                                     .ip_salt = data[1] & 8 ? NULL : (const uint8_t *)"0123456789abcdef" };
    size_t n = size - 2;
    char *body = malloc(n + EVENT_BODY_PADDING);
    memcpy(body, data + 2, n);
    memset(body + n, '"', EVENT_BODY_PADDING);
    struct event_parse_result result;
    struct slice key;
    struct error err;
    arena_reset(&arena);
    enum status s = event_body_open(parsers[small], slice_of(body, n), &key, &err);
    if (s == OK)
        s = event_body_parse(parsers[small], &request, &arena, &result, &err);
    expect(s == OK || s == ERR_INVALID);
    if (s == OK)
        check_result(&result, slice_of(body, n));
    free(body);
    return 0;
}
