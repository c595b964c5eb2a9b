/* Any bytes as a window's row. The first byte chooses the layout. What decodes must encode to bytes that decode to the
 * same, merge with itself and with an empty row, and give results; nothing outside the bytes may be read, and no memory
 * beyond a row's bounds is taken (libFuzzer's limit on it would tell). */
#include <stdlib.h>

#include "process/aggregate/aggregate.h"

static const struct aggregate_def all[] = {
    { AGGREGATE_COUNT, 0 },    { AGGREGATE_SUM, 0 },        { AGGREGATE_MIN, 0 },   { AGGREGATE_MAX, 0 },
    { AGGREGATE_MEAN, 0 },     { AGGREGATE_VARIANCE, 0 },   { AGGREGATE_FIRST, 0 }, { AGGREGATE_LAST, 0 },
    { AGGREGATE_DISTINCT, 0 }, { AGGREGATE_QUANTILE, 0.9 }, { AGGREGATE_TOP, 3 },
};

static void expect(bool condition)
{
    if (!condition)
        abort();
}

static void *row_new(const struct aggregate_layout *layout)
{
    void *row = malloc(layout->row_bytes);
    expect(row != NULL);
    aggregate_init(layout, row);
    return row;
}

static void row_free(const struct aggregate_layout *layout, void *row)
{
    aggregate_release(layout, row);
    free(row);
}

static struct slice encode(const struct aggregate_layout *layout, const void *row, struct buf *buf)
{
    buf_reset(buf);
    aggregate_encode(layout, row, buf);
    expect(!buf->full);
    return buf_slice(buf);
}

static void use(const struct aggregate_layout *layout, void *row)
{
    struct aggregate_result result;
    struct aggregate_value inputs[COUNT_OF(all)];
    void *other = row_new(layout);
    for (size_t i = 0; i < layout->measures; i++) {
        aggregate_result(layout, row, i, &result);
        inputs[i] = i % 2 ? (struct aggregate_value){ .kind = AGGREGATE_INT, .integer = -7 }
                          : (struct aggregate_value){ .kind = AGGREGATE_TEXT, .text = SLICE("fuzz") };
    }
    aggregate_merge(layout, other, row);
    aggregate_add(layout, row, inputs, 5, 6);
    aggregate_merge(layout, row, other);
    (void)aggregate_bytes(layout, row);
    row_free(layout, other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct aggregate_layout layout;
    struct buf first, second;
    struct error err;
    if (size < 1)
        return 0;
    size_t only = data[0] % (COUNT_OF(all) + 1); /* one measure, or all */
    if (aggregate_layout_make(only < COUNT_OF(all) ? &all[only] : all, only < COUNT_OF(all) ? 1 : COUNT_OF(all),
                              &layout, NULL) != OK)
        abort();
    char *bytes = malloc(size); /* its own block, so that reading past it is seen */
    memcpy(bytes, data + 1, size - 1);
    void *row = row_new(&layout);
    buf_init(&first, 1u << 20);
    buf_init(&second, 1u << 20);
    if (aggregate_decode(&layout, slice_of(bytes, size - 1), row, &err) == OK) {
        void *again = row_new(&layout);
        struct slice encoded = encode(&layout, row, &first);
        expect(aggregate_decode(&layout, encoded, again, &err) == OK);
        expect(slice_equal(encoded, encode(&layout, again, &second)));
        row_free(&layout, again);
        use(&layout, row);
    } else {
        expect(err.status == ERR_CORRUPT && aggregate_bytes(&layout, row) == layout.row_bytes);
    }
    row_free(&layout, row);
    buf_done(&first);
    buf_done(&second);
    free(bytes);
    return 0;
}
