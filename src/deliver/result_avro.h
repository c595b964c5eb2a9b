/* Results as Avro, in Confluent's framing, with their schemas in a registry. A table has one schema for ever
 * (result_schemas.c); an event of a declared type has its type's, and any other event, or one that was let through with
 * faults and does not fit its type, a general one. One thread; bounds: the registry client's, and two buffers of the
 * largest value that was written. */
#pragma once
#include "base/buf.h"
#include "base/compiler.h"
#include "base/error.h"
#include "deliver/target.h"

struct result_avro;

/* *out NULL: options name no registry. Asks for nothing yet. ERR_INVALID: they cannot work. Texts are borrowed. */
MUST_CHECK enum status result_avro_open(const struct target_avro_options *options, const char *topic,
                                        struct world *world, struct result_avro **out, struct error *err);
void result_avro_close(struct result_avro *avro); /* NULL is fine */
/* Sees to it that all schemas are in the registry; once they are, nothing more is asked. NULL is fine. ERR_RETRY: it is
 * away. ERR_INVALID: it does not take one. ERR_IO: it refuses us. ERR_CLOSED: stopping. */
MUST_CHECK enum status result_avro_register(struct result_avro *avro, const _Atomic bool *stopping, struct error *err);
/* Appends the record's value; all are registered. ERR_INVALID, ERR_FULL: it cannot be written, err names it. */
MUST_CHECK enum status result_avro_add(struct result_avro *avro, const struct target_record *record, struct buf *out,
                                       struct error *err);
