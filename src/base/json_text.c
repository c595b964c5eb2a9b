#include "base/json_text.h"

/* Length of the valid UTF-8 sequence at p (1 to 4), or 0. RFC 3629: no overlong forms, no surrogates, up to U+10FFFF.
 */
static size_t utf8_length(const unsigned char *p, size_t n)
{
    if (p[0] < 0x80)
        return 1;
    size_t length = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4 || n < length)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) ||
        (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return length;
}

static void add_escaped(struct buf *buf, unsigned char c)
{
    static const char *const SHORT[] = {
        ['\b'] = "\\b", ['\t'] = "\\t", ['\n'] = "\\n", ['\f'] = "\\f", ['\r'] = "\\r"
    };
    if (c == '"' || c == '\\') {
        char pair[2] = { '\\', (char)c };
        buf_add(buf, pair, 2);
    } else if (c < COUNT_OF(SHORT) && SHORT[c]) {
        buf_add(buf, SHORT[c], 2);
    } else {
        buf_add_format(buf, "\\u%04x", c);
    }
}

void json_add_string(struct buf *buf, struct slice text)
{
    const unsigned char *p = (const unsigned char *)text.p;
    size_t plain = 0, i = 0;
    buf_add_char(buf, '"');
    while (i < text.n) {
        unsigned char c = p[i];
        if (LIKELY(c >= ' ' && c < 0x80 && c != '"' && c != '\\')) {
            i++;
            continue;
        }
        size_t length = c >= 0x80 ? utf8_length(p + i, text.n - i) : 0;
        if (length) {
            i += length;
            continue;
        }
        buf_add(buf, p + plain, i - plain);
        if (c >= 0x80)
            buf_add_text(buf, "\xef\xbf\xbd");
        else
            add_escaped(buf, c);
        plain = ++i;
    }
    buf_add(buf, p + plain, i - plain);
    buf_add_char(buf, '"');
}

void json_add_key(struct buf *buf, const char *name)
{
    if (buf->n && buf->p[buf->n - 1] != '{' && buf->p[buf->n - 1] != '[')
        buf_add_char(buf, ',');
    json_add_string(buf, slice_from(name));
    buf_add_char(buf, ':');
}

void json_add_field(struct buf *buf, const char *name, struct slice text)
{
    json_add_key(buf, name);
    json_add_string(buf, text);
}

void json_add_field_u64(struct buf *buf, const char *name, uint64_t value)
{
    json_add_key(buf, name);
    buf_add_u64(buf, value);
}
