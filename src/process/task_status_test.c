#include "process/task_status.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/test.h"

static struct buf series, record;
static struct error err;

static int setup(void **state)
{
    (void)state;
    buf_init(&series, 1 << 20);
    buf_init(&record, 1 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_done(&series);
    buf_done(&record);
    return 0;
}

static struct task_status make(void)
{
    struct task_status status = { .partition = 3,
                                  .state = TASK_RUNNING,
                                  .instance = SLICE("weir-0123456789abcdef"),
                                  .host = SLICE("machine-1"),
                                  .version = SLICE("0.1.0"),
                                  .generation = 77,
                                  .since_ms = 1000,
                                  .at_ms = 2000 };
    for (size_t i = 0; i < TASK_NUMBER_COUNT; i++)
        status.numbers[i] = i == 2 ? NAN : (double)i + 0.5;
    return status;
}

static void encode(const struct task_status *status)
{
    buf_reset(&record);
    task_status_encode(status, &record);
}

static void test_what_was_written_is_read(void **state)
{
    (void)state;
    struct task_status status = make(), got;
    struct task_series_item item;
    task_series_add(&series, TASK_WATERMARKS, SLICE("customer_id=\"a\\\"b\",partition=\"3\""), 1.25);
    task_series_add(&series, TASK_DEAD_LETTERS, SLICE(""), 2);
    status.series = buf_slice(&series);
    encode(&status);
    assert_int_equal(task_status_decode(buf_slice(&record), &got, &err), OK);
    assert_int_equal(got.partition, 3);
    assert_int_equal(got.state, TASK_RUNNING);
    assert_true(slice_equal(got.instance, status.instance) && slice_equal(got.host, status.host) &&
                slice_equal(got.version, status.version));
    assert_int_equal(got.generation, 77);
    assert_int_equal(got.since_ms, 1000);
    assert_int_equal(got.at_ms, 2000);
    assert_true(isnan(got.numbers[2]) && got.numbers[0] == 0.5 && got.numbers[TASK_NUMBER_COUNT - 1] > 1);
    assert_int_equal(got.series_count, 2);
    assert_true(task_series_next(&got.series, &item));
    assert_int_equal(item.kind, TASK_WATERMARKS);
    assert_true(slice_equal(item.labels, SLICE("customer_id=\"a\\\"b\",partition=\"3\"")) && item.value == 1.25);
    assert_true(task_series_next(&got.series, &item));
    assert_int_equal(item.kind, TASK_DEAD_LETTERS);
    assert_int_equal(item.labels.n, 0);
    assert_false(task_series_next(&got.series, &item));
}

/* As a newer weir would write it. */
static void test_numbers_and_kinds_of_later_are_passed_over(void **state)
{
    (void)state;
    struct task_status status = make(), got;
    struct task_series_item item;
    const double later = 42;
    char bytes[4096];
    task_series_add(&series, TASK_SERIES + 7, SLICE("x=\"y\""), 5);
    status.series = buf_slice(&series);
    encode(&status);
    const size_t numbers_end = TASK_STATUS_HEADER_BYTES + sizeof status.numbers;
    memcpy(bytes, record.p, numbers_end);
    memcpy(bytes + numbers_end, &later, sizeof later);
    memcpy(bytes + numbers_end + sizeof later, record.p + numbers_end, record.n - numbers_end);
    bytes[4]++;
    assert_int_equal(task_status_decode(slice_of(bytes, record.n + sizeof later), &got, &err), OK);
    assert_true(slice_equal(got.version, SLICE("0.1.0")));
    assert_true(task_series_next(&got.series, &item) && item.kind == TASK_SERIES + 7 && item.value == 5);
    bytes[4] = 1; /* and an older one: what it had not is not known */
    memcpy(bytes + TASK_STATUS_HEADER_BYTES + sizeof later, record.p + numbers_end, record.n - numbers_end);
    assert_int_equal(task_status_decode(slice_of(bytes, record.n - sizeof status.numbers + sizeof later), &got, &err),
                     OK);
    assert_true(got.numbers[0] == 0.5 && isnan(got.numbers[1]));
}

static void test_a_record_that_is_cut_is_refused(void **state)
{
    (void)state;
    struct task_status status = make(), got;
    task_series_add(&series, TASK_WATERMARKS, SLICE("a=\"b\""), 1);
    status.series = buf_slice(&series);
    encode(&status);
    for (size_t n = 0; n < record.n; n++) {
        char *cut = malloc(n + 1);
        assert_non_null(cut);
        memcpy(cut, record.p, n);
        assert_int_equal(task_status_decode(slice_of(cut, n), &got, &err), ERR_CORRUPT);
        free(cut);
    }
    buf_add_char(&record, 'x');
    assert_int_equal(task_status_decode(buf_slice(&record), &got, &err), ERR_CORRUPT);
}

static void test_labels_that_would_break_out_of_json_are_refused(void **state)
{
    (void)state;
    static const char *const HOSTILE[] = { "a=\"b\",",       "a=\"b",         "a=b",           "a",        "=\"b\"",
                                           "a=\"b\"c=\"d\"", "a=\"b\"},{\"x", "a=\"\\u0041\"", "a=\"\\\"", "a=\"\x01\"",
                                           "a=\"\xff\xfe\"", "A\"=\"b\"" };
    for (size_t i = 0; i < COUNT_OF(HOSTILE); i++) {
        struct task_status status = make(), got;
        buf_reset(&series);
        task_series_add(&series, TASK_WINDOWS, slice_from(HOSTILE[i]), 1);
        status.series = buf_slice(&series);
        encode(&status);
        assert_int_equal(task_status_decode(buf_slice(&record), &got, &err), ERR_CORRUPT);
    }
}

static void test_a_state_version_or_time_that_is_none_is_refused(void **state)
{
    (void)state;
    struct task_status status = make(), got;
    encode(&status);
    record.p[1] = TASK_STATES;
    assert_int_equal(task_status_decode(buf_slice(&record), &got, &err), ERR_CORRUPT);
    encode(&status);
    record.p[0] = 2;
    assert_int_equal(task_status_decode(buf_slice(&record), &got, &err), ERR_CORRUPT);
    status.at_ms = INT64_MIN;
    encode(&status);
    assert_int_equal(task_status_decode(buf_slice(&record), &got, &err), ERR_CORRUPT);
}

static void test_what_a_record_has_no_room_for_is_left_out_whole(void **state)
{
    (void)state;
    struct task_status status = make(), got;
    char labels[64], long_name[400];
    for (int i = 0; i < 2000; i++) {
        snprintf(labels, sizeof labels, "customer_id=\"tenant-%04d\"", i);
        task_series_add(&series, TASK_WATERMARKS, slice_from(labels), i);
    }
    memset(long_name, 'n', sizeof long_name);
    status.series = buf_slice(&series);
    status.host = slice_of(long_name, sizeof long_name);
    encode(&status);
    assert_true(record.n <= TASK_STATUS_BYTES_MAX && record.n > TASK_STATUS_BYTES_MAX - 64);
    assert_int_equal(task_status_decode(buf_slice(&record), &got, &err), OK);
    assert_true(got.series_count > 300);
    assert_int_equal(got.host.n, TASK_STATUS_TEXT_MAX);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_what_was_written_is_read),
        TEST(test_numbers_and_kinds_of_later_are_passed_over),
        TEST(test_a_record_that_is_cut_is_refused),
        TEST(test_labels_that_would_break_out_of_json_are_refused),
        TEST(test_a_state_version_or_time_that_is_none_is_refused),
        TEST(test_what_a_record_has_no_room_for_is_left_out_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
