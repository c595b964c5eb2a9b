/* What is known of one session: a record of TOPIC_SESSIONS, and what the state of sessions keeps of each.
 *
 * A session is named by its visitor and its first event's time. When an earlier event turns up, or one that joins two
 * sessions, the name that is gone comes as `removed`. Of records with the same name the one later in the journal holds.
 *
 * Encoded (little-endian), version 1:
 *   0 u8 version  1 u8 flags (1: removed)  2 u16 0   4 i64 start_ms   12 i64 end_ms   20 i64 user_ms
 *  28 u32 events  32 u32 views   36 u16 lengths of customer_id, visitor_id, user_id, placement (4 × 2)
 *  44 the bytes of those four in that order */
#pragma once
#include "base/compiler.h"
#include "base/error.h"
#include "base/slice.h"

#define SESSION_RECORD_HEADER_BYTES 44
#define SESSION_ID_TEXT_BYTES 36

struct session_record {
    struct slice customer_id, visitor_id, user_id, placement; /* user_id: empty when nobody was identified */
    int64_t start_ms, end_ms;                                 /* of its first and last event; Unix, event time */
    int64_t user_ms;                                          /* time of the event that user_id is from */
    uint32_t events, views;                                   /* views: of pages and screens */
    bool removed;
};

size_t session_record_size(const struct session_record *record);
/* Writes exactly session_record_size bytes. */
void session_record_encode(const struct session_record *record, char *to);
/* Views into the bytes. ERR_CORRUPT when lengths do not add up or the version is unknown. */
MUST_CHECK enum status session_record_decode(struct slice bytes, struct session_record *out, struct error *err);
/* The name of a session as a UUID (RFC 9562, version 8): its start in ms, then a hash of tenant, visitor and start. The
 * same session has the same id in every run, and ids sort by time. No NUL. */
void session_record_id(const struct session_record *record, char to[SESSION_ID_TEXT_BYTES]);
