/* What every journal backend promises its readers: records in order, numbered without gaps, of their topics and
 * partition alone; where to read on, how far behind they are, and when they are woken. */
#include <stdlib.h>
#include <unistd.h>

#include "test/support/journal_fixture.h"

static void test_an_empty_journal_gives_nothing(void **state)
{
    (void)state;
    struct journal_reader *reader = reader_at(TOPIC_BIT(TOPIC_EVENTS), JOURNAL_ALL_PARTITIONS, JOURNAL_BEGIN);
    struct journal_batch batch;
    assert_int_equal(journal_read(reader, 1000, &batch, NULL), OK);
    assert_int_equal(batch.chunk_count, 0);
    fixture.backend->reader_close(reader);
}

static void test_records_come_back_in_order_with_offsets_without_gaps(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 50; i++)
        send_records(TOPIC_EVENTS, 1, 3, 100, i * 3);
    struct journal_reader *reader = reader_at(TOPIC_BIT(TOPIC_EVENTS), 1, JOURNAL_BEGIN);
    struct journal_batch batch;
    uint64_t offset = 0, position = 0;
    do {
        assert_int_equal(read_some(reader, 2000, &batch, NULL), OK);
        for (size_t i = 0; i < batch.chunk_count; i++) {
            assert_true(fixture.far ? batch.chunks[i].offset >= offset : batch.chunks[i].offset == offset);
            assert_true(batch.chunks[i].position > position);
            assert_true(batch.chunks[i].written_us > 0);
            position = batch.chunks[i].position;
            offset += batch.chunks[i].records;
        }
        assert_true(batch.next_position > position);
    } while (batch.chunk_count);
    assert_int_equal(offset, 150);
    fixture.backend->reader_close(reader);
}

static void test_one_writer_s_records_are_numbered_without_gaps_also_by_his_successor(void **state)
{
    (void)state;
    uint64_t due = 0;
    for (unsigned i = 0; i < 12; i++) {
        struct sent sent;
        sent_init(&sent);
        sent_add_chunk(&sent, TOPIC_CHANGELOG, 1, 3, 100, i * 3);
        sent_add_mark(&sent, "process", 1, i + 1, "");
        if (i == 6 && fixture.keeps) {
            journal_fixture_close();
            journal_fixture_open();
        }
        if (i % 3 == 0)
            assert_int_equal(fixture.journal->backend->own(fixture.journal, "process", 1, NULL), OK);
        sent_expect(&sent, OK);
        sent_done(&sent);
    }
    struct journal_reader *reader = reader_at(TOPIC_BIT(TOPIC_CHANGELOG), 1, JOURNAL_BEGIN);
    struct journal_batch batch;
    uint64_t end = 0;
    do {
        assert_int_equal(read_some(reader, 2000, &batch, NULL), OK);
        for (size_t i = 0; i < batch.chunk_count; i++) {
            assert_int_equal(batch.chunks[i].offset, due);
            due += batch.chunks[i].records;
        }
    } while (batch.chunk_count);
    assert_int_equal(due, 36);
    assert_int_equal(fixture.journal->backend->end_position(fixture.journal, TOPIC_CHANGELOG, 1, &end, NULL), OK);
    assert_int_equal(batch.next_position, end);
    fixture.backend->reader_close(reader);
}

static void test_a_reader_sees_its_topics_and_partition_only(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        send_records(TOPIC_EVENTS, 0, 1, 50, i);
        send_records(TOPIC_EVENTS, 1, 1, 50, i);
        send_records(TOPIC_ENRICHED, 0, 1, 50, i);
    }
    assert_int_equal(count_from(TOPIC_BIT(TOPIC_EVENTS), 1, JOURNAL_BEGIN, 0), 20);
    assert_int_equal(count_from(TOPIC_BIT(TOPIC_ENRICHED), JOURNAL_ALL_PARTITIONS, JOURNAL_BEGIN, 0), 20);
    assert_int_equal(count_from(TOPIC_BIT(TOPIC_ENRICHED), 1, JOURNAL_BEGIN, 0), 0);
    assert_int_equal(count_from(TOPIC_BIT(TOPIC_WINDOWS), JOURNAL_ALL_PARTITIONS, JOURNAL_BEGIN, 0), 0);
}

