/* How good the events of a tenant, type and hour were, of one commit: a record of TOPIC_QUALITY. Whoever adds up all
 * records of the same tenant, type and hour has what came in that hour. The hour is that of received_at, so that it is
 * told of everything that came, whatever time a broken event claims.
 *
 * Encoded (little-endian), version 1:
 *   0 u8 version  1 u8 0  2 u16 lengths of customer_id, placement, event_type (3 × 2)   8 i64 hour_ms
 *  16 u64 counts, in the order of enum quality_count   then the bytes of those three in that order */
#pragma once
#include "base/compiler.h"
#include "base/error.h"
#include "base/slice.h"

#define QUALITY_HOUR_MS ((int64_t)3600000)

enum quality_count {
    QUALITY_EVENTS,     /* that were judged: accepted + invalid + duplicates */
    QUALITY_INVALID,    /* became dead letters */
    QUALITY_DUPLICATES, /* repeats of an accepted one */
    QUALITY_TAGGED,     /* accepted, with faults that their type lets through */
    QUALITY_LATE,       /* accepted, received later than the bound after they happened */
    /* Values of declared fields, in all events but duplicates: of required fields and of the others. Not asked for
     * are deprecated fields, and those with a default. */
    QUALITY_REQUIRED,
    QUALITY_REQUIRED_MISSING,
    QUALITY_OPTIONAL,
    QUALITY_OPTIONAL_MISSING,
    QUALITY_COUNTS
};
#define QUALITY_RECORD_HEADER_BYTES (16 + 8 * QUALITY_COUNTS)

struct quality_record {
    struct slice customer_id, placement, event_type;
    int64_t hour_ms; /* Unix, a whole hour */
    uint64_t counts[QUALITY_COUNTS];
};

/* The hour that a time lies in, also before 1970. */
int64_t quality_hour_ms(int64_t ms);
size_t quality_record_size(const struct quality_record *record);
/* Writes exactly quality_record_size bytes. */
void quality_record_encode(const struct quality_record *record, char *to);
/* Views into the bytes. ERR_CORRUPT when lengths do not add up or the version is unknown. */
MUST_CHECK enum status quality_record_decode(struct slice bytes, struct quality_record *out, struct error *err);
