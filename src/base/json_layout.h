/* JSON for people and for `diff`: a value that fits into a line stays in one, others have a line for each member. */
#pragma once
#include "base/buf.h"

/* Appends json, which must be right and without blanks between its tokens (as the json_add_… write it), and a newline.
 * What is nested deeper than JSON_LAYOUT_DEPTH_MAX stays in one line. */
#define JSON_LAYOUT_DEPTH_MAX 32
void json_add_laid_out(struct buf *buf, struct slice json);
