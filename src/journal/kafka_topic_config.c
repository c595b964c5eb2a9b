/* A topic that somebody else has made, or changed, may lose what we promise to keep: fewer copies in sync than
 * kafka.min_insync, more of them than there are copies (then nothing is ever taken), compaction of what has no keys.
 * Who may not ask (DescribeConfigs) is believed. */
#include <string.h>

#include "base/log.h"
#include "journal/kafka.h"
#include "world/world.h"

#define AGAIN_WAIT_MS 50

static const char *value_of(const rd_kafka_ConfigResource_t *resource, const char *name)
{
    size_t n;
    const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(resource, &n);
    for (size_t i = 0; i < n; i++)
        if (strcmp(rd_kafka_ConfigEntry_name(entries[i]), name) == 0)
            return rd_kafka_ConfigEntry_value(entries[i]);
    return NULL;
}

static enum status judge(const struct kafka *kafka, enum kafka_lane lane, const rd_kafka_ConfigResource_t *resource,
                         int copies, struct error *err)
{
    const char *topic = kafka->topics[lane];
    const char *in_sync = value_of(resource, "min.insync.replicas"), *policy = value_of(resource, "cleanup.policy");
    int wanted = kafka->options.kafka.min_insync;
    uint64_t number;
    int there = in_sync && slice_to_u64(slice_from(in_sync), &number) && number < INT16_MAX ? (int)number : wanted;
    if (there > copies)
        return error_set(err, ERR_INVALID,
                         "kafka: topic %s has min.insync.replicas=%d and %d %s: nothing could be written. Set it to "
                         "kafka.min_insync, %d, on the topic",
                         topic, there, copies, copies == 1 ? "copy" : "copies", wanted);
    if (there < wanted)
        return error_set(err, ERR_INVALID,
                         "kafka: topic %s has min.insync.replicas=%d, kafka.min_insync says %d: a 200 would promise "
                         "more than is kept. Set it on the topic, or set kafka.min_insync to %d",
                         topic, there, wanted, there);
    if (kafka_lane_is_compacted(lane) && policy && strcmp(policy, "compact") != 0)
        return error_set(err, ERR_INVALID, "kafka: topic %s has cleanup.policy=%s: %s with time. Set it to compact",
                         topic, policy,
                         lane == LANE_CATALOG ? "the tenants would be forgotten"
                         : lane == LANE_TASKS ? "who works on which partition would be forgotten, or pile up"
                                              : "the rows of dimension tables would be forgotten, or pile up");
    if (!kafka_lane_is_compacted(lane) && policy && strstr(policy, "compact"))
        return error_set(err, ERR_INVALID,
                         "kafka: topic %s has cleanup.policy=%s: compaction would remove records. Set it to delete",
                         topic, policy);
    return OK;
}

/* *out is the event's. */
static rd_kafka_resp_err_t read_answer(rd_kafka_event_t *event, const rd_kafka_ConfigResource_t **out)
{
    rd_kafka_resp_err_t code = event ? rd_kafka_event_error(event) : RD_KAFKA_RESP_ERR__TIMED_OUT;
    if (code)
        return code;
    size_t n;
    const rd_kafka_ConfigResource_t **resources =
        rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event), &n);
    *out = n ? resources[0] : NULL;
    return n ? rd_kafka_ConfigResource_error(resources[0]) : RD_KAFKA_RESP_ERR__FAIL;
}

static enum status decide(const struct kafka *kafka, enum kafka_lane lane, rd_kafka_resp_err_t code,
                          const rd_kafka_ConfigResource_t *resource, int copies, struct error *err)
{
    if (code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) {
        log_warn("kafka.topic_unchecked", "topic=%s the right DescribeConfigs is missing: its settings are believed",
                 kafka->topics[lane]);
        return OK;
    }
    if (code)
        return kafka_error(err, code, "ask for the settings of topic %s", kafka->topics[lane]);
    return judge(kafka, lane, resource, copies, err);
}

static rd_kafka_event_t *ask(struct kafka *kafka, enum kafka_lane lane)
{
    char why[200];
    rd_kafka_ConfigResource_t *resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, kafka->topics[lane]);
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(kafka->probe, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    rd_kafka_AdminOptions_set_request_timeout(options, KAFKA_WAIT_MS, why, sizeof why);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(kafka->probe);
    rd_kafka_DescribeConfigs(kafka->probe, &resource, 1, options, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, KAFKA_WAIT_MS * 2);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_ConfigResource_destroy(resource);
    return event;
}

enum status kafka_topic_config_check(struct kafka *kafka, enum kafka_lane lane, int copies, struct error *err)
{
    int64_t end_us = world_mono_us(kafka->world) + KAFKA_WAIT_MS * 1000LL;
    rd_kafka_event_t *event = ask(kafka, lane);
    const rd_kafka_ConfigResource_t *resource = NULL;
    rd_kafka_resp_err_t code;
    /* Another process has just made the topic, and not every broker has heard of it; or the one that was asked died. */
    while ((code = read_answer(event, &resource)) && kafka_status(code) == ERR_RETRY &&
           world_mono_us(kafka->world) < end_us) {
        if (event)
            rd_kafka_event_destroy(event);
        rd_kafka_poll(kafka->probe, AGAIN_WAIT_MS);
        event = ask(kafka, lane);
    }
    enum status s = decide(kafka, lane, code, resource, copies, err);
    if (event)
        rd_kafka_event_destroy(event);
    return s;
}
