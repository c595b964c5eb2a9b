/* What came out of a machine, as rows of JSON in the words of the tables that people query, the newest of each only;
 * and the comparison with what a case expects. One thread. */
#pragma once
#include "base/buf.h"
#include "trial/machine.h"

enum outcome_table { OUTCOME_WINDOWS, OUTCOME_SESSIONS, OUTCOME_LATE, OUTCOME_DEAD, OUTCOME_EVENTS, OUTCOME_TABLES };
/* "windows", "sessions", "late_events", "dead_letters", "events": as one writes them in a case. */
extern const char *const OUTCOME_NAMES[OUTCOME_TABLES];

struct outcome_row {
    enum outcome_table table;
    uint64_t identity;   /* of later rows with the same one the last counts; 0: each row is its own */
    struct slice window; /* in windows and late_events; within json */
    struct buf json;
    bool gone;
    uint32_t taker, seen; /* while compared: the number + 1 of the expected row that has it, or 0; when it was met */
};

struct outcome {
    struct outcome_row *rows;
    size_t count, capacity;
    uint32_t *places;  /* by identity: a row's number + 1, or 0; twice as many as there is room for rows */
    uint64_t position; /* read so far */
};

void outcome_done(struct outcome *outcome);
/* Takes in what is new in the machine's journal. */
void outcome_read(struct outcome *outcome, struct machine *machine);
/* An event that ingestion refused. */
void outcome_reject(struct outcome *outcome, const char *reason, struct slice field, struct slice event_id,
                    struct slice message);

/* The rows of the table (of that window, when it is not empty) must be as many as `wanted` has, each with at least the
 * members of one of its own; or be so many, when `wanted` is a number. What differs is told in diff. */
MUST_CHECK bool outcome_is(struct outcome *outcome, enum outcome_table table, struct slice window, struct slice wanted,
                           struct buf *diff);
