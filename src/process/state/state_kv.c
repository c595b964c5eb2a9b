/* A section of a manifest: 0 u32 version 1  4 u32 0  8 u64 life of the map  16 u64 number of its stamp.
 *
 * The map's files change all the time, so a manifest cannot vouch for them; it says which stamp they had reached. A map
 * with a later stamp does as well: what it holds is what the changelog behind the manifest says (state_kv.h). A map
 * with an earlier one, or of another life, is refused: then an older manifest may fit, or everything comes from the
 * changelog. One map, not two: docs/decisions/0041.
 *
 * Numbers of stamps are never given twice, also not after a sync that failed: what such a sync left is not what the
 * next one promises. */
#include "process/state/state_kv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "world/disk.h"
#include "world/world.h"

struct state_kv {
    struct state state;
    struct state_kv_options options;
    char path[DISK_PATH_MAX], damage_path[DISK_PATH_MAX];
    struct world *world;
    struct kv *map;
    struct kv_view *view; /* NULL: none */
    uint64_t number;      /* the last one given */
    bool syncing, settled;
};

struct __attribute__((packed)) section {
    uint32_t version, zero;
    uint64_t life, number;
};

static struct state_kv *kv_of(struct state *state)
{
    return (struct state_kv *)state;
}

static enum status open_map(struct state_kv *state, bool fresh, struct error *err)
{
    struct kv_options options = {
        .path = state->path, .fresh = fresh, .world = state->world, .pool = state->options.pool
    };
    enum status s = state->options.backend->open(&options, &state->map, err);
    if (s == OK)
        state->number = state->options.backend->stamp(state->map).number;
    return s;
}

enum status state_kv_map(struct state_kv *state, struct kv **out, struct error *err)
{
    if (!state->map) {
        enum status s = open_map(state, true, err);
        if (s != OK)
            return s;
        struct disk *disk = state->world->disk;
        s = disk->ops->remove(disk, state->damage_path, NULL);
        (void)s; /* mostly it is not there; one that stays costs a replay */
    }
    *out = state->map;
    return OK;
}

enum status state_kv_view_open(struct state_kv *state, struct error *err)
{
    struct kv *map;
    assert(!state->view);
    enum status s = state_kv_map(state, &map, err);
    return s == OK ? map->backend->view_open(map, &state->view, err) : s;
}

enum status state_kv_view_scan(struct state_kv *state, struct slice from,
                               bool (*visit)(void *self, struct slice key, struct slice value), void *self,
                               struct error *err)
{
    const char first = 1, end = STATE_IDS_END; /* 0 is the backend's own */
    if (from.n == 0)
        from = slice_of(&first, 1);
    enum status s =
        state->options.backend->view_scan(state->map, state->view, from, slice_of(&end, 1), visit, self, err);
    if (s == ERR_CORRUPT)
        state_kv_note_damage(state);
    return s;
}

void state_kv_view_close(struct state_kv *state)
{
    if (state->map)
        state->options.backend->view_close(state->map, state->view);
    state->view = NULL;
}

enum status state_kv_load(struct state_kv *state, const struct kv_change *rows, size_t count, struct error *err)
{
    struct kv *map;
    enum status s = state_kv_map(state, &map, err);
    return s == OK ? map->backend->write(map, rows, count, true, err) : s;
}

void state_kv_note_damage(struct state_kv *state)
{
    enum status s = disk_replace(state->world->disk, state->damage_path, "damaged\n", 8, NULL);
    (void)s; /* without it, the damage is found again */
}

/* ---- as a state ---- */

static enum status kv_prepare(struct state *state, size_t records, struct error *err)
{
    (void)state;
    (void)records;
    (void)err;
    return OK;
}

static enum status kv_collect(struct state *state, struct process_stream *changelog, struct error *err)
{
    (void)state;
    (void)changelog;
    (void)err;
    return OK;
}

static void kv_durable(struct state *state, struct slice record, uint64_t offset)
{
    (void)state;
    (void)record;
    (void)offset;
    abort(); /* it makes no records */
}

static enum status kv_apply(struct state *state, struct slice record, uint64_t offset, struct error *err)
{
    (void)state;
    (void)record;
    return error_set(err, ERR_CORRUPT, "changelog record %llu is of a state that has none", (unsigned long long)offset);
}

static enum status kv_maintain(struct state *state, bool *out_more, struct error *err)
{
    (void)state;
    (void)err;
    *out_more = false;
    return OK;
}

static uint64_t kv_pending_bytes(struct state *state)
{
    (void)state;
    return 0;
}

static enum status kv_checkpoint(struct state *base, struct buf *to, struct error *err)
{
    struct state_kv *state = kv_of(base);
    struct kv *map;
    enum status s = state_kv_map(state, &map, err);
    if (s != OK)
        return s;
    struct section section = { 1, 0, map->backend->stamp(map).life, ++state->number };
    buf_add(to, &section, sizeof section);
    state->settled = false;
    return OK;
}

