#include "event/event_parse.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/test.h"
#include "base/uuid.h"
#include "world/world.h"

#define NOW 1737455400000 /* 2025-01-21T10:30:00.000Z */
#define NOW_TEXT "2025-01-21T10:30:00.000Z"

static void dice(struct world *world, void *out, size_t n)
{
    static uint8_t next;
    (void)world;
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)out)[i] = next++;
}

static struct world world = { .random = dice };
static const struct event_tenant ACME = { { "acme", 4 }, { "p_acme", 6 }, INT64_MIN };

/* One request: what was given, what came out. */
struct request {
    struct event_parse_options options;
    struct event_request request;
    struct event_parser *parser;
    struct arena arena;
    char *body;
    struct slice key;
    struct event_parse_result result;
    enum status status;
    struct error err;
};

static struct request *begin(enum event_endpoint endpoint)
{
    struct request *r = calloc(1, sizeof *r);
    r->request.endpoint = endpoint;
    r->request.received_ms = NOW;
    r->request.tenant = &ACME;
    arena_init(&r->arena, 64u << 20);
    return r;
}

static void run(struct request *r, struct slice body)
{
    if (!r->parser)
        r->parser = event_parser_new(&r->options, &world);
    free(r->body);
    r->body = malloc(body.n + EVENT_BODY_PADDING);
    memcpy(r->body, body.p, body.n);
    memset(r->body + body.n, '"', EVENT_BODY_PADDING);
    r->status = event_body_open(r->parser, slice_of(r->body, body.n), &r->key, &r->err);
    if (r->status == OK)
        r->status = event_body_parse(r->parser, &r->request, &r->arena, &r->result, &r->err);
}

static void finish(struct request *r)
{
    event_parser_free(r->parser);
    arena_done(&r->arena);
    free(r->body);
    free(r);
}

static void expect_slice(struct slice got, const char *expected)
{
    if (!slice_equal(got, slice_from(expected)))
        fail_msg("'%.*s' instead of '%s'", SLICE_ARG(got), expected);
}

/* One event is accepted, or one is refused, with nothing else beside it. */
static const struct event *one_event(struct request *r)
{
    if (r->status != OK || r->result.event_count != 1 || r->result.reject_count != 0)
        fail_msg("no single event: %s", r->status != OK          ? r->err.text
                                        : r->result.reject_count ? event_code_name(r->result.rejects[0].code)
                                                                 : "none at all");
    return &r->result.events[0];
}

static const struct event_reject *one_reject(struct request *r, enum event_code code, const char *field)
{
    if (r->status != OK)
        fail_msg("%s", r->err.text);
    assert_int_equal(r->result.event_count, 0);
    assert_int_equal(r->result.reject_count, 1);
    const struct event_reject *reject = &r->result.rejects[0];
    if (reject->code != code)
        fail_msg("%s instead of %s: %.*s", event_code_name(reject->code), event_code_name(code),
                 SLICE_ARG(reject->message));
    expect_slice(reject->field, field);
    assert_true(reject->message.n > 0 && reject->count == 1);
    return reject;
}

static void expect_reject(enum event_endpoint endpoint, const char *body, enum event_code code, const char *field)
{
    struct request *r = begin(endpoint);
    run(r, slice_from(body));
    const struct event_reject *reject = one_reject(r, code, field);
    expect_slice(reject->original, body);
    expect_slice(reject->customer_id, "acme");
    finish(r);
}

static void expect_bad_body(struct slice body, const char *why)
{
    struct request *r = begin(EVENT_ENDPOINT_TRACK);
    run(r, body);
    assert_int_equal(r->status, ERR_INVALID);
    if (!strstr(r->err.text, why))
        fail_msg("'%s' does not say '%s'", r->err.text, why);
    finish(r);
}

