/* What the header of keyed state promises, case by case; test/sim/keyed_crash_test.c has the crashes. */
#include "process/state/keyed.h"

#include <stdio.h>
#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/test.h"
#include "process/process_output.h"
#include "process/state/keyed_table.h"
#include "process/state/state_kv.h"
#include "world/disk_sim.h"
#include "world/world_sim.h"

static struct world_sim sim_time;
static struct disk_sim *disk;
static struct state_kv *kv;
static struct keyed *keyed;
static struct state *state;
static struct process_outputs outputs;
static struct error err;

static void encode(const struct keyed_kind *kind, const void *row, struct buf *to)
{
    buf_add(to, row, kind->row_bytes);
}

static enum status decode(const struct keyed_kind *kind, struct slice bytes, void *row, struct error *error)
{
    if (bytes.n != kind->row_bytes)
        return error_set(error, ERR_CORRUPT, "%zu bytes", bytes.n);
    memcpy(row, bytes.p, bytes.n);
    return OK;
}

static const struct keyed_kind COUNTER = { 1, 8, encode, decode, NULL, NULL };
static const struct keyed_kind LARGE = { 2, 3000, encode, decode, NULL, NULL };

static void start(uint64_t memory_bytes_max)
{
    static const struct keyed_kind *const kinds[] = { &COUNTER, &LARGE };
    disk = disk_sim_new(1, &sim_time);
    world_sim_init(&sim_time, 1, disk_sim_disk(disk));
    kv = state_kv_new(&(struct state_kv_options){ .path = "/s", .backend = &kv_disk }, &sim_time.world);
    keyed = keyed_new(&(struct keyed_options){ kinds, 2, memory_bytes_max }, kv, &sim_time.world);
    state = keyed_state(keyed);
}

static int stop(void **unused)
{
    (void)unused;
    keyed_free(keyed);
    state_kv_free(kv);
    disk_sim_free(disk);
    process_outputs_done(&outputs);
    keyed = NULL;
    return 0;
}

static struct id128 id_of(uint64_t key)
{
    XXH128_hash_t hash = XXH3_128bits_withSeed(&key, sizeof key, 5);
    return (struct id128){ hash.low64, hash.high64 };
}

static struct keyed_pane *pane_of(const struct keyed_kind *kind, int64_t start_ms)
{
    bool is_new;
    return keyed_pane_get(keyed, kind, keyed_tenant(keyed, SLICE("acme")), start_ms, true, &is_new);
}

static bool count(struct keyed_pane *pane, uint64_t key)
{
    struct keyed_row *row;
    bool is_new;
    uint64_t value;
    assert_int_equal(keyed_row_get(keyed, pane, id_of(key), slice_of(&key, sizeof key), &row, &is_new, &err), OK);
    memcpy(&value, row->data, sizeof value);
    value++;
    memcpy(row->data, &value, sizeof value);
    keyed_row_touch(keyed, row);
    return is_new;
}

static uint64_t value_of(struct keyed_pane *pane, uint64_t key)
{
    struct keyed_row *row;
    uint64_t value;
    enum status s = keyed_row_find(keyed, pane, id_of(key), &row, &err);
    if (s == ERR_NOT_FOUND)
        return 0;
    assert_int_equal(s, OK);
    memcpy(&value, row->data, sizeof value);
    return value;
}

/* Returns the bytes of the changelog's records. */
static size_t commit(void)
{
    static uint64_t offset;
    process_outputs_reset(&outputs);
    struct process_stream *changelog = process_outputs_stream(&outputs, TOPIC_CHANGELOG, 0);
    assert_int_equal(state->ops->collect(state, changelog, &err), OK);
    struct slice rest = buf_slice(&changelog->bytes), record;
    while (journal_next_record(&rest, &record))
        state->ops->durable(state, record, offset++);
    return changelog->bytes.n;
}

static void maintain(void)
{
    bool more = true;
    for (int i = 0; i < 10000 && more; i++)
        assert_int_equal(state->ops->maintain(state, &more, &err), OK);
    assert_false(more);
}

static struct keyed_usage usage(void)
{
    struct keyed_usage out;
    keyed_usage(keyed, &out);
    return out;
}

/* ---- rows ---- */

static void test_a_row_is_new_once_and_counts_in_its_pane(void **unused)
{
    (void)unused;
    start(0);
    struct keyed_pane *one = pane_of(&COUNTER, 0), *other = pane_of(&COUNTER, 1000);
    assert_true(count(one, 7));
    assert_false(count(one, 7));
    assert_true(count(other, 7));
    assert_int_equal(value_of(one, 7), 2);
    assert_int_equal(value_of(other, 7), 1);
    assert_int_equal(value_of(one, 8), 0);
    assert_int_equal(one->rows, 1);
}

