/* A changelog record: 0 u8 STATE_TIME  1 u8 version 1  2 u16 0  4 u32 count, then for each tenant: i64 newest_ms,
 * i64 value_ms, i64 complete_ms, u16 others (0x8000 more: live), u16 lengths of its id and placement, those bytes, and
 * for each other partition that has said something u16 partition, i64 value_ms. In the partition's map each tenant has
 * the same bytes under its id. */
#include "process/state/watermarks.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "process/process_output.h"
#include "process/state/kv_writer.h"

#define SLOTS_MIN 64
#define WRITE_AT_BYTES (1u << 20)
#define OTHERS_LIVE 0x8000u /* in tenant_header.others; there are fewer partitions than that */

struct watermarks {
    struct state state;
    struct watermarks_options options;
    struct watermark **slots; /* open addressing */
    size_t slot_count;
    struct watermark **all; /* in the order in which they were made */
    size_t count, capacity;
    struct watermark *changed;
    size_t changed_count;
    struct kv_writer writer;
    uint64_t settle_queued; /* the checkpoint waits for so many entries */
};

struct __attribute__((packed)) record_header {
    uint8_t state, version;
    uint16_t zero;
    uint32_t count;
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

/* ---- the tenants ---- */

static struct watermark **slot_of(const struct watermarks *watermarks, uint64_t hash, struct slice customer_id)
{
    size_t at = hash & (watermarks->slot_count - 1);
    while (watermarks->slots[at] && !slice_equal(watermarks->slots[at]->customer_id, customer_id))
        at = (at + 1) & (watermarks->slot_count - 1);
    return &watermarks->slots[at];
}

static bool grow(struct watermarks *watermarks)
{
    size_t slot_count = watermarks->slot_count ? 2 * watermarks->slot_count : SLOTS_MIN;
    struct watermark **slots = calloc(slot_count, sizeof *slots);
    struct watermark **all = realloc(watermarks->all, slot_count / 2 * sizeof *all);
    if (all) {
        watermarks->all = all;
        watermarks->capacity = slot_count / 2;
    }
    if (!slots || !all) {
        free(slots);
        return false;
    }
    free(watermarks->slots);
    watermarks->slots = slots;
    watermarks->slot_count = slot_count;
    for (size_t i = 0; i < watermarks->count; i++)
        *slot_of(watermarks, all[i]->hash, all[i]->customer_id) = all[i];
    return true;
}

struct watermark *watermarks_of(struct watermarks *watermarks, struct slice customer_id, struct slice placement)
{
    uint64_t hash = XXH3_64bits(customer_id.p, customer_id.n);
    struct watermark *watermark = watermarks->slot_count ? *slot_of(watermarks, hash, customer_id) : NULL;
    if (watermark)
        return watermark;
    if (watermarks->count == watermarks->capacity && !grow(watermarks))
        return NULL;
    watermark = malloc(sizeof *watermark + customer_id.n + placement.n);
    if (!watermark)
        return NULL;
    char *text = (char *)(watermark + 1);
    if (customer_id.n)
        memcpy(text, customer_id.p, customer_id.n);
    if (placement.n)
        memcpy(text + customer_id.n, placement.p, placement.n);
    *watermark = (struct watermark){ .customer_id = slice_of(text, customer_id.n),
                                     .placement = slice_of(text + customer_id.n, placement.n),
                                     .hash = hash,
                                     .newest_ms = WATERMARK_NONE,
                                     .value_ms = WATERMARK_NONE,
                                     .complete_ms = WATERMARK_NONE };
    *slot_of(watermarks, hash, customer_id) = watermark;
    watermarks->all[watermarks->count++] = watermark;
    return watermark;
}

static void changed(struct watermarks *watermarks, struct watermark *watermark)
{
    if (watermark->changed)
        return;
    watermark->changed = true;
    watermark->next_changed = watermarks->changed;
    watermarks->changed = watermark;
    watermarks->changed_count++;
}

void watermarks_event(struct watermarks *watermarks, struct watermark *watermark, int64_t time_ms, int64_t now_ms)
{
    const int64_t disorder_ms = watermarks->options.disorder_ms;
    watermark->arrived_ms = now_ms;
    if (time_ms <= watermark->newest_ms)
        return;
    watermark->newest_ms = time_ms;
    watermark->live = now_ms - time_ms <= disorder_ms;
    changed(watermarks, watermark);
    if (time_ms > INT64_MIN + disorder_ms && time_ms - disorder_ms > watermark->value_ms)
        watermark->value_ms = time_ms - disorder_ms;
}

bool watermarks_hear(struct watermarks *watermarks, struct watermark *watermark, uint16_t from, int64_t value_ms,
                     int64_t now_ms)
{
    assert(from < watermarks->options.partitions);
    if (!watermark->others) {
        watermark->others = calloc(watermarks->options.partitions, sizeof *watermark->others);
        if (!watermark->others)
            return false;
        for (uint16_t i = 0; i < watermarks->options.partitions; i++)
            watermark->others[i].value_ms = WATERMARK_NONE;
    }
    struct watermark_other *other = &watermark->others[from];
    other->arrived_ms = now_ms;
    if (value_ms <= other->value_ms)
        return true;
    other->value_ms = value_ms;
    changed(watermarks, watermark);
    return true;
}

/* After a restart nobody has said anything yet: all get the time that they had before to do so. */
static bool spoke_since(int64_t *io_arrived_ms, int64_t since_ms, int64_t now_ms)
{
    if (*io_arrived_ms == 0)
        *io_arrived_ms = now_ms;
    return *io_arrived_ms >= since_ms;
}

/* The least of those who said something lately; if nobody did, the greatest, so that an idle tenant is not held back by
 * the partition that happened to be behind when it ceased. */
int64_t watermarks_reached(struct watermarks *watermarks, struct watermark *watermark, int64_t now_ms)
{
    int64_t least_ms = INT64_MAX, greatest_ms = watermark->value_ms;
    const int64_t since_ms = now_ms - watermarks->options.idle_ms;
    if (watermark->value_ms != WATERMARK_NONE && spoke_since(&watermark->arrived_ms, since_ms, now_ms))
        least_ms = watermark->value_ms;
    for (uint16_t i = 0; watermark->others && i < watermarks->options.partitions; i++) {
        struct watermark_other *other = &watermark->others[i];
        if (other->value_ms == WATERMARK_NONE)
            continue;
        if (other->value_ms > greatest_ms)
            greatest_ms = other->value_ms;
        if (spoke_since(&other->arrived_ms, since_ms, now_ms) && other->value_ms < least_ms)
            least_ms = other->value_ms;
    }
    return least_ms == INT64_MAX ? greatest_ms : least_ms;
}

void watermarks_complete(struct watermarks *watermarks, struct watermark *watermark, int64_t complete_ms)
{
    if (complete_ms <= watermark->complete_ms)
        return;
    watermark->complete_ms = complete_ms;
    changed(watermarks, watermark);
}

void watermarks_tick(struct watermarks *watermarks, int64_t now_ms,
                     int64_t (*due_ms)(void *self, const struct watermark *watermark), void *self)
{
    const int64_t disorder_ms = watermarks->options.disorder_ms, clock_ms = now_ms - disorder_ms;
    for (size_t i = 0; i < watermarks->count; i++) {
        struct watermark *watermark = watermarks->all[i];
        if (!watermark->live || clock_ms <= watermark->value_ms || due_ms(self, watermark) > clock_ms ||
            spoke_since(&watermark->arrived_ms, clock_ms + 1, now_ms))
            continue;
        watermark->value_ms = clock_ms;
        changed(watermarks, watermark);
    }
}

struct watermark *watermarks_changed(const struct watermarks *watermarks)
{
    return watermarks->changed;
}

struct watermark *watermarks_at(const struct watermarks *watermarks, size_t index)
{
    return index < watermarks->count ? watermarks->all[index] : NULL;
}

size_t watermarks_count(const struct watermarks *watermarks)
{
    return watermarks->count;
}

/* ---- struct state ---- */

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
    for (uint16_t i = 0; watermark->others && i < watermarks->options.partitions; i++)
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
    for (uint16_t i = 0; watermark->others && i < watermarks->options.partitions; i++) {
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
}

static enum status marks_collect(struct state *state, struct process_stream *changelog, struct error *err)
{
    struct watermarks *watermarks = of(state);
    const struct record_header header = { STATE_TIME, 1, 0, (uint32_t)watermarks->changed_count };
    size_t bytes = sizeof header;
    if (!watermarks->changed)
        return OK;
    for (struct watermark *watermark = watermarks->changed; watermark; watermark = watermark->next_changed)
        bytes += tenant_bytes(watermarks, watermark);
    char *to = process_stream_record(changelog, bytes);
    if (!to)
        return error_set(err, ERR_FULL, "the watermarks of a commit do not fit into it");
    memcpy(to, &header, sizeof header);
    to += sizeof header;
    for (struct watermark *watermark = watermarks->changed; watermark; watermark = watermark->next_changed)
        to = tenant_write(watermarks, watermark, to);
    forget_changes(watermarks);
    return OK;
}

/* The bytes of one tenant from the front of *rest. ERR_CORRUPT: there are none. */
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
        if (entry.partition < watermarks->options.partitions &&
            !watermarks_hear(watermarks, watermark, entry.partition, entry.value_ms, 0))
            return error_set(err, ERR_IO, "out of memory for watermarks");
    }
    return OK;
}

