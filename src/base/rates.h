/* Rates of counters as gauges, for names that the outside knows as "…_per_sec": each series of the counter has one of
 * the gauge, with its labels, which says the mean of the last RATES_WINDOW_S seconds. What a counter counts, it does
 * not notice. Owner: the thread that looks. Bound: RATES_SERIES_MAX series of a counter, further ones have no rate. */
#pragma once
#include "base/metrics.h"

#define RATES_WINDOW_S 15
#define RATES_SERIES_MAX 512

struct rate_row {
    const char *name, *help, *counter; /* literals */
};

struct rates;

/* metrics and rows are borrowed. No counter has counted anything yet; the clock stands at now_us, µs. */
struct rates *rates_new(struct metrics *metrics, const struct rate_row *rows, size_t count, int64_t now_us);
void rates_free(struct rates *rates); /* NULL is fine */
/* Looks at the counters when the last look, or the beginning, is a second ago. */
void rates_look(struct rates *rates, int64_t now_us);
