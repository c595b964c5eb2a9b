/* A reader is a consumer of its own, told its partitions: Kafka's groups assign nothing here, who reads what is the
 * process's plan. Chunks are views of librdkafka's messages, which the reader holds until its next read.
 *
 * The first reads wait until the broker says that the end was reached, so that a restart knows that it has seen all.
 * From then on a read never waits: what comes later rings. */
#include <stdio.h>
#include <stdlib.h>

#include "journal/kafka.h"
#include "kafka/kafka_room.h"

#define MESSAGES_MAX 256
#define CATCH_UP_WAIT_MS 5000

/* KiB that the readers of a lane may have fetched ahead, together and each for a partition. A client whose queue was
 * full looks for room only a second later: what a queue holds is what a partition's reader gets in a second. */
#define QUEUES_KIB (256u << 10)
#define QUEUE_KIB_MIN (8u << 10)
#define QUEUE_KIB_MAX (128u << 10)

struct kafka_reader {
    struct journal_reader reader;
    struct journal_read_options options;
    rd_kafka_t *consumer;
    rd_kafka_queue_t *queue;
    enum kafka_lane lane;
    size_t partitions_behind; /* that have not reached their end yet */
    uint64_t position;
    rd_kafka_message_t *messages[MESSAGES_MAX]; /* [0, lent) are the last batch's; up to `count` are for the next */
    size_t lent, count;
    struct journal_chunk chunks[MESSAGES_MAX];
};

static void on_arrived(rd_kafka_t *consumer, void *self)
{
    (void)consumer;
    waker_wake(((struct kafka_reader *)self)->options.waker);
}

static enum status check(const struct kafka *kafka, const struct journal_read_options *options, enum kafka_lane *out,
                         struct error *err)
{
    if (options->partition >= kafka->journal.partitions && options->partition != JOURNAL_ALL_PARTITIONS)
        return error_set(err, ERR_INVALID, "open a reader: there is no partition %u", options->partition);
    if (options->partition == JOURNAL_ALL_PARTITIONS && options->position != JOURNAL_BEGIN)
        return error_set(err, ERR_INVALID, "open a reader: partitions have no common order in Kafka: one reader each");
    bool any = false;
    for (unsigned topic = 0; topic < JOURNAL_TOPICS; topic++) {
        if (!(options->topics & TOPIC_BIT(topic)))
            continue;
        if (any && kafka_lane_of(topic) != *out)
            return error_set(err, ERR_INVALID, "open a reader: %s is in another topic of Kafka: a reader of its own",
                             journal_topic_name((enum journal_topic)topic));
        *out = kafka_lane_of(topic);
        any = true;
    }
    return any ? OK : error_set(err, ERR_INVALID, "open a reader: of no topic");
}

static enum status assign(struct kafka *kafka, struct kafka_reader *reader, struct error *err)
{
    uint16_t partition = reader->options.partition;
    bool all = partition == JOURNAL_ALL_PARTITIONS;
    uint16_t first = all ? 0 : partition, count = all ? kafka_lane_partitions(kafka, reader->lane) : 1;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(count);
    for (uint16_t i = 0; i < count; i++)
        rd_kafka_topic_partition_list_add(list, kafka->topics[reader->lane], first + i)->offset =
            kafka_offset(reader->options.position);
    rd_kafka_resp_err_t code = rd_kafka_assign(reader->consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
    reader->partitions_behind = count;
    return code ? kafka_error(err, code, "open a reader of %s", kafka->topics[reader->lane]) : OK;
}

static unsigned queue_kib(const struct kafka *kafka)
{
    unsigned kib = QUEUES_KIB / kafka->journal.partitions;
    return kib < QUEUE_KIB_MIN ? QUEUE_KIB_MIN : kib > QUEUE_KIB_MAX ? QUEUE_KIB_MAX : kib;
}

enum status kafka_reader_open(struct journal *journal, const struct journal_read_options *options,
                              struct journal_reader **out, struct error *err)
{
    struct kafka *kafka = kafka_of(journal);
    enum kafka_lane lane = LANE_OUTPUT;
    enum status s = check(kafka, options, &lane, err);
    if (s != OK)
        return s;
    struct kafka_reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return error_set(err, ERR_FULL, "open a reader: out of memory");
    reader->reader.journal = journal;
    reader->options = *options;
    reader->position = options->position;
    reader->lane = lane;
    char group[KAFKA_NAME_MAX], queue[16];
    kafka_group_name(kafka, "reader", 0, group, sizeof group);
    snprintf(queue, sizeof queue, "%u", queue_kib(kafka));
    const struct kafka_setting settings[] = { { "group.id", group },
                                              { "enable.auto.commit", "false" },
                                              { "enable.auto.offset.store", "false" },
                                              { "isolation.level", "read_committed" },
                                              { "enable.partition.eof", "true" },
                                              { "auto.offset.reset", "error" },
                                              { "check.crcs", "true" },
                                              { "fetch.wait.max.ms", "100" },
                                              { "fetch.message.max.bytes", "4194304" },
                                              { "queued.min.messages", "10000000" }, /* bytes are the bound */
                                              { "queued.max.messages.kbytes", queue },
                                              { "fetch.queue.backoff.ms", kafka_room_after_ms() },
                                              { NULL, NULL } };
    s = kafka_client_new(kafka, RD_KAFKA_CONSUMER, settings, NULL, &reader->consumer, err);
    if (s == OK) {
        kafka_client_find(reader->consumer, kafka, 1u << lane);
        rd_kafka_poll_set_consumer(reader->consumer);
        reader->queue = rd_kafka_queue_get_consumer(reader->consumer);
        rd_kafka_queue_cb_event_enable(reader->queue, on_arrived, reader);
        s = assign(kafka, reader, err);
    }
    if (s == OK)
        *out = &reader->reader;
    else
        kafka_reader_close(&reader->reader);
    return s;
}

static void give_back(struct kafka_reader *reader)
{
    for (size_t i = 0; i < reader->lent; i++)
        rd_kafka_message_destroy(reader->messages[i]);
    memmove(reader->messages, reader->messages + reader->lent,
            (reader->count - reader->lent) * sizeof *reader->messages); /* bounded: a few hundred pointers */
    reader->count -= reader->lent;
    reader->lent = 0;
}

void kafka_reader_close(struct journal_reader *self)
{
    struct kafka_reader *reader = (struct kafka_reader *)self;
    if (!reader)
        return;
    if (reader->queue) {
        rd_kafka_queue_cb_event_enable(reader->queue, NULL, NULL);
        reader->lent = reader->count;
        give_back(reader);
        rd_kafka_queue_destroy(reader->queue);
    }
    if (reader->consumer) {
        rd_kafka_consumer_close(reader->consumer);
        rd_kafka_destroy(reader->consumer);
    }
    free(reader);
}

/* What the broker says instead of a message. */
static enum status notice(struct kafka_reader *reader, const rd_kafka_message_t *message, struct error *err)
{
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        if (reader->partitions_behind)
            reader->partitions_behind--;
        if (kafka_position(message->offset) > reader->position)
            reader->position = kafka_position(message->offset);
        return OK;
    }
    enum status s = kafka_status(message->err);
    if (s == ERR_RETRY)
        return OK; /* the client tries again by itself */
    return kafka_message_error(err, message);
}

