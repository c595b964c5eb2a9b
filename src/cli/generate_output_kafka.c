/* An idempotent producer: what a broker took and did not say so is not there twice. A visitor's events have one key, so
 * they keep their order in one partition. librdkafka's queue is the bound: while it is full nothing more is made. */
#include <stdio.h>
#include <stdlib.h>

#include "base/json_scan.h"
#include "cli/generate.h"
#include "cli/generate_avro.h"
#include "cli/generate_output.h"
#include "cli/kafka_conf.h"
#include "cli/settings_there.h"
#include "kafka/kafka_kind.h"
#include "world/world.h"

#define ASK_MS 10000
#define GIVE_UP_MS "60000"
#define QUEUE_KIB "65536"

struct kafka_output {
    struct generate_output output;
    const struct generate_options *options;
    rd_kafka_t *producer;
    rd_kafka_topic_t *topic;
    struct registry *registry;
    struct generate_avro *avro;  /* NULL: JSON */
    rd_kafka_resp_err_t trouble; /* of the connections, or of the first event that was not taken */
    bool lost;                   /* an event was not taken */
    char trouble_text[300];
    struct error error; /* why it cannot go on; "" */
};

/* ---- what librdkafka tells, within our calls ---- */

static void on_error(rd_kafka_t *client, int code, const char *reason, void *self)
{
    struct kafka_output *kafka = self;
    (void)client;
    if (kafka->trouble || code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
        return;
    if (kafka_is_final((rd_kafka_resp_err_t)code))
        kafka->trouble = (rd_kafka_resp_err_t)code;
    snprintf(kafka->trouble_text, sizeof kafka->trouble_text, "%s", reason);
}

static void on_delivered(rd_kafka_t *producer, const rd_kafka_message_t *message, void *self)
{
    struct kafka_output *kafka = self;
    (void)producer;
    if (!message->err || kafka->lost)
        return;
    kafka->lost = true;
    kafka->trouble = message->err;
    snprintf(kafka->trouble_text, sizeof kafka->trouble_text, "%s", rd_kafka_err2str(message->err));
}

static const char *advice(rd_kafka_resp_err_t code)
{
    const enum kafka_kind kind = kafka_kind_of(code);
    if (kind == KAFKA_KIND_TOO_LARGE)
        return "an event (or a batch of them) is larger than the topic takes: raise its max.message.bytes, or let the "
               "domain's fields be shorter";
    if (kind == KAFKA_KIND_POLICY)
        return "the topic's settings or a policy of the brokers do not allow such a record";
    return kafka_is_final(code) ? "check kafka.security and those behind it, and the user's right Write on the topic"
                                : "check --kafka and the network";
}

static enum status refuse(struct kafka_output *kafka, const char *what, rd_kafka_resp_err_t code, struct error *err)
{
    const struct generate_options *options = kafka->options;
    const bool final = kafka_is_final(kafka->trouble) || kafka_is_final(code);
    const char *why = kafka->trouble_text[0] ? kafka->trouble_text : rd_kafka_err2str(code);
    return error_set(err, final ? ERR_INVALID : ERR_RETRY, "kafka %s: %s %s: %s: %s", options->kafka, what,
                     options->topic, why, advice(kafka_is_final(kafka->trouble) ? kafka->trouble : code));
}

/* ---- lines ---- */

static struct slice key_of(struct slice line)
{
    struct slice visitor;
    if (!json_find(line, "visitor_id", &visitor) || visitor.n < 2)
        return (struct slice){ 0 };
    return slice_of(visitor.p + 1, visitor.n - 2);
}

static bool produce(struct kafka_output *kafka, struct slice line)
{
    struct slice value = line, key = key_of(line);
    if (kafka->avro && generate_avro_write(kafka->avro, line, &value, &kafka->error) != OK)
        return false;
    while (!kafka->lost && !kafka->trouble) {
        if (rd_kafka_produce(kafka->topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, (void *)(uintptr_t)value.p,
                             value.n, key.p, key.n, NULL) == 0)
            return true;
        rd_kafka_resp_err_t code = rd_kafka_last_error();
        if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
            kafka->trouble = code;
            break;
        }
        rd_kafka_poll(kafka->producer, 100); /* until there is room, or an event has waited for too long */
    }
    return false;
}

static bool write_lines(struct generate_output *output, struct buf *lines)
{
    struct kafka_output *kafka = (struct kafka_output *)(void *)output;
    struct slice rest = buf_slice(lines);
    while (rest.n) {
        const char *end = memchr(rest.p, '\n', rest.n);
        size_t n = end ? (size_t)(end - rest.p) : rest.n;
        if (!produce(kafka, slice_of(rest.p, n)))
            return false;
        rest = slice_after(rest, end ? n + 1 : n);
    }
    rd_kafka_poll(kafka->producer, 0);
    buf_reset(lines);
    return !kafka->lost;
}

