/* Two versions of everything: what the process sees, and what would survive. An inode has `seen` (the page cache) and
 * `kept` (the platter), and the list of writes and truncations that are in the one and not in the other. Names are two
 * tables, and the list of changes between them. A power cut rolls the dice over both lists; a sync empties one. */
#include "world/disk_sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "world/world_sim.h"

#define NAMES_MAX 256

struct bytes {
    char *p;
    size_t n, capacity;
};

struct change { /* of an inode: a write, or with p NULL a truncation to `offset` */
    struct change *next;
    uint64_t offset;
    size_t n;
    char *p;
};

struct inode {
    struct inode *next; /* of all inodes; freed with the disk */
    struct bytes seen, kept;
    struct change *changes, **changes_end;
    struct sim_file *locked_by;
};

struct name {
    char path[128];
    struct inode *inode; /* NULL: the slot is free */
};

enum name_change_kind { NAME_MADE, NAME_RENAMED, NAME_REMOVED };
struct name_change {
    enum name_change_kind kind;
    char from[128], to[128];
    struct inode *inode;
};

struct disk_sim {
    struct disk disk;
    struct world_sim *time;
    uint64_t dice[2];
    struct disk_sim_plan plan;
    uint64_t steps;
    uint32_t life; /* counts deaths: files of an earlier life are unusable */
    bool off;
    struct inode *inodes;
    struct name seen[NAMES_MAX], kept[NAMES_MAX];
    struct name_change changes[NAMES_MAX * 4];
    size_t change_count;
};

struct sim_file {
    struct disk_file file;
    struct disk_sim *sim;
    struct inode *inode;
    uint32_t life;
    char path[128];
};

static void *take(size_t n)
{
    void *p = calloc(1, n ? n : 1);
    if (!p)
        abort();
    return p;
}

static void bytes_resize(struct bytes *bytes, size_t n)
{
    if (n > bytes->capacity) {
        bytes->capacity = n < 4096 ? 4096 : n * 2;
        bytes->p = realloc(bytes->p, bytes->capacity);
        if (!bytes->p)
            abort();
    }
    if (n > bytes->n)
        memset(bytes->p + bytes->n, 0, n - bytes->n);
    bytes->n = n;
}

static void bytes_copy(struct bytes *to, const struct bytes *from)
{
    bytes_resize(to, from->n);
    if (from->n)
        memcpy(to->p, from->p, from->n);
}

static void forget_changes(struct inode *inode)
{
    while (inode->changes) {
        struct change *next = inode->changes->next;
        free(inode->changes->p);
        free(inode->changes);
        inode->changes = next;
    }
    inode->changes_end = &inode->changes;
}

static struct name *name_find(struct name *names, const char *path)
{
    for (size_t i = 0; i < NAMES_MAX; i++)
        if (names[i].inode && strcmp(names[i].path, path) == 0)
            return &names[i];
    return NULL;
}

static void name_set(struct name *names, const char *path, struct inode *inode)
{
    struct name *name = name_find(names, path);
    for (size_t i = 0; !name; i++) {
        assert(i < NAMES_MAX);
        if (!names[i].inode)
            name = &names[i];
    }
    snprintf(name->path, sizeof name->path, "%s", path);
    name->inode = inode;
}

static void name_clear(struct name *names, const char *path)
{
    struct name *name = name_find(names, path);
    if (name)
        name->inode = NULL;
}

static void apply_name_change(struct name *names, const struct name_change *change)
{
    switch (change->kind) {
    case NAME_MADE:
        name_set(names, change->to, change->inode);
        break;
    case NAME_RENAMED:
        name_set(names, change->to, change->inode);
        if (name_find(names, change->from) && name_find(names, change->from)->inode == change->inode)
            name_clear(names, change->from);
        break;
    case NAME_REMOVED:
        if (name_find(names, change->from) && name_find(names, change->from)->inode == change->inode)
            name_clear(names, change->from);
        break;
    }
}

static struct disk_sim *sim_of(struct disk *disk)
{
    return (struct disk_sim *)disk;
}

static enum status is_off(struct error *err)
{
    return error_set(err, ERR_IO, "simulated: the power is off");
}

