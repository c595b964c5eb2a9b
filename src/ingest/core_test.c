/* The core with a journal in memory and a directory of four tenants, without a socket: answers are collected by
 * exchange number. The journal's role is stepped by hand, so a test decides when something becomes durable. */
#include "ingest/core.h"

#include <libdeflate.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/metrics.h"
#include "base/role.h"
#include "base/test.h"
#include "catalog/directory.h"
#include "event/dead_letter.h"
#include "event/event.h"
#include "ingest/quota.h"
#include "ingest/salt.h"
#include "journal/journal.h"
#include "world/world.h"

#define EXCHANGES_MAX 600
#define PARTITIONS 4
static const int64_t T0_US = INT64_C(1795500000) * 1000000; /* November 2026 */

struct answer {
    unsigned times, status;
    char headers[512];
    char *body;
    uint64_t order;
};

struct fixture {
    struct world world; /* first: the clock functions get it */
    int64_t now_us;
    struct catalog catalog;
    struct catalog_backend backend;
    uint64_t version;
    bool with_late_tenant, directory_fails;
    struct journal *journal;
    struct journal_reader *reader;
    struct role journal_role;
    struct metrics *metrics;
    struct quota_table *quotas;
    struct salt *salt;
    struct core *core;
    struct answer answers[EXCHANGES_MAX];
    size_t exchange_count;
    uint64_t answer_count;
    unsigned wakes, warnings;
    char *bodies[EXCHANGES_MAX];
};

static struct fixture *at(void *exchange_or_state)
{
    return exchange_or_state;
}

/* ---- the world, the catalog */

static int64_t fixture_now(struct world *world)
{
    return ((struct fixture *)(void *)world)->now_us;
}

static struct fixture *of_catalog(struct catalog *catalog)
{
    return (struct fixture *)(void *)((char *)catalog - offsetof(struct fixture, catalog));
}

static uint64_t fixture_version(struct catalog *catalog)
{
    return of_catalog(catalog)->version;
}

static void add_tenant(struct directory *directory, const char *id, uint64_t quota, int32_t retention, bool open)
{
    struct tenant tenant = { .quota_per_minute = quota, .retention_days = retention, .open = open };
    unsigned char hash[KEY_HASH_BYTES];
    char key[64];
    snprintf(tenant.id, sizeof tenant.id, "%s", id);
    directory_add_tenant(directory, &tenant);
    snprintf(key, sizeof key, "%s_write", id);
    key_hash(slice_from(key), hash);
    directory_add_key(directory, KEY_WRITE, hash, KEY_NO_END, slice_from(id));
    snprintf(key, sizeof key, "%s_read", id);
    key_hash(slice_from(key), hash);
    directory_add_key(directory, KEY_READ, hash, KEY_NO_END, slice_from(id));
}

static enum status fixture_directory(struct catalog *catalog, struct directory **out, struct error *err)
{
    struct fixture *fixture = of_catalog(catalog);
    if (fixture->directory_fails)
        return error_set(err, ERR_IO, "the catalog is away");
    struct directory *directory = directory_new(8, 16);
    assert_non_null(directory);
    add_tenant(directory, "acme", UINT64_MAX, 30, false);
    add_tenant(directory, "small", 100, -1, false);
    add_tenant(directory, "default_quota", 0, -1, false);
    add_tenant(directory, "demo_tenant", UINT64_MAX, -1, true);
    if (fixture->with_late_tenant)
        add_tenant(directory, "late", 0, -1, false);
    *out = directory;
    return OK;
}

/* ---- the host */

static void fixture_answer(void *self, void *exchange, const struct http_answer *answer)
{
    struct fixture *fixture = self;
    struct answer *kept = exchange;
    kept->times++;
    kept->status = answer->status;
    kept->order = ++fixture->answer_count;
    snprintf(kept->headers, sizeof kept->headers, "%.*s", SLICE_ARG(answer->extra_headers));
    free(kept->body);
    kept->body = strndup(answer->body.p ? answer->body.p : "", answer->body.n);
}

static void fixture_wake(void *self)
{
    at(self)->wakes++;
}

static void fixture_warning(void *self, const char *tenant_id, uint32_t used_percent, uint64_t per_minute)
{
    assert_true(used_percent >= 80);
    assert_int_equal(per_minute, strcmp(tenant_id, "small") == 0 ? 100 : 10000);
    at(self)->warnings++;
}

static const char *not_ready_reason;
static const char *fixture_not_ready(void *self)
{
    (void)self;
    return not_ready_reason;
}

static void start_core(struct fixture *fixture, uint32_t commits_in_flight_max)
{
    struct ingest_options options;
    struct error err = { 0 };
    ingest_options_init(&options);
    options.commits_in_flight_max = commits_in_flight_max;
    options.verdicts_max = 3;
    options.in_flight_bytes_max = 4u << 20;
    options.quota_warning = fixture_warning;
    options.not_ready = fixture_not_ready;
    options.hook_self = fixture;
    struct core_shared shared = { .journal = fixture->journal,
                                  .catalog = &fixture->catalog,
                                  .metrics = fixture->metrics,
                                  .quotas = fixture->quotas,
                                  .salt = fixture->salt,
                                  .world = &fixture->world };
    struct core_host host = { .answer = fixture_answer, .self = fixture, .finished = { fixture_wake, fixture } };
    if (core_new(&options, &shared, &host, &fixture->core, &err) != OK)
        fail_msg("%s", err.text);
}

