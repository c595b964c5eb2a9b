/* Two versions of everything: what the process sees, and what would survive. An inode has `seen` (the page cache) and
 * `kept` (the platter), and the list of writes and truncations that are in the one and not in the other. Names are two
 * tables, and the list of changes between them. A power cut rolls the dice over both lists; a sync empties one. */
#include "world/disk_sim_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *sim_take(size_t n)
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

struct name *sim_name_find(struct name *names, const char *path)
{
    for (size_t i = 0; i < NAMES_MAX; i++)
        if (names[i].inode && strcmp(names[i].path, path) == 0)
            return &names[i];
    return NULL;
}

static void name_set(struct name *names, const char *path, struct inode *inode)
{
    struct name *name = sim_name_find(names, path);
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
    struct name *name = sim_name_find(names, path);
    if (name)
        name->inode = NULL;
}

void sim_name_apply(struct name *names, const struct name_change *change)
{
    switch (change->kind) {
    case NAME_MADE:
        name_set(names, change->to, change->inode);
        break;
    case NAME_RENAMED:
        name_set(names, change->to, change->inode);
        if (sim_name_find(names, change->from) && sim_name_find(names, change->from)->inode == change->inode)
            name_clear(names, change->from);
        break;
    case NAME_REMOVED:
        if (sim_name_find(names, change->from) && sim_name_find(names, change->from)->inode == change->inode)
            name_clear(names, change->from);
        break;
    }
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
    uint64_t mode = dice_below(sim->dice, 5); /* nothing, everything, twice: sector by sector, and block by block */
    size_t unit = mode == 4 ? DISK_ALIGN / DISK_SIM_SECTOR : 1;
    size_t sectors = (inode->seen.n > inode->kept.n ? inode->seen.n : inode->kept.n) / DISK_SIM_SECTOR + 1;
    for (struct change *change = inode->changes; change; change = change->next)
        if (change->offset + change->n > sectors * DISK_SIM_SECTOR)
            sectors = (change->offset + change->n) / DISK_SIM_SECTOR + 1;
    char *lost = sim_take(sectors);
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
            uint64_t place = change->offset + at, sector = place / DISK_SIM_SECTOR / unit * unit;
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
            sim_name_apply(sim->kept, &sim->changes[i]);
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

void sim_inode_change(struct inode *inode, uint64_t offset, const char *p, size_t n)
{
    struct change *change = sim_take(sizeof *change);
    change->offset = offset;
    change->n = n;
    if (p) {
        change->p = sim_take(n);
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

uint64_t disk_sim_used_bytes(const struct disk_sim *sim)
{
    uint64_t n = 0;
    for (size_t i = 0; i < NAMES_MAX; i++)
        n += sim->seen[i].inode ? sim->seen[i].inode->seen.n : 0;
    return n;
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

bool disk_sim_rot(struct disk_sim *sim, const char *path, uint64_t offset, unsigned bit)
{
    struct name *name = sim_name_find(sim->seen, path);
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

bool disk_sim_is_off(const struct disk_sim *sim)
{
    return sim->off;
}

uint64_t disk_sim_steps(const struct disk_sim *sim)
{
    return sim->steps;
}

struct disk_sim_plan *disk_sim_plan(struct disk_sim *sim)
{
    return &sim->plan;
}

void sim_inode_sync(struct inode *inode)
{
    keep_changes(inode);
    forget_changes(inode);
}

void sim_inode_sync_failed(struct disk_sim *sim, struct inode *inode)
{
    lose_changes(sim, inode);
    forget_changes(inode);
}
