/* A delivery over the memory journal and a real file, with a clock of its own, or over a target that fails as a seed
 * says. A test may end the delivery between any two of its steps, as kill -9 would: a mark that the journal has not
 * made durable by then is lost or lands, as the seed says, and a new delivery starts from what is there. At the end the
 * target must have every result: once where it keeps its place, else at least once. */
#include "deliver/deliver.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/metrics.h"
#include "base/test.h"
#include "event/window_record.h"
#include "journal/journal.h"
#include "test/support/remove_tree.h"
#include "test/support/seeds.h"
#include "world/disk.h"
#include "world/world.h"

#define RESULTS_MAX 20000

static struct {
    struct world world;
    int64_t now_us;
    uint64_t seed;
    struct metrics *metrics;
    struct journal *journal;
    struct journal_backend backend; /* the memory journal's, with a submit that can lose what it was given */
    unsigned reads;
    struct role journal_role;
    struct journal_commit *held[4]; /* submitted, not yet passed on */
    size_t held_count;
    struct delivery_options options;
    struct delivery *delivery;
    struct role role;
    uint32_t results; /* in the journal */
    char dir[64], path[96];
    /* Of the failing target: */
    uint32_t fail_percent;
    bool away, keeps_place, hangs;
    uint64_t place; /* behind what it has, when it keeps that */
    uint8_t seen[RESULTS_MAX];
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
    (void)world;
    return t.now_us;
}

static void fill(struct world *world, void *out, size_t n)
{
    (void)world;
    for (size_t i = 0; i < n; i++)
        ((char *)out)[i] = (char)dice();
}

/* ---- a target that fails ---- */

extern const struct target_backend failing;

static enum status failing_open(const struct target_options *options, struct world *world, struct target **out,
                                struct error *err)
{
    static struct target target;
    (void)options, (void)world, (void)err;
    target.backend = &failing;
    *out = &target;
    return OK;
}

static enum status failing_resume(struct target *target, char io_note[TARGET_NOTE_MAX], uint64_t *io_position,
                                  struct error *err)
{
    (void)target, (void)io_note;
    if (t.away || dice() % 100 < t.fail_percent)
        return error_set(err, ERR_RETRY, "away");
    if (t.keeps_place && t.place > *io_position)
        *io_position = t.place;
    return OK;
}

static void take(const struct target_batch *batch, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t offset;
        assert_memory_equal(batch->records[i].id.p, "windows/0/", 10);
        assert_true(slice_to_u64(slice_after(batch->records[i].id, 10), &offset) && offset < t.results);
        t.seen[offset]++;
    }
    if (count == batch->count)
        t.place = batch->to;
}

static double metric(const char *name)
{
    double value = -1;
    assert_true(metrics_read(t.metrics, name, "sink=\"test\"", &value));
    return value;
}

/* A target that answers neither yes nor no: whoever looks from outside meanwhile sees it. */
static void look_through_twenty_seconds(void)
{
    assert_true(metric("sink_up") == 1);
    t.now_us += 20000000;
    delivery_look(t.delivery);
    assert_true(metric("sink_up") == 0 && metric("sink_lag_seconds") >= 20);
}

static enum status failing_write(struct target *target, const struct target_batch *batch, char io_note[TARGET_NOTE_MAX],
                                 struct error *err)
{
    (void)target, (void)io_note;
    assert_true(batch->count > 0 && batch->to > batch->from);
    if (t.hangs)
        look_through_twenty_seconds();
    if (t.away)
        return error_set(err, ERR_RETRY, "away");
    if (dice() % 100 >= t.fail_percent) {
        take(batch, batch->count);
        return OK;
    }
    if (dice() & 1)
        take(batch, t.keeps_place ? batch->count : dice() % (batch->count + 1));
    return error_set(err, ERR_RETRY, "it may be there or not");
}

static void failing_close(struct target *target)
{
    (void)target;
}

const struct target_backend failing = { TARGET_VERSION, "failing",     failing_open,
                                        failing_resume, failing_write, failing_close };

