/* The sink over the memory journal and the memory store, with a clock of its own. A test may end the sink between any
 * two of its steps, as kill -9 would: commits that the journal has not made durable by then are lost or land, as the
 * test says, and a new sink starts from the mark. At the end every row must be in the store exactly once. */
#include "store/sink.h"

#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include "base/metrics.h"
#include "base/test.h"
#include "event/event.h"
#include "journal/journal.h"
#include "store/store_memory.h"
#include "world/world.h"

#define PARTITIONS 4
#define TOKENS_MAX 65536

static struct {
    struct world world;
    int64_t now_us;
    uint64_t seed;
    struct metrics *metrics;
    struct journal *journal;
    struct journal_backend backend; /* the memory journal's, with a submit that can lose what it was given */
    struct role journal_role;
    struct journal_commit *held[8]; /* submitted, not yet passed on */
    size_t held_count;
    struct store *store;
    struct store_memory_options faults;
    struct sink_options options;
    struct sink *sink;
    struct role role;
    uint64_t steps, crash_at_step; /* of the sink; 0: never */
    bool crash_loses;              /* what is not durable then */
    uint32_t events[PARTITIONS], unreadable, poisoned;
    uint32_t fail_percent;
    uint32_t commit_fail_percent;
    bool lost; /* a commit failed: none succeeds before the mark is owned again */
    struct {
        char token[STORE_TOKEN_MAX];
        uint64_t hash;
    } * tokens; /* every token ever used, and what it stood for */
    size_t token_count;
    uint64_t inserts, rows_in_largest;
} t;

static uint64_t dice(void)
{
    t.seed ^= t.seed << 13;
    t.seed ^= t.seed >> 7;
    t.seed ^= t.seed << 17;
    return t.seed;
}

static int64_t now(struct world *world)
{
    return t.now_us;
}

static void fill(struct world *world, void *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ((char *)out)[i] = (char)dice();
}

static enum status hold(struct journal *journal, struct journal_commit *commit, struct error *err)
{
    assert_true(t.held_count < COUNT_OF(t.held));
    t.held[t.held_count++] = commit;
    return OK;
}

/* A token must stand for the same bytes whenever it is used. */
static void check_token(const struct store_insert *insert)
{
    struct native_parts parts;
    uint64_t hash = 0;
    native_parts(insert->block, insert->first, insert->end, &parts);
    for (size_t i = 0; i < parts.count; i++)
        hash = XXH3_64bits_withSeed(parts.parts[i].iov_base, parts.parts[i].iov_len, hash);
    size_t i = 0;
    while (i < t.token_count && strcmp(t.tokens[i].token, insert->token) != 0)
        i++;
    if (i == t.token_count) {
        assert_true(t.token_count < TOKENS_MAX);
        snprintf(t.tokens[i].token, STORE_TOKEN_MAX, "%s", insert->token);
        t.tokens[i].hash = hash;
        t.token_count++;
    }
    assert_int_equal(t.tokens[i].hash, hash);
}

static enum store_fault on_insert(void *context, const struct store_insert *insert)
{
    check_token(insert);
    t.inserts++;
    if (insert->end - insert->first > t.rows_in_largest)
        t.rows_in_largest = insert->end - insert->first;
    if (dice() % 100 >= t.fail_percent)
        return STORE_FAULT_NONE;
    return dice() & 1 ? STORE_FAULT_BEFORE : STORE_FAULT_AFTER;
}

static enum status own(struct journal *journal, const char *group, uint16_t partition, struct error *err)
{
    assert_int_equal(t.held_count, 0);
    t.lost = false;
    return OK;
}

static void applied(struct journal_commit *commit, enum status status, const char *reason)
{
    assert_int_equal(status, OK);
}

/* The commit's end is in doubt: it may be there. */
static void fail_commit(struct journal_commit *commit)
{
    struct journal_commit copy = *commit;
    int64_t wake_us = WAKE_NEVER;
    copy.done = applied;
    if (!t.lost && (dice() & 1)) {
        assert_int_equal(journal_memory.submit(t.journal, &copy, NULL), OK);
        while (t.journal_role.step(t.journal_role.self, &t.world, &wake_us))
            ;
    }
    t.lost = true;
    commit->done(commit, ERR_IO, "the broker went away");
}

