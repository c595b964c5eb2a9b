#include "kafka/kafka_kind.h"

enum kafka_kind kafka_kind_of(rd_kafka_resp_err_t code)
{
    switch ((int)code) {
    case RD_KAFKA_RESP_ERR__SSL:
        return KAFKA_KIND_TLS;
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
        return KAFKA_KIND_PASSWORD;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
        return KAFKA_KIND_TOPIC_RIGHT;
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
        return KAFKA_KIND_GROUP_RIGHT;
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
        return KAFKA_KIND_CLUSTER_RIGHT;
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
        return KAFKA_KIND_TRANSACTION_RIGHT;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
        return KAFKA_KIND_TOO_LARGE;
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
        return KAFKA_KIND_POLICY;
    case RD_KAFKA_RESP_ERR__FENCED:
    case RD_KAFKA_RESP_ERR_PRODUCER_FENCED:
    case RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH:
        return KAFKA_KIND_REPLACED;
    case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS:
    case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND:
        return KAFKA_KIND_FEW_COPIES;
    default:
        return KAFKA_KIND_OTHER;
    }
}

bool kafka_is_refusal(rd_kafka_resp_err_t code)
{
    const enum kafka_kind kind = kafka_kind_of(code);
    return kind == KAFKA_KIND_TLS || kind == KAFKA_KIND_PASSWORD;
}

bool kafka_is_final(rd_kafka_resp_err_t code)
{
    const enum kafka_kind kind = kafka_kind_of(code);
    return kind >= KAFKA_KIND_TLS && kind <= KAFKA_KIND_POLICY;
}
