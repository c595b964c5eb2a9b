/* The topics: made with the right settings when missing, and looked at before anything relies on them. Kafka
 * keeps the changelog for as long as it may be needed to rebuild a state elsewhere: there is no bound by time, what a
 * snapshot has made needless is deleted by kafka_trim.c. Brokers delete whole segments, so these are small there. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "journal/kafka.h"
#include "kafka/kafka_kind.h"
#include "world/world.h"

#define LOOK_MS 200 /* between two looks whether a new topic is known everywhere */
#define ASK_MS 2000 /* for one answer; then what the connections met is heard */

static enum status make(struct kafka *kafka, enum kafka_lane lane, struct error *err)
{
    const struct journal_kafka_options *options = &kafka->options.kafka;
    char why[300], retention[32], min_insync[16];
    snprintf(retention, sizeof retention, "%" PRId64,
             lane == LANE_CHANGELOG || kafka_lane_is_compacted(lane) || kafka->options.retention_ms == 0
                 ? -1
                 : kafka->options.retention_ms);
    snprintf(min_insync, sizeof min_insync, "%d", options->min_insync);
    rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(kafka->topics[lane], kafka_lane_partitions(kafka, lane),
                                                       options->replication, why, sizeof why);
    if (!topic)
        return error_set(err, ERR_INVALID, "kafka: topic %s: %s", kafka->topics[lane], why);
    rd_kafka_NewTopic_set_config(topic, "retention.ms", retention);
    rd_kafka_NewTopic_set_config(topic, "min.insync.replicas", min_insync);
    rd_kafka_NewTopic_set_config(topic, "max.message.bytes", "33554432");
    rd_kafka_NewTopic_set_config(topic, "compression.type", "producer");
    rd_kafka_NewTopic_set_config(topic, "unclean.leader.election.enable", "false");
    if (lane == LANE_CHANGELOG)
        rd_kafka_NewTopic_set_config(topic, "segment.bytes", "67108864");
    if (kafka_lane_is_compacted(lane)) {
        rd_kafka_NewTopic_set_config(topic, "cleanup.policy", "compact");
        rd_kafka_NewTopic_set_config(topic, "segment.ms", "3600000");
    }
    if (lane == LANE_TASKS) /* what is not compacted yet is what a start reads: some megabytes */
        rd_kafka_NewTopic_set_config(topic, "segment.bytes", "4194304");
    if (lane == LANE_DIMENSIONS) /* here whole tables, of 16 MiB at most */
        rd_kafka_NewTopic_set_config(topic, "segment.bytes", "33554432");
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
                 kafka_lane_partitions(kafka, lane), options->replication);
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_AdminOptions_destroy(admin);
    rd_kafka_queue_destroy(queue);
    rd_kafka_NewTopic_destroy(topic);
    return s;
}

struct topic_seen {
    int partitions; /* 0: there is no such topic */
    int copies;     /* of the partition that has the fewest */
};

static enum status read_metadata(const struct kafka *kafka, enum kafka_lane lane,
                                 const struct rd_kafka_metadata *metadata, struct topic_seen *out, struct error *err)
{
    *out = (struct topic_seen){ 0 };
    if (metadata->topic_cnt != 1)
        return OK;
    const struct rd_kafka_metadata_topic *topic = &metadata->topics[0];
    if (topic->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || topic->err == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE)
        return OK;
    if (topic->err)
        return kafka_error(err, topic->err, "look at topic %s", kafka->topics[lane]);
    out->partitions = topic->partition_cnt;
    for (int i = 0; i < topic->partition_cnt; i++)
        if (i == 0 || topic->partitions[i].replica_cnt < out->copies)
            out->copies = topic->partitions[i].replica_cnt;
    return OK;
}

/* Brokers since Kafka 3.9 check a part of SCRAM that librdkafka sends right only since 2.6.1. */
#define SCRAM_RIGHT_VERSION 0x02060100

