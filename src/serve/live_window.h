/* How long something took over the last minute: quantiles of whole milliseconds, exact below 16 ms, within 1/8 above.
 * Plain data, one thread. About 5 kB. */
#pragma once
#include "base/compiler.h"

#define WINDOW_SLOTS 12 /* of 5 s each; the oldest is dropped as a whole, so the window is 55 to 60 s long */
#define WINDOW_SLOT_MS 5000
#define WINDOW_BUCKETS 112 /* up to 65 s */

struct live_window {
    int64_t slot_number[WINDOW_SLOTS]; /* which five seconds the counts are of */
    uint32_t counts[WINDOW_SLOTS][WINDOW_BUCKETS];
};

void window_add(struct live_window *window, int64_t now_ms, int64_t took_ms);
/* out[i] is the upper end of the bucket that quantile[i] falls into. False: nothing was added within the minute. */
bool window_quantiles(const struct live_window *window, int64_t now_ms, const double *quantiles, size_t count,
                      int64_t *out);
