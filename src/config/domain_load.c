/* Reads the files in the order of their names, each into the same lists, so that names are unique over all of them;
 * when nothing was wrong, the lists become one const set in one arena. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include "config/config.h"
#include "config/dimension_fill.h"
#include "config/dimension_rows.h"
#include "config/domain_reader.h"
#include "world/disk.h"

#define FILE_NAME_MAX 128

/* What domain_set_free frees: the set stands first, so that both have one address. */
struct owned_set {
    struct domain_set set;
    struct arena arena, tables_arena;
    struct field_plan fields;
    struct domain domains[DOMAINS_MAX];
    struct window windows[WINDOWS_MAX];
    struct transform transforms[TRANSFORMS_MAX];
    struct event_type event_types[EVENT_TYPES_MAX];
    struct dimension_table tables[DIMENSION_TABLES_MAX];
    struct lookup_table lookups[DIMENSION_TABLES_MAX];
};

struct loading {
    char directory[DISK_PATH_MAX];
    struct world *world;
    struct owned_set *owned;
    struct domain_build build;
    struct field_plan scratch;
    struct problems *problems;
    size_t problem_count;
    char names[DOMAINS_MAX][FILE_NAME_MAX];
    size_t name_count;
    bool too_many;
    uint64_t digest;
};

static bool ends_with(const char *name, const char *end)
{
    size_t n = strlen(name), m = strlen(end);
    return n > m && strcmp(name + n - m, end) == 0;
}

static void visit(void *self, const char *name)
{
    struct loading *loading = self;
    bool yaml = ends_with(name, ".yaml") || ends_with(name, ".yml");
    if (!yaml || name[0] == '.')
        return;
    if (loading->name_count == DOMAINS_MAX || strlen(name) >= FILE_NAME_MAX)
        loading->too_many = true;
    else
        memcpy(loading->names[loading->name_count++], name, strlen(name) + 1);
}

static void add_digest(struct loading *loading, struct slice text)
{
    loading->digest = XXH3_64bits_withSeed(text.p, text.n, loading->digest);
}

static void read_text(struct loading *loading, const char *path, struct slice text)
{
    struct domain_build *build = &loading->build;
    struct domain *domain = &loading->owned->domains[build->domain_count++];
    *domain = (struct domain){ .file = arena_copy(build->arena, slice_from(path)),
                               .text = arena_copy(build->arena, text),
                               .compatibility = EVENT_COMPATIBLE_BACKWARD };
    struct domain_reader reader = {
        .file = { .name = path, .text = text, .problems = loading->problems, .hides = settings_hide_line },
        .build = build,
        .directory = loading->directory,
        .world = loading->world,
        .domain = domain
    };
    domain_read_file(&reader);
    add_digest(loading, slice_from(path));
    add_digest(loading, text);
    loading->problem_count += reader.file.count;
}

static enum status read_files(struct loading *loading, struct error *err)
{
    for (size_t i = 0; i < loading->name_count; i++) {
        char path[DISK_PATH_MAX + FILE_NAME_MAX + 1], *text;
        size_t n;
        snprintf(path, sizeof path, "%s/%s", loading->directory, loading->names[i]);
        enum status s = disk_read_whole(loading->world->disk, path, CONFIG_FILE_BYTES_MAX, &text, &n, err);
        if (s != OK)
            return s;
        read_text(loading, path, slice_of(text, n));
        free(text);
    }
    return OK;
}

static void begin(struct loading *loading)
{
    struct owned_set *owned = calloc(1, sizeof *owned);
    if (!owned)
        abort();
    arena_init(&owned->arena, DOMAIN_SET_BYTES_MAX);
    arena_init(&owned->tables_arena, DIMENSION_BYTES_MAX);
    field_plan_init(&owned->fields, &owned->arena);
    loading->owned = owned;
    loading->build = (struct domain_build){ .arena = &owned->arena,
                                            .fields = &owned->fields,
                                            .scratch = &loading->scratch,
                                            .domains = owned->domains,
                                            .windows = owned->windows,
                                            .transforms = owned->transforms,
                                            .event_types = owned->event_types,
                                            .tables = owned->tables,
                                            .lookups = owned->lookups,
                                            .tables_arena = &owned->tables_arena };
}

/* Tables of domains for the others: who may not see them stands in the other domains. */
static void close_tables(struct owned_set *owned)
{
    for (size_t i = 0; i < owned->set.table_count; i++) {
        struct dimension_table *table = &owned->tables[i];
        if (!table->for_others)
            continue;
        table->tenants = owned->set.named;
        table->tenant_count = owned->set.named_count;
        table->digest = dimension_tenants_digest(table, table->digest);
    }
}

