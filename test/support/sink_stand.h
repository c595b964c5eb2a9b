/* What the tests of both sinks (store/sink.h, deliver/deliver.h) stand on: the memory journal, of which commits are
 * held until a test passes them on, as a journal does that is not yet durable; a die with a seed; a clock that goes on
 * when the sink sleeps. So a test may end the sink between any two of its steps. One at a time; one thread. */
#pragma once
#include "base/metrics.h"
#include "base/role.h"
#include "journal/journal.h"
#include "world/world.h"

struct sink_stand {
    struct world world;
    int64_t now_us;
    uint64_t seed;
    struct metrics *metrics;
    struct journal *journal;
    struct journal_backend backend; /* the memory journal's, but submit; a test may change more */
    struct role writer;             /* the journal's */
    struct role role;               /* the sink's, set by the test */
    struct journal_commit *held[8]; /* submitted, not yet passed on */
    size_t held_count;
    bool (*fails)(
        struct journal_commit *); /* true: it has seen to the commit, which does not go on. NULL: none fails */
};
extern struct sink_stand stand;

void stand_begin(uint16_t partitions, uint32_t segment_bytes);
/* The sink is closed by then, and nothing is held. */
void stand_end(void);

/* The next number of the seed; the world's chance is the same die. */
uint64_t stand_dice(void);

/* Into the journal, past what is held: durable when it returns. `done` is set here. */
void stand_submit(struct journal_commit *commit);
/* A chunk, the same way. */
void stand_emit(const struct journal_chunk *chunk);
/* What is held becomes durable. */
void stand_pass_on(void);
/* What is held never was: the power was cut. */
void stand_lose(void);
/* One step of the role, or what it waits for: commits, or time. False: nothing is left to do. */
bool stand_step(void);

/* A record as the journal's chunks have them: room for its bytes behind their number. */
char *stand_add_record(struct buf *bytes, size_t n);
