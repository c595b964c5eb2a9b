/* What one partition found for a key that another one owns: a record of TOPIC_REKEYED. Partitions add up their own
 * events of a commit first, so that what is sent is a sum per key and commit, not the events (two-phase aggregation).
 * A record without a definition says how far the sender's watermark has come for the tenant. It stands behind all sums
 * of its commit: they are sent definition by definition, so that none may say what the events of the others had moved.
 *
 * Encoded (little-endian), version 1:
 *   0 u8 version  1 u8 0  2 u16 from   4 u64 definition (0: a watermark alone)  12 i64 start_ms  20 i64 end_ms
 *  28 i64 watermark_ms  36 u64 events  44 u16 lengths of customer_id, placement, key (3 × 2)  50 u16 0
 *  52 u32 length of row   56 the bytes of customer_id, placement, key, row */
#pragma once
#include "base/compiler.h"
#include "base/error.h"
#include "base/slice.h"

#define WINDOW_PARTIAL_HEADER_BYTES 56

struct window_partial {
    uint16_t from; /* the partition that sends it */
    uint64_t definition;
    int64_t start_ms, end_ms; /* both the slice's start; of a session window: the first and the last event in it */
    int64_t watermark_ms;     /* of the tenant in the sending partition; WATERMARK_NONE beside a sum */
    uint64_t events;
    struct slice customer_id, placement, key;
    struct slice row; /* as aggregate_encode wrote it */
};

/* Bytes without the row. */
size_t window_partial_head_size(const struct window_partial *partial);
/* Writes window_partial_head_size bytes; row.n more bytes must follow. */
void window_partial_encode_head(const struct window_partial *partial, char *to);
/* Views into the bytes. ERR_CORRUPT when lengths do not add up or the version is unknown. */
MUST_CHECK enum status window_partial_decode(struct slice bytes, struct window_partial *out, struct error *err);
