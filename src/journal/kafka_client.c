/* Handles of librdkafka, and its words as ours. Everything that is the same for producers and consumers is set here;
 * what librdkafka would log goes to our log, rate-limited by itself. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "journal/kafka.h"
#include "kafka/kafka_kind.h"

static void on_log(const rd_kafka_t *client, int level, const char *facility, const char *text)
{
    const struct kafka *kafka = rd_kafka_opaque(client);
    if (level <= 3 && !(kafka && client == kafka->probe)) /* who asks by the probe tells what it met */
        log_warn("kafka.client", "facility=%s %s", facility, text);
    else
        log_debug("kafka.client", "facility=%s %s", facility, text);
}

/* Connections that come and go are logged above; who waits for an answer gets its own error. */
static void on_error(rd_kafka_t *client, int code, const char *reason, void *self)
{
    struct kafka *kafka = self;
    if (client == kafka->probe) {
        if (!kafka_is_refusal(kafka->trouble) && code != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
            kafka->trouble = (rd_kafka_resp_err_t)code;
            snprintf(kafka->trouble_text, sizeof kafka->trouble_text, "%s", reason);
        }
    } else if (kafka_is_refusal((rd_kafka_resp_err_t)code))
        log_warn("kafka.refused", "%s", reason);
    else if (code == RD_KAFKA_RESP_ERR__FATAL)
        log_error("kafka.fatal", "%s", reason);
    else
        log_debug("kafka.error", "%s: %s", rd_kafka_err2name((rd_kafka_resp_err_t)code), reason);
}

static enum status set(rd_kafka_conf_t *conf, const char *name, const char *value, struct error *err)
{
    char why[300];
    if (!value || !value[0])
        return OK;
    if (rd_kafka_conf_set(conf, name, value, why, sizeof why) == RD_KAFKA_CONF_OK)
        return OK;
    return error_set(err, ERR_INVALID, "kafka: %s: %s", name, why);
}

static enum status set_all(const struct kafka *kafka, rd_kafka_conf_t *conf, const struct kafka_setting *settings,
                           struct error *err)
{
    const struct journal_kafka_options *options = &kafka->options.kafka;
    const struct kafka_setting common[] = {
        { "bootstrap.servers", options->brokers },
        { "client.id", "weir" },
        { "security.protocol", options->security },
        { "sasl.mechanisms", options->sasl_mechanism },
        { "sasl.username", options->sasl_user },
        { "sasl.password", options->sasl_password },
        { "ssl.ca.location", options->tls_ca },
        { "ssl.certificate.location", options->tls_certificate },
        { "ssl.key.location", options->tls_key },
        { "socket.keepalive.enable", "true" },
        { "reconnect.backoff.ms", "50" },
        { "reconnect.backoff.max.ms", "1000" },
        { "retry.backoff.ms", "20" },
        { "message.max.bytes", "33554432" },
        { "receive.message.max.bytes", "104857600" },
        { "topic.metadata.refresh.interval.ms", "30000" },
        { NULL, NULL },
    };
    enum status s = OK;
    for (const struct kafka_setting *setting = common; setting->name && s == OK; setting++)
        s = set(conf, setting->name, setting->value, err);
    for (const struct kafka_setting *setting = settings; setting->name && s == OK; setting++)
        s = set(conf, setting->name, setting->value, err);
    return s;
}

/* librdkafka names its own settings, and no files. */
static enum status refused(const struct journal_kafka_options *options, const char *why, struct error *err)
{
    if (strstr(why, "ssl.ca.location"))
        return error_set(err, ERR_INVALID, "kafka: %s: kafka.tls_ca must name a PEM file that weir may read, not %s",
                         why, options->tls_ca);
    if (strstr(why, "ssl.certificate.location"))
        return error_set(err, ERR_INVALID,
                         "kafka: %s: kafka.tls_certificate must name a PEM file that weir may read, not %s", why,
                         options->tls_certificate);
    if (strstr(why, "ssl.key.location"))
        return error_set(err, ERR_INVALID,
                         "kafka: %s: kafka.tls_key must name a PEM file with the key of kafka.tls_certificate, without "
                         "a passphrase, not %s",
                         why, options->tls_key);
    return error_set(err, ERR_INVALID, "kafka: %s", why);
}

static enum status make(struct kafka *kafka, rd_kafka_type_t type, const struct kafka_setting *settings,
                        void (*delivered)(rd_kafka_t *, const rd_kafka_message_t *, void *), kafka_rebalance *rebalance,
                        rd_kafka_t **out, struct error *err)
{
    char why[300];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    enum status s = set_all(kafka, conf, settings, err);
    if (s != OK) {
        rd_kafka_conf_destroy(conf);
        return s;
    }
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_opaque(conf, kafka);
    if (delivered)
        rd_kafka_conf_set_dr_msg_cb(conf, delivered);
    if (rebalance)
        rd_kafka_conf_set_rebalance_cb(conf, rebalance);
    rd_kafka_t *client = rd_kafka_new(type, conf, why, sizeof why);
    if (!client) {
        rd_kafka_conf_destroy(conf);
        return refused(&kafka->options.kafka, why, err);
    }
    *out = client;
    return OK;
}

