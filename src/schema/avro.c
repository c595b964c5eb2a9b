/* A field that may be missing is a union with null and has a default, so that fields may come and go without old
 * records becoming unreadable. Avro wants the default to be of the union's first branch. Money that may be missing is 0
 * then: a sum is not changed by it. */
#include <inttypes.h>

#include "base/json_text.h"
#include "schema/avro.h"
#include "schema/schema.h"

#define CRC64_EMPTY 0xc15d213aa4d7a795ULL /* of no bytes, and the polynomial: as the specification has it */
#define TEXT_BYTES_MAX (1u << 20)

static const char *primitive(enum column_type type)
{
    switch (type) {
    case COLUMN_TEXT:
        return "\"string\"";
    case COLUMN_INTEGER:
    case COLUMN_TIME:
        return "\"long\"";
    case COLUMN_FLOAT:
        return "\"double\"";
    case COLUMN_BOOLEAN:
        return "\"boolean\"";
    case COLUMN_TYPES:
        break;
    }
    assert(!"a type of column that Avro does not know");
    return "";
}

static const char *logical(const struct column *column)
{
    const struct event_field *field = column->field;
    if (column->type == COLUMN_TIME)
        return "timestamp-millis";
    bool is_plain = field && field->pii == EVENT_PII_NONE;
    return is_plain && field->kind == EVENT_TEXT && field->format == EVENT_UUID ? "uuid" : NULL;
}

static void add_value_type(struct buf *out, const struct column *column, bool is_canonical)
{
    const char *of_value = logical(column);
    if (is_canonical || !of_value)
        buf_add_text(out, primitive(column->type));
    else
        buf_add_format(out, "{\"type\":%s,\"logicalType\":\"%s\"}", primitive(column->type), of_value);
}

static void add_type(struct buf *out, const struct column *column, bool is_canonical)
{
    bool has_default = column_default(column).n > 0;
    bool is_union = avro_is_union(column);
    if (is_union)
        buf_add_text(out, has_default ? "[" : "[\"null\",");
    add_value_type(out, column, is_canonical);
    if (is_union)
        buf_add_text(out, has_default ? ",\"null\"]" : "]");
}

bool avro_is_union(const struct column *column)
{
    return !column->is_never_null && !column_is_money(column);
}

struct slice avro_default(const struct column *column)
{
    struct slice text = column_default(column);
    if (text.n)
        return text;
    if (avro_is_union(column))
        return SLICE("null");
    return column->is_never_null ? SLICE("") : SLICE("0");
}

static void add_doc(struct buf *out, struct slice description, struct slice deprecated)
{
    AUTO(buf) struct buf text;
    buf_init(&text, TEXT_BYTES_MAX);
    buf_add_slice(&text, description);
    if (deprecated.n)
        buf_add_format(&text, "%sDeprecated: %.*s", description.n ? ". " : "", SLICE_ARG(deprecated));
    if (text.n)
        json_add_field(out, "doc", buf_slice(&text));
}

static void add_field(struct buf *out, const struct column *column)
{
    struct slice fallback = avro_default(column);
    buf_add_char(out, '{');
    json_add_field(out, "name", slice_from(column->name));
    json_add_key(out, "type");
    add_type(out, column, false);
    if (column->field)
        add_doc(out, column->field->description, column->field->deprecated);
    if (fallback.n) {
        json_add_key(out, "default");
        buf_add_slice(out, fallback);
    }
    buf_add_char(out, '}');
}

static void add_canonical_field(struct buf *out, const struct column *column)
{
    buf_add_format(out, "{\"name\":\"%s\",\"type\":", column->name);
    add_type(out, column, true);
    buf_add_char(out, '}');
}

static void add_fields(struct buf *out, const struct event_type *type,
                       void (*add)(struct buf *out, const struct column *column))
{
    struct columns columns;
    bool first = true;
    columns_of(type, &columns);
    buf_add_char(out, '[');
    for (size_t i = 0; i < columns.count; i++) {
        if (columns.items[i].is_of_tables)
            continue;
        buf_add_text(out, first ? "" : ",");
        add(out, &columns.items[i]);
        first = false;
    }
    buf_add_char(out, ']');
}

/* A part of a name of Avro's does not begin with a digit, a domain's may. */
static void add_namespace(struct buf *out, const struct event_type *type)
{
    char c = type->domain.n ? type->domain.p[0] : '_';
    buf_add_format(out, "weir.%s%.*s", c >= '0' && c <= '9' ? "_" : "", SLICE_ARG(type->domain));
}

void avro_add_record(struct buf *out, const struct event_type *type)
{
    buf_add_text(out, "{\"type\":\"record\"");
    json_add_field(out, "name", type->name);
    buf_add_text(out, ",\"namespace\":\"");
    add_namespace(out, type);
    buf_add_char(out, '"');
    add_doc(out, type->description, type->deprecated);
    json_add_key(out, "fields");
    add_fields(out, type, add_field);
    buf_add_char(out, '}');
}

void avro_add_canonical(struct buf *out, const struct event_type *type)
{
    buf_add_text(out, "{\"name\":\"");
    add_namespace(out, type);
    buf_add_format(out, ".%.*s\",\"type\":\"record\",\"fields\":", SLICE_ARG(type->name));
    add_fields(out, type, add_canonical_field);
    buf_add_char(out, '}');
}

uint64_t avro_fingerprint(const struct event_type *type)
{
    AUTO(buf) struct buf text;
    uint64_t crc = CRC64_EMPTY;
    buf_init(&text, TEXT_BYTES_MAX);
    avro_add_canonical(&text, type);
    assert(!text.full);
    for (size_t i = 0; i < text.n; i++) {
        crc ^= (unsigned char)text.p[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (CRC64_EMPTY & -(crc & 1));
    }
    return crc;
}
