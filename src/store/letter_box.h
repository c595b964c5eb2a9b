/* Dead letters that the sink itself writes (stage "store"), collected until they are committed to the journal together
 * with the mark. Bounded; one owner. */
#pragma once
#include "base/buf.h"
#include "base/compiler.h"
#include "event/dead_letter.h"
#include "journal/journal.h"
#include "store/native.h"

#define LETTER_BOX_MAX 256
#define LETTER_BOX_BYTES_MAX (12u << 20)
#define LETTER_BYTES_MAX (2u << 20) /* of one original; what is beyond it is cut */

struct letter_box {
    struct journal_chunk chunks[LETTER_BOX_MAX]; /* each one record of TOPIC_DEAD_LETTERS */
    size_t count;
    struct buf bytes, scratch;
};

void letter_box_init(struct letter_box *box);
void letter_box_done(struct letter_box *box);
void letter_box_reset(struct letter_box *box);
/* No room for one more of any size. */
bool letter_box_is_full(const struct letter_box *box);

/* A record of the journal that could not be read, as it is. False: no room. */
bool letter_box_add_record(struct letter_box *box, uint16_t partition, struct slice record, const char *message);
/* A row that the store refuses: the original is the row as a JSON object, column by column. False: no room. */
bool letter_box_add_row(struct letter_box *box, const struct native_block *block, uint32_t row, const char *message);
/* The chunks, ready for a commit; valid until the box changes. */
const struct journal_chunk *letter_box_chunks(struct letter_box *box);
