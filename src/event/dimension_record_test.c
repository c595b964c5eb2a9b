#include "event/dimension_record.h"

#include <stdlib.h>

#include "base/test.h"

static struct buf bytes;
static struct error err;
static struct dimension_gather gather;

static int setup(void **state)
{
    (void)state;
    buf_init(&bytes, 1 << 20);
    dimension_gather_init(&gather);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_done(&bytes);
    dimension_gather_done(&gather);
    return 0;
}

static struct dimension_record chunk(uint64_t version, uint32_t number, uint64_t at, const char *text)
{
    return (struct dimension_record){ .kind = DIMENSION_CHUNK,
                                      .table = SLICE("prices"),
                                      .version = version,
                                      .number = number,
                                      .bytes = at,
                                      .text = slice_from(text) };
}

static struct dimension_record closing(uint64_t version, uint32_t count, const char *text)
{
    return (struct dimension_record){ .kind = DIMENSION_CLOSE,
                                      .table = SLICE("prices"),
                                      .version = version,
                                      .number = count,
                                      .bytes = strlen(text),
                                      .digest = dimension_text_digest(slice_from(text)),
                                      .asked_ms = 1700000000000 };
}

/* As it comes: encoded, then read. */
static bool take(struct dimension_record record)
{
    struct dimension_record read;
    buf_reset(&bytes);
    dimension_record_encode(&record, &bytes);
    assert_int_equal(dimension_record_decode(buf_slice(&bytes), &read, &err), OK);
    assert_int_equal(dimension_record_key(&read), dimension_record_key(&record));
    assert_int_equal(read.asked_ms, record.asked_ms);
    return dimension_gather_take(&gather, &read);
}

static void test_chunks_and_their_end_are_a_version(void **state)
{
    (void)state;
    assert_false(take(chunk(7, 0, 0, "sku,")));
    assert_false(take(chunk(7, 1, 4, "price\n")));
    assert_true(take(closing(7, 2, "sku,price\n")));
    assert_true(slice_equal(buf_slice(&gather.text), SLICE("sku,price\n")));
    assert_false(take(closing(7, 2, "sku,price\n"))); /* it was taken */
}

static void test_a_version_that_lacks_something_is_none(void **state)
{
    (void)state;
    assert_false(take(closing(7, 1, "abc"))); /* no chunk */
    take(chunk(7, 0, 0, "abc"));
    assert_false(take(closing(7, 2, "abc"))); /* one of two */
    take(chunk(7, 0, 0, "abc"));
    assert_false(take(closing(7, 1, "abd"))); /* other bytes */
    take(chunk(7, 0, 0, "abc"));
    assert_false(take(closing(8, 1, "abc"))); /* of another version */
    take(chunk(7, 1, 3, "def"));
    assert_false(take(closing(7, 2, "abcdef"))); /* not its first */
    take(chunk(7, 0, 0, "abc"));
    take(chunk(7, 2, 3, "def"));
    assert_false(take(closing(7, 2, "abcdef"))); /* one was passed over */
}

static void test_versions_of_two_writers_do_not_mix(void **state)
{
    (void)state;
    take(chunk(7, 0, 0, "abc"));
    take(chunk(8, 0, 0, "abc")); /* the first writer was killed */
    assert_false(take(chunk(7, 1, 3, "def")));
    assert_false(take(chunk(8, 1, 3, "ghi")));
    assert_true(take(closing(8, 2, "abcghi")));
    assert_false(take(closing(7, 2, "abcdef")));
}

static void test_keys_tell_chunks_apart_and_not_ends(void **state)
{
    (void)state;
    struct dimension_record a = chunk(7, 0, 0, "a"), b = chunk(7, 1, 0, "a"), c = chunk(8, 0, 0, "a");
    struct dimension_record end = closing(7, 1, "a"), later = closing(9, 5, "abc"), other = closing(7, 1, "a");
    other.table = SLICE("costs");
    assert_int_not_equal(dimension_record_key(&a), dimension_record_key(&b));
    assert_int_not_equal(dimension_record_key(&a), dimension_record_key(&c));
    assert_int_not_equal(dimension_record_key(&a), dimension_record_key(&end));
    assert_int_equal(dimension_record_key(&end), dimension_record_key(&later));
    assert_int_not_equal(dimension_record_key(&end), dimension_record_key(&other));
}

static void expect_corrupt(struct dimension_record record)
{
    struct dimension_record read = { .version = 99 };
    buf_reset(&bytes);
    dimension_record_encode(&record, &bytes);
    assert_int_equal(dimension_record_decode(buf_slice(&bytes), &read, &err), ERR_CORRUPT);
    assert_int_equal(read.version, 99);
}

static void test_what_nobody_writes_is_refused(void **state)
{
    (void)state;
    struct dimension_record read, end = closing(7, 1, "abc");
    expect_corrupt(chunk(0, 0, 0, "abc"));
    expect_corrupt(chunk(7, DIMENSION_CHUNKS_MAX, 0, "abc"));
    expect_corrupt(chunk(7, 1, DIMENSION_VERSION_BYTES_MAX - 2, "abc"));
    expect_corrupt(chunk(7, 1, UINT64_MAX, "abc"));
    expect_corrupt(chunk(7, 0, 0, ""));
    expect_corrupt(closing(7, 0, "abc"));
    expect_corrupt(closing(7, DIMENSION_CHUNKS_MAX + 1, "abc"));
    expect_corrupt(closing(7, 1, ""));
    end.asked_ms = -1;
    expect_corrupt(end);
    end = closing(7, 1, "abc");
    buf_reset(&bytes);
    dimension_record_encode(&end, &bytes);
    for (size_t n = 0; n < bytes.n; n++)
        assert_int_equal(dimension_record_decode(slice_of(bytes.p, n), &read, &err), ERR_CORRUPT);
    buf_add_char(&bytes, 'x');
    assert_int_equal(dimension_record_decode(buf_slice(&bytes), &read, &err), ERR_CORRUPT);
    bytes.p[0] = 2; /* as a later weir would write it */
    assert_int_equal(dimension_record_decode(slice_of(bytes.p, bytes.n - 1), &read, &err), ERR_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_chunks_and_their_end_are_a_version, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_version_that_lacks_something_is_none, setup, teardown),
        cmocka_unit_test_setup_teardown(test_versions_of_two_writers_do_not_mix, setup, teardown),
        cmocka_unit_test_setup_teardown(test_keys_tell_chunks_apart_and_not_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_nobody_writes_is_refused, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
