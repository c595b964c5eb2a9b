/* A schema's JSON into nodes. Names are looked up among those that came before, as the specification has it; an
 * annotation that is not known, or does not fit, is ignored, as it asks for. */
#include <stdio.h>
#include <stdlib.h>

#include "avro/avro_inside.h"
#include "base/json_scan.h"
#include "base/json_text.h"

#define ARENA_BYTES_MAX (16u << 20)
#define NAME_BYTES_MAX 1024
#define NESTING_MAX 64 /* of types within types in the text */
#define FIXED_BYTES_MAX (1u << 20)
#define SCALE_MAX 18

static const char *const KINDS[] = { "null",   "boolean", "int",  "long",  "float", "double", "bytes",
                                     "string", "record",  "enum", "fixed", "array", "map",    "union" };

const char *avro_kind_name(enum avro_kind kind)
{
    return KINDS[kind];
}

struct parsing {
    struct arena *arena;
    struct error *err;
    struct avro_node *named[AVRO_NAMES_MAX];
    size_t named_count, node_count, depth;
};

static enum status wrong(struct parsing *parsing, const char *what, struct slice at)
{
    return error_set(parsing->err, ERR_INVALID, "the schema is not Avro: %s: %.*s", what,
                     (int)(at.n < 120 ? at.n : 120), at.p);
}

static enum status too_large(struct parsing *parsing)
{
    return error_set(parsing->err, ERR_INVALID, "the schema has more than %d types, or is too large", AVRO_NODES_MAX);
}

static void *take(struct parsing *parsing, size_t n)
{
    void *memory = arena_take(parsing->arena, n ? n : 1);
    if (memory)
        memset(memory, 0, n);
    return memory;
}

static bool is_string(struct slice json)
{
    return json.n >= 2 && json.p[0] == '"';
}

/* A string's text, kept. p NULL: it is none. */
static struct slice text_of(struct parsing *parsing, struct slice json)
{
    struct buf text;
    struct slice kept = { 0 };
    buf_init(&text, AVRO_SCHEMA_BYTES_MAX);
    if (is_string(json) && json_scan_string(json, &text) && !text.full)
        kept = arena_copy(parsing->arena, buf_slice(&text));
    buf_done(&text);
    return kept;
}

static bool is_name(struct slice name)
{
    if (!name.p || name.n == 0 || name.n > NAME_BYTES_MAX)
        return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        bool first = i == 0 || name.p[i - 1] == '.';
        if (!letter && (first || !((c >= '0' && c <= '9') || c == '.')))
            return false;
    }
    return name.p[name.n - 1] != '.';
}

static size_t namespace_end(struct slice name)
{
    const char *dot = memrchr(name.p, '.', name.n);
    return dot ? (size_t)(dot - name.p) : 0;
}

/* name within the namespace, unless it has one. */
static struct slice full_name(struct parsing *parsing, struct slice name, struct slice space)
{
    char *p;
    if (!is_name(name) || memchr(name.p, '.', name.n) || space.n == 0)
        return is_name(name) ? name : (struct slice){ 0 };
    p = take(parsing, space.n + 1 + name.n);
    if (!p)
        return (struct slice){ 0 };
    memcpy(p, space.p, space.n);
    p[space.n] = '.';
    memcpy(p + space.n + 1, name.p, name.n);
    return slice_of(p, space.n + 1 + name.n);
}

static enum status parse_type(struct parsing *parsing, struct slice json, struct slice space,
                              const struct avro_node **out);

static struct avro_node *new_node(struct parsing *parsing, enum avro_kind kind)
{
    struct avro_node *node = parsing->node_count < AVRO_NODES_MAX ? take(parsing, sizeof *node) : NULL;
    if (!node)
        return NULL;
    parsing->node_count++;
    node->kind = kind;
    return node;
}

