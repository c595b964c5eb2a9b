/* Counters, gauges and histograms, read by Prometheus (text format 0.0.4) and by our own screens.
 * A role asks for its series once (metrics_counter … takes a lock and may allocate) and keeps the pointer for life;
 * adding is one relaxed atomic, from any thread. The number of series is bounded: beyond it, series are folded into one
 * with the labels left out, and `metrics_series_refused_total` counts. */
#pragma once
#include "base/buf.h"
#include "base/compiler.h"

struct metrics;
struct counter;
struct gauge;
struct histogram;

struct metrics *metrics_new(size_t series_max);
void metrics_free(struct metrics *metrics);

/* labels: text as it stands between the braces, e.g. "customer_id=\"acme\",reason=\"quota\"", values escaped with
 * metrics_label; "" for none. The same name and labels give the same series. name and help must be literals. */
struct counter *metrics_counter(struct metrics *metrics, const char *name, const char *help, const char *labels);
struct gauge *metrics_gauge(struct metrics *metrics, const char *name, const char *help, const char *labels);
/* Seconds, buckets from 0.1 ms to 60 s. */
struct histogram *metrics_histogram(struct metrics *metrics, const char *name, const char *help, const char *labels);
/* The same, shown in milliseconds: for names that say so. */
struct histogram *metrics_histogram_ms(struct metrics *metrics, const char *name, const char *help, const char *labels);

void counter_add(struct counter *counter, uint64_t n);
uint64_t counter_value(const struct counter *counter);
void gauge_set(struct gauge *gauge, double value);
double gauge_value(const struct gauge *gauge);
void histogram_observe_us(struct histogram *histogram, int64_t us, uint64_t times);
/* q in 0..1, in seconds, by linear interpolation within the bucket; 0 when nothing was observed. */
double histogram_quantile(const struct histogram *histogram, double q);
uint64_t histogram_count(const struct histogram *histogram);

/* The value of a counter or gauge that somebody made; false: there is none, or it is a histogram. For screens: takes
 * the lock, a microsecond. */
MUST_CHECK bool metrics_read(struct metrics *metrics, const char *name, const char *labels, double *out);

/* Every counter or gauge of the name, in no particular order. visit is called with the lock held: it only takes notes.
 */
void metrics_visit(struct metrics *metrics, const char *name,
                   void (*visit)(void *self, const char *labels, double value), void *self);

/* name="value" with quotes, backslashes and new lines escaped. */
void metrics_label(struct buf *buf, const char *name, struct slice value);
/* All series in the text exposition format. */
void metrics_render(struct metrics *metrics, struct buf *out);
