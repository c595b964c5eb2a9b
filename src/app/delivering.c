/* A sink that is taken out of the configuration must not hold the journal for ever, so DATA/sinks has the names of
 * those with a mark, a line each: what is there and not configured any more is forgotten, by a role of its own. */
#include "app/delivering.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "app/event_schemas.h"
#include "app/parts.h"
#include "base/buf.h"
#include "base/log.h"
#include "deliver/deliver.h"
#include "deliver/forget.h"
#include "journal/journal.h"
#include "schema/schema.h"
#include "world/disk.h"
#include "world/world.h"

#define DRAIN_WAIT_MS 2000
#define LIST_BYTES_MAX (64u << 10)

/* Schemas as they were at one time. */
struct generation {
    struct event_schemas schemas;
    struct target_schemas given; /* to the deliveries */
    struct generation *earlier;  /* which some may still look at */
};

struct delivering {
    struct delivering_options options;
    struct world *world;
    struct forgetting *forgetting;
    struct role_thread *forgetting_thread;
    size_t forgotten; /* how many of them */
    bool all_marked;  /* and noted */
    uint16_t orders;
    size_t count;
    struct generation *schemas; /* the newest; NULL: no sink writes Avro */
    struct running {
        struct delivery *delivery;
        struct role_thread *thread;
    } running[];
};

static bool is_configured(const struct settings *settings, struct slice name)
{
    for (size_t i = 0; i < settings->sink_count; i++)
        if (slice_equal(name, slice_from(settings->sinks[i].name)))
            return true;
    return false;
}

static uint16_t partition_of(const struct journal *journal, uint16_t order)
{
    return journal->orders > 1 ? order : JOURNAL_ALL_PARTITIONS;
}

static void group_of(const char *sink, char to[SINK_NAME_MAX + 8])
{
    snprintf(to, SINK_NAME_MAX + 8, "sink.%s", sink);
}

static enum status write_list(const struct delivering *delivering, struct error *err)
{
    AUTO(buf) struct buf list;
    char path[DISK_PATH_MAX];
    const struct delivering_options *options = &delivering->options;
    snprintf(path, sizeof path, "%s/sinks", options->data_path);
    buf_init(&list, 2 * LIST_BYTES_MAX);
    for (size_t i = 0; i < options->settings->sink_count; i++)
        buf_add_format(&list, "%s\n", options->settings->sinks[i].name);
    for (size_t i = 0; i < forgetting_count(delivering->forgetting); i++)
        if (!forgetting_is_forgotten(delivering->forgetting, i))
            buf_add_format(&list, "%s\n", forgetting_name(delivering->forgetting, i));
    return disk_replace(delivering->world->disk, path, list.p, list.n, err);
}

static enum status settle_list(struct delivering *delivering, struct error *err)
{
    char path[DISK_PATH_MAX], *there = NULL, *rest = NULL;
    size_t n = 0;
    const struct delivering_options *options = &delivering->options;
    snprintf(path, sizeof path, "%s/sinks", options->data_path);
    enum status s = disk_read_whole(delivering->world->disk, path, LIST_BYTES_MAX, &there, &n, err);
    if (s != OK && s != ERR_NOT_FOUND)
        return s;
    for (char *name = there ? strtok_r(there, "\n", &rest) : NULL; name; name = strtok_r(NULL, "\n", &rest))
        if (!is_configured(options->settings, slice_from(name)))
            forgetting_add(delivering->forgetting, name);
    free(there);
    s = n || options->settings->sink_count ? write_list(delivering, err) : OK;
    if (s != OK || forgetting_count(delivering->forgetting) == 0)
        return s;
    struct role role = forgetting_role(delivering->forgetting);
    return role_start(&role, delivering->world, &delivering->forgetting_thread, err);
}