/* "string", "com.example.Address" */
static enum status parse_name(struct parsing *parsing, struct slice json, struct slice space,
                              const struct avro_node **out)
{
    struct slice name = text_of(parsing, json);
    for (int kind = AVRO_NULL; name.p && kind <= AVRO_STRING; kind++)
        if (slice_equal(name, slice_from(KINDS[kind]))) {
            *out = new_node(parsing, (enum avro_kind)kind);
            return *out ? OK : too_large(parsing);
        }
    struct slice full = full_name(parsing, name, space);
    for (size_t i = 0; full.p && i < parsing->named_count; i++)
        if (slice_equal(parsing->named[i]->name, full) || slice_equal(parsing->named[i]->name, name)) {
            *out = parsing->named[i];
            return OK;
        }
    return wrong(parsing, "no such type", json);
}

static size_t count_of(struct slice list)
{
    struct json_walk walk;
    size_t n = 0;
    json_walk_begin(&walk, list);
    while (json_walk_next(&walk))
        n++;
    return walk.bad || walk.object ? 0 : n;
}

static enum status parse_union(struct parsing *parsing, struct slice json, struct slice space,
                               const struct avro_node **out)
{
    struct avro_node *node = new_node(parsing, AVRO_UNION);
    size_t count = count_of(json);
    struct json_walk walk;
    if (!node || !(node->branches = take(parsing, count * sizeof *node->branches)))
        return too_large(parsing);
    json_walk_begin(&walk, json);
    while (json_walk_next(&walk) && node->count < count) {
        enum status s = parse_type(parsing, walk.value, space, &node->branches[node->count]);
        if (s != OK)
            return s;
        if (node->branches[node->count++]->kind == AVRO_UNION)
            return wrong(parsing, "a union within a union", json);
    }
    *out = node;
    return node->count ? OK : wrong(parsing, "a union of nothing", json);
}

/* The name that the members say, registered, so that what is inside may refer to it. */
static enum status name_node(struct parsing *parsing, struct avro_node *node, struct slice json, struct slice *io_space)
{
    struct slice name, space;
    struct slice said = json_find(json, "namespace", &space) ? text_of(parsing, space) : *io_space;
    if (!json_find(json, "name", &name))
        return wrong(parsing, "a type without a name", json);
    node->name = full_name(parsing, text_of(parsing, name), said);
    if (!node->name.p)
        return wrong(parsing, "this is no name", json);
    for (size_t i = 0; i < parsing->named_count; i++)
        if (slice_equal(parsing->named[i]->name, node->name))
            return wrong(parsing, "this name is taken", json);
    if (parsing->named_count == AVRO_NAMES_MAX)
        return too_large(parsing);
    parsing->named[parsing->named_count++] = node;
    *io_space = slice_of(node->name.p, namespace_end(node->name));
    return OK;
}

static enum status parse_field(struct parsing *parsing, struct slice json, struct slice space, struct avro_field *out)
{
    struct slice name, type, value;
    struct buf key;
    if (!json_find(json, "name", &name) || !json_find(json, "type", &type))
        return wrong(parsing, "a field has a name and a type", json);
    out->name = text_of(parsing, name);
    if (!is_name(out->name) || memchr(out->name.p, '.', out->name.n))
        return wrong(parsing, "this is no name of a field", json);
    buf_init(&key, 2 * NAME_BYTES_MAX);
    json_add_string(&key, out->name);
    buf_add_char(&key, ':');
    out->key = arena_copy(parsing->arena, buf_slice(&key));
    buf_done(&key);
    if (json_find(json, "default", &value))
        out->default_value = arena_copy(parsing->arena, value);
    if (!out->key.p)
        return too_large(parsing);
    return parse_type(parsing, type, space, &out->node);
}