/* Counts a step that changes something; with *out_skip, the power goes here and the step is not carried out. */
static void begin_step(struct disk_sim *sim, bool *out_skip, bool *out_cut)
{
    *out_skip = *out_cut = false;
    if (++sim->steps != sim->plan.cut_at)
        return;
    *out_cut = true;
    *out_skip = !sim->plan.cut_after;
}

/* Only what is known to be unwritten goes to the platter: what a failed sync forgot stays forgotten. */
static void keep_changes(struct inode *inode)
{
    for (struct change *change = inode->changes; change; change = change->next) {
        if (!change->p || change->offset + change->n > inode->kept.n)
            bytes_resize(&inode->kept, change->offset + change->n);
        if (change->p)
            memcpy(inode->kept.p + change->offset, change->p, change->n);
    }
    bytes_resize(&inode->kept, inode->seen.n);
}

/* What survives of a file's unsynced changes. */
static void lose_changes(struct disk_sim *sim, struct inode *inode)
{
    uint64_t mode = dice_below(sim->dice, 4); /* nothing, everything, and twice: sector by sector */
    size_t sectors = (inode->seen.n > inode->kept.n ? inode->seen.n : inode->kept.n) / DISK_SIM_SECTOR + 1;
    for (struct change *change = inode->changes; change; change = change->next)
        if (change->offset + change->n > sectors * DISK_SIM_SECTOR)
            sectors = (change->offset + change->n) / DISK_SIM_SECTOR + 1;
    char *lost = take(sectors);
    if (mode == 0)
        memset(lost, 1, sectors);
    bool size_kept = mode == 1 || dice_once_in(sim->dice, 2);
    size_t size = size_kept ? inode->seen.n : inode->kept.n;
    for (struct change *change = inode->changes; change; change = change->next) {
        if (!change->p)
            continue;
        if (change->offset + change->n > inode->kept.n)
            bytes_resize(&inode->kept, change->offset + change->n);
        for (size_t at = 0; at < change->n;) {
            uint64_t place = change->offset + at, sector = place / DISK_SIM_SECTOR;
            size_t part = DISK_SIM_SECTOR - place % DISK_SIM_SECTOR;
            part = part < change->n - at ? part : change->n - at;
            if (mode > 1 && !lost[sector])
                lost[sector] = dice_once_in(sim->dice, 3);
            if (!lost[sector])
                memcpy(inode->kept.p + place, change->p + at, part);
            at += part;
        }
    }
    bytes_resize(&inode->kept, size);
    free(lost);
}

static void lose_names(struct disk_sim *sim)
{
    bool in_order = dice_once_in(sim->dice, 2);
    size_t prefix = dice_below(sim->dice, sim->change_count + 1);
    for (size_t i = 0; i < sim->change_count; i++)
        if (in_order ? i < prefix : dice_once_in(sim->dice, 2))
            apply_name_change(sim->kept, &sim->changes[i]);
}

void disk_sim_power_cut(struct disk_sim *sim)
{
    if (sim->off)
        return;
    for (struct inode *inode = sim->inodes; inode; inode = inode->next) {
        lose_changes(sim, inode);
        forget_changes(inode);
        bytes_copy(&inode->seen, &inode->kept);
    }
    lose_names(sim);
    sim->change_count = 0;
    memcpy(sim->seen, sim->kept, sizeof sim->seen);
    sim->off = true;
}

void disk_sim_kill(struct disk_sim *sim)
{
    sim->off = true;
}

void disk_sim_restart(struct disk_sim *sim)
{
    assert(sim->off);
    sim->off = false;
    sim->life++;
    for (struct inode *inode = sim->inodes; inode; inode = inode->next)
        inode->locked_by = NULL;
}

/* The file can be used now? */
static enum status usable(const struct sim_file *file, struct error *err)
{
    return file->sim->off || file->life != file->sim->life ? is_off(err) : OK;
}

