/* What every journal backend promises, run over each of them: add a row to BACKENDS for a new one. The tests step the
 * roles by hand, so that each says exactly when something is written; the last one uses threads. Each test has a fresh
 * journal of small segments in a directory of its own; `keeps` says whether a backend remembers after close.
 *
 * A far backend runs only when WEIR_TEST_KAFKA names brokers (HOST:PORT; test/scenario/kafka_test.py starts one), each
 * test under a prefix of its own. It works on threads of its own: steps go on until what was submitted is done. */
#include "journal/journal.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/role.h"
#include "base/test.h"
#include "world/disk.h"
#include "world/world.h"

#define SEGMENT (256u << 10)

static const struct backend_case {
    const struct journal_backend *backend;
    bool keeps;
    bool far; /* other processes' too: bounds and retention are the brokers', positions are each partition's own */
} BACKENDS[] = { { &journal_memory, false, false }, { &journal_file, true, false }, { &journal_kafka, true, true } };

static const struct backend_case *backend_case;
static char dir[64];
static struct journal_options options;
static struct journal *journal;
static struct role roles[2];
static size_t role_count;
static _Atomic int unfinished; /* submitted and not done, over all commits */
static char kafka_prefix[64];

/* A commit with its own memory: up to four chunks of numbered records. */
struct sent {
    struct journal_commit commit;
    struct journal_chunk chunks[4];
    struct journal_mark marks[4];
    char *bytes[4];
    _Atomic int calls;
    enum status status;
};

static void on_done(struct journal_commit *commit, enum status status, const char *reason)
{
    struct sent *sent = commit->context;
    assert_true(status == OK || reason != NULL);
    sent->status = status;
    atomic_fetch_add(&sent->calls, 1);
    atomic_fetch_sub(&unfinished, 1);
}

static enum status submit(struct sent *sent, struct error *err)
{
    atomic_fetch_add(&unfinished, 1);
    enum status s = journal_submit(journal, &sent->commit, err);
    if (s != OK)
        atomic_fetch_sub(&unfinished, 1);
    return s;
}

static void sent_init(struct sent *sent)
{
    memset(sent, 0, sizeof *sent);
    sent->commit =
        (struct journal_commit){ .chunks = sent->chunks, .marks = sent->marks, .done = on_done, .context = sent };
}

static void sent_done(struct sent *sent)
{
    for (size_t i = 0; i < COUNT_OF(sent->bytes); i++)
        free(sent->bytes[i]);
}