enum status kafka_client_new(struct kafka *kafka, rd_kafka_type_t type, const struct kafka_setting *settings,
                             void (*delivered)(rd_kafka_t *, const rd_kafka_message_t *, void *), rd_kafka_t **out,
                             struct error *err)
{
    return make(kafka, type, settings, delivered, NULL, out, err);
}

enum status kafka_client_of_group(struct kafka *kafka, const struct kafka_setting *settings, kafka_rebalance *rebalance,
                                  rd_kafka_t **out, struct error *err)
{
    return make(kafka, RD_KAFKA_CONSUMER, settings, NULL, rebalance, out, err);
}

void kafka_client_find(rd_kafka_t *client, const struct kafka *kafka, unsigned lanes)
{
    for (size_t i = 0; i < LANES; i++) {
        rd_kafka_topic_t *topic = kafka_has_lane(lanes, i) ? rd_kafka_topic_new(client, kafka->topics[i], NULL) : NULL;
        if (topic)
            rd_kafka_topic_destroy(topic); /* the answer stays with the client */
    }
}

enum status kafka_status(rd_kafka_resp_err_t code)
{
    switch ((int)code) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        return OK;
    case RD_KAFKA_RESP_ERR__QUEUE_FULL:
        return ERR_FULL;
    case RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR:
        return ERR_INVALID;
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
        return ERR_NOT_FOUND;
    default:
        return kafka_kind_of(code) == KAFKA_KIND_REPLACED ? ERR_CLOSED : kafka_is_final(code) ? ERR_INVALID : ERR_RETRY;
    }
}

static const char *const ADVICE[KAFKA_KINDS] = {
    [KAFKA_KIND_TLS] = ": check kafka.tls_ca (the authority that signed the brokers' certificates) and kafka.security",
    [KAFKA_KIND_PASSWORD] = ": check kafka.sasl_mechanism, kafka.sasl_user and kafka.sasl_password",
    [KAFKA_KIND_TOPIC_RIGHT] =
        ": the user needs Describe on the topic, and Read, Write or Create for this (docs/kafka.md, Rights)",
    [KAFKA_KIND_GROUP_RIGHT] = ": the user needs the right Read on the groups kafka.prefix.* (weir ingest: Describe on "
                               "kafka.prefix.reader)",
    [KAFKA_KIND_CLUSTER_RIGHT] = ": the user needs the rights Create and IdempotentWrite on the cluster",
    [KAFKA_KIND_TRANSACTION_RIGHT] =
        ": the user needs the right Write on the transactional ids kafka.prefix.* (weir ingest: on "
        "kafka.prefix.start.ingest)",
    [KAFKA_KIND_REPLACED] = ": another process has taken this partition over",
    [KAFKA_KIND_FEW_COPIES] =
        ": fewer copies are in sync than the topic's min.insync.replicas (kafka.min_insync): are brokers away?",
};

static const char *advice(rd_kafka_resp_err_t code)
{
    const char *text = ADVICE[kafka_kind_of(code)];
    if (code == RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR)
        return ": there are fewer brokers than kafka.replication";
    return text ? text : "";
}

enum status kafka_error(struct error *err, rd_kafka_resp_err_t code, const char *format, ...)
{
    char what[300];
    va_list list;
    va_start(list, format);
    vsnprintf(what, sizeof what, format, list);
    va_end(list);
    return error_set(err, kafka_status(code), "kafka: %s: %s%s", what, rd_kafka_err2str(code), advice(code));
}

enum status kafka_message_error(struct error *err, const rd_kafka_message_t *message)
{
    if (!message->rkt) /* of the consumer itself: its group */
        return kafka_error(err, message->err, "read: %s", rd_kafka_message_errstr(message));
    return kafka_error(err, message->err, "read topic %s, partition %d", rd_kafka_topic_name(message->rkt),
                       message->partition);
}

enum status kafka_error_take(struct error *err, rd_kafka_error_t *error, const char *what)
{
    if (!error)
        return OK;
    rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    enum status s =
        error_set(err, kafka_status(code), "kafka: %s: %s%s", what, rd_kafka_error_string(error), advice(code));
    rd_kafka_error_destroy(error);
    return s;
}

enum status kafka_call_take(struct kafka_caller *caller, const struct kafka_call *call, const char *what,
                            struct error *err)
{
    rd_kafka_error_t *error;
    if (!kafka_caller_call(caller, call, &error))
        return error_set(err, ERR_RETRY, "kafka: %s: librdkafka does not come back", what);
    return kafka_error_take(err, error, what);
}

void kafka_caller_drop(struct kafka *kafka, struct kafka_caller *caller, const char *id)
{
    if (kafka_caller_free(caller))
        return;
    atomic_store(&kafka->left_behind, true);
    if (kafka->calls_left)
        counter_add(kafka->calls_left, 1);
    log_error("kafka.call_left",
              "id=%s a call of librdkafka did not come back: its thread and producer are left behind", id);
}
