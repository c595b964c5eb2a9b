/* The first stage: is this an event at all, and can its time be believed? Ingestion has checked what clients send; this
 * checks what the journal holds, whoever wrote it. */
#pragma once
#include "process/process_stage.h"

struct stage_validate {
    int64_t future_skew_ms; /* a timestamp further ahead of ingested_us is refused: it would push the watermark */
};

/* self: struct stage_validate. Reasons: "missing_field", "bad_id", "too_far_in_future". */
MUST_CHECK enum status stage_validate_run(void *self, struct process_batch *batch, struct error *err);
