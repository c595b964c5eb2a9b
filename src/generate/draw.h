/* Chance that is the same on every machine: whole numbers only, and no libm. Most draws are a hash of what they are
 * about (the seed, the visitor, the field), so that one does not move the others. Plain functions, any thread. */
#pragma once
#include "base/compiler.h"

/* splitmix64's finish: every bit of the result depends on every bit of x. */
static inline uint64_t draw_mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* 0 ≤ result < n, from the upper half of a number. */
static inline uint32_t draw_below(uint64_t number, uint32_t n)
{
    return (uint32_t)((number >> 32) * n >> 32);
}

/* A share in parts of 2^32, so that UINT32_MAX + 1 is always. */
#define DRAW_ALWAYS (UINT64_C(1) << 32)
static inline bool draw_hits(uint64_t number, uint64_t share)
{
    return (number >> 32) < share;
}
static inline uint64_t draw_share(double share)
{
    return share <= 0 ? 0 : share >= 1 ? DRAW_ALWAYS : (uint64_t)(share * 0x1p32);
}

/* A rank below n, the first the most frequent, by the law of Zipf: each doubling of the rank is as likely as the one
 * before it, and within it all are alike. */
static inline uint64_t draw_zipf(uint64_t number, uint64_t n)
{
    assert(n > 0);
    uint32_t octaves = 64 - (uint32_t)__builtin_clzll(n);
    uint64_t first = (UINT64_C(1) << draw_below(number, octaves)) - 1, width = first + 1;
    if (width > n - first)
        width = n - first;
    return first + (uint64_t)((unsigned __int128)draw_mix(number) * width >> 64);
}

/* A row of draws. */
struct draws {
    uint64_t state;
};

static inline uint64_t draw_next(struct draws *draws)
{
    return draw_mix(draws->state++);
}

/* Exponentially distributed with this mean: von Neumann's way, by comparing draws alone (about six). */
static inline int64_t draw_exponential(struct draws *draws, int64_t mean)
{
    for (uint32_t whole = 0;; whole++) {
        uint32_t first = (uint32_t)(draw_next(draws) >> 32), last = first, run = 1;
        for (uint32_t next; (next = (uint32_t)(draw_next(draws) >> 32)) < last; last = next)
            run++;
        if (run % 2)
            return (int64_t)(((unsigned __int128)mean * ((uint64_t)whole << 32 | first)) >> 32);
    }
}
