#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void buf_init(struct buf *buf, size_t max_bytes)
{
    *buf = (struct buf){ .max_bytes = max_bytes };
}

void buf_reset(struct buf *buf)
{
    buf->n = 0;
    buf->full = false;
}

void buf_done(struct buf *buf)
{
    free(buf->p);
    buf->p = NULL;
    buf->n = buf->capacity = 0;
}

char *buf_reserve(struct buf *buf, size_t n)
{
    if (LIKELY(buf->capacity - buf->n >= n && buf->p))
        return buf->p + buf->n;
    if (buf->full || n > buf->max_bytes || buf->n > buf->max_bytes - n) {
        buf->full = true;
        return NULL;
    }
    size_t capacity = buf->capacity ? buf->capacity * 2 : 256;
    if (capacity < buf->n + n)
        capacity = buf->n + n;
    if (capacity > buf->max_bytes + 1)
        capacity = buf->max_bytes + 1;
    char *p = realloc(buf->p, capacity);
    if (!p) {
        buf->full = true;
        return NULL;
    }
    buf->p = p;
    buf->capacity = capacity;
    return p + buf->n;
}

void buf_add_growing(struct buf *buf, const void *bytes, size_t n)
{
    char *to = buf_reserve(buf, n);
    if (!to || n == 0)
        return;
    memcpy(to, bytes, n);
    buf->n += n;
}

void buf_add_u64(struct buf *buf, uint64_t value)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    buf_add(buf, digits + at, sizeof digits - at);
}

void buf_add_format(struct buf *buf, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int n = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (n >= 0) {
        /* vsnprintf terminates, hence one byte more than is kept. */
        char *to = buf_reserve(buf, (size_t)n + 1);
        if (to) {
            vsnprintf(to, (size_t)n + 1, format, again);
            buf->n += (size_t)n;
        }
    }
    va_end(again);
}

const char *buf_text(struct buf *buf)
{
    char *end = buf_reserve(buf, 1);
    if (!end)
        return "";
    *end = '\0';
    return buf->p;
}
