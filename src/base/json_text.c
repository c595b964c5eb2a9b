#include "base/json_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"

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

void json_add_number(struct buf *buf, double number)
{
    char text[32];
    if (!isfinite(number)) {
        buf_add_text(buf, "null");
        return;
    }
    for (int digits = 15; digits <= 17; digits++) { /* the fewest that read back as the same */
        snprintf(text, sizeof text, "%.*g", digits, number);
        if (strtod(text, NULL) == number)
            break;
    }
    buf_add_text(buf, text);
}