/* What has been forgotten since the last look leaves the lists. */
static void look_at_forgotten(struct delivering *delivering)
{
    struct error err;
    size_t forgotten = 0;
    enum status s = OK;
    for (size_t i = 0; i < forgetting_count(delivering->forgetting); i++)
        forgotten += forgetting_is_forgotten(delivering->forgetting, i);
    if (forgotten == delivering->forgotten)
        return;
    delivering->forgotten = forgotten;
    for (size_t i = 0; i < forgetting_count(delivering->forgetting) && s == OK; i++) {
        char group[SINK_NAME_MAX + 8];
        group_of(forgetting_name(delivering->forgetting, i), group);
        if (forgetting_is_forgotten(delivering->forgetting, i))
            s = marked_remove(delivering->options.marked, group, &err);
    }
    if (s == OK)
        s = write_list(delivering, &err);
    if (s != OK) /* the next start forgets them again */
        log_warn("sink.list_not_written", "%s", err.text);
}

/* A sink is noted once all orders have its mark. */
static void look_at_marks(struct delivering *delivering)
{
    struct error err;
    const struct settings *settings = delivering->options.settings;
    size_t at = 0;
    bool all = true;
    for (size_t i = 0; i < settings->sink_count; i++) {
        char group[SINK_NAME_MAX + 8];
        bool marked = true;
        for (uint16_t order = 0; order < delivering->orders; order++)
            marked &= delivery_has_mark(delivering->running[at++].delivery);
        group_of(settings->sinks[i].name, group);
        if (marked && marked_add(delivering->options.marked, group, &err) != OK)
            log_warn("sink.mark_not_noted", "sink=%s %s", settings->sinks[i].name, err.text);
        all &= marked;
    }
    delivering->all_marked = all;
}

static void free_generations(struct generation *newest)
{
    while (newest) {
        struct generation *earlier = newest->earlier;
        event_schemas_done(&newest->schemas);
        free(newest);
        newest = earlier;
    }
}

/* *out NULL: no sink writes Avro. */
static enum status make_generation(const struct delivering *delivering, const struct domain_set *domains,
                                   struct generation **out, struct error *err)
{
    const struct settings *settings = delivering->options.settings;
    const char *sink = NULL;
    *out = NULL;
    for (size_t i = 0; i < settings->sink_count && !sink; i++)
        if (strcmp(settings->sinks[i].format, "avro") == 0)
            sink = settings->sinks[i].name;
    if (!sink)
        return OK;
    struct generation *made = calloc(1, sizeof *made);
    if (!made)
        abort();
    enum status s = event_schemas_init(&made->schemas, domains, SCHEMA_BYTES_MAX, err);
    if (s != OK) {
        free_generations(made);
        return error_wrap(err, s, "sinks.%s.format", sink);
    }
    made->given = (struct target_schemas){ made->schemas.types, made->schemas.count };
    *out = made;
    return OK;
}

enum status delivering_check_domains(const struct delivering *delivering, const struct domain_set *domains,
                                     struct error *err)
{
    struct generation *made = NULL;
    enum status s = delivering ? make_generation(delivering, domains, &made, err) : OK;
    free_generations(made);
    return s;
}

void delivering_use_domains(struct delivering *delivering, const struct domain_set *domains)
{
    struct generation *made = NULL;
    struct error err;
    enum status s = delivering ? make_generation(delivering, domains, &made, &err) : OK;
    assert(s == OK);
    if (!made)
        return;
    if (event_schemas_equal(&made->schemas, &delivering->schemas->schemas)) { /* windows have changed, say */
        free_generations(made);
        return;
    }
    made->earlier = delivering->schemas;
    delivering->schemas = made;
    for (size_t i = 0; i < delivering->count; i++)
        delivery_use_schemas(delivering->running[i].delivery, &made->given);
}

static void drop_earlier_generations(struct delivering *delivering)
{
    if (!delivering->schemas || !delivering->schemas->earlier)
        return;
    for (size_t i = 0; i < delivering->count; i++)
        if (!delivery_has_newest_schemas(delivering->running[i].delivery))
            return;
    free_generations(delivering->schemas->earlier);
    delivering->schemas->earlier = NULL;
}

