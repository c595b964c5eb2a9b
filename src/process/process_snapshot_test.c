/* A task over a journal that has let go of everything before its snapshot: what it knows without a directory. And what
 * the reader of a snapshot refuses. */
#include "process/process_snapshot.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/test.h"
#include "process/process_restore.h"
#include "process/process_snapshot_read.h"
#include "process/state/kv.h"
#include "test/support/lost_state.h"
#include "test/support/process_rig.h"

#define PIECE 2000
#define EVENTS 6000

static struct rig rig;

static int setup(void **state)
{
    (void)state;
    rig_init(&rig, 7, &journal_file);
    rig.journal_options.segment_bytes = rig.journal_options.retention_bytes = 128u << 10;
    rig.options.batch_bytes_max = 16u << 10;
    rig.options.checkpoint_interval_ms = 50;
    rig.options.dedup_memory_bytes_max = 64u << 10; /* several generations, logs and files */
    rig.options.snapshots = true;
    rig.options.snapshot_after_bytes = 10000;
    rig.options.snapshot_piece_bytes = PIECE;
    return rig_up(&rig, NULL);
}

static int teardown(void **state)
{
    (void)state;
    rig_done(&rig);
    return 0;
}

struct seen {
    uint64_t first, snapshot_records, ends;
    size_t most; /* bytes of a snapshot in one commit */
};

static void look_at(const struct journal_chunk *chunk, struct seen *seen)
{
    struct slice rest = chunk->bytes, record;
    size_t bytes = 0;
    while (journal_next_record(&rest, &record)) {
        if (!is_snapshot_record(record))
            continue;
        bytes += record.n;
        seen->snapshot_records++;
        seen->ends += record.p[2] == SNAPSHOT_END;
    }
    seen->most = bytes > seen->most ? bytes : seen->most;
}

/* What the journal still has of the changelog. */
static struct seen look(void)
{
    struct journal_read_options options = { .topics = TOPIC_BIT(TOPIC_CHANGELOG) };
    struct journal_reader *reader;
    struct journal_batch batch;
    struct seen seen = { .first = UINT64_MAX };
    assert_int_equal(rig.backend->reader_open(rig.journal, &options, &reader, NULL), OK);
    do {
        assert_int_equal(journal_read(reader, 1u << 20, &batch, NULL), OK);
        for (size_t i = 0; i < batch.chunk_count; i++) {
            seen.first = seen.first == UINT64_MAX ? batch.chunks[i].offset : seen.first;
            look_at(&batch.chunks[i], &seen);
        }
    } while (batch.chunk_count);
    rig.backend->reader_close(reader);
    return seen;
}

/* In portions, so that there are commits between which to write. */
static void send(unsigned first, unsigned count)
{
    for (unsigned i = first; i < first + count; i += 100) {
        assert_int_equal(rig_send(&rig, "acme", i, 100), OK);
        rig_run(&rig, 20);
        assert_int_equal(rig_mark_all_read(&rig), OK);
    }
}

static void start_anew_without_directory(void)
{
    rig_down(&rig);
    lost_state(disk_sim_disk(rig.disk), rig.options.state_path, 0);
    assert_int_equal(rig_up(&rig, NULL), OK);
    rig_run(&rig, 500);
    if (process_task_state(rig.task) == PROCESS_FAILED)
        print_message("%s\n", process_task_error(rig.task));
    assert_int_equal(process_task_state(rig.task), PROCESS_RUNNING);
}

static void test_without_a_directory_the_snapshot_and_what_follows_are_the_state(void **state)
{
    (void)state;
    send(0, 500);
    rig_run(&rig, 2000);
    send(500, EVENTS - 500);
    rig_run(&rig, 1000);
    struct seen seen = look();
    assert_true(seen.first > 0 && seen.first < UINT64_MAX); /* the beginning is gone */
    assert_true(seen.ends > 0);
    assert_true(rig_metric(&rig, "process_snapshots_total") >= 2);
    double ids = rig_metric(&rig, "dedup_ids");
    start_anew_without_directory();
    rig_run(&rig, 200);
    assert_true(rig_metric(&rig, "dedup_ids") == ids);
    double duplicates = rig_metric(&rig, "duplicates_total");
    send(0, EVENTS);
    rig_run(&rig, 1000);
    assert_true(rig_metric(&rig, "duplicates_total") - duplicates == EVENTS);
    start_anew_without_directory(); /* what began at a snapshot makes the next one */
    send(EVENTS, 100);
    rig_run(&rig, 1000);
    assert_true(rig_metric(&rig, "dedup_ids") == ids + 100);
}

static void test_a_commit_has_a_piece_at_most_and_what_stands_still_is_written_once(void **state)
{
    (void)state;
    send(0, EVENTS);
    rig_run(&rig, 20000);
    struct seen seen = look();
    assert_true(seen.snapshot_records > 10);
    assert_in_range(seen.most, PIECE / 2, 2 * PIECE + 200); /* and the end of a row */
    double commits = rig_metric(&rig, "process_commits_total"), snapshots = rig_metric(&rig, "process_snapshots_total");
    rig_run(&rig, 600000);
    assert_true(rig_metric(&rig, "process_snapshots_total") == snapshots);
    assert_true(rig_metric(&rig, "process_commits_total") - commits < 10);
}

static void test_the_next_one_waits_for_as_many_changes_as_the_last_one_had(void **state)
{
    (void)state;
    rig_down(&rig);
    rig.options.snapshot_after_bytes = 1;
    assert_int_equal(rig_up(&rig, NULL), OK);
    send(0, EVENTS);
    rig_run(&rig, 2000);
    double snapshots = rig_metric(&rig, "process_snapshots_total");
    assert_true(rig_metric(&rig, "process_snapshot_bytes") > 16 * EVENTS);
    send(EVENTS, 1000); /* some twenty thousand bytes */
    rig_run(&rig, 2000);
    assert_true(rig_metric(&rig, "process_snapshots_total") == snapshots);
    assert_true(rig_metric(&rig, "process_changelog_bytes") > 16 * 1000);
}

