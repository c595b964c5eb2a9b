/* The subjects' half: what is written under which name. Registering is a POST that gives the id of what is there
 * already, so a repeat after a broken connection does no harm. */
#include <stdio.h>
#include <xxhash.h>

#include "base/json_scan.h"
#include "base/json_text.h"
#include "registry/registry_inside.h"

/* ---- names ---- */

enum subject_strategy subject_strategy_of(const char *name)
{
    if (strcmp(name, "topic") == 0)
        return SUBJECT_TOPIC;
    return strcmp(name, "record") == 0 ? SUBJECT_RECORD : SUBJECT_TOPIC_RECORD;
}

/* NAMESPACE.RECORD; texts without quotes have nothing escaped in Avro's names. */
static bool add_record_name(struct buf *out, struct slice schema)
{
    struct slice name, space;
    if (!json_find(schema, "name", &name) || name.n <= 2)
        return false;
    if (json_find(schema, "namespace", &space) && space.n > 2)
        buf_add_format(out, "%.*s.", (int)space.n - 2, space.p + 1);
    buf_add(out, name.p + 1, name.n - 2);
    return true;
}

enum status subject_name(enum subject_strategy strategy, const char *topic, struct slice schema,
                         char out[REGISTRY_SUBJECT_MAX], struct error *err)
{
    AUTO(buf) struct buf text;
    bool named = true;
    buf_init(&text, REGISTRY_SUBJECT_MAX - 1);
    if (strategy != SUBJECT_RECORD)
        buf_add_format(&text, "%s-", topic);
    if (strategy == SUBJECT_TOPIC)
        buf_add_text(&text, "value");
    else
        named = add_record_name(&text, schema);
    if (!named)
        return error_set(err, ERR_INVALID, "the schema is of no record with a name");
    if (text.full)
        return error_set(err, ERR_INVALID, "the subject's name is longer than %d bytes", REGISTRY_SUBJECT_MAX);
    snprintf(out, REGISTRY_SUBJECT_MAX, "%s", buf_text(&text));
    return OK;
}

/* ---- questions ---- */

