/* Avro's binary encoding (specification 1.11) to JSON and back, by a schema that is read at run time.
 *
 * JSON here is plain, not Avro's own JSON: a union is its value without the branch's name; timestamps are ISO 8601 in
 * UTC, dates YYYY-MM-DD, decimals exact numbers, uuids and enums text, bytes and fixed base64. Reading binary and
 * writing it are each other's reverse where JSON can say it (infinities and not-a-number become null).
 *
 * A schema is read by one thread and const afterwards; any thread may then use it. Bounds: AVRO_SCHEMA_BYTES_MAX,
 * AVRO_NODES_MAX, AVRO_DEPTH_MAX (of data, too: a schema may contain itself), the caller's buffer. Any bytes may come.
 * Not here: reading by one schema what another one wrote (only whether it could be), Confluent's framing, files. */
#pragma once
#include "base/buf.h"
#include "base/compiler.h"
#include "base/error.h"
#include "base/slice.h"

#define AVRO_SCHEMA_BYTES_MAX (1u << 20)
#define AVRO_NODES_MAX 8192
#define AVRO_NAMES_MAX 512 /* records, enums and fixed of a schema */
#define AVRO_DEPTH_MAX 32
#define AVRO_FIELDS_MAX 1024 /* of a record, and of all records in which a value stands */

struct avro_schema;

/* Keeps nothing of the text. ERR_INVALID: says what is wrong with which type. */
MUST_CHECK enum status avro_schema_parse(struct slice json, struct avro_schema **out, struct error *err);
void avro_schema_free(struct avro_schema *schema); /* NULL is fine */
/* The record's name without its namespace; empty when the schema is no record. Lives as long as the schema. */
struct slice avro_schema_name(const struct avro_schema *schema);
/* Whether who knows the reader's schema can read what was written by the writer's, as the specification's resolution
 * has it, with names compared without their namespace; aliases are not followed. ERR_INVALID: err names the field and
 * why. */
MUST_CHECK enum status avro_can_read(const struct avro_schema *reader, const struct avro_schema *writer,
                                     struct error *err);

/* Appends the value as JSON. ERR_CORRUPT: the bytes are not of this schema, or some are left over; err names the field.
 * ERR_FULL: out is. out then ends somewhere inside. */
MUST_CHECK enum status avro_to_json(const struct avro_schema *schema, struct slice binary, struct buf *out,
                                    struct error *err);
/* Appends the value in binary. A member that is missing gets its default; what the schema does not know is left out. Of
 * a union the first branch that takes the value. ERR_INVALID: err names the field; out then ends somewhere inside.
 * ERR_FULL: out is. */
MUST_CHECK enum status avro_from_json(const struct avro_schema *schema, struct slice json, struct buf *out,
                                      struct error *err);
