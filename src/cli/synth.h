/* Believable traffic of a small shop, for demos, tests and benchmarks: visitors who come back, sessions that browse,
 * search, put into the cart, buy or leave, with a daily and weekly rhythm and a long tail. The same options give the
 * same bytes, on every machine. One owner, one thread; memory is bounded by visitors_max and the sessions that are open
 * at one time. */
#pragma once
#include "base/buf.h"
#include "base/compiler.h"

struct synth;

#define SYNTH_RATE_MAX 100000 /* events a second: more people than the shop holds are turned away */

struct synth_options {
    uint64_t seed;
    const char *customer_id;   /* "" leaves it out: the key says it */
    uint32_t visitors;         /* how many people there are */
    double events_per_s;       /* mean over a day, in event time, at the anchor */
    int64_t start_ms, end_ms;  /* event time, Unix; end may be INT64_MAX */
    bool flat;                 /* no rhythm: the same rate by day and night (for live demos) */
    int64_t anchor_ms;         /* where growth ends and a surge is at its height */
    double growth_per_week;    /* 0.1: a tenth more each week up to the anchor; 0: none */
    double surge_events_per_s; /* on top, by a campaign that began three hours before the anchor; 0: none */
};

struct synth *synth_new(const struct synth_options *options);
void synth_free(struct synth *synth);
/* Adds the next event as one line of JSON with its newline; events come in ascending time. False when end_ms is
 * reached. */
MUST_CHECK bool synth_next(struct synth *synth, struct buf *out, int64_t *out_timestamp_ms);
