#include "test/support/journal_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "test/support/scratch.h"
#include "world/disk.h"
#include "world/world.h"

static const struct {
    const struct journal_backend *backend;
    bool keeps, far;
} BACKENDS[] = { { &journal_memory, false, false }, { &journal_file, true, false }, { &journal_kafka, true, true } };

struct journal_fixture fixture;
static char dir[SCRATCH_PATH_MAX];
static char kafka_prefix[64];
static _Atomic int unfinished; /* submitted and not done, over all commits */

static void on_done(struct journal_commit *commit, enum status status, const char *reason)
{
    struct sent *sent = commit->context;
    assert_true(status == OK || reason != NULL);
    sent->status = status;
    atomic_fetch_add(&sent->calls, 1);
    atomic_fetch_sub(&unfinished, 1);
}

enum status sent_submit(struct sent *sent, struct error *err)
{
    atomic_fetch_add(&unfinished, 1);
    enum status s = journal_submit(fixture.journal, &sent->commit, err);
    if (s != OK)
        atomic_fetch_sub(&unfinished, 1);
    return s;
}

void sent_init(struct sent *sent)
{
    memset(sent, 0, sizeof *sent);
    sent->commit =
        (struct journal_commit){ .chunks = sent->chunks, .marks = sent->marks, .done = on_done, .context = sent };
}

void sent_done(struct sent *sent)
{
    for (size_t i = 0; i < COUNT_OF(sent->bytes); i++)
        free(sent->bytes[i]);
}

void sent_add_chunk(struct sent *sent, uint16_t topic, uint16_t partition, uint32_t records, uint32_t record_bytes,
                    unsigned number)
{
    size_t i = sent->commit.chunk_count++;
    char *p = sent->bytes[i] = malloc((size_t)records * (4 + record_bytes) + 1);
    assert_non_null(p);
    for (uint32_t r = 0; r < records; r++) {
        memcpy(p, &record_bytes, 4);
        memset(p + 4, '.', record_bytes);
        char text[16];
        int n = snprintf(text, sizeof text, "%u", number + r);
        memcpy(p + 4, text, (uint32_t)n < record_bytes ? (uint32_t)n : record_bytes);
        p += 4 + record_bytes;
    }
    sent->chunks[i] = (struct journal_chunk){ .topic = topic,
                                              .partition = partition,
                                              .records = records,
                                              .bytes = { sent->bytes[i], (size_t)(p - sent->bytes[i]) } };
}

void sent_add_mark(struct sent *sent, const char *group, uint16_t partition, uint64_t position, const char *note)
{
    struct journal_mark *mark = &sent->marks[sent->commit.mark_count++];
    snprintf(mark->group, sizeof mark->group, "%s", group);
    mark->partition = partition;
    mark->position = position;
    mark->note = slice_from(note);
}

void journal_fixture_step(void)
{
    bool more = true;
    for (int i = 0; (more || (fixture.far && unfinished)) && i < 100000; i++) {
        if (!more)
            usleep(200);
        more = false;
        for (size_t r = 0; r < fixture.role_count; r++) {
            int64_t wake_us = WAKE_NEVER;
            more |= fixture.roles[r].step(fixture.roles[r].self, world_real(), &wake_us);
        }
    }
    assert_false(more);
    assert_true(!fixture.far || unfinished == 0);
}

void journal_fixture_open(void)
{
    struct error err = { OK, "" };
    enum status s = fixture.backend->open(&fixture.options, world_real(), NULL, &fixture.journal, &err);
    if (s != OK)
        print_message("%s\n", err.text);
    assert_int_equal(s, OK);
    fixture.role_count = fixture.backend->roles(fixture.journal, fixture.roles);
}

void journal_fixture_close(void)
{
    if (!fixture.journal)
        return;
    fixture.backend->drain(fixture.journal);
    journal_fixture_step();
    fixture.backend->close(fixture.journal);
    fixture.journal = NULL;
}

int journal_fixture_setup(void **state)
{
    (void)state;
    scratch_make("journal", dir);
    static unsigned number;
    snprintf(kafka_prefix, sizeof kafka_prefix, "contract%d-%u", getpid(), number++);
    fixture.options = (struct journal_options){ .path = dir,
                                                .partitions = 4,
                                                .segment_bytes = SEGMENT,
                                                .queue_bytes_max = 8 << 20,
                                                .kafka = { .brokers = getenv("WEIR_TEST_KAFKA"),
                                                           .prefix = kafka_prefix,
                                                           .replication = 1,
                                                           .min_insync = 1,
                                                           .compression = "lz4",
                                                           .linger_ms = 0,
                                                           .batch_bytes = 32768,
                                                           .session_ms = 10000 } };
    journal_fixture_open();
    return 0;
}

