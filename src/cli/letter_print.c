#include "cli/letter_print.h"

#include "base/json_scan.h"
#include "base/json_text.h"
#include "base/timestamp.h"
#include "base/utf8.h"
#include "cli/letter_advice.h"
#include "cli/term.h"

#define SHOWN_BYTES_MAX 65536
#define INDENT_DEPTH_MAX 64
#define VALUE_CELLS_MAX 65536

static void add_time(struct buf *out, int64_t ms)
{
    char text[TIMESTAMP_TEXT_BYTES];
    if (ms < TIMESTAMP_MIN_MS || ms > TIMESTAMP_MAX_MS)
        return;
    timestamp_format(ms, text);
    buf_add(out, text, sizeof text);
}

static bool is_text(struct slice bytes)
{
    for (size_t i = 0, length; i < bytes.n; i += length) {
        length = utf8_length((const unsigned char *)bytes.p + i, bytes.n - i);
        if (!length)
            return false;
    }
    return true;
}

void letter_add_json(struct buf *out, const struct letter *letter)
{
    char time[TIMESTAMP_TEXT_BYTES + 1];
    struct buf text;
    buf_init(&text, sizeof time);
    add_time(&text, letter->received_ms);
    buf_add_char(out, '{');
    json_add_field(out, "id", letter->id);
    json_add_field(out, "received_at", buf_slice(&text));
    json_add_field(out, "stage", letter->stage);
    json_add_field(out, "reason", letter->reason);
    json_add_field(out, "field", letter->field);
    json_add_field(out, "message", letter->message);
    json_add_field(out, "event_id", letter->event_id);
    if (is_text(letter->original)) {
        json_add_field(out, "original", letter->original);
    } else {
        json_add_key(out, "original_hex");
        buf_add_char(out, '"');
        for (size_t i = 0; i < letter->original.n; i++)
            buf_add_format(out, "%02x", (unsigned char)letter->original.p[i]);
        buf_add_char(out, '"');
    }
    json_add_field(out, "advice", slice_from(letter_advice(letter->stage, letter->reason)));
    buf_add_char(out, '}');
    buf_done(&text);
}

static void add_indented(struct buf *out, struct slice json, size_t depth)
{
    struct json_walk walk;
    bool is_object = json.p[0] == '{';
    size_t items = 0;
    if ((!is_object && json.p[0] != '[') || depth == INDENT_DEPTH_MAX) {
        term_add_cut(out, json, VALUE_CELLS_MAX);
        return;
    }
    buf_add_char(out, json.p[0]);
    for (json_walk_begin(&walk, json); json_walk_next(&walk); items++) {
        buf_add_text(out, items ? ",\n" : "\n");
        term_add_repeat(out, "  ", depth + 1);
        if (is_object) {
            term_add_cut(out, walk.name, VALUE_CELLS_MAX);
            buf_add_text(out, ": ");
        }
        add_indented(out, walk.value, depth + 1);
    }
    if (items) {
        buf_add_char(out, '\n');
        term_add_repeat(out, "  ", depth);
    }
    buf_add_char(out, is_object ? '}' : ']');
}

/* Control characters, those of two bytes (C1) included, could move the cursor. */
static bool is_printable(const char *p, size_t length)
{
    unsigned char first = (unsigned char)p[0], second = length > 1 ? (unsigned char)p[1] : 0;
    return length > 1 ? !(first == 0xc2 && second < 0xa0) : length == 1 && first >= ' ' && first != 0x7f;
}

static void add_escaped(struct buf *out, struct slice bytes)
{
    for (size_t i = 0, length; i < bytes.n; i += length ? length : 1) {
        length = utf8_length((const unsigned char *)bytes.p + i, bytes.n - i);
        if (is_printable(bytes.p + i, length)) {
            buf_add(out, bytes.p + i, length);
            continue;
        }
        for (size_t k = 0; k < (length ? length : 1); k++)
            buf_add_format(out, "\\x%02x", (unsigned char)bytes.p[i + k]);
        if (bytes.p[i] == '\n')
            buf_add_char(out, '\n');
    }
}

void letter_add_original(struct buf *out, struct slice original, size_t bytes_max)
{
    struct slice text = slice_trim(original);
    bool is_json = text.n && text.n <= bytes_max && (text.p[0] == '{' || text.p[0] == '[') && json_is_whole(text);
    if (is_json) {
        add_indented(out, text, 0);
        buf_add_char(out, '\n');
        return;
    }
    add_escaped(out, slice_of(original.p, original.n < bytes_max ? original.n : bytes_max));
    buf_add_char(out, '\n');
    if (original.n > bytes_max)
        buf_add_format(out, "… and %zu bytes more (--json has them all)\n", original.n - bytes_max);
}

static void add_line(struct buf *out, const char *name, struct slice value)
{
    if (!value.n)
        return;
    buf_add_format(out, "%s%-12s%s", term_style(stdout, TERM_DIM), name, term_style(stdout, TERM_PLAIN));
    term_add_cut(out, value, VALUE_CELLS_MAX);
    buf_add_char(out, '\n');
}

void letter_add_page(struct buf *out, const struct letter *letter)
{
    struct buf time;
    buf_init(&time, TIMESTAMP_TEXT_BYTES + 1);
    add_time(&time, letter->received_ms);
    add_line(out, "id", letter->id);
    add_line(out, "received at", buf_slice(&time));
    add_line(out, "stage", letter->stage);
    add_line(out, "reason", letter->reason);
    add_line(out, "field", letter->field);
    add_line(out, "message", letter->message);
    add_line(out, "event id", letter->event_id);
    add_line(out, "what to do", slice_from(letter_advice(letter->stage, letter->reason)));
    buf_add_format(out, "\n%soriginal, %zu bytes%s\n", term_style(stdout, TERM_DIM), letter->original.n,
                   term_style(stdout, TERM_PLAIN));
    letter_add_original(out, letter->original, SHOWN_BYTES_MAX);
    buf_done(&time);
}
