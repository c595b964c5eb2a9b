/* A manifest, little-endian, in manifest.0 or manifest.1 (the older one is replaced):
 *
 *   0 magic "WEIRCKP1"   8 u32 version 1   12 u16 partition  14 u16 sections   16 u64 sequence   24 u64 position
 *   32 u64 changelog offset   40 u64 seed   48 for each section: u32 state id, u32 bytes, bytes
 *   end − 4: u32 CRC32C of everything before
 *
 * It is valid when its checksum is right; the files it names are checked by their states (length, checksum or stamp).
 * Order of a checkpoint: states describe their files, all at one point → they settle what they described, while events
 * go on → the manifest is written beside, synced, renamed, the directory synced (disk_replace) → files that neither
 * manifest nor the states use are removed. Files that a manifest names are never changed in the part that it vouches
 * for, or only by what the changelog behind it says, too (state_kv.h).
 *
 * Falling back to the older checkpoint deletes the newer manifest first: otherwise files written from then on could
 * make its stale promises look true again. */
#include "process/state/state_base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "world/disk.h"

#define MANIFEST_BYTES_MAX (1u << 20)
#define REMOVE_AT_ONCE 32
#define NAME_BYTES STATE_BASE_NAME_BYTES

static const char MAGIC[8] = { 'W', 'E', 'I', 'R', 'C', 'K', 'P', '1' };

struct __attribute__((packed)) header {
    char magic[8];
    uint32_t version;
    uint16_t partition, sections;
    uint64_t sequence, position, changelog_offset, seed;
};
_Static_assert(sizeof(struct header) == 48, "drawn above");

struct manifest {
    bool valid;
    struct header header;
    struct buf bytes; /* the whole file */
};

struct state_base {
    char path[DISK_PATH_MAX];
    struct disk *disk;
    uint16_t partition;
    struct state *states[STATE_BASE_STATES_MAX];
    size_t state_count;
    struct manifest kept[2];
    bool tried[2], tried_none;
    uint64_t next_sequence;
    struct manifest settling; /* valid: a checkpoint has begun */
    struct manifest pinned;   /* valid: its files are being copied */
};

struct state_base *state_base_new(const char *path, struct disk *disk, uint16_t partition, struct state *const *states,
                                  size_t state_count)
{
    struct state_base *base = calloc(1, sizeof *base);
    assert(state_count <= STATE_BASE_STATES_MAX);
    if (!base || snprintf(base->path, sizeof base->path, "%s", path) >= DISK_PATH_MAX - NAME_BYTES)
        abort();
    base->disk = disk;
    base->partition = partition;
    base->state_count = state_count;
    memcpy(base->states, states, state_count * sizeof(struct state *));
    base->next_sequence = 1;
    for (int i = 0; i < 2; i++)
        buf_init(&base->kept[i].bytes, MANIFEST_BYTES_MAX);
    buf_init(&base->settling.bytes, MANIFEST_BYTES_MAX);
    buf_init(&base->pinned.bytes, MANIFEST_BYTES_MAX);
    return base;
}

void state_base_free(struct state_base *base)
{
    if (!base)
        return;
    buf_done(&base->kept[0].bytes);
    buf_done(&base->kept[1].bytes);
    buf_done(&base->settling.bytes);
    buf_done(&base->pinned.bytes);
    free(base);
}

static const char *manifest_path(const struct state_base *base, int i, char path[DISK_PATH_MAX])
{
    int n = snprintf(path, DISK_PATH_MAX, "%s/manifest.%d", base->path, i);
    assert(n < DISK_PATH_MAX);
    return path;
}

/* The section of the state; false when the manifest has none. */
static bool section_of(const struct manifest *manifest, enum state_id id, struct slice *out)
{
    struct slice rest = slice_after(buf_slice(&manifest->bytes), sizeof(struct header));
    for (uint16_t i = 0; i < manifest->header.sections && rest.n >= 8; i++) {
        uint32_t head[2];
        memcpy(head, rest.p, sizeof head);
        if (head[1] > rest.n - 8)
            return false;
        *out = slice_of(rest.p + 8, head[1]);
        if (head[0] == (uint32_t)id)
            return true;
        rest = slice_after(rest, 8 + (size_t)head[1]);
    }
    return false;
}

