/* Binary to JSON: one walk along the schema. Every step reads or writes at least one byte, or goes one level deeper, so
 * it ends with the input, the buffer or AVRO_DEPTH_MAX. */
#include <math.h>

#include "avro/avro_inside.h"
#include "base/encode.h"
#include "base/json_text.h"
#include "base/timestamp.h"

#define DAY_MS INT64_C(86400000)
#define DECIMAL_BYTES_MAX 16

struct reading {
    const unsigned char *at, *end;
    struct buf *out;
    struct error *err;
    unsigned depth;
};

static enum status corrupt(struct reading *reading, const char *what)
{
    return error_set(reading->err, ERR_CORRUPT, "%s", what);
}

/* Zigzag, 7 bits a byte, the lowest first. */
static bool read_long(struct reading *reading, int64_t *out)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 70 && reading->at < reading->end; shift += 7) {
        unsigned char byte = *reading->at++;
        if (shift == 63 && byte > 1)
            return false;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            *out = (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
            return true;
        }
    }
    return false;
}

static bool read_bytes(struct reading *reading, size_t n, struct slice *out)
{
    if ((size_t)(reading->end - reading->at) < n)
        return false;
    *out = slice_of(reading->at, n);
    reading->at += n;
    return true;
}

static bool read_block(struct reading *reading, struct slice *out)
{
    int64_t n;
    return read_long(reading, &n) && n >= 0 && n <= reading->end - reading->at && read_bytes(reading, (size_t)n, out);
}

