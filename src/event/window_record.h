/* A result of a window for one key: a record of TOPIC_WINDOWS. Of records with the same tenant, window, definition,
 * start and key the one later in the journal holds. A session whose beginning moved, or that was joined to an earlier
 * one, comes once more under its old start, removed.
 *
 * Encoded (little-endian), version 1:
 *   0 u8 version  1 u8 flags (1: removed, 2: final)  2 u8 kind  3 u8 0   4 u32 revision   8 i64 start_ms  16 i64 end_ms
 *  24 u64 definition  32 u64 events   40 u16 lengths of customer_id, placement, window (3 × 2)   46 u16 0
 *  48 u32 lengths of key, measures (2 × 4)   56 the bytes of those five in that order */
#pragma once
#include "base/compiler.h"
#include "base/error.h"
#include "base/slice.h"

#define WINDOW_RECORD_HEADER_BYTES 56

struct window_record {
    struct slice customer_id, placement;
    struct slice window;        /* the name of its definition */
    struct slice key, measures; /* JSON objects as text: {"page":"/a"}, {"views":3} */
    int64_t start_ms, end_ms;   /* [start, end); of a session: of its first and last event */
    uint64_t definition;        /* what tells definitions of one name apart */
    uint64_t events;            /* that were counted in it */
    uint32_t revision;          /* 1 for the first result, then one more for each that amends it */
    uint8_t kind;               /* enum window_record_kind */
    bool final;                 /* the watermark has passed the end (and an amendment comes with a new revision) */
    bool removed;               /* there is no such window any more */
};

enum window_record_kind { WINDOW_RECORD_TUMBLING = 1, WINDOW_RECORD_SLIDING = 2, WINDOW_RECORD_SESSION = 3 };
const char *window_record_kind_name(uint8_t kind); /* "tumbling", …; "unknown" */

size_t window_record_size(const struct window_record *record);
/* Writes exactly window_record_size bytes. */
void window_record_encode(const struct window_record *record, char *to);
/* Views into the bytes. ERR_CORRUPT when lengths do not add up or the version is unknown. */
MUST_CHECK enum status window_record_decode(struct slice bytes, struct window_record *out, struct error *err);
