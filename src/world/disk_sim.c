/* The table of disk.h over the simulated state: each call that changes anything is a step, at which the plan may cut
 * the power or make the disk fail. What survives is decided in disk_sim_state.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "world/disk_sim_state.h"

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
        sim_name_apply(sim->seen, change);
    }
    if (!cut)
        return OK;
    disk_sim_power_cut(sim);
    return is_off(err);
}

static enum status make_inode(struct disk_sim *sim, const char *path, struct inode **out, struct error *err)
{
    struct inode *inode = sim_take(sizeof *inode);
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
    struct name *name = sim_name_find(sim->seen, path);
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
    struct sim_file *file = sim_take(sizeof *file);
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
    bool full = sim->plan.write_full || (sim->plan.capacity_bytes && end > size &&
                                         disk_sim_used_bytes(sim) + end - size > sim->plan.capacity_bytes);
    bool broken = sim->plan.fail_write_in && dice_once_in(sim->dice, sim->plan.fail_write_in);
    size_t take_n = skip || ((full || broken) && !cut) ? dice_below(sim->dice, total + 1) : total;
    if (full && end > size && take_n > size - (offset < size ? offset : size))
        take_n = 0;
    for (int i = 0; i < count && done < take_n; i++) {
        size_t n = parts[i].iov_len < take_n - done ? parts[i].iov_len : take_n - done;
        if (n)
            sim_inode_change(file->inode, offset + done, parts[i].iov_base, n);
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
        sim_inode_sync_failed(sim, file->inode);
        return error_set(err, ERR_IO, "simulated: syncing %s failed", file->path);
    }
    if (!skip) {
        sim_inode_sync(file->inode);
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
        sim_inode_change(file->inode, bytes, NULL, 0);
    if (!cut)
        return OK;
    disk_sim_power_cut(file->sim);
    return is_off(err);
}

static void sim_past_cache(struct disk_file *self)
{
    (void)self; /* what was not synced is lost either way */
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
    struct name *name = sim_name_find(sim->seen, from);
    if (!name)
        return sim->off ? is_off(err) : error_set(err, ERR_NOT_FOUND, "simulated: there is no %s", from);
    return add_name_change(sim, NAME_RENAMED, from, to, name->inode, err);
}

static enum status sim_remove(struct disk *disk, const char *path, struct error *err)
{
    struct disk_sim *sim = sim_of(disk);
    struct name *name = sim_name_find(sim->seen, path);
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
    uint64_t used = disk_sim_used_bytes(sim), capacity = sim->plan.capacity_bytes;
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
        .zero = disk_zero_by_writing,
        .truncate = sim_truncate,
        .past_cache = sim_past_cache,
        .lock = sim_lock,
        .close = sim_close,
        .rename = sim_rename,
        .remove = sim_remove,
        .make_dir = sim_make_dir,
        .sync_dir = sim_sync_dir,
        .list = sim_list,
        .free_bytes = sim_free_bytes,
    };
    struct disk_sim *sim = sim_take(sizeof *sim);
    sim->disk.ops = &OPS;
    sim->time = time;
    dice_init(sim->dice, seed);
    return sim;
}

struct disk *disk_sim_disk(struct disk_sim *sim)
{
    return &sim->disk;
}
