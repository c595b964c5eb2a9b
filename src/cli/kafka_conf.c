#include "cli/kafka_conf.h"

#include <stdio.h>
#include <string.h>

bool kafka_conf_set(rd_kafka_conf_t *conf, const char *const (*pairs)[2], size_t count, char why[KAFKA_WHY_MAX])
{
    for (size_t i = 0; i < count; i++)
        if (pairs[i][1] && pairs[i][1][0] &&
            rd_kafka_conf_set(conf, pairs[i][0], pairs[i][1], why, KAFKA_WHY_MAX) != RD_KAFKA_CONF_OK)
            return false;
    return true;
}

bool kafka_conf_secure(rd_kafka_conf_t *conf, const struct settings *settings, char why[KAFKA_WHY_MAX])
{
    const bool sasl = strncmp(settings->kafka_security, "sasl", 4) == 0;
    const char *const pairs[][2] = {
        { "security.protocol", settings->kafka_security },
        { "sasl.mechanisms", sasl ? settings->kafka_sasl_mechanism : "" },
        { "sasl.username", settings->kafka_sasl_user },
        { "sasl.password", settings->kafka_sasl_password },
        { "ssl.ca.location", settings->kafka_tls_ca },
        { "ssl.certificate.location", settings->kafka_tls_certificate },
        { "ssl.key.location", settings->kafka_tls_key },
    };
    return kafka_conf_set(conf, pairs, COUNT_OF(pairs), why);
}
