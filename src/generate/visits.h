/* Who is there and what they do next: visits are born as a Poisson process whose rate follows the hour and the weekday,
 * each goes through the steps of the domain's session, and a heap holds the open ones by the time of their next event.
 * Inside of generate/. Times are nanoseconds since the start. Memory: VISITS_MAX visits, a bit for each visitor. */
#pragma once
#include "generate/plan.h"

#define VISITS_MAX (1u << 20) /* open at one time; at rates that want more, people are quicker */

struct visits;

struct visits_options {
    uint64_t seed;
    const struct plan *plan;
    double events_per_s;
    int64_t start_ms;
    int64_t visitors;
    bool flat;
};

/* One event: whose it is and what. */
struct visit_event {
    int64_t at_ns;
    uint64_t visit, thing;    /* numbers of theirs */
    uint32_t visitor, serial; /* the visit's first event is 0 */
    uint16_t type;            /* in the plan */
};

/* NULL: nobody would ever do anything, by the chances of the session's steps. */
struct visits *visits_new(const struct visits_options *options);
void visits_free(struct visits *visits);
/* The next event of all; times never go back. */
void visits_next(struct visits *visits, struct visit_event *out);
