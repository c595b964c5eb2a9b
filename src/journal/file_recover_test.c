/* Opening a journal on a disk that was tampered with, and retention by a clock that jumps. What random faults do is
 * test/sim/journal_crash_test.c; here each situation has its name. */
#include <stdio.h>

#include "base/crc32c.h"
#include "base/log.h"
#include "base/role.h"
#include "base/test.h"
#include "journal/frame.h"
#include "journal/journal.h"
#include "world/disk_sim.h"
#include "world/world_sim.h"

#define DIR "journal"
#define SEGMENT (64u << 10)
#define FIRST_FILE DIR "/00000000000000000000.seg"

static struct world_sim world;
static struct disk_sim *disk;
static struct journal_options options;
static struct journal *journal;
static struct role roles[2];
static struct error err;

static int setup(void **state)
{
    (void)state;
    log_set_level((enum log_level)(LOG_ERROR + 1));
    world_sim_init(&world, 1, NULL);
    disk = disk_sim_new(2, &world);
    world.world.disk = disk_sim_disk(disk);
    options =
        (struct journal_options){ .path = DIR, .partitions = 2, .segment_bytes = SEGMENT, .queue_bytes_max = 1 << 20 };
    return 0;
}

static enum status open_journal(void)
{
    enum status s = journal_file.open(&options, &world.world, NULL, &journal, &err);
    if (s == OK)
        journal_file.roles(journal, roles);
    return s;
}

static void step(size_t role)
{
    int64_t wake_us;
    while (roles[role].step(roles[role].self, &world.world, &wake_us))
        ;
}

static void close_journal(bool clean)
{
    if (!journal)
        return;
    if (clean) {
        journal_file.drain(journal);
        step(0);
    }
    journal_file.close(journal);
    journal = NULL;
}

static int teardown(void **state)
{
    (void)state;
    close_journal(false);
    disk_sim_free(disk);
    return 0;
}

static void on_done(struct journal_commit *commit, enum status status, const char *reason)
{
    (void)reason;
    *(enum status *)commit->context = status;
}

/* One record of n bytes, all of them `letter`. */
static void send_record(char letter, uint32_t n)
{
    static char bytes[20000];
    enum status answer = ERR_RETRY;
    memcpy(bytes, &n, 4);
    memset(bytes + 4, letter, n);
    struct journal_chunk chunk = { .topic = TOPIC_EVENTS, .records = 1, .bytes = { bytes, n + 4 } };
    struct journal_commit commit = { .chunks = &chunk, .chunk_count = 1, .done = on_done, .context = &answer };
    assert_int_equal(journal_submit(journal, &commit, &err), OK);
    step(0);
    assert_int_equal(answer, OK);
}

/* The first letters of all records that can be read. */
static const char *letters(void)
{
    static char text[64];
    size_t n = 0;
    struct journal_reader *reader;
    struct journal_batch batch;
    struct journal_read_options read_options = { TOPIC_BIT(TOPIC_EVENTS), 0, JOURNAL_BEGIN, { 0 } };
    assert_int_equal(journal_file.reader_open(journal, &read_options, &reader, &err), OK);
    do {
        assert_int_equal(journal_read(reader, 1, &batch, &err), OK);
        for (size_t i = 0; i < batch.chunk_count && n + 1 < sizeof text; i++)
            text[n++] = batch.chunks[i].bytes.p[4];
    } while (batch.chunk_count);
    text[n] = 0;
    journal_file.reader_close(reader);
    return text;
}

/* The offset in the first file of the first record that is all `letter`. */
static uint64_t find_letter(char letter)
{
    static char bytes[SEGMENT];
    struct disk_file *file;
    size_t n;
    char want[16];
    memset(want, letter, sizeof want);
    assert_int_equal(world.world.disk->ops->open(world.world.disk, FIRST_FILE, DISK_READ, &file, &err), OK);
    assert_int_equal(file->ops->read(file, bytes, sizeof bytes, 0, &n, &err), OK);
    file->ops->close(file);
    const char *found = memmem(bytes, n, want, sizeof want);
    assert_non_null(found);
    return (uint64_t)(found - bytes);
}

static void test_damage_is_refused_and_can_be_cut_on_request(void **state)
{
    (void)state;
    assert_int_equal(open_journal(), OK);
    send_record('a', 1000);
    send_record('b', 1000);
    send_record('c', 1000);
    close_journal(true);
    assert_true(disk_sim_rot(disk, FIRST_FILE, find_letter('b') + 500, 3));
    assert_int_equal(open_journal(), ERR_CORRUPT);
    assert_non_null(strstr(err.text, FIRST_FILE));
    assert_non_null(strstr(err.text, "cut_damaged"));
    options.cut_damaged = true;
    assert_int_equal(open_journal(), OK);
    assert_string_equal(letters(), "a");
    send_record('d', 100);
    close_journal(false);
    options.cut_damaged = false;
    assert_int_equal(open_journal(), OK); /* nothing there speaks for the lost bytes any more */
    assert_string_equal(letters(), "ad");
    struct disk_file *kept;
    assert_int_equal(world.world.disk->ops->open(world.world.disk, FIRST_FILE ".damaged", DISK_READ, &kept, &err), OK);
    kept->ops->close(kept);
}