static enum status add_name_change(struct disk_sim *sim, enum name_change_kind kind, const char *from, const char *to,
                                   struct inode *inode, struct error *err)
{
    bool skip, cut;
    if (sim->off)
        return is_off(err);
    begin_step(sim, &skip, &cut);
    if (!cut && sim->plan.fail_name_in && dice_once_in(sim->dice, sim->plan.fail_name_in))
        return error_set(err, ERR_IO, "simulated: the change of %s failed", to);
    if (!skip) {
        assert(sim->change_count < COUNT_OF(sim->changes));
        struct name_change *change = &sim->changes[sim->change_count++];
        change->kind = kind;
        change->inode = inode;
        snprintf(change->from, sizeof change->from, "%s", from);
        snprintf(change->to, sizeof change->to, "%s", to);
        apply_name_change(sim->seen, change);
    }
    if (!cut)
        return OK;
    disk_sim_power_cut(sim);
    return is_off(err);
}

static enum status make_inode(struct disk_sim *sim, const char *path, struct inode **out, struct error *err)
{
    struct inode *inode = take(sizeof *inode);
    inode->changes_end = &inode->changes;
    inode->next = sim->inodes;
    sim->inodes = inode;
    *out = inode;
    return add_name_change(sim, NAME_MADE, path, path, inode, err);
}

static enum status sim_open(struct disk *disk, const char *path, enum disk_mode mode, struct disk_file **out,
                            struct error *err)
{
    struct disk_sim *sim = sim_of(disk);
    struct name *name = name_find(sim->seen, path);
    struct inode *inode = name ? name->inode : NULL;
    if (sim->off)
        return is_off(err);
    if (inode && mode == DISK_CREATE_NEW)
        return error_set(err, ERR_IO, "simulated: %s exists", path);
    if (!inode && (mode == DISK_READ || mode == DISK_WRITE))
        return error_set(err, ERR_NOT_FOUND, "simulated: there is no %s", path);
    if (!inode) {
        enum status s = make_inode(sim, path, &inode, err);
        if (s != OK)
            return s;
    }
    struct sim_file *file = take(sizeof *file);
    file->file.ops = disk->ops;
    file->sim = sim;
    file->inode = inode;
    file->life = sim->life;
    snprintf(file->path, sizeof file->path, "%s", path);
    *out = &file->file;
    return OK;
}

static enum status sim_read(struct disk_file *self, void *to, size_t n, uint64_t offset, size_t *out_n,
                            struct error *err)
{
    struct sim_file *file = (struct sim_file *)self;
    enum status s = usable(file, err);
    if (s != OK)
        return s;
    const struct bytes *seen = &file->inode->seen;
    size_t there = offset < seen->n ? seen->n - offset : 0;
    *out_n = n < there ? n : there;
    if (*out_n)
        memcpy(to, seen->p + offset, *out_n);
    return OK;
}

static void change_inode(struct inode *inode, uint64_t offset, const char *p, size_t n)
{
    struct change *change = take(sizeof *change);
    change->offset = offset;
    change->n = n;
    if (p) {
        change->p = take(n);
        memcpy(change->p, p, n);
        if (offset + n > inode->seen.n)
            bytes_resize(&inode->seen, offset + n);
        memcpy(inode->seen.p + offset, p, n);
    } else {
        bytes_resize(&inode->seen, offset);
    }
    *inode->changes_end = change;
    inode->changes_end = &change->next;
}

static uint64_t used_bytes(const struct disk_sim *sim)
{
    uint64_t n = 0;
    for (size_t i = 0; i < NAMES_MAX; i++)
        n += sim->seen[i].inode ? sim->seen[i].inode->seen.n : 0;
    return n;
}

static enum status sim_write(struct disk_file *self, const struct iovec *parts, int count, uint64_t offset,
                             struct error *err)
{
    struct sim_file *file = (struct sim_file *)self;
    struct disk_sim *sim = file->sim;
    bool skip, cut;
    enum status s = usable(file, err);
    if (s != OK)
        return s;
    size_t total = 0, done = 0;
    for (int i = 0; i < count; i++)
        total += parts[i].iov_len;
    begin_step(sim, &skip, &cut);
    uint64_t end = offset + total, size = file->inode->seen.n;
    bool full = sim->plan.write_full ||
                (sim->plan.capacity_bytes && end > size && used_bytes(sim) + end - size > sim->plan.capacity_bytes);
    bool broken = sim->plan.fail_write_in && dice_once_in(sim->dice, sim->plan.fail_write_in);
    size_t take_n = skip || ((full || broken) && !cut) ? dice_below(sim->dice, total + 1) : total;
    if (full && end > size && take_n > size - (offset < size ? offset : size))
        take_n = 0;
    for (int i = 0; i < count && done < take_n; i++) {
        size_t n = parts[i].iov_len < take_n - done ? parts[i].iov_len : take_n - done;
        if (n)
            change_inode(file->inode, offset + done, parts[i].iov_base, n);
        done += n;
    }
    if (cut) {
        disk_sim_power_cut(sim);
        return is_off(err);
    }
    if (full)
        return error_set(err, ERR_FULL, "simulated: no space for %s", file->path);
    return broken ? error_set(err, ERR_IO, "simulated: writing %s failed", file->path) : OK;
}

