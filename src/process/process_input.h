/* Where a task stands in its input (accepted events, and partials of windows that other partitions send): a cursor over
 * the journal's batches that can say its position after any record, not only between commits. Owner: the task; one
 * thread. */
#pragma once
#include "base/compiler.h"
#include "base/error.h"
#include "journal/journal.h"

struct process_input {
    struct journal_reader *reader;
    struct journal_batch batch; /* what was read last */
    size_t chunk;               /* in the batch */
    struct slice rest;          /* of the chunk */
    uint64_t base;              /* position before the batch */
    uint64_t consumed;          /* records taken since base */
    uint64_t to_skip;           /* records that an earlier life has done */
    uint64_t next_event;        /* offset of the next event in the partition; for the lag */
    int64_t written_us;         /* when the next record was written; 0 when none is at hand */
};

MUST_CHECK enum status process_input_open(struct process_input *input, struct journal *journal, uint16_t partition,
                                          uint64_t position, uint64_t skip, struct waker waker, struct error *err);
void process_input_close(struct process_input *input);
/* Whether a record is at hand; false when what was read is used up. */
static inline bool process_input_has(const struct process_input *input)
{
    return input->chunk < input->batch.chunk_count;
}
/* Of the next record, which must be at hand. */
static inline enum journal_topic process_input_topic(const struct process_input *input)
{
    return (enum journal_topic)input->batch.chunks[input->chunk].topic;
}
/* Of the next record; 0 when nothing is at hand. */
size_t process_input_peek_bytes(const struct process_input *input);
/* Only when nothing is at hand. OK with nothing at hand: there is nothing new. */
MUST_CHECK enum status process_input_read(struct process_input *input, size_t bytes, struct error *err);
/* The next record, borrowed until the next read. ERR_NOT_FOUND: nothing at hand. ERR_CORRUPT: the journal's chunk is
 * malformed. */
MUST_CHECK enum status process_input_next(struct process_input *input, struct slice *out_record, struct error *err);
/* For a mark: the records before are those before `position` and `*out_skip` behind it. */
uint64_t process_input_position(const struct process_input *input, uint64_t *out_skip);
