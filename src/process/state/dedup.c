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
 * A changelog record: 0 u8 STATE_DEDUP  1 u8 version 1  2 u16 0  4 u32 generation  8 i64 clock in ms  16 ids, 16 bytes
 * each. Rotation is decided when running and read from the records when replaying.
 *
 * A section of a manifest: 0 u32 version 1  4 u32 generations  8 i64 clock  16 i64 dropped until (ms of the clock), and
 * for each generation, oldest first: 0 u32 number  4 u32 kind (0 log, 1 file)  8 u64 bytes of the log, or ids of the
 * file  16 u32 checksum (log) or stamp (file)  20 u32 0  24 i64 first ms  32 i64 last ms  40 u64 first changelog offset
 *
 * The clock is the one of the last run plus the time this one has been running (monotonic). */
#include "process/state/dedup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "process/process_output.h"
#include "process/state/id_file.h"
#include "process/state/id_log.h"
#include "world/disk.h"
#include "world/world.h"

#define GENERATIONS_MAX 64
#define MAINTAIN_BYTES (512u << 10)
#define AHEAD 12 /* ids whose cache lines are on their way while one is looked up */

struct generation {
    uint32_t number;
    int64_t first_ms, last_ms;
    uint64_t first_offset; /* of its first changelog record; UINT64_MAX when none is durable yet */
    /* While it is in memory: */
    struct id_table table;
    struct id_log log;
    uint64_t durable_ids;
    struct buf pending; /* added since the last collect */
    /* Once it is sealed: */
    struct id_file *file;
};

struct dedup {
    struct state state;
    struct dedup_options options;
    char path[DISK_PATH_MAX]; /* options.path is not kept */
    struct world *world;
    struct generation active, sealing; /* sealing.number 0: none */
    struct id_file_writer *writer;
    struct generation sealed[GENERATIONS_MAX]; /* oldest first */
    size_t sealed_count;
    int64_t clock_base_ms, mono_base_us;
    int64_t dropped_until_ms; /* of the clock: the newest id that went early; INT64_MIN when none did */
    uint64_t dropped_early;
};

struct __attribute__((packed)) record_header {
    uint8_t state, version;
    uint16_t zero;
    uint32_t generation;
    int64_t clock_ms;
};

struct __attribute__((packed)) section_header {
    uint32_t version, generations;
    int64_t clock_ms, dropped_until_ms;
};

struct __attribute__((packed)) section_generation {
    uint32_t number, kind;
    uint64_t size;
    uint32_t check, zero;
    int64_t first_ms, last_ms;
    uint64_t first_offset;
};

enum { KIND_LOG = 0, KIND_FILE = 1 };

static const struct state_ops dedup_ops;

static struct dedup *dedup_of(struct state *state)
{
    return (struct dedup *)state;
}

static int64_t clock_ms(const struct dedup *dedup)
{
    return dedup->clock_base_ms + (world_mono_us(dedup->world) - dedup->mono_base_us) / 1000;
}

static void clock_set(struct dedup *dedup, int64_t ms)
{
    dedup->clock_base_ms = ms;
    dedup->mono_base_us = world_mono_us(dedup->world);
}

static const char *file_name(uint32_t number, int kind, char *to, size_t n)
{
    snprintf(to, n, "dedup-%010u.%s", number, kind == KIND_FILE ? "ids" : "log");
    return to;
}

static const char *file_path(const struct dedup *dedup, uint32_t number, int kind, char path[DISK_PATH_MAX])
{
    char name[40];
    int n = snprintf(path, DISK_PATH_MAX, "%s/%s", dedup->path, file_name(number, kind, name, sizeof name));
    assert(n < DISK_PATH_MAX);
    return path;
}

/* ---- generations ---- */

