/* Tests of a domain, as people write them (docs/testing.md): a YAML file of cases, each a story of events, waits and
 * restarts with the rows that are expected of it, run through the real stream in virtual time. One thread. */
#pragma once
#include "base/buf.h"
#include "base/compiler.h"
#include "base/error.h"
#include "config/domain.h"

struct coverage;
struct problems;
struct world;

struct trial_options {
    const struct domain_set *domains;
    const char *only;          /* a part of the names of the cases to run; NULL: all */
    struct coverage *coverage; /* gets what the cases hit */
};

struct trial_result {
    const char *file;
    int line; /* of the case, from 1 */
    struct slice name;
    bool passed;
    struct slice difference; /* lines for people; of one that failed */
    int64_t took_us;
};

/* The result's texts live until it returns. */
typedef void trial_report(void *self, const struct trial_result *result);

/* Runs the cases of one file. ERR_INVALID: the file has mistakes, they are in problems; then no case ran. clock: for
 * how long cases took. */
MUST_CHECK enum status trial_run(const struct trial_options *options, const char *file, struct slice text,
                                 struct world *clock, trial_report *report, void *self, struct problems *problems,
                                 struct error *err);
