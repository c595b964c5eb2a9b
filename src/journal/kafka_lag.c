/* How many events wait in a partition. Kafka counts messages, and one is a chunk of many events; besides, ends of
 * transactions take numbers too. So: the messages between the reader and the end, times the events that a message has
 * had of late (of what was read). 0 exactly when the reader has seen the end; else an estimate, at least one.
 *
 * The end is asked for by a role of its own, since the answer may take seconds, and since a reader whose queue is full
 * learns of no end. */
#include "journal/kafka.h"
#include "world/world.h"

#define ASK_EVERY_US 1000000
#define ASK_WAIT_MS 2000
#define SEEN_MAX 4096 /* messages: then both sums are halved, so that the average follows */

void kafka_lag_read(struct kafka *kafka, const struct journal_chunk *chunk)
{
    struct kafka_lag *lag = &kafka->lags[chunk->partition];
    bool events = chunk->topic == TOPIC_EVENTS;
    uint64_t messages = atomic_load_explicit(&lag->messages, memory_order_relaxed) + 1;
    uint64_t seen = atomic_load_explicit(&lag->events, memory_order_relaxed) + (events ? chunk->records : 0);
    bool half = messages > SEEN_MAX;
    atomic_store_explicit(&lag->messages, half ? messages / 2 : messages, memory_order_relaxed);
    atomic_store_explicit(&lag->events, half ? seen / 2 : seen, memory_order_relaxed);
    if (events)
        atomic_store_explicit(&lag->next_event, chunk->offset + chunk->records, memory_order_relaxed);
}

void kafka_lag_at(struct kafka *kafka, uint16_t partition, uint64_t position)
{
    atomic_store_explicit(&kafka->lags[partition].position, position, memory_order_relaxed);
}

uint64_t kafka_lag_end_offset(const struct kafka *kafka, uint16_t partition)
{
    const struct kafka_lag *lag = &kafka->lags[partition];
    uint64_t end = atomic_load_explicit(&lag->end, memory_order_relaxed);
    uint64_t position = atomic_load_explicit(&lag->position, memory_order_relaxed);
    uint64_t next_event = atomic_load_explicit(&lag->next_event, memory_order_relaxed);
    uint64_t messages = atomic_load_explicit(&lag->messages, memory_order_relaxed);
    if (position == JOURNAL_BEGIN || end <= position)
        return next_event;
    uint64_t behind = end - position;
    uint64_t events = messages ? behind * atomic_load_explicit(&lag->events, memory_order_relaxed) / messages : behind;
    return next_event + (events ? events : 1);
}

static bool lag_step(void *self, struct world *world, int64_t *wake_us)
{
    struct kafka *kafka = self;
    *wake_us = kafka->lag_ask_us;
    if (world_mono_us(world) < kafka->lag_ask_us)
        return false;
    for (uint16_t i = 0; i < kafka->journal.partitions && !atomic_load(&kafka->draining); i++) {
        uint64_t end;
        struct error err;
        struct kafka_lag *lag = &kafka->lags[i];
        if (atomic_load_explicit(&lag->position, memory_order_relaxed) == JOURNAL_BEGIN)
            continue; /* nobody reads it here */
        if (kafka_end_within(kafka, LANE_INPUT, i, ASK_WAIT_MS, &end, &err) == OK)
            atomic_store_explicit(&lag->end, end, memory_order_relaxed);
    }
    kafka_trim_step(kafka);
    kafka->lag_ask_us = world_mono_us(world) + ASK_EVERY_US;
    *wake_us = kafka->lag_ask_us;
    return false;
}

struct role kafka_lag_role(struct kafka *kafka)
{
    return (struct role){ "journal-lag", kafka, lag_step, kafka->lag_bell, 0 };
}
