/* The members that validation puts into an event's properties, or takes out: collected while the event is looked at,
 * then made at once. Where all of them are new, they are written behind the others, and what is there is copied and not
 * read; otherwise base/json_edit.h goes through it. Owner: one stage; what comes out is in the batch's arena. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/json_edit.h"

#define AMENDMENTS_MAX 256 /* more than a type has fields and cents */

struct amend {
    struct slice names[AMENDMENTS_MAX];
    struct json_change changes[AMENDMENTS_MAX];
    size_t count;
    bool edits;          /* some member is there already */
    struct buf rooms[2]; /* of edits, to and fro */
};

void amend_init(struct amend *amend, size_t bytes_max);
void amend_done(struct amend *amend);

static inline void amend_begin(struct amend *amend)
{
    amend->count = 0;
    amend->edits = false;
}
/* name: as JSON has it between its quotes; value: JSON. Both live until the amendment is made. is_there: a member of
 * this name is in the object. */
void amend_set(struct amend *amend, struct slice name, struct slice value, bool is_there);
void amend_remove(struct amend *amend, struct slice name);
/* AMEND_OK: *io_object is another text now, in the arena. Nothing else changes it. */
enum amend_result { AMEND_OK, AMEND_NO_OBJECT, AMEND_TOO_LARGE, AMEND_NO_ROOM };
enum amend_result amend_make(struct amend *amend, struct arena *arena, struct slice *io_object);
