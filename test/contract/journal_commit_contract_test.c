/* What every journal backend promises its writers: a commit is whole, durable before it is seen, refused at once or
 * done once; marks and bounds, what retention may delete, and what is there after closing and opening. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "test/support/journal_fixture.h"
#include "world/world.h"

static void test_a_commit_over_several_topics_is_seen_whole(void **state)
{
    (void)state;
    struct sent sent;
    sent_init(&sent);
    sent_add_chunk(&sent, TOPIC_ENRICHED, 2, 2, 40, 0);
    sent_add_chunk(&sent, TOPIC_WINDOWS, 2, 1, 4000, 2);
    sent_add_chunk(&sent, TOPIC_ENRICHED, 3, 1, 10, 3);
    sent_add_mark(&sent, "process", 2, 4711, "note");
    sent_expect(&sent, OK);
    sent_done(&sent);
    struct journal_reader *reader =
        reader_at(TOPIC_BIT(TOPIC_ENRICHED) | TOPIC_BIT(TOPIC_WINDOWS), JOURNAL_ALL_PARTITIONS, JOURNAL_BEGIN);
    struct journal_batch batch;
    size_t seen = 0;
    assert_int_equal(read_some(reader, fixture.far ? 1 << 20 : 1, &batch, NULL), OK);
    for (seen = batch.chunk_count; fixture.far && seen < 3; seen += batch.chunk_count)
        assert_int_equal(read_some(reader, 1 << 20, &batch, NULL), OK);
    assert_int_equal(seen, 3);
    if (!fixture.far)
        assert_int_equal(batch.chunks[0].position, batch.chunks[2].position);
    fixture.backend->reader_close(reader);
    struct journal_mark mark;
    char note[JOURNAL_NOTE_MAX];
    assert_int_equal(fixture.journal->backend->mark(fixture.journal, "process", 2, &mark, note), OK);
    assert_int_equal(mark.position, 4711);
    assert_true(slice_equal(mark.note, SLICE("note")));
    assert_int_equal(fixture.journal->backend->mark(fixture.journal, "process", 1, &mark, note), ERR_NOT_FOUND);
    assert_int_equal(fixture.journal->backend->mark(fixture.journal, "proces", 2, &mark, note), ERR_NOT_FOUND);
}

/* Of the topics of which the newest record counts a reader of all gets each with the partition that it is of. */
static void test_what_is_said_of_a_partition_comes_with_its_number(void **state)
{
    (void)state;
    struct sent sent;
    struct journal_batch batch;
    unsigned seen = 0;
    sent_init(&sent);
    sent_add_chunk(&sent, TOPIC_TASKS, 3, 1, 40, 3);
    sent_add_chunk(&sent, TOPIC_TASKS, 1, 1, 40, 1);
    sent_expect(&sent, OK);
    sent_done(&sent);
    struct journal_reader *reader = reader_at(TOPIC_BIT(TOPIC_TASKS), JOURNAL_ALL_PARTITIONS, JOURNAL_BEGIN);
    for (size_t chunks = 0; chunks < 2; chunks += batch.chunk_count) {
        assert_int_equal(read_some(reader, 1 << 20, &batch, NULL), OK);
        for (size_t i = 0; i < batch.chunk_count; i++) {
            assert_int_equal(batch.chunks[i].partition, strtoul(batch.chunks[i].bytes.p + 4, NULL, 10));
            seen |= 1u << batch.chunks[i].partition;
        }
    }
    assert_int_equal(seen, 1u << 3 | 1u << 1);
    fixture.backend->reader_close(reader);
}

static void take_of_dimensions(struct journal_reader *reader, struct journal_chunk *out, size_t count)
{
    struct journal_batch batch;
    for (size_t n = 0; n < count; n += batch.chunk_count) {
        assert_int_equal(read_some(reader, 1 << 20, &batch, NULL), OK);
        for (size_t i = 0; i < batch.chunk_count; i++)
            out[n + i] = batch.chunks[i];
    }
}

