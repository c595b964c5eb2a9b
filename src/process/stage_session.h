/* Sessions: which events of a visitor belong together, by event time (state/session_table.h). The stage takes every
 * accepted event; what changed is written to TOPIC_SESSIONS by stage_session_flush: at once, up to
 * SESSIONS_A_SECOND; under more load once a second, so that a busy session is one record a second and not one a commit.
 */
#pragma once
#include "process/process_stage.h"
#include "process/state/session_state.h"

#define SESSIONS_A_SECOND 10000
#define SESSIONS_A_COMMIT 20000

struct stage_session {
    struct session_state *sessions;
    uint64_t seed; /* of the partition: nobody outside can make visitors collide */
    uint16_t partition;
    bool gap_fixed;            /* the table's own gap holds for all tenants, whatever the domains say */
    int64_t now_ms, second_ms; /* wall clock; when the second in count began */
    size_t sent;               /* in that second */
    struct id128 ids[PROCESS_BATCH_MAX];
};

/* self: struct stage_session. After state_ops.prepare for the batch. */
MUST_CHECK enum status stage_session_run(void *self, struct process_batch *batch, struct error *err);
/* self: struct stage_session. */
MUST_CHECK enum status stage_session_flush(void *self, struct process_outputs *outputs, struct error *err);
/* Lets time pass. True: a commit is wanted. *io_wake_ms is lowered to the wall clock at which to call again. */
bool stage_session_tick(struct stage_session *stage, int64_t now_ms, int64_t *io_wake_ms);
