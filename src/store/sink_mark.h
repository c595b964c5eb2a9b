/* The sink's commits to the journal: its mark with a note, and dead letters with it. Owner: the sink role; the
 * journal's thread only says when it is done. */
#pragma once
#include <stdatomic.h>

#include "base/bell.h"
#include "base/compiler.h"
#include "base/error.h"
#include "journal/journal.h"

/* What the note says: the batch [position, to) is being inserted; rows before `row` of table `table`, and all tables
 * before that, are settled; letters of unreadable records were committed. No note: nothing is under way. */
struct sink_note {
    uint64_t to;
    uint32_t table, row;
    bool lettered;
};

enum sink_mark_state { MARK_IDLE, MARK_PENDING, MARK_DONE };

struct sink_mark {
    struct journal_commit commit;
    struct journal_mark mark;
    char note[96];
    struct bell *bell;
    uint16_t partition; /* or JOURNAL_ALL_PARTITIONS: what the sink moves */
    _Atomic int state;
    enum status status; /* these two are valid in MARK_DONE */
    char reason[160];
};

/* note may be NULL; chunks are borrowed until the commit is done. Only when idle. ERR_FULL, ERR_CLOSED, …: not
 * submitted, still idle. */
MUST_CHECK enum status sink_mark_submit(struct sink_mark *mark, struct journal *journal, uint64_t position,
                                        const struct sink_note *note, const struct journal_chunk *chunks,
                                        size_t chunk_count, struct error *err);
enum sink_mark_state sink_mark_state(const struct sink_mark *mark);
/* Idle again; returns how the commit ended. Only when done. */
MUST_CHECK enum status sink_mark_take(struct sink_mark *mark, struct error *err);

/* The group's mark, which is this process's from now on. *out_has_note: a batch is under way. ERR_NOT_FOUND: there is
 * no mark. */
MUST_CHECK enum status sink_mark_read(struct journal *journal, uint16_t partition, uint64_t *out_position,
                                      struct sink_note *out_note, bool *out_has_note, struct error *err);