static bool manifest_check(struct state_base *base, struct manifest *manifest)
{
    size_t n = manifest->bytes.n;
    uint32_t crc;
    if (n < sizeof manifest->header + sizeof crc)
        return false;
    memcpy(&manifest->header, manifest->bytes.p, sizeof manifest->header);
    memcpy(&crc, manifest->bytes.p + n - sizeof crc, sizeof crc);
    return memcmp(manifest->header.magic, MAGIC, sizeof MAGIC) == 0 && manifest->header.version == 1 &&
           manifest->header.partition == base->partition && crc == crc32c(0, manifest->bytes.p, n - sizeof crc);
}

static enum status manifest_read(struct state_base *base, int i, struct error *err)
{
    struct manifest *manifest = &base->kept[i];
    char path[DISK_PATH_MAX], *bytes;
    size_t n;
    manifest->valid = false;
    buf_reset(&manifest->bytes);
    enum status s = disk_read_whole(base->disk, manifest_path(base, i, path), MANIFEST_BYTES_MAX, &bytes, &n, err);
    if (s == ERR_NOT_FOUND || s == ERR_INVALID)
        return OK;
    if (s != OK)
        return s;
    buf_add(&manifest->bytes, bytes, n);
    free(bytes);
    manifest->valid = manifest_check(base, manifest);
    if (manifest->valid && manifest->header.sequence >= base->next_sequence)
        base->next_sequence = manifest->header.sequence + 1;
    return OK;
}

enum status state_base_open(struct state_base *base, struct error *err)
{
    enum status s = disk_make_dirs(base->disk, base->path, err);
    base->tried[0] = base->tried[1] = base->tried_none = false;
    for (int i = 0; i < 2 && s == OK; i++)
        s = manifest_read(base, i, err);
    return s == OK ? OK : error_wrap(err, s, "open state of partition %u", base->partition);
}

/* ---- restoring ---- */

void state_base_empty(struct state_base *base)
{
    base->settling.valid = base->pinned.valid = false;
    for (size_t i = 0; i < base->state_count; i++)
        base->states[i]->ops->empty(base->states[i]);
}

/* Makes the manifest gone for good. */
static enum status forget(struct state_base *base, int i, struct error *err)
{
    char path[DISK_PATH_MAX];
    base->kept[i].valid = false;
    buf_reset(&base->kept[i].bytes);
    enum status s = base->disk->ops->remove(base->disk, manifest_path(base, i, path), err);
    if (s != OK && s != ERR_NOT_FOUND)
        return s;
    return base->disk->ops->sync_dir(base->disk, base->path, err);
}

static enum status restore_states(struct state_base *base, const struct manifest *manifest, struct error *err)
{
    for (size_t i = 0; i < base->state_count; i++) {
        struct state *state = base->states[i];
        struct slice section;
        if (!section_of(manifest, state->ops->id, &section))
            return error_set(err, ERR_CORRUPT, "the checkpoint has no section for %s", state->ops->name);
        enum status s = state->ops->restore(state, section, err);
        if (s != OK)
            return error_wrap(err, s, "restore %s", state->ops->name);
    }
    return OK;
}

const char *state_base_path(const struct state_base *base)
{
    return base->path;
}

/* The map stands already: what its section says is of the map that was copied. */
static bool is_loaded(const struct state *state)
{
    return state->ops->id == STATE_KV;
}

enum status state_base_adopt(struct state_base *base, struct slice bytes, uint64_t seed, struct state_point *out,
                             struct error *err)
{
    struct manifest manifest = { 0 };
    buf_init(&manifest.bytes, MANIFEST_BYTES_MAX);
    buf_add_slice(&manifest.bytes, bytes);
    enum status s = OK;
    if (!manifest_check(base, &manifest) || manifest.header.seed != seed)
        s = error_set(err, ERR_CORRUPT, "the manifest is not of this partition, or damaged");
    for (size_t i = 0; i < base->state_count && s == OK; i++) {
        struct slice section;
        if (is_loaded(base->states[i]))
            continue;
        s = section_of(&manifest, base->states[i]->ops->id, &section)
                ? base->states[i]->ops->restore(base->states[i], section, err)
                : error_set(err, ERR_CORRUPT, "there is no section for %s", base->states[i]->ops->name);
    }
    if (s == OK)
        *out = (struct state_point){ manifest.header.position, manifest.header.changelog_offset, true };
    buf_done(&manifest.bytes);
    return s;
}

/* The newest manifest that was not tried, or −1. */
static int next_candidate(const struct state_base *base)
{
    int best = -1;
    for (int i = 0; i < 2; i++)
        if (base->kept[i].valid && !base->tried[i] &&
            (best < 0 || base->kept[i].header.sequence > base->kept[best].header.sequence))
            best = i;
    return best;
}