static void done_of_keys(struct journal_commit *commit, enum status status, const char *reason)
{
    (void)reason;
    *(_Atomic int *)commit->context = status == OK ? 1 : -1;
}

/* Far backends keep of each key the newest record: whoever reads has the key, and is told what is to be forgotten. */
static void test_a_record_with_a_key_comes_with_it_and_so_does_its_end(void **state)
{
    (void)state;
    struct error err;
    _Atomic int done = 0;
    const struct journal_mark mark = { .group = "dimensions", .topic = TOPIC_DIMENSIONS, .position = JOURNAL_BEGIN };
    const struct journal_chunk chunks[] = {
        { .topic = TOPIC_DIMENSIONS, .records = 1, .bytes = SLICE("\3\0\0\0abc"), .offset = 4711 },
        { .topic = TOPIC_DIMENSIONS, .records = 1, .bytes = SLICE(""), .offset = 4711 },
    };
    struct journal_commit commit = {
        .chunks = chunks, .chunk_count = 2, .marks = &mark, .mark_count = 1, .done = done_of_keys, .context = &done
    };
    struct journal_chunk got[2];
    if (!fixture.far)
        return; /* nobody else would read it */
    assert_int_equal(fixture.journal->backend->own(fixture.journal, "dimensions", 0, &err), OK);
    assert_int_equal(journal_submit(fixture.journal, &commit, &err), OK);
    while (done == 0)
        journal_fixture_step();
    assert_int_equal(done, 1);
    struct journal_reader *reader = reader_at(TOPIC_BIT(TOPIC_DIMENSIONS), 0, JOURNAL_BEGIN);
    take_of_dimensions(reader, got, 2);
    assert_int_equal(got[0].offset, 4711);
    assert_int_equal(got[0].bytes.n, 7);
    assert_int_equal(got[1].offset, 4711);
    assert_int_equal(got[1].bytes.n, 0);
    fixture.backend->reader_close(reader);
}

static void test_nothing_is_seen_before_it_is_durable(void **state)
{
    (void)state;
    struct sent sent;
    sent_init(&sent);
    sent_add_chunk(&sent, TOPIC_EVENTS, 0, 1, 20, 0);
    assert_int_equal(sent_submit(&sent, NULL), OK);
    if (!fixture.far) /* whose own threads send it, and others may see it before we know */
        assert_int_equal(count_from(TOPIC_BIT(TOPIC_EVENTS), 0, JOURNAL_BEGIN, 0), 0);
    assert_int_equal(sent.calls, 0);
    journal_fixture_step();
    assert_int_equal(sent.calls, 1);
    assert_int_equal(count_from(TOPIC_BIT(TOPIC_EVENTS), 0, JOURNAL_BEGIN, 0), 1);
    sent_done(&sent);
}

static void submit_expect_invalid(struct sent *sent)
{
    struct error err = { OK, "" };
    assert_int_equal(sent_submit(sent, &err), ERR_INVALID);
    assert_true(err.text[0] != 0);
    sent_done(sent);
    journal_fixture_step();
    assert_int_equal(sent->calls, 0);
}

static void test_malformed_commits_are_refused_at_once(void **state)
{
    (void)state;
    struct sent sent;
    sent_init(&sent);
    submit_expect_invalid(&sent); /* empty */
    sent_init(&sent);
    sent_add_chunk(&sent, TOPIC_EVENTS, 4, 1, 10, 0); /* partition */
    submit_expect_invalid(&sent);
    sent_init(&sent);
    sent_add_chunk(&sent, 0, 0, 1, 10, 0); /* topic */
    submit_expect_invalid(&sent);
    sent_init(&sent);
    sent_add_chunk(&sent, TOPIC_EVENTS, 0, 2, 10, 0);
    sent.chunks[0].records = 3; /* count */
    submit_expect_invalid(&sent);
    sent_init(&sent);
    sent_add_chunk(&sent, TOPIC_EVENTS, 0, 2, 10, 0);
    sent.chunks[0].bytes.n--; /* length */
    submit_expect_invalid(&sent);
    sent_init(&sent);
    sent_add_mark(&sent, "", 0, 1, ""); /* group */
    submit_expect_invalid(&sent);
    sent_init(&sent);
    sent_add_chunk(&sent, TOPIC_EVENTS, 0, 1, JOURNAL_COMMIT_BYTES_MAX, 0); /* size */
    submit_expect_invalid(&sent);
}

