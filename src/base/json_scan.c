/* One pass with a stack of open brackets as bits: 1 for an object, 0 for an array. */
#include "base/json_scan.h"

#include <emmintrin.h>
#include <stdio.h>
#include <stdlib.h>

static inline bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Its two halves apart: a slice that was just written in halves and is read as a whole makes the processor wait. */
static inline void skip_blanks(struct slice *rest)
{
    const char *p = rest->p;
    size_t n = rest->n;
    for (; n && is_blank(*p); p++)
        n--;
    rest->p = p;
    rest->n = n;
}

/* Where the first quote or backslash from i on is; n: there is none. Sixteen bytes at a time, where there are so many.
 */
static size_t special_at(const char *p, size_t i, size_t n)
{
    const __m128i quote = _mm_set1_epi8('"'), escape = _mm_set1_epi8('\\');
    for (; i + sizeof quote <= n; i += sizeof quote) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(p + i));
        __m128i found = _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, escape));
        unsigned places = (unsigned)_mm_movemask_epi8(found);
        if (places)
            return i + (size_t)__builtin_ctz(places);
    }
    while (i < n && p[i] != '"' && p[i] != '\\')
        i++;
    return i < n ? i : n;
}

/* Length of the string at p, quotes included; 0 when it does not end. */
static size_t string_length(const char *p, size_t n)
{
    for (size_t i = special_at(p, 1, n); i < n; i = special_at(p, i + 2, n))
        if (p[i] == '"')
            return i + 1;
    return 0;
}

/* What a number, true, false or null ends at. */
static const bool ENDS_SCALAR[256] = {
    [' '] = true, ['\t'] = true, ['\n'] = true, ['\r'] = true, [','] = true, [':'] = true,
    ['"'] = true, ['['] = true,  [']'] = true,  ['{'] = true,  ['}'] = true
};

static size_t scalar_length(const char *p, size_t n)
{
    size_t i = 0;
    while (i < n && !ENDS_SCALAR[(unsigned char)p[i]])
        i++;
    return i;
}

static size_t container_length(const char *p, size_t n)
{
    bool is_object[JSON_SCAN_DEPTH_MAX];
    size_t depth = 0, i = 0;
    while (i < n) {
        char c = p[i];
        if (c == '"') {
            size_t length = string_length(p + i, n - i);
            if (!length)
                return 0;
            i += length;
            continue;
        }
        i++;
        if (c == '{' || c == '[') {
            if (depth == JSON_SCAN_DEPTH_MAX)
                return 0;
            is_object[depth++] = c == '{';
        } else if (c == '}' || c == ']') {
            if (is_object[--depth] != (c == '}'))
                return 0;
            if (depth == 0)
                return i;
        }
    }
    return 0;
}

bool json_scan_value(struct slice *rest, struct slice *out_value)
{
    struct slice at = { rest->p, rest->n };
    skip_blanks(&at);
    const char *p = at.p;
    size_t n = at.n;
    if (n == 0)
        return false;
    size_t length = *p == '"'                ? string_length(p, n)
                    : *p == '{' || *p == '[' ? container_length(p, n)
                                             : scalar_length(p, n);
    if (length == 0)
        return false;
    *out_value = slice_of(p, length);
    *rest = slice_of(p + length, n - length);
    return true;
}

bool json_is_whole(struct slice text)
{
    struct slice value;
    if (!json_scan_value(&text, &value))
        return false;
    skip_blanks(&text);
    return text.n == 0;
}

void json_walk_begin(struct json_walk *walk, struct slice text)
{
    *walk = (struct json_walk){ .rest = text };
    skip_blanks(&walk->rest);
    if (walk->rest.n == 0 || (*walk->rest.p != '{' && *walk->rest.p != '[')) {
        walk->ended = walk->bad = true;
        return;
    }
    walk->object = *walk->rest.p == '{';
    walk->rest = slice_after(walk->rest, 1);
}

static bool walk_fail(struct json_walk *walk)
{
    walk->ended = walk->bad = true;
    return false;
}

static bool take(struct slice *rest, char c)
{
    skip_blanks(rest);
    if (rest->n == 0 || *rest->p != c)
        return false;
    rest->p++;
    rest->n--;
    return true;
}

