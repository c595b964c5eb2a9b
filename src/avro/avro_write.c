/* JSON to binary: one walk along the schema, with the members of each record looked up in the order of its fields,
 * which is mostly their order in the JSON, too. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "avro/avro_inside.h"
#include "base/encode.h"
#include "base/json_scan.h"
#include "base/timestamp.h"

#define DAY_MS INT64_C(86400000)
#define NUMBER_BYTES_MAX 64
#define NAME_BYTES_MAX 1024
#define STEPS_MAX 1000000 /* records, lists and unions: branches that are tried in vain may multiply */

struct writing {
    struct buf *out;
    struct error *err;
    struct slice slots[AVRO_FIELDS_MAX]; /* members of the records at hand, by field */
    size_t slot_count, steps;
    unsigned depth;
};

static enum status wanted(struct writing *writing, const char *what, struct slice json)
{
    return error_set(writing->err, ERR_INVALID, "this is no %s: %.*s", what, (int)(json.n < 60 ? json.n : 60), json.p);
}

static void write_long(struct buf *out, int64_t value)
{
    unsigned char bytes[10];
    size_t n = 0;
    uint64_t rest = value < 0 ? ~((uint64_t)value << 1) : (uint64_t)value << 1; /* zigzag */
    for (; rest > 0x7f; rest >>= 7)
        bytes[n++] = (unsigned char)(rest | 0x80);
    bytes[n++] = (unsigned char)rest;
    buf_add(out, bytes, n);
}

static bool is_text(struct slice json)
{
    return json.n >= 2 && json.p[0] == '"';
}

/* Its length and its bytes. */
static bool write_text(struct writing *writing, struct slice json)
{
    struct buf *out = writing->out;
    struct slice plain = slice_of(json.p + 1, json.n >= 2 ? json.n - 2 : 0);
    if (!is_text(json))
        return false;
    if (!memchr(plain.p, '\\', plain.n)) {
        write_long(out, (int64_t)plain.n);
        buf_add_slice(out, plain);
        return true;
    }
    struct buf text;
    buf_init(&text, plain.n + 1);
    bool fine = json_scan_string(json, &text) && !text.full;
    write_long(out, (int64_t)text.n);
    buf_add_slice(out, buf_slice(&text));
    buf_done(&text);
    return fine;
}

/* A name or a symbol as the schema has it, without quotes and escapes; what is longer than any stays as it is. */
static struct slice plain_name(struct slice json, char room[NAME_BYTES_MAX])
{
    struct slice plain = slice_of(json.p + 1, json.n - 2);
    if (LIKELY(!memchr(plain.p, '\\', plain.n)))
        return plain;
    struct buf text = { .p = room, .capacity = NAME_BYTES_MAX, .max_bytes = NAME_BYTES_MAX };
    return json_scan_string(json, &text) && !text.full ? buf_slice(&text) : plain;
}

/* A number's text, terminated, for libc. */
static bool number_text(struct slice json, char room[NUMBER_BYTES_MAX])
{
    if (!json.n || json.n >= NUMBER_BYTES_MAX || !(json.p[0] == '-' || (json.p[0] >= '0' && json.p[0] <= '9')))
        return false;
    memcpy(room, json.p, json.n);
    room[json.n] = '\0';
    return true;
}

static bool whole_of(struct slice json, int64_t *out)
{
    char room[NUMBER_BYTES_MAX], *end;
    uint64_t usual;
    if (json.n < 19 && slice_to_u64(json, &usual)) { /* what has 18 digits fits */
        *out = (int64_t)usual;
        return true;
    }
    if (!number_text(json, room))
        return false;
    errno = 0;
    *out = strtoll(room, &end, 10);
    return !errno && !*end;
}

static bool time_of(struct slice json, int64_t *out_ms)
{
    return is_text(json) && timestamp_parse(slice_of(json.p + 1, json.n - 2), out_ms);
}

static enum status write_truth(struct writing *writing, struct slice json)
{
    bool truth = slice_equal(json, SLICE("true"));
    if (!truth && !slice_equal(json, SLICE("false")))
        return wanted(writing, "boolean", json);
    buf_add_char(writing->out, truth);
    return OK;
}

static enum status write_whole(struct writing *writing, const struct avro_node *node, struct slice json)
{
    int64_t value;
    bool fine = true;
    if (node->logical != AVRO_PLAIN && is_text(json)) {
        fine = time_of(json, &value);
        if (fine && node->logical == AVRO_DATE)
            value = value / DAY_MS - (value % DAY_MS < 0);
        else if (fine && node->logical == AVRO_TIMESTAMP_MICROS)
            value *= 1000;
    } else {
        fine = whole_of(json, &value);
    }
    if (!fine || (node->kind == AVRO_INT && value != (int32_t)value))
        return wanted(writing, node->logical != AVRO_PLAIN ? "time" : avro_kind_name(node->kind), json);
    write_long(writing->out, value);
    return OK;
}