static void open_journal(struct fixture *fixture, uint64_t total_bytes_max)
{
    struct journal_options options = { .partitions = PARTITIONS,
                                       .segment_bytes = 1u << 20,
                                       .total_bytes_max = total_bytes_max,
                                       .queue_bytes_max = 64u << 20 };
    struct role roles[2];
    struct journal_read_options read = { .topics = TOPIC_BIT(TOPIC_EVENTS) | TOPIC_BIT(TOPIC_DEAD_LETTERS),
                                         .partition = JOURNAL_ALL_PARTITIONS };
    assert_int_equal(journal_memory.open(&options, &fixture->world, fixture->metrics, &fixture->journal, NULL), OK);
    assert_int_equal(journal_memory.roles(fixture->journal, roles), 1);
    fixture->journal_role = roles[0];
    assert_int_equal(journal_memory.reader_open(fixture->journal, &read, &fixture->reader, NULL), OK);
}

static struct fixture *fixture_new(uint64_t total_bytes_max, uint32_t commits_in_flight_max)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    fixture->world = *world_real();
    fixture->world.wall_us = fixture->world.mono_us = fixture_now;
    fixture->now_us = T0_US;
    fixture->backend = (struct catalog_backend){ .version = fixture_version, .directory = fixture_directory };
    fixture->catalog.backend = &fixture->backend;
    fixture->metrics = metrics_new(10000);
    fixture->quotas = quota_table_new();
    assert_int_equal(salt_open(&fixture->world, NULL, &fixture->salt, NULL), OK);
    not_ready_reason = NULL;
    open_journal(fixture, total_bytes_max);
    start_core(fixture, commits_in_flight_max);
    return fixture;
}

static int setup(void **state)
{
    *state = fixture_new(0, 32);
    return 0;
}

static void mark_done(struct journal_commit *commit, enum status status, const char *reason)
{
    (void)reason;
    *(enum status *)commit->context = status;
}

/* Room for a few events only, and a reader that has read nothing: so nothing may be deleted. */
static int setup_tiny_journal(void **state)
{
    struct fixture *fixture = *state = fixture_new(4096, 32);
    struct journal_mark mark = { .group = "reader", .partition = JOURNAL_ALL_PARTITIONS, .position = JOURNAL_BEGIN };
    enum status kept = ERR_CLOSED;
    struct journal_commit commit = { .marks = &mark, .mark_count = 1, .done = mark_done, .context = &kept };
    int64_t wake_us = WAKE_NEVER;
    assert_int_equal(journal_submit(fixture->journal, &commit, NULL), OK);
    fixture->journal_role.step(fixture->journal_role.self, &fixture->world, &wake_us);
    return kept == OK ? 0 : -1;
}

static int setup_one_commit(void **state)
{
    *state = fixture_new(0, 1);
    return 0;
}

static void make_durable(struct fixture *fixture)
{
    int64_t wake_us = WAKE_NEVER;
    while (fixture->journal_role.step(fixture->journal_role.self, &fixture->world, &wake_us))
        ;
}

/* All that is under way gets its answer. */
static void settle(struct fixture *fixture)
{
    bool more = true;
    while (more || !core_is_idle(fixture->core)) {
        more = core_turn(fixture->core);
        make_durable(fixture);
        core_finish(fixture->core);
    }
    core_settle(fixture->core);
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    settle(fixture);
    core_free(fixture->core);
    journal_memory.reader_close(fixture->reader);
    journal_memory.close(fixture->journal);
    metrics_free(fixture->metrics);
    quota_table_free(fixture->quotas);
    salt_close(fixture->salt);
    for (size_t i = 0; i < EXCHANGES_MAX; i++) {
        free(fixture->answers[i].body);
        free(fixture->bodies[i]);
    }
    free(fixture);
    return 0;
}

/* ---- requests */

struct sent {
    struct answer *answer;
    struct ticket *ticket; /* NULL: answered at once */
};

static struct sent send_request(struct fixture *fixture, struct ingest_request request)
{
    size_t i = fixture->exchange_count++;
    assert_true(i < EXCHANGES_MAX);
    /* A body of its own size with padding, so that reading too far shows. */
    char *body = fixture->bodies[i] = calloc(1, request.body.n + EVENT_BODY_PADDING);
    assert_non_null(body);
    if (request.body.n)
        memcpy(body, request.body.p, request.body.n);
    request.body.p = body;
    if (request.method == HTTP_METHOD_OTHER)
        request.method = HTTP_METHOD_POST;
    struct sent sent = { &fixture->answers[i], NULL };
    sent.ticket = core_receive(fixture->core, &request, sent.answer);
    assert_int_equal(sent.answer->times, sent.ticket ? 0 : 1);
    return sent;
}