static enum status sim_sync(struct disk_file *self, struct error *err)
{
    struct sim_file *file = (struct sim_file *)self;
    struct disk_sim *sim = file->sim;
    bool skip, cut;
    enum status s = usable(file, err);
    if (s != OK)
        return s;
    begin_step(sim, &skip, &cut);
    if (sim->time)
        world_sim_advance(sim->time, sim->plan.sync_us);
    if (!cut && sim->plan.fail_sync_in && dice_once_in(sim->dice, sim->plan.fail_sync_in)) {
        lose_changes(sim, file->inode);
        forget_changes(file->inode);
        return error_set(err, ERR_IO, "simulated: syncing %s failed", file->path);
    }
    if (!skip) {
        keep_changes(file->inode);
        forget_changes(file->inode);
    }
    if (!cut)
        return OK;
    disk_sim_power_cut(sim);
    return is_off(err);
}

static enum status sim_size(struct disk_file *self, uint64_t *out_bytes, struct error *err)
{
    struct sim_file *file = (struct sim_file *)self;
    enum status s = usable(file, err);
    if (s == OK)
        *out_bytes = file->inode->seen.n;
    return s;
}

static enum status sim_truncate(struct disk_file *self, uint64_t bytes, struct error *err)
{
    struct sim_file *file = (struct sim_file *)self;
    bool skip, cut;
    enum status s = usable(file, err);
    if (s != OK)
        return s;
    begin_step(file->sim, &skip, &cut);
    if (!skip)
        change_inode(file->inode, bytes, NULL, 0);
    if (!cut)
        return OK;
    disk_sim_power_cut(file->sim);
    return is_off(err);
}

static enum status sim_lock(struct disk_file *self, struct error *err)
{
    struct sim_file *file = (struct sim_file *)self;
    enum status s = usable(file, err);
    if (s != OK)
        return s;
    if (file->inode->locked_by && file->inode->locked_by != file)
        return error_set(err, ERR_FULL, "simulated: %s is locked", file->path);
    file->inode->locked_by = file;
    return OK;
}

static void sim_close(struct disk_file *self)
{
    struct sim_file *file = (struct sim_file *)self;
    if (file && file->inode->locked_by == file)
        file->inode->locked_by = NULL;
    free(file);
}

static enum status sim_rename(struct disk *disk, const char *from, const char *to, struct error *err)
{
    struct disk_sim *sim = sim_of(disk);
    struct name *name = name_find(sim->seen, from);
    if (!name)
        return sim->off ? is_off(err) : error_set(err, ERR_NOT_FOUND, "simulated: there is no %s", from);
    return add_name_change(sim, NAME_RENAMED, from, to, name->inode, err);
}

static enum status sim_remove(struct disk *disk, const char *path, struct error *err)
{
    struct disk_sim *sim = sim_of(disk);
    struct name *name = name_find(sim->seen, path);
    if (!name)
        return sim->off ? is_off(err) : error_set(err, ERR_NOT_FOUND, "simulated: there is no %s", path);
    return add_name_change(sim, NAME_REMOVED, path, path, name->inode, err);
}

static enum status sim_make_dir(struct disk *disk, const char *path, struct error *err)
{
    (void)path;
    return sim_of(disk)->off ? is_off(err) : OK;
}