/* ---- the journal around it ---- */

static enum status hold(struct journal *journal, struct journal_commit *commit, struct error *err)
{
    (void)journal, (void)err;
    assert_true(t.held_count < COUNT_OF(t.held));
    t.held[t.held_count++] = commit;
    return OK;
}

static void write_journal(void)
{
    int64_t wake_us = WAKE_NEVER;
    while (t.journal_role.step(t.journal_role.self, &t.world, &wake_us))
        ;
}

static void pass_on(void)
{
    for (size_t i = 0; i < t.held_count; i++)
        assert_int_equal(journal_memory.submit(t.journal, t.held[i], NULL), OK);
    t.held_count = 0;
    write_journal();
}

static enum status read_but_the_second_time(struct journal_reader *reader, size_t bytes_max, struct journal_batch *out,
                                            struct error *err)
{
    return ++t.reads != 2 ? journal_memory.read(reader, bytes_max, out, err) : error_set(err, ERR_RETRY, "not now");
}

static void emitted(struct journal_commit *commit, enum status status, const char *reason)
{
    (void)commit, (void)reason;
    assert_int_equal(status, OK);
}

static void emit(uint32_t count)
{
    struct buf bytes;
    buf_init(&bytes, JOURNAL_COMMIT_BYTES_MAX);
    for (uint32_t i = 0; i < count; i++) {
        const struct window_record window = { .customer_id = SLICE("acme"),
                                              .window = SLICE("w"),
                                              .key = SLICE("{}"),
                                              .measures = SLICE("{\"n\":1}"),
                                              .kind = WINDOW_RECORD_TUMBLING };
        uint32_t n = (uint32_t)window_record_size(&window);
        buf_add(&bytes, &n, sizeof n);
        window_record_encode(&window, buf_reserve(&bytes, n));
        bytes.n += n;
    }
    struct journal_chunk chunk = { .topic = TOPIC_WINDOWS, .records = count, .bytes = buf_slice(&bytes) };
    struct journal_commit commit = { .chunks = &chunk, .chunk_count = 1, .done = emitted };
    assert_int_equal(journal_memory.submit(t.journal, &commit, NULL), OK);
    write_journal();
    t.results += count;
    assert_true(t.results <= RESULTS_MAX);
    buf_done(&bytes);
}

/* ---- running ---- */

static void open_delivery(void)
{
    struct error err;
    if (delivery_open(&t.options, t.journal, t.metrics, &t.world, &t.delivery, &err) != OK)
        fail_msg("%s", err.text);
    t.role = delivery_role(t.delivery);
}

/* kill -9: marks that are under way are lost, or land. */
static void crash(void)
{
    bool lost = dice() & 1;
    for (size_t i = 0; lost && i < t.held_count; i++)
        t.held[i]->done(t.held[i], ERR_CLOSED, "the power was cut");
    if (lost)
        t.held_count = 0;
    pass_on();
    delivery_close(t.delivery);
    open_delivery();
}

/* One step, and the passing of time when it sleeps. False when nothing is left to do. */
static bool step(void)
{
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
    for (unsigned steps = 0; step(); steps++)
        assert_true(steps < 1000000);
}

static int setup(void **state)
{
    (void)state;
    memset(&t, 0, sizeof t);
    t.seed = 0x9e3779b97f4a7c15;
    t.now_us = 1767225600000000;
    t.world = (struct world){ .wall_us = now, .mono_us = now, .random = fill, .disk = disk_real() };
    t.metrics = metrics_new(1000);
    struct journal_options journal = { .partitions = 1, .segment_bytes = 1 << 12, .queue_bytes_max = 1 << 28 };
    assert_int_equal(journal_memory.open(&journal, &t.world, t.metrics, &t.journal, NULL), OK);
    t.backend = journal_memory;
    t.backend.submit = hold;
    t.journal->backend = &t.backend;
    journal_memory.roles(t.journal, &t.journal_role);
    snprintf(t.dir, sizeof t.dir, "/tmp/weir-deliver-XXXXXX");
    assert_non_null(mkdtemp(t.dir));
    snprintf(t.path, sizeof t.path, "%s/results.jsonl", t.dir);
    delivery_options_default(&t.options);
    t.options.sink = "test";
    t.options.backend = &failing;
    t.options.selection = (struct selection){ .results = "windows", .windows = "", .tenants = "" };
    t.options.target = (struct target_options){ .orders = 1, .path = t.path };
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    pass_on();
    delivery_close(t.delivery);
    t.journal->backend = &journal_memory;
    journal_memory.close(t.journal);
    metrics_free(t.metrics);
    return remove_tree(t.dir);
}

