#include "cli/registry.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/json_scan.h"
#include "cli/http_client.h"

#define ASK_AGAIN_S 10
#define WAIT_MS 5000

struct known {
    uint32_t id;
    struct avro_schema *schema; /* NULL: there is none, why says so */
    time_t asked;
    char why[ERROR_TEXT_MAX];
};

struct registry {
    struct http_client *http;
    struct known *known;
    size_t count;
};

static time_t now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

enum status registry_open(const char *url, const char *credentials, struct registry **out, struct error *err)
{
    struct registry *registry = calloc(1, sizeof *registry);
    struct known *known = calloc(REGISTRY_SCHEMAS_MAX, sizeof *known);
    if (!registry || !known)
        abort();
    const struct http_client_options options = { .url = url,
                                                 .key = credentials,
                                                 .key_is_basic = true,
                                                 .timeout_ms = WAIT_MS,
                                                 .connect_ms = WAIT_MS,
                                                 .body_bytes_max = 4 * AVRO_SCHEMA_BYTES_MAX,
                                                 .start_hint = "check the address of the schema registry" };
    registry->known = known;
    enum status s = http_client_open(&options, &registry->http, err);
    if (s != OK) {
        registry_close(registry);
        return s;
    }
    *out = registry;
    return OK;
}

void registry_close(struct registry *registry)
{
    if (!registry)
        return;
    for (size_t i = 0; i < registry->count; i++)
        avro_schema_free(registry->known[i].schema);
    http_client_close(registry->http);
    free(registry->known);
    free(registry);
}

/* What is no registry's answer says nothing of the record: a wrong address must not make dead letters of all records.
 */
static enum status not_a_registry(uint32_t id, unsigned http_status, struct error *err)
{
    return error_set(
        err, ERR_IO,
        "schema %u: the answer (%u) is not a schema registry's: check the address, its path included, such "
        "as …/apis/ccompat/v7",
        id, http_status);
}

/* {"schema":"…"}, with "schemaType" where it is not Avro. */
static enum status read_answer(struct slice body, uint32_t id, struct avro_schema **out, struct error *err)
{
    struct slice type, schema;
    struct buf text;
    if (!json_is_whole(body) || !json_find(body, "schema", &schema))
        return not_a_registry(id, 200, err);
    if (json_find(body, "schemaType", &type) && !slice_equal(type, SLICE("\"AVRO\"")))
        return error_set(err, ERR_INVALID, "schema %u is %.*s, not Avro", id, SLICE_ARG(type));
    buf_init(&text, AVRO_SCHEMA_BYTES_MAX);
    bool fine = json_scan_string(schema, &text) && !text.full;
    enum status s = fine ? avro_schema_parse(buf_slice(&text), out, err)
                         : error_set(err, ERR_INVALID, "it is no text, or larger than 1 MiB");
    buf_done(&text);
    return s == OK ? OK : error_wrap(err, s, "schema %u of the registry", id);
}

/* A 404 of the registry's own has its code; one without it is of somebody else, a proxy or a wrong path. */
static enum status read_not_found(struct slice body, uint32_t id, struct error *err)
{
    struct slice code;
    if (!json_is_whole(body) || !json_find(body, "error_code", &code))
        return not_a_registry(id, 404, err);
    return error_set(err, ERR_INVALID, "the registry has no schema %u", id);
}

static enum status ask(struct registry *registry, uint32_t id, struct avro_schema **out, struct error *err)
{
    char path[64];
    struct http_reply reply;
    snprintf(path, sizeof path, "/schemas/ids/%u", id);
    enum status s = http_client_get(registry->http, path, &reply, err);
    if (s == ERR_FULL)
        return error_wrap(err, ERR_INVALID, "schema %u of the registry", id);
    if (s != OK) /* a name that is not resolved, too: that may be over in a moment, and is not the record's fault */
        return error_wrap(err, ERR_RETRY, "ask the schema registry");
    if (reply.status == 200)
        return read_answer(reply.body, id, out, err);
    if (reply.status == 404)
        return read_not_found(reply.body, id, err);
    s = http_reply_error(&reply, "ask the schema registry", err);
    return s == ERR_RETRY ? s : error_wrap(err, ERR_IO, "schema %u", id);
}

/* Of an id without a schema nothing is kept that cannot be asked for again: such ids, which anybody may write into a
 * topic, do not use up the room. */
static struct known *take_place(struct registry *registry)
{
    struct known *oldest = NULL;
    if (registry->count < REGISTRY_SCHEMAS_MAX)
        return &registry->known[registry->count++];
    for (size_t i = 0; i < registry->count; i++)
        if (!registry->known[i].schema && (!oldest || registry->known[i].asked < oldest->asked))
            oldest = &registry->known[i];
    return oldest;
}

static struct known *find(struct registry *registry, uint32_t id)
{
    for (size_t i = 0; i < registry->count; i++)
        if (registry->known[i].id == id)
            return &registry->known[i];
    struct known *known = take_place(registry);
    if (!known)
        return NULL;
    *known = (struct known){ .id = id, .asked = -ASK_AGAIN_S };
    return known;
}

enum status registry_schema(struct registry *registry, uint32_t id, const struct avro_schema **out, struct error *err)
{
    struct known *known = find(registry, id);
    if (!known)
        return error_set(err, ERR_FULL, "the topics' records have more than %d schemas", REGISTRY_SCHEMAS_MAX);
    if (!known->schema && now_s() - known->asked < ASK_AGAIN_S)
        return error_set(err, ERR_INVALID, "%s", known->why);
    if (!known->schema) {
        enum status s = ask(registry, id, &known->schema, err);
        if (s == ERR_INVALID) {
            known->asked = now_s();
            snprintf(known->why, sizeof known->why, "%s", err->text);
        }
        if (s != OK)
            return s;
    }
    *out = known->schema;
    return OK;
}