static enum status try_candidate(struct state_base *base, int i, struct state_point *out, struct error *err)
{
    const struct manifest *manifest = &base->kept[i];
    state_base_empty(base);
    base->tried[i] = true;
    enum status s = restore_states(base, manifest, err);
    if (s == OK)
        *out = (struct state_point){ manifest->header.position, manifest->header.changelog_offset, true };
    else if (s != ERR_CORRUPT && s != ERR_NOT_FOUND && s != ERR_INVALID)
        base->tried[i] = false; /* the disk's trouble, not the file's: the same again later */
    return s;
}

enum status state_base_restore(struct state_base *base, uint64_t seed, uint64_t changelog_end, struct state_point *out,
                               struct error *err)
{
    enum status s;
    for (;;) {
        for (int i = 0; i < 2; i++) {
            struct header *header = &base->kept[i].header;
            bool foreign = base->kept[i].valid && (header->seed != seed || header->changelog_offset > changelog_end);
            if (foreign || (base->kept[i].valid && base->tried[i])) {
                s = forget(base, i, err);
                if (s != OK)
                    return s;
            }
        }
        int i = next_candidate(base);
        if (i < 0)
            break;
        s = try_candidate(base, i, out, err);
        if (s != ERR_CORRUPT && s != ERR_NOT_FOUND && s != ERR_INVALID)
            return s;
    }
    if (base->tried_none)
        return ERR_NOT_FOUND; /* err still says why the last one failed */
    base->tried_none = true;
    state_base_empty(base);
    *out = (struct state_point){ 0, 0, false };
    return OK;
}

/* ---- checkpoints ---- */

static enum status manifest_make(struct state_base *base, const struct header *header, struct buf *to,
                                 struct error *err)
{
    buf_add(to, header, sizeof *header);
    for (size_t i = 0; i < base->state_count; i++) {
        struct state *state = base->states[i];
        uint32_t head[2] = { (uint32_t)state->ops->id, 0 };
        size_t at = to->n;
        buf_add(to, head, sizeof head);
        enum status s = state->ops->checkpoint(state, to, err);
        if (s != OK)
            return s;
        if (to->full)
            break;
        head[1] = (uint32_t)(to->n - at - sizeof head);
        memcpy(to->p + at, head, sizeof head);
    }
    uint32_t crc = crc32c(0, to->p, to->n);
    buf_add(to, &crc, sizeof crc);
    return to->full ? error_set(err, ERR_FULL, "the manifest is larger than %u bytes", MANIFEST_BYTES_MAX) : OK;
}

/* Whose file it is by its name; NULL: nobody's. */
static struct state *owner_of(const struct state_base *base, const char *name)
{
    for (size_t i = 0; i < base->state_count; i++) {
        size_t n = strlen(base->states[i]->ops->name);
        if (strncmp(name, base->states[i]->ops->name, n) == 0 && name[n] == '-')
            return base->states[i];
    }
    return NULL;
}

bool state_base_is_file_name(const struct state_base *base, const char *name)
{
    return owner_of(base, name) && strlen(name) < NAME_BYTES && !strchr(name, '/');
}

static bool manifest_uses(const struct manifest *manifest, const struct state *state, const char *name)
{
    struct slice section;
    return manifest->valid && section_of(manifest, state->ops->id, &section) && state->ops->section_uses(section, name);
}

struct leftovers {
    struct state_base *base;
    char names[REMOVE_AT_ONCE][NAME_BYTES];
    size_t count;
};

static void visit_file(void *self, const char *name)
{
    struct leftovers *left = self;
    struct state_base *base = left->base;
    struct state *state = owner_of(base, name);
    if (!state || left->count == REMOVE_AT_ONCE || strlen(name) >= NAME_BYTES || state->ops->uses_file(state, name) ||
        manifest_uses(&base->kept[0], state, name) || manifest_uses(&base->kept[1], state, name) ||
        manifest_uses(&base->pinned, state, name))
        return;
    memcpy(left->names[left->count++], name, strlen(name) + 1);
}

/* What is left over after an error is removed at a later checkpoint. */
static void remove_leftovers(struct state_base *base)
{
    struct leftovers left = { .base = base };
    char path[DISK_PATH_MAX];
    if (base->disk->ops->list(base->disk, base->path, visit_file, &left, NULL) != OK)
        return;
    for (size_t i = 0; i < left.count; i++) {
        int n = snprintf(path, sizeof path, "%s/%s", base->path, left.names[i]);
        if (n < (int)sizeof path)
            (void)base->disk->ops->remove(base->disk, path, NULL);
    }
}