int journal_fixture_teardown(void **state)
{
    (void)state;
    journal_fixture_close();
    return scratch_remove(dir);
}

void sent_expect(struct sent *sent, enum status expected)
{
    struct error err = { OK, "" };
    enum status s = sent_submit(sent, &err);
    assert_int_equal(s, OK);
    journal_fixture_step();
    assert_int_equal(sent->calls, 1);
    assert_int_equal(sent->status, expected);
}

void send_records(uint16_t topic, uint16_t partition, uint32_t records, uint32_t record_bytes, unsigned number)
{
    struct sent sent;
    sent_init(&sent);
    sent_add_chunk(&sent, topic, partition, records, record_bytes, number);
    sent_expect(&sent, OK);
    sent_done(&sent);
}

void send_mark(const char *group, uint16_t partition, uint64_t position, const char *note)
{
    struct sent sent;
    sent_init(&sent);
    sent_add_mark(&sent, group, partition, position, note);
    sent_expect(&sent, OK);
    sent_done(&sent);
}

unsigned send_many(unsigned from, unsigned commits)
{
    for (unsigned i = 0; i < commits; i++)
        send_records(TOPIC_EVENTS, 0, 10, 4000, (from + i) * 10);
    return from + commits;
}

struct journal_reader *reader_at(uint32_t topics, uint16_t partition, uint64_t position)
{
    struct journal_reader *reader;
    struct journal_read_options read_options = { topics, partition, position, { 0 } };
    assert_int_equal(fixture.backend->reader_open(fixture.journal, &read_options, &reader, NULL), OK);
    return reader;
}

enum status read_some(struct journal_reader *reader, size_t bytes_max, struct journal_batch *out, struct error *err)
{
    enum status s = journal_read(reader, bytes_max, out, err);
    for (int i = 0; fixture.far && s == OK && out->chunk_count == 0 && i < 30; i++) {
        usleep(10000);
        s = journal_read(reader, bytes_max, out, err);
    }
    return s;
}

uint64_t read_numbers(struct journal_reader *reader, unsigned number, uint64_t *out_next)
{
    uint64_t records = 0;
    for (;;) {
        struct journal_batch batch;
        struct error err = { OK, "" };
        enum status s = read_some(reader, 64 << 10, &batch, &err);
        if (s != OK)
            print_message("%s\n", err.text);
        assert_int_equal(s, OK);
        if (out_next)
            *out_next = batch.next_position;
        if (batch.chunk_count == 0)
            return records;
        size_t counted = 0;
        for (size_t i = 0; i < batch.chunk_count; i++) {
            struct slice rest = batch.chunks[i].bytes, record;
            uint32_t in_chunk = 0;
            while (journal_next_record(&rest, &record)) {
                assert_int_equal(strtoul(record.p, NULL, 10), number + records);
                records++;
                in_chunk++;
            }
            assert_int_equal(rest.n, 0);
            assert_int_equal(in_chunk, batch.chunks[i].records);
            counted += in_chunk;
        }
        assert_int_equal(counted, batch.records);
    }
}

uint64_t count_from(uint32_t topics, uint16_t partition, uint64_t position, unsigned number)
{
    struct journal_reader *reader = reader_at(topics, partition, position);
    uint64_t n = read_numbers(reader, number, NULL);
    fixture.backend->reader_close(reader);
    return n;
}

int journal_fixture_run(const struct CMUnitTest *tests, size_t test_count)
{
    int failed = 0;
    for (size_t i = 0; i < COUNT_OF(BACKENDS); i++) {
        if (BACKENDS[i].far == !getenv("WEIR_TEST_KAFKA")) /* with brokers: what they are needed for, alone */
            continue;
        fixture.backend = BACKENDS[i].backend;
        fixture.keeps = BACKENDS[i].keeps;
        fixture.far = BACKENDS[i].far;
        print_message("backend %s\n", fixture.backend->name);
        /* What cmocka_run_group_tests is made of: the macro itself takes an array alone. */
        failed += _cmocka_run_group_tests(fixture.backend->name, tests, test_count, NULL, NULL);
    }
    return failed;
}
