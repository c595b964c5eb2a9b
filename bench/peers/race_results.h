/* What a contestant has committed as results, read from the beginning of its topics and on: "…,KEY,START,COUNT" as
 * text, or a weir's TOPIC_WINDOWS (of the queries without a window its TOPIC_ENRICHED). Only race_topic.c includes
 * this. */
#pragma once
#include <unistd.h>

#include "base/json_scan.h"
#include "base/metrics.h"
#include "bench/peers/race_events.h"
#include "bench/peers/race_kafka.h"
#include "event/event.h"
#include "event/window_record.h"
#include "journal/journal.h"
#include "world/world.h"

#define RESULTS_BATCH_MAX 4096
#define RESULTS_PARTITIONS_MAX 64
#define RESULTS_WAIT_MS 2
#define RESULTS_KEY_MAX 256

struct race_results {
    /* text */
    rd_kafka_t *consumer;
    rd_kafka_queue_t *queue;
    bool ended[RESULTS_PARTITIONS_MAX]; /* was read to its end once */
    int partitions;
    rd_kafka_message_t *messages[RESULTS_BATCH_MAX];
    /* a weir's */
    struct journal *journal;
    struct journal_reader *reader;
    struct metrics *metrics;
    enum race_query query;

    uint64_t unreadable;
    void (*visit)(void *self, struct slice key, int64_t start_ms, uint64_t count);
    void *self;
};

/* ---- text ---- */

