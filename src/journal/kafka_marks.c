/* Marks are offsets of consumer groups, so that Kafka's own tools show how far each group is, and so that they move in
 * the transaction that carries the records. What belongs to a mark besides is in the offset's metadata, as text:
 *
 *     "weir1 NOTE topic=number topic=number …"     NOTE: base64, "-" when empty; number: of the topic's next record
 *     "… begin"                                    the mark stands at JOURNAL_BEGIN, which is no offset: who starts
 *                                                  there again must get the same position, tokens are made of it
 *     "drop"                                       the mark was dropped: Kafka forgets no offset within a transaction
 *
 * A mark for all partitions is a group of its own, "….all", and counts in partition 0. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "journal/kafka.h"
#include "kafka/kafka_offsets.h"
#include "world/world.h"

#define AGAIN_WAIT_MS 10
#define BEGIN_TEXT " begin"

void kafka_group_name(const struct kafka *kafka, const char *group, uint16_t partition, char *to, size_t n)
{
    snprintf(to, n, "%s.%s%s", kafka->options.kafka.prefix, group, partition == JOURNAL_ALL_PARTITIONS ? ".all" : "");
}

static size_t write_metadata(const struct journal_mark *mark, const uint64_t *numbers, char *to)
{
    char note[BASE64_ENCODED_BYTES(JOURNAL_NOTE_MAX) + 1] = "-";
    if (mark->note.n) {
        base64_encode(mark->note, note);
        note[BASE64_ENCODED_BYTES(mark->note.n)] = '\0';
    }
    int n = snprintf(to, KAFKA_METADATA_MAX, "weir1 %s", note);
    for (size_t i = 0; numbers && i < JOURNAL_TOPICS; i++)
        if (numbers[i])
            n += snprintf(to + n, KAFKA_METADATA_MAX - (size_t)n, " %zu=%" PRIu64, i, numbers[i]);
    if (mark->position == JOURNAL_BEGIN)
        n += snprintf(to + n, KAFKA_METADATA_MAX - (size_t)n, BEGIN_TEXT);
    assert(n > 0 && n < KAFKA_METADATA_MAX);
    return (size_t)n;
}

void kafka_mark_write(const struct kafka *kafka, const struct journal_mark *mark, const uint64_t *numbers,
                      rd_kafka_topic_partition_list_t *list)
{
    char text[KAFKA_METADATA_MAX] = "drop";
    bool drop = mark->position == JOURNAL_MARK_DROP;
    size_t n = drop ? 4 : write_metadata(mark, numbers, text);
    int32_t partition = mark->partition == JOURNAL_ALL_PARTITIONS ? 0 : mark->partition;
    rd_kafka_topic_partition_t *place =
        rd_kafka_topic_partition_list_add(list, kafka->topics[kafka_lane_of(mark->topic)], partition);
    place->offset = drop || mark->position == JOURNAL_BEGIN ? 0 : kafka_offset(mark->position);
    place->metadata = malloc(n + 1); /* the list's: freed with it */
    if (!place->metadata)
        abort();
    memcpy(place->metadata, text, n + 1);
    place->metadata_size = n;
}

static enum status read_metadata(const char *text, struct journal_mark *out, char *note_buffer, uint64_t *numbers,
                                 struct error *err)
{
    char note[BASE64_ENCODED_BYTES(JOURNAL_NOTE_MAX) + 1];
    int at = 0;
    if (sscanf(text, "weir1 %1368s%n", note, &at) != 1)
        return error_set(err, ERR_CORRUPT, "kafka: the offset of a group has metadata that is not ours: '%.80s'", text);
    size_t n = 0;
    char bytes[BASE64_DECODED_BYTES_MAX(sizeof note)];
    if (strcmp(note, "-") != 0 && (!base64_decode(slice_from(note), bytes, &n) || n > JOURNAL_NOTE_MAX))
        return error_set(err, ERR_CORRUPT, "kafka: a mark's note is not base64: '%.80s'", note);
    if (note_buffer) {
        memcpy(note_buffer, bytes, n);
        out->note = slice_of(note_buffer, n);
    }
    unsigned topic;
    uint64_t number;
    int used;
    for (text += at; sscanf(text, " %u=%" SCNu64 "%n", &topic, &number, &used) == 2; text += used)
        if (numbers && topic < JOURNAL_TOPICS)
            numbers[topic] = number;
    if (strcmp(text, BEGIN_TEXT) == 0)
        out->position = JOURNAL_BEGIN;
    return OK;
}

