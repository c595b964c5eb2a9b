/* Where generated lines go. One owner, one thread. */
#pragma once
#include "base/buf.h"
#include "base/error.h"

struct domain_set;
struct generate_options;

struct generate_output {
    /* Takes all lines and resets the buffer. False: whoever reads has gone, or it failed (close tells). */
    bool (*write)(struct generate_output *output, struct buf *lines);
    /* OK: everything that was written is there. Frees the output. */
    enum status (*close)(struct generate_output *output, struct error *err);
};

/* path NULL: standard output; a reader of it that goes away is no error. */
MUST_CHECK enum status generate_output_file(const char *path, struct generate_output **out, struct error *err);
/* A running weir's POST /track, one connection; key NULL: the open tenant. Texts outlive the output. */
MUST_CHECK enum status generate_output_http(const char *url, const char *key, struct generate_output **out,
                                            struct error *err);
/* A Kafka topic, in JSON or Avro: waits for brokers that are slow, and fails when they have been away for a minute. One
 * queue of 64 MiB. Options and domains outlive the output; settings are read here, and mistakes in them are told.
 * ERR_NOT_FOUND: no such topic. ERR_INVALID, ERR_IO: somebody must act. ERR_RETRY: brokers or registry are away. */
MUST_CHECK enum status generate_output_kafka(const struct generate_options *options, const struct domain_set *domains,
                                             struct generate_output **out, struct error *err);
