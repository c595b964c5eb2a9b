/* Any bytes as the body of any request, through the whole of ingestion but the sockets. Byte 0: the path; byte 1: how
 * it is labelled and whether a key comes in a header; the rest is the body. Each request must be answered exactly once,
 * and what the answer says was accepted and refused must be what the journal got. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/metrics.h"
#include "base/role.h"
#include "catalog/directory.h"
#include "event/dead_letter.h"
#include "event/event.h"
#include "ingest/core.h"
#include "ingest/quota.h"
#include "ingest/salt.h"
#include "journal/journal.h"
#include "world/world.h"

static struct core *core;
static struct journal *journal;
static struct journal_reader *reader;
static struct role journal_role;
static struct http_answer last;
static char last_body[64];
static unsigned answers;

static void expect(bool condition)
{
    if (!condition)
        abort();
}

static uint64_t fixed_version(struct catalog *catalog)
{
    (void)catalog;
    return 1;
}

static enum status fixed_directory(struct catalog *catalog, struct directory **out, struct error *err)
{
    (void)catalog, (void)err;
    struct tenant open = { .id = "demo_tenant", .open = true, .quota_per_minute = UINT64_MAX, .retention_days = -1 };
    struct tenant closed = { .id = "acme", .quota_per_minute = UINT64_MAX, .retention_days = -1 };
    unsigned char hash[KEY_HASH_BYTES];
    struct directory *directory = directory_new(2, 1);
    directory_add_tenant(directory, &open);
    directory_add_tenant(directory, &closed);
    key_hash(SLICE("k"), hash);
    directory_add_key(directory, KEY_WRITE, hash, KEY_NO_END, SLICE("acme"));
    *out = directory;
    return OK;
}

static void on_answer(void *self, void *exchange, const struct http_answer *answer)
{
    (void)self, (void)exchange;
    answers++;
    last = *answer;
    snprintf(last_body, sizeof last_body, "%.*s", (int)(answer->body.n < 63 ? answer->body.n : 63), answer->body.p);
}

static void begin(void)
{
    static const struct catalog_backend backend = { .version = fixed_version, .directory = fixed_directory };
    static struct catalog catalog = { &backend };
    struct world *world = world_real();
    struct journal_options journal_options = {
        .partitions = 3, .segment_bytes = 1u << 20, .retention_bytes = 8u << 20, .queue_bytes_max = 64u << 20
    };
    struct journal_read_options read = { .topics = TOPIC_BIT(TOPIC_EVENTS) | TOPIC_BIT(TOPIC_DEAD_LETTERS),
                                         .partition = JOURNAL_ALL_PARTITIONS };
    struct ingest_options options;
    struct core_shared shared = {
        .catalog = &catalog, .metrics = metrics_new(1000), .quotas = quota_table_new(), .world = world
    };
    struct core_host host = { .answer = on_answer };
    log_set_level(LOG_ERROR);
    ingest_options_init(&options);
    expect(journal_memory.open(&journal_options, world, shared.metrics, &journal, NULL) == OK);
    expect(journal_memory.roles(journal, &journal_role) == 1);
    expect(journal_memory.reader_open(journal, &read, &reader, NULL) == OK);
    expect(salt_open(world, NULL, &shared.salt, NULL) == OK);
    shared.journal = journal;
    expect(core_new(&options, &shared, &host, &core, NULL) == OK);
}

static void settle(void)
{
    int64_t wake_us = WAKE_NEVER;
    while (!core_is_idle(core)) {
        core_turn(core);
        journal_role.step(journal_role.self, world_real(), &wake_us);
        core_finish(core);
    }
}

static void read_records(size_t *out_events, size_t *out_letters)
{
    struct journal_batch batch;
    *out_events = *out_letters = 0;
    do {
        expect(journal_read(reader, 64u << 20, &batch, NULL) == OK);
        for (size_t i = 0; i < batch.chunk_count; i++) {
            struct slice rest = batch.chunks[i].bytes, record;
            while (journal_next_record(&rest, &record)) {
                struct event event;
                struct dead_letter letter;
                bool is_event = batch.chunks[i].topic == TOPIC_EVENTS;
                expect((is_event ? event_decode(record, &event, NULL) : dead_letter_decode(record, &letter, NULL)) ==
                       OK);
                expect(!is_event || (event.visitor_id.n && event.event_type.n && event.customer_id.n));
                *(is_event ? out_events : out_letters) += 1;
            }
            expect(rest.n == 0);
        }
    } while (batch.chunk_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const PATHS[] = { "/track",
                                         "/v1/batch",
                                         "/v1/track",
                                         "/v1/identify",
                                         "/v1/page",
                                         "/v1/beacon",
                                         "/v1/alias",
                                         "/v1/group",
                                         "/v1/screen",
                                         "/health",
                                         "/v1/projects/k/settings",
                                         "/batch",
                                         "/com.snowplowanalytics.snowplow/tp2" };
    static const char *const CODINGS[] = { NULL, "gzip", "deflate", "br" };
    if (size < 2)
        return 0;
    if (!core)
        begin();
    size_t n = size - 2;
    char *body = calloc(1, n + EVENT_BODY_PADDING); /* its own block, so that reading past it is seen */
    memcpy(body, data + 2, n);
    struct ingest_request request = {
        .method = data[1] & 64 ? HTTP_METHOD_GET : HTTP_METHOD_POST,
        .path = slice_from(PATHS[data[0] % COUNT_OF(PATHS)]),
        .query = data[1] & 32 ? slice_of(body, n) : (struct slice){ 0 },
        .content_encoding = slice_from(CODINGS[data[1] & 3]),
        .content_type = data[1] & 4 ? SLICE("application/x-ndjson") : SLICE("text/plain"),
        .write_key = data[1] & 8 ? SLICE("k") : (struct slice){ 0 },
        .authorization = data[1] & 16 ? slice_of(body, n) : (struct slice){ 0 },
        .remote_address = SLICE("192.0.2.1"),
        .body = slice_of(body, n),
    };
    answers = 0;
    struct ticket *ticket = core_receive(core, &request, &request);
    expect(answers == (ticket ? 0 : 1));
    settle();
    expect(answers == 1);
    size_t events, letters;
    unsigned long accepted = 0, rejected = 0;
    read_records(&events, &letters);
    if (last.status == 200 && sscanf(last_body, "{\"accepted\":%lu,\"rejected\":%lu", &accepted, &rejected) == 2)
        expect(accepted == events && rejected >= letters);
    else
        expect(events == 0 && letters == 0);
    free(body);
    return 0;
}