static void test_sample_event_of_the_requirements(void **state)
{
    (void)state;
    struct request *r = begin(EVENT_ENDPOINT_TRACK);
    run(r, SLICE("{\"customer_id\":\"acme\",\"visitor_id\":\"test_123\",\"session_id\":\"session_456\","
                 "\"event_type\":\"page_view\",\"event_name\":\"Homepage View\","
                 "\"properties\":{\"page\":\"/\", \"title\":\"Home\"}}"));
    const struct event *event = one_event(r);
    expect_slice(event->customer_id, "acme");
    expect_slice(event->placement, "p_acme");
    expect_slice(event->visitor_id, "test_123");
    expect_slice(event->user_id, "");
    expect_slice(event->session_id, "session_456");
    expect_slice(event->event_type, "page_view");
    expect_slice(event->event_name, "Homepage View");
    expect_slice(event->properties, "{\"page\":\"/\", \"title\":\"Home\"}");
    expect_slice(event->context, "{}");
    assert_int_equal(event->timestamp_ms, NOW);
    assert_int_equal(event->received_ms, NOW);
    assert_int_equal(event->flags, EVENT_ID_GENERATED);
    uint8_t uuid[UUID_BYTES];
    assert_true(uuid_parse(event->event_id, uuid) && uuid[6] >> 4 == 7);
    assert_int_equal(r->result.indexes[0], 0);
    finish(r);
}

static void test_full_record_keeps_every_field(void **state)
{
    (void)state;
    struct request *r = begin(EVENT_ENDPOINT_TRACK);
    run(r, SLICE("{\"event_id\":\"ae1912cb\",\"visitor_id\":17,\"user_id\":\"u\\u00e9\",\"event_type\":\"login\","
                 "\"event_name\":null,\"properties\":null,\"context\":{\"locale\":\"en-US\"},"
                 "\"timestamp\":\"1999-12-29T14:20:26.000Z\",\"received_at\":\"1999-12-29T14:20:27Z\"}"));
    const struct event *event = one_event(r);
    expect_slice(event->event_id, "ae1912cb");
    expect_slice(event->visitor_id, "17");
    expect_slice(event->user_id, "u\xc3\xa9");
    expect_slice(event->event_name, "login");
    expect_slice(event->properties, "{}");
    expect_slice(event->context, "{\"locale\":\"en-US\"}");
    assert_int_equal(event->timestamp_ms, 946477226000);
    assert_int_equal(event->received_ms, 946477227000);
    assert_int_equal(event->flags, 0);
    finish(r);
}

static void test_unknown_fields_are_kept_and_keys_are_not(void **state)
{
    (void)state;
    struct request *r = begin(EVENT_ENDPOINT_TRACK);
    run(r, SLICE("{\"visitor_id\":\"v\",\"event_type\":\"t\",\"channel\":\"web\",\"a\\\"b\":[1, 2],\"type\":\"x\","
                 "\"writeKey\":\"secret\",\"api_key\":\"secret\",\"context\":{ }}"));
    expect_slice(one_event(r)->context, "{ \"extra\":{\"type\":\"x\",\"channel\":\"web\",\"a\\\"b\":[1, 2]}}");
    expect_slice(r->key, "secret");
    run(r, SLICE("{\"visitor_id\":\"v\",\"event_type\":\"t\",\"z\":1,\"context\":{\"extra\":2}}"));
    expect_slice(one_event(r)->context, "{\"extra\":2,\"weir_extra\":{\"z\":1}}");
    finish(r);
}

