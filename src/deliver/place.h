/* Where a sink stands, in the journal: its mark, which holds back what is not delivered, and the note that its target
 * left. Owner: the role; the journal's thread only says when a commit is done. */
#pragma once
#include <stdatomic.h>

#include "base/bell.h"
#include "base/compiler.h"
#include "base/error.h"
#include "deliver/target.h"
#include "journal/journal.h"

enum place_state { PLACE_IDLE, PLACE_PENDING, PLACE_DONE };

struct place_mark {
    struct journal_commit commit;
    struct journal_mark mark;
    char note[TARGET_NOTE_MAX];
    struct bell *bell;
    _Atomic int state;
    enum status status; /* these two are valid in PLACE_DONE */
    char reason[160];
};

/* The sink's group of readers. */
void place_group(const char *sink, char to[JOURNAL_GROUP_MAX + 1]);
/* Only when idle. ERR_FULL, ERR_CLOSED, …: not submitted, still idle. position JOURNAL_MARK_DROP: the mark goes. */
MUST_CHECK enum status place_submit(struct place_mark *place, struct journal *journal, const char *sink,
                                    uint16_t partition, uint64_t position, const char *note, struct error *err);
enum place_state place_state(const struct place_mark *place);
/* Idle again; how the commit ended. Only when done. */
MUST_CHECK enum status place_take(struct place_mark *place, struct error *err);
/* The mark is this process's from now on. ERR_NOT_FOUND: there is none. */
MUST_CHECK enum status place_read(struct journal *journal, const char *sink, uint16_t partition, uint64_t *out_position,
                                  char out_note[TARGET_NOTE_MAX], struct error *err);
