/* A schema registry (Confluent's API): the Avro schema of an id, for who reads records; the id of a schema under a
 * subject, for who writes them. Ids never change their meaning, so both are asked for once; what the registry does not
 * know is asked for again after 10 s. Bounds: REGISTRY_SCHEMAS_MAX of each, an answer of 4 MiB, time-outs. One thread.
 *
 * What every function says besides its own: ERR_RETRY: the registry does not answer, or is overloaded. ERR_IO: it
 * refuses us (credentials, rights), or what answers is no registry; and will until somebody helps. Errors name the
 * registry, the subject, and what to do. */
#pragma once
#include "avro/avro.h"
#include "base/compiler.h"
#include "base/error.h"

#define REGISTRY_SCHEMAS_MAX 1000
#define REGISTRY_SUBJECT_MAX 512

struct registry;
struct world;

struct registry_options {
    const char *url; /* as clients are told, such as http://127.0.0.1:8081 or …/apis/ccompat/v7; or https */
    const char *user, *password; /* "" or NULL: none */
    int64_t timeout_ms;          /* of one question; 0: 5,000 */
};

/* Asks for nothing yet. ERR_INVALID: a bad address. The world outlives it; the texts are copied. */
MUST_CHECK enum status registry_open(const struct registry_options *options, struct world *world, struct registry **out,
                                     struct error *err);
void registry_close(struct registry *registry); /* NULL is fine */
static inline void registry_auto(struct registry **registry)
{
    registry_close(*registry);
}

/* *out lives as long as the registry. ERR_INVALID: it has no such schema, or one that is not Avro; err says what and is
 * for a dead letter. ERR_FULL: more schemas than are kept. */
MUST_CHECK enum status registry_schema(struct registry *registry, uint32_t id, const struct avro_schema **out,
                                       struct error *err);

struct registry_version {
    uint32_t id, version; /* version: 0 where the registry does not say */
};

/* The schema's id under the subject: registered when it is not there. ERR_INVALID: it is incompatible with what is
 * there, or the registry cannot read it; err has the registry's reason. ERR_FULL: more schemas than are kept. */
MUST_CHECK enum status registry_register(struct registry *registry, const char *subject, struct slice schema,
                                         uint32_t *out_id, struct error *err);
/* Whether the schema is there under the subject. ERR_NOT_FOUND: it is not, or there is no such subject. */
MUST_CHECK enum status registry_find(struct registry *registry, const char *subject, struct slice schema,
                                     struct registry_version *out, struct error *err);
/* Whether the registry would take it beside the subject's latest version or, when the level is one of all versions,
 * beside each. ERR_INVALID: it would not; err has the reason. Of a subject that is not there: OK. */
MUST_CHECK enum status registry_check(struct registry *registry, const char *subject, struct slice schema,
                                      const char *level, struct error *err);
/* As if the level were the subject's, which the registry has no question for: judged here, by Avro's rules, beside the
 * versions that are there. ERR_INVALID: err has the version, the field and why. ERR_FULL: there are too many. */
MUST_CHECK enum status registry_check_as_if(struct registry *registry, const char *subject, struct slice schema,
                                            const char *level, struct error *err);
#define REGISTRY_LEVEL_MAX 32
/* What the subject's versions must be to each other: BACKWARD, FORWARD, FULL, NONE, or one of these _TRANSITIVE: the
 * subject's own level, or that of the registry. "": the registry does not say. */
MUST_CHECK enum status registry_compatibility(struct registry *registry, const char *subject,
                                              char out[REGISTRY_LEVEL_MAX], struct error *err);
bool registry_compares_all(const char *level); /* not with the latest version alone */
MUST_CHECK enum status registry_set_compatibility(struct registry *registry, const char *subject, const char *level,
                                                  struct error *err);

/* How a subject is named, as Confluent's clients do it: TOPIC-value, NAMESPACE.RECORD, TOPIC-NAMESPACE.RECORD. */
enum subject_strategy { SUBJECT_TOPIC, SUBJECT_RECORD, SUBJECT_TOPIC_RECORD };
#define SUBJECT_STRATEGIES "topic|record|topic-record"
enum subject_strategy subject_strategy_of(const char *name); /* one of SUBJECT_STRATEGIES */
/* schema: of a record. ERR_INVALID: it has no name, or the subject is longer than can be. */
MUST_CHECK enum status subject_name(enum subject_strategy strategy, const char *topic, struct slice schema,
                                    char out[REGISTRY_SUBJECT_MAX], struct error *err);