static void test_verdict_for_each_kind_of_bad_event(void **state)
{
    (void)state;
    const enum event_endpoint track = EVENT_ENDPOINT_TRACK;
    expect_reject(track, "{}", EVENT_CODE_MISSING_FIELD, "event_type");
    expect_reject(track, "{\"event_type\":\"t\"}", EVENT_CODE_MISSING_FIELD, "visitor_id");
    expect_reject(track, "{\"event_type\":\"\",\"visitor_id\":\"v\"}", EVENT_CODE_MISSING_FIELD, "event_type");
    expect_reject(track, "{\"event_type\":\"t\",\"visitor_id\":null}", EVENT_CODE_MISSING_FIELD, "visitor_id");
    expect_reject(EVENT_ENDPOINT_BATCH, "{}", EVENT_CODE_MISSING_FIELD, "type");
    expect_reject(EVENT_ENDPOINT_SEGMENT_TRACK, "{\"userId\":\"u\"}", EVENT_CODE_MISSING_FIELD, "event");
    expect_reject(track, "{\"event_type\":\"t\",\"visitor_id\":[1]}", EVENT_CODE_BAD_TYPE, "visitor_id");
    expect_reject(track, "{\"kafka_record\":{\"topic\":\"t\",\"fault\":\"not \\\"Avro\\\"\"}}", EVENT_CODE_BAD_RECORD,
                  "kafka_record");
    expect_reject(track, "{\"kafka_record\":{\"fault\":7}}", EVENT_CODE_MISSING_FIELD, "event_type");
    expect_reject(track, "{\"event_type\":true,\"visitor_id\":\"v\"}", EVENT_CODE_BAD_TYPE, "event_type");
    expect_reject(track, "{\"event_type\":\"t\",\"visitor_id\":\"v\",\"properties\":\"{}\"}", EVENT_CODE_BAD_TYPE,
                  "properties");
    expect_reject(track, "{\"event_type\":\"t\",\"visitor_id\":\"v\",\"context\":[]}", EVENT_CODE_BAD_TYPE, "context");
    expect_reject(track, "{\"event_type\":\"t\",\"visitor_id\":\"a\\u0000b\"}", EVENT_CODE_BAD_ID, "visitor_id");
    expect_reject(track, "{\"event_type\":\"t\",\"visitor_id\":\"v\",\"timestamp\":\"yesterday\"}",
                  EVENT_CODE_BAD_TIMESTAMP, "timestamp");
    expect_reject(track, "{\"event_type\":\"t\",\"visitor_id\":\"v\",\"timestamp\":{}}", EVENT_CODE_BAD_TIMESTAMP,
                  "timestamp");
    expect_reject(track, "{\"event_type\":\"t\",\"visitor_id\":\"v\",\"received_at\":true}", EVENT_CODE_BAD_TIMESTAMP,
                  "received_at");
    expect_reject(track, "{\"event_type\":\"t\",\"visitor_id\":\"v\",\"timestamp\":\"2025-01-22T10:30:01Z\"}",
                  EVENT_CODE_TOO_FAR_IN_FUTURE, "timestamp");
    expect_reject(track, "{\"customer_id\":\"other\",\"event_type\":\"t\",\"visitor_id\":\"v\"}",
                  EVENT_CODE_TENANT_MISMATCH, "customer_id");
    expect_reject(track, "{\"event_type\":\"t\",\"visitor_id\":\"v\",\"visitor_id\":\"w\"}", EVENT_CODE_DUPLICATE_FIELD,
                  "visitor_id");
    expect_reject(track, "{\"event_type\":\"t\",\"visitor_id\":\"v\",\"context\":{\"ip\":\"1\",\"i\\u0070\":\"2\"}}",
                  EVENT_CODE_DUPLICATE_FIELD, "context");
    expect_reject(track, "{\"event_type\":\"t\",\"visitor_id\":\"\\ud83d\"}", EVENT_CODE_BAD_UTF8, "");
    expect_reject(track, "{\"event_type\":\"t\",\"visitor_id\":\"\xff\"}", EVENT_CODE_BAD_UTF8, "");
}

static void test_lengths_of_ids_are_bounded_exactly(void **state)
{
    (void)state;
    static const struct {
        const char *field;
        int max;
    } FIELDS[] = { { "visitor_id", 256 }, { "user_id", 256 },    { "session_id", 256 }, { "event_id", 256 },
                   { "event_type", 128 }, { "event_name", 256 }, { "customer_id", 256 } };
    for (size_t i = 0; i < COUNT_OF(FIELDS); i++) {
        for (int over = 0; over < 2; over++) {
            char body[1024];
            int n = snprintf(body, sizeof body, "{\"%s\":\"%0*d\"%s%s}", FIELDS[i].field, FIELDS[i].max + over, 7,
                             strcmp(FIELDS[i].field, "visitor_id") ? ",\"visitor_id\":\"v\"" : "",
                             strcmp(FIELDS[i].field, "event_type") ? ",\"event_type\":\"t\"" : "");
            struct request *r = begin(EVENT_ENDPOINT_TRACK);
            run(r, slice_of(body, (size_t)n));
            if (over)
                one_reject(r, EVENT_CODE_BAD_ID, FIELDS[i].field);
            else if (!strcmp(FIELDS[i].field, "customer_id"))
                one_reject(r, EVENT_CODE_TENANT_MISMATCH, "customer_id");
            else
                one_event(r);
            finish(r);
        }
    }
}

