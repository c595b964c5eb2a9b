/* Lines that are sent later than they were made: late events and repeats. Inside of generate/. Memory: HELD_MAX lines;
 * when there are more, the first leaves before its time. */
#pragma once
#include "base/buf.h"
#include "base/compiler.h"

#define HELD_MAX 65536

struct held_line {
    int64_t at_ns;
    uint64_t serial; /* of lines of one time the one that came first */
    char *text;
    uint32_t n;
};

struct held {
    struct held_line *heap;
    size_t count, room;
    uint64_t serial;
};

void held_done(struct held *held);
void held_add(struct held *held, int64_t at_ns, struct slice line);
/* When the next one is due; INT64_MAX: there is none. */
int64_t held_due_ns(const struct held *held);
/* Moves the next one to `out`. */
void held_take(struct held *held, struct buf *out);