static void add_i64(struct buf *out, int64_t value)
{
    if (value < 0)
        buf_add_char(out, '-');
    buf_add_u64(out, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

static enum status add_time(struct reading *reading, int64_t ms, bool day)
{
    char text[TIMESTAMP_TEXT_BYTES];
    if (ms < TIMESTAMP_MIN_MS || ms > TIMESTAMP_MAX_MS)
        return corrupt(reading, "this time is outside the years 1900 to 2299");
    timestamp_format(ms, text);
    json_add_string(reading->out, slice_of(text, day ? 10 : sizeof text));
    return OK;
}

static enum status add_whole(struct reading *reading, const struct avro_node *node)
{
    int64_t value;
    if (!read_long(reading, &value) || (node->kind == AVRO_INT && value != (int32_t)value))
        return corrupt(reading, node->kind == AVRO_INT ? "here is no int" : "here is no long");
    if (node->logical == AVRO_DATE)
        return add_time(reading, value * DAY_MS, true);
    if (node->logical == AVRO_TIMESTAMP_MILLIS)
        return add_time(reading, value, false);
    if (node->logical == AVRO_TIMESTAMP_MICROS)
        return add_time(reading, value / 1000 - (value % 1000 < 0), false);
    add_i64(reading->out, value);
    return OK;
}

static enum status add_number(struct reading *reading, const struct avro_node *node)
{
    struct slice bytes;
    float single;
    double number;
    if (!read_bytes(reading, node->kind == AVRO_FLOAT ? sizeof single : sizeof number, &bytes))
        return corrupt(reading, "the record ends within a number");
    if (node->kind == AVRO_FLOAT) {
        memcpy(&single, bytes.p, sizeof single);
        number = (double)single;
    } else {
        memcpy(&number, bytes.p, sizeof number);
    }
    json_add_number(reading->out, number);
    return OK;
}

/* Big-endian two's complement, of up to 16 bytes, `scale` digits behind the point. */
static enum status add_decimal(struct reading *reading, struct slice bytes, unsigned scale)
{
    char digits[48];
    size_t n = 0;
    if (bytes.n > DECIMAL_BYTES_MAX)
        return corrupt(reading, "a decimal of more than 16 bytes");
    bool negative = bytes.n && (bytes.p[0] & 0x80);
    unsigned __int128 value = negative ? ~(unsigned __int128)0 : 0;
    for (size_t i = 0; i < bytes.n; i++)
        value = value << 8 | (unsigned char)bytes.p[i];
    if (negative)
        value = 0 - value;
    for (unsigned place = 0; value || place <= scale; place++, value /= 10) {
        if (scale && place == scale)
            digits[n++] = '.';
        digits[n++] = (char)('0' + (int)(value % 10));
    }
    if (negative)
        buf_add_char(reading->out, '-');
    while (n)
        buf_add_char(reading->out, digits[--n]);
    return OK;
}

static enum status add_bytes(struct reading *reading, const struct avro_node *node)
{
    struct slice bytes;
    bool there = node->kind == AVRO_FIXED ? read_bytes(reading, node->count, &bytes) : read_block(reading, &bytes);
    if (!there)
        return corrupt(reading, "the record ends within bytes");
    if (node->logical == AVRO_DECIMAL)
        return add_decimal(reading, bytes, node->scale);
    buf_add_char(reading->out, '"');
    char *to = buf_reserve(reading->out, BASE64_ENCODED_BYTES(bytes.n) + 1);
    if (to) {
        base64_encode(bytes, to);
        reading->out->n += BASE64_ENCODED_BYTES(bytes.n);
    }
    buf_add_char(reading->out, '"');
    return OK;
}

static enum status add_value(struct reading *reading, const struct avro_node *node);

static enum status add_record(struct reading *reading, const struct avro_node *node)
{
    buf_add_char(reading->out, '{');
    for (size_t i = 0; i < node->count; i++) {
        if (i)
            buf_add_char(reading->out, ',');
        buf_add_slice(reading->out, node->fields[i].key);
        enum status s = add_value(reading, node->fields[i].node);
        if (UNLIKELY(s != OK))
            return avro_in_field(reading->err, s, node->fields[i].name);
    }
    buf_add_char(reading->out, '}');
    return OK;
}

/* Blocks of items until one of none; a negative count has the block's bytes behind it, for those who skip. */
static bool next_block(struct reading *reading, int64_t *out_count)
{
    int64_t bytes;
    if (!read_long(reading, out_count))
        return false;
    if (*out_count >= 0)
        return true;
    if (*out_count == INT64_MIN || !read_long(reading, &bytes) || bytes < 0)
        return false;
    *out_count = -*out_count;
    return true;
}

static enum status add_items(struct reading *reading, const struct avro_node *node)
{
    int64_t count = 0;
    bool map = node->kind == AVRO_MAP;
    buf_add_char(reading->out, map ? '{' : '[');
    for (bool first = true;; first = false) {
        struct slice key;
        while (count == 0) {
            if (!next_block(reading, &count))
                return corrupt(reading, "the record ends within a list");
            if (count == 0) {
                buf_add_char(reading->out, map ? '}' : ']');
                return OK;
            }
        }
        count--;
        if (!first)
            buf_add_char(reading->out, ',');
        if (map) {
            if (!read_block(reading, &key))
                return corrupt(reading, "the record ends within a map");
            json_add_string(reading->out, key);
            buf_add_char(reading->out, ':');
        }
        enum status s = add_value(reading, node->items);
        if (s != OK || reading->out->full)
            return s;
    }
}

static enum status add_enum(struct reading *reading, const struct avro_node *node)
{
    int64_t i;
    if (!read_long(reading, &i) || i < 0 || (uint64_t)i >= node->count)
        return corrupt(reading, "here is no symbol of the enum");
    json_add_string(reading->out, node->symbols[i]);
    return OK;
}

static enum status add_branch(struct reading *reading, const struct avro_node *node)
{
    int64_t i;
    if (!read_long(reading, &i) || i < 0 || (uint64_t)i >= node->count)
        return corrupt(reading, "here is no branch of the union");
    return add_value(reading, node->branches[i]);
}

static enum status add_nested(struct reading *reading, const struct avro_node *node)
{
    enum status s;
    if (reading->depth == AVRO_DEPTH_MAX)
        return corrupt(reading, "values are nested deeper than 32");
    if (reading->out->full)
        return error_set(reading->err, ERR_FULL, "the value is larger than there is room for");
    reading->depth++;
    if (node->kind == AVRO_RECORD)
        s = add_record(reading, node);
    else if (node->kind == AVRO_UNION)
        s = add_branch(reading, node);
    else
        s = add_items(reading, node);
    reading->depth--;
    return s;
}

static enum status add_value(struct reading *reading, const struct avro_node *node)
{
    struct slice text;
    switch (node->kind) {
    case AVRO_NULL:
        buf_add(reading->out, "null", 4);
        return OK;
    case AVRO_BOOLEAN:
        if (reading->at == reading->end || *reading->at > 1)
            return corrupt(reading, "here is no boolean");
        buf_add_text(reading->out, *reading->at++ ? "true" : "false");
        return OK;
    case AVRO_INT:
    case AVRO_LONG:
        return add_whole(reading, node);
    case AVRO_FLOAT:
    case AVRO_DOUBLE:
        return add_number(reading, node);
    case AVRO_STRING:
        if (!read_block(reading, &text))
            return corrupt(reading, "the record ends within a text");
        json_add_string(reading->out, text);
        return OK;
    case AVRO_BYTES:
    case AVRO_FIXED:
        return add_bytes(reading, node);
    case AVRO_ENUM:
        return add_enum(reading, node);
    case AVRO_RECORD:
    case AVRO_ARRAY:
    case AVRO_MAP:
    case AVRO_UNION:
        return add_nested(reading, node);
    }
    return corrupt(reading, "an unknown type");
}

enum status avro_to_json(const struct avro_schema *schema, struct slice binary, struct buf *out, struct error *err)
{
    const unsigned char *bytes = (const unsigned char *)(binary.n ? binary.p : "");
    struct reading reading = { .at = bytes, .end = bytes + binary.n, .out = out, .err = err };
    enum status s = add_value(&reading, schema->root);
    if (s == OK && out->full)
        return error_set(err, ERR_FULL, "the value is larger than there is room for");
    if (s == OK && reading.at != reading.end)
        return error_set(err, ERR_CORRUPT, "%zu bytes are left over behind the value",
                         (size_t)(reading.end - reading.at));
    return s;
}
