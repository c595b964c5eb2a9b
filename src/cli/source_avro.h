/* A record in Avro, in Confluent's framing (a zero byte, the schema's id in four bytes, the value), as an event in
 * JSON: what every event has (event_id, visitor_id, timestamp, properties …) is taken by its name, all other fields
 * become properties, and the record's name is the event_type unless a field says so. One thread; keeps its memory. */
#pragma once
#include "base/buf.h"
#include "registry/registry.h"

struct source_avro;

/* registry outlives it. Aborts when out of memory. */
struct source_avro *source_avro_new(struct registry *registry);
void source_avro_free(struct source_avro *avro); /* NULL is fine */
/* *out: valid until the next call. ERR_INVALID: it is not such a record, or of an unknown schema; err says why, for a
 * dead letter. Anything else: the registry's trouble (registry_schema), the record is fine as far as we know. */
MUST_CHECK enum status source_avro_read(struct source_avro *avro, struct slice record, struct slice *out,
                                        struct error *err);
