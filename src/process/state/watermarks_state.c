/* A changelog record: 0 u8 STATE_TIME  1 u8 version 2  2 u16 0  4 u32 count  8 i64 clock_ms (not in version 1), then
 * for each tenant: i64 newest_ms, i64 value_ms, i64 complete_ms, u16 others (0x8000 more: live), u16 lengths of its id
 * and placement, those bytes, and for each other partition that has said something u16 partition, i64 value_ms. In the
 * partition's map each tenant has the same bytes under its id, and the clock is under no id. */
#include <stdlib.h>
#include <string.h>

#include "event/event.h"
#include "process/process_output.h"
#include "process/state/watermarks_inside.h"

#define WRITE_AT_BYTES (1u << 20)
#define OTHERS_LIVE 0x8000u /* in tenant_header.others; there are fewer partitions than that */

struct __attribute__((packed)) record_header {
    uint8_t state, version;
    uint16_t zero;
    uint32_t count;
};

struct record {
    uint32_t count;
    int64_t clock_ms; /* WATERMARK_NONE: none */
    struct slice tenants;
};

struct __attribute__((packed)) tenant_header {
    int64_t newest_ms, value_ms, complete_ms;
    uint16_t others, id, placement;
};

struct __attribute__((packed)) other_entry {
    uint16_t partition;
    int64_t value_ms;
};

static struct watermarks *of(struct state *state)
{
    return (struct watermarks *)state;
}

static enum status marks_prepare(struct state *state, size_t records, struct error *err)
{
    (void)state;
    (void)records;
    (void)err;
    return OK;
}

static uint16_t others_known(const struct watermarks *watermarks, const struct watermark *watermark)
{
    uint16_t count = 0;
    for (uint16_t i = 0; i < watermarks->options.partitions; i++)
        count += watermark->others[i].value_ms != WATERMARK_NONE;
    return count;
}

static size_t tenant_bytes(const struct watermarks *watermarks, const struct watermark *watermark)
{
    return sizeof(struct tenant_header) + watermark->customer_id.n + watermark->placement.n +
           others_known(watermarks, watermark) * sizeof(struct other_entry);
}

static char *tenant_write(const struct watermarks *watermarks, const struct watermark *watermark, char *to)
{
    const struct slice id = watermark->customer_id, placement = watermark->placement;
    const struct tenant_header header = {
        watermark->newest_ms,   watermark->value_ms,
        watermark->complete_ms, (uint16_t)(others_known(watermarks, watermark) | (watermark->live ? OTHERS_LIVE : 0)),
        (uint16_t)id.n,         (uint16_t)placement.n
    };
    memcpy(to, &header, sizeof header);
    memcpy(to + sizeof header, id.p, id.n + placement.n); /* they lie side by side */
    to += sizeof header + id.n + placement.n;
    for (uint16_t i = 0; i < watermarks->options.partitions; i++) {
        const struct other_entry entry = { i, watermark->others[i].value_ms };
        if (entry.value_ms == WATERMARK_NONE)
            continue;
        memcpy(to, &entry, sizeof entry);
        to += sizeof entry;
    }
    return to;
}

static void forget_changes(struct watermarks *watermarks)
{
    for (struct watermark *watermark = watermarks->changed; watermark; watermark = watermark->next_changed)
        watermark->changed = false;
    watermarks->changed = NULL;
    watermarks->changed_count = 0;
    watermarks->clock_changed = false;
}

static enum status marks_collect(struct state *state, struct process_stream *changelog, struct error *err)
{
    struct watermarks *watermarks = of(state);
    const struct record_header header = { STATE_TIME, 2, 0, (uint32_t)watermarks->changed_count };
    size_t bytes = sizeof header + sizeof watermarks->clock_ms;
    if (!watermarks->changed && !watermarks->clock_changed)
        return OK;
    for (struct watermark *watermark = watermarks->changed; watermark; watermark = watermark->next_changed)
        bytes += tenant_bytes(watermarks, watermark);
    char *to = process_stream_record(changelog, bytes);
    if (!to)
        return error_set(err, ERR_FULL, "the watermarks of a commit do not fit into it");
    memcpy(to, &header, sizeof header);
    memcpy(to + sizeof header, &watermarks->clock_ms, sizeof watermarks->clock_ms);
    to += sizeof header + sizeof watermarks->clock_ms;
    for (struct watermark *watermark = watermarks->changed; watermark; watermark = watermark->next_changed)
        to = tenant_write(watermarks, watermark, to);
    forget_changes(watermarks);
    return OK;
}

/* The bytes of one tenant from the front of *rest. ERR_CORRUPT: there are none, or its id is none or too long for a
 * key. */