/* A sync of a checkpoint that came to nothing may still be under way: it ends first. */
static enum status kv_settle(struct state *base, bool *out_done, struct error *err)
{
    struct state_kv *state = kv_of(base);
    const struct kv_backend *backend = state->options.backend;
    bool over = true;
    *out_done = false;
    if (state->syncing && !state->settled) {
        enum status s = backend->synced(state->map, &over, err);
        if (s == OK && !over)
            return OK;
        state->syncing = false;
        if (s != OK)
            return s;
        state->settled = backend->stamp(state->map).number == state->number;
    }
    if (!state->settled) {
        enum status s = backend->sync(state->map, state->number, err);
        state->syncing = s == OK;
        return s == ERR_RETRY ? OK : s;
    }
    *out_done = true;
    return OK;
}

static bool is_damaged(struct state_kv *state)
{
    struct disk *disk = state->world->disk;
    struct disk_file *file;
    if (disk->ops->open(disk, state->damage_path, DISK_READ, &file, NULL) != OK)
        return false;
    file->ops->close(file);
    return true;
}

static enum status kv_restore(struct state *base, struct slice bytes, struct error *err)
{
    struct state_kv *state = kv_of(base);
    struct section section;
    if (bytes.n != sizeof section)
        return error_set(err, ERR_CORRUPT, "the section has %zu bytes", bytes.n);
    memcpy(&section, bytes.p, sizeof section);
    if (section.version != 1)
        return error_set(err, ERR_CORRUPT, "the section has version %u, this weir reads version 1", section.version);
    if (is_damaged(state))
        return error_set(err, ERR_CORRUPT, "%s was found damaged", state->path);
    enum status s = open_map(state, false, err);
    if (s != OK)
        return s;
    struct kv_stamp stamp = state->options.backend->stamp(state->map);
    if (stamp.life != section.life)
        return error_set(err, ERR_CORRUPT, "%s is another map than the checkpoint's", state->path);
    if (stamp.number < section.number)
        return error_set(err, ERR_CORRUPT, "%s goes to checkpoint %llu, %llu was promised", state->path,
                         (unsigned long long)stamp.number, (unsigned long long)section.number);
    return OK;
}

static void kv_empty(struct state *base)
{
    struct state_kv *state = kv_of(base);
    state_kv_view_close(state);
    if (state->map)
        state->options.backend->close(state->map);
    state->map = NULL;
    state->number = 0;
    state->syncing = state->settled = false;
}

static bool kv_uses_file(struct state *state, const char *name)
{
    (void)state;
    (void)name;
    return true; /* its files are in a directory of their own */
}

static bool kv_section_uses(struct slice section, const char *name)
{
    (void)section;
    (void)name;
    return true;
}

static uint64_t kv_replay_from(struct state *state, uint64_t next)
{
    (void)state;
    return next;
}

static struct kv_usage usage_of(struct state *base)
{
    struct state_kv *state = kv_of(base);
    struct kv_usage usage = { 0 };
    if (state->map)
        state->options.backend->usage(state->map, &usage);
    return usage;
}

static uint64_t kv_memory_bytes(struct state *state)
{
    return usage_of(state).memory_bytes;
}

static uint64_t kv_disk_bytes(struct state *state)
{
    return usage_of(state).disk_bytes;
}

static const struct state_ops kv_ops = {
    .name = "kv",
    .id = STATE_KV,
    .prepare = kv_prepare,
    .collect = kv_collect,
    .durable = kv_durable,
    .apply = kv_apply,
    .maintain = kv_maintain,
    .pending_bytes = kv_pending_bytes,
    .checkpoint = kv_checkpoint,
    .settle = kv_settle,
    .restore = kv_restore,
    .empty = kv_empty,
    .uses_file = kv_uses_file,
    .section_uses = kv_section_uses,
    .replay_from = kv_replay_from,
    .memory_bytes = kv_memory_bytes,
    .disk_bytes = kv_disk_bytes,
};

struct state_kv *state_kv_new(const struct state_kv_options *options, struct world *world)
{
    struct state_kv *state = calloc(1, sizeof *state);
    if (!state)
        abort();
    state->state.ops = &kv_ops;
    state->options = *options;
    state->world = world;
    int n = snprintf(state->path, sizeof state->path, "%s/kv", options->path);
    int m = snprintf(state->damage_path, sizeof state->damage_path, "%s/kv.damaged", options->path);
    assert(n < DISK_PATH_MAX - 32 && m < DISK_PATH_MAX - 32);
    return state;
}

void state_kv_free(struct state_kv *state)
{
    if (!state)
        return;
    kv_empty(&state->state);
    free(state);
}

struct state *state_kv_state(struct state_kv *state)
{
    return &state->state;
}
