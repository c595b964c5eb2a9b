/* The Native format, as the engine reads it from HTTP (no block info, no compression):
 *
 *   varint number of columns   varint number of rows
 *   for each column:  varint n, name   varint n, type   then all its values:
 *       String: for each row varint n and n bytes      numbers: little-endian, side by side
 *
 * A column is one buffer, so a block is at most two pieces a column and is sent without being copied together. A part
 * of the rows is the same pieces with other bounds, which is what splitting a refused block needs; only that rare path
 * pays for finding where a row begins in a string column. */
#include "store/native.h"

static const struct {
    const char *name;
    size_t width; /* bytes of a value; 0: it says its own */
} TYPES[] = {
    [NATIVE_STRING] = { "String", 0 }, [NATIVE_DATETIME_MS] = { "DateTime64(3, 'UTC')", 8 },
    [NATIVE_BOOL] = { "Bool", 1 },     [NATIVE_UINT16] = { "UInt16", 2 },
    [NATIVE_UINT64] = { "UInt64", 8 }, [NATIVE_INT64] = { "Int64", 8 },
};

void native_init(struct native_block *block, const struct native_column *columns, size_t column_count, size_t bytes_max)
{
    assert(column_count > 0 && column_count <= NATIVE_COLUMNS_MAX);
    *block = (struct native_block){ .columns = columns, .column_count = column_count };
    for (size_t i = 0; i < column_count; i++)
        buf_init(&block->data[i], bytes_max);
}

void native_reset(struct native_block *block)
{
    block->rows = 0;
    for (size_t i = 0; i < block->column_count; i++)
        buf_reset(&block->data[i]);
}

void native_done(struct native_block *block)
{
    block->rows = 0;
    for (size_t i = 0; i < block->column_count; i++) {
        buf_done(&block->data[i]);
        buf_reset(&block->data[i]);
    }
}

bool native_full(const struct native_block *block)
{
    bool full = false;
    for (size_t i = 0; i < block->column_count; i++)
        full |= block->data[i].full;
    return full;
}

size_t native_bytes(const struct native_block *block)
{
    size_t sum = 0;
    for (size_t i = 0; i < block->column_count; i++)
        sum += block->data[i].n;
    return sum;
}

char *native_grow(struct buf *data, size_t n)
{
    return buf_reserve(data, n);
}

static char *put_varint(char *to, uint64_t n)
{
    while (n >= 0x80) {
        *to++ = (char)(n | 0x80);
        n >>= 7;
    }
    *to++ = (char)n;
    return to;
}

static char *put_name(char *to, const char *name)
{
    size_t n = strlen(name);
    assert(n <= 40);
    to = put_varint(to, n);
    memcpy(to, name, n);
    return to + n;
}

/* Length of the string value at `at`, and its bytes. */
static const char *take_string(const char *at, const char *end, struct slice *out)
{
    uint64_t n = 0;
    for (unsigned shift = 0;; shift += 7) {
        assert(at < end && shift < 64);
        uint8_t byte = (uint8_t)*at++;
        n |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            break;
    }
    assert(n <= (size_t)(end - at));
    *out = slice_of(at, n);
    return at + n;
}

static size_t row_offset(const struct native_block *block, size_t column, uint32_t row)
{
    const struct buf *data = &block->data[column];
    size_t width = TYPES[block->columns[column].type].width;
    if (row == block->rows)
        return data->n;
    if (width)
        return width * row;
    const char *at = data->p;
    struct slice value;
    for (uint32_t i = 0; i < row; i++)
        at = take_string(at, data->p + data->n, &value);
    return (size_t)(at - data->p);
}

void native_parts(const struct native_block *block, uint32_t first, uint32_t end, struct native_parts *out)
{
    assert(first < end && end <= block->rows && !native_full(block));
    out->count = 0;
    out->bytes = 0;
    for (size_t i = 0; i < block->column_count; i++) {
        const struct native_column *column = &block->columns[i];
        char *at = out->headers[i];
        if (i == 0) {
            at = put_varint(at, block->column_count);
            at = put_varint(at, end - first);
        }
        at = put_name(at, column->name);
        at = put_name(at, TYPES[column->type].name);
        size_t header = (size_t)(at - out->headers[i]);
        assert(header <= NATIVE_HEADER_BYTES);
        out->parts[out->count++] = (struct iovec){ out->headers[i], header };
        size_t from = row_offset(block, i, first), to = row_offset(block, i, end);
        assert(from < to);
        out->parts[out->count++] = (struct iovec){ block->data[i].p + from, to - from };
        out->bytes += header + to - from;
    }
}

struct slice native_value(const struct native_block *block, size_t column, uint32_t row)
{
    assert(column < block->column_count && row < block->rows);
    const struct buf *data = &block->data[column];
    const char *at = data->p + row_offset(block, column, row);
    size_t width = TYPES[block->columns[column].type].width;
    if (width)
        return slice_of(at, width);
    struct slice value;
    take_string(at, data->p + data->n, &value);
    return value;
}

struct slice native_next_string(const struct native_block *block, size_t column, struct slice value)
{
    const struct buf *data = &block->data[column];
    assert(block->columns[column].type == NATIVE_STRING && value.p >= data->p);
    struct slice next;
    take_string(value.p + value.n, data->p + data->n, &next);
    return next;
}

size_t native_column_index(const struct native_block *block, const char *name)
{
    size_t i = 0;
    while (i < block->column_count && strcmp(block->columns[i].name, name) != 0)
        i++;
    assert(i < block->column_count);
    return i;
}
