/* How `weir generate` makes a domain's events: the `generate` groups of a domain file, of its event types and of their
 * fields. Everything is optional and nothing else reads it. Part of a domain_set, which owns it; const once loaded. */
#pragma once
#include "base/compiler.h"
#include "base/slice.h"

#define GENERATE_STEPS_MAX 32
#define GENERATE_STEP_EVENTS_MAX 16
#define GENERATE_VISITORS_MAX 16000000

/* What a field's value goes by: the same again for the same …; BY_HABIT: as its name and kind suggest. */
enum generate_by {
    GENERATE_BY_HABIT,
    GENERATE_BY_EVENT,
    GENERATE_BY_VISIT,
    GENERATE_BY_VISITOR,
    GENERATE_BY_FIELD, /* another field of the type: the price of a product */
};

struct expr;

struct generate_field {
    enum generate_by by;
    struct slice by_name;  /* of GENERATE_BY_FIELD */
    const struct expr *as; /* what it is computed of, over the event type's plan; NULL: it is drawn */
    bool has_present;
    double present;   /* share of events that have the field, 0 to 1; only of fields that are not required */
    int64_t distinct; /* how many values there are; 0: as its kind suggests */
};

/* What becomes of a visit that does not take a step. */
enum generate_else { GENERATE_SKIP, GENERATE_LEAVE, GENERATE_EVENT };

struct generate_step {
    struct slice events[GENERATE_STEP_EVENTS_MAX]; /* one of them each time, by their weights */
    size_t event_count;
    double times;  /* mean, 1 or more */
    double chance; /* 0 to 1: of those who come so far */
    enum generate_else otherwise;
    struct slice otherwise_event; /* of GENERATE_EVENT: this happens, and then they leave */
};

struct generate_domain {
    int64_t visitors; /* 0: by the rate */
    int64_t pause_ms; /* mean time between two events of a visit; 0: unless said */
    bool flat;        /* no rhythm of days and weeks */
    const struct generate_step *session;
    size_t step_count; /* 0: any events of the domain, by their weights */
};
