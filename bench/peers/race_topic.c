/* The topic of the race, and the judge of its results.
 *
 * usage: race_topic load   --workload W [--events N] [--seed S] --brokers B --topic T [--partitions P]
 *        race_topic print  --workload W [--events N] [--seed S]      the same events as lines
 *        race_topic ads    [--seed S]                                AD,CAMPAIGN lines: what is joined
 *        race_topic expect --workload W [--events N] [--seed S]      {"events","windows"}, by counting
 *        race_topic check  --workload W [--events N] [--seed S] (--brokers B (--topic T | --prefix P) | --lines)
 *              compares results: KEY,START,COUNT records of a topic, those of a weir with this prefix, or stdin's
 * lines. Exit 1 when any count is missing, wrong or too many. */
#include <getopt.h>

#include <librdkafka/rdkafka.h>

#include "base/metrics.h"
#include "bench/peers/race_table.h"
#include "event/window_record.h"
#include "journal/journal.h"
#include "world/world.h"

#define WAIT_MS 20000
#define BATCH_MAX 4096

struct race_options {
    const struct race_workload *workload;
    uint64_t events, seed, partitions;
    const char *brokers, *topic, *prefix;
    bool lines;
};

static struct race_names names;

NORETURN static void fail(const char *what, const char *why)
{
    fprintf(stderr, "race_topic: %s: %s\n", what, why);
    exit(1);
}

/* ---- Kafka ---- */

static rd_kafka_t *client_new(const struct race_options *options, rd_kafka_type_t type,
                              const char *const (*settings)[2], size_t count)
{
    char why[300];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (rd_kafka_conf_set(conf, "bootstrap.servers", options->brokers, why, sizeof why))
        fail("bootstrap.servers", why);
    for (size_t i = 0; i < count; i++)
        if (rd_kafka_conf_set(conf, settings[i][0], settings[i][1], why, sizeof why))
            fail(settings[i][0], why);
    rd_kafka_t *client = rd_kafka_new(type, conf, why, sizeof why);
    if (!client)
        fail("open a client", why);
    return client;
}

static void make_topic(rd_kafka_t *client, const struct race_options *options)
{
    char why[300] = "no answer";
    rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(options->topic, (int)options->partitions, 1, why, sizeof why);
    if (!topic)
        fail(options->topic, why);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    rd_kafka_CreateTopics(client, &topic, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, WAIT_MS);
    size_t count = 0;
    const rd_kafka_topic_result_t **results =
        event ? rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count) : NULL;
    if (!count || rd_kafka_topic_result_error(results[0]))
        fail(options->topic, count ? rd_kafka_topic_result_error_string(results[0]) : why);
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_NewTopic_destroy(topic);
}

static uint64_t delivered;

static void on_delivered(rd_kafka_t *client, const rd_kafka_message_t *message, void *self)
{
    (void)client;
    (void)self;
    if (message->err)
        fail("write an event", rd_kafka_err2str(message->err));
    delivered++;
}

static rd_kafka_t *producer_new(const struct race_options *options)
{
    char why[300];
    static const char *const settings[][2] = { { "enable.idempotence", "true" },
                                               { "acks", "all" },
                                               { "linger.ms", "20" },
                                               { "batch.size", "262144" },
                                               { "compression.codec", "none" },
                                               { "queue.buffering.max.messages", "500000" } };
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivered);
    if (rd_kafka_conf_set(conf, "bootstrap.servers", options->brokers, why, sizeof why))
        fail("bootstrap.servers", why);
    for (size_t i = 0; i < COUNT_OF(settings); i++)
        if (rd_kafka_conf_set(conf, settings[i][0], settings[i][1], why, sizeof why))
            fail(settings[i][0], why);
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    if (!client)
        fail("open a client", why);
    return client;
}

static void load(const struct race_options *options)
{
    rd_kafka_t *producer = producer_new(options);
    make_topic(producer, options);
    uint64_t bytes = 0;
    char json[RACE_JSON_MAX];
    for (uint64_t i = 0; i < options->events; i++) {
        struct race_event event = race_event(options->workload, options->seed, i);
        const char *key;
        size_t n = race_json(options->workload, &names, &event, json, &key);
        int32_t partition = race_partition(options->workload, &event, (int)options->partitions);
        rd_kafka_resp_err_t code;
        while ((code = rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(options->topic), RD_KAFKA_V_PARTITION(partition),
                                         RD_KAFKA_V_VALUE(json, n), RD_KAFKA_V_KEY(key, RACE_ID_BYTES),
                                         RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END)) ==
               RD_KAFKA_RESP_ERR__QUEUE_FULL)
            rd_kafka_poll(producer, 50);
        if (code)
            fail("write an event", rd_kafka_err2str(code));
        if (i % 1024 == 0)
            rd_kafka_poll(producer, 0);
        bytes += n;
    }
    rd_kafka_flush(producer, 120000);
    if (delivered != options->events)
        fail(options->topic, "not all events were delivered");
    printf("{\"events\":%llu,\"bytes\":%llu}\n", (unsigned long long)delivered, (unsigned long long)bytes);
    rd_kafka_destroy(producer);
}