/* ---- what must hold ---- */

static void read_file(void)
{
    char *text, *rest = NULL;
    size_t n;
    assert_int_equal(disk_read_whole(t.world.disk, t.path, 1 << 28, &text, &n, NULL), OK);
    assert_true(n > 0 && text[n - 1] == '\n');
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        const char *id = strstr(line, "\"id\":\"windows/0/");
        assert_true(id && line[strlen(line) - 1] == '}');
        t.seen[strtoul(id + 16, NULL, 10)]++;
    }
    free(text);
}

static void assert_each(uint8_t least, uint8_t most)
{
    for (uint32_t i = 0; i < t.results; i++)
        if (t.seen[i] < least || t.seen[i] > most)
            fail_msg("result %u of %u came %u times", i, t.results, t.seen[i]);
}

static void live(uint64_t seed, const struct target_backend *backend, bool keeps_place)
{
    setup(NULL);
    t.seed = seed * 0x9e3779b97f4a7c15 + 1;
    t.options.backend = backend;
    t.keeps_place = keeps_place;
    t.fail_percent = dice() % 40;
    open_delivery();
    for (unsigned turns = 0; turns < 60; turns++) {
        if (dice() % 3)
            emit(1 + dice() % (dice() % 10 ? 20 : 2000) % (RESULTS_MAX / 60));
        for (uint64_t steps = dice() % 12; steps; steps--)
            (void)step();
        if (dice() % 8 == 0)
            crash();
    }
    emit(1);
    t.fail_percent = 0;
    run();
    if (backend == &target_file)
        read_file();
    assert_each(1, backend == &target_file || keeps_place ? 1 : UINT8_MAX);
    teardown(NULL);
}

static void life(uint64_t seed)
{
    live(seed, &failing, true);
    live(seed, &failing, false);
    live(seed, &target_file, false);
}

static void test_lives_with_crashes_and_failures_deliver_each_result(void **state)
{
    (void)state;
    seeds_run("deliver", 1, 60, life);
}

static void test_a_target_that_is_away_for_too_long_loses_the_oldest_and_says_how_many(void **state)
{
    (void)state;
    t.options.hold_bytes = 64 << 10;
    t.keeps_place = true;
    open_delivery();
    emit(100);
    run();
    assert_int_equal(metric("sink_records_total"), 100);
    t.away = true;
    for (int i = 0; i < 40; i++) {
        emit(100);
        for (int steps = 0; steps < 50; steps++)
            (void)step();
    }
    struct journal_mark mark;
    struct journal_status status;
    char note[JOURNAL_NOTE_MAX];
    pass_on();
    assert_int_equal(journal_memory.mark(t.journal, "sink.test", JOURNAL_ALL_PARTITIONS, &mark, note), OK);
    journal_memory.status(t.journal, &status);
    assert_true(status.end_position - mark.position <= t.options.hold_bytes + (16 << 10));
    assert_true(metric("sink_up") == 0 && metric("sink_lag_seconds") > 0 && metric("sink_skipped_total") > 1000);
    t.away = false;
    run();
    assert_each(0, 1);
    assert_int_equal(metric("sink_records_total") + metric("sink_skipped_total"), t.results);
    uint32_t last = 0;
    for (uint32_t i = 100; i < t.results && !last; i++)
        last = t.seen[i] ? i : 0;
    for (uint32_t i = last; i < t.results; i++)
        assert_int_equal(t.seen[i], 1);
    assert_true(metric("sink_up") == 1 && metric("sink_lag_seconds") == 0);
}

