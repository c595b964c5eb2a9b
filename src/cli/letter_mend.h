/* From a dead letter to a line that can be sent: with an id that a second replay has too, with the time at which it
 * happened, and with what the user wants changed. Pure: no files, no network. */
#pragma once
#include "base/buf.h"
#include "base/compiler.h"
#include "base/error.h"
#include "base/json_edit.h"
#include "cli/args.h"

#define LETTER_SETS_MAX ARGS_TEXTS_MAX
#define LETTER_LINE_MAX (16u << 20)

/* The changes of --set, ready to be made. */
struct letter_sets {
    struct json_change changes[LETTER_SETS_MAX];
    struct slice names[LETTER_SETS_MAX][JSON_EDIT_DEPTH_MAX];
    size_t count;
    struct buf values; /* the JSON of values that were typed as bare text */
};

/* "event_type=view", "properties.price=10" (JSON where it is JSON, else text), "user_id=" (removes it). The texts must
 * live as long. ERR_INVALID says which one is wrong. */
MUST_CHECK enum status letter_sets_init(struct letter_sets *sets, const struct args_texts *texts, struct error *err);
void letter_sets_done(struct letter_sets *sets);
static inline void letter_sets_auto(struct letter_sets *sets)
{
    letter_sets_done(sets);
}

struct letter_line {
    struct slice original;
    struct slice origin; /* what makes the same content another event: the letter's id; or empty */
    int64_t received_ms; /* the event's time when it names none; 0: now */
    bool new_id;         /* give it another id, made of the old one */
};

/* Appends one line (with its end). An original that is no JSON object is copied with its line ends as blanks, unless
 * there is something to set: false then, and nothing was added. */
MUST_CHECK bool letter_mend(const struct letter_line *line, const struct letter_sets *sets, struct buf *out);