static void pass_on(void)
{
    int64_t wake_us = WAKE_NEVER;
    for (size_t i = 0; i < t.held_count; i++) {
        if (t.lost || dice() % 100 < t.commit_fail_percent)
            fail_commit(t.held[i]);
        else
            assert_int_equal(journal_memory.submit(t.journal, t.held[i], NULL), OK);
    }
    t.held_count = 0;
    while (t.journal_role.step(t.journal_role.self, &t.world, &wake_us))
        ;
}

static void open_sink(void)
{
    struct error err;
    if (sink_open(&t.options, t.journal, t.store, t.metrics, &t.world, &t.sink, &err) != OK)
        fail_msg("%s", err.text);
    t.role = sink_role(t.sink);
}

static void crash(void)
{
    for (size_t i = 0; t.crash_loses && i < t.held_count; i++)
        t.held[i]->done(t.held[i], ERR_CLOSED, "the power was cut");
    if (t.crash_loses)
        t.held_count = 0;
    pass_on();
    sink_close(t.sink);
    open_sink();
}

static int setup(void **state)
{
    memset(&t, 0, sizeof t);
    t.seed = 0x9e3779b97f4a7c15;
    t.now_us = 1767225600000000;
    t.world = (struct world){ .wall_us = now, .mono_us = now, .random = fill };
    t.metrics = metrics_new(1000);
    t.tokens = calloc(TOKENS_MAX, sizeof *t.tokens);
    struct journal_options journal = { .partitions = PARTITIONS, .segment_bytes = 1 << 24, .queue_bytes_max = 1 << 28 };
    assert_int_equal(journal_memory.open(&journal, &t.world, t.metrics, &t.journal, NULL), OK);
    t.backend = journal_memory;
    t.backend.submit = hold;
    t.backend.own = own;
    t.journal->backend = &t.backend;
    journal_memory.roles(t.journal, &t.journal_role);
    assert_int_equal(store_memory.open(NULL, &t.world, &t.store, NULL), OK);
    t.faults = (struct store_memory_options){ .fault = on_insert, .poison_table = "events_raw", .poison = "POISON" };
    store_memory_set(t.store, &t.faults);
    sink_options_default(&t.options);
    open_sink();
    return 0;
}

static int teardown(void **state)
{
    pass_on();
    sink_close(t.sink);
    store_close(t.store);
    t.journal->backend = &journal_memory;
    journal_memory.close(t.journal);
    metrics_free(t.metrics);
    free(t.tokens);
    return 0;
}

/* ---- input ---- */

static void emitted(struct journal_commit *commit, enum status status, const char *reason)
{
    assert_int_equal(status, OK);
}

static void commit_records(uint16_t partition, struct buf *bytes, uint32_t records)
{
    struct journal_chunk chunk = {
        .topic = TOPIC_ENRICHED, .partition = partition, .records = records, .bytes = buf_slice(bytes)
    };
    struct journal_commit commit = { .chunks = &chunk, .chunk_count = 1, .done = emitted };
    assert_false(bytes->full);
    assert_int_equal(journal_memory.submit(t.journal, &commit, NULL), OK);
    int64_t wake_us = WAKE_NEVER;
    while (t.journal_role.step(t.journal_role.self, &t.world, &wake_us))
        ;
    t.events[partition] += records;
    buf_done(bytes);
}

static void add_record(struct buf *bytes, const struct event *event)
{
    uint32_t n = (uint32_t)event_encoded_size(event);
    buf_add(bytes, &n, sizeof n);
    char *to = buf_reserve(bytes, n);
    assert_non_null(to);
    event_encode(event, to);
    bytes->n += n;
}

