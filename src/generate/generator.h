/* Events of a domain's declared types, whatever the domain: visitors whose visits come, go on, return and are left,
 * with the rhythm of days, a few values that are frequent and many that are rare, and values that are as declared; and,
 * on request, events that break what is declared, late ones and repeats. The same options and domain give the same
 * bytes, on every machine, however they are taken out. A broken event says in its context what is wrong with it:
 *
 *     "context":{…,"broken":"range","broken_field":"amount","broken_as":"reject"}
 *
 * and the others are the same as without --bad. One owner, one thread; memory is bounded by VISITS_MAX open visits and
 * HELD_MAX lines that wait. */
#pragma once
#include "base/buf.h"
#include "base/error.h"
#include "config/domain.h"

/* How an event can be broken; in the order of validation, unknown fields being part of the schema. */
enum break_kind {
    BREAK_TYPE,
    BREAK_VALUES,
    BREAK_FORMAT,
    BREAK_PATTERN,
    BREAK_UNKNOWN,
    BREAK_REQUIRED,
    BREAK_RANGE,
    BREAK_RULE,
    BREAK_KINDS
};
/* "type", "values" …: as in context.broken. */
const char *break_kind_name(enum break_kind kind);

struct generator_options {
    uint64_t seed;
    const char *customer_id;      /* "" leaves it out: the key says it */
    double events_per_s;          /* mean, in event time */
    int64_t start_ms, end_ms;     /* event time, Unix; end may be INT64_MAX */
    int64_t events_max;           /* without repeats; 0: no limit */
    int64_t visitors;             /* 0: as the domain says, else by the rate */
    bool has_all_money;           /* no event is without its money fields: for Avro, where a missing one is 0 */
    bool flat;                    /* no rhythm: the same rate by day and night */
    double bad, late, duplicates; /* shares of events, 0 to 1 */
};

struct generator_counts {
    int64_t events; /* without repeats; bad and late ones are in it */
    int64_t late, duplicates;
    int64_t broken[BREAK_KINDS];
    int64_t refused; /* of the broken ones: those that do not end in the store as they are (reject and quarantine) */
};

struct generator;

/* ERR_NOT_FOUND: no such domain, or it declares no event types. ERR_INVALID: what it declares cannot be met (the
 * message names type and field). domains outlives the generator. */
MUST_CHECK enum status generator_new(const struct domain_set *domains, struct slice domain,
                                     const struct generator_options *options, struct generator **out,
                                     struct error *err);
void generator_free(struct generator *generator);
static inline void generator_auto(struct generator **generator)
{
    generator_free(*generator);
}
/* Adds the next event as one line of JSON with its newline. *out_at_ms: when it is sent, Unix; it never goes back, and
 * only of late events it is not their timestamp. False: there are no more. */
MUST_CHECK bool generator_next(struct generator *generator, struct buf *out, int64_t *out_at_ms);
const struct generator_counts *generator_counts(const struct generator *generator);
