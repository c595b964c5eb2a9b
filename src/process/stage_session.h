/* Sessions: which events of a visitor belong together, by event time (state/session_table.h). The stage takes every
 * accepted event; what changed is written to TOPIC_SESSIONS once a commit, by stage_session_flush. */
#pragma once
#include "process/process_stage.h"
#include "process/state/session_state.h"

struct stage_session {
    struct session_state *sessions;
    uint64_t seed; /* of the partition: nobody outside can make visitors collide */
    uint16_t partition;
    struct id128 ids[PROCESS_BATCH_MAX];
};

/* self: struct stage_session. After state_ops.prepare for the batch. */
MUST_CHECK enum status stage_session_run(void *self, struct process_batch *batch, struct error *err);
/* self: struct stage_session. */
MUST_CHECK enum status stage_session_flush(void *self, struct process_outputs *outputs, struct error *err);