static void test_history_beyond_the_retention_is_refused(void **state)
{
    (void)state;
    struct event_tenant tenant = ACME;
    struct request *r = begin(EVENT_ENDPOINT_TRACK);
    tenant.oldest_ms = NOW - 1000;
    r->request.tenant = &tenant;
    run(r, SLICE("{\"event_type\":\"t\",\"visitor_id\":\"v\",\"timestamp\":1737455398.999}"));
    one_reject(r, EVENT_CODE_OLDER_THAN_RETENTION, "timestamp");
    run(r, SLICE("{\"event_type\":\"t\",\"visitor_id\":\"v\",\"timestamp\":1737455399000}"));
    assert_int_equal(one_event(r)->timestamp_ms, NOW - 1000);
    finish(r);
}

static void test_numbers_in_properties_are_kept_to_the_digit(void **state)
{
    (void)state;
    const char *properties = "{\"a\":-0,\"b\":1e999,\"c\":9007199254740993,\"d\":18446744073709551615,\"e\":1.10}";
    char body[256];
    int n = snprintf(body, sizeof body, "{\"event_type\":\"t\",\"visitor_id\":\"v\",\"properties\":%s}", properties);
    struct request *r = begin(EVENT_ENDPOINT_TRACK);
    run(r, slice_of(body, (size_t)n));
    expect_slice(one_event(r)->properties, properties);
    finish(r);
}

#define GOOD "{\"event_type\":\"t\",\"visitor_id\":\"v\"}"

static void expect_pattern(const char *body, bool ndjson, const char *pattern)
{
    struct request *r = begin(EVENT_ENDPOINT_TRACK);
    r->request.ndjson = ndjson;
    run(r, slice_from(body));
    if (r->status != OK)
        fail_msg("%s: %s", body, r->err.text);
    char got[64] = { 0 };
    for (size_t i = 0; i < r->result.event_count; i++)
        got[r->result.indexes[i]] = '+';
    for (size_t i = 0; i < r->result.reject_count; i++) {
        const struct event_reject *reject = &r->result.rejects[i];
        got[reject->index] = reject->code == EVENT_CODE_BAD_JSON   ? '-'
                             : reject->code == EVENT_CODE_BAD_UTF8 ? 'u'
                                                                   : 'x';
        assert_true(reject->original.n == 0 || (reject->original.p >= r->body && strstr(body, "{")));
    }
    if (strcmp(got, pattern) != 0)
        fail_msg("%s: %s instead of %s", body, got, pattern);
    finish(r);
}

static void test_bad_elements_of_an_array_cost_themselves_only(void **state)
{
    (void)state;
    expect_pattern("[]", false, "");
    expect_pattern("[" GOOD "," GOOD "]", false, "++");
    expect_pattern(" [ " GOOD " , " GOOD " ] \n", false, "++");
    expect_pattern("[" GOOD ",1," GOOD ",null,[],\"x\"]", false, "+-+---");
    expect_pattern("[" GOOD ",{\"event_type\":NaN}," GOOD "]", false, "+-+");
    expect_pattern("[{\"a\":[1,2},{\"b\":]}," GOOD "]", false, "-+"); /* one that spans both, by its brackets */
    expect_pattern("[" GOOD " " GOOD "," GOOD "]", false, "-+");
    expect_pattern("[" GOOD ",]", false, "+-");
    expect_pattern("[," GOOD "]", false, "-+");
    expect_pattern("[" GOOD ",{\"a\":\"\xff\"}," GOOD "]", false, "+u+");
    expect_pattern("[" GOOD ",{\"a\":\"\n\"}," GOOD "]", false, "+-+");
    expect_pattern("[" GOOD ",{\"a\":\"\\q\"}," GOOD "]", false, "+-+");
    expect_pattern("[" GOOD ",{\"a\":\"\\ud800\"}," GOOD "]", false, "+u+");
    expect_pattern("[{}," GOOD "]", false, "x+");
}

