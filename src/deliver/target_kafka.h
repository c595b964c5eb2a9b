/* The inside of the Kafka target: target_kafka.c (the port: what is a transaction), target_kafka_client.c (handles and
 * librdkafka's words), target_kafka_check.c (what could not work later is told at start). Nobody else includes this. */
#pragma once
#include <librdkafka/rdkafka.h>

#include "deliver/result_avro.h"
#include "deliver/target.h"
#include "kafka/kafka_caller.h"

#define KAFKA_ASK_MS 5000       /* for one question to the brokers */
#define KAFKA_SLICE_MS 250      /* between two looks at `stopping` */
#define KAFKA_DELIVERY_MS 15000 /* for a batch to be in the brokers' hands */
#define KAFKA_ID_MAX 192
#define KAFKA_ID_PREFIX_MAX 80
#define KAFKA_LINGER "5"
#define KAFKA_LINGER_UNSENT "10000" /* longer than any check of rights */

struct kafka_target {
    struct target target;
    struct target_options options;
    struct world *world;
    char id[KAFKA_ID_MAX];       /* of the transactions and of the group that keeps the place */
    rd_kafka_t *producer;        /* NULL: to be made, by resume */
    struct kafka_caller *caller; /* whose it is */
    rd_kafka_topic_t *topic;
    bool checked;             /* the rights were seen once */
    struct result_avro *avro; /* NULL: values are JSON */
    struct buf value;         /* of the record at hand, in Avro */
    /* What the connections, or messages, met first; of librdkafka's callbacks, which run within our calls. */
    rd_kafka_resp_err_t trouble;
    char trouble_text[300];
};

/* target_kafka_client.c */
/* linger_ms: how long messages wait for company before they are sent. */
MUST_CHECK enum status kafka_target_connect(struct kafka_target *target, const char *linger_ms, struct error *err);
void kafka_target_disconnect(struct kafka_target *target);
/* error_set with what the program can do next, librdkafka's words, and what somebody must do. */
PRINTF_LIKE(4, 5)
enum status kafka_target_error(const struct kafka_target *target, struct error *err, rd_kafka_resp_err_t code,
                               const char *format, ...);
/* The same of an error object, which is freed; OK for NULL. What the connections met explains a wait in vain. */
enum status kafka_target_take(struct kafka_target *target, struct error *err, rd_kafka_error_t *error,
                              const char *what);
/* Calls until it is done, refused, or KAFKA_DELIVERY_MS have passed; ERR_CLOSED when weir stops. */
enum status kafka_target_insist(struct kafka_target *target, rd_kafka_error_t *(*call)(rd_kafka_t *, int), int most_ms,
                                const char *what, struct error *err);

/* target_kafka_check.c */
MUST_CHECK enum status kafka_target_find_topic(struct kafka_target *target, struct error *err);
MUST_CHECK enum status kafka_target_check_rights(struct kafka_target *target, struct error *err);
/* The group's place: *io_position moves forward to it. */
MUST_CHECK enum status kafka_target_find_place(struct kafka_target *target, uint64_t *io_position, struct error *err);
/* Says within the transaction that everything before the position is delivered. */
MUST_CHECK enum status kafka_target_move_place(struct kafka_target *target, uint64_t position, struct error *err);