static struct event some_event(void)
{
    return (struct event){ .customer_id = SLICE("acme"),
                           .visitor_id = SLICE("v1"),
                           .event_id = SLICE("e1"),
                           .event_type = SLICE("page_view"),
                           .event_name = SLICE("Home"),
                           .properties = SLICE("{\"page\":\"/\"}"),
                           .context = SLICE("{}"),
                           .timestamp_ms = t.now_us / 1000,
                           .received_ms = t.now_us / 1000,
                           .ingested_us = t.now_us };
}

static void emit(uint16_t partition, uint32_t count)
{
    struct buf bytes;
    buf_init(&bytes, JOURNAL_COMMIT_BYTES_MAX);
    for (uint32_t i = 0; i < count; i++) {
        struct event event = some_event();
        event.timestamp_ms -= (int64_t)(i % 330) * 30 * 86400000;
        add_record(&bytes, &event);
    }
    commit_records(partition, &bytes, count);
}

static void emit_poison(uint16_t partition)
{
    struct buf bytes;
    struct event event = some_event();
    buf_init(&bytes, 1 << 20);
    event.properties = SLICE("{\"page\":\"POISON\"}");
    add_record(&bytes, &event);
    commit_records(partition, &bytes, 1);
    t.poisoned++;
}

static void emit_unreadable(uint16_t partition, uint32_t count)
{
    struct buf bytes;
    uint32_t n = 5;
    buf_init(&bytes, 1 << 20);
    for (uint32_t i = 0; i < count; i++) {
        buf_add(&bytes, &n, sizeof n);
        buf_add(&bytes, "wrong", n);
    }
    commit_records(partition, &bytes, count);
    t.unreadable += count;
}

/* ---- running ---- */

/* One step of the sink, and the passing of time when it sleeps. False when nothing is left to do. */
static bool step(void)
{
    if (++t.steps == t.crash_at_step)
        crash();
    int64_t wake_us = WAKE_NEVER;
    if (t.role.step(t.role.self, &t.world, &wake_us)) {
        t.now_us += 10;
        return true;
    }
    if (t.held_count) {
        pass_on();
        return true;
    }
    if (wake_us > t.now_us + 9000000) /* the memory's release, or nothing at all */
        return false;
    t.now_us = wake_us > t.now_us ? wake_us : t.now_us + 1;
    return true;
}

static void run(void)
{
    uint64_t bound = t.steps + 2000000;
    while (step())
        assert_true(t.steps < bound);
}

static void run_until_inserts(uint64_t inserts)
{
    while (t.inserts < inserts)
        assert_true(step());
}

/* ---- what must hold ---- */

struct seen {
    uint8_t *rows[PARTITIONS];
    uint32_t store_letters;
};

static void see_event(void *context, const struct native_block *block, uint32_t row)
{
    struct seen *seen = context;
    uint16_t partition;
    uint64_t offset;
    memcpy(&partition, native_value(block, native_column_index(block, "journal_partition"), row).p, sizeof partition);
    memcpy(&offset, native_value(block, native_column_index(block, "journal_position"), row).p, sizeof offset);
    assert_true(partition < PARTITIONS && offset < t.events[partition]);
    seen->rows[partition][offset]++;
}

static void see_letter(void *context, const struct native_block *block, uint32_t row)
{
    struct seen *seen = context;
    struct slice stage = native_value(block, native_column_index(block, "stage"), row);
    seen->store_letters += slice_equal(stage, SLICE("store"));
}

static void assert_exactly_once(void)
{
    struct seen seen = { 0 };
    uint32_t missing = 0, twice = 0;
    for (size_t i = 0; i < PARTITIONS; i++)
        assert_non_null(seen.rows[i] = calloc(t.events[i] + 1, 1));
    store_memory_each(t.store, "events_raw", see_event, &seen);
    store_memory_each(t.store, "dead_letters", see_letter, &seen);
    for (size_t i = 0; i < PARTITIONS; i++) {
        for (uint32_t j = 0; j < t.events[i]; j++) {
            missing += seen.rows[i][j] == 0;
            twice += seen.rows[i][j] > 1;
        }
        free(seen.rows[i]);
    }
    assert_int_equal(twice, 0);
    assert_int_equal(missing, t.poisoned + t.unreadable);
    assert_int_equal(seen.store_letters, t.poisoned + t.unreadable);
}