static enum status open_one(struct delivering *delivering, const struct delivering_options *options,
                            const struct sink_settings *sink, uint16_t order, struct journal *journal,
                            struct metrics *metrics, struct error *err)
{
    struct delivery_options made;
    struct running *running = &delivering->running[delivering->count];
    char group[SINK_NAME_MAX + 8];
    parts_delivery_options(options->settings, sink, &made);
    group_of(sink->name, group);
    made.had_mark = marked_has(options->marked, group);
    made.partition = partition_of(journal, order);
    made.target.order = order;
    made.target.orders = journal->orders;
    made.target.journal = options->journal_name;
    if (delivering->schemas)
        made.target.avro.schemas = delivering->schemas->given;
    made.untried = order > 0; /* a target that is away takes seconds, and the first one has told what is wrong */
    enum status s = delivery_open(&made, journal, metrics, delivering->world, &running->delivery, err);
    if (s != OK)
        return s;
    delivering->count++;
    struct role role = delivery_role(running->delivery);
    return role_start(&role, delivering->world, &running->thread, err);
}

enum status delivering_open(const struct delivering_options *options, struct journal *journal, struct metrics *metrics,
                            struct world *world, struct delivering **out, int *out_exit_code, struct error *err)
{
    const size_t most = options->settings->sink_count * journal->orders;
    struct delivering *delivering = calloc(1, sizeof *delivering + most * sizeof delivering->running[0]);
    if (!delivering)
        abort();
    delivering->options = *options;
    delivering->world = world;
    delivering->forgetting = forgetting_new(journal, world);
    delivering->orders = journal->orders;
    *out = delivering; /* also when it fails: what runs is to be stopped */
    *out_exit_code = EX_CONFIG;
    enum status s = make_generation(delivering, options->domains, &delivering->schemas, err);
    if (s != OK)
        return s;
    *out_exit_code = EX_IOERR;
    s = settle_list(delivering, err);
    for (size_t i = 0; i < options->settings->sink_count && s == OK; i++) {
        *out_exit_code = EX_CONFIG;
        for (uint16_t order = 0; order < journal->orders && s == OK; order++)
            s = open_one(delivering, options, &options->settings->sinks[i], order, journal, metrics, err);
    }
    return s;
}

void delivering_look(struct delivering *delivering)
{
    if (!delivering)
        return;
    for (size_t i = 0; i < delivering->count; i++)
        delivery_look(delivering->running[i].delivery);
    drop_earlier_generations(delivering);
    look_at_forgotten(delivering);
    if (!delivering->all_marked)
        look_at_marks(delivering);
}

void delivering_stop(struct delivering *delivering)
{
    if (!delivering)
        return;
    role_stop(delivering->forgetting_thread);
    delivering->forgetting_thread = NULL;
    for (size_t i = 0; i < delivering->count; i++)
        delivery_drain(delivering->running[i].delivery);
    int64_t end_us = world_mono_us(delivering->world) + DRAIN_WAIT_MS * INT64_C(1000);
    for (size_t i = 0; i < delivering->count; i++)
        while (!delivery_is_drained(delivering->running[i].delivery) && world_mono_us(delivering->world) < end_us)
            usleep(2000);
    for (size_t i = 0; i < delivering->count; i++)
        delivery_cancel(delivering->running[i].delivery);
    for (size_t i = 0; i < delivering->count; i++)
        role_stop(delivering->running[i].thread);
}

void delivering_close(struct delivering *delivering)
{
    if (!delivering)
        return;
    for (size_t i = 0; i < delivering->count; i++)
        delivery_close(delivering->running[i].delivery);
    forgetting_free(delivering->forgetting);
    free_generations(delivering->schemas);
    free(delivering);
}