static struct ingest_request post(const char *path, const char *key, struct slice body)
{
    return (struct ingest_request){ .method = HTTP_METHOD_POST,
                                    .path = slice_from(path),
                                    .write_key = slice_from(key),
                                    .remote_address = SLICE("192.0.2.7"),
                                    .body = body };
}

static struct answer *post_and_settle(struct fixture *fixture, const char *path, const char *key, struct slice body)
{
    struct sent sent = send_request(fixture, post(path, key, body));
    settle(fixture);
    assert_int_equal(sent.answer->times, 1);
    return sent.answer;
}

static struct answer *get(struct fixture *fixture, const char *path)
{
    return send_request(fixture, (struct ingest_request){ .method = HTTP_METHOD_GET,
                                                          .path = slice_from(path),
                                                          .host = SLICE("in.example.com:8000") })
        .answer;
}

#define EVENT "{\"visitor_id\":\"v1\",\"event_type\":\"page_view\",\"event_name\":\"Home\"}"
#define DEMO_EVENT                                                                                                     \
    "{\"customer_id\":\"demo_tenant\",\"visitor_id\":\"test_123\",\"session_id\":\"session_456\","                     \
    "\"event_type\":\"page_view\",\"event_name\":\"Homepage "                                                          \
    "View\",\"properties\":{\"page\":\"/\",\"title\":\"Home\"}}"

static struct slice array_of(size_t n)
{
    struct buf buf;
    buf_init(&buf, 64u << 20);
    buf_add_char(&buf, '[');
    for (size_t i = 0; i < n; i++)
        buf_add_format(&buf, "%s{\"visitor_id\":\"v%zu\",\"event_type\":\"t\",\"event_name\":\"n\"}", i ? "," : "", i);
    buf_add_char(&buf, ']');
    assert_false(buf.full);
    return buf_slice(&buf);
}

static struct answer *post_many(struct fixture *fixture, const char *key, size_t n)
{
    struct slice body = array_of(n);
    struct answer *answer = post_and_settle(fixture, "/track", key, body);
    free((char *)body.p);
    return answer;
}

static void expect(const struct answer *answer, unsigned status, const char *text)
{
    assert_int_equal(answer->times, 1);
    if (answer->status != status || (text && !strstr(answer->body, text)))
        fail_msg("got %u %s, not %u with %s", answer->status, answer->body, status, text ? text : "anything");
}

/* ---- what the journal holds */

struct found {
    size_t events, letters;
    char customer[64], type[64], reason[64], stage[64], original[256];
    int64_t ingested_us, received_ms;
};

static struct found read_journal(struct fixture *fixture)
{
    struct found found = { 0 };
    struct journal_batch batch;
    do {
        assert_int_equal(journal_read(fixture->reader, 1u << 20, &batch, NULL), OK);
        for (size_t i = 0; i < batch.chunk_count; i++) {
            struct slice rest = batch.chunks[i].bytes, record;
            while (journal_next_record(&rest, &record)) {
                struct event event;
                struct dead_letter letter;
                if (batch.chunks[i].topic == TOPIC_EVENTS) {
                    assert_int_equal(event_decode(record, &event, NULL), OK);
                    assert_int_equal(event_partition(event.customer_id, event.visitor_id, PARTITIONS),
                                     batch.chunks[i].partition);
                    snprintf(found.customer, sizeof found.customer, "%.*s", SLICE_ARG(event.customer_id));
                    snprintf(found.type, sizeof found.type, "%.*s", SLICE_ARG(event.event_type));
                    found.ingested_us = event.ingested_us;
                    found.received_ms = event.received_ms;
                    found.events++;
                } else {
                    assert_int_equal(dead_letter_decode(record, &letter, NULL), OK);
                    snprintf(found.customer, sizeof found.customer, "%.*s", SLICE_ARG(letter.customer_id));
                    snprintf(found.reason, sizeof found.reason, "%.*s", SLICE_ARG(letter.reason));
                    snprintf(found.stage, sizeof found.stage, "%.*s", SLICE_ARG(letter.stage));
                    snprintf(found.original, sizeof found.original, "%.*s", SLICE_ARG(letter.original));
                    found.letters++;
                }
            }
            assert_int_equal(rest.n, 0);
        }
    } while (batch.chunk_count);
    return found;
}

static uint64_t counted(struct fixture *fixture, const char *name, const char *labels)
{
    return counter_value(metrics_counter(fixture->metrics, name, "", labels));
}

/* ---- tests */

static void test_an_event_is_answered_only_when_durable(void **state)
{
    struct fixture *fixture = *state;
    struct sent sent = send_request(fixture, post("/track", "acme_write", SLICE(EVENT)));
    assert_non_null(sent.ticket);
    assert_false(core_turn(fixture->core));
    core_finish(fixture->core);
    assert_int_equal(sent.answer->times, 0);
    make_durable(fixture);
    assert_int_equal(fixture->wakes, 1);
    assert_int_equal(sent.answer->times, 0);
    core_finish(fixture->core);
    expect(sent.answer, 200, "{\"accepted\":1,\"rejected\":0,\"results\":[]}");
    struct found found = read_journal(fixture);
    assert_int_equal(found.events, 1);
    assert_string_equal(found.customer, "acme");
    assert_string_equal(found.type, "page_view");
    assert_int_equal(found.ingested_us, T0_US);
    assert_int_equal(found.received_ms, T0_US / 1000);
    assert_int_equal(counted(fixture, "events_received_total", "customer_id=\"acme\",event_type=\"page_view\""), 1);
}

