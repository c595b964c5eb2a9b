#include "cli/source_record.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/encode.h"
#include "base/json_text.h"
#include "event/json.h"

#define KEYS_MAX 1000

struct source_writer {
    struct json_index index;
    struct json_keys keys;
    struct json_member others[KEYS_MAX];
    struct json_value values[JSON_WANTED_MAX];
    struct buf padded;
};

/* Names of an event's id (src/event/README.md). */
static const char *const ID_NAMES[] = { "event_id", "messageId" };

struct source_writer *source_writer_new(void)
{
    struct source_writer *writer = calloc(1, sizeof *writer);
    if (!writer)
        abort();
    json_index_init(&writer->index);
    json_keys_init(&writer->keys, ID_NAMES, COUNT_OF(ID_NAMES));
    buf_init(&writer->padded, SOURCE_RECORD_BYTES_MAX + JSON_PADDING);
    return writer;
}

void source_writer_free(struct source_writer *writer)
{
    if (!writer)
        return;
    json_index_done(&writer->index);
    buf_done(&writer->padded);
    free(writer);
}

/* The record is one JSON object. *out_id_name: under which name it can be given an id; NULL: it has one, neither null
 * nor
 * "". */
static bool read_object(struct source_writer *writer, struct slice value, const char **out_id_name)
{
    static const char PADDING[JSON_PADDING];
    static const struct json_limits LIMITS = { JSON_DEPTH_MAX, KEYS_MAX, 100000 };
    struct json_cursor cursor;
    struct json_object object = {
        .keys = &writer->keys, .values = writer->values, .others = writer->others, .nested_key = -1
    };
    if (value.n == 0 || value.n > SOURCE_RECORD_BYTES_MAX)
        return false;
    buf_reset(&writer->padded);
    buf_add_slice(&writer->padded, value);
    buf_add(&writer->padded, PADDING, sizeof PADDING);
    if (json_index_build(&writer->index, slice_of(buf_text(&writer->padded), value.n), NULL) != OK)
        return false;
    json_cursor_begin(&cursor, &writer->index, &LIMITS);
    if (json_peek(&cursor) != '{' || !json_read_object(&cursor, &object) || cursor.token != cursor.end)
        return false;
    *out_id_name = object.seen & 1 ? ID_NAMES[1] : ID_NAMES[0];
    for (size_t i = 0; i < COUNT_OF(ID_NAMES); i++)
        if ((object.seen & (UINT64_C(1) << i)) && writer->values[i].kind != JSON_NULL &&
            !slice_equal(writer->values[i].raw, SLICE("\"\"")))
            *out_id_name = NULL;
    return true;
}

static void write_place(const struct source_record *record, const char *id_name, struct buf *out)
{
    buf_add_text(out, "{\"kafka_record\":{");
    json_add_field(out, "topic", slice_from(record->topic));
    json_add_field_u64(out, "partition", (uint64_t)record->partition);
    json_add_field_u64(out, "offset", (uint64_t)record->offset);
    if (record->fault)
        json_add_field(out, "fault", slice_from(record->fault));
    buf_add_text(out, "}");
    if (id_name)
        buf_add_format(out, ",\"%s\":\"kafka:%s/%" PRId32 "/%" PRId64 "\"", id_name, record->topic, record->partition,
                       record->offset);
}

static void add_base64(struct slice bytes, struct buf *out)
{
    json_add_key(out, "record_base64");
    buf_add_char(out, '"');
    char *to = buf_reserve(out, BASE64_ENCODED_BYTES(bytes.n));
    if (to) {
        base64_encode(bytes, to);
        out->n += BASE64_ENCODED_BYTES(bytes.n);
    }
    buf_add_char(out, '"');
}

void source_write(struct source_writer *writer, const struct source_record *record, struct buf *out)
{
    const char *id_name = NULL;
    if (!record->fault && read_object(writer, record->value, &id_name)) {
        struct slice rest = slice_trim(record->value);
        rest = slice_trim(slice_after(rest, 1));
        write_place(record, id_name, out);
        if (rest.p[0] != '}')
            buf_add_char(out, ',');
        buf_add_slice(out, rest);
        return;
    }
    write_place(record, ID_NAMES[0], out);
    if (record->value.n > SOURCE_RECORD_BYTES_MAX)
        json_add_field_u64(out, "record_bytes", record->value.n);
    else if (record->fault)
        add_base64(record->value, out);
    else
        json_add_field(out, "record", record->value);
    buf_add_text(out, "}");
}
