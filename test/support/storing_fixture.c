#include "test/support/storing_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#define TOKENS_MAX 65536

struct storing storing;

/* ---- faults ---- */

/* A token must stand for the same bytes whenever it is used. */
static void check_token(const struct store_insert *insert)
{
    struct native_parts parts;
    uint64_t hash = 0;
    native_parts(insert->block, insert->first, insert->end, &parts);
    for (size_t i = 0; i < parts.count; i++)
        hash = XXH3_64bits_withSeed(parts.parts[i].iov_base, parts.parts[i].iov_len, hash);
    size_t i = 0;
    while (i < storing.token_count && strcmp(storing.tokens[i].token, insert->token) != 0)
        i++;
    if (i == storing.token_count) {
        assert_true(storing.token_count < TOKENS_MAX);
        snprintf(storing.tokens[i].token, STORE_TOKEN_MAX, "%s", insert->token);
        storing.tokens[i].hash = hash;
        storing.token_count++;
    }
    assert_int_equal(storing.tokens[i].hash, hash);
}

static enum store_fault on_insert(void *context, const struct store_insert *insert)
{
    check_token(insert);
    storing.inserts++;
    if (insert->end - insert->first > storing.rows_in_largest)
        storing.rows_in_largest = insert->end - insert->first;
    if (stand_dice() % 100 >= storing.fail_percent)
        return STORE_FAULT_NONE;
    return stand_dice() & 1 ? STORE_FAULT_BEFORE : STORE_FAULT_AFTER;
}

static enum status own(struct journal *journal, const char *group, uint16_t partition, struct error *err)
{
    assert_int_equal(stand.held_count, 0);
    storing.lost = false;
    return OK;
}

/* The commit's end is in doubt: it may be there. */
static bool fail_commit(struct journal_commit *commit)
{
    if (!storing.lost && stand_dice() % 100 >= storing.commit_fail_percent)
        return false;
    struct journal_commit copy = *commit;
    if (!storing.lost && (stand_dice() & 1))
        stand_submit(&copy);
    storing.lost = true;
    commit->done(commit, ERR_IO, "the broker went away");
    return true;
}

/* ---- the sink ---- */

static void open_sink(void)
{
    struct error err;
    if (sink_open(&storing.options, stand.journal, storing.store, stand.metrics, &stand.world, &storing.sink, &err) !=
        OK)
        fail_msg("%s", err.text);
    stand.role = sink_role(storing.sink);
}

void storing_crash(void)
{
    if (storing.crash_loses)
        stand_lose();
    stand_pass_on();
    sink_close(storing.sink);
    open_sink();
}

int storing_begin(void **state)
{
    (void)state;
    stand_begin(STORING_PARTITIONS, 1 << 24);
    stand.backend.own = own;
    stand.fails = fail_commit;
    memset(&storing, 0, sizeof storing);
    storing.tokens = calloc(TOKENS_MAX, sizeof *storing.tokens);
    assert_int_equal(store_memory.open(NULL, &stand.world, &storing.store, NULL), OK);
    storing.faults =
        (struct store_memory_options){ .fault = on_insert, .poison_table = "events_raw", .poison = "POISON" };
    store_memory_set(storing.store, &storing.faults);
    sink_options_default(&storing.options);
    open_sink();
    return 0;
}

int storing_end(void **state)
{
    (void)state;
    stand_pass_on();
    sink_close(storing.sink);
    store_close(storing.store);
    stand_end();
    free(storing.tokens);
    return 0;
}

/* ---- input ---- */

void storing_commit(uint16_t partition, struct buf *bytes, uint32_t records)
{
    assert_false(bytes->full);
    stand_emit(&(struct journal_chunk){
        .topic = TOPIC_ENRICHED, .partition = partition, .records = records, .bytes = buf_slice(bytes) });
    storing.events[partition] += records;
    buf_done(bytes);
}

void storing_add_event(struct buf *bytes, const struct event *event)
{
    event_encode(event, stand_add_record(bytes, event_encoded_size(event)));
}