static void test_a_commit_of_8192_counters_costs_some_26_bytes_a_row(void **unused)
{
    (void)unused;
    start(0);
    struct keyed_pane *pane = pane_of(&COUNTER, 0);
    for (uint64_t key = 0; key < 8192; key++)
        (void)count(pane, key);
    assert_true(state->ops->pending_bytes(state) >= commit());
    for (uint64_t key = 0; key < 8192; key++)
        (void)count(pane, key);
    assert_true(commit() < 8192 * 27); /* 16 of id, 8 of value, revision, length */
    assert_int_equal(commit(), 0);
}

static void test_a_key_that_is_too_long_is_refused_and_leaves_nothing(void **unused)
{
    (void)unused;
    start(0);
    static char key[KEYED_KEY_MAX + 1];
    struct keyed_pane *pane = pane_of(&COUNTER, 0);
    struct keyed_row *row;
    bool is_new;
    assert_int_equal(keyed_row_get(keyed, pane, id_of(1), slice_of(key, sizeof key), &row, &is_new, &err), ERR_INVALID);
    assert_int_equal(pane->rows, 0);
    assert_int_equal(keyed_row_get(keyed, pane, id_of(1), slice_of(key, KEYED_KEY_MAX), &row, &is_new, &err), OK);
    assert_int_equal(row->key_n, KEYED_KEY_MAX);
}

static void count_visit(void *self, struct keyed_row *row)
{
    (void)row;
    (*(uint64_t *)self)++;
}

static void test_200000_rows_are_found_walked_and_dropped(void **unused)
{
    (void)unused;
    start(256u << 20);
    struct keyed_pane *pane = pane_of(&COUNTER, 0);
    uint64_t seen = 0;
    bool done = false;
    for (uint64_t key = 0; key < 200000; key++)
        assert_true(count(pane, key));
    for (uint64_t key = 0; key < 200000; key += 17)
        assert_int_equal(value_of(pane, key), 1);
    for (struct id128 cursor = { 0, 0 }; !done;)
        assert_int_equal(keyed_pane_walk(keyed, pane, &cursor, 777, count_visit, &seen, &done, &err), OK);
    assert_int_equal(seen, 200000);
    (void)commit();
    uint64_t before = usage().memory_bytes;
    keyed_pane_drop(keyed, pane);
    (void)commit();
    maintain();
    assert_int_equal(usage().rows_in_memory, 0);
    assert_int_equal(usage().panes, 0);
    assert_true(usage().memory_bytes < before / 100);
}

/* ---- memory ---- */

static void test_a_complete_pane_never_asks_the_disk(void **unused)
{
    (void)unused;
    start(64u << 20);
    struct keyed_pane *pane = pane_of(&COUNTER, 0);
    uint64_t steps = disk_sim_steps(disk);
    for (uint64_t key = 0; key < 5000; key++)
        (void)count(pane, key);
    (void)commit();
    maintain();
    assert_true(keyed_pane_is_complete(pane));
    assert_int_equal(disk_sim_steps(disk), steps);
    assert_int_equal(usage().base_reads, 0);
}

static void test_rows_beyond_the_bound_live_in_the_map_and_come_back(void **unused)
{
    (void)unused;
    start(1u << 20);
    struct keyed_pane *pane = pane_of(&COUNTER, 0);
    for (uint64_t key = 0; key < 60000; key++) {
        if (key % 500 == 0) {
            (void)commit();
            while (state->ops->prepare(state, 500, &err) != OK)
                maintain();
            assert_true(usage().memory_bytes <= 1u << 20);
        }
        assert_true(count(pane, key));
    }
    assert_true(usage().rows_in_memory < 15000 && usage().evictions > 45000);
    assert_false(keyed_pane_is_complete(pane));
    assert_int_equal(pane->rows, 60000);
    struct id128 ids[300];
    for (uint64_t key = 0; key < 60000; key += 300) {
        for (uint64_t i = 0; i < 300; i++)
            ids[i] = id_of(key + i);
        assert_int_equal(keyed_load(keyed, pane, ids, 300, &err), OK);
        for (uint64_t i = 0; i < 300; i += 13)
            assert_int_equal(value_of(pane, key + i), 1);
        maintain();
    }
    assert_false(count(pane, 17)); /* known, wherever it was */
    assert_int_equal(value_of(pane, 17), 2);
}

static void test_large_rows_are_written_in_pieces(void **unused)
{
    (void)unused;
    start(2u << 20);
    struct keyed_pane *pane = pane_of(&LARGE, 0);
    for (uint64_t key = 0; key < 3000; key++) {
        (void)count(pane, key);
        if (key % 100 == 99) {
            (void)commit();
            maintain();
        }
    }
    for (uint64_t key = 0; key < 3000; key += 7)
        assert_int_equal(value_of(pane, key), 1);
    assert_true(usage().evictions > 2000);
}

/* ---- panes ---- */