static void test_all_requests_of_a_turn_are_one_commit(void **state)
{
    struct fixture *fixture = *state;
    struct sent sent[50];
    for (size_t i = 0; i < COUNT_OF(sent); i++)
        sent[i] = send_request(fixture, post("/track", "acme_write", SLICE(EVENT)));
    settle(fixture);
    for (size_t i = 0; i < COUNT_OF(sent); i++) {
        expect(sent[i].answer, 200, "\"accepted\":1");
        assert_int_equal(sent[i].answer->order, i + 1);
    }
    assert_int_equal(counted(fixture, "ingest_commits_total", ""), 1);
    assert_int_equal(counted(fixture, "ingest_commit_events_total", ""), 50);
    assert_int_equal(read_journal(fixture).events, 50);
}

static void test_every_route_takes_events(void **state)
{
    struct fixture *fixture = *state;
    static const char *const PATHS[] = {
        "/track", "/v1/track", "/v1/page", "/v1/screen", "/v1/identify", "/v1/group", "/v1/t/",
        "/v1/p",  "/v1/s",     "/v1/i",    "/v1/g",      "/v1/beacon",   "/e",
    };
    struct slice body = SLICE("{\"userId\":\"u1\",\"anonymousId\":\"a1\",\"event\":\"Bought\",\"event_type\":\"x\","
                              "\"event_name\":\"y\",\"groupId\":\"g\",\"name\":\"n\"}");
    for (size_t i = 0; i < COUNT_OF(PATHS); i++)
        expect(post_and_settle(fixture, PATHS[i], "acme_write", body), 200, "\"accepted\":1");
    struct slice alias = SLICE("{\"userId\":\"u1\",\"previousId\":\"a1\"}");
    expect(post_and_settle(fixture, "/v1/alias", "acme_write", alias), 200, "\"accepted\":1");
    expect(post_and_settle(fixture, "/v1/a", "acme_write", alias), 200, "\"accepted\":1");
    struct slice batch = SLICE("{\"batch\":[{\"type\":\"track\",\"userId\":\"u\",\"event\":\"e\"},"
                               "{\"type\":\"page\",\"userId\":\"u\",\"name\":\"n\"}]}");
    expect(post_and_settle(fixture, "/v1/batch", "acme_write", batch), 200, "\"accepted\":2");
    expect(post_and_settle(fixture, "/v1/b", "acme_write", batch), 200, "\"accepted\":2");
    expect(post_and_settle(fixture, "/v1/import/", "acme_write", batch), 200, "\"accepted\":2");
    expect(post_and_settle(fixture, "/track", "acme_write", SLICE("[" EVENT "," EVENT "]")), 200, "\"accepted\":2");
    expect(post_and_settle(fixture, "/track", "acme_write", SLICE(EVENT "\n" EVENT "\n")), 200, "\"accepted\":2");
    assert_int_equal(read_journal(fixture).events, COUNT_OF(PATHS) + 2 + 6 + 4);
}

static void test_a_bad_event_does_not_spoil_its_neighbours(void **state)
{
    struct fixture *fixture = *state;
    struct answer *answer =
        post_and_settle(fixture, "/track", "acme_write", SLICE("[" EVENT ",{\"nonsense\":\"x\"}," EVENT "]"));
    expect(answer, 200, "{\"accepted\":2,\"rejected\":1,\"results\":[{\"index\":1,\"code\":\"missing_field\"");
    struct found found = read_journal(fixture);
    assert_int_equal(found.events, 2);
    assert_int_equal(found.letters, 1);
    assert_string_equal(found.customer, "acme");
    assert_string_equal(found.reason, "missing_field");
    assert_string_equal(found.stage, "ingest");
    assert_string_equal(found.original, "{\"nonsense\":\"x\"}");
    assert_int_equal(counted(fixture, "events_dropped_total", "customer_id=\"acme\",reason=\"invalid\""), 1);
    assert_int_equal(counted(fixture, "ingest_dead_letters_total", "customer_id=\"acme\",reason=\"missing_field\""), 1);
}

static void test_verdicts_are_bounded(void **state)
{
    struct fixture *fixture = *state;
    struct answer *answer = post_and_settle(fixture, "/track", "acme_write", SLICE("[1,2,3,4,5," EVENT "]"));
    expect(answer, 200, "{\"accepted\":1,\"rejected\":5,\"results\":[");
    expect(answer, 200, "\"results_left_out\":2}");
    assert_null(strstr(answer->body, "\"index\":3"));
    assert_int_equal(read_journal(fixture).letters, 5);
}

