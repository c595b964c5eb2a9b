/* Generated lines as Avro, in Confluent's framing: each by the schema of its event type as it is kept
 * (`weir schema avro`), so that a money field becomes its whole cents. One owner, one thread. */
#pragma once
#include "base/buf.h"
#include "base/compiler.h"
#include "base/error.h"
#include "config/domain.h"
#include "registry/registry.h"

struct generate_avro;

/* Registers the schemas of the domain's event types. Everything is borrowed. The errors are the registry's. */
MUST_CHECK enum status generate_avro_open(const struct domain_set *domains, struct slice domain,
                                          struct registry *registry, enum subject_strategy strategy, const char *topic,
                                          struct generate_avro **out, struct error *err);
void generate_avro_close(struct generate_avro *avro); /* NULL is fine */
/* *out: until the next one. ERR_INVALID: the event is not of its schema. */
MUST_CHECK enum status generate_avro_write(struct generate_avro *avro, struct slice line, struct slice *out,
                                           struct error *err);
