/* One event between ingestion and the store: a view over bytes that the batch's arena or the journal owns.
 *
 * Encoded (little-endian), version 1:
 *   0  u8 version   1 u8 flags   2 u16 length of placement
 *   4  i64 timestamp_ms   12 i64 received_ms   20 i64 ingested_us
 *  28  u16 lengths of customer_id, visitor_id, user_id, session_id, event_id, event_type, event_name   (7 × 2)
 *  42  u16 reserved   44 u32 length of properties   48 u32 length of context
 *  52  the bytes of: placement, the seven in that order, properties, context
 */
#pragma once
#include "base/buf.h"
#include "base/compiler.h"
#include "base/error.h"
#include "base/slice.h"

#define EVENT_HEADER_BYTES 52
#define EVENT_VERSION 1
#define EVENT_CUSTOMER_ID_MAX 255 /* bytes of customer_id in a record, of which there is at least one */

enum event_flags {
    EVENT_IDENTITY_STITCHED = 1, /* user_id was found by identity, not sent */
    EVENT_CLOCK_CORRECTED = 2,   /* timestamp was moved by the client's clock error */
    EVENT_ID_GENERATED = 4,      /* the client sent no event_id */
};

struct event {
    struct slice customer_id;                     /* the tenant */
    struct slice visitor_id, user_id, session_id; /* user_id and session_id may be empty */
    struct slice event_id, event_type, event_name;
    struct slice properties, context; /* JSON objects as text; "{}" when there was none */
    struct slice placement;           /* the tenant's own storage partition, or empty */
    int64_t timestamp_ms;             /* event time, Unix */
    int64_t received_ms;              /* received_at, Unix */
    int64_t ingested_us;              /* when we acknowledged it; for latency, not for users */
    uint8_t flags;
};

/* Bytes that event_encode will write. */
size_t event_encoded_size(const struct event *event);
/* Writes exactly event_encoded_size bytes. Lengths must fit (64 KiB for the short fields): assert. */
void event_encode(const struct event *event, char *to);
/* Views into the record. ERR_CORRUPT when lengths do not add up, the version is unknown, or it names no tenant that can
 * be. */
MUST_CHECK enum status event_decode(struct slice record, struct event *out_event, struct error *err);

/* hash of customer_id ':' visitor_id, mod partitions: the order of one visitor's events is kept. */
uint16_t event_partition(struct slice customer_id, struct slice visitor_id, uint16_t partitions);