static void test_an_empty_array_is_accepted(void **state)
{
    struct fixture *fixture = *state;
    struct sent sent = send_request(fixture, post("/track", "acme_write", SLICE("[]")));
    expect(sent.answer, 200, "{\"accepted\":0,\"rejected\":0,\"results\":[]}");
}

static void test_keys_from_every_place(void **state)
{
    struct fixture *fixture = *state;
    struct ingest_request request =
        post("/v1/track", NULL, SLICE("{\"type\":\"track\",\"event\":\"e\",\"userId\":\"u\"}"));
    request.authorization = SLICE("Basic YWNtZV93cml0ZTo="); /* acme_write: */
    struct sent basic = send_request(fixture, request);
    request.authorization = SLICE("Bearer acme_write");
    struct sent bearer = send_request(fixture, request);
    request.authorization = (struct slice){ 0 };
    request.path = SLICE("/v1/beacon");
    request.query = SLICE("key=acme_write");
    struct sent beacon = send_request(fixture, request);
    struct sent in_body = send_request(
        fixture,
        post("/v1/batch", NULL,
             SLICE("{\"batch\":[{\"type\":\"track\",\"event\":\"e\",\"userId\":\"u\"}],\"writeKey\":\"acme_write\"}")));
    settle(fixture);
    expect(basic.answer, 200, "\"accepted\":1");
    expect(bearer.answer, 200, "\"accepted\":1");
    expect(beacon.answer, 200, "\"accepted\":1");
    expect(in_body.answer, 200, "\"accepted\":1");
    struct found found = read_journal(fixture);
    assert_int_equal(found.events, 4);
    assert_string_equal(found.customer, "acme");
}

/* A page's plain-text POST needs no preflight: all that it says is in the body. */
static void test_a_browsers_batch_needs_no_header(void **state)
{
    struct fixture *fixture = *state;
    struct ingest_request request =
        post("/e", NULL,
             SLICE("{\"writeKey\":\"acme_write\",\"sentAt\":\"2026-01-21T10:30:00.000Z\",\"batch\":[" EVENT "]}"));
    request.content_type = SLICE("text/plain;charset=UTF-8");
    request.origin = SLICE("https://shop.example");
    struct sent sent = send_request(fixture, request);
    settle(fixture);
    expect(sent.answer, 200, "\"accepted\":1");
    assert_string_equal(read_journal(fixture).customer, "acme");
}

static void test_wrong_keys_are_401_with_the_reason(void **state)
{
    struct fixture *fixture = *state;
    expect(post_and_settle(fixture, "/track", "nobody", SLICE(EVENT)), 401, "\"code\":\"unknown_key\"");
    expect(post_and_settle(fixture, "/track", "acme_read", SLICE(EVENT)), 401, "\"code\":\"read_key\"");
    expect(post_and_settle(fixture, "/track", NULL, SLICE(EVENT)), 401, "\"code\":\"missing_key\"");
    expect(post_and_settle(fixture, "/v1/batch", NULL, SLICE("{\"batch\":[],\"writeKey\":\"nobody\"}")), 401,
           "\"code\":\"unknown_key\"");
    expect(post_and_settle(fixture, "/v1/batch", NULL, SLICE("{\"batch\":[],\"api_key\":\"acme_read\"}")), 401,
           "\"code\":\"read_key\"");
    /* Twice, since a cache is in between. */
    expect(post_and_settle(fixture, "/track", "nobody", SLICE(EVENT)), 401, "\"code\":\"unknown_key\"");
    struct found found = read_journal(fixture);
    assert_int_equal(found.events + found.letters, 0);
}

static void test_open_tenants_need_no_key(void **state)
{
    struct fixture *fixture = *state;
    expect(post_and_settle(fixture, "/track", NULL, SLICE(DEMO_EVENT)), 200, "\"accepted\":1");
    struct found found = read_journal(fixture);
    assert_string_equal(found.customer, "demo_tenant");
    /* A tenant that is not open may not be named, and nothing of it is kept. */
    expect(post_and_settle(
               fixture, "/track", NULL,
               SLICE("{\"customer_id\":\"acme\",\"visitor_id\":\"v\",\"event_type\":\"t\",\"event_name\":\"n\"}")),
           401, "missing_key");
    expect(post_and_settle(
               fixture, "/track", NULL,
               SLICE("[" DEMO_EVENT
                     ",{\"customer_id\":\"acme\",\"visitor_id\":\"v\",\"event_type\":\"t\",\"event_name\":\"n\"}]")),
           200, "\"code\":\"unauthorized\"");
    found = read_journal(fixture);
    assert_int_equal(found.events, 1);
    assert_int_equal(found.letters, 0);
}

static void test_a_new_tenant_is_known_at_once(void **state)
{
    struct fixture *fixture = *state;
    expect(post_and_settle(fixture, "/track", "late_write", SLICE(EVENT)), 401, "unknown_key");
    fixture->with_late_tenant = true;
    fixture->version++;
    expect(post_and_settle(fixture, "/track", "late_write", SLICE(EVENT)), 200, "\"accepted\":1");
    /* And its key ends with it. */
    fixture->with_late_tenant = false;
    fixture->version++;
    fixture->now_us += 200000;
    core_turn(fixture->core);
    expect(post_and_settle(fixture, "/track", "late_write", SLICE(EVENT)), 401, "unknown_key");
}

