/* Inside of `weir generate`: what was asked for (generate.c), where events go (generate_output.h), and the events of a
 * domain (generate_domain.c). */
#pragma once
#include "base/compiler.h"

struct generate_options {
    int64_t events, count, seed, visitors, days, for_ms;
    double rate, growth, surge, faults, bad, late, duplicates;
    const char *domain, *config, *tenant, *start, *until, *output, *url, *key;
    const char *kafka, *topic, *format, *registry, *subjects, *env;
    bool live, progress, json, quiet;
};

/* Event time. What happens between start and from is not written, so that people are in the shop already. */
struct generate_stretch {
    int64_t start_ms, from_ms, end_ms;
};

/* What is wrong with where the events shall go, or NULL. */
const char *generate_output_wrong(const struct generate_options *options);
/* Events of the domain that the options name. Returns the exit code. */
int generate_domain(const struct generate_options *options, const struct generate_stretch *stretch);
