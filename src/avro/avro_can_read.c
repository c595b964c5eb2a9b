/* Whether values of one schema can be read as those of another: the rules of the specification's schema resolution,
 * without aliases, and without looking at values. A schema may contain itself, so each pair of records is judged once,
 * and taken as readable while it is being judged. */
#include <stdlib.h>

#include "avro/avro_inside.h"

#define PAIRS_MAX 4096
#define NESTING_MAX 200

enum judged { JUDGING, READABLE, NOT_READABLE };

struct pair {
    const struct avro_node *reader, *writer;
    enum judged judged;
};

struct judging {
    struct error *err;
    unsigned depth;
    size_t count;
    struct pair pairs[PAIRS_MAX];
};

static enum status can_read(struct judging *judging, const struct avro_node *reader, const struct avro_node *writer);

static enum status cannot(struct judging *judging, const struct avro_node *reader, const struct avro_node *writer)
{
    return error_set(judging->err, ERR_INVALID, "who reads %s cannot take %s", avro_kind_name(reader->kind),
                     avro_kind_name(writer->kind));
}

static struct slice own_name(struct slice name)
{
    const char *dot = name.n ? memrchr(name.p, '.', name.n) : NULL;
    return dot ? slice_after(name, (size_t)(dot - name.p) + 1) : name;
}

/* The namespace does not count, as registries have it. */
static enum status same_name(struct judging *judging, const struct avro_node *reader, const struct avro_node *writer)
{
    if (slice_equal(own_name(reader->name), own_name(writer->name)))
        return OK;
    return error_set(judging->err, ERR_INVALID, "who reads %.*s cannot take %.*s", SLICE_ARG(reader->name),
                     SLICE_ARG(writer->name));
}

static enum status can_read_enum(struct judging *judging, const struct avro_node *reader,
                                 const struct avro_node *writer)
{
    enum status s = same_name(judging, reader, writer);
    for (size_t i = 0; s == OK && !reader->has_default && i < writer->count; i++) {
        bool known = false;
        for (size_t k = 0; k < reader->count && !known; k++)
            known = slice_equal(reader->symbols[k], writer->symbols[i]);
        if (!known)
            s = error_set(judging->err, ERR_INVALID, "who reads does not know the symbol %.*s",
                          SLICE_ARG(writer->symbols[i]));
    }
    return s;
}

static const struct avro_field *field_of(const struct avro_node *record, struct slice name)
{
    for (size_t i = 0; i < record->count; i++)
        if (slice_equal(record->fields[i].name, name))
            return &record->fields[i];
    return NULL;
}

static enum status can_read_fields(struct judging *judging, const struct avro_node *reader,
                                   const struct avro_node *writer)
{
    enum status s = same_name(judging, reader, writer);
    for (size_t i = 0; s == OK && i < reader->count; i++) {
        const struct avro_field *field = &reader->fields[i], *written = field_of(writer, field->name);
        if (written)
            s = can_read(judging, field->node, written->node);
        else if (!field->default_value.n)
            s = error_set(judging->err, ERR_INVALID, "who writes has no such field, and it has no default");
        if (s != OK)
            return avro_in_field(judging->err, s, field->name);
    }
    return s;
}

static enum status can_read_record(struct judging *judging, const struct avro_node *reader,
                                   const struct avro_node *writer)
{
    for (size_t i = 0; i < judging->count; i++) {
        const struct pair *pair = &judging->pairs[i];
        if (pair->reader == reader && pair->writer == writer)
            return pair->judged == NOT_READABLE ? cannot(judging, reader, writer) : OK;
    }
    if (judging->count == PAIRS_MAX)
        return error_set(judging->err, ERR_INVALID, "the schemas have more than %d pairs of records", PAIRS_MAX);
    struct pair *pair = &judging->pairs[judging->count++];
    *pair = (struct pair){ reader, writer, JUDGING };
    enum status s = can_read_fields(judging, reader, writer);
    pair->judged = s == OK ? READABLE : NOT_READABLE;
    return s;
}

static enum status can_read_same(struct judging *judging, const struct avro_node *reader,
                                 const struct avro_node *writer)
{
    switch (reader->kind) {
    case AVRO_RECORD:
        return can_read_record(judging, reader, writer);
    case AVRO_ENUM:
        return can_read_enum(judging, reader, writer);
    case AVRO_FIXED:
        return reader->count == writer->count ? same_name(judging, reader, writer) : cannot(judging, reader, writer);
    case AVRO_ARRAY:
    case AVRO_MAP:
        return can_read(judging, reader->items, writer->items);
    case AVRO_NULL:
    case AVRO_BOOLEAN:
    case AVRO_INT:
    case AVRO_LONG:
    case AVRO_FLOAT:
    case AVRO_DOUBLE:
    case AVRO_BYTES:
    case AVRO_STRING:
    case AVRO_UNION:
        return OK;
    }
    abort();
}

static bool is_promoted(enum avro_kind reader, enum avro_kind writer)
{
    if (reader >= AVRO_LONG && reader <= AVRO_DOUBLE)
        return writer >= AVRO_INT && writer < reader;
    return (reader == AVRO_STRING && writer == AVRO_BYTES) || (reader == AVRO_BYTES && writer == AVRO_STRING);
}

/* Every branch that may be written must be readable, as one branch that may be read. */
static enum status can_read_union(struct judging *judging, const struct avro_node *reader,
                                  const struct avro_node *writer)
{
    enum status s = OK;
    if (writer->kind == AVRO_UNION) {
        for (size_t i = 0; s == OK && i < writer->count; i++)
            s = can_read(judging, reader, writer->branches[i]);
        return s;
    }
    for (size_t i = 0; i < reader->count; i++)
        if (can_read(judging, reader->branches[i], writer) == OK)
            return OK;
    return cannot(judging, reader, writer);
}

static enum status can_read(struct judging *judging, const struct avro_node *reader, const struct avro_node *writer)
{
    enum status s;
    if (judging->depth == NESTING_MAX)
        return error_set(judging->err, ERR_INVALID, "the schemas are nested deeper than %d types", NESTING_MAX);
    judging->depth++;
    if (writer->kind == AVRO_UNION || reader->kind == AVRO_UNION)
        s = can_read_union(judging, reader, writer);
    else if (reader->kind == writer->kind)
        s = can_read_same(judging, reader, writer);
    else
        s = is_promoted(reader->kind, writer->kind) ? OK : cannot(judging, reader, writer);
    judging->depth--;
    return s;
}

enum status avro_can_read(const struct avro_schema *reader, const struct avro_schema *writer, struct error *err)
{
    struct judging *judging = calloc(1, sizeof *judging);
    if (!judging)
        abort();
    judging->err = err;
    enum status s = can_read(judging, reader->root, writer->root);
    free(judging);
    return s;
}
