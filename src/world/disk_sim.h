/* A disk in memory that behaves as badly as real ones may, by seeded dice and by plan. One thread.
 *
 * What it models: writes are in the page cache until the file is synced; names made, renamed and removed are there
 * until the directory is synced. A power cut keeps what was synced, and of the rest any mixture: per sector of 512
 * bytes any prefix of the writes to it, the file's old or new size, and either a prefix or any subset of the pending
 * changes to names. A failed sync keeps the bytes readable and forgets that they were never written (they vanish at the
 * next power cut; syncing again does not save them). kill -9 loses nothing. Directories themselves are durable when
 * made. */
#pragma once
#include "world/disk.h"

#define DISK_SIM_SECTOR 512

struct disk_sim;
struct world_sim;

struct disk_sim_plan {
    uint64_t cut_at;         /* the power goes at this step (counted from 1, see disk_sim_steps); 0: never */
    bool cut_after;          /* the step is carried out, its answer is lost; false: it is not carried out, or in part */
    uint64_t fail_sync_in;   /* one sync in so many fails on average; 0: none */
    uint64_t fail_write_in;  /* one write in so many fails halfway with an I/O error; 0: none */
    uint64_t fail_name_in;   /* one create, rename, remove or directory sync in so many fails; 0: none */
    bool write_full;         /* a write fails halfway with "no space", also where blocks were there before (CoW) */
    uint64_t capacity_bytes; /* of all files together; 0: no bound */
    int64_t sync_us;         /* time that a sync takes (needs time) */
};

/* time: advanced by slow syncs; may be NULL. Aborts when out of memory, like all of these. */
struct disk_sim *disk_sim_new(uint64_t seed, struct world_sim *time);
void disk_sim_free(struct disk_sim *sim);
struct disk *disk_sim_disk(struct disk_sim *sim);
struct disk_sim_plan *disk_sim_plan(struct disk_sim *sim); /* change it at any time */

/* How many steps that change anything (create, write, sync, truncate, rename, remove, directory sync) were begun. */
uint64_t disk_sim_steps(const struct disk_sim *sim);
uint64_t disk_sim_used_bytes(const struct disk_sim *sim); /* of all files together, for capacity_bytes */
bool disk_sim_is_off(const struct disk_sim *sim);         /* every call fails with ERR_IO until disk_sim_restart */

/* The power goes now (nothing happens if it is off already). */
void disk_sim_power_cut(struct disk_sim *sim);
/* The process dies now: open files and locks are gone, the page cache stays. */
void disk_sim_kill(struct disk_sim *sim);
/* The machine, or the process, comes back. Files opened before stay unusable (close them still). */
void disk_sim_restart(struct disk_sim *sim);

/* Flips one bit of the file, on the disk and in the cache. False: no such file or offset. */
MUST_CHECK bool disk_sim_rot(struct disk_sim *sim, const char *path, uint64_t offset, unsigned bit);
