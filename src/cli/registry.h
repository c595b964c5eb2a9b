/* A schema registry (Confluent's API), as far as reading records needs it: the Avro schema of an id. Ids never change
 * their meaning, so a schema is asked for once; what the registry does not know is asked for again after 10 s. Bounds:
 * REGISTRY_SCHEMAS_MAX schemas. One thread. */
#pragma once
#include "avro/avro.h"
#include "base/compiler.h"
#include "base/error.h"

#define REGISTRY_SCHEMAS_MAX 1000

struct registry;

/* url: as clients are told, such as http://127.0.0.1:8081 or …/apis/ccompat/v7. credentials: "USER:PASSWORD", or "".
 * Asks for nothing yet. ERR_INVALID: a bad address. */
MUST_CHECK enum status registry_open(const char *url, const char *credentials, struct registry **out,
                                     struct error *err);
void registry_close(struct registry *registry); /* NULL is fine */
/* *out lives as long as the registry. ERR_INVALID: it has no such schema, or one that is not Avro; err says what and is
 * for a dead letter. ERR_RETRY: it does not answer, or is overloaded. ERR_FULL: more schemas than are kept. ERR_IO: it
 * refuses us (credentials), or what answers is no registry, and will until somebody helps. */
MUST_CHECK enum status registry_schema(struct registry *registry, uint32_t id, const struct avro_schema **out,
                                       struct error *err);
