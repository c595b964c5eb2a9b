/* A growable byte buffer with a bound stated at birth. A write past the bound sets `full` and is left out, so that a
 * long sequence of writes needs one check at its end. One owner, one thread at a time. */
#pragma once
#include "base/compiler.h"
#include "base/slice.h"

struct buf {
    char *p;
    size_t n, capacity, max_bytes;
    bool full; /* something did not fit: the content is not whole */
};

void buf_init(struct buf *buf, size_t max_bytes);
void buf_reset(struct buf *buf); /* empty again, keeps its memory */
void buf_done(struct buf *buf);
static inline void buf_auto(struct buf *buf)
{
    buf_done(buf);
}

/* Room for n more bytes at buf->p + buf->n (advance buf->n yourself), or NULL and full. */
char *buf_reserve(struct buf *buf, size_t n);
/* As buf_add where there may be no room yet. */
void buf_add_growing(struct buf *buf, const void *bytes, size_t n);
static inline void buf_add(struct buf *buf, const void *bytes, size_t n)
{
    if (UNLIKELY(n == 0 || buf->capacity - buf->n < n)) {
        buf_add_growing(buf, bytes, n);
        return;
    }
    memcpy(buf->p + buf->n, bytes, n);
    buf->n += n;
}
static inline void buf_add_slice(struct buf *buf, struct slice s)
{
    buf_add(buf, s.p, s.n);
}
static inline void buf_add_text(struct buf *buf, const char *text)
{
    buf_add(buf, text, strlen(text));
}
static inline void buf_add_char(struct buf *buf, char c)
{
    buf_add(buf, &c, 1);
}
void buf_add_u64(struct buf *buf, uint64_t value); /* decimal */
PRINTF_LIKE(2, 3) void buf_add_format(struct buf *buf, const char *format, ...);
/* Terminates behind the content (not counted in n) and returns it; "" when full on an empty buffer. */
const char *buf_text(struct buf *buf);

static inline struct slice buf_slice(const struct buf *buf)
{
    return (struct slice){ buf->p, buf->n };
}
