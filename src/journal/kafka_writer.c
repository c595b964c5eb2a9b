/* Commits with marks: one transaction each, from a producer of the group and partition whose mark comes first. Its
 * transactional id is theirs, so Kafka itself sees to it that one process alone commits for them: whoever claims them
 * later ends the transaction of who had them, and fences him.
 *
 * A writer is a thread, since librdkafka's transactions block (and may block for ever: kafka_caller.h). After any
 * failure its producer is thrown away before the commit is answered: then nothing of it is in flight any more, and the
 * next claim settles with the brokers what became of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "journal/kafka.h"
#include "world/world.h"

struct kafka_writer {
    struct kafka *kafka;
    char group[JOURNAL_GROUP_MAX + 1];
    uint16_t partition;
    char id[KAFKA_NAME_MAX];
    struct bell *bell;
    struct role_thread *thread;
    struct commit_list submitted;
    /* Of whoever claims, while nothing is submitted; else of the thread. */
    struct kafka_caller *caller; /* NULL: not claimed */
    bool lost; /* it was, and a commit failed: only own() claims again, whoever asks for it reads the mark */
    uint64_t numbers[JOURNAL_TOPICS];
};

/* One writer alone numbers these topics' records in its partition. (Of what is compacted each message shall have the
 * same key, so that Kafka keeps the newest only.) */
static bool is_numbered(unsigned topic)
{
    return topic != TOPIC_EVENTS && topic != TOPIC_REKEYED && topic != TOPIC_DEAD_LETTERS &&
           !kafka_lane_is_compacted(kafka_lane_of(topic));
}

static void give_up(struct kafka_writer *writer)
{
    kafka_caller_drop(writer->kafka, writer->caller, writer->id);
    writer->caller = NULL;
}

static enum status claim(struct kafka_writer *writer, struct error *err)
{
    struct kafka *kafka = writer->kafka;
    char batch[24];
    snprintf(batch, sizeof batch, "%u", kafka->options.kafka.batch_bytes);
    const struct kafka_setting settings[] = { { "transactional.id", writer->id },
                                              { "transaction.timeout.ms", "30000" },
                                              { "message.timeout.ms", "20000" },
                                              { "compression.type", kafka->options.kafka.compression },
                                              { "linger.ms", "0" }, /* a commit is produced whole, then flushed */
                                              { "batch.size", batch },
                                              { "queue.buffering.max.kbytes", "65536" },
                                              { NULL, NULL } };
    give_up(writer);
    rd_kafka_t *producer;
    enum status s = kafka_client_new(kafka, RD_KAFKA_PRODUCER, settings, NULL, &producer, err);
    if (s == OK)
        s = kafka_caller_new(producer, kafka->world, KAFKA_CALL_GRACE_MS, &writer->caller, err);
    if (s == OK)
        kafka_client_find(producer, kafka, kafka->writes);
    if (s == OK)
        s = kafka_call_take(writer->caller, &(struct kafka_call){ .what = KAFKA_CALL_INIT, .wait_ms = KAFKA_WAIT_MS },
                            "take over the partition", err);
    memset(writer->numbers, 0, sizeof writer->numbers);
    if (s == OK) {
        struct journal_mark mark;
        s = kafka_mark_read(kafka, writer->group, writer->partition, &mark, NULL, writer->numbers, err);
        s = s == ERR_NOT_FOUND ? OK : s;
    }
    if (s != OK)
        give_up(writer);
    else
        writer->lost = false;
    return s;
}

static enum status produce(struct kafka_writer *writer, const struct journal_chunk *chunk, uint64_t *numbers,
                           struct error *err)
{
    bool own = is_numbered(chunk->topic) && chunk->partition == writer->partition;
    uint64_t number = own ? numbers[chunk->topic] : chunk->topic == TOPIC_DIMENSIONS ? chunk->offset : KAFKA_UNNUMBERED;
    rd_kafka_resp_err_t code;
    rd_kafka_t *producer = kafka_caller_producer(writer->caller);
    int64_t end_us = world_mono_us(writer->kafka->world) + KAFKA_DELIVERY_WAIT_MS * 1000LL;
    while ((code = kafka_produce(producer, writer->kafka, chunk, number, NULL)) == RD_KAFKA_RESP_ERR__QUEUE_FULL &&
           world_mono_us(writer->kafka->world) < end_us)
        rd_kafka_poll(producer, 10);
    if (code)
        return kafka_error(err, code, "commit to topic %s", journal_topic_name((enum journal_topic)chunk->topic));
    if (own)
        numbers[chunk->topic] += chunk->records;
    return OK;
}

static enum status send_mark(struct kafka_writer *writer, const struct journal_mark *mark, const uint64_t *numbers,
                             struct error *err)
{
    char name[KAFKA_NAME_MAX];
    kafka_group_name(writer->kafka, mark->group, mark->partition, name, sizeof name);
    rd_kafka_topic_partition_list_t *offsets = rd_kafka_topic_partition_list_new(1);
    kafka_mark_write(writer->kafka, mark, numbers, offsets);
    return kafka_call_take(writer->caller,
                           &(struct kafka_call){ .what = KAFKA_CALL_MARK,
                                                 .wait_ms = KAFKA_WAIT_MS,
                                                 .again_ms = KAFKA_DELIVERY_WAIT_MS,
                                                 .offsets = offsets,
                                                 .group = rd_kafka_consumer_group_metadata_new(name) },
                           "move the mark", err);
}