static rd_kafka_topic_partition_list_t *all_partitions(rd_kafka_t *client, const char *name)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(client, name, NULL);
    rd_kafka_resp_err_t code = rd_kafka_metadata(client, 0, topic, &metadata, WAIT_MS);
    if (code || metadata->topic_cnt != 1 || metadata->topics[0].partition_cnt == 0)
        fail(name, code ? rd_kafka_err2str(code) : "there is no such topic");
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(metadata->topics[0].partition_cnt);
    for (int i = 0; i < metadata->topics[0].partition_cnt; i++)
        rd_kafka_topic_partition_list_add(list, name, i)->offset = RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(topic);
    return list;
}

/* Everything that is committed in a topic of text results. */
static void read_text(const struct race_options *options, struct race_table *table)
{
    static const char *const settings[][2] = { { "group.id", "race-check" },
                                               { "enable.auto.commit", "false" },
                                               { "isolation.level", "read_committed" },
                                               { "enable.partition.eof", "true" } };
    rd_kafka_t *consumer = client_new(options, RD_KAFKA_CONSUMER, settings, COUNT_OF(settings));
    rd_kafka_poll_set_consumer(consumer);
    rd_kafka_topic_partition_list_t *list = all_partitions(consumer, options->topic);
    rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(consumer);
    static rd_kafka_message_t *messages[BATCH_MAX];
    rd_kafka_assign(consumer, list);
    for (int behind = list->cnt; behind > 0;) {
        ssize_t n = rd_kafka_consume_batch_queue(queue, WAIT_MS, messages, behind == list->cnt ? 1 : BATCH_MAX);
        if (n <= 0)
            fail(options->topic, "the broker does not answer");
        for (ssize_t i = 0; i < n; i++) {
            if (messages[i]->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
                behind--;
            else if (messages[i]->err)
                fail(options->topic, rd_kafka_err2str(messages[i]->err));
            else
                race_table_line(table, slice_of(messages[i]->payload, messages[i]->len));
            rd_kafka_message_destroy(messages[i]);
        }
    }
    rd_kafka_queue_destroy(queue);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_consumer_close(consumer);
    rd_kafka_destroy(consumer);
}

/* ---- a weir's results ---- */

/* The key is {"…":"ID"}, the measures {"n":COUNT}. */
static void read_window(struct race_table *table, struct slice bytes)
{
    struct window_record record;
    struct error err;
    uint64_t count;
    if (window_record_decode(bytes, &record, &err) != OK || record.key.n < RACE_ID_BYTES + 2 || record.measures.n < 6 ||
        !slice_to_u64(slice_of(record.measures.p + 5, record.measures.n - 6), &count)) {
        table->unreadable++;
        return;
    }
    struct slice key = slice_of(record.key.p + record.key.n - 2 - RACE_ID_BYTES, RACE_ID_BYTES);
    race_table_got(table, key, record.start_ms, record.removed ? 0 : count);
}

static void read_weir(const struct race_options *options, struct race_table *table)
{
    struct error err = { 0 };
    struct journal *journal;
    struct journal_reader *reader;
    struct metrics *metrics = metrics_new(100);
    const struct journal_options open = { .partitions = (uint16_t)options->partitions,
                                          .queue_bytes_max = 1u << 20,
                                          .kafka = { .brokers = options->brokers,
                                                     .prefix = options->prefix,
                                                     .replication = 1,
                                                     .min_insync = 1,
                                                     .compression = "none",
                                                     .batch_bytes = 32768 } };
    const struct journal_read_options read = { .topics = TOPIC_BIT(TOPIC_WINDOWS),
                                               .partition = JOURNAL_ALL_PARTITIONS };
    if (journal_kafka.open(&open, world_real(), metrics, &journal, &err) != OK ||
        journal->backend->reader_open(journal, &read, &reader, &err) != OK)
        fail(options->prefix, err.text);
    for (;;) {
        struct journal_batch batch;
        if (journal_read(reader, 1u << 20, &batch, &err) != OK)
            fail(options->prefix, err.text);
        if (batch.chunk_count == 0)
            break;
        for (size_t i = 0; i < batch.chunk_count; i++) {
            struct slice rest = batch.chunks[i].bytes, record;
            while (journal_next_record(&rest, &record))
                read_window(table, record);
        }
    }
    journal->backend->reader_close(reader);
    journal->backend->drain(journal);
    journal->backend->close(journal);
    metrics_free(metrics);
}

/* ---- commands ---- */

static void read_lines(struct race_table *table)
{
    char *line = NULL;
    size_t capacity = 0;
    for (ssize_t n; (n = getline(&line, &capacity, stdin)) > 0;)
        race_table_line(table, slice_of(line, (size_t)n - (line[n - 1] == '\n')));
    free(line);
}

static int check(const struct race_options *options, bool results)
{
    struct race_table table;
    race_table_init(&table, options->workload->by_campaign ? 1u << 20 : options->events);
    race_table_expect(&table, options->workload, &names, options->events);
    if (results && options->lines)
        read_lines(&table);
    else if (results && options->prefix)
        read_weir(options, &table);
    else if (results)
        read_text(options, &table);
    struct race_difference of = race_table_compare(&table);
    printf("{\"events\":%llu,\"windows\":%llu,\"counted\":%llu", (unsigned long long)table.events,
           (unsigned long long)of.expected_windows, (unsigned long long)of.expected_counted);
    if (results)
        printf(",\"results\":%llu,\"unreadable\":%llu,\"got_windows\":%llu,\"got_counted\":%llu,\"different\":%llu",
               (unsigned long long)table.results, (unsigned long long)table.unreadable, (unsigned long long)of.windows,
               (unsigned long long)of.counted, (unsigned long long)of.different);
    printf("}\n");
    race_table_done(&table);
    return results && (of.different || table.unreadable);
}

static void print(const struct race_options *options)
{
    char json[RACE_JSON_MAX];
    const char *key;
    for (uint64_t i = 0; i < options->events; i++) {
        struct race_event event = race_event(options->workload, options->seed, i);
        size_t n = race_json(options->workload, &names, &event, json, &key);
        printf("%.*s\n", (int)n, json);
    }
}

static void ads(void)
{
    for (unsigned i = 0; i < RACE_ADS; i++)
        printf("%.*s,%.*s\n", RACE_ID_BYTES, names.ads[i], RACE_ID_BYTES, names.campaigns[race_campaign_of(i)]);
}

NORETURN static void usage(void)
{
    fprintf(stderr, "usage: race_topic load|print|ads|expect|check --workload W [--events N] [--seed S] [--brokers B] "
                    "[--topic T] [--partitions P] [--prefix P] [--lines]\n");
    exit(64);
}

static struct race_options read_options(int argc, char **argv)
{
    static const struct option known[] = {
        { "workload", 1, NULL, 'w' }, { "events", 1, NULL, 'e' }, { "seed", 1, NULL, 's' },
        { "brokers", 1, NULL, 'b' },  { "topic", 1, NULL, 't' },  { "partitions", 1, NULL, 'p' },
        { "prefix", 1, NULL, 'x' },   { "lines", 0, NULL, 'l' },  { NULL, 0, NULL, 0 },
    };
    struct race_options of = { .workload = &RACE_WORKLOADS[0], .seed = 1, .partitions = 2 };
    for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        if (c == 'w')
            of.workload = race_workload(optarg);
        else if (c == 'e')
            of.events = strtoull(optarg, NULL, 10);
        else if (c == 's')
            of.seed = strtoull(optarg, NULL, 10);
        else if (c == 'p')
            of.partitions = strtoull(optarg, NULL, 10);
        else if (c == 'b')
            of.brokers = optarg;
        else if (c == 't')
            of.topic = optarg;
        else if (c == 'x')
            of.prefix = optarg;
        else if (c == 'l')
            of.lines = true;
        else
            usage();
    }
    of.events = of.events ? of.events : of.workload->events;
    return of;
}

int main(int argc, char **argv)
{
    const char *command = argc > 1 ? argv[1] : "";
    if (argc < 2)
        usage();
    struct race_options options = read_options(argc - 1, argv + 1);
    race_names_make(&names, options.seed);
    bool remote = strcmp(command, "load") == 0 || (strcmp(command, "check") == 0 && !options.lines);
    if (remote && (!options.brokers || (!options.topic && !options.prefix)))
        usage();
    if (strcmp(command, "load") == 0)
        load(&options);
    else if (strcmp(command, "print") == 0)
        print(&options);
    else if (strcmp(command, "ads") == 0)
        ads();
    else if (strcmp(command, "expect") == 0)
        return check(&options, false);
    else if (strcmp(command, "check") == 0)
        return check(&options, true);
    else
        usage();
    return 0;
}
