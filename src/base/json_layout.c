/* One walk over the tokens; at each opening bracket its end is looked for, which costs the depth times the length at
 * most. */
#include "base/json_layout.h"

#define LINE_MAX_BYTES 110
#define INDENT 2

/* Behind the string or the bare word at `at`. */
static size_t end_of_scalar(struct slice json, size_t at)
{
    bool quoted = json.p[at] == '"';
    for (size_t i = at + 1; i < json.n; i++) {
        if (quoted && json.p[i] == '\\')
            i++;
        else if (quoted && json.p[i] == '"')
            return i + 1;
        else if (!quoted && memchr(",:]}", json.p[i], 4))
            return i;
    }
    return json.n;
}

static size_t end_of_value(struct slice json, size_t at)
{
    size_t depth = 0;
    do {
        char c = json.p[at];
        depth += c == '{' || c == '[';
        depth -= depth && (c == '}' || c == ']');
        at = memchr("{}[],:", c, 6) ? at + 1 : end_of_scalar(json, at);
    } while (depth && at < json.n);
    return at;
}

static void add_in_line(struct buf *buf, struct slice json)
{
    for (size_t at = 0; at < json.n;) {
        size_t end = memchr("{}[],:", json.p[at], 6) ? at + 1 : end_of_scalar(json, at);
        buf_add(buf, json.p + at, end - at);
        if (json.p[at] == ',' || json.p[at] == ':')
            buf_add_char(buf, ' ');
        at = end;
    }
}

static void begin_line(struct buf *buf, size_t depth)
{
    buf_add_char(buf, '\n');
    for (size_t i = 0; i < depth * INDENT; i++)
        buf_add_char(buf, ' ');
}

static void add_value(struct buf *buf, struct slice json, size_t depth, size_t used);

/* The members between the brackets: `"key":value` or `value`. */
static void add_members(struct buf *buf, struct slice json, size_t depth)
{
    for (size_t at = 1; at + 1 < json.n;) {
        begin_line(buf, depth);
        size_t used = depth * INDENT, end = end_of_value(json, at);
        if (end < json.n && json.p[end] == ':') {
            used += end - at + 2;
            buf_add(buf, json.p + at, end - at);
            buf_add_text(buf, ": ");
            at = end + 1;
            end = end_of_value(json, at);
        }
        add_value(buf, slice_of(json.p + at, end - at), depth, used);
        at = end;
        if (json.p[at] == ',') {
            buf_add_char(buf, ',');
            at++;
        }
    }
}

/* used: bytes of the line before it. */
static void add_value(struct buf *buf, struct slice json, size_t depth, size_t used)
{
    bool fits = used + json.n <= LINE_MAX_BYTES || depth == JSON_LAYOUT_DEPTH_MAX;
    if (fits || (json.p[0] != '{' && json.p[0] != '[')) {
        add_in_line(buf, json);
        return;
    }
    buf_add_char(buf, json.p[0]);
    add_members(buf, json, depth + 1);
    begin_line(buf, depth);
    buf_add_char(buf, json.p[json.n - 1]);
}

void json_add_laid_out(struct buf *buf, struct slice json)
{
    if (json.n)
        add_value(buf, json, 0, 0);
    buf_add_char(buf, '\n');
}