static enum status record_open(struct slice record, struct slice *out_rest, uint32_t *out_count, struct error *err)
{
    struct record_header header;
    if (record.n < sizeof header)
        return error_set(err, ERR_CORRUPT, "a changelog record of watermarks has %zu bytes", record.n);
    memcpy(&header, record.p, sizeof header);
    if (header.version != 1)
        return error_set(err, ERR_CORRUPT, "a changelog record of watermarks has version %u, this weir reads version 1",
                         header.version);
    *out_rest = slice_after(record, sizeof header);
    *out_count = header.count;
    return OK;
}

static void queue(struct watermarks *watermarks, struct slice id, struct slice bytes)
{
    char key[1 + UINT16_MAX];
    key[0] = STATE_TIME;
    memcpy(key + 1, id.p, id.n);
    kv_writer_add(&watermarks->writer, slice_of(key, 1 + id.n), bytes);
}

static void marks_durable(struct state *state, struct slice record, uint64_t offset)
{
    struct slice rest, bytes, id;
    uint32_t count;
    (void)offset;
    if (record_open(record, &rest, &count, NULL) != OK)
        abort(); /* collect made it a moment ago */
    while (count-- && tenant_next(&rest, &bytes, &id, NULL) == OK)
        queue(of(state), id, bytes);
}

static enum status marks_apply(struct state *state, struct slice record, uint64_t offset, struct error *err)
{
    struct watermarks *watermarks = of(state);
    struct slice rest, bytes, id;
    uint32_t count;
    (void)offset;
    enum status s = record_open(record, &rest, &count, err);
    for (uint32_t i = 0; i < count && s == OK; i++) {
        s = tenant_next(&rest, &bytes, &id, err);
        if (s == OK)
            s = tenant_set(watermarks, bytes, err);
        if (s == OK)
            queue(watermarks, id, bytes);
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
    (void)key;
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
    return of(state)->count ? 0 : next;
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
