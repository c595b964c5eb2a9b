/* Text or bytes that somebody else owns: a pointer and a length, passed by value, not terminated. */
#pragma once
#include <string.h>

#include "base/compiler.h"

struct slice {
    const char *p;
    size_t n;
};

#define SLICE(literal) ((struct slice){ "" literal, sizeof(literal) - 1 })
/* For printf: "%.*s", SLICE_ARG(s). */
#define SLICE_ARG(s) (int)(s).n, (s).p

static inline struct slice slice_from(const char *text)
{
    return (struct slice){ text, text ? strlen(text) : 0 };
}

static inline struct slice slice_of(const void *bytes, size_t n)
{
    return (struct slice){ (const char *)bytes, n };
}

static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool slice_starts(struct slice s, struct slice prefix)
{
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

/* The slice without its first n bytes; n may not exceed its length. */
static inline struct slice slice_after(struct slice s, size_t n)
{
    assert(n <= s.n);
    return (struct slice){ s.p + n, s.n - n };
}

/* As memcmp orders them, a prefix before what it begins: < 0, 0, > 0. */
static inline int slice_compare(struct slice a, struct slice b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n ? memcmp(a.p, b.p, n) : 0;
    return order ? order : (a.n > b.n) - (a.n < b.n);
}

/* Without ASCII blanks (space, tab, CR, LF) at both ends. */
struct slice slice_trim(struct slice s);
bool slice_equal_nocase(struct slice a, struct slice b);
/* Decimal, no sign, no blanks; false when it is anything else or too large. */
MUST_CHECK bool slice_to_u64(struct slice s, uint64_t *out_value);
/* How many letters must be changed, added or left out to make b of a (Levenshtein); SIZE_MAX when either is longer than
 * 63 bytes. For "did you mean". */
size_t slice_distance(struct slice a, struct slice b);
