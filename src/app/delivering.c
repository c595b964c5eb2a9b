/* A sink that is taken out of the configuration must not hold the journal for ever, so DATA/sinks has the names of
 * those with a mark, a line each: what is there and not configured any more is forgotten at start. */
#include "app/delivering.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "app/parts.h"
#include "base/buf.h"
#include "base/log.h"
#include "deliver/deliver.h"
#include "journal/journal.h"
#include "schema/schema.h"
#include "world/disk.h"
#include "world/world.h"

#define DRAIN_WAIT_MS 2000
#define LIST_BYTES_MAX (64u << 10)

struct delivering {
    struct world *world;
    uint16_t orders;
    size_t count;
    struct buf schema_text;
    struct target_schema *schemas; /* of the event types, in Avro */
    size_t schema_count;
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

/* False: not now, it stays in the list. */
static bool forget(const char *name, struct journal *journal)
{
    struct error err;
    for (uint16_t order = 0; order < journal->orders; order++) {
        if (delivery_forget(name, partition_of(journal, order), journal, &err) == OK)
            continue;
        log_warn("sink.forget", "sink=%s %s", name, err.text);
        return false;
    }
    log_info("sink.forgotten", "sink=%s it is no longer configured, and holds the journal no more", name);
    return true;
}

static enum status settle_list(const struct delivering_options *options, struct journal *journal, struct world *world,
                               struct error *err)
{
    AUTO(buf) struct buf list;
    char path[DISK_PATH_MAX], *there = NULL;
    size_t n = 0;
    snprintf(path, sizeof path, "%s/sinks", options->data_path);
    enum status s = disk_read_whole(world->disk, path, LIST_BYTES_MAX, &there, &n, err);
    if (s != OK && s != ERR_NOT_FOUND)
        return s;
    buf_init(&list, 2 * LIST_BYTES_MAX);
    for (size_t i = 0; i < options->settings->sink_count; i++)
        buf_add_format(&list, "%s\n", options->settings->sinks[i].name);
    char *rest = NULL;
    for (char *name = there ? strtok_r(there, "\n", &rest) : NULL; name; name = strtok_r(NULL, "\n", &rest))
        if (!is_configured(options->settings, slice_from(name)) && !forget(name, journal))
            buf_add_format(&list, "%s\n", name);
    free(there);
    return list.n || n ? disk_replace(world->disk, path, list.p, list.n, err) : OK;
}

/* Texts behind one another, each with a NUL; the pointers into them follow when they no longer move. */
static void make_schemas(struct delivering *delivering, const struct domain_set *domains)
{
    struct buf *text = &delivering->schema_text;
    buf_init(text, SCHEMA_BYTES_MAX);
    delivering->schemas = calloc(domains->event_type_count + 1, sizeof *delivering->schemas);
    if (!delivering->schemas)
        abort();
    for (size_t i = 0; i < domains->event_type_count; i++) {
        const struct event_type *type = &domains->event_types[i];
        buf_add_slice(text, type->name);
        buf_add_char(text, '\0');
        avro_add_record(text, type);
        buf_add_char(text, '\0');
    }
    delivering->schema_count = text->full ? 0 : domains->event_type_count;
    const char *at = text->p;
    for (size_t i = 0; i < delivering->schema_count; i++) {
        delivering->schemas[i].event_type = at;
        delivering->schemas[i].schema = at += strlen(at) + 1;
        at += strlen(at) + 1;
    }
}

static enum status open_one(struct delivering *delivering, const struct delivering_options *options,
                            const struct sink_settings *sink, uint16_t order, struct journal *journal,
                            struct metrics *metrics, struct error *err)
{
    struct delivery_options made;
    struct running *running = &delivering->running[delivering->count];
    parts_delivery_options(options->settings, sink, &made);
    made.partition = partition_of(journal, order);
    made.target.order = order;
    made.target.orders = journal->orders;
    made.target.journal = options->journal_name;
    made.target.avro.types = delivering->schemas;
    made.target.avro.type_count = delivering->schema_count;
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
    delivering->world = world;
    delivering->orders = journal->orders;
    *out = delivering; /* also when it fails: what runs is to be stopped */
    *out_exit_code = EX_IOERR;
    make_schemas(delivering, options->domains);
    enum status s = settle_list(options, journal, world, err);
    for (size_t i = 0; i < options->settings->sink_count && s == OK; i++) {
        *out_exit_code = EX_CONFIG;
        for (uint16_t order = 0; order < journal->orders && s == OK; order++)
            s = open_one(delivering, options, &options->settings->sinks[i], order, journal, metrics, err);
    }
    return s;
}

void delivering_look(struct delivering *delivering)
{
    for (size_t i = 0; delivering && i < delivering->count; i++)
        delivery_look(delivering->running[i].delivery);
}

void delivering_stop(struct delivering *delivering)
{
    if (!delivering)
        return;
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
    buf_done(&delivering->schema_text);
    free(delivering->schemas);
    free(delivering);
}
