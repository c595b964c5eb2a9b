/* Handles of librdkafka and its words as ours. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "deliver/target_kafka.h"
#include "kafka/kafka_kind.h"

static void on_log(const rd_kafka_t *client, int level, const char *facility, const char *text)
{
    (void)client;
    (void)level;
    log_debug("sink.kafka_client", "facility=%s %s", facility, text);
}

/* A refusal stays: later errors follow from it. */
static void note_trouble(struct kafka_target *target, rd_kafka_resp_err_t code, const char *text)
{
    if (kafka_is_refusal(target->trouble) || code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
        return;
    target->trouble = code;
    snprintf(target->trouble_text, sizeof target->trouble_text, "%s", text);
}

static void on_error(rd_kafka_t *client, int code, const char *reason, void *self)
{
    (void)client;
    note_trouble(self, (rd_kafka_resp_err_t)code, reason);
}

/* Those that wait for one that was refused are purged: not the reason. */
static void on_delivered(rd_kafka_t *producer, const rd_kafka_message_t *message, void *self)
{
    struct kafka_target *target = self;
    (void)producer;
    if (message->err && message->err != RD_KAFKA_RESP_ERR__PURGE_QUEUE &&
        message->err != RD_KAFKA_RESP_ERR__PURGE_INFLIGHT && !target->trouble)
        note_trouble(target, message->err, rd_kafka_err2str(message->err));
}

static enum status set_all(const struct kafka_target *target, rd_kafka_conf_t *conf, const char *linger_ms,
                           struct error *err)
{
    const struct target_kafka_options *options = &target->options.kafka;
    const bool sasl = strncmp(options->security, "sasl", 4) == 0;
    const char *const pairs[][2] = {
        { "bootstrap.servers", options->brokers },
        { "client.id", "weir-sink" },
        { "security.protocol", options->security },
        { "sasl.mechanisms", sasl ? options->sasl_mechanism : "" },
        { "sasl.username", sasl ? options->sasl_user : "" },
        { "sasl.password", sasl ? options->sasl_password : "" },
        { "ssl.ca.location", options->tls_ca },
        { "ssl.certificate.location", options->tls_certificate },
        { "ssl.key.location", options->tls_key },
        { "transactional.id", target->id },
        { "transaction.timeout.ms", "30000" },
        { "message.timeout.ms", "20000" },
        { "compression.type", options->compression },
        { "linger.ms", linger_ms },
        { "partitioner", "murmur2_random" }, /* as Java's clients do: a topic that others write to, too, stays whole */
        { "queue.buffering.max.kbytes", "262144" },
        { "message.max.bytes", "33554432" }, /* the topic's own bound is the brokers' to say */
        { "socket.keepalive.enable", "true" },
        { "reconnect.backoff.ms", "50" },
        { "reconnect.backoff.max.ms", "1000" },
    };
    char why[300];
    for (size_t i = 0; i < COUNT_OF(pairs); i++)
        if (pairs[i][1][0] && rd_kafka_conf_set(conf, pairs[i][0], pairs[i][1], why, sizeof why) != RD_KAFKA_CONF_OK)
            return error_set(err, ERR_INVALID, "kafka: %s: %s", pairs[i][0], why);
    return OK;
}

enum status kafka_target_connect(struct kafka_target *target, const char *linger_ms, struct error *err)
{
    char why[300];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    enum status s = set_all(target, conf, linger_ms, err);
    if (s != OK) {
        rd_kafka_conf_destroy(conf);
        return s;
    }
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivered);
    rd_kafka_conf_set_opaque(conf, target);
    target->trouble = RD_KAFKA_RESP_ERR_NO_ERROR;
    target->producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    if (!target->producer) {
        rd_kafka_conf_destroy(conf);
        return error_set(err, ERR_INVALID,
                         "kafka: %s: tls_ca, tls_certificate and tls_key name PEM files that weir may read", why);
    }
    s = kafka_caller_new(target->producer, target->world, KAFKA_ASK_MS, &target->caller, err);
    if (s != OK) {
        target->producer = NULL;
        return s;
    }
    target->topic = rd_kafka_topic_new(target->producer, target->options.kafka.topic, NULL);
    return target->topic
               ? OK
               : kafka_target_error(target, err, rd_kafka_last_error(), "topic %s", target->options.kafka.topic);
}

