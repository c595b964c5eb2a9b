/* The whole of simdjson that we use, for C: its first stage, which finds the tokens of a text and checks UTF-8, chosen
 * for the processor at run time. No exception crosses this line. Used by json.c alone. */
#pragma once
#include "base/compiler.h"

C_BEGIN

struct json_stage1;

struct json_stage1 *json_stage1_new(void); /* NULL: out of memory */
void json_stage1_free(struct json_stage1 *stage1);
/* Room for texts of this many bytes, which replaces the room before. NULL: out of memory. Else the array of token
 * positions, with place for capacity + 1. */
uint32_t *json_stage1_reserve(struct json_stage1 *stage1, size_t capacity);
/* False: something is wrong with the text (which is for json.c to find out), the positions are undefined. */
bool json_stage1_run(struct json_stage1 *stage1, const char *p, size_t n, size_t *out_count);

C_END