static void test_a_catalog_that_is_away_does_not_stop_known_tenants(void **state)
{
    struct fixture *fixture = *state;
    fixture->directory_fails = true;
    fixture->version++;
    fixture->now_us += 200000;
    expect(post_and_settle(fixture, "/track", "acme_write", SLICE(EVENT)), 200, "\"accepted\":1");
}

static struct slice gzip_of(struct slice in, size_t *out_capacity)
{
    struct libdeflate_compressor *compressor = libdeflate_alloc_compressor(6);
    *out_capacity = libdeflate_gzip_compress_bound(compressor, in.n);
    char *out = malloc(*out_capacity);
    assert_non_null(out);
    size_t n = libdeflate_gzip_compress(compressor, in.p, in.n, out, *out_capacity);
    libdeflate_free_compressor(compressor);
    return slice_of(out, n);
}

static void test_compressed_bodies(void **state)
{
    struct fixture *fixture = *state;
    size_t capacity;
    struct slice packed = gzip_of(SLICE("[" EVENT "," EVENT "]"), &capacity);
    struct ingest_request request = post("/track", "acme_write", packed);
    request.content_type = SLICE("application/x-www-form-urlencoded"); /* rudder's label */
    struct sent unlabelled = send_request(fixture, request);
    request.content_encoding = SLICE("gzip");
    struct sent labelled = send_request(fixture, request);
    request.body.n -= 9;
    struct sent truncated = send_request(fixture, request);
    request.body = SLICE(EVENT);
    struct sent unpacked = send_request(fixture, request); /* a proxy unpacked it and left the header */
    request.body = SLICE("\x01\x02\x03\x04");
    struct sent garbage = send_request(fixture, request);
    request.content_encoding = SLICE("br");
    struct sent unknown = send_request(fixture, request);
    settle(fixture);
    expect(unlabelled.answer, 200, "\"accepted\":2");
    expect(labelled.answer, 200, "\"accepted\":2");
    expect(truncated.answer, 400, "truncated");
    expect(unpacked.answer, 200, "\"accepted\":1");
    expect(garbage.answer, 400, "Content-Encoding says gzip");
    expect(unknown.answer, 400, "\\\"br\\\" is not known");
    free((char *)packed.p);

    char *zeros = malloc(40u << 20);
    assert_non_null(zeros);
    memset(zeros, ' ', 40u << 20);
    packed = gzip_of(slice_of(zeros, 40u << 20), &capacity);
    expect(post_and_settle(fixture, "/track", "acme_write", packed), 413, "unpacks to more than");
    free(zeros);
    free((char *)packed.p);
}

static void test_an_unreadable_body_is_400(void **state)
{
    struct fixture *fixture = *state;
    expect(post_and_settle(fixture, "/track", "acme_write", SLICE("")), 400, "unreadable_body");
    expect(post_and_settle(fixture, "/track", "acme_write", SLICE("<xml/>")), 400, "unreadable_body");
    expect(post_and_settle(fixture, "/track", "acme_write", SLICE("[" EVENT)), 400, "unreadable_body");
    struct found found = read_journal(fixture);
    assert_int_equal(found.events, 0);
}

static void test_quota_takes_whole_requests(void **state)
{
    struct fixture *fixture = *state;
    expect(post_many(fixture, "small_write", 79), 200, "\"accepted\":79");
    assert_int_equal(fixture->warnings, 0);
    expect(post_many(fixture, "small_write", 1), 200, "\"accepted\":1");
    assert_int_equal(fixture->warnings, 1);
    struct answer *refused = post_many(fixture, "small_write", 30);
    expect(refused, 429, "\"code\":\"over_quota\"");
    assert_non_null(strstr(refused->headers, "Retry-After: 6\r\n")); /* 10 of 30 are missing, at 100 a minute */
    expect(post_many(fixture, "small_write", 20), 200, "\"accepted\":20");
    expect(post_many(fixture, "acme_write", 500), 200, "\"accepted\":500");
    assert_int_equal(fixture->warnings, 1);
    fixture->now_us += 18100000;
    expect(post_many(fixture, "small_write", 30), 200, "\"accepted\":30");
    assert_int_equal(counted(fixture, "events_dropped_total", "customer_id=\"small\",reason=\"quota\""), 30);
    /* Received are all that came, also the 30 that were refused: the alert on losses is a ratio of the two. */
    assert_int_equal(counted(fixture, "events_received_total", "customer_id=\"small\",event_type=\"t\""), 160);
    assert_int_equal(counted(fixture, "events_dropped_total", "customer_id=\"acme\",reason=\"quota\""), 0);
    assert_int_equal(counted(fixture, "ingest_quota_warnings_total", "customer_id=\"small\""), 1);
    assert_int_equal(read_journal(fixture).events, 79 + 1 + 20 + 500 + 30);
}

static void test_the_default_quota_is_ten_thousand(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < 10; i++)
        expect(post_many(fixture, "default_quota_write", 1000), 200, "\"accepted\":1000");
    expect(post_many(fixture, "default_quota_write", 1), 429, "over_quota");
}

