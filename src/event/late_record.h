/* An event that came too late for a window: a record of TOPIC_LATE, one for each window that it missed. The event is
 * stored as every other (events_raw has it); what it missed is here, so that nothing is dropped silently and a replay
 * knows where to begin.
 *
 * Encoded (little-endian), version 2 (in version 1 key was empty):
 *   0 u8 version  1 u8 0  2 u16 length of window   4 i64 start_ms   12 i64 end_ms   20 i64 watermark_ms  28 u32 events
 *  32 u32 length of key   36 the bytes of window, of key, then the event as in event/event.h */
#pragma once
#include "base/compiler.h"
#include "base/error.h"
#include "event/event.h"

#define LATE_RECORD_HEADER_BYTES 36

struct late_record {
    struct slice window, key; /* key: a JSON object as text, as results of the window have it; "": not known */
    int64_t start_ms, end_ms; /* of the window that it missed */
    int64_t watermark_ms;     /* of the tenant, when it came */
    uint32_t events;          /* 1; of another partition's sum, which has no event_id, as many as are in it */
    struct event event;
};

size_t late_record_size(const struct late_record *record);
/* Writes exactly late_record_size bytes. */
void late_record_encode(const struct late_record *record, char *to);
/* Views into the bytes. ERR_CORRUPT when lengths do not add up, no window is named, or a version is unknown. */
MUST_CHECK enum status late_record_decode(struct slice bytes, struct late_record *out, struct error *err);