static void test_the_queue_bound_refuses_and_recovers(void **state)
{
    (void)state;
    struct sent first, second;
    journal_fixture_close();
    fixture.options.queue_bytes_max = 1000;
    journal_fixture_open();
    sent_init(&first);
    sent_init(&second);
    sent_add_chunk(&first, TOPIC_EVENTS, 0, 1, 800, 0);
    sent_add_chunk(&second, TOPIC_EVENTS, 0, 1, 800, 1);
    assert_int_equal(sent_submit(&first, NULL), OK);
    assert_int_equal(sent_submit(&second, NULL), ERR_FULL);
    journal_fixture_step();
    assert_int_equal(first.status, OK);
    sent_expect(&second, OK);
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
    sent_add_chunk(&first, TOPIC_EVENTS, 0, 1, 80, 0);
    sent_add_chunk(&second, TOPIC_EVENTS, 0, 1, 80, 1);
    assert_int_equal(sent_submit(&first, NULL), OK);
    fixture.journal->backend->drain(fixture.journal);
    assert_int_equal(sent_submit(&second, NULL), ERR_CLOSED);
    journal_fixture_step();
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
    assert_int_equal(fixture.journal->backend->mark(fixture.journal, "store", JOURNAL_ALL_PARTITIONS, &mark, note), OK);
    assert_true(mark.position == JOURNAL_BEGIN); /* and not the first record's: tokens are made of it */
    assert_true(slice_equal(mark.note, SLICE("a")));
    send_mark("store", JOURNAL_ALL_PARTITIONS, 100, long_note);
    send_mark("store", JOURNAL_ALL_PARTITIONS, 200, "b");
    assert_int_equal(fixture.journal->backend->mark(fixture.journal, "store", JOURNAL_ALL_PARTITIONS, &mark, note), OK);
    assert_int_equal(mark.position, 200);
    assert_true(slice_equal(mark.note, SLICE("b")));
    send_mark("store", JOURNAL_ALL_PARTITIONS, JOURNAL_MARK_DROP, "");
    assert_int_equal(fixture.journal->backend->mark(fixture.journal, "store", JOURNAL_ALL_PARTITIONS, &mark, note),
                     ERR_NOT_FOUND);
}

static void test_retention_deletes_what_no_mark_needs(void **state)
{
    (void)state;
    if (fixture.far)
        skip();
    journal_fixture_close();
    fixture.options.retention_bytes = 3 * SEGMENT;
    journal_fixture_open();
    struct journal_reader *reader = reader_at(TOPIC_BIT(TOPIC_EVENTS), 0, JOURNAL_BEGIN);
    struct journal_batch batch;
    unsigned sent = send_many(0, 1);
    assert_int_equal(journal_read(reader, 1, &batch, NULL), OK);
    assert_int_equal(batch.chunk_count, 1);
    send_mark("slow", 0, batch.next_position, "");
    sent = send_many(sent, 60);
    struct journal_status status;
    fixture.journal->backend->status(fixture.journal, &status);
    assert_true(status.bytes_on_disk > 8 * SEGMENT);
    assert_true(status.begin_position <= batch.next_position);
    send_mark("slow", 0, status.end_position, "");
    sent = send_many(sent, 8);
    fixture.journal->backend->status(fixture.journal, &status);
    assert_true(status.bytes_on_disk <= 5 * SEGMENT);
    assert_true(status.begin_position > batch.next_position);
    struct error err;
    assert_int_equal(journal_read(reader, 1, &batch, &err), ERR_NOT_FOUND);
    fixture.backend->reader_close(reader);
    reader = reader_at(TOPIC_BIT(TOPIC_EVENTS), 0, JOURNAL_BEGIN);
    assert_int_equal(journal_read(reader, 1, &batch, &err), OK);
    uint64_t first = batch.chunks[0].offset;
    assert_true(first > 0);
    fixture.backend->reader_close(reader);
    assert_int_equal(count_from(TOPIC_BIT(TOPIC_EVENTS), 0, JOURNAL_BEGIN, (unsigned)first), sent * 10 - first);
}

