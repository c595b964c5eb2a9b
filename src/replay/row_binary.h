/* The engine's RowBinary: columns one after another, rows too. Integers little-endian, texts with their length as
 * LEB128 before them, times as milliseconds. Pure functions. */
#pragma once
#include "base/buf.h"
#include "base/compiler.h"

static inline void row_add_u64(struct buf *to, uint64_t value)
{
    buf_add(to, &value, sizeof value);
}

static inline void row_add_text(struct buf *to, struct slice text)
{
    uint64_t n = text.n;
    for (; n >= 0x80; n >>= 7)
        buf_add_char(to, (char)(n | 0x80));
    buf_add_char(to, (char)n);
    buf_add_slice(to, text);
}

/* Takes the bytes from the start of *rest; false: there are fewer, and *rest is as it was or shorter. */
static inline bool row_take(struct slice *rest, void *to, size_t n)
{
    if (rest->n < n)
        return false;
    memcpy(to, rest->p, n);
    *rest = slice_after(*rest, n);
    return true;
}

/* A view into the bytes. */
static inline bool row_take_text(struct slice *rest, struct slice *out)
{
    uint64_t n = 0;
    uint8_t byte = 0x80;
    for (unsigned shift = 0; byte & 0x80; shift += 7) {
        if (shift > 56 || !row_take(rest, &byte, 1))
            return false;
        n |= (uint64_t)(byte & 0x7f) << shift;
    }
    if (rest->n < n)
        return false;
    *out = slice_of(rest->p, n);
    *rest = slice_after(*rest, n);
    return true;
}
