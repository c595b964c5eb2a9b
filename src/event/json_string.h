/* What json.c needs to know about the inside of strings. Nobody else includes this. */
#pragma once
#include "event/json.h"

/* Sets the cursor's problem and returns false. */
bool json_fail_at(struct json_cursor *cursor, enum json_problem problem, const char *why, size_t at);
/* The parts of a string that the first stage does not vouch for; from and end are the positions of its quotes. */
MUST_CHECK bool json_check_string(struct json_cursor *cursor, size_t from, size_t end, bool *out_escaped);
/* A string without its quotes, which has been checked; `to` has room for inner.n bytes. Returns how many it took. */
size_t json_unescape(struct slice inner, char *to);