static void test_a_write_that_stands_still_is_seen_as_a_lag_and_a_target_that_is_away(void **state)
{
    (void)state;
    open_delivery();
    emit(100);
    run();
    assert_true(metric("sink_up") == 1 && metric("sink_lag_seconds") == 0);
    t.hangs = true;
    emit(100);
    run();
    assert_true(metric("sink_up") == 1 && metric("sink_lag_seconds") == 0);
    assert_each(1, 1);
}

static void test_what_is_passed_over_is_counted_once_though_reading_fails_on_the_way(void **state)
{
    (void)state;
    t.options.hold_bytes = 1200 << 10;
    t.keeps_place = true;
    open_delivery();
    run();
    t.away = true;
    emit(10);
    for (int steps = 0; steps < 20; steps++)
        (void)step();
    for (int i = 0; i < 19; i++)
        emit(1000);
    t.backend.read = read_but_the_second_time;
    for (int steps = 0; steps < 200; steps++)
        (void)step();
    t.away = false;
    run();
    assert_true(t.reads > 3 && metric("sink_skipped_total") > 0);
    assert_int_equal(metric("sink_records_total") + metric("sink_skipped_total"), t.results);
}

static uint64_t mark_position(void)
{
    struct journal_mark mark;
    char note[JOURNAL_NOTE_MAX];
    pass_on();
    assert_int_equal(journal_memory.mark(t.journal, "sink.test", JOURNAL_ALL_PARTITIONS, &mark, note), OK);
    return mark.position;
}

/* Others hold the journal further back than the sink does: what it has delivered is not counted as held back by it. */
static void test_a_start_while_the_target_is_away_passes_over_nothing_that_may_wait(void **state)
{
    (void)state;
    t.options.hold_bytes = 64 << 10;
    open_delivery();
    for (int i = 0; i < 40; i++) {
        emit(100);
        run();
    }
    emit(10); /* waits */
    const uint64_t marked = mark_position();
    t.away = true;
    crash();
    for (int steps = 0; steps < 200; steps++)
        (void)step();
    assert_true(mark_position() >= marked);
    assert_int_equal(metric("sink_skipped_total"), 0);
    t.away = false;
    run();
    assert_each(1, 1);
}

static void test_a_new_sink_that_begins_at_the_end_waits_there_for_its_target(void **state)
{
    (void)state;
    emit(50);
    t.options.from_end = true;
    t.away = true;
    open_delivery();
    for (int i = 0; i < 10; i++) {
        emit(10);
        for (int steps = 0; steps < 20; steps++)
            (void)step();
    }
    t.away = false;
    run();
    for (uint32_t i = 0; i < t.results; i++)
        assert_int_equal(t.seen[i], i >= 50);
}

static void test_it_is_not_drained_before_all_that_was_durable_is_there(void **state)
{
    (void)state;
    open_delivery();
    run();
    t.options.selection.tenants = "nobody";
    crash(); /* nothing of what comes now is for this sink */
    run();
    for (int i = 0; i < 100; i++)
        emit(100); /* more than one read gives */
    delivery_drain(t.delivery);
    int64_t wake_us = WAKE_NEVER;
    bool more = t.role.step(t.role.self, &t.world, &wake_us);
    assert_true(more && !delivery_is_drained(t.delivery));
    run();
    assert_true(delivery_is_drained(t.delivery));
}

static void test_without_a_bound_nothing_is_passed_over(void **state)
{
    (void)state;
    t.away = true;
    open_delivery();
    for (int i = 0; i < 40; i++) {
        emit(200);
        for (int steps = 0; steps < 50; steps++)
            (void)step();
    }
    t.away = false;
    run();
    assert_each(1, 1);
}

