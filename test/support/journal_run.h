/* A life of the file journal on a simulated disk, beside a model of what it promised (test/sim/journal_crash_test.c
 * says what): commits by seed, each with its fate, and readers that follow. Everything is checked as it is read. One
 * run is at work at a time, in `run`; one thread. */
#pragma once
#include "base/role.h"
#include "journal/journal.h"
#include "world/disk_sim.h"
#include "world/world_sim.h"

#define RUN_DIR "data/journal"
#define RUN_SEGMENT (64u << 10)
#define RUN_PARTITIONS 3
#define RUN_COMMITS_MAX 1600
#define RUN_GROUPS 2
#define RUN_RECORD_BYTES_MAX (2 * DISK_ALIGN)

enum fate { NOT_SENT, QUEUED, ACKED, REFUSED, FAILED, DEAD };

struct planned { /* a commit as the model knows it */
    enum fate fate;
    uint32_t chunk_count, mark_count, note[3];
    struct {
        uint16_t topic, partition;
        uint32_t records, record_bytes;
    } chunks[4];
    struct {
        uint16_t group, partition;
        uint64_t position;
    } marks[2];
    struct journal_commit commit;
    struct journal_chunk journal_chunks[4];
    struct journal_mark journal_marks[2];
    char *bytes;
};

struct follower {
    struct journal_reader *reader;
    uint32_t topics, last_id;
    uint16_t partition;
    uint64_t offsets[32][RUN_PARTITIONS];
    bool known[32][RUN_PARTITIONS];
};

struct run {
    uint64_t seed;
    uint64_t dice[2];
    struct world_sim world;
    struct disk_sim *disk;
    struct journal_options options;
    struct journal *journal;
    struct role roles[2];
    struct follower followers[2];
    uint32_t retired; /* ids up to this may be gone by retention */
    bool uniform;     /* all commits have the same size */
    uint64_t lives, acked, unknown_lost, refused, failed;
    struct planned commits[RUN_COMMITS_MAX];
    uint32_t sent; /* ids are 1 … sent */
};
extern struct run *run;

/* r: zeros, or a run that has ended. The disk is empty and healthy. */
void run_begin(struct run *r, uint64_t seed);
void run_end(void);
uint64_t run_roll(uint64_t below);
/* Fails with the seed, the life and the step of the disk. */
PRINTF_LIKE(2, 3) void run_check(bool good, const char *format, ...);

/* False: the disk has trouble. */
bool run_open(void);
/* After an open: everything is there; the fates of what was unknown are settled for ever. */
void run_settle(void);
/* One more commit, by the dice. */
void run_submit(void);

/* ---- reading (journal_run_reading.c) ---- */

void run_follower_open(struct follower *follower, uint32_t topics, uint16_t partition);
void run_follower_close(struct follower *follower);
/* True while there may be more. */
bool run_follower_read(struct follower *follower, size_t bytes_max);
/* A read's chunks: whole commits, of those that may be seen, in order. */
void run_follower_check_batch(struct follower *follower, const struct journal_batch *batch);
/* None of the commits from … to - 1 had to be seen. */
void run_follower_check_skipped(const struct follower *follower, uint32_t from, uint32_t to);
/* What retention has taken by now need not be seen. */
void run_note_retired(void);
/* The filler of a record, which follows from its three numbers. */
const char *run_filler(uint32_t id, uint32_t chunk, uint32_t record);
