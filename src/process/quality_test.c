#include "process/quality.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/test.h"

#define HOUR QUALITY_HOUR_MS

static struct process_batch batch;
static struct process_stream stream;
static struct quality *quality;

static int begin(void **state)
{
    (void)state;
    quality = calloc(1, sizeof *quality);
    assert_non_null(quality);
    quality->late_after_ms = 1000;
    batch.count = 0;
    stream = (struct process_stream){ .topic = TOPIC_QUALITY };
    buf_init(&stream.bytes, 64u << 20);
    return 0;
}

static int end(void **state)
{
    (void)state;
    buf_done(&stream.bytes);
    free(quality);
    return 0;
}

static void add(const char *type, int64_t received_ms, int64_t age_ms, enum process_verdict verdict)
{
    const size_t i = batch.count++;
    batch.events[i] = (struct event){ .customer_id = SLICE("acme"),
                                      .event_type = slice_from(type),
                                      .timestamp_ms = received_ms - age_ms,
                                      .received_ms = received_ms };
    batch.verdicts[i] = (uint8_t)verdict;
    batch.values[i] = (struct process_values){ .required = 3, .required_missing = 1, .optional = 2, .tagged = true };
}

static void run(void)
{
    quality_count_batch(quality, &batch, &stream);
    batch.count = 0;
}

/* The records of the type and hour, added up. */
static struct quality_record sum_of(const char *type, int64_t hour_ms, unsigned *out_records)
{
    struct quality_record sum = { .hour_ms = hour_ms }, record;
    struct slice rest = buf_slice(&stream.bytes), bytes;
    struct error err;
    *out_records = 0;
    while (journal_next_record(&rest, &bytes)) {
        assert_int_equal(quality_record_decode(bytes, &record, &err), OK);
        if (record.hour_ms != hour_ms || !slice_equal(record.event_type, slice_from(type)))
            continue;
        assert_true(slice_equal(record.customer_id, SLICE("acme")));
        for (size_t i = 0; i < QUALITY_COUNTS; i++)
            sum.counts[i] += record.counts[i];
        ++*out_records;
    }
    return sum;
}

static void test_each_verdict_counts_for_what_it_is(void **state)
{
    (void)state;
    unsigned records;
    add("order", 5 * HOUR, 1000, PROCESS_ACCEPTED);
    add("order", 5 * HOUR + 1, 1001, PROCESS_ACCEPTED);
    add("order", 6 * HOUR - 1, 0, PROCESS_DEAD);
    add("order", 6 * HOUR - 1, 99999, PROCESS_DUPLICATE);
    run();
    assert_int_equal(stream.records, 0);
    quality_flush(quality, &stream);
    struct quality_record sum = sum_of("order", 5 * HOUR, &records);
    assert_int_equal(records, 1);
    static const uint64_t WANTED[QUALITY_COUNTS] = {
        [QUALITY_EVENTS] = 4, [QUALITY_INVALID] = 1,  [QUALITY_DUPLICATES] = 1,       [QUALITY_TAGGED] = 2,
        [QUALITY_LATE] = 1,   [QUALITY_REQUIRED] = 9, [QUALITY_REQUIRED_MISSING] = 3, [QUALITY_OPTIONAL] = 6
    };
    assert_memory_equal(sum.counts, WANTED, sizeof WANTED);
    quality_flush(quality, &stream);
    assert_int_equal(stream.records, 1);
}

static double counted(struct metrics *metrics, const char *labels)
{
    double value = -1;
    assert_true(metrics_read(metrics, "data_quality_total", labels, &value));
    return value;
}

static void test_metrics_have_the_counts_of_each_tenant_and_those_beyond_the_bound_together(void **state)
{
    (void)state;
    static struct process_metrics own;
    struct metrics *metrics = metrics_new(10000);
    process_metrics_init(&own, metrics, 0);
    quality->metrics = &own;
    add("order", 5 * HOUR, 0, PROCESS_ACCEPTED);
    add("order", 7 * HOUR, 0, PROCESS_DEAD);
    run();
    quality_flush(quality, &stream);
    quality_flush(quality, &stream);
    assert_true(counted(metrics, "customer_id=\"acme\",count=\"events\"") == 2);
    assert_true(counted(metrics, "customer_id=\"acme\",count=\"invalid\"") == 1);
    assert_true(counted(metrics, "customer_id=\"acme\",count=\"required_missing\"") == 2);
    const uint64_t one[QUALITY_COUNTS] = { 1 };
    for (int i = 0; i < PROCESS_QUALITY_TENANTS_MAX + 10; i++) {
        char name[16];
        snprintf(name, sizeof name, "t%d", i);
        process_metrics_quality(&own, slice_from(name), one);
    }
    assert_true(counted(metrics, "customer_id=\"t7\",count=\"events\"") == 1);
    assert_true(counted(metrics, "customer_id=\"\",count=\"events\"") == 12);
    metrics_free(metrics);
}

