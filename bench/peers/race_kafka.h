/* Clients of Kafka as the programs of this folder make them: what fails ends the program with the reason. */
#pragma once
#include <errno.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/compiler.h"

#define RACE_WAIT_MS 20000

NORETURN static void fail(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, why);
    exit(1);
}

struct race_setting {
    const char *name, *value;
};

/* settings: a list that ends with a NULL name. delivered: of a producer, or NULL. */
static rd_kafka_t *race_client(const char *brokers, rd_kafka_type_t type, const struct race_setting *settings,
                               void (*delivered)(rd_kafka_t *, const rd_kafka_message_t *, void *))
{
    char why[300];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (rd_kafka_conf_set(conf, "bootstrap.servers", brokers, why, sizeof why))
        fail("bootstrap.servers", why);
    for (const struct race_setting *setting = settings; setting->name; setting++)
        if (rd_kafka_conf_set(conf, setting->name, setting->value, why, sizeof why))
            fail(setting->name, why);
    if (delivered)
        rd_kafka_conf_set_dr_msg_cb(conf, delivered);
    rd_kafka_t *client = rd_kafka_new(type, conf, why, sizeof why);
    if (!client)
        fail("open a client", why);
    if (type == RD_KAFKA_CONSUMER)
        rd_kafka_poll_set_consumer(client);
    return client;
}