const char *registry_path(struct registry *registry, const char *before, const char *subject, const char *behind)
{
    static const char PLAIN[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    buf_reset(&registry->path);
    buf_add_text(&registry->path, before);
    for (const char *at = subject; *at; at++)
        if (strchr(PLAIN, *at))
            buf_add_char(&registry->path, *at);
        else
            buf_add_format(&registry->path, "%%%02X", (unsigned char)*at);
    buf_add_text(&registry->path, behind);
    return buf_text(&registry->path);
}

static struct slice body_of(struct registry *registry, struct slice schema)
{
    buf_reset(&registry->body);
    buf_add_char(&registry->body, '{');
    json_add_field(&registry->body, "schema", schema);
    buf_add_char(&registry->body, '}');
    return buf_slice(&registry->body);
}

static enum status post_schema(struct registry *registry, const char *path, const char *subject, struct slice schema,
                               struct slice *out, struct error *err)
{
    char what[REGISTRY_SUBJECT_MAX + 16];
    snprintf(what, sizeof what, "subject %s", subject);
    struct slice body = body_of(registry, schema);
    if (registry->body.full)
        return error_set(err, ERR_INVALID, "subject %s: the schema is too large", subject);
    return registry_ask(registry, "POST", path, body, what, out, err);
}

static bool number_of(struct slice answer, const char *name, uint32_t *out)
{
    struct slice text;
    return json_find(answer, name, &text) && registry_number(text, out);
}

enum status registry_register(struct registry *registry, const char *subject, struct slice schema, uint32_t *out_id,
                              struct error *err)
{
    const uint64_t hash = XXH3_64bits_withSeed(schema.p, schema.n, XXH3_64bits(subject, strlen(subject)));
    struct slice answer;
    for (size_t i = 0; i < registry->written_count; i++)
        if (registry->written[i].hash == hash) {
            *out_id = registry->written[i].id;
            return OK;
        }
    if (registry->written_count == REGISTRY_SCHEMAS_MAX)
        return error_set(err, ERR_FULL, "more than %d schemas are written", REGISTRY_SCHEMAS_MAX);
    enum status s = post_schema(registry, registry_path(registry, "/subjects/", subject, "/versions"), subject, schema,
                                &answer, err);
    if (s != OK)
        return s == ERR_NOT_FOUND ? error_wrap(err, ERR_IO, "register") : s;
    if (!number_of(answer, "id", out_id))
        return registry_no_sense(registry, subject, err);
    registry->written[registry->written_count++] = (struct registry_written){ hash, *out_id };
    return OK;
}

enum status registry_find(struct registry *registry, const char *subject, struct slice schema,
                          struct registry_version *out, struct error *err)
{
    struct slice answer;
    struct registry_version found = { 0 };
    enum status s =
        post_schema(registry, registry_path(registry, "/subjects/", subject, ""), subject, schema, &answer, err);
    if (s != OK)
        return s;
    if (!number_of(answer, "id", &found.id))
        return registry_no_sense(registry, subject, err);
    (void)number_of(answer, "version", &found.version);
    *out = found;
    return OK;
}

/* {"is_compatible":false,"messages":["…"]}, of Apicurio's with "reason":"…" in their place */
static enum status verdict(const struct registry *registry, const char *subject, const char *level, struct slice answer,
                           struct error *err)
{
    struct slice compatible, messages, reason;
    struct json_walk walk;
    AUTO(buf) struct buf words;
    buf_init(&words, 1024);
    if (!json_find(answer, "is_compatible", &compatible))
        return registry_no_sense(registry, subject, err);
    if (slice_equal(compatible, SLICE("true")))
        return OK;
    if (json_find(answer, "messages", &messages))
        for (json_walk_begin(&walk, messages); json_walk_next(&walk) && !words.full;) {
            buf_add_text(&words, words.n ? "; " : "");
            if (!json_scan_string(walk.value, &words))
                buf_add_slice(&words, walk.value);
        }
    if (json_find(answer, "reason", &reason) && !json_scan_string(reason, &words))
        buf_reset(&words);
    return error_set(err, ERR_INVALID, "schema registry %s: subject %s: it is incompatible with %s%s%s", registry->url,
                     subject, registry_compares_all(level) ? "one of its versions" : "the latest version",
                     words.n ? ": " : "", words.n ? buf_text(&words) : "");
}

bool registry_compares_all(const char *level)
{
    return strstr(level, "_TRANSITIVE") != NULL;
}

/* Without a number, Confluent's asks what the level wants, and Apicurio always all versions: so the level decides here.
 */
enum status registry_check(struct registry *registry, const char *subject, struct slice schema, const char *level,
                           struct error *err)
{
    struct slice answer;
    const char *path =
        registry_path(registry, "/compatibility/subjects/", subject,
                      registry_compares_all(level) ? "/versions?verbose=true" : "/versions/latest?verbose=true");
    enum status s = post_schema(registry, path, subject, schema, &answer, err);
    if (s == ERR_NOT_FOUND)
        return OK;
    return s == OK ? verdict(registry, subject, level, answer, err) : s;
}

enum status registry_compatibility(struct registry *registry, const char *subject, char out[REGISTRY_LEVEL_MAX],
                                   struct error *err)
{
    char what[REGISTRY_SUBJECT_MAX + 32];
    struct slice answer, level = SLICE("");
    snprintf(what, sizeof what, "compatibility of subject %s", subject);
    const char *path = registry_path(registry, "/config/", subject, "?defaultToGlobal=true");
    enum status s = registry_ask(registry, "GET", path, (struct slice){ 0 }, what, &answer, err);
    if (s == ERR_NOT_FOUND) /* no such subject, or none with a level of its own */
        s = registry_ask(registry, "GET", "/config", (struct slice){ 0 }, what, &answer, err);
    if (s == OK && (!json_find(answer, "compatibilityLevel", &level) || level.p[0] != '"'))
        return registry_no_sense(registry, subject, err);
    if (s == OK)
        snprintf(out, REGISTRY_LEVEL_MAX, "%.*s", (int)level.n - 2, level.p + 1);
    else if (s == ERR_NOT_FOUND)
        out[0] = '\0';
    return s == ERR_NOT_FOUND ? OK : s;
}

enum status registry_set_compatibility(struct registry *registry, const char *subject, const char *level,
                                       struct error *err)
{
    char what[REGISTRY_SUBJECT_MAX + 32];
    struct slice answer;
    snprintf(what, sizeof what, "compatibility of subject %s", subject);
    buf_reset(&registry->body);
    buf_add_char(&registry->body, '{');
    json_add_field(&registry->body, "compatibility", slice_from(level));
    buf_add_char(&registry->body, '}');
    return registry_ask(registry, "PUT", registry_path(registry, "/config/", subject, ""), buf_slice(&registry->body),
                        what, &answer, err);
}
