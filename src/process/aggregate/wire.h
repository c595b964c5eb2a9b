/* Whole numbers of varying length (LEB128) and the like, written to memory that is known to suffice, and read from
 * bytes that nobody vouches for: a reader that meets something wrong turns bad and gives zeros from then on. */
#pragma once
#include <string.h>

#include "base/compiler.h"
#include "base/slice.h"

#define WIRE_U64_MAX 10
#define WIRE_I128_MAX 19

static inline char *wire_put_u128(char *to, unsigned __int128 value)
{
    for (; value >= 0x80; value >>= 7)
        *to++ = (char)(0x80 | (value & 0x7f));
    *to++ = (char)value;
    return to;
}

static inline char *wire_put_u64(char *to, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *to++ = (char)(0x80 | (value & 0x7f));
    *to++ = (char)value;
    return to;
}

/* Signed ones: 0, -1, 1, -2 … become 0, 1, 2, 3 … */
static inline char *wire_put_i128(char *to, __int128 value)
{
    return wire_put_u128(to, ((unsigned __int128)value << 1) ^ -(unsigned __int128)(value < 0));
}

static inline char *wire_put_i64(char *to, int64_t value)
{
    return wire_put_u64(to, ((uint64_t)value << 1) ^ -(uint64_t)(value < 0));
}

static inline char *wire_put(char *to, const void *bytes, size_t n)
{
    if (n)
        memcpy(to, bytes, n);
    return to + n;
}

struct wire {
    const unsigned char *at, *end;
    bool bad;
};

static inline struct wire wire_from(struct slice bytes)
{
    return (struct wire){ (const unsigned char *)bytes.p, (const unsigned char *)bytes.p + bytes.n, false };
}

static inline size_t wire_left(const struct wire *wire)
{
    return (size_t)(wire->end - wire->at);
}

/* Of `bits` bits at most, in its shortest form. */
static inline unsigned __int128 wire_get_bits(struct wire *wire, unsigned bits)
{
    unsigned __int128 value = 0;
    for (unsigned shift = 0; !wire->bad && shift < bits; shift += 7) {
        if (wire->at == wire->end)
            break;
        unsigned char byte = *wire->at++;
        unsigned room = bits - shift;
        if ((room < 7 && (byte & 0x7f) >> room) || (byte == 0 && shift > 0))
            break;
        value |= (unsigned __int128)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return value;
    }
    wire->bad = true;
    return 0;
}

static inline uint64_t wire_get_u64(struct wire *wire)
{
    return (uint64_t)wire_get_bits(wire, 64);
}

static inline __int128 wire_get_i128(struct wire *wire)
{
    unsigned __int128 value = wire_get_bits(wire, 128);
    return (__int128)(value >> 1) ^ -(__int128)(value & 1);
}

static inline int64_t wire_get_i64(struct wire *wire)
{
    uint64_t value = wire_get_u64(wire);
    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

/* n bytes where they stand; NULL when there are not so many. */
static inline const char *wire_get(struct wire *wire, size_t n)
{
    if (wire->bad || wire_left(wire) < n) {
        wire->bad = true;
        return NULL;
    }
    const char *p = (const char *)wire->at;
    wire->at += n;
    return p;
}

static inline uint8_t wire_get_u8(struct wire *wire)
{
    const char *p = wire_get(wire, 1);
    return p ? (uint8_t)*p : 0;
}

static inline double wire_get_double(struct wire *wire)
{
    double value = 0;
    const char *p = wire_get(wire, sizeof value);
    if (p)
        memcpy(&value, p, sizeof value);
    return value;
}