/* The message as a chunk. False: not of the reader's topics. */
static enum status view(struct kafka_reader *reader, const rd_kafka_message_t *message, struct journal_chunk *out,
                        bool *out_wanted, struct error *err)
{
    struct kafka_key key = { 0 };
    if (message->key_len == sizeof key)
        memcpy(&key, message->key, sizeof key);
    if (key.version != KAFKA_KEY_VERSION)
        return error_set(err, ERR_CORRUPT,
                         "kafka: %s/%d holds a message at %lld that weir has not written: nobody else may write there",
                         rd_kafka_topic_name(message->rkt), message->partition, (long long)message->offset);
    *out_wanted = reader->options.topics & TOPIC_BIT(key.topic & 31);
    uint64_t offset = key.offset == KAFKA_UNNUMBERED ? (uint64_t)message->offset << 20 : key.offset;
    *out = (struct journal_chunk){ .topic = key.topic,
                                   .partition = kafka_lane_is_compacted(reader->lane) ? key.partition
                                                                                      : (uint16_t)message->partition,
                                   .records = key.records,
                                   .bytes = slice_of(message->payload, message->len),
                                   .offset = offset,
                                   .position = kafka_position(message->offset),
                                   .written_us = rd_kafka_message_timestamp(message, NULL) * 1000 };
    return OK;
}

/* Waits only before the end was reached for the first time, and only for the first message. */
static void fetch(struct kafka_reader *reader)
{
    int wait_ms = reader->count == 0 && reader->partitions_behind ? CATCH_UP_WAIT_MS : 0;
    ssize_t n = rd_kafka_consume_batch_queue(reader->queue, wait_ms, reader->messages + reader->count,
                                             wait_ms ? 1 : MESSAGES_MAX - reader->count);
    if (n > 0)
        reader->count += (size_t)n;
}

/* The reader of a partition's events: how far it is behind is what people ask. */
static bool counts_lag(const struct kafka_reader *reader)
{
    return (reader->options.topics & TOPIC_BIT(TOPIC_EVENTS)) && reader->options.partition != JOURNAL_ALL_PARTITIONS;
}

/* One turn over what is there: up to bytes_max into the batch. */
static enum status take(struct kafka_reader *reader, size_t bytes_max, struct journal_batch *batch, struct error *err)
{
    enum status s = OK;
    while (s == OK && reader->lent < reader->count && (batch->chunk_count == 0 || batch->bytes < bytes_max)) {
        const rd_kafka_message_t *message = reader->messages[reader->lent++];
        if (message->err) {
            s = notice(reader, message, err);
            continue;
        }
        struct journal_chunk *chunk = &reader->chunks[batch->chunk_count];
        bool wanted = false;
        s = view(reader, message, chunk, &wanted, err);
        if (s != OK)
            break;
        reader->position = chunk->position + 1;
        if (counts_lag(reader))
            kafka_lag_read(kafka_of(reader->reader.journal), chunk);
        if (!wanted)
            continue;
        batch->chunk_count++;
        batch->records += chunk->records;
        batch->bytes += chunk->bytes.n;
    }
    return s;
}

enum status kafka_reader_read(struct journal_reader *self, size_t bytes_max, struct journal_batch *out,
                              struct error *err)
{
    struct kafka_reader *reader = (struct kafka_reader *)self;
    struct journal_batch batch = { .chunks = reader->chunks };
    enum status s = OK;
    while (s == OK && batch.chunk_count == 0) {
        give_back(reader);
        bool behind = reader->partitions_behind > 0;
        if (reader->count == 0)
            fetch(reader);
        if (reader->count == 0) {
            if (behind)
                s = error_set(err, ERR_RETRY, "kafka: %s does not answer",
                              kafka_of(self->journal)->topics[reader->lane]);
            break;
        }
        s = take(reader, bytes_max, &batch, err);
    }
    if (s != OK)
        return s;
    batch.next_position = reader->position;
    if (counts_lag(reader))
        kafka_lag_at(kafka_of(self->journal), reader->options.partition, reader->position);
    *out = batch;
    return OK;
}
