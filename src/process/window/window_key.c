#include "process/window/window_key.h"

#include <math.h>
#include <string.h>
#include <xxhash.h>

#include "base/encode.h"
#include "base/json_text.h"
#include "base/utf8.h"

#define HASH_BYTES 8
#define WHOLE_MAX 9007199254740992.0 /* 2^53: every whole number up to here is one double */

static char *add_bytes(char *at, uint8_t kind, const void *bytes, size_t n)
{
    *at++ = (char)kind;
    memcpy(at, bytes, n);
    return at + n;
}

static char *add_number(char *at, double number)
{
    if (number >= -WHOLE_MAX && number <= WHOLE_MAX && number == floor(number)) {
        int64_t whole = (int64_t)number;
        return add_bytes(at, VALUE_INT, &whole, sizeof whole);
    }
    return add_bytes(at, VALUE_NUMBER, &number, sizeof number);
}

/* "beginning…#0123456789abcdef" */
static char *add_long_text(char *at, struct slice text)
{
    static const char MORE[] = "\xe2\x80\xa6#";
    const size_t tail = sizeof MORE - 1 + 2 * HASH_BYTES;
    uint64_t hash = XXH3_64bits(text.p, text.n);
    size_t kept = WINDOW_KEY_TEXT_MAX - tail;
    while (kept > 0 && ((uint8_t)text.p[kept] & 0xc0) == 0x80) /* not within a character */
        kept--;
    uint16_t n = (uint16_t)(kept + tail);
    at = add_bytes(at, VALUE_TEXT, &n, sizeof n);
    memcpy(at, text.p, kept);
    memcpy(at + kept, MORE, sizeof MORE - 1);
    hex_encode(slice_of(&hash, HASH_BYTES), at + kept + sizeof MORE - 1);
    return at + n;
}

char *window_key_add(char *at, struct value value)
{
    switch ((enum value_kind)value.kind) {
    case VALUE_NULL:
        *at = VALUE_NULL;
        return at + 1;
    case VALUE_BOOL:
        return add_bytes(at, VALUE_BOOL, &value.b, 1);
    case VALUE_INT:
        return add_bytes(at, VALUE_INT, &value.i, sizeof value.i);
    case VALUE_NUMBER:
        return add_number(at, value.d);
    case VALUE_TEXT:
        break;
    }
    if (value.n > WINDOW_KEY_TEXT_MAX)
        return add_long_text(at, value_slice(value));
    uint16_t n = (uint16_t)value.n;
    at = add_bytes(at, VALUE_TEXT, &n, sizeof n);
    if (n)
        memcpy(at, value.p, n);
    return at + n;
}

/* The first n bytes of what is left, which shrinks; false when there are fewer. */
static bool take(struct slice *rest, void *to, size_t n)
{
    if (rest->n < n)
        return false;
    memcpy(to, rest->p, n);
    *rest = slice_after(*rest, n);
    return true;
}

static bool add_value_json(struct slice *rest, struct buf *out)
{
    uint8_t kind, truth;
    uint16_t n;
    int64_t whole;
    double number;
    if (!take(rest, &kind, 1))
        return false;
    switch (kind) {
    case VALUE_NULL:
        buf_add_text(out, "null");
        return true;
    case VALUE_BOOL:
        if (!take(rest, &truth, 1))
            return false;
        buf_add_text(out, truth ? "true" : "false");
        return true;
    case VALUE_INT:
        if (!take(rest, &whole, sizeof whole))
            return false;
        buf_add_format(out, "%lld", (long long)whole);
        return true;
    case VALUE_NUMBER:
        if (!take(rest, &number, sizeof number))
            return false;
        json_add_number(out, number);
        return true;
    case VALUE_TEXT:
        if (!take(rest, &n, sizeof n) || rest->n < n)
            return false;
        json_add_string(out, slice_of(rest->p, n));
        *rest = slice_after(*rest, n);
        return true;
    default:
        return false;
    }
}

void window_key_add_json(const struct window *window, struct slice key, struct buf *out)
{
    buf_add_char(out, '{');
    for (size_t i = 0; i < window->key_count && key.n; i++) {
        if (i)
            buf_add_char(out, ',');
        json_add_string(out, window->keys[i].name);
        buf_add_char(out, ':');
        if (!add_value_json(&key, out)) {
            buf_add_text(out, "null");
            break;
        }
    }
    buf_add_char(out, '}');
}