static void test_bad_lines_cost_themselves_only(void **state)
{
    (void)state;
    expect_pattern(GOOD "\n" GOOD "\n", false, "++");
    expect_pattern(GOOD "\r\n\r\n  \n" GOOD, false, "++");
    expect_pattern("\xef\xbb\xbf" GOOD "\n" GOOD, false, "++");
    expect_pattern("{\"a\":\n" GOOD "\n", false, "-+");
    expect_pattern("{\"a\":\"x\n" GOOD "\n{\"b\":\"y\n" GOOD, false, "-+-+");
    expect_pattern(GOOD "\n{\"a\":\"\xff\"}\n" GOOD, false, "+u+");
    expect_pattern(GOOD "\n[1]\nx\n\"y\"\n" GOOD, false, "+---+");
    expect_pattern(GOOD "\n" GOOD GOOD "\n" GOOD "x\n" GOOD, false, "+--+");
    expect_pattern(GOOD "\n}\n]\n" GOOD, false, "+--+");
    expect_pattern("{\"a\":1\n", true, "-");
    expect_pattern("{\n\"event_type\":\"t\",\n\"visitor_id\":\"v\"\n}", true, "+");
    expect_pattern("{\"a\":[{\n\"b\":[{\n\"c\":[{\n" GOOD "\n", false, "---+");
    expect_pattern("{\"a\":\"\\\n" GOOD "\n", false, "-+");
}

static void test_rejected_bytes_are_the_ones_that_came(void **state)
{
    (void)state;
    struct request *r = begin(EVENT_ENDPOINT_TRACK);
    run(r, SLICE("[ {\"a\" : nul} , {\"event_id\":\"e7\",\"event_type\":\"t\" } ]"));
    assert_int_equal(r->result.reject_count, 2);
    expect_slice(r->result.rejects[0].original, "{\"a\" : nul}");
    expect_slice(r->result.rejects[0].message, "expected a value, at byte 9 of the body");
    expect_slice(r->result.rejects[1].original, "{\"event_id\":\"e7\",\"event_type\":\"t\" }");
    expect_slice(r->result.rejects[1].event_id, "e7");
    assert_int_equal(r->result.rejects[1].index, 1);
    run(r, SLICE(GOOD "\n  {\"a\":\"b \n"));
    expect_slice(r->result.rejects[0].original, "{\"a\":\"b");
    finish(r);
}

static void test_bodies_that_cannot_be_read_say_where(void **state)
{
    (void)state;
    expect_bad_body(SLICE(""), "empty");
    expect_bad_body(SLICE(" \n "), "empty");
    expect_bad_body(SLICE("x"), "at byte 0");
    expect_bad_body(SLICE("\xef\xbb\xbf 1"), "at byte 4");
    expect_bad_body(SLICE("\0"), "at byte 0");
    expect_bad_body(SLICE("\x1f\x8b\x08"), "at byte 0");
    expect_bad_body(SLICE("a=b&c=d"), "at byte 0");
    expect_bad_body(SLICE("{\"a\":NaN}"), "at byte 5");
    expect_bad_body(SLICE("{\"a\":1"), "too early, at byte 6");
    expect_bad_body(SLICE("{\n\"a\":1,\n}"), "expected a key in quotes, at byte 9");
    expect_bad_body(SLICE("[" GOOD), "too early");
    expect_bad_body(SLICE("[" GOOD ",{\"a\":[}"), "byte");
    expect_bad_body(SLICE("[" GOOD "]]"), "follows behind");
    expect_bad_body(SLICE("[" GOOD "}"), "byte");
    expect_bad_body(SLICE(GOOD GOOD), "follows behind");
    expect_bad_body(SLICE("{\"batch\":[" GOOD "]"), "too early");
    expect_bad_body(SLICE("{\"batch\":[" GOOD "],\"x\":y}"), "expected a value");
    expect_bad_body(SLICE("{\"batch\":[" GOOD "]}x"), "follows behind");
    expect_bad_body(SLICE("{\"a\":\"b\"x,\"batch\":[" GOOD "]}"), "expected ','");
    expect_bad_body(SLICE("{\"batch\":[" GOOD "],\"context\":{\"ip\":\"1\",\"ip\":\"2\"}}"), "twice");
}

