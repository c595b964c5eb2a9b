/* Stream processing of one partition, as a role: reads accepted events, runs them through the stages, and commits
 * outputs, changes of state and position in one atomic step. Single writer of its partition's TOPIC_ENRICHED,
 * TOPIC_DEAD_LETTERS and TOPIC_CHANGELOG, of the marks "process" and "process.checkpoint", and of its directory.
 *
 * Life: new → a thread (or simulator) steps the role → stop → wait for is_finished → the role's thread is stopped →
 * free (before the journal is closed, since the task has a reader; the journal's roles run on until then). Bounds: two
 * commits (one in flight, one filling), each at most about batch_bytes_max. */
#pragma once
#include "base/compiler.h"
#include "base/error.h"
#include "base/queue.h"
#include "base/role.h"
#include "journal/journal.h"

struct catalog;
struct domain_set;
struct kv_backend;
struct kv_pool;
struct process_task;
struct metrics;

#define PROCESS_GROUP "process"
#define PROCESS_CHECKPOINT_GROUP "process.checkpoint"

/* 0 means the default. */
struct process_options {
    const char *state_path;     /* directory of all partitions' state, made when missing; no default */
    uint32_t batch_records_max; /* 8192; events in one commit */
    uint32_t batch_bytes_max; /* 4 MiB, at most 6; outputs of one commit. The journal must take commits of twice this */
    uint32_t results_max;     /* 20000, which is the most; results of windows in one commit, about */
    uint32_t commit_pause_us; /* 0; shortest time between two commits that are not full */
    uint32_t read_bytes;      /* 1 MiB; asked of the journal at a time */
    int64_t future_skew_ms;   /* 24 h; a timestamp further ahead of ingested_us is a dead letter */
    int64_t late_after_ms;    /* 10 min; received so long after it happened, an event counts as late
                                 (event/quality_record.h) */
    int64_t dedup_horizon_ms; /* 7 d; an event_id is remembered at least so long (running time) */
    uint64_t dedup_memory_bytes_max; /* 128 MiB a partition; holds about 45 million ids */
    uint64_t dedup_disk_bytes_max;   /* 4 GiB a partition */
    int64_t checkpoint_interval_ms;  /* 60 s */
    uint64_t checkpoint_bytes;       /* 256 MiB of changes, before its time */
    bool snapshots;                  /* the changelog outlives the directory: the base goes into it from time to time */
    uint64_t snapshot_after_bytes;   /* 64 MiB of changes, and as many as the last one had, before the next begins */
    uint32_t snapshot_piece_bytes;   /* 512 KiB of it in one commit; at most 1 MiB */
    int64_t
        session_gap_ms;  /* as the domains say, or 30 min; a longer pause of a visitor, by event time, ends a session */
    int64_t disorder_ms; /* as the domains say, or 10 min; how far a watermark stays behind the newest event */
    uint64_t state_memory_bytes_max;  /* 256 MiB a partition; windows get two thirds, sessions one */
    const struct kv_backend *kv;      /* where state beyond memory lies; no default */
    struct kv_pool *kv_pool;          /* shared by all tasks; outlives them */
    const struct domain_set *domains; /* event types, transforms and windows; outlives the task. NULL: none */
    struct slice pii_key;             /* the secret behind hashes and ciphertexts of persons' fields; copied */
    struct catalog *catalog;          /* tenants' retention; outlives the task. NULL: everything is kept for ever */
    int32_t retention_days;           /* of tenants that name none; 0, -1: for ever */
    bool results_only;                /* accepted events are not handed on (TOPIC_ENRICHED): nobody stores them */
    bool ids_unique;                  /* no event comes twice: ids are neither looked up nor remembered */
    bool is_reported;       /* other processes are told of the task (task_report.h), and of which claim it is */
    bool accept_lost_state; /* start although state cannot be rebuilt: repeats of old events may count twice */
};

enum process_task_state {
    PROCESS_RESTORING, /* rebuilding its state */
    PROCESS_RUNNING,
    PROCESS_STOPPING, /* finishes its commits, then makes a last checkpoint */
    PROCESS_STOPPED,
    PROCESS_FAILED, /* cannot go on; process_task_error says why. Make a new task: it rebuilds from base and changelog
                     */
};

/* live: struct live_update (process/live.h) are pushed to it; NULL: nobody listens. Aborts when out of memory. */
struct process_task *process_task_new(const struct process_options *options, struct journal *journal,
                                      uint16_t partition, struct metrics *metrics, struct queue *live,
                                      struct world *world);
struct role process_task_role(struct process_task *task);
/* Any thread: no more reading; what was read is committed, then a checkpoint. Returns at once. */
void process_task_stop(struct process_task *task);
/* Any thread. */
enum process_task_state process_task_state(const struct process_task *task);
/* Stopped or failed, and the journal holds none of its commits: its thread may be stopped. Any thread. */
bool process_task_is_finished(const struct process_task *task);
/* Once it has failed. */
const char *process_task_error(const struct process_task *task);
/* Which claim of its partition the task is, for struct task_status; 0: not known (yet). Any thread. */
uint64_t process_task_generation(const struct process_task *task);
/* Restored and not failed: for /ready. Any thread. */
bool process_task_is_ready(const struct process_task *task);
void process_task_free(struct process_task *task);
