/* One partition of the race's topic as events of weir: messages are taken from librdkafka, parsed by ingestion's
 * parser and encoded as ingestion would. The topic is bounded: behind its last event comes one of a day later, which
 * closes all windows, as Flink's bounded source ends with a last watermark. Owner: the partition's task; one thread.
 * Only race_weir.c includes this. */
#pragma once
#include <stdatomic.h>

#include "base/buf.h"
#include "bench/peers/race_events.h"
#include "bench/peers/race_kafka.h"
#include "event/event_parse.h"
#include "journal/journal.h"
#include "world/world.h"

#define SOURCE_BATCH_MAX 1024
#define SOURCE_BODY_MAX (SOURCE_BATCH_MAX * (RACE_JSON_MAX + 1) + EVENT_BODY_PADDING)
#define TENANT "bench"
#define DAY_MS 86400000ll

struct race_source {
    rd_kafka_t *consumer;
    rd_kafka_queue_t *queue;
    struct waker waker;
    const struct race_workload *workload;
    struct event_parser *parser;
    struct arena arena;
    struct buf body, records;
    int wait_ms;       /* for messages; 0 in a task, which is woken */
    int64_t next, end; /* offsets; end + 1: the closing event has been given too */
    rd_kafka_message_t *messages[SOURCE_BATCH_MAX];
};

/* ---- life ---- */

static void on_arrived(rd_kafka_t *consumer, void *self)
{
    (void)consumer;
    waker_wake(((struct race_source *)self)->waker);
}

static rd_kafka_t *consumer_new(const char *brokers)
{
    static const struct race_setting settings[] = { { "group.id", "race-weir" },
                                                    { "enable.auto.commit", "false" },
                                                    { "enable.auto.offset.store", "false" },
                                                    { "isolation.level", "read_committed" },
                                                    { "check.crcs", "true" },
                                                    { "fetch.wait.max.ms", "100" },
                                                    { "fetch.message.max.bytes", "4194304" },
                                                    /* As the journal's readers (kafka_reader.c). */
                                                    { "queued.min.messages", "10000000" },
                                                    { "queued.max.messages.kbytes", "131072" },
                                                    { NULL, NULL } };
    return race_client(brokers, RD_KAFKA_CONSUMER, settings, NULL);
}

static void source_assign(struct race_source *source, const char *topic, uint16_t partition, int64_t from)
{
    int64_t low;
    rd_kafka_resp_err_t code =
        rd_kafka_query_watermark_offsets(source->consumer, topic, partition, &low, &source->end, RACE_WAIT_MS);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, partition)->offset = from;
    source->next = from;
    code = code ? code : rd_kafka_assign(source->consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (code)
        fail(topic, rd_kafka_err2str(code));
}

static struct race_source *source_open(const char *brokers, const char *topic, uint16_t partition, int64_t from,
                                       const struct race_workload *workload, struct waker waker)
{
    struct race_source *source = calloc(1, sizeof *source);
    if (!source)
        abort();
    *source = (struct race_source){ .waker = waker, .workload = workload };
    const struct event_parse_options options = { .events_max = SOURCE_BATCH_MAX };
    source->parser = event_parser_new(&options, world_real());
    arena_init(&source->arena, 64u << 20);
    buf_init(&source->body, SOURCE_BODY_MAX);
    buf_init(&source->records, 8u << 20);
    source->consumer = consumer_new(brokers);
    source->queue = rd_kafka_queue_get_consumer(source->consumer);
    rd_kafka_queue_cb_event_enable(source->queue, on_arrived, source);
    source_assign(source, topic, partition, from);
    return source;
}

static void source_close(struct race_source *source)
{
    rd_kafka_queue_cb_event_enable(source->queue, NULL, NULL);
    rd_kafka_queue_destroy(source->queue);
    rd_kafka_consumer_close(source->consumer);
    rd_kafka_destroy(source->consumer);
    event_parser_free(source->parser);
    arena_done(&source->arena);
    buf_done(&source->body);
    buf_done(&source->records);
    free(source);
}

/* ---- reading ---- */

static void add_record(struct buf *records, struct event *event, int64_t now_us)
{
    event->ingested_us = now_us;
    uint32_t n = (uint32_t)event_encoded_size(event);
    char *to = buf_reserve(records, sizeof n + n);
    if (!to)
        fail("read events", "a batch of them is too large");
    memcpy(to, &n, sizeof n);
    event_encode(event, to + sizeof n);
    records->n += sizeof n + n;
}

/* Gathers what is there as lines of one body. */
static size_t source_fetch(struct race_source *source)
{
    ssize_t n = rd_kafka_consume_batch_queue(source->queue, source->wait_ms, source->messages, SOURCE_BATCH_MAX);
    size_t count = 0;
    buf_reset(&source->body);
    for (ssize_t i = 0; i < n; i++) {
        const rd_kafka_message_t *message = source->messages[i];
        if (message->err)
            fail("read events", rd_kafka_message_errstr(message));
        buf_add(&source->body, message->payload, message->len);
        buf_add_char(&source->body, '\n');
        source->next = message->offset + 1;
        count++;
        rd_kafka_message_destroy(source->messages[i]);
    }
    char *padding = count ? buf_reserve(&source->body, EVENT_BODY_PADDING) : NULL;
    if (padding)
        memset(padding, 0, EVENT_BODY_PADDING);
    return count;
}

static size_t source_parse(struct race_source *source, size_t count)
{
    static const struct event_tenant tenant = { SLICE(TENANT), SLICE(""), INT64_MIN };
    struct event_parse_result result;
    struct slice key;
    struct error err = { 0 };
    int64_t now_us = world_wall_us(world_real());
    const struct event_request request = { .ndjson = true, .received_ms = now_us / 1000, .tenant = &tenant };
    if (event_body_open(source->parser, buf_slice(&source->body), &key, &err) != OK ||
        event_body_parse(source->parser, &request, &source->arena, &result, &err) != OK)
        fail("parse events", err.text);
    if (result.event_count != count)
        fail("parse events", "some of them were refused");
    for (size_t i = 0; i < count; i++)
        add_record(&source->records, &result.events[i], now_us);
    arena_reset(&source->arena);
    return count;
}

static void source_closing(struct race_source *source)
{
    int64_t now_us = world_wall_us(world_real());
    struct event event = { .customer_id = SLICE(TENANT),
                           .visitor_id = SLICE(RACE_CLOSING),
                           .event_id = SLICE(RACE_CLOSING),
                           .event_type = SLICE(RACE_CLOSING),
                           .event_name = SLICE(RACE_CLOSING),
                           .properties = SLICE("{}"),
                           .context = SLICE("{}"),
                           .timestamp_ms = source->workload->start_ms + 30 * DAY_MS,
                           .received_ms = now_us / 1000 };
    add_record(&source->records, &event, now_us);
    source->next = source->end + 1;
}

/* Encoded events, borrowed until the next read, as many as the return value says; 0: nothing is there now. */
static size_t source_read(struct race_source *source, struct slice *out_records)
{
    size_t count = source->next < source->end ? source_fetch(source) : 0;
    buf_reset(&source->records);
    if (count)
        source_parse(source, count);
    else if (source->next == source->end)
        source_closing(source), count = 1;
    *out_records = buf_slice(&source->records);
    return count;
}
