/* Times as text and as Unix milliseconds. Exact, without libc, time zones or locale. The range is that of the store:
 * years 1900 to 2299, in UTC. Any thread. */
#pragma once
#include "base/compiler.h"
#include "base/slice.h"

#define TIMESTAMP_MIN_MS (-2208988800000) /* 1900-01-01T00:00:00.000Z */
#define TIMESTAMP_MAX_MS 10413791999999   /* 2299-12-31T23:59:59.999Z */
#define TIMESTAMP_TEXT_BYTES 24

/* ISO 8601 / RFC 3339: YYYY-MM-DD, then 'T' or a space, hh:mm[:ss[.fraction]], then Z, ±hh:mm, ±hhmm, ±hh or nothing
 * (UTC). A date alone is its midnight in UTC. The fraction has 1 to 9 digits; what is below a millisecond is cut off
 * (towards the past). Unix time has no leap seconds: 23:59:60, where a month ends in UTC, is the second behind it, as
 * in POSIX and PostgreSQL, so that its events keep their order among themselves and behind 23:59:59. Any other :60 is
 * no time. False: not such a text, no such day or time, or out of range. */
MUST_CHECK bool timestamp_parse(struct slice text, int64_t *out_ms);

/* A JSON number: epoch seconds when its magnitude is below 10^11, else epoch milliseconds (so milliseconds before
 * March 1973 cannot be written as a number). Fractions and exponents are fine: 1737455400.123, 1.7374554e9. */
MUST_CHECK bool timestamp_parse_number(struct slice text, int64_t *out_ms);

/* 2025-01-21T10:30:00.000Z, without a NUL. ms must be in range (assert). */
void timestamp_format(int64_t ms, char to[TIMESTAMP_TEXT_BYTES]);