/* Ten records of a state's changelog, and the mark that says from where on it is needed. */
static void send_changes(unsigned number, uint64_t needed)
{
    struct sent sent;
    sent_init(&sent);
    sent_add_chunk(&sent, TOPIC_CHANGELOG, 1, 10, 80, number);
    sent_add_mark(&sent, "process.checkpoint", 1, needed, "");
    sent.marks[0].topic = TOPIC_CHANGELOG;
    sent_expect(&sent, OK);
    sent_done(&sent);
}

/* The first record that is there; *out_position: of the `number`th chunk from there. */
static uint64_t first_change(size_t number, uint64_t *out_position)
{
    struct journal_reader *reader = reader_at(TOPIC_BIT(TOPIC_CHANGELOG), 1, JOURNAL_BEGIN);
    struct journal_batch batch;
    uint64_t first = UINT64_MAX;
    for (size_t seen = 0; seen <= number; seen += batch.chunk_count) {
        assert_int_equal(read_some(reader, 1, &batch, NULL), OK);
        assert_true(batch.chunk_count > 0);
        if (seen == 0)
            first = batch.chunks[0].offset;
        if (out_position && number < seen + batch.chunk_count)
            *out_position = batch.chunks[number - seen].position;
    }
    fixture.backend->reader_close(reader);
    return first;
}

/* A far backend has no bound by time for it, so it deletes at once, a second later. */
static void test_of_a_changelog_stays_what_its_mark_needs(void **state)
{
    (void)state;
    uint64_t old, needed;
    struct journal_batch batch;
    struct error err;
    for (unsigned i = 0; i < 6; i++)
        send_changes(i * 10, JOURNAL_BEGIN);
    assert_int_equal(first_change(1, &old), 0);
    assert_int_equal(first_change(3, &needed), 0);
    send_changes(60, needed);
    for (int i = 0; fixture.far && first_change(0, NULL) != 30 && i < 100; i++) {
        usleep(100000);
        journal_fixture_step();
    }
    assert_int_equal(first_change(0, NULL), fixture.far ? 30 : 0);
    assert_int_equal(count_from(TOPIC_BIT(TOPIC_CHANGELOG), 1, needed, 30), 40);
    if (!fixture.far)
        return;
    struct journal_reader *reader = reader_at(TOPIC_BIT(TOPIC_CHANGELOG), 1, old);
    assert_int_equal(read_some(reader, 1, &batch, &err), ERR_NOT_FOUND);
    fixture.backend->reader_close(reader);
}

static void test_a_full_journal_refuses_input_and_takes_the_readers_progress(void **state)
{
    (void)state;
    if (fixture.far)
        skip();
    journal_fixture_close();
    fixture.options.total_bytes_max = 8 * SEGMENT;
    journal_fixture_open();
    send_mark("slow", 0, 100, "");
    struct sent sent;
    struct error err = { OK, "" };
    enum status s = OK;
    unsigned commits = 0;
    for (; s == OK && commits < 1000; commits++) {
        sent_init(&sent);
        sent_add_chunk(&sent, TOPIC_EVENTS, 0, 10, 4000, commits * 10);
        s = sent_submit(&sent, &err);
        journal_fixture_step();
        s = s == OK ? sent.status : s;
        sent_done(&sent);
    }
    assert_int_equal(s, ERR_FULL);
    assert_true(commits > 8 && commits < 50);
    struct journal_status status;
    fixture.journal->backend->status(fixture.journal, &status);
    assert_true(status.full);
    sent_init(&sent);
    sent_add_chunk(&sent, TOPIC_ENRICHED, 0, 10, 4000, 0);
    sent_add_mark(&sent, "slow", 0, status.end_position, "");
    sent_expect(&sent, OK);
    sent_done(&sent);
    for (int i = 0; i < 3; i++)
        journal_fixture_step();
    send_records(TOPIC_EVENTS, 0, 1, 100, 0);
}