static void free_kafka(struct kafka_output *kafka)
{
    if (kafka->topic)
        rd_kafka_topic_destroy(kafka->topic);
    if (kafka->producer)
        rd_kafka_destroy(kafka->producer);
    generate_avro_close(kafka->avro);
    registry_close(kafka->registry);
    free(kafka);
}

static enum status close_kafka(struct generate_output *output, struct error *err)
{
    struct kafka_output *kafka = (struct kafka_output *)(void *)output;
    enum status s = OK;
    while (!kafka->lost && !kafka->trouble && rd_kafka_flush(kafka->producer, 500) != RD_KAFKA_RESP_ERR_NO_ERROR)
        continue; /* no event waits for longer than GIVE_UP_MS */
    if (kafka->error.text[0])
        s = error_set(err, kafka->error.status, "%s", kafka->error.text);
    else if (kafka->lost || kafka->trouble)
        s = refuse(kafka, "write to topic", kafka->trouble, err);
    rd_kafka_purge(kafka->producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    free_kafka(kafka);
    return s;
}

/* ---- opening ---- */

static enum status open_producer(struct kafka_output *kafka, const struct settings *settings, struct error *err)
{
    const char *const pairs[][2] = {
        { "bootstrap.servers", kafka->options->kafka },
        { "client.id", "weir-generate" },
        { "enable.idempotence", "true" },
        { "message.timeout.ms", GIVE_UP_MS },
        { "compression.type", "lz4" },
        { "linger.ms", "20" },
        { "message.max.bytes", "33554432" }, /* the topic's own bound is the brokers' to say */
        { "partitioner", "murmur2_random" }, /* as Java's clients do */
        { "queue.buffering.max.kbytes", QUEUE_KIB },
        { "log_level", "2" },
    };
    char why[KAFKA_WHY_MAX];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivered);
    rd_kafka_conf_set_opaque(conf, kafka);
    if (kafka_conf_set(conf, pairs, COUNT_OF(pairs), why) && kafka_conf_secure(conf, settings, why))
        kafka->producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    if (!kafka->producer) {
        rd_kafka_conf_destroy(conf);
        return error_set(err, ERR_INVALID, "kafka: %s", why);
    }
    kafka->topic = rd_kafka_topic_new(kafka->producer, kafka->options->topic, NULL);
    return kafka->topic ? OK : refuse(kafka, "topic", rd_kafka_last_error(), err);
}

/* Asks for all topics: asking for one makes it, where brokers are set so. */
static enum status find_topic(struct kafka_output *kafka, struct error *err)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    for (int waited_ms = 0; code && !kafka->trouble && waited_ms < ASK_MS; waited_ms += 1000) {
        code = rd_kafka_metadata(kafka->producer, 1, NULL, &metadata, 1000);
        rd_kafka_poll(kafka->producer, 0);
    }
    if (code)
        return refuse(kafka, "look for topic", code, err);
    bool found = false;
    for (int i = 0; i < metadata->topic_cnt && !found; i++)
        found = strcmp(metadata->topics[i].topic, kafka->options->topic) == 0;
    rd_kafka_metadata_destroy(metadata);
    kafka->trouble_text[0] = '\0';
    return found ? OK
                 : error_set(err, ERR_NOT_FOUND,
                             "kafka %s: there is no topic %s, or the user has no right Describe on it: make it "
                             "(kafka-topics --create --topic %s), weir does not",
                             kafka->options->kafka, kafka->options->topic, kafka->options->topic);
}

static enum status open_avro(struct kafka_output *kafka, const struct settings *settings,
                             const struct domain_set *domains, struct error *err)
{
    const struct generate_options *options = kafka->options;
    const struct registry_options registry = { .url = options->registry ? options->registry : settings->registry_url,
                                               .user = settings->registry_user,
                                               .password = settings->registry_password };
    if (strcmp(options->format, "avro") != 0)
        return OK;
    if (!registry.url[0])
        return error_set(err, ERR_INVALID, "--registry URL or the setting registry.url says where the schemas go");
    enum status s = registry_open(&registry, world_real(), &kafka->registry, err);
    return s == OK ? generate_avro_open(domains, slice_from(options->domain), kafka->registry,
                                        subject_strategy_of(options->subjects), options->topic, &kafka->avro, err)
                   : s;
}

enum status generate_output_kafka(const struct generate_options *options, const struct domain_set *domains,
                                  struct generate_output **out, struct error *err)
{
    static struct config config;
    if (settings_there("generate", options->config, options->env, &config) != 0)
        return error_set(err, ERR_INVALID, "the settings in %s are not as they should be", options->config);
    struct kafka_output *kafka = calloc(1, sizeof *kafka);
    if (!kafka)
        abort();
    kafka->output = (struct generate_output){ write_lines, close_kafka };
    kafka->options = options;
    enum status s = open_avro(kafka, &config.settings, domains, err);
    if (s == OK)
        s = open_producer(kafka, &config.settings, err);
    if (s == OK)
        s = find_topic(kafka, err);
    if (s == OK)
        *out = &kafka->output;
    else
        free_kafka(kafka);
    return s;
}
