/* The root of the rate: inserts a second and rows an insert then grow alike, 25 of 40 rows at 1,000 a second, 8 of
 * 1,250 at 10,000, 2.5 of 40,000 at 100,000. Measurements behind the rule are in docs/decisions/0050. The rate is
 * smoothed by half at each batch, so that a burst after silence is first stored at once and then, within three batches,
 * in large blocks. */
#include "store/pace.h"

#include <math.h>

void pace_init(struct pace *pace, const struct pace_options *options)
{
    assert(options->rows_per_s_max > 0);
    *pace = (struct pace){ .options = *options, .last_start_us = INT64_MIN };
    if (pace->options.interval_max_ms < pace->options.interval_min_ms)
        pace->options.interval_max_ms = pace->options.interval_min_ms;
}

static int64_t interval_us(const struct pace *pace)
{
    double share = pace->rows_per_s / pace->options.rows_per_s_max;
    int64_t most = (int64_t)pace->options.interval_max_ms * 1000, least = (int64_t)pace->options.interval_min_ms * 1000;
    int64_t wanted = (int64_t)(sqrt(share < 1 ? share : 1) * (double)most);
    if (wanted < 2 * pace->last_took_us)
        wanted = 2 * pace->last_took_us;
    return wanted < least ? least : wanted > most ? most : wanted;
}

int64_t pace_due_us(const struct pace *pace, int64_t first_us)
{
    int64_t due_us = first_us + (int64_t)pace->options.linger_ms * 1000;
    if (pace->last_start_us == INT64_MIN)
        return due_us;
    int64_t next_us = pace->last_start_us + interval_us(pace);
    return next_us > due_us ? next_us : due_us;
}

void pace_started(struct pace *pace, size_t rows, int64_t now_us)
{
    if (pace->last_start_us != INT64_MIN) {
        int64_t since_us = now_us - pace->last_start_us;
        double rate = since_us > 0 ? (double)rows * 1e6 / (double)since_us : pace->rows_per_s;
        pace->rows_per_s = (pace->rows_per_s + rate) / 2;
    }
    pace->last_start_us = now_us;
}

void pace_finished(struct pace *pace, int64_t now_us)
{
    pace->last_took_us = now_us > pace->last_start_us ? now_us - pace->last_start_us : 0;
}
