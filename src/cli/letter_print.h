/* Dead letters as people and programs read them. Everything from outside is made harmless for a terminal. */
#pragma once
#include "base/buf.h"
#include "cli/letters.h"

/* One JSON object; `original` is text, or `original_hex` when the bytes are no UTF-8. */
void letter_add_json(struct buf *out, const struct letter *letter);
/* Every field on a line of its own, the original as indented JSON when it is JSON, and what to do about it. */
void letter_add_page(struct buf *out, const struct letter *letter);
/* JSON indented by two blanks; anything else with \xNN for what is not printable. At most bytes_max of it. */
void letter_add_original(struct buf *out, struct slice original, size_t bytes_max);