static void test_garbage_of_every_size_is_survived(void **state)
{
    (void)state;
    size_t n = 10u << 20;
    char *text = malloc(n);
    struct request *r = begin(EVENT_ENDPOINT_TRACK);
    memset(text, '[', n);
    run(r, slice_of(text, 20000));
    assert_int_equal(r->status, ERR_INVALID);
    memset(text + 10000, ']', 10000);
    run(r, slice_of(text, 20000));
    one_reject(r, EVENT_CODE_BAD_JSON, "");
    memcpy(text, "[{\"a\":", 6);
    memset(text + 20000, '}', 1);
    memset(text + 6, '[', 9994);
    memset(text + 10000, ']', 9994);
    memcpy(text + 19994, "}," GOOD "]", 3 + sizeof GOOD);
    run(r, slice_of(text, 19994 + 2 + sizeof GOOD));
    assert_int_equal(r->status, OK);
    assert_int_equal(r->result.event_count, 1);
    assert_int_equal(r->result.rejects[0].code, EVENT_CODE_TOO_DEEP);
    memset(text, 'x', n);
    memcpy(text, "[{\"event_type\":\"", 16);
    memcpy(text + n - 3 - sizeof GOOD, "\"}," GOOD "]", 4 + sizeof GOOD - 1);
    run(r, slice_of(text, n));
    assert_int_equal(r->status, OK);
    assert_int_equal(r->result.event_count, 1);
    assert_int_equal(r->result.rejects[0].code, EVENT_CODE_EVENT_TOO_LARGE);
    assert_int_equal(r->result.rejects[0].original.n, n - 1 - sizeof GOOD - 1);
    finish(r);
    free(text);
}

static void test_limits_on_fields_and_values(void **state)
{
    (void)state;
    struct request *r = begin(EVENT_ENDPOINT_TRACK);
    r->options = (struct event_parse_options){ .keys_max = 3, .values_max = 8, .event_bytes_max = 100, .depth_max = 3 };
    run(r, SLICE("[{\"a\":1,\"b\":2,\"c\":3,\"d\":4}," GOOD "]"));
    assert_int_equal(r->result.rejects[0].code, EVENT_CODE_TOO_MANY_FIELDS);
    run(r, SLICE("[{\"a\":[1,2,3,4,5,6,7]}," GOOD "]"));
    assert_int_equal(r->result.rejects[0].code, EVENT_CODE_TOO_MANY_FIELDS);
    assert_int_equal(r->result.event_count, 1);
    run(r, SLICE("{\"a\":[[[]]]}"));
    one_reject(r, EVENT_CODE_TOO_DEEP, "");
    run(r, SLICE("{\"event_type\":\"t\",\"visitor_id\":\"v\",\"a\":\"01234567890123456789012345678901234567890123456789"
                 "0123456789\"}"));
    one_reject(r, EVENT_CODE_EVENT_TOO_LARGE, "");
    finish(r);
}

static void test_too_many_events_become_one_reject_with_all_their_bytes(void **state)
{
    (void)state;
    struct request *r = begin(EVENT_ENDPOINT_TRACK);
    r->options.events_max = 2;
    run(r, SLICE("[" GOOD "," GOOD "]"));
    assert_int_equal(r->result.event_count, 2);
    assert_int_equal(r->result.reject_count, 0);
    run(r, SLICE("[" GOOD "," GOOD ", 1 ,{\"a\":[2,3]} ]"));
    assert_int_equal(r->result.event_count, 2);
    assert_int_equal(r->result.reject_count, 1);
    assert_int_equal(r->result.rejects[0].code, EVENT_CODE_TOO_MANY_EVENTS);
    assert_int_equal(r->result.rejects[0].count, 2);
    assert_int_equal(r->result.rejects[0].index, 2);
    assert_int_equal(r->result.rejected_events, 2);
    expect_slice(r->result.rejects[0].original, "1 ,{\"a\":[2,3]}");
    run(r, SLICE(GOOD "\n" GOOD "\n\n" GOOD "\n \nx\n"));
    assert_int_equal(r->result.rejects[0].count, 2);
    expect_slice(r->result.rejects[0].original, GOOD "\n \nx");
    finish(r);
}

static const struct event_tenant *find_demo(void *self, struct slice customer_id)
{
    static const struct event_tenant DEMO = { { "demo_tenant", 11 }, { "", 0 }, INT64_MIN };
    (*(int *)self)++;
    return slice_equal(customer_id, DEMO.customer_id) ? &DEMO : NULL;
}

