#include "store/native.h"

#include <stdlib.h>

#include "base/test.h"

static const struct native_column COLUMNS[] = {
    { "name", NATIVE_STRING }, { "at", NATIVE_DATETIME_MS },  { "ok", NATIVE_BOOL },
    { "part", NATIVE_UINT16 }, { "position", NATIVE_UINT64 }, { "delta", NATIVE_INT64 },
};

static void add_row(struct native_block *block, const char *name, uint64_t number)
{
    native_add_string(block, 0, slice_from(name));
    native_add_i64(block, 1, (int64_t)number * 1000);
    native_add_bool(block, 2, number & 1);
    native_add_u16(block, 3, (uint16_t)number);
    native_add_u64(block, 4, number);
    native_add_i64(block, 5, -(int64_t)number);
    native_row_done(block);
}

static void join(const struct native_parts *parts, struct buf *out)
{
    buf_init(out, 1 << 20);
    for (size_t i = 0; i < parts->count; i++)
        buf_add(out, parts->parts[i].iov_base, parts->parts[i].iov_len);
    assert_int_equal(out->n, parts->bytes);
}

static void assert_bytes(const struct native_block *block, uint32_t first, uint32_t end, const void *want, size_t n)
{
    struct native_parts *parts = malloc(sizeof *parts);
    struct buf got;
    native_parts(block, first, end, parts);
    join(parts, &got);
    assert_int_equal(got.n, n);
    assert_memory_equal(got.p, want, n);
    buf_done(&got);
    free(parts);
}

/* The same bytes came out of the engine for SELECT … FORMAT Native of these two rows. */
static const char GOLDEN[] = "\x06\x02"
                             "\x04name\x06String\x02"
                             "ab\x00"
                             "\x02"
                             "at\x14"
                             "DateTime64(3, 'UTC')\xe8\x03\x00\x00\x00\x00\x00\x00\xd0\x07\x00\x00\x00\x00\x00\x00"
                             "\x02ok\x04"
                             "Bool\x01\x00"
                             "\x04part\x06UInt16\x01\x00\x02\x00"
                             "\x08position\x06UInt64\x01\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00"
                             "\x05"
                             "delta\x05Int64\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff\xff\xff\xff\xff";

static void test_two_rows_are_the_golden_bytes(void **state)
{
    struct native_block block;
    native_init(&block, COLUMNS, COUNT_OF(COLUMNS), 1 << 20);
    add_row(&block, "ab", 1);
    add_row(&block, "", 2);
    assert_bytes(&block, 0, 2, GOLDEN, sizeof GOLDEN - 1);
    native_done(&block);
}

static void test_a_part_of_the_rows_is_a_block_of_its_own(void **state)
{
    struct native_block all, two;
    native_init(&all, COLUMNS, COUNT_OF(COLUMNS), 1 << 20);
    native_init(&two, COLUMNS, COUNT_OF(COLUMNS), 1 << 20);
    char name[400];
    for (uint64_t i = 0; i < 300; i++) {
        /* Lengths around 128 take two bytes. */
        memset(name, 'a' + (int)(i % 26), i);
        name[i] = '\0';
        add_row(&all, name, i);
        if (i == 127 || i == 128)
            add_row(&two, name, i);
    }
    struct native_parts *parts = malloc(sizeof *parts);
    struct buf want;
    native_parts(&two, 0, 2, parts);
    join(parts, &want);
    assert_bytes(&all, 127, 129, want.p, want.n);
    assert_int_equal(native_value(&all, 0, 255).n, 255);
    assert_int_equal(native_value(&all, 3, 255).p[0], (char)255);
    assert_int_equal(native_column_index(&all, "part"), 3);
    buf_done(&want);
    free(parts);
    native_done(&all);
    native_done(&two);
}

static void test_beyond_the_bound_is_full_until_reset(void **state)
{
    struct native_block block;
    native_init(&block, COLUMNS, COUNT_OF(COLUMNS), 64);
    char long_name[100] = { 0 };
    memset(long_name, 'x', sizeof long_name - 1);
    add_row(&block, "short", 1);
    assert_false(native_full(&block));
    add_row(&block, long_name, 2);
    assert_true(native_full(&block));
    native_reset(&block);
    assert_false(native_full(&block));
    assert_int_equal(native_bytes(&block), 0);
    add_row(&block, "short", 1);
    assert_false(native_full(&block));
    native_done(&block);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_rows_are_the_golden_bytes),
        cmocka_unit_test(test_a_part_of_the_rows_is_a_block_of_its_own),
        cmocka_unit_test(test_beyond_the_bound_is_full_until_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
