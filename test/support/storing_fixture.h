/* The sink on the test stand of sinks (sink_stand.h), over the memory store. Inserts and commits fail as the stand's
 * die says, the sink may be ended at a step, and a token must stand for the same bytes whenever it is used. At the end
 * every row must be in the store exactly once. */
#pragma once
#include "base/test.h"
#include "event/event.h"
#include "store/sink.h"
#include "store/store_memory.h"
#include "test/support/sink_stand.h"

#define STORING_PARTITIONS 4

struct storing {
    struct store *store;
    struct store_memory_options faults;
    struct sink_options options;
    struct sink *sink;
    uint64_t steps, crash_at_step; /* of the sink; 0: never */
    bool crash_loses;              /* what is not durable then */
    uint32_t events[STORING_PARTITIONS], unreadable, poisoned;
    uint32_t fail_percent, commit_fail_percent;
    bool lost; /* a commit failed: none succeeds before the mark is owned again */
    struct {
        char token[STORE_TOKEN_MAX];
        uint64_t hash;
    } * tokens; /* every token ever used, and what it stood for */
    size_t token_count;
    uint64_t inserts, rows_in_largest;
};
extern struct storing storing;

/* Around each test. */
int storing_begin(void **state);
int storing_end(void **state);

struct event storing_event(void);
void storing_add_event(struct buf *bytes, const struct event *event);
/* What was added, as one commit; frees the buffer. */
void storing_commit(uint16_t partition, struct buf *bytes, uint32_t records);
/* Events of 330 months; one that the store refuses; records that cannot be read. */
void storing_emit(uint16_t partition, uint32_t count);
void storing_emit_poison(uint16_t partition);
void storing_emit_unreadable(uint16_t partition, uint32_t count);

/* False: nothing is left to do. */
bool storing_step(void);
void storing_run(void);
void storing_run_until_inserts(uint64_t inserts);
/* kill -9, and a new sink. */
void storing_crash(void);

void storing_expect_exactly_once(void);
void storing_expect_nothing_under_way(void);
enum status storing_mark(struct journal_mark *out);