static void test_damage_to_the_last_group_is_noticed_after_an_idle_second(void **state)
{
    (void)state;
    assert_int_equal(open_journal(), OK);
    send_record('a', 1000);
    send_record('b', 1000);
    world_sim_advance(&world, 2000000);
    step(0);
    close_journal(false);
    assert_true(disk_sim_rot(disk, FIRST_FILE, find_letter('b') + 500, 3));
    assert_int_equal(open_journal(), ERR_CORRUPT);
}

static void test_a_record_that_looks_like_a_frame_does_not_pass_for_damage(void **state)
{
    (void)state;
    assert_int_equal(open_journal(), OK);
    send_record('a', 1000);
    /* A frame's head with the position that it will stand at and the claim that all before it is durable, as somebody
     * could make it who knows the format, but not this directory's number. */
    struct frame_head forged = { .magic = 0x6d726677u, .frame_bytes = 64, .head_bytes = 64, .kind = FRAME_TIDE };
    struct journal_status status;
    journal_file.status(journal, &status);
    uint64_t frame = status.end_position, place = frame + 64 + 24 + 8;
    forged.position = forged.durable_before = place;
    forged.crc = crc32c(0, (char *)&forged + 8, sizeof forged - 8);
    char bytes[4 + 4 + 64];
    uint32_t n = sizeof bytes - 4;
    memcpy(bytes, &n, 4);
    memset(bytes + 4, 'x', 4);
    memcpy(bytes + 8, &forged, sizeof forged);
    struct journal_chunk chunk = { .topic = TOPIC_EVENTS, .records = 1, .bytes = { bytes, sizeof bytes } };
    enum status answer;
    struct journal_commit commit = { .chunks = &chunk, .chunk_count = 1, .done = on_done, .context = &answer };
    assert_int_equal(journal_submit(journal, &commit, &err), OK);
    step(0);
    close_journal(false);
    assert_true(disk_sim_rot(disk, FIRST_FILE, frame + 8, 0)); /* as if that frame were torn */
    assert_int_equal(open_journal(), OK);
    assert_string_equal(letters(), "a");
}

static void test_segments_of_two_journals_are_refused(void **state)
{
    (void)state;
    struct disk *d = world.world.disk;
    assert_int_equal(open_journal(), OK);
    for (int i = 0; i < 5; i++)
        send_record('a', 19000);
    close_journal(true);
    assert_int_equal(d->ops->rename(d, FIRST_FILE, "elsewhere", &err), OK);
    options.path = "other";
    assert_int_equal(open_journal(), OK);
    send_record('b', 100);
    close_journal(true);
    assert_int_equal(d->ops->rename(d, "other/00000000000000000000.seg", FIRST_FILE, &err), OK);
    options.path = DIR;
    assert_int_equal(open_journal(), ERR_INVALID);
    assert_non_null(strstr(err.text, "different journals"));
}

static void test_a_missing_segment_is_refused(void **state)
{
    (void)state;
    struct disk *d = world.world.disk;
    assert_int_equal(open_journal(), OK);
    for (int i = 0; i < 9; i++)
        send_record('a', 19000);
    close_journal(true);
    assert_int_equal(d->ops->remove(d, DIR "/00000000000000065536.seg", &err), OK);
    assert_int_equal(open_journal(), ERR_CORRUPT);
    assert_non_null(strstr(err.text, "missing"));
}

static void test_deletion_by_age_waits_after_a_jump_of_the_clock(void **state)
{
    (void)state;
    struct journal_status status;
    options.retention_ms = 3600000;
    assert_int_equal(open_journal(), OK);
    step(1);
    for (int i = 0; i < 9; i++)
        send_record('a', 19000);
    world_sim_jump(&world, 10 * 3600 * 1000000ll);
    step(1);
    journal_file.status(journal, &status);
    assert_int_equal(status.begin_position, 0);
    for (int i = 0; i < 70; i++) {
        world_sim_advance(&world, 60 * 1000000);
        step(1);
    }
    journal_file.status(journal, &status);
    assert_true(status.begin_position > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_damage_is_refused_and_can_be_cut_on_request, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damage_to_the_last_group_is_noticed_after_an_idle_second, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_record_that_looks_like_a_frame_does_not_pass_for_damage, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_segments_of_two_journals_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_missing_segment_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deletion_by_age_waits_after_a_jump_of_the_clock, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