static enum status read_mark(struct journal_mark *out)
{
    static char note[JOURNAL_NOTE_MAX];
    return journal_memory.mark(t.journal, SINK_GROUP, JOURNAL_ALL_PARTITIONS, out, note);
}

static void assert_nothing_under_way(void)
{
    struct journal_mark mark;
    assert_int_equal(read_mark(&mark), OK);
    assert_int_equal(mark.note.n, 0);
}

/* ---- tests ---- */

static void test_a_lone_event_is_stored_after_the_linger(void **state)
{
    run();
    int64_t begin_us = t.now_us;
    emit(0, 1);
    while (store_memory_rows(t.store, "events_raw") == 0)
        assert_true(step());
    assert_in_range(t.now_us - begin_us, 3000, 4000);
    run();
    assert_exactly_once();
    assert_nothing_under_way();
}

static void test_a_trickle_is_gathered_into_few_inserts(void **state)
{
    for (int ms = 0; ms < 1000; ms++) {
        int64_t until_us = t.now_us + 1000;
        emit((uint16_t)(ms % PARTITIONS), 1);
        while (t.now_us < until_us && step())
            ;
        t.now_us = until_us;
    }
    run();
    assert_exactly_once();
    assert_in_range(t.inserts, 20, 27);
}

static void test_a_backlog_goes_in_large_blocks(void **state)
{
    for (int i = 0; i < 30; i++)
        emit((uint16_t)(i % PARTITIONS), 5000);
    run();
    assert_exactly_once();
    assert_in_range(t.inserts, 2, 3);
    assert_true(t.rows_in_largest >= 95000);
}

/* Ends the sink once, at each step of a scenario in turn, losing or keeping what was in flight. */
static void crash_everywhere(void (*scenario)(void))
{
    uint64_t crashes = 0;
    for (uint64_t at = 1, reached = true; reached; at++) {
        for (int loses = 0; loses < 2; loses++) {
            teardown(NULL);
            setup(NULL);
            t.seed += at;
            t.crash_at_step = at;
            t.crash_loses = loses;
            scenario();
            run();
            assert_exactly_once();
            assert_nothing_under_way();
            reached = t.steps >= at;
            crashes += reached;
        }
    }
    print_message("%lu crashes\n", crashes);
    assert_true(crashes > 40);
}

static void three_batches(void)
{
    for (uint16_t i = 0; i < 3; i++) {
        emit(i, 10 + i);
        emit(0, 1);
        run();
    }
}

static void three_batches_broken_off_once_each(void)
{
    for (uint16_t i = 0; i < 3; i++) {
        emit(i, 10 + i);
        t.fail_percent = 100;
        run_until_inserts(t.inserts + 1);
        t.fail_percent = t.commit_fail_percent = 0;
        run();
    }
}

static void poison_among_rows(void)
{
    emit(0, 5);
    emit_poison(1);
    emit(1, 3);
    emit_poison(0);
    emit_unreadable(2, 1);
    emit(2, 4);
    run();
    emit(3, 2);
}

static void test_a_crash_at_any_step_stores_each_row_once(void **state)
{
    crash_everywhere(three_batches);
}

static void test_a_crash_after_a_broken_insert_stores_each_row_once(void **state)
{
    crash_everywhere(three_batches_broken_off_once_each);
}

static void test_a_crash_among_refused_rows_writes_each_letter_once(void **state)
{
    crash_everywhere(poison_among_rows);
}

static void test_one_refused_row_does_not_take_others_with_it(void **state)
{
    emit(0, 500);
    emit_poison(0);
    emit(0, 500);
    run();
    assert_exactly_once();
    assert_int_equal(store_memory_rows(t.store, "events_raw"), 1000);
    assert_int_equal(store_memory_rows(t.store, "dead_letters"), 1);
}