static enum status write_number(struct writing *writing, const struct avro_node *node, struct slice json)
{
    char room[NUMBER_BYTES_MAX], *end;
    if (!number_text(json, room))
        return wanted(writing, avro_kind_name(node->kind), json);
    double number = strtod(room, &end);
    if (*end || !isfinite(number))
        return wanted(writing, avro_kind_name(node->kind), json);
    float single = (float)number;
    if (node->kind == AVRO_FLOAT && !isfinite(single))
        return wanted(writing, "float", json);
    if (node->kind == AVRO_FLOAT)
        buf_add(writing->out, &single, sizeof single);
    else
        buf_add(writing->out, &number, sizeof number);
    return OK;
}

/* Digits without the point, exactly `scale` of them behind it. */
static bool decimal_of(struct slice json, unsigned scale, __int128 *out)
{
    char room[NUMBER_BYTES_MAX];
    unsigned behind = 0;
    bool point = false, negative;
    __int128 value = 0;
    if (!number_text(json, room))
        return false;
    negative = room[0] == '-';
    for (const char *at = room + negative; *at; at++) {
        if (*at == '.' && !point) {
            point = true;
            continue;
        }
        if (*at < '0' || *at > '9' || value > (__int128)1 << 118 || (behind == scale && point && *at != '0'))
            return false;
        if (behind == scale && point)
            continue;
        value = value * 10 + (*at - '0');
        behind += point;
    }
    for (; behind < scale && value < (__int128)1 << 118; behind++)
        value *= 10;
    *out = negative ? -value : value;
    return behind == scale;
}

static enum status write_decimal(struct writing *writing, const struct avro_node *node, struct slice json)
{
    __int128 value;
    char bytes[16];
    if (!decimal_of(json, node->scale, &value))
        return wanted(writing, "decimal of this scale", json);
    unsigned __int128 rest = (unsigned __int128)value;
    for (size_t i = sizeof bytes; i-- > 0; rest >>= 8)
        bytes[i] = (char)(unsigned char)rest;
    size_t from = 0;
    while (from < 15 && (unsigned char)bytes[from] == (value < 0 ? 0xff : 0) &&
           ((bytes[from + 1] & 0x80) != 0) == (value < 0))
        from++;
    size_t n = sizeof bytes - from;
    if (node->kind == AVRO_FIXED && n > node->count)
        return wanted(writing, "decimal that fits", json);
    if (node->kind == AVRO_BYTES)
        write_long(writing->out, (int64_t)n);
    for (size_t i = n; node->kind == AVRO_FIXED && i < node->count; i++)
        buf_add_char(writing->out, value < 0 ? (char)0xff : 0);
    buf_add(writing->out, bytes + from, n);
    return OK;
}

static enum status write_bytes(struct writing *writing, const struct avro_node *node, struct slice json)
{
    size_t n = 0;
    if (node->logical == AVRO_DECIMAL)
        return write_decimal(writing, node, json);
    struct slice text = slice_of(json.p + 1, json.n >= 2 ? json.n - 2 : 0);
    struct buf room;
    buf_init(&room, BASE64_DECODED_BYTES_MAX(text.n) + 1);
    char *to = buf_reserve(&room, BASE64_DECODED_BYTES_MAX(text.n) + 1);
    bool fine = is_text(json) && to && base64_decode(text, to, &n) && (node->kind == AVRO_BYTES || n == node->count);
    if (fine && node->kind == AVRO_BYTES)
        write_long(writing->out, (int64_t)n);
    if (fine)
        buf_add(writing->out, to, n);
    buf_done(&room);
    return fine ? OK : wanted(writing, "base64 text of the right length", json);
}

static enum status write_value(struct writing *writing, const struct avro_node *node, struct slice json);

/* Each member to its field's slot; the next field first, since both are mostly in the same order. */
static bool collect(const struct avro_node *node, struct slice json, struct slice *slots)
{
    struct json_walk walk;
    size_t next = 0;
    char room[NAME_BYTES_MAX];
    json_walk_begin(&walk, json);
    while (json_walk_next(&walk)) {
        if (walk.name.n < 2)
            return false;
        struct slice name = plain_name(walk.name, room);
        for (size_t tried = 0; tried < node->count; tried++, next++) {
            size_t i = next < node->count ? next : next - node->count;
            if (!slice_equal(node->fields[i].name, name))
                continue;
            slots[i] = walk.value;
            next = i + 1;
            break;
        }
        if (next >= node->count)
            next -= node->count;
    }
    return walk.object && !walk.bad;
}