static enum status sim_sync_dir(struct disk *disk, const char *path, struct error *err)
{
    struct disk_sim *sim = sim_of(disk);
    bool skip, cut;
    if (sim->off)
        return is_off(err);
    begin_step(sim, &skip, &cut);
    if (!cut && sim->plan.fail_name_in && dice_once_in(sim->dice, sim->plan.fail_name_in))
        return error_set(err, ERR_IO, "simulated: syncing directory %s failed", path);
    if (!skip) { /* of all directories: a stricter sync than asked for is the one lie here */
        memcpy(sim->kept, sim->seen, sizeof sim->kept);
        sim->change_count = 0;
    }
    if (!cut)
        return OK;
    disk_sim_power_cut(sim);
    return is_off(err);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static enum status sim_list(struct disk *disk, const char *path, void (*visit)(void *self, const char *name),
                            void *self, struct error *err)
{
    struct disk_sim *sim = sim_of(disk);
    static char copies[NAMES_MAX][128]; /* visit may change names; one thread */
    const char *names[NAMES_MAX];
    size_t count = 0, n = strlen(path);
    if (sim->off)
        return is_off(err);
    for (size_t i = 0; i < NAMES_MAX; i++) {
        const struct name *name = &sim->seen[i];
        if (!name->inode || strncmp(name->path, path, n) != 0 || name->path[n] != '/' ||
            strchr(name->path + n + 1, '/'))
            continue;
        snprintf(copies[count], sizeof copies[count], "%s", name->path + n + 1);
        names[count] = copies[count];
        count++;
    }
    qsort(names, count, sizeof *names, by_name);
    for (size_t i = 0; i < count; i++)
        visit(self, names[i]);
    return OK;
}

static enum status sim_free_bytes(struct disk *disk, const char *path, uint64_t *out_bytes, struct error *err)
{
    struct disk_sim *sim = sim_of(disk);
    (void)path;
    if (sim->off)
        return is_off(err);
    uint64_t used = used_bytes(sim), capacity = sim->plan.capacity_bytes;
    *out_bytes = capacity == 0 ? UINT64_MAX / 2 : used < capacity ? capacity - used : 0;
    return OK;
}

struct disk_sim *disk_sim_new(uint64_t seed, struct world_sim *time)
{
    static const struct disk_ops OPS = {
        .open = sim_open,
        .read = sim_read,
        .write = sim_write,
        .sync = sim_sync,
        .size = sim_size,
        .truncate = sim_truncate,
        .lock = sim_lock,
        .close = sim_close,
        .rename = sim_rename,
        .remove = sim_remove,
        .make_dir = sim_make_dir,
        .sync_dir = sim_sync_dir,
        .list = sim_list,
        .free_bytes = sim_free_bytes,
    };
    struct disk_sim *sim = take(sizeof *sim);
    sim->disk.ops = &OPS;
    sim->time = time;
    dice_init(sim->dice, seed);
    return sim;
}

void disk_sim_free(struct disk_sim *sim)
{
    while (sim && sim->inodes) {
        struct inode *next = sim->inodes->next;
        forget_changes(sim->inodes);
        free(sim->inodes->seen.p);
        free(sim->inodes->kept.p);
        free(sim->inodes);
        sim->inodes = next;
    }
    free(sim);
}

struct disk *disk_sim_disk(struct disk_sim *sim)
{
    return &sim->disk;
}

struct disk_sim_plan *disk_sim_plan(struct disk_sim *sim)
{
    return &sim->plan;
}

uint64_t disk_sim_steps(const struct disk_sim *sim)
{
    return sim->steps;
}

bool disk_sim_is_off(const struct disk_sim *sim)
{
    return sim->off;
}

bool disk_sim_rot(struct disk_sim *sim, const char *path, uint64_t offset, unsigned bit)
{
    struct name *name = name_find(sim->seen, path);
    if (!name || offset >= name->inode->seen.n)
        return false;
    name->inode->seen.p[offset] ^= (char)(1u << bit % 8);
    if (offset < name->inode->kept.n)
        name->inode->kept.p[offset] ^= (char)(1u << bit % 8);
    for (struct change *change = name->inode->changes; change; change = change->next)
        if (change->p && offset >= change->offset && offset - change->offset < change->n)
            change->p[offset - change->offset] ^= (char)(1u << bit % 8);
    return true;
}
