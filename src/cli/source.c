/* `weir source`: JSON events of somebody else's Kafka topics into weir, each once.
 *
 * How it works: records are posted like any client's events, so everything that HTTP promises holds: mapping, verdicts,
 * quotas, dead letters, 503 while weir cannot keep them. A record's event_id follows from topic, partition and offset
 * unless it has one, so a repeat counts once; the group's offsets move behind what was answered 200. Between the two
 * lies no transaction: what is repeated after a crash is known by its id (decision 0024). */
#include <librdkafka/rdkafka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <time.h>

#include "cli/args.h"
#include "cli/commands.h"
#include "cli/kafka_conf.h"
#include "cli/settings_there.h"
#include "cli/source_avro.h"
#include "cli/source_record.h"
#include "cli/term.h"
#include "config/config.h"
#include "http/http_client.h"
#include "kafka/kafka_kind.h"
#include "kafka/kafka_room.h"
#include "registry/registry.h"
#include "world/world.h"

#define BATCH_RECORDS_MAX 2000
#define BATCH_BYTES (2u << 20)
#define COMPANY_MS 50 /* how long a record waits for others */
#define ASK_MS 10000
/* What the client fetches ahead, of all topics and partitions together: more than can be handed over in the second that
 * it waits for room (kafka_room.h). */
#define QUEUE_KIB "65536"
#define PARTITIONS_MAX 1024 /* of a topic, with --until-end */

struct source_options {
    const char *config, *env, *brokers, *url, *key, *path, *group, *member, *from, *format, *registry;
    int64_t batch;
    bool until_end, json;
    struct args_texts topics;
};

static const struct arg ARGS[] = {
    ARG_TEXTS(struct source_options, topics, "topic", 't', "NAME", "topic to read; may be given several times"),
    ARG_TEXT(struct source_options, brokers, "brokers", 0, "HOST:PORT,…", NULL, "default: the setting kafka.brokers"),
    ARG_TEXT(struct source_options, group, "group", 'g', "NAME", "weir-source",
             "consumer group: where it stands is kept under this name"),
    ARG_TEXT(struct source_options, member, "member", 'm', "NAME", "",
             "this process's own name in the group: started again after a crash it goes on at once, not after 10 s"),
    ARG_TEXT(struct source_options, from, "from", 0, "beginning|end", "beginning", "where a new group begins"),
    ARG_TEXT_ENV(struct source_options, url, "url", 'u', "URL", "http://127.0.0.1:8000", "WEIR_INGEST_URL",
                 "where weir takes events"),
    ARG_TEXT_ENV(struct source_options, key, "key", 'k', "KEY", NULL, "WEIR_WRITE_KEY",
                 "write key: whose events they become"),
    ARG_TEXT(struct source_options, path, "path", 0, "PATH", "/track", "endpoint: which names the fields have"),
    ARG_TEXT(struct source_options, format, "format", 'f', "json|avro", "json",
             "what the records are; avro: in Confluent's framing, with a schema registry"),
    ARG_TEXT(struct source_options, registry, "registry", 0, "URL", NULL, "default: the setting registry.url"),
    ARG_TEXT(struct source_options, config, "config", 'c', "DIR", "config",
             "directory with platform.yaml and environments/: kafka.security and the others"),
    ARG_TEXT(struct source_options, env, "env", 'e', "NAME", "dev", "environment: environments/NAME.yaml"),
    ARG_INTEGER(struct source_options, batch, "batch", 'b', "N", "500", 1, BATCH_RECORDS_MAX, "events in a request"),
    ARG_FLAG(struct source_options, until_end, "until-end", 0, "ends when everything that is there was read"),
    ARG_FLAG(struct source_options, json, "json", 0, "one JSON object at the end instead of text"),
};

static const struct args_command SOURCE = {
    .name = "source",
    .summary = "read events from foreign Kafka topics",
    .description =
        "Reads JSON objects, with the fields that POST /track understands, or Avro records, and hands them to weir. "
        "Each counts once, also after a crash of either side.\n"
        "What is no event becomes a dead letter with topic, partition and offset. Runs until SIGTERM.",
    .examples = "  weir source --topic orders --key wk_…\n"
                "  weir source --topic orders --topic clicks --brokers kafka1:9092 --from end --until-end\n"
                "  weir source --topic purchases --format avro --registry http://registry:8081 --key wk_…\n",
    .args = ARGS,
    .arg_count = COUNT_OF(ARGS),
};