static void see_original(void *context, const struct native_block *block, uint32_t row)
{
    struct slice original = native_value(block, native_column_index(block, "original"), row);
    struct slice customer = native_value(block, native_column_index(block, "customer_id"), row);
    struct slice event_id = native_value(block, native_column_index(block, "event_id"), row);
    static const char WANT[] = "{\"customer_id\":\"acme\",\"placement\":\"\",\"visitor_id\":\"v1\",\"user_id\":\"\","
                               "\"session_id\":\"\",\"event_id\":\"e1\",\"event_type\":\"page_view\",\"event_name\":"
                               "\"Home\",\"properties\":{\"page\":\"POISON\"},\"context\":{},\"timestamp\":"
                               "1767225600000,\"received_at\":1767225600000,\"identity_stitched\":false,"
                               "\"journal_partition\":2,\"journal_position\":0}";
    assert_true(slice_equal(customer, SLICE("acme")));
    assert_true(slice_equal(event_id, SLICE("e1")));
    assert_int_equal(original.n, sizeof WANT - 1);
    assert_memory_equal(original.p, WANT, original.n);
    *(int *)context += 1;
}

static void test_a_letter_names_tenant_event_and_row(void **state)
{
    int letters = 0;
    emit_poison(2);
    run();
    store_memory_each(t.store, "dead_letters", see_original, &letters);
    assert_int_equal(letters, 1);
}

static void test_more_refused_rows_than_one_commit_takes(void **state)
{
    for (uint64_t crash_at = 100; crash_at < 1400; crash_at += 400) {
        teardown(NULL);
        setup(NULL);
        for (int i = 0; i < 700; i++)
            emit_poison((uint16_t)(i % PARTITIONS));
        emit_unreadable(1, 3);
        emit(0, 10);
        t.crash_at_step = crash_at;
        run();
        assert_true(t.steps > crash_at);
        assert_exactly_once();
    }
}

static void test_a_store_that_is_away_loses_nothing(void **state)
{
    t.fail_percent = 100;
    emit(0, 100);
    int64_t begin_us = t.now_us;
    while (t.now_us - begin_us < 600 * 1000000LL)
        assert_true(step());
    /* Pauses of 0.5 to 1 second, after the first few. */
    assert_in_range(t.inserts, 590, 1210);
    emit(1, 100);
    t.fail_percent = 0;
    run();
    assert_exactly_once();
}

static void test_many_partitions_go_in_several_inserts_within_the_window(void **state)
{
    t.faults.window_blocks = SINK_PARTITIONS_MAX + SINK_BLOCKS_UNMARKED;
    store_memory_set(t.store, &t.faults);
    for (uint64_t at = 0; at < 12; at++) {
        struct buf bytes;
        buf_init(&bytes, JOURNAL_COMMIT_BYTES_MAX);
        for (int i = 0; i < 15000; i++) {
            char name[16];
            struct event event = some_event();
            event.placement = slice_of(name, (size_t)snprintf(name, sizeof name, "t%d", i % 7900));
            add_record(&bytes, &event);
        }
        t.crash_at_step = t.steps + 2 + at;
        commit_records(0, &bytes, 15000);
        run();
    }
    assert_exactly_once();
    assert_in_range(t.rows_in_largest, 1000, SINK_PARTITIONS_MAX);
}

static void test_too_many_unreadable_records_stop_the_sink_and_not_the_data(void **state)
{
    struct journal_mark mark;
    emit_unreadable(0, LETTER_BOX_MAX + 1);
    for (int i = 0; i < 50; i++)
        assert_true(step());
    assert_int_equal(store_memory_inserts(t.store), 0);
    assert_int_equal(read_mark(&mark), ERR_NOT_FOUND);
}

static void test_draining_waits_for_nobody(void **state)
{
    emit(0, 10);
    run();
    emit(0, 1);
    int64_t begin_us = t.now_us;
    sink_drain(t.sink);
    for (int i = 0; !sink_is_drained(t.sink) && i < 100; i++)
        step();
    assert_true(sink_is_drained(t.sink));
    assert_true(t.now_us - begin_us < 3000);
    assert_exactly_once();
}

