/* What is asked of the brokers besides writing: whether the topic is there, whether we may do what we will do, and
 * where we stand.
 *
 * Rights are seen by doing, in a transaction that is aborted before anything of it is sent: the message waits in our
 * own queue for company that does not come, while its partition and the group's offset are announced to the brokers,
 * and these say no where they would later. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "deliver/target_kafka.h"
#include "kafka/kafka_offsets.h"

/* Asks for all topics: asking for one makes it, where brokers are set so. */
enum status kafka_target_find_topic(struct kafka_target *target, struct error *err)
{
    const char *name = target->options.kafka.topic;
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_resp_err_t code = rd_kafka_metadata(target->producer, 1, NULL, &metadata, KAFKA_ASK_MS);
    if (code)
        return kafka_target_error(target, err, code, "look for topic %s", name);
    const struct rd_kafka_metadata_topic *topic = NULL;
    for (int i = 0; i < metadata->topic_cnt && !topic; i++)
        if (strcmp(metadata->topics[i].topic, name) == 0)
            topic = &metadata->topics[i];
    enum status s = OK;
    if (!topic || topic->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
        s = error_set(err, ERR_NOT_FOUND,
                      "kafka %s: there is no topic %s, or the user has no right Describe on it: make it "
                      "(kafka-topics --create --topic %s), weir does not",
                      target->options.kafka.brokers, name, name);
    else if (topic->err)
        s = kafka_target_error(target, err, topic->err, "look for topic %s", name);
    rd_kafka_metadata_destroy(metadata);
    return s;
}

enum status kafka_target_move_place(struct kafka_target *target, uint64_t position, struct error *err)
{
    rd_kafka_error_t *error = NULL;
    for (int tries = 0; tries < 3; tries++) {
        struct kafka_call call = { .what = KAFKA_CALL_MARK,
                                   .wait_ms = KAFKA_ASK_MS,
                                   .offsets = rd_kafka_topic_partition_list_new(1),
                                   .group = rd_kafka_consumer_group_metadata_new(target->id) };
        rd_kafka_topic_partition_list_add(call.offsets, target->options.kafka.topic, 0)->offset = (int64_t)position;
        rd_kafka_error_destroy(error);
        if (!kafka_caller_call(target->caller, &call, &error))
            return error_set(err, ERR_RETRY,
                             "kafka %s: move the place that is delivered: librdkafka does not come back",
                             target->options.kafka.brokers);
        /* A transaction that was refused meanwhile, for its records, is in a wrong state now; who asks again hears why.
         */
        bool again =
            error && (rd_kafka_error_is_retriable(error) || rd_kafka_error_code(error) == RD_KAFKA_RESP_ERR__STATE);
        if (!again || atomic_load(target->options.stopping))
            break;
    }
    return kafka_target_take(target, err, error, "move the place that is delivered");
}

enum status kafka_target_check_rights(struct kafka_target *target, struct error *err)
{
    enum status s = kafka_target_take(target, err, rd_kafka_begin_transaction(target->producer), "begin a transaction");
    if (s != OK)
        return s;
    rd_kafka_resp_err_t code =
        rd_kafka_producev(target->producer, RD_KAFKA_V_RKT(target->topic), RD_KAFKA_V_PARTITION(0), RD_KAFKA_V_END);
    if (code)
        return kafka_target_error(target, err, code, "write to topic %s", target->options.kafka.topic);
    s = kafka_target_move_place(target, 0, err);
    if (s == OK)
        s = kafka_target_insist(target, rd_kafka_abort_transaction, KAFKA_ASK_MS, "abort a transaction", err);
    return s;
}

/* What the group's offset in partition 0 is, of those that are decided. */
static rd_kafka_resp_err_t ask(struct kafka_target *target, uint64_t *io_position)
{
    rd_kafka_topic_partition_list_t *places = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(places, target->options.kafka.topic, 0);
    rd_kafka_event_t *event;
    const rd_kafka_topic_partition_list_t *offsets;
    rd_kafka_resp_err_t code = kafka_offsets_ask(target->producer, target->id, places, KAFKA_ASK_MS, &event, &offsets);
    if (!code && offsets && offsets->cnt == 1) {
        code = offsets->elems[0].err;
        if (!code && offsets->elems[0].offset > 0 && (uint64_t)offsets->elems[0].offset > *io_position)
            *io_position = (uint64_t)offsets->elems[0].offset;
    }
    rd_kafka_event_destroy(event);
    return code == RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND ? RD_KAFKA_RESP_ERR_NO_ERROR : code;
}

enum status kafka_target_find_place(struct kafka_target *target, uint64_t *io_position, struct error *err)
{
    rd_kafka_resp_err_t code = ask(target, io_position);
    return code ? kafka_target_error(target, err, code, "ask where group %s stands", target->id) : OK;
}
