/* Texts behind the header of a stored record, one after the other; the header has their lengths as u16, in the same
 * order. lengths points into a packed struct, so it is no uint16_t's place. Any thread. */
#pragma once
#include <string.h>

#include "base/compiler.h"
#include "base/slice.h"

/* Writes texts and lengths; returns the place behind them. */
static inline char *record_texts_put(char *to, const struct slice *texts, size_t count, void *lengths)
{
    for (size_t i = 0; i < count; i++) {
        const uint16_t n = (uint16_t)texts[i].n;
        assert(texts[i].n <= UINT16_MAX);
        memcpy((char *)lengths + i * sizeof n, &n, sizeof n);
        if (n)
            memcpy(to, texts[i].p, n);
        to += n;
    }
    return to;
}

static inline uint16_t record_texts_length(const void *lengths, size_t i)
{
    uint16_t n;
    memcpy(&n, (const char *)lengths + i * sizeof n, sizeof n);
    return n;
}

/* Bytes of all of them. */
static inline size_t record_texts_size(const void *lengths, size_t count)
{
    size_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += record_texts_length(lengths, i);
    return sum;
}

/* Views, of bytes that are there (record_texts_size); returns the place behind them. */
static inline const char *record_texts_get(const char *at, struct slice *const *out_texts, size_t count,
                                           const void *lengths)
{
    for (size_t i = 0; i < count; i++) {
        *out_texts[i] = slice_of(at, record_texts_length(lengths, i));
        at += out_texts[i]->n;
    }
    return at;
}
