#include "base/metrics.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum kind { COUNTER, GAUGE, HISTOGRAM, HISTOGRAM_MS };

static const double BOUNDS_S[] = { 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075,
                                   0.1,    0.15,    0.25,   0.5,   1,      2.5,   5,    10,    60 };
#define BUCKETS (COUNT_OF(BOUNDS_S) + 1)

struct counter {
    _Atomic uint64_t value;
};
struct gauge {
    _Atomic uint64_t bits;
};
struct histogram {
    _Atomic uint64_t buckets[BUCKETS];
    _Atomic uint64_t sum_us, count;
};

struct series {
    struct series *next, *next_in_index; /* of the same family; of the same hash */
    struct family *family;
    char *labels;
    union {
        struct counter counter;
        struct gauge gauge;
        struct histogram histogram;
    };
};

struct family {
    struct family *next;
    const char *name, *help;
    enum kind kind;
    struct series *first;
};

struct metrics {
    pthread_mutex_t mutex;
    struct family *families;
    size_t series_count, series_max;
    struct series *index[4096]; /* by hash of family and labels */
    struct counter *refused;
};

struct metrics *metrics_new(size_t series_max)
{
    struct metrics *metrics = calloc(1, sizeof *metrics);
    if (!metrics)
        abort();
    pthread_mutex_init(&metrics->mutex, NULL);
    metrics->series_max = series_max;
    metrics->refused = metrics_counter(metrics, "metrics_series_refused_total",
                                       "Series folded into one without labels because there were too many.", "");
    return metrics;
}

void metrics_free(struct metrics *metrics)
{
    if (!metrics)
        return;
    struct family *family = metrics->families;
    while (family) {
        struct series *series = family->first;
        while (series) {
            struct series *after = series->next;
            free(series->labels);
            free(series);
            series = after;
        }
        struct family *next = family->next;
        free(family);
        family = next;
    }
    pthread_mutex_destroy(&metrics->mutex);
    free(metrics);
}

static struct family *family_find(struct metrics *metrics, const char *name, const char *help, enum kind kind)
{
    struct family **at = &metrics->families;
    for (; *at; at = &(*at)->next) {
        int order = strcmp((*at)->name, name);
        if (order == 0) {
            assert((*at)->kind == kind);
            return *at;
        }
        if (order > 0)
            break;
    }
    struct family *family = calloc(1, sizeof *family);
    if (!family)
        abort();
    family->name = name;
    family->help = help;
    family->kind = kind;
    family->next = *at;
    *at = family;
    return family;
}