static void test_panes_come_when_they_are_due_in_order(void **unused)
{
    (void)unused;
    start(0);
    uint32_t acme = keyed_tenant(keyed, SLICE("acme")), other = keyed_tenant(keyed, SLICE("other"));
    bool is_new;
    for (int64_t i = 0; i < 100; i++)
        keyed_pane_set_due(keyed, keyed_pane_get(keyed, &COUNTER, acme, i, true, &is_new), (i * 37) % 100);
    keyed_pane_set_due(keyed, keyed_pane_get(keyed, &COUNTER, other, 0, true, &is_new), -5);
    assert_int_equal(keyed_due_ms(keyed, acme), 0);
    assert_null(keyed_pane_next_due(keyed, acme, -1));
    assert_int_equal(keyed_pane_next_due(keyed, other, 0)->due_ms, -5);
    for (int64_t due_ms = 0; due_ms < 100; due_ms++) {
        struct keyed_pane *pane = keyed_pane_next_due(keyed, acme, due_ms);
        assert_non_null(pane);
        assert_int_equal(pane->due_ms, due_ms);
        assert_ptr_equal(keyed_pane_next_due(keyed, acme, 1000), pane); /* again until something is done with it */
        if (due_ms % 2)
            keyed_pane_drop(keyed, pane);
        else
            keyed_pane_set_due(keyed, pane, KEYED_NEVER);
    }
    assert_null(keyed_pane_next_due(keyed, acme, 1000));
    assert_int_equal(keyed_due_ms(keyed, acme), KEYED_NEVER);
}

static void test_the_pane_that_expires_first_is_named_whoever_it_belongs_to(void **unused)
{
    (void)unused;
    start(0);
    bool is_new;
    struct keyed_pane *pane = pane_of(&COUNTER, 0);
    struct keyed_pane *other = keyed_pane_get(keyed, &LARGE, keyed_tenant(keyed, SLICE("b")), 0, true, &is_new);
    keyed_pane_set_expires(keyed, pane, 500);
    keyed_pane_set_expires(keyed, other, 400);
    assert_null(keyed_pane_next_expired(keyed, 399));
    assert_ptr_equal(keyed_pane_next_expired(keyed, 600), other);
    keyed_pane_drop(keyed, other);
    assert_ptr_equal(keyed_pane_next_expired(keyed, 600), pane);
}

static void test_a_pane_dropped_before_its_first_commit_leaves_no_record(void **unused)
{
    (void)unused;
    start(0);
    struct keyed_pane *pane = pane_of(&COUNTER, 0);
    (void)count(pane, 1);
    keyed_pane_drop(keyed, pane);
    assert_int_equal(commit(), 0);
    pane = pane_of(&COUNTER, 0);
    assert_true(count(pane, 1));
    assert_int_equal(value_of(pane, 1), 1);
}

static void test_a_record_that_is_cut_or_foreign_is_refused(void **unused)
{
    (void)unused;
    start(0);
    (void)count(pane_of(&COUNTER, 0), 1);
    (void)commit();
    struct slice rest = buf_slice(&process_outputs_stream(&outputs, TOPIC_CHANGELOG, 0)->bytes), record = { 0 };
    assert_true(journal_next_record(&rest, &record));
    char *copy = malloc(record.n); /* exactly, so that the sanitizer sees a step beyond */
    memcpy(copy, record.p, record.n);
    for (size_t n = 3; n < record.n; n++) {
        char *cut = malloc(n);
        memcpy(cut, copy, n);
        state->ops->empty(state);
        enum status s = state->ops->apply(state, slice_of(cut, n), 0, &err);
        assert_true(s == ERR_CORRUPT || s == OK); /* OK: cut between two entries */
        free(cut);
    }
    state->ops->empty(state);
    assert_int_equal(state->ops->apply(state, slice_of(copy, record.n), 0, &err), OK);
    assert_int_equal(value_of(pane_of(&COUNTER, 0), 1), 1);
    copy[1] = 2;
    assert_int_equal(state->ops->apply(state, slice_of(copy, record.n), 1, &err), ERR_CORRUPT);
    free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(test) cmocka_unit_test_teardown(test, stop)
        CASE(test_a_row_is_new_once_and_counts_in_its_pane),
        CASE(test_a_commit_of_8192_counters_costs_some_26_bytes_a_row),
        CASE(test_a_key_that_is_too_long_is_refused_and_leaves_nothing),
        CASE(test_200000_rows_are_found_walked_and_dropped),
        CASE(test_a_complete_pane_never_asks_the_disk),
        CASE(test_rows_beyond_the_bound_live_in_the_map_and_come_back),
        CASE(test_large_rows_are_written_in_pieces),
        CASE(test_panes_come_when_they_are_due_in_order),
        CASE(test_the_pane_that_expires_first_is_named_whoever_it_belongs_to),
        CASE(test_a_pane_dropped_before_its_first_commit_leaves_no_record),
        CASE(test_a_record_that_is_cut_or_foreign_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
