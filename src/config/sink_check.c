#include "config/sink_check.h"

#include <stdarg.h>
#include <stdio.h>

#include "world/path.h"

struct checking {
    const struct config *config;
    struct problems *problems;
    size_t sink; /* which one is looked at */
};

/* Where the key is written, or else where the sink begins. */
static const struct config_origin *origin_of(const struct checking *checking, const char *key)
{
    const struct config_origin *origins = checking->config->sink_origins[checking->sink], *first = NULL;
    for (size_t i = 0; i < SINK_SETTINGS.count; i++) {
        if (strcmp(SINK_SETTINGS.rows[i].key, key) == 0 && origins[i].file[0])
            return &origins[i];
        if (origins[i].file[0] && (!first || origins[i].line < first->line))
            first = &origins[i];
    }
    return first ? first : &origins[0];
}

PRINTF_LIKE(3, 4) static void tell(const struct checking *checking, const char *key, const char *format, ...)
{
    char message[ERROR_TEXT_MAX];
    const struct config_origin *origin = origin_of(checking, key);
    int n = snprintf(message, sizeof message, "sinks.%s: ", checking->config->settings.sinks[checking->sink].name);
    va_list list;
    va_start(list, format);
    vsnprintf(message + n, sizeof message - (size_t)n, format, list);
    va_end(list);
    const struct problem problem = {
        .file = origin->file, .line = origin->line, .column = 1, .message = message, .source = SLICE("")
    };
    problems_add(checking->problems, &problem);
}

static void check_place(const struct checking *checking)
{
    const struct settings *settings = &checking->config->settings;
    const struct sink_settings *sink = &settings->sinks[checking->sink];
    const bool kafka = strcmp(sink->kind, "kafka") == 0;
    if (kafka && !sink->topic[0])
        tell(checking, "kind", "kind is kafka, and topic must name the topic that results go to");
    if (kafka && !sink->brokers[0] && !settings->kafka_brokers[0])
        tell(checking, "kind", "kind is kafka, and brokers must say where the topic is: HOST:PORT,…");
    if (strcmp(sink->kind, "file") == 0 && !sink->path[0])
        tell(checking, "kind", "kind is file, and path must say which one");
    if (strcmp(sink->kind, "library") == 0 && !sink->library[0])
        tell(checking, "kind", "kind is library, and library must name a shared object");
}

/* Each cuts off what stands behind its own last line, when it begins again: the other's lines. */
static void check_path(const struct checking *checking)
{
    const struct settings *settings = &checking->config->settings;
    const struct sink_settings *sink = &settings->sinks[checking->sink];
    if (strcmp(sink->kind, "file") != 0 || !sink->path[0])
        return;
    for (size_t i = 0; i < checking->sink; i++)
        if (strcmp(settings->sinks[i].kind, "file") == 0 && path_is_same_file(settings->sinks[i].path, sink->path))
            tell(checking, "path", "%s is the file of sinks.%s already: a file is one sink's alone", sink->path,
                 settings->sinks[i].name);
}

static void check_format(const struct checking *checking)
{
    const struct settings *settings = &checking->config->settings;
    const struct sink_settings *sink = &settings->sinks[checking->sink];
    const char *registry = sink->registry[0] ? sink->registry : settings->registry_url;
    if (strcmp(sink->format, "avro") != 0)
        return;
    if (strcmp(sink->kind, "kafka") != 0)
        tell(checking, "format", "format avro is for kind kafka; a %s gets JSON", sink->kind);
    else if (!registry[0])
        tell(checking, "format",
             "format is avro, and registry (or the setting registry.url) must say where schemas go");
    else if (strncmp(registry, "http://", 7) != 0 && strncmp(registry, "https://", 8) != 0)
        tell(checking, sink->registry[0] ? "registry" : "format", "'%s' is not an address such as http://registry:8081",
             registry);
    const bool is_one = !strchr(sink->results, ',') && strcmp(sink->results, "events") != 0;
    if (strcmp(sink->subjects, "topic") == 0 && !is_one)
        tell(checking, "subjects",
             "subjects: topic is for one kind of results other than events: each kind has a schema of its own, and a "
             "subject has one");
}

/* They go with the address, as in the platform's own: a password does not go to a registry that it was not given for.
 */
static void check_registry_user(const struct checking *checking)
{
    const struct sink_settings *sink = &checking->config->settings.sinks[checking->sink];
    const char *key = sink->registry_user[0] ? "registry_user" : "registry_password";
    if (!sink->registry[0] && (sink->registry_user[0] || sink->registry_password[0]))
        tell(checking, key,
             "%s is for the sink's own registry, and registry must say where that is; the platform's registry.url goes "
             "with registry.user and registry.password",
             key);
}

static bool has_window(const struct domain_set *domains, struct slice name)
{
    for (size_t i = 0; i < domains->window_count; i++)
        if (slice_equal(name, domains->windows[i].name))
            return true;
    return false;
}

static struct slice closest_window(const struct domain_set *domains, struct slice name)
{
    struct slice best = { 0 };
    size_t best_distance = name.n / 3 + 2;
    for (size_t i = 0; i < domains->window_count; i++) {
        size_t distance = slice_distance(name, domains->windows[i].name);
        if (distance < best_distance) {
            best_distance = distance;
            best = domains->windows[i].name;
        }
    }
    return best;
}

static void check_windows(const struct checking *checking, const struct domain_set *domains)
{
    struct slice rest = slice_from(checking->config->settings.sinks[checking->sink].windows);
    while (rest.n) {
        const char *comma = memchr(rest.p, ',', rest.n);
        size_t n = comma ? (size_t)(comma - rest.p) : rest.n;
        struct slice name = slice_trim(slice_of(rest.p, n));
        rest = slice_after(rest, comma ? n + 1 : n);
        struct slice closest = closest_window(domains, name);
        if (name.n && !has_window(domains, name))
            tell(checking, "windows", "there is no window %.*s%s%.*s%s", SLICE_ARG(name),
                 closest.n ? "; did you mean " : "", SLICE_ARG(closest), closest.n ? "?" : " in any of the domains");
    }
}

enum status sinks_check(const struct config *config, const struct domain_set *domains, struct problems *problems,
                        struct error *err)
{
    const size_t before = problems->count;
    struct checking checking = { config, problems, 0 };
    for (; checking.sink < config->settings.sink_count; checking.sink++) {
        check_place(&checking);
        check_path(&checking);
        check_format(&checking);
        check_registry_user(&checking);
        check_windows(&checking, domains);
    }
    size_t count = problems->count - before;
    return count ? error_set(err, ERR_INVALID, "%zu mistake%s in the sinks", count, count == 1 ? "" : "s") : OK;
}