static struct series **index_slot(struct metrics *metrics, struct family *family, const char *labels)
{
    uint32_t hash = (uint32_t)((uintptr_t)family >> 4) * 2654435761u;
    for (const char *c = labels; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 16777619u;
    return &metrics->index[hash % COUNT_OF(metrics->index)];
}

static struct series *series_add(struct metrics *metrics, struct family *family, const char *labels)
{
    struct series *series = calloc(1, sizeof *series);
    char *copy = strdup(labels);
    if (!series || !copy)
        abort();
    series->labels = copy;
    series->family = family;
    struct series **slot = index_slot(metrics, family, labels);
    series->next_in_index = *slot;
    *slot = series;
    series->next = family->first;
    family->first = series;
    metrics->series_count++;
    return series;
}

static struct series *family_lookup(struct metrics *metrics, struct family *family, const char *labels)
{
    struct series *series = *index_slot(metrics, family, labels);
    while (series && (series->family != family || strcmp(series->labels, labels) != 0))
        series = series->next_in_index;
    return series;
}

static struct series *series_get(struct metrics *metrics, const char *name, const char *help, enum kind kind,
                                 const char *labels)
{
    pthread_mutex_lock(&metrics->mutex);
    struct family *family = family_find(metrics, name, help, kind);
    struct series *series = family_lookup(metrics, family, labels);
    if (!series && metrics->series_count >= metrics->series_max && labels[0]) {
        counter_add(metrics->refused, 1);
        labels = "";
        series = family_lookup(metrics, family, labels);
    }
    if (!series)
        series = series_add(metrics, family, labels);
    pthread_mutex_unlock(&metrics->mutex);
    return series;
}

struct counter *metrics_counter(struct metrics *metrics, const char *name, const char *help, const char *labels)
{
    return &series_get(metrics, name, help, COUNTER, labels)->counter;
}

struct gauge *metrics_gauge(struct metrics *metrics, const char *name, const char *help, const char *labels)
{
    return &series_get(metrics, name, help, GAUGE, labels)->gauge;
}

struct histogram *metrics_histogram(struct metrics *metrics, const char *name, const char *help, const char *labels)
{
    return &series_get(metrics, name, help, HISTOGRAM, labels)->histogram;
}

struct histogram *metrics_histogram_ms(struct metrics *metrics, const char *name, const char *help, const char *labels)
{
    return &series_get(metrics, name, help, HISTOGRAM_MS, labels)->histogram;
}

static bool is_histogram(const struct family *family)
{
    return family->kind == HISTOGRAM || family->kind == HISTOGRAM_MS;
}

static double value_of(const struct series *series)
{
    return series->family->kind == COUNTER ? (double)counter_value(&series->counter) : gauge_value(&series->gauge);
}

void metrics_visit(struct metrics *metrics, const char *name,
                   void (*visit)(void *self, const char *labels, double value), void *self)
{
    pthread_mutex_lock(&metrics->mutex);
    struct family *family = metrics->families;
    while (family && strcmp(family->name, name) != 0)
        family = family->next;
    struct series *series = family && !is_histogram(family) ? family->first : NULL;
    for (; series; series = series->next)
        visit(self, series->labels, value_of(series));
    pthread_mutex_unlock(&metrics->mutex);
}

bool metrics_read(struct metrics *metrics, const char *name, const char *labels, double *out)
{
    pthread_mutex_lock(&metrics->mutex);
    struct family *family = metrics->families;
    while (family && strcmp(family->name, name) != 0)
        family = family->next;
    struct series *series = family && !is_histogram(family) ? family_lookup(metrics, family, labels) : NULL;
    if (series)
        *out = value_of(series);
    pthread_mutex_unlock(&metrics->mutex);
    return series != NULL;
}

void counter_add(struct counter *counter, uint64_t n)
{
    atomic_fetch_add_explicit(&counter->value, n, memory_order_relaxed);
}

uint64_t counter_value(const struct counter *counter)
{
    return atomic_load_explicit(&counter->value, memory_order_relaxed);
}

void gauge_set(struct gauge *gauge, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    atomic_store_explicit(&gauge->bits, bits, memory_order_relaxed);
}

double gauge_value(const struct gauge *gauge)
{
    uint64_t bits = atomic_load_explicit(&gauge->bits, memory_order_relaxed);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

void histogram_observe_us(struct histogram *histogram, int64_t us, uint64_t times)
{
    if (us < 0)
        us = 0;
    size_t bucket = 0;
    while (bucket < COUNT_OF(BOUNDS_S) && (double)us > BOUNDS_S[bucket] * 1e6)
        bucket++;
    atomic_fetch_add_explicit(&histogram->buckets[bucket], times, memory_order_relaxed);
    atomic_fetch_add_explicit(&histogram->sum_us, (uint64_t)us * times, memory_order_relaxed);
    atomic_fetch_add_explicit(&histogram->count, times, memory_order_relaxed);
}

uint64_t histogram_count(const struct histogram *histogram)
{
    return atomic_load_explicit(&histogram->count, memory_order_relaxed);
}

double histogram_quantile(const struct histogram *histogram, double q)
{
    double total = (double)histogram_count(histogram), seen = 0;
    if (total == 0)
        return 0;
    for (size_t i = 0; i < COUNT_OF(BOUNDS_S); i++) {
        double here = (double)atomic_load_explicit(&histogram->buckets[i], memory_order_relaxed);
        if (here > 0 && seen + here >= q * total) {
            double low = i ? BOUNDS_S[i - 1] : 0;
            return low + (BOUNDS_S[i] - low) * ((q * total - seen) / here);
        }
        seen += here;
    }
    return BOUNDS_S[COUNT_OF(BOUNDS_S) - 1];
}

void metrics_label(struct buf *buf, const char *name, struct slice value)
{
    buf_add_text(buf, name);
    buf_add_text(buf, "=\"");
    for (size_t i = 0; i < value.n; i++) {
        char c = value.p[i];
        if (c == '"' || c == '\\')
            buf_add_char(buf, '\\');
        if (c == '\n')
            buf_add_text(buf, "\\n");
        else
            buf_add_char(buf, c);
    }
    buf_add_char(buf, '"');
}

static void render_histogram(struct buf *out, const struct family *family, const struct series *series)
{
    const char *comma = series->labels[0] ? "," : "";
    const double unit = family->kind == HISTOGRAM_MS ? 1000 : 1; /* of a second */
    uint64_t below = 0;
    for (size_t i = 0; i < COUNT_OF(BOUNDS_S); i++) {
        below += atomic_load_explicit(&series->histogram.buckets[i], memory_order_relaxed);
        buf_add_format(out, "%s_bucket{%s%sle=\"%g\"} %lu\n", family->name, series->labels, comma, BOUNDS_S[i] * unit,
                       below);
    }
    below += atomic_load_explicit(&series->histogram.buckets[BUCKETS - 1], memory_order_relaxed);
    buf_add_format(out, "%s_bucket{%s%sle=\"+Inf\"} %lu\n", family->name, series->labels, comma, below);
    const char *open = series->labels[0] ? "{" : "", *close = series->labels[0] ? "}" : "";
    double sum = (double)atomic_load_explicit(&series->histogram.sum_us, memory_order_relaxed) / 1e6 * unit;
    buf_add_format(out, "%s_sum%s%s%s %.6f\n", family->name, open, series->labels, close, sum);
    buf_add_format(out, "%s_count%s%s%s %lu\n", family->name, open, series->labels, close, below);
}

void metrics_render(struct metrics *metrics, struct buf *out)
{
    static const char *const KINDS[] = { "counter", "gauge", "histogram", "histogram" };
    pthread_mutex_lock(&metrics->mutex);
    for (struct family *family = metrics->families; family; family = family->next) {
        buf_add_format(out, "# HELP %s %s\n# TYPE %s %s\n", family->name, family->help, family->name,
                       KINDS[family->kind]);
        for (struct series *series = family->first; series; series = series->next) {
            const char *open = series->labels[0] ? "{" : "", *close = series->labels[0] ? "}" : "";
            if (is_histogram(family))
                render_histogram(out, family, series);
            else if (family->kind == COUNTER)
                buf_add_format(out, "%s%s%s%s %lu\n", family->name, open, series->labels, close,
                               counter_value(&series->counter));
            else
                buf_add_format(out, "%s%s%s%s %.15g\n", family->name, open, series->labels, close,
                               gauge_value(&series->gauge));
        }
    }
    pthread_mutex_unlock(&metrics->mutex);
}
