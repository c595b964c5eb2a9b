/* Writes the base of a partition's state into its changelog from time to time, a bounded piece a commit, so that the
 * changelog need not be kept for ever: what lies before the newest whole snapshot's checkpoint may be deleted. For
 * journals that outlive this process's directory. What is copied stands still meanwhile: the files of one checkpoint
 * are kept, and of the map there is a view. Owner: the task; one thread. The records: process_snapshot_record.h. */
#pragma once
#include "base/compiler.h"
#include "base/error.h"
#include "base/log.h"
#include "base/retry.h"
#include "process/process_output.h"
#include "process/process_snapshot_record.h"
#include "process/state/state_base.h"
#include "process/state/state_kv.h"

struct disk;
struct disk_file;
struct world;

#define SNAPSHOT_FILES_MAX 256
#define SNAPSHOT_PIECE_MAX (1u << 20)
/* The most that one commit gets of it: a piece, and one more that ends with a row of the largest kind. */
#define SNAPSHOT_COMMIT_BYTES (2 * SNAPSHOT_PIECE_MAX + KV_VALUE_MAX + (1u << 20))

struct process_snapshot_options {
    struct state_base *base;
    struct state_kv *kv;
    struct disk *disk;
    uint16_t partition;   /* for the log */
    uint64_t after_bytes; /* of changes before a snapshot begins; and as many as the last one had */
    uint32_t piece_bytes; /* about, in one commit; at most SNAPSHOT_PIECE_MAX */
};

struct process_snapshot {
    struct process_snapshot_options options;
    struct snapshot_place whole; /* the newest; to be started with what the note says */
    /* Of the one that is being written: */
    int kind; /* of its next record, an enum snapshot_kind; 0: none is */
    struct slice manifest;
    struct state_point point;
    char names[SNAPSHOT_FILES_MAX][STATE_BASE_NAME_BYTES];
    size_t name_count, name_at;
    struct disk_file *file;
    uint64_t file_at, file_end; /* of the file: what comes next, and where it ends */
    struct buf key;             /* the last row's: go on behind it */
    struct buf record;          /* being made */
    uint32_t number;
    uint64_t first_record, bytes, changes_before;
    int64_t began_us, retry_at_us;
    struct retry retry;
    struct log_limit log;
    uint64_t written, failed; /* snapshots, since the start */
    double last_seconds;
};

void process_snapshot_init(struct process_snapshot *snapshot, const struct process_snapshot_options *options);
void process_snapshot_done(struct process_snapshot *snapshot);
/* A commit changes so many bytes of state. */
void process_snapshot_changed(struct process_snapshot *snapshot, uint64_t bytes);
/* One is being written, or due: a commit should be made even without events. */
bool process_snapshot_wants(const struct process_snapshot *snapshot, struct world *world);
/* Appends the next piece of one that is being written or due; `next` is the number of the next changelog record. *whole
 * has moved when the commit carries the end. The stream has room for SNAPSHOT_COMMIT_BYTES. Trouble with disk or map
 * ends the attempt, the next one comes later. */
void process_snapshot_collect(struct process_snapshot *snapshot, uint64_t next, struct process_stream *changelog,
                              struct world *world);
/* The task stops: what is begun comes to nothing. */
void process_snapshot_give_up(struct process_snapshot *snapshot);
