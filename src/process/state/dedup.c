/* Ids live in generations. The active one is a table in memory, and each id in it is appended to a log file once its
 * commit is durable. When the table is full (or an eighth of the horizon old) it is sealed: written to a file that is
 * read a page at a time, with a filter in memory; a fresh table takes over meanwhile. Generations go as a whole once
 * all of their ids are older than the horizon.
 *
 *     active   table + log         count grows
 *     sealing  table + log         count fixed; written once its last id is durable; both are looked up
 *     sealed   file + filter       up to GENERATIONS_MAX
 *
 * Why: an id costs 16 bytes in memory only while its generation is active, 1.5 bytes afterwards; expiry is deleting
 * a file; everything on disk is appended or immutable, so that a checkpoint is a sync and a small manifest.
 *
 * The clock is the one of the last run plus the time this one has been running (monotonic). */
#include "process/state/dedup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal/journal.h"
#include "process/state/dedup_generations.h"
#include "world/world.h"

#define MAINTAIN_BYTES (512u << 10)
#define AHEAD 12 /* ids whose cache lines are on their way while one is looked up */

int64_t dedup_clock_ms(const struct dedup *dedup)
{
    return dedup->clock_base_ms + (world_mono_us(dedup->world) - dedup->mono_base_us) / 1000;
}

void dedup_clock_set(struct dedup *dedup, int64_t ms)
{
    dedup->clock_base_ms = ms;
    dedup->mono_base_us = world_mono_us(dedup->world);
}

const char *dedup_file_name(uint32_t number, int kind, char *to, size_t n)
{
    snprintf(to, n, "dedup-%010u.%s", number, kind == KIND_FILE ? "ids" : "log");
    return to;
}

const char *dedup_file_path(const struct dedup *dedup, uint32_t number, int kind, char path[DISK_PATH_MAX])
{
    char name[40];
    int n = snprintf(path, DISK_PATH_MAX, "%s/%s", dedup->path, dedup_file_name(number, kind, name, sizeof name));
    assert(n < DISK_PATH_MAX);
    return path;
}

/* ---- generations ---- */

void dedup_generation_init(struct dedup *dedup, struct generation *generation, uint32_t number)
{
    *generation = (struct generation){ .number = number, .first_offset = UINT64_MAX };
    id_table_init(&generation->table, dedup->options.memory_bytes_max / 4);
    buf_init(&generation->pending, JOURNAL_COMMIT_BYTES_MAX);
    generation->first_ms = generation->last_ms = dedup_clock_ms(dedup);
    generation->log.broken = true; /* until it is opened */
}

void dedup_generation_done(struct generation *generation)
{
    id_table_done(&generation->table);
    id_log_close(&generation->log);
    buf_done(&generation->pending);
    id_file_close(generation->file);
    *generation = (struct generation){ 0 };
}

/* An empty active generation gets another number. */
void dedup_generation_renew(struct dedup *dedup, uint32_t number)
{
    assert(dedup->active.table.count == 0);
    dedup_generation_done(&dedup->active);
    dedup_generation_init(dedup, &dedup->active, number);
}

/* A log that cannot be opened now stays broken: then the generation is sealed from memory. */
void dedup_log_start(struct dedup *dedup, struct generation *generation)
{
    char path[DISK_PATH_MAX];
    dedup_file_path(dedup, generation->number, KIND_LOG, path);
    if (id_log_open(&generation->log, dedup->world->disk, path, 0, 0, NULL) != OK)
        generation->log.broken = true;
}

static void drop_oldest(struct dedup *dedup, bool early)
{
    assert(dedup->sealed_count > 0);
    if (early) {
        dedup->dropped_early++;
        dedup->dropped_until_ms = dedup->sealed[0].last_ms;
    }
    dedup_generation_done(&dedup->sealed[0]);
    dedup->sealed_count--;
    memmove(dedup->sealed, dedup->sealed + 1, dedup->sealed_count * sizeof dedup->sealed[0]);
}

/* The bounds, with room for a file of more_ids. */
static bool over_bounds(const struct dedup *dedup, uint64_t more_ids)
{
    uint64_t filters = id_file_filter_bytes(more_ids), disk = more_ids * 24;
    for (size_t i = 0; i < dedup->sealed_count; i++) {
        filters += id_file_memory_bytes(dedup->sealed[i].file);
        disk += id_file_disk_bytes(dedup->sealed[i].file);
    }
    return dedup->sealed_count >= DEDUP_GENERATIONS_MAX || filters > dedup->options.memory_bytes_max / 2 ||
           disk > dedup->options.disk_bytes_max;
}

void dedup_drop_due(struct dedup *dedup, uint64_t more_ids)
{
    int64_t oldest_ms = dedup_clock_ms(dedup) - dedup->options.horizon_ms;
    while (dedup->sealed_count && dedup->sealed[0].last_ms < oldest_ms)
        drop_oldest(dedup, false);
    while (dedup->sealed_count && over_bounds(dedup, more_ids))
        drop_oldest(dedup, true);
}

/* The active generation is complete; the next one begins (without a log yet). */
void dedup_rotate(struct dedup *dedup, uint32_t next_number)
{
    assert(dedup->sealing.number == 0);
    dedup->sealing = dedup->active;
    dedup_generation_init(dedup, &dedup->active, next_number);
}

