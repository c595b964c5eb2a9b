/* Writing JSON into a buffer. Reading it is event/json.h. */
#pragma once
#include "base/buf.h"

/* "text", quoted and escaped; bytes that are not UTF-8 become U+FFFD. */
void json_add_string(struct buf *buf, struct slice text);
/* ,"name": (without the comma right after an opening bracket): what comes next is the value. */
void json_add_key(struct buf *buf, const char *name);
void json_add_field(struct buf *buf, const char *name, struct slice text);
void json_add_field_u64(struct buf *buf, const char *name, uint64_t value);
/* With as few digits as read back as the same double; null for what JSON cannot say (infinities, not-a-number). */
void json_add_number(struct buf *buf, double number);
