#include "test/support/core_fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "event/dead_letter.h"
#include "event/event.h"

#define PARTITIONS 4

static struct core_fixture *at(void *exchange_or_state)
{
    return exchange_or_state;
}

/* ---- the world, the catalog */

static int64_t fixture_now(struct world *world)
{
    return ((struct core_fixture *)(void *)world)->now_us;
}

static struct core_fixture *of_catalog(struct catalog *catalog)
{
    return (struct core_fixture *)(void *)((char *)catalog - offsetof(struct core_fixture, catalog));
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
    struct core_fixture *fixture = of_catalog(catalog);
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
    struct core_fixture *fixture = self;
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
    uint32_t whole = strcmp(tenant_id, "small") == 0 ? 100 : 10000, processes = at(self)->quota_processes;
    assert_int_equal(per_minute, (whole + processes - 1) / processes);
    at(self)->warnings++;
}

static const char *fixture_not_ready(void *self)
{
    return at(self)->not_ready;
}

static void start_core(struct core_fixture *fixture, uint32_t commits_in_flight_max)
{
    struct ingest_options options;
    struct error err = { 0 };
    ingest_options_init(&options);
    options.commits_in_flight_max = commits_in_flight_max;
    options.quota_processes = fixture->quota_processes;
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

static void open_journal(struct core_fixture *fixture, uint64_t total_bytes_max)
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

static struct core_fixture *core_fixture_new(uint64_t total_bytes_max, uint32_t commits_in_flight_max,
                                             uint32_t quota_processes)
{
    struct core_fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    fixture->world = *world_real();
    fixture->world.wall_us = fixture->world.mono_us = fixture_now;
    fixture->now_us = T0_US;
    fixture->backend = (struct catalog_backend){ .version = fixture_version, .directory = fixture_directory };
    fixture->catalog.backend = &fixture->backend;
    fixture->metrics = metrics_new(10000);
    fixture->quotas = quota_table_new();
    assert_int_equal(salt_open(&fixture->world, NULL, &fixture->salt, NULL), OK);
    open_journal(fixture, total_bytes_max);
    fixture->quota_processes = quota_processes;
    start_core(fixture, commits_in_flight_max);
    return fixture;
}

int core_fixture_setup(void **state)
{
    *state = core_fixture_new(0, 32, 1);
    return 0;
}

static void mark_done(struct journal_commit *commit, enum status status, const char *reason)
{
    (void)reason;
    *(enum status *)commit->context = status;
}

int core_fixture_setup_tiny_journal(void **state)
{
    struct core_fixture *fixture = *state = core_fixture_new(4096, 32, 1);
    struct journal_mark mark = { .group = "reader", .partition = JOURNAL_ALL_PARTITIONS, .position = JOURNAL_BEGIN };
    enum status kept = ERR_CLOSED;
    struct journal_commit commit = { .marks = &mark, .mark_count = 1, .done = mark_done, .context = &kept };
    int64_t wake_us = WAKE_NEVER;
    assert_int_equal(journal_submit(fixture->journal, &commit, NULL), OK);
    fixture->journal_role.step(fixture->journal_role.self, &fixture->world, &wake_us);
    return kept == OK ? 0 : -1;
}

int core_fixture_setup_one_of_three(void **state)
{
    *state = core_fixture_new(0, 32, 3);
    return 0;
}

int core_fixture_setup_one_commit(void **state)
{
    *state = core_fixture_new(0, 1, 1);
    return 0;
}

void core_fixture_make_durable(struct core_fixture *fixture)
{
    int64_t wake_us = WAKE_NEVER;
    while (fixture->journal_role.step(fixture->journal_role.self, &fixture->world, &wake_us))
        ;
}

void core_fixture_settle(struct core_fixture *fixture)
{
    bool more = true;
    while (more || !core_is_idle(fixture->core)) {
        more = core_turn(fixture->core);
        core_fixture_make_durable(fixture);
        core_finish(fixture->core);
    }
    core_settle(fixture->core);
}

int core_fixture_teardown(void **state)
{
    struct core_fixture *fixture = *state;
    core_fixture_settle(fixture);
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

struct sent_request send_request(struct core_fixture *fixture, struct ingest_request request)
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
    struct sent_request sent = { &fixture->answers[i], NULL };
    sent.ticket = core_receive(fixture->core, &request, sent.answer);
    assert_int_equal(sent.answer->times, sent.ticket ? 0 : 1);
    return sent;
}

struct ingest_request post_request(const char *path, const char *key, struct slice body)
{
    return (struct ingest_request){ .method = HTTP_METHOD_POST,
                                    .path = slice_from(path),
                                    .write_key = slice_from(key),
                                    .remote_address = SLICE("192.0.2.7"),
                                    .body = body };
}

struct answer *post_and_settle(struct core_fixture *fixture, const char *path, const char *key, struct slice body)
{
    struct sent_request sent = send_request(fixture, post_request(path, key, body));
    core_fixture_settle(fixture);
    assert_int_equal(sent.answer->times, 1);
    return sent.answer;
}

struct answer *get_path(struct core_fixture *fixture, const char *path)
{
    return send_request(fixture, (struct ingest_request){ .method = HTTP_METHOD_GET,
                                                          .path = slice_from(path),
                                                          .host = SLICE("in.example.com:8000") })
        .answer;
}

struct slice events_array(size_t n)
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

void expect_answer(const struct answer *answer, unsigned status, const char *text)
{
    assert_int_equal(answer->times, 1);
    if (answer->status != status || (text && !strstr(answer->body, text)))
        fail_msg("got %u %s, not %u with %s", answer->status, answer->body, status, text ? text : "anything");
}

/* ---- what the journal holds */

struct core_found core_fixture_read_journal(struct core_fixture *fixture)
{
    struct core_found found = { 0 };
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

uint64_t core_fixture_counted(struct core_fixture *fixture, const char *name, const char *labels)
{
    return counter_value(metrics_counter(fixture->metrics, name, "", labels));
}
