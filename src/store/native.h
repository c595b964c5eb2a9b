/* Rows as the columns of one ClickHouse Native block, the cheapest form for the engine to read.
 *
 * Filled row by row: for each row each column gets exactly one value (native_add_… in any order of columns), then
 * native_row_done. Nothing is allocated per row: each column is one buffer that grows and is kept for the next block.
 * One owner, one thread at a time. Bound: bytes_max per column, 2^32 - 1 rows; a value beyond it makes the block
 * `full`: its content is then not whole and it must not be sent. Row numbers count from 0. */
#pragma once
#include <sys/uio.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/slice.h"

#define NATIVE_COLUMNS_MAX 24
#define NATIVE_HEADER_BYTES 96 /* of one column: name, type and the block's two counts */
/* What native_parts may fill: for each column its header and its data. */
#define NATIVE_PARTS_MAX (2 * NATIVE_COLUMNS_MAX)

enum native_type {
    NATIVE_STRING,      /* LowCardinality too: the engine casts */
    NATIVE_DATETIME_MS, /* DateTime64(3, 'UTC'): Unix time in milliseconds */
    NATIVE_BOOL,
    NATIVE_UINT16,
    NATIVE_UINT64,
    NATIVE_INT64,
};

struct native_column {
    const char *name; /* at most 40 characters */
    enum native_type type;
};

struct native_block {
    const struct native_column *columns; /* not owned: a table that lives for ever */
    size_t column_count;
    uint32_t rows;
    struct buf data[NATIVE_COLUMNS_MAX];
};

/* Where one block's bytes lie: `parts` in this order are the block. Header bytes are inside this struct, the rest is
 * the block's own: valid until the block changes. */
struct native_parts {
    struct iovec parts[NATIVE_PARTS_MAX];
    size_t count, bytes;
    char headers[NATIVE_COLUMNS_MAX][NATIVE_HEADER_BYTES];
};

void native_init(struct native_block *block, const struct native_column *columns, size_t column_count,
                 size_t bytes_max);
void native_reset(struct native_block *block); /* no rows; keeps the memory */
void native_done(struct native_block *block);  /* gives the memory back; may be filled again */
bool native_full(const struct native_block *block);
size_t native_bytes(const struct native_block *block);

/* The bytes of rows [first, end): the whole block, or a part of it as a block of its own. first < end <= rows. */
void native_parts(const struct native_block *block, uint32_t first, uint32_t end, struct native_parts *out);
/* One value, for the few places that look back: strings as their bytes, numbers as their little-endian bytes. Walks
 * a string column from its begin. */
struct slice native_value(const struct native_block *block, size_t column, uint32_t row);
/* The value of the row after, for a string column: value is the row before. There must be a row after. */
struct slice native_next_string(const struct native_block *block, size_t column, struct slice value);
/* Index of the column with this name; it must exist. */
size_t native_column_index(const struct native_block *block, const char *name);

/* Slow path of the functions below: makes room, or marks the column full and returns NULL. */
char *native_grow(struct buf *data, size_t n);

static inline char *native_room(struct native_block *block, size_t column, size_t n)
{
    struct buf *data = &block->data[column];
    if (LIKELY(data->capacity - data->n >= n))
        return data->p + data->n;
    return native_grow(data, n);
}

static inline void native_add_string(struct native_block *block, size_t column, struct slice s)
{
    assert(block->columns[column].type == NATIVE_STRING);
    char *to = native_room(block, column, s.n + 10);
    if (UNLIKELY(!to))
        return;
    char *at = to;
    uint64_t n = s.n;
    while (n >= 0x80) {
        *at++ = (char)(n | 0x80);
        n >>= 7;
    }
    *at++ = (char)n;
    if (s.n)
        memcpy(at, s.p, s.n);
    block->data[column].n += (size_t)(at - to) + s.n;
}

static inline void native_add_fixed(struct native_block *block, size_t column, const void *value, size_t n)
{
    char *to = native_room(block, column, n);
    if (UNLIKELY(!to))
        return;
    memcpy(to, value, n);
    block->data[column].n += n;
}

static inline void native_add_u64(struct native_block *block, size_t column, uint64_t value)
{
    assert(block->columns[column].type == NATIVE_UINT64);
    native_add_fixed(block, column, &value, sizeof value);
}

static inline void native_add_i64(struct native_block *block, size_t column, int64_t value)
{
    assert(block->columns[column].type == NATIVE_INT64 || block->columns[column].type == NATIVE_DATETIME_MS);
    native_add_fixed(block, column, &value, sizeof value);
}

static inline void native_add_u16(struct native_block *block, size_t column, uint16_t value)
{
    assert(block->columns[column].type == NATIVE_UINT16);
    native_add_fixed(block, column, &value, sizeof value);
}

static inline void native_add_bool(struct native_block *block, size_t column, bool value)
{
    uint8_t byte = value;
    assert(block->columns[column].type == NATIVE_BOOL);
    native_add_fixed(block, column, &byte, sizeof byte);
}

static inline void native_row_done(struct native_block *block)
{
    assert(block->rows < UINT32_MAX);
    block->rows++;
}
