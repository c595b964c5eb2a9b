/* Functions on text. Positions are characters; bytes that are no UTF-8 count as one each. */
#include "base/utf8.h"
#include "expr/functions.h"

static struct value mapped(struct slice s, char from, char to, struct arena *arena)
{
    if (s.n > VALUE_TEXT_MAX)
        return value_null(REASON_TOO_LONG);
    char *room = arena_take(arena, s.n);
    if (!room)
        return value_null(REASON_TOO_LONG);
    for (size_t i = 0; i < s.n; i++) {
        bool hit = s.p[i] >= from && s.p[i] <= to;
        room[i] = hit ? (char)(s.p[i] ^ 0x20) : s.p[i];
    }
    return value_text(slice_of(room, s.n));
}

FUNCTION(lower)
{
    (void)count;
    return mapped(value_slice(a[0]), 'A', 'Z', arena);
}

FUNCTION(upper)
{
    (void)count;
    return mapped(value_slice(a[0]), 'a', 'z', arena);
}

static size_t step(struct slice s, size_t at)
{
    size_t n = utf8_length((const unsigned char *)s.p + at, s.n - at);
    return n ? n : 1;
}

FUNCTION(length)
{
    (void)count;
    (void)arena;
    struct slice s = value_slice(a[0]);
    int64_t characters = 0;
    for (size_t at = 0; at < s.n; at += step(s, at))
        characters++;
    return value_int(characters);
}

/* Behind as many characters. */
static size_t skip(struct slice s, uint64_t characters)
{
    size_t at = 0;
    for (; characters && at < s.n; characters--)
        at += step(s, at);
    return at;
}

FUNCTION(substr)
{
    (void)arena;
    struct slice s = value_slice(a[0]);
    if (a[1].i > 1)
        s = slice_after(s, skip(s, (uint64_t)a[1].i - 1));
    if (count == 3)
        s.n = a[2].i > 0 ? skip(s, (uint64_t)a[2].i) : 0;
    return value_text(s);
}

FUNCTION(concat)
{
    char digits[VALUE_DIGITS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        n += value_as_text(a[i], digits).n;
    char *room = n <= VALUE_TEXT_MAX ? arena_take(arena, n) : NULL;
    if (!room)
        return value_null(REASON_TOO_LONG);
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        struct slice part = value_as_text(a[i], digits);
        if (part.n)
            memcpy(room + at, part.p, part.n);
        at += part.n;
    }
    return value_text(slice_of(room, n));
}

FUNCTION(starts_with)
{
    (void)count;
    (void)arena;
    return value_bool(slice_starts(value_slice(a[0]), value_slice(a[1])));
}

FUNCTION(ends_with)
{
    (void)count;
    (void)arena;
    struct slice s = value_slice(a[0]), part = value_slice(a[1]);
    return value_bool(s.n >= part.n && slice_equal(slice_after(s, s.n - part.n), part));
}

FUNCTION(contains)
{
    (void)count;
    (void)arena;
    struct slice s = value_slice(a[0]), part = value_slice(a[1]);
    return value_bool(part.n == 0 || (s.n && memmem(s.p, s.n, part.p, part.n) != NULL));
}