static void test_results_that_are_too_large_are_counted_and_the_others_go_on(void **state)
{
    (void)state;
    t.options.record_bytes_max = 100;
    open_delivery();
    emit(10);
    run();
    assert_each(0, 0);
    assert_int_equal(metric("sink_refused_total"), 10);
    assert_int_equal(metric("sink_records_total"), 0);
}

static void test_a_new_sink_may_begin_at_the_end_and_goes_on_from_there(void **state)
{
    (void)state;
    emit(50);
    t.options.from_end = true;
    open_delivery();
    run();
    emit(3);
    crash();
    run();
    for (uint32_t i = 0; i < t.results; i++)
        assert_int_equal(t.seen[i], i >= 50);
}

static void test_a_file_that_was_moved_away_is_left_alone_and_a_new_one_begins(void **state)
{
    (void)state;
    char moved[128];
    t.options.backend = &target_file;
    open_delivery();
    emit(10);
    run();
    snprintf(moved, sizeof moved, "%s.1", t.path);
    assert_int_equal(rename(t.path, moved), 0);
    emit(5);
    run();
    crash();
    emit(1);
    run();
    read_file();
    for (uint32_t i = 0; i < t.results; i++)
        assert_int_equal(t.seen[i], i >= 10);
}

static void test_the_mark_of_a_sink_that_is_gone_goes(void **state)
{
    (void)state;
    struct journal_mark mark;
    struct error err;
    char note[JOURNAL_NOTE_MAX];
    open_delivery();
    emit(10);
    run();
    t.backend.submit = journal_memory.submit;
    assert_int_equal(journal_memory.mark(t.journal, "sink.test", JOURNAL_ALL_PARTITIONS, &mark, note), OK);
    struct role_thread *thread;
    assert_int_equal(role_start(&t.journal_role, &t.world, &thread, &err), OK);
    assert_int_equal(delivery_forget("test", JOURNAL_ALL_PARTITIONS, t.journal, &err), OK);
    assert_int_equal(delivery_forget("never", JOURNAL_ALL_PARTITIONS, t.journal, &err), OK);
    role_stop(thread);
    assert_int_equal(journal_memory.mark(t.journal, "sink.test", JOURNAL_ALL_PARTITIONS, &mark, note), ERR_NOT_FOUND);
}

static void test_what_cannot_work_is_refused_with_the_name_of_the_sink(void **state)
{
    (void)state;
    struct error err;
    t.options.backend = &target_file;
    t.options.target.path = "/nowhere/at/all";
    assert_int_equal(delivery_open(&t.options, t.journal, t.metrics, &t.world, &t.delivery, &err), ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "sinks.test: there is no directory /nowhere/at/"));
    t.options.selection.results = "windwos";
    assert_int_equal(delivery_open(&t.options, t.journal, t.metrics, &t.world, &t.delivery, &err), ERR_INVALID);
    t.delivery = NULL;
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lives_with_crashes_and_failures_deliver_each_result),
        CASE(test_a_target_that_is_away_for_too_long_loses_the_oldest_and_says_how_many),
        CASE(test_a_write_that_stands_still_is_seen_as_a_lag_and_a_target_that_is_away),
        CASE(test_what_is_passed_over_is_counted_once_though_reading_fails_on_the_way),
        CASE(test_a_start_while_the_target_is_away_passes_over_nothing_that_may_wait),
        CASE(test_a_new_sink_that_begins_at_the_end_waits_there_for_its_target),
        CASE(test_it_is_not_drained_before_all_that_was_durable_is_there),
        CASE(test_without_a_bound_nothing_is_passed_over),
        CASE(test_results_that_are_too_large_are_counted_and_the_others_go_on),
        CASE(test_a_new_sink_may_begin_at_the_end_and_goes_on_from_there),
        CASE(test_a_file_that_was_moved_away_is_left_alone_and_a_new_one_begins),
        CASE(test_the_mark_of_a_sink_that_is_gone_goes),
        CASE(test_what_cannot_work_is_refused_with_the_name_of_the_sink),
    };
    log_set_level(LOG_ERROR);
    seeds_choose_tests();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
