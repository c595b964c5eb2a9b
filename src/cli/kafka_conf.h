/* Settings of librdkafka, for commands that are clients of somebody's brokers. */
#pragma once
#include <librdkafka/rdkafka.h>

#include "base/compiler.h"
#include "config/settings.h"

#define KAFKA_WHY_MAX 300

/* Empty values, and NULL, are left as they are. False: why says which is wrong. */
MUST_CHECK bool kafka_conf_set(rd_kafka_conf_t *conf, const char *const (*pairs)[2], size_t count,
                               char why[KAFKA_WHY_MAX]);
/* TLS and passwords: the settings kafka.security and those behind it. */
MUST_CHECK bool kafka_conf_secure(rd_kafka_conf_t *conf, const struct settings *settings, char why[KAFKA_WHY_MAX]);
