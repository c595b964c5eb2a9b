/* The simulated disk's state, between disk_sim.c (the table of functions) and disk_sim_state.c (what survives what). */
#pragma once
#include "world/disk_sim.h"
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

void *sim_take(size_t n); /* zeroed; aborts when out of memory */
struct name *sim_name_find(struct name *names, const char *path);
void sim_name_apply(struct name *names, const struct name_change *change);
/* A write (p) or a truncation to offset (p NULL): seen at once, kept when synced. */
void sim_inode_change(struct inode *inode, uint64_t offset, const char *p, size_t n);
void sim_inode_sync(struct inode *inode);
/* The sync failed: what was pending reaches the platter by chance, and is forgotten. */
void sim_inode_sync_failed(struct disk_sim *sim, struct inode *inode);
