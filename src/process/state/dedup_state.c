/* The set of seen ids as a state: what goes into the changelog, into a checkpoint, and back.
 *
 * A changelog record: 0 u8 STATE_DEDUP  1 u8 version 1  2 u16 0  4 u32 generation  8 i64 clock in ms  16 ids, 16 bytes
 * each. Rotation is decided when running and read from the records when replaying.
 *
 * A section of a manifest: 0 u32 version 1  4 u32 generations  8 i64 clock  16 i64 dropped until (ms of the clock), and
 * for each generation, oldest first: 0 u32 number  4 u32 kind (0 log, 1 file)  8 u64 bytes of the log, or ids of the
 * file  16 u32 checksum (log) or stamp (file)  20 u32 0  24 i64 first ms  32 i64 last ms  40 u64 first changelog offset
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "process/process_output.h"
#include "process/state/dedup_generations.h"
#include "world/world.h"

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

static enum status dedup_prepare(struct state *state, size_t records, struct error *err)
{
    struct dedup *dedup = dedup_of(state);
    struct generation *active = &dedup->active;
    bool full = active->table.count + records > active->table.ids_max;
    bool old = active->table.count && dedup_clock_ms(dedup) - active->first_ms > dedup->options.horizon_ms / 8;
    bool unlogged = active->table.count && active->log.broken;
    if ((full || old || unlogged) && dedup->sealing.number == 0)
        dedup_rotate_and_log(dedup);
    else if (full)
        return error_set(err, ERR_FULL, "generation %u of seen ids is still being written", dedup->sealing.number);
    if (active->table.count == 0 && active->log.broken)
        dedup_log_start(dedup, active);
    if (active->table.count == 0)
        active->first_ms = dedup_clock_ms(dedup);
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
    int64_t now_ms = dedup_clock_ms(dedup);
    enum status s = collect_generation(&dedup->sealing, now_ms, changelog, err);
    return s == OK ? collect_generation(&dedup->active, now_ms, changelog, err) : s;
}

/* With room for horizons to be added and taken away: what a clock says in earnest is far within it. */
static bool is_clock(int64_t ms)
{
    return ms > INT64_MIN / 4 && ms < INT64_MAX / 4;
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
    if (!is_clock(out_header->clock_ms))
        return error_set(err, ERR_CORRUPT, "a changelog record of seen ids has no time");
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
        dedup_rotate(dedup, number);
    while (dedup->sealing.number) {
        enum status s = dedup_seal_step(dedup, err);
        if (s != OK)
            return s;
    }
    return OK;
}

/* Makes the generation of a replayed record the active one, with a log: whoever replays need not begin another one of
 * his own to make a checkpoint. */
static enum status replay_generation(struct dedup *dedup, uint32_t number, struct error *err)
{
    enum status s = OK;
    const bool unlogged = dedup->active.table.count == 0 && dedup->active.log.broken;
    if (number < dedup->active.number || (number == dedup->active.number && !unlogged))
        return OK;
    if (dedup->active.table.count)
        s = replay_rotate(dedup, number, err);
    else
        dedup_generation_renew(dedup, number);
    if (s == OK)
        dedup_log_start(dedup, &dedup->active);
    return s;
}

