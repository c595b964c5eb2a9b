/* Puts the base of a partition's state together again from the records of a snapshot (process_snapshot_record.h), in an
 * emptied directory. Owner: the task that is being restored; one thread. Blocks on the local disk alone. */
#pragma once
#include "base/buf.h"
#include "base/compiler.h"
#include "base/error.h"
#include "process/process_snapshot_record.h"
#include "process/state/state_base.h"
#include "process/state/state_kv.h"

struct disk;
struct disk_file;

struct snapshot_reader {
    struct state_base *base;
    struct state_kv *kv;
    struct disk *disk;
    /* Its own: */
    uint32_t number; /* of the record that is due */
    uint64_t bytes;
    bool ended;
    struct buf manifest;
    struct disk_file *file; /* being written */
    char name[STATE_BASE_NAME_BYTES];
    uint64_t file_at;
    struct kv_change *rows;
    size_t row_capacity;
};

/* Forgets all; also what frees it. */
void snapshot_reader_reset(struct snapshot_reader *reader);
/* The next record of the snapshot. ERR_CORRUPT: it is not the one that is due. Other errors: the disk. */
MUST_CHECK enum status snapshot_reader_take(struct snapshot_reader *reader, struct slice record, struct error *err);
/* The end was taken: everything is durable that a later checkpoint relies on, and the states become what it was.
 * *out: where the changes go on. */
MUST_CHECK enum status snapshot_reader_finish(struct snapshot_reader *reader, uint64_t seed, struct state_point *out,
                                              struct error *err);