static enum status tenant_next(struct slice *rest, struct slice *out_bytes, struct slice *out_id, struct error *err)
{
    struct tenant_header header;
    if (rest->n < sizeof header)
        return error_set(err, ERR_CORRUPT, "a watermark is cut");
    memcpy(&header, rest->p, sizeof header);
    size_t others = header.others & ~OTHERS_LIVE;
    size_t n = sizeof header + header.id + header.placement + others * sizeof(struct other_entry);
    if (rest->n < n)
        return error_set(err, ERR_CORRUPT, "a watermark is cut");
    if (header.id == 0 || header.id > EVENT_CUSTOMER_ID_MAX)
        return error_set(err, ERR_CORRUPT, "a watermark's tenant has an id of %u bytes", header.id);
    *out_bytes = slice_of(rest->p, n);
    *out_id = slice_of(rest->p + sizeof header, header.id);
    *rest = slice_after(*rest, n);
    return OK;
}

/* As tenant_write wrote it; tenant_next has looked at the lengths. */
static enum status tenant_set(struct watermarks *watermarks, struct slice bytes, struct error *err)
{
    struct tenant_header header;
    memcpy(&header, bytes.p, sizeof header);
    const char *at = bytes.p + sizeof header;
    struct watermark *watermark =
        watermarks_of(watermarks, slice_of(at, header.id), slice_of(at + header.id, header.placement));
    if (!watermark)
        return error_set(err, ERR_IO, "out of memory for watermarks");
    at += header.id + header.placement;
    watermark->newest_ms = header.newest_ms;
    watermark->value_ms = header.value_ms;
    watermark->complete_ms = header.complete_ms;
    watermark->live = header.others & OTHERS_LIVE;
    for (uint16_t i = 0; i < (header.others & ~OTHERS_LIVE); i++, at += sizeof(struct other_entry)) {
        struct other_entry entry;
        memcpy(&entry, at, sizeof entry);
        if (entry.partition < watermarks->options.partitions)
            watermarks_hear(watermarks, watermark, entry.partition, entry.value_ms, 0);
    }
    return OK;
}

static enum status record_open(struct slice bytes, struct record *out, struct error *err)
{
    struct record_header header;
    if (bytes.n < sizeof header)
        return error_set(err, ERR_CORRUPT, "a changelog record of watermarks has %zu bytes", bytes.n);
    memcpy(&header, bytes.p, sizeof header);
    *out = (struct record){ header.count, WATERMARK_NONE, slice_after(bytes, sizeof header) };
    if (header.version != 1 && header.version != 2)
        return error_set(err, ERR_CORRUPT,
                         "a changelog record of watermarks has version %u, this weir reads versions 1 and 2",
                         header.version);
    if (header.version == 1)
        return OK;
    if (out->tenants.n < sizeof out->clock_ms)
        return error_set(err, ERR_CORRUPT, "a changelog record of watermarks has %zu bytes", bytes.n);
    memcpy(&out->clock_ms, out->tenants.p, sizeof out->clock_ms);
    out->tenants = slice_after(out->tenants, sizeof out->clock_ms);
    return OK;
}

static void queue(struct watermarks *watermarks, struct slice id, struct slice bytes)
{
    char key[1 + EVENT_CUSTOMER_ID_MAX];
    key[0] = STATE_TIME;
    if (id.n)
        memcpy(key + 1, id.p, id.n);
    kv_writer_add(&watermarks->writer, slice_of(key, 1 + id.n), bytes);
}

static void queue_clock(struct watermarks *watermarks, int64_t clock_ms)
{
    if (clock_ms != WATERMARK_NONE)
        queue(watermarks, (struct slice){ 0 }, slice_of((const char *)&clock_ms, sizeof clock_ms));
}

static void marks_durable(struct state *state, struct slice bytes, uint64_t offset)
{
    struct record record;
    struct slice one, id;
    (void)offset;
    if (record_open(bytes, &record, NULL) != OK)
        abort(); /* collect made it a moment ago */
    queue_clock(of(state), record.clock_ms);
    while (record.count-- && tenant_next(&record.tenants, &one, &id, NULL) == OK)
        queue(of(state), id, one);
}

static enum status marks_apply(struct state *state, struct slice bytes, uint64_t offset, struct error *err)
{
    struct watermarks *watermarks = of(state);
    struct record record = { 0 };
    struct slice one, id;
    (void)offset;
    enum status s = record_open(bytes, &record, err);
    if (s == OK) {
        if (record.clock_ms != WATERMARK_NONE)
            watermarks_clock_set(watermarks, record.clock_ms);
        queue_clock(watermarks, record.clock_ms);
    }
    for (uint32_t i = 0; i < record.count && s == OK; i++) {
        s = tenant_next(&record.tenants, &one, &id, err);
        if (s == OK)
            s = tenant_set(watermarks, one, err);
        if (s == OK)
            queue(watermarks, id, one);
    }
    forget_changes(watermarks); /* hearing of others is none while replaying */
    return s;
}

static enum status marks_maintain(struct state *state, bool *out_more, struct error *err)
{
    *out_more = false;
    if (kv_writer_bytes(&of(state)->writer) < WRITE_AT_BYTES)
        return OK;
    return kv_writer_step(&of(state)->writer, false, out_more, err);
}

static uint64_t marks_pending_bytes(struct state *state)
{
    return of(state)->changed_count * (sizeof(struct tenant_header) + 64);
}

