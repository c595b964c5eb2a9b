/* The read schema, for the files of avro/ alone. */
#pragma once
#include "avro/avro.h"
#include "base/arena.h"

enum avro_kind {
    AVRO_NULL,
    AVRO_BOOLEAN,
    AVRO_INT,
    AVRO_LONG,
    AVRO_FLOAT,
    AVRO_DOUBLE,
    AVRO_BYTES,
    AVRO_STRING,
    AVRO_RECORD,
    AVRO_ENUM,
    AVRO_FIXED,
    AVRO_ARRAY,
    AVRO_MAP,
    AVRO_UNION
};
enum avro_logical { AVRO_PLAIN, AVRO_DECIMAL, AVRO_DATE, AVRO_TIMESTAMP_MILLIS, AVRO_TIMESTAMP_MICROS };

struct avro_node;
struct avro_field {
    struct slice name;
    struct slice key;           /* "name": as JSON, with the colon */
    struct slice default_value; /* JSON; empty: none */
    const struct avro_node *node;
};

struct avro_node {
    enum avro_kind kind;
    enum avro_logical logical;
    struct slice name; /* of record, enum and fixed: with the namespace */
    size_t count;      /* of fields, symbols or branches; of fixed: bytes */
    unsigned scale;    /* of a decimal */
    bool has_default;  /* of an enum: for symbols that are not known */
    struct avro_field *fields;
    struct slice *symbols;
    const struct avro_node **branches;
    const struct avro_node *items; /* of array and map */
};

struct avro_schema {
    struct arena arena;
    const struct avro_node *root;
};

const char *avro_kind_name(enum avro_kind kind);
/* Prepends "field a.b: " as errors climb out of records. */
enum status avro_in_field(struct error *err, enum status status, struct slice field);
