/* Rebuilding a partition's state when its task starts, or a copy of it (process_standby.h): the newest usable base,
 * else the snapshot in the changelog, then the changelog from there up to the very record that the partition's mark
 * names. What comes out is exactly the state of the last durable commit, of a copy that of the owner's last checkpoint,
 * or an error: never something in between. Owner: the task or the copy; one thread. */
#pragma once
#include "base/compiler.h"
#include "base/error.h"
#include "journal/journal.h"
#include "process/process_snapshot_read.h"
#include "process/state/state_base.h"

/* What a task keeps beside its mark; its bytes are drawn in process_restore.c. */
struct process_note {
    uint64_t skip;           /* events behind the mark's position that are done already */
    uint64_t seed;           /* of the partition's hashes; random, made once */
    uint64_t changelog_next; /* number of changelog records that the partition's state consists of */
    uint64_t replay_from;    /* without any base, records before this one are not needed */
    struct snapshot_place snapshot;
    uint64_t settled; /* changelog records that the owner's newest checkpoint consists of; 0: none is known. What stages
                         had found up to there was sent, so whoever goes on from there need not send it again */
};

#define PROCESS_NOTE_BYTES 80
void process_note_encode(const struct process_note *note, char to[PROCESS_NOTE_BYTES]);
MUST_CHECK enum status process_note_decode(struct slice bytes, struct process_note *out, struct error *err);

enum restore_source { FROM_FILES, FROM_SNAPSHOT, FROM_CHANGELOG };

struct process_restore {
    struct journal *journal;
    uint16_t partition;
    struct state_base *base;
    struct state *const *states;
    size_t state_count;
    struct process_note note;
    struct snapshot_reader snapshot; /* its base, map and disk; else its own */
    bool accept_lost;                /* go on although older changes are gone */
    /* A copy of what another process works on: it ends at note.settled, or at a base that goes further, and what lies
     * behind that is left alone. */
    bool is_copy;
    /* Its own: */
    bool opened;
    struct journal_reader *reader;
    enum restore_source source;
    bool gathering; /* the snapshot; then the changes behind it */
    struct state_point point;
    uint64_t next_offset;
    bool offset_known;
    uint64_t records;         /* replayed in this attempt */
    uint64_t position;        /* of the journal: what the states lack lies behind it */
    unsigned attempts;        /* bases tried */
    bool lost;                /* accept_lost was needed */
    char why[ERROR_TEXT_MAX]; /* of the last base that could not be used; "" when none */
};

/* Does a bounded part. *out_done: the states are what the note says. ERR_CORRUPT: no way to rebuild them, the text says
 * what to do. ERR_IO, ERR_FULL, ERR_RETRY: the disk's trouble; process_restore_reset and try again. */
MUST_CHECK enum status process_restore_step(struct process_restore *restore, bool *out_done, struct error *err);
/* Of a copy that is done: how far it goes. */
struct state_point process_restore_reached(const struct process_restore *restore);
/* Records of the changelog that are still to be read, once it has begun. */
uint64_t process_restore_left(const struct process_restore *restore);
/* Back to the beginning; also what frees it. */
void process_restore_reset(struct process_restore *restore);