static enum status parse_record(struct parsing *parsing, struct avro_node *node, struct slice json, struct slice space)
{
    struct slice fields;
    struct json_walk walk;
    enum status s = name_node(parsing, node, json, &space);
    if (s != OK)
        return s;
    if (!json_find(json, "fields", &fields) || fields.p[0] != '[')
        return wrong(parsing, "a record has a list of fields", json);
    size_t count = count_of(fields);
    if (count > AVRO_FIELDS_MAX || !(node->fields = take(parsing, count * sizeof *node->fields)))
        return too_large(parsing);
    json_walk_begin(&walk, fields);
    for (size_t i = 0; i < count && json_walk_next(&walk); i++) {
        s = parse_field(parsing, walk.value, space, &node->fields[i]);
        if (s != OK)
            return s;
        for (size_t k = 0; k < i; k++)
            if (slice_equal(node->fields[k].name, node->fields[i].name))
                return wrong(parsing, "two fields have the same name", walk.value);
    }
    node->count = count;
    return OK;
}

static enum status parse_enum(struct parsing *parsing, struct avro_node *node, struct slice json, struct slice space)
{
    struct slice symbols, value;
    struct json_walk walk;
    enum status s = name_node(parsing, node, json, &space);
    if (s != OK)
        return s;
    size_t count = json_find(json, "symbols", &symbols) ? count_of(symbols) : 0;
    if (!count)
        return wrong(parsing, "an enum has a list of symbols", json);
    if (!(node->symbols = take(parsing, count * sizeof *node->symbols)))
        return too_large(parsing);
    node->has_default = json_find(json, "default", &value);
    json_walk_begin(&walk, symbols);
    for (; node->count < count && json_walk_next(&walk); node->count++) {
        node->symbols[node->count] = text_of(parsing, walk.value);
        if (!is_name(node->symbols[node->count]))
            return wrong(parsing, "this is no symbol", walk.value);
    }
    return OK;
}

static bool number_of(struct slice json, const char *name, uint64_t max, uint64_t *out)
{
    struct slice value;
    return json_find(json, name, &value) && json_scan_u64(value, out) && *out <= max;
}

static enum status parse_fixed(struct parsing *parsing, struct avro_node *node, struct slice json, struct slice space)
{
    uint64_t size;
    if (!number_of(json, "size", FIXED_BYTES_MAX, &size))
        return wrong(parsing, "a fixed has a size, up to 1 MiB", json);
    node->count = size;
    return name_node(parsing, node, json, &space);
}

static enum status parse_items(struct parsing *parsing, struct avro_node *node, const char *name, struct slice json,
                               struct slice space)
{
    struct slice items;
    if (!json_find(json, name, &items))
        return wrong(parsing, node->kind == AVRO_MAP ? "a map has values" : "an array has items", json);
    return parse_type(parsing, items, space, &node->items);
}

/* What it is for people; the encoding stays that of the kind. */
static void annotate(struct avro_node *node, struct slice json)
{
    static const struct {
        const char *name;
        enum avro_kind kind;
        enum avro_logical logical;
    } ROWS[] = {
        { "\"date\"", AVRO_INT, AVRO_DATE },
        { "\"timestamp-millis\"", AVRO_LONG, AVRO_TIMESTAMP_MILLIS },
        { "\"timestamp-micros\"", AVRO_LONG, AVRO_TIMESTAMP_MICROS },
        { "\"decimal\"", AVRO_BYTES, AVRO_DECIMAL },
        { "\"decimal\"", AVRO_FIXED, AVRO_DECIMAL },
    };
    struct slice name;
    uint64_t scale = 0;
    if (!json_find(json, "logicalType", &name))
        return;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++)
        if (slice_equal(name, slice_from(ROWS[i].name)) && node->kind == ROWS[i].kind)
            node->logical = ROWS[i].logical;
    struct slice said;
    bool has_scale = json_find(json, "scale", &said);
    if (node->logical == AVRO_DECIMAL && has_scale && !number_of(json, "scale", SCALE_MAX, &scale))
        node->logical = AVRO_PLAIN;
    node->scale = (unsigned)scale;
}

