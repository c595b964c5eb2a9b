/* How long a consumer whose queue was full waits until it looks for room again: a second, which librdkafka can be told
 * otherwise from 2.2 on. Before that, what a queue holds is all that is fetched in a second. Any thread. */
#pragma once
#include <librdkafka/rdkafka.h>

/* The value of fetch.queue.backoff.ms; NULL: there is no such setting. */
static inline const char *kafka_room_after_ms(void)
{
    return rd_kafka_version() < 0x02020000 ? NULL : "10";
}
