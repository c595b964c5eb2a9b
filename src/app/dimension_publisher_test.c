/* What is told of dimension tables and what is read of it, through a journal in memory with its thread. */
#include "app/dimension_publisher.h"

#include <stdio.h>
#include <stdlib.h>

#include "app/dimension_follower.h"
#include "base/metrics.h"
#include "base/role.h"
#include "base/test.h"
#include "event/dimension_record.h"
#include "world/world.h"

static const struct dimension_table TABLES[] = { { .name = SLICE("prices"), .sql = SLICE("SELECT 1") },
                                                 { .name = SLICE("costs"), .sql = SLICE("SELECT 2") } };
static const struct domain_set DOMAINS = { .tables = TABLES, .table_count = 2 };
static struct error err;
static struct journal *journal;
static struct role_thread *journal_thread;
static struct metrics *metrics;
static struct dimension_publisher *publisher, *other;
static struct dimension_follower *follower;
static struct bell *bell;
/* What the last look found: how many versions of all tables, and of each the last one's text. */
static unsigned versions;
static struct buf texts[2];

static void on_version(void *self, const struct dimension_record *closing, struct slice text, uint64_t position)
{
    (void)self;
    const size_t i = slice_equal(closing->table, TABLES[1].name);
    assert_true(slice_equal(closing->table, TABLES[i].name) && position > 0);
    buf_reset(&texts[i]);
    buf_add_slice(&texts[i], text);
    versions++;
}

static int setup(void **state)
{
    (void)state;
    struct role role;
    const struct journal_options options = { .partitions = 2, .queue_bytes_max = 8 << 20 };
    metrics = metrics_new(1000);
    bell = bell_new();
    assert_int_equal(journal_memory.open(&options, world_real(), NULL, &journal, &err), OK);
    assert_int_equal(journal_memory.roles(journal, &role), 1);
    assert_int_equal(role_start(&role, world_real(), &journal_thread, &err), OK);
    publisher = dimension_publisher_new(journal, metrics, world_real());
    other = dimension_publisher_new(journal, metrics, world_real());
    follower = dimension_follower_new(journal, bell, metrics, on_version, NULL);
    for (size_t i = 0; i < 2; i++)
        buf_init(&texts[i], DIMENSION_VERSION_BYTES_MAX);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    dimension_follower_free(follower);
    dimension_publisher_free(publisher);
    dimension_publisher_free(other);
    journal->backend->drain(journal);
    role_stop(journal_thread);
    journal->backend->close(journal);
    bell_free(bell);
    metrics_free(metrics);
    for (size_t i = 0; i < 2; i++)
        buf_done(&texts[i]);
    return 0;
}

static void tell(struct dimension_publisher *by, size_t table, const char *text)
{
    assert_int_equal(dimension_publisher_tell(by, &DOMAINS, &TABLES[table], slice_from(text), &err), OK);
}

static void look(void)
{
    bool more = true;
    versions = 0;
    while (more)
        assert_int_equal(dimension_follower_step(follower, &more, &err), OK);
    assert_true(dimension_follower_is_current(follower));
}

static void look_from_the_beginning(void)
{
    dimension_follower_begin_again(follower);
    look();
}

static void expect(size_t table, const char *text)
{
    assert_true(slice_equal(buf_slice(&texts[table]), slice_from(text)));
}

static double counted(const char *name)
{
    double value = -1;
    assert_true(metrics_read(metrics, name, "", &value));
    return value;
}

static void test_each_table_has_its_newest_version(void **state)
{
    (void)state;
    assert_false(dimension_follower_is_current(follower));
    tell(publisher, 0, "sku\n1\n");
    tell(publisher, 1, "id\n5\n");
    look();
    assert_int_equal(versions, 2);
    tell(publisher, 0, "sku\n2\n");
    look();
    assert_int_equal(versions, 1);
    expect(0, "sku\n2\n");
    expect(1, "id\n5\n");
}

static void test_the_same_rows_are_told_once_also_by_who_comes_later(void **state)
{
    (void)state;
    tell(publisher, 0, "sku\n1\n");
    tell(publisher, 0, "sku\n1\n");
    tell(other, 0, "sku\n1\n");
    assert_true(counted("dimension_versions_told_total") == 1);
    tell(other, 0, "sku\n2\n");
    assert_true(counted("dimension_versions_told_total") == 2);
}

static char *long_text(char letter)
{
    const size_t n = 3 * DIMENSION_CHUNK_BYTES_MAX + 1;
    char *text = malloc(n + 1);
    assert_non_null(text);
    memset(text, letter, n);
    text[n] = '\0';
    return text;
}

static void test_a_long_table_goes_in_chunks_and_comes_whole(void **state)
{
    (void)state;
    char *a = long_text('a'), *b = long_text('b');
    tell(publisher, 0, a);
    tell(other, 0, b);
    assert_true(counted("dimension_chunks_told_total") == 8);
    look();
    assert_int_equal(versions, 2);
    expect(0, b);
    look_from_the_beginning();
    expect(0, b);
    free(a);
    free(b);
}

static void test_what_was_stopped_in_the_middle_is_no_version(void **state)
{
    (void)state;
    char *a = long_text('a');
    tell(publisher, 0, "sku\n1\n");
    dimension_publisher_stop(publisher);
    assert_int_equal(dimension_publisher_tell(publisher, &DOMAINS, &TABLES[0], slice_from(a), &err), ERR_CLOSED);
    look();
    assert_int_equal(versions, 1);
    tell(other, 0, a);
    look();
    assert_int_equal(versions, 1);
    expect(0, a);
    free(a);
}

static void on_done(struct journal_commit *commit, enum status status, const char *reason)
{
    (void)reason;
    assert_int_equal(status, OK);
    *(_Atomic bool *)commit->context = true;
}

/* As a killed writer, or another weir, would leave it. */
static void put(struct slice record)
{
    _Atomic bool done = false;
    struct buf bytes;
    const uint32_t n = (uint32_t)record.n;
    buf_init(&bytes, 4096);
    buf_add(&bytes, &n, sizeof n);
    buf_add_slice(&bytes, record);
    const struct journal_chunk chunk = { .topic = TOPIC_DIMENSIONS, .records = 1, .bytes = buf_slice(&bytes) };
    struct journal_commit commit = { .chunks = &chunk, .chunk_count = 1, .done = on_done, .context = (void *)&done };
    assert_int_equal(journal_submit(journal, &commit, &err), OK);
    while (!done)
        ;
    buf_done(&bytes);
}

static void test_a_version_without_an_end_and_what_is_no_record_are_passed_over(void **state)
{
    (void)state;
    struct buf bytes;
    const struct dimension_record half = {
        .kind = DIMENSION_CHUNK, .table = TABLES[0].name, .version = 77, .text = SLICE("sku\n")
    };
    buf_init(&bytes, 4096);
    dimension_record_encode(&half, &bytes);
    tell(publisher, 0, "sku\n1\n");
    put(buf_slice(&bytes));
    put(SLICE("no record"));
    look();
    assert_int_equal(versions, 1);
    assert_true(counted("dimension_records_refused_total") == 1);
    tell(other, 0, "sku\n1\n"); /* what is in force is as it was, and the half is forgotten */
    assert_true(counted("dimension_versions_told_total") == 1);
    tell(other, 0, "sku\n2\n");
    look();
    expect(0, "sku\n2\n");
    buf_done(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_table_has_its_newest_version, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_same_rows_are_told_once_also_by_who_comes_later, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_long_table_goes_in_chunks_and_comes_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_was_stopped_in_the_middle_is_no_version, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_version_without_an_end_and_what_is_no_record_are_passed_over, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
