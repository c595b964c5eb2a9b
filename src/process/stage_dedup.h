/* The second stage: each (tenant, event_id) counts once. The first one wins; a repeat gives nothing, and its sender was
 * told "accepted", since for the sender it is: the event is there. */
#pragma once
#include "process/process_stage.h"
#include "process/state/dedup.h"

struct stage_dedup {
    struct dedup *dedup;
    uint64_t seed; /* of the partition, random: nobody outside can make ids collide */
    struct id128 ids[PROCESS_BATCH_MAX];
    bool known[PROCESS_BATCH_MAX];
};

/* self: struct stage_dedup. After state_ops.prepare of the set for the batch. */
MUST_CHECK enum status stage_dedup_run(void *self, struct process_batch *batch, struct error *err);