static void sealing_finish(struct dedup *dedup, struct id_file *file)
{
    struct generation *sealing = &dedup->sealing;
    dedup_drop_due(dedup, file->ids);
    struct generation *sealed = &dedup->sealed[dedup->sealed_count++];
    *sealed = (struct generation){ .number = sealing->number,
                                   .first_ms = sealing->first_ms,
                                   .last_ms = sealing->last_ms,
                                   .first_offset = sealing->first_offset,
                                   .file = file };
    dedup_generation_done(sealing);
}

/* One piece of the file of the sealing generation. */
enum status dedup_seal_step(struct dedup *dedup, struct error *err)
{
    struct generation *sealing = &dedup->sealing;
    struct disk *disk = dedup->world->disk;
    struct id_file *file = NULL;
    char path[DISK_PATH_MAX];
    enum status s = OK;
    if (sealing->table.count == 0) {
        dedup_generation_done(sealing);
        return OK;
    }
    dedup_file_path(dedup, sealing->number, KIND_FILE, path);
    if (!dedup->writer)
        s = id_file_writer_open(disk, path, sealing->number, &sealing->table, &dedup->writer, err);
    if (s == OK)
        s = id_file_writer_step(dedup->writer, MAINTAIN_BYTES, &file, err);
    if (s == OK && !file)
        return OK;
    id_file_writer_free(dedup->writer);
    dedup->writer = NULL;
    if (s == OK)
        s = disk->ops->sync_dir(disk, dedup->path, err);
    if (s != OK) {
        id_file_close(file);
        return error_wrap(err, s, "write %s", path);
    }
    sealing_finish(dedup, file);
    return OK;
}

void dedup_rotate_and_log(struct dedup *dedup)
{
    dedup_rotate(dedup, dedup->active.number + 1);
    dedup_log_start(dedup, &dedup->active);
}

bool dedup_may_seal(const struct dedup *dedup)
{
    return dedup->sealing.number && dedup->sealing.durable_ids == dedup->sealing.table.count;
}

/* ---- looking up ---- */

static inline void prefetch(const struct dedup *dedup, struct id128 id)
{
    id_table_prefetch(&dedup->active.table, id);
    if (dedup->sealing.number)
        id_table_prefetch(&dedup->sealing.table, id);
    for (size_t g = 0; g < dedup->sealed_count; g++)
        id_file_prefetch(dedup->sealed[g].file, id);
}

static enum status find_sealed(const struct dedup *dedup, struct id128 id, bool *out_known, struct error *err)
{
    struct id_probe probe = id_probe_of(id);
    *out_known = false;
    for (size_t g = dedup->sealed_count; g-- > 0 && !*out_known;) { /* newest first: repeats are mostly young */
        if (!id_file_may_have(dedup->sealed[g].file, id, &probe))
            continue;
        enum status s = id_file_find(dedup->sealed[g].file, id, out_known, err);
        if (s != OK)
            return s;
    }
    return OK;
}

enum status dedup_check(struct dedup *dedup, const struct id128 *ids, size_t count, bool *out_known, struct error *err)
{
    struct generation *active = &dedup->active;
    struct id128 *added = (struct id128 *)buf_reserve(&active->pending, count * sizeof *added);
    assert(added && active->table.count + count <= active->table.ids_max); /* prepare saw to it */
    size_t added_count = 0;
    for (size_t i = 0; i < count && i < AHEAD; i++)
        prefetch(dedup, ids[i]);
    for (size_t i = 0; i < count; i++) {
        if (i + AHEAD < count)
            prefetch(dedup, ids[i + AHEAD]);
        struct id128 *slot = id_table_slot(&active->table, ids[i]);
        out_known[i] = !id_is_empty(*slot) || (dedup->sealing.number && id_table_has(&dedup->sealing.table, ids[i]));
        if (out_known[i])
            continue;
        enum status s = find_sealed(dedup, ids[i], &out_known[i], err);
        if (s != OK)
            return s;
        if (out_known[i])
            continue;
        *slot = ids[i];
        active->table.count++;
        memcpy(&added[added_count++], &ids[i], sizeof ids[i]);
    }
    active->pending.n += added_count * sizeof *added;
    return OK;
}

struct dedup *dedup_new(const struct dedup_options *options, struct world *world)
{
    struct dedup *dedup = calloc(1, sizeof *dedup);
    if (!dedup)
        abort();
    dedup->state.ops = &dedup_ops;
    dedup->options = *options;
    if (snprintf(dedup->path, sizeof dedup->path, "%s", options->path) >= DISK_PATH_MAX - 64)
        abort();
    dedup->world = world;
    dedup_ops.empty(&dedup->state);
    return dedup;
}

void dedup_free(struct dedup *dedup)
{
    if (!dedup)
        return;
    dedup_ops.empty(&dedup->state);
    dedup_generation_done(&dedup->active);
    free(dedup);
}

struct state *dedup_state(struct dedup *dedup)
{
    return &dedup->state;
}

int64_t dedup_horizon_ms(const struct dedup *dedup)
{
    if (dedup->dropped_until_ms == INT64_MIN)
        return dedup->options.horizon_ms;
    int64_t left_ms = dedup_clock_ms(dedup) - dedup->dropped_until_ms;
    return left_ms < dedup->options.horizon_ms ? left_ms : dedup->options.horizon_ms;
}

uint64_t dedup_ids(const struct dedup *dedup)
{
    uint64_t ids = dedup->active.table.count + dedup->sealing.table.count;
    for (size_t g = 0; g < dedup->sealed_count; g++)
        ids += dedup->sealed[g].file->ids;
    return ids;
}

uint64_t dedup_dropped_early(const struct dedup *dedup)
{
    return dedup->dropped_early;
}
