/* What the many error codes of brokers and of librdkafka mean to us. Who meets one knows which of its settings and
 * rights it is about, and says so; which codes are alike is said here, once. Any thread. */
#pragma once
#include <librdkafka/rdkafka.h>
#include <stdbool.h>

enum kafka_kind {
    KAFKA_KIND_OTHER, /* also: no error. It passes by itself, as far as we know */
    /* Of these trying again does not help: */
    KAFKA_KIND_TLS,
    KAFKA_KIND_PASSWORD,
    KAFKA_KIND_TOPIC_RIGHT,
    KAFKA_KIND_GROUP_RIGHT,
    KAFKA_KIND_CLUSTER_RIGHT,
    KAFKA_KIND_TRANSACTION_RIGHT,
    KAFKA_KIND_TOO_LARGE,
    KAFKA_KIND_POLICY,
    /* Of these it may: */
    KAFKA_KIND_REPLACED,   /* another producer goes by the same transactional id */
    KAFKA_KIND_FEW_COPIES, /* fewer brokers than the topic wants have a record */
    KAFKA_KINDS
};

enum kafka_kind kafka_kind_of(rd_kafka_resp_err_t code);

/* A password or a certificate that the brokers, or we, do not take: whatever else is said follows from that. */
bool kafka_is_refusal(rd_kafka_resp_err_t code);

/* What the brokers will say again whenever they are asked, until somebody changes a setting or a right. */
bool kafka_is_final(rd_kafka_resp_err_t code);