static void test_a_full_journal_is_503_and_gives_the_quota_back(void **state)
{
    struct fixture *fixture = *state;
    size_t accepted = 0;
    struct answer *answer = post_many(fixture, "small_write", 1);
    for (; answer->status == 200 && accepted < 200; accepted++) {
        fixture->now_us += 600000; /* one event's worth of quota */
        answer = post_many(fixture, "small_write", 1);
    }
    expect(answer, 503, "\"code\":\"unavailable\"");
    assert_non_null(strstr(answer->headers, "Retry-After: 1\r\n"));
    assert_int_equal(read_journal(fixture).events, accepted);
    /* 95 a time, the whole bucket nearly: only a refund lets the next one through to the journal again. */
    expect(post_many(fixture, "small_write", 95), 503, "unavailable");
    expect(post_many(fixture, "small_write", 95), 503, "unavailable");
    assert_int_equal(counted(fixture, "events_dropped_total", "customer_id=\"small\",reason=\"journal_full\""), 191);
    expect(get(fixture, "/ready"), 503, "the journal is full");
    assert_int_equal(read_journal(fixture).events, 0);
}

static void test_commits_grow_while_the_journal_is_busy(void **state)
{
    struct fixture *fixture = *state;
    struct sent first = send_request(fixture, post("/track", "acme_write", SLICE(EVENT)));
    core_turn(fixture->core);
    struct sent later[5];
    for (size_t i = 0; i < COUNT_OF(later); i++) {
        later[i] = send_request(fixture, post("/track", "acme_write", SLICE(EVENT)));
        core_turn(fixture->core);
    }
    settle(fixture);
    expect(first.answer, 200, NULL);
    for (size_t i = 0; i < COUNT_OF(later); i++)
        expect(later[i].answer, 200, "\"accepted\":1");
    assert_int_equal(counted(fixture, "ingest_commits_total", ""), 2);
}

static void test_too_much_in_flight_is_503(void **state)
{
    struct fixture *fixture = *state;
    struct slice body = array_of(10000);
    unsigned refused = 0, accepted = 0;
    struct sent sent[30];
    for (size_t i = 0; i < COUNT_OF(sent); i++) {
        sent[i] = send_request(fixture, post("/track", "acme_write", body));
        core_turn(fixture->core);
    }
    settle(fixture);
    for (size_t i = 0; i < COUNT_OF(sent); i++) {
        assert_int_equal(sent[i].answer->times, 1);
        refused += sent[i].answer->status == 503;
        accepted += sent[i].answer->status == 200;
    }
    assert_true(refused > 0 && accepted > 0);
    assert_int_equal(refused + accepted, COUNT_OF(sent));
    assert_int_equal(read_journal(fixture).events, accepted * 10000);
    free((char *)body.p);
}

static void test_a_client_that_has_gone_is_not_answered(void **state)
{
    struct fixture *fixture = *state;
    struct sent gone = send_request(fixture, post("/track", "acme_write", SLICE(EVENT)));
    struct sent other = send_request(fixture, post("/track", "acme_write", SLICE(EVENT)));
    core_gone(fixture->core, gone.ticket);
    settle(fixture);
    assert_int_equal(gone.answer->times, 0);
    expect(other.answer, 200, NULL);
    assert_int_equal(read_journal(fixture).events, 2);
}

static void test_a_tenant_with_large_requests_does_not_hold_others_up(void **state)
{
    struct fixture *fixture = *state;
    struct slice large = array_of(10000);
    struct sent whales[8];
    for (size_t i = 0; i < COUNT_OF(whales); i++)
        whales[i] = send_request(fixture, post("/track", "acme_write", large));
    struct sent minnow = send_request(fixture, post("/track", "small_write", SLICE(EVENT)));
    assert_true(core_turn(fixture->core)); /* not all of the whale's in one turn */
    make_durable(fixture);
    core_finish(fixture->core);
    expect(minnow.answer, 200, NULL);
    assert_int_equal(whales[COUNT_OF(whales) - 1].answer->times, 0);
    core_gone(fixture->core, whales[COUNT_OF(whales) - 1].ticket); /* while it waits for its turn */
    free(fixture->bodies[COUNT_OF(whales) - 1]);
    fixture->bodies[COUNT_OF(whales) - 1] = NULL;
    settle(fixture);
    for (size_t i = 0; i + 1 < COUNT_OF(whales); i++)
        expect(whales[i].answer, 200, "\"accepted\":10000");
    assert_int_equal(whales[COUNT_OF(whales) - 1].answer->times, 0);
    assert_int_equal(read_journal(fixture).events, 70001);
    free((char *)large.p);
}

