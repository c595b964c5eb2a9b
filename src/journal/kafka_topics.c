/* The three topics: made with the right settings when missing, and looked at before anything relies on them. Kafka
 * keeps the changelog for as long as it may be needed to rebuild a state elsewhere: there is no bound by time. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "journal/kafka.h"

#define LOOK_MS 200 /* between two looks whether a new topic is known everywhere */

static enum status make(struct kafka *kafka, enum kafka_lane lane, struct error *err)
{
    const struct journal_kafka_options *options = &kafka->options.kafka;
    char why[300], retention[32], min_insync[16];
    snprintf(retention, sizeof retention, "%" PRId64,
             lane == LANE_CHANGELOG || kafka->options.retention_ms == 0 ? -1 : kafka->options.retention_ms);
    snprintf(min_insync, sizeof min_insync, "%d", options->min_insync);
    rd_kafka_NewTopic_t *topic =
        rd_kafka_NewTopic_new(kafka->topics[lane], kafka->journal.partitions, options->replication, why, sizeof why);
    if (!topic)
        return error_set(err, ERR_INVALID, "kafka: topic %s: %s", kafka->topics[lane], why);
    rd_kafka_NewTopic_set_config(topic, "retention.ms", retention);
    rd_kafka_NewTopic_set_config(topic, "min.insync.replicas", min_insync);
    rd_kafka_NewTopic_set_config(topic, "max.message.bytes", "33554432");
    rd_kafka_NewTopic_set_config(topic, "compression.type", "producer");
    rd_kafka_NewTopic_set_config(topic, "unclean.leader.election.enable", "false");
    rd_kafka_queue_t *queue = rd_kafka_queue_new(kafka->probe);
    rd_kafka_AdminOptions_t *admin = rd_kafka_AdminOptions_new(kafka->probe, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    rd_kafka_AdminOptions_set_operation_timeout(admin, KAFKA_WAIT_MS, why, sizeof why);
    rd_kafka_CreateTopics(kafka->probe, &topic, 1, admin, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, KAFKA_WAIT_MS * 2);
    rd_kafka_resp_err_t code = event ? rd_kafka_event_error(event) : RD_KAFKA_RESP_ERR__TIMED_OUT;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        size_t n;
        const rd_kafka_topic_result_t **results =
            rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &n);
        code = n ? rd_kafka_topic_result_error(results[0]) : RD_KAFKA_RESP_ERR__FAIL;
    }
    if (code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) /* another process was faster */
        code = RD_KAFKA_RESP_ERR_NO_ERROR;
    enum status s = code ? kafka_error(err, code, "make topic %s", kafka->topics[lane]) : OK;
    if (s == OK)
        log_info("kafka.topic_made", "topic=%s partitions=%u replication=%d", kafka->topics[lane],
                 kafka->journal.partitions, options->replication);
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_AdminOptions_destroy(admin);
    rd_kafka_queue_destroy(queue);
    rd_kafka_NewTopic_destroy(topic);
    return s;
}

/* *out_partitions 0: there is no such topic. */
static enum status look(struct kafka *kafka, enum kafka_lane lane, int *out_partitions, struct error *err)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(kafka->probe, kafka->topics[lane], NULL);
    rd_kafka_resp_err_t code = rd_kafka_metadata(kafka->probe, 0, topic, &metadata, KAFKA_WAIT_MS);
    rd_kafka_topic_destroy(topic);
    if (code)
        return kafka_error(err, code, "no broker of %s answers in %d s", kafka->options.kafka.brokers,
                           KAFKA_WAIT_MS / 1000);
    *out_partitions = 0;
    if (metadata->topic_cnt == 1) {
        code = metadata->topics[0].err;
        *out_partitions = metadata->topics[0].partition_cnt;
    }
    rd_kafka_metadata_destroy(metadata);
    if (code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || code == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE)
        return OK;
    return code ? kafka_error(err, code, "look at topic %s", kafka->topics[lane]) : OK;
}

static enum status ready(struct kafka *kafka, enum kafka_lane lane, struct error *err)
{
    int partitions;
    enum status s = look(kafka, lane, &partitions, err);
    if (s == OK && partitions == 0) {
        s = make(kafka, lane, err);
        for (int waited = 0; s == OK && partitions == 0 && waited < KAFKA_WAIT_MS; waited += LOOK_MS) {
            s = look(kafka, lane, &partitions, err);
            if (partitions == 0)
                rd_kafka_poll(kafka->probe, LOOK_MS);
        }
    }
    if (s != OK)
        return s;
    if (partitions != kafka->journal.partitions)
        return error_set(
            err, ERR_INVALID,
            "kafka: topic %s has %d partitions, journal.partitions says %u: set it to %d, or choose another "
            "kafka.prefix",
            kafka->topics[lane], partitions, kafka->journal.partitions, partitions);
    return OK;
}

enum status kafka_topics_ready(struct kafka *kafka, struct error *err)
{
    enum status s = OK;
    for (enum kafka_lane lane = 0; lane < LANES && s == OK; lane++)
        s = ready(kafka, lane, err);
    return s;
}
