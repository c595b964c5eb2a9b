/* What lies before the mark of the changelog's reader nobody needs any more: the brokers are told to delete it
 * (DeleteRecords), since the topic has no bound by time. A partition at a time, from the role that asks for ends: an
 * answer may take a while.
 *
 * Only who has moved the mark himself asks, after his commit is done. So a process that was fenced has nothing to ask
 * for but what an earlier commit of his allowed, and that is allowed for ever: marks of the changelog's reader move on.
 * What is not asked for in time (a crash) is asked for when the next owner commits the mark again. Without the right to
 * delete, the changelog grows as before, and the log says so. */
#include "base/log.h"
#include "journal/kafka.h"
#include "world/world.h"

#define TRIM_WAIT_MS 5000

void kafka_trim_needed(struct kafka *kafka, const struct journal_mark *mark)
{
    if (kafka_lane_of(mark->topic) == LANE_CHANGELOG && mark->position != JOURNAL_MARK_DROP &&
        mark->partition < kafka->journal.partitions)
        atomic_store(&kafka->trims[mark->partition].needed, mark->position);
}

static rd_kafka_resp_err_t result_of(rd_kafka_event_t *event)
{
    rd_kafka_resp_err_t code = event ? rd_kafka_event_error(event) : RD_KAFKA_RESP_ERR__TIMED_OUT;
    if (code)
        return code;
    const rd_kafka_topic_partition_list_t *offsets =
        rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(event));
    return offsets && offsets->cnt == 1 ? offsets->elems[0].err : RD_KAFKA_RESP_ERR__FAIL;
}

static rd_kafka_resp_err_t delete_before(struct kafka *kafka, uint16_t partition, uint64_t position)
{
    char why[200];
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, kafka->topics[LANE_CHANGELOG], partition)->offset = kafka_offset(position);
    rd_kafka_DeleteRecords_t *question = rd_kafka_DeleteRecords_new(list);
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(kafka->probe, RD_KAFKA_ADMIN_OP_DELETERECORDS);
    rd_kafka_AdminOptions_set_request_timeout(options, TRIM_WAIT_MS, why, sizeof why);
    rd_kafka_AdminOptions_set_operation_timeout(options, TRIM_WAIT_MS, why, sizeof why);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(kafka->probe);
    rd_kafka_DeleteRecords(kafka->probe, &question, 1, options, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, TRIM_WAIT_MS);
    rd_kafka_resp_err_t code = result_of(event);
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_DeleteRecords_destroy(question);
    rd_kafka_topic_partition_list_destroy(list);
    return code;
}

/* Said once in a row of refusals: it costs room, nothing else. */
static void refused(struct kafka *kafka, uint16_t partition, rd_kafka_resp_err_t code)
{
    if (!kafka->trim_refused)
        log_warn("kafka.changelog_not_trimmed", "topic=%s partition=%u coped=\"tried again later\" error=\"%s\"%s",
                 kafka->topics[LANE_CHANGELOG], partition, rd_kafka_err2str(code),
                 code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED
                     ? " hint=\"grant the user the right Delete on the topic: without it the changelog grows for ever\""
                     : "");
    kafka->trim_refused = true;
    kafka->trim_at_us = retry_next_us(&kafka->trim_retry, kafka->world);
}

void kafka_trim_step(struct kafka *kafka)
{
    for (uint16_t i = 0; i < kafka->journal.partitions; i++) {
        struct kafka_trim *trim = &kafka->trims[i];
        uint64_t needed = atomic_load(&trim->needed);
        if (needed == JOURNAL_BEGIN || needed == trim->done || atomic_load(&kafka->draining) ||
            world_mono_us(kafka->world) < kafka->trim_at_us)
            continue;
        rd_kafka_resp_err_t code = delete_before(kafka, i, needed);
        if (code) {
            refused(kafka, i, code);
            return;
        }
        log_info("kafka.changelog_trimmed", "topic=%s partition=%u before=%lld", kafka->topics[LANE_CHANGELOG], i,
                 (long long)kafka_offset(needed));
        trim->done = needed;
        kafka->trim_refused = false;
        retry_reset(&kafka->trim_retry);
    }
}