struct source {
    const struct source_options *options;
    rd_kafka_t *consumer;
    struct http_client *http;
    struct source_writer *writer;
    struct registry *registry;
    struct source_avro *avro; /* NULL: records are JSON */
    struct buf body;
    rd_kafka_message_t *held[BATCH_RECORDS_MAX];
    size_t held_count;
    uint64_t accepted, rejected, repeats;
    bool at_end[ARGS_TEXTS_MAX][PARTITIONS_MAX]; /* for --until-end */
    size_t at_end_count;
    rd_kafka_resp_err_t refused;
    char refused_text[300];
};

static volatile sig_atomic_t ended;

static void on_signal(int number)
{
    (void)number;
    ended = 1;
}

static void on_error(rd_kafka_t *client, int code, const char *reason, void *self)
{
    struct source *source = self;
    (void)client;
    if (kafka_is_refusal((rd_kafka_resp_err_t)code) && !source->refused) {
        source->refused = (rd_kafka_resp_err_t)code;
        snprintf(source->refused_text, sizeof source->refused_text, "%s", reason);
    }
}

static bool set_all(rd_kafka_conf_t *conf, const struct source_options *options, const struct settings *settings)
{
    const char *const pairs[][2] = {
        { "bootstrap.servers", options->brokers ? options->brokers : settings->kafka_brokers },
        { "client.id", "weir-source" },
        { "group.id", options->group },
        { "group.instance.id", options->member },
        { "session.timeout.ms", "10000" },
        { "auto.offset.reset", options->from },
        { "isolation.level", "read_committed" },
        { "enable.auto.offset.store", "false" },
        { "auto.commit.interval.ms", "1000" },
        { "enable.partition.eof", "true" },
        { "max.poll.interval.ms", "86400000" }, /* weir may be away for long */
        { "queued.min.messages", "10000000" },  /* bytes are the bound */
        { "queued.max.messages.kbytes", QUEUE_KIB },
        { "fetch.queue.backoff.ms", kafka_room_after_ms() },
        { "log_level", "2" },
    };
    char why[KAFKA_WHY_MAX];
    bool fine = kafka_conf_set(conf, pairs, COUNT_OF(pairs), why) && kafka_conf_secure(conf, settings, why);
    if (!fine)
        fprintf(stderr, "weir source: %s\n", why);
    return fine;
}

static bool open_consumer(struct source *source, const struct settings *settings)
{
    char why[300];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_opaque(conf, source);
    if (!set_all(conf, source->options, settings)) {
        rd_kafka_conf_destroy(conf);
        return false;
    }
    source->consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why);
    if (!source->consumer) {
        rd_kafka_conf_destroy(conf);
        fprintf(stderr, "weir source: %s\n", why);
        return false;
    }
    rd_kafka_poll_set_consumer(source->consumer);
    return true;
}

/* How many partitions the topic has; 0: said why not. */
static size_t look_at(struct source *source, const char *name, int *exit_code)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(source->consumer, name, NULL);
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    for (int waited = 0; code && !source->refused && waited < ASK_MS; waited += 1000) {
        code = rd_kafka_metadata(source->consumer, 0, topic, &metadata, 1000);
        rd_kafka_message_t *none = rd_kafka_consumer_poll(source->consumer, 10); /* hears of refusals */
        if (none)
            rd_kafka_message_destroy(none);
    }
    rd_kafka_topic_destroy(topic);
    *exit_code = source->refused ? EX_CONFIG : EX_UNAVAILABLE;
    if (source->refused)
        fprintf(stderr, "weir source: %s: check kafka.sasl_user, kafka.sasl_password and kafka.tls_ca\n",
                source->refused_text);
    else if (code)
        fprintf(stderr, "weir source: no broker answers in %d s: check --brokers, kafka.security and the network\n",
                ASK_MS / 1000);
    if (code)
        return 0;
    size_t n = metadata->topic_cnt == 1 && !metadata->topics[0].err ? (size_t)metadata->topics[0].partition_cnt : 0;
    if (!n) {
        *exit_code = EX_CONFIG;
        fprintf(stderr, "weir source: topic %s: %s\n", name,
                rd_kafka_err2str(metadata->topic_cnt == 1 ? metadata->topics[0].err
                                                          : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART));
    }
    rd_kafka_metadata_destroy(metadata);
    return n;
}

static void pause_ms(int64_t ms)
{
    struct timespec pause = { ms / 1000, ms % 1000 * 1000000 };
    nanosleep(&pause, NULL);
}

static uint64_t number_behind(struct slice body, const char *name)
{
    const char *at = body.n ? memmem(body.p, body.n, name, strlen(name)) : NULL;
    return at ? strtoull(at + strlen(name), NULL, 10) : 0;
}

