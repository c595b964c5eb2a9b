/* A group's offsets, as the brokers keep them. Blocks the thread that asks. */
#pragma once
#include <librdkafka/rdkafka.h>

/* Asks for those of the group in these places, of which it takes possession: only what is decided, no transaction that
 * is under way. *out_event is to be destroyed by the caller, also after an error, and owns *out_offsets, which is NULL
 * when the brokers did not say; a place's own error is in it. A group that nobody knows is no error. */
rd_kafka_resp_err_t kafka_offsets_ask(rd_kafka_t *client, const char *group, rd_kafka_topic_partition_list_t *places,
                                      int wait_ms, rd_kafka_event_t **out_event,
                                      const rd_kafka_topic_partition_list_t **out_offsets);
