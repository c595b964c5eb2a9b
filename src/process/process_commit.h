/* One commit from its first event until it is durable: outputs, position, and what the live feed will be told. A task
 * has two: one fills while the other is with the journal. Owner: the task; only `answer` is set by the journal. */
#pragma once
#include <stdatomic.h>

#include "base/compiler.h"
#include "journal/journal.h"
#include "process/live.h"
#include "process/process_output.h"
#include "process/process_restore.h"

enum process_commit_answer { ANSWER_NONE, ANSWER_HERE };

struct process_commit {
    struct process_outputs outputs;
    struct live_gather live;
    uint32_t events;
    uint32_t records;  /* of other kinds: partials of windows */
    uint32_t changes;  /* changelog records in it */
    int64_t oldest_us; /* smallest ingested_us; INT64_MAX when none */
    uint64_t position; /* of the mark */
    struct process_note note;
    char note_bytes[PROCESS_NOTE_BYTES];
    struct journal_chunk chunks[PROCESS_STREAMS_MAX];
    struct journal_mark marks[2];
    struct journal_commit commit;
    int64_t submitted_us;
    struct bell *bell; /* rung when the answer is here */
    enum status status;
    char reason[128];
    _Atomic int answer;  /* set by the journal's thread when it is done with the commit … */
    _Atomic int ringing; /* … and 0 when it has rung the bell and will not touch the task again */
};

void process_commit_init(struct process_commit *commit, uint16_t partition, struct bell *bell);
void process_commit_reset(struct process_commit *commit);
void process_commit_done(struct process_commit *commit);
/* Fills in what goes to the journal. keep: new position of the checkpoint's mark, or NULL to leave it. */
void process_commit_seal(struct process_commit *commit, uint16_t partition, const uint64_t *keep);
MUST_CHECK enum status process_commit_submit(struct process_commit *commit, struct journal *journal, struct error *err);
/* Calls visit for each changelog record in it, in order. */
void process_commit_changes(const struct process_commit *commit, uint16_t partition,
                            void (*visit)(void *self, struct slice record, uint64_t offset), void *self);