static void test_hours_and_types_are_apart_and_hours_before_1970_too(void **state)
{
    (void)state;
    unsigned records;
    add("a", 7 * HOUR - 1, 0, PROCESS_ACCEPTED);
    add("a", 7 * HOUR, 0, PROCESS_ACCEPTED);
    add("b", 7 * HOUR, 0, PROCESS_ACCEPTED);
    add("a", -1, 0, PROCESS_ACCEPTED);
    run();
    quality_flush(quality, &stream);
    assert_int_equal(stream.records, 4);
    assert_int_equal(sum_of("a", -HOUR, &records).counts[QUALITY_EVENTS], 1);
    assert_int_equal(sum_of("a", 6 * HOUR, &records).counts[QUALITY_EVENTS], 1);
}

/* More types than the table has rows, and more text than it has room for: nothing is lost, nothing is folded. */
static void test_a_full_table_is_written_before_its_commit_ends(void **state)
{
    (void)state;
    static char names[1400][600];
    const size_t lengths[] = { 8, 500 };
    for (size_t l = 0; l < COUNT_OF(lengths); l++) {
        unsigned records;
        for (unsigned round = 0; round < 3; round++)
            for (unsigned i = 0; i < COUNT_OF(names); i++) {
                snprintf(names[i], sizeof names[i], "%0*u", (int)lengths[l], i);
                add(names[i], 0, 0, PROCESS_ACCEPTED);
                if (batch.count == PROCESS_BATCH_MAX)
                    run();
            }
        run();
        quality_flush(quality, &stream);
        for (unsigned i = 0; i < COUNT_OF(names); i++) {
            assert_int_equal(sum_of(names[i], 0, &records).counts[QUALITY_EVENTS], 3);
            assert_in_range(records, 1, 3);
        }
        buf_reset(&stream.bytes);
        stream.records = 0;
    }
}

static void test_what_belongs_to_nobody_is_not_counted_and_a_giant_name_counts_under_none(void **state)
{
    (void)state;
    static char giant[5000];
    unsigned records;
    memset(giant, 'x', sizeof giant - 1);
    add("order", 0, 0, PROCESS_DEAD);
    batch.events[0].customer_id = SLICE("");
    add("order", 0, 0, PROCESS_DEAD);
    batch.events[1].customer_id = slice_from(giant);
    add(giant, 0, 0, PROCESS_DEAD);
    run();
    quality_flush(quality, &stream);
    assert_int_equal(stream.records, 1);
    assert_int_equal(sum_of("", 0, &records).counts[QUALITY_INVALID], 1);
}

static void test_a_record_that_does_not_hold_together_is_refused(void **state)
{
    (void)state;
    char bytes[QUALITY_RECORD_HEADER_BYTES + 8];
    const struct quality_record record = { SLICE("acme"), SLICE(""), SLICE("type"), HOUR, { 1, 2 } };
    struct quality_record out;
    struct error err = { .text = "" };
    assert_int_equal(quality_record_size(&record), sizeof bytes);
    quality_record_encode(&record, bytes);
    for (size_t n = 0; n < sizeof bytes; n++)
        assert_int_equal(quality_record_decode(slice_of(bytes, n), &out, &err), ERR_CORRUPT);
    assert_int_equal(quality_record_decode(slice_of(bytes, sizeof bytes), &out, &err), OK);
    assert_true(slice_equal(out.event_type, SLICE("type")) && out.hour_ms == HOUR && out.counts[1] == 2);
    bytes[0] = 2;
    assert_int_equal(quality_record_decode(slice_of(bytes, sizeof bytes), &out, &err), ERR_CORRUPT);
    assert_non_null(strstr(err.text, "version 2"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_each_verdict_counts_for_what_it_is),
        TEST(test_metrics_have_the_counts_of_each_tenant_and_those_beyond_the_bound_together),
        TEST(test_hours_and_types_are_apart_and_hours_before_1970_too),
        TEST(test_a_full_table_is_written_before_its_commit_ends),
        TEST(test_what_belongs_to_nobody_is_not_counted_and_a_giant_name_counts_under_none),
        TEST(test_a_record_that_does_not_hold_together_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
