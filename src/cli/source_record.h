/* A record of a foreign topic as an element of a request to weir. One thread; keeps its memory. */
#pragma once
#include "base/buf.h"
#include "base/slice.h"

#define SOURCE_RECORD_BYTES_MAX (1u << 20) /* of one record; beyond: its bytes stay in Kafka */

struct source_record {
    const char *topic;
    int32_t partition;
    int64_t offset;
    struct slice value;
    const char *fault; /* why it is no event, where its format said so; NULL: value is what came */
};

struct source_writer;

struct source_writer *source_writer_new(void); /* aborts when out of memory */
void source_writer_free(struct source_writer *writer);
/* Adds the record: a JSON object as it is, with where it lies (`kafka_record`) and, when it has none, an `event_id`
 * made of that, so that a repeat counts once. What is no object, or has a fault, becomes one that ingestion refuses: a
 * dead letter with the bytes (of a record with a fault: base64), the place and the fault. */
void source_write(struct source_writer *writer, const struct source_record *record, struct buf *out);
