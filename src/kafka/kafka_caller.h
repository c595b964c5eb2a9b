/* A producer of transactions, and a thread that makes the calls that block: some of librdkafka's may never come back,
 * whatever limit they are given. (rd_kafka_send_offsets_to_transaction waits for who coordinates the group, and when
 * that question is lost nothing asks again: librdkafka's issue 5456, seen here with a broker that stood still.) Whoever
 * asks waits for the thread up to a limit; then he leaves thread and producer behind and claims with another producer,
 * and the brokers refuse whatever the first one may still say.
 *
 * One thread at a time uses a caller. */
#pragma once
#include <librdkafka/rdkafka.h>
#include <stdbool.h>

#include "base/compiler.h"
#include "base/error.h"

enum kafka_call_kind { KAFKA_CALL_INIT, KAFKA_CALL_BEGIN, KAFKA_CALL_MARK, KAFKA_CALL_COMMIT };

struct kafka_call {
    enum kafka_call_kind what;
    int wait_ms;  /* what librdkafka is told; not of BEGIN */
    int again_ms; /* as long as librdkafka says that it may be repeated, it is, until so much later */
    /* Of MARK, given away. */
    rd_kafka_topic_partition_list_t *offsets;
    rd_kafka_consumer_group_metadata_t *group;
};

struct kafka_caller;
struct world;

/* The producer is the caller's, even when this fails; the world is borrowed, for good. A call has grace_ms more than
 * its own times. */
MUST_CHECK enum status kafka_caller_new(rd_kafka_t *producer, struct world *world, int grace_ms,
                                        struct kafka_caller **out, struct error *err);
/* For what does not block: produce, poll. Borrowed. */
rd_kafka_t *kafka_caller_producer(struct kafka_caller *caller);
/* True: librdkafka has answered; *out: its error, the asker's, or NULL. False: it has not in time, and the caller can
 * only be freed. */
MUST_CHECK bool kafka_caller_call(struct kafka_caller *caller, const struct kafka_call *call, rd_kafka_error_t **out);
/* Nothing that was produced is in flight any more. False: a call is still out, and what it uses, with the producer's
 * opaque, stays until it comes back, which may be never. NULL is fine. */
bool kafka_caller_free(struct kafka_caller *caller);