/* ---- for a copy ---- */

enum status state_base_pin(struct state_base *base, struct slice *out_manifest, struct state_point *out,
                           struct error *err)
{
    const struct manifest *newest = NULL;
    for (int i = 0; i < 2; i++)
        if (base->kept[i].valid && (!newest || base->kept[i].header.sequence > newest->header.sequence))
            newest = &base->kept[i];
    if (!newest)
        return error_set(err, ERR_NOT_FOUND, "there is no checkpoint yet");
    base->pinned.header = newest->header;
    buf_reset(&base->pinned.bytes);
    buf_add_slice(&base->pinned.bytes, buf_slice(&newest->bytes));
    base->pinned.valid = true;
    *out_manifest = buf_slice(&base->pinned.bytes);
    *out = (struct state_point){ newest->header.position, newest->header.changelog_offset, true };
    return OK;
}

void state_base_unpin(struct state_base *base)
{
    base->pinned.valid = false;
}

struct pinned_visit {
    struct state_base *base;
    void (*visit)(void *self, const char *name);
    void *self;
};

static void visit_pinned(void *self, const char *name)
{
    struct pinned_visit *visit = self;
    const struct state *state = owner_of(visit->base, name);
    if (state && strlen(name) < NAME_BYTES && manifest_uses(&visit->base->pinned, state, name))
        visit->visit(visit->self, name);
}

enum status state_base_pinned_files(struct state_base *base, void (*visit)(void *self, const char *name), void *self,
                                    struct error *err)
{
    struct pinned_visit by_name = { base, visit, self };
    return base->disk->ops->list(base->disk, base->path, visit_pinned, &by_name, err);
}

/* ---- checkpoints, as a whole ---- */

bool state_base_is_settling(const struct state_base *base)
{
    return base->settling.valid;
}

static enum status begin(struct state_base *base, uint64_t seed, const struct state_point *point, struct error *err)
{
    struct manifest *new = &base->settling;
    new->header = (struct header){ .version = 1,
                                   .partition = base->partition,
                                   .sections = (uint16_t)base->state_count,
                                   .sequence = base->next_sequence,
                                   .position = point->position,
                                   .changelog_offset = point->changelog_offset,
                                   .seed = seed };
    memcpy(new->header.magic, MAGIC, sizeof MAGIC);
    buf_reset(&new->bytes);
    enum status s = manifest_make(base, &new->header, &new->bytes, err);
    new->valid = s == OK;
    return s;
}

static enum status settle(struct state_base *base, struct error *err)
{
    for (size_t i = base->state_count; i-- > 0;) {
        struct state *state = base->states[i];
        bool done = false;
        enum status s = state->ops->settle(state, &done, err);
        if (s != OK)
            return error_wrap(err, s == ERR_RETRY ? ERR_IO : s, "settle %s", state->ops->name);
        if (!done)
            return error_set(err, ERR_RETRY, "%s is being written", state->ops->name);
    }
    return OK;
}

/* The manifest takes the place of the older one. */
static enum status finish(struct state_base *base, uint64_t *out_keep, struct error *err)
{
    int oldest = !base->kept[0].valid   ? 0
                 : !base->kept[1].valid ? 1
                                        : (base->kept[0].header.sequence > base->kept[1].header.sequence ? 1 : 0);
    const struct manifest *other = &base->kept[1 - oldest];
    struct manifest *new = &base->settling, old = base->kept[oldest];
    char path[DISK_PATH_MAX];
    enum status s = disk_replace(base->disk, manifest_path(base, oldest, path), new->bytes.p, new->bytes.n, err);
    if (s != OK)
        return s;
    base->next_sequence++;
    base->kept[oldest] = *new;
    *new = old;
    new->valid = false;
    *out_keep = other->valid ? other->header.position : 0;
    return OK;
}

enum status state_base_checkpoint(struct state_base *base, uint64_t seed, struct state_point *point, uint64_t *out_keep,
                                  struct error *err)
{
    struct header header;
    enum status s = base->settling.valid ? OK : begin(base, seed, point, err);
    header = base->settling.header;
    if (s == OK)
        s = settle(base, err);
    if (s == OK)
        s = finish(base, out_keep, err);
    if (s == ERR_RETRY)
        return s;
    if (s != OK) {
        base->settling.valid = false;
        return error_wrap(err, s, "checkpoint of partition %u", base->partition);
    }
    *point = (struct state_point){ header.position, header.changelog_offset, true };
    remove_leftovers(base);
    return OK;
}
