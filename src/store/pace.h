/* When a batch is inserted: as soon as it is full, else by a rule that trades waiting for the size of inserts.
 *
 * Each insert costs the engine a fixed amount (a part, a round trip) beside its rows. A lone event goes at once
 * (linger_ms). Then the next insert starts no sooner than an interval after the last one began: interval_min_ms at a
 * trickle, growing with the root of the rate up to interval_max_ms at rows_per_s_max, and never so short that inserts
 * fill more than half of the time. Plain data; one owner. Times are monotonic microseconds. */
#pragma once
#include "base/compiler.h"

struct pace_options {
    uint32_t linger_ms;       /* the first event of a batch waits so long for company; 3 */
    uint32_t interval_min_ms; /* 40: at most 25 inserts a second; 0: no spacing */
    uint32_t interval_max_ms; /* 400; taken as interval_min_ms when it is less */
    uint32_t rows_per_s_max;  /* the rate at which the interval is longest; 100000 */
};

struct pace {
    struct pace_options options;
    int64_t last_start_us; /* INT64_MIN: never */
    int64_t last_took_us;
    double rows_per_s; /* lately */
};

void pace_init(struct pace *pace, const struct pace_options *options);
/* When the batch whose first row came at first_us should be inserted. */
int64_t pace_due_us(const struct pace *pace, int64_t first_us);
/* A batch of so many rows begins to be inserted now. */
void pace_started(struct pace *pace, size_t rows, int64_t now_us);
void pace_finished(struct pace *pace, int64_t now_us);
