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

/* {"schema":"…"}, with "schemaType" where it is not Avro. */
static enum status read_answer(struct slice body, uint32_t id, struct avro_schema **out, struct error *err)
{
    struct slice type, schema;
    struct buf text;
    if (json_find(body, "schemaType", &type) && !slice_equal(type, SLICE("\"AVRO\"")))
        return error_set(err, ERR_INVALID, "schema %u is %.*s, not Avro", id, SLICE_ARG(type));
    buf_init(&text, AVRO_SCHEMA_BYTES_MAX);
    bool fine = json_find(body, "schema", &schema) && json_scan_string(schema, &text) && !text.full;
    enum status s = fine ? avro_schema_parse(buf_slice(&text), out, err)
                         : error_set(err, ERR_INVALID, "the registry's answer has no schema");
    buf_done(&text);
    return s == OK ? OK : error_wrap(err, s, "schema %u of the registry", id);
}

static enum status ask(struct registry *registry, uint32_t id, struct avro_schema **out, struct error *err)
{
    char path[64];
    struct http_reply reply;
    snprintf(path, sizeof path, "/schemas/ids/%u", id);
    enum status s = http_client_get(registry->http, path, &reply, err);
    if (s != OK)
        return error_wrap(err, s, "ask the schema registry");
    if (reply.status == 200)
        return read_answer(reply.body, id, out, err);
    if (reply.status == 404)
        return error_set(err, ERR_INVALID, "the registry has no schema %u", id);
    s = http_reply_error(&reply, "ask the schema registry", err);
    return s == ERR_RETRY ? s : error_wrap(err, ERR_IO, "schema %u", id);
}

static struct known *find(struct registry *registry, uint32_t id)
{
    for (size_t i = 0; i < registry->count; i++)
        if (registry->known[i].id == id)
            return &registry->known[i];
    if (registry->count == REGISTRY_SCHEMAS_MAX)
        return NULL;
    struct known *known = &registry->known[registry->count++];
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