static void generation_init(struct dedup *dedup, struct generation *generation, uint32_t number)
{
    *generation = (struct generation){ .number = number, .first_offset = UINT64_MAX };
    id_table_init(&generation->table, dedup->options.memory_bytes_max / 4);
    buf_init(&generation->pending, JOURNAL_COMMIT_BYTES_MAX);
    generation->first_ms = generation->last_ms = clock_ms(dedup);
    generation->log.broken = true; /* until it is opened */
}

static void generation_done(struct generation *generation)
{
    id_table_done(&generation->table);
    id_log_close(&generation->log);
    buf_done(&generation->pending);
    id_file_close(generation->file);
    *generation = (struct generation){ 0 };
}

/* An empty active generation gets another number. */
static void generation_renew(struct dedup *dedup, uint32_t number)
{
    assert(dedup->active.table.count == 0);
    generation_done(&dedup->active);
    generation_init(dedup, &dedup->active, number);
}

/* A log that cannot be opened now stays broken: then the generation is sealed from memory. */
static void log_start(struct dedup *dedup, struct generation *generation)
{
    char path[DISK_PATH_MAX];
    file_path(dedup, generation->number, KIND_LOG, path);
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
    generation_done(&dedup->sealed[0]);
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
    return dedup->sealed_count >= GENERATIONS_MAX || filters > dedup->options.memory_bytes_max / 2 ||
           disk > dedup->options.disk_bytes_max;
}

static void drop_what_must_go(struct dedup *dedup, uint64_t more_ids)
{
    int64_t oldest_ms = clock_ms(dedup) - dedup->options.horizon_ms;
    while (dedup->sealed_count && dedup->sealed[0].last_ms < oldest_ms)
        drop_oldest(dedup, false);
    while (dedup->sealed_count && over_bounds(dedup, more_ids))
        drop_oldest(dedup, true);
}

/* The active generation is complete; the next one begins (without a log yet). */
static void rotate(struct dedup *dedup, uint32_t next_number)
{
    assert(dedup->sealing.number == 0);
    dedup->sealing = dedup->active;
    generation_init(dedup, &dedup->active, next_number);
}

static void sealing_finish(struct dedup *dedup, struct id_file *file)
{
    struct generation *sealing = &dedup->sealing;
    drop_what_must_go(dedup, file->ids);
    struct generation *sealed = &dedup->sealed[dedup->sealed_count++];
    *sealed = (struct generation){ .number = sealing->number,
                                   .first_ms = sealing->first_ms,
                                   .last_ms = sealing->last_ms,
                                   .first_offset = sealing->first_offset,
                                   .file = file };
    generation_done(sealing);
}