static enum status refused(const struct kafka *kafka, struct error *err)
{
    if (strstr(kafka->trouble_text, "SCRAM") && rd_kafka_version() < SCRAM_RIGHT_VERSION)
        return error_set(err, ERR_INVALID,
                         "kafka: %.200s: check kafka.sasl_user and kafka.sasl_password; and brokers of Kafka 4 need "
                         "librdkafka 2.6.1 for SCRAM, this is %s: see docs/kafka.md, or set kafka.sasl_mechanism to "
                         "PLAIN",
                         kafka->trouble_text, rd_kafka_version_str());
    return kafka_error(err, kafka->trouble, "%s", kafka->trouble_text);
}

/* The first question meets all that can be wrong with a connection: a refusal is told at once, the rest may pass. */
static enum status look(struct kafka *kafka, enum kafka_lane lane, struct topic_seen *out, struct error *err)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(kafka->probe, kafka->topics[lane], NULL);
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    int64_t end_us = world_mono_us(kafka->world) + KAFKA_WAIT_MS * 1000LL;
    while (code && !kafka_is_refusal(kafka->trouble) && world_mono_us(kafka->world) < end_us) {
        code = rd_kafka_metadata(kafka->probe, 0, topic, &metadata, ASK_MS);
        if (code)
            rd_kafka_poll(kafka->probe, LOOK_MS);
    }
    rd_kafka_topic_destroy(topic);
    if (code && kafka_is_refusal(kafka->trouble))
        return refused(kafka, err);
    if (code)
        return error_set(err, ERR_RETRY,
                         "kafka: no broker of %s answers in %d s: check kafka.brokers, kafka.security and the network "
                         "(%.200s)",
                         kafka->options.kafka.brokers, KAFKA_WAIT_MS / 1000,
                         kafka->trouble_text[0] ? kafka->trouble_text : rd_kafka_err2str(code));
    enum status s = read_metadata(kafka, lane, metadata, out, err);
    rd_kafka_metadata_destroy(metadata);
    return s;
}

static enum status check(struct kafka *kafka, enum kafka_lane lane, const struct topic_seen *seen, struct error *err)
{
    const char *topic = kafka->topics[lane];
    int copies = kafka->options.kafka.replication;
    if (!kafka_lane_is_compacted(lane) && seen->partitions != kafka->journal.partitions)
        return error_set(
            err, ERR_INVALID,
            "kafka: topic %s has %d partitions, journal.partitions says %u: set it to %d, or choose another "
            "kafka.prefix",
            topic, seen->partitions, kafka->journal.partitions, seen->partitions);
    if (seen->copies < copies)
        return error_set(err, ERR_INVALID,
                         "kafka: topic %s has %d %s, kafka.replication says %d: reassign its partitions to more "
                         "brokers, or set kafka.replication to %d",
                         topic, seen->copies, seen->copies == 1 ? "copy" : "copies", copies, seen->copies);
    return kafka_topic_config_check(kafka, lane, seen->copies, err);
}

static enum status ready(struct kafka *kafka, enum kafka_lane lane, struct error *err)
{
    struct topic_seen seen;
    enum status s = look(kafka, lane, &seen, err);
    if (s == OK && seen.partitions == 0) {
        s = make(kafka, lane, err);
        for (int waited = 0; s == OK && seen.partitions == 0 && waited < KAFKA_WAIT_MS; waited += LOOK_MS) {
            s = look(kafka, lane, &seen, err);
            if (seen.partitions == 0)
                rd_kafka_poll(kafka->probe, LOOK_MS);
        }
    }
    return s == OK ? check(kafka, lane, &seen, err) : s;
}

enum status kafka_topics_ready(struct kafka *kafka, struct error *err)
{
    enum status s = OK;
    for (enum kafka_lane lane = 0; lane < LANES && s == OK; lane++)
        if (kafka_has_lane(kafka->reads | kafka->writes, lane))
            s = ready(kafka, lane, err);
    return s;
}