bool json_walk_next(struct json_walk *walk)
{
    if (walk->ended)
        return false;
    if (take(&walk->rest, walk->object ? '}' : ']')) {
        walk->ended = true;
        return false;
    }
    if (walk->begun && !take(&walk->rest, ','))
        return walk_fail(walk);
    walk->begun = true;
    if (walk->object) {
        if (!json_scan_value(&walk->rest, &walk->name) || *walk->name.p != '"' || !take(&walk->rest, ':'))
            return walk_fail(walk);
    }
    return json_scan_value(&walk->rest, &walk->value) || walk_fail(walk);
}

bool json_find(struct slice object, const char *name, struct slice *out_value)
{
    struct json_walk walk;
    struct slice wanted = slice_from(name);
    json_walk_begin(&walk, object);
    if (walk.bad || !walk.object)
        return false;
    while (json_walk_next(&walk)) {
        if (slice_equal(slice_of(walk.name.p + 1, walk.name.n - 2), wanted)) {
            *out_value = walk.value;
            return true;
        }
    }
    return false;
}

static bool hex4(const char *p, const char *end, uint32_t *out)
{
    uint32_t value = 0;
    if (end - p < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        uint32_t digit;
        if (c >= '0' && c <= '9')
            digit = (uint32_t)(c - '0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            digit = (uint32_t)((c | 0x20) - 'a' + 10);
        else
            return false;
        value = value << 4 | digit;
    }
    *out = value;
    return true;
}

static void add_utf8(struct buf *out, uint32_t c)
{
    if (c < 0x80) {
        buf_add_char(out, (char)c);
    } else if (c < 0x800) {
        buf_add_char(out, (char)(0xc0 | c >> 6));
        buf_add_char(out, (char)(0x80 | (c & 0x3f)));
    } else if (c < 0x10000) {
        buf_add_char(out, (char)(0xe0 | c >> 12));
        buf_add_char(out, (char)(0x80 | (c >> 6 & 0x3f)));
        buf_add_char(out, (char)(0x80 | (c & 0x3f)));
    } else {
        buf_add_char(out, (char)(0xf0 | c >> 18));
        buf_add_char(out, (char)(0x80 | (c >> 12 & 0x3f)));
        buf_add_char(out, (char)(0x80 | (c >> 6 & 0x3f)));
        buf_add_char(out, (char)(0x80 | (c & 0x3f)));
    }
}

/* p is behind "\u". Returns what was consumed, 0 when malformed. */
static size_t add_unicode_escape(const char *p, const char *end, struct buf *out)
{
    uint32_t high, low;
    if (!hex4(p, end, &high))
        return 0;
    if (high < 0xd800 || high > 0xdfff) {
        add_utf8(out, high);
        return 4;
    }
    if (high < 0xdc00 && end - p >= 10 && p[4] == '\\' && p[5] == 'u' && hex4(p + 6, end, &low) && low >= 0xdc00 &&
        low <= 0xdfff) {
        add_utf8(out, 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00));
        return 10;
    }
    add_utf8(out, 0xfffd);
    return 4;
}

bool json_scan_string(struct slice value, struct buf *out)
{
    static const char FROM[] = "\"\\/bfnrt", TO[] = "\"\\/\b\f\n\r\t";
    if (value.n < 2 || value.p[0] != '"' || string_length(value.p, value.n) != value.n)
        return false;
    const char *p = value.p + 1, *end = value.p + value.n - 1;
    while (p < end) {
        const char *escape = memchr(p, '\\', (size_t)(end - p));
        buf_add(out, p, (size_t)((escape ? escape : end) - p));
        if (!escape)
            break;
        p = escape + 2;
        const char *known = memchr(FROM, escape[1], sizeof FROM - 1);
        if (known) {
            buf_add_char(out, TO[known - FROM]);
        } else {
            size_t used = escape[1] == 'u' ? add_unicode_escape(p, end, out) : 0;
            if (!used)
                return false;
            p += used;
        }
    }
    return true;
}

bool json_scan_u64(struct slice value, uint64_t *out)
{
    return slice_to_u64(value, out);
}

double json_find_number(struct slice object, const char *name)
{
    struct slice value;
    char text[40];
    if (!json_find(object, name, &value))
        return 0;
    snprintf(text, sizeof text, "%.*s", SLICE_ARG(value));
    return strtod(text, NULL);
}

void json_find_text(struct slice object, const char *name, char *to, size_t size)
{
    struct slice value;
    AUTO(buf) struct buf text;
    buf_init(&text, 4096);
    to[0] = '\0';
    if (json_find(object, name, &value) && json_scan_string(value, &text))
        snprintf(to, size, "%s", buf_text(&text));
}
