/* A ring of samples, one a second: the newest less the oldest, divided by what was between them. So a scrape every 15 s
 * sees all that happened, and a burst is not told for longer than that. */
#include "base/rates.h"

#include <stdlib.h>

#define SAMPLES (RATES_WINDOW_S + 1)
#define EVERY_US 1000000

struct rate {
    const char *labels; /* the metrics', who keep them for life: told apart by their addresses */
    struct gauge *gauge;
    size_t count; /* of samples, at most SAMPLES */
    double samples[SAMPLES];
};

struct rated {
    const struct rate_row *row;
    struct rate *rates;
    size_t count, capacity;
};

struct rates {
    struct metrics *metrics;
    int64_t next_us, times_us[SAMPLES];
    uint64_t looks;
    struct rated *rows, *at; /* at: the one that is looked at */
    size_t count;
};

struct rates *rates_new(struct metrics *metrics, const struct rate_row *rows, size_t count, int64_t now_us)
{
    struct rates *rates = calloc(1, sizeof *rates);
    if (!rates || !(rates->rows = calloc(count, sizeof *rates->rows)))
        abort();
    rates->metrics = metrics;
    rates->count = count;
    rates->times_us[0] = now_us;
    rates->next_us = now_us + EVERY_US;
    for (size_t i = 0; i < count; i++)
        rates->rows[i].row = &rows[i];
    return rates;
}

void rates_free(struct rates *rates)
{
    if (!rates)
        return;
    for (size_t i = 0; i < rates->count; i++)
        free(rates->rows[i].rates);
    free(rates->rows);
    free(rates);
}

/* A series that was not there at the last look was 0 then: what it began with counts as any other change, or a burst at
 * the start would never be seen. NULL: there are too many. */
static struct rate *rate_of(struct rated *of, const char *labels)
{
    for (size_t i = 0; i < of->count; i++)
        if (of->rates[i].labels == labels)
            return &of->rates[i];
    if (of->count == RATES_SERIES_MAX)
        return NULL;
    if (of->count == of->capacity) {
        of->capacity = of->capacity ? of->capacity * 2 : 4;
        of->rates = realloc(of->rates, of->capacity * sizeof *of->rates);
        if (!of->rates)
            abort();
    }
    of->rates[of->count] = (struct rate){ .labels = labels, .count = 1 };
    return &of->rates[of->count++];
}

/* With the metrics' lock held. */
static void sample(void *self, const char *labels, double value)
{
    struct rates *rates = self;
    struct rate *rate = rate_of(rates->at, labels);
    if (!rate)
        return;
    rate->samples[rates->looks % SAMPLES] = value;
    rate->count += rate->count < SAMPLES;
}

static double rate_value(const struct rates *rates, const struct rate *rate)
{
    size_t newest = rates->looks % SAMPLES, oldest = (rates->looks + SAMPLES + 1 - rate->count) % SAMPLES;
    int64_t between_us = rates->times_us[newest] - rates->times_us[oldest];
    return between_us > 0 ? (rate->samples[newest] - rate->samples[oldest]) / ((double)between_us / 1e6) : 0;
}

void rates_look(struct rates *rates, int64_t now_us)
{
    if (now_us < rates->next_us)
        return;
    rates->looks++;
    rates->next_us = now_us + EVERY_US;
    rates->times_us[rates->looks % SAMPLES] = now_us;
    for (size_t i = 0; i < rates->count; i++) {
        struct rated *of = rates->at = &rates->rows[i];
        metrics_visit(rates->metrics, of->row->counter, sample, rates);
        for (size_t r = 0; r < of->count; r++) {
            struct rate *rate = &of->rates[r];
            if (!rate->gauge)
                rate->gauge = metrics_gauge(rates->metrics, of->row->name, of->row->help, rate->labels);
            gauge_set(rate->gauge, rate_value(rates, rate));
        }
    }
}