void kafka_target_disconnect(struct kafka_target *target)
{
    if (target->topic)
        rd_kafka_topic_destroy(target->topic);
    if (!kafka_caller_free(target->caller)) /* its callbacks run in polls alone, which nobody makes any more */
        log_error("kafka.call_left",
                  "sink=%s a call of librdkafka did not come back: its thread and producer are left behind",
                  target->options.sink);
    target->topic = NULL;
    target->caller = NULL;
    target->producer = NULL;
}

static enum status status_of(rd_kafka_resp_err_t code)
{
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        return OK;
    if (code == RD_KAFKA_RESP_ERR_INVALID_RECORD) /* a compacted topic wants keys, which we have: a broker's own rule */
        return ERR_INVALID;
    return kafka_is_final(code) ? ERR_INVALID : ERR_RETRY;
}

static const char *const ADVICE[KAFKA_KINDS] = {
    [KAFKA_KIND_TLS] = ": check tls_ca (the authority that signed the brokers' certificates) and security",
    [KAFKA_KIND_PASSWORD] = ": check sasl_mechanism, sasl_user and sasl_password",
    [KAFKA_KIND_TOPIC_RIGHT] = ": the user needs the rights Describe, Read and Write on the topic",
    [KAFKA_KIND_GROUP_RIGHT] = ": the user needs the rights Read and Describe on the groups that begin with id_prefix",
    [KAFKA_KIND_CLUSTER_RIGHT] = ": the user needs the right IdempotentWrite on the cluster",
    [KAFKA_KIND_TRANSACTION_RIGHT] =
        ": the user needs the rights Write and Describe on the transactional ids that begin with id_prefix",
    [KAFKA_KIND_TOO_LARGE] = ": set record_size_max below the topic's max.message.bytes, or raise that",
    [KAFKA_KIND_REPLACED] = ": this process stood still for long, or another one with the same data delivers, too",
    [KAFKA_KIND_FEW_COPIES] = ": fewer copies are in sync than the topic's min.insync.replicas: are brokers away?",
};

static const char *advice(rd_kafka_resp_err_t code)
{
    const char *text = ADVICE[kafka_kind_of(code)];
    return text ? text : "";
}

enum status kafka_target_error(const struct kafka_target *target, struct error *err, rd_kafka_resp_err_t code,
                               const char *format, ...)
{
    char what[200];
    va_list list;
    va_start(list, format);
    vsnprintf(what, sizeof what, format, list);
    va_end(list);
    const bool explained = status_of(target->trouble) == ERR_INVALID && status_of(code) != ERR_INVALID;
    const rd_kafka_resp_err_t why = explained ? target->trouble : code;
    return error_set(err, status_of(why), "kafka %s: %s: %s%s", target->options.kafka.brokers, what,
                     explained ? target->trouble_text : rd_kafka_err2str(code), advice(why));
}

enum status kafka_target_take(struct kafka_target *target, struct error *err, rd_kafka_error_t *error, const char *what)
{
    if (!error)
        return OK;
    rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    rd_kafka_poll(target->producer, 0); /* hears why */
    enum status s = kafka_target_error(target, err, code, "%s", what);
    if (status_of(target->trouble) != ERR_INVALID && status_of(code) != ERR_INVALID)
        s = error_set(err, s, "kafka %s: %s: %s%s", target->options.kafka.brokers, what, rd_kafka_error_string(error),
                      advice(code));
    rd_kafka_error_destroy(error);
    return s;
}

enum status kafka_target_insist(struct kafka_target *target, rd_kafka_error_t *(*call)(rd_kafka_t *, int), int most_ms,
                                const char *what, struct error *err)
{
    rd_kafka_error_t *error = NULL;
    for (int waited_ms = 0; waited_ms < most_ms; waited_ms += KAFKA_SLICE_MS) {
        rd_kafka_poll(target->producer, 0);
        if (error)
            rd_kafka_error_destroy(error);
        error = call(target->producer, KAFKA_SLICE_MS);
        if (!error || !rd_kafka_error_is_retriable(error) || kafka_is_refusal(target->trouble))
            break;
        if (atomic_load(target->options.stopping)) {
            rd_kafka_error_destroy(error);
            return error_set(err, ERR_CLOSED, "kafka: %s: stopping", what);
        }
    }
    return kafka_target_take(target, err, error, what);
}