static void test_the_other_routes(void **state)
{
    struct fixture *fixture = *state;
    expect(get(fixture, "/health"), 200, "ok");
    expect(get(fixture, "/ready"), 200, "ready");
    expect(get(fixture, "/metrics"), 200, "# TYPE ingest_answers_total counter");
    expect(get(fixture, "/nowhere"), 404, "\"code\":\"not_found\"");
    struct answer *wrong = get(fixture, "/track");
    expect(wrong, 405, "\"code\":\"method_not_allowed\"");
    assert_non_null(strstr(wrong->headers, "Allow: POST, OPTIONS\r\n"));
    struct answer *settings = get(fixture, "/v1/projects/acme_write/settings");
    expect(settings, 200, "\"Segment.io\":{\"apiKey\":\"acme_write\",\"apiHost\":\"in.example.com:8000/v1\"");
    assert_non_null(strstr(settings->headers, "Access-Control-Allow-Origin: *"));
    expect(get(fixture, "/v1/projects/acme_read/settings"), 404, "unknown_key");
    not_ready_reason = "the engine is starting";
    expect(get(fixture, "/ready"), 503, "the engine is starting");
    not_ready_reason = NULL;
    core_set_draining(fixture->core);
    expect(get(fixture, "/ready"), 503, "shutting down");
    expect(get(fixture, "/health"), 200, NULL);
}

static void test_browsers_get_cors_headers(void **state)
{
    struct fixture *fixture = *state;
    struct ingest_request preflight = { .method = HTTP_METHOD_OPTIONS,
                                        .path = SLICE("/v1/t"),
                                        .origin = SLICE("https://shop.example") };
    struct sent sent = send_request(fixture, preflight);
    expect(sent.answer, 204, NULL);
    assert_non_null(strstr(sent.answer->headers, "Access-Control-Allow-Headers: Authorization, Content-Type"));
    assert_non_null(strstr(sent.answer->headers, "Access-Control-Max-Age: "));
    assert_null(strstr(sent.answer->headers, "Credentials"));
    struct ingest_request request = post("/v1/t", "acme_write", SLICE("{\"event\":\"e\",\"userId\":\"u\"}"));
    request.origin = preflight.origin;
    sent = send_request(fixture, request);
    request.write_key = SLICE("nobody");
    struct sent refused = send_request(fixture, request);
    settle(fixture);
    expect(sent.answer, 200, NULL);
    assert_non_null(strstr(sent.answer->headers, "Access-Control-Allow-Origin: *\r\n"));
    expect(refused.answer, 401, NULL);
    assert_non_null(strstr(refused.answer->headers, "Access-Control-Allow-Origin: *\r\n"));
    assert_string_equal(post_and_settle(fixture, "/track", "acme_write", SLICE(EVENT))->headers, "");
}

static void test_older_than_the_retention_is_told(void **state)
{
    struct fixture *fixture = *state;
    struct slice old = SLICE("{\"visitor_id\":\"v\",\"event_type\":\"t\",\"event_name\":\"n\","
                             "\"timestamp\":\"2011-03-23T08:39:59.000Z\"}");
    expect(post_and_settle(fixture, "/track", "acme_write", old), 200, "older_than_retention");
    expect(post_and_settle(fixture, "/track", "small_write", old), 200, "\"accepted\":1");
}

static void test_event_types_in_metrics_are_bounded(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < 100; i++) {
        char body[128];
        int n =
            snprintf(body, sizeof body, "{\"visitor_id\":\"v\",\"event_type\":\"type_%zu\",\"event_name\":\"n\"}", i);
        expect(post_and_settle(fixture, "/track", "acme_write", slice_of(body, (size_t)n)), 200, "\"accepted\":1");
    }
    assert_int_equal(counted(fixture, "events_received_total", "customer_id=\"acme\",event_type=\"type_0\""), 1);
    assert_int_equal(counted(fixture, "events_received_total", "customer_id=\"acme\",event_type=\"other\""), 52);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_an_event_is_answered_only_when_durable),
        TEST(test_all_requests_of_a_turn_are_one_commit),
        TEST(test_every_route_takes_events),
        TEST(test_a_bad_event_does_not_spoil_its_neighbours),
        TEST(test_verdicts_are_bounded),
        TEST(test_an_empty_array_is_accepted),
        TEST(test_keys_from_every_place),
        TEST(test_a_browsers_batch_needs_no_header),
        TEST(test_wrong_keys_are_401_with_the_reason),
        TEST(test_open_tenants_need_no_key),
        TEST(test_a_new_tenant_is_known_at_once),
        TEST(test_a_catalog_that_is_away_does_not_stop_known_tenants),
        TEST(test_compressed_bodies),
        TEST(test_an_unreadable_body_is_400),
        TEST(test_quota_takes_whole_requests),
        TEST(test_the_default_quota_is_ten_thousand),
        cmocka_unit_test_setup_teardown(test_a_full_journal_is_503_and_gives_the_quota_back, setup_tiny_journal,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_commits_grow_while_the_journal_is_busy, setup_one_commit, teardown),
        cmocka_unit_test_setup_teardown(test_too_much_in_flight_is_503, setup_one_commit, teardown),
        TEST(test_a_client_that_has_gone_is_not_answered),
        TEST(test_a_tenant_with_large_requests_does_not_hold_others_up),
        TEST(test_the_other_routes),
        TEST(test_browsers_get_cors_headers),
        TEST(test_older_than_the_retention_is_told),
        TEST(test_event_types_in_metrics_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
