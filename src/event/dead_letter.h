/* An event that was refused, kept with everything that somebody needs to mend and replay it.
 *
 * Encoded (little-endian), version 1:
 *   0 u8 version  1 u8 0  2 u16 0  4 i64 received_ms  12 u16 lengths of customer_id, stage, reason, field, event_id,
 * message (6 × 2) 24 u32 length of original   28 the bytes of those seven in that order
 */
#pragma once
#include "base/compiler.h"
#include "base/error.h"
#include "base/slice.h"

#define DEAD_LETTER_HEADER_BYTES 28

struct dead_letter {
    struct slice customer_id;
    struct slice stage;    /* "ingest", "decode", "validate", … */
    struct slice reason;   /* stable code, as in the per-event verdict: "missing_field" */
    struct slice field;    /* the field at fault, or empty */
    struct slice event_id; /* when known */
    struct slice message;  /* for a person */
    struct slice original; /* the event as it came, byte for byte */
    int64_t received_ms;
};

size_t dead_letter_encoded_size(const struct dead_letter *letter);
void dead_letter_encode(const struct dead_letter *letter, char *to);
MUST_CHECK enum status dead_letter_decode(struct slice record, struct dead_letter *out, struct error *err);