struct event storing_event(void)
{
    return (struct event){ .customer_id = SLICE("acme"),
                           .visitor_id = SLICE("v1"),
                           .event_id = SLICE("e1"),
                           .event_type = SLICE("page_view"),
                           .event_name = SLICE("Home"),
                           .properties = SLICE("{\"page\":\"/\"}"),
                           .context = SLICE("{}"),
                           .timestamp_ms = stand.now_us / 1000,
                           .received_ms = stand.now_us / 1000,
                           .ingested_us = stand.now_us };
}

void storing_emit(uint16_t partition, uint32_t count)
{
    struct buf bytes;
    buf_init(&bytes, JOURNAL_COMMIT_BYTES_MAX);
    for (uint32_t i = 0; i < count; i++) {
        struct event event = storing_event();
        event.timestamp_ms -= (int64_t)(i % 330) * 30 * 86400000;
        storing_add_event(&bytes, &event);
    }
    storing_commit(partition, &bytes, count);
}

void storing_emit_poison(uint16_t partition)
{
    struct buf bytes;
    struct event event = storing_event();
    buf_init(&bytes, 1 << 20);
    event.properties = SLICE("{\"page\":\"POISON\"}");
    storing_add_event(&bytes, &event);
    storing_commit(partition, &bytes, 1);
    storing.poisoned++;
}

void storing_emit_unreadable(uint16_t partition, uint32_t count)
{
    struct buf bytes;
    buf_init(&bytes, 1 << 20);
    for (uint32_t i = 0; i < count; i++)
        memcpy(stand_add_record(&bytes, 5), "wrong", 5);
    storing_commit(partition, &bytes, count);
    storing.unreadable += count;
}

/* ---- running ---- */

bool storing_step(void)
{
    if (++storing.steps == storing.crash_at_step)
        storing_crash();
    return stand_step();
}

void storing_run(void)
{
    uint64_t bound = storing.steps + 2000000;
    while (storing_step())
        assert_true(storing.steps < bound);
}

void storing_run_until_inserts(uint64_t inserts)
{
    while (storing.inserts < inserts)
        assert_true(storing_step());
}

/* ---- what must hold ---- */

struct seen {
    uint8_t *rows[STORING_PARTITIONS];
    uint32_t store_letters;
};

static void see_event(void *context, const struct native_block *block, uint32_t row)
{
    struct seen *seen = context;
    uint16_t partition;
    uint64_t offset;
    memcpy(&partition, native_value(block, native_column_index(block, "journal_partition"), row).p, sizeof partition);
    memcpy(&offset, native_value(block, native_column_index(block, "journal_position"), row).p, sizeof offset);
    assert_true(partition < STORING_PARTITIONS && offset < storing.events[partition]);
    seen->rows[partition][offset]++;
}

static void see_letter(void *context, const struct native_block *block, uint32_t row)
{
    struct seen *seen = context;
    struct slice stage = native_value(block, native_column_index(block, "stage"), row);
    seen->store_letters += slice_equal(stage, SLICE("store"));
}

void storing_expect_exactly_once(void)
{
    struct seen seen = { 0 };
    uint32_t missing = 0, twice = 0;
    for (size_t i = 0; i < STORING_PARTITIONS; i++)
        assert_non_null(seen.rows[i] = calloc(storing.events[i] + 1, 1));
    store_memory_each(storing.store, "events_raw", see_event, &seen);
    store_memory_each(storing.store, "dead_letters", see_letter, &seen);
    for (size_t i = 0; i < STORING_PARTITIONS; i++) {
        for (uint32_t j = 0; j < storing.events[i]; j++) {
            missing += seen.rows[i][j] == 0;
            twice += seen.rows[i][j] > 1;
        }
        free(seen.rows[i]);
    }
    assert_int_equal(twice, 0);
    assert_int_equal(missing, storing.poisoned + storing.unreadable);
    assert_int_equal(seen.store_letters, storing.poisoned + storing.unreadable);
}

enum status storing_mark(struct journal_mark *out)
{
    static char note[JOURNAL_NOTE_MAX];
    return journal_memory.mark(stand.journal, SINK_GROUP, JOURNAL_ALL_PARTITIONS, out, note);
}

void storing_expect_nothing_under_way(void)
{
    struct journal_mark mark;
    assert_int_equal(storing_mark(&mark), OK);
    assert_int_equal(mark.note.n, 0);
}