static void test_without_a_key_each_event_names_an_open_tenant(void **state)
{
    (void)state;
    int asked = 0;
    struct request *r = begin(EVENT_ENDPOINT_TRACK);
    r->request.tenant = NULL;
    r->request.find_open_tenant = find_demo;
    r->request.find_self = &asked;
    run(r, SLICE("[{\"customer_id\":\"demo_tenant\",\"event_type\":\"t\",\"visitor_id\":\"v\"},"
                 "{\"customer_id\":\"demo_tenant\",\"event_type\":\"t\",\"visitor_id\":\"v\"}," GOOD
                 ",{\"customer_id\":\"acme\",\"event_type\":\"t\",\"visitor_id\":\"v\"}]"));
    assert_int_equal(r->result.event_count, 2);
    expect_slice(r->result.events[1].customer_id, "demo_tenant");
    assert_int_equal(r->result.rejects[0].code, EVENT_CODE_MISSING_FIELD);
    assert_int_equal(r->result.rejects[1].code, EVENT_CODE_UNAUTHORIZED);
    expect_slice(r->result.rejects[1].customer_id, "");
    assert_int_equal(asked, 2);
    finish(r);
}

static void test_addresses_are_stored_hashed_only(void **state)
{
    (void)state;
    static const uint8_t TODAY[EVENT_IP_SALT_BYTES] = "today", TOMORROW[EVENT_IP_SALT_BYTES] = "tomorrow";
    struct request *r = begin(EVENT_ENDPOINT_TRACK);
    r->request.ip_salt = TODAY;
    r->request.remote_address = SLICE("203.0.113.7");
    run(r, SLICE("[" GOOD "," GOOD ",{\"event_type\":\"t\",\"visitor_id\":\"v\",\"ip\":\"203.0.113.7\"},"
                 "{\"event_type\":\"t\",\"visitor_id\":\"v\",\"context\":{\"a\":1, \"ip\" : \"203.0.113.7\" ,\"b\":2}},"
                 "{\"event_type\":\"t\",\"visitor_id\":\"v\",\"context\":{\"ip\":null,\"b\":2}},"
                 "{\"event_type\":\"t\",\"visitor_id\":\"v\",\"context\":{\"b\":2}},"
                 "{\"event_type\":\"t\",\"visitor_id\":\"v\",\"context\":{\"ip\":\"203.0.113.8\"}}]"));
    assert_int_equal(r->result.event_count, 7);
    const struct event *events = r->result.events;
    char hash[24] = { 0 };
    memcpy(hash, events[0].context.p + 6, 20);
    assert_memory_equal(hash, "\"h_", 3);
    char expected[128];
    snprintf(expected, sizeof expected, "{\"ip\":%s}", hash);
    expect_slice(events[0].context, expected);
    assert_ptr_equal(events[0].context.p, events[1].context.p);
    expect_slice(events[2].context, expected);
    snprintf(expected, sizeof expected, "{\"a\":1, \"ip\" : %s ,\"b\":2}", hash);
    expect_slice(events[3].context, expected);
    snprintf(expected, sizeof expected, "{\"ip\":%s,\"b\":2}", hash);
    expect_slice(events[4].context, expected);
    snprintf(expected, sizeof expected, "{\"b\":2,\"ip\":%s}", hash);
    expect_slice(events[5].context, expected);
    assert_int_equal(events[6].context.n, 27);
    assert_memory_not_equal(events[6].context.p + 6, hash, 20);

    r->request.ip_salt = TOMORROW;
    run(r, SLICE(GOOD));
    assert_memory_not_equal(one_event(r)->context.p + 6, hash, 20);
    r->request.ip_salt = TODAY;
    run(r, SLICE(GOOD));
    assert_memory_equal(one_event(r)->context.p + 6, hash, 20);
    r->request.ip_salt = NULL;
    run(r, SLICE("{\"event_type\":\"t\",\"visitor_id\":\"v\",\"context\":{\"ip\":\"203.0.113.8\"}}"));
    expect_slice(one_event(r)->context, "{\"ip\":null}");
    finish(r);
}