/* Waits for a registry that does not answer: whether a record is good is not known before. */
static enum status read_avro(struct source *source, struct source_record *record, struct error *err)
{
    enum status s = OK;
    struct slice event = { 0 };
    for (bool told = false; !ended; told = true) {
        s = source_avro_read(source->avro, record->value, &event, err);
        if (s != ERR_RETRY)
            break;
        if (!told)
            fprintf(stderr, "weir source: %s: trying again\n", err->text);
        pause_ms(500);
    }
    if (s == OK)
        record->value = event;
    else if (s == ERR_INVALID)
        record->fault = err->text;
    return s == ERR_INVALID ? OK : s;
}

/* EX_OK: body has all that is held, unless SIGTERM came. */
static int fill_body(struct source *source)
{
    buf_reset(&source->body);
    buf_add_char(&source->body, '[');
    for (size_t i = 0; i < source->held_count && !ended; i++) {
        const rd_kafka_message_t *message = source->held[i];
        struct error err;
        struct source_record record = { rd_kafka_topic_name(message->rkt), message->partition, message->offset,
                                        slice_of(message->payload, message->payload ? message->len : 0), NULL };
        enum status s = source->avro ? read_avro(source, &record, &err) : OK;
        if (s != OK && s != ERR_RETRY) {
            fprintf(stderr, "weir source: %s\n", err.text);
            return EX_CONFIG;
        }
        if (i)
            buf_add_char(&source->body, ',');
        source_write(source->writer, &record, &source->body);
    }
    buf_add_char(&source->body, ']');
    return EX_OK;
}

/* Until weir has it, however long that takes. EX_OK: it has, or SIGTERM came (*out_taken says which). */
static int post(struct source *source, bool *out_taken)
{
    *out_taken = false;
    for (bool told = false; !ended; source->repeats++) {
        struct http_reply reply;
        struct error err;
        int64_t wait_ms = 500;
        enum status s = http_client_send(source->http, "POST", source->options->path, "application/json",
                                         buf_slice(&source->body), NULL, &reply, &err);
        if (s == OK && reply.status == 200) {
            source->accepted += number_behind(reply.body, "\"accepted\":");
            source->rejected += number_behind(reply.body, "\"rejected\":");
            *out_taken = true;
            return EX_OK;
        }
        unsigned http_status = s == OK ? reply.status : 0;
        if (s == OK) {
            wait_ms = reply.retry_after_ms > 0 ? reply.retry_after_ms : wait_ms;
            s = http_reply_error(&reply, "hand events over", &err);
        }
        if (s != ERR_RETRY || !told)
            fprintf(stderr, "weir source: %s%s\n", err.text, s == ERR_RETRY ? ": trying again" : "");
        told = true;
        if (s != ERR_RETRY)
            return http_client_exit_code(s, http_status);
        pause_ms(wait_ms);
    }
    return EX_OK;
}

static int hand_over(struct source *source)
{
    bool taken = false;
    int exit_code = fill_body(source);
    if (exit_code == EX_OK)
        exit_code = post(source, &taken);
    for (size_t i = 0; i < source->held_count; i++) {
        /* A partition that has moved to another member meanwhile is not stored: that one repeats, and ids are known. */
        if (taken)
            (void)rd_kafka_offset_store(source->held[i]->rkt, source->held[i]->partition, source->held[i]->offset);
        rd_kafka_message_destroy(source->held[i]);
    }
    source->held_count = 0;
    return exit_code;
}

/* An end is told again when something came behind it. */
static void note_end(struct source *source, const char *topic, int32_t partition)
{
    for (int64_t i = 0; i < source->options->topics.count && partition < PARTITIONS_MAX; i++) {
        if (strcmp(source->options->topics.items[i], topic) != 0)
            continue;
        source->at_end_count += !source->at_end[i][partition];
        source->at_end[i][partition] = true;
    }
}

/* Takes the message. False: it cannot go on. */
static bool take(struct source *source, rd_kafka_message_t *message, size_t *bytes)
{
    rd_kafka_resp_err_t code = message->err;
    if (!code) {
        *bytes += message->len;
        source->held[source->held_count++] = message;
        return true;
    }
    if (code == RD_KAFKA_RESP_ERR__PARTITION_EOF)
        note_end(source, rd_kafka_topic_name(message->rkt), message->partition);
    bool fatal = code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
                 code == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED || code == RD_KAFKA_RESP_ERR__FATAL;
    if (fatal)
        fprintf(stderr, "weir source: %s: the user needs the right Read on the topics and on the group %s\n",
                rd_kafka_message_errstr(message), source->options->group);
    rd_kafka_message_destroy(message);
    return !fatal;
}