static enum status write_record(struct writing *writing, const struct avro_node *node, struct slice json)
{
    struct slice *slots = writing->slots + writing->slot_count;
    enum status s = OK;
    if (writing->slot_count + node->count > AVRO_FIELDS_MAX)
        return error_set(writing->err, ERR_INVALID, "records within records have more than %d fields", AVRO_FIELDS_MAX);
    memset(slots, 0, node->count * sizeof *slots);
    writing->slot_count += node->count;
    if (!collect(node, json, slots))
        s = wanted(writing, "object", json);
    for (size_t i = 0; s == OK && i < node->count; i++) {
        const struct avro_field *field = &node->fields[i];
        struct slice value = slots[i].p ? slots[i] : field->default_value;
        if (value.n == 0)
            s = error_set(writing->err, ERR_INVALID, "it is missing and has no default");
        else
            s = write_value(writing, field->node, value);
        if (UNLIKELY(s != OK))
            s = avro_in_field(writing->err, s, field->name);
    }
    writing->slot_count -= node->count;
    return s;
}

/* One block, its count counted first, and the end. */
static enum status write_items(struct writing *writing, const struct avro_node *node, struct slice json)
{
    struct json_walk walk;
    int64_t count = 0;
    bool map = node->kind == AVRO_MAP;
    json_walk_begin(&walk, json);
    while (json_walk_next(&walk))
        count++;
    if (walk.bad || walk.object != map || (json.n && json.p[0] != (map ? '{' : '[')))
        return wanted(writing, map ? "object" : "list", json);
    if (count)
        write_long(writing->out, count);
    json_walk_begin(&walk, json);
    while (json_walk_next(&walk)) {
        if (map && !write_text(writing, walk.name))
            return wanted(writing, "name", walk.name);
        enum status s = write_value(writing, node->items, walk.value);
        if (s != OK)
            return s;
    }
    write_long(writing->out, 0);
    return OK;
}

static enum status write_enum(struct writing *writing, const struct avro_node *node, struct slice json)
{
    char room[NAME_BYTES_MAX];
    struct slice symbol = is_text(json) ? plain_name(json, room) : (struct slice){ 0 };
    for (size_t i = 0; symbol.p && i < node->count; i++)
        if (slice_equal(node->symbols[i], symbol)) {
            write_long(writing->out, (int64_t)i);
            return OK;
        }
    return wanted(writing, "symbol of the enum", json);
}

/* The first branch that takes the value: tried by writing, and taken back when it does not. */
static enum status write_branch(struct writing *writing, const struct avro_node *node, struct slice json)
{
    size_t before = writing->out->n, tried = 0;
    enum status s = OK;
    for (size_t i = 0; i < node->count; i++) {
        if ((node->branches[i]->kind == AVRO_NULL) != json_is_null(json))
            continue;
        write_long(writing->out, (int64_t)i);
        s = write_value(writing, node->branches[i], json);
        if (s == OK)
            return OK;
        writing->out->n = before;
        tried++;
    }
    return tried == 1 ? s : wanted(writing, "value of any branch of the union", json);
}

static enum status write_nested(struct writing *writing, const struct avro_node *node, struct slice json)
{
    enum status s;
    if (writing->depth == AVRO_DEPTH_MAX)
        return error_set(writing->err, ERR_INVALID, "values are nested deeper than %d", AVRO_DEPTH_MAX);
    if (++writing->steps > STEPS_MAX)
        return error_set(writing->err, ERR_INVALID, "the value has more than %d parts", STEPS_MAX);
    writing->depth++;
    if (node->kind == AVRO_RECORD)
        s = write_record(writing, node, json);
    else if (node->kind == AVRO_UNION)
        s = write_branch(writing, node, json);
    else
        s = write_items(writing, node, json);
    writing->depth--;
    return s;
}

static enum status write_value(struct writing *writing, const struct avro_node *node, struct slice json)
{
    switch (node->kind) {
    case AVRO_NULL:
        return json_is_null(json) ? OK : wanted(writing, "null", json);
    case AVRO_BOOLEAN:
        return write_truth(writing, json);
    case AVRO_INT:
    case AVRO_LONG:
        return write_whole(writing, node, json);
    case AVRO_FLOAT:
    case AVRO_DOUBLE:
        return write_number(writing, node, json);
    case AVRO_STRING:
        return write_text(writing, json) ? OK : wanted(writing, "text", json);
    case AVRO_BYTES:
    case AVRO_FIXED:
        return write_bytes(writing, node, json);
    case AVRO_ENUM:
        return write_enum(writing, node, json);
    case AVRO_RECORD:
    case AVRO_ARRAY:
    case AVRO_MAP:
    case AVRO_UNION:
        return write_nested(writing, node, json);
    }
    return wanted(writing, "known type", json);
}

enum status avro_from_json(const struct avro_schema *schema, struct slice json, struct buf *out, struct error *err)
{
    struct writing writing;
    writing.out = out;
    writing.err = err;
    writing.slot_count = writing.steps = 0;
    writing.depth = 0;
    struct slice value = slice_trim(json);
    enum status s =
        value.n ? write_value(&writing, schema->root, value) : error_set(err, ERR_INVALID, "there is no value");
    return s == OK && out->full ? error_set(err, ERR_FULL, "the value is larger than there is room for") : s;
}
