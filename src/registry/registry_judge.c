/* What a registry would say if a level were set that is not: it is asked for the versions that there are, and the
 * judgement is made here, by Avro's rules. Versions are asked for by number and schemas by id, which are kept. */
#include <stdio.h>

#include "base/json_scan.h"
#include "registry/registry_inside.h"

#define VERSIONS_MAX REGISTRY_SCHEMAS_MAX

struct versions {
    uint32_t numbers[VERSIONS_MAX];
    size_t count;
};

/* [1,2,5], in this order. None: there is no such subject. */
static enum status ask_versions(struct registry *registry, const char *subject, struct versions *out, struct error *err)
{
    char what[REGISTRY_SUBJECT_MAX + 16];
    struct slice answer;
    struct json_walk walk;
    snprintf(what, sizeof what, "subject %s", subject);
    out->count = 0;
    enum status s = registry_ask(registry, "GET", registry_path(registry, "/subjects/", subject, "/versions"),
                                 (struct slice){ 0 }, what, &answer, err);
    if (s != OK)
        return s == ERR_NOT_FOUND ? OK : s;
    for (json_walk_begin(&walk, answer); json_walk_next(&walk); out->count++) {
        if (out->count == VERSIONS_MAX)
            return error_set(err, ERR_FULL, "subject %s has more than %d versions", subject, VERSIONS_MAX);
        if (!registry_number(walk.value, &out->numbers[out->count]))
            return registry_no_sense(registry, subject, err);
    }
    return walk.bad || walk.object ? registry_no_sense(registry, subject, err) : OK;
}

static enum status ask_version(struct registry *registry, const char *subject, uint32_t version,
                               const struct avro_schema **out, struct error *err)
{
    char what[REGISTRY_SUBJECT_MAX + 32], behind[32];
    struct slice answer, text;
    uint32_t id;
    snprintf(what, sizeof what, "subject %s, version %u", subject, version);
    snprintf(behind, sizeof behind, "/versions/%u", version);
    enum status s = registry_ask(registry, "GET", registry_path(registry, "/subjects/", subject, behind),
                                 (struct slice){ 0 }, what, &answer, err);
    if (s != OK)
        return s == ERR_NOT_FOUND ? error_wrap(err, ERR_RETRY, "it went away meanwhile") : s;
    if (!json_find(answer, "id", &text) || !registry_number(text, &id))
        return registry_no_sense(registry, subject, err);
    return registry_schema(registry, id, out, err);
}

static enum status judge(const struct avro_schema *now, const struct avro_schema *there, const char *level,
                         struct error *err)
{
    const bool full = strncmp(level, "FULL", 4) == 0;
    enum status s = OK;
    if (full || strncmp(level, "BACKWARD", 8) == 0)
        s = avro_can_read(now, there, err);
    if (s == OK && (full || strncmp(level, "FORWARD", 7) == 0))
        s = avro_can_read(there, now, err);
    return s;
}

static enum status judge_all(struct registry *registry, const char *subject, const struct avro_schema *now,
                             const char *level, const struct versions *versions, struct error *err)
{
    const size_t first = registry_compares_all(level) || !versions->count ? 0 : versions->count - 1;
    for (size_t i = versions->count; i > first; i--) {
        const struct avro_schema *there;
        enum status s = ask_version(registry, subject, versions->numbers[i - 1], &there, err);
        if (s == OK)
            s = judge(now, there, level, err);
        if (s == ERR_INVALID)
            return error_wrap(err, s, "subject %s: by %s it would be incompatible with version %u", subject, level,
                              versions->numbers[i - 1]);
        if (s != OK)
            return s;
    }
    return OK;
}

enum status registry_check_as_if(struct registry *registry, const char *subject, struct slice schema, const char *level,
                                 struct error *err)
{
    struct versions versions;
    struct avro_schema *now = NULL;
    if (strcmp(level, "NONE") == 0)
        return OK;
    enum status s = ask_versions(registry, subject, &versions, err);
    if (s == OK && versions.count)
        s = avro_schema_parse(schema, &now, err);
    if (s == OK && versions.count)
        s = judge_all(registry, subject, now, level, &versions, err);
    avro_schema_free(now);
    return s;
}