static enum status parse_complex(struct parsing *parsing, enum avro_kind kind, struct slice json, struct slice space,
                                 const struct avro_node **out)
{
    struct avro_node *node = new_node(parsing, kind);
    enum status s = OK;
    if (!node)
        return too_large(parsing);
    if (kind == AVRO_RECORD)
        s = parse_record(parsing, node, json, space);
    else if (kind == AVRO_ENUM)
        s = parse_enum(parsing, node, json, space);
    else if (kind == AVRO_FIXED)
        s = parse_fixed(parsing, node, json, space);
    else if (kind == AVRO_ARRAY)
        s = parse_items(parsing, node, "items", json, space);
    else if (kind == AVRO_MAP)
        s = parse_items(parsing, node, "values", json, space);
    annotate(node, json);
    *out = node;
    return s;
}

/* {"type": …}: the inner type may be a whole one again. */
static enum status parse_object(struct parsing *parsing, struct slice json, struct slice space,
                                const struct avro_node **out)
{
    struct slice type;
    if (!json_find(json, "type", &type))
        return wrong(parsing, "a type without `type`", json);
    for (int kind = AVRO_NULL; kind < AVRO_UNION; kind++) {
        size_t n = strlen(KINDS[kind]);
        if (type.n == n + 2 && is_string(type) && memcmp(type.p + 1, KINDS[kind], n) == 0)
            return parse_complex(parsing, (enum avro_kind)kind, json, space, out);
    }
    return parse_type(parsing, type, space, out);
}

static enum status parse_type(struct parsing *parsing, struct slice json, struct slice space,
                              const struct avro_node **out)
{
    enum status s;
    if (parsing->depth == NESTING_MAX)
        return error_set(parsing->err, ERR_INVALID, "the schema is nested deeper than %d types", NESTING_MAX);
    parsing->depth++;
    if (is_string(json))
        s = parse_name(parsing, json, space, out);
    else if (json.n && json.p[0] == '[')
        s = parse_union(parsing, json, space, out);
    else if (json.n && json.p[0] == '{')
        s = parse_object(parsing, json, space, out);
    else
        s = wrong(parsing, "this is no type", json);
    parsing->depth--;
    return s;
}

enum status avro_schema_parse(struct slice json, struct avro_schema **out, struct error *err)
{
    if (json.n > AVRO_SCHEMA_BYTES_MAX)
        return error_set(err, ERR_INVALID, "the schema is larger than 1 MiB");
    if (!json_is_whole(json))
        return error_set(err, ERR_INVALID, "the schema is not JSON");
    struct avro_schema *schema = calloc(1, sizeof *schema);
    struct parsing *parsing = calloc(1, sizeof *parsing);
    if (!schema || !parsing)
        abort();
    arena_init(&schema->arena, ARENA_BYTES_MAX);
    parsing->arena = &schema->arena;
    parsing->err = err;
    enum status s = parse_type(parsing, slice_trim(json), SLICE(""), &schema->root);
    free(parsing);
    if (s == OK)
        *out = schema;
    else
        avro_schema_free(schema);
    return s;
}

void avro_schema_free(struct avro_schema *schema)
{
    if (!schema)
        return;
    arena_done(&schema->arena);
    free(schema);
}

struct slice avro_schema_name(const struct avro_schema *schema)
{
    struct slice name = schema->root->kind == AVRO_RECORD ? schema->root->name : SLICE("");
    size_t end = name.n ? namespace_end(name) : 0;
    return slice_after(name, end ? end + 1 : 0);
}

enum status avro_in_field(struct error *err, enum status status, struct slice field)
{
    char rest[ERROR_TEXT_MAX];
    if (!err)
        return status;
    static const char MARK[] = "field ";
    bool inner = strncmp(err->text, MARK, sizeof MARK - 1) == 0;
    snprintf(rest, sizeof rest, "%s", err->text + (inner ? sizeof MARK - 1 : 0));
    return error_set(err, status, "field %.*s%s%s", SLICE_ARG(field), inner ? "." : ": ", rest);
}