static void test_a_journal_of_this_machine_alone_gets_none(void **state)
{
    (void)state;
    rig_down(&rig);
    rig.options.snapshots = false;
    assert_int_equal(rig_up(&rig, NULL), OK);
    send(0, EVENTS);
    assert_int_equal(look().snapshot_records, 0);
}

static void test_of_a_changelog_of_before_a_snapshot_is_due_at_once(void **state)
{
    (void)state;
    char bytes[PROCESS_NOTE_BYTES];
    struct process_note note = { 1, 2, 300, 4, { 5, 6, 7, 8 }, 9 }, read;
    process_note_encode(&note, bytes);
    assert_int_equal(process_note_decode(slice_of(bytes, sizeof bytes), &read, NULL), OK);
    assert_memory_equal(&read, &note, sizeof note);
    bytes[0] = 2;
    assert_int_equal(process_note_decode(slice_of(bytes, 72), &read, NULL), OK);
    assert_true(read.snapshot.changes == 8 && read.settled == 0);
    bytes[0] = 1;
    assert_int_equal(process_note_decode(slice_of(bytes, 40), &read, NULL), OK);
    assert_true(read.changelog_next == 300 && read.snapshot.bytes == 0);
    assert_true(read.snapshot.changes > UINT64_MAX / 4);
    assert_int_equal(process_note_decode(slice_of(bytes, sizeof bytes), &read, NULL), ERR_CORRUPT);
}

/* ---- the reader ---- */

static struct slice record(char *to, enum snapshot_kind kind, uint32_t number, uint64_t place, struct slice body)
{
    const struct snapshot_head head = { STATE_SNAPSHOT, SNAPSHOT_VERSION, (uint8_t)kind, 0, number, place };
    memcpy(to, &head, sizeof head);
    if (body.n)
        memcpy(to + sizeof head, body.p, body.n);
    return slice_of(to, sizeof head + body.n);
}

static void test_a_snapshot_with_a_gap_or_of_strange_content_is_refused(void **state)
{
    (void)state;
    static const struct {
        enum snapshot_kind kind;
        uint32_t number;
        uint64_t place;
        struct slice body;
    } STRANGE[] = {
        { SNAPSHOT_BEGIN, 1, 0, { "m", 1 } },                    /* a second beginning */
        { SNAPSHOT_ROWS, 2, 0, { "", 0 } },                      /* one is missing */
        { SNAPSHOT_FILE, 1, 5, { "\7\0dedup-1x", 10 } },         /* the file's beginning is */
        { SNAPSHOT_FILE, 1, 0, { "\16\0../../dedup-1xx", 16 } }, /* a path */
        { SNAPSHOT_FILE, 1, 0, { "\11\0dedup-/.x", 11 } },       /* another one */
        { SNAPSHOT_FILE, 1, 0, { "\11\0x", 3 } },                /* cut */
        { SNAPSHOT_ROWS, 1, 0, { "\1\0\0\0\377\0\0\0k", 9 } },   /* cut */
        { SNAPSHOT_ROWS, 1, 0, { "\0\0\0\0\0\0\0\0", 8 } },      /* a row without a key */
        { SNAPSHOT_ROWS, 1, 0, { "\1\0\0\0\1\0\0\0\0v", 10 } },  /* a row that is the map's own */
        { SNAPSHOT_ROWS, 1, 0, { "\1\0\0\0\1\0\0\0kv", 10 } },   /* of no state */
        { SNAPSHOT_END, 1, 999, { "", 0 } },                     /* of another size */
        { (enum snapshot_kind)9, 1, 0, { "", 0 } },
    };
    struct kv_pool *pool = NULL;
    const struct state_kv_options kv_options = { .path = "/data/state/other", .backend = &kv_disk, .pool = pool };
    struct state_kv *kv = state_kv_new(&kv_options, &rig.time.world);
    struct disk *disk = disk_sim_disk(rig.disk);
    struct state_ops ops = *state_kv_state(kv)->ops; /* only its name is asked */
    ops.name = "dedup";
    struct state named = { &ops }, *states[] = { &named };
    struct state_base *base = state_base_new("/data/state/other", disk, 0, states, 1);
    char bytes[200];
    for (size_t i = 0; i < COUNT_OF(STRANGE); i++) {
        struct snapshot_reader reader = { base, kv, disk };
        struct error err = { 0 };
        assert_int_equal(snapshot_reader_take(&reader, record(bytes, SNAPSHOT_BEGIN, 0, 0, SLICE("manifest")), &err),
                         OK);
        enum status s = snapshot_reader_take(
            &reader, record(bytes, STRANGE[i].kind, STRANGE[i].number, STRANGE[i].place, STRANGE[i].body), &err);
        if (s != ERR_CORRUPT)
            print_message("number %zu: %s\n", i, status_name(s));
        assert_int_equal(s, ERR_CORRUPT);
        snapshot_reader_reset(&reader);
    }
    state_base_free(base);
    state_kv_free(kv);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_without_a_directory_the_snapshot_and_what_follows_are_the_state, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_commit_has_a_piece_at_most_and_what_stands_still_is_written_once, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_the_next_one_waits_for_as_many_changes_as_the_last_one_had, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_journal_of_this_machine_alone_gets_none, setup, teardown),
        cmocka_unit_test(test_of_a_changelog_of_before_a_snapshot_is_due_at_once),
        cmocka_unit_test_setup_teardown(test_a_snapshot_with_a_gap_or_of_strange_content_is_refused, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
