/* Escapes and characters: the slow part of strings, which most strings never reach. */
#include "event/json_string.h"

#include "base/utf8.h"

bool json_fail_at(struct json_cursor *c, enum json_problem problem, const char *why, size_t at)
{
    c->problem = problem;
    c->why = why;
    c->problem_at = at;
    return false;
}

static int hex4(const char *p)
{
    int value = 0;
    for (int i = 0; i < 4; i++) {
        char c = p[i], lower = (char)(c | 0x20);
        if (c >= '0' && c <= '9')
            value = value << 4 | (c - '0');
        else if (lower >= 'a' && lower <= 'f')
            value = value << 4 | (lower - 'a' + 10);
        else
            return -1;
    }
    return value;
}

/* Reads the escape whose backslash is at p. Returns the bytes it takes, or 0; *out is the code point, or -1 for half a
 * surrogate pair. `room`: bytes up to the closing quote. */
static size_t read_escape(const char *p, size_t room, int32_t *out)
{
    static const char LETTERS[] = "\"\\/bfnrt", MEANT[] = "\"\\/\b\f\n\r\t";
    if (room < 2)
        return 0;
    if (p[1] != 'u') {
        const char *letter = p[1] ? strchr(LETTERS, p[1]) : NULL;
        *out = letter ? MEANT[letter - LETTERS] : 0;
        return letter ? 2 : 0;
    }
    int high = room >= 6 ? hex4(p + 2) : -1;
    if (high < 0)
        return 0;
    *out = high;
    if (high < 0xd800 || high > 0xdfff)
        return 6;
    int low = high < 0xdc00 && room >= 12 && p[6] == '\\' && p[7] == 'u' ? hex4(p + 8) : -1;
    if (low < 0xdc00 || low > 0xdfff) {
        *out = -1;
        return 6;
    }
    *out = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
    return 12;
}

static bool check_escapes(struct json_cursor *c, const char *from, const char *end)
{
    const char *base = c->text;
    for (const char *p = from; p < end;) {
        int32_t code;
        size_t n = read_escape(p, (size_t)(end - p), &code);
        if (n == 0)
            return json_fail_at(c, JSON_BAD, "no such escape in a string", (size_t)(p - base));
        if (code < 0)
            return json_fail_at(c, JSON_BAD_UTF8, "half a surrogate pair", (size_t)(p - base));
        p += n;
        p = p < end ? memchr(p, '\\', (size_t)(end - p)) : NULL;
        if (!p)
            break;
    }
    return true;
}

static bool check_characters(struct json_cursor *c, size_t from, size_t end)
{
    const unsigned char *p = (const unsigned char *)c->text;
    for (size_t i = from; i < end;) {
        if (p[i] < 0x20)
            return json_fail_at(c, JSON_BAD, "a control character in a string must be escaped", i);
        size_t n = utf8_length(p + i, end - i);
        if (n == 0)
            return json_fail_at(c, JSON_BAD_UTF8, "not UTF-8", i);
        i += n;
    }
    return true;
}

bool json_check_string(struct json_cursor *c, size_t from, size_t end, bool *out_escaped)
{
    const char *p = c->text, *text_end = p + c->index->text.n;
    if (c->index->suspect && !check_characters(c, from + 1, end))
        return false;
    if (c->backslash < p + from)
        c->backslash = memchr(p + from, '\\', (size_t)(text_end - (p + from)));
    if (c->backslash && c->backslash < p + end) {
        if (!check_escapes(c, c->backslash, p + end))
            return false;
        *out_escaped = true;
        c->backslash = memchr(p + end, '\\', (size_t)(text_end - (p + end)));
    }
    if (!c->backslash)
        c->backslash = text_end;
    return true;
}

static size_t put_utf8(char *to, int32_t code)
{
    if (code < 0x80) {
        to[0] = (char)code;
        return 1;
    }
    size_t n = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned char FIRST[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
    for (size_t i = n - 1; i > 0; i--, code >>= 6)
        to[i] = (char)(0x80 | (code & 0x3f));
    to[0] = (char)(FIRST[n] | code);
    return n;
}

size_t json_unescape(struct slice inner, char *to)
{
    size_t n = 0;
    for (size_t i = 0; i < inner.n;) {
        if (inner.p[i] != '\\') {
            to[n++] = inner.p[i++];
            continue;
        }
        int32_t code = 0;
        size_t taken = read_escape(inner.p + i, inner.n - i, &code);
        assert(taken > 0 && code >= 0);
        i += taken;
        n += put_utf8(to + n, code);
    }
    return n;
}

struct slice json_text(const struct json_value *string, struct arena *arena)
{
    assert(string->kind == JSON_STRING && string->raw.n >= 2);
    struct slice inner = { string->raw.p + 1, string->raw.n - 2 };
    if (!string->escaped)
        return inner;
    char *to = arena_take(arena, inner.n);
    return to ? slice_of(to, json_unescape(inner, to)) : (struct slice){ 0 };
}
