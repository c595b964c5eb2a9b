/* What becomes of single events in a task: dead letters that say why, fields of persons, and whose visit they are. */
#include <stdio.h>
#include <stdlib.h>

#include "base/json_scan.h"
#include "base/test.h"
#include "event/dead_letter.h"
#include "event/event.h"
#include "event/event_json.h"
#include "event/session_record.h"
#include "process/validate/pii.h"
#include "test/support/domain_files.h"
#include "test/support/process_rig.h"

static struct rig rig;
static uint8_t times[RIG_IDS_MAX];

/* Sends the event framed; returns the journal's answer. */
static enum status send_event(const struct event *event)
{
    char bytes[4096];
    uint32_t n = (uint32_t)event_encoded_size(event);
    assert_true(n + 4 <= sizeof bytes);
    memcpy(bytes, &n, 4);
    event_encode(event, bytes + 4);
    return rig_send_records(&rig, slice_of(bytes, n + 4), 1);
}

static struct event event_with(const char *id)
{
    int64_t now_ms = world_wall_ms(&rig.time.world);
    return (struct event){ .customer_id = SLICE("acme"),
                           .visitor_id = SLICE("v"),
                           .event_id = slice_from(id),
                           .event_type = SLICE("t"),
                           .properties = SLICE("{}"),
                           .context = SLICE("{}"),
                           .timestamp_ms = now_ms,
                           .received_ms = now_ms,
                           .ingested_us = now_ms * 1000 };
}

static void expect_letter(const char *stage, const char *reason, const char *field, struct slice original)
{
    struct journal_read_options options = { .topics = TOPIC_BIT(TOPIC_DEAD_LETTERS), .position = JOURNAL_BEGIN };
    struct journal_reader *reader;
    struct journal_batch batch;
    struct dead_letter letter = { 0 };
    assert_int_equal(rig.backend->reader_open(rig.journal, &options, &reader, NULL), OK);
    assert_int_equal(journal_read(reader, 1u << 20, &batch, NULL), OK);
    assert_true(batch.chunk_count > 0);
    struct slice rest = batch.chunks[batch.chunk_count - 1].bytes, record;
    while (journal_next_record(&rest, &record))
        assert_int_equal(dead_letter_decode(record, &letter, NULL), OK);
    assert_true(slice_equal(letter.stage, slice_from(stage)));
    assert_true(slice_equal(letter.reason, slice_from(reason)));
    assert_true(slice_equal(letter.field, slice_from(field)));
    assert_true(slice_equal(letter.original, original));
    rig.backend->reader_close(reader);
}

/* The original is the event as JSON, in the words of /track. */
static void expect_letter_of(const char *reason, const char *field, const struct event *event)
{
    AUTO(buf) struct buf json;
    buf_init(&json, 4096);
    event_json_add(&json, event);
    expect_letter("validate", reason, field, buf_slice(&json));
}

static void expect_page(const char *key)
{
    struct journal_read_options options = { .topics = TOPIC_BIT(TOPIC_ENRICHED), .position = JOURNAL_BEGIN };
    struct journal_reader *reader;
    struct journal_batch batch;
    struct event event;
    struct arena arena;
    struct slice record, hash, page;
    struct pii *pii = pii_new(slice_from(key));
    arena_init(&arena, 4096);
    assert_true(pii_hash(pii, SLICE("acme"), SLICE("/"), &arena, &hash));
    assert_int_equal(rig.backend->reader_open(rig.journal, &options, &reader, NULL), OK);
    assert_int_equal(journal_read(reader, 1u << 20, &batch, NULL), OK);
    assert_true(batch.chunk_count > 0);
    struct slice rest = batch.chunks[0].bytes;
    assert_true(journal_next_record(&rest, &record));
    assert_int_equal(event_decode(record, &event, NULL), OK);
    assert_true(json_find(event.properties, "page", &page) && slice_equal(page, hash));
    rig.backend->reader_close(reader);
    arena_done(&arena);
    pii_free(pii);
}

/* A reload writes the settings anew while a task that was made before still restores its state. */
static void test_the_key_of_persons_fields_is_the_one_that_the_task_was_made_with(void **state)
{
    char key[] = "a key of more than sixteen bytes";
    rig_down(&rig);
    assert_int_equal(domain_files_begin(state), 0);
    rig.options.domains = domain_files_expect_fine(
        "domain: web\nevent_types: [{name: page_view, attributes: [{name: page, pii: hash}]}]\n");
    rig.options.pii_key = slice_from(key);
    assert_int_equal(rig_up(&rig, NULL), OK);
    memcpy(key, "another", 8);
    assert_int_equal(rig_send(&rig, "acme", 0, 1), OK);
    rig_run(&rig, 1000);
    expect_page("a key of more than sixteen bytes");
    rig_down(&rig);
    assert_int_equal(domain_files_end(state), 0);
    rig.options.domains = NULL;
    assert_int_equal(rig_up(&rig, NULL), OK);
}

