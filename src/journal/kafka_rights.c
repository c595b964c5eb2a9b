/* Rights are seen by doing: a transaction with a message in each topic that is written and an offset of a group in each
 * that has marks, which is aborted, and one fetch from each topic that is read. Without it a missing right would show
 * minutes later, in one task, again and again. Another process that looks at the same time with the same use fences
 * this one: then the right to the id is there, and that process sees the rest. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "journal/kafka.h"
#include "world/world.h"

#define START "start"

static enum status try_offset(struct kafka *kafka, struct kafka_caller *caller, struct error *err)
{
    char group[KAFKA_NAME_MAX];
    kafka_group_name(kafka, START, 0, group, sizeof group);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(LANES);
    for (size_t i = 0; i < LANES; i++)
        if (kafka_has_lane(kafka->marks, i))
            rd_kafka_topic_partition_list_add(list, kafka->topics[i], 0)->offset = 0;
    return kafka_call_take(caller,
                           &(struct kafka_call){ .what = KAFKA_CALL_MARK,
                                                 .wait_ms = KAFKA_WAIT_MS,
                                                 .offsets = list,
                                                 .group = rd_kafka_consumer_group_metadata_new(group) },
                           "move the offset of a group", err);
}

/* One topic after the other, so that it is known which was refused. Its message is purged then, and committing, which
 * cannot succeed any more, says why. */
static enum status try_topic(struct kafka *kafka, rd_kafka_t *producer, enum journal_topic topic, struct error *err)
{
    char what[KAFKA_TROUBLE_MAX];
    struct journal_chunk nothing = { .topic = (uint16_t)topic };
    snprintf(what, sizeof what, "write to topic %s", kafka->topics[kafka_lane_of(topic)]);
    rd_kafka_resp_err_t code = kafka_produce(producer, kafka, &nothing, KAFKA_UNNUMBERED, NULL);
    if (code)
        return kafka_error(err, code, "%s", what);
    rd_kafka_flush(producer, KAFKA_WAIT_MS);
    if (!kafka->trouble)
        return OK;
    enum status s = kafka_error_take(err, rd_kafka_commit_transaction(producer, KAFKA_WAIT_MS), what);
    return s == OK ? kafka_error(err, kafka->trouble, "%s", what) : s;
}

static enum status try_transaction(struct kafka *kafka, struct kafka_caller *caller, struct error *err)
{
    rd_kafka_t *producer = kafka_caller_producer(caller);
    static const enum journal_topic ONE_OF[LANES] = { TOPIC_EVENTS,  TOPIC_CHANGELOG, TOPIC_ENRICHED,
                                                      TOPIC_CATALOG, TOPIC_TASKS,     TOPIC_DIMENSIONS };
    enum status s =
        kafka_error_take(err, rd_kafka_init_transactions(producer, KAFKA_WAIT_MS), "begin with transactions");
    if (s == OK)
        s = kafka_error_take(err, rd_kafka_begin_transaction(producer), "begin a transaction");
    for (size_t i = 0; i < LANES && s == OK; i++)
        if (kafka_has_lane(kafka->writes, i))
            s = try_topic(kafka, producer, ONE_OF[i], err);
    if (s == OK && kafka->marks)
        s = try_offset(kafka, caller, err);
    if (s == OK)
        s = kafka_error_take(err, rd_kafka_abort_transaction(producer, KAFKA_WAIT_MS), "abort a transaction");
    return s;
}

static void on_delivered(rd_kafka_t *producer, const rd_kafka_message_t *message, void *self)
{
    (void)producer;
    if (message->err)
        ((struct kafka *)self)->trouble = message->err;
}

/* The uses have ids of their own: whoever fences this process has the same rights. */
static void name_id(const struct kafka *kafka, char *to, size_t n)
{
    const char *as = kafka->options.use.as;
    char name[KAFKA_NAME_MAX];
    snprintf(name, sizeof name, START "%s%s", as ? "." : "", as ? as : "");
    kafka_group_name(kafka, name, 0, to, n);
}

static enum status check_writing(struct kafka *kafka, struct error *err)
{
    char id[KAFKA_NAME_MAX];
    name_id(kafka, id, sizeof id);
    const struct kafka_setting settings[] = { { "transactional.id", id },
                                              { "transaction.timeout.ms", "30000" },
                                              { "message.timeout.ms", "10000" },
                                              { "linger.ms", "0" },
                                              { NULL, NULL } };
    rd_kafka_t *producer;
    enum status s = kafka_client_new(kafka, RD_KAFKA_PRODUCER, settings, on_delivered, &producer, err);
    if (s != OK)
        return s;
    kafka_client_find(producer, kafka, kafka->writes);
    struct kafka_caller *caller;
    s = kafka_caller_new(producer, kafka->world, KAFKA_CALL_GRACE_MS, &caller, err);
    if (s != OK)
        return s;
    kafka->trouble = RD_KAFKA_RESP_ERR_NO_ERROR;
    s = try_transaction(kafka, caller, err);
    kafka_caller_drop(kafka, caller, id);
    return s == ERR_CLOSED ? OK : s;
}

static enum status assign(struct kafka *kafka, struct error *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(LANES);
    for (size_t i = 0; i < LANES; i++)
        if (kafka_has_lane(kafka->reads, i))
            rd_kafka_topic_partition_list_add(list, kafka->topics[i], 0)->offset = RD_KAFKA_OFFSET_END;
    kafka_client_find(kafka->probe, kafka, kafka->reads);
    rd_kafka_resp_err_t code = rd_kafka_assign(kafka->probe, list);
    rd_kafka_topic_partition_list_destroy(list);
    return code ? kafka_error(err, code, "read the topics") : OK;
}

/* The topics that have answered, as bits. */
static unsigned lane_bit(const struct kafka *kafka, const rd_kafka_message_t *message)
{
    unsigned lane = 0;
    while (lane < LANES && strcmp(kafka->topics[lane], rd_kafka_topic_name(message->rkt)) != 0)
        lane++;
    return 1u << lane;
}

static enum status check_reading(struct kafka *kafka, struct error *err)
{
    enum status s = assign(kafka, err);
    int64_t end_us = world_mono_us(kafka->world) + KAFKA_WAIT_MS * 1000LL;
    for (unsigned seen = 0; s == OK && seen != kafka->reads;) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(kafka->probe, 100);
        if (message && (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF || !message->err))
            seen |= lane_bit(kafka, message);
        else if (message && kafka_status(message->err) != ERR_RETRY)
            s = kafka_message_error(err, message);
        else if (!message && world_mono_us(kafka->world) > end_us)
            s = error_set(err, ERR_RETRY, "kafka: the topics of %s.* cannot be read: no answer in %d s",
                          kafka->options.kafka.prefix, KAFKA_WAIT_MS / 1000);
        if (message)
            rd_kafka_message_destroy(message);
    }
    rd_kafka_assign(kafka->probe, NULL);
    return s;
}

enum status kafka_rights_check(struct kafka *kafka, struct error *err)
{
    enum status s =
        check_reading(kafka, err); /* first: a mark that cannot be moved may be a topic that cannot be read */
    return s == OK ? check_writing(kafka, err) : s;
}
