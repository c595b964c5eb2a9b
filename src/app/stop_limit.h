/* A bound on the stop of the process. A library that waits for somebody who is gone may do so for ever (librdkafka's
 * issue 5456: rd_kafka_send_offsets_to_transaction does not look at its timeout while the group's coordinator is away),
 * and a supervisor would have to kill us without a word of what is left. What was answered 200 is in the journal, and
 * everything behind it begins again at its last commit, so ending here costs repeated work and nothing else. */
#pragma once
#include "base/compiler.h"
#include "base/error.h"

struct stop_limit;
struct world;

struct stop_limit_options {
    int64_t after_ms;
    const char *command; /* borrowed: for the log */
    /* Of a thread of its own: what of the stage is left. The main thread is in that stage, and leaves it no more. */
    void (*tell)(void *self, const char *stage);
    void *self;
};

/* When it is not ended after_ms later, what is left is told and the process ends with EX_TEMPFAIL. Without a thread to
 * be had the stop has no bound, and the log says so. */
struct stop_limit *stop_limit_begin(const struct stop_limit_options *options, struct world *world);
/* What is waited for from now on; a literal. limit: NULL is fine, here and below. */
void stop_limit_stage(struct stop_limit *limit, const char *stage);
void stop_limit_end(struct stop_limit *limit);