static void test_next_position_moves_on_where_nothing_matches(void **state)
{
    (void)state;
    if (fixture.far)
        skip(); /* events lie elsewhere, and take no room there */
    struct journal_reader *reader = reader_at(TOPIC_BIT(TOPIC_WINDOWS), 0, JOURNAL_BEGIN);
    uint64_t next = 0, end = 0;
    for (unsigned i = 0; i < 20; i++)
        send_records(TOPIC_EVENTS, 0, 10, 5000, i * 10);
    assert_int_equal(read_numbers(reader, 0, &next), 0);
    assert_int_equal(fixture.journal->backend->end_position(fixture.journal, TOPIC_WINDOWS, 0, &end, NULL), OK);
    assert_int_equal(next, end);
    send_records(TOPIC_WINDOWS, 0, 2, 10, 0);
    assert_int_equal(read_numbers(reader, 0, &next), 2);
    fixture.backend->reader_close(reader);
    assert_int_equal(count_from(TOPIC_BIT(TOPIC_WINDOWS), 0, next, 2), 0);
}

static void test_reading_on_from_next_position_neither_repeats_nor_skips(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 200; i++)
        send_records(i % 2 ? TOPIC_EVENTS : TOPIC_REKEYED, 0, 5, 300, i / 2 * 5);
    uint64_t position = JOURNAL_BEGIN, seen = 0;
    for (;;) {
        struct journal_reader *reader = reader_at(TOPIC_BIT(TOPIC_EVENTS), 0, position);
        struct journal_batch batch;
        assert_int_equal(journal_read(reader, 3000, &batch, NULL), OK);
        for (size_t i = 0; i < batch.chunk_count; i++) {
            assert_int_equal(strtoul(batch.chunks[i].bytes.p + 4, NULL, 10), seen);
            seen += batch.chunks[i].records;
        }
        position = batch.next_position;
        fixture.backend->reader_close(reader);
        if (batch.chunk_count == 0)
            break;
    }
    assert_int_equal(seen, 500);
}

static void test_a_reader_at_a_chunk_s_position_begins_with_that_chunk(void **state)
{
    (void)state;
    const uint32_t events = TOPIC_BIT(TOPIC_EVENTS);
    uint64_t positions[20];
    size_t count = 0;
    struct journal_batch batch;
    for (unsigned i = 0; i < 20; i++)
        send_records(TOPIC_EVENTS, 1, 3, 100, i * 3);
    struct journal_reader *reader = reader_at(events, 1, JOURNAL_BEGIN);
    do {
        assert_int_equal(read_some(reader, 2000, &batch, NULL), OK);
        for (size_t i = 0; i < batch.chunk_count; i++)
            positions[count++] = batch.chunks[i].position;
    } while (batch.chunk_count);
    fixture.backend->reader_close(reader);
    assert_int_equal(count, 20);
    for (unsigned i = 0; i < 20; i += 7)
        assert_int_equal(count_from(events, 1, positions[i], i * 3), 60 - i * 3);
}

static void test_end_offsets_count_what_is_durable(void **state)
{
    (void)state;
    const struct journal_backend *backend = fixture.backend;
    if (fixture.far)
        skip(); /* the next test */
    assert_int_equal(backend->end_offset(fixture.journal, TOPIC_EVENTS, 0), 0);
    send_records(TOPIC_EVENTS, 0, 5, 100, 0);
    send_records(TOPIC_EVENTS, 1, 3, 100, 0);
    send_records(TOPIC_EVENTS, 0, 2, 100, 5);
    assert_int_equal(backend->end_offset(fixture.journal, TOPIC_EVENTS, 0), 7);
    assert_int_equal(backend->end_offset(fixture.journal, TOPIC_EVENTS, 1), 3);
    assert_int_equal(backend->end_offset(fixture.journal, TOPIC_ENRICHED, 0), 0);
    struct sent sent;
    sent_init(&sent);
    sent_add_chunk(&sent, TOPIC_EVENTS, 1, 4, 10, 3);
    assert_int_equal(sent_submit(&sent, NULL), OK);
    assert_int_equal(backend->end_offset(fixture.journal, TOPIC_EVENTS, 1), 3);
    journal_fixture_step();
    assert_int_equal(backend->end_offset(fixture.journal, TOPIC_EVENTS, 1), 7);
    sent_done(&sent);
    if (!fixture.keeps)
        return;
    journal_fixture_close();
    journal_fixture_open();
    assert_int_equal(backend->end_offset(fixture.journal, TOPIC_EVENTS, 1), 7);
    assert_int_equal(backend->end_offset(fixture.journal, TOPIC_EVENTS, 0), 7);
}

