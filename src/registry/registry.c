#include "registry/registry.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/json_scan.h"
#include "registry/registry_inside.h"
#include "world/world.h"

#define ASK_AGAIN_US INT64_C(10000000)
#define WAIT_MS 5000

static char *credentials_of(const struct registry_options *options)
{
    char *text = NULL;
    if (options->user && options->user[0] &&
        asprintf(&text, "%s:%s", options->user, options->password ? options->password : "") < 0)
        abort();
    return text;
}

enum status registry_open(const struct registry_options *options, struct world *world, struct registry **out,
                          struct error *err)
{
    AUTO(registry) struct registry *registry = calloc(1, sizeof *registry);
    if (!registry)
        abort();
    registry->world = world;
    registry->known = calloc(REGISTRY_SCHEMAS_MAX, sizeof *registry->known);
    registry->written = calloc(REGISTRY_SCHEMAS_MAX, sizeof *registry->written);
    registry->url = strdup(options->url);
    registry->credentials = credentials_of(options);
    if (!registry->known || !registry->written || !registry->url)
        abort();
    buf_init(&registry->path, 4 * REGISTRY_SUBJECT_MAX);
    buf_init(&registry->body, 4 * AVRO_SCHEMA_BYTES_MAX);
    const int64_t wait_ms = options->timeout_ms ? options->timeout_ms : WAIT_MS;
    const struct http_client_options http = { .url = registry->url,
                                              .key = registry->credentials,
                                              .key_is_basic = true,
                                              .timeout_ms = wait_ms,
                                              .connect_ms = wait_ms,
                                              .body_bytes_max = 4 * AVRO_SCHEMA_BYTES_MAX,
                                              .start_hint = "check the address of the schema registry" };
    enum status s = http_client_open(&http, &registry->http, err);
    if (s == OK)
        *out = GIVE(registry);
    return s;
}

void registry_close(struct registry *registry)
{
    if (!registry)
        return;
    for (size_t i = 0; i < registry->known_count; i++)
        avro_schema_free(registry->known[i].schema);
    http_client_close(registry->http);
    buf_done(&registry->path);
    buf_done(&registry->body);
    free(registry->known);
    free(registry->written);
    free(registry->url);
    free(registry->credentials);
    free(registry);
}

/* {"schema":"…"}, with "schemaType" where it is not Avro. What is no registry's answer says nothing of the record: a
 * wrong address must not make dead letters of all records. */
static enum status read_answer(const struct registry *registry, struct slice body, uint32_t id,
                               struct avro_schema **out, struct error *err)
{
    struct slice type, schema;
    struct buf text;
    if (!json_is_whole(body) || !json_find(body, "schema", &schema))
        return registry_is_none(registry, "schema", 200, err);
    if (json_find(body, "schemaType", &type) && !slice_equal(type, SLICE("\"AVRO\"")))
        return error_set(err, ERR_INVALID, "schema %u is %.*s, not Avro", id, SLICE_ARG(type));
    buf_init(&text, AVRO_SCHEMA_BYTES_MAX);
    bool fine = json_scan_string(schema, &text) && !text.full;
    enum status s = fine ? avro_schema_parse(buf_slice(&text), out, err)
                         : error_set(err, ERR_INVALID, "it is no text, or larger than 1 MiB");
    buf_done(&text);
    return s == OK ? OK : error_wrap(err, s, "schema %u of the registry", id);
}

static enum status ask(struct registry *registry, uint32_t id, struct avro_schema **out, struct error *err)
{
    char path[64], what[32];
    struct slice body;
    snprintf(path, sizeof path, "/schemas/ids/%u", id);
    snprintf(what, sizeof what, "schema %u", id);
    enum status s = registry_ask(registry, "GET", path, (struct slice){ 0 }, what, &body, err);
    if (s == ERR_NOT_FOUND)
        return error_set(err, ERR_INVALID, "the registry has no schema %u", id);
    if (s != OK)
        return s == ERR_FULL ? error_wrap(err, ERR_INVALID, "of the registry") : s;
    return read_answer(registry, body, id, out, err);
}

/* Of an id without a schema nothing is kept that cannot be asked for again: such ids, which anybody may write into a
 * topic, do not use up the room. */
static struct registry_known *take_place(struct registry *registry)
{
    struct registry_known *oldest = NULL;
    if (registry->known_count < REGISTRY_SCHEMAS_MAX)
        return &registry->known[registry->known_count++];
    for (size_t i = 0; i < registry->known_count; i++)
        if (!registry->known[i].schema && (!oldest || registry->known[i].asked_us < oldest->asked_us))
            oldest = &registry->known[i];
    return oldest;
}

static struct registry_known *find(struct registry *registry, uint32_t id)
{
    for (size_t i = 0; i < registry->known_count; i++)
        if (registry->known[i].id == id)
            return &registry->known[i];
    struct registry_known *known = take_place(registry);
    if (!known)
        return NULL;
    *known = (struct registry_known){ .id = id, .asked_us = INT64_MIN };
    return known;
}

enum status registry_schema(struct registry *registry, uint32_t id, const struct avro_schema **out, struct error *err)
{
    struct registry_known *known = find(registry, id);
    const int64_t now_us = world_mono_us(registry->world);
    if (!known)
        return error_set(err, ERR_FULL, "the topics' records have more than %d schemas", REGISTRY_SCHEMAS_MAX);
    if (!known->schema && known->asked_us != INT64_MIN && now_us - known->asked_us < ASK_AGAIN_US)
        return error_set(err, ERR_INVALID, "%s", known->why);
    if (!known->schema) {
        enum status s = ask(registry, id, &known->schema, err);
        if (s == ERR_INVALID) {
            known->asked_us = now_us;
            snprintf(known->why, sizeof known->why, "%s", err->text);
        }
        if (s != OK)
            return s;
    }
    *out = known->schema;
    return OK;
}
