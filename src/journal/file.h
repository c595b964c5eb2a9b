/* The file journal's own parts, for the files file_*.c and journal_file.c alone. Who owns what:
 *   submit (any thread)  submitted, queued_bytes, and reads room
 *   writer role          struct file_writer, adds to segments, ring, marks; publishes durable
 *   janitor role         struct file_janitor, under its claim: the writer may claim it to prepare a segment itself
 *   readers              nothing of this; they look at durable, segments and ring */
#pragma once
#include "base/buf.h"
#include "base/metrics.h"
#include "base/role.h"
#include "journal/commit.h"
#include "journal/frame.h"
#include "journal/marks.h"
#include "journal/recent.h"
#include "journal/ring.h"
#include "journal/segments.h"
#include "journal/wakers.h"
#include "world/disk.h"
#include "world/world.h"

#define GROUP_PARTS_MAX 1024
#define GROUP_BYTES_DEFAULT (8u << 20)
#define TIDE_AFTER_US 1000000

/* One run of bytes to write: of the staging buffer when p is NULL (it may move while it grows), else the submitter's.
 */
struct file_part {
    const char *p;
    size_t at, n;
};

struct file_writer {
    struct disk_file *file; /* the segment that is written; NULL: the next commit needs a new one */
    bool fresh;             /* nothing in it is durable yet, not even its header */
    uint64_t first, bytes;  /* of this segment (of the last one, while file is NULL) */
    uint64_t at;            /* where the next frame goes: everything before is durable */
    uint32_t chain;         /* crc of the last durable frame */
    uint64_t session;
    bool new_session, group_new_session; /* the next frame starts it */
    uint64_t next_first;                 /* where the next segment begins */
    bool any_segment;                    /* false: the journal is empty */
    bool tide_due;                       /* nothing yet says that the last group is durable */
    int64_t written_us;                  /* wall clock of the last frame */
    int64_t idle_since_us, retry_us, retry_pause_us;
    uint64_t *offsets; /* next of [topic][partition] */

    struct journal_commit *pending, *pending_last; /* taken, oldest first */

    /* The group under construction. */
    struct buf staging;
    struct file_part parts[GROUP_PARTS_MAX];
    struct iovec iovecs[GROUP_PARTS_MAX];
    int part_count;
    struct journal_commit *group_last; /* pending … group_last are in the group; NULL: none */
    uint64_t group_at;                 /* behind its last frame */
    uint64_t write_from;               /* position of its first byte */
    uint32_t group_chain;
    uint64_t ring_next;
    uint32_t *touched; /* topics with new records, by partition */
    uint32_t touched_all;
    int64_t wall_us;
};

enum spare_state {
    SPARE_NONE,
    SPARE_READY,
    SPARE_NO_ROOM, /* tried in vain; not again before retry_us */
    SPARE_TAKEN,   /* the writer begins a segment with it: next_first is its name, nothing may be prepared under it */
};

struct file_janitor {
    _Atomic bool claimed;
    _Atomic int spare;           /* enum spare_state */
    _Atomic uint64_t next_first; /* where the spare has to begin; set by the writer before it asks */
    struct disk_file *spare_file;
    struct disk_file *filling; /* prepare.tmp */
    uint64_t filled, synced;
    int64_t retry_us, retry_pause_us;
    bool retiring; /* the file of a segment that is given up is still to be removed */
    uint64_t retiring_first;
    int64_t last_wall_us, last_mono_us, no_age_until_us;
};

enum room { ROOM_ALL, ROOM_PROGRESS, ROOM_MARKS }; /* who may commit: everybody; commits with marks; marks alone */

struct file_metrics {
    struct counter *commits, *records, *bytes, *syncs, *sync_errors, *refused_queue, *refused_disk, *waited;
    struct gauge *disk_bytes, *full, *queued;
    struct histogram *sync_time, *commit_time;
};

struct journal_file {
    struct journal journal;
    struct journal_options options;
    char path[DISK_PATH_MAX - 64];
    struct world *world;
    struct disk_file *lock;
    struct metrics *own_metrics;
    struct file_metrics metrics;
    struct bell *writer_bell, *janitor_bell;
    uint8_t directory[16];
    uint32_t seed;

    struct commit_list submitted;
    _Atomic uint64_t queued_bytes;
    _Atomic bool draining;
    _Atomic int room;
    _Atomic uint64_t durable; /* end of the last durable frame */
    _Atomic uint64_t spare_bytes;

    struct segments segments;
    struct marks *marks;
    struct wakers wakers;
    struct ring *ring;
    struct recent *recent;
    _Atomic uint64_t *ends; /* next durable offset of [topic][partition]; the writer sets, any thread reads */

    struct file_writer writer;
    struct file_janitor janitor;
};

static inline struct journal_file *file_of(struct journal *journal)
{
    return (struct journal_file *)journal;
}

static inline _Atomic uint64_t *file_end_offset_at(struct journal_file *j, uint16_t topic, uint16_t partition)
{
    assert(topic < JOURNAL_TOPICS && partition < j->journal.partitions);
    return &j->ends[(size_t)topic * j->journal.partitions + partition];
}

static inline uint64_t *file_offset(struct journal_file *j, uint16_t topic, uint16_t partition)
{
    assert(topic < JOURNAL_TOPICS && partition < j->journal.partitions);
    return &j->writer.offsets[(size_t)topic * j->journal.partitions + partition];
}

/* DIR/NNNNNNNNNNNNNNNNNNNN.seg */
void file_segment_path(const struct journal_file *j, uint64_t first, char out[DISK_PATH_MAX]);
/* Largest frame that always fits into an empty segment beside its header and snapshot. */
size_t file_commit_bytes_max(const struct journal_file *j);
uint64_t file_bytes_on_disk(struct journal_file *j);

/* file_recover.c: finds the end of the log and fills segments, marks, offsets and the writer. */
MUST_CHECK enum status file_recover(struct journal_file *j, struct error *err);

/* file_writer.c, file_group.c */
bool file_writer_step(void *self, struct world *world, int64_t *wake_us);
void file_writer_fail_all(struct journal_file *j, enum status status, const char *reason);
/* Begins the group that takes a prefix of writer.pending. */
void file_group_begin(struct journal_file *j);
/* False: it does not go into this group (any more); the group is to be written first. */
bool file_group_add(struct journal_file *j, struct journal_commit *commit);
void file_group_add_tide(struct journal_file *j);
/* *out_written: the write went well, the flush did not. */
MUST_CHECK enum status file_group_write(struct journal_file *j, bool *out_written, struct error *err);
/* Takes back the offsets that the group was given. */
void file_group_undo(struct journal_file *j);

/* file_janitor.c */
bool file_janitor_step(void *self, struct world *world, int64_t *wake_us);
/* For the writer: the spare's file, named and durable, or NULL (then ask again after the janitor's ring). */
struct disk_file *file_take_spare(struct journal_file *j, bool *out_no_room);
/* For the writer: what file_take_spare gave is a segment now, or was given up. */
void file_spare_used(struct journal_file *j, uint64_t next_first);
void file_janitor_done(struct journal_file *j);

/* file_reader.c, file_walk.c */
enum status file_reader_open(struct journal *journal, const struct journal_read_options *options,
                             struct journal_reader **out, struct error *err);
void file_reader_close(struct journal_reader *reader);
enum status file_read(struct journal_reader *reader, size_t bytes_max, struct journal_batch *out, struct error *err);
