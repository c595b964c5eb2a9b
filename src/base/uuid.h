/* UUIDs of version 7 (RFC 9562): Unix milliseconds, then random bits; they sort in the order in which one source made
 * them, also within a millisecond and when the clock steps back a little. A source belongs to one thread. */
#pragma once
#include "base/compiler.h"
#include "base/slice.h"

#define UUID_BYTES 16
#define UUID_TEXT_BYTES 36

struct world;

struct uuid_source {
    struct world *world;
    int64_t ms;          /* of the last id */
    uint64_t high, low;  /* its 12 and 62 random bits */
    uint8_t random[512]; /* drawn ahead: one system call serves over a hundred ids */
    size_t random_left;
};

void uuid_source_init(struct uuid_source *source, struct world *world);
/* now_ms: Unix time, not before 1970 (earlier counts as 1970). */
void uuid_v7(struct uuid_source *source, int64_t now_ms, uint8_t out[UUID_BYTES]);
/* Lower case, with dashes, no NUL. */
void uuid_format(const uint8_t uuid[UUID_BYTES], char to[UUID_TEXT_BYTES]);
/* 8-4-4-4-12 hex digits of either case; any version. */
MUST_CHECK bool uuid_parse(struct slice text, uint8_t out[UUID_BYTES]);