static void test_a_mark_moves_also_when_nothing_is_for_the_store(void **state)
{
    char *bytes = calloc(1, 8 << 20);
    uint32_t n = (8 << 20) - sizeof n;
    memcpy(bytes, &n, sizeof n);
    for (int i = 0; i < 3; i++) {
        struct journal_chunk chunk = { .topic = TOPIC_CHANGELOG, .records = 1, .bytes = { bytes, 8 << 20 } };
        struct journal_commit commit = { .chunks = &chunk, .chunk_count = 1, .done = emitted };
        assert_int_equal(journal_memory.submit(t.journal, &commit, NULL), OK);
        pass_on();
        run();
    }
    struct journal_mark mark;
    assert_int_equal(read_mark(&mark), OK);
    assert_true(mark.position >= 16 << 20);
    free(bytes);
}

static void test_a_note_of_somebody_else_is_refused(void **state)
{
    struct journal_mark mark = {
        .group = SINK_GROUP, .partition = JOURNAL_ALL_PARTITIONS, .position = 1, .note = SLICE("to=0 table=9")
    };
    struct journal_commit commit = { .marks = &mark, .mark_count = 1, .done = emitted };
    struct sink *other;
    struct error err;
    assert_int_equal(journal_memory.submit(t.journal, &commit, NULL), OK);
    pass_on();
    assert_int_equal(sink_open(&t.options, t.journal, t.store, t.metrics, &t.world, &other, &err), ERR_CORRUPT);
    assert_non_null(strstr(err.text, "table=9"));
}

static void emit_something(void)
{
    uint16_t partition = (uint16_t)(dice() % PARTITIONS);
    switch (dice() % 8) {
    case 0:
        emit_poison(partition);
        break;
    case 1:
        emit_unreadable(partition, 1);
        break;
    default:
        emit(partition, 1 + (uint32_t)(dice() % 100));
    }
}

static void test_seeded_faults_and_crashes(void **state)
{
    for (uint64_t seed = 1; seed <= 60; seed++) {
        teardown(NULL);
        setup(NULL);
        print_message("seed %lu\n", seed);
        t.seed = seed * 0x2545f4914f6cdd1d;
        t.fail_percent = (uint32_t)(dice() % 60);
        t.commit_fail_percent = seed % 2 ? 0 : (uint32_t)(dice() % 30);
        t.options.batch.rows_max = 1 + (uint32_t)(dice() % 300);
        crash();
        for (int turn = 0; turn < 40; turn++) {
            emit_something();
            for (uint64_t steps = dice() % 40; steps > 0 && step(); steps--)
                ;
            t.crash_loses = dice() & 1;
            if (dice() % 3 == 0)
                crash();
        }
        t.fail_percent = 0;
        run();
        assert_exactly_once();
        assert_nothing_under_way();
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_a_lone_event_is_stored_after_the_linger),
        TEST(test_a_trickle_is_gathered_into_few_inserts),
        TEST(test_a_backlog_goes_in_large_blocks),
        TEST(test_a_crash_at_any_step_stores_each_row_once),
        TEST(test_a_crash_after_a_broken_insert_stores_each_row_once),
        TEST(test_a_crash_among_refused_rows_writes_each_letter_once),
        TEST(test_one_refused_row_does_not_take_others_with_it),
        TEST(test_a_letter_names_tenant_event_and_row),
        TEST(test_more_refused_rows_than_one_commit_takes),
        TEST(test_a_store_that_is_away_loses_nothing),
        TEST(test_many_partitions_go_in_several_inserts_within_the_window),
        TEST(test_too_many_unreadable_records_stop_the_sink_and_not_the_data),
        TEST(test_draining_waits_for_nobody),
        TEST(test_a_mark_moves_also_when_nothing_is_for_the_store),
        TEST(test_a_note_of_somebody_else_is_refused),
        TEST(test_seeded_faults_and_crashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
