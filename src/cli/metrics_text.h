/* Reading the text that /metrics gives (Prometheus format 0.0.4), as far as our own screens need it: sums over all
 * series of a name, and quantiles out of the buckets of all series of a histogram. Views into the text; any thread. */
#pragma once
#include "base/compiler.h"
#include "base/slice.h"

#define METRICS_BUCKETS_MAX 64

/* Cumulative counts by upper bound, summed over the series. */
struct metrics_buckets {
    size_t count;
    double bounds[METRICS_BUCKETS_MAX]; /* the last may be infinite */
    double counts[METRICS_BUCKETS_MAX];
};

/* The sum (or with `largest` the largest) of all series of exactly this name. False: there is none. */
MUST_CHECK bool metrics_text_value(struct slice text, const char *name, bool largest, double *out);
MUST_CHECK bool metrics_text_buckets(struct slice text, const char *name, struct metrics_buckets *out);
/* Of what was observed between two readings (before may be NULL: ever). False: nothing was. */
MUST_CHECK bool metrics_buckets_quantile(const struct metrics_buckets *before, const struct metrics_buckets *now,
                                         double q, double *out);