static void results_open_text(struct race_results *results, const char *brokers, const char *topic)
{
    static const struct race_setting settings[] = {
        { "group.id", "race-check" },       { "enable.auto.commit", "false" }, { "isolation.level", "read_committed" },
        { "enable.partition.eof", "true" }, { "fetch.wait.max.ms", "10" },     { NULL, NULL }
    };
    const struct rd_kafka_metadata *metadata;
    results->consumer = race_client(brokers, RD_KAFKA_CONSUMER, settings, NULL);
    rd_kafka_topic_t *handle = rd_kafka_topic_new(results->consumer, topic, NULL);
    rd_kafka_resp_err_t code = rd_kafka_metadata(results->consumer, 0, handle, &metadata, RACE_WAIT_MS);
    int count = code || metadata->topic_cnt != 1 ? 0 : metadata->topics[0].partition_cnt;
    if (count == 0 || count > RESULTS_PARTITIONS_MAX)
        fail(topic, code ? rd_kafka_err2str(code) : "there is no such topic");
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(count);
    for (int i = 0; i < count; i++)
        rd_kafka_topic_partition_list_add(list, topic, i)->offset = RD_KAFKA_OFFSET_BEGINNING;
    results->partitions = count;
    results->queue = rd_kafka_queue_get_consumer(results->consumer);
    rd_kafka_assign(results->consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(handle);
}

static void read_line(struct race_results *results, struct slice line)
{
    const char *end = line.p + line.n, *second = line.n ? memrchr(line.p, ',', line.n) : NULL;
    const char *first = second ? memrchr(line.p, ',', (size_t)(second - line.p)) : NULL;
    uint64_t start_ms, count;
    if (!first || !slice_to_u64(slice_of(first + 1, (size_t)(second - first - 1)), &start_ms) ||
        !slice_to_u64(slice_of(second + 1, (size_t)(end - second - 1)), &count)) {
        results->unreadable++;
        return;
    }
    const char *before = memrchr(line.p, ',', (size_t)(first - line.p)), *key = before ? before + 1 : line.p;
    results->visit(results->self, slice_of(key, (size_t)(first - key)), (int64_t)start_ms, count);
}

static size_t read_text(struct race_results *results)
{
    ssize_t n = rd_kafka_consume_batch_queue(results->queue, RESULTS_WAIT_MS, results->messages, RESULTS_BATCH_MAX);
    for (ssize_t i = 0; i < n; i++) {
        const rd_kafka_message_t *message = results->messages[i];
        if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
            results->ended[message->partition] = true;
        else if (message->err)
            fail("read results", rd_kafka_message_errstr(message));
        else
            read_line(results, slice_of(message->payload, message->len));
        rd_kafka_message_destroy(results->messages[i]);
    }
    return n > 0 ? (size_t)n : 0;
}

/* ---- a weir's ---- */

static void results_open_weir(struct race_results *results, const char *brokers, const char *prefix,
                              uint64_t partitions, enum race_query query)
{
    struct error err = { 0 };
    const struct journal_options open = { .partitions = (uint16_t)partitions,
                                          .queue_bytes_max = 1u << 20,
                                          .kafka = { .brokers = brokers,
                                                     .prefix = prefix,
                                                     .replication = 1,
                                                     .min_insync = 1,
                                                     .compression = "none",
                                                     .batch_bytes = 32768 } };
    const bool windows = query != RACE_Q0 && query != RACE_Q1;
    const struct journal_read_options read = { .topics = TOPIC_BIT(windows ? TOPIC_WINDOWS : TOPIC_ENRICHED),
                                               .partition = JOURNAL_ALL_PARTITIONS };
    results->query = query;
    results->metrics = metrics_new(100);
    if (journal_kafka.open(&open, world_real(), results->metrics, &results->journal, &err) != OK ||
        journal_kafka.reader_open(results->journal, &read, &results->reader, &err) != OK)
        fail(prefix, err.text);
}

/* {"bidder":"7","auction":12} → 7/12 */
static struct slice key_text(struct slice key, char *to)
{
    struct json_walk walk;
    size_t n = 0;
    json_walk_begin(&walk, key);
    while (json_walk_next(&walk) && n + walk.value.n + 1 <= RESULTS_KEY_MAX) {
        const bool quoted = walk.value.n >= 2 && walk.value.p[0] == '"';
        if (n)
            to[n++] = '/';
        memcpy(to + n, walk.value.p + quoted, walk.value.n - 2 * quoted);
        n += walk.value.n - 2 * quoted;
    }
    return slice_of(to, n);
}

/* The measures are {"n":COUNT}. */
static void read_window(struct race_results *results, struct slice bytes)
{
    struct window_record record;
    struct error err;
    struct slice number;
    uint64_t count;
    char key[RESULTS_KEY_MAX];
    if (window_record_decode(bytes, &record, &err) != OK || !json_find(record.measures, "n", &number) ||
        !slice_to_u64(number, &count)) {
        results->unreadable++;
        return;
    }
    results->visit(results->self, key_text(record.key, key), record.start_ms, record.removed ? 0 : count);
}

static void read_event(struct race_results *results, struct slice bytes)
{
    struct event event;
    struct error err;
    struct slice price;
    uint64_t value;
    if (event_decode(bytes, &event, &err) != OK) {
        results->unreadable++;
        return;
    }
    if (!slice_equal(event.event_type, SLICE("bid"))) /* handed on too: the domain language lets no event fall */
        return;
    if (json_find(event.properties, results->query == RACE_Q0 ? "price" : "price_eur", &price) &&
        slice_to_u64(price, &value))
        results->visit(results->self, event.user_id, event.timestamp_ms, value);
    else
        results->unreadable++;
}

static size_t read_weir(struct race_results *results)
{
    struct journal_batch batch;
    struct error err;
    if (journal_read(results->reader, 1u << 20, &batch, &err) != OK)
        fail("read results", err.text);
    for (size_t i = 0; i < batch.chunk_count; i++) {
        struct slice rest = batch.chunks[i].bytes, record;
        while (journal_next_record(&rest, &record))
            (batch.chunks[i].topic == TOPIC_WINDOWS ? read_window : read_event)(results, record);
    }
    if (batch.chunk_count == 0)
        usleep(RESULTS_WAIT_MS * 1000);
    return batch.chunk_count;
}

/* ---- both ---- */

/* Visits what is there. False: nothing was. */
static bool results_read(struct race_results *results)
{
    return results->reader ? read_weir(results) > 0 : read_text(results) > 0;
}

/* Whether everything that had been there at the beginning was read; after a read that found nothing. */
static bool results_at_end(const struct race_results *results)
{
    for (int i = 0; i < results->partitions; i++)
        if (!results->ended[i])
            return false;
    return true;
}

static void results_close(struct race_results *results)
{
    if (results->reader) {
        journal_kafka.reader_close(results->reader);
        journal_kafka.drain(results->journal);
        journal_kafka.close(results->journal);
        metrics_free(results->metrics);
        return;
    }
    rd_kafka_queue_destroy(results->queue);
    rd_kafka_consumer_close(results->consumer);
    rd_kafka_destroy(results->consumer);
}