static int run(struct source *source, size_t partitions)
{
    int exit_code = EX_OK;
    while (exit_code == EX_OK && !ended && !(source->options->until_end && source->at_end_count >= partitions)) {
        size_t bytes = 0;
        int wait_ms = 200;
        rd_kafka_message_t *message;
        while (source->held_count < (size_t)source->options->batch && bytes < BATCH_BYTES &&
               (message = rd_kafka_consumer_poll(source->consumer, wait_ms)) != NULL) {
            if (!take(source, message, &bytes))
                return EX_CONFIG;
            wait_ms = COMPANY_MS;
        }
        if (source->held_count)
            exit_code = hand_over(source);
    }
    return exit_code;
}

static int read_topics(struct source *source)
{
    int exit_code = EX_OK;
    size_t partitions = 0;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)source->options->topics.count);
    for (int64_t i = 0; i < source->options->topics.count && exit_code == EX_OK; i++) {
        int why;
        size_t n = look_at(source, source->options->topics.items[i], &why);
        partitions += n;
        exit_code = n ? EX_OK : why;
        rd_kafka_topic_partition_list_add(list, source->options->topics.items[i], RD_KAFKA_PARTITION_UA);
    }
    if (exit_code == EX_OK && rd_kafka_subscribe(source->consumer, list) == RD_KAFKA_RESP_ERR_NO_ERROR)
        exit_code = run(source, partitions);
    rd_kafka_topic_partition_list_destroy(list);
    for (size_t i = 0; i < source->held_count; i++)
        rd_kafka_message_destroy(source->held[i]);
    return exit_code;
}

static bool open_registry(struct source *source, const struct settings *settings)
{
    struct error err;
    const struct registry_options options = { .url = source->options->registry ? source->options->registry
                                                                               : settings->registry_url,
                                              .user = settings->registry_user,
                                              .password = settings->registry_password };
    if (registry_open(&options, world_real(), &source->registry, &err) != OK) {
        fprintf(stderr, "weir source: --registry or the setting registry.url: %s\n", err.text);
        return false;
    }
    source->avro = source_avro_new(source->registry);
    return true;
}

static int read_all(const struct source_options *options, const struct settings *settings, bool avro)
{
    const struct http_client_options http = { .url = options->url, .key = options->key, .key_is_basic = true };
    struct error err;
    int exit_code = EX_CONFIG;
    struct source *source = calloc(1, sizeof *source);
    if (!source)
        abort();
    source->options = options;
    source->writer = source_writer_new();
    buf_init(&source->body, 32u << 20);
    if (http_client_open(&http, &source->http, &err) != OK)
        fprintf(stderr, "weir source: %s\n", err.text);
    else if ((!avro || open_registry(source, settings)) && open_consumer(source, settings))
        exit_code = read_topics(source);
    if (source->consumer) {
        rd_kafka_consumer_close(source->consumer); /* commits what was stored */
        rd_kafka_destroy(source->consumer);
    }
    printf(options->json ? "{\"accepted\":%lu,\"rejected\":%lu,\"repeats\":%lu}\n"
                         : "%lu accepted, %lu rejected (dead letters), %lu requests repeated\n",
           source->accepted, source->rejected, source->repeats);
    http_client_close(source->http);
    source_avro_free(source->avro);
    registry_close(source->registry);
    source_writer_free(source->writer);
    buf_done(&source->body);
    free(source);
    return exit_code;
}

int command_source(int argc, char **argv)
{
    struct source_options options;
    static struct config config;
    int exit_code;
    if (!args_parse(&SOURCE, argc, argv, &options, &exit_code))
        return exit_code;
    if (options.topics.count == 0)
        return args_usage_error(&SOURCE, "--topic NAME says what to read");
    exit_code = settings_load("source", options.config, options.env, &config);
    if (exit_code != EX_OK)
        return exit_code;
    if (!options.brokers && !config.settings.kafka_brokers[0])
        return args_usage_error(&SOURCE,
                                "--brokers HOST:PORT,… or the setting kafka.brokers says where the topics are");
    bool avro = strcmp(options.format, "avro") == 0;
    if (avro && !options.registry && !config.settings.registry_url[0])
        return args_usage_error(&SOURCE, "--registry URL or the setting registry.url says where the schemas are");
    struct sigaction action = { .sa_handler = on_signal };
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    return read_all(&options, &config.settings, avro);
}