/* Records "number" … as text, filled up to record_bytes. */
static void add_chunk(struct sent *sent, uint16_t topic, uint16_t partition, uint32_t records, uint32_t record_bytes,
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

static void add_mark(struct sent *sent, const char *group, uint16_t partition, uint64_t position, const char *note)
{
    struct journal_mark *mark = &sent->marks[sent->commit.mark_count++];
    snprintf(mark->group, sizeof mark->group, "%s", group);
    mark->partition = partition;
    mark->position = position;
    mark->note = slice_from(note);
}

static void step_all(void)
{
    bool more = true;
    for (int i = 0; (more || (backend_case->far && unfinished)) && i < 100000; i++) {
        if (!more)
            usleep(200);
        more = false;
        for (size_t r = 0; r < role_count; r++) {
            int64_t wake_us = WAKE_NEVER;
            more |= roles[r].step(roles[r].self, world_real(), &wake_us);
        }
    }
    assert_false(more);
    assert_true(!backend_case->far || unfinished == 0);
}

static void open_journal(void)
{
    struct error err = { OK, "" };
    enum status s = backend_case->backend->open(&options, world_real(), NULL, &journal, &err);
    if (s != OK)
        print_message("%s\n", err.text);
    assert_int_equal(s, OK);
    role_count = backend_case->backend->roles(journal, roles);
}

static void close_journal(void)
{
    if (!journal)
        return;
    backend_case->backend->drain(journal);
    step_all();
    backend_case->backend->close(journal);
    journal = NULL;
}

static void remove_name(void *self, const char *name)
{
    (void)self;
    char path[DISK_PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    (void)disk_real()->ops->remove(disk_real(), path, NULL);
}

static int setup(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/weir-journal-test-XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    static unsigned number;
    snprintf(kafka_prefix, sizeof kafka_prefix, "contract%d-%u", getpid(), number++);
    options = (struct journal_options){ .path = dir,
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
    open_journal();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    close_journal();
    (void)disk_real()->ops->list(disk_real(), dir, remove_name, NULL, NULL);
    return rmdir(dir);
}

static void send_now(struct sent *sent, enum status expected)
{
    struct error err = { OK, "" };
    enum status s = submit(sent, &err);
    assert_int_equal(s, OK);
    step_all();
    assert_int_equal(sent->calls, 1);
    assert_int_equal(sent->status, expected);
}

static void send_records(uint16_t topic, uint16_t partition, uint32_t records, uint32_t record_bytes, unsigned number)
{
    struct sent sent;
    sent_init(&sent);
    add_chunk(&sent, topic, partition, records, record_bytes, number);
    send_now(&sent, OK);
    sent_done(&sent);
}

static void send_mark(const char *group, uint16_t partition, uint64_t position, const char *note)
{
    struct sent sent;
    sent_init(&sent);
    add_mark(&sent, group, partition, position, note);
    send_now(&sent, OK);
    sent_done(&sent);
}

static struct journal_reader *reader_at(uint32_t topics, uint16_t partition, uint64_t position)
{
    struct journal_reader *reader;
    struct journal_read_options read_options = { topics, partition, position, { 0 } };
    assert_int_equal(backend_case->backend->reader_open(journal, &read_options, &reader, NULL), OK);
    return reader;
}

/* A read that, of a far backend, gives what is on its way a moment. */
static enum status read_some(struct journal_reader *reader, size_t bytes_max, struct journal_batch *out,
                             struct error *err)
{
    enum status s = journal_read(reader, bytes_max, out, err);
    for (int i = 0; backend_case->far && s == OK && out->chunk_count == 0 && i < 30; i++) {
        usleep(10000);
        s = journal_read(reader, bytes_max, out, err);
    }
    return s;
}

/* Reads to the end; each record must be the next number from `number` on. Returns how many came. */
static uint64_t read_numbers(struct journal_reader *reader, unsigned number, uint64_t *out_next)
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

static uint64_t count_from(uint32_t topics, uint16_t partition, uint64_t position, unsigned number)
{
    struct journal_reader *reader = reader_at(topics, partition, position);
    uint64_t n = read_numbers(reader, number, NULL);
    backend_case->backend->reader_close(reader);
    return n;
}

static void test_an_empty_journal_gives_nothing(void **state)
{
    (void)state;
    struct journal_reader *reader = reader_at(TOPIC_BIT(TOPIC_EVENTS), JOURNAL_ALL_PARTITIONS, JOURNAL_BEGIN);
    struct journal_batch batch;
    assert_int_equal(journal_read(reader, 1000, &batch, NULL), OK);
    assert_int_equal(batch.chunk_count, 0);
    backend_case->backend->reader_close(reader);
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
            assert_true(backend_case->far ? batch.chunks[i].offset >= offset : batch.chunks[i].offset == offset);
            assert_true(batch.chunks[i].position > position);
            assert_true(batch.chunks[i].written_us > 0);
            position = batch.chunks[i].position;
            offset += batch.chunks[i].records;
        }
        assert_true(batch.next_position > position);
    } while (batch.chunk_count);
    assert_int_equal(offset, 150);
    backend_case->backend->reader_close(reader);
}

static void test_one_writer_s_records_are_numbered_without_gaps_also_by_his_successor(void **state)
{
    (void)state;
    uint64_t due = 0;
    for (unsigned i = 0; i < 12; i++) {
        struct sent sent;
        sent_init(&sent);
        add_chunk(&sent, TOPIC_CHANGELOG, 1, 3, 100, i * 3);
        add_mark(&sent, "process", 1, i + 1, "");
        if (i == 6 && backend_case->keeps) {
            close_journal();
            open_journal();
        }
        if (i % 3 == 0)
            assert_int_equal(journal->backend->own(journal, "process", 1, NULL), OK);
        send_now(&sent, OK);
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
    assert_int_equal(journal->backend->end_position(journal, TOPIC_CHANGELOG, 1, &end, NULL), OK);
    assert_int_equal(batch.next_position, end);
    backend_case->backend->reader_close(reader);
}

/* The zombie: two openings of one journal, as after a pause that the others took for death. */
static void test_who_was_followed_can_commit_no_more(void **state)
{
    (void)state;
    if (!backend_case->far)
        skip();
    struct sent sent;
    struct journal *zombie = journal, *successor;
    struct journal_mark mark;
    sent_init(&sent);
    add_chunk(&sent, TOPIC_ENRICHED, 0, 2, 50, 0);
    add_mark(&sent, "process", 0, 5, "mine");
    assert_int_equal(journal->backend->own(journal, "process", 0, NULL), OK);
    send_now(&sent, OK);
    open_journal();
    successor = journal;
    assert_int_equal(successor->backend->own(successor, "process", 0, NULL), OK);
    journal = zombie;
    for (int i = 0; i < 2; i++) { /* nor does he take it back by trying again */
        sent.calls = 0;
        send_now(&sent, ERR_IO);
    }
    journal = successor;
    char note[JOURNAL_NOTE_MAX];
    assert_int_equal(journal->backend->mark(journal, "process", 0, &mark, note), OK);
    assert_int_equal(mark.position, 5);
    assert_int_equal(count_from(TOPIC_BIT(TOPIC_ENRICHED), 0, JOURNAL_BEGIN, 0), 2);
    sent_done(&sent);
    zombie->backend->drain(zombie);
    zombie->backend->close(zombie);
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
    struct journal_reader *reader = reader_at(TOPIC_BIT(TOPIC_WINDOWS), 0, JOURNAL_BEGIN);
    uint64_t next = 0, end = 0;
    if (backend_case->far)
        skip(); /* events lie elsewhere, and take no room there */
    for (unsigned i = 0; i < 20; i++)
        send_records(TOPIC_EVENTS, 0, 10, 5000, i * 10);
    assert_int_equal(read_numbers(reader, 0, &next), 0);
    assert_int_equal(journal->backend->end_position(journal, TOPIC_WINDOWS, 0, &end, NULL), OK);
    assert_int_equal(next, end);
    send_records(TOPIC_WINDOWS, 0, 2, 10, 0);
    assert_int_equal(read_numbers(reader, 0, &next), 2);
    backend_case->backend->reader_close(reader);
    assert_int_equal(count_from(TOPIC_BIT(TOPIC_WINDOWS), 0, next, 2), 0);
}

static void test_a_commit_over_several_topics_is_seen_whole(void **state)
{
    (void)state;
    struct sent sent;
    sent_init(&sent);
    add_chunk(&sent, TOPIC_ENRICHED, 2, 2, 40, 0);
    add_chunk(&sent, TOPIC_WINDOWS, 2, 1, 4000, 2);
    add_chunk(&sent, TOPIC_ENRICHED, 3, 1, 10, 3);
    add_mark(&sent, "process", 2, 4711, "note");
    send_now(&sent, OK);
    sent_done(&sent);
    struct journal_reader *reader =
        reader_at(TOPIC_BIT(TOPIC_ENRICHED) | TOPIC_BIT(TOPIC_WINDOWS), JOURNAL_ALL_PARTITIONS, JOURNAL_BEGIN);
    struct journal_batch batch;
    size_t seen = 0;
    assert_int_equal(read_some(reader, backend_case->far ? 1 << 20 : 1, &batch, NULL), OK);
    for (seen = batch.chunk_count; backend_case->far && seen < 3; seen += batch.chunk_count)
        assert_int_equal(read_some(reader, 1 << 20, &batch, NULL), OK);
    assert_int_equal(seen, 3);
    if (!backend_case->far)
        assert_int_equal(batch.chunks[0].position, batch.chunks[2].position);
    backend_case->backend->reader_close(reader);
    struct journal_mark mark;
    char note[JOURNAL_NOTE_MAX];
    assert_int_equal(journal->backend->mark(journal, "process", 2, &mark, note), OK);
    assert_int_equal(mark.position, 4711);
    assert_true(slice_equal(mark.note, SLICE("note")));
    assert_int_equal(journal->backend->mark(journal, "process", 1, &mark, note), ERR_NOT_FOUND);
    assert_int_equal(journal->backend->mark(journal, "proces", 2, &mark, note), ERR_NOT_FOUND);
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
        backend_case->backend->reader_close(reader);
        if (batch.chunk_count == 0)
            break;
    }
    assert_int_equal(seen, 500);
}

static void test_nothing_is_seen_before_it_is_durable(void **state)
{
    (void)state;
    struct sent sent;
    sent_init(&sent);
    add_chunk(&sent, TOPIC_EVENTS, 0, 1, 20, 0);
    assert_int_equal(submit(&sent, NULL), OK);
    if (!backend_case->far) /* whose own threads send it, and others may see it before we know */
        assert_int_equal(count_from(TOPIC_BIT(TOPIC_EVENTS), 0, JOURNAL_BEGIN, 0), 0);
    assert_int_equal(sent.calls, 0);
    step_all();
    assert_int_equal(sent.calls, 1);
    assert_int_equal(count_from(TOPIC_BIT(TOPIC_EVENTS), 0, JOURNAL_BEGIN, 0), 1);
    sent_done(&sent);
}

static void test_end_offsets_count_what_is_durable(void **state)
{
    (void)state;
    const struct journal_backend *backend = backend_case->backend;
    if (backend_case->far)
        skip(); /* the next test */
    assert_int_equal(backend->end_offset(journal, TOPIC_EVENTS, 0), 0);
    send_records(TOPIC_EVENTS, 0, 5, 100, 0);
    send_records(TOPIC_EVENTS, 1, 3, 100, 0);
    send_records(TOPIC_EVENTS, 0, 2, 100, 5);
    assert_int_equal(backend->end_offset(journal, TOPIC_EVENTS, 0), 7);
    assert_int_equal(backend->end_offset(journal, TOPIC_EVENTS, 1), 3);
    assert_int_equal(backend->end_offset(journal, TOPIC_ENRICHED, 0), 0);
    struct sent sent;
    sent_init(&sent);
    add_chunk(&sent, TOPIC_EVENTS, 1, 4, 10, 3);
    assert_int_equal(submit(&sent, NULL), OK);
    assert_int_equal(backend->end_offset(journal, TOPIC_EVENTS, 1), 3);
    step_all();
    assert_int_equal(backend->end_offset(journal, TOPIC_EVENTS, 1), 7);
    sent_done(&sent);
    if (!backend_case->keeps)
        return;
    close_journal();
    open_journal();
    assert_int_equal(backend->end_offset(journal, TOPIC_EVENTS, 1), 7);
    assert_int_equal(backend->end_offset(journal, TOPIC_EVENTS, 0), 7);
}

/* Waits: a far backend knows the end a moment later. */
static void expect_waiting(const struct journal_chunk *last, uint64_t events)
{
    uint64_t at = last->offset + last->records, end = 0;
    for (int i = 0; i < 1000; i++) {
        end = backend_case->backend->end_offset(journal, TOPIC_EVENTS, 0);
        if (end == at + events)
            return;
        step_all();
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
    backend_case->backend->reader_close(reader);
}

static void submit_expect_invalid(struct sent *sent)
{
    struct error err = { OK, "" };
    assert_int_equal(submit(sent, &err), ERR_INVALID);
    assert_true(err.text[0] != 0);
    sent_done(sent);
    step_all();
    assert_int_equal(sent->calls, 0);
}

static void test_malformed_commits_are_refused_at_once(void **state)
{
    (void)state;
    struct sent sent;
    sent_init(&sent);
    submit_expect_invalid(&sent); /* empty */
    sent_init(&sent);
    add_chunk(&sent, TOPIC_EVENTS, 4, 1, 10, 0); /* partition */
    submit_expect_invalid(&sent);
    sent_init(&sent);
    add_chunk(&sent, 0, 0, 1, 10, 0); /* topic */
    submit_expect_invalid(&sent);
    sent_init(&sent);
    add_chunk(&sent, TOPIC_EVENTS, 0, 2, 10, 0);
    sent.chunks[0].records = 3; /* count */
    submit_expect_invalid(&sent);
    sent_init(&sent);
    add_chunk(&sent, TOPIC_EVENTS, 0, 2, 10, 0);
    sent.chunks[0].bytes.n--; /* length */
    submit_expect_invalid(&sent);
    sent_init(&sent);
    add_mark(&sent, "", 0, 1, ""); /* group */
    submit_expect_invalid(&sent);
    sent_init(&sent);
    add_chunk(&sent, TOPIC_EVENTS, 0, 1, JOURNAL_COMMIT_BYTES_MAX, 0); /* size */
    submit_expect_invalid(&sent);
}

static void test_the_queue_bound_refuses_and_recovers(void **state)
{
    (void)state;
    struct sent first, second;
    close_journal();
    options.queue_bytes_max = 1000;
    open_journal();
    sent_init(&first);
    sent_init(&second);
    add_chunk(&first, TOPIC_EVENTS, 0, 1, 800, 0);
    add_chunk(&second, TOPIC_EVENTS, 0, 1, 800, 1);
    assert_int_equal(submit(&first, NULL), OK);
    assert_int_equal(submit(&second, NULL), ERR_FULL);
    step_all();
    assert_int_equal(first.status, OK);
    send_now(&second, OK);
    assert_int_equal(count_from(TOPIC_BIT(TOPIC_EVENTS), 0, JOURNAL_BEGIN, 0), 2);
    sent_done(&first);
    sent_done(&second);
}

static void test_after_drain_submits_are_closed_and_pending_ones_finish(void **state)
{
    (void)state;
    struct sent first, second;
    sent_init(&first);
    sent_init(&second);
    add_chunk(&first, TOPIC_EVENTS, 0, 1, 80, 0);
    add_chunk(&second, TOPIC_EVENTS, 0, 1, 80, 1);
    assert_int_equal(submit(&first, NULL), OK);
    journal->backend->drain(journal);
    assert_int_equal(submit(&second, NULL), ERR_CLOSED);
    step_all();
    assert_int_equal(first.calls, 1);
    assert_int_equal(first.status, OK);
    sent_done(&first);
    sent_done(&second);
}

static void test_marks_move_and_can_be_dropped(void **state)
{
    (void)state;
    struct journal_mark mark;
    char note[JOURNAL_NOTE_MAX], long_note[JOURNAL_NOTE_MAX + 1];
    memset(long_note, 'n', JOURNAL_NOTE_MAX);
    long_note[JOURNAL_NOTE_MAX] = 0;
    send_mark("store", JOURNAL_ALL_PARTITIONS, JOURNAL_BEGIN, "a");
    assert_int_equal(journal->backend->mark(journal, "store", JOURNAL_ALL_PARTITIONS, &mark, note), OK);
    assert_true(mark.position == JOURNAL_BEGIN); /* and not the first record's: tokens are made of it */
    assert_true(slice_equal(mark.note, SLICE("a")));
    send_mark("store", JOURNAL_ALL_PARTITIONS, 100, long_note);
    send_mark("store", JOURNAL_ALL_PARTITIONS, 200, "b");
    assert_int_equal(journal->backend->mark(journal, "store", JOURNAL_ALL_PARTITIONS, &mark, note), OK);
    assert_int_equal(mark.position, 200);
    assert_true(slice_equal(mark.note, SLICE("b")));
    send_mark("store", JOURNAL_ALL_PARTITIONS, JOURNAL_MARK_DROP, "");
    assert_int_equal(journal->backend->mark(journal, "store", JOURNAL_ALL_PARTITIONS, &mark, note), ERR_NOT_FOUND);
}

/* 40 KB each, so that a segment takes a few. */
static unsigned send_many(unsigned from, unsigned commits)
{
    for (unsigned i = 0; i < commits; i++)
        send_records(TOPIC_EVENTS, 0, 10, 4000, (from + i) * 10);
    return from + commits;
}

static void test_retention_deletes_what_no_mark_needs(void **state)
{
    (void)state;
    if (backend_case->far)
        skip();
    close_journal();
    options.retention_bytes = 3 * SEGMENT;
    open_journal();
    struct journal_reader *reader = reader_at(TOPIC_BIT(TOPIC_EVENTS), 0, JOURNAL_BEGIN);
    struct journal_batch batch;
    unsigned sent = send_many(0, 1);
    assert_int_equal(journal_read(reader, 1, &batch, NULL), OK);
    assert_int_equal(batch.chunk_count, 1);
    send_mark("slow", 0, batch.next_position, "");
    sent = send_many(sent, 60);
    struct journal_status status;
    journal->backend->status(journal, &status);
    assert_true(status.bytes_on_disk > 8 * SEGMENT);
    assert_true(status.begin_position <= batch.next_position);
    send_mark("slow", 0, status.end_position, "");
    sent = send_many(sent, 8);
    journal->backend->status(journal, &status);
    assert_true(status.bytes_on_disk <= 5 * SEGMENT);
    assert_true(status.begin_position > batch.next_position);
    struct error err;
    assert_int_equal(journal_read(reader, 1, &batch, &err), ERR_NOT_FOUND);
    backend_case->backend->reader_close(reader);
    reader = reader_at(TOPIC_BIT(TOPIC_EVENTS), 0, JOURNAL_BEGIN);
    assert_int_equal(journal_read(reader, 1, &batch, &err), OK);
    uint64_t first = batch.chunks[0].offset;
    assert_true(first > 0);
    backend_case->backend->reader_close(reader);
    assert_int_equal(count_from(TOPIC_BIT(TOPIC_EVENTS), 0, JOURNAL_BEGIN, (unsigned)first), sent * 10 - first);
}

static void test_a_full_journal_refuses_input_and_takes_the_readers_progress(void **state)
{
    (void)state;
    if (backend_case->far)
        skip();
    close_journal();
    options.total_bytes_max = 8 * SEGMENT;
    open_journal();
    send_mark("slow", 0, 100, "");
    struct sent sent;
    struct error err = { OK, "" };
    enum status s = OK;
    unsigned commits = 0;
    for (; s == OK && commits < 1000; commits++) {
        sent_init(&sent);
        add_chunk(&sent, TOPIC_EVENTS, 0, 10, 4000, commits * 10);
        s = submit(&sent, &err);
        step_all();
        s = s == OK ? sent.status : s;
        sent_done(&sent);
    }
    assert_int_equal(s, ERR_FULL);
    assert_true(commits > 8 && commits < 50);
    struct journal_status status;
    journal->backend->status(journal, &status);
    assert_true(status.full);
    sent_init(&sent);
    add_chunk(&sent, TOPIC_ENRICHED, 0, 10, 4000, 0);
    add_mark(&sent, "slow", 0, status.end_position, "");
    send_now(&sent, OK);
    sent_done(&sent);
    for (int i = 0; i < 3; i++)
        step_all();
    send_records(TOPIC_EVENTS, 0, 1, 100, 0);
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
    assert_int_equal(backend_case->backend->reader_open(journal, &read_options, &reader, NULL), OK);
    if (backend_case->far)
        assert_int_equal(read_some(reader, 1000, &batch, NULL), OK); /* the end, of which a far backend tells */
    wakes = 0;
    send_records(TOPIC_EVENTS, 0, 1, 10, 1);
    send_records(TOPIC_LATE, 1, 1, 10, 0);
    assert_int_equal(wakes, 0);
    send_records(TOPIC_EVENTS, 1, 1, 10, 0);
    for (int i = 0; backend_case->far && wakes == 0 && i < 1000; i++)
        usleep(2000);
    assert_true(backend_case->far ? wakes >= 1 : wakes == 1);
    backend_case->backend->reader_close(reader);
    int before = wakes;
    send_records(TOPIC_EVENTS, 1, 1, 10, 1);
    assert_int_equal(wakes, before);
}

static void test_everything_is_there_after_closing_and_opening(void **state)
{
    (void)state;
    struct journal_mark mark;
    char note[JOURNAL_NOTE_MAX];
    if (!backend_case->keeps)
        skip();
    unsigned sent = send_many(0, 25);
    send_mark("process", 3, 4711, "what it must know");
    for (int i = 0; i < 5; i++) {
        close_journal();
        open_journal();
        assert_int_equal(count_from(TOPIC_BIT(TOPIC_EVENTS), 0, JOURNAL_BEGIN, 0), sent * 10);
        assert_int_equal(journal->backend->mark(journal, "process", 3, &mark, note), OK);
        assert_int_equal(mark.position, 4711);
        assert_true(slice_equal(mark.note, SLICE("what it must know")));
        sent = send_many(sent, 7);
    }
    assert_int_equal(count_from(TOPIC_BIT(TOPIC_EVENTS), 0, JOURNAL_BEGIN, 0), sent * 10);
}

static void test_a_second_opening_is_refused_with_the_process(void **state)
{
    (void)state;
    if (!backend_case->keeps)
        skip();
    if (backend_case->far)
        skip(); /* it is everybody's: see test_who_was_followed_can_commit_no_more */
    struct journal *second;
    struct error err;
    char pid[32];
    snprintf(pid, sizeof pid, "process %ld", (long)getpid());
    assert_int_equal(backend_case->backend->open(&options, world_real(), NULL, &second, &err), ERR_FULL);
    assert_non_null(strstr(err.text, pid));
}

static void test_another_number_of_partitions_is_refused(void **state)
{
    (void)state;
    if (!backend_case->keeps)
        skip();
    struct journal *other;
    struct error err;
    send_records(TOPIC_EVENTS, 0, 1, 10, 0);
    close_journal();
    options.partitions = 8;
    assert_int_equal(backend_case->backend->open(&options, world_real(), NULL, &other, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "4 partitions"));
    options.partitions = 4;
}

static unsigned places(struct journal_share *share, enum share_place place)
{
    unsigned count = 0;
    for (uint16_t i = 0; i < journal->partitions; i++)
        count += share->ops->place(share, i) == place;
    return count;
}

static void await_places(struct journal_share *share, enum share_place place, unsigned count)
{
    for (int waited_ms = 0; places(share, place) != count && waited_ms < 30000; waited_ms += 10)
        usleep(10000);
    assert_int_equal(places(share, place), count);
}

/* The second one gets its half only once the first one has left it. */
static void test_partitions_are_shared_out(void **state)
{
    (void)state;
    struct journal_share *first, *second;
    const struct journal_share_options one = { "process", "weir-1" }, two = { "process", "weir-2" };
    assert_int_equal(journal->backend->share_open(journal, &one, &first, NULL), OK);
    await_places(first, SHARE_HERE, 4);
    assert_int_equal(first->ops->state(first, NULL), OK);
    if (!journal->backend->shared) {
        first->ops->close(first);
        return;
    }
    assert_int_equal(journal->backend->share_open(journal, &two, &second, NULL), OK);
    await_places(first, SHARE_LEAVING, 2);
    assert_int_equal(places(second, SHARE_HERE), 0);
    for (uint16_t i = 0; i < 4; i++)
        if (first->ops->place(first, i) == SHARE_LEAVING)
            first->ops->left(first, i);
    await_places(second, SHARE_HERE, 2);
    for (uint16_t i = 0; i < 4; i++)
        assert_true((first->ops->place(first, i) == SHARE_HERE) != (second->ops->place(second, i) == SHARE_HERE));
    second->ops->close(second);
    assert_int_equal(journal->backend->share_open(journal, &two, &second, NULL), OK);
    await_places(second, SHARE_HERE, 2); /* it is back in time: nothing moves */
    assert_int_equal(places(first, SHARE_HERE), 2);
    second->ops->close(second);
    first->ops->close(first);
}

/* Threads: producers submit, a reader follows, the roles run by themselves. */
#define PRODUCERS 3
#define COMMITS_EACH 300

struct producer {
    uint16_t partition;
    pthread_t thread;
};

static void *produce(void *argument)
{
    struct producer *producer = argument;
    for (unsigned i = 0; i < COMMITS_EACH; i++) {
        struct sent sent;
        sent_init(&sent);
        add_chunk(&sent, TOPIC_EVENTS, producer->partition, 2, 300, i * 2);
        while (submit(&sent, NULL) != OK)
            usleep(100);
        while (atomic_load(&sent.calls) == 0)
            usleep(10);
        assert_int_equal(sent.status, OK);
        sent_done(&sent);
    }
    return NULL;
}

static void test_threads_submit_and_follow_without_loss(void **state)
{
    (void)state;
    struct role_thread *threads[2] = { NULL, NULL };
    struct producer producers[PRODUCERS];
    struct bell *bell = bell_new();
    struct journal_reader *reader;
    struct journal_read_options read_options = { TOPIC_BIT(TOPIC_EVENTS), JOURNAL_ALL_PARTITIONS, JOURNAL_BEGIN,
                                                 bell_waker(bell) };
    for (size_t i = 0; i < role_count; i++)
        assert_int_equal(role_start(&roles[i], world_real(), &threads[i], NULL), OK);
    assert_int_equal(backend_case->backend->reader_open(journal, &read_options, &reader, NULL), OK);
    for (uint16_t i = 0; i < PRODUCERS; i++) {
        producers[i].partition = i;
        assert_int_equal(pthread_create(&producers[i].thread, NULL, produce, &producers[i]), 0);
    }
    uint64_t seen[PRODUCERS] = { 0 }, total = 0;
    while (total < PRODUCERS * COMMITS_EACH * 2) {
        struct journal_batch batch;
        assert_int_equal(journal_read(reader, 1 << 20, &batch, NULL), OK);
        if (batch.chunk_count == 0)
            bell_wait(bell, -1);
        for (size_t i = 0; i < batch.chunk_count; i++) {
            const struct journal_chunk *chunk = &batch.chunks[i];
            assert_true(backend_case->far || chunk->offset == seen[chunk->partition]);
            assert_int_equal(strtoul(chunk->bytes.p + 4, NULL, 10), seen[chunk->partition]);
            seen[chunk->partition] += chunk->records;
            total += chunk->records;
        }
    }
    for (size_t i = 0; i < PRODUCERS; i++)
        pthread_join(producers[i].thread, NULL);
    journal->backend->drain(journal);
    for (size_t i = 0; i < role_count; i++)
        role_stop(threads[i]);
    backend_case->backend->reader_close(reader);
    bell_free(bell);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_an_empty_journal_gives_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_records_come_back_in_order_with_offsets_without_gaps, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_writer_s_records_are_numbered_without_gaps_also_by_his_successor,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_who_was_followed_can_commit_no_more, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_reader_sees_its_topics_and_partition_only, setup, teardown),
        cmocka_unit_test_setup_teardown(test_next_position_moves_on_where_nothing_matches, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_commit_over_several_topics_is_seen_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reading_on_from_next_position_neither_repeats_nor_skips, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_is_seen_before_it_is_durable, setup, teardown),
        cmocka_unit_test_setup_teardown(test_end_offsets_count_what_is_durable, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_reader_learns_how_many_events_it_is_behind, setup, teardown),
        cmocka_unit_test_setup_teardown(test_malformed_commits_are_refused_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_queue_bound_refuses_and_recovers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_after_drain_submits_are_closed_and_pending_ones_finish, setup, teardown),
        cmocka_unit_test_setup_teardown(test_marks_move_and_can_be_dropped, setup, teardown),
        cmocka_unit_test_setup_teardown(test_retention_deletes_what_no_mark_needs, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_full_journal_refuses_input_and_takes_the_readers_progress, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_reader_is_woken_for_what_it_reads, setup, teardown),
        cmocka_unit_test_setup_teardown(test_everything_is_there_after_closing_and_opening, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_second_opening_is_refused_with_the_process, setup, teardown),
        cmocka_unit_test_setup_teardown(test_another_number_of_partitions_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_partitions_are_shared_out, setup, teardown),
        cmocka_unit_test_setup_teardown(test_threads_submit_and_follow_without_loss, setup, teardown),
    };
    int failed = 0;
    for (size_t i = 0; i < COUNT_OF(BACKENDS); i++) {
        backend_case = &BACKENDS[i];
        if (backend_case->far == !getenv("WEIR_TEST_KAFKA")) /* with brokers: what they are needed for, alone */
            continue;
        print_message("backend %s\n", backend_case->backend->name);
        failed += cmocka_run_group_tests_name(backend_case->backend->name, tests, NULL, NULL);
    }
    return failed;
}