/* One piece of the file of the sealing generation. */
static enum status seal_step(struct dedup *dedup, struct error *err)
{
    struct generation *sealing = &dedup->sealing;
    struct disk *disk = dedup->world->disk;
    struct id_file *file = NULL;
    char path[DISK_PATH_MAX];
    enum status s = OK;
    if (sealing->table.count == 0) {
        generation_done(sealing);
        return OK;
    }
    file_path(dedup, sealing->number, KIND_FILE, path);
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

static void rotate_and_log(struct dedup *dedup)
{
    rotate(dedup, dedup->active.number + 1);
    log_start(dedup, &dedup->active);
}

static bool may_seal(const struct dedup *dedup)
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
    *out_known = false;
    for (size_t g = dedup->sealed_count; g-- > 0 && !*out_known;) { /* newest first: repeats are mostly young */
        if (!id_file_may_have(dedup->sealed[g].file, id))
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

/* ---- the state's functions ---- */

static enum status dedup_prepare(struct state *state, size_t records, struct error *err)
{
    struct dedup *dedup = dedup_of(state);
    struct generation *active = &dedup->active;
    bool full = active->table.count + records > active->table.ids_max;
    bool old = active->table.count && clock_ms(dedup) - active->first_ms > dedup->options.horizon_ms / 8;
    bool unlogged = active->table.count && active->log.broken;
    if ((full || old || unlogged) && dedup->sealing.number == 0)
        rotate_and_log(dedup);
    else if (full)
        return error_set(err, ERR_FULL, "generation %u of seen ids is still being written", dedup->sealing.number);
    if (active->table.count == 0)
        active->first_ms = clock_ms(dedup);
    if (!id_table_reserve(&active->table, records))
        return error_set(err, ERR_FULL, "out of memory for the table of seen ids");
    return OK;
}

static enum status collect_generation(struct generation *generation, int64_t now_ms, struct process_stream *changelog,
                                      struct error *err)
{
    struct record_header header = { STATE_DEDUP, 1, 0, generation->number, now_ms };
    if (generation->number == 0 || generation->pending.n == 0)
        return OK;
    char *to = process_stream_record(changelog, sizeof header + generation->pending.n);
    if (!to)
        return error_set(err, ERR_FULL, "the changes of the seen ids do not fit into a commit");
    memcpy(to, &header, sizeof header);
    memcpy(to + sizeof header, generation->pending.p, generation->pending.n);
    generation->last_ms = now_ms;
    buf_reset(&generation->pending);
    return OK;
}

static enum status dedup_collect(struct state *state, struct process_stream *changelog, struct error *err)
{
    struct dedup *dedup = dedup_of(state);
    int64_t now_ms = clock_ms(dedup);
    enum status s = collect_generation(&dedup->sealing, now_ms, changelog, err);
    return s == OK ? collect_generation(&dedup->active, now_ms, changelog, err) : s;
}

static enum status record_parse(struct slice record, struct record_header *out_header, struct slice *out_ids,
                                struct error *err)
{
    if (record.n < sizeof *out_header || (record.n - sizeof *out_header) % sizeof(struct id128))
        return error_set(err, ERR_CORRUPT, "a changelog record of seen ids has %zu bytes", record.n);
    memcpy(out_header, record.p, sizeof *out_header);
    if (out_header->state != STATE_DEDUP || out_header->version != 1 || out_header->generation == 0)
        return error_set(err, ERR_CORRUPT, "a changelog record of seen ids has version %u, this weir reads version 1",
                         out_header->version);
    *out_ids = slice_after(record, sizeof *out_header);
    return OK;
}

static void make_durable(struct generation *generation, struct slice ids, uint64_t count, uint64_t offset)
{
    if (generation->first_offset == UINT64_MAX)
        generation->first_offset = offset;
    generation->durable_ids += count;
    assert(generation->durable_ids <= generation->table.count);
    id_log_add(&generation->log, ids);
}

static void dedup_durable(struct state *state, struct slice record, uint64_t offset)
{
    struct dedup *dedup = dedup_of(state);
    struct record_header header;
    struct slice ids;
    if (record_parse(record, &header, &ids, NULL) != OK)
        abort(); /* collect made it a moment ago */
    bool sealing = header.generation == dedup->sealing.number;
    assert(sealing || header.generation == dedup->active.number);
    make_durable(sealing ? &dedup->sealing : &dedup->active, ids, ids.n / sizeof(struct id128), offset);
}

/* While replaying everything is durable, so that a full generation is sealed on the spot. */
static enum status replay_rotate(struct dedup *dedup, uint32_t number, struct error *err)
{
    if (dedup->sealing.number == 0)
        rotate(dedup, number);
    while (dedup->sealing.number) {
        enum status s = seal_step(dedup, err);
        if (s != OK)
            return s;
    }
    return OK;
}

/* Makes the generation of a replayed record the active one. */
static enum status replay_generation(struct dedup *dedup, uint32_t number, struct error *err)
{
    enum status s = OK;
    if (number <= dedup->active.number)
        return OK;
    if (dedup->active.table.count)
        s = replay_rotate(dedup, number, err);
    else
        generation_renew(dedup, number);
    if (s == OK)
        log_start(dedup, &dedup->active);
    return s;
}

static enum status dedup_apply(struct state *state, struct slice record, uint64_t offset, struct error *err)
{
    struct dedup *dedup = dedup_of(state);
    struct record_header header;
    struct slice ids;
    enum status s = record_parse(record, &header, &ids, err);
    if (s != OK)
        return s;
    s = replay_generation(dedup, header.generation, err);
    if (s != OK)
        return s;
    if (header.generation < dedup->active.number)
        return error_set(err, ERR_CORRUPT, "the changelog goes back from generation %u to %u", dedup->active.number,
                         header.generation);
    struct generation *active = &dedup->active;
    size_t count = ids.n / sizeof(struct id128);
    id_table_allow(&active->table, active->table.count + count); /* the bound may have been larger then */
    if (!id_table_reserve(&active->table, count))
        return error_set(err, ERR_FULL, "out of memory for %zu more seen ids", count);
    for (size_t i = 0; i < count; i++) {
        struct id128 id;
        memcpy(&id, ids.p + i * sizeof id, sizeof id);
        if (id_is_empty(id) || !id_table_add(&active->table, id))
            return error_set(err, ERR_CORRUPT, "the changelog holds an id twice");
    }
    clock_set(dedup, header.clock_ms);
    if (active->table.count == count)
        active->first_ms = header.clock_ms;
    active->last_ms = header.clock_ms;
    make_durable(active, ids, count, offset);
    s = active->log.broken ? OK : id_log_write(&active->log, false, NULL);
    (void)s; /* what a full disk refuses waits, or is sealed from memory */
    return OK;
}

static enum status dedup_maintain(struct state *state, bool *out_more, struct error *err)
{
    struct dedup *dedup = dedup_of(state);
    enum status s = OK;
    *out_more = false;
    if (!dedup->active.log.broken)
        s = id_log_write(&dedup->active.log, false, err);
    else if (dedup->active.table.count == 0)
        log_start(dedup, &dedup->active);
    else if (dedup->sealing.number == 0)
        rotate_and_log(dedup);
    if (s == OK && may_seal(dedup)) {
        s = seal_step(dedup, err);
        *out_more = s == OK && dedup->sealing.number != 0;
    }
    return s;
}

static enum status add_section(struct generation *generation, struct buf *section, struct error *err)
{
    if (generation->number == 0 || (!generation->file && generation->durable_ids == 0))
        return OK;
    struct section_generation out = { .number = generation->number,
                                      .kind = generation->file ? KIND_FILE : KIND_LOG,
                                      .first_ms = generation->first_ms,
                                      .last_ms = generation->last_ms,
                                      .first_offset = generation->first_offset };
    if (generation->file) {
        out.size = generation->file->ids;
        out.check = generation->file->stamp;
    } else {
        enum status s = id_log_write(&generation->log, true, err);
        if (s != OK)
            return s;
        out.size = generation->log.bytes;
        out.check = generation->log.crc;
        assert(out.size == generation->durable_ids * sizeof(struct id128));
    }
    buf_add(section, &out, sizeof out);
    return OK;
}

static enum status dedup_checkpoint(struct state *state, struct buf *section, struct error *err)
{
    struct dedup *dedup = dedup_of(state);
    drop_what_must_go(dedup, 0);
    struct section_header header = { 1, 0, clock_ms(dedup), dedup->dropped_until_ms };
    size_t at = section->n;
    buf_add(section, &header, sizeof header);
    enum status s = OK;
    for (size_t g = 0; g < dedup->sealed_count && s == OK; g++)
        s = add_section(&dedup->sealed[g], section, err);
    if (s == OK)
        s = add_section(&dedup->sealing, section, err);
    if (s == OK)
        s = add_section(&dedup->active, section, err);
    if (s != OK)
        return s;
    header.generations = (uint32_t)((section->n - at - sizeof header) / sizeof(struct section_generation));
    memcpy(section->p + at, &header, sizeof header);
    return OK;
}

static void dedup_empty(struct state *state)
{
    struct dedup *dedup = dedup_of(state);
    id_file_writer_free(dedup->writer);
    dedup->writer = NULL;
    for (size_t g = 0; g < dedup->sealed_count; g++)
        generation_done(&dedup->sealed[g]);
    dedup->sealed_count = 0;
    generation_done(&dedup->sealing);
    generation_done(&dedup->active);
    dedup->dropped_until_ms = INT64_MIN;
    clock_set(dedup, 0);
    generation_init(dedup, &dedup->active, 1);
}

static enum status restore_log(struct dedup *dedup, const struct section_generation *in, struct error *err)
{
    char path[DISK_PATH_MAX];
    struct generation *generation = &dedup->active;
    generation_renew(dedup, in->number);
    file_path(dedup, in->number, KIND_LOG, path);
    enum status s = id_log_load(dedup->world->disk, path, in->size, in->check, &generation->table, err);
    if (s == OK && generation->table.count * sizeof(struct id128) != in->size)
        s = error_set(err, ERR_CORRUPT, "%s holds an id twice", path);
    if (s == OK)
        s = id_log_open(&generation->log, dedup->world->disk, path, in->size, in->check, err);
    generation->durable_ids = generation->table.count;
    return s;
}

static enum status restore_file(struct dedup *dedup, const struct section_generation *in, struct error *err)
{
    char path[DISK_PATH_MAX];
    if (dedup->sealed_count == GENERATIONS_MAX)
        return error_set(err, ERR_CORRUPT, "a checkpoint with more than %d generations", GENERATIONS_MAX);
    struct generation *generation = &dedup->sealed[dedup->sealed_count];
    *generation = (struct generation){ .number = in->number };
    file_path(dedup, in->number, KIND_FILE, path);
    enum status s = id_file_open(dedup->world->disk, path, in->number, in->check, &generation->file, err);
    if (s == OK)
        dedup->sealed_count++;
    return s;
}

static enum status restore_generation(struct dedup *dedup, const struct section_generation *in, struct error *err)
{
    struct generation *generation = &dedup->active;
    enum status s;
    if (in->kind == KIND_FILE) {
        s = restore_file(dedup, in, err);
        if (s != OK)
            return s;
        generation = &dedup->sealed[dedup->sealed_count - 1];
    } else {
        if (dedup->active.table.count) /* the one before was being sealed */
            s = replay_rotate(dedup, in->number, err);
        else
            s = OK;
        if (s == OK)
            s = restore_log(dedup, in, err);
        if (s != OK)
            return s;
    }
    generation->first_ms = in->first_ms;
    generation->last_ms = in->last_ms;
    generation->first_offset = in->first_offset;
    return OK;
}

static enum status section_parse(struct slice section, struct section_header *out, struct error *err)
{
    if (section.n < sizeof *out)
        return error_set(err, ERR_CORRUPT, "the section of seen ids has %zu bytes", section.n);
    memcpy(out, section.p, sizeof *out);
    if (out->version != 1 || section.n != sizeof *out + out->generations * sizeof(struct section_generation))
        return error_set(err, ERR_CORRUPT, "the section of seen ids has version %u and %zu bytes", out->version,
                         section.n);
    return OK;
}

static enum status dedup_restore(struct state *state, struct slice section, struct error *err)
{
    struct dedup *dedup = dedup_of(state);
    struct section_header header;
    enum status s = section_parse(section, &header, err);
    if (s != OK)
        return s;
    clock_set(dedup, header.clock_ms);
    dedup->dropped_until_ms = header.dropped_until_ms;
    uint32_t newest = 0;
    for (uint32_t i = 0; i < header.generations && s == OK; i++) {
        struct section_generation in;
        memcpy(&in, section.p + sizeof header + i * sizeof in, sizeof in);
        if (in.number <= newest)
            return error_set(err, ERR_CORRUPT, "generations of seen ids are out of order");
        newest = in.number;
        s = restore_generation(dedup, &in, err);
    }
    if (s == OK && dedup->active.table.count == 0) {
        generation_renew(dedup, newest + 1);
        log_start(dedup, &dedup->active);
    }
    return s;
}

static bool dedup_uses_file(struct state *state, const char *name)
{
    struct dedup *dedup = dedup_of(state);
    char own[40];
    for (int kind = KIND_LOG; kind <= KIND_FILE; kind++) {
        if (strcmp(name, file_name(dedup->active.number, kind, own, sizeof own)) == 0)
            return true;
        if (dedup->sealing.number && strcmp(name, file_name(dedup->sealing.number, kind, own, sizeof own)) == 0)
            return true;
    }
    for (size_t g = 0; g < dedup->sealed_count; g++)
        if (strcmp(name, file_name(dedup->sealed[g].number, KIND_FILE, own, sizeof own)) == 0)
            return true;
    return false;
}

static bool dedup_section_uses(struct slice section, const char *name)
{
    struct section_header header;
    char own[40];
    if (section_parse(section, &header, NULL) != OK)
        return true; /* not ours to delete what we cannot read */
    for (uint32_t i = 0; i < header.generations; i++) {
        struct section_generation in;
        memcpy(&in, section.p + sizeof header + i * sizeof in, sizeof in);
        if (strcmp(name, file_name(in.number, (int)in.kind, own, sizeof own)) == 0)
            return true;
    }
    return false;
}

static uint64_t dedup_replay_from(struct state *state, uint64_t next)
{
    struct dedup *dedup = dedup_of(state);
    if (dedup->sealed_count)
        return dedup->sealed[0].first_offset;
    uint64_t oldest = dedup->sealing.number ? dedup->sealing.first_offset : dedup->active.first_offset;
    return oldest < next ? oldest : next;
}

static uint64_t dedup_memory_bytes(struct state *state)
{
    struct dedup *dedup = dedup_of(state);
    uint64_t bytes =
        id_table_bytes(&dedup->active.table) + dedup->active.pending.capacity + dedup->active.log.waiting.capacity;
    if (dedup->sealing.number)
        bytes += id_table_bytes(&dedup->sealing.table) + dedup->sealing.pending.capacity +
                 dedup->sealing.log.waiting.capacity;
    for (size_t g = 0; g < dedup->sealed_count; g++)
        bytes += id_file_memory_bytes(dedup->sealed[g].file);
    return bytes;
}

static uint64_t dedup_disk_bytes(struct state *state)
{
    struct dedup *dedup = dedup_of(state);
    uint64_t bytes = dedup->active.log.bytes + dedup->sealing.log.bytes;
    for (size_t g = 0; g < dedup->sealed_count; g++)
        bytes += id_file_disk_bytes(dedup->sealed[g].file);
    return bytes;
}

static const struct state_ops dedup_ops = {
    .name = "dedup",
    .id = STATE_DEDUP,
    .prepare = dedup_prepare,
    .collect = dedup_collect,
    .durable = dedup_durable,
    .apply = dedup_apply,
    .maintain = dedup_maintain,
    .checkpoint = dedup_checkpoint,
    .restore = dedup_restore,
    .empty = dedup_empty,
    .uses_file = dedup_uses_file,
    .section_uses = dedup_section_uses,
    .replay_from = dedup_replay_from,
    .memory_bytes = dedup_memory_bytes,
    .disk_bytes = dedup_disk_bytes,
};

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
    dedup_empty(&dedup->state);
    return dedup;
}

void dedup_free(struct dedup *dedup)
{
    if (!dedup)
        return;
    dedup_empty(&dedup->state);
    generation_done(&dedup->active);
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
    int64_t left_ms = clock_ms(dedup) - dedup->dropped_until_ms;
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