static void expect_time(const char *fields, int64_t timestamp_ms, uint8_t flags, const char *context)
{
    char body[512];
    int n = snprintf(body, sizeof body, "{\"event_type\":\"t\",\"visitor_id\":\"v\",\"event_id\":\"e\",%s}", fields);
    struct request *r = begin(EVENT_ENDPOINT_TRACK);
    run(r, slice_of(body, (size_t)n));
    const struct event *event = one_event(r);
    if (event->timestamp_ms != timestamp_ms)
        fail_msg("%s: %ld instead of %ld", fields, (long)event->timestamp_ms, (long)timestamp_ms);
    assert_int_equal(event->flags, flags);
    expect_slice(event->context, context);
    finish(r);
}

static void test_a_wrong_client_clock_is_corrected(void **state)
{
    (void)state;
    expect_time("\"timestamp\":null", NOW, 0, "{}");
    expect_time("\"timestamp\":\"" NOW_TEXT "\"", NOW, 0, "{}");
    expect_time("\"timestamp\":\"1737455400000\"", NOW, 0, "{}");
    /* An hour ahead: what happened 10 s before it was sent happened 10 s ago. */
    expect_time("\"timestamp\":\"2025-01-21T11:29:50Z\",\"sentAt\":\"2025-01-21T11:30:00Z\"", NOW - 10000,
                EVENT_CLOCK_CORRECTED,
                "{\"extra\":{\"timestamp\":\"2025-01-21T11:29:50Z\",\"sentAt\":\"2025-01-21T11:30:00Z\"}}");
    /* Years behind. */
    expect_time("\"originalTimestamp\":\"1970-01-01T00:00:00Z\",\"sent_at\":\"1970-01-01T00:00:01Z\"", NOW - 1000,
                EVENT_CLOCK_CORRECTED,
                "{\"extra\":{\"originalTimestamp\":\"1970-01-01T00:00:00Z\",\"sent_at\":\"1970-01-01T00:00:01Z\"}}");
    /* A few seconds are the network's. */
    expect_time("\"timestamp\":\"2025-01-21T10:29:00Z\",\"sentAt\":\"2025-01-21T10:29:55.001Z\"", NOW - 60000, 0, "{}");
    expect_time("\"timestamp\":\"2025-01-21T10:29:00Z\",\"sentAt\":\"2025-01-21T10:29:55Z\"", NOW - 55000,
                EVENT_CLOCK_CORRECTED,
                "{\"extra\":{\"timestamp\":\"2025-01-21T10:29:00Z\",\"sentAt\":\"2025-01-21T10:29:55Z\"}}");
    /* What cannot be read corrects nothing and is kept. */
    expect_time("\"timestamp\":\"2025-01-21T10:29:00Z\",\"sentAt\":\"soon\"", NOW - 60000, 0,
                "{\"extra\":{\"sentAt\":\"soon\"}}");
    /* A time of ours in the future cannot be. */
    expect_time("\"received_at\":\"2025-01-21T10:30:00.001Z\"", NOW, 0,
                "{\"extra\":{\"received_at\":\"2025-01-21T10:30:00.001Z\"}}");
    expect_time("\"timestamp\":\"2025-01-22T10:30:00Z\"", NOW + 86400000, 0, "{}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sample_event_of_the_requirements),
        cmocka_unit_test(test_full_record_keeps_every_field),
        cmocka_unit_test(test_unknown_fields_are_kept_and_keys_are_not),
        cmocka_unit_test(test_verdict_for_each_kind_of_bad_event),
        cmocka_unit_test(test_lengths_of_ids_are_bounded_exactly),
        cmocka_unit_test(test_history_beyond_the_retention_is_refused),
        cmocka_unit_test(test_numbers_in_properties_are_kept_to_the_digit),
        cmocka_unit_test(test_bad_elements_of_an_array_cost_themselves_only),
        cmocka_unit_test(test_bad_lines_cost_themselves_only),
        cmocka_unit_test(test_rejected_bytes_are_the_ones_that_came),
        cmocka_unit_test(test_bodies_that_cannot_be_read_say_where),
        cmocka_unit_test(test_garbage_of_every_size_is_survived),
        cmocka_unit_test(test_limits_on_fields_and_values),
        cmocka_unit_test(test_too_many_events_become_one_reject_with_all_their_bytes),
        cmocka_unit_test(test_without_a_key_each_event_names_an_open_tenant),
        cmocka_unit_test(test_addresses_are_stored_hashed_only),
        cmocka_unit_test(test_a_wrong_client_clock_is_corrected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
