/* Buckets as in an HDR histogram: one for each millisecond up to 15, then eight for each doubling. */
#include "serve/live_window.h"

#include <string.h>

#define EXACT 16
#define STEPS 8

static size_t bucket_of(int64_t ms)
{
    if (ms < 0)
        ms = 0;
    if (ms < EXACT)
        return (size_t)ms;
    unsigned octave = 63 - (unsigned)__builtin_clzll((unsigned long long)ms); /* 4 and up */
    size_t bucket = EXACT + (octave - 4) * STEPS + (size_t)((ms >> (octave - 3)) & (STEPS - 1));
    return bucket < WINDOW_BUCKETS ? bucket : WINDOW_BUCKETS - 1;
}

/* The largest value of the bucket. */
static int64_t bucket_ms(size_t bucket)
{
    if (bucket < EXACT)
        return (int64_t)bucket;
    size_t octave = (bucket - EXACT) / STEPS, step = (bucket - EXACT) % STEPS;
    return (int64_t)(((STEPS + step + 1) << (octave + 1)) - 1);
}

void window_add(struct live_window *window, int64_t now_ms, int64_t took_ms)
{
    int64_t number = now_ms / WINDOW_SLOT_MS;
    size_t slot = (size_t)(number % WINDOW_SLOTS);
    if (window->slot_number[slot] != number) {
        memset(window->counts[slot], 0, sizeof window->counts[slot]);
        window->slot_number[slot] = number;
    }
    window->counts[slot][bucket_of(took_ms)]++;
}

bool window_quantiles(const struct live_window *window, int64_t now_ms, const double *quantiles, size_t count,
                      int64_t *out)
{
    uint64_t sums[WINDOW_BUCKETS] = { 0 }, total = 0;
    int64_t newest = now_ms / WINDOW_SLOT_MS;
    for (size_t slot = 0; slot < WINDOW_SLOTS; slot++) {
        if (window->slot_number[slot] <= newest - WINDOW_SLOTS || window->slot_number[slot] > newest)
            continue;
        for (size_t i = 0; i < WINDOW_BUCKETS; i++)
            sums[i] += window->counts[slot][i];
    }
    for (size_t i = 0; i < WINDOW_BUCKETS; i++)
        total += sums[i];
    for (size_t q = 0; q < count && total; q++) {
        uint64_t seen = 0;
        size_t i = 0;
        while (i < WINDOW_BUCKETS - 1 && (double)(seen += sums[i]) < quantiles[q] * (double)total)
            i++;
        out[q] = bucket_ms(i);
    }
    return total > 0;
}