/* Waits: a far backend knows the end a moment later. */
static void expect_waiting(const struct journal_chunk *last, uint64_t events)
{
    uint64_t at = last->offset + last->records, end = 0;
    for (int i = 0; i < 1000; i++) {
        end = fixture.backend->end_offset(fixture.journal, TOPIC_EVENTS, 0);
        if (end == at + events)
            return;
        journal_fixture_step();
        usleep(10000);
    }
    fail_msg("%lld events wait, not %llu", (long long)(end - at), (unsigned long long)events);
}

static void test_a_reader_learns_how_many_events_it_is_behind(void **state)
{
    (void)state;
    struct journal_reader *reader = reader_at(TOPIC_BIT(TOPIC_EVENTS) | TOPIC_BIT(TOPIC_REKEYED), 0, JOURNAL_BEGIN);
    struct journal_batch batch;
    struct error err;
    for (uint64_t i = 0; i < 5; i++)
        send_records(TOPIC_EVENTS, 0, 10, 100, i * 10);
    do
        assert_int_equal(journal_read(reader, 1, &batch, &err), OK);
    while (batch.chunk_count == 0);
    struct journal_chunk last = batch.chunks[batch.chunk_count - 1];
    assert_int_equal(batch.records, 10);
    expect_waiting(&last, 40);
    for (uint64_t read = 10; read < 50;) {
        assert_int_equal(journal_read(reader, 1 << 20, &batch, &err), OK);
        read += batch.records;
        if (batch.chunk_count)
            last = batch.chunks[batch.chunk_count - 1];
    }
    assert_int_equal(journal_read(reader, 1 << 20, &batch, &err), OK);
    expect_waiting(&last, 0);
    fixture.backend->reader_close(reader);
}

static void on_wake(void *self)
{
    atomic_fetch_add((_Atomic int *)self, 1);
}

static void test_a_reader_is_woken_for_what_it_reads(void **state)
{
    (void)state;
    _Atomic int wakes = 0;
    struct journal_reader *reader;
    struct journal_read_options read_options = { TOPIC_BIT(TOPIC_EVENTS), 1, JOURNAL_BEGIN, { on_wake, &wakes } };
    struct journal_batch batch;
    send_records(TOPIC_EVENTS, 0, 1, 10, 0); /* the first segment begins: everybody may be woken for that */
    assert_int_equal(fixture.backend->reader_open(fixture.journal, &read_options, &reader, NULL), OK);
    if (fixture.far)
        assert_int_equal(read_some(reader, 1000, &batch, NULL), OK); /* the end, of which a far backend tells */
    wakes = 0;
    send_records(TOPIC_EVENTS, 0, 1, 10, 1);
    send_records(TOPIC_LATE, 1, 1, 10, 0);
    assert_int_equal(wakes, 0);
    send_records(TOPIC_EVENTS, 1, 1, 10, 0);
    for (int i = 0; fixture.far && wakes == 0 && i < 1000; i++)
        usleep(2000);
    assert_true(fixture.far ? wakes >= 1 : wakes == 1);
    fixture.backend->reader_close(reader);
    int before = wakes;
    send_records(TOPIC_EVENTS, 1, 1, 10, 1);
    assert_int_equal(wakes, before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        JOURNAL_TEST(test_an_empty_journal_gives_nothing),
        JOURNAL_TEST(test_records_come_back_in_order_with_offsets_without_gaps),
        JOURNAL_TEST(test_one_writer_s_records_are_numbered_without_gaps_also_by_his_successor),
        JOURNAL_TEST(test_a_reader_sees_its_topics_and_partition_only),
        JOURNAL_TEST(test_next_position_moves_on_where_nothing_matches),
        JOURNAL_TEST(test_reading_on_from_next_position_neither_repeats_nor_skips),
        JOURNAL_TEST(test_a_reader_at_a_chunk_s_position_begins_with_that_chunk),
        JOURNAL_TEST(test_end_offsets_count_what_is_durable),
        JOURNAL_TEST(test_a_reader_learns_how_many_events_it_is_behind),
        JOURNAL_TEST(test_a_reader_is_woken_for_what_it_reads),
    };
    return journal_fixture_run(tests, COUNT_OF(tests));
}