#define AHEAD 16 /* ids whose cache lines are on their way */

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
        if (i + AHEAD < count) {
            memcpy(&id, ids.p + (i + AHEAD) * sizeof id, sizeof id);
            id_table_prefetch(&active->table, id);
        }
        memcpy(&id, ids.p + i * sizeof id, sizeof id);
        if (id_is_empty(id) || !id_table_add(&active->table, id))
            return error_set(err, ERR_CORRUPT, "the changelog holds an id twice");
    }
    dedup_clock_set(dedup, header.clock_ms);
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
        dedup_log_start(dedup, &dedup->active);
    else if (dedup->sealing.number == 0)
        dedup_rotate_and_log(dedup);
    if (s == OK && dedup_may_seal(dedup)) {
        s = dedup_seal_step(dedup, err);
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
    dedup_drop_due(dedup, 0);
    struct section_header header = { 1, 0, dedup_clock_ms(dedup), dedup->dropped_until_ms };
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

static uint64_t dedup_pending_bytes(struct state *state)
{
    struct dedup *dedup = dedup_of(state);
    return dedup->active.pending.n + dedup->sealing.pending.n;
}

static enum status dedup_settle(struct state *state, bool *out_done, struct error *err)
{
    (void)state;
    (void)err;
    *out_done = true; /* checkpoint synced it */
    return OK;
}

static void dedup_empty(struct state *state)
{
    struct dedup *dedup = dedup_of(state);
    id_file_writer_free(dedup->writer);
    dedup->writer = NULL;
    for (size_t g = 0; g < dedup->sealed_count; g++)
        dedup_generation_done(&dedup->sealed[g]);
    dedup->sealed_count = 0;
    dedup_generation_done(&dedup->sealing);
    dedup_generation_done(&dedup->active);
    dedup->dropped_until_ms = INT64_MIN;
    dedup_clock_set(dedup, 0);
    dedup_generation_init(dedup, &dedup->active, 1);
}

static enum status restore_log(struct dedup *dedup, const struct section_generation *in, struct error *err)
{
    char path[DISK_PATH_MAX];
    struct generation *generation = &dedup->active;
    dedup_generation_renew(dedup, in->number);
    dedup_file_path(dedup, in->number, KIND_LOG, path);
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
    if (dedup->sealed_count == DEDUP_GENERATIONS_MAX)
        return error_set(err, ERR_CORRUPT, "a checkpoint with more than %d generations", DEDUP_GENERATIONS_MAX);
    struct generation *generation = &dedup->sealed[dedup->sealed_count];
    *generation = (struct generation){ .number = in->number };
    dedup_file_path(dedup, in->number, KIND_FILE, path);
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
    if (!is_clock(out->clock_ms) || (out->dropped_until_ms != INT64_MIN && !is_clock(out->dropped_until_ms)))
        return error_set(err, ERR_CORRUPT, "the section of seen ids has no time");
    return OK;
}

static enum status dedup_restore(struct state *state, struct slice section, struct error *err)
{
    struct dedup *dedup = dedup_of(state);
    struct section_header header;
    enum status s = section_parse(section, &header, err);
    if (s != OK)
        return s;
    dedup_clock_set(dedup, header.clock_ms);
    dedup->dropped_until_ms = header.dropped_until_ms;
    uint32_t newest = 0;
    for (uint32_t i = 0; i < header.generations && s == OK; i++) {
        struct section_generation in;
        memcpy(&in, section.p + sizeof header + i * sizeof in, sizeof in);
        if (in.number <= newest)
            return error_set(err, ERR_CORRUPT, "generations of seen ids are out of order");
        if (!is_clock(in.first_ms) || !is_clock(in.last_ms))
            return error_set(err, ERR_CORRUPT, "a generation of seen ids has no time");
        newest = in.number;
        s = restore_generation(dedup, &in, err);
    }
    if (s == OK && dedup->active.table.count == 0) {
        dedup_generation_renew(dedup, newest + 1);
        dedup_log_start(dedup, &dedup->active);
    }
    return s;
}

static bool dedup_uses_file(struct state *state, const char *name)
{
    struct dedup *dedup = dedup_of(state);
    char own[40];
    for (int kind = KIND_LOG; kind <= KIND_FILE; kind++) {
        if (strcmp(name, dedup_file_name(dedup->active.number, kind, own, sizeof own)) == 0)
            return true;
        if (dedup->sealing.number && strcmp(name, dedup_file_name(dedup->sealing.number, kind, own, sizeof own)) == 0)
            return true;
    }
    for (size_t g = 0; g < dedup->sealed_count; g++)
        if (strcmp(name, dedup_file_name(dedup->sealed[g].number, KIND_FILE, own, sizeof own)) == 0)
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
        if (strcmp(name, dedup_file_name(in.number, (int)in.kind, own, sizeof own)) == 0)
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

const struct state_ops dedup_ops = {
    .name = "dedup",
    .id = STATE_DEDUP,
    .prepare = dedup_prepare,
    .collect = dedup_collect,
    .durable = dedup_durable,
    .apply = dedup_apply,
    .maintain = dedup_maintain,
    .pending_bytes = dedup_pending_bytes,
    .checkpoint = dedup_checkpoint,
    .settle = dedup_settle,
    .restore = dedup_restore,
    .empty = dedup_empty,
    .uses_file = dedup_uses_file,
    .section_uses = dedup_section_uses,
    .replay_from = dedup_replay_from,
    .memory_bytes = dedup_memory_bytes,
    .disk_bytes = dedup_disk_bytes,
};