static struct domain_set *finish(struct loading *loading)
{
    for (size_t i = 0; i < loading->build.transform_count; i++) /* scripts in files of their own */
        add_digest(loading, loading->build.transforms[i].lua);
    for (size_t i = 0; i < loading->build.table_count; i++)
        add_digest(loading, slice_of(&loading->owned->tables[i].digest, sizeof loading->owned->tables[i].digest));
    const struct domain_build *build = &loading->build;
    struct owned_set *owned = loading->owned;
    owned->set = (struct domain_set){
        .domains = owned->domains,
        .domain_count = build->domain_count,
        .windows = owned->windows,
        .window_count = build->window_count,
        .transforms = owned->transforms,
        .transform_count = build->transform_count,
        .event_types = owned->event_types,
        .event_type_count = build->event_type_count,
        .tables = owned->tables,
        .table_count = build->table_count,
        .fields = &owned->fields,
        .digest = loading->digest,
    };
    if (!domain_resolve_tenants(&owned->set, &owned->arena))
        return NULL;
    close_tables(owned);
    loading->owned = NULL;
    return &owned->set;
}

static enum status list_files(struct loading *loading, struct error *err)
{
    struct disk *disk = loading->world->disk;
    enum status s = disk->ops->list(disk, loading->directory, visit, loading, err);
    if (s != OK && s != ERR_NOT_FOUND)
        return s;
    if (loading->too_many)
        return error_set(err, ERR_INVALID, "%s: at most %d files, with names below %d bytes", loading->directory,
                         DOMAINS_MAX, FILE_NAME_MAX);
    return OK;
}

static enum status judge(const struct loading *loading, struct error *err)
{
    if (!loading->problem_count)
        return OK;
    return error_set(err, ERR_INVALID, "%zu mistake%s in the domains", loading->problem_count,
                     loading->problem_count == 1 ? "" : "s");
}

static enum status load(struct loading *loading, struct error *err)
{
    enum status s = loading->name_count ? OK : list_files(loading, err);
    if (s == OK)
        s = read_files(loading, err);
    return s == OK ? judge(loading, err) : s;
}

static struct loading *loading_new(struct world *world, struct problems *problems)
{
    struct loading *loading = calloc(1, sizeof *loading);
    if (!loading)
        abort();
    loading->world = world;
    loading->problems = problems;
    begin(loading);
    return loading;
}

static enum status end(struct loading *loading, enum status s, struct domain_set **out, struct error *err)
{
    struct domain_set *made = s == OK ? finish(loading) : NULL;
    if (made)
        *out = made;
    else if (s == OK)
        s = error_set(err, ERR_FULL, "the domains are too large");
    if (loading->owned)
        domain_set_free(&loading->owned->set);
    free(loading);
    return s;
}

enum status domain_set_load(const char *directory, struct world *world, struct domain_set **out,
                            struct problems *problems, struct error *err)
{
    struct loading *loading = loading_new(world, problems);
    snprintf(loading->directory, sizeof loading->directory, "%s/domains", directory);
    return end(loading, load(loading, err), out, err);
}

enum status domain_set_load_file(const char *path, struct world *world, struct domain_set **out,
                                 struct problems *problems, struct error *err)
{
    struct loading *loading = loading_new(world, problems);
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    snprintf(loading->directory, sizeof loading->directory, "%.*s", slash ? (int)(slash - path) : 1,
             slash ? path : ".");
    snprintf(loading->names[0], FILE_NAME_MAX, "%s", name);
    loading->name_count = 1;
    return end(loading, load(loading, err), out, err);
}

enum status domain_set_load_text(const char *name, struct slice text, struct world *world, struct domain_set **out,
                                 struct problems *problems, struct error *err)
{
    struct loading *loading = loading_new(world, problems);
    snprintf(loading->directory, sizeof loading->directory, ".");
    read_text(loading, name, text);
    return end(loading, judge(loading, err), out, err);
}

static const struct domain *domain_of(const struct domain_set *set, struct slice name)
{
    for (size_t i = 0; i < set->domain_count; i++)
        if (slice_equal(set->domains[i].name, name))
            return &set->domains[i];
    return NULL;
}

void domain_set_problem(const struct domain_set *set, struct slice domain, size_t at, size_t width,
                        struct problems *problems, const char *format, ...)
{
    const struct domain *found = domain_of(set, domain);
    char message[ERROR_TEXT_MAX], name[DISK_PATH_MAX];
    va_list arguments;
    snprintf(name, sizeof name, "%.*s", SLICE_ARG(found ? found->file : domain));
    struct yaml_file file = { .name = name, .problems = problems, .hides = settings_hide_line };
    if (found)
        file.text = found->text;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    yaml_problem(&file, at, width, "%s", message);
}

void domain_set_drop_rows(struct domain_set *set)
{
    struct owned_set *owned = (struct owned_set *)(void *)set;
    for (size_t i = 0; i < set->table_count; i++) {
        struct lookup_table *lookup = &owned->lookups[i];
        struct dimension_place *place = owned->tables[i].place;
        lookup->rows = NULL;
        lookup->row_count = 0;
        lookup->slots = NULL;
        lookup->slot_count = 0;
        if (!place)
            continue;
        dimension_fill_free(place->fill);
        place->fill = NULL;
    }
    arena_done(&owned->tables_arena);
}

void domain_set_free(struct domain_set *set)
{
    if (!set)
        return;
    struct owned_set *owned = (struct owned_set *)(void *)set;
    for (size_t i = 0; i < COUNT_OF(owned->tables); i++)
        dimension_fill_free(owned->tables[i].place ? owned->tables[i].place->fill : NULL);
    arena_done(&owned->arena);
    arena_done(&owned->tables_arena);
    free(owned);
}