static enum status transact(struct kafka_writer *writer, const struct journal_commit *commit, struct error *err)
{
    uint64_t numbers[JOURNAL_TOPICS];
    if (writer->lost)
        return error_set(err, ERR_IO, "kafka: an earlier commit of group %s failed: begin again at the mark",
                         writer->group);
    enum status s = writer->caller ? OK : claim(writer, err);
    if (s != OK)
        return s;
    memcpy(numbers, writer->numbers, sizeof numbers);
    s = kafka_call_take(writer->caller, &(struct kafka_call){ .what = KAFKA_CALL_BEGIN }, "begin a transaction", err);
    for (size_t i = 0; i < commit->chunk_count && s == OK; i++)
        s = produce(writer, &commit->chunks[i], numbers, err);
    for (size_t i = 0; i < commit->mark_count && s == OK; i++)
        s = send_mark(writer, &commit->marks[i], i == 0 ? numbers : NULL, err);
    if (s == OK)
        s = kafka_call_take(writer->caller,
                            &(struct kafka_call){ .what = KAFKA_CALL_COMMIT,
                                                  .wait_ms = KAFKA_WAIT_MS,
                                                  .again_ms = 2 * KAFKA_DELIVERY_WAIT_MS },
                            "commit the transaction", err);
    if (s == OK)
        memcpy(writer->numbers, numbers, sizeof numbers);
    for (size_t i = 0; i < commit->mark_count && s == OK; i++)
        kafka_trim_needed(writer->kafka, &commit->marks[i]);
    return s;
}

static bool writer_step(void *self, struct world *world, int64_t *wake_us)
{
    struct kafka_writer *writer = self;
    (void)world;
    (void)wake_us;
    struct journal_commit *commit = commit_list_take(&writer->submitted), *next;
    bool worked = commit != NULL;
    for (; commit; commit = next) {
        struct error err = { 0 };
        next = commit->next;
        bool was_lost = writer->lost;
        enum status s = transact(writer, commit, &err);
        if (s != OK) {
            if (!was_lost)
                log_warn("kafka.commit_failed", "group=%s partition=%u error=\"%s\"", writer->group, writer->partition,
                         err.text);
            /* No caller: its first claim failed, nothing was written. Else the next claim settles what became of it.
             */
            writer->lost |= writer->caller != NULL;
            give_up(writer);
            s = writer->lost ? ERR_IO : ERR_FULL;
        }
        kafka_finish(writer->kafka, commit, s, s == OK ? NULL : err.text);
    }
    return worked;
}

static struct kafka_writer *writer_new(struct kafka *kafka, const char *group, uint16_t partition)
{
    struct kafka_writer *writer = calloc(1, sizeof *writer);
    if (!writer)
        return NULL;
    writer->kafka = kafka;
    writer->partition = partition;
    snprintf(writer->group, sizeof writer->group, "%s", group);
    char name[KAFKA_NAME_MAX];
    kafka_group_name(kafka, group, partition, name, sizeof name);
    snprintf(writer->id, sizeof writer->id, "%.100s.%u", name, partition);
    writer->bell = bell_new();
    return writer;
}

static void writer_free(struct kafka_writer *writer)
{
    role_stop(writer->thread);
    give_up(writer);
    bell_free(writer->bell);
    free(writer);
}

/* The writer of the group and partition, made at first use. Of two threads that make one, the slower one takes the
 * other's. */
static enum status writer_of(struct kafka *kafka, const char *group, uint16_t partition, struct kafka_writer **out,
                             struct error *err)
{
    struct kafka_writer *made = NULL;
    for (size_t i = 0; i < KAFKA_WRITERS_MAX; i++) {
        struct kafka_writer *there = atomic_load(&kafka->writers[i]);
        if (!there) {
            if (!made) {
                made = writer_new(kafka, group, partition);
                struct role role = { "kafka-writer", made, writer_step, made ? made->bell : NULL, 0 };
                enum status s = made ? role_start(&role, kafka->world, &made->thread, err)
                                     : error_set(err, ERR_FULL, "commit: out of memory");
                if (s != OK) {
                    if (made)
                        writer_free(made);
                    return s;
                }
            }
            if (atomic_compare_exchange_strong(&kafka->writers[i], &there, made)) {
                *out = made;
                return OK;
            }
        }
        if (there->partition == partition && strcmp(there->group, group) == 0) {
            if (made)
                writer_free(made);
            *out = there;
            return OK;
        }
    }
    if (made)
        writer_free(made);
    return error_set(err, ERR_FULL, "commit: at most %d groups and partitions have a writer", KAFKA_WRITERS_MAX);
}

enum status kafka_writer_submit(struct kafka *kafka, struct journal_commit *commit, struct error *err)
{
    struct kafka_writer *writer;
    bool was_empty;
    enum status s = writer_of(kafka, commit->marks[0].group, commit->marks[0].partition, &writer, err);
    if (s != OK)
        return s;
    commit_list_push(&writer->submitted, commit, &was_empty);
    if (was_empty)
        bell_ring(writer->bell);
    return OK;
}

enum status kafka_writer_claim(struct kafka *kafka, const char *group, uint16_t partition, struct error *err)
{
    struct kafka_writer *writer;
    enum status s = writer_of(kafka, group, partition, &writer, err);
    return s == OK ? claim(writer, err) : s;
}

void kafka_writers_close(struct kafka *kafka)
{
    for (size_t i = 0; i < KAFKA_WRITERS_MAX; i++) {
        struct kafka_writer *writer = atomic_load(&kafka->writers[i]);
        if (!writer)
            return;
        writer_free(writer);
    }
}
