/* A life of keyed state, for the tests of crashes: random changes, commits, drops, walks, checkpoints by seed, beside a
 * plain table that says what must be there. Every step compares with the table by cmocka's assertions.
 *
 * The changelog is a list in memory that forgets what a checkpoint allows it to forget, at once. The files are on a
 * simulated disk, unless `path` and the world's disk are changed between story_down and story_up. One thread. */
#pragma once
#include "process/process_output.h"
#include "process/state/keyed.h"
#include "process/state/state_base.h"
#include "process/state/state_kv.h"
#include "world/disk_sim.h"
#include "world/world_sim.h"

#define STORY_PATH "/data/state"
#define STORY_TENANTS 3
#define STORY_STARTS 4
#define STORY_PANES (STORY_TENANTS * STORY_STARTS) /* one for each tenant and start */
#define STORY_KEYS 90
#define STORY_RECORDS_MAX 20000
#define STORY_SMALL_BYTES (24u << 10) /* of memory: rows leave and come back all the time */
#define STORY_LARGE_BYTES (1u << 20)

/* A row: a number, and text that follows from it. */
struct story_row {
    uint64_t value;
    char *text;
    size_t text_n;
};
extern const struct keyed_kind STORY_KIND;

/* The plain table. */
struct story_model {
    struct story_pane {
        bool alive;
        uint64_t words[KEYED_WORDS], rows;
        int64_t due_ms;
        uint64_t values[STORY_KEYS]; /* 0: no such row */
        uint32_t revisions[STORY_KEYS];
    } panes[STORY_PANES];
};

struct story {
    uint64_t seed, dice[2];
    struct world_sim time;
    struct disk_sim *disk;
    const struct kv_backend *backend;
    struct kv_pool *pool;
    const char *path;
    struct state_kv *kv;
    struct keyed *keyed;
    struct state *states[2];
    struct state_base *base;
    struct story_model now, durable, flying;
    struct process_outputs outputs; /* of the commit that is not durable */
    bool is_flying;
    uint64_t flying_replay_from;
    char *records[STORY_RECORDS_MAX];
    uint32_t sizes[STORY_RECORDS_MAX];
    uint64_t begin, end; /* of the durable changelog */
    uint64_t replay_from;
    bool keep_all; /* the changelog forgets nothing */
    uint64_t next_value, checkpoints, fallbacks, memory_bytes_max;
    const char *why; /* "corrupt" or "disk": why a walk ended */
};

/* Up, with nothing restored. */
struct story *story_new(uint64_t seed);
void story_free(struct story *story);
unsigned story_roll(struct story *story, unsigned below);

/* The process ends and begins: what is on the disk stays. */
void story_down(struct story *story);
void story_up(struct story *story);
/* The state becomes that of the last durable commit, from files and the changelog. */
void story_restore(struct story *story);
/* The machine is on again, after a cut or a kill: up and restored. */
void story_power_back(struct story *story);
/* The process or the power ends, and all is restored; a commit that flies is durable or not. */
void story_crash(struct story *story, bool power);

/* A commit takes off; it is durable. */
void story_collect(struct story *story);
void story_make_durable(struct story *story);
/* A step towards a checkpoint, as the task takes it: only when no commit flies. */
void story_checkpoint(struct story *story);
void story_maintain(struct story *story);
/* Random steps until `rounds` are over or the machine is off. False: what is on the disk could not be read. */
bool story_play(struct story *story, unsigned rounds);

/* ---- what a stage does, compared with the table (keyed_story_rows.c) ---- */

/* NULL: there is none, and `create` is false. */
struct keyed_pane *story_pane(struct story *story, unsigned number, bool create);
/* False: the map could not be read, the task ends. */
bool story_change_rows(struct story *story);
void story_change_pane(struct story *story);
void story_drop_pane(struct story *story, unsigned number);
/* Each row of a pane, in pieces, with upkeep in between. False: the disk ended it. */
bool story_walk(struct story *story, unsigned number);
void story_expect_due(struct story *story);
/* All panes with all rows. False: the disk ended it. */
bool story_expect_all(struct story *story);