/* Sessions of the tenant with so many events each, as the journal has them last: by their begin, the two that there may
 * be. */
static void expect_sessions(const char *tenant, uint32_t first_events, uint32_t second_events)
{
    struct journal_read_options options = { .topics = TOPIC_BIT(TOPIC_SESSIONS), .position = JOURNAL_BEGIN };
    struct journal_reader *reader;
    struct journal_batch batch;
    struct session_record session;
    uint32_t events[2] = { 0 };
    int64_t first_ms = INT64_MAX;
    assert_int_equal(rig.backend->reader_open(rig.journal, &options, &reader, NULL), OK);
    assert_int_equal(journal_read(reader, 1u << 20, &batch, NULL), OK);
    for (size_t i = 0; i < batch.chunk_count; i++) {
        struct slice rest = batch.chunks[i].bytes, record;
        while (journal_next_record(&rest, &record)) {
            assert_int_equal(session_record_decode(record, &session, NULL), OK);
            if (!slice_equal(session.customer_id, slice_from(tenant)))
                continue;
            if (session.start_ms < first_ms)
                first_ms = session.start_ms;
            events[session.start_ms != first_ms] = session.removed ? 0 : session.events;
        }
    }
    rig.backend->reader_close(reader);
    assert_true(events[0] == first_events && events[1] == second_events);
}

static void test_tenants_of_one_partition_have_their_visits_cut_by_their_own_domains(void **state)
{
    static const char *const TENANTS[] = { "slow", "quick" };
    rig_down(&rig);
    assert_int_equal(domain_files_begin(state), 0);
    domain_files_put("slow.yaml", "domain: slow\ntenants: [slow]\nsessions: {gap: 1h}\n");
    rig.options.domains = domain_files_expect_fine("domain: web\ntenants: others\nsessions: {gap: 10m}\n");
    assert_int_equal(rig_up(&rig, NULL), OK);
    struct event event = event_with("e");
    for (unsigned i = 0; i < 4; i++) { /* by turns, 45 minutes apart */
        char id[] = { 'e', (char)('0' + i), '\0' };
        event.event_id = slice_from(id);
        event.customer_id = slice_from(TENANTS[i % 2]);
        event.timestamp_ms += i == 2 ? 45 * 60000 : 0;
        assert_int_equal(send_event(&event), OK);
    }
    rig_run(&rig, 5000);
    expect_sessions("slow", 2, 0);
    expect_sessions("quick", 1, 1);
    rig_down(&rig);
    assert_int_equal(domain_files_end(state), 0);
    rig.options.domains = NULL;
    assert_int_equal(rig_up(&rig, NULL), OK);
}

static void test_bytes_that_are_no_event_become_a_dead_letter_with_the_bytes(void **state)
{
    (void)state;
    assert_int_equal(rig_send(&rig, "acme", 0, 3), OK);
    assert_int_equal(rig_send_records(&rig, slice_of("\x04\0\0\0junk", 8), 1), OK);
    assert_int_equal(rig_send(&rig, "acme", 3, 3), OK);
    rig_run(&rig, 1000);
    assert_int_equal(rig_count(&rig, TOPIC_ENRICHED, times, RIG_IDS_MAX), 6);
    expect_letter("decode", "corrupt_record", "", SLICE("junk"));
    assert_true(rig_metric(&rig, "dead_letters_total{stage=\"decode\",reason=\"corrupt_record\"}") == 1);
    assert_int_equal(rig.dead_live, 1);
}

static void test_an_event_from_the_future_is_a_dead_letter_and_its_id_stays_free(void **state)
{
    (void)state;
    struct event event = event_with("e0");
    event.timestamp_ms = event.received_ms + 24 * 3600 * 1000 + 1;
    assert_int_equal(send_event(&event), OK);
    rig_run(&rig, 1000);
    expect_letter_of("too_far_in_future", "timestamp", &event);
    event.timestamp_ms--;
    assert_int_equal(send_event(&event), OK);
    rig_run(&rig, 1000);
    assert_int_equal(rig_count(&rig, TOPIC_ENRICHED, times, RIG_IDS_MAX), 1);
    assert_int_equal(times[0], 1);
}

static void test_an_event_without_an_id_is_a_dead_letter_that_names_the_field(void **state)
{
    (void)state;
    struct event event = event_with("e0");
    event.visitor_id.n = 0;
    assert_int_equal(send_event(&event), OK);
    rig_run(&rig, 1000);
    expect_letter_of("missing_field", "visitor_id", &event);
}

#define TEST(function) RIG_TEST(function, &rig)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_key_of_persons_fields_is_the_one_that_the_task_was_made_with),
        TEST(test_tenants_of_one_partition_have_their_visits_cut_by_their_own_domains),
        TEST(test_bytes_that_are_no_event_become_a_dead_letter_with_the_bytes),
        TEST(test_an_event_from_the_future_is_a_dead_letter_and_its_id_stays_free),
        TEST(test_an_event_without_an_id_is_a_dead_letter_that_names_the_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
