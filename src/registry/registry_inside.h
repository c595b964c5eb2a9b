/* The inside of the registry's client: registry.c (schemas by id), registry_subject.c (subjects), registry_judge.c
 * (a level that is not set), registry_ask.c (HTTP and what its answers mean). Nobody else includes this. */
#pragma once
#include "http/http_client.h"
#include "registry/registry.h"

struct registry_known {
    uint32_t id;
    struct avro_schema *schema; /* NULL: there is none, why says so */
    int64_t asked_us;
    char why[ERROR_TEXT_MAX];
};

struct registry_written {
    uint64_t hash; /* of subject and schema */
    uint32_t id;
};

struct registry {
    struct world *world;
    struct http_client *http;
    char *url, *credentials;
    struct registry_known *known;
    struct registry_written *written;
    size_t known_count, written_count;
    struct buf path, body; /* of the question at hand */
};

/* A question, whose answer is 200: *out_body is the client's until the next one. ERR_NOT_FOUND: the registry's own 404.
 * ERR_INVALID: it says no (409, 422). ERR_FULL: the answer is too large. what: "schema 7", "subject x". */
MUST_CHECK enum status registry_ask(struct registry *registry, const char *method, const char *path, struct slice body,
                                    const char *what, struct slice *out_body, struct error *err);
/* With the subject written as a part of a path; it is the registry's until the next one. */
const char *registry_path(struct registry *registry, const char *before, const char *subject, const char *behind);
/* ERR_IO: what answers is no registry. */
enum status registry_is_none(const struct registry *registry, const char *what, unsigned http_status,
                             struct error *err);
/* ERR_IO: it answered 200 with something else. */
enum status registry_no_sense(const struct registry *registry, const char *subject, struct error *err);
/* False: no number, or none of 32 bits. */
MUST_CHECK bool registry_number(struct slice json, uint32_t *out);