static enum status marks_checkpoint(struct state *state, struct buf *section, struct error *err)
{
    struct watermarks *watermarks = of(state);
    const uint32_t version = 1;
    (void)err;
    watermarks->settle_queued = watermarks->writer.queued;
    buf_add(section, &version, sizeof version);
    return OK;
}

static enum status marks_settle(struct state *state, bool *out_done, struct error *err)
{
    struct watermarks *watermarks = of(state);
    bool more;
    enum status s = OK;
    if (watermarks->writer.written < watermarks->settle_queued)
        s = kv_writer_step(&watermarks->writer, false, &more, err);
    *out_done = s == OK && watermarks->writer.written >= watermarks->settle_queued;
    return s == ERR_RETRY ? OK : s;
}

struct load_visit {
    struct watermarks *watermarks;
    enum status status;
    struct error *err;
};

static bool visit_stored(void *self, struct slice key, struct slice value)
{
    struct load_visit *visit = self;
    struct slice bytes, id;
    int64_t clock_ms;
    if (key.n == 1 && value.n == sizeof clock_ms) {
        memcpy(&clock_ms, value.p, sizeof clock_ms);
        watermarks_clock_set(visit->watermarks, clock_ms);
        return true;
    }
    visit->status = tenant_next(&value, &bytes, &id, visit->err);
    if (visit->status == OK)
        visit->status = tenant_set(visit->watermarks, bytes, visit->err);
    return visit->status == OK;
}

static enum status marks_restore(struct state *state, struct slice section, struct error *err)
{
    struct watermarks *watermarks = of(state);
    struct load_visit visit = { watermarks, OK, err };
    const char from = STATE_TIME, to = STATE_TIME + 1;
    struct kv *map;
    if (section.n != sizeof(uint32_t))
        return error_set(err, ERR_CORRUPT, "the section of watermarks has %zu bytes", section.n);
    enum status s = state_kv_map(watermarks->writer.kv, &map, err);
    if (s == OK)
        s = map->backend->scan(map, slice_of(&from, 1), slice_of(&to, 1), visit_stored, &visit, err);
    forget_changes(watermarks);
    return s == OK ? visit.status : s;
}

static void marks_empty(struct state *state)
{
    struct watermarks *watermarks = of(state);
    for (size_t i = 0; i < watermarks->count; i++) {
        free(watermarks->all[i]->others);
        free(watermarks->all[i]);
    }
    free(watermarks->all);
    free(watermarks->slots);
    watermarks->all = NULL;
    watermarks->slots = NULL;
    watermarks->slot_count = watermarks->count = watermarks->capacity = 0;
    watermarks->changed = NULL;
    watermarks->changed_count = 0;
    watermarks->clock_ms = WATERMARK_NONE;
    watermarks->clock_changed = false;
    watermarks->settle_queued = 0;
    kv_writer_reset(&watermarks->writer);
}

static bool marks_uses_file(struct state *state, const char *name)
{
    (void)state;
    (void)name;
    return false;
}

static bool marks_section_uses(struct slice section, const char *name)
{
    (void)section;
    (void)name;
    return false;
}

/* A rebuild without files needs the newest record of every tenant: all of them. */
static uint64_t marks_replay_from(struct state *state, uint64_t next)
{
    return of(state)->count ? 0 : next; /* whoever used the clock counted some tenant's event */
}

static uint64_t marks_memory_bytes(struct state *state)
{
    const struct watermarks *watermarks = of(state);
    return watermarks->slot_count * sizeof *watermarks->slots + watermarks->count * (sizeof(struct watermark) + 64);
}

static uint64_t marks_disk_bytes(struct state *state)
{
    (void)state;
    return 0; /* the map says */
}

static const struct state_ops marks_ops = {
    .name = "watermarks",
    .id = STATE_TIME,
    .prepare = marks_prepare,
    .collect = marks_collect,
    .durable = marks_durable,
    .apply = marks_apply,
    .maintain = marks_maintain,
    .pending_bytes = marks_pending_bytes,
    .checkpoint = marks_checkpoint,
    .settle = marks_settle,
    .restore = marks_restore,
    .empty = marks_empty,
    .uses_file = marks_uses_file,
    .section_uses = marks_section_uses,
    .replay_from = marks_replay_from,
    .memory_bytes = marks_memory_bytes,
    .disk_bytes = marks_disk_bytes,
};

struct watermarks *watermarks_new(const struct watermarks_options *options)
{
    struct watermarks *watermarks = calloc(1, sizeof *watermarks);
    if (!watermarks)
        abort();
    watermarks->state.ops = &marks_ops;
    watermarks->options = *options;
    watermarks->clock_ms = WATERMARK_NONE;
    kv_writer_init(&watermarks->writer, options->kv);
    return watermarks;
}

void watermarks_free(struct watermarks *watermarks)
{
    if (!watermarks)
        return;
    marks_empty(&watermarks->state);
    kv_writer_done(&watermarks->writer);
    free(watermarks);
}

struct state *watermarks_state(struct watermarks *watermarks)
{
    return &watermarks->state;
}
