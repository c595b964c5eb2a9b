/* What a processing task remembers between batches, as a table of functions: the set of seen event ids now; windows,
 * sessions and identities later. The journal's changelog is the truth about every state; files are a cache of it.
 *
 * One record's life:  a stage changes the state in memory
 *                   → collect   writes the changes of the batch as changelog records, which go into the batch's commit
 *                   → durable   the commit is on disk: the same records come back, and may now reach the state's files
 *                   → checkpoint  the files are described …
 *                   → settle      … and are as described, synced; the journal before them may be deleted
 * After a crash:      restore (files as described) → apply (each changelog record since) → the same state.
 * So files never hold what was not committed, and a state may be thrown away and rebuilt at any time.
 *
 * Owner: the task of one partition; everything runs on its thread. No function blocks but on the local disk. */
#pragma once
#include "base/buf.h"
#include "base/compiler.h"
#include "base/error.h"
#include "base/slice.h"

struct state;
struct process_stream;

/* The first byte of every changelog record and the name of a manifest's section: never change or reuse one. */
enum state_id {
    STATE_DEDUP = 1,
    STATE_KV = 2,    /* has no records; the first byte of nobody's keys */
    STATE_KEYED = 3, /* also the first byte of its keys in the map (state_kv.h), as for all that follow */
    STATE_SESSIONS = 4,
    STATE_TIME = 5,
    STATE_SNAPSHOT = 6, /* of no state: the base itself, in pieces (process_snapshot_record.h) */
};
#define STATE_IDS_END 7

struct state_ops {
    const char *name; /* for messages */
    enum state_id id;

    /* Makes room for the changes that up to `records` events can cause. ERR_FULL: not now, call maintain first. */
    enum status (*prepare)(struct state *, size_t records, struct error *);
    /* Appends the changes since the last collect as records whose first byte is the id. ERR_FULL: they do not fit. */
    enum status (*collect)(struct state *, struct process_stream *changelog, struct error *);
    /* A record that collect made is durable. offset: its number in the partition's changelog. Never fails: trouble with
     * files is kept for maintain and checkpoint to mend and report. */
    void (*durable)(struct state *, struct slice record, uint64_t offset);
    /* Replays a record that is not yet in the state. ERR_CORRUPT: it cannot be one of ours. */
    enum status (*apply)(struct state *, struct slice record, uint64_t offset, struct error *);

    /* A bounded piece of upkeep (writes at most about 1 MiB). *out_more: call again soon. An error here loses nothing:
     * it is tried again. */
    enum status (*maintain)(struct state *, bool *out_more, struct error *);
    /* About how many bytes collect would write now: a commit is closed before it becomes too large. */
    uint64_t (*pending_bytes)(struct state *);
    /* Begins to bring what is durable at this moment into files, and appends to `section` what restore needs.
     * ERR_RETRY: upkeep must finish first. Nothing before the previous successful checkpoint is needed once two have
     * succeeded since. */
    enum status (*checkpoint)(struct state *, struct buf *section, struct error *);
    /* A bounded piece of what the last checkpoint began, until *out_done: everything that its section speaks of is
     * durable (files that are newer may be, if replaying from the checkpoint on still ends the same). Events are
     * processed meanwhile. The states are asked last to first, each when those behind it are done. An error: this
     * checkpoint comes to nothing, another one is begun later. */
    enum status (*settle)(struct state *, bool *out_done, struct error *);
    /* Becomes what the section describes; `self` was emptied before. ERR_CORRUPT, ERR_NOT_FOUND: the files are not
     * what they should be, the state is empty or half-built: call empty. */
    enum status (*restore)(struct state *, struct slice section, struct error *);
    /* Forgets everything in memory. */
    void (*empty)(struct state *);

    /* Of a file in the partition's directory: does the state as it is now use it? (Kept checkpoints are asked through
     * section_uses.) */
    bool (*uses_file)(struct state *, const char *name);
    bool (*section_uses)(struct slice section, const char *name);
    /* The oldest changelog record that a rebuild without files would need; `next` when none. */
    uint64_t (*replay_from)(struct state *, uint64_t next);
    uint64_t (*memory_bytes)(struct state *);
    uint64_t (*disk_bytes)(struct state *);
};

/* Every implementation's struct begins with this. */
struct state {
    const struct state_ops *ops;
};