/* Asks for the group's offsets in the partition of each lane that marks move in: the one that it has is the mark. */
static rd_kafka_resp_err_t ask(struct kafka *kafka, rd_kafka_t *client, const char *group, int32_t partition,
                               rd_kafka_event_t **out, const rd_kafka_topic_partition_list_t **out_offsets)
{
    rd_kafka_topic_partition_list_t *places = rd_kafka_topic_partition_list_new(LANES);
    for (size_t i = 0; i < LANES; i++)
        if (kafka_has_lane(kafka->marks, i) && partition < kafka_lane_partitions(kafka, (enum kafka_lane)i))
            rd_kafka_topic_partition_list_add(places, kafka->topics[i], partition);
    return kafka_offsets_ask(client, group, places, KAFKA_WAIT_MS, out, out_offsets);
}

/* The mark among the offsets of the lanes. *out_code: of the brokers, when a lane's offset cannot be had now. */
static enum status look(const rd_kafka_topic_partition_list_t *offsets, struct journal_mark *mark, char *note_buffer,
                        uint64_t *numbers, rd_kafka_resp_err_t *out_code, struct error *err)
{
    for (int i = 0; offsets && i < offsets->cnt; i++) {
        const rd_kafka_topic_partition_t *place = &offsets->elems[i];
        char text[KAFKA_METADATA_MAX]; /* librdkafka's has no end of its own */
        size_t n = place->metadata_size < sizeof text ? place->metadata_size : sizeof text - 1;
        *out_code = place->err;
        if (place->err)
            return ERR_RETRY;
        if (place->offset < 0 || !place->metadata)
            continue;
        memcpy(text, place->metadata, n);
        text[n] = '\0';
        if (strcmp(text, "drop") == 0)
            continue;
        mark->position = kafka_position(place->offset);
        return read_metadata(text, mark, note_buffer, numbers, err);
    }
    return ERR_NOT_FOUND;
}

/* A transaction that moves the mark is being ended, or the group is moving to another broker. */
static bool passes(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT || code == RD_KAFKA_RESP_ERR_NOT_COORDINATOR ||
           code == RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE ||
           code == RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS;
}

static enum status open_client(struct kafka *kafka, rd_kafka_t **out, struct error *err)
{
    const struct kafka_setting settings[] = { { NULL, NULL } };
    return kafka_client_new(kafka, RD_KAFKA_PRODUCER, settings, NULL, out, err);
}

/* By a client of its own: librdkafka (2.0) does not forget the broker that a group has left. Marks are read at starts
 * only. */
enum status kafka_mark_read(struct kafka *kafka, const char *group, uint16_t partition, struct journal_mark *out,
                            char *note_buffer, uint64_t *numbers, struct error *err)
{
    char name[KAFKA_NAME_MAX];
    struct journal_mark mark = { .partition = partition };
    snprintf(mark.group, sizeof mark.group, "%s", group);
    kafka_group_name(kafka, group, partition, name, sizeof name);
    enum status s;
    rd_kafka_resp_err_t code;
    int64_t end_us = world_mono_us(kafka->world) + KAFKA_WAIT_MS * 1000LL;
    do {
        rd_kafka_t *client;
        rd_kafka_event_t *event = NULL;
        const rd_kafka_topic_partition_list_t *offsets = NULL;
        s = open_client(kafka, &client, err);
        if (s != OK)
            return s;
        code = ask(kafka, client, name, partition == JOURNAL_ALL_PARTITIONS ? 0 : partition, &event, &offsets);
        if (!code)
            s = look(offsets, &mark, note_buffer, numbers, &code, err);
        if (event)
            rd_kafka_event_destroy(event);
        if (passes(code))
            rd_kafka_poll(client, AGAIN_WAIT_MS);
        rd_kafka_destroy(client);
    } while (passes(code) && world_mono_us(kafka->world) < end_us);
    if (code)
        return kafka_error(err, code, "read the mark of group %s", name);
    if (s == OK)
        *out = mark;
    return s;
}

enum status kafka_end(struct kafka *kafka, enum kafka_lane lane, uint16_t partition, uint64_t *out, struct error *err)
{
    return kafka_end_within(kafka, lane, partition, KAFKA_WAIT_MS, out, err);
}

enum status kafka_end_within(struct kafka *kafka, enum kafka_lane lane, uint16_t partition, int wait_ms, uint64_t *out,
                             struct error *err)
{
    int64_t low, high;
    rd_kafka_resp_err_t code =
        rd_kafka_query_watermark_offsets(kafka->probe, kafka->topics[lane], partition, &low, &high, wait_ms);
    if (code)
        return kafka_error(err, code, "ask where %s/%u ends", kafka->topics[lane], partition);
    *out = kafka_position(high);
    return OK;
}
