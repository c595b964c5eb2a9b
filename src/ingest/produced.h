/* What ingestion has the journal keep, for all tenants together: events_produced_total{event_type,status},
 * produce_latency_seconds, kafka_broker_error_messages_in_total. Counts are taken in the batch, by the number of the
 * type, and added when the batch's end is known: no series is looked up for an event. Owner: the loop's thread. Bound:
 * PRODUCED_TYPES types, the last ones to come share `other`. */
#pragma once
#include "base/metrics.h"
#include "base/slice.h"

#define PRODUCED_TYPES 128

struct produced;

struct produced *produced_new(struct metrics *metrics);
void produced_free(struct produced *produced); /* NULL is fine */
/* The number of a type, below PRODUCED_TYPES. */
size_t produced_type(struct produced *produced, struct slice type);
/* The journal keeps what was counted by type (ok; took_us after it was handed over), or it does not. counts are 0 after
 * that. */
void produced_end(struct produced *produced, uint64_t counts[PRODUCED_TYPES], bool ok, int64_t took_us);
