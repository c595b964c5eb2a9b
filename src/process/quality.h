/* Counts how good the events of a commit are, by tenant, type and hour, and writes one record for each into the commit
 * (event/quality_record.h): so the counts are exact where the events are, through crashes and repeats. No allocation
 * per event; a table that is full is written before its commit ends. Owner: one pipeline. */
#pragma once
#include "event/quality_record.h"
#include "process/process_metrics.h"
#include "process/process_stage.h"

#define QUALITY_ROWS_MAX 512     /* (tenant, placement, type, hour) in the table at one time */
#define QUALITY_TEXT_BYTES 65536 /* their texts */

struct quality {
    struct process_metrics *metrics; /* counts there, too; NULL: nowhere */
    int64_t late_after_ms;           /* received so long after it happened, an event is late */
    struct quality_record rows[QUALITY_ROWS_MAX];
    uint16_t index[QUALITY_ROWS_MAX * 2]; /* open addressing: number of the row + 1 */
    size_t row_count, last;               /* last: the row that was counted into last */
    char text[QUALITY_TEXT_BYTES];
    size_t text_bytes;
};

/* Zeroed memory, late_after_ms and metrics are all that it needs. */
void quality_count_batch(struct quality *quality, const struct process_batch *batch, struct process_stream *stream);
/* Writes what was counted, and begins anew. */
void quality_flush(struct quality *quality, struct process_stream *stream);