static void test_everything_is_there_after_closing_and_opening(void **state)
{
    (void)state;
    struct journal_mark mark;
    char note[JOURNAL_NOTE_MAX];
    if (!fixture.keeps)
        skip();
    unsigned sent = send_many(0, 25);
    send_mark("process", 3, 4711, "what it must know");
    for (int i = 0; i < 5; i++) {
        journal_fixture_close();
        journal_fixture_open();
        assert_int_equal(count_from(TOPIC_BIT(TOPIC_EVENTS), 0, JOURNAL_BEGIN, 0), sent * 10);
        assert_int_equal(fixture.journal->backend->mark(fixture.journal, "process", 3, &mark, note), OK);
        assert_int_equal(mark.position, 4711);
        assert_true(slice_equal(mark.note, SLICE("what it must know")));
        sent = send_many(sent, 7);
    }
    assert_int_equal(count_from(TOPIC_BIT(TOPIC_EVENTS), 0, JOURNAL_BEGIN, 0), sent * 10);
}

static void test_a_second_opening_is_refused_with_the_process(void **state)
{
    (void)state;
    if (!fixture.keeps)
        skip();
    if (fixture.far)
        skip(); /* it is everybody's: see test_who_was_followed_can_commit_no_more */
    struct journal *second;
    struct error err;
    char pid[32];
    snprintf(pid, sizeof pid, "process %ld", (long)getpid());
    assert_int_equal(fixture.backend->open(&fixture.options, world_real(), NULL, &second, &err), ERR_FULL);
    assert_non_null(strstr(err.text, pid));
}

static void test_another_number_of_partitions_is_refused(void **state)
{
    (void)state;
    if (!fixture.keeps)
        skip();
    struct journal *other;
    struct error err;
    send_records(TOPIC_EVENTS, 0, 1, 10, 0);
    journal_fixture_close();
    fixture.options.partitions = 8;
    assert_int_equal(fixture.backend->open(&fixture.options, world_real(), NULL, &other, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "4 partitions"));
    fixture.options.partitions = 4;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        JOURNAL_TEST(test_a_commit_over_several_topics_is_seen_whole),
        JOURNAL_TEST(test_what_is_said_of_a_partition_comes_with_its_number),
        JOURNAL_TEST(test_a_record_with_a_key_comes_with_it_and_so_does_its_end),
        JOURNAL_TEST(test_nothing_is_seen_before_it_is_durable),
        JOURNAL_TEST(test_malformed_commits_are_refused_at_once),
        JOURNAL_TEST(test_the_queue_bound_refuses_and_recovers),
        JOURNAL_TEST(test_after_drain_submits_are_closed_and_pending_ones_finish),
        JOURNAL_TEST(test_marks_move_and_can_be_dropped),
        JOURNAL_TEST(test_retention_deletes_what_no_mark_needs),
        JOURNAL_TEST(test_of_a_changelog_stays_what_its_mark_needs),
        JOURNAL_TEST(test_a_full_journal_refuses_input_and_takes_the_readers_progress),
        JOURNAL_TEST(test_everything_is_there_after_closing_and_opening),
        JOURNAL_TEST(test_a_second_opening_is_refused_with_the_process),
        JOURNAL_TEST(test_another_number_of_partitions_is_refused),
    };
    return journal_fixture_run(tests, COUNT_OF(tests));
}
